//! What a task has brought about: whether it has come true, and for how long that is waited for.

use jiff::{SignedDuration, Timestamp};

use super::check::{evaluate, holds};
use super::scope::Scope;
use crate::model::event::{CheckResult, Event, FailedAt, Reading, Verdict};
use crate::model::runbook::{Check, Step};
use crate::model::state::TaskState;
use crate::model::{State, TaskId};

/// How long a host may take to come back from a reboot unless a check of the step allows more.
pub const REBOOT_WITHIN: SignedDuration = SignedDuration::from_mins(15);

/// What a task has to bring about: what its step says, or, while it is taken back, what its step says of that.
#[must_use]
pub fn awaited<'s>(step: &'s Step, task: &TaskState) -> &'s [Check] {
    if task.taking_back() { &step.undone } else { &step.verify }
}

/// How long a check may take to come true. What a host has to come back for is only then given its own time.
#[must_use]
pub fn limit(step: &Step, check: &Check) -> SignedDuration {
    let within = SignedDuration::try_from(check.within()).unwrap_or(SignedDuration::MAX);
    if step.reboots { REBOOT_WITHIN.max(within) } else { within }
}

/// Whether the host must have another boot id than when the gate opened. Where a reboot is taken back the checks tell what
/// it came up with: it may be what it was, and nothing rebooted.
fn must_reboot(step: &Step, task: &TaskState) -> bool {
    step.reboots && !task.taking_back()
}

/// The checks of a verification, on facts seen since it began. Where the step reboots, the boot id comes first.
#[must_use]
pub fn verification(state: &State, id: TaskId, now: Timestamp) -> Vec<CheckResult> {
    let Some((_, step, current)) = state.task(id) else { return Vec::new() };
    let scope = Scope::new(state, Some(id), current.since_seq, now);
    let reboot = must_reboot(step, current).then(|| rebooted(state, id, &scope));
    reboot.into_iter().chain(awaited(step, current).iter().map(|check| evaluate(check, &scope))).collect()
}

/// Whether the host has another boot id than when the gate opened.
fn rebooted(state: &State, id: TaskId, scope: &Scope) -> CheckResult {
    let host = state.task(id).map(|(task, _, current)| (&task.host, current.boot_id.clone()));
    let absent = host.as_ref().and_then(|(host, _)| Some((*host, scope.absence(host)?)));
    let now = host.as_ref().and_then(|(host, _)| state.boot_id(host)).map(str::to_owned);
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
pub(super) fn verified(state: &State, id: TaskId, now: Timestamp) -> Option<Event> {
    let (task, step, current) = state.task(id)?;
    let scope = Scope::new(state, Some(id), current.since_seq, now);
    let (reboots, checks) = (must_reboot(step, current), awaited(step, current));
    let holds = |check: &Check| holds(&check.that, &scope) == Some(true);
    if (!reboots || rebooted(state, id, &scope).passed()) && checks.iter().all(holds) {
        // A step that promises nothing ends with what its gate opened on.
        let promised = reboots || !checks.is_empty();
        let checks = if promised { verification(state, id, now) } else { current.checks.clone() };
        return Some(if current.taking_back() {
            Event::TaskUndone { task: id, checks }
        } else {
            Event::TaskDone { task: id, checks }
        });
    }
    let waited = now.duration_since(current.since);
    let own = || checks.iter().map(|check| limit(step, check));
    let limits: Vec<SignedDuration> =
        reboots.then(|| own().max().unwrap_or(REBOOT_WITHIN)).into_iter().chain(own()).collect();
    if limits.iter().all(|limit| waited < *limit) {
        return None;
    }
    let late: Vec<String> = verification(state, id, now)
        .iter()
        .zip(limits)
        .filter(|(check, limit)| !check.passed() && waited >= *limit)
        .map(|(check, _)| describe(check))
        .collect();
    let (at, what) =
        if current.taking_back() { (FailedAt::Undo, "the undo ended well, but ") } else { (FailedAt::Verify, "") };
    (!late.is_empty()).then(|| Event::TaskFailed {
        task: id,
        at,
        reason: format!("{what}after {} s on {} this does not hold: {}", waited.as_secs(), task.host, late.join("; ")),
    })
}

pub(super) fn describe(check: &CheckResult) -> String {
    let read: Vec<_> = check.read.iter().map(|reading| format!("{} is {}", reading.path, reading.value)).collect();
    if read.is_empty() { check.sentence().to_owned() } else { format!("{} ({})", check.sentence(), read.join(", ")) }
}
