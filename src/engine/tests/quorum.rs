//! No act takes a second member down, whatever the runbook's own checks say.

use super::*;
use crate::model::Digest;
use crate::model::facts::{Etcd, Facts};
use crate::model::plan::PushFile;
use crate::model::runbook::{Component, Convert};

/// stop → swap → start, each with a way back and none with a check of its own.
fn unguarded() -> Vec<Step> {
    let mut steps = steps();
    for step in &mut steps {
        step.require.clear();
        step.point_of_no_return = None;
        step.undo = Some("the other way round".into());
    }
    steps[0].stops = vec![Component::Etcd];
    steps[2].starts = vec![Component::Etcd];
    steps
}

fn down(host: &str, down: &[&str]) -> Refusal {
    Refusal::Quorum { host: host.into(), down: down.iter().map(|name| (*name).into()).collect() }
}

#[test]
fn a_member_is_not_taken_back_while_another_was_left_stopped() {
    // Found by an attacker: etcd1 upgraded, etcd3 stopped and its start skipped, then etcd1 taken back.
    let mut play = Play::new(plan(unguarded(), Order::OneAtATime));
    play.settle();
    play.walk(5);
    let start = play.gate();
    assert_eq!(play.label(start), "members/start on etcd3");
    play.submit(&Intent::Skip { task: start, reason: "later".into() }).unwrap();
    play.probe();
    let refusal = play.submit(&Intent::Undo { host: "etcd1".into() }).unwrap_err();
    assert_eq!(refusal, down("etcd1", &["etcd3"]));
    // What is down itself is no loss: that is the way out.
    play.submit(&Intent::Undo { host: "etcd3".into() }).unwrap();
}

#[test]
fn a_member_is_not_taken_back_while_another_has_died_by_itself_or_is_not_seen() {
    let after = |happens: fn(&mut Play)| {
        let mut play = Play::new(plan(unguarded(), Order::OneAtATime));
        play.settle();
        play.walk(3);
        happens(&mut play);
        play.submit(&Intent::Undo { host: "etcd1".into() })
    };
    assert_eq!(after(|_| ()), Ok(()));
    let died = |play: &mut Play| {
        play.up.insert("etcd2", false);
        play.probe();
    };
    assert_eq!(after(died), Err(down("etcd1", &["etcd2"])));
    let lost = |play: &mut Play| play.record(Event::HostLost { host: "etcd3".into(), reason: "silent".into() });
    assert_eq!(after(lost), Err(down("etcd1", &["etcd3"])));
}

#[test]
fn a_member_that_nobody_has_seen_yet_does_not_count_as_down_itself() {
    // Found by chance: etcd3 was left stopped, the session was resumed, and etcd1 taken back before it had been seen again.
    let mut play = Play::new(plan(unguarded(), Order::OneAtATime));
    play.settle();
    play.walk(5);
    let start = play.gate();
    play.submit(&Intent::Skip { task: start, reason: "later".into() }).unwrap();
    play.record(Event::SessionResumed { operator: "o".into() });
    play.hold();
    let refusal = play.submit(&Intent::Undo { host: "etcd1".into() }).unwrap_err();
    assert_eq!(refusal, down("etcd1", &["etcd2", "etcd3"]), "none of them has been seen since");
    play.probe();
    assert_eq!(play.submit(&Intent::Undo { host: "etcd1".into() }), Err(down("etcd1", &["etcd3"])));
    play.submit(&Intent::Undo { host: "etcd3".into() }).unwrap();
}

#[test]
fn a_member_that_runs_and_has_no_quorum_does_not_count_as_down_itself() {
    // Found by the small world, seed 2407: without a quorum every member that runs says that it is not healthy.
    let after = |server: Option<&str>| {
        let mut play = Play::new(plan(unguarded(), Order::OneAtATime));
        play.settle();
        play.walk(3);
        for lost in ["etcd2", "etcd3"] {
            play.record(Event::HostLost { host: lost.into(), reason: "silent".into() });
        }
        let etcd = Etcd { healthy: Some(false), server: server.map(Into::into), ..Etcd::default() };
        let facts = Box::new(Facts { etcd: Some(etcd), boot_id: Some("boot".into()), ..Facts::default() });
        play.record(Event::FactsSeen { host: "etcd1".into(), asked: play.state.seq, facts });
        play.submit(&Intent::Undo { host: "etcd1".into() })
    };
    assert_eq!(after(Some("3.4.9")), Err(down("etcd1", &["etcd2", "etcd3"])));
    assert_eq!(after(None), Ok(()), "one that answers nobody is no loss");
}

