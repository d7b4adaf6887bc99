//! Everything that can be done now, found by typing.

use crate::model::State;
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

/// How loosely a text holds the wanted letters in their order: the letters skipped between them, so that 0 is a word begun
/// with; nothing where it does not.
fn distance(wanted: &str, text: &str) -> Option<usize> {
    let fold = |text: &str| text.to_lowercase().chars().filter(|c| !c.is_whitespace()).collect::<Vec<char>>();
    let (wanted, there) = (fold(wanted), fold(text));
    let mut best = None;
    for start in 0..=there.len() {
        let mut at = start;
        let mut skipped = start.min(1);
        let mut complete = true;
        for letter in &wanted {
            match there[at.min(there.len())..].iter().position(|c| c == letter) {
                Some(0) => at += 1,
                Some(over) => {
                    skipped += over;
                    at += over + 1;
                }
                None => {
                    complete = false;
                    break;
                }
            }
        }
        if complete {
            best = Some(best.map_or(skipped, |known: usize| known.min(skipped)));
        }
    }
    best
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
    }
}
