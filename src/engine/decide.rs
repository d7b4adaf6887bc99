//! May the operator have this, and what happens then?

use jiff::Timestamp;

use super::opening::{Opening, may_act, may_open_together, open, ours};
use super::schedule::{half_way, in_the_way};
use super::undo::undo_chain;
use super::{Intent, Refusal, quorum, variable};
use crate::model::event::{Event, FailedAt, JobKind, Outcome};
use crate::model::plan::PushFile;
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
            let opening = Opening { typed: typed.as_deref(), shown_ms: *shown_ms, together: *together };
            open(state, now, *task, &opening).map(|event| vec![event])
        }
        Intent::AcceptReboot { host } => match state.host(host).and_then(|host| host.rebooted) {
            Some(_) => Ok(vec![Event::RebootAccepted { host: host.clone() }]),
            None => Err(Refusal::NotRebooted(host.clone())),
        },
        Intent::SetWindow { from, until } => Ok(vec![Event::WindowSet { from: *from, until: *until }]),
        Intent::Retry { task } => retry(state, now, *task),
        Intent::EndJob { task } => end(state, *task),
        Intent::Skip { task, reason } => skip(state, *task, reason),
        Intent::EditPush { task, file } => edit(state, *task, file),
        Intent::SetVar { task, name, value, reason } => variable::set(state, *task, name, value, words(reason)?),
        Intent::Undo { host } => {
            if !state.undo.is_empty() {
                return Err(Refusal::Undoing);
            }
            take_back(state, now, host)
        }
        Intent::Pause if state.paused => Err(Refusal::Paused),
        Intent::Pause => Ok(vec![Event::WorkPaused]),
        Intent::Continue if !state.paused => Err(Refusal::NotPaused),
        Intent::Continue => Ok(vec![Event::WorkContinued]),
        Intent::Note { text } => Ok(vec![Event::NoteAdded { text: words(text)? }]),
        Intent::Abort { reason } => {
            let reason = words(reason)?;
            match state.under_way().next() {
                Some(task) => Err(Refusal::UnderWay(state.label(task))),
                None => Ok(vec![Event::SessionEnded { outcome: Outcome::Aborted { reason } }]),
            }
        }
    }
}

/// How a task that came to a stop goes on. What may simply be run again stands before its gate again. What may not is
/// looked at first: it may have come true.
fn retry(state: &State, now: Timestamp, id: TaskId) -> Result<Vec<Event>, Refusal> {
    let (task, step, current) = state.task(id).ok_or(Refusal::NoSuchTask)?;
    let Phase::Failed { at, .. } = &current.phase else {
        return Err(Refusal::NotStopped(state.label(id)));
    };
    if !state.undo.is_empty() {
        return Err(Refusal::Undoing);
    }
    if let Some(other) = in_the_way(state, id, false) {
        return Err(Refusal::NotItsTurn(state.label(other)));
    }
    let gate = vec![Event::GateShown { task: id }];
    let look = vec![Event::VerifyStarted { task: id }];
    match at {
        // Nothing ran, or it ran to an end that is known.
        FailedAt::Push | FailedAt::Run => Ok(gate),
        FailedAt::Undo => take_back(state, now, &task.host),
        FailedAt::Verify | FailedAt::Interrupted | FailedAt::Fetch if step.repeatable => Ok(gate),
        FailedAt::Verify => Ok(look),
        FailedAt::Interrupted if !step.verify.is_empty() || step.reboots => Ok(look),
        FailedAt::Interrupted | FailedAt::Fetch => Err(Refusal::OutcomeUnknown(state.label(id))),
    }
}

/// Ends a script half-way, where its step says what stays then. What takes a step back is never ended, and neither is what
/// may not have begun: the host is asked about that first.
fn end(state: &State, id: TaskId) -> Result<Vec<Event>, Refusal> {
    let (task, step, current) = state.task(id).ok_or(Refusal::NoSuchTask)?;
    let job = current.job.as_ref().filter(|job| current.phase == Phase::Running && job.kind == JobKind::Run);
    let job = job.ok_or_else(|| Refusal::NotRunning(state.label(id)))?;
    if step.stays_if_ended().is_none() {
        return Err(Refusal::NotToBeEnded(state.label(id)));
    }
    if job.ending.is_some() {
        return Err(Refusal::EndingAlready(state.label(id)));
    }
    ours(state, &task.on)?;
    Ok(vec![Event::JobEndOrdered { task: id }])
}

/// Takes back what was done on a host, unless another host of the stage is being worked on and there is no room beside it.
fn take_back(state: &State, now: Timestamp, host: &HostName) -> Result<Vec<Event>, Refusal> {
    let tasks = undo_chain(state, host)?;
    if let Some(other) = tasks.first().and_then(|id| in_the_way(state, *id, false)) {
        return Err(Refusal::NotItsTurn(state.label(other)));
    }
    if let Some(other) = tasks.first().and_then(|id| half_way(state, *id)) {
        return Err(Refusal::HalfWay(other.clone()));
    }
    for (task, _, _) in tasks.iter().filter_map(|id| state.task(*id)) {
        ours(state, &task.on)?;
    }
    quorum::back(state, now, host, &tasks)?;
    Ok(vec![Event::UndoOpened { tasks }])
}

/// A file is changed before its gate is opened, and only one that is written here: never what came from a host.
fn edit(state: &State, id: TaskId, file: &PushFile) -> Result<Vec<Event>, Refusal> {
    let (task, _, current) = state.task(id).ok_or(Refusal::NoSuchTask)?;
    let known = task.pushes.iter().any(|push| push.path == file.path && push.artifact.is_none());
    if current.phase != Phase::Gate || !known {
        return Err(Refusal::NotAtGate(state.label(id)));
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
        _ if current.phase.is_under_way() => Err(Refusal::UnderWay(state.label(id))),
        _ => Err(Refusal::NotAtGate(state.label(id))),
    }
}

fn words(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() { Err(Refusal::NoWords) } else { Ok(text.to_owned()) }
}
