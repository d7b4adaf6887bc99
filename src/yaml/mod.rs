//! YAML as people write it: a tree in which every node knows its place, and a reader that reports all problems at once.
//!
//! Scalars stay the text that was written: `3.10` is not a number with one digit after the point, and `yes` is no boolean.

mod parse;
mod problem;
mod reader;

use std::sync::Arc;

pub use parse::{parse, parse_lenient};
pub use problem::{Problem, Problems, did_you_mean};
pub use reader::{Fields, Reader};

/// A text and what to call it in messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// A path as the operator gave it, or `builtin:NAME`.
    pub name: Arc<str>,
    /// All of it.
    pub text: Arc<str>,
}

impl Document {
    /// A text under a name.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// A place in a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// How many characters to underline.
    pub width: usize,
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where it begins; of a key without a value, where the key is.
    pub place: Place,
    /// What it is.
    pub data: Data,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// A text.
    Scalar(Scalar),
    /// `- item` or `[item]`.
    Seq(Vec<Node>),
    /// `key: value`, in the order written; keys are unique.
    Map(Vec<(Node, Node)>),
}

/// A text, as the document says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// Escapes and folding resolved.
    pub text: String,
    /// Between quotes or in a block, so that it can be nothing but text.
    pub quoted: bool,
    /// Bytes of the document from which the text was made.
    source: std::ops::Range<usize>,
}

impl Node {
    /// Its text, if it is a scalar.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar(scalar) => Some(&scalar.text),
            Data::Seq(_) | Data::Map(_) => None,
        }
    }

    /// Whether nothing was written: an empty value, `~` or `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(&self.data, Data::Scalar(scalar) if !scalar.quoted && matches!(&*scalar.text, "" | "~" | "null"))
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.data {
            Data::Map(entries) => entries.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value),
            Data::Scalar(_) | Data::Seq(_) => None,
        }
    }

    /// The key of a map's entry, for its place.
    #[must_use]
    pub fn key(&self, key: &str) -> Option<&Node> {
        match &self.data {
            Data::Map(entries) => entries.iter().map(|(name, _)| name).find(|name| name.text() == Some(key)),
            Data::Scalar(_) | Data::Seq(_) => None,
        }
    }

    /// The items of a list; nothing for anything else.
    #[must_use]
    pub fn items(&self) -> &[Node] {
        match &self.data {
            Data::Seq(items) => items,
            Data::Scalar(_) | Data::Map(_) => &[],
        }
    }

    /// In words, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.data {
            Data::Scalar(_) if self.is_null() => "nothing",
            Data::Scalar(_) => "a text",
            Data::Seq(_) => "a list",
            Data::Map(_) => "a map of keys",
        }
    }

    /// Where byte `offset` of the scalar's text stands in the document, `width` characters of it.
    #[must_use]
    pub fn place_in(&self, document: &Document, offset: usize, width: usize) -> Place {
        match &self.data {
            Data::Scalar(scalar) => scalar.place_in(document, offset, width),
            Data::Seq(_) | Data::Map(_) => self.place,
        }
    }
}

impl Scalar {
    /// Folding and indentation change white space and nothing else, so the characters that are none can be counted off
    /// on both sides. Quotes double themselves, and `\x` stands for one character; both are counted as one.
    fn place_in(&self, document: &Document, offset: usize, width: usize) -> Place {
        let wanted = self.text.get(..offset).unwrap_or(&self.text).chars().filter(|c| !c.is_whitespace()).count();
        let source = document.text.get(self.source.clone()).unwrap_or_default();
        let quote = source.chars().next().filter(|c| self.quoted && matches!(c, '\'' | '"'));
        let mut chars = source.char_indices().skip(usize::from(quote.is_some())).peekable();
        let mut seen = 0;
        // What lies past the last character (where an expression breaks off) is shown right after it.
        let mut at = self.source.start;
        while let Some((index, c)) = chars.next() {
            let mut white = c.is_whitespace();
            if quote == Some('\'') && c == '\'' || quote == Some('"') && c == '\\' {
                white = chars.next().is_some_and(|(_, escaped)| matches!(escaped, 'n' | 't' | 'r' | '\n' | ' '));
            }
            if white {
                continue;
            }
            if seen == wanted {
                at = self.source.start + index;
                break;
            }
            seen += 1;
            at = self.source.start + index + c.len_utf8();
        }
        place_of(&document.text, at, width)
    }
}

/// The place of a byte of a text.
fn place_of(text: &str, at: usize, width: usize) -> Place {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Place {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        width: width.max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every marker in the value is found at its line and column in the document.
    #[test]
    fn places_within_scalars() {
        let document = Document::new(
            "x",
            "plain: one two\nsingle: 'it''s X'\ndouble: \"a\\nb X\"\nliteral: |\n  first\n    X second\nfolded: >-\n  one\n  two\n\n  X\nmulti: é one\n   X\n",
        );
        let tree = parse(&document).unwrap();
        let place = |key: &str, needle: &str| {
            let node = tree.get(key).unwrap();
            let place = node.place_in(&document, node.text().unwrap().find(needle).unwrap(), 1);
            (place.line, place.column)
        };
        assert_eq!(place("plain", "two"), (1, 12));
        assert_eq!(place("single", "X"), (2, 16));
        assert_eq!(place("double", "X"), (3, 15));
        assert_eq!(place("literal", "X"), (6, 5));
        assert_eq!(place("folded", "X"), (11, 3));
        assert_eq!(place("multi", "X"), (13, 4));
    }
}
