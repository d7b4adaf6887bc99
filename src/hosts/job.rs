//! The remote job protocol: what is done on a host, once for every way of getting there.
//!
//! All that matters is one atomic step of the host's file system: a directory made, a link made, a file renamed. So
//! everything can be asked again after a lost connection. The scripts are in assets/job. What they leave on a host:
//!
//! | under `/var/lib/lockkeeper` (0700, root) | |
//! | --- | --- |
//! | `jobs/NAME/` | made by one `mkdir`: whoever makes it may start the job |
//! | `jobs/NAME/claimed` | a symbolic link to nowhere: `BOOT_ID:PID:START_TIME` of the runner, or `void` for never |
//! | `jobs/NAME/env` | the variables of the script; removed as soon as they are read, or once nobody will read them |
//! | `jobs/NAME/script`, `runner`, `work/` | what runs, and where |
//! | `jobs/NAME/out` | both outputs of the script |
//! | `jobs/NAME/exit` | its exit status, written last; on a full disk a link `ended` to it |
//! | `jobs/NAME/fenced` | the lease was lost before its script began: it never will |
//! | `lease` | session, operator, since when, token, seat, and whom it was taken over from, one a line |
//! | `lease.renewed` | token, boot id, and uptime in seconds when its holder last said that it lives |
//! | `lease.log` | who has taken it over from whom |

mod lease;
mod left;

pub use lease::read_lease;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::shell::{self, Ended, Feed, Script, Shell, Sink, Unrun, Who};
use super::{
    Fetched, Held, HostError, JobNews, JobSpec, JobStatus, Lease, LeaseAnswer, Left, Leftovers, Observe, Operate,
    Probed, Progress, READ_MOST,
};
use crate::model::logtail::clean;
use crate::model::prompt::Secret;
use crate::model::{Digest, HostName, JobName};

/// Where jobs and the lease are kept on a host, unless said otherwise.
pub(super) const BASE: &str = "/var/lib/lockkeeper";

const START: &str = concat!(
    include_str!("../../assets/job/room.sh"),
    include_str!("../../assets/job/prove.sh"),
    include_str!("../../assets/job/start.sh")
);
const RUNNER: &str = include_str!("../../assets/job/run.sh");
const POLL: &str = concat!(
    include_str!("../../assets/job/room.sh"),
    include_str!("../../assets/job/alive.sh"),
    include_str!("../../assets/job/poll.sh")
);
const PUSH: &str = concat!(
    include_str!("../../assets/job/room.sh"),
    include_str!("../../assets/job/prove.sh"),
    include_str!("../../assets/job/push.sh")
);
const READ: &str = include_str!("../../assets/job/read.sh");
const END: &str = concat!(
    include_str!("../../assets/job/prove.sh"),
    include_str!("../../assets/job/alive.sh"),
    include_str!("../../assets/job/end.sh")
);
const DIGEST: &str = include_str!("../../assets/job/digest.sh");

/// A probe's script may be long, and what it calls may not read it: it comes on standard input, and is gone from there.
const PROBE: &str = "script=$(cat) && exec </dev/null && eval \"$script\"";

/// The most output that one poll brings, in bytes.
const PIECE: u64 = 64 << 10;

/// How often the host looks for news, every 0.2 s, before a poll comes back with none.
const LOOKS: &str = "10";

/// With this status a script says that the lease is not ours any more.
const FENCED: i32 = 77;

/// For a short script.
const SOON: Duration = Duration::from_secs(20);

/// For a digest of a file of unknown size.
const LATER: Duration = Duration::from_secs(600);

/// A host that scripts get to by `S`.
pub(super) struct Remote<S> {
    shell: S,
    name: HostName,
    base: String,
    /// Nothing runs as root: for tests and rehearsals on one's own account.
    rootless: bool,
    /// What this process proves itself with, once it has asked for the lease.
    token: Mutex<Option<String>>,
    /// `sudo` was refused to a probe on this connection: not asked again, since every refusal is logged there.
    plain: AtomicBool,
    /// The password that `sudo` wants there, as long as this program runs.
    word: tokio::sync::Mutex<Option<Secret>>,
}

