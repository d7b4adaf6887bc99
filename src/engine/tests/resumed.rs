//! What an interruption, a second try and the passing of time leave behind. The small world found each of these.

use super::play::{HOSTS, check};
use super::*;
use crate::model::Digest;
use crate::model::event::JobKind;
use crate::model::runbook::{Component, Expression, Fetch};

fn resume(play: &mut Play) {
    play.record(Event::SessionResumed { operator: "o".into() });
    play.settle();
}

#[test]
fn a_gate_whose_job_is_not_announced_is_shown_again_when_the_session_is_resumed() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    play.probe();
    let task = play.gate();
    let open = Intent::OpenGate { task, typed: None, shown_ms: None, together: None };
    // The wizard is killed right after this line.
    for event in decide(&play.state, play.now, &open).unwrap() {
        play.record(event);
    }
    play.pass(86_400);
    resume(&mut play);
    assert_eq!(play.state.tasks[task.index()].phase, Phase::Gate, "what it opened on is a day old");
    assert_eq!(wanted(&play.state), []);
    play.probe();
    play.submit(&open).unwrap();
}

#[test]
fn a_verification_has_its_time_after_a_session_was_resumed() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    play.probe();
    let task = play.open();
    play.work(0);
    assert_eq!(play.state.tasks[task.index()].phase, Phase::Verifying);
    play.pass(3600);
    resume(&mut play);
    assert_eq!(play.failed_at(task), None, "nobody has looked meanwhile");
    play.probe();
    assert_eq!(play.state.tasks[task.index()].phase, Phase::Done);
}

#[test]
fn a_second_run_has_its_file_brought_back_again() {
    let backup = Step {
        name: "backup".into(),
        run: Some("save".into()),
        fetch: vec![Fetch { path: "/b.db".into(), name: "b.db".into() }],
        repeatable: true,
        verify: vec![check("host.etcd.healthy")],
        ..Step::default()
    };
    let mut play = Play::new(plan(vec![backup], Order::OneAtATime));
    play.settle();
    play.probe();
    let task = play.open();
    let path = "/b.db".to_owned();
    let ran = |play: &mut Play| {
        play.record(Event::JobStarted { task });
        play.record(Event::JobFinished { task, exit: 0 });
        play.settle();
    };
    ran(&mut play);
    let sha256 = Digest::of(b"x");
    play.record(Event::ArtifactFetched { task, path: path.clone(), to: "b.db".into(), bytes: 1, sha256 });
    play.settle();
    play.pass(61);
    play.settle();
    assert_eq!(play.failed_at(task), Some(FailedAt::Verify));
    play.submit(&Intent::Retry { task }).unwrap();
    play.probe();
    play.open();
    assert_eq!(play.state.artifacts, [], "what this run makes is another file");
    ran(&mut play);
    assert_eq!(wanted(&play.state), [Effect { task, act: Act::Fetch(path) }]);
}

#[test]
fn a_gate_that_nobody_needs_any_more_goes_and_one_that_was_tried_stays() {
    let step = Step {
        name: "cordon".into(),
        run: Some("cordon".into()),
        only_if: Some(Expression("host.etcd.healthy".into())),
        repeatable: true,
        ..Step::default()
    };
    let shown = || {
        let mut play = Play::new(plan(vec![step.clone()], Order::OneAtATime));
        play.settle();
        play.probe();
        let task = play.gate();
        (play, task)
    };
    let (mut play, task) = shown();
    play.up.insert("etcd1", false);
    play.probe();
    assert_eq!(play.state.tasks[task.index()].phase, Phase::NotNeeded, "somebody else has done it");
    // Its run never began, and then somebody else did it: what we did not do is not ours to take back.
    let (mut play, task) = shown();
    play.probe();
    play.open();
    play.record(Event::JobUncertain { task, reason: "lost".into() });
    play.record(Event::JobAbsent { task });
    play.settle();
    play.up.insert("etcd1", false);
    play.probe();
    assert_eq!(play.state.tasks[task.index()].phase, Phase::NotNeeded, "nothing of it was done by us");
    let (mut play, task) = shown();
    play.probe();
    play.open();
    play.work(1);
    assert_eq!(play.failed_at(task), Some(FailedAt::Run));
    play.submit(&Intent::Retry { task }).unwrap();
    play.up.insert("etcd1", false);
    play.probe();
    assert_eq!(play.state.tasks[task.index()].phase, Phase::Gate, "it may be half done, by us");
}

