//! What a task has brought about: whether it has come true, and for how long that is waited for.

use jiff::{SignedDuration, Timestamp};

use super::check::{evaluate, holds};
use super::scope::Scope;
use crate::model::event::{CheckResult, Event, FailedAt, Reading, Verdict};
use crate::model::runbook::Check;
use crate::model::{State, TaskId};

/// How long a host may take to come back from a reboot unless a check of the step allows more.
pub const REBOOT_WITHIN: SignedDuration = SignedDuration::from_mins(15);

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
    let holds = |check: &Check| holds(&check.that, &scope) == Some(true);
    if (!step.reboots || rebooted(state, id, &scope).passed()) && step.verify.iter().all(holds) {
        // A step that promises nothing ends with what its gate opened on.
        let promised = step.reboots || !step.verify.is_empty();
        let checks = if promised { verification(state, id, now) } else { current.checks.clone() };
        return Some(Event::TaskDone { task: id, checks });
    }
    let waited = now.duration_since(current.since);
    let longest = step.verify.iter().map(within).max().unwrap_or_default();
    let limits: Vec<SignedDuration> = step
        .reboots
        .then(|| REBOOT_WITHIN.max(longest))
        .into_iter()
        // What a host has to come back for is only then given its own time.
        .chain(
            step.verify.iter().map(|check| if step.reboots { REBOOT_WITHIN.max(within(check)) } else { within(check) }),
        )
        .collect();
    if limits.iter().all(|limit| waited < *limit) {
        return None;
    }
    let late: Vec<String> = verification(state, id, now)
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

pub(super) fn describe(check: &CheckResult) -> String {
    let read: Vec<_> = check.read.iter().map(|reading| format!("{} is {}", reading.path, reading.value)).collect();
    if read.is_empty() { check.sentence().to_owned() } else { format!("{} ({})", check.sentence(), read.join(", ")) }
}
