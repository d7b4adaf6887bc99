//! What has happened: facts in the past tense. A session is a list of these, and everything shown is folded from them.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::diff::Comparison;
use super::plan::PushFile;
use super::{Digest, Facts, HostName, Inventory, JobName, Plan, SessionId, TaskId};

/// An event in its place: when, and as the how-manieth of its session.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Counted from 1 without gaps.
    pub seq: u64,
    /// By the clock of the machine that recorded it.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// What has happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// The first of every session.
    SessionStarted {
        /// Its name.
        session: SessionId,
        /// How the program was used.
        mode: Mode,
        /// The version of Lockkeeper that records.
        version: String,
        /// Who, on which machine: `user@host`.
        operator: String,
        /// The hosts.
        inventory: Box<Inventory>,
        /// What shall be done; a monitor has none.
        #[serde(skip_serializing_if = "Option::is_none")]
        plan: Option<Box<Plan>>,
    },
    /// A session was taken up again, perhaps after a crash: nothing that was under way is taken for granted.
    SessionResumed {
        /// Who, on which machine.
        operator: String,
    },
    /// The last of a session that came to an end.
    SessionEnded {
        /// How.
        outcome: Outcome,
    },
    /// The operator holds all gates shut; what runs goes on.
    WorkPaused,
    /// Gates may open again.
    WorkContinued,
    /// The operator wrote something down.
    NoteAdded {
        /// In their words.
        text: String,
    },

    /// A host answers.
    HostConnected {
        /// Which.
        host: HostName,
    },
    /// A host stopped answering, or never did.
    HostLost {
        /// Which.
        host: HostName,
        /// What was seen, and what to do about it.
        reason: String,
    },
    /// A probe saw something else than the last one.
    FactsSeen {
        /// Where.
        host: HostName,
        /// Number of the last event when the probe was sent out: what happened later it may not have seen.
        asked: u64,
        /// All of it.
        facts: Box<Facts>,
    },
    /// A probe saw just what the last one saw.
    FactsConfirmed {
        /// Where.
        host: HostName,
        /// Number of the last event when the probe was sent out.
        asked: u64,
    },
    /// A probe saw something else than the last one, told as what changed since then.
    FactsChanged {
        /// Where.
        host: HostName,
        /// Number of the last event when the probe was sent out.
        asked: u64,
        /// A JSON merge patch (RFC 7396) on the facts that were last told of the host: only what differs, `null` for what is gone.
        changes: serde_json::Map<String, serde_json::Value>,
    },
    /// Probes of many hosts saw what the last ones saw, but for values that always move a little (`Facts::moved_slightly`).
    Beat {
        /// Number of the last event when the first of these probes was sent out.
        asked: u64,
        /// When the first of them came back. It counts for all of them, so that an age is never told too short.
        seen: Timestamp,
        /// Of which hosts; where it names none, of all that answer and whose facts count.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        hosts: Vec<HostName>,
        /// But of these.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        but: Vec<HostName>,
    },
    /// A host came up with another boot id than it was last seen with.
    HostRebooted {
        /// Which.
        host: HostName,
        /// A step of this session asked for it; nobody here did where this is false, and the host's gates stay shut until
        /// somebody has looked at it.
        ordered: bool,
    },
    /// The operator has looked at a host that had rebooted without being asked to.
    RebootAccepted {
        /// Which.
        host: HostName,
    },
    /// When the maintenance window begins and ends.
    WindowSet {
        /// When it begins, where that was said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Timestamp>,
        /// When it ends.
        until: Timestamp,
    },
    /// A host is connected and its probe did not come back.
    ProbeFailed {
        /// Which.
        host: HostName,
        /// What was seen.
        reason: String,
    },
    /// No other operator may act on the host until the lease is given back.
    LeaseTaken {
        /// Which.
        host: HostName,
        /// Whom `lease take` took it over from, if that is how: operator and session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
    },
    /// Another operator has taken the host over, or somebody has removed the lease: nothing of this process is done there any
    /// more.
    LeaseLost {
        /// Which.
        host: HostName,
        /// Who has it, and what to do.
        reason: String,
    },
    /// The wizard may not act on the host: another operator holds it, or root cannot be had there.
    HostBarred {
        /// Which.
        host: HostName,
        /// Who holds it, or what is missing, and what to do about it.
        reason: String,
    },

    /// A task came before the operator; facts seen from here on count for its checks.
    GateShown {
        /// Which.
        task: TaskId,
    },
    /// The operator, or a step that asks nobody, opened a gate.
    GateOpened {
        /// Which.
        task: TaskId,
        /// What was typed, where more than Enter was asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        typed: Option<String>,
        /// The checks that held, with what they read.
        checks: Vec<CheckResult>,
        /// The host's boot id at that moment, where the step reboots it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        boot_id: Option<String>,
        /// How long the gate had been on the operator's screen, in milliseconds; nothing where nobody looked on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shown_ms: Option<u64>,
    },
    /// The operator changed a file that this task will write, before its gate was opened.
    PushEdited {
        /// Whose gate.
        task: TaskId,
        /// As it will stand on the host, with the text it was made of.
        file: Box<PushFile>,
    },
    /// The operator gave a variable of a gate's host another value. What was opened before keeps its own; the gate is shown
    /// anew.
    VarSet {
        /// At whose gate.
        task: TaskId,
        /// Which variable.
        name: String,
        /// What it is from here on.
        value: String,
        /// Why, in their words.
        reason: String,
    },
    /// What a task will write was compared with what lies on the host, while its gate is shown.
    FileCompared {
        /// Whose gate.
        task: TaskId,
        /// Which file.
        path: String,
        /// What will change.
        comparison: Box<Comparison>,
    },
    /// The operator passed a task over.
    TaskSkipped {
        /// Which.
        task: TaskId,
        /// In their words.
        reason: String,
    },
    /// The step's own condition says that this host does not need it.
    TaskNotNeeded {
        /// Which.
        task: TaskId,
    },
    /// A file stands on the host, its digest checked there.
    FilePushed {
        /// For which task.
        task: TaskId,
        /// Where.
        path: String,
        /// Of what stands there.
        sha256: Digest,
    },
    /// Written before the first byte of a job goes to a host.
    JobIntended {
        /// For which task.
        task: TaskId,
        /// The step itself, or its undo.
        kind: JobKind,
        /// What it is called on the host.
        job: JobName,
    },
    /// The host has it and runs it.
    JobStarted {
        /// For which task.
        task: TaskId,
    },
    /// The job printed something.
    JobOutput {
        /// For which task.
        task: TaskId,
        /// Bytes of output before this.
        offset: u64,
        /// Bytes that `text` was made of; more than its length where they were not UTF-8.
        bytes: u64,
        /// Whole lines, as far as there are any.
        text: String,
    },
    /// The job ended by itself.
    JobFinished {
        /// For which task.
        task: TaskId,
        /// Its exit status; 124 when it ran out of time.
        exit: i32,
    },
    /// The operator ends the job that runs. Written before the host hears of it.
    JobEndOrdered {
        /// For which task.
        task: TaskId,
    },
    /// The host has passed the operator's order on to the job's script, or had nothing left to end.
    JobEndSent {
        /// For which task.
        task: TaskId,
    },
    /// The host cannot end the job: it goes on.
    JobEndRefused {
        /// For which task.
        task: TaskId,
        /// Why.
        reason: String,
    },
    /// Whether the job started, or how it ended, is not known: the host has to be asked.
    JobUncertain {
        /// For which task.
        task: TaskId,
        /// Why.
        reason: String,
    },
    /// The host was asked, and the job had never started and never will.
    JobAbsent {
        /// For which task.
        task: TaskId,
    },
    /// The job is gone without an exit status: killed, or the host went down under it.
    JobInterrupted {
        /// For which task.
        task: TaskId,
        /// Whether the host has booted since.
        rebooted: bool,
    },
    /// A file is on its way, from the host or to it: so much of it has come.
    FileMoved {
        /// For which task.
        task: TaskId,
        /// Which file, on the host.
        path: String,
        /// Bytes that have come, or gone.
        bytes: u64,
        /// Bytes in all.
        total: u64,
    },
    /// A file was brought back; its digest is the same on both ends.
    ArtifactFetched {
        /// For which task.
        task: TaskId,
        /// From where on the host.
        path: String,
        /// To where here.
        to: String,
        /// Its size.
        bytes: u64,
        /// On both ends.
        sha256: Digest,
    },
    /// The script is through, the step's or the one that takes it back; what it should have brought about is looked for on
    /// facts seen from here on.
    VerifyStarted {
        /// Which.
        task: TaskId,
    },
    /// A task is done, and was seen to be done.
    TaskDone {
        /// Which.
        task: TaskId,
        /// What held.
        checks: Vec<CheckResult>,
    },
    /// A task came to a stop.
    TaskFailed {
        /// Which.
        task: TaskId,
        /// Where in its course.
        at: FailedAt,
        /// What happened and what it means.
        reason: String,
    },
    /// The operator takes tasks back, the last of them first.
    UndoOpened {
        /// In the order they were done.
        tasks: Vec<TaskId>,
    },
    /// A task was taken back: it stands before its gate again.
    TaskUndone {
        /// Which.
        task: TaskId,
        /// What held; nothing where the step does not say what should.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        checks: Vec<CheckResult>,
    },

    /// Written by a later version: kept as it is, shown as unknown, changes nothing.
    #[serde(skip)]
    Unknown(serde_json::Value),
}

