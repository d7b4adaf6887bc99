//! May the operator have this, and what happens then?

use jiff::Timestamp;

use super::gate::{checks, confirmation, counts_since};
use super::schedule::{before, half_way, in_the_way};
use super::scope::Scope;
use super::undo::undo_chain;
use super::{Intent, Refusal};
use crate::model::event::{CheckResult, Event, FailedAt, Mode, Outcome};
use crate::model::plan::PushFile;
use crate::model::runbook::Confirm;
use crate::model::state::Phase;
use crate::model::{HostName, State, TaskId};

/// Answers an intent with the events that make it so.
///
/// # Errors
/// A refusal says why not, in the words that the screen shows.
pub fn decide(state: &State, now: Timestamp, intent: &Intent) -> Result<Vec<Event>, Refusal> {
    may_act(state)?;
    match intent {
        Intent::OpenGate { task, typed, shown_ms, together } => {
            if together.is_some() {
                may_open_together(state, *task)?;
            }
            open(state, now, *task, &Opening { typed: typed.as_deref(), shown_ms: *shown_ms, together: *together })
        }
        Intent::AcceptReboot { host } => match state.host(host).and_then(|host| host.rebooted) {
            Some(_) => Ok(vec![Event::RebootAccepted { host: host.clone() }]),
            None => Err(Refusal::NotRebooted(host.clone())),
        },
        Intent::SetWindow { until } => Ok(vec![Event::WindowSet { until: *until }]),
        Intent::Retry { task } => retry(state, *task),
        Intent::Skip { task, reason } => skip(state, *task, reason),
        Intent::EditPush { task, file } => edit(state, *task, file),
        Intent::Undo { host } => {
            if !state.undo.is_empty() {
                return Err(Refusal::Undoing);
            }
            take_back(state, host)
        }
        Intent::Pause if state.paused => Err(Refusal::Paused),
        Intent::Pause => Ok(vec![Event::WorkPaused]),
        Intent::Continue if !state.paused => Err(Refusal::NotPaused),
        Intent::Continue => Ok(vec![Event::WorkContinued]),
        Intent::Note { text } => Ok(vec![Event::NoteAdded { text: words(text)? }]),
        Intent::Abort { reason } => {
            let reason = words(reason)?;
            match state.task_ids().find(|id| state.tasks[id.index()].phase.is_under_way()) {
                Some(task) => Err(Refusal::UnderWay(label(state, task))),
                None => Ok(vec![Event::SessionEnded { outcome: Outcome::Aborted { reason } }]),
            }
        }
    }
}

/// Whether anything at all may be changed in this session.
fn may_act(state: &State) -> Result<(), Refusal> {
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
    may_act(state)?;
    let (task, _, current) = state.task(id).ok_or(Refusal::NoSuchTask)?;
    if current.phase != Phase::Gate {
        return Err(Refusal::NotAtGate(label(state, id)));
    }
    if state.paused {
        return Err(Refusal::Paused);
    }
    if !state.undo.is_empty() {
        return Err(Refusal::Undoing);
    }
    if let Some(other) = in_the_way(state, id, true) {
        return Err(Refusal::NotItsTurn(label(state, other)));
    }
    if let Some(earlier) = before(state, id) {
        return Err(Refusal::ComesAfter(label(state, earlier)));
    }
    let scope = Scope::new(state, Some(id), counts_since(state, id), now);
    for host in [&task.host, &task.on] {
        if let Some(reason) = state.host(host).and_then(|host| host.barred.as_ref()) {
            return Err(Refusal::Barred { host: host.clone(), reason: reason.clone() });
        }
        if state.host(host).is_some_and(|host| host.rebooted.is_some()) {
            return Err(Refusal::Rebooted(host.clone()));
        }
        if let Some((_, why)) = scope.absent.iter().find(|(absent, _)| absent == host) {
            return Err(Refusal::NoFacts { host: host.clone(), why: why.clone() });
        }
    }
    let checks = checks(state, id, now);
    if checks.iter().all(CheckResult::passed) { Ok(checks) } else { Err(Refusal::Checks(checks)) }
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

/// How a gate is opened.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Opening<'t> {
    /// What was typed.
    typed: Option<&'t str>,
    /// How long the gate had been shown, in milliseconds.
    shown_ms: Option<u64>,
    /// As one of so many.
    together: Option<usize>,
}

