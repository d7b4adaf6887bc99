//! A variable that a gate names is set there, on practice hosts: a drain that pods with an emptyDir held up goes on.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without may end it")]

mod practised;

use jiff::SignedDuration;
use lockkeeper::documents::{find_runbook, plan::check_value};
use lockkeeper::engine::{Intent, Refusal, confirmation, gate_view, settable};
use lockkeeper::model::event::Event;
use lockkeeper::model::runbook::Confirm;
use lockkeeper::model::state::Phase;
use lockkeeper::model::{State, TaskId};
use lockkeeper::practice::Kind;
use lockkeeper::runner::Runner;
use practised::Bench;

const NAME: &str = "delete_local_data";

fn step(state: &State, id: TaskId) -> String {
    state.task(id).unwrap().1.name.clone()
}

fn value(state: &State, id: TaskId) -> String {
    let plan = state.plan.as_ref().unwrap();
    plan.vars_of(plan.task(id))[NAME].clone()
}

/// Opens whatever opens, until this is so.
async fn walk(runner: &mut Runner, done: impl Fn(&Runner) -> bool) {
    let began = runner.now();
    while !done(runner) {
        assert!(runner.now().duration_since(began) < SignedDuration::from_hours(1), "it does not come about");
        let gates: Vec<TaskId> = runner.state().gates().collect();
        for id in gates {
            let Some(gate) = gate_view(runner.state(), id, runner.now()) else { continue };
            let (task, step, _) = runner.state().task(id).unwrap();
            let typed = (gate.confirm == Confirm::Host).then(|| task.host.to_string());
            if gate.refusal.is_none() && confirmation(step) != Confirm::None {
                let open = Intent::OpenGate { task: id, typed, shown_ms: None, together: None };
                runner.submit(&open).unwrap().unwrap();
            }
        }
        runner.changed().await.unwrap();
    }
}

/// A gate that is shut because of pods with an emptyDir, and nothing else.
fn held_up(runner: &Runner) -> Option<TaskId> {
    runner.state().gates().find(|id| {
        let refusal = gate_view(runner.state(), *id, runner.now()).and_then(|gate| gate.refusal);
        let Some(Refusal::Checks(checks)) = refusal else { return false };
        let failing: Vec<_> = checks.iter().filter(|check| !check.passed()).collect();
        step(runner.state(), *id) == "drain" && failing.len() == 1 && failing[0].that.contains(NAME)
    })
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_an_empty_dir_stops_goes_on_once_that_is_allowed_at_its_gate() {
    let bench = Bench::of(Kind::from_word("arch-arm").unwrap());
    let runbook = find_runbook("kubeadm-minor").unwrap();
    let mut runner = bench.begin_with(&runbook, "arch-arm", &[(NAME.to_owned(), "no".to_owned())]);
    walk(&mut runner, |runner| held_up(runner).is_some()).await;
    let drain = held_up(&runner).unwrap();
    assert!(settable(runner.state(), drain).contains(&(NAME.to_owned(), "no".to_owned())));
    let plan = runner.state().plan.clone().unwrap();
    assert!(check_value(&plan, NAME, "perhaps").unwrap_err().contains("no, yes"));
    check_value(&plan, NAME, "yes").unwrap();

    let host = runner.state().task(drain).unwrap().0.host.clone();
    let opened = |state: &State| -> Vec<TaskId> {
        let done = |id: &TaskId| state.task(*id).is_some_and(|(_, _, task)| task.phase == Phase::Done);
        state.tasks_of(&host).iter().copied().filter(done).collect()
    };
    let before = opened(runner.state());
    assert!(before.iter().any(|id| step(runner.state(), *id) == "cordon"));
    let set = Intent::SetVar {
        task: drain,
        name: NAME.into(),
        value: "yes".into(),
        reason: "the team says its caches may go".into(),
    };
    runner.submit(&set).unwrap().unwrap();
    assert!(
        gate_view(runner.state(), drain, runner.now()).unwrap().refusal.is_some(),
        "facts from before do not count"
    );

    // The wizard dies right then; what was set is in its journal.
    runner.close().await.unwrap();
    let mut runner = bench.resume();
    walk(&mut runner, |runner| runner.state().tasks[drain.index()].phase == Phase::Done).await;
    assert_eq!(value(runner.state(), drain), "yes");
    before.iter().for_each(|id| assert_eq!(value(runner.state(), *id), "no", "{}", step(runner.state(), *id)));
    let others = runner.state().task_ids().filter(|id| runner.state().task(*id).unwrap().0.host != host);
    others.for_each(|id| assert_eq!(value(runner.state(), id), "no"));
    assert_eq!(bench.count(|event| matches!(event, Event::VarSet { .. })), 1);
    assert_eq!(bench.practice.invariants(), Vec::<String>::new());
}
