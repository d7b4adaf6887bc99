//! Decisions, pure: from a state and what is asked, to events or a refusal. No clock, no IO, no randomness; the time
//! is a value that is handed in.
//!
//! Three questions are answered here. `decide`: may the operator have this, and what happens then? `advance`: what
//! follows by itself from what has happened? `wanted`: what should be going on at hosts right now? The last is derived
//! from the state alone, so that a resumed session wants just what the interrupted one did.

pub mod advance;
mod asked;
pub mod check;
mod closely;
pub mod decide;
pub mod gate;
mod memo;
mod opening;
mod quorum;
mod readings;
mod roots;
pub mod schedule;
pub mod scope;
mod socket;
mod something;
pub mod undo;
mod value;
mod variable;
mod verification;
mod version;

#[cfg(test)]
mod tests;

pub use advance::{PROMISE_WITHIN, advance, promise};
pub use asked::asked;
pub use closely::Awaited;
pub use decide::decide;
pub use gate::{GateView, gate_view, harm, variables, variables_of_undo};
pub use opening::{Standing, confirmation, may_open_together, standing};
pub use undo::{changed, undo_chain};
pub use variable::settable;
pub use verification::{REBOOT_WITHIN, awaited, limit, verification};

use crate::model::event::{CheckResult, Event, JobKind};
use crate::model::plan::PushFile;
use crate::model::runbook::Confirm;
use crate::model::state::Phase;
use crate::model::{HostName, JobName, State, TaskId};

/// The names of functions that checks have beyond their language's own.
pub fn own_functions() -> impl Iterator<Item = &'static str> {
    version::FUNCTIONS.into_iter().chain([socket::FUNCTION])
}

/// What the operator may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Open a gate.
    OpenGate {
        /// Which.
        task: TaskId,
        /// What was typed, where more than Enter is asked.
        typed: Option<String>,
        /// How long the gate had been on the operator's screen, in milliseconds; nothing where nobody looked on.
        shown_ms: Option<u64>,
        /// As one of so many gates at the same step, their number typed in place of each host's name.
        together: Option<usize>,
    },
    /// Say that a host that had rebooted without being asked to was looked into.
    AcceptReboot {
        /// Which.
        host: HostName,
    },
    /// Say when the maintenance window begins and ends.
    SetWindow {
        /// When it begins, where that is known.
        from: Option<jiff::Timestamp>,
        /// When it ends.
        until: jiff::Timestamp,
    },
    /// Go on with a task that came to a stop: look again whether it has come true, or show its gate again.
    Retry {
        /// Which.
        task: TaskId,
    },
    /// End the script that a task runs, half-way, as its deadline would.
    EndJob {
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
    /// Write another text into a file that a task will push.
    EditPush {
        /// Whose gate.
        task: TaskId,
        /// As it shall stand on the host.
        file: Box<PushFile>,
    },
    /// Give a variable that a gate's step names another value, on its host and for what is not opened yet.
    SetVar {
        /// Whose gate.
        task: TaskId,
        /// Which variable.
        name: String,
        /// One that its runbook allows.
        value: String,
        /// In their words; not empty.
        reason: String,
    },
    /// Take back what was done last on a host, as far as the stage goes that it was done in, down to the last safe point.
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

/// What should be going on at a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Effect {
    /// For which task.
    pub task: TaskId,
    /// What.
    pub act: Act,
}

/// A piece of work at a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// Compare the task's file of that path with what lies there.
    Compare(String),
    /// Write the task's file of that path.
    Push(String),
    /// Start the job of that name, with the step's script or its undo.
    Start(JobName),
    /// Follow the job to its end.
    Follow(JobName),
    /// Ask how the job stands.
    Claim(JobName),
    /// Bring the file of that path back.
    Fetch(String),
    /// End the job, which is followed meanwhile.
    End(JobName),
}

impl Act {
    /// Whether it changes something on the host, beyond what asks for a job by its name leaves there.
    #[must_use]
    pub fn changes_the_host(&self) -> bool {
        match self {
            Self::Push(_) | Self::Start(_) | Self::End(_) => true,
            Self::Compare(_) | Self::Follow(_) | Self::Claim(_) | Self::Fetch(_) => false,
        }
    }

    /// Whether nothing comes of it, here or there, but what is told: it need not wait for the journal.
    #[must_use]
    pub fn only_reads(&self) -> bool {
        match self {
            Self::Compare(_) | Self::Follow(_) => true,
            Self::Push(_) | Self::Start(_) | Self::End(_) | Self::Claim(_) | Self::Fetch(_) => false,
        }
    }
}

