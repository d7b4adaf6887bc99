//! ONE table: what keys do, the help, the hints and the palette are all made from it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key asks of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the table says what each does")]
pub enum Command {
    Open,
    OpenAll,
    Retry,
    End,
    Skip,
    Edit,
    SetVar,
    Undo,
    AllChecks,
    StepAhead,
    StepBehind,
    AcceptReboot,
    Pause,
    Note,
    Abort,
    Quit,
    Help,
    Palette,
    NextPane,
    PreviousPane,
    Zoom,
    NextHost,
    PreviousHost,
    GoThere,
    Follow,
    Card,
    Filter,
    Sort,
    Tiles,
    Down,
    Up,
    PageDown,
    PageUp,
    Top,
    Bottom,
    Search,
    SearchNext,
    SearchPrevious,
    Play,
    StepForward,
    StepBack,
    Faster,
    Slower,
}

/// Where a key is of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// At a gate.
    Gate,
    /// In the session.
    Session,
    /// Hosts and steps.
    Hosts,
    /// The log.
    Log,
    /// On the screen.
    Screen,
    /// In a replay.
    Replay,
}

impl Group {
    /// All, in the order of the help.
    pub const ALL: [Self; 6] = [Self::Gate, Self::Session, Self::Hosts, Self::Log, Self::Screen, Self::Replay];

    /// As the help heads it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Gate => "The gate that is shown, or a step that failed",
            Self::Session => "The session",
            Self::Hosts => "Hosts and steps",
            Self::Log => "The log, and scrolling the focused pane",
            Self::Screen => "The screen",
            Self::Replay => "Replay",
        }
    }
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// What it does.
    pub command: Command,
    /// The keys, the first one is shown in hints.
    pub keys: &'static [KeyCode],
    /// A word for the hints; empty keeps it out of them.
    pub hint: &'static str,
    /// A line for the help.
    pub help: &'static str,
    /// Where it is of use.
    pub group: Group,
}

const fn row(
    command: Command,
    keys: &'static [KeyCode],
    hint: &'static str,
    help: &'static str,
    group: Group,
) -> Binding {
    Binding { command, keys, hint, help, group }
}

use Group::{Gate, Hosts, Log, Replay, Screen, Session};
use KeyCode::Char;

/// The table.
#[rustfmt::skip]
pub const BINDINGS: &[Binding] = &[
    row(Command::Open, &[KeyCode::Enter], "open", "open the gate, after reading on to the end of what it runs", Gate),
    row(Command::OpenAll, &[Char('A')], "open all", "open every gate at this step that is ready; its number is typed", Gate),
    row(Command::Retry, &[Char('r')], "retry", "go on with a failed step: look again, or show its gate again", Gate),
    row(Command::End, &[Char('x')], "end", "end what runs half-way, after reading what stays then", Gate),
    row(Command::Skip, &[Char('s')], "skip", "skip the step on this host, with a reason", Gate),
    row(Command::Edit, &[Char('e')], "edit", "edit the file that the step will write", Gate),
    row(Command::SetVar, &[Char('V')], "", "set a variable that the step names, with a reason", Gate),
    row(Command::Undo, &[Char('u')], "take back", "take back what was done last on the lit host", Gate),
    row(Command::AllChecks, &[Char('c')], "", "list the checks that hold, or only count them", Gate),
    row(Command::AcceptReboot, &[Char('v')], "I looked", "a reboot that nobody ordered was looked into", Gate),
    row(Command::Pause, &[Char('p')], "pause", "hold every gate shut, or go on; what runs goes on", Session),
    row(Command::Note, &[Char('a')], "note", "add a note to the journal", Session),
    row(Command::Abort, &[Char('Q')], "", "end the session for good, with a reason; hosts stay as they are", Session),
    row(Command::Quit, &[Char('q')], "quit", "leave; the question says what stays", Screen),
    row(Command::GoThere, &[Char('t')], "go there", "to the host that waits for you, and on to the next", Hosts),
    row(Command::NextHost, &[KeyCode::Down], "host", "the next host", Hosts),
    row(Command::PreviousHost, &[KeyCode::Up], "", "the host before", Hosts),
    row(Command::Follow, &[Char('F')], "follow", "back to wherever things go on (Esc does it too)", Hosts),
    row(Command::StepAhead, &[Char(']'), KeyCode::Right], "", "read the step after the shown one, before its turn", Hosts),
    row(Command::StepBehind, &[Char('['), KeyCode::Left], "", "read the step before the shown one", Hosts),
    row(Command::Card, &[Char('i')], "", "the host's card: every fact, its age and what changed", Hosts),
    row(Command::Filter, &[Char('f')], "", "show only hosts with a text in their row", Hosts),
    row(Command::Sort, &[Char('o')], "", "order the hosts: as in the inventory, by urgency, by name", Hosts),
    row(Command::Search, &[Char('/')], "search", "search the log", Log),
    row(Command::SearchNext, &[Char('n')], "", "the next hit", Log),
    row(Command::SearchPrevious, &[Char('N')], "", "the hit before", Log),
    row(Command::Tiles, &[Char('L')], "", "one log for each host at work; again: for every host", Log),
    row(Command::Down, &[Char('j')], "", "a row down", Log),
    row(Command::Up, &[Char('k')], "", "a row up", Log),
    row(Command::PageDown, &[KeyCode::PageDown], "", "a page down", Log),
    row(Command::PageUp, &[KeyCode::PageUp], "", "a page up", Log),
    row(Command::Top, &[KeyCode::Home, Char('g')], "", "to the top; in a replay, to the beginning", Log),
    row(Command::Bottom, &[KeyCode::End, Char('G')], "", "to the bottom, and follow; in a replay, to the end", Log),
    row(Command::NextPane, &[KeyCode::Tab], "pane", "the next pane", Screen),
    row(Command::PreviousPane, &[KeyCode::BackTab], "", "the pane before", Screen),
    row(Command::Zoom, &[Char('z')], "", "the focused pane alone, or all of them", Screen),
    row(Command::Palette, &[Char(':')], "commands", "find what can be done now by typing", Screen),
    row(Command::Help, &[Char('?'), KeyCode::F(1)], "help", "this help", Screen),
    row(Command::Play, &[Char(' ')], "play/stop", "play, or stop", Replay),
    row(Command::StepForward, &[KeyCode::Right, Char('.')], "step", "an event on", Replay),
    row(Command::StepBack, &[KeyCode::Left, Char(',')], "back", "an event back", Replay),
    row(Command::Faster, &[Char('+'), Char('=')], "faster", "faster", Replay),
    row(Command::Slower, &[Char('-')], "slower", "slower", Replay),
];

