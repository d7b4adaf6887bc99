//! What follows by itself from what has happened.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::check::{evaluate, holds};
use super::opening::{Opening, Standing, confirmation, counts_since, open, standing};
use super::quorum;
use super::schedule;
use super::scope::Scope;
use super::verification::{describe, verified};
use crate::model::event::{CheckResult, Event, FailedAt, JobKind, Outcome};
use crate::model::runbook::{Confirm, Step};
use crate::model::state::{Link, Phase, TaskState};
use crate::model::{JobName, Plan, State, Task, TaskId, clock};

/// How long the promise of a runbook may take to come true after its last task.
pub const PROMISE_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// The next events that follow by themselves; nothing when all waits for a host, an operator or the clock. To be asked
/// again after they were folded in.
#[must_use]
pub fn advance(state: &State, now: Timestamp) -> Vec<Event> {
    if state.plan.is_none() || state.outcome.is_some() {
        return Vec::new();
    }
    begun(state)
        .find_map(|id| next_of(state, id, now))
        .or_else(|| next_undo(state, now))
        .or_else(|| {
            let mut coming = HashMap::new();
            schedule::next(state).find_map(|id| show(state, id, now, &mut coming))
        })
        .or_else(|| close(state, now))
        .into_iter()
        .collect()
}

/// The tasks that stand at a gate or have work under way, in the plan's order.
fn begun(state: &State) -> impl Iterator<Item = TaskId> {
    let (mut gates, mut under_way) = (state.gates().peekable(), state.under_way().peekable());
    std::iter::from_fn(move || match (gates.peek(), under_way.peek()) {
        (Some(gate), Some(other)) if gate < other => gates.next(),
        (_, Some(_)) => under_way.next(),
        (_, None) => gates.next(),
    })
}

/// What follows for a task that has begun.
fn next_of(state: &State, id: TaskId, now: Timestamp) -> Option<Event> {
    let (task, step, current) = state.task(id)?;
    let job = current.job.as_ref();
    let fail = |at, reason: String| Some(Event::TaskFailed { task: id, at, reason });
    match &current.phase {
        Phase::Gate if needless(state, id, now) => Some(Event::TaskNotNeeded { task: id }),
        Phase::Gate if confirmation(step) == Confirm::None && standing(state, id, now) == Standing::Ready => {
            open(state, now, id, &Opening::default()).ok()
        }
        Phase::Opened => {
            if task.pushes.iter().any(|push| !current.pushed.contains_key(&push.path)) {
                return None;
            }
            Some(match step.run {
                // While its files went there another member may have died.
                Some(_) if quorum::forward(state, now, id).is_err() => Event::GateShown { task: id },
                Some(_) => intended(state, id, JobKind::Run)?,
                None => Event::VerifyStarted { task: id },
            })
        }
        Phase::Exited { status } => match job?.kind {
            JobKind::Undo if *status == 0 || (step.reboots && *status >= 128) => Some(taken_back(step, id)),
            JobKind::Undo => {
                fail(FailedAt::Undo, format!("the undo ended with exit status {status}; see the log of {}", task.on))
            }
            // A script that asks for a reboot may well be ended by it.
            JobKind::Run if *status == 0 || (step.reboots && *status >= 128) => {
                let plan = state.plan.as_ref()?;
                let all_here = step.fetch.iter().all(|fetch| state.brought(id, &plan.expand(task, &fetch.path)));
                all_here.then_some(Event::VerifyStarted { task: id })
            }
            JobKind::Run if ended_by_operator(current).is_some() => {
                let stays = step.if_ended.as_deref().map(|stays| format!(": {}", stays.trim())).unwrap_or_default();
                fail(FailedAt::Run, format!("{}{stays}", ended_by_operator(current)?))
            }
            JobKind::Run => fail(FailedAt::Run, exit_text(state.plan.as_ref()?, task, *status)),
        },
        Phase::Interrupted { rebooted } => match job?.kind {
            // Taking a reboot into a new system back is a reboot as well.
            JobKind::Undo if step.reboots && (*rebooted || !step.undone.is_empty()) => Some(taken_back(step, id)),
            JobKind::Undo => {
                fail(FailedAt::Undo, format!("the undo was cut off on {}: look there before anything else", task.on))
            }
            // Seen before the host is gone, or after: the boot id tells, within its deadline.
            JobKind::Run if step.reboots => Some(Event::VerifyStarted { task: id }),
            JobKind::Run => {
                let why = match ended_by_operator(current) {
                    _ if *rebooted => "the host went down while it ran".to_owned(),
                    Some(ended) => ended,
                    None => "it was killed".to_owned(),
                };
                // As `retry` will have it.
                let next = if step.repeatable {
                    "look there; the step may be done twice, and retry shows its gate again"
                } else if step.verify.is_empty() {
                    "nothing verifies it: look there, then undo or skip it"
                } else {
                    "retry checks whether it was done"
                };
                fail(
                    FailedAt::Interrupted,
                    format!("the script on {} left no exit status: {why}. What it did is not known; {next}", task.on),
                )
            }
        },
        Phase::Verifying => verified(state, id, now),
        Phase::Gate
        | Phase::Waiting
        | Phase::Starting
        | Phase::Running
        | Phase::Uncertain { .. }
        | Phase::Done
        | Phase::Skipped { .. }
        | Phase::NotNeeded
        | Phase::Failed { .. } => None,
    }
}