/// How the program was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Real hosts, through gates.
    Upgrade,
    /// Simulated hosts, through gates.
    Practice,
    /// Real hosts, looked at only.
    Monitor,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Upgrade => "upgrade",
            Self::Practice => "practice",
            Self::Monitor => "monitor",
        })
    }
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// Every task done or passed over, and the runbook's promise holds.
    Completed,
    /// Every task done or passed over, and the promise does not hold.
    Unkept {
        /// Which of it.
        missing: Vec<String>,
    },
    /// The operator ended it.
    Aborted {
        /// In their words.
        reason: String,
    },
}

/// What a job is to its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobKind {
    /// The step's script.
    Run,
    /// The script that takes it back.
    Undo,
}

impl fmt::Display for JobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Run => "run",
            Self::Undo => "undo",
        })
    }
}

/// Where in its course a task came to a stop; what may be done next depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailedAt {
    /// A file could not be written on the host.
    Push,
    /// The script exited with another status than 0.
    Run,
    /// The script's end was not seen.
    Interrupted,
    /// A file could not be brought back, or came back different.
    Fetch,
    /// What it should have brought about did not come true in time.
    Verify,
    /// Taking it back failed, or did not come true in time.
    Undo,
}

/// A check as it was evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// A sentence that is true when it holds; empty in journals of the first version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub says: String,
    /// The condition.
    pub that: String,
    /// What goes wrong where it does not hold.
    pub because: String,
    /// What came of it.
    pub verdict: Verdict,
    /// The values it read, by the path it read them from.
    #[serde(default)]
    pub read: Vec<Reading>,
}

impl CheckResult {
    /// Whether it held.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.verdict == Verdict::Pass
    }

    /// The sentence that is true when it holds; where a runbook has none, why it matters.
    #[must_use]
    pub fn sentence(&self) -> &str {
        if self.says.is_empty() { &self.because } else { &self.says }
    }
}

/// What came of a check. Only `Pass` passes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", content = "why", rename_all = "kebab-case")]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It does not hold.
    Fail,
    /// It could not be told: a fact is absent, too old, or the expression does not fit it.
    Unknown(String),
}

/// A value that a check read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// As the check names it, such as `etcd.members[].healthy`.
    pub path: String,
    /// In short.
    pub value: String,
    /// When the oldest fact behind it was seen; nothing for what is no fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
}
