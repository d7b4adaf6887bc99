//! Which host is lit, and which of its steps is read: what a key does then acts on that one.

use jiff::Timestamp;

use super::panes::grid::visible;
use super::view::UiState;
use crate::model::{HostName, State, TaskId};

/// Lights a host, from its first row on.
pub(super) fn light(ui: &mut UiState, host: HostName) {
    (ui.host, ui.peek, ui.gate_scroll, ui.steps_scroll) = (Some(host), None, 0, 0);
}

/// Lights the host so many rows further in the grid, round and round.
pub(super) fn move_light(state: &State, now: Timestamp, ui: &mut UiState, by: isize) {
    let look = ui.look.clone();
    let hosts = visible(state, ui, &look, now);
    if hosts.is_empty() {
        return;
    }
    let next = match hosts.iter().position(|index| *index == look.lit) {
        Some(at) => (at as isize + by).rem_euclid(hosts.len() as isize) as usize,
        None => 0,
    };
    if let Some((name, _)) = state.hosts.get_index(hosts[next]) {
        light(ui, name.clone());
    }
}

/// Lights the next host that waits for the operator.
pub(super) fn go_there(state: &State, ui: &mut UiState) {
    match ui.look.next_waiting.and_then(|id| state.task(id)) {
        Some((task, _, _)) => light(ui, task.host.clone()),
        None => ui.say("nothing waits for you on another host"),
    }
}

/// Shows another step of the lit host, to be read.
pub(super) fn peek(state: &State, ui: &mut UiState, by: isize) {
    let Some(host) = ui.look.host.clone() else { return };
    let tasks: Vec<TaskId> = state.tasks_of(&host).to_vec();
    let Some(at) = ui.look.task.and_then(|id| tasks.iter().position(|other| *other == id)) else { return };
    match at.checked_add_signed(by).and_then(|at| tasks.get(at)) {
        Some(next) => {
            ui.host = Some(host);
            (ui.peek, ui.gate_scroll) = (Some(*next), 0);
        }
        None => {
            ui.say(if by > 0 { "this is the last step on this host" } else { "this is the first step on this host" });
        }
    }
}