/// What should be going on at hosts, as the state has it.
#[must_use]
pub fn wanted(state: &State) -> Vec<Effect> {
    let Some(plan) = state.plan.as_ref().filter(|_| state.outcome.is_none()) else { return Vec::new() };
    let act = |id: TaskId| {
        let (task, step, now) = state.task(id)?;
        let job = now.job.as_ref();
        match now.phase {
            Phase::Opened => {
                let missing = task.pushes.iter().find(|push| !now.pushed.contains_key(&push.path))?;
                Some(Act::Push(missing.path.clone()))
            }
            Phase::Starting => Some(Act::Start(job?.name.clone())),
            Phase::Running => Some(Act::Follow(job?.name.clone())),
            Phase::Uncertain { .. } => Some(Act::Claim(job?.name.clone())),
            Phase::Exited { status: 0 } if job?.kind == JobKind::Run => {
                let paths = step.fetch.iter().map(|fetch| plan.expand(task, &fetch.path));
                paths.into_iter().find(|path| !state.brought(id, path)).map(Act::Fetch)
            }
            Phase::Exited { .. }
            | Phase::Interrupted { .. }
            | Phase::Waiting
            | Phase::Gate
            | Phase::Verifying
            | Phase::Done
            | Phase::Skipped { .. }
            | Phase::NotNeeded
            | Phase::Failed { .. } => None,
        }
    };
    // What will be written is compared with what is there as soon as somebody may read it.
    let compare = |id: TaskId| {
        let (task, _, now) = state.task(id)?;
        let plain = task.pushes.iter().filter(|push| push.artifact.is_none());
        let missing = plain.into_iter().find(|push| !now.compared.contains_key(&push.path))?;
        Some(Effect { task: id, act: Act::Compare(missing.path.clone()) })
    };
    let end = |id: TaskId| {
        let (_, _, now) = state.task(id)?;
        let job = now.job.as_ref().filter(|job| now.phase == Phase::Running && job.ending.is_some_and(|end| !end.sent));
        Some(Effect { task: id, act: Act::End(job?.name.clone()) })
    };
    let work = state.under_way().filter_map(|id| Some(Effect { task: id, act: act(id)? }));
    work.chain(state.under_way().filter_map(end)).chain(state.gates().filter_map(compare)).collect()
}

/// What new facts tell of a reboot: the host has another boot id than it was last seen with. It is an ordered one where a
/// step that reboots the host is under way there, or was when it was last heard of: taken back, given up or passed over.
#[must_use]
pub fn rebooted(state: &State, event: &Event) -> Option<Event> {
    let (host, boot_id) = if let Event::FactsSeen { host, facts, .. } = event {
        (host, facts.boot_id.as_deref()?)
    } else if let Event::FactsChanged { host, changes, .. } = event {
        (host, changes.get("boot_id")?.as_str()?)
    } else {
        return None;
    };
    if state.boot_id(host)? == boot_id {
        return None;
    }
    let booted = state.host(host)?.booted;
    let reboots = |id: TaskId| {
        state.task(id).is_some_and(|(_, step, now)| {
            let begun = now.attempts > 0 || now.undo_attempts > 0;
            // A step that is done has had its reboot, and what was begun before this boot too.
            let owed = begun && now.phase != Phase::Done && now.since_seq > booted;
            step.reboots && (owed || now.phase.is_under_way() || state.undo.contains(&id))
        })
    };
    Some(Event::HostRebooted { host: host.clone(), ordered: state.tasks_of(host).iter().copied().any(reboots) })
}

