//! What is taken back, what of it cannot be, and what comes first again because of it.

use super::play::{Play, check, plan, steps};
use crate::engine::*;
use crate::model::event::{CheckResult, FailedAt};
use crate::model::runbook::{Order, Step};

#[test]
fn a_failed_script_stops_its_host_and_can_be_undone_to_the_safe_point() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    play.walk(1);
    play.probe();
    let swap = play.open();
    play.work(7);
    assert_eq!(play.failed_at(swap), Some(FailedAt::Run));
    assert_eq!(play.state.gates().count(), 0, "nothing goes on past a failure");
    let chain = undo_chain(&play.state, &"etcd1".into()).unwrap();
    assert_eq!(
        chain.iter().map(|id| play.label(*id)).collect::<Vec<_>>(),
        ["members/stop on etcd1", "members/swap on etcd1"]
    );
    play.submit(&Intent::Undo { host: "etcd1".into() }).unwrap();
    play.work(0);
    assert!(play.up["etcd1"], "the member runs again");
    assert_eq!(play.state.task(play.gate()).unwrap().1.name, "stop", "and stands at its first gate");
}

#[test]
fn there_is_no_undo_behind_a_point_of_no_return() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    play.walk(3);
    let refusal = undo_chain(&play.state, &"etcd1".into()).unwrap_err();
    assert!(matches!(&refusal, Refusal::NoWayBack { why, .. } if why == "its data is rewritten"), "{refusal}");
}

fn steps_with_a_way_back() -> Vec<Step> {
    let mut steps = steps();
    (steps[2].point_of_no_return, steps[2].undo) = (None, Some("systemctl stop etcd".into()));
    steps
}

/// So many gates opened and their work done, one host at a time, and the next gate shown.
fn after(gates: usize) -> Play {
    let mut play = Play::new(plan(steps_with_a_way_back(), Order::OneAtATime));
    for _ in 0..gates {
        play.probe();
        play.probe();
        play.open();
        play.work(0);
    }
    play.probe();
    play
}

#[test]
fn what_was_taken_back_on_one_host_comes_before_the_gate_of_another() {
    let mut play = after(3);
    let shown = play.gate();
    assert_eq!(play.label(shown), "members/stop on etcd3");
    play.probe();
    assert_eq!(gate_view(&play.state, shown, play.now).unwrap().refusal, None);
    play.submit(&Intent::Undo { host: "etcd1".into() }).unwrap();
    play.work(0);
    play.probe();
    let refusal = play
        .submit(&Intent::OpenGate { task: shown, typed: Some("etcd3".into()), shown_ms: None, together: None })
        .unwrap_err();
    assert_eq!(refusal, Refusal::ComesAfter("members/stop on etcd1".into()));
    let gates: Vec<String> = play.state.gates().map(|id| play.label(id)).collect();
    assert!(gates.contains(&"members/stop on etcd1".to_owned()), "{gates:?}");
}

#[test]
fn nothing_is_taken_back_beside_a_host_that_is_half_way() {
    // Seen on real hosts: one member stopped and at its next gate, and another taken back, which stopped that as well.
    let mut play = after(4);
    let shown = play.gate();
    assert_eq!(play.label(shown), "members/swap on etcd3");
    let refusal = play.submit(&Intent::Undo { host: "etcd1".into() }).unwrap_err();
    assert_eq!(refusal, Refusal::HalfWay("etcd3".into()));
    play.submit(&Intent::Undo { host: "etcd3".into() }).unwrap();
    play.work(0);
    play.submit(&Intent::Undo { host: "etcd1".into() }).unwrap();
}

#[test]
fn facts_from_before_something_was_taken_back_open_no_gate() {
    let mut play = Play::new(plan(steps_with_a_way_back(), Order::AllAtOnce));
    play.settle();
    play.probe();
    let first = play.gate();
    play.open();
    play.work(0);
    play.probe();
    let undone = play.state.task(first).unwrap().0.host.clone();
    let other = play.state.gates().find(|id| play.state.task(*id).unwrap().0.host != undone).unwrap();
    let host = play.state.task(other).unwrap().0.host.to_string();
    play.submit(&Intent::Undo { host: undone }).unwrap();
    play.work(0);
    let refusal = gate_view(&play.state, other, play.now).unwrap().refusal;
    assert!(matches!(refusal, Some(Refusal::NoFacts { .. })), "{refusal:?}");
    play.probe();
    play.submit(&Intent::OpenGate { task: other, typed: Some(host), shown_ms: None, together: None }).unwrap();
}

#[test]
fn facts_from_before_something_was_taken_back_and_done_again_open_no_gate() {
    let mut play = Play::new(plan(steps_with_a_way_back(), Order::AllAtOnce));
    play.settle();
    play.probe();
    let first = play.open();
    play.work(0);
    play.probe();
    let undone = play.state.task(first).unwrap().0.host.clone();
    let other = play.state.gates().find(|id| play.state.task(*id).unwrap().0.host != undone).unwrap();
    play.submit(&Intent::Undo { host: undone }).unwrap();
    play.work(0);
    // It is skipped at once: of all facts none is from after it was taken back.
    play.submit(&Intent::Skip { task: first, reason: "done by hand".into() }).unwrap();
    let refusal = gate_view(&play.state, other, play.now).unwrap().refusal;
    assert!(matches!(refusal, Some(Refusal::NoFacts { .. })), "{refusal:?}");
}

