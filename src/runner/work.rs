//! One effect on one host, carried to its end. A lost connection is waited out: nothing here is harmed by asking again.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::compare::compare;
use super::output::{Output, Told};
use super::{Report, lease};
use crate::engine::{Act, Effect};
use crate::hosts::{HostError, JobSpec, JobStatus, Operate, Progress};
use crate::model::diff::{Comparison, There};
use crate::model::event::{FailedAt, JobKind};
use crate::model::plan::PushFile;
use crate::model::{Digest, Event, HostName, JobName, Redactor, Secrets, State, TaskId};

/// Before a host that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// How often a transfer is told of.
const TELL: Duration = Duration::from_secs(1);

/// An effect with all it needs, taken from the state when it began.
pub(super) struct Work {
    pub(super) effect: Effect,
    /// Which host it is done on.
    pub(super) on: HostName,
    pub(super) host: Arc<dyn Operate>,
    pub(super) errand: Errand,
    /// Whatever a host says goes through it first.
    pub(super) redactor: Arc<Redactor>,
    pub(super) reports: mpsc::Sender<Report>,
}

/// What to do, with its particulars.
pub(super) enum Errand {
    /// What will be written beside what is there.
    Compare(PushFile),
    Push(PushFile),
    /// Something that was brought back here goes to another host.
    Pass {
        file: PushFile,
        /// Nothing where it was not brought back yet.
        from: Option<PathBuf>,
        sha256: Digest,
    },
    Start(JobSpec),
    Follow {
        job: JobName,
        offset: u64,
    },
    Claim {
        job: JobName,
    },
    Fetch {
        path: String,
        /// Or why it cannot be kept.
        into: Result<PathBuf, String>,
    },
    End {
        job: JobName,
    },
}

impl Errand {
    /// The particulars of an effect; nothing where the state does not hold them.
    pub(super) fn of(state: &State, effect: &Effect, artifacts: &std::path::Path, secrets: &Secrets) -> Option<Self> {
        let plan = state.plan.as_ref()?;
        let (task, step, current) = state.task(effect.task)?;
        Some(match &effect.act {
            Act::Compare(path) => Self::Compare(task.pushes.iter().find(|push| push.path == *path)?.clone()),
            Act::Push(path) => {
                let file = task.pushes.iter().find(|push| push.path == *path)?.clone();
                match &file.artifact {
                    None => Self::Push(file),
                    Some(wanted) => {
                        let held = state.artifacts.iter().rfind(|artifact| artifact.path == *wanted);
                        // Of what the journal says only the name counts: nothing else of this machine goes to a host.
                        let name = held.and_then(|held| std::path::Path::new(&held.to).file_name());
                        let sha256 = held.map_or_else(|| file.sha256.clone(), |held| held.sha256.clone());
                        Self::Pass { from: name.map(|name| artifacts.join(name)), sha256, file }
                    }
                }
            }
            Act::Start(name) => {
                let script = match current.job.as_ref()?.kind {
                    JobKind::Run => step.run.clone()?,
                    JobKind::Undo => step.undo.clone()?,
                };
                let mut env = plan.vars_of(task);
                env.insert("session".into(), state.session.as_ref()?.id.to_string());
                // A script is given the secrets that it names, and no others.
                let of_host = secrets.get(&task.host).into_iter().flatten();
                let secrets = of_host
                    .filter(|(secret, _)| script.contains(secret.as_str()))
                    .map(|(secret, value)| (secret.clone(), value.clone()))
                    .collect();
                Self::Start(JobSpec { name: name.clone(), script, env, secrets, timeout: plan.timeout_of(task) })
            }
            Act::Follow(job) => Self::Follow { job: job.clone(), offset: current.job.as_ref()?.offset },
            Act::Claim(job) => Self::Claim { job: job.clone() },
            Act::End(job) => Self::End { job: job.clone() },
            Act::Fetch(path) => {
                let fetch = step.fetch.iter().find(|fetch| plan.expand(task, &fetch.path) == *path)?;
                Self::Fetch { path: path.clone(), into: plan.artifact(task, fetch).map(|name| artifacts.join(name)) }
            }
        })
    }
}

