//! Whose turn it is.

use crate::model::runbook::Order;
use crate::model::state::Phase;
use crate::model::{HostName, Plan, State, TaskId};

/// The tasks whose turn has come and that nobody has been shown yet, in the order they should be shown.
#[must_use]
pub fn next(state: &State) -> Vec<TaskId> {
    let Some(plan) = &state.plan else { return Vec::new() };
    let Some(current) = plan.tasks.iter().find(|task| !state.tasks[task.id.index()].phase.is_over()) else {
        return Vec::new();
    };
    turns(state, plan, current.stage)
        .into_iter()
        .filter_map(|lane| lane.next)
        .filter(|id| state.tasks[id.index()].phase == Phase::Waiting && !state.undo.contains(id))
        .collect()
}

/// The hosts whose turn it is in a stage: those that have begun, and as many others as there is room for beside them. Where
/// what a host has done is taken back it is its turn again, before that of hosts that have only been shown a gate.
fn turns<'s>(state: &'s State, plan: &'s Plan, index: usize) -> Vec<Lane<'s>> {
    let stage = &plan.runbook.stages[index];
    let lanes: Vec<Lane> = plan.hosts_of(index).map(|host| Lane::of(state, index, host)).collect();
    let limit = limit(stage.order, lanes.len());
    let (begun, mut fresh): (Vec<Lane>, Vec<Lane>) =
        lanes.into_iter().filter(|lane| lane.next.is_some()).partition(|lane| lane.begun);
    if stage.leader_last {
        fresh.sort_by_key(|lane| leads(state, lane.host));
    }
    let room = limit.saturating_sub(begun.len());
    begun.into_iter().chain(fresh.into_iter().take(room)).collect()
}

/// How many hosts of a stage may be worked on at once.
fn limit(order: Order, hosts: usize) -> usize {
    match order {
        Order::OneAtATime => 1,
        Order::Batch(percent) => (hosts * usize::from(percent) / 100).max(1),
        Order::AllAtOnce => hosts,
    }
}

/// A task that comes first: of an earlier stage that is not over, or of another host whose turn it is. What was taken back
/// is that again.
#[must_use]
pub fn before(state: &State, id: TaskId) -> Option<TaskId> {
    let plan = state.plan.as_ref()?;
    let task = plan.tasks.get(id.index())?;
    let earlier = plan.tasks.iter().take_while(|other| other.stage < task.stage);
    let open = earlier.map(|task| task.id).find(|other| !state.tasks[other.index()].phase.is_over());
    open.or_else(|| {
        let turns = turns(state, plan, task.stage);
        let ours = turns.iter().any(|lane| *lane.host == task.host);
        turns.iter().filter(|_| !ours).find_map(|lane| lane.next)
    })
}

/// A task that has to come to its end before another host of its stage may be worked on: the stage has no room beside
/// it. What came to a stop holds its place where `stopped` counts, as it does for everything but the way back.
#[must_use]
pub fn in_the_way(state: &State, id: TaskId, stopped: bool) -> Option<TaskId> {
    let plan = state.plan.as_ref()?;
    let task = plan.tasks.get(id.index())?;
    let busy: Vec<TaskId> = state
        .task_ids()
        .filter(|other| {
            let (other, phase) = (plan.task(*other), &state.tasks[other.index()].phase);
            let holds = phase.is_under_way() || (stopped && matches!(phase, Phase::Failed { .. }));
            holds && other.stage == task.stage && other.host != task.host
        })
        .collect();
    let hosts: std::collections::BTreeSet<_> = busy.iter().map(|id| &plan.task(*id).host).collect();
    let room = limit(plan.stage_of(task).order, plan.hosts_of(task.stage).count());
    busy.first().copied().filter(|_| hosts.len() >= room)
}

/// A host of a task's stage on which something has been changed and that is not through, where there is no room beside it:
/// what was begun there is finished, or taken back, before anything else is taken back.
#[must_use]
pub fn half_way(state: &State, id: TaskId) -> Option<&HostName> {
    let plan = state.plan.as_ref()?;
    let task = plan.tasks.get(id.index())?;
    let lanes = plan.hosts_of(task.stage).map(|host| Lane::of(state, task.stage, host));
    let half_way: Vec<Lane<'_>> =
        lanes.filter(|lane| *lane.host != task.host && lane.changed && lane.next.is_some()).collect();
    let room = limit(plan.stage_of(task).order, plan.hosts_of(task.stage).count());
    half_way.first().map(|lane| lane.host).filter(|_| half_way.len() >= room)
}

/// A host's way through a stage.
struct Lane<'s> {
    host: &'s HostName,
    /// Something was done there: more than to show a gate, or to find a task not needed.
    begun: bool,
    /// Something on the host has been changed.
    changed: bool,
    /// Its first task that is not over.
    next: Option<TaskId>,
}

impl<'s> Lane<'s> {
    fn of(state: &State, stage: usize, host: &'s HostName) -> Self {
        let tasks =
            state.plan.iter().flat_map(|plan| &plan.tasks).filter(|task| task.stage == stage && task.host == *host);
        let mut lane = Self { host, begun: false, changed: false, next: None };
        for task in tasks {
            let phase = &state.tasks[task.id.index()].phase;
            lane.begun |= !matches!(phase, Phase::Waiting | Phase::Gate | Phase::NotNeeded);
            let changes = state.plan.as_ref().is_some_and(|plan| plan.step_of(task).changes());
            lane.changed |= changes && matches!(phase, Phase::Done | Phase::Failed { .. });
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
