//! What the fold and the engine cost, by the number of hosts: five tasks on each, all at once.

#![allow(clippy::unwrap_used, reason = "what a benchmark cannot do without may end it")]

mod common;

use common::{Session, now};
use divan::{AllocProfiler, Bencher, black_box, counter::ItemsCount};
use lockkeeper::engine::{self, Intent, Standing};
use lockkeeper::model::{Event, Record};

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

const HOSTS: [usize; 5] = [50, 100, 200, 500, 1_000];

fn main() {
    divan::main();
}

/// A probe that saw what the last one saw, taken into a session with a long log.
#[divan::bench(args = HOSTS)]
fn fold_an_event(bencher: Bencher, hosts: usize) {
    let mut session = Session::running(hosts).with_log(20_000);
    let host = session.facts[0].0.clone();
    bencher.bench_local(move || session.record(Event::FactsConfirmed { host: host.clone(), asked: 1 }));
}

/// A task that changes its phase.
#[divan::bench(args = HOSTS)]
fn fold_a_phase(bencher: Bencher, hosts: usize) {
    let mut session = Session::running(hosts);
    let task = session.state.under_way().last().unwrap();
    bencher.bench_local(move || session.record(Event::VerifyStarted { task }));
}

#[divan::bench(args = HOSTS)]
fn decide_open_gate(bencher: Bencher, hosts: usize) {
    let session = Session::at_gates(hosts);
    let task = session.state.gates().last().unwrap();
    let intent = Intent::OpenGate { task, typed: None, shown_ms: None, together: None };
    bencher.bench_local(|| engine::decide(black_box(&session.state), now(), &intent).unwrap());
}

/// Nothing follows: every host is at a gate.
#[divan::bench(args = HOSTS)]
fn advance_at_gates(bencher: Bencher, hosts: usize) {
    let session = Session::at_gates(hosts);
    bencher.bench_local(|| assert!(engine::advance(black_box(&session.state), now()).is_empty()));
}

/// Nothing follows: every host is waited for.
#[divan::bench(args = HOSTS)]
fn advance_verifying(bencher: Bencher, hosts: usize) {
    let session = Session::verifying(hosts);
    bencher.bench_local(|| assert!(engine::advance(black_box(&session.state), now()).is_empty()));
}

#[divan::bench(args = HOSTS)]
fn wanted_running(bencher: Bencher, hosts: usize) {
    let session = Session::running(hosts);
    bencher.bench_local(|| assert_eq!(engine::wanted(black_box(&session.state)).len(), hosts));
}

#[divan::bench(args = HOSTS)]
fn gate_view_of_one(bencher: Bencher, hosts: usize) {
    let session = Session::at_gates(hosts);
    let task = session.state.gates().last().unwrap();
    bencher.bench_local(|| engine::gate_view(black_box(&session.state), task, now()).unwrap());
}

/// Nothing has changed since the last look.
#[divan::bench(args = HOSTS)]
fn standing_of_all(bencher: Bencher, hosts: usize) {
    let session = Session::at_gates(hosts);
    bencher.counter(ItemsCount::new(hosts)).bench_local(|| {
        let ready = |id| engine::standing(black_box(&session.state), id, now()) == Standing::Ready;
        assert!(session.state.gates().all(ready));
    });
}

/// One host was seen to be otherwise since the last look.
#[divan::bench(args = HOSTS)]
fn standing_of_all_after_a_change(bencher: Bencher, hosts: usize) {
    let mut session = Session::at_gates(hosts);
    let (host, facts) = session.facts.last().unwrap().clone();
    let mut count = 0;
    bencher.counter(ItemsCount::new(hosts)).bench_local(move || {
        count += 1;
        let facts = Box::new(lockkeeper::model::Facts { boot_id: Some(format!("boot {count}")), ..facts.clone() });
        session.record(Event::FactsSeen { host: host.clone(), asked: session.state.seq, facts });
        let ready = |id| engine::standing(black_box(&session.state), id, now()) == Standing::Ready;
        assert!(session.state.gates().all(ready));
    });
}

/// 1,000 events as the runner takes them in, all that wait at once, and the engine asked what follows: probes, one in ten of
/// which saw something else, and output of jobs.
#[divan::bench(args = HOSTS)]
fn take_in_1000_events(bencher: Bencher, hosts: usize) {
    let mut session = Session::verifying(hosts);
    let mut count = 0_usize;
    let tasks: Vec<_> = session.state.under_way().collect();
    bencher.counter(ItemsCount::new(1_000_usize)).bench_local(move || {
        for _ in 0..1_000 {
            count += 1;
            let (host, facts) = &session.facts[count % session.facts.len()];
            let asked = session.state.seq;
            let event = match count % 10 {
                0 => {
                    let boot_id = Some(format!("boot {count}"));
                    let facts = Box::new(lockkeeper::model::Facts { boot_id, ..facts.clone() });
                    Event::FactsSeen { host: host.clone(), asked, facts }
                }
                1..=4 => Event::FactsConfirmed { host: host.clone(), asked },
                _ => {
                    let task = tasks[count % tasks.len()];
                    Event::JobOutput { task, offset: 0, bytes: 8, text: "a line\n".into() }
                }
            };
            session.state.apply(&Record { seq: asked + 1, at: now(), event });
        }
        assert!(engine::advance(&session.state, now()).is_empty());
        black_box(engine::wanted(&session.state));
    });
}
