//! Whatever happens in whatever order, nothing unsafe does, and what is remembered is what is so.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::play::{HOSTS, Play, check, plan, steps};
use crate::engine::*;
use crate::model::Plan;
use crate::model::event::Event;
use crate::model::runbook::{Order, VarSpec};

/// A thread that remembers what it has seen of this session says of every gate what one says that has seen nothing yet,
/// and the short form what the long one does.
fn assert_told_alike(state: &State, now: Timestamp) {
    let look = || -> Vec<(Option<GateView>, Standing)> {
        let ids = state.gates().chain(state.under_way());
        ids.map(|id| (gate_view(state, id, now), standing(state, id, now))).collect()
    };
    let remembered = look();
    let fresh = std::thread::scope(|scope| scope.spawn(look).join().unwrap());
    assert_eq!(remembered, fresh);
    for (view, standing) in fresh {
        let expected = match view.unwrap().refusal {
            None => Standing::Ready,
            Some(Refusal::Checks(checks)) => {
                let failing = checks.iter().filter(|check| !check.passed()).count();
                Standing::Shut { failing, total: checks.len() }
            }
            Some(other) => Standing::Barred(other),
        };
        assert_eq!(standing, expected);
    }
}

#[test]
fn what_is_remembered_changes_no_answer_of_a_recorded_session() {
    let records = crate::journal::read(std::path::Path::new("tests/journals/container-linux.jsonl")).unwrap().records;
    let mut state = State::default();
    for (number, record) in records.iter().enumerate() {
        state.apply(record);
        if number % 16 == 0 {
            assert_told_alike(&state, state.now);
            // The same facts, when they are too old.
            assert_told_alike(&state, state.now + SignedDuration::from_secs(21));
        }
    }
}

/// What chance may do to a session.
#[derive(Clone, Debug)]
enum Chance {
    Probe,
    Open,
    Work(i32),
    Lost,
    Crash,
    Retry,
    Undo,
    Skip,
    Pause,
    Wait(i64),
    MemberDown(usize),
    MemberUp(usize),
    Set(bool),
}

/// A way back that is verified, and a variable that two steps name.
fn steps_that_name() -> Plan {
    let mut steps = steps();
    steps[0].undone = vec![check("host.etcd.healthy")];
    for step in &mut steps[..2] {
        step.run.as_mut().into_iter().for_each(|run| run.push_str(" # $allow"));
    }
    let mut plan = plan(steps, Order::OneAtATime);
    plan.runbook.vars.insert("allow".into(), VarSpec::default());
    plan.vars.values_mut().for_each(|vars| drop(vars.insert("allow".into(), "false".into())));
    plan
}

fn chance() -> impl Strategy<Value = Chance> {
    prop_oneof![
        6 => Just(Chance::Probe),
        6 => Just(Chance::Open),
        4 => Just(Chance::Work(0)),
        1 => Just(Chance::Work(1)),
        1 => Just(Chance::Lost),
        2 => Just(Chance::Crash),
        2 => Just(Chance::Retry),
        1 => Just(Chance::Undo),
        1 => Just(Chance::Skip),
        1 => Just(Chance::Pause),
        2 => (1..90_i64).prop_map(Chance::Wait),
        1 => (0..3_usize).prop_map(Chance::MemberDown),
        1 => (0..3_usize).prop_map(Chance::MemberUp),
        2 => any::<bool>().prop_map(Chance::Set),
    ]
}

