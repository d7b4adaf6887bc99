//! What a session's events add up to. The screen draws this and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};

use super::diff::Comparison;
use super::event::{CheckResult, FailedAt, JobKind, Mode, Outcome};
use super::logtail::LogTail;
use super::plan::{Plan, Task};
use super::progress::Progress;
use super::runbook::Step;
use super::{Digest, Facts, HostName, Inventory, JobName, SessionId, TaskId};

/// Everything that is known about a session after some of its events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Who, when, how; nothing before the first event.
    pub session: Option<Session>,
    /// What shall be done; a monitor has none.
    pub plan: Option<Arc<Plan>>,
    /// By name, in the inventory's order.
    pub hosts: IndexMap<HostName, HostState>,
    /// As many as the plan has tasks, in its order.
    pub tasks: Vec<TaskState>,
    /// The operator holds all gates shut.
    pub paused: bool,
    /// When the maintenance window begins, if that was said.
    pub window_from: Option<Timestamp>,
    /// When the maintenance window ends, if that was said.
    pub window_until: Option<Timestamp>,
    /// How it ended, if it has.
    pub outcome: Option<Outcome>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What the operator wrote down.
    pub notes: Vec<Note>,
    /// What was brought back.
    pub artifacts: Vec<Artifact>,
    /// Tasks still to be taken back; the last of them is next.
    pub undo: Vec<TaskId>,
    /// Number of the last event.
    pub seq: u64,
    /// Time of the last event.
    pub now: Timestamp,
    /// Events of a later version that were passed over.
    pub unknown_events: u64,
    /// What the tasks add up to.
    pub(super) progress: Progress,
}

/// Who, when, how.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// Its name.
    pub id: SessionId,
    /// How the program is used.
    pub mode: Mode,
    /// Who, on which machine; of the last to take it up.
    pub operator: String,
    /// Time of the first event.
    pub started: Timestamp,
    /// The hosts.
    pub inventory: Arc<Inventory>,
    /// How often it was taken up again.
    pub resumed: u32,
    /// Since when somebody looks: it began then, or was last taken up.
    pub watched_since: Timestamp,
}

/// What the operator wrote down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// In their words.
    pub text: String,
}

/// A file that was brought back and is the same on both ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// By which task.
    pub task: TaskId,
    /// From which host.
    pub host: HostName,
    /// From where there.
    pub path: String,
    /// To where here.
    pub to: String,
    /// Its size.
    pub bytes: u64,
    /// On both ends.
    pub sha256: Digest,
}

/// What is known of one host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostState {
    /// Whether it answers.
    pub link: Link,
    /// What the last probe saw.
    pub facts: Option<Seen>,
    /// What the first probe of the session saw.
    pub first: Option<Arc<Facts>>,
    /// Why the facts do not count any more, if they do not.
    pub stale: Option<String>,
    /// Its lease is this process's: before that nothing is begun there.
    pub leased: bool,
    /// Why the wizard may not act on it, if it may not.
    pub barred: Option<String>,
    /// When a section of the facts was last seen to change, such as `etcd`; those that never did are not in it.
    pub changed: BTreeMap<&'static str, Timestamp>,
    /// Number of the event that first told of this boot of it.
    pub booted: u64,
    /// When it was seen to have rebooted without being asked to, until somebody has looked at it.
    pub rebooted: Option<Timestamp>,
    /// The end of its log.
    pub log: LogTail,
}

impl HostState {
    /// What the last probe saw, while it counts.
    #[must_use]
    pub fn current(&self) -> Option<&Seen> {
        self.facts.as_ref().filter(|_| self.stale.is_none())
    }
}

/// Whether a host answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// Not yet.
    #[default]
    Connecting,
    /// Yes.
    Up,
    /// No.
    Lost {
        /// Since when.
        since: Timestamp,
        /// What was seen.
        reason: String,
    },
}

/// Facts, and when they were seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// What was seen.
    pub facts: Arc<Facts>,
    /// When it was last seen to be so.
    pub at: Timestamp,
    /// Number of the last event when the probe was sent out: later ones it may not have seen.
    pub asked: u64,
}

/// How far a task is.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskState {
    /// Where in its course.
    pub phase: Phase,
    /// Runs begun, counted from 1 once the first job is intended.
    pub attempts: u32,
    /// Of these, the ones that never began on the host, and never will.
    pub never_begun: u32,
    /// How often it has come to a stop.
    pub failures: u32,
    /// Undos begun.
    pub undo_attempts: u32,
    /// Number of the event that began the phase: facts must have been asked for after it.
    pub since_seq: u64,
    /// Time of that event.
    pub since: Timestamp,
    /// When its present attempt began: the gate was opened, or its undo began.
    pub began: Option<Timestamp>,
    /// When its host went down under it, for a step that reboots.
    pub away: Option<Timestamp>,
    /// When its host was seen again with another boot id.
    pub back: Option<Timestamp>,
    /// How long its last attempt that came to a good end took, from its gate to its verification.
    pub took: Option<SignedDuration>,
    /// What held at the gate, or at the end.
    pub checks: Vec<CheckResult>,
    /// The host's boot id when the gate opened, for a step that reboots.
    pub boot_id: Option<String>,
    /// The job of this attempt.
    pub job: Option<JobState>,
    /// Files that stand on the host.
    pub pushed: BTreeMap<String, Digest>,
    /// A file that is on its way for it.
    pub moving: Option<Moving>,
    /// What its files will change of those that lie on the host.
    pub compared: BTreeMap<String, Comparison>,
}

