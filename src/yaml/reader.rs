//! Takes a tree apart and writes down everything that is not as it should be, instead of stopping at the first.

use crate::model::hidden::first_hidden;

use super::{Data, Document, Node, Place, Problem, Problems, did_you_mean};

/// Collects problems while a tree is read. What cannot be read is `None`, and the problem is noted.
#[derive(Debug)]
pub struct Reader<'d> {
    /// What is read.
    pub document: &'d Document,
    /// What was wrong so far.
    pub problems: Problems,
    /// What is doubtful and was passed over; always empty where whatever is doubtful is wrong.
    pub warnings: Problems,
    lenient: bool,
}

/// A map whose keys are all known.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'n> {
    node: &'n Node,
    place: Place,
}

impl<'n> Fields<'n> {
    /// The value of a key, where it was written and is not empty.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.node.get(key).filter(|value| !value.is_null())
    }
}

impl<'d> Reader<'d> {
    /// A reader with nothing to complain of.
    #[must_use]
    pub fn new(document: &'d Document) -> Self {
        Self { document, problems: Problems::default(), warnings: Problems::default(), lenient: false }
    }

    /// A reader for what other tools take with a warning: unknown keys and keys without a value are passed over.
    #[must_use]
    pub fn lenient(document: &'d Document) -> Self {
        Self { lenient: true, ..Self::new(document) }
    }

    /// Notes a problem with a node.
    pub fn complain(&mut self, node: &Node, message: impl Into<String>) {
        self.complain_at(node.place, message);
    }

    /// Notes a problem at a place.
    pub fn complain_at(&mut self, place: Place, message: impl Into<String>) {
        self.problems.0.push(Problem::at(self.document, place, message));
    }

    /// Notes what a lenient reader passes over with a warning, and any other refuses.
    pub fn doubt(&mut self, node: &Node, message: impl Into<String>) {
        let notes = if self.lenient { &mut self.warnings } else { &mut self.problems };
        notes.0.push(Problem::at(self.document, node.place, message));
    }

    /// Notes a problem with a part of a scalar's text: from byte `offset`, `width` characters.
    pub fn complain_in(&mut self, node: &Node, offset: usize, width: usize, message: impl Into<String>) {
        self.complain_at(node.place_in(self.document, offset, width), message);
    }

    /// A map that has no other keys than these. Keys without a value are noted.
    pub fn fields<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Option<Fields<'n>> {
        let Data::Map(entries) = &node.data else {
            self.complain(node, format!("{what} is a map of keys ({}), not {}", known.join(", "), node.kind()));
            return None;
        };
        for (key, value) in entries {
            let name = key.text().unwrap_or_default();
            if !known.contains(&name) {
                let near = did_you_mean(name, known.iter().copied());
                let keys = if near.is_empty() { format!("; it has: {}", known.join(", ")) } else { near };
                self.doubt(key, format!("{what} has no key `{name}`{keys}"));
            } else if value.is_null() {
                self.doubt(key, format!("`{name}` has no value: write one, or leave the key out"));
            }
        }
        // A block map has the place of its first key and no width of its own.
        let place = entries.first().map_or(node.place, |(key, _)| key.place);
        Some(Fields { node, place })
    }

    /// The value of a key that must be there.
    pub fn required<'n>(&mut self, fields: Fields<'n>, what: &str, key: &str) -> Option<&'n Node> {
        let value = fields.get(key);
        // A key without a value was noted as such when the map was read, but a lenient reader went on without it.
        if value.is_none() && (self.lenient || fields.node.get(key).is_none()) {
            self.complain_at(fields.place, format!("{what} has no `{key}`"));
        }
        value
    }

    /// A text, trimmed at its end; numbers are the text that was written.
    pub fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = self.script(node, what)?;
        Some(text.trim_end().to_owned())
    }

    /// A text, as it stands.
    pub fn script(&mut self, node: &Node, what: &str) -> Option<String> {
        match node.text() {
            Some(text) if !node.is_null() => {
                // What an operator reads and approves must be all there is.
                if let Some((offset, c)) = first_hidden(text).filter(|_| !self.lenient) {
                    let message =
                        format!("`{what}` holds U+{:04X}, which no screen shows as it is: take it out", u32::from(c));
                    self.complain_in(node, offset, 1, message);
                }
                Some(text.to_owned())
            }
            _ => {
                self.complain(node, format!("`{what}` is a text, not {}", node.kind()));
                None
            }
        }
    }

    /// `true` or `false`, and none of the other words YAML once took for it.
    pub fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        match &node.data {
            Data::Scalar(scalar) if !scalar.quoted && scalar.text == "true" => Some(true),
            Data::Scalar(scalar) if !scalar.quoted && scalar.text == "false" => Some(false),
            _ => {
                self.complain(node, format!("`{what}` is true or false"));
                None
            }
        }
    }

    /// One of a few words.
    pub fn word<T: Copy>(&mut self, node: &Node, what: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(node, what)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            let near = did_you_mean(&text, known.iter().copied());
            let hint = if near.is_empty() { format!("; it is one of: {}", known.join(", ")) } else { near };
            self.complain(node, format!("`{what}` cannot be `{text}`{hint}"));
        }
        found
    }

    /// The items of a list.
    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        if let Data::Seq(items) = &node.data {
            return items;
        }
        self.complain(node, format!("`{what}` is a list, not {}", node.kind()));
        &[]
    }

    /// The items of a list, or the one value that stands for a list of one.
    pub fn one_or_more<'n>(&mut self, node: &'n Node) -> &'n [Node] {
        match &node.data {
            Data::Seq(items) => items,
            Data::Scalar(_) | Data::Map(_) => std::slice::from_ref(node),
        }
    }

    /// A list of texts.
    pub fn texts(&mut self, node: &Node, what: &str) -> Vec<String> {
        self.list(node, what).iter().filter_map(|item| self.text(item, what)).collect()
    }

    /// Names and values of a free map.
    pub fn entries<'n>(&mut self, node: &'n Node, what: &str) -> &'n [(Node, Node)] {
        if let Data::Map(entries) = &node.data {
            return entries;
        }
        self.complain(node, format!("`{what}` is a map of names and values, not {}", node.kind()));
        &[]
    }
}