proptest! {
    /// Whatever happens in whatever order: no gate opens without its checks on facts asked for after it was shown, no
    /// job is started twice, only one member at a time is worked on, and the fold of the journal is the state.
    #[test]
    fn nothing_unsafe_happens_by_chance(chances in proptest::collection::vec(chance(), 1..120)) {
        let mut play = Play::new(steps_that_name());
        let mut started = BTreeSet::new();
        let value = |play: &Play, id: TaskId| {
            let plan = play.state.plan.as_ref().unwrap();
            plan.vars_of(plan.task(id))["allow"].clone()
        };
        // What each task was opened with.
        let mut opened: BTreeMap<TaskId, String> = BTreeMap::new();
        play.settle();
        for chance in chances {
            let first = play.state.gates().next();
            match chance {
                Chance::Probe => play.probe(),
                Chance::Open => {
                    if let Some(task) = first {
                        let asked = play.state.hosts.values().filter_map(|host| host.current()).map(|seen| seen.asked).min();
                        let shown = play.state.tasks[task.index()].since_seq;
                        let host = play.state.task(task).unwrap().0.host.to_string();
                        let guarded = !play.state.task(task).unwrap().1.require.is_empty();
                        let healthy = play.up.values().filter(|up| **up).count();
                        if play.submit(&Intent::OpenGate { task, typed: Some(host), shown_ms: None, together: None }).is_ok() && guarded {
                            prop_assert!(asked.is_some_and(|asked| asked >= shown), "opened on facts from before it was shown");
                            let known = play.state.hosts.values().filter(|host| {
                                host.facts.as_ref().is_some_and(|seen| seen.facts.etcd.as_ref().unwrap().healthy == Some(true))
                            });
                            prop_assert_eq!(known.count(), 3, "opened with a member known to be down ({} up)", healthy);
                        }
                    }
                }
                Chance::Work(exit) => {
                    for effect in wanted(&play.state) {
                        if let Act::Start(job) = effect.act {
                            prop_assert!(started.insert(job.clone()), "{} was started twice", job);
                        }
                    }
                    play.work(exit);
                }
                Chance::Lost => {
                    for effect in wanted(&play.state) {
                        if let Act::Start(job) = effect.act {
                            prop_assert!(started.insert(job.clone()), "{} was started twice", job);
                            play.record(Event::JobUncertain { task: effect.task, reason: "lost".into() });
                        }
                    }
                }
                Chance::Crash => {
                    let again = State::of(&play.records);
                    prop_assert_eq!(&again, &play.state, "the fold of the journal is not the state");
                    play.record(Event::SessionResumed { operator: "o".into() });
                    play.settle();
                    for effect in wanted(&play.state) {
                        prop_assert!(!matches!(effect.act, Act::Start(_)), "a resumed session starts a job without asking");
                    }
                }
                Chance::Retry => {
                    let failed = play.state.task_ids().find(|id| matches!(play.state.tasks[id.index()].phase, Phase::Failed { .. }));
                    if let Some(task) = failed {
                        let _ = play.submit(&Intent::Retry { task });
                    }
                }
                Chance::Undo => { let _ = play.submit(&Intent::Undo { host: "etcd1".into() }); }
                Chance::Skip => {
                    if let Some(task) = first {
                        let _ = play.submit(&Intent::Skip { task, reason: "chance".into() });
                    }
                }
                Chance::Pause => {
                    let intent = if play.state.paused { Intent::Continue } else { Intent::Pause };
                    let _ = play.submit(&intent);
                }
                Chance::Wait(seconds) => {
                    play.pass(seconds);
                    play.settle();
                }
                Chance::MemberDown(n) => { play.up.insert(HOSTS[n], false); }
                Chance::MemberUp(n) => { play.up.insert(HOSTS[n], true); }
                Chance::Set(allow) => {
                    if let Some(task) = first {
                        let (name, value) = ("allow".to_owned(), allow.to_string());
                        let _ = play.submit(&Intent::SetVar { task, name, value, reason: "chance".into() });
                    }
                }
            }
            for id in play.state.task_ids() {
                if matches!(play.state.tasks[id.index()].phase, Phase::Waiting | Phase::Gate | Phase::NotNeeded) {
                    opened.remove(&id);
                } else {
                    let now = value(&play, id);
                    prop_assert_eq!(opened.entry(id).or_insert_with(|| now.clone()), &now, "it was opened with another");
                }
            }
            let busy: BTreeSet<_> = play.state.task_ids()
                .filter(|id| play.state.tasks[id.index()].phase.is_under_way())
                .map(|id| play.state.task(id).unwrap().0.host.clone())
                .collect();
            prop_assert!(busy.len() <= 1, "several hosts are worked on: {:?}", busy);
        }
        assert_told_alike(&play.state, play.now);
    }
}
