//! The end of a host's log, fit for a screen: bounded, counted, and free of control characters.

use jiff::Timestamp;

use super::queue::Queue;

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
    lines: Queue<LogLine>,
    dropped: u64,
    /// Of the lines kept.
    bytes: usize,
    /// The last line of output has not ended yet.
    open: bool,
}

impl LogTail {
    /// Lines kept; the journal keeps all of them.
    pub const KEPT: usize = 5_000;

    /// The longest line, in bytes: what goes on longer goes on in the next.
    pub const LONGEST: usize = 16 << 10;

    /// Bytes kept.
    pub const BYTES: usize = 8 << 20;

    /// The lines kept, oldest first.
    #[must_use]
    pub fn lines(&self) -> &Queue<LogLine> {
        &self.lines
    }

    /// How many lines were let go.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Bytes of the lines kept.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
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
            let mut rest = piece.as_str();
            if let Some(last) = self.lines.last_mut().filter(|_| self.open) {
                let (more, left) = at_most(rest, Self::LONGEST.saturating_sub(last.text.len()));
                last.text.push_str(more);
                self.bytes += more.len();
                rest = left;
            }
            // A line without an end goes on in another.
            while !rest.is_empty() || !self.open {
                let (text, left) = at_most(rest, Self::LONGEST);
                self.push(LogLine { at, kind: LineKind::Output, text: text.to_owned() });
                (rest, self.open) = (left, true);
            }
            self.open = !ended;
        }
        self.trim();
    }

    fn push(&mut self, line: LogLine) {
        self.bytes += line.text.len();
        self.lines.push(line);
        self.trim();
    }

    /// Lets the oldest lines go.
    fn trim(&mut self) {
        while self.lines.len() > Self::KEPT || (self.bytes > Self::BYTES && self.lines.len() > 1) {
            self.bytes -= self.lines.pop().map_or(0, |line| line.text.len());
            self.dropped += 1;
        }
    }
}

/// As much of a text as fits into so many bytes, and the rest.
fn at_most(text: &str, bytes: usize) -> (&str, &str) {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.split_at(end)
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
    fn a_line_without_an_end_is_bounded_and_nothing_of_it_is_lost() {
        let mut tail = LogTail::default();
        let piece = "é".repeat(5_000);
        for _ in 0..20 {
            tail.output(Timestamp::UNIX_EPOCH, &piece);
        }
        tail.output(Timestamp::UNIX_EPOCH, "end\nnext\n\nlast");
        let texts: Vec<&str> = tail.lines().iter().map(|line| line.text.as_str()).collect();
        assert!(texts.iter().all(|text| text.len() <= LogTail::LONGEST));
        assert_eq!(texts.concat(), format!("{}endnextlast", piece.repeat(20)));
        assert_eq!(&texts[texts.len() - 3..], ["next", "", "last"]);
        for _ in 0..2_000 {
            tail.output(Timestamp::UNIX_EPOCH, &piece);
        }
        assert!(tail.lines().iter().map(|line| line.text.len()).sum::<usize>() <= LogTail::BYTES);
        assert!(tail.dropped() > 0);
    }

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
