//! The only part that acts: one total order of events, and effects that become work on hosts.
//!
//! Every host has one task that watches it and at most a few that work on it. All of them report into one channel; what
//! is taken from it is handed to the journal, folded into the state, and followed by whatever the engine says follows, once the
//! journal has what it follows from on disk.

mod clock;
mod compare;
mod lease;
mod monitor;
mod output;
mod recorder;
mod sightings;
mod watch;
mod work;

pub use clock::Clock;
pub use monitor::Monitor;
pub use recorder::Recorder;
pub use watch::INTERVAL;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};
use tokio::task::{AbortHandle, JoinSet};

use self::sightings::Sightings;
use self::watch::Watch;
use self::work::{Errand, Work};
use crate::engine::{self, Effect, Intent, Refusal};
use crate::hosts::Operate;
use crate::journal::{Behind, JournalError};
use crate::model::event::Outcome;
use crate::model::{Digest, Event, Facts, HostName, Redactor, Secrets, State};

/// What a host's tasks tell the runner.
#[derive(Debug)]
enum Report {
    /// Something happened.
    Event(Event),
    /// A probe came back.
    Facts { host: HostName, asked: u64, facts: Box<Facts> },
    /// A piece of work came to its end.
    Ended { effect: Effect, event: Event },
}

impl Report {
    /// The event that a report amounts to. Facts that are just as before are only confirmed, which keeps journals small.
    fn event(self, state: &State) -> Event {
        match self {
            Self::Event(event) | Self::Ended { event, .. } => event,
            Self::Facts { host, asked, facts } => {
                let before = state.host(&host).and_then(|host| host.facts.as_ref());
                if before.is_some_and(|seen| *seen.facts == *facts) {
                    Event::FactsConfirmed { host, asked }
                } else {
                    Event::FactsSeen { host, asked, facts }
                }
            }
        }
    }
}

/// Reports that may wait to be taken. A job that prints faster than they are taken is slowed down, never dropped.
const BACKLOG: usize = 1024;

/// How often the engine is asked what follows when nothing happens: deadlines are kept to this.
const TICK: Duration = Duration::from_millis(500);

/// So long a disk may take before the operator hears of it.
const SILENT: Duration = Duration::from_secs(2);

/// What a runner is given to act on.
pub struct Setup {
    /// Every host of the inventory, with its probe.
    pub hosts: IndexMap<HostName, (Arc<dyn Operate>, String)>,
    /// Where files from hosts are kept.
    pub artifacts: PathBuf,
    /// Who acts.
    pub operator: String,
    /// Which journal on which machine, one line: a lease that an earlier process has left under it may be had.
    pub seat: String,
    /// Between the end of a host's probe and the next.
    pub interval: std::time::Duration,
    /// The values of the plan's secret variables.
    pub secrets: Secrets,
}

/// How this process stands to a host's lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    /// It is ours.
    Ours,
    /// It was ours.
    Lost,
}

/// A session that acts on hosts.
pub struct Runner {
    recorder: Recorder,
    sightings: Sightings,
    hosts: IndexMap<HostName, Arc<dyn Operate>>,
    nudges: BTreeMap<HostName, Arc<Notify>>,
    artifacts: PathBuf,
    operator: String,
    tasks: JoinSet<()>,
    working: BTreeMap<Effect, AbortHandle>,
    leasing: BTreeMap<HostName, AbortHandle>,
    leases: BTreeMap<HostName, Hold>,
    /// Proves to hosts that it is this process that acts.
    token: String,
    seat: String,
    secrets: Secrets,
    /// Takes them out of whatever becomes an event.
    redactor: Arc<Redactor>,
    reports: mpsc::Receiver<Report>,
    reporter: mpsc::Sender<Report>,
}

