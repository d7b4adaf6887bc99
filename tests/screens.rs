//! Screens: a place in a recorded session, a string of keys, a snapshot of the frame with its styles.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "what a test cannot do without may end it, and it may speak"
)]

#[macro_use]
mod common;

use std::sync::LazyLock;
use std::time::Duration;

use crossterm::event::Event as Input;
use lockkeeper::engine::{Intent, decide, gate_view};
use lockkeeper::model::event::{Event, FailedAt, Mode};
use lockkeeper::model::state::Phase;
use lockkeeper::model::{Record, State, TaskId};
use lockkeeper::ui::{self, Playhead, UiAction, UiState};
use ratatui::buffer::Buffer;
use ratatui::style::Style;

static SESSION: LazyLock<Vec<Record>> = LazyLock::new(|| {
    lockkeeper::journal::read(std::path::Path::new("tests/journals/container-linux.jsonl")).unwrap().records
});

/// Somebody who sits before a screen.
struct Screen {
    state: State,
    ui: UiState,
    size: (u16, u16),
    left: bool,
}

impl Screen {
    /// The session at the first moment that a condition holds.
    fn when(condition: impl Fn(&State) -> bool) -> Self {
        let mut state = State::default();
        for record in SESSION.iter() {
            state.apply(record);
            if condition(&state) {
                return Self { state, ui: UiState::default(), size: (120, 40), left: false };
            }
        }
        panic!("that never comes about in the recorded session");
    }

    /// A step of a host in a phase; a gate when it would open.
    fn at(step: &str, host: &str, phase: &Phase) -> Self {
        Self::when(|state| {
            let Some(id) = task(state, step, host) else { return false };
            let ready = || gate_view(state, id, state.now).is_some_and(|gate| gate.refusal.is_none());
            state.tasks[id.index()].phase == *phase && (*phase != Phase::Gate || ready())
        })
    }

    fn size(mut self, columns: u16, lines: u16) -> Self {
        self.size = (columns, lines);
        self
    }

    fn event(mut self, event: impl FnOnce(&State) -> Event) -> Self {
        let event = event(&self.state);
        self.record(event);
        self
    }

    fn record(&mut self, event: Event) {
        let record = Record { seq: self.state.seq + 1, at: self.state.now, event };
        self.state.apply(&record);
    }

    fn keys(mut self, keys: &str) -> Self {
        for key in common::keys(keys) {
            self.press(&Input::Key(key));
        }
        self
    }

    /// Whoever sits there looks at a frame for a while, and then does something.
    fn press(&mut self, input: &Input) {
        self.look();
        self.ui.at += Duration::from_millis(600);
        self.at_once(input);
    }

    /// A frame is drawn.
    fn look(&mut self) -> Buffer {
        ui::frame(&self.state, self.state.now, &mut self.ui, self.size)
    }

    /// The hand was faster than the eye: what was drawn last is all there is to act on.
    fn at_once(&mut self, input: &Input) {
        match ui::press(&self.state, self.state.now, &mut self.ui, input) {
            Some(UiAction::Submit(intent)) => self.submit(&intent),
            Some(UiAction::SubmitAll(intents)) => intents.iter().for_each(|intent| self.submit(intent)),
            Some(UiAction::Edit { task, path, text }) => {
                let file = self.state.task(task).unwrap().0.pushes.iter().find(|push| push.path == path).unwrap();
                match lockkeeper::documents::plan::edited(file, &text) {
                    Ok(file) => {
                        self.ui.answered(Ok(()));
                        self.record(Event::PushEdited { task, file: Box::new(file) });
                    }
                    Err(problems) => self.ui.answered(Err(problems.to_string())),
                }
            }
            Some(UiAction::Quit) => self.left = true,
            Some(UiAction::Playback(_)) | None => {}
        }
    }

    fn submit(&mut self, intent: &Intent) {
        match decide(&self.state, self.state.now, intent) {
            Ok(events) => {
                events.into_iter().for_each(|event| self.record(event));
                self.ui.answered(Ok(()));
            }
            Err(refusal) => self.ui.answered(Err(refusal.to_string())),
        }
    }

    fn shows(mut self) -> String {
        let buffer = ui::frame(&self.state, self.state.now, &mut self.ui, self.size);
        format!("{}\n{}", common::text(&buffer), styles(&buffer))
    }
}

fn task(state: &State, step: &str, host: &str) -> Option<TaskId> {
    state.task_ids().find(|id| {
        let (task, planned, _) = state.task(*id).unwrap();
        planned.name == step && task.host.as_str() == host
    })
}

/// Every run of cells that does not look plain: line, columns, look.
fn styles(buffer: &Buffer) -> String {
    let plain = Style::reset();
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut x = 0;
        while x < buffer.area.width {
            let cell = &buffer[(x, y)];
            let start = x;
            while x < buffer.area.width && buffer[(x, y)].style() == cell.style() {
                x += 1;
            }
            if cell.style() != plain && (cell.fg != ratatui::style::Color::Reset || !cell.modifier.is_empty()) {
                out += &format!("{y}:{start}-{} {:?} {:?}\n", x - 1, cell.fg, cell.modifier);
            }
        }
    }
    out
}

fn failed(state: &State) -> Event {
    let task = task(state, "copy", "etcd1").unwrap();
    Event::TaskFailed {
        task,
        at: FailedAt::Run,
        reason: "the script on etcd1 ended with exit status 1; see its log".into(),
    }
}