#[test]
fn a_host_that_came_to_a_stop_holds_its_place() {
    // Found by chance: an undo that failed on one host, and the next host's gate already before the operator.
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    let skip = |play: &mut Play| {
        let task = play.gate();
        play.submit(&Intent::Skip { task, reason: "by hand".into() }).unwrap();
    };
    skip(&mut play);
    play.probe();
    play.open();
    play.work(0);
    skip(&mut play);
    play.submit(&Intent::Undo { host: "etcd1".into() }).unwrap();
    play.work(1);
    play.probe();
    let gate = play.gate();
    let host = play.state.task(gate).unwrap().0.host.to_string();
    assert_eq!(host, "etcd3");
    let refusal =
        play.submit(&Intent::OpenGate { task: gate, typed: Some(host), shown_ms: None, together: None }).unwrap_err();
    assert_eq!(refusal, Refusal::NotItsTurn("members/swap on etcd1".into()));
}

/// A stop whose way back says what has to be so again, done on one host and ordered to be taken back.
fn taking_back_a_stop() -> (Play, TaskId) {
    let mut steps = steps();
    steps[0].undone = vec![check("host.units['etcd'].active == 'active'"), check("host.etcd.healthy")];
    let mut play = Play::new(plan(steps, Order::OneAtATime));
    play.settle();
    play.probe();
    let stop = play.open();
    play.work(0);
    play.probe();
    play.submit(&Intent::Undo { host: "etcd1".into() }).unwrap();
    (play, stop)
}

#[test]
fn the_way_back_is_over_when_it_is_seen_to_be() {
    let (mut play, stop) = taking_back_a_stop();
    play.work(0);
    let task = &play.state.tasks[stop.index()];
    assert_eq!(task.phase, Phase::Verifying, "facts from before it count for nothing");
    assert!(task.taking_back() && task.phase.is_under_way());
    let checks = gate_view(&play.state, stop, play.now).unwrap().checks;
    assert_eq!(checks.len(), 2);
    assert!(checks.iter().all(|check| !check.passed()), "{checks:?}");
    let refusal = play.submit(&Intent::Undo { host: "etcd2".into() }).unwrap_err();
    assert_eq!(refusal, Refusal::Undoing);

    play.up.insert("etcd1", false);
    play.probe();
    assert_eq!(play.state.tasks[stop.index()].phase, Phase::Verifying, "it does not run yet");
    play.up.insert("etcd1", true);
    play.probe();
    let undone = play.records.iter().find_map(|record| match &record.event {
        Event::TaskUndone { task, checks } if *task == stop => Some(checks.clone()),
        _ => None,
    });
    assert!(undone.is_some_and(|checks| checks.len() == 2 && checks.iter().all(CheckResult::passed)));
    assert!(play.state.undo.is_empty());
    assert_eq!(play.gate(), stop, "and it stands before its gate again");
}

#[test]
fn a_way_back_that_does_not_come_true_in_time_has_failed_and_may_be_gone_again() {
    let (mut play, stop) = taking_back_a_stop();
    play.work(0);
    play.up.insert("etcd1", false);
    play.pass(61);
    play.probe();
    assert_eq!(play.failed_at(stop), Some(FailedAt::Undo));
    let Phase::Failed { reason, .. } = &play.state.tasks[stop.index()].phase else { unreachable!() };
    assert!(reason.starts_with("the undo ended well, but after 61 s on etcd1 this does not hold: "), "{reason}");
    assert!(reason.contains("inactive") && play.state.undo.is_empty(), "{reason}");
    let checks = gate_view(&play.state, stop, play.now).unwrap().checks;
    assert_eq!(checks.len(), 2, "what has to be so again is shown as it stands");
    play.submit(&Intent::Retry { task: stop }).unwrap();
    play.work(0);
    play.probe();
    assert_eq!(play.state.tasks[stop.index()].undo_attempts, 2);
    assert_eq!(play.gate(), stop);
    // Or it is passed over, with words.
    let (mut play, stop) = taking_back_a_stop();
    play.work(0);
    play.up.insert("etcd1", false);
    play.pass(61);
    play.probe();
    play.submit(&Intent::Skip { task: stop, reason: "started by hand".into() }).unwrap();
}

#[test]
fn a_session_that_is_resumed_goes_on_looking_whether_it_was_taken_back() {
    let (mut play, stop) = taking_back_a_stop();
    play.work(0);
    play.record(Event::SessionResumed { operator: "o".into() });
    assert_eq!(play.state.tasks[stop.index()].phase, Phase::Verifying);
    for host in super::play::HOSTS {
        play.record(Event::HostConnected { host: host.into() });
    }
    play.probe();
    assert_eq!(play.gate(), stop);
    assert_eq!(play.state, State::of(&play.records));
}

#[test]
fn what_a_reboot_came_up_with_tells_whether_it_was_taken_back() {
    let mut steps = steps_with_a_way_back();
    steps[0] = Step { name: "boot".into(), reboots: true, undone: vec![check("host.etcd.healthy")], ..steps.remove(0) };
    steps[0].verify.clear();
    let mut play = Play::new(plan(steps, Order::OneAtATime));
    play.settle();
    play.probe();
    let boot = play.open();
    play.work(1);
    play.submit(&Intent::Undo { host: "etcd1".into() }).unwrap();
    play.work(255);
    assert_eq!(play.state.tasks[boot.index()].phase, Phase::Verifying, "ended by the reboot that it asked for");
    play.up.insert("etcd1", false);
    play.pass(600);
    play.probe();
    assert_eq!(play.state.tasks[boot.index()].phase, Phase::Verifying, "a host is given its time to come back");
    play.up.insert("etcd1", true);
    play.probe();
    assert_eq!(play.gate(), boot, "the same boot id: it had not rebooted before either");
}