impl Runner {
    /// Begins to act. The recorder's state has a session and a plan: a new one just started, or an old one resumed.
    #[must_use]
    pub fn new(recorder: Recorder, setup: Setup) -> Self {
        let (reporter, reports) = mpsc::channel(BACKLOG);
        let mut runner = Self {
            recorder,
            sightings: Sightings::new(),
            hosts: IndexMap::new(),
            nudges: BTreeMap::new(),
            artifacts: setup.artifacts,
            operator: setup.operator,
            tasks: JoinSet::new(),
            working: BTreeMap::new(),
            leasing: BTreeMap::new(),
            leases: BTreeMap::new(),
            token: uuid::Uuid::now_v7().simple().to_string(),
            seat: setup.seat,
            redactor: Arc::new(Redactor::new(setup.secrets.values().flat_map(BTreeMap::values))),
            secrets: setup.secrets,
            reports,
            reporter,
        };
        for (name, (host, script)) in setup.hosts {
            let nudge = Arc::new(Notify::new());
            let (reports, seq, clock) = (runner.reporter.clone(), runner.recorder.seq(), runner.recorder.clock());
            let interval = setup.interval;
            runner.tasks.spawn(
                Watch {
                    name: name.clone(),
                    host: host.clone(),
                    script,
                    nudge: nudge.clone(),
                    reports,
                    seq,
                    clock,
                    interval,
                    redactor: runner.redactor.clone(),
                }
                .run(),
            );
            runner.nudges.insert(name.clone(), nudge);
            runner.hosts.insert(name, host);
        }
        runner
    }

    /// What the session adds up to.
    #[must_use]
    pub fn state(&self) -> &State {
        self.recorder.state()
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.recorder.clock().now()
    }

    /// Waits for something to happen, and takes in all that has.
    ///
    /// # Errors
    /// When the journal cannot be written: then nothing more happens in this session.
    pub async fn changed(&mut self) -> Result<(), JournalError> {
        // The tick carries deadlines; the reports carry all else.
        let due = self.sightings.due_in(self.recorder.state(), self.recorder.clock().now());
        let tick = due.map_or(TICK, |due| due.min(TICK));
        // Where the disk is too far behind, hosts wait, and the operator's hands do not.
        let open = !self.recorder.is_full();
        let report = tokio::select! {
            biased;
            error = self.recorder.failed() => return Err(error),
            report = self.reports.recv(), if open => report,
            () = tokio::time::sleep(tick) => None,
        };
        if let Some(report) = report {
            self.take(report)?;
            while !self.recorder.is_full()
                && let Ok(report) = self.reports.try_recv()
            {
                self.take(report)?;
            }
        }
        self.settle()
    }

