//! A text of many lines, wrapped with a sign where a line goes on, so that what was shown of it can be counted.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthChar as _;

use super::theme::{Meaning, Sign, sign, style};

/// How a line is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrapped {
    /// At words, and the rest indented as the line is.
    Prose,
    /// Anywhere, and the rest after a sign: it is one line.
    Code,
}

/// A text of many lines.
#[derive(Debug, Default)]
pub struct Page {
    lines: Vec<(Line<'static>, Wrapped)>,
    /// Which of them have to be read.
    must: std::ops::Range<usize>,
}

/// A row of the screen.
#[derive(Clone, Debug)]
pub struct Row {
    /// The line it is of.
    pub line: usize,
    /// As it is drawn.
    pub text: Line<'static>,
}

impl Page {
    /// Adds a line of prose.
    pub fn say(&mut self, line: impl Into<Line<'static>>) {
        self.lines.push((line.into(), Wrapped::Prose));
    }

    /// Adds a line of a script, a file, a value: something that is exact.
    pub fn code(&mut self, line: impl Into<Line<'static>>) {
        self.lines.push((line.into(), Wrapped::Code));
    }

    /// Adds a text of prose in one style.
    pub fn text(&mut self, text: &str, meaning: Meaning) {
        self.say(Line::styled(text.trim().replace('\n', " "), style(meaning)));
    }

    /// A blank line between parts; none at the top, and never two.
    pub fn gap(&mut self) {
        if self.lines.last().is_some_and(|(line, _)| line.width() > 0) {
            self.say("");
        }
    }

    /// What comes from here on has to be read before a gate opens.
    pub fn must_read_from_here(&mut self) {
        self.must = self.lines.len()..self.lines.len();
    }

    /// What came up to here has to be read before a gate opens.
    pub fn must_read_up_to_here(&mut self) {
        self.must.end = self.lines.len();
    }

    /// The lines that have to be read.
    #[must_use]
    pub fn must(&self) -> std::ops::Range<usize> {
        self.must.clone()
    }

    /// The rows of a width, in order.
    #[must_use]
    pub fn rows(&self, width: u16) -> Vec<Row> {
        let mut rows = Vec::with_capacity(self.lines.len());
        for (number, (line, wrapped)) in self.lines.iter().enumerate() {
            rows.extend(wrap(line, width, *wrapped).into_iter().map(|text| Row { line: number, text }));
        }
        rows
    }
}

/// A line of a log, wrapped with the sign.
#[must_use]
pub(super) fn wrap_code(line: &Line<'static>, width: u16) -> Vec<Line<'static>> {
    wrap(line, width, Wrapped::Code)
}

fn wrap(line: &Line<'static>, width: u16, wrapped: Wrapped) -> Vec<Line<'static>> {
    let width = usize::from(width).max(8);
    if line.width() <= width {
        return vec![line.clone()];
    }
    let cells: Vec<(char, Style)> =
        line.spans.iter().flat_map(|span| span.content.chars().map(|c| (c, line.style.patch(span.style)))).collect();
    let indent = cells.iter().take_while(|(c, _)| *c == ' ').count().min(width / 3);
    let lead = match wrapped {
        Wrapped::Prose => Span::raw(" ".repeat(indent)),
        Wrapped::Code => {
            let column = indent.saturating_sub(2);
            Span::styled(format!("{}{} ", " ".repeat(column), sign(Sign::Wrap)), style(Meaning::Quiet))
        }
    };
    let mut rows = Vec::new();
    let mut rest = cells.as_slice();
    while !rest.is_empty() {
        let room = if rows.is_empty() { width } else { width - lead.width() };
        let mut used = 0;
        let fits = rest.iter().take_while(|(c, _)| {
            used += c.width().unwrap_or(0);
            used <= room
        });
        let mut end = fits.count().max(1);
        if end < rest.len() && wrapped == Wrapped::Prose {
            let space = rest[..end].iter().rposition(|(c, _)| *c == ' ');
            end =
                space.filter(|at| *at > end / 3 && rest[..*at].iter().any(|(c, _)| *c != ' ')).map_or(end, |at| at + 1);
        }
        let (row, after) = rest.split_at(end);
        let mut spans = if rows.is_empty() { Vec::new() } else { vec![lead.clone()] };
        spans.extend(runs(row));
        rows.push(Line::from(spans));
        rest = after;
    }
    rows
}

/// Cells put together to spans of one style.
fn runs(cells: &[(char, Style)]) -> Vec<Span<'static>> {
    cells
        .chunk_by(|a, b| a.1 == b.1)
        .map(|run| Span::styled(run.iter().map(|(c, _)| *c).collect::<String>(), run[0].1))
        .collect()
}

/// A text cut to a width, with a sign where something is missing.
#[must_use]
pub(super) fn cut(text: &str, width: usize) -> String {
    use unicode_width::UnicodeWidthStr as _;
    if text.width() <= width {
        return text.to_owned();
    }
    let more = sign(Sign::More);
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used + more.width() > width {
            break;
        }
        out.push(c);
    }
    if width >= more.width() {
        out.push_str(more);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(rows: &[Line<'static>]) -> Vec<String> {
        rows.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_line_of_a_script_goes_on_after_a_sign() {
        let rows = wrap(&Line::raw("  systemctl stop etcd2.service"), 20, Wrapped::Code);
        assert_eq!(texts(&rows), ["  systemctl stop etc", "↪ d2.service"]);
    }

    #[test]
    fn prose_is_wrapped_at_words() {
        let rows = wrap(&Line::raw("  the cluster is one member short"), 20, Wrapped::Prose);
        assert_eq!(texts(&rows), ["  the cluster is ", "  one member short"]);
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!((cut("abcdef", 4), cut("abc", 3), cut("abc", 0)), ("abc…".into(), "abc".into(), String::new()));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_too_wide(text in "[ a-zé漢\u{301}]{0,90}", width in 8_u16..60, code: bool) {
            let wrapped = if code { Wrapped::Code } else { Wrapped::Prose };
            let rows = wrap(&Line::raw(text.clone()), width, wrapped);
            prop_assert!(rows.iter().all(|row| row.width() <= usize::from(width)), "{rows:?}");
            let all: String = rows
                .iter()
                .enumerate()
                .flat_map(|(n, row)| row.spans.iter().skip(usize::from(n > 0)).map(|span| span.content.to_string()))
                .collect();
            prop_assert_eq!(all, text);
        }
    }
}
