//! ONE table: what keys do, the help, the hints and the palette are all made from it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::view::UiState;

/// What a key asks of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the table says what each does")]
pub enum Command {
    Open,
    OpenAll,
    Retry,
    Skip,
    Edit,
    Undo,
    AllChecks,
    StepAhead,
    StepBehind,
    AcceptReboot,
    Pause,
    Note,
    Abort,
    Quit,
    Suspend,
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
    /// What a configuration calls it.
    pub name: &'static str,
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
    name: &'static str,
    keys: &'static [KeyCode],
    hint: &'static str,
    help: &'static str,
    group: Group,
) -> Binding {
    Binding { command, name, keys, hint, help, group }
}

use Group::{Gate, Hosts, Log, Replay, Screen, Session};
use KeyCode::Char;

/// The table.
#[rustfmt::skip]
pub const BINDINGS: &[Binding] = &[
    row(Command::Open, "open", &[KeyCode::Enter], "open", "open the gate, after reading on to the end of what it runs", Gate),
    row(Command::OpenAll, "open-all", &[Char('A')], "open all", "open every gate at this step that is ready; its number is typed", Gate),
    row(Command::Retry, "retry", &[Char('r')], "retry", "go on with a failed step: look again, or show its gate again", Gate),
    row(Command::Skip, "skip", &[Char('s')], "skip", "skip the step on this host, with a reason", Gate),
    row(Command::Edit, "edit", &[Char('e')], "edit", "edit the file that the step will write", Gate),
    row(Command::Undo, "undo", &[Char('u')], "take back", "take back what was done on the lit host in this stage", Gate),
    row(Command::AllChecks, "checks", &[Char('c')], "", "list the checks that hold, or only count them", Gate),
    row(Command::AcceptReboot, "looked", &[Char('v')], "I looked", "a reboot that nobody ordered was looked into", Gate),
    row(Command::Pause, "pause", &[Char('p')], "pause", "hold every gate shut, or go on; what runs goes on", Session),
    row(Command::Note, "note", &[Char('a')], "note", "add a note to the journal", Session),
    row(Command::Abort, "abort", &[Char('Q')], "", "end the session for good, with a reason; hosts stay as they are", Session),
    row(Command::Quit, "quit", &[Char('q')], "quit", "leave; jobs on hosts go on, and the session can be resumed", Screen),
    row(Command::GoThere, "go-there", &[Char('t')], "go there", "to the host that waits for you", Hosts),
    row(Command::NextHost, "next-host", &[KeyCode::Down], "host", "the next host", Hosts),
    row(Command::PreviousHost, "previous-host", &[KeyCode::Up], "", "the host before", Hosts),
    row(Command::Follow, "follow", &[Char('F')], "", "back to wherever things go on (Esc does it too)", Hosts),
    row(Command::StepAhead, "step-ahead", &[Char(']'), KeyCode::Right], "", "read the step after the shown one, before its turn", Hosts),
    row(Command::StepBehind, "step-behind", &[Char('['), KeyCode::Left], "", "read the step before the shown one", Hosts),
    row(Command::Card, "card", &[Char('i')], "", "the host's card: every fact, its age and what changed", Hosts),
    row(Command::Filter, "filter", &[Char('f')], "", "show only hosts with a text in their row", Hosts),
    row(Command::Sort, "sort", &[Char('o')], "", "order the hosts: inventory, what wants you first, name", Hosts),
    row(Command::Search, "search", &[Char('/')], "search", "search the log", Log),
    row(Command::SearchNext, "next-hit", &[Char('n')], "", "the next hit", Log),
    row(Command::SearchPrevious, "previous-hit", &[Char('N')], "", "the hit before", Log),
    row(Command::Tiles, "tiles", &[Char('L')], "", "one log for each host at work; again: for every host", Log),
    row(Command::Down, "down", &[Char('j')], "", "a row down", Log),
    row(Command::Up, "up", &[Char('k')], "", "a row up", Log),
    row(Command::PageDown, "page-down", &[KeyCode::PageDown], "", "a page down", Log),
    row(Command::PageUp, "page-up", &[KeyCode::PageUp], "", "a page up", Log),
    row(Command::Top, "top", &[KeyCode::Home, Char('g')], "", "to the top; in a replay, to the beginning", Log),
    row(Command::Bottom, "bottom", &[KeyCode::End, Char('G')], "", "to the bottom, and follow; in a replay, to the end", Log),
    row(Command::NextPane, "next-pane", &[KeyCode::Tab], "pane", "the next pane", Screen),
    row(Command::PreviousPane, "previous-pane", &[KeyCode::BackTab], "", "the pane before", Screen),
    row(Command::Zoom, "zoom", &[Char('z')], "", "the focused pane alone, or all of them", Screen),
    row(Command::Palette, "palette", &[Char(':')], "commands", "find what can be done now by typing", Screen),
    row(Command::Help, "help", &[Char('?'), KeyCode::F(1)], "help", "this help", Screen),
    row(Command::Suspend, "suspend", &[], "", "Ctrl-Z: leave to the shell; fg comes back", Screen),
    row(Command::Play, "play", &[Char(' ')], "play/stop", "play, or stop", Replay),
    row(Command::StepForward, "forward", &[KeyCode::Right, Char('.')], "step", "an event on", Replay),
    row(Command::StepBack, "back", &[KeyCode::Left, Char(',')], "back", "an event back", Replay),
    row(Command::Faster, "faster", &[Char('+'), Char('=')], "faster", "faster", Replay),
    row(Command::Slower, "slower", &[Char('-')], "slower", "slower", Replay),
];

