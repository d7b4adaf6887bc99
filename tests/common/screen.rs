//! Somebody who sits before a screen: the recorded session at any of its moments, keys, and what is shown then.

#![allow(dead_code, clippy::unwrap_used, reason = "what a test cannot do without may end it")]

use std::sync::LazyLock;
use std::time::Duration;

use crossterm::event::Event as Input;
use lockkeeper::documents::{find_runbook, read_runbook};
use lockkeeper::engine::{Intent, decide, gate_view};
use lockkeeper::model::event::{Event, FailedAt, Mode};
use lockkeeper::model::facts::Etcd;
use lockkeeper::model::state::Phase;
use lockkeeper::model::{Record, State, TaskId};
use lockkeeper::ui::{self, UiAction, UiState};
use ratatui::buffer::Buffer;
use ratatui::style::Style;

use crate::common::{self, text};

pub(crate) static SESSION: LazyLock<Vec<Record>> = LazyLock::new(|| {
    lockkeeper::journal::read(std::path::Path::new("tests/journals/container-linux.jsonl")).unwrap().records
});

/// The same, as the runbook of today says which steps stop and start what, and what is so once they are taken back: the
/// session was recorded before it could.
pub(crate) static DECLARED: LazyLock<Vec<Record>> = LazyLock::new(|| {
    let mut records = SESSION.clone();
    let Event::SessionStarted { plan: Some(plan), .. } = &mut records[0].event else { panic!("no plan") };
    let today = read_runbook(&find_runbook(&plan.runbook.name).unwrap()).unwrap();
    for stage in &mut plan.runbook.stages {
        let Some(now) = today.stages.iter().find(|now| now.name == stage.name) else { continue };
        for step in &mut stage.steps {
            if let Some(now) = now.steps.iter().find(|now| now.name == step.name) {
                (step.stops, step.starts) = (now.stops.clone(), now.starts.clone());
                step.undone.clone_from(&now.undone);
            }
        }
    }
    records
});

/// Somebody who sits before a screen.
pub(crate) struct Screen {
    pub state: State,
    pub ui: UiState,
    pub size: (u16, u16),
    pub left: bool,
}

impl Screen {
    /// The session at the first moment that a condition holds.
    pub(crate) fn when(condition: impl Fn(&State) -> bool) -> Self {
        Self::of(&SESSION, condition)
    }

    pub(crate) fn of(session: &[Record], condition: impl Fn(&State) -> bool) -> Self {
        let mut state = State::default();
        for record in session {
            state.apply(record);
            if condition(&state) {
                return Self { state, ui: UiState::default(), size: (120, 40), left: false };
            }
        }
        panic!("that never comes about in the recorded session");
    }

    /// A step of a host in a phase; a gate when it would open.
    pub(crate) fn at(step: &str, host: &str, phase: &Phase) -> Self {
        Self::when(|state| {
            let Some(id) = task(state, step, host) else { return false };
            let ready = || gate_view(state, id, state.now).is_some_and(|gate| gate.refusal.is_none());
            state.tasks[id.index()].phase == *phase && (*phase != Phase::Gate || ready())
        })
    }

    /// The same in the session whose runbook says what it stops, as soon as the member's silence was seen.
    pub(crate) fn stopped_at(step: &str, host: &str) -> Self {
        Self::of(&DECLARED, |state| {
            let answers = |etcd: &Etcd| etcd.healthy == Some(true);
            let seen =
                state.host(&host.into()).and_then(|host| host.current()).and_then(|seen| seen.facts.etcd.as_ref());
            task(state, step, host).is_some_and(|id| state.tasks[id.index()].phase == Phase::Gate)
                && seen.is_some_and(|etcd| !answers(etcd))
        })
    }

    /// The grid's row of a host.
    pub(crate) fn row(mut self, host: &str) -> String {
        let frame = text(&self.look());
        frame.lines().find(|line| line.trim_start_matches(['▌', ' ']).starts_with(host)).unwrap().to_owned()
    }

    pub(crate) fn size(mut self, columns: u16, lines: u16) -> Self {
        self.size = (columns, lines);
        self
    }

    pub(crate) fn event(mut self, event: impl FnOnce(&State) -> Event) -> Self {
        let event = event(&self.state);
        self.record(event);
        self
    }

    pub(crate) fn record(&mut self, event: Event) {
        let record = Record { seq: self.state.seq + 1, at: self.state.now, event };
        self.state.apply(&record);
    }

    pub(crate) fn keys(mut self, keys: &str) -> Self {
        for key in common::keys(keys) {
            self.press(&Input::Key(key));
        }
        self
    }

    /// Whoever sits there looks at a frame for a while, and then does something.
    pub(crate) fn press(&mut self, input: &Input) {
        self.look();
        self.ui.at += Duration::from_millis(600);
        self.at_once(input);
    }

    /// A frame is drawn.
    pub(crate) fn look(&mut self) -> Buffer {
        ui::frame(&self.state, self.state.now, &mut self.ui, self.size)
    }

    /// The hand was faster than the eye: what was drawn last is all there is to act on.
    pub(crate) fn at_once(&mut self, input: &Input) {
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
            Some(UiAction::Set { task, name, value, reason }) => {
                match lockkeeper::documents::plan::check_value(self.state.plan.as_ref().unwrap(), &name, &value) {
                    Ok(()) => self.submit(&Intent::SetVar { task, name, value, reason }),
                    Err(wrong) => self.ui.answered(Err(wrong)),
                }
            }
            Some(UiAction::Quit) => self.left = true,
            Some(UiAction::Playback(_)) | None => {}
        }
    }

    pub(crate) fn submit(&mut self, intent: &Intent) {
        match decide(&self.state, self.state.now, intent) {
            Ok(events) => {
                events.into_iter().for_each(|event| self.record(event));
                self.ui.answered(Ok(()));
            }
            Err(refusal) => self.ui.answered(Err(refusal.to_string())),
        }
    }

    pub(crate) fn shows(mut self) -> String {
        let buffer = ui::frame(&self.state, self.state.now, &mut self.ui, self.size);
        format!("{}\n{}", text(&buffer), styles(&buffer))
    }
}

pub(crate) fn task(state: &State, step: &str, host: &str) -> Option<TaskId> {
    state.task_ids().find(|id| {
        let (task, planned, _) = state.task(*id).unwrap();
        planned.name == step && task.host.as_str() == host
    })
}

/// Every run of cells that does not look plain: line, columns, look.
pub(crate) fn styles(buffer: &Buffer) -> String {
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

pub(crate) fn failed(state: &State) -> Event {
    let task = task(state, "copy", "etcd1").unwrap();
    Event::TaskFailed {
        task,
        at: FailedAt::Run,
        reason: "the script on etcd1 ended with exit status 1; see its log".into(),
    }
}

pub(crate) fn member_down(state: &State) -> Event {
    let host = "etcd3".into();
    let mut facts = (*state.host(&host).unwrap().facts.as_ref().unwrap().facts).clone();
    if let Some(etcd) = &mut facts.etcd {
        etcd.healthy = Some(false);
        (etcd.server, etcd.cluster) = (None, None);
    }
    Event::FactsSeen { host, asked: state.seq, facts: Box::new(facts) }
}

pub(crate) fn looking_only(state: &State) -> Event {
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
