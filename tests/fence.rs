//! A host that is taken over under a running session: nothing more of that session happens there, and it is told why.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without may end it")]

mod practised;

use jiff::SignedDuration;
use lockkeeper::engine::Refusal;
use lockkeeper::hosts::LeaseAnswer;
use lockkeeper::model::event::Event;
use lockkeeper::model::state::Phase;
use lockkeeper::model::{HostName, State};
use lockkeeper::runner::Runner;
use practised::{Bench, TASK, open, until};

/// Somebody else takes the host over.
async fn taken_over(bench: &Bench, host: &HostName) {
    let there = bench.practice.host(host);
    let Ok(LeaseAnswer::HeldBy(held)) = there.show_lease().await else { panic!("nobody has it") };
    assert!(there.seize_lease("bob@sofa", &held).await.unwrap());
}

fn barred(state: &State, host: &HostName) -> Option<String> {
    state.host(host).unwrap().barred.clone()
}

async fn until_barred(runner: &mut Runner, host: &HostName) -> String {
    let began = runner.now();
    loop {
        if let Some(why) = barred(runner.state(), host) {
            return why;
        }
        assert!(runner.now().duration_since(began) < SignedDuration::from_mins(2), "nobody was told");
        runner.changed().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_bars_the_host_within_a_renewal_and_says_who_has_it() {
    let bench = Bench::new();
    let mut runner = bench.begin();
    practised::ready(&mut runner).await;
    let host = runner.state().task(TASK).unwrap().0.host.clone();
    taken_over(&bench, &host).await;
    let began = runner.now();
    let why = until_barred(&mut runner, &host).await;
    assert!(runner.now().duration_since(began) < SignedDuration::from_secs(40), "that took long");
    assert!(why.contains("bob@sofa") && why.contains("lockkeeper resume"), "{why}");
    assert!(matches!(open(&mut runner), Err(Refusal::Barred { .. })));
    // Also when bob has given it back: he has acted there, and this session does not go on as if nothing had been.
    let there = bench.practice.host(&host);
    let held = there.show_lease().await;
    assert!(matches!(held, Ok(LeaseAnswer::HeldBy(held)) if held.operator == "bob@sofa"));
    assert_eq!(bench.count(|event| matches!(event, Event::JobIntended { .. })), 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_opened_before_the_loss_was_noticed_is_refused_by_the_host() {
    let bench = Bench::new();
    let mut runner = bench.begin();
    until(&mut runner, |phase| *phase == Phase::Gate).await;
    let host = runner.state().task(TASK).unwrap().0.host.clone();
    practised::ready(&mut runner).await;
    taken_over(&bench, &host).await;
    open(&mut runner).unwrap();
    let why = until_barred(&mut runner, &host).await;
    assert!(why.contains("bob@sofa"), "{why}");
    until(&mut runner, |phase| *phase == Phase::Gate).await;
    assert_eq!(bench.count(|event| matches!(event, Event::JobStarted { .. } | Event::JobOutput { .. })), 0);
    assert_eq!(bench.practice.invariants(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_resumed_session_asks_for_its_lease_again() {
    let bench = Bench::new();
    let mut runner = bench.begin();
    until(&mut runner, |phase| *phase == Phase::Gate).await;
    practised::ready(&mut runner).await;
    runner.close().await.unwrap();
    let mut runner = bench.resume();
    practised::ready(&mut runner).await;
    open(&mut runner).unwrap();
    until(&mut runner, |phase| *phase == Phase::Running).await;
}
