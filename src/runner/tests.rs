//! A disk that does not answer: what is seen goes on, what is done waits.

use std::path::Path;

use crate::documents::{Source, plan, read_runbook};
use crate::engine::gate_view;
use crate::journal::thread::tests::Slow;
use crate::model::TaskId;
use crate::model::event::Mode;
use crate::model::state::Phase;
use crate::practice::{Kind, Practice};
use crate::probe::Request;

use super::*;

const RUNBOOK: &str = "runbook: short
title: A script that says something
stages:
  - stage: one
    title: One
    hosts: etcd
    steps:
      - step: say
        title: Say something
        run: echo said
        undo: 'true'
";

const TASK: TaskId = TaskId(0);

/// A session on real time, whose journal is on that disk.
fn runner(disk: &Slow) -> Runner {
    let practice = Practice::new(Kind::Etcd, 1, Vec::new());
    let source = Source::file(Path::new("short.yaml"), RUNBOOK);
    let inventory = practice.inventory();
    let place = Source::file(Path::new("practice"), "");
    let plan = plan::build(&inventory, &place, &read_runbook(&source).unwrap(), &source, &[]).unwrap();
    let host = |host: &crate::model::Host| -> (HostName, (Arc<dyn Operate>, String)) {
        let script = Request::for_host(host, &plan.runbook.probe, &plan.vars[&host.name]).script();
        (host.name.clone(), (practice.host(&host.name), script))
    };
    let hosts = inventory.hosts.iter().map(host).collect();
    let mut recorder = Recorder::over(State::default(), Some(Box::new(disk.clone())), Clock::Real);
    recorder
        .record(Event::SessionStarted {
            session: "s".into(),
            mode: Mode::Practice,
            version: "0".into(),
            operator: "o".into(),
            inventory: Box::new(inventory),
            plan: Some(Box::new(plan)),
        })
        .unwrap();
    let interval = Duration::from_millis(20);
    Runner::new(
        recorder,
        Setup {
            hosts,
            artifacts: "/".into(),
            operator: "o".into(),
            seat: "s".into(),
            interval,
            secrets: Secrets::default(),
        },
    )
}

async fn until(runner: &mut Runner, such: impl Fn(&Runner) -> bool) {
    while !such(runner) {
        runner.changed().await.unwrap();
    }
}

/// Every host is looked at once more, and then once more again: whatever did not wait would have been done by then.
async fn looked_at_twice(runner: &mut Runner) {
    for _ in 0..2 {
        let seq = runner.state().seq;
        let since = runner.now();
        runner.record(Event::NoteAdded { text: "look again".into() }).unwrap();
        until(runner, |runner| {
            runner
                .state()
                .hosts
                .values()
                .all(|host| host.facts.as_ref().is_some_and(|seen| seen.asked > seq && seen.at > since))
        })
        .await;
    }
}

fn phase(runner: &Runner) -> &Phase {
    &runner.state().tasks[TASK.index()].phase
}

fn holds_leases(runner: &Runner) -> usize {
    runner.leases.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_on_a_host_before_it_is_on_disk_and_all_else_goes_on() {
    let disk = Slow::default();
    disk.stick();
    let mut runner = runner(&disk);
    looked_at_twice(&mut runner).await;
    assert_eq!(holds_leases(&runner), 0, "a lease is asked for when that is on disk");
    disk.go_on();
    until(&mut runner, |runner| holds_leases(runner) == runner.hosts.len()).await;
    until(&mut runner, |runner| {
        gate_view(runner.state(), TASK, runner.now()).is_some_and(|gate| gate.refusal.is_none())
    })
    .await;
    disk.stick();
    runner.submit(&Intent::OpenGate { task: TASK, typed: None, shown_ms: None, together: None }).unwrap().unwrap();
    looked_at_twice(&mut runner).await;
    assert_eq!(*phase(&runner), Phase::Starting, "it is intended, and not sent out");
    disk.go_on();
    until(&mut runner, |runner| *phase(runner) == Phase::Done).await;
    assert!(runner.close().await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_ends_the_session_and_nothing_is_begun() {
    let disk = Slow::default();
    let mut runner = runner(&disk);
    until(&mut runner, |runner| {
        gate_view(runner.state(), TASK, runner.now()).is_some_and(|gate| gate.refusal.is_none())
    })
    .await;
    until(&mut runner, |runner| holds_leases(runner) == runner.hosts.len()).await;
    disk.stick();
    runner.submit(&Intent::OpenGate { task: TASK, typed: None, shown_ms: None, together: None }).unwrap().unwrap();
    disk.fail(28);
    let error = loop {
        if let Err(error) = runner.changed().await {
            break error.to_string();
        }
    };
    assert!(error.contains("cannot sync"), "{error}");
    assert_eq!(*phase(&runner), Phase::Starting);
    assert!(runner.submit(&Intent::Pause).is_err(), "and it stays so");
    assert!(runner.close().await.is_err());
}