fn member_down(state: &State) -> Event {
    let host = "etcd3".into();
    let mut facts = (*state.host(&host).unwrap().facts.as_ref().unwrap().facts).clone();
    if let Some(etcd) = &mut facts.etcd {
        etcd.healthy = Some(false);
        (etcd.server, etcd.cluster) = (None, None);
    }
    Event::FactsSeen { host, asked: state.seq, facts: Box::new(facts) }
}

fn looking_only(state: &State) -> Event {
    let session = state.session.as_ref().unwrap();
    Event::SessionStarted {
        session: session.id.clone(),
        mode: Mode::Monitor,
        version: "0".into(),
        operator: session.operator.clone(),
        inventory: Box::new((*session.inventory).clone()),
        plan: None,
    }
}

screens! {
    first_frame: Screen::when(|state| state.session.is_some());
    gate: Screen::at("stop", "etcd1", &Phase::Gate);
    gate_small: Screen::at("stop", "etcd1", &Phase::Gate).size(80, 24);
    gate_small_runbook: Screen::at("stop", "etcd1", &Phase::Gate).size(80, 24).keys("<tab><tab>");
    too_small: Screen::at("stop", "etcd1", &Phase::Gate).size(50, 12);
    gate_shut: Screen::at("stop", "etcd1", &Phase::Gate).event(member_down).keys("<enter>");
    gate_scrolled: Screen::at("write-drop-in", "etcd1", &Phase::Gate).keys("<pgdn><pgdn>");
    file_is_edited: Screen::at("write-drop-in", "etcd1", &Phase::Gate).keys("eX");
    file_edited_small: Screen::at("write-drop-in", "etcd1", &Phase::Gate).size(80, 24).keys("e");
    file_was_edited: Screen::at("write-drop-in", "etcd1", &Phase::Gate).keys("e# mine <ctrl-s><pgdn><pgdn><pgdn><pgdn>");
    nothing_to_edit: Screen::at("stop", "etcd1", &Phase::Gate).keys("e");
    grave_gate_asks_for_the_host: Screen::at("start", "etcd1", &Phase::Gate).keys("<enter>etcd2<enter>");
    phrase_is_asked_for: Screen::at("put-cloud-config-aside", "etcd1", &Phase::Gate).size(80, 24).keys("<enter>");
    running: Screen::at("backup", "etcd1", &Phase::Running);
    verifying: Screen::at("start", "etcd1", &Phase::Verifying);
    stopped: Screen::at("copy", "etcd1", &Phase::Running).event(failed);
    undo_is_listed: Screen::at("copy", "etcd1", &Phase::Running).event(failed).keys("u");
    skip_wants_a_reason: Screen::at("stop", "etcd1", &Phase::Gate).keys("s<enter>");
    skip_with_a_reason: Screen::at("stop", "etcd1", &Phase::Gate).keys("sby hand<enter>");
    paused: Screen::at("stop", "etcd1", &Phase::Gate).keys("p<enter>");
    help: Screen::at("stop", "etcd1", &Phase::Gate).keys("?");
    help_small: Screen::at("stop", "etcd1", &Phase::Gate).size(80, 24).keys("?");
    help_small_down: Screen::at("stop", "etcd1", &Phase::Gate).size(80, 24).keys("?jjjjjjj");
    quit_says_how_to_resume: Screen::at("backup", "etcd1", &Phase::Running).keys("q");
    log_searched: Screen::at("copy", "etcd1", &Phase::Gate).size(80, 24).keys("/exit<enter>");
    finished: Screen::when(|state| state.outcome.is_some());
    monitor: Screen::when(|state| state.session.is_some()).event(looking_only).event(|state| {
        // The seam between a session's start and what a monitor sees: one host that cannot be reached.
        Event::HostLost { host: state.hosts.keys().next().unwrap().clone(), reason: "no route to host; is the address right, and the machine on?".into() }
    });
}

#[test]
fn a_replay_shows_where_it_is() {
    let mut screen = Screen::at("stop", "etcd1", &Phase::Gate);
    screen.ui.playhead = Some(Playhead { position: 200, total: 995, playing: true, speed: 2.0 });
    insta::assert_snapshot!(screen.shows());
}

#[test]
fn a_recorded_session_folds_to_the_same_state_as_ever() {
    let state = State::of(SESSION.iter());
    insta::assert_debug_snapshot!((
        state.seq,
        &state.outcome,
        state.tally(),
        state.artifacts.len(),
        state.unknown_events
    ));
}

#[test]
fn nothing_on_any_frame_is_a_control_character() {
    let mut state = State::default();
    for record in SESSION.iter() {
        state.apply(record);
    }
    let host = state.hosts.keys().next().unwrap().clone();
    let task = task(&state, "copy", "etcd1").unwrap();
    let evil = "\u{1b}]0;owned\u{7}\u{1b}[2Jtext\u{9b}31m\r\n";
    for event in [
        Event::JobOutput { task, offset: 0, bytes: 1, text: evil.into() },
        Event::HostLost { host: host.clone(), reason: evil.into() },
        Event::TaskFailed { task, at: FailedAt::Run, reason: evil.into() },
        Event::HostBarred { host, reason: evil.into() },
    ] {
        let record = Record { seq: state.seq + 1, at: state.now, event };
        state.apply(&record);
        let frame = ui::frame_text(&state, state.now, None, (120, 40));
        assert!(!frame.chars().any(|c| c.is_control() && c != '\n'), "{frame:?}");
    }
}
