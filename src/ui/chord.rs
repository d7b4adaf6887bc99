//! The operator's own keys, over those of the table.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::keymap::{self, BINDINGS, Command, Group};

/// A key, and what is held down with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chord {
    /// The key.
    pub code: KeyCode,
    /// Ctrl, Alt, or nothing: Shift is in the letter.
    pub modifiers: KeyModifiers,
}

/// Keys that have a name, as it is written.
const NAMED: [(&str, KeyCode); 15] = [
    ("space", KeyCode::Char(' ')),
    ("enter", KeyCode::Enter),
    ("tab", KeyCode::Tab),
    ("shift-tab", KeyCode::BackTab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pgup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
];

impl Chord {
    /// Whether this is what was pressed.
    #[must_use]
    pub fn is(self, key: KeyEvent) -> bool {
        self.code == key.code && self.modifiers == key.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT)
    }
}

impl From<KeyCode> for Chord {
    fn from(code: KeyCode) -> Self {
        Self { code, modifiers: KeyModifiers::NONE }
    }
}

impl FromStr for Chord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (modifiers, key) = match text.split_once('-') {
            Some((ctrl, key)) if ctrl.eq_ignore_ascii_case("ctrl") => (KeyModifiers::CONTROL, key),
            Some((alt, key)) if alt.eq_ignore_ascii_case("alt") => (KeyModifiers::ALT, key),
            _ => (KeyModifiers::NONE, text),
        };
        let mut letters = key.chars();
        let function = || key.strip_prefix(['f', 'F'])?.parse().ok().filter(|number| (1..=12).contains(number));
        let code = if let (Some(letter), None) = (letters.next(), letters.next()) {
            // With Ctrl, terminals tell no capitals from small letters.
            let letter = if modifiers == KeyModifiers::CONTROL { letter.to_ascii_lowercase() } else { letter };
            Some(KeyCode::Char(letter)).filter(|_| !letter.is_control())
        } else if let Some((_, code)) = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)) {
            Some(*code)
        } else {
            function().map(KeyCode::F)
        };
        let code = code.ok_or_else(|| {
            let names: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
            format!(
                "`{text}` is no key: write a letter or a sign, f1 to f12, or one of {}; ctrl- and alt- may stand before it",
                names.join(", ")
            )
        })?;
        let chord = Self { code, modifiers };
        let kept = ["ctrl-c", "ctrl-z"].into_iter().find(|kept| text.eq_ignore_ascii_case(kept));
        kept.map_or(Ok(chord), |kept| Err(format!("`{kept}` always does what it does everywhere: take another key")))
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.modifiers.contains(KeyModifiers::CONTROL) {
            f.write_str("Ctrl-")?;
        }
        if self.modifiers.contains(KeyModifiers::ALT) {
            f.write_str("Alt-")?;
        }
        f.write_str(&keymap::key_name(self.code))
    }
}

