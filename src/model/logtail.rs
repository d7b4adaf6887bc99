//! The end of a host's log, fit for a screen: bounded, counted, and free of control characters.

use std::collections::VecDeque;

use jiff::Timestamp;

/// How a line came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// Printed by a job.
    Output,
    /// The wizard says what it does.
    Wizard,
    /// The wizard says what went wrong.
    Trouble,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When it was recorded here.
    pub at: Timestamp,
    /// How it came about.
    pub kind: LineKind,
    /// Without control characters.
    pub text: String,
}

/// The last lines of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogTail {
    lines: VecDeque<LogLine>,
    dropped: u64,
    /// The last line of output has not ended yet.
    open: bool,
}

impl LogTail {
    /// Lines kept; the journal keeps all of them.
    pub const KEPT: usize = 5_000;

    /// The lines kept, oldest first.
    #[must_use]
    pub fn lines(&self) -> &VecDeque<LogLine> {
        &self.lines
    }

    /// How many lines were let go.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Adds what the wizard says: one line for each of the text's.
    pub fn say(&mut self, at: Timestamp, kind: LineKind, text: &str) {
        self.open = false;
        for line in text.lines() {
            self.push(LogLine { at, kind, text: clean(line) });
        }
    }

    /// Adds a piece of a job's output; a line may come in several pieces.
    pub fn output(&mut self, at: Timestamp, text: &str) {
        for piece in text.split_inclusive('\n') {
            let ended = piece.ends_with('\n');
            let piece = clean(piece);
            match self.lines.back_mut() {
                Some(last) if self.open => last.text.push_str(&piece),
                _ => self.push(LogLine { at, kind: LineKind::Output, text: piece }),
            }
            self.open = !ended;
        }
    }

    fn push(&mut self, line: LogLine) {
        if self.lines.len() == Self::KEPT {
            self.lines.pop_front();
            self.dropped += 1;
        }
        self.lines.push_back(line);
    }
}

/// The text without what a terminal would obey: escape sequences and control characters go, a tab becomes a space,
/// and so do the marks that reorder text on the screen.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                // CSI: parameters, then one final byte.
                Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                // OSC and the other strings: up to BEL or ST.
                Some(']' | 'P' | 'X' | '^' | '_') => {
                    while let Some(c) = chars.next() {
                        if c == '\u{7}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                            break;
                        }
                    }
                }
                _ => {}
            },
            '\t' => out.push(' '),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escape_sequences_go_whole() {
        for (dirty, expected) in [
            ("plain", "plain"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}after", "after"),
            ("\u{1b}]52;c;aGk=\u{1b}\\after", "after"),
            ("a\tb\r", "a b"),
            ("never\u{202e}mind", "nevermind"),
            ("cut \u{1b}[", "cut "),
        ] {
            assert_eq!(clean(dirty), expected, "{dirty:?}");
        }
    }

    #[test]
    fn a_line_may_come_in_pieces() {
        let mut tail = LogTail::default();
        tail.output(Timestamp::UNIX_EPOCH, "one\ntw");
        tail.output(Timestamp::UNIX_EPOCH, "o\nthree");
        let texts: Vec<_> = tail.lines().iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["one", "two", "three"]);
    }

    #[test]
    fn what_is_dropped_is_counted() {
        let mut tail = LogTail::default();
        for n in 0..LogTail::KEPT + 3 {
            tail.say(Timestamp::UNIX_EPOCH, LineKind::Wizard, &n.to_string());
        }
        assert_eq!((tail.lines().len(), tail.dropped()), (LogTail::KEPT, 3));
        assert_eq!(tail.lines()[0].text, "3");
    }

    proptest! {
        #[test]
        fn nothing_is_left_that_a_terminal_obeys(text in any::<String>()) {
            prop_assert!(!clean(&text).chars().any(char::is_control));
        }
    }
}
