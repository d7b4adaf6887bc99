//! What runs on a host is ended by the operator, on practice hosts: also when the wizard dies between the order and the host.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without may end it")]

mod practised;

use lockkeeper::engine::Intent;
use lockkeeper::model::event::{Event, FailedAt};
use lockkeeper::model::state::Phase;
use lockkeeper::runner::Runner;
use practised::{Bench, TASK, running, until};

fn ended(phase: &Phase) -> bool {
    matches!(phase, Phase::Failed { .. })
}

#[track_caller]
fn assert_ended(runner: &Runner, bench: &Bench) {
    let Phase::Failed { at: FailedAt::Run, reason } = &runner.state().tasks[TASK.index()].phase else {
        panic!("{:?}", runner.state().tasks[TASK.index()].phase)
    };
    assert!(
        reason.starts_with("ended by you after 1:0") && reason.ends_with(": what was begun stays begun"),
        "{reason}"
    );
    assert_eq!(bench.count(|event| matches!(event, Event::JobIntended { .. })), 1, "it ran once");
    assert_eq!(bench.count(|event| matches!(event, Event::JobEndOrdered { .. })), 1, "it was ordered once");
    assert_eq!(bench.practice.invariants(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_script_is_ended_and_its_step_has_failed_and_can_be_taken_back() {
    let bench = Bench::new();
    let mut runner = bench.begin();
    running(&mut runner).await;
    runner.submit(&Intent::EndJob { task: TASK }).unwrap().unwrap();
    until(&mut runner, ended).await;
    assert_ended(&runner, &bench);
    let host = runner.state().task(TASK).unwrap().0.host.clone();
    runner.submit(&Intent::Undo { host }).unwrap().unwrap();
    until(&mut runner, |phase| *phase == Phase::Gate).await;
}

#[tokio::test(start_paused = true)]
async fn killed_between_the_order_and_the_host_the_resumed_session_ends_it() {
    let bench = Bench::new();
    let mut runner = bench.begin();
    running(&mut runner).await;
    runner.submit(&Intent::EndJob { task: TASK }).unwrap().unwrap();
    // Nothing of it has got to the host: on this runtime nothing else runs before somebody waits.
    runner.close().await.unwrap();
    assert_eq!(bench.count(|event| matches!(event, Event::JobEndSent { .. } | Event::JobFinished { .. })), 0);

    let mut runner = bench.resume();
    until(&mut runner, ended).await;
    assert_ended(&runner, &bench);
}

#[tokio::test(start_paused = true)]
async fn killed_after_the_host_has_heard_the_resumed_session_sees_the_end() {
    let bench = Bench::new();
    let mut runner = bench.begin();
    running(&mut runner).await;
    let (host, job) = {
        let (task, _, current) = runner.state().task(TASK).unwrap();
        (bench.practice.host(&task.on), current.job.as_ref().unwrap().name.clone())
    };
    runner.submit(&Intent::EndJob { task: TASK }).unwrap().unwrap();
    runner.close().await.unwrap();
    // As if the wizard had died with the host's answer on its way.
    host.end_job(&job).await.unwrap();

    let mut runner = bench.resume();
    until(&mut runner, ended).await;
    assert_ended(&runner, &bench);
}
