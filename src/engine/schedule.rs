//! Whose turn it is.

use crate::model::runbook::Order;
use crate::model::state::Phase;
use crate::model::{HostName, State, TaskId};

/// The tasks whose turn has come and that nobody has been shown yet, in the order they should be shown.
#[must_use]
pub fn next(state: &State) -> Vec<TaskId> {
    let Some(plan) = &state.plan else { return Vec::new() };
    let Some(current) = plan.tasks.iter().find(|task| !state.tasks[task.id.index()].phase.is_over()) else {
        return Vec::new();
    };
    let stage = &plan.runbook.stages[current.stage];
    let lanes: Vec<Lane> = plan.hosts_of(current.stage).map(|host| Lane::of(state, current.stage, host)).collect();
    let limit = match stage.order {
        Order::OneAtATime => 1,
        Order::Batch(percent) => (lanes.len() * usize::from(percent) / 100).max(1),
        Order::AllAtOnce => lanes.len(),
    };
    let begun: Vec<&Lane> = lanes.iter().filter(|lane| lane.begun && lane.next.is_some()).collect();
    let mut fresh: Vec<&Lane> = lanes.iter().filter(|lane| !lane.begun && lane.next.is_some()).collect();
    if stage.leader_last {
        fresh.sort_by_key(|lane| leads(state, lane.host));
    }
    let room = limit.saturating_sub(begun.len());
    begun
        .into_iter()
        .chain(fresh.into_iter().take(room))
        .filter_map(|lane| lane.next)
        .filter(|id| state.tasks[id.index()].phase == Phase::Waiting && !state.undo.contains(id))
        .collect()
}

/// A host's way through a stage.
struct Lane<'s> {
    host: &'s HostName,
    /// Some task of it has left `Waiting`.
    begun: bool,
    /// Its first task that is not over.
    next: Option<TaskId>,
}

impl<'s> Lane<'s> {
    fn of(state: &State, stage: usize, host: &'s HostName) -> Self {
        let tasks =
            state.plan.iter().flat_map(|plan| &plan.tasks).filter(|task| task.stage == stage && task.host == *host);
        let mut lane = Self { host, begun: false, next: None };
        for task in tasks {
            let phase = &state.tasks[task.id.index()].phase;
            lane.begun |= *phase != Phase::Waiting;
            if lane.next.is_none() && !phase.is_over() {
                lane.next = Some(task.id);
            }
        }
        lane
    }
}

/// Whether a host's etcd member leads, as far as is known.
fn leads(state: &State, host: &HostName) -> bool {
    let facts = state.host(host).and_then(|host| host.current()).map(|seen| &seen.facts);
    facts.and_then(|facts| facts.etcd.as_ref()?.leader) == Some(true)
}