impl Work {
    /// Does it, and reports its end with the event it comes to.
    pub(super) async fn run(self) {
        let task = self.effect.task;
        let event = match &self.errand {
            Errand::Compare(file) => self.compare(task, file).await,
            Errand::Push(file) => self.push(task, file, file.content.as_bytes(), &file.sha256).await,
            Errand::Pass { file, from, sha256 } => match brought(from.as_deref(), sha256) {
                Ok(content) => self.push(task, file, &content, sha256).await,
                Err(why) => failed(task, FailedAt::Push, format!("what goes to {} is not here: {why}", file.path)),
            },
            Errand::Start(job) => match self.fenced(self.host.start_job(job).await).await {
                Ok(()) => Event::JobStarted { task },
                // Whatever went wrong, it may have started all the same.
                Err(error) => Event::JobUncertain { task, reason: self.redactor.clean(&error.to_string()) },
            },
            Errand::Claim { job } => match self.answer(|| self.host.claim_job(job)).await {
                Ok(JobStatus::Absent) => Event::JobAbsent { task },
                // It did start: its output and its end are followed.
                Ok(JobStatus::Running | JobStatus::Exited(_) | JobStatus::Interrupted { .. }) => {
                    Event::JobStarted { task }
                }
                Err(reason) => failed(
                    task,
                    FailedAt::Interrupted,
                    format!("the host cannot tell what became of the job: {reason}"),
                ),
            },
            Errand::End { job } => match self.answer(|| self.host.end_job(job)).await {
                Ok(()) => Event::JobEndSent { task },
                Err(reason) => Event::JobEndRefused { task, reason },
            },
            Errand::Follow { job, offset } => match self.follow(task, job, *offset).await {
                Some(event) => event,
                None => return,
            },
            Errand::Fetch { path, into: Err(why) } => {
                failed(task, FailedAt::Fetch, format!("{path} cannot be kept here: {why}"))
            }
            Errand::Fetch { path, into: Ok(into) } => {
                match self.answer(|| self.host.fetch(path, into, self.progress(task, path))).await {
                    Ok(fetched) => Event::ArtifactFetched {
                        task,
                        path: path.clone(),
                        to: into.display().to_string(),
                        bytes: fetched.bytes,
                        sha256: fetched.sha256,
                    },
                    Err(reason) => failed(task, FailedAt::Fetch, format!("{path} could not be brought back: {reason}")),
                }
            }
        };
        // Nobody listening means that the session is over here; the host keeps what it has.
        let _ = self.reports.send(Report::Ended { effect: self.effect, event }).await;
    }

    /// Reads what is there and compares it; nothing of it is kept but what the comparison shows.
    async fn compare(&self, task: TaskId, file: &PushFile) -> Event {
        let none = |there| Comparison { there, lines: Vec::new(), more: 0 };
        let comparison = match self.answer(|| self.host.read(&file.path)).await {
            Ok(Some(there)) => compare(&there, &file.content, &self.redactor),
            Ok(None) => none(There::Nothing),
            Err(why) => none(There::Unknown { why }),
        };
        Event::FileCompared { task, path: file.path.clone(), comparison: Box::new(comparison) }
    }

    /// Tells of a transfer, about once a second; of one that takes no longer, nothing. The end of what was told of is told
    /// too: after that the digest is all that is waited for.
    fn progress(&self, task: TaskId, path: &str) -> Progress {
        let (reports, path, told) = (self.reports.clone(), path.to_owned(), Mutex::new((Instant::now(), false)));
        Arc::new(move |bytes, total| {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.0.elapsed() >= TELL || (told.1 && bytes == total) {
                *told = (Instant::now(), true);
                // Where nobody has room for it now, the next one says more.
                let moved = Event::FileMoved { task, path: path.clone(), bytes, total };
                let _ = reports.try_send(Report::Event(moved));
            }
        })
    }

