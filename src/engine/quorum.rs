//! The rule that stands under every runbook's own: while one etcd member is down, nothing of ours stops another that the
//! cluster cannot do without.

use jiff::Timestamp;

use super::Refusal;
use super::scope::Scope;
use crate::model::inventory::Role;
use crate::model::runbook::{Component, Step};
use crate::model::{HostName, State, TaskId};

/// Whether a step takes the host's etcd member down, on its way forward or back.
pub(super) fn stops_etcd(step: &Step, back: bool) -> bool {
    let which = if back { &step.starts } else { &step.stops };
    step.reboots || which.contains(&Component::Etcd)
}

/// Whether the cluster can do without the member of a task's host while the step is done.
pub(super) fn forward(state: &State, now: Timestamp, id: TaskId) -> Result<(), Refusal> {
    match state.task(id) {
        Some((task, step, _)) if stops_etcd(step, false) => can_do_without(state, now, &task.host),
        _ => Ok(()),
    }
}

/// Whether it can while these tasks of a host are taken back.
pub(super) fn back(state: &State, now: Timestamp, host: &HostName, tasks: &[TaskId]) -> Result<(), Refusal> {
    let stops = |id: &TaskId| state.task(*id).is_some_and(|(_, step, _)| stops_etcd(step, true));
    if tasks.iter().any(stops) { can_do_without(state, now, host) } else { Ok(()) }
}

/// A member that is seen to be down is no loss; one that is not seen may well be up. Where all others are well the runbook's
/// own checks decide: a cluster of one or two has no member to spare, and is upgraded all the same.
fn can_do_without(state: &State, now: Timestamp, host: &HostName) -> Result<(), Refusal> {
    let Some(session) = &state.session else { return Ok(()) };
    let members: Vec<&HostName> = session.inventory.with_role(Role::Etcd).map(|member| &member.name).collect();
    let scope = Scope::new(state, None, 0, now);
    // Of a member that is not seen nothing is known: it may be down, where it is needed, and well, where it is to be stopped.
    let seen = |member: &HostName| {
        let etcd = state.host(member).and_then(|host| host.facts.as_ref()).and_then(|seen| seen.facts.etcd.as_ref());
        etcd.filter(|_| scope.absence(member).is_none())
    };
    let answers = |member: &HostName| seen(member).and_then(|etcd| etcd.healthy) == Some(true);
    // One that tells its version runs: without a quorum every member says that it is not healthy, and each is needed for one.
    let down =
        |member: &HostName| seen(member).is_some_and(|etcd| etcd.healthy == Some(false) && etcd.server.is_none());
    if !members.contains(&host) || down(host) {
        return Ok(());
    }
    let well = |member: &HostName| answers(member) && !state.stopped_as_planned(member, Component::Etcd);
    let (well, missing): (Vec<&HostName>, Vec<&HostName>) =
        members.iter().copied().filter(|member| *member != host).partition(|member| well(member));
    if missing.is_empty() || well.len() > members.len() / 2 {
        return Ok(());
    }
    Err(Refusal::Quorum { host: host.clone(), down: missing.into_iter().cloned().collect() })
}
