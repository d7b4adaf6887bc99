//! A text of many lines, wrapped with a sign where a line goes on, so that what was shown of it can be counted.

use ratatui::buffer::CellWidth as _;
use ratatui::style::Style;
use ratatui::text::{Line, Span, StyledGrapheme};

use super::theme::{Meaning, Sign, sign, style};
use crate::model::hidden::number;

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

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Adds another page's lines below.
    pub fn append(&mut self, other: Self) {
        self.lines.extend(other.lines);
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

/// What is drawn as one: a grapheme, how many cells it takes, and its style.
struct Glyph {
    text: String,
    width: usize,
    style: Style,
}

/// The most cells that one grapheme may take: no window is too narrow for it.
const WIDEST: usize = 4;

/// A line as it is drawn: one grapheme after the other, each as wide as the terminal's buffer counts it, which for some
/// scripts is more than their line as a whole counts. One that would be left out there stands by its numbers.
fn glyphs(line: &Line<'_>) -> Vec<Glyph> {
    let drawn = line.styled_graphemes(Style::default()).flat_map(|StyledGrapheme { symbol, style }| {
        let glyph = |text: String| Glyph { width: usize::from(text.cell_width()), text, style };
        let whole = glyph(symbol.to_owned());
        if (1..=WIDEST).contains(&whole.width) {
            return vec![whole];
        }
        symbol.chars().flat_map(|c| number(c).chars().collect::<Vec<_>>()).map(|c| glyph(c.to_string())).collect()
    });
    drawn.collect()
}

/// How many cells a text takes where it is drawn.
pub(super) fn cells(text: &str) -> usize {
    if is_plain(text) { text.len() } else { glyphs(&Line::raw(text)).iter().map(|glyph| glyph.width).sum() }
}

/// Whether a text takes a cell a byte.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn wrap(line: &Line<'static>, width: u16, wrapped: Wrapped) -> Vec<Line<'static>> {
    let width = usize::from(width).max(8);
    let plain = line.spans.iter().all(|span| is_plain(&span.content));
    if plain && line.spans.iter().map(|span| span.content.len()).sum::<usize>() <= width {
        return vec![line.clone()];
    }
    let glyphs = glyphs(line);
    if glyphs.iter().map(|glyph| glyph.width).sum::<usize>() <= width {
        return vec![Line::from(runs(&glyphs))];
    }
    let indent = glyphs.iter().take_while(|glyph| glyph.text == " ").count().min(width / 3);
    let lead = match wrapped {
        Wrapped::Prose => Span::raw(" ".repeat(indent)),
        Wrapped::Code => {
            let column = indent.saturating_sub(2);
            Span::styled(format!("{}{} ", " ".repeat(column), sign(Sign::Wrap)), style(Meaning::Quiet))
        }
    };
    let mut rows = Vec::new();
    let mut rest = glyphs.as_slice();
    while !rest.is_empty() {
        let room = if rows.is_empty() { width } else { width - lead.width() };
        let mut used = 0;
        let fits = rest.iter().take_while(|glyph| {
            used += glyph.width;
            used <= room
        });
        let mut end = fits.count().max(1);
        if end < rest.len() && wrapped == Wrapped::Prose {
            let space = rest[..end].iter().rposition(|glyph| glyph.text == " ");
            end = space
                .filter(|at| *at > end / 3 && rest[..*at].iter().any(|glyph| glyph.text != " "))
                .map_or(end, |at| at + 1);
        }
        let (row, after) = rest.split_at(end);
        let mut spans = if rows.is_empty() { Vec::new() } else { vec![lead.clone()] };
        spans.extend(runs(row));
        rows.push(Line::from(spans));
        rest = after;
    }
    rows
}

/// Graphemes put together to spans of one style.
fn runs(glyphs: &[Glyph]) -> Vec<Span<'static>> {
    glyphs
        .chunk_by(|a, b| a.style == b.style)
        .map(|run| Span::styled(run.iter().map(|glyph| glyph.text.as_str()).collect::<String>(), run[0].style))
        .collect()
}

