//! The texts, names, paths and flags that any part of a runbook may have.

use crate::documents::template::{Piece, pieces};
use crate::yaml::{Fields, Node, Reader, did_you_mean};

/// The variables of a runbook.
#[derive(Clone, Default)]
pub(super) struct Names {
    /// Those whose value stands in the plan, the built-in ones among them.
    pub(super) plain: Vec<String>,
    /// Those that only scripts may name.
    pub(super) secret: Vec<String>,
}

impl Names {
    /// What is wrong with a name that is not one of the plain ones.
    fn unknown(&self, name: &str) -> String {
        if self.secret.iter().any(|secret| secret == name) {
            return secret_here(name);
        }
        let hint = did_you_mean(name, self.plain.iter().map(String::as_str));
        format!("the runbook declares no variable `{name}`{hint}")
    }
}

/// Why a secret cannot be named in a place.
pub(in crate::documents) fn secret_here(name: &str) -> String {
    format!("`{name}` is a secret: only `run` and `undo` may name it, for what is written here is shown and recorded")
}

/// A name of the runbook's own: it stands in commands, in file names and beside others in lists.
pub(super) fn name(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<String> {
    let name = reader.text(node, what)?;
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !fits {
        reader.complain(node, format!("`{name}` cannot be a name: small letters, digits and `-`, a letter first"));
    }
    Some(name)
}

/// A text of one line.
pub(super) fn line(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<String> {
    let text = reader.text(node, what)?;
    if text.contains('\n') {
        reader.complain(node, format!("`{what}` is one line"));
    }
    Some(text)
}

pub(super) fn text(reader: &mut Reader<'_>, fields: Fields<'_>, key: &str) -> Option<String> {
    fields.get(key).and_then(|node| reader.text(node, key))
}

/// A text for the operator, where a mere yes would tell nothing.
pub(super) fn in_words(reader: &mut Reader<'_>, fields: Fields<'_>, key: &str) -> Option<String> {
    let text = text(reader, fields, key)?;
    if ["yes", "no", "true", "false"].contains(&text.to_lowercase().as_str()) {
        reader
            .complain(fields.get(key)?, format!("`{key}` is told to the operator in words: say what, or leave it out"));
    }
    Some(text)
}

pub(super) fn boolean(reader: &mut Reader<'_>, fields: Fields<'_>, key: &str) -> bool {
    fields.get(key).and_then(|node| reader.boolean(node, key)).unwrap_or_default()
}

/// A path on a host: absolute, or made so by a variable.
pub(super) fn path(reader: &mut Reader<'_>, node: &Node, what: &str, names: &Names) -> Option<String> {
    let path = template(reader, node, what, names)?;
    if !path.starts_with(['/', '$']) {
        reader.complain(node, format!("a path on a host begins with `/`, and `{path}` does not"));
    }
    Some(path)
}

/// A text that may hold `$variable`.
pub(super) fn template(reader: &mut Reader<'_>, node: &Node, what: &str, names: &Names) -> Option<String> {
    let text = reader.text(node, what)?;
    for piece in pieces(&text) {
        if let Piece::Variable(name, at) = piece
            && !names.plain.iter().any(|known| known == name)
        {
            let message = names.unknown(name);
            reader.complain_in(node, at, name.chars().count() + 1, message);
        }
    }
    Some(text)
}
