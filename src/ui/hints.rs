//! The last line: the keys of the moment. What is not possible now is greyed, by asking the engine.

use jiff::Timestamp;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use super::keymap::{BINDINGS, Command, Group, key_name};
use super::theme::{Meaning, style};
use super::view::UiState;
use crate::engine::{Intent, Refusal, decide};
use crate::model::State;
use crate::model::event::Mode;

/// The hints that fit a width.
#[must_use]
pub(super) fn line(state: &State, now: Timestamp, ui: &UiState, width: u16) -> Line<'static> {
    let replay = ui.playhead.is_some();
    let acts = !replay && state.session.as_ref().is_some_and(|session| session.mode != Mode::Monitor);
    let shown = BINDINGS.iter().filter(|row| !row.hint.is_empty()).filter(|row| match row.group {
        Group::Replay => replay,
        // Most tasks write no file.
        Group::Gate if row.command == Command::Edit => acts && writes(state, ui),
        Group::Gate => acts,
        Group::Session => acts || row.command == Command::Quit,
        Group::Screen => !(replay && row.command == Command::NextHost),
    });
    let mut spans = Vec::new();
    let mut used = 0;
    for row in shown {
        let key = format!(" {} ", key_name(row.keys[0]));
        let hint = match row.command {
            Command::Pause if state.paused => "continue",
            _ => row.hint,
        };
        used += key.width() + hint.width() + 1;
        if used > usize::from(width) {
            break;
        }
        let possible = possible(state, now, ui, row.command);
        spans.push(Span::styled(key, style(if possible { Meaning::Active } else { Meaning::Quiet })));
        spans.push(Span::styled(format!("{hint} "), style(if possible { Meaning::Plain } else { Meaning::Quiet })));
    }
    Line::from(spans)
}

/// Whether the task that is shown writes a file.
fn writes(state: &State, ui: &UiState) -> bool {
    let task = ui.task(state).and_then(|id| state.task(id));
    task.is_some_and(|(task, _, _)| task.pushes.iter().any(|push| push.artifact.is_none()))
}

/// Whether a command would be refused as things stand. Words that are still to be typed are no refusal.
fn possible(state: &State, now: Timestamp, ui: &UiState, command: Command) -> bool {
    let intent = match (command, ui.task(state)) {
        (Command::Open, task) => {
            return task.is_some() && ui.gate(state, now).is_some_and(|gate| gate.refusal.is_none());
        }
        (Command::Retry, Some(task)) => Intent::Retry { task },
        (Command::Skip, Some(task)) => Intent::Skip { task, reason: "x".into() },
        (Command::Undo, _) => match state.hosts.get_index(ui.host_index(state)) {
            Some((host, _)) => Intent::Undo { host: host.clone() },
            None => return false,
        },
        (Command::Retry | Command::Skip, None) => return false,
        (Command::Pause, _) if state.paused => Intent::Continue,
        (Command::Pause, _) => Intent::Pause,
        (Command::Note, _) => Intent::Note { text: "x".into() },
        _ => return true,
    };
    !matches!(decide(state, now, &intent), Err(refusal) if refusal != Refusal::NoWords)
}