/// The events that open a gate.
pub(super) fn open(state: &State, now: Timestamp, id: TaskId, opening: &Opening<'_>) -> Result<Vec<Event>, Refusal> {
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
    let boot_id = if step.reboots { boot_id(state, &task.host) } else { None };
    Ok(vec![Event::GateOpened { task: id, typed: typed.map(str::to_owned), checks, boot_id, shown_ms }])
}

/// The boot id that a host was last seen with.
pub(super) fn boot_id(state: &State, host: &HostName) -> Option<String> {
    state.host(host)?.facts.as_ref()?.facts.boot_id.clone()
}

/// How a task that came to a stop goes on. What may simply be run again stands before its gate again. What may not is
/// looked at first: it may have come true.
fn retry(state: &State, id: TaskId) -> Result<Vec<Event>, Refusal> {
    let (task, step, current) = state.task(id).ok_or(Refusal::NoSuchTask)?;
    let Phase::Failed { at, .. } = &current.phase else {
        return Err(Refusal::NotStopped(label(state, id)));
    };
    if !state.undo.is_empty() {
        return Err(Refusal::Undoing);
    }
    if let Some(other) = in_the_way(state, id, false) {
        return Err(Refusal::NotItsTurn(label(state, other)));
    }
    let gate = vec![Event::GateShown { task: id }];
    let look = vec![Event::VerifyStarted { task: id }];
    match at {
        // Nothing ran, or it ran to an end that is known.
        FailedAt::Push | FailedAt::Run => Ok(gate),
        FailedAt::Undo => take_back(state, &task.host),
        FailedAt::Verify | FailedAt::Interrupted | FailedAt::Fetch if step.repeatable => Ok(gate),
        FailedAt::Verify => Ok(look),
        FailedAt::Interrupted if !step.verify.is_empty() || step.reboots => Ok(look),
        FailedAt::Interrupted | FailedAt::Fetch => Err(Refusal::OutcomeUnknown(label(state, id))),
    }
}

/// Takes back what was done on a host, unless another host of the stage is being worked on and there is no room beside it.
fn take_back(state: &State, host: &HostName) -> Result<Vec<Event>, Refusal> {
    let tasks = undo_chain(state, host)?;
    if let Some(other) = tasks.first().and_then(|id| in_the_way(state, *id, false)) {
        return Err(Refusal::NotItsTurn(label(state, other)));
    }
    if let Some(other) = tasks.first().and_then(|id| half_way(state, *id)) {
        return Err(Refusal::HalfWay(other.clone()));
    }
    Ok(vec![Event::UndoOpened { tasks }])
}

/// A file is changed before its gate is opened, and only one that is written here: never what came from a host.
fn edit(state: &State, id: TaskId, file: &PushFile) -> Result<Vec<Event>, Refusal> {
    let (task, _, current) = state.task(id).ok_or(Refusal::NoSuchTask)?;
    let known = task.pushes.iter().any(|push| push.path == file.path && push.artifact.is_none());
    if current.phase != Phase::Gate || !known {
        return Err(Refusal::NotAtGate(label(state, id)));
    }
    Ok(vec![Event::PushEdited { task: id, file: Box::new(file.clone()) }])
}

fn skip(state: &State, id: TaskId, reason: &str) -> Result<Vec<Event>, Refusal> {
    let (_, _, current) = state.task(id).ok_or(Refusal::NoSuchTask)?;
    if !state.undo.is_empty() {
        return Err(Refusal::Undoing);
    }
    match current.phase {
        Phase::Gate | Phase::Failed { .. } => Ok(vec![Event::TaskSkipped { task: id, reason: words(reason)? }]),
        _ if current.phase.is_under_way() => Err(Refusal::UnderWay(label(state, id))),
        _ => Err(Refusal::NotAtGate(label(state, id))),
    }
}

fn words(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() { Err(Refusal::NoWords) } else { Ok(text.to_owned()) }
}

pub(super) fn label(state: &State, id: TaskId) -> String {
    state.plan.as_ref().map_or_else(|| format!("task {id}"), |plan| plan.label(id))
}