#[test]
fn a_runbook_without_checks_stops_one_member_at_a_time() {
    let mut play = Play::new(plan(unguarded(), Order::AllAtOnce));
    play.settle();
    play.probe();
    let gates: Vec<TaskId> = play.state.gates().collect();
    assert_eq!(gates.len(), 3);
    let open = |play: &mut Play, id: TaskId| {
        let typed = play.state.task(id).map(|(task, _, _)| task.host.to_string());
        play.submit(&Intent::OpenGate { task: id, typed, shown_ms: None, together: None })
    };
    open(&mut play, gates[0]).unwrap();
    // Its facts say that it is well, and its job has begun.
    assert!(matches!(open(&mut play, gates[1]), Err(Refusal::Quorum { .. })));
    play.work(0);
    play.probe();
    assert!(matches!(open(&mut play, gates[1]), Err(Refusal::Quorum { .. })));
    assert_eq!(play.up.values().filter(|up| **up).count(), 2);
}

/// The gate of etcd1's first step is opened, and another member dies while its file is on the way.
fn a_member_dies_during_a_push() -> (Play, TaskId) {
    let mut plan = plan(unguarded(), Order::OneAtATime);
    let path = "/etc/etcd.conf".to_owned();
    plan.tasks[0].pushes = vec![PushFile {
        path: path.clone(),
        mode: "0600".into(),
        content: String::new(),
        sha256: Digest::of(b""),
        artifact: None,
        source: None,
        convert: Convert::default(),
        config: None,
    }];
    let mut play = Play::new(plan);
    play.settle();
    play.probe();
    let task = play.open();
    assert_eq!(play.state.tasks[task.index()].phase, Phase::Opened);
    play.pass(600);
    play.up.insert("etcd3", false);
    play.probe();
    play.record(Event::FilePushed { task, path, sha256: Digest::of(b"") });
    play.settle();
    (play, task)
}

#[test]
fn a_member_that_dies_while_files_are_written_sends_the_task_back_to_its_gate() {
    let (mut play, task) = a_member_dies_during_a_push();
    assert_eq!(play.state.tasks[task.index()].phase, Phase::Gate);
    assert!(!wanted(&play.state).iter().any(|effect| effect.act.changes_the_host()));
    let log = &play.state.host(&"etcd1".into()).unwrap().log;
    assert!(log.lines().iter().any(|line| line.text.contains("nothing was run")), "it is told");
    play.probe();
    let refusal = gate_view(&play.state, task, play.now).unwrap().refusal;
    assert_eq!(refusal, Some(down("etcd1", &["etcd3"])));
    // Once it is well again the gate opens, and the file is written again.
    play.up.insert("etcd3", true);
    play.probe();
    play.open();
    assert!(matches!(wanted(&play.state)[..], [Effect { act: Act::Push(_), .. }]));
}

#[test]
fn a_way_back_asks_again_before_each_step_that_stops_a_member() {
    let mut steps = unguarded();
    // start is taken back first, which takes long, and then swap.
    steps[1].starts = vec![Component::Etcd];
    let mut play = Play::new(plan(steps, Order::OneAtATime));
    play.settle();
    play.walk(3);
    play.submit(&Intent::Undo { host: "etcd1".into() }).unwrap();
    let start = play.state.under_way().next().unwrap();
    play.record(Event::JobStarted { task: start });
    play.pass(600);
    play.up.insert("etcd3", false);
    play.probe();
    play.record(Event::JobFinished { task: start, exit: 0 });
    play.settle();
    let swap = play.state.failed().next().expect("it comes to a stop");
    let Phase::Failed { at: FailedAt::Undo, reason } = &play.state.tasks[swap.index()].phase else { panic!() };
    assert!(reason.contains("etcd3 is not known to be well"), "{reason}");
    assert_eq!(wanted(&play.state), []);
    play.up.insert("etcd3", true);
    play.probe();
    play.submit(&Intent::Retry { task: swap }).unwrap();
    assert!(matches!(wanted(&play.state)[..], [Effect { act: Act::Start(_), .. }]));
}
