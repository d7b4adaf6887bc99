//! ONE table: what keys do, the help screen and the hints are all made from it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key asks of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Open the gate that is shown.
    Open,
    /// Go on with what came to a stop.
    Retry,
    /// Pass a task over.
    Skip,
    /// Change a file that will be pushed.
    Edit,
    /// Take back.
    Undo,
    /// Hold the gates shut, or let them open.
    Pause,
    /// Write something down.
    Note,
    /// End the session.
    Abort,
    /// Leave.
    Quit,
    /// Show the keys.
    Help,
    /// The next pane.
    NextPane,
    /// The pane before.
    PreviousPane,
    /// The focused pane alone.
    Zoom,
    /// The next host.
    NextHost,
    /// The host before.
    PreviousHost,
    /// A line down.
    Down,
    /// A line up.
    Up,
    /// A page down.
    PageDown,
    /// A page up.
    PageUp,
    /// To the top, or the beginning.
    Top,
    /// To the bottom, or the end; follow.
    Bottom,
    /// Look for a text in the log.
    Search,
    /// The next place where it stands.
    SearchNext,
    /// The place before.
    SearchPrevious,
    /// Replay: play or stop.
    Play,
    /// Replay: an event on.
    StepForward,
    /// Replay: an event back.
    StepBack,
    /// Replay: faster.
    Faster,
    /// Replay: slower.
    Slower,
}

/// Where a key is of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// At a gate.
    Gate,
    /// In the session.
    Session,
    /// On the screen.
    Screen,
    /// In a replay.
    Replay,
}

impl Group {
    /// As the help screen heads it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Gate => "At a gate, or where a task came to a stop",
            Self::Session => "The session",
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
    /// A line for the help screen.
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

/// The table.
pub const BINDINGS: &[Binding] = &[
    row(
        Command::Open,
        &[KeyCode::Enter, KeyCode::Char('o')],
        "open",
        "open the gate; wants the host's name where the step is grave",
        Group::Gate,
    ),
    row(
        Command::Retry,
        &[KeyCode::Char('r')],
        "retry",
        "go on with a stopped task: look again, or show its gate again",
        Group::Gate,
    ),
    row(Command::Skip, &[KeyCode::Char('s')], "skip", "pass the task over, with a reason", Group::Gate),
    row(
        Command::Edit,
        &[KeyCode::Char('e')],
        "edit",
        "change the file that this task will write, before it is written",
        Group::Gate,
    ),
    row(
        Command::Undo,
        &[KeyCode::Char('u')],
        "undo",
        "take back what was done on this host, to the last safe point",
        Group::Gate,
    ),
    row(
        Command::Pause,
        &[KeyCode::Char('p')],
        "pause",
        "hold all gates shut, or let them open again; what runs goes on",
        Group::Session,
    ),
    row(Command::Note, &[KeyCode::Char('a')], "note", "write something into the journal", Group::Session),
    row(
        Command::Abort,
        &[KeyCode::Char('Q')],
        "",
        "end the session for good, with a reason; hosts stay as is",
        Group::Session,
    ),
    row(
        Command::Quit,
        &[KeyCode::Char('q')],
        "quit",
        "leave; jobs on hosts go on, and the session can be resumed",
        Group::Session,
    ),
    row(Command::Help, &[KeyCode::Char('?'), KeyCode::F(1)], "help", "show this", Group::Screen),
    row(Command::NextPane, &[KeyCode::Tab], "pane", "the next pane", Group::Screen),
    row(Command::PreviousPane, &[KeyCode::BackTab], "", "the pane before", Group::Screen),
    row(Command::Zoom, &[KeyCode::Char('z')], "zoom", "the focused pane alone, or all of them", Group::Screen),
    row(
        Command::NextHost,
        &[KeyCode::Right, KeyCode::Char('l')],
        "host",
        "the next host (in a replay: l)",
        Group::Screen,
    ),
    row(
        Command::PreviousHost,
        &[KeyCode::Left, KeyCode::Char('h')],
        "",
        "the host before (in a replay: h)",
        Group::Screen,
    ),
    row(Command::Down, &[KeyCode::Down, KeyCode::Char('j')], "", "a line down in the focused pane", Group::Screen),
    row(Command::Up, &[KeyCode::Up, KeyCode::Char('k')], "", "a line up", Group::Screen),
    row(Command::PageDown, &[KeyCode::PageDown], "", "a page down", Group::Screen),
    row(Command::PageUp, &[KeyCode::PageUp], "", "a page up", Group::Screen),
    row(
        Command::Top,
        &[KeyCode::Home, KeyCode::Char('g')],
        "",
        "to the top; in a replay, to the beginning",
        Group::Screen,
    ),
    row(
        Command::Bottom,
        &[KeyCode::End, KeyCode::Char('G'), KeyCode::Char('f')],
        "",
        "to the bottom, and follow; in a replay, to the end",
        Group::Screen,
    ),
    row(Command::Search, &[KeyCode::Char('/')], "search", "look for a text in the log", Group::Screen),
    row(Command::SearchNext, &[KeyCode::Char('n')], "", "the next place where it stands", Group::Screen),
    row(Command::SearchPrevious, &[KeyCode::Char('N')], "", "the place before", Group::Screen),
    row(Command::Play, &[KeyCode::Char(' ')], "play/stop", "play, or stop", Group::Replay),
    row(Command::StepForward, &[KeyCode::Right, KeyCode::Char('.')], "step", "an event on", Group::Replay),
    row(Command::StepBack, &[KeyCode::Left, KeyCode::Char(',')], "back", "an event back", Group::Replay),
    row(Command::Faster, &[KeyCode::Char('+'), KeyCode::Char('=')], "faster", "faster", Group::Replay),
    row(Command::Slower, &[KeyCode::Char('-')], "slower", "slower", Group::Replay),
];

/// What a key asks, where there is a playhead or not. A replay's own keys come first there.
#[must_use]
pub fn command(key: KeyEvent, replay: bool) -> Option<Command> {
    if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
        let leave = key.modifiers == KeyModifiers::CONTROL && key.code == KeyCode::Char('c');
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
        KeyCode::Char(' ') => "space".into(),
        KeyCode::Char(c) => c.to_string(),
        KeyCode::Enter => "Enter".into(),
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
    fn a_replay_steps_where_a_session_changes_hosts() {
        let key = KeyEvent::from(KeyCode::Right);
        assert_eq!(command(key, false), Some(Command::NextHost));
        assert_eq!(command(key, true), Some(Command::StepForward));
        assert_eq!(command(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL), false), Some(Command::Quit));
        assert_eq!(command(KeyEvent::new(KeyCode::Char('s'), KeyModifiers::CONTROL), false), None);
    }
}
