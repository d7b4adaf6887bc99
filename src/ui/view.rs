//! Where the operator looks: cursor, scroll, popup. Never folded, never recorded.

use std::cell::RefCell;

use jiff::Timestamp;
use tui_textarea::TextArea;

use crate::engine::schedule::before;
use crate::engine::{GateView, gate_view};
use crate::model::state::Phase;
use crate::model::{HostName, State, TaskId};

/// A pane that can have the focus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// The runbook.
    Stages,
    /// The task before the operator.
    #[default]
    Gate,
    /// A host's log.
    Log,
}

impl Pane {
    /// All, in the order that Tab goes.
    pub const ALL: [Self; 3] = [Self::Stages, Self::Gate, Self::Log];

    /// As its frame is headed.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Stages => "Runbook",
            Self::Gate => "Gate",
            Self::Log => "Log",
        }
    }

    /// The pane so many further on.
    #[must_use]
    pub fn step(self, by: usize) -> Self {
        let at = Self::ALL.iter().position(|pane| *pane == self).unwrap_or_default();
        Self::ALL[(at + by) % Self::ALL.len()]
    }
}

/// What lies over the screen.
#[derive(Debug)]
pub enum Popup {
    /// The keys, from so many lines down.
    Help(u16),
    /// Something has to be typed to open a gate.
    Confirm(TaskId, Box<TextArea<'static>>),
    /// A reason to pass a task over.
    Skip(TaskId, Box<TextArea<'static>>),
    /// The text of a file that will be pushed.
    Edit(TaskId, String, Box<TextArea<'static>>),
    /// A note.
    Note(Box<TextArea<'static>>),
    /// A reason to end the session.
    Abort(Box<TextArea<'static>>),
    /// A text to look for in the log.
    Search(Box<TextArea<'static>>),
    /// Take these back?
    Undo(HostName, Vec<TaskId>),
    /// Leave?
    Quit,
}

/// Where the operator looks.
#[derive(Debug, Default)]
pub struct UiState {
    /// The pane that keys go to.
    pub focus: Pane,
    /// The focused pane alone.
    pub zoom: bool,
    /// The host that was picked; the one where things go on, if none.
    pub host: Option<usize>,
    /// Lines scrolled down in the gate pane.
    pub gate_scroll: u16,
    /// Lines scrolled up from the end of the log; 0 follows.
    pub log_scroll: usize,
    /// The text looked for in the log.
    pub search: String,
    /// What lies over the screen.
    pub popup: Option<Popup>,
    /// What was last refused or done.
    pub message: Option<String>,
    /// Where a replay is.
    pub playhead: Option<Playhead>,
    /// The task the gate pane showed last, to begin a new one at its top.
    shown: Option<TaskId>,
    gate: RefCell<Option<(u64, i64, GateView)>>,
}

/// Where a replay is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Playhead {
    /// Events before it.
    pub position: usize,
    /// Events in all.
    pub total: usize,
    /// It moves by itself.
    pub playing: bool,
    /// Times as fast as it happened.
    pub speed: f64,
}

impl UiState {
    /// The task before the operator: one that came to a stop, then one at its gate, then one at work. The picked host's
    /// come first, if it has any.
    #[must_use]
    pub fn task(&self, state: &State) -> Option<TaskId> {
        let plan = state.plan.as_ref()?;
        let picked = self.host.and_then(|host| state.hosts.get_index(host)).map(|(name, _)| name);
        let urgency = |id: &TaskId| match &state.tasks[id.index()].phase {
            Phase::Failed { .. } => Some(0),
            // One that stands open to another host's turn can wait.
            Phase::Gate if before(state, *id).is_some() => Some(3),
            Phase::Gate => Some(1),
            phase if phase.is_under_way() => Some(2),
            _ => None,
        };
        state
            .task_ids()
            .filter_map(|id| {
                let task = plan.task(id);
                let elsewhere = picked.is_some_and(|picked| *picked != task.host && *picked != task.on);
                Some((elsewhere, urgency(&id)?, id))
            })
            .min()
            .map(|(_, _, id)| id)
    }

    /// The host whose log is shown: the picked one, or where the shown task runs.
    #[must_use]
    pub fn host_index(&self, state: &State) -> usize {
        let active = || {
            let id = self.task(state)?;
            let (task, _, _) = state.task(id)?;
            state.hosts.get_index_of(&task.on)
        };
        self.host.or_else(active).unwrap_or_default().min(state.hosts.len().saturating_sub(1))
    }

    /// The gate of the shown task, evaluated at most once an event and a second.
    #[must_use]
    pub fn gate(&self, state: &State, now: Timestamp) -> Option<GateView> {
        let task = self.task(state)?;
        let mut cache = self.gate.borrow_mut();
        if let Some((seq, second, view)) = &*cache
            && (*seq, *second, view.task) == (state.seq, now.as_second(), task)
        {
            return Some(view.clone());
        }
        let view = gate_view(state, task, now)?;
        *cache = Some((state.seq, now.as_second(), view.clone()));
        Some(view)
    }

    /// Another task begins at its top.
    pub(super) fn settle(&mut self, state: &State) {
        let task = self.task(state);
        if task != self.shown {
            self.shown = task;
            self.gate_scroll = 0;
        }
    }
}
