//! Hosts as the runner sees them: something to observe, and something to operate.
//!
//! A monitor is handed `dyn Observe` only, a type that has no method to change a host.

mod asking;
mod host_key;
mod job;
mod links;
mod local;
mod master;
mod route;
mod shell;
mod ssh;
mod trouble;

pub use asking::Question;
pub use host_key::trust;
pub use job::{read_digest, read_lease, read_news};
pub use links::{Links, observe, offered_key, operate, sockets};
pub use master::ASKPASS;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::{Digest, JobName, Secret, SessionId};

/// What can be asked of a host without changing it.
#[async_trait]
pub trait Observe: Send + Sync {
    /// Makes sure that a real command gets through, connecting first where there is no connection.
    ///
    /// # Errors
    /// Says why the host cannot be reached or used, and what to do about it.
    async fn connect(&self) -> Result<(), HostError>;

    /// Runs a read-only script with `sh` and returns what it printed on standard output, and how soon.
    ///
    /// # Errors
    /// When the host does not answer, or the script does not come back in `deadline`.
    async fn probe(&self, script: &str, deadline: Duration) -> Result<Probed, HostError>;

    /// Finds out whether root can be had there, by running nothing as root.
    ///
    /// # Errors
    /// `Refused` says why it cannot; else when the host does not answer.
    async fn try_root(&self) -> Result<(), HostError>;
}

/// What can be done on a host. Everything here survives the loss of its connection.
#[async_trait]
pub trait Operate: Observe {
    /// Keeps other operators out: from then on everything that changes something here proves with the lease's token that it
    /// still holds. Taking one's own lease again is well.
    ///
    /// # Errors
    /// When the host does not answer or root cannot be had there.
    async fn take_lease(&self, lease: &Lease) -> Result<LeaseAnswer, HostError>;

    /// Says on the host that whoever has the lease still lives, and finds out whether it is still ours. What was lost is not
    /// taken again.
    ///
    /// # Errors
    /// When the host does not answer.
    async fn renew_lease(&self, lease: &Lease) -> Result<LeaseAnswer, HostError>;

    /// Gives the lease back, if it is still ours.
    ///
    /// # Errors
    /// When the host does not answer.
    async fn release_lease(&self) -> Result<(), HostError>;

    /// Who has the lease; nothing is changed by asking.
    ///
    /// # Errors
    /// When the host does not answer, or root cannot be had there.
    async fn show_lease(&self) -> Result<LeaseAnswer, HostError>;

    /// Takes the lease from whoever was shown to have it, for the operator's next session; whether it was still theirs.
    /// Their session is fenced from then on, and finds out at once.
    ///
    /// # Errors
    /// When the host does not answer.
    async fn seize_lease(&self, operator: &str, from: &Held) -> Result<bool, HostError>;

    /// Starts a script, detached, at most once: where a job of that name is known on the host, nothing is started.
    ///
    /// # Errors
    /// `HostError::Lost` leaves open whether it started: ask with `claim_job`.
    async fn start_job(&self, job: &JobSpec) -> Result<(), HostError>;

    /// Output from `offset` on, and how the job stands. Waits a second or two for news before it says there is none.
    ///
    /// # Errors
    /// When the host does not answer; nothing is lost by asking again.
    async fn poll_job(&self, job: &JobName, offset: u64) -> Result<JobNews, HostError>;

    /// Asks how a job stands. One that has not started never will after this.
    ///
    /// # Errors
    /// When the host does not answer; nothing is lost by asking again.
    async fn claim_job(&self, job: &JobName) -> Result<JobStatus, HostError>;

    /// Ends a job as its deadline would: its script is asked to end, and killed 10 s later. It does not wait for that, and
    /// leaves alone what does not run. Ending a job again is well.
    ///
    /// # Errors
    /// When the host does not answer, or there is nothing left of the job that could be told to end.
    async fn end_job(&self, job: &JobName) -> Result<(), HostError>;

    /// Writes a file as root, whole or not at all, and returns the digest of what then stands there. `progress` is told how
    /// many bytes have gone, and of how many.
    ///
    /// # Errors
    /// When the host does not answer, or the file cannot be written.
    async fn push(&self, path: &str, mode: &str, content: &[u8], progress: Progress) -> Result<Digest, HostError>;

    /// What stands in a file, read as root, or nothing where there is none; of a long one the first `READ_MOST` bytes.
    ///
    /// # Errors
    /// When the host does not answer, or what is there is not a file.
    async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, HostError>;

    /// Copies a host's file to `into` (0600, whole or not at all) and compares the digests of both ends. `progress` is told
    /// how many bytes have come, and of how many.
    ///
    /// # Errors
    /// When the host does not answer, there is no such file, or the digests differ.
    async fn fetch(&self, path: &str, into: &Path, progress: Progress) -> Result<Fetched, HostError>;

    /// What sessions have left there; nothing is changed by asking.
    ///
    /// # Errors
    /// When the host does not answer.
    async fn left(&self) -> Result<Leftovers, HostError>;

