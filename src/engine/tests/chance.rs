//! Whatever happens in whatever order, nothing unsafe does, and what is remembered is what is so.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::play::{HOSTS, Play, check, plan, rich_plan, steps};
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
    Open(usize),
    /// All that is wanted, scripts ending so.
    Work(i32),
    /// One thing that is wanted, whichever, its script ending so.
    Bit(usize, i32),
    Lost,
    Crash,
    Retry,
    Undo(usize),
    Skip(usize),
    Pause,
    Wait(i64),
    MemberDown(usize),
    MemberUp(usize),
    Set(usize, bool),
}

/// With a way back that is verified, and a variable that two steps name.
fn that_names(mut plan: Plan) -> Plan {
    let steps = &mut plan.runbook.stages[0].steps;
    steps[0].undone = vec![check("host.etcd.healthy")];
    for step in &mut steps[..2] {
        step.run.as_mut().into_iter().for_each(|run| run.push_str(" # $allow"));
    }
    plan.runbook.vars.insert("allow".into(), VarSpec::default());
    plan.vars.values_mut().for_each(|vars| drop(vars.insert("allow".into(), "false".into())));
    plan
}

fn chance() -> impl Strategy<Value = Chance> {
    prop_oneof![
        6 => Just(Chance::Probe),
        6 => (0..3_usize).prop_map(Chance::Open),
        4 => Just(Chance::Work(0)),
        1 => Just(Chance::Work(1)),
        6 => (0..6_usize, prop_oneof![5 => Just(0), 1 => Just(1)]).prop_map(|(which, exit)| Chance::Bit(which, exit)),
        1 => Just(Chance::Lost),
        2 => Just(Chance::Crash),
        2 => Just(Chance::Retry),
        1 => (0..3_usize).prop_map(Chance::Undo),
        1 => (0..3_usize).prop_map(Chance::Skip),
        1 => Just(Chance::Pause),
        2 => (1..90_i64).prop_map(Chance::Wait),
        1 => (0..3_usize).prop_map(Chance::MemberDown),
        1 => (0..3_usize).prop_map(Chance::MemberUp),
        2 => (0..3_usize, any::<bool>()).prop_map(|(which, allow)| Chance::Set(which, allow)),
    ]
}

fn order() -> impl Strategy<Value = Order> {
    prop::sample::select(vec![Order::OneAtATime, Order::Batch(25), Order::Batch(70), Order::AllAtOnce])
}

/// One stage without a way back from its end, or two with files to push, to fetch and to take back, in any order of hosts.
fn any_plan() -> impl Strategy<Value = Plan> {
    prop_oneof![
        1 => order().prop_map(|order| that_names(plan(steps(), order))),
        3 => (order(), order()).prop_map(|(order, second)| that_names(rich_plan(order, second))),
    ]
}

/// How many hosts of a stage may be worked on at once.
fn room(order: Order) -> usize {
    match order {
        Order::OneAtATime => 1,
        Order::Batch(percent) => (HOSTS.len() * usize::from(percent) / 100).max(1),
        Order::AllAtOnce => HOSTS.len(),
    }
}

/// One of these, whichever.
fn pick<T>(all: impl IntoIterator<Item = T>, which: usize) -> Option<T> {
    let mut all: Vec<T> = all.into_iter().collect();
    if all.is_empty() { None } else { Some(all.swap_remove(which % all.len())) }
}

/// Opens a gate, which then was one that may be open.
fn open(play: &mut Play, task: TaskId) {
    let asked = play.state.hosts.values().filter_map(|host| host.current()).map(|seen| seen.asked).min();
    let shown = play.state.tasks[task.index()].since_seq;
    let (planned, step, _) = play.state.task(task).unwrap();
    let (typed, stage, guarded) = (Some(planned.host.to_string()), planned.stage, !step.require.is_empty());
    let whole = step.require.iter().any(|check| check.that.0.contains("members"));
    if play.submit(&Intent::OpenGate { task, typed, shown_ms: None, together: None }).is_err() {
        return;
    }
    let earlier = play.state.plan.as_ref().unwrap().tasks.iter().filter(|other| other.stage < stage);
    for other in earlier {
        assert!(play.state.tasks[other.id.index()].phase.is_over(), "opened before an earlier stage was over");
    }
    if guarded {
        assert!(asked.is_some_and(|asked| asked >= shown), "opened on facts from before it was shown");
    }
    if whole {
        let known = play.state.hosts.values().filter(|host| {
            host.facts.as_ref().is_some_and(|seen| seen.facts.etcd.as_ref().unwrap().healthy == Some(true))
        });
        assert_eq!(known.count(), HOSTS.len(), "opened with a member known to be down");
    }
}