/// A command's name in a configuration: `next-host`.
#[must_use]
pub fn name(command: Command) -> String {
    let mut name = String::new();
    for letter in format!("{command:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// Commands that have keys of the operator's own, instead of those in the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebound(pub Vec<(Command, Vec<Chord>)>);

impl Rebound {
    /// The keys of a command.
    #[must_use]
    pub fn keys(&self, command: Command) -> Vec<Chord> {
        match self.0.iter().find(|(other, _)| *other == command) {
            Some((_, chords)) => chords.clone(),
            None => BINDINGS
                .iter()
                .filter(|row| row.command == command)
                .flat_map(|row| row.keys.iter().map(|key| Chord::from(*key)))
                .collect(),
        }
    }

    /// Which other command has this key, where this one would be asked for.
    #[must_use]
    pub fn taken(&self, chord: Chord, by_other_than: Command) -> Option<Command> {
        BINDINGS
            .iter()
            .filter(|row| row.command != by_other_than && is_replay(row.command) == is_replay(by_other_than))
            .map(|row| row.command)
            .find(|other| self.keys(*other).contains(&chord))
    }

    /// What a key asks.
    #[must_use]
    pub fn command(&self, key: KeyEvent, replay: bool) -> Option<Command> {
        let own = |of_replay: bool| {
            let mut rows = self.0.iter().filter(move |(command, _)| is_replay(*command) == of_replay);
            rows.find(|(_, chords)| chords.iter().any(|chord| chord.is(key))).map(|(command, _)| *command)
        };
        let leave = key.modifiers == KeyModifiers::CONTROL && key.code == KeyCode::Char('c');
        let own = if leave { None } else { replay.then(|| own(true)).flatten().or_else(|| own(false)) };
        own.or_else(|| {
            let usual = keymap::command(key, replay)?;
            // Its usual keys are given up for its own, but for the way out.
            (leave || !self.0.iter().any(|(command, _)| *command == usual)).then_some(usual)
        })
    }
}

fn is_replay(command: Command) -> bool {
    BINDINGS.iter().any(|row| row.command == command && row.group == Group::Replay)
}

/// Chosen once, before the first frame, like the theme.
static REBOUND: OnceLock<Rebound> = OnceLock::new();

/// Gives commands keys of the operator's own. A second time changes nothing.
pub fn rebind(rebound: Rebound) {
    let _ = REBOUND.set(rebound);
}

/// What a key asks, the operator's own keys first.
#[must_use]
pub fn command(key: KeyEvent, replay: bool) -> Option<Command> {
    REBOUND.get().map_or_else(|| keymap::command(key, replay), |rebound| rebound.command(key, replay))
}

/// The keys of a command, the first one is shown in hints.
#[must_use]
pub fn keys(command: Command) -> Vec<Chord> {
    REBOUND.get().cloned().unwrap_or_default().keys(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_as_people_write_them() {
        for (text, code, modifiers) in [
            ("o", KeyCode::Char('o'), KeyModifiers::NONE),
            ("O", KeyCode::Char('O'), KeyModifiers::NONE),
            ("-", KeyCode::Char('-'), KeyModifiers::NONE),
            ("Space", KeyCode::Char(' '), KeyModifiers::NONE),
            ("shift-tab", KeyCode::BackTab, KeyModifiers::NONE),
            ("F12", KeyCode::F(12), KeyModifiers::NONE),
            ("Ctrl-O", KeyCode::Char('o'), KeyModifiers::CONTROL),
            ("alt-enter", KeyCode::Enter, KeyModifiers::ALT),
        ] {
            assert_eq!(text.parse(), Ok(Chord { code, modifiers }), "{text}");
        }
        for wrong in ["", "oo", "f13", "ctrl-", "meta-x", "ctrl-c", "Ctrl-Z", "esc"] {
            assert!(wrong.parse::<Chord>().is_err(), "{wrong}");
        }
        assert_eq!("ctrl-o".parse::<Chord>().unwrap().to_string(), "Ctrl-o");
    }

    #[test]
    fn every_command_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<String> = BINDINGS.iter().map(|row| name(row.command)).collect();
        assert!(names.contains("next-host") && names.contains("open"), "{names:?}");
        assert_eq!(names.len(), BINDINGS.len(), "{names:?}");
    }

    #[test]
    fn a_command_with_keys_of_its_own_gives_up_its_usual_ones() {
        let chord: Chord = "w".parse().unwrap();
        let rebound = Rebound(vec![(Command::Skip, vec![chord])]);
        let pressed = |letter| rebound.command(KeyEvent::from(KeyCode::Char(letter)), false);
        assert_eq!((pressed('w'), pressed('s'), pressed('r')), (Some(Command::Skip), None, Some(Command::Retry)));
        assert_eq!(rebound.taken(chord, Command::Retry), Some(Command::Skip));
        assert_eq!(rebound.taken(chord, Command::Play), None, "a replay has keys of its own");
        let out = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        let quit = Rebound(vec![(Command::Quit, vec![chord])]);
        assert_eq!(quit.command(out, false), Some(Command::Quit), "Ctrl-C is the way out whatever was chosen");
    }
}
