//! A session on practice hosts with one script that would run for hours, driven without a screen.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test takes what it needs, and what it cannot do without may end it"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use jiff::SignedDuration;
use lockkeeper::documents::{Source, plan, read_runbook};
use lockkeeper::engine::{Intent, Refusal, gate_view};
use lockkeeper::hosts::Operate;
use lockkeeper::journal::{self, Writer};
use lockkeeper::model::event::{Event, Mode};
use lockkeeper::model::state::Phase;
use lockkeeper::model::{HostName, Secrets, State, TaskId};
use lockkeeper::practice::{Kind, Practice};
use lockkeeper::probe::Request;
use lockkeeper::runner::{Clock, Recorder, Runner, Setup};

const RUNBOOK: &str = "runbook: long
title: A script that would run for hours
stages:
  - stage: one
    title: One
    hosts: etcd
    steps:
      - step: wait
        title: Wait
        run: |
          echo begun
          sleep 7200
          echo through
        timeout: 3h
        repeatable: true
        if_ended: what was begun stays begun
        undo: 'true'
";

pub const TASK: TaskId = TaskId(0);

pub struct Bench {
    pub practice: Practice,
    directory: tempfile::TempDir,
    clock: Clock,
}

impl Bench {
    pub fn new() -> Self {
        Self::of(Kind::Etcd)
    }

    pub fn of(kind: Kind) -> Self {
        let clock = Clock::virtual_from("2017-04-22T13:00:00Z".parse().unwrap());
        Self { practice: Practice::new(kind, 1, Vec::new()), directory: tempfile::tempdir().unwrap(), clock }
    }

    fn journal(&self) -> std::path::PathBuf {
        self.directory.path().join("session.jsonl")
    }

    pub fn begin(&self) -> Runner {
        self.begin_with(&Source::file(Path::new("long.yaml"), RUNBOOK), "", &[])
    }

    /// With a runbook as it is practised on a cluster, but for these values.
    pub fn begin_with(&self, source: &Source, cluster: &str, given: &[(String, String)]) -> Runner {
        let runbook = read_runbook(source).unwrap();
        let mut inventory = self.practice.inventory();
        inventory.vars.extend(runbook.practice.get(cluster).cloned().unwrap_or_default());
        let place = Source::file(Path::new("practice"), "");
        let plan = plan::build(&inventory, &place, &runbook, source, given).unwrap();
        let mut recorder = Recorder::new(State::default(), Some(Writer::create(&self.journal()).unwrap()), self.clock);
        let started = Event::SessionStarted {
            session: "s".into(),
            mode: Mode::Practice,
            version: "0".into(),
            operator: "o".into(),
            inventory: Box::new(inventory),
            plan: Some(Box::new(plan)),
        };
        recorder.record(started).unwrap();
        self.runner(recorder)
    }

    /// As after a crash: from the journal alone, on the same hosts.
    pub fn resume(&self) -> Runner {
        let (writer, records) = Writer::resume(&self.journal()).unwrap();
        let mut recorder = Recorder::new(State::of(&records), Some(writer), self.clock);
        recorder.record(Event::SessionResumed { operator: "o".into() }).unwrap();
        self.runner(recorder)
    }

    fn runner(&self, recorder: Recorder) -> Runner {
        let plan = recorder.state().plan.clone().unwrap();
        let host = |name: &HostName| -> (HostName, (Arc<dyn Operate>, String)) {
            let host = plan.inventory.host(name).unwrap();
            let request = Request::for_host(host, &plan.runbook.probe, &plan.vars[name]);
            (name.clone(), (self.practice.host(name), request.script()))
        };
        let hosts: IndexMap<_, _> = plan.inventory.hosts.iter().map(|each| host(&each.name)).collect();
        let artifacts = self.directory.path().join("artifacts");
        Runner::new(
            recorder,
            Setup {
                hosts,
                artifacts,
                operator: "o".into(),
                seat: "s".into(),
                interval: Duration::from_secs(3),
                secrets: Secrets::default(),
            },
        )
    }

    pub fn count(&self, which: fn(&Event) -> bool) -> usize {
        journal::read(&self.journal()).unwrap().records.iter().filter(|record| which(&record.event)).count()
    }
}

/// Goes on until the first task stands in that way; for two minutes at most.
pub async fn until(runner: &mut Runner, stands: impl Fn(&Phase) -> bool) {
    let began = runner.now();
    while !stands(&runner.state().tasks[TASK.index()].phase) {
        let phase = &runner.state().tasks[TASK.index()].phase;
        assert!(runner.now().duration_since(began) < SignedDuration::from_mins(2), "it stays at {phase:?}");
        runner.changed().await.unwrap();
    }
}

/// Opens the first gate and waits until its script has run for a minute.
pub async fn running(runner: &mut Runner) {
    ready(runner).await;
    open(runner).unwrap();
    until(runner, |phase| *phase == Phase::Running).await;
    let began = runner.now();
    while runner.now().duration_since(began) < SignedDuration::from_mins(1) {
        runner.changed().await.unwrap();
    }
}

/// Waits until the first gate may be opened.
pub async fn ready(runner: &mut Runner) {
    until(runner, |phase| *phase == Phase::Gate).await;
    while gate_view(runner.state(), TASK, runner.now()).is_none_or(|gate| gate.refusal.is_some()) {
        runner.changed().await.unwrap();
    }
}

/// Opens it.
pub fn open(runner: &mut Runner) -> Result<(), Refusal> {
    runner.submit(&Intent::OpenGate { task: TASK, typed: None, shown_ms: None, together: None }).unwrap()
}