impl<S: Shell> Remote<S> {
    pub(super) fn new(shell: S, name: HostName, base: String, rootless: bool) -> Self {
        Self {
            shell,
            name,
            base,
            rootless,
            token: Mutex::default(),
            plain: AtomicBool::new(false),
            word: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn shell(&self) -> &S {
        &self.shell
    }

    /// Runs a script and returns what it printed. A status other than 0 is a refusal.
    async fn ask(&self, text: &str, args: &[&str], stdin: &[u8], deadline: Duration) -> Result<Vec<u8>, HostError> {
        let mut sink = Sink::Memory(Vec::new());
        let ended = self.run(self.root(), text, args, stdin.into(), deadline, &mut sink).await?;
        self.well(&ended, deadline)?;
        match sink {
            Sink::Memory(output) => Ok(output),
            Sink::Timed { .. } | Sink::File { .. } => Ok(Vec::new()),
        }
    }

    async fn run(
        &self,
        who: Who,
        text: &str,
        args: &[&str],
        input: Feed<'_>,
        deadline: Duration,
        sink: &mut Sink,
    ) -> Result<Ended, HostError> {
        let mut word = if who == Who::User { None } else { self.word.lock().await.clone() };
        loop {
            let mut first = word.as_ref().map(|word| format!("{}\n", word.expose()).into_bytes()).unwrap_or_default();
            let who = if word.is_some() { Who::Word } else { who };
            let script = Script { who, text, args, input: Feed { first: &first, ..input }, deadline };
            let done = shell::run(&self.shell, script, sink).await;
            first.fill(0);
            match done {
                Err(Unrun::SudoAsks { user, why }) => match self.ask_word(&user, word.as_ref()).await {
                    Some(given) => word = Some(given),
                    None => return self.refuse(why),
                },
                done => return done.map_err(|error| self.named(error.told())),
            }
        }
    }

    /// The password that `sudo` wants of this user. Whoever asks while somebody else does shares the answer.
    async fn ask_word(&self, user: &str, before: Option<&Secret>) -> Option<Secret> {
        let mut word = self.word.lock().await;
        if word.is_none() || word.as_ref() == before {
            *word = self.shell.ask_word(user, before).await;
            self.plain.store(false, Ordering::Relaxed);
        }
        word.clone()
    }

    fn root(&self) -> Who {
        if self.rootless { Who::User } else { Who::Root }
    }

    /// A host that is too busy to end in time is asked again, like one that does not answer.
    fn well(&self, ended: &Ended, deadline: Duration) -> Result<(), HostError> {
        match ended.status {
            0 => Ok(()),
            FENCED if ended.complaint.starts_with("lockkeeper: fenced by ") => {
                Err(self.named(HostError::Fenced(ended.complaint.replacen("lockkeeper: fenced by ", "", 1))))
            }
            _ if ended.out_of_time() => Err(self.named(HostError::Lost(format!(
                "it answers, but a command did not finish within {} s",
                deadline.as_secs()
            )))),
            status if ended.complaint.is_empty() => self.refuse(format!("a command failed with status {status}")),
            _ => self.refuse(&ended.complaint),
        }
    }

    fn refuse<T>(&self, reason: impl std::fmt::Display) -> Result<T, HostError> {
        Err(HostError::Refused(format!("{}: {reason}", self.name)))
    }

    fn named(&self, error: HostError) -> HostError {
        match error {
            HostError::Connect(reason) => HostError::Connect(format!("{}: {reason}", self.name)),
            HostError::Lost(reason) => HostError::Lost(format!("{}: {reason}", self.name)),
            HostError::Fenced(reason) => HostError::Fenced(match reason.trim() {
                "" => format!("nobody has {} now, but somebody has had it meanwhile", self.name),
                holder => format!("{holder} has {}", self.name),
            }),
            HostError::UnknownKey(reason) => HostError::UnknownKey(format!("{}: {reason}", self.name)),
            HostError::Refused(reason) => HostError::Refused(format!("{}: {reason}", self.name)),
        }
    }

    /// What this process proves itself with; nothing before it has asked for the lease, and nothing is proved by that.
    fn token(&self) -> String {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default()
    }

    /// A name becomes a directory and a unit there, and must be fit for both.
    fn fit<'a>(&self, job: &'a JobName) -> Result<&'a str, HostError> {
        let name = job.as_str();
        let fits = name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            && name.len() <= 200;
        if fits { Ok(name) } else { self.refuse(format!("{job:?} is not a name for a job")) }
    }

