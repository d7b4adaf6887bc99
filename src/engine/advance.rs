//! What follows by itself from what has happened.

use jiff::{SignedDuration, Timestamp};

use super::check::{evaluate, evaluate_expression};
use super::decide::{boot_id, open};
use super::gate::confirmation;
use super::scope::Scope;
use super::{is_here, schedule};
use crate::model::event::{CheckResult, Event, FailedAt, JobKind, Outcome, Reading, Verdict};
use crate::model::runbook::{Check, Confirm, Step};
use crate::model::state::{Link, Phase};
use crate::model::{JobName, State, TaskId};

/// How long a host may take to come back from a reboot unless a check of the step allows more.
const REBOOT_WITHIN: SignedDuration = SignedDuration::from_mins(15);

/// How long the promise of a runbook may take to come true after its last task.
const PROMISE_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// The next events that follow by themselves; nothing when all waits for a host, an operator or the clock. To be asked
/// again after they were folded in.
#[must_use]
pub fn advance(state: &State, now: Timestamp) -> Vec<Event> {
    if state.plan.is_none() || state.outcome.is_some() {
        return Vec::new();
    }
    state
        .task_ids()
        .find_map(|id| next_of(state, id, now))
        .or_else(|| next_undo(state))
        .or_else(|| schedule::next(state).into_iter().find_map(|id| show(state, id, now)))
        .or_else(|| close(state, now))
        .into_iter()
        .collect()
}

