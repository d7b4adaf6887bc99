//! What an operator's hands do at consoles, in memory.

use std::collections::HashSet;

use crate::model::state::Phase;
use crate::model::{State, TaskId};
use crate::practice::Practice;

/// What is typed at a Container Linux console to force a first boot.
const AT_CONSOLE: &str = "coreos.first_boot=1";

/// The operator's hands at the consoles, which nobody has in memory: what a step asks to be done by hand is done.
pub(super) struct Hands {
    practice: Practice,
    lent: HashSet<(TaskId, u64)>,
}

impl Hands {
    pub(super) fn new(practice: Practice) -> Self {
        Self { practice, lent: HashSet::new() }
    }

    pub(super) fn lend(&mut self, state: &State) {
        for id in state.task_ids() {
            let Some((task, step, current)) = state.task(id) else { continue };
            if current.taking_back() {
                continue;
            }
            let asked = step.hands.is_some() && step.reboots && current.phase == Phase::Verifying;
            if asked && self.lent.insert((id, current.since_seq)) {
                self.practice.restart_at_console(&task.host, AT_CONSOLE);
            }
            let begun = matches!(current.phase, Phase::Verifying | Phase::Done);
            let by_hand = step.hands.is_some() && !step.reboots && begun;
            if by_hand && self.lent.insert((id, current.since_seq)) {
                match step.name.as_str() {
                    "deploy" => self.practice.deploy_to_second(),
                    "switch" => self.practice.switch_traffic(),
                    "turn-off" => self.practice.turn_off(std::slice::from_ref(&task.host)),
                    _ => {}
                }
            }
        }
    }
}