/// A text cut to a width, with a sign where something is missing.
#[must_use]
pub(super) fn cut(text: &str, width: usize) -> String {
    let glyphs = glyphs(&Line::raw(text));
    let taken = |glyphs: &[Glyph]| glyphs.iter().map(|glyph| glyph.width).sum::<usize>();
    let joined = |glyphs: &[Glyph]| glyphs.iter().map(|glyph| glyph.text.as_str()).collect::<String>();
    if taken(&glyphs) <= width {
        return joined(&glyphs);
    }
    let more = sign(Sign::More);
    let Some(room) = width.checked_sub(cells(more)) else { return String::new() };
    let fits = (0..=glyphs.len()).rev().find(|end| taken(&glyphs[..*end]) <= room).unwrap_or_default();
    joined(&glyphs[..fits]) + more
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::widgets::{Paragraph, Widget as _};

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

    /// All that a row's cells show.
    fn drawn(row: &Line<'static>, width: u16) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, 1));
        Paragraph::new(row.clone()).render(buffer.area, &mut buffer);
        buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect()
    }

    #[test]
    fn a_line_that_counts_less_than_it_takes_is_wrapped() {
        let text = format!("echo {}; systemctl stop etcd", "\u{a4f8}\u{a4fc}".repeat(20));
        let rows = wrap(&Line::raw(text.clone()), 60, Wrapped::Code);
        let shown: Vec<String> = rows.iter().map(|row| drawn(row, 60)).collect();
        assert!(shown.len() == 2 && shown[1].trim_end().ends_with("↪ p etcd"), "{shown:?}");
        assert!(cut(&text, 60).ends_with('…'));
    }

    proptest! {
        #[test]
        fn every_grapheme_is_drawn(text in "(\\PC|[\u{a4f8}-\u{a4fd}]|[\u{1780}-\u{17d3}]|[\u{900}-\u{94f}]|\u{301}|[ -~]){0,60}", width in 8_u16..60, code: bool) {
            let wrapped = if code { Wrapped::Code } else { Wrapped::Prose };
            let rows = wrap(&Line::raw(text.clone()), width, wrapped);
            let squeezed = |text: &str| text.split(' ').collect::<String>();
            let seen: String = rows
                .iter()
                .enumerate()
                .map(|(n, row)| {
                    let row = drawn(row, width);
                    if n > 0 && code { row.replacen(sign(Sign::Wrap), "", 1) } else { row }
                })
                .collect();
            let meant: String = glyphs(&Line::raw(text.clone())).into_iter().map(|glyph| glyph.text).collect();
            prop_assert_eq!(squeezed(&seen), squeezed(&meant));
            for c in text.chars().filter(|c| !c.is_control() && *c != ' ') {
                prop_assert!(seen.contains(c) || seen.replace([' ', '↪'], "").contains(&number(c)), "{:?} in {:?}", c, seen);
            }
            prop_assert!(cells(&cut(&text, usize::from(width))) <= usize::from(width));
        }

        #[test]
        fn nothing_is_lost_and_nothing_is_too_wide(text in "[ a-zé漢\u{301}]{0,90}", width in 8_u16..60, code: bool) {
            let wrapped = if code { Wrapped::Code } else { Wrapped::Prose };
            let rows = wrap(&Line::raw(text.clone()), width, wrapped);
            prop_assert!(rows.iter().all(|row| cells(&row.to_string()) <= usize::from(width)), "{rows:?}");
            let all: String = rows
                .iter()
                .enumerate()
                .flat_map(|(n, row)| row.spans.iter().skip(usize::from(n > 0)).map(|span| span.content.to_string()))
                .collect();
            let meant: String = glyphs(&Line::raw(text)).into_iter().map(|glyph| glyph.text).collect();
            prop_assert_eq!(all, meant);
        }
    }
}