/// What must be so after everything that happens.
fn assert_safe(play: &Play) {
    let state = &play.state;
    let plan = state.plan.as_ref().unwrap();
    let busy: BTreeSet<_> = state
        .task_ids()
        .filter(|id| state.tasks[id.index()].phase.is_under_way())
        .map(|id| (plan.task(id).stage, plan.task(id).host.clone()))
        .collect();
    let stages: BTreeSet<usize> = busy.iter().map(|(stage, _)| *stage).collect();
    assert!(stages.len() <= 1, "two stages are worked on: {busy:?}");
    for stage in stages {
        let most = room(plan.runbook.stages[stage].order);
        assert!(busy.len() <= most, "{} hosts are worked on, of at most {most}: {busy:?}", busy.len());
    }
    assert!(play.stopped_by_us.len() <= 1, "two members were stopped: {:?}", play.stopped_by_us);
    let unbrought = state.task_ids().find(|id| {
        let (_, step, now) = state.task(*id).unwrap();
        now.phase == Phase::Done && !step.fetch.iter().all(|fetch| state.brought(*id, &fetch.path))
    });
    assert_eq!(unbrought.map(|id| play.label(id)), None, "done, and what it brings back is not here");
}

proptest! {
    /// Whatever happens in whatever order: no gate opens without its checks on facts asked for after it was shown, or before its
    /// stage; no job is started twice, or before its files are there; no more hosts are worked on than the order says, and of
    /// members only one is ever stopped; what is done has brought back what it should; and the fold of the journal is the state.
    #[test]
    fn nothing_unsafe_happens_by_chance(plan in any_plan(), chances in proptest::collection::vec(chance(), 1..120)) {
        let mut play = Play::new(plan);
        // What each task was opened with.
        let mut opened: BTreeMap<TaskId, String> = BTreeMap::new();
        play.settle();
        for chance in chances {
            match chance {
                Chance::Probe => play.probe(),
                Chance::Open(which) => {
                    if let Some(task) = pick(play.state.gates(), which) {
                        open(&mut play, task);
                    }
                }
                Chance::Work(exit) => play.work(exit),
                Chance::Bit(which, exit) => {
                    if let Some(effect) = pick(wanted(&play.state), which) {
                        play.carry_out(effect, exit);
                    }
                }
                Chance::Lost => {
                    for effect in wanted(&play.state) {
                        if let Act::Start(job) = effect.act {
                            play.start(effect.task, &job);
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
                Chance::Undo(n) => { let _ = play.submit(&Intent::Undo { host: HOSTS[n].into() }); }
                Chance::Skip(which) => {
                    if let Some(task) = pick(play.state.gates(), which) {
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
                // What somebody else does to a member is none of our doing.
                Chance::MemberDown(n) | Chance::MemberUp(n) => {
                    play.up.insert(HOSTS[n], matches!(chance, Chance::MemberUp(_)));
                    play.stopped_by_us.remove(HOSTS[n]);
                }
                Chance::Set(which, allow) => {
                    if let Some(task) = pick(play.state.gates(), which) {
                        let (name, value) = ("allow".to_owned(), allow.to_string());
                        let _ = play.submit(&Intent::SetVar { task, name, value, reason: "chance".into() });
                    }
                }
            }
            for id in play.state.task_ids() {
                if matches!(play.state.tasks[id.index()].phase, Phase::Waiting | Phase::Gate | Phase::NotNeeded) {
                    opened.remove(&id);
                } else {
                    let plan = play.state.plan.as_ref().unwrap();
                    let now = plan.vars_of(plan.task(id))["allow"].clone();
                    prop_assert_eq!(opened.entry(id).or_insert_with(|| now.clone()), &now, "it was opened with another");
                }
            }
            assert_safe(&play);
        }
        assert_told_alike(&play.state, play.now);
    }
}