impl Default for TaskState {
    fn default() -> Self {
        Self {
            phase: Phase::Waiting,
            attempts: 0,
            never_begun: 0,
            failures: 0,
            undo_attempts: 0,
            since_seq: 0,
            since: Timestamp::UNIX_EPOCH,
            began: None,
            away: None,
            back: None,
            took: None,
            checks: Vec::new(),
            boot_id: None,
            job: None,
            pushed: BTreeMap::new(),
            compared: BTreeMap::new(),
            moving: None,
        }
    }
}

impl TaskState {
    /// Whether its job is the one that takes it back: what is verified then is that it was.
    #[must_use]
    pub fn taking_back(&self) -> bool {
        self.job.as_ref().is_some_and(|job| job.kind == JobKind::Undo)
    }
}

/// Where in its course a task is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Others come first.
    #[default]
    Waiting,
    /// Before the operator.
    Gate,
    /// The gate is open; files are written, and then the job is intended.
    Opened,
    /// The job is on disk here and on its way to the host.
    Starting,
    /// The job runs.
    Running,
    /// Whether the job runs is not known; the host is asked.
    Uncertain {
        /// Why.
        reason: String,
    },
    /// The job exited, with this status.
    Exited {
        /// 0 is well.
        status: i32,
    },
    /// The job is gone without an exit status.
    Interrupted {
        /// The host has booted since.
        rebooted: bool,
    },
    /// The script is through; its effect is looked for.
    Verifying,
    /// Done, and seen to be.
    Done,
    /// The operator passed it over.
    Skipped {
        /// In their words.
        reason: String,
    },
    /// This host does not need it.
    NotNeeded,
    /// It came to a stop.
    Failed {
        /// Where.
        at: FailedAt,
        /// What happened.
        reason: String,
    },
}

impl Phase {
    /// Nothing more will happen to it, and what comes after it may begin.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.sort(), Sort::Done | Sort::Skipped | Sort::NotNeeded)
    }

    /// A gate was opened and no end is reached: work is under way, or may be.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.sort() == Sort::UnderWay
    }

    /// As what it counts.
    pub(super) fn sort(&self) -> Sort {
        match self {
            Self::Waiting => Sort::Waiting,
            Self::Gate => Sort::Gate,
            Self::Opened
            | Self::Starting
            | Self::Running
            | Self::Uncertain { .. }
            | Self::Exited { .. }
            | Self::Interrupted { .. }
            | Self::Verifying => Sort::UnderWay,
            Self::Done => Sort::Done,
            Self::Skipped { .. } => Sort::Skipped,
            Self::NotNeeded => Sort::NotNeeded,
            Self::Failed { .. } => Sort::Failed,
        }
    }
}

/// What phases are told apart by where they are counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Waiting,
    Gate,
    UnderWay,
    Done,
    Skipped,
    NotNeeded,
    Failed,
}

/// A file that is on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moving {
    /// Which, on the host.
    pub path: String,
    /// Bytes that have come, or gone.
    pub bytes: u64,
    /// Bytes in all.
    pub total: u64,
    /// When it was first told of, and how many bytes had come then.
    pub since: (Timestamp, u64),
    /// When it was last told of.
    pub at: Timestamp,
}

/// One run of a script on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobState {
    /// What it is called on the host.
    pub name: JobName,
    /// The step itself, or its undo.
    pub kind: JobKind,
    /// Bytes of its output that are here.
    pub offset: u64,
    /// The operator has ordered its end.
    pub ending: Option<Ending>,
}

/// The end of a job, as the operator ordered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When it was ordered.
    pub ordered: Timestamp,
    /// How long the task's attempt had gone on by then.
    pub after: SignedDuration,
    /// The host has passed it on to the script.
    pub sent: bool,
}

impl State {
    /// The host of that name.
    #[must_use]
    pub fn host(&self, name: &HostName) -> Option<&HostState> {
        self.hosts.get(name)
    }

    /// A task with its step and its state; nothing without a plan, or for an id of another one.
    #[must_use]
    pub fn task(&self, id: TaskId) -> Option<(&Task, &Step, &TaskState)> {
        let plan = self.plan.as_ref()?;
        let task = plan.tasks.get(id.index())?;
        Some((task, plan.step_of(task), self.tasks.get(id.index())?))
    }

    /// How long a task's script may run; no time at all for an id of another plan.
    #[must_use]
    pub fn timeout_of(&self, id: TaskId) -> SignedDuration {
        let found = self.task(id).zip(self.plan.as_ref());
        let timeout = found.map_or(Duration::ZERO, |((task, _, _), plan)| plan.timeout_of(task));
        SignedDuration::try_from(timeout).unwrap_or(SignedDuration::MAX)
    }

    /// The ids of all tasks, in the plan's order.
    pub fn task_ids(&self) -> impl Iterator<Item = TaskId> + use<> {
        (0..u32::try_from(self.tasks.len()).unwrap_or(u32::MAX)).map(TaskId)
    }

    /// A task as messages name it: `stage/step` and the host.
    #[must_use]
    pub fn label(&self, id: TaskId) -> String {
        let known = self.plan.as_ref().filter(|plan| id.index() < plan.tasks.len());
        known.map_or_else(|| format!("task {id}"), |plan| plan.label(id))
    }

    /// The boot id that a host was last seen with.
    #[must_use]
    pub fn boot_id(&self, host: &HostName) -> Option<&str> {
        self.host(host)?.facts.as_ref()?.facts.boot_id.as_deref()
    }
}

/// Tasks, counted by how they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Done and verified.
    pub done: usize,
    /// Came to a stop.
    pub failed: usize,
    /// Passed over by the operator.
    pub skipped: usize,
    /// Not needed on their host.
    pub not_needed: usize,
    /// In all.
    pub total: usize,
}