/// Why not, in the words that the screen shows.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Nobody may act here.
    #[error("this is a {0}: nothing can be changed from here")]
    ReadOnly(&'static str),
    /// The session has ended.
    #[error("the session has ended; start a new one to go on")]
    Ended,
    /// There is no such task.
    #[error("there is no such task in this plan")]
    NoSuchTask,
    /// The task does not stand before the operator.
    #[error("{0} is not waiting at a gate")]
    NotAtGate(String),
    /// The task has not come to a stop.
    #[error("{0} has not failed, so there is nothing to retry")]
    NotStopped(String),
    /// No script of the task runs that could be ended.
    #[error("{0} does not run, so there is nothing to end")]
    NotRunning(String),
    /// What would stay if the script were ended half-way is not known.
    #[error("{0} may not be ended half-way: its runbook does not say what would stay then; it ends by itself")]
    NotToBeEnded(String),
    /// Its end was ordered before.
    #[error("{0} is being ended")]
    EndingAlready(String),
    /// All gates are held shut.
    #[error("the session is paused; continue first (p)")]
    Paused,
    /// The session is not paused.
    #[error("the session is not paused")]
    NotPaused,
    /// The wizard may not act on the host.
    #[error("nothing may be done on {host}: {reason}")]
    Barred {
        /// Which host.
        host: HostName,
        /// Who holds it, or what is missing.
        reason: String,
    },
    /// Nobody is kept out of the host yet.
    #[error("the lease of {0} is not ours yet: it is asked for as soon as the host answers")]
    NoLease(HostName),
    /// A step that many hosts stand at has not been done on one of them yet.
    #[error("open {0} on one host alone first, and see it done: then the others can be opened together")]
    NoCanary(String),
    /// A step that is opened host by host.
    #[error("{0} is opened host by host: {1}")]
    NotTogether(String, &'static str),
    /// The cluster cannot do without this member now.
    #[error(
        "{host} may not be stopped now: {} {} not known to be well, and without {host} too the cluster has no quorum",
        names(.down), if .down.len() == 1 { "is" } else { "are" }
    )]
    Quorum {
        /// Whose member.
        host: HostName,
        /// Members that are down, were stopped, or have not been seen.
        down: Vec<HostName>,
    },
    /// The host has rebooted, and nobody here asked it to.
    #[error("{0} has rebooted, and nobody here ordered it: find out why, then say so (v)")]
    Rebooted(HostName),
    /// The host has not rebooted without being asked to.
    #[error("{0} has not rebooted on its own")]
    NotRebooted(HostName),
    /// What the wizard knows of the host does not count.
    #[error("no fresh facts from {host}: {why}")]
    NoFacts {
        /// Which host.
        host: HostName,
        /// Why they do not count.
        why: String,
    },
    /// Not every check holds.
    #[error("{}", checks_text(.0))]
    Checks(Vec<CheckResult>),
    /// What was typed is not what was asked for.
    #[error("{}", confirm_text(.0))]
    NotConfirmed(Confirm),
    /// The step does not name the variable, or it was settled when the session began.
    #[error(
        "`{0}` cannot be set at this gate: only what its step names can, and nothing that was settled with the plan"
    )]
    NotToBeSet(String),
    /// It would be set to what it is.
    #[error("`{0}` is `{1}` already")]
    SameValue(String, String),
    /// Some words are needed.
    #[error("say why, in a few words: the journal keeps it")]
    NoWords,
    /// Jobs run, or may run.
    #[error("work is under way ({0}); wait until it is over")]
    UnderWay(String),
    /// Another host of the stage holds the place.
    #[error("{0} has to finish first: no more hosts may be worked on at once")]
    NotItsTurn(String),
    /// Another host of the stage is between two states.
    #[error("{0} is half-way: finish it, take it back or skip it first; no more hosts may be worked on at once")]
    HalfWay(HostName),
    /// Something of an earlier stage was taken back.
    #[error("{0} comes first: it was taken back, or is not done yet")]
    ComesAfter(String),
    /// An undo is going on.
    #[error("an undo is under way; wait for it")]
    Undoing,
    /// There is nothing to take back.
    #[error("nothing was done on {0} that could be taken back")]
    NothingToUndo(HostName),
    /// There is no way back.
    #[error("no way back from {task}: {why}")]
    NoWayBack {
        /// The task that cannot be taken back.
        task: String,
        /// Why.
        why: String,
    },
    /// It is not known what a script did, and nothing could tell.
    #[error(
        "it is not known whether {0} was done; it cannot simply be run again, and nothing verifies it: look at the host, then undo or skip it"
    )]
    OutcomeUnknown(String),
}

fn names(hosts: &[HostName]) -> String {
    hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ")
}

fn checks_text(checks: &[CheckResult]) -> String {
    let failed: Vec<_> = checks.iter().filter(|check| !check.passed()).map(CheckResult::sentence).collect();
    format!("does not hold: {}", failed.join("; "))
}

fn confirm_text(confirm: &Confirm) -> String {
    match confirm {
        Confirm::None | Confirm::Enter => "press Enter".into(),
        Confirm::Host => "type the host's name to open this gate".into(),
        Confirm::Phrase(phrase) => format!("type `{phrase}` to open this gate"),
    }
}
