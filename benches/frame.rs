//! What a frame costs, by the number of hosts: five steps on each, 20,000 lines of log kept, every host at its first gate.
//!
//! `cargo bench --bench frame`

#![allow(
    missing_docs,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a benchmark may end where it cannot go on, and nobody calls it"
)]

mod common;

use std::time::Duration;

use common::Session;
use crossterm::event::{Event as Input, KeyCode, KeyEvent};
use divan::{AllocProfiler, Bencher};
use lockkeeper::model::Event;
use lockkeeper::ui::{self, UiState};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

const HOSTS: [usize; 5] = [50, 100, 200, 500, 1_000];
const LINES: usize = 20_000;

fn main() {
    divan::main();
}

/// A screen that is drawn again and again, 33 ms apart by its own clock.
struct Desk {
    session: Session,
    ui: UiState,
    terminal: Terminal<TestBackend>,
}

impl Desk {
    fn new(hosts: usize, size: (u16, u16)) -> Self {
        let session = Session::at_gates(hosts).with_log(LINES);
        Self { session, ui: UiState::default(), terminal: Terminal::new(TestBackend::new(size.0, size.1)).unwrap() }
    }

    fn draw(&mut self) {
        self.ui.at += Duration::from_millis(33);
        let Self { session, ui, terminal } = self;
        let state = &session.state;
        terminal.draw(|frame| ui::draw(state, state.now, ui, frame)).unwrap();
    }
}

/// Nothing has happened since the frame before.
#[divan::bench(args = HOSTS)]
fn idle_120x40(bencher: Bencher, hosts: usize) {
    let mut desk = Desk::new(hosts, (120, 40));
    bencher.bench_local(|| desk.draw());
}

/// Nothing has happened, on a large screen.
#[divan::bench(args = HOSTS)]
fn idle_300x100(bencher: Bencher, hosts: usize) {
    let mut desk = Desk::new(hosts, (300, 100));
    bencher.bench_local(|| desk.draw());
}

/// A host's facts were confirmed since the frame before.
#[divan::bench(args = HOSTS)]
fn busy_120x40(bencher: Bencher, hosts: usize) {
    let mut desk = Desk::new(hosts, (120, 40));
    let host = desk.session.facts[0].0.clone();
    bencher.bench_local(|| {
        let asked = desk.session.state.seq;
        desk.session.record(Event::FactsConfirmed { host: host.clone(), asked });
        desk.draw();
    });
}

/// A key, and the frame that answers it, after a burst of a job's output.
#[divan::bench(args = HOSTS)]
fn key_after_a_thousand_lines(bencher: Bencher, hosts: usize) {
    let mut desk = Desk::new(hosts, (120, 40));
    let task = desk.session.state.task_ids().next().unwrap();
    let text = "Unpacking kubelet (1.31.4-1.1) over (1.30.4-1.1) ...\n".repeat(1_000);
    let down = Input::Key(KeyEvent::from(KeyCode::Down));
    bencher.bench_local(|| {
        let bytes = text.len() as u64;
        desk.session.record(Event::JobOutput { task, offset: 0, bytes, text: text.clone() });
        ui::press(&desk.session.state, desk.session.state.now, &mut desk.ui, &down);
        desk.draw();
    });
}
