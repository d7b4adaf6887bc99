//! Characters that a screen does not show as they are: what an operator reads must be all there is to read.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Whether a character would be obeyed, hidden, or taken for a plain blank by whoever reads it on a terminal.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    // The standard library escapes what it does not count as printable: controls, formats, private use, blanks but the
    // plain one, and what Unicode has assigned to nothing. Behind a letter it leaves a combining mark as it is.
    let behind_a_letter = String::from_iter(['a', c]);
    behind_a_letter.escape_debug().nth(1) == Some('\\')
        // Printable by their class, and still nothing to be seen.
        || matches!(c,
            '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d159}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a terminal may draw a character elsewhere than it stands: a letter of a script that runs from right to left,
/// or a sign that puts the next letter below the last.
fn moves(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}' | '\u{10800}'..='\u{10fff}'
        | '\u{1e800}'..='\u{1efff}' | '\u{17d2}')
}

/// Whether two characters together take another width than one after the other: terminals do not agree on it, and what
/// follows would stand somewhere else.
fn joins(before: char, c: char) -> bool {
    let together = String::from_iter([before, c]);
    !(before.is_ascii() || c.is_ascii())
        && together.width() != before.width().unwrap_or_default() + c.width().unwrap_or_default()
}

/// The first character of a text that may not stand in a document: anything hidden but the end of a line and a tab.
#[must_use]
pub fn first_hidden(text: &str) -> Option<(usize, char)> {
    text.char_indices().find(|(_, c)| is_hidden(*c) && !matches!(c, '\n' | '\t'))
}

/// A line of what runs as it may be read: what is hidden, or could be drawn elsewhere than it stands, is there by its
/// number, and nothing is left out.
#[must_use]
pub fn shown(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut before = ' ';
    for c in line.chars() {
        match c {
            '\t' => out.push_str("    "),
            c if is_hidden(c) || moves(c) || joins(before, c) => out.push_str(&number(c)),
            c => out.push(c),
        }
        before = c;
    }
    out
}

/// A character by its number.
#[must_use]
pub fn number(c: char) -> String {
    format!("<U+{:04X}>", u32::from(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_a_command_is_shown_by_its_number() {
        for (line, expected) in [
            (
                "etcd --version \u{1b}_; systemctl stop etcd; : \u{1b}\\",
                "etcd --version <U+001B>_; systemctl stop etcd; : <U+001B>\\",
            ),
            ("echo HIDDEN\recho visible", "echo HIDDEN<U+000D>echo visible"),
            ("a\u{202e}b\u{200b}c\u{e0041}d\u{3000}e", "a<U+202E>b<U+200B>c<U+E0041>d<U+3000>e"),
            ("\tplain – text ✓", "    plain – text ✓"),
        ] {
            assert_eq!(shown(line), expected);
            assert_eq!(first_hidden(line).is_some(), !line.starts_with('\t'), "{line:?}");
        }
    }
    #[test]
    fn what_no_font_shows_is_hidden_and_what_is_read_is_not() {
        for c in [
            '\u{f0000}',
            '\u{10fffd}',
            '\u{1d159}',
            '\u{600}',
            '\u{605}',
            '\u{6dd}',
            '\u{70f}',
            '\u{8e2}',
            '\u{110bd}',
            '\u{110cd}',
            '\u{13430}',
            '\u{378}',
            '\u{ad}',
            '\u{a0}',
            '\u{200d}',
            '\u{2003}',
            '\u{fe0f}',
            '\u{7f}',
            '\u{9b}',
        ] {
            assert!(is_hidden(c), "U+{:04X}", u32::from(c));
        }
        for c in "a'\"\\é漢ї✓–…\u{301}\u{5d0}\u{a4f8}".chars() {
            assert!(!is_hidden(c), "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn what_a_terminal_could_draw_elsewhere_is_shown_by_its_number() {
        for (line, expected) in [
            ("rm \u{5d0}\u{5d1} x", "rm <U+05D0><U+05D1> x"),
            ("a\u{627}b", "a<U+0627>b"),
            ("\u{1781}\u{17d2}\u{1798}", "\u{1781}<U+17D2><U+1798>"),
            ("\u{a4f8}\u{a4fc}", "\u{a4f8}<U+A4FC>"),
            ("e\u{301} 漢字 ✓✓", "e\u{301} 漢字 ✓✓"),
        ] {
            assert_eq!(shown(line), expected);
        }
    }
}