    async fn push(&self, task: TaskId, file: &PushFile, content: &[u8], wanted: &Digest) -> Event {
        match self.answer(|| self.host.push(&file.path, &file.mode, content, self.progress(task, &file.path))).await {
            Ok(sha256) if sha256 == *wanted => Event::FilePushed { task, path: file.path.clone(), sha256 },
            Ok(other) => failed(
                task,
                FailedAt::Push,
                format!("{} stands on the host with another content (sha256 {other})", file.path),
            ),
            Err(reason) => failed(task, FailedAt::Push, format!("{} could not be written: {reason}", file.path)),
        }
    }

    /// Follows a job's output to its end; nothing when nobody listens any more.
    async fn follow(&self, task: TaskId, job: &JobName, offset: u64) -> Option<Event> {
        let mut output = Output::new(self.redactor.clone(), offset);
        loop {
            let wanted = output.wanted();
            let news = match self.answer(|| self.host.poll_job(job, wanted)).await {
                Ok(news) => news,
                Err(reason) => {
                    return Some(failed(
                        task,
                        FailedAt::Interrupted,
                        format!("the host cannot tell of its job: {reason}"),
                    ));
                }
            };
            let running = news.status == JobStatus::Running;
            if let Some(Told { offset, bytes, text }) = output.take(&news.output, running) {
                let output = Event::JobOutput { task, offset, bytes, text };
                self.reports.send(Report::Event(output)).await.ok()?;
            }
            match news.status {
                JobStatus::Running => {}
                JobStatus::Exited(exit) => return Some(Event::JobFinished { task, exit }),
                JobStatus::Interrupted { rebooted } => return Some(Event::JobInterrupted { task, rebooted }),
                JobStatus::Absent => return Some(Event::JobAbsent { task }),
            }
        }
    }

    /// Says so at once where the host refuses us for want of the lease.
    async fn fenced<T>(&self, answer: Result<T, HostError>) -> Result<T, HostError> {
        if let Err(HostError::Fenced(whose)) = &answer {
            let _ = self.reports.send(Report::Event(lease::fenced(self.on.clone(), &self.redactor.clean(whose)))).await;
        }
        answer
    }

    /// Asks until the host answers.
    async fn answer<T, F>(&self, mut ask: impl FnMut() -> F) -> Result<T, String>
    where
        F: Future<Output = Result<T, HostError>>,
    {
        loop {
            match self.fenced(ask().await).await {
                Ok(answer) => return Ok(answer),
                Err(error @ HostError::Fenced(_)) => return Err(self.redactor.clean(&error.to_string())),
                Err(HostError::Refused(reason)) => return Err(self.redactor.clean(&reason)),
                Err(HostError::Connect(_) | HostError::UnknownKey(_) | HostError::Lost(_)) => {
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }
}

/// What an earlier step brought, if it still is what that was.
fn brought(from: Option<&std::path::Path>, sha256: &Digest) -> Result<Vec<u8>, String> {
    let from = from.ok_or("no earlier step has brought it")?;
    let content = std::fs::read(from).map_err(|error| format!("{}: {error}", from.display()))?;
    if Digest::of(&content) == *sha256 {
        Ok(content)
    } else {
        Err(format!("{} is not what was brought back: its sha256 is another", from.display()))
    }
}

fn failed(task: TaskId, at: FailedAt, reason: String) -> Event {
    Event::TaskFailed { task, at, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_brought_back_is_handed_on() {
        let dir = tempfile::tempdir().unwrap();
        let (kept, secret) = (dir.path().join("etcd1-member.db"), Digest::of(b"a key of the operator's"));
        std::fs::write(&kept, "data").unwrap();
        assert_eq!(brought(Some(&kept), &Digest::of(b"data")), Ok(b"data".to_vec()));
        assert!(brought(Some(&kept), &secret).is_err_and(|why| why.contains("sha256")));
        assert!(brought(None, &secret).is_err());
        assert!(brought(Some(&dir.path().join("none")), &secret).is_err());
    }
}