    fn whole<'a>(&self, path: &'a str) -> Result<&'a str, HostError> {
        if path.starts_with('/') && !path.ends_with('/') && !path.chars().any(char::is_control) {
            Ok(path)
        } else {
            self.refuse(format!("{path:?} is not the path of a file: it must be absolute"))
        }
    }

    async fn poll(&self, job: &JobName, offset: u64, most: u64, looks: &str) -> Result<JobNews, HostError> {
        let (name, offset, most) = (self.fit(job)?, offset.to_string(), most.to_string());
        let output = self.ask(POLL, &[&self.base, name, &offset, &most, looks], &[], SOON).await?;
        match read_news(&output) {
            Some(news) => Ok(news),
            None => self.refuse(format!(
                "the state of job {job} cannot be read: {}",
                clean(&String::from_utf8_lossy(&output[..output.len().min(200)]))
            )),
        }
    }

    /// Size and digest of a file there.
    async fn digest(&self, path: &str) -> Result<(u64, Digest), HostError> {
        let output = self.ask(DIGEST, &[path], &[], LATER).await?;
        match read_digest(&output) {
            Some(found) => Ok(found),
            None => self.refuse(format!(
                "the SHA-256 of {path} cannot be computed there: sha256sum, openssl and shasum are missing"
            )),
        }
    }
}

#[async_trait]
impl<S: Shell> Observe for Remote<S> {
    async fn connect(&self) -> Result<(), HostError> {
        self.shell.connect().await.map_err(|error| self.named(error))?;
        self.plain.store(false, Ordering::Relaxed);
        Ok(())
    }

    async fn probe(&self, script: &str, deadline: Duration) -> Result<Probed, HostError> {
        let who = if self.rootless || self.plain.load(Ordering::Relaxed) { Who::User } else { Who::Any };
        let mut sink = Sink::Timed { kept: Vec::new(), asked: Instant::now(), first: None };
        let ended = self.run(who, PROBE, &[], script.as_bytes().into(), deadline, &mut sink).await?;
        self.plain.store(ended.plain, Ordering::Relaxed);
        if ended.out_of_time() {
            return self.refuse(format!(
                "the probe did not finish in {} s: the host is very busy, or a tool hangs there",
                deadline.as_secs()
            ));
        }
        self.well(&ended, deadline)?;
        let Sink::Timed { kept, asked, first } = sink else {
            return self.refuse("what the probe printed was not kept");
        };
        let output = String::from_utf8_lossy(&kept).into_owned();
        Ok(Probed { output, within: first.unwrap_or_else(|| asked.elapsed()), noise: ended.noise })
    }

    async fn try_root(&self) -> Result<(), HostError> {
        self.ask(":", &[], &[], SOON).await.map(drop)
    }
}

#[async_trait]
impl<S: Shell> Operate for Remote<S> {
    async fn take_lease(&self, lease: &Lease) -> Result<LeaseAnswer, HostError> {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(lease.token.clone());
        self.lease(lease, "take").await
    }