/// The row of a command.
#[must_use]
pub fn row_of(command: Command) -> Option<&'static Binding> {
    BINDINGS.iter().find(|row| row.command == command)
}

/// What a key of the table asks, where there is a playhead or not. A replay's own keys come first there.
#[must_use]
pub fn command(key: KeyEvent, replay: bool) -> Option<Command> {
    if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
        let leave = key.modifiers == KeyModifiers::CONTROL && key.code == Char('c');
        return leave.then_some(Command::Quit);
    }
    let matching = |group_is_replay: bool| {
        BINDINGS
            .iter()
            .filter(move |row| (row.group == Group::Replay) == group_is_replay)
            .find(|row| row.keys.contains(&key.code))
            .map(|row| row.command)
    };
    replay.then(|| matching(true)).flatten().or_else(|| matching(false))
}

/// How a key is written.
#[must_use]
pub fn key_name(key: KeyCode) -> String {
    match key {
        Char(' ') => "space".into(),
        Char(c) => c.to_string(),
        KeyCode::Enter => "Enter".into(),
        KeyCode::Esc => "Esc".into(),
        KeyCode::Tab => "Tab".into(),
        KeyCode::BackTab => "Shift-Tab".into(),
        KeyCode::Left => "←".into(),
        KeyCode::Right => "→".into(),
        KeyCode::Up => "↑".into(),
        KeyCode::Down => "↓".into(),
        KeyCode::PageUp => "PgUp".into(),
        KeyCode::PageDown => "PgDn".into(),
        KeyCode::Home => "Home".into(),
        KeyCode::End => "End".into(),
        KeyCode::F(n) => format!("F{n}"),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_key_means_two_things() {
        for replay in [false, true] {
            let mut seen = HashSet::new();
            for row in BINDINGS.iter().filter(|row| (row.group == Group::Replay) == replay) {
                for key in row.keys {
                    assert!(seen.insert(key), "{} is bound twice", key_name(*key));
                }
            }
        }
    }

    #[test]
    fn a_replay_steps_where_a_session_reads_steps() {
        let key = KeyEvent::from(KeyCode::Right);
        assert_eq!(command(key, false), Some(Command::StepAhead));
        assert_eq!(command(key, true), Some(Command::StepForward));
        assert_eq!(command(KeyEvent::new(Char('c'), KeyModifiers::CONTROL), false), Some(Command::Quit));
        assert_eq!(command(KeyEvent::new(Char('s'), KeyModifiers::CONTROL), false), None);
    }
}
