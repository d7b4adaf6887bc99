//! The engine as a whole: sessions driven event by event, by table and by chance.

mod chance;
mod ending;
mod play;
mod quorum;
mod resumed;
mod undo;
mod variable;

use play::{Play, plan, steps};

use super::*;
use crate::model::event::{Event, FailedAt, Mode, Outcome};
use crate::model::facts::Facts;
use crate::model::runbook::{Order, Step};

#[test]
fn a_whole_session_takes_the_leader_last_and_keeps_its_promise() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.probe();
    let mut order = Vec::new();
    for _ in 0..9 {
        play.probe();
        order.push(play.open());
        play.work(0);
        play.probe();
    }
    play.probe();
    assert_eq!(play.state.outcome, Some(Outcome::Completed), "{:?}", play.state.tally());
    let hosts: Vec<_> = order.iter().map(|id| play.state.task(*id).unwrap().0.host.to_string()).collect();
    assert_eq!(hosts, ["etcd1", "etcd1", "etcd1", "etcd3", "etcd3", "etcd3", "etcd2", "etcd2", "etcd2"]);
}

#[test]
fn a_gate_stays_shut_on_facts_from_before_it_was_shown() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    play.probe();
    play.open();
    play.work(0);
    // These facts end the first task, and with that show the next gate: they were asked for before it.
    play.probe();
    let task = play.gate();
    let refusal = play.submit(&Intent::OpenGate { task, typed: None, shown_ms: None, together: None }).unwrap_err();
    assert!(matches!(refusal, Refusal::NoFacts { .. }), "{refusal}");
    play.probe();
    play.submit(&Intent::OpenGate { task, typed: None, shown_ms: None, together: None }).unwrap();
}

#[test]
fn a_gate_stays_shut_on_old_facts() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    play.probe();
    play.pass(21);
    let task = play.gate();
    let refusal = play.submit(&Intent::OpenGate { task, typed: None, shown_ms: None, together: None }).unwrap_err();
    assert!(refusal.to_string().contains("21 s ago"), "{refusal}");
}

#[test]
fn a_gate_stays_shut_while_a_member_is_down() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    play.up.insert("etcd3", false);
    play.probe();
    let task = play.gate();
    let refusal = play.submit(&Intent::OpenGate { task, typed: None, shown_ms: None, together: None }).unwrap_err();
    assert!(
        matches!(&refusal, Refusal::Checks(checks) if checks.iter().filter(|check| !check.passed()).count() == 2),
        "{refusal}"
    );
}

#[test]
fn no_way_back_wants_the_hosts_name() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    play.walk(2);
    play.probe();
    let task = play.gate();
    for typed in [None, Some("etcd2".to_owned()), Some(String::new())] {
        let refusal = play.submit(&Intent::OpenGate { task, typed, shown_ms: None, together: None }).unwrap_err();
        assert_eq!(refusal, Refusal::NotConfirmed(Confirm::Host));
    }
    play.submit(&Intent::OpenGate { task, typed: Some("etcd1".into()), shown_ms: None, together: None }).unwrap();
}

#[test]
fn a_verification_fails_after_its_time_and_says_what_it_read() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    play.probe();
    let stop = play.open();
    while let Some(effect) = wanted(&play.state).into_iter().next() {
        let task = effect.task;
        play.record(match effect.act {
            Act::Start(_) => Event::JobStarted { task },
            _ => Event::JobFinished { task, exit: 0 },
        });
        play.settle();
    }
    play.pass(59);
    play.probe();
    assert_eq!(play.failed_at(stop), None);
    play.pass(2);
    play.probe();
    assert_eq!(play.failed_at(stop), Some(FailedAt::Verify));
    let Phase::Failed { reason, .. } = &play.state.tasks[stop.index()].phase else { panic!() };
    assert!(reason.contains("host.units['etcd'].active is active"), "{reason}");
    // It came true after all: the retry looks, and runs nothing again.
    play.up.insert("etcd1", false);
    play.submit(&Intent::Retry { task: stop }).unwrap();
    play.probe();
    assert_eq!(play.state.tasks[stop.index()].phase, Phase::Done);
    assert_eq!(play.state.tasks[stop.index()].attempts, 1);
}

#[test]
fn a_reboot_is_seen_by_the_boot_id() {
    let reboot = Step { name: "reboot".into(), run: Some("systemctl reboot".into()), reboots: true, ..Step::default() };
    // On the way down the host ends the script, and may tell so before it is gone: whatever became of it, the boot id tells.
    let ends = [
        |task| Event::JobInterrupted { task, rebooted: true },
        |task| Event::JobInterrupted { task, rebooted: false },
        |task| Event::JobFinished { task, exit: 143 },
        |task| Event::JobFinished { task, exit: 0 },
    ];
    for end in ends {
        let mut play = Play::new(plan(vec![reboot.clone()], Order::OneAtATime));
        play.settle();
        play.probe();
        let task = play.open();
        play.record(Event::JobStarted { task });
        play.record(end(task));
        play.settle();
        play.probe();
        assert_eq!(play.state.tasks[task.index()].phase, Phase::Verifying, "the same boot id is no reboot");
        let asked = play.state.seq;
        let facts = Facts { boot_id: Some("another".into()), ..Facts::default() };
        play.record(Event::FactsSeen { host: "etcd1".into(), asked, facts: Box::new(facts) });
        play.settle();
        assert_eq!(play.state.tasks[task.index()].phase, Phase::Done);
    }
}