    async fn renew_lease(&self, lease: &Lease) -> Result<LeaseAnswer, HostError> {
        self.lease(lease, "renew").await
    }

    async fn release_lease(&self) -> Result<(), HostError> {
        let token = self.token();
        self.ask(lease::RELEASE, &[&self.base, &token], &[], SOON).await.map(drop)
    }

    async fn show_lease(&self) -> Result<LeaseAnswer, HostError> {
        self.lease(&Lease::none(), "show").await
    }

    async fn seize_lease(&self, operator: &str, from: &Held) -> Result<bool, HostError> {
        self.seize(operator, from).await
    }

    async fn start_job(&self, job: &JobSpec) -> Result<(), HostError> {
        let name = self.fit(&job.name)?;
        let plain = job.env.iter().map(|(key, value)| (key, value.as_str()));
        let secret = job.secrets.iter().map(|(key, value)| (key, value.expose()));
        let env = match exports(plain.chain(secret)) {
            Ok(env) => env,
            Err(key) => return self.refuse(format!("the variable {key:?} cannot be passed to a shell")),
        };
        if job.script.contains('\0') {
            return self.refuse("the script holds a NUL byte");
        }
        let seconds = job.timeout.as_secs().max(1).to_string();
        let sizes = [env.len(), job.script.len(), RUNNER.len()].map(|size| size.to_string());
        let launcher = if self.rootless { "setsid" } else { "auto" };
        let token = self.token();
        let args = [&self.base, token.as_str(), name, &seconds, launcher, &sizes[0], &sizes[1], &sizes[2]];
        let payload = [&env, &job.script, RUNNER].concat();
        self.ask(START, &args, payload.as_bytes(), SOON + transfer(payload.len() as u64)).await.map(drop)
    }

    async fn poll_job(&self, job: &JobName, offset: u64) -> Result<JobNews, HostError> {
        self.poll(job, offset, PIECE, LOOKS).await
    }

    async fn claim_job(&self, job: &JobName) -> Result<JobStatus, HostError> {
        self.poll(job, 0, 0, "0").await.map(|news| news.status)
    }

    async fn end_job(&self, job: &JobName) -> Result<(), HostError> {
        self.ask(END, &[&self.base, &self.token(), self.fit(job)?], &[], SOON).await.map(drop)
    }

    async fn push(&self, path: &str, mode: &str, content: &[u8], progress: Progress) -> Result<Digest, HostError> {
        let path = self.whole(path)?;
        if !(3..=4).contains(&mode.len()) || !mode.bytes().all(|digit| matches!(digit, b'0'..=b'7')) {
            return self.refuse(format!("{mode:?} is not a mode for {path}: use three or four octal digits"));
        }
        let bytes = content.len().to_string();
        let (deadline, mut sink) = (transfer(content.len() as u64), Sink::Memory(Vec::new()));
        let input = Feed { progress: Some(&progress), ..Feed::from(content) };
        let args = [&self.base, &self.token(), path, mode, &bytes];
        let ended = self.run(self.root(), PUSH, &args, input, deadline, &mut sink).await?;
        self.well(&ended, deadline)?;
        self.digest(path).await.map(|(_, sha256)| sha256)
    }

    async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, HostError> {
        let path = self.whole(path)?;
        let most = READ_MOST.to_string();
        let output = self.ask(READ, &[path, &most], &[], LATER).await?;
        match output.split_first() {
            Some((b'+', content)) => Ok(Some(content.to_vec())),
            Some((b'-', _)) => Ok(None),
            _ => self.refuse(format!("{path} cannot be read")),
        }
    }

    async fn left(&self) -> Result<Leftovers, HostError> {
        self.list_left().await
    }

    async fn remove_left(&self, left: &[Left]) -> Result<(), HostError> {
        self.remove(left).await
    }

