//! Everything that can be done now, found by typing.

use crate::model::State;
use crate::model::logtail::clean;
use crate::ui::keymap::{BINDINGS, Binding, Command};
use crate::ui::possible::possible;
use crate::ui::view::UiState;

/// What the palette can find: a command of the table, or a host to go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A row of the table of keys.
    Command(&'static Binding),
    /// Light this host.
    Host(crate::model::HostName),
}

impl PartialEq for Binding {
    fn eq(&self, other: &Self) -> bool {
        self.command == other.command
    }
}

impl Eq for Binding {}

impl Entry {
    /// As it is listed.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Command(row) => row.help.to_owned(),
            Self::Host(host) => format!("go to {host}"),
        }
    }
}

/// What matches a text, the best first.
#[must_use]
pub fn found(state: &State, ui: &UiState, wanted: &str) -> Vec<Entry> {
    let commands = BINDINGS
        .iter()
        .filter(|row| row.command != Command::Palette && possible(state, ui, row.command))
        .map(Entry::Command);
    let hosts = state.hosts.keys().cloned().map(Entry::Host);
    let mut found: Vec<(usize, Entry)> =
        commands.chain(hosts).filter_map(|entry| Some((distance(wanted, &entry.text())?, entry))).collect();
    found.sort_by_key(|(distance, _)| *distance);
    found.into_iter().map(|(_, entry)| entry).take(MOST).collect()
}

/// As many are listed.
const MOST: usize = 12;

/// What is said where nothing is found.
#[must_use]
pub fn no_match(wanted: &str) -> String {
    format!("nothing that can be done now matches `{}`", clean(wanted))
}

/// How far a text is from what was typed: 0 begins with it. Each typed word is the beginning of a word of the text, or else
/// within one, or else made of the beginnings of words, as `otg` is of `open the gate`; nothing where one is none of these.
fn distance(wanted: &str, text: &str) -> Option<usize> {
    let (wanted, text) = (wanted.to_lowercase(), text.to_lowercase());
    if text.starts_with(&wanted) {
        return Some(0);
    }
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    wanted.split_whitespace().try_fold(1, |sum, typed| {
        let far = match () {
            () if words.iter().any(|word| word.starts_with(typed)) => 0,
            () if text.contains(typed) => 1,
            () if begins(typed, &words) => 2,
            () => return None,
        };
        Some(sum + far)
    })
}

/// Whether letters are put together from beginnings of words, in the words' order.
fn begins(letters: &str, words: &[&str]) -> bool {
    let Some((word, rest)) = words.split_first() else { return letters.is_empty() };
    let shared = letters.chars().zip(word.chars()).take_while(|(typed, there)| typed == there);
    let ends = shared.scan(0, |end, (typed, _)| {
        *end += typed.len_utf8();
        Some(*end)
    });
    letters.is_empty() || ends.into_iter().any(|end| begins(&letters[end..], rest)) || begins(letters, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_in_their_order_are_found_and_the_nearest_first() {
        assert_eq!(distance("", "anything"), Some(0));
        assert_eq!(distance("open", "open the gate"), Some(0));
        assert!(distance("otg", "open the gate") > distance("open", "open the gate"));
        assert_eq!(distance("xyz", "open the gate"), None);
        assert_eq!(distance("take", "one log for each host at work; again: for every host"), None);
        assert!(distance("gate open", "open the gate").is_some() && distance("opga", "open the gate").is_some());
        assert!(distance("host", "the next host") < distance("ost", "the next host"));
    }
}