#[test]
fn an_interrupted_script_is_never_simply_run_again() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    play.probe();
    let stop = play.open();
    play.record(Event::JobStarted { task: stop });
    play.record(Event::JobInterrupted { task: stop, rebooted: false });
    play.settle();
    assert_eq!(play.failed_at(stop), Some(FailedAt::Interrupted));
    play.submit(&Intent::Retry { task: stop }).unwrap();
    assert_eq!(play.state.tasks[stop.index()].phase, Phase::Verifying);
    assert!(wanted(&play.state).is_empty());
}

#[test]
fn a_monitor_is_refused_everything() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    if let Some(session) = &mut play.state.session {
        session.mode = Mode::Monitor;
    }
    for intent in [Intent::Pause, Intent::Note { text: "x".into() }, Intent::Undo { host: "etcd1".into() }] {
        assert_eq!(play.submit(&intent), Err(Refusal::ReadOnly("monitor")));
    }
}

#[test]
fn words_are_asked_for() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    let task = play.gate();
    assert_eq!(play.submit(&Intent::Skip { task, reason: "  ".into() }), Err(Refusal::NoWords));
    assert_eq!(play.submit(&Intent::Note { text: String::new() }), Err(Refusal::NoWords));
    assert_eq!(play.submit(&Intent::Abort { reason: " ".into() }), Err(Refusal::NoWords));
    play.submit(&Intent::Skip { task, reason: "done by hand".into() }).unwrap();
    assert_eq!(play.state.tally().skipped, 1);
}

#[test]
fn batches_round_down_to_no_less_than_one() {
    for (order, expected) in
        [(Order::OneAtATime, 1), (Order::Batch(25), 1), (Order::Batch(70), 2), (Order::AllAtOnce, 3)]
    {
        let mut play = Play::new(plan(steps(), order));
        play.settle();
        assert_eq!(play.state.gates().count(), expected, "{order:?}");
    }
}

#[test]
fn two_members_are_never_worked_on_on_facts_from_before_the_first() {
    let mut play = Play::new(plan(steps(), Order::AllAtOnce));
    play.probe();
    let gates: Vec<TaskId> = play.state.gates().collect();
    assert_eq!(gates.len(), 3, "every member stands at its gate");
    let typed = |play: &Play, id: TaskId| Some(play.state.task(id).unwrap().0.host.to_string());
    let open = |play: &mut Play, id: TaskId| {
        let typed = typed(play, id);
        play.submit(&Intent::OpenGate { task: id, typed, shown_ms: None, together: None })
    };
    play.probe();
    open(&mut play, gates[0]).unwrap();
    // The first job is under way, and all facts still say that every member is healthy.
    let refusal = open(&mut play, gates[1]).unwrap_err();
    assert!(matches!(refusal, Refusal::NotItsTurn(_)), "{refusal}");
    play.work(0);
    play.probe();
    let refusal = open(&mut play, gates[1]).unwrap_err();
    assert!(matches!(refusal, Refusal::Checks(_) | Refusal::NotItsTurn(_)), "{refusal}");
}

#[test]
fn a_reboot_that_nobody_ordered_shuts_the_hosts_gates_until_it_was_looked_into() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.probe();
    let gate = play.gate();
    let host = play.state.task(gate).unwrap().0.host.clone();
    let mut facts = (*play.state.host(&host).unwrap().facts.as_ref().unwrap().facts).clone();
    facts.boot_id = Some("another".into());
    let seen = Event::FactsSeen { host: host.clone(), asked: play.state.seq, facts: Box::new(facts) };
    let before = play.state.host(&host).unwrap().facts.as_ref().unwrap().facts.boot_id.clone();
    let rebooted = rebooted(&play.state, &seen);
    if before.is_none() {
        assert_eq!(rebooted, None, "where no boot was known none can be told from another");
    }
    let told = Event::HostRebooted { host: host.clone(), ordered: false };
    play.record(told);
    let typed = Some(host.to_string());
    let open = Intent::OpenGate { task: gate, typed, shown_ms: None, together: None };
    assert_eq!(play.submit(&open).unwrap_err(), Refusal::Rebooted(host.clone()));
    play.submit(&Intent::AcceptReboot { host: host.clone() }).unwrap();
    play.probe();
    play.submit(&open).unwrap();
    assert_eq!(play.submit(&Intent::AcceptReboot { host: host.clone() }).unwrap_err(), Refusal::NotRebooted(host));
}
