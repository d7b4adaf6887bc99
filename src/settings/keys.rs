//! `keys`: the name of a command, and the key or keys that it has instead of its usual ones.

use super::{Origin, Setting};
use crate::ui::chord::{Chord, Rebound, name};
use crate::ui::keymap::BINDINGS;
use crate::yaml::{Node, Reader, did_you_mean};

/// What is bound, to be shown and to be used. A key that would ask for two things is a problem at its place.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> (Vec<Setting<String>>, Rebound) {
    let mut shown = Vec::new();
    let mut rebound = Rebound::default();
    let mut places = Vec::new();
    for (key, value) in reader.entries(node, "keys") {
        let word = key.text().unwrap_or_default();
        let Some(command) = BINDINGS.iter().map(|row| row.command).find(|command| name(*command) == word) else {
            let names: Vec<String> = BINDINGS.iter().map(|row| name(row.command)).collect();
            let near = did_you_mean(word, names.iter().map(String::as_str));
            let hint = if near.is_empty() { format!("; there are: {}", names.join(", ")) } else { near };
            reader.complain(key, format!("there is no command `{word}`{hint}"));
            continue;
        };
        let mut chords: Vec<Chord> = Vec::new();
        for item in reader.one_or_more(value) {
            let Some(text) = reader.text(item, word) else { continue };
            match text.parse() {
                Ok(chord) => {
                    chords.push(chord);
                    places.push((command, chord, item));
                }
                Err(wrong) => reader.complain(item, wrong),
            }
        }
        if chords.is_empty() {
            // What is wrong with it has been said, but for an empty list.
            if value.items().is_empty() && value.text().is_none() {
                reader.complain(value, format!("`{word}` has no key: write one, or leave it out"));
            }
            continue;
        }
        let from = Origin::File { name: reader.document.name.clone(), line: key.place.line };
        let text = chords.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        shown.push(Setting { value: word.to_owned(), text, from });
        rebound.0.push((command, chords));
    }
    for (command, chord, item) in places {
        if let Some(other) = rebound.taken(chord, command) {
            let other = name(other);
            reader.complain(item, format!("`{chord}` is `{other}` already: give one of them another key"));
        }
    }
    (shown, rebound)
}
