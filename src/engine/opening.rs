//! Whether a gate opens, by the one rule that all ask: who opens it, who looks at it, and who counts.

use jiff::Timestamp;

use super::check::{evaluate, holds};
use super::schedule::{before, in_the_way};
use super::scope::Scope;
use super::{Refusal, quorum};
use crate::model::event::{CheckResult, Event, Mode};
use crate::model::inventory::Role;
use crate::model::runbook::{Confirm, Step};
use crate::model::state::Phase;
use crate::model::{HostName, State, TaskId};

/// How a gate stands, the typed words aside: what [`super::gate_view`] tells of it, without the words.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// It opens.
    Ready,
    /// Not every check holds.
    Shut {
        /// So many do not.
        failing: usize,
        /// Of so many.
        total: usize,
    },
    /// Something other than its checks is against it.
    Barred(Refusal),
}

/// How a gate stands.
#[must_use]
pub fn standing(state: &State, id: TaskId, now: Timestamp) -> Standing {
    let (scope, step) = match at_gate(state, now, id) {
        Ok(found) => found,
        Err(refusal) => return Standing::Barred(refusal),
    };
    match step.require.iter().filter(|check| holds(&check.that, &scope) != Some(true)).count() {
        0 => Standing::Ready,
        failing => Standing::Shut { failing, total: step.require.len() },
    }
}

/// Whether anything at all may be changed in this session.
pub(super) fn may_act(state: &State) -> Result<(), Refusal> {
    let mode = state.session.as_ref().map(|session| session.mode);
    if mode.is_none_or(|mode| mode == Mode::Monitor) || state.plan.is_none() {
        return Err(Refusal::ReadOnly("monitor"));
    }
    if state.outcome.is_some() {
        return Err(Refusal::Ended);
    }
    Ok(())
}

/// Whether a gate opens as things stand, the typed words aside; the checks it opens on.
pub(super) fn may_open(state: &State, now: Timestamp, id: TaskId) -> Result<Vec<CheckResult>, Refusal> {
    let (scope, step) = at_gate(state, now, id)?;
    let checks: Vec<CheckResult> = step.require.iter().map(|check| evaluate(check, &scope)).collect();
    if checks.iter().all(CheckResult::passed) { Ok(checks) } else { Err(Refusal::Checks(checks)) }
}

/// The step of a gate that nothing is against but, perhaps, its checks; with what these see.
fn at_gate(state: &State, now: Timestamp, id: TaskId) -> Result<(Scope<'_>, &Step), Refusal> {
    may_act(state)?;
    let (task, step, current) = state.task(id).ok_or(Refusal::NoSuchTask)?;
    if current.phase != Phase::Gate {
        return Err(Refusal::NotAtGate(state.label(id)));
    }
    if state.paused {
        return Err(Refusal::Paused);
    }
    if !state.undo.is_empty() {
        return Err(Refusal::Undoing);
    }
    if let Some(other) = in_the_way(state, id, true) {
        return Err(Refusal::NotItsTurn(state.label(other)));
    }
    if let Some(earlier) = before(state, id) {
        return Err(Refusal::ComesAfter(state.label(earlier)));
    }
    // What a check reads of the cluster changes under a job that works on another member of it.
    if let Some(other) = member_at_work(state, id).filter(|_| reads_etcd(step)) {
        return Err(Refusal::NotItsTurn(state.label(other)));
    }
    quorum::forward(state, now, id)?;
    let scope = Scope::new(state, Some(id), counts_since(state, id), now);
    for host in [&task.host, &task.on] {
        not_barred(state, host)?;
        if state.host(host).is_some_and(|host| host.rebooted.is_some()) {
            return Err(Refusal::Rebooted(host.clone()));
        }
        if let Some(why) = scope.absence(host) {
            return Err(Refusal::NoFacts { host: host.clone(), why });
        }
        leased(state, host)?;
    }
    Ok((scope, step))
}

/// Whether this process may act on a host.
pub(super) fn ours(state: &State, host: &HostName) -> Result<(), Refusal> {
    not_barred(state, host)?;
    leased(state, host)
}

fn not_barred(state: &State, host: &HostName) -> Result<(), Refusal> {
    match state.host(host).and_then(|host| host.barred.clone()) {
        Some(reason) => Err(Refusal::Barred { host: host.clone(), reason }),
        None => Ok(()),
    }
}

