//! No act takes a second member down, whatever the runbook's own checks say.

use super::*;
use crate::model::runbook::Component;

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
    let refusal = play.submit(&Intent::Undo { host: "etcd1".into() }).unwrap_err();
    assert_eq!(refusal, down("etcd1", &["etcd2", "etcd3"]), "none of them has been seen since");
    play.probe();
    assert_eq!(play.submit(&Intent::Undo { host: "etcd1".into() }), Err(down("etcd1", &["etcd3"])));
    play.submit(&Intent::Undo { host: "etcd3".into() }).unwrap();
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