    /// What the operator asks for.
    ///
    /// # Errors
    /// The engine's refusal, or that the journal cannot be written.
    pub fn submit(&mut self, intent: &Intent) -> Result<Result<(), Refusal>, JournalError> {
        match engine::decide(self.state(), self.now(), intent) {
            Ok(events) => {
                for mut event in events {
                    // Who acts may write a secret down as well as a host may print it.
                    if let Event::NoteAdded { text: words }
                    | Event::TaskSkipped { reason: words, .. }
                    | Event::SessionEnded { outcome: Outcome::Aborted { reason: words } } = &mut event
                    {
                        *words = self.redactor.redact(words).into_owned();
                    }
                    self.record(event)?;
                }
                self.settle()?;
                Ok(Ok(()))
            }
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// What keeps the session from going on, if anything here does.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let silent = self.recorder.silent().filter(|silent| *silent >= SILENT)?;
        Some(format!(
            "the journal's disk has not answered for {} s: nothing new is begun until it does",
            silent.as_secs()
        ))
    }

    /// Ends what runs here. Jobs on hosts go on; leases are given back only where the session has ended. Returns the digest that
    /// stands for the whole journal, where there is one.
    ///
    /// # Errors
    /// When what was recorded last is not on disk.
    pub async fn close(mut self) -> Result<Option<Digest>, JournalError> {
        let ended = self.state().outcome.is_some();
        self.tasks.shutdown().await;
        let head = self.recorder.close().await?;
        if ended {
            let hosts = self.hosts.values().map(|host| {
                // A host that does not answer keeps its lease; the message of the next session says how to take it over.
                async move { tokio::time::timeout(Duration::from_secs(5), host.release_lease()).await }
            });
            futures::future::join_all(hosts).await;
        }
        Ok(head)
    }

    fn take(&mut self, report: Report) -> Result<(), JournalError> {
        if let Report::Ended { effect, .. } = &report {
            self.working.remove(effect);
        }
        let event = match report {
            Report::Event(event) | Report::Ended { event, .. } => Some(event),
            Report::Facts { host, asked, facts } => {
                self.sightings.take(self.recorder.state(), self.recorder.clock().now(), host, asked, facts)
            }
        };
        let Some(event) = event else { return Ok(()) };
        let rebooted = engine::rebooted(self.state(), &event);
        self.record(event)?;
        rebooted.map_or(Ok(()), |event| self.record(event))
    }

    fn record(&mut self, event: Event) -> Result<(), JournalError> {
        // What was seen before a gate was shown does not count for it: look again at once.
        let waits = match &event {
            Event::GateShown { task } | Event::VerifyStarted { task } => Some(*task),
            _ => None,
        };
        match &event {
            Event::LeaseTaken { host, .. } => drop(self.leases.insert(host.clone(), Hold::Ours)),
            Event::LeaseLost { host, .. } => drop(self.leases.insert(host.clone(), Hold::Lost)),
            _ => {}
        }
        let connected = match &event {
            // A session that has ended and is only looked at keeps nobody out.
            Event::HostConnected { host } if self.state().outcome.is_none() => Some(host.clone()),
            _ => None,
        };
        self.sightings.recorded(&event);
        self.recorder.record(event)?;
        // Not before it is on disk, as whatever is done on a host.
        if let Some(host) = connected {
            self.lease(&host);
        }
        // Not before it is counted: a probe that sets out meanwhile would still count as sent before it.
        for host in waits.map(|task| engine::asked(self.state(), task)).unwrap_or_default() {
            if let Some(nudge) = self.nudges.get(&host) {
                nudge.notify_one();
            }
        }
        Ok(())
    }

    /// Takes in what follows by itself, and sets to work whatever is wanted then.
    fn settle(&mut self) -> Result<(), JournalError> {
        let now = self.now();
        for event in self.sightings.due(self.recorder.state(), now) {
            self.record(event)?;
        }
        loop {
            let events = engine::advance(self.state(), self.now());
            if events.is_empty() {
                break;
            }
            for event in events {
                self.record(event)?;
            }
        }
        let wanted: BTreeSet<Effect> = engine::wanted(self.state()).into_iter().collect();
        self.working.retain(|effect, work| {
            let still = wanted.contains(effect);
            if !still {
                work.abort();
            }
            still
        });
        for effect in wanted {
            if self.working.contains_key(&effect) {
                continue;
            }
            if effect.act.changes_the_host() && !self.may_act(&effect) {
                continue;
            }
            let Some(work) = self.work(&effect) else { continue };
            let behind = if effect.act.only_reads() { Behind::nothing() } else { self.recorder.behind() };
            let handle = self.tasks.spawn(async move {
                if behind.caught_up().await {
                    work.run().await;
                }
            });
            self.working.insert(effect, handle);
        }
        while self.tasks.try_join_next().is_some() {}
        Ok(())
    }

    /// Whether the host that an effect is for is this process's to act on.
    fn may_act(&self, effect: &Effect) -> bool {
        let on = self.state().task(effect.task).map(|(task, _, _)| &task.on);
        on.is_some_and(|host| self.leases.get(host) == Some(&Hold::Ours))
    }

    fn work(&self, effect: &Effect) -> Option<Work> {
        let state = self.state();
        let (task, _, _) = state.task(effect.task)?;
        let errand = Errand::of(state, effect, &self.artifacts, &self.secrets)?;
        let host = self.hosts.get(&task.on)?.clone();
        let (reports, redactor) = (self.reporter.clone(), self.redactor.clone());
        Some(Work { effect: effect.clone(), on: task.on.clone(), host, errand, redactor, reports })
    }

    /// Asks for the lease of a host, at once: whoever has waited to ask again need not any more.
    fn lease(&mut self, name: &HostName) {
        let (Some(host), Some(session)) = (self.hosts.get(name), &self.recorder.state().session) else { return };
        let held = match self.leases.get(name) {
            Some(Hold::Lost) => return,
            Some(Hold::Ours) => true,
            None => false,
        };
        let lease = crate::hosts::Lease {
            session: session.id.clone(),
            operator: self.operator.clone(),
            token: self.token.clone(),
            seat: self.seat.clone(),
        };
        let (behind, held) =
            (self.recorder.behind(), lease::hold(name.clone(), host.clone(), lease, held, self.reporter.clone()));
        let handle = self.tasks.spawn(async move {
            if behind.caught_up().await {
                held.await;
            }
        });
        if let Some(before) = self.leasing.insert(name.clone(), handle) {
            before.abort();
        }
    }
}

#[cfg(test)]
mod tests;
