//! A variable that is given another value at a gate: what was opened keeps its own.

use super::play::{Play, check, plan, steps};
use crate::engine::*;
use crate::model::event::Event;
use crate::model::runbook::{Convert, Order, Push, VarSpec};

/// Three hosts whose second step waits for `allow`, with the first done on one of them.
fn at_the_second_gate() -> (Play, TaskId, TaskId) {
    let mut steps = steps();
    steps[0].run = Some("systemctl stop etcd # $allow $fixed".into());
    steps[0].undo = Some("systemctl start etcd # $allow".into());
    steps[1].require = vec![check("vars.allow == 'yes'")];
    steps[1].run = Some("swap $unit $from".into());
    let mut plan = plan(steps, Order::OneAtATime);
    for name in ["allow", "fixed", "unit", "from"] {
        plan.runbook.vars.insert(name.into(), VarSpec::default());
        plan.vars.values_mut().for_each(|vars| drop(vars.insert(name.into(), "no".into())));
    }
    plan.runbook.probe.units = vec!["$unit".into()];
    plan.runbook.stages[0].steps[2].push =
        vec![Push { path: "/x".into(), from: "$from.yaml".into(), convert: Convert::None, mode: "0644".into() }];
    let mut play = Play::new(plan);
    play.settle();
    play.probe();
    let stop = play.open();
    play.work(0);
    play.probe();
    let swap = play.gate();
    assert_eq!(play.label(swap), "members/swap on etcd1");
    (play, stop, swap)
}

fn set(task: TaskId, name: &str, value: &str, reason: &str) -> Intent {
    Intent::SetVar { task, name: name.into(), value: value.into(), reason: reason.into() }
}

fn allows(play: &Play, id: TaskId) -> String {
    let plan = play.state.plan.as_ref().unwrap();
    plan.vars_of(plan.task(id))["allow"].clone()
}

#[test]
fn what_a_gate_names_can_be_set_there_and_what_was_opened_keeps_its_own() {
    let (mut play, stop, swap) = at_the_second_gate();
    play.probe();
    assert!(matches!(gate_view(&play.state, swap, play.now).unwrap().refusal, Some(Refusal::Checks(_))));
    play.submit(&set(swap, "allow", "yes", "its owner agreed")).unwrap();
    let refusal = gate_view(&play.state, swap, play.now).unwrap().refusal;
    assert!(matches!(refusal, Some(Refusal::NoFacts { .. })), "the gate is shown anew: {refusal:?}");
    play.probe();
    assert_eq!(gate_view(&play.state, swap, play.now).unwrap().refusal, None);
    assert_eq!(allows(&play, stop), "no", "also to be taken back with");
    assert_eq!(variables_of_undo(&play.state, stop), [("allow".to_owned(), "no".to_owned())]);
    assert_eq!(allows(&play, swap), "yes");
    for id in play.state.task_ids().filter(|id| play.state.task(*id).unwrap().0.host != "etcd1".into()) {
        assert_eq!(allows(&play, id), "no", "another host has its own");
    }
    assert!(play.records.iter().any(|record| matches!(
        &record.event,
        Event::VarSet { name, value, reason, .. } if name == "allow" && value == "yes" && reason == "its owner agreed"
    )));
    assert_eq!(State::of(&play.records), play.state, "a session that is resumed keeps it");

    play.open();
    assert_eq!(allows(&play, swap), "yes");
    play.work(7);
    play.submit(&Intent::Undo { host: "etcd1".into() }).unwrap();
    assert_eq!(allows(&play, stop), "no", "while it is taken back");
    play.work(0);
    assert_eq!(play.gate(), stop);
    assert_eq!(allows(&play, stop), "yes", "what is opened anew is opened with the value of now");
}

#[test]
fn what_ran_and_is_retried_is_opened_with_the_new_value() {
    let (mut play, _, swap) = at_the_second_gate();
    play.submit(&set(swap, "allow", "yes", "x")).unwrap();
    play.probe();
    play.open();
    play.work(7);
    play.submit(&Intent::Retry { task: swap }).unwrap();
    play.submit(&set(swap, "allow", "no", "after all")).unwrap();
    play.probe();
    assert!(matches!(gate_view(&play.state, swap, play.now).unwrap().refusal, Some(Refusal::Checks(_))));
}

#[test]
fn nothing_else_can_be_set() {
    let (mut play, stop, swap) = at_the_second_gate();
    assert_eq!(settable(&play.state, swap), [("allow".to_owned(), "no".to_owned())]);
    assert_eq!(settable(&play.state, stop), []);
    for (intent, refusal) in [
        (set(swap, "allow", "yes", " "), Refusal::NoWords),
        (set(swap, "allow", "no", "x"), Refusal::SameValue("allow".into(), "no".into())),
        (set(swap, "fixed", "yes", "another step's"), Refusal::NotToBeSet("fixed".into())),
        (set(swap, "unit", "yes", "hosts are looked at by it"), Refusal::NotToBeSet("unit".into())),
        (set(swap, "from", "yes", "a file was read by it"), Refusal::NotToBeSet("from".into())),
        (set(swap, "host", "etcd2", "none of the runbook's"), Refusal::NotToBeSet("host".into())),
        (set(stop, "allow", "yes", "it is done"), Refusal::NotAtGate("members/stop on etcd1".into())),
    ] {
        assert_eq!(play.submit(&intent), Err(refusal), "{intent:?}");
    }
}