    /// Removes some of what was listed, as whoever holds the lease; what runs meanwhile stays.
    ///
    /// # Errors
    /// When the host does not answer, or the lease is not ours.
    async fn remove_left(&self, left: &[Left]) -> Result<(), HostError>;
}

/// What sessions have left on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// The host's own clock, in seconds since 1970.
    pub now: i64,
    /// Everything that a session of ours may have left.
    pub left: Vec<Left>,
}

/// One thing that a session has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// What it is.
    pub kind: LeftKind,
    /// Somebody works with it now.
    pub running: bool,
    /// When it changed last by the host's clock, in seconds since 1970.
    pub at: i64,
    /// Its size in KiB.
    pub kib: u64,
    /// Where it is.
    pub path: String,
}

/// What was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftKind {
    /// The directory of a job: its script, variables and output.
    Job(JobName),
    /// Half a job, from a connection that broke.
    Payload,
    /// A copy that a step made of something before it changed that.
    Copy,
}

/// What a read-only script printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// On standard output.
    pub output: String,
    /// How long after it was asked for its first output was here: it began there within that time.
    pub within: Duration,
    /// What the login there prints by itself, cut from the output; without control characters.
    pub noise: Option<String>,
}

/// As much of a file is read to be compared.
pub const READ_MOST: usize = 1 << 20;

/// Told how many bytes of a file have come, or gone, and of how many.
pub type Progress = Arc<dyn Fn(u64, u64) + Send + Sync>;

/// Nobody wants to know how far it is.
#[must_use]
pub fn untold() -> Progress {
    Arc::new(|_, _| ())
}

/// A script to run on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// Unique for ever.
    pub name: JobName,
    /// For `sh -eu`, as root.
    pub script: String,
    /// The shell variables it sees, exported.
    pub env: BTreeMap<String, String>,
    /// More of them, which nobody else may see: on the host they are gone before the script begins.
    pub secrets: BTreeMap<String, Secret>,
    /// After this it is ended, and its exit status is 124.
    pub timeout: Duration,
}

/// What is new of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobNews {
    /// Output from the asked offset on; a bounded piece of it.
    pub output: Vec<u8>,
    /// How the job stands. Not `Running` only once all output was handed over.
    pub status: JobStatus,
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobStatus {
    /// It runs, or there is more output to ask for.
    Running,
    /// It ended by itself, with this status.
    Exited(i32),
    /// It is gone and left no status.
    Interrupted {
        /// The host has booted since it started.
        rebooted: bool,
    },
    /// It never started, and never will.
    Absent,
}

/// Who asks for a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// For which session.
    pub session: SessionId,
    /// `user@host` of the operator.
    pub operator: String,
    /// Of this process, and of no other ever: what it proves itself with. Letters and digits.
    pub token: String,
    /// Which journal, on which machine: one process at a time has that open, so that one that comes later may have what one
    /// before it has left.
    pub seat: String,
}

impl Lease {
    /// Of somebody who only asks who has it.
    #[must_use]
    pub fn none() -> Self {
        Self { session: "-".into(), operator: String::new(), token: String::new(), seat: String::new() }
    }
}

/// The answer to asking for a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseAnswer {
    /// It is ours.
    Taken {
        /// Whom it was taken over from, if that is how.
        from: Option<String>,
    },
    /// Somebody else has it.
    HeldBy(Held),
    /// What another session has started still runs there.
    Busy(JobName),
    /// Nobody has it, and it was not asked to be taken.
    Free,
}

/// Who has a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// For which session; `-` where it waits for the operator's next one.
    pub session: SessionId,
    /// `user@host` of the operator.
    pub operator: String,
    /// In UTC, by the host's clock.
    pub since: String,
    /// So many seconds ago its holder said that it lives, by the host's own clock; nothing where the host has booted since, or
    /// where it never did.
    pub renewed: Option<u64>,
}

/// A holder that has not renewed its lease for so long is gone, or cut off from the host. In seconds.
pub const LEASE_IS_OLD: u64 = 120;

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} since {} (session {}), ", self.operator, self.since, self.session)?;
        match self.renewed {
            _ if self.session.as_str() == "-" => f.write_str("for a session that has not begun"),
            Some(ago) if ago < LEASE_IS_OLD => write!(f, "and that session lives: it renewed its lease {ago} s ago"),
            Some(ago) => {
                write!(f, "whose session is gone or cut off: it has not renewed its lease for {} min", ago / 60)
            }
            None => f.write_str("whose session has not been heard of since this host booted"),
        }
    }
}

/// A file that came back the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Its size.
    pub bytes: u64,
    /// On both ends.
    pub sha256: Digest,
}

/// Why something with a host did not work, said for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// No connection could be made: wrong address, closed port, key refused, host key changed …
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The host's key is not known here, and so nothing was said to it.
    #[error("cannot connect: {0}")]
    UnknownKey(String),
    /// The connection broke, or the host went silent. What was under way may or may not have happened.
    #[error("connection lost: {0}")]
    Lost(String),
    /// The lease is not ours any more, and nothing was done: who has it.
    #[error("the lease was lost: {0}")]
    Fenced(String),
    /// The host answered and said no: no root, no such file, no room.
    #[error("{0}")]
    Refused(String),
}