/// A job that had to wait for the lease would begin on facts of long ago.
fn leased(state: &State, host: &HostName) -> Result<(), Refusal> {
    match state.host(host) {
        Some(known) if !known.leased => Err(Refusal::NoLease(host.clone())),
        Some(_) | None => Ok(()),
    }
}

/// Whether the gates at a task's step may be opened many at once: one host has gone first, and nothing is lost for good.
///
/// # Errors
/// Why not.
pub fn may_open_together(state: &State, id: TaskId) -> Result<(), Refusal> {
    let (task, step, _) = state.task(id).ok_or(Refusal::NoSuchTask)?;
    if step.destroys.is_some() || step.point_of_no_return.is_some() {
        return Err(Refusal::NotTogether(step.name.clone(), "it destroys something, or nothing leads back from it"));
    }
    if matches!(confirmation(step), Confirm::Phrase(_)) {
        return Err(Refusal::NotTogether(step.name.clone(), "its words are typed for each host"));
    }
    let plan = state.plan.as_ref().ok_or(Refusal::NoSuchTask)?;
    let canary = plan.tasks.iter().any(|other| {
        (other.stage, other.step) == (task.stage, task.step) && state.tasks[other.id.index()].phase == Phase::Done
    });
    if canary || !step.changes() { Ok(()) } else { Err(Refusal::NoCanary(step.name.clone())) }
}

/// Whether a gate's checks read the etcd cluster as a whole, and not only the member on their own host.
fn reads_etcd(step: &Step) -> bool {
    let whole = |text: &str| text.match_indices("etcd.").any(|(at, _)| !text[..at].ends_with('.'));
    step.require.iter().any(|check| whole(&check.that.0))
}

/// A task that changes something on another etcd member and is under way.
fn member_at_work(state: &State, id: TaskId) -> Option<TaskId> {
    let here = &state.task(id)?.0.host;
    let inventory = &state.session.as_ref()?.inventory;
    let member = |host: &HostName| inventory.host(host).is_some_and(|host| host.roles.contains(&Role::Etcd));
    if !member(here) {
        return None;
    }
    let at_work = |id: &TaskId| {
        state.task(*id).is_some_and(|(task, step, _)| task.host != *here && step.changes() && member(&task.host))
    };
    state.under_way().find(at_work)
}

/// How a gate is opened.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Opening<'t> {
    /// What was typed.
    pub(super) typed: Option<&'t str>,
    /// How long the gate had been shown, in milliseconds.
    pub(super) shown_ms: Option<u64>,
    /// As one of so many.
    pub(super) together: Option<usize>,
}

/// The event that opens a gate.
pub(super) fn open(state: &State, now: Timestamp, id: TaskId, opening: &Opening<'_>) -> Result<Event, Refusal> {
    let Opening { typed, shown_ms, together } = *opening;
    let checks = may_open(state, now, id)?;
    let (task, step, _) = state.task(id).ok_or(Refusal::NoSuchTask)?;
    let confirm = confirmation(step);
    let confirmed = match &confirm {
        Confirm::None | Confirm::Enter => true,
        Confirm::Host => {
            let number = together.map(|number| number.to_string());
            typed == Some(task.host.as_str()) || (number.is_some() && typed == number.as_deref())
        }
        Confirm::Phrase(phrase) => typed == Some(phrase.as_str()),
    };
    if !confirmed {
        return Err(Refusal::NotConfirmed(confirm));
    }
    let boot_id = if step.reboots { state.boot_id(&task.host).map(str::to_owned) } else { None };
    Ok(Event::GateOpened { task: id, typed: typed.map(str::to_owned), checks, boot_id, shown_ms })
}

/// The event since which facts count at a gate: when it was shown, or when something was last taken back anywhere.
#[must_use]
pub(super) fn counts_since(state: &State, id: TaskId) -> u64 {
    state.task(id).map_or(0, |(_, _, task)| task.since_seq).max(state.last_taken_back())
}

/// What the operator must give. What destroys, reboots or has no way back never opens on less than the host's name.
#[must_use]
pub fn confirmation(step: &Step) -> Confirm {
    let grave = step.destroys.is_some() || step.reboots || step.point_of_no_return.is_some();
    match &step.confirm {
        Confirm::None | Confirm::Enter if grave => Confirm::Host,
        asked => asked.clone(),
    }
}
