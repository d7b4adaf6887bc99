//! What can be done now, by asking the engine: hints, help and the palette offer nothing else.

use super::keymap::{Command, Group};
use super::panes::gate::writes;
use super::view::UiState;
use crate::engine::{Intent, Refusal, Standing, decide, settable};
use crate::model::State;
use crate::model::event::Mode;

/// The groups of keys that are of use in this mode.
#[must_use]
pub(super) fn groups(state: &State, ui: &UiState) -> Vec<Group> {
    let replay = ui.playhead.is_some();
    let acts = !replay && state.session.as_ref().is_some_and(|session| session.mode != Mode::Monitor);
    Group::ALL
        .into_iter()
        .filter(|group| match group {
            Group::Gate | Group::Session => acts,
            Group::Replay => replay,
            Group::Hosts | Group::Log | Group::Screen => true,
        })
        .collect()
}

/// Whether a command would be refused as things stand. Words that are still to be typed are no refusal.
#[must_use]
pub(super) fn possible(state: &State, ui: &UiState, command: Command) -> bool {
    let Some(row) = super::keymap::row_of(command) else { return false };
    if !groups(state, ui).contains(&row.group) {
        return false;
    }
    let look = &ui.look;
    let task = look.task.filter(|_| !look.peeked);
    let intent = match (command, task) {
        (Command::Open, _) => return look.gate.as_ref().is_some_and(|gate| gate.refusal.is_none() && !look.peeked),
        (Command::OpenAll, _) => {
            let ready = look.group.iter().filter(|(_, standing)| *standing == Standing::Ready).count();
            return ready > 1 && task.is_some_and(|task| crate::engine::may_open_together(state, task).is_ok());
        }
        (Command::Edit, Some(task)) => return look.at_gate(state).is_some() && writes(state, task),
        (Command::SetVar, Some(task)) => return look.at_gate(state).is_some() && !settable(state, task).is_empty(),
        (Command::Retry, Some(task)) => Intent::Retry { task },
        (Command::Skip, Some(task)) => Intent::Skip { task, reason: "x".into() },
        (Command::End, Some(task)) => Intent::EndJob { task },
        (Command::Retry | Command::End | Command::Skip | Command::Edit | Command::SetVar, None) => return false,
        (Command::Undo, _) => match &look.host {
            Some(host) => Intent::Undo { host: host.clone() },
            None => return false,
        },
        (Command::AcceptReboot, _) => match &look.host {
            Some(host) => Intent::AcceptReboot { host: host.clone() },
            None => return false,
        },
        (Command::Pause, _) if state.paused => Intent::Continue,
        (Command::Pause, _) => Intent::Pause,
        (Command::Note, _) => Intent::Note { text: "x".into() },
        (Command::Abort, _) => Intent::Abort { reason: "x".into() },
        (Command::SearchNext | Command::SearchPrevious, _) => return !ui.logs.search.is_empty(),
        (Command::Follow, _) => return ui.host.is_some() || ui.peek.is_some(),
        (Command::GoThere, _) => return look.next_waiting.is_some(),
        _ => return true,
    };
    !matches!(decide(state, state.now, &intent), Err(refusal) if refusal != Refusal::NoWords)
}