    async fn fetch(&self, path: &str, into: &Path, progress: Progress) -> Result<Fetched, HostError> {
        let path = self.whole(path)?;
        let (bytes, sha256) = self.digest(path).await?;
        if bytes == 0 {
            return self.refuse(format!("{path} is empty: there is nothing to copy here"));
        }
        let here = |error: std::io::Error| {
            HostError::Refused(format!("{}: {path} cannot be kept as {}: {error}", self.name, into.display()))
        };
        let dir = into.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(dir).map_err(here)?;
        // 0600 from its first moment on; gone if anything goes wrong.
        let (file, kept) = tempfile::NamedTempFile::new_in(dir).map_err(here)?.into_parts();
        let file = tokio::fs::File::from_std(file);
        let mut sink = Sink::File { file, bytes: 0, hash: Box::new(Sha256::new()), all: bytes, progress };
        let deadline = transfer(bytes);
        let ended = self.run(self.root(), "exec cat \"$1\"", &[path], Feed::from(&[][..]), deadline, &mut sink).await?;
        self.well(&ended, deadline)?;
        let Sink::File { mut file, bytes: got, hash, .. } = sink else { return self.refuse("nothing was kept") };
        let found = Digest::from(format!("{:x}", hash.finalize()));
        if got != bytes || found != sha256 {
            return self.refuse(format!(
                "{path} came over with {got} bytes and sha256 {found}, but {bytes} bytes and {sha256} were there: \
                 it was probably written to at the same time; nothing was kept, try again"
            ));
        }
        file.flush().await.map_err(here)?;
        file.sync_all().await.map_err(here)?;
        kept.persist(into).map_err(|error| here(error.error))?;
        Ok(Fetched { bytes, sha256 })
    }
}

/// How long so many bytes may take: a minute, and 256 KiB a second.
fn transfer(bytes: u64) -> Duration {
    Duration::from_secs(60 + bytes / (256 << 10))
}

/// The variables as lines of shell; or the name of the one that cannot be.
fn exports<'e>(env: impl Iterator<Item = (&'e String, &'e str)>) -> Result<String, String> {
    let mut lines = String::new();
    for (key, value) in env {
        let fits = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        match shlex::try_quote(value) {
            Ok(value) if fits => {
                let _ = writeln!(lines, "export {key}={value}");
            }
            _ => return Err(key.clone()),
        }
    }
    Ok(lines)
}

/// Reads what `poll.sh` printed; nothing where it is not exactly that.
#[must_use]
pub fn read_news(output: &[u8]) -> Option<JobNews> {
    let end = output.iter().position(|byte| *byte == b'\n')?;
    let (header, rest) = (std::str::from_utf8(&output[..end]).ok()?, &output[end + 1..]);
    let mut words = header.split(' ');
    let (Some("lockkeeper-job"), Some(status), Some(detail), Some(bytes), None) =
        (words.next(), words.next(), words.next(), words.next(), words.next())
    else {
        return None;
    };
    let status = match (status, detail) {
        ("running", "-") => JobStatus::Running,
        ("exited", status) => JobStatus::Exited(status.parse().ok()?),
        ("interrupted", "-") => JobStatus::Interrupted { rebooted: false },
        ("interrupted", "rebooted") => JobStatus::Interrupted { rebooted: true },
        ("absent", "-") => JobStatus::Absent,
        _ => return None,
    };
    (bytes.parse() == Ok(rest.len())).then(|| JobNews { output: rest.to_vec(), status })
}

/// Reads what `digest.sh` printed; nothing where it is not exactly that.
#[must_use]
pub fn read_digest(output: &[u8]) -> Option<(u64, Digest)> {
    let line = std::str::from_utf8(output).ok()?.trim_end();
    let (bytes, sum) = line.strip_prefix("lockkeeper-file ")?.split_once(' ')?;
    let hex = sum.len() == 64 && sum.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    Some((bytes.parse().ok()?, Digest::from(sum))).filter(|_| hex)
}

#[cfg(test)]
mod tests;
