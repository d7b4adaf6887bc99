//! Signs, each in two forms: one for terminals with Unicode, one for those without.

use ratatui::symbols::border::{self, Set};

/// What a single sign stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Done, holds.
    Done,
    /// Waits for the operator.
    Waits,
    /// Shut.
    Shut,
    /// Runs.
    Runs,
    /// Runs no more, and is looked at.
    Verifying,
    /// Failed, does not hold.
    Failed,
    /// Not needed.
    NotNeeded,
    /// Passed over by the operator.
    Skipped,
    /// Taken back.
    TakenBack,
    /// Not known.
    Unknown,
    /// Not begun.
    Ahead,
    /// The leader of etcd.
    Leader,
    /// Stopped for now, as planned.
    Stopped,
    /// Text goes on beyond what is shown.
    More,
    /// A line goes on below.
    Wrap,
    /// The part of a bar that is behind.
    BarFull,
    /// The part of a bar that is ahead.
    BarEmpty,
    /// The edge of the lit row.
    Lit,
    /// What is folded away.
    Folded,
    /// What is unfolded.
    Unfolded,
}

impl Sign {
    /// Every sign in both forms.
    pub const FORMS: [(Self, &'static str, &'static str); 20] = [
        (Self::Done, "✓", "v"),
        (Self::Waits, "●", "*"),
        (Self::Shut, "■", "#"),
        (Self::Runs, "▶", ">"),
        (Self::Verifying, "◐", "~"),
        (Self::Failed, "✗", "x"),
        (Self::NotNeeded, "–", "-"),
        (Self::Skipped, "↷", "s"),
        (Self::TakenBack, "↩", "<"),
        (Self::Unknown, "?", "?"),
        (Self::Ahead, "·", "."),
        (Self::Leader, "★", "L"),
        (Self::Stopped, "○", "o"),
        (Self::More, "…", "..."),
        (Self::Wrap, "↪", "+"),
        (Self::BarFull, "━", "="),
        (Self::BarEmpty, "─", "-"),
        (Self::Lit, "▌", "|"),
        (Self::Folded, "▸", "+"),
        (Self::Unfolded, "▾", "-"),
    ];

    pub(super) fn form(self, ascii: bool) -> &'static str {
        Self::FORMS
            .iter()
            .find(|(sign, ..)| *sign == self)
            .map_or("?", |(_, unicode, plain)| if ascii { plain } else { unicode })
    }
}

/// What is on the screen besides signs, and the one character that can stand for it.
const OTHERS: [(&str, &str); 18] = [
    ("»", ">"),
    ("…", "."),
    ("→", ">"),
    ("←", "<"),
    ("↑", "^"),
    ("↓", "v"),
    ("⏎", "<"),
    ("—", "-"),
    ("×", "x"),
    ("≥", ">"),
    ("≤", "<"),
    ("≠", "!"),
    ("“", "\""),
    ("”", "\""),
    ("‘", "'"),
    ("’", "'"),
    ("▐", "|"),
    ("█", "#"),
];

/// The character of ASCII that stands for what is in one cell.
pub(super) fn plain(symbol: &str) -> &'static str {
    let sign = Sign::FORMS.iter().find(|(_, unicode, plain)| *unicode == symbol && plain.len() == 1);
    let other = || OTHERS.iter().find(|(unicode, _)| *unicode == symbol).map(|(_, plain)| *plain);
    sign.map(|(_, _, plain)| *plain).or_else(other).unwrap_or(match symbol.chars().next() {
        Some('─' | '━' | '═' | '╌' | '┄') => "-",
        Some('│' | '┃' | '║' | '╎' | '┆') => "|",
        Some('\u{2500}'..='\u{257f}') => "+",
        _ => "?",
    })
}

/// Lines of a box in ASCII.
const ASCII_BOX: Set<'static> = Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

/// The same for the box that has the focus.
const ASCII_HEAVY_BOX: Set<'static> = Set { horizontal_top: "=", horizontal_bottom: "=", ..ASCII_BOX };

pub(super) fn lines(heavy: bool, ascii: bool) -> Set<'static> {
    match (heavy, ascii) {
        (false, false) => border::PLAIN,
        (true, false) => border::THICK,
        (false, true) => ASCII_BOX,
        (true, true) => ASCII_HEAVY_BOX,
    }
}

/// Whether a locale has no Unicode: the first of the variables that is set says so.
#[must_use]
pub fn needs_ascii(variable: impl Fn(&str) -> Option<String>) -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| variable(name).filter(|v| !v.is_empty()));
    let locale = set.unwrap_or_default().to_lowercase();
    !(locale.contains("utf-8") || locale.contains("utf8"))
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::*;

    #[test]
    fn every_sign_has_both_forms_and_takes_one_cell() {
        for (sign, unicode, plain) in Sign::FORMS {
            assert_eq!(unicode.width(), 1, "{sign:?}");
            assert!(plain.is_ascii() && !plain.is_empty(), "{sign:?}");
            // Three dots are the only sign that is wider where there is no Unicode.
            assert!(plain.len() == 1 || sign == Sign::More, "{sign:?}");
            assert_eq!((sign.form(false), sign.form(true)), (unicode, plain), "{sign:?} stands in the table once");
        }
    }

    #[test]
    fn states_of_a_task_differ_in_ascii_as_well() {
        let states: Vec<&str> = Sign::FORMS.iter().take(11).map(|(_, _, plain)| *plain).collect();
        let different: std::collections::BTreeSet<_> = states.iter().collect();
        assert_eq!(different.len(), states.len(), "{states:?}");
    }

    #[test]
    fn a_cell_stays_a_cell() {
        for symbol in
            OTHERS.iter().map(|(unicode, _)| *unicode).chain(Sign::FORMS.iter().map(|(_, unicode, _)| *unicode))
        {
            assert_eq!(plain(symbol).len(), 1, "{symbol}");
        }
        assert_eq!((plain("┏"), plain("┃"), plain("━"), plain("界")), ("+", "|", "=", "?"));
    }

    #[test]
    fn the_locale_says_whether_there_is_unicode() {
        let with = |set: &[(&str, &str)]| {
            let set: Vec<(String, String)> = set.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
            needs_ascii(move |name| set.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()))
        };
        assert!(!with(&[("LANG", "de_DE.UTF-8")]));
        assert!(!with(&[("LC_ALL", "C.utf8"), ("LANG", "C")]));
        assert!(with(&[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")]));
        assert!(!with(&[("LC_ALL", ""), ("LANG", "en_GB.UTF-8")]), "an empty one is not set");
        assert!(with(&[]), "no locale is the locale C");
    }
}