#[test]
fn a_member_that_is_not_seen_is_not_taken_back_beside_one_that_is_down() {
    let mut steps = steps();
    for step in &mut steps {
        step.require.clear();
        step.point_of_no_return = None;
        step.undo = Some("the other way round".into());
    }
    steps[2].starts = vec![Component::Etcd];
    let mut play = Play::new(plan(steps, Order::OneAtATime));
    play.settle();
    play.walk(3);
    play.up.insert("etcd2", false);
    play.probe();
    play.record(Event::HostLost { host: "etcd1".into(), reason: "silent".into() });
    let refusal = play.submit(&Intent::Undo { host: "etcd1".into() }).unwrap_err();
    assert!(matches!(refusal, Refusal::Quorum { .. }), "it may be well, and is needed: {refusal}");
    assert!(!play.records.iter().any(|record| matches!(record.event, Event::JobIntended { kind: JobKind::Undo, .. })));
}

#[test]
fn a_promise_has_its_time_after_a_session_was_resumed() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    play.walk(9);
    // The wizard is killed before anybody has looked whether the promise is kept.
    let last = play.records.iter().rposition(|record| matches!(record.event, Event::TaskDone { .. })).unwrap();
    play.records.truncate(last + 1);
    play.state = State::of(&play.records);
    play.pass(7200);
    resume(&mut play);
    assert_eq!(play.state.outcome, None, "nobody has looked meanwhile");
    play.probe();
    assert_eq!(play.state.outcome, Some(Outcome::Completed));
}

#[test]
fn no_gate_opens_and_nothing_is_taken_back_before_the_lease_is_ours() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    play.probe();
    let first = play.open();
    play.work(0);
    play.probe();
    assert_eq!(play.state.tasks[first.index()].phase, Phase::Done);
    resume(&mut play);
    let probed: Vec<Event> = play.records.iter().rev().map(|record| record.event.clone()).collect();
    for host in HOSTS {
        let last =
            probed.iter().find(|event| matches!(event, Event::FactsSeen { host: of, .. } if of.as_str() == host));
        let Some(Event::FactsSeen { facts, .. }) = last.cloned() else { panic!("{host} was seen") };
        play.record(Event::FactsSeen { host: host.into(), asked: play.state.seq, facts });
    }
    let task = play.gate();
    let open = Intent::OpenGate { task, typed: Some("etcd1".into()), shown_ms: None, together: None };
    let unheld = Refusal::NoLease("etcd1".into());
    assert_eq!(decide(&play.state, play.now, &open), Err(unheld.clone()));
    assert_eq!(standing(&play.state, task, play.now), Standing::Barred(unheld.clone()));
    assert_eq!(decide(&play.state, play.now, &Intent::Undo { host: "etcd1".into() }), Err(unheld));
    play.record(Event::LeaseTaken { host: "etcd1".into(), from: None });
    play.submit(&open).unwrap();
}

#[test]
fn whatever_comes_to_a_stop_is_counted_and_what_is_passed_over_is_not() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    play.probe();
    let task = play.open();
    play.work(1);
    assert_eq!(play.state.tasks[task.index()].failures, 1);
    play.submit(&Intent::Skip { task, reason: "by hand".into() }).unwrap();
    assert_eq!(play.state.tasks[task.index()].failures, 1);
}
