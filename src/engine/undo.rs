//! The way back.

use super::Refusal;
use crate::model::state::Phase;
use crate::model::{HostName, State, TaskId};

/// The tasks that an undo on this host would take back, in the order they were done: those of the stage it last worked
/// in, down to the last safe point. Behind a point of no return, or a change that has no undo, nothing is taken back.
///
/// # Errors
/// Where work is under way, nothing was done, or the last thing done has no way back.
pub fn undo_chain(state: &State, host: &HostName) -> Result<Vec<TaskId>, Refusal> {
    let plan = state.plan.as_ref().ok_or_else(|| Refusal::NothingToUndo(host.clone()))?;
    let phase = |id: TaskId| &state.tasks[id.index()].phase;
    let touched = |id: TaskId| matches!(phase(id), Phase::Done | Phase::Failed { .. });
    let ours = state.tasks_of(host);
    if let Some(busy) = ours.iter().find(|id| phase(**id).is_under_way()) {
        return Err(Refusal::UnderWay(state.label(*busy)));
    }
    let changed = |id: TaskId| touched(id) && plan.step_of(plan.task(id)).changes();
    let last = *ours.iter().rfind(|id| changed(**id)).ok_or_else(|| Refusal::NothingToUndo(host.clone()))?;
    let stage = plan.task(last).stage;

    // A point of no return is the whole cluster's: what was done before it, on whichever host, stays done.
    let passed = state.last_point_of_no_return();

    let mut chain = Vec::new();
    let mut real = false;
    for id in ours.iter().rev().copied().filter(|id| plan.task(*id).stage == stage && *phase(*id) != Phase::Waiting) {
        let step = plan.step_of(plan.task(id));
        if changed(id) {
            let barrier = match (&step.point_of_no_return, &step.undo) {
                (Some(why), _) => Some(why.clone()),
                (None, None) => Some("this step has no undo: it has to be taken back by hand".to_owned()),
                (None, Some(_)) => passed
                    .filter(|passed| state.tasks[id.index()].since_seq < state.tasks[passed.index()].since_seq)
                    .map(|passed| format!("{} was done since, and is a point of no return", state.label(passed))),
            };
            match barrier {
                Some(why) if !real => return Err(Refusal::NoWayBack { task: state.label(id), why }),
                Some(_) => break,
                None => real = true,
            }
        }
        chain.push(id);
    }
    chain.reverse();
    Ok(chain)
}

/// Those of an undo's tasks that have changed something, which is what an operator wants to read: the others were only
/// looked at, or were not needed.
pub fn changed<'s>(state: &'s State, chain: &'s [TaskId]) -> impl Iterator<Item = TaskId> + 's {
    chain.iter().copied().filter(|id| {
        state
            .task(*id)
            .is_some_and(|(_, step, task)| step.changes() && matches!(task.phase, Phase::Done | Phase::Failed { .. }))
    })
}
