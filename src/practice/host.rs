//! One practice host as the runner sees it: the same traits as a host behind SSH, on the simulated world.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bashkit::{Bash, ExecOptions, ExecutionLimits, FileSystem, MemoryLimits, SessionLimits, StreamData};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::hosts::{
    Fetched, Held, HostError, JobNews, JobSpec, JobStatus, Lease, LeaseAnswer, Left, Leftovers, Observe, Operate,
    Probed, Progress,
};
use crate::model::{Digest, HostName, JobName};

use super::clock::Clock;
use super::faults::FaultKind;
use super::tools::{self, Terminal};
use super::world::Sim;

/// How much of a job's output is handed over at once.
const PIECE: usize = 64 * 1024;

/// A probe that has taken no longer has not waited for anything.
const AT_ONCE: Duration = Duration::from_millis(500);

/// The exit status of a script that was told to end, and did: that of SIGTERM.
const ENDED: i32 = 143;

/// A host of the practice cluster.
#[derive(Debug)]
pub(super) struct PracticeHost {
    name: HostName,
    sim: Arc<Sim>,
    jobs: Mutex<BTreeMap<JobName, Arc<Job>>>,
    lease: Mutex<Option<Lease>>,
    /// What whoever acts here now proves itself with.
    token: Mutex<String>,
    /// The connection is broken until then, in time since the world was made.
    broken_until: Mutex<Duration>,
    /// Probes that still will not come back.
    deaf: Mutex<u32>,
    /// What the last probe found.
    found: Mutex<Option<Found>>,
}

/// What a probe found, and what it could see then.
#[derive(Debug)]
struct Found {
    script: String,
    sight: u64,
    output: String,
}

/// The head of the probe's section that every second changes.
const CLOCK: &str = "@clock 0 \n ";