/// What follows for a task that has begun.
fn next_of(state: &State, id: TaskId, now: Timestamp) -> Option<Event> {
    let (task, step, current) = state.task(id)?;
    let job = current.job.as_ref();
    let fail = |at, reason: String| Some(Event::TaskFailed { task: id, at, reason });
    match &current.phase {
        Phase::Gate if confirmation(step) == Confirm::None => open(state, now, id, None, None).ok()?.into_iter().next(),
        Phase::Opened => {
            if task.pushes.iter().any(|push| !current.pushed.contains_key(&push.path)) {
                return None;
            }
            Some(match step.run {
                Some(_) => intended(state, id, JobKind::Run)?,
                None => Event::VerifyStarted { task: id },
            })
        }
        Phase::Exited { status } => match job?.kind {
            JobKind::Undo if *status == 0 || (step.reboots && *status >= 128) => Some(Event::TaskUndone { task: id }),
            JobKind::Undo => {
                fail(FailedAt::Undo, format!("the undo ended with exit status {status}; see the log of {}", task.on))
            }
            // A script that asks for a reboot may well be ended by it.
            JobKind::Run if *status == 0 || (step.reboots && *status >= 128) => {
                let plan = state.plan.as_ref()?;
                let all_here = step.fetch.iter().all(|fetch| is_here(state, id, &plan.expand(task, &fetch.path)));
                all_here.then_some(Event::VerifyStarted { task: id })
            }
            JobKind::Run => fail(FailedAt::Run, exit_text(*status, step, &task.on)),
        },
        Phase::Interrupted { rebooted } => match job?.kind {
            // Taking a reboot into a new system back is a reboot as well.
            JobKind::Undo if step.reboots && *rebooted => Some(Event::TaskUndone { task: id }),
            JobKind::Undo => {
                fail(FailedAt::Undo, format!("the undo was cut off on {}: look there before anything else", task.on))
            }
            JobKind::Run if step.reboots && *rebooted => Some(Event::VerifyStarted { task: id }),
            JobKind::Run => {
                let why = if *rebooted { "the host went down while it ran" } else { "it was killed" };
                fail(
                    FailedAt::Interrupted,
                    format!(
                        "the script on {} left no exit status: {why}. What it did is not known; retry checks whether it was done",
                        task.on
                    ),
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

fn exit_text(status: i32, step: &Step, host: &crate::model::HostName) -> String {
    match status {
        124 => format!("the script on {host} ran longer than {} s and was stopped", step.timeout().as_secs()),
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

/// The checks of a verification, on facts seen since it began. Where the step reboots, the boot id comes first.
#[must_use]
pub fn verification(state: &State, id: TaskId, now: Timestamp) -> Vec<CheckResult> {
    let Some((_, step, current)) = state.task(id) else { return Vec::new() };
    let scope = Scope::new(state, Some(id), current.since_seq, now);
    let reboot = step.reboots.then(|| rebooted(state, id, &scope));
    reboot.into_iter().chain(step.verify.iter().map(|check| evaluate(check, &scope))).collect()
}

/// Whether the host has another boot id than when the gate opened.
fn rebooted(state: &State, id: TaskId, scope: &Scope) -> CheckResult {
    let host = state.task(id).map(|(task, _, current)| (&task.host, current.boot_id.clone()));
    let absent = host.as_ref().and_then(|(host, _)| scope.absent.iter().find(|(name, _)| name == *host));
    let now = host.as_ref().and_then(|(host, _)| boot_id(state, host));
    let verdict = match (host.as_ref().and_then(|(_, before)| before.as_ref()), &now, absent) {
        (_, _, Some((host, why))) => Verdict::Unknown(format!("{host}: {why}")),
        (Some(before), Some(now), None) if before != now => Verdict::Pass,
        (Some(_), Some(_), None) => Verdict::Fail,
        (None, _, None) | (_, None, None) => Verdict::Unknown("the boot id is not known".into()),
    };
    CheckResult {
        says: "the host has rebooted".into(),
        that: "host.boot_id has changed".into(),
        because: "it has not gone down, or not come back: look at its console".into(),
        verdict,
        read: vec![Reading {
            path: "host.boot_id".into(),
            value: now.unwrap_or_else(|| "unknown".into()),
            seen: scope.seen("host"),
        }],
    }
}

/// How a verification ends, if it does: when all holds, or when something has had its time.
fn verified(state: &State, id: TaskId, now: Timestamp) -> Option<Event> {
    let (task, step, current) = state.task(id)?;
    let mut checks = verification(state, id, now);
    if checks.iter().all(CheckResult::passed) {
        // A step that promises nothing ends with what its gate opened on.
        if checks.is_empty() {
            checks.clone_from(&current.checks);
        }
        return Some(Event::TaskDone { task: id, checks });
    }
    let waited = now.duration_since(current.since);
    let longest = step.verify.iter().map(within).max().unwrap_or_default();
    let limits = step
        .reboots
        .then(|| REBOOT_WITHIN.max(longest))
        .into_iter()
        // What a host has to come back for is only then given its own time.
        .chain(
            step.verify.iter().map(|check| if step.reboots { REBOOT_WITHIN.max(within(check)) } else { within(check) }),
        );
    let late: Vec<String> = checks
        .iter()
        .zip(limits)
        .filter(|(check, limit)| !check.passed() && waited >= *limit)
        .map(|(check, _)| describe(check))
        .collect();
    (!late.is_empty()).then(|| Event::TaskFailed {
        task: id,
        at: FailedAt::Verify,
        reason: format!("after {} s on {} this does not hold: {}", waited.as_secs(), task.host, late.join("; ")),
    })
}

fn within(check: &Check) -> SignedDuration {
    SignedDuration::try_from(check.within()).unwrap_or(SignedDuration::MAX)
}

fn describe(check: &CheckResult) -> String {
    let read: Vec<_> = check.read.iter().map(|reading| format!("{} is {}", reading.path, reading.value)).collect();
    if read.is_empty() { check.sentence().to_owned() } else { format!("{} ({})", check.sentence(), read.join(", ")) }
}

/// The last task of an undo that is not taken back yet.
fn next_undo(state: &State) -> Option<Event> {
    let id = *state.undo.last()?;
    let (_, step, current) = state.task(id)?;
    if current.phase.is_under_way() {
        return None;
    }
    let untouched = matches!(current.phase, Phase::Waiting | Phase::Gate | Phase::Skipped { .. } | Phase::NotNeeded);
    match step.undo {
        Some(_) if !untouched => intended(state, id, JobKind::Undo),
        _ => Some(Event::TaskUndone { task: id }),
    }
}

/// A task's turn: before the operator, unless its own condition says that this host does not need it. That is told by
/// facts from after the host's last change, which are waited for.
fn show(state: &State, id: TaskId, now: Timestamp) -> Option<Event> {
    let (task, step, _) = state.task(id)?;
    let Some(condition) = &step.only_if else { return Some(Event::GateShown { task: id }) };
    let plan = state.plan.as_ref()?;
    let changes = plan.tasks.iter().filter(|other| other.host == task.host || other.on == task.host);
    let since = changes
        .map(|other| &state.tasks[other.id.index()])
        .filter(|other| other.phase != Phase::NotNeeded)
        .map(|other| other.since_seq)
        .max()
        .unwrap_or_default();
    let scope = Scope::new(state, Some(id), since, now);
    match evaluate_expression(condition, &scope).0 {
        Verdict::Pass => Some(Event::GateShown { task: id }),
        Verdict::Fail => Some(Event::TaskNotNeeded { task: id }),
        // What cannot be told from all there is to see is left to the operator; a host that is away shows that as well.
        Verdict::Unknown(_) => {
            let coming = scope
                .absent
                .iter()
                .filter_map(|(host, _)| state.host(host))
                .any(|host| host.link == Link::Up && host.stale.is_none());
            (!coming).then_some(Event::GateShown { task: id })
        }
    }
}

/// The end: every task over, and the promise kept, or not in time.
fn close(state: &State, now: Timestamp) -> Option<Event> {
    let plan = state.plan.as_ref()?;
    if !state.undo.is_empty() || state.tasks.iter().any(|task| !task.phase.is_over()) {
        return None;
    }
    let since_seq = state.tasks.iter().map(|task| task.since_seq).max().unwrap_or_default();
    let since = state.tasks.iter().map(|task| task.since).max().unwrap_or_default();
    let scope = Scope::new(state, None, since_seq, now);
    let kept: Vec<CheckResult> = plan.runbook.promise.iter().map(|check| evaluate(check, &scope)).collect();
    if kept.iter().all(CheckResult::passed) {
        return Some(Event::SessionEnded { outcome: Outcome::Completed });
    }
    (now.duration_since(since) >= PROMISE_WITHIN).then(|| {
        let missing = kept.iter().filter(|check| !check.passed()).map(describe).collect();
        Event::SessionEnded { outcome: Outcome::Unkept { missing } }
    })
}
