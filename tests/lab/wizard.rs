//! The wizard in a terminal of its own. Its keys are pressed by what the journal says, so that nothing here waits for a guess.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lockkeeper::engine::gate_view;
use lockkeeper::journal;
use lockkeeper::model::runbook::Confirm;
use lockkeeper::model::state::Phase;
use lockkeeper::model::{Record, State, TaskId};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long one thing may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// The wizard in a terminal of its own.
pub(crate) struct Wizard {
    pub(crate) child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn std::io::Write + Send>,
    screen: Arc<Mutex<vt100::Parser>>,
    journal: PathBuf,
    _terminal: Box<dyn MasterPty + Send>,
}

impl Wizard {
    pub(crate) fn start(args: &[&str], journal: &Path) -> Self {
        Self::start_with(args, journal, &[])
    }

    /// With these variables in its environment.
    pub(crate) fn start_with(args: &[&str], journal: &Path, environment: &[(&str, &str)]) -> Self {
        let pty =
            native_pty_system().openpty(PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 }).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lockkeeper"));
        command.args(args);
        command.cwd(std::env::current_dir().unwrap());
        command.env("TERM", "xterm-256color");
        for (name, value) in environment {
            command.env(name, value);
        }
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(40, 120, 0)));
        let mut output = pty.master.try_clone_reader().unwrap();
        let shown = screen.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 8192];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                shown.lock().unwrap().process(&bytes[..count]);
            }
        });
        let keys = pty.master.take_writer().unwrap();
        Self { child, keys, screen, journal: journal.to_owned(), _terminal: pty.master }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    pub(crate) fn shows(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        journal::read(&self.journal).map(|journal| journal.records).unwrap_or_default()
    }

    /// Waits until the journal tells what is looked for.
    pub(crate) fn until<T>(&self, what: &str, mut told: impl FnMut(&State, &[Record]) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            let records = self.records();
            if let Some(found) = told(&State::of(&records), &records) {
                return found;
            }
            if began.elapsed() > PATIENCE {
                let last: Vec<String> =
                    records.iter().rev().take(8).map(|record| format!("{:?}", record.event)).collect();
                panic!("waited in vain for: {what}\n{}\n{}", self.shows(), last.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until the screen says so.
    pub(crate) fn until_shown(&self, text: &str) {
        let began = Instant::now();
        while !self.shows().contains(text) {
            assert!(began.elapsed() < PATIENCE, "waited in vain for `{text}`:\n{}", self.shows());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Presses a key again and again, as what has just come to the screen is deaf to it, until that is so.
    pub(crate) fn press_until(&mut self, key: &str, so: impl Fn(&State) -> bool) {
        let began = Instant::now();
        let mut pressed = None::<Instant>;
        while !so(&State::of(&self.records())) {
            assert!(began.elapsed() < PATIENCE, "pressed `{key}` in vain:\n{}", self.shows());
            if pressed.is_none_or(|at| at.elapsed() > Duration::from_millis(1_100)) {
                self.press(key);
                pressed = Some(Instant::now());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Opens a gate as a patient hand does: Enter until it opens or asks for words, these once, and Enter again. What has
    /// just come to the screen does not open yet, and a long script is read on first.
    fn open(&mut self, id: TaskId, words: Option<&str>) {
        let began = Instant::now();
        let mut words = words;
        let mut pressed = None::<Instant>;
        while State::of(&self.records()).tasks[id.index()].phase == Phase::Gate {
            assert!(began.elapsed() < PATIENCE, "the gate does not open:\n{}", self.shows());
            if words.is_some() && self.shows().contains("Open this gate") {
                self.press(words.take().unwrap_or_default());
                pressed = Some(Instant::now());
            } else if pressed.is_none_or(|at| at.elapsed() > Duration::from_millis(1_100)) {
                self.press("\r");
                pressed = Some(Instant::now());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Opens gates until the journal tells what is looked for.
    pub(crate) fn walk_until<T>(&mut self, what: &str, mut told: impl FnMut(&State, &[Record]) -> Option<T>) -> T {
        loop {
            enum Next<T> {
                Found(T),
                Open(TaskId, Confirm, String),
            }
            let next = self.until(what, |state, records| {
                if let Some(found) = told(state, records) {
                    return Some(Next::Found(found));
                }
                for id in state.task_ids() {
                    assert!(
                        !matches!(state.tasks[id.index()].phase, Phase::Failed { .. }),
                        "{:?}: {:?}",
                        state.plan.as_ref().unwrap().label(id),
                        state.tasks[id.index()].phase
                    );
                }
                let id = state.gates().next()?;
                let gate = gate_view(state, id, Timestamp::now())?;
                let host = state.task(id)?.0.host.to_string();
                (gate.refusal.is_none() && gate.confirm != Confirm::None).then_some(Next::Open(id, gate.confirm, host))
            });
            let (id, confirm, host) = match next {
                Next::Found(found) => return found,
                Next::Open(id, confirm, host) => (id, confirm, host),
            };
            let words = match confirm {
                Confirm::None | Confirm::Enter => None,
                Confirm::Host => Some(host),
                Confirm::Phrase(phrase) => Some(phrase),
            };
            self.open(id, words.as_deref());
        }
    }
}
