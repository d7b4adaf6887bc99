//! Decisions, pure: from a state and what is asked, to events or a refusal. No clock, no IO, no randomness; the time
//! is a value that is handed in.

use jiff::Timestamp;

use crate::model::event::CheckResult;
use crate::model::runbook::Confirm;
use crate::model::{Event, HostName, JobName, State, TaskId};

/// What the operator may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Open a gate.
    OpenGate {
        /// Which.
        task: TaskId,
        /// What was typed, where more than Enter is asked.
        typed: Option<String>,
    },
    /// Go on with a task that came to a stop: verify again where its script is through, else before its gate again.
    Retry {
        /// Which.
        task: TaskId,
    },
    /// Pass a task over.
    Skip {
        /// Which.
        task: TaskId,
        /// In their words; not empty.
        reason: String,
    },
    /// Take back what was done on a host in this stage, down to the last safe point.
    Undo {
        /// On which host.
        host: HostName,
    },
    /// Hold all gates shut.
    Pause,
    /// Let gates open again.
    Continue,
    /// Write something down.
    Note {
        /// Not empty.
        text: String,
    },
    /// End the session here; hosts stay as they are.
    Abort {
        /// In their words; not empty.
        reason: String,
    },
}

/// What is to be done on a host. Derived from the state, so that a resumed session wants just what the old one did.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Write the task's file of that path.
    Push { task: TaskId, path: String },
    /// Start the task's job.
    Start { task: TaskId, job: JobName },
    /// Follow the task's job to its end.
    Follow { task: TaskId, job: JobName },
    /// Ask how the task's job stands.
    Claim { task: TaskId, job: JobName },
    /// Bring the file of that path back.
    Fetch { task: TaskId, path: String },
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody may act here.
    #[error("this is a {0}: it cannot change anything")]
    ReadOnly(&'static str),
}

/// A gate as the operator sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct GateView {
    /// For which task.
    pub task: TaskId,
    /// Its checks on the facts of now.
    pub checks: Vec<CheckResult>,
    /// What has to be typed, or that Enter is enough. A step that destroys or reboots wants the host's name at least.
    pub confirm: Confirm,
    /// The script, as it will run; nothing for a step without one.
    pub script: Option<String>,
    /// The shell variables that the script names, with their values.
    pub vars: Vec<(String, String)>,
    /// Why it does not open as things stand, the typed words aside.
    pub refusal: Option<Refusal>,
}

/// The gate of a task, evaluated on the facts of now.
#[must_use]
pub fn gate_view(_state: &State, _task: TaskId, _now: Timestamp) -> Option<GateView> {
    None
}

/// Answers an intent with the events that make it so.
///
/// # Errors
/// A refusal says why not, in the words that the screen shows.
pub fn decide(_state: &State, _now: Timestamp, _intent: &Intent) -> Result<Vec<Event>, Refusal> {
    Err(Refusal::ReadOnly("stub"))
}

/// The tasks that an undo on this host would take back, in the order they were done.
///
/// # Errors
/// Where there is nothing to take back, or no way back.
pub fn undo_chain(_state: &State, _host: &HostName) -> Result<Vec<TaskId>, Refusal> {
    Err(Refusal::ReadOnly("stub"))
}