/// The row of a command.
#[must_use]
pub fn row_of(command: Command) -> Option<&'static Binding> {
    BINDINGS.iter().find(|row| row.command == command)
}

/// The key that a row's hint names: the operator's own, if bound.
#[must_use]
pub fn key_of(ui: &UiState, row: &Binding) -> KeyCode {
    ui.keys.get(&row.command).copied().or_else(|| row.keys.first().copied()).unwrap_or(KeyCode::Null)
}

/// What a key asks, where there is a playhead or not. A replay's own keys come first there, and the operator's own bindings
/// before the table's.
#[must_use]
pub fn command(key: KeyEvent, ui: &UiState) -> Option<Command> {
    if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
        let control = key.modifiers == KeyModifiers::CONTROL;
        return match key.code {
            Char('c') if control => Some(Command::Quit),
            Char('z') if control => Some(Command::Suspend),
            _ => None,
        };
    }
    if let Some((command, _)) = ui.keys.iter().find(|(_, own)| **own == key.code) {
        return Some(*command);
    }
    let matching = |group_is_replay: bool| {
        BINDINGS
            .iter()
            .filter(move |row| (row.group == Group::Replay) == group_is_replay)
            // A command that is bound otherwise has given its keys up.
            .find(|row| row.keys.contains(&key.code) && !ui.keys.contains_key(&row.command))
            .map(|row| row.command)
    };
    let replay = ui.playhead.is_some();
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
    use crate::ui::Playhead;

    #[test]
    fn no_key_and_no_name_means_two_things() {
        let mut names = HashSet::new();
        for replay in [false, true] {
            let mut seen = HashSet::new();
            for row in BINDINGS.iter().filter(|row| (row.group == Group::Replay) == replay) {
                assert!(names.insert(row.name), "{} is named twice", row.name);
                for key in row.keys {
                    assert!(seen.insert(key), "{} is bound twice", key_name(*key));
                }
            }
        }
    }

    #[test]
    fn a_replay_steps_where_a_session_reads_steps() {
        let key = KeyEvent::from(KeyCode::Right);
        let mut ui = UiState::default();
        assert_eq!(command(key, &ui), Some(Command::StepAhead));
        assert_eq!(command(KeyEvent::new(Char('c'), KeyModifiers::CONTROL), &ui), Some(Command::Quit));
        assert_eq!(command(KeyEvent::new(Char('s'), KeyModifiers::CONTROL), &ui), None);
        ui.playhead = Some(Playhead { position: 0, total: 1, playing: false, speed: 1.0 });
        assert_eq!(command(key, &ui), Some(Command::StepForward));
    }

    #[test]
    fn an_operators_own_key_takes_the_place_of_the_tables() {
        let mut ui = UiState::default();
        ui.keys.insert(Command::Open, Char('o'));
        assert_eq!(command(KeyEvent::from(Char('o')), &ui), Some(Command::Open));
        assert_eq!(command(KeyEvent::from(KeyCode::Enter), &ui), None);
    }
}