/// `ended by you after 1:12`, for a script whose end the operator ordered.
fn ended_by_operator(task: &TaskState) -> Option<String> {
    let ending = task.job.as_ref()?.ending?;
    Some(format!("ended by you after {}", clock::span(ending.after)))
}

fn exit_text(plan: &Plan, task: &Task, status: i32) -> String {
    let host = &task.on;
    match status {
        124 => format!("the script on {host} ran longer than {} s and was stopped", plan.timeout_of(task).as_secs()),
        127 => format!("the script on {host} ended with exit status 127: a command was not found; see its log"),
        status => format!("the script on {host} ended with exit status {status}; see its log"),
    }
}

/// The event that puts a job on disk here before the host hears of it.
fn intended(state: &State, id: TaskId, kind: JobKind) -> Option<Event> {
    let (_, _, current) = state.task(id)?;
    let attempt = 1 + match kind {
        JobKind::Run => current.attempts,
        JobKind::Undo => current.undo_attempts,
    };
    let session = &state.session.as_ref()?.id;
    Some(Event::JobIntended { task: id, kind, job: JobName::of(session, id, kind, attempt) })
}

/// The last task of an undo that is not taken back yet.
fn next_undo(state: &State, now: Timestamp) -> Option<Event> {
    let id = *state.undo.last()?;
    let (task, step, current) = state.task(id)?;
    if current.phase.is_under_way() {
        return None;
    }
    let untouched = matches!(current.phase, Phase::Waiting | Phase::Gate | Phase::Skipped { .. } | Phase::NotNeeded);
    match step.undo {
        // Steps before it may have taken long.
        Some(_) if !untouched => match quorum::back(state, now, &task.host, &[id]) {
            Ok(()) => intended(state, id, JobKind::Undo),
            Err(refusal) => Some(Event::TaskFailed { task: id, at: FailedAt::Undo, reason: refusal.to_string() }),
        },
        _ => Some(Event::TaskUndone { task: id, checks: Vec::new() }),
    }
}

/// What follows when the script is through that takes a task back.
fn taken_back(step: &Step, task: TaskId) -> Event {
    if step.undone.is_empty() { Event::TaskUndone { task, checks: Vec::new() } } else { Event::VerifyStarted { task } }
}

/// A task's turn: before the operator, unless its own condition says that this host does not need it. That is told by
/// facts from after the host's last change, which are waited for.
fn show(state: &State, id: TaskId, now: Timestamp, coming: &mut HashMap<u64, bool>) -> Option<Event> {
    let (task, step, _) = state.task(id)?;
    let Some(condition) = &step.only_if else { return Some(Event::GateShown { task: id }) };
    let since = state.last_touched(&task.host);
    let scope = Scope::new(state, Some(id), since, now);
    match holds(condition, &scope) {
        Some(true) => Some(Event::GateShown { task: id }),
        Some(false) => Some(Event::TaskNotNeeded { task: id }),
        // What cannot be told from all there is to see is left to the operator; a host that is away shows that as well.
        // Whether more is to be seen is the same for all that began together.
        None => {
            let more = || scope.lacks(|host| host.link == Link::Up && host.stale.is_none());
            let coming = *coming.entry(since).or_insert_with(more);
            (!coming).then_some(Event::GateShown { task: id })
        }
    }
}

/// Whether a gate that stands open is of no use any more: what its step is for has come about without it. One that has been
/// tried stays: what it has half done would look like that as well.
fn needless(state: &State, id: TaskId, now: Timestamp) -> bool {
    let Some((_, step, _)) = state.task(id).filter(|(_, _, task)| task.attempts == task.never_begun) else {
        return false;
    };
    let scope = || Scope::new(state, Some(id), counts_since(state, id), now);
    step.only_if.as_ref().is_some_and(|condition| holds(condition, &scope()) == Some(false))
}

/// What the runbook promises, on facts from after the last task.
#[must_use]
pub fn promise(state: &State, now: Timestamp) -> Vec<CheckResult> {
    let since_seq = state.tasks.iter().map(|task| task.since_seq).max().unwrap_or_default();
    let scope = Scope::new(state, None, since_seq, now);
    let checks = state.plan.iter().flat_map(|plan| &plan.runbook.promise);
    checks.map(|check| evaluate(check, &scope)).collect()
}

/// The end: every task over, and the promise kept, or not in time.
fn close(state: &State, now: Timestamp) -> Option<Event> {
    if state.plan.is_none() || !state.undo.is_empty() || state.current_stage().is_some() {
        return None;
    }
    // While nobody looked nothing was waited for.
    let watched = state.session.as_ref().map(|session| session.watched_since);
    let since = state.tasks.iter().map(|task| task.since).chain(watched).max().unwrap_or_default();
    let kept = promise(state, now);
    if kept.iter().all(CheckResult::passed) {
        return Some(Event::SessionEnded { outcome: Outcome::Completed });
    }
    (now.duration_since(since) >= PROMISE_WITHIN).then(|| {
        let missing = kept.iter().filter(|check| !check.passed()).map(describe).collect();
        Event::SessionEnded { outcome: Outcome::Unkept { missing } }
    })
}