/// One run of a script. What of it lies on disk outlives a reboot; its process does not.
#[derive(Debug)]
struct Job {
    /// In which boot it was started.
    boot: u32,
    run: Mutex<Run>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Run {
    output: Vec<u8>,
    exit: Option<i32>,
    task: Option<AbortHandle>,
    /// Asked for before it had started: it never will.
    barred: bool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Job {
    fn print(&self, bytes: &[u8]) {
        locked(&self.run).output.extend_from_slice(bytes);
        self.news.notify_waiters();
    }

    fn end(&self, exit: i32) {
        locked(&self.run).exit = Some(exit);
        self.news.notify_waiters();
    }
}

impl PracticeHost {
    pub(super) fn new(name: HostName, sim: Arc<Sim>) -> Self {
        let deaf = if sim.with(|world| world.machine(&name).strikes(FaultKind::ProbeTimeouts)) { 3 } else { 0 };
        Self {
            name,
            sim,
            jobs: Mutex::default(),
            lease: Mutex::default(),
            token: Mutex::default(),
            broken_until: Mutex::default(),
            deaf: Mutex::new(deaf),
            found: Mutex::default(),
        }
    }

    /// A shell on this host. `$ETCDCTL_API` and the like come from the script itself.
    fn shell(&self, env: &BTreeMap<String, String>, terminal: Option<&Terminal>) -> Bash {
        let disk: Arc<dyn FileSystem> = self.sim.with(|world| world.machine(&self.name).disk.clone());
        let limits = ExecutionLimits::cli().max_work_units(u64::MAX).max_aggregate_input_bytes(u64::MAX);
        let mut builder = Bash::builder()
            .fs(disk)
            .rootfs(false)
            .cwd("/root")
            .username("root")
            .hostname(self.name.as_str())
            .limits(limits.timeout(Duration::from_secs(24 * 3600)))
            .memory_limits(MemoryLimits::unlimited())
            .session_limits(SessionLimits::unlimited())
            .env("HOME", "/root")
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin");
        for (name, value) in env {
            builder = builder.env(name, value);
        }
        tools::install(builder, &self.sim, &self.name, terminal).build()
    }

    /// Waits as long as a command needs to get there, or says why it does not.
    async fn reach(&self) -> Result<(), HostError> {
        sleep(Duration::from_millis(2)).await;
        let (up, address, now) = self.sim.with(|world| {
            let now = world.now;
            let machine = world.machine(&self.name);
            (machine.up, machine.address, now)
        });
        if !up {
            return Err(HostError::Connect(format!(
                "{} ({address}) port 22: No route to host. It is down or booting: wait, or look at its console",
                self.name
            )));
        }
        if now < *locked(&self.broken_until) {
            return Err(HostError::Lost(format!("{} ({address}) went silent; asking again loses nothing", self.name)));
        }
        Ok(())
    }

    /// Gives whoever acts here a lease, unless somebody has one.
    #[cfg(test)]
    pub(super) fn lend(&self) {
        let bench = Lease { operator: "bench".into(), ..Lease::none() };
        locked(&self.lease).get_or_insert(bench);
    }

    /// Whether the lease is still that of whoever acts here.
    fn prove(&self) -> Result<(), HostError> {
        match &*locked(&self.lease) {
            Some(held) if held.token == *locked(&self.token) => Ok(()),
            Some(other) => Err(HostError::Fenced(format!("{} has {}", other.operator, self.name))),
            None => Err(HostError::Fenced(format!("nobody has {} now", self.name))),
        }
    }

    fn boots(&self) -> u32 {
        self.sim.with(|world| world.machine(&self.name).boots)
    }

    /// What a probe would see now, and when that is.
    fn sight(&self) -> (u64, Duration) {
        self.sim.with(|world| (world.sight(&self.name), world.now))
    }

    /// What the last probe found, told again with the time of now, if this one would find the same.
    fn found(&self, script: &str, sight: u64, now: Duration) -> Option<String> {
        let found = locked(&self.found);
        let last = found.as_ref().filter(|last| last.sight == sight && last.script == script)?;
        let (head, rest) = last.output.split_once(CLOCK)?;
        let (_, tail) = rest.split_once('\n')?;
        Some(format!("{head}{CLOCK}{}\n{tail}", Clock::strftime(now, "%s.%N")))
    }

    fn strikes(&self, fault: FaultKind) -> bool {
        self.sim.with(|world| world.machine(&self.name).strikes(fault))
    }

    fn job(&self, name: &JobName) -> Option<Arc<Job>> {
        locked(&self.jobs).get(name).cloned()
    }

    /// How a job stands, as far as the host's disk and process table know.
    fn status(&self, job: &Job) -> JobStatus {
        let run = locked(&job.run);
        match (run.exit, run.barred) {
            (_, true) => JobStatus::Absent,
            (Some(exit), false) => JobStatus::Exited(exit),
            (None, false) if job.boot != self.boots() => JobStatus::Interrupted { rebooted: true },
            (None, false) if run.task.as_ref().is_some_and(AbortHandle::is_finished) => {
                JobStatus::Interrupted { rebooted: false }
            }
            (None, false) => JobStatus::Running,
        }
    }
}

/// Who has a lease. Nobody forgets to renew one here.
fn told(held: &Lease) -> Held {
    let (session, operator) = (held.session.clone(), held.operator.clone());
    Held { session, operator, since: "the beginning".into(), renewed: Some(0) }
}

/// Runs a job's script to its end, its deadline, or the host's going down, whichever comes first.
async fn run(mut shell: Bash, spec: JobSpec, job: Arc<Job>, sim: Arc<Sim>, host: HostName) {
    let script = format!("set -eu\n{}", spec.script);
    let work = async {
        let terminal = job.clone();
        // Called after every command, so that errors and output come in their order.
        let print = Box::new(move |out: &StreamData, err: &StreamData| {
            for piece in [out, err] {
                terminal.print(piece.as_bytes());
            }
        });
        let ended = shell.exec_with_options(&script, ExecOptions::new().streaming(print)).await;
        match ended {
            Ok(result) => result.exit_code,
            Err(error) => {
                job.print(format!("sh: {error}\n").as_bytes());
                2
            }
        }
    };
    let power_cut = sim.until(|world| {
        let machine = world.machine(&host);
        (!machine.up || machine.boots != job.boot).then_some(())
    });
    tokio::select! {
        biased;
        () = power_cut => {}
        exit = timeout(spec.timeout, work) => job.end(exit.unwrap_or(124)),
    }
}

#[async_trait]
impl Observe for PracticeHost {
    async fn connect(&self) -> Result<(), HostError> {
        self.reach().await
    }

    async fn probe(&self, script: &str, deadline: Duration) -> Result<Probed, HostError> {
        let asked = Instant::now();
        self.reach().await?;
        let late = || HostError::Lost(format!("{}: no answer to the probe within {}s", self.name, deadline.as_secs()));
        let deaf = {
            let mut left = locked(&self.deaf);
            let deaf = *left > 0;
            *left = left.saturating_sub(1);
            deaf
        };
        if deaf {
            sleep(deadline).await;
            return Err(late());
        }
        // Simulated hosts share a processor: in their turn, hundreds answer late; all at once, none would in time.
        let _turn = self.sim.turn().await;
        let within = asked.elapsed();
        let (sight, now) = self.sight();
        if let Some(output) = self.found(script, sight, now) {
            return Ok(Probed { output, within, noise: None });
        }
        let mut shell = self.shell(&BTreeMap::new(), None);
        let result = timeout(deadline, shell.exec(script)).await.map_err(|_| late())?;
        // A host that went down meanwhile did not send the rest.
        self.reach().await?;
        let result = result.map_err(|error| HostError::Refused(format!("{}: the probe: {error}", self.name)))?;
        let output = result.stdout.text_lossy().into_owned();
        let (after, ended) = self.sight();
        // What waited for something was not told what it would be told now.
        let at_once = after == sight && ended.saturating_sub(now) < AT_ONCE;
        *locked(&self.found) = at_once.then(|| Found { script: script.into(), sight, output: output.clone() });
        Ok(Probed { output, within, noise: None })
    }

    async fn try_root(&self) -> Result<(), HostError> {
        self.reach().await
    }
}

#[async_trait]
impl Operate for PracticeHost {
    async fn left(&self) -> Result<Leftovers, HostError> {
        self.reach().await.map(|()| Leftovers::default())
    }

    async fn remove_left(&self, _left: &[Left]) -> Result<(), HostError> {
        self.reach().await
    }

    async fn take_lease(&self, lease: &Lease) -> Result<LeaseAnswer, HostError> {
        self.reach().await?;
        let mut held = locked(&self.lease);
        locked(&self.token).clone_from(&lease.token);
        let gone = |other: &Lease| other.session == lease.session && other.seat == lease.seat;
        match &*held {
            Some(other) if other.token != lease.token && !gone(other) => Ok(LeaseAnswer::HeldBy(told(other))),
            Some(_) | None => {
                *held = Some(lease.clone());
                Ok(LeaseAnswer::Taken { from: None })
            }
        }
    }

    async fn renew_lease(&self, lease: &Lease) -> Result<LeaseAnswer, HostError> {
        self.reach().await?;
        Ok(match &*locked(&self.lease) {
            Some(held) if held.token == lease.token => LeaseAnswer::Taken { from: None },
            Some(other) => LeaseAnswer::HeldBy(told(other)),
            None => LeaseAnswer::Free,
        })
    }

    async fn release_lease(&self) -> Result<(), HostError> {
        self.reach().await?;
        let token = locked(&self.token).clone();
        locked(&self.lease).take_if(|held| held.token == token);
        Ok(())
    }

    async fn show_lease(&self) -> Result<LeaseAnswer, HostError> {
        self.reach().await?;
        Ok(locked(&self.lease).as_ref().map_or(LeaseAnswer::Free, |held| LeaseAnswer::HeldBy(told(held))))
    }

    async fn seize_lease(&self, operator: &str, from: &Held) -> Result<bool, HostError> {
        self.reach().await?;
        let mut held = locked(&self.lease);
        let same = held.as_ref().is_some_and(|held| held.session == from.session);
        if same {
            *held = Some(Lease { operator: operator.into(), token: "seized".into(), ..Lease::none() });
        }
        Ok(same)
    }

    async fn start_job(&self, spec: &JobSpec) -> Result<(), HostError> {
        self.reach().await?;
        self.prove()?;
        let job = Arc::new(Job { boot: self.boots(), run: Mutex::default(), news: Notify::new() });
        {
            let mut jobs = locked(&self.jobs);
            if jobs.contains_key(&spec.name) {
                return Ok(());
            }
            if let Some((other, _)) = jobs.iter().find(|(_, other)| self.status(other) == JobStatus::Running) {
                let (host, new) = (&self.name, &spec.name);
                self.sim.with(|world| world.break_rule(format_args!("{host}: {new} was started while {other} ran")));
            }
            jobs.insert(spec.name.clone(), job.clone());
        }
        let screen = job.clone();
        let terminal: Terminal = Arc::new(move |line| screen.print(line.as_bytes()));
        let secrets = spec.secrets.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
        let env = spec.env.clone().into_iter().chain(secrets).collect();
        let shell = self.shell(&env, Some(&terminal));
        let task = tokio::spawn(run(shell, spec.clone(), job.clone(), self.sim.clone(), self.name.clone()));
        locked(&job.run).task = Some(task.abort_handle());
        if self.strikes(FaultKind::LostAck) {
            return Err(HostError::Lost(format!("{}: the connection broke before the answer came", self.name)));
        }
        Ok(())
    }

    async fn poll_job(&self, name: &JobName, offset: u64) -> Result<JobNews, HostError> {
        self.reach().await?;
        let Some(job) = self.job(name) else { return Ok(JobNews { output: Vec::new(), status: JobStatus::Absent }) };
        if self.status(&job) == JobStatus::Running && self.strikes(FaultKind::ConnectionDrop) {
            let until = self.sim.with(|world| world.now + world.machine(&self.name).random.millis(5000..10_000));
            *locked(&self.broken_until) = until;
            return Err(HostError::Lost(format!("{}: the connection broke; the job goes on without us", self.name)));
        }
        let news = job.news.notified();
        let news_at_once = locked(&job.run).output.len() as u64 > offset || self.status(&job) != JobStatus::Running;
        if !news_at_once {
            // Said again where the second passes without any: that is news enough.
            let _ = timeout(Duration::from_secs(1), news).await;
            self.reach().await?;
        }
        let status = self.status(&job);
        let run = locked(&job.run);
        let rest = run.output.get(offset as usize..).unwrap_or_default();
        let output = rest[..rest.len().min(PIECE)].to_vec();
        let status = if output.len() < rest.len() { JobStatus::Running } else { status };
        Ok(JobNews { output, status })
    }

    async fn claim_job(&self, name: &JobName) -> Result<JobStatus, HostError> {
        self.reach().await?;
        let boot = self.boots();
        let job = locked(&self.jobs)
            .entry(name.clone())
            .or_insert_with(|| {
                let run = Run { barred: true, ..Run::default() };
                Arc::new(Job { boot, run: Mutex::new(run), news: Notify::new() })
            })
            .clone();
        Ok(self.status(&job))
    }

    async fn end_job(&self, name: &JobName) -> Result<(), HostError> {
        self.reach().await?;
        self.prove()?;
        if let Some(job) = self.job(name).filter(|job| self.status(job) == JobStatus::Running) {
            if let Some(task) = &locked(&job.run).task {
                task.abort();
            }
            job.end(ENDED);
        }
        Ok(())
    }

    async fn push(&self, path: &str, mode: &str, content: &[u8], progress: Progress) -> Result<Digest, HostError> {
        self.reach().await?;
        self.prove()?;
        let mode = u32::from_str_radix(mode, 8)
            .map_err(|_| HostError::Refused(format!("{}: `{mode}` is no octal mode for {path}", self.name)))?;
        self.sim.with(|world| {
            let disk = &world.machine(&self.name).disk;
            disk.put(path, content);
            disk.own(path, Some("root"), Some(mode));
        });
        progress(content.len() as u64, content.len() as u64);
        Ok(Digest::of(content))
    }

    async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, HostError> {
        self.reach().await?;
        Ok(self.sim.with(|world| world.machine(&self.name).disk.read(path)))
    }

    async fn fetch(&self, path: &str, into: &Path, progress: Progress) -> Result<Fetched, HostError> {
        self.reach().await?;
        let content = self.sim.with(|world| world.machine(&self.name).disk.read(path));
        let content = content.ok_or_else(|| HostError::Refused(format!("{}: there is no file {path}", self.name)))?;
        sleep(Duration::from_millis(300)).await;
        self.reach().await?;
        if self.strikes(FaultKind::CorruptFetch) {
            return Err(HostError::Refused(format!(
                "{}: {path} arrived with another digest than it has there; fetch it again",
                self.name
            )));
        }
        progress(content.len() as u64, content.len() as u64);
        keep(into, &content)
            .map_err(|error| HostError::Refused(format!("{}: cannot write {}: {error}", self.name, into.display())))?;
        Ok(Fetched { bytes: content.len() as u64, sha256: Digest::of(&content) })
    }
}

/// Writes a fetched file here: 0600, whole or not at all.
fn keep(into: &Path, content: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let dir = into.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir)?;
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(content)?;
    file.persist(into)?;
    Ok(())
}
