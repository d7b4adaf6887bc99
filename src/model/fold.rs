//! `State = fold(State, Record)`: total, without a clock, and the same on every machine.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::event::{Event, JobKind, Record};
use super::logtail::{LineKind, clean};
use super::progress::{Progress, Stood};
use super::state::{Artifact, Ending, HostState, JobState, Link, Moving, Note, Phase, Seen, Session, State, TaskState};
use super::{Facts, HostName, Plan, TaskId, patch};

impl State {
    /// The state after all these records.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut state = Self::default();
        for record in records {
            state.apply(record);
        }
        state
    }

    /// Takes one more event in. An event that does not fit (an unknown host, a task of no plan) changes nothing but
    /// the count: a journal is read, never trusted.
    #[expect(
        clippy::too_many_lines,
        reason = "one arm an event, so that all of a session's meaning is read in one place"
    )]
    pub fn apply(&mut self, record: &Record) {
        self.seq = record.seq;
        self.now = record.at;
        match &record.event {
            Event::SessionStarted { session, mode, version: _, operator, inventory, plan } => {
                let names = inventory.hosts.iter().map(|host| host.name.clone());
                self.hosts = names.map(|name| (name, HostState::default())).collect();
                self.session = Some(Session {
                    id: session.clone(),
                    mode: *mode,
                    operator: operator.clone(),
                    started: record.at,
                    inventory: Arc::new((**inventory).clone()),
                    resumed: 0,
                    watched_since: record.at,
                });
                let plan = plan.as_ref().filter(|plan| plan.holds_together());
                self.plan = plan.map(|plan| Arc::new((**plan).clone()));
                self.tasks = plan.iter().flat_map(|plan| &plan.tasks).map(|_| TaskState::default()).collect();
                self.progress = plan.map_or_else(Progress::default, |plan| Progress::of(plan));
                (self.artifacts, self.undo) = (Vec::new(), Vec::new());
            }
            Event::SessionResumed { operator } => self.resume(operator),
            Event::SessionEnded { outcome } => {
                self.outcome = Some(outcome.clone());
                self.ended = Some(record.at);
            }
            Event::WorkPaused => self.paused = true,
            Event::WorkContinued => self.paused = false,
            Event::NoteAdded { text } => self.notes.push(Note { at: record.at, text: text.clone() }),

            Event::HostConnected { host } => {
                self.say(host, LineKind::Wizard, "connected");
                self.on_host(host, |host| host.link = Link::Up);
            }
            Event::HostLost { host, reason } => {
                let since = record.at;
                self.say(host, LineKind::Trouble, reason);
                self.on_reboot(host, |task| task.away = Some(task.away.unwrap_or(since)));
                self.on_host(host, |host| {
                    host.link = Link::Lost { since, reason: clean(reason) };
                    host.stale = Some("the host does not answer".into());
                });
            }
            Event::FactsSeen { host, asked, facts } => self.see(host, *asked, (**facts).clone()),
            Event::FactsChanged { host, asked, changes } => {
                let known = self.hosts.get(host).and_then(|host| host.facts.as_ref());
                if let Some(facts) = known.and_then(|seen| patch::apply(&*seen.facts, changes)) {
                    self.see(host, *asked, facts);
                }
            }
            Event::Beat { asked, seen, hosts, but } => self.beat(*asked, *seen, hosts, but),
            Event::FactsConfirmed { host, asked } => self.on_host(host, |host| {
                if let Some(seen) = &mut host.facts {
                    seen.at = record.at;
                    seen.asked = *asked;
                    host.stale = None;
                }
            }),
            Event::HostRebooted { host, ordered } => {
                self.on_reboot(host, |task| task.back = Some(record.at));
                if *ordered {
                    self.say(host, LineKind::Wizard, "rebooted, as ordered");
                } else {
                    self.say(host, LineKind::Trouble, "rebooted, and nobody here ordered it");
                    self.on_host(host, |host| host.rebooted = Some(record.at));
                }
            }
            Event::RebootAccepted { host } => {
                self.say(host, LineKind::Wizard, "the operator has looked into the reboot");
                self.on_host(host, |host| host.rebooted = None);
            }
            Event::WindowSet { from, until } => (self.window_from, self.window_until) = (*from, Some(*until)),
            Event::ProbeFailed { host, reason } => {
                self.say(host, LineKind::Trouble, reason);
                self.on_host(host, |host| host.stale = Some(clean(reason)));
            }
            Event::LeaseTaken { host, from } => {
                if let Some(from) = from {
                    self.say(host, LineKind::Wizard, &format!("its lease was taken over from {from}"));
                }
                self.on_host(host, |host| (host.leased, host.barred) = (true, None));
            }
            Event::HostBarred { host, reason } | Event::LeaseLost { host, reason } => {
                self.say(host, LineKind::Trouble, reason);
                self.on_host(host, |host| (host.leased, host.barred) = (false, Some(clean(reason))));
            }

            Event::GateShown { task } => {
                if self.task(*task).is_some_and(|(_, _, task)| task.phase == Phase::Opened) {
                    let why = "nothing was run: another etcd member may have gone down since the gate was opened";
                    self.say_task(*task, LineKind::Trouble, why);
                }
                self.take_values_up(*task);
                self.enter(*task, Phase::Gate, |task| {
                    task.checks.clear();
                    task.job = None;
                    task.compared.clear();
                    task.pushed.clear();
                });
            }
            Event::GateOpened { task, typed: _, checks, boot_id, shown_ms: _ } => {
                self.say_task(*task, LineKind::Wizard, "gate opened");
                self.enter(*task, Phase::Opened, |task| {
                    task.began = Some(record.at);
                    (task.away, task.back, task.moving) = (None, None, None);
                    task.checks.clone_from(checks);
                    task.boot_id.clone_from(boot_id);
                });
            }
            Event::PushEdited { task, file } => {
                self.on_task(*task, |task| drop(task.compared.remove(&file.path)));
                let digest = file.sha256.as_str();
                self.say_task(*task, LineKind::Wizard, &format!("{} edited (sha256 {digest:.12}…)", file.path));
                if let Some(planned) =
                    self.plan.as_mut().and_then(|plan| Arc::make_mut(plan).tasks.get_mut(task.index()))
                    && let Some(push) = planned.pushes.iter_mut().find(|push| push.path == file.path)
                {
                    push.clone_from(file);
                }
            }
            Event::VarSet { task, name, value, reason } => {
                let value_shown = if value.is_empty() { "''" } else { value };
                self.say_task(*task, LineKind::Wizard, &format!("{name} is {value_shown} from here on: {reason}"));
                self.set_var(*task, name, value);
            }
            Event::FileCompared { task, path, comparison } => self.on_task(*task, |task| {
                task.compared.insert(path.clone(), (**comparison).clone());
            }),
            Event::TaskSkipped { task, reason } => {
                self.say_task(*task, LineKind::Wizard, &format!("skipped: {reason}"));
                self.enter(*task, Phase::Skipped { reason: reason.clone() }, |_| {});
            }
            Event::TaskNotNeeded { task } => self.enter(*task, Phase::NotNeeded, |_| {}),
            Event::FilePushed { task, path, sha256 } => {
                self.say_task(*task, LineKind::Wizard, &format!("wrote {path} (sha256 {:.12}…)", sha256.as_str()));
                self.on_task(*task, |task| {
                    task.pushed.insert(path.clone(), sha256.clone());
                    task.moving = None;
                });
            }
            Event::JobIntended { task, kind, job } => {
                let what = match kind {
                    JobKind::Run => "running",
                    JobKind::Undo => "undoing",
                };
                self.say_task(*task, LineKind::Wizard, what);
                // What an earlier run left to be brought back is not what this one will leave.
                if *kind == JobKind::Run && self.progress.forget(*task) {
                    self.artifacts.retain(|artifact| artifact.task != *task);
                }
                self.enter(*task, Phase::Starting, |task| {
                    match kind {
                        JobKind::Run => task.attempts += 1,
                        JobKind::Undo => {
                            task.undo_attempts += 1;
                            task.began = Some(record.at);
                            (task.away, task.back) = (None, None);
                        }
                    }
                    task.job = Some(JobState { name: job.clone(), kind: *kind, offset: 0, ending: None });
                });
            }
            Event::JobStarted { task } => self.enter(*task, Phase::Running, |_| {}),
            Event::JobOutput { task, offset, bytes, text } => {
                for host in self.concerns(*task) {
                    self.on_host(&host, |host| host.log.output(record.at, text));
                }
                self.on_task(*task, |task| {
                    if let Some(job) = &mut task.job {
                        job.offset = offset.saturating_add(*bytes);
                    }
                });
            }
            Event::JobFinished { task, exit } => {
                let kind = if *exit == 0 { LineKind::Wizard } else { LineKind::Trouble };
                self.say_task(*task, kind, &format!("exit status {exit}"));
                self.enter(*task, Phase::Exited { status: *exit }, |_| {});
            }
            Event::JobEndOrdered { task } => {
                self.say_task(*task, LineKind::Wizard, "the operator ends it");
                self.on_task(*task, |task| {
                    let after = task.began.map(|began| record.at.duration_since(began)).unwrap_or_default();
                    if let Some(job) = &mut task.job {
                        job.ending = Some(Ending { ordered: record.at, after, sent: false });
                    }
                });
            }
            Event::JobEndSent { task } => self.on_task(*task, |task| {
                if let Some(ending) = task.job.as_mut().and_then(|job| job.ending.as_mut()) {
                    ending.sent = true;
                }
            }),
            Event::JobEndRefused { task, reason } => {
                self.say_task(*task, LineKind::Trouble, &format!("it could not be ended: {reason}"));
                self.on_task(*task, |task| {
                    if let Some(job) = &mut task.job {
                        job.ending = None;
                    }
                });
            }
            Event::JobUncertain { task, reason } => {
                self.say_task(*task, LineKind::Trouble, &format!("outcome unknown, asking the host: {reason}"));
                self.enter(*task, Phase::Uncertain { reason: reason.clone() }, |_| {});
            }
            Event::JobAbsent { task } => {
                self.say_task(*task, LineKind::Wizard, "the job had not been started on the host, and will not be");
                self.absent(*task);
            }
            Event::JobInterrupted { task, rebooted } => {
                let why = if *rebooted { "the host went down while it ran" } else { "its process is gone" };
                self.say_task(*task, LineKind::Wizard, &format!("the job left no exit status: {why}"));
                self.enter(*task, Phase::Interrupted { rebooted: *rebooted }, |_| {});
            }
            Event::FileMoved { task, path, bytes, total } => self.on_task(*task, |task| {
                let same = task.moving.take().filter(|moving| moving.path == *path && moving.bytes <= *bytes);
                let since = same.map_or((record.at, *bytes), |moving| moving.since);
                task.moving = Some(Moving { path: path.clone(), bytes: *bytes, total: *total, since, at: record.at });
            }),
            Event::ArtifactFetched { task, path, to, bytes, sha256 } => {
                self.say_task(
                    *task,
                    LineKind::Wizard,
                    &format!("brought {path} to {to}: {bytes} bytes, sha256 {:.12}… on both ends", sha256.as_str()),
                );
                self.on_task(*task, |task| task.moving = None);
                let Some(host) = self.runs_on(*task) else { return };
                if self.progress.bring(*task, path) {
                    self.artifacts.retain(|artifact| artifact.task != *task || artifact.path != *path);
                }
                self.artifacts.push(Artifact {
                    task: *task,
                    host,
                    path: path.clone(),
                    to: to.clone(),
                    bytes: *bytes,
                    sha256: sha256.clone(),
                });
            }
            Event::VerifyStarted { task } => self.enter(*task, Phase::Verifying, |_| {}),
            Event::TaskDone { task, checks } => {
                self.say_task(*task, LineKind::Wizard, "done");
                self.enter(*task, Phase::Done, |task| {
                    task.checks.clone_from(checks);
                    task.took = task.began.map(|began| record.at.duration_since(began));
                });
            }
            Event::TaskFailed { task, at, reason } => {
                self.say_task(*task, LineKind::Trouble, reason);
                self.undo.clear();
                self.enter(*task, Phase::Failed { at: *at, reason: clean(reason) }, |task| task.failures += 1);
            }
            Event::UndoOpened { tasks } => self.undo.clone_from(tasks),
            Event::TaskUndone { task, checks: _ } => {
                self.say_task(*task, LineKind::Wizard, "undone");
                self.take_values_up(*task);
                self.undo.retain(|waiting| waiting != task);
                if self.progress.forget(*task) {
                    self.artifacts.retain(|artifact| artifact.task != *task);
                }
                self.enter(*task, Phase::Waiting, |task| {
                    task.checks.clear();
                    task.job = None;
                    task.pushed.clear();
                });
            }

            Event::Unknown(_) => self.unknown_events += 1,
        }
    }

    /// What was opened keeps the value that it was opened with, also to be taken back with.
    fn set_var(&mut self, id: TaskId, name: &str, value: &str) {
        let Some(host) = self.task(id).map(|(task, _, _)| task.host.clone()) else { return };
        let opened = |id: TaskId| {
            let phase = self.tasks.get(id.index()).map(|task| &task.phase);
            !matches!(phase, None | Some(Phase::Waiting | Phase::Gate | Phase::NotNeeded))
        };
        if let Some(plan) = &mut self.plan {
            Arc::make_mut(plan).set_var(&host, name, value, opened);
        }
    }

    /// A task that stands before its gate again is opened with the values of now.
    fn take_values_up(&mut self, id: TaskId) {
        let keeps = |plan: &&mut Arc<Plan>| plan.tasks.get(id.index()).is_some_and(|task| !task.kept.is_empty());
        if let Some(plan) = self.plan.as_mut().filter(keeps) {
            Arc::make_mut(plan).tasks[id.index()].kept.clear();
        }
    }

    /// A probe came back with something new.
    fn see(&mut self, host: &HostName, asked: u64, facts: Facts) {
        let (seq, now) = (self.seq, self.now);
        let known = self.hosts.get(host).and_then(|host| host.facts.as_ref()).map(|seen| seen.facts.clone());
        let new = |problem: &&String| known.as_ref().is_none_or(|facts| !facts.problems.contains(problem));
        for problem in facts.problems.iter().filter(new) {
            self.say(host, LineKind::Trouble, problem);
        }
        let seen = Seen { facts: Arc::new(facts), at: now, asked };
        self.on_host(host, |host| {
            host.first.get_or_insert_with(|| seen.facts.clone());
            if let Some(before) = &host.facts {
                if before.facts.boot_id != seen.facts.boot_id {
                    host.booted = seq;
                }
                let sections = seen.facts.differing(&before.facts);
                host.changed.extend(sections.into_iter().map(|section| (section, now)));
            }
            host.facts = Some(seen);
            host.stale = None;
        });
    }

    /// Probes of many hosts came back with nothing new. What one of them has told meanwhile is not made older by it.
    fn beat(&mut self, asked: u64, at: Timestamp, hosts: &[HostName], but: &[HostName]) {
        let but: HashSet<&HostName> = but.iter().collect();
        let confirm = |host: &mut HostState| {
            let counts = host.link == Link::Up && host.stale.is_none();
            if let Some(seen) = host.facts.as_mut().filter(|_| counts) {
                seen.at = seen.at.max(at);
                seen.asked = seen.asked.max(asked);
            }
        };
        if hosts.is_empty() {
            self.hosts.iter_mut().filter(|(name, _)| !but.contains(name)).for_each(|(_, host)| confirm(host));
        } else {
            hosts.iter().filter(|name| !but.contains(name)).for_each(|name| self.on_host(name, confirm));
        }
    }

    /// After a restart nothing is taken for granted: facts are old, links are down, and a job that was intended has
    /// to be asked for.
    fn resume(&mut self, operator: &str) {
        if let Some(session) = &mut self.session {
            operator.clone_into(&mut session.operator);
            session.resumed += 1;
            session.watched_since = self.now;
        }
        for host in self.hosts.values_mut() {
            host.link = Link::Connecting;
            host.leased = false;
            host.stale = Some("seen before the session was resumed".into());
        }
        let (begun, now): (Vec<TaskId>, _) = (self.gates().chain(self.under_way()).collect(), self.now);
        for id in begun {
            self.change(id, |task| match task.phase {
                Phase::Starting | Phase::Running => {
                    task.phase = Phase::Uncertain { reason: "the session was resumed".into() };
                }
                // It is shown again, so that its checks count facts seen from now on only. What it opened on was long ago as
                // well where nothing but files, which are written again, has come of it yet.
                Phase::Gate | Phase::Opened => task.phase = Phase::Waiting,
                // Nobody has looked meanwhile.
                Phase::Verifying => task.since = now,
                _ => {}
            });
        }
    }

    /// A run that never started stands before its gate again; an undo that never started is intended anew.
    fn absent(&mut self, id: TaskId) {
        let undo = self.tasks.get(id.index()).and_then(|task| task.job.as_ref()).map(|job| job.kind);
        let phase = match undo {
            Some(JobKind::Undo) => Phase::Failed {
                at: super::event::FailedAt::Undo,
                reason: "the undo had not been started on the host".into(),
            },
            Some(JobKind::Run) | None => Phase::Waiting,
        };
        if undo == Some(JobKind::Undo) {
            self.undo.clear();
        }
        self.enter(id, phase, |task| {
            task.job = None;
            match undo {
                Some(JobKind::Undo) => task.failures += 1,
                Some(JobKind::Run) => task.never_begun += 1,
                None => {}
            }
        });
    }

    fn enter(&mut self, id: TaskId, phase: Phase, also: impl FnOnce(&mut TaskState)) {
        let (seq, now) = (self.seq, self.now);
        self.change(id, |task| {
            task.phase = phase;
            task.since_seq = seq;
            task.since = now;
            also(task);
        });
    }

    /// The one door that every change of a phase goes through, so that what is asked of all tasks need not be counted.
    fn change(&mut self, id: TaskId, change: impl FnOnce(&mut TaskState)) {
        let Some(task) = self.tasks.get_mut(id.index()) else { return };
        let stood = Stood::of(task);
        change(task);
        self.progress.moved(id, stood, &self.tasks);
    }

    fn on_task(&mut self, id: TaskId, change: impl FnOnce(&mut TaskState)) {
        if let Some(task) = self.tasks.get_mut(id.index()) {
            change(task);
        }
    }

    /// The task under way that reboots a host.
    fn on_reboot(&mut self, host: &HostName, change: impl FnOnce(&mut TaskState)) {
        let Some(plan) = self.plan.clone() else { return };
        let reboots = |id: &TaskId| {
            plan.tasks.get(id.index()).is_some_and(|task| task.host == *host && plan.step_of(task).reboots)
        };
        let found = self.under_way().find(reboots);
        if let Some(id) = found {
            self.on_task(id, change);
        }
    }

    fn on_host(&mut self, name: &HostName, change: impl FnOnce(&mut HostState)) {
        if let Some(host) = self.hosts.get_mut(name) {
            change(host);
        }
    }

    /// The host that a task's script runs on, and the one that it is about where that is another: both logs tell of it.
    fn concerns(&self, id: TaskId) -> Vec<HostName> {
        let Some(task) = self.plan.as_ref().and_then(|plan| plan.tasks.get(id.index())) else { return Vec::new() };
        if task.on == task.host { vec![task.on.clone()] } else { vec![task.on.clone(), task.host.clone()] }
    }

    fn runs_on(&self, id: TaskId) -> Option<HostName> {
        Some(self.plan.as_ref()?.tasks.get(id.index())?.on.clone())
    }

    fn say(&mut self, host: &HostName, kind: LineKind, text: &str) {
        let now = self.now;
        self.on_host(host, |host| host.log.say(now, kind, text));
    }

    /// A line in the log of the host that a task runs on, after the name of its step.
    fn say_task(&mut self, id: TaskId, kind: LineKind, text: &str) {
        let Some(plan) = self.plan.clone() else { return };
        let Some(task) = plan.tasks.get(id.index()) else { return };
        let step = &plan.step_of(task).name;
        if task.on == task.host {
            self.say(&task.on, kind, &format!("{step}: {text}"));
        } else {
            self.say(&task.on, kind, &format!("{step} for {}: {text}", task.host));
            self.say(&task.host, kind, &format!("{step} on {}: {text}", task.on));
        }
    }
}
