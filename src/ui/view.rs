//! Where the operator looks: the lit host, scroll, popups. Never folded, never recorded.

use std::rc::Rc;
use std::time::Duration;

use tui_textarea::TextArea;

use super::hand::Hand;
use super::look::Look;
use super::mouse::Spots;
use super::notice::Notice;
use super::panes::log::Logs;
use super::reading::Reading;
use super::setting::Setting;
use super::since::Since;
use super::usual::Usual;
use crate::engine::confirmation;
use crate::model::runbook::{Confirm, Step};
use crate::model::{HostName, State, TaskId};

/// A pane that can have the focus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// The runbook.
    Steps,
    /// The task before the operator.
    #[default]
    Gate,
    /// A host's log.
    Log,
}

impl Pane {
    /// All, in the order that Tab goes.
    pub const ALL: [Self; 3] = [Self::Gate, Self::Log, Self::Steps];

    /// As its tab is headed.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Steps => "Steps",
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

/// A field that is typed into.
pub(super) type Field = Box<TextArea<'static>>;

/// What lies over the screen and wants an answer.
#[derive(Debug)]
pub enum Popup {
    /// The keys and signs, from so many lines down.
    Help(u16),
    /// All that is known of the lit host, from so many lines down.
    Card(HostName, u16),
    /// Words that open a gate, which had been shown for so many milliseconds.
    Confirm(TaskId, Field, u64),
    /// The number of gates, typed to open all of them.
    OpenAll {
        /// The one that was read at its gate.
        read: TaskId,
        /// For how many milliseconds it had been shown.
        shown_ms: u64,
        /// All that are opened.
        tasks: Vec<TaskId>,
        /// Their number, as it is typed.
        input: Field,
        /// What differs on the others, and how far that was read.
        reading: Reading,
    },
    /// A reason to skip a task.
    Skip(TaskId, Field),
    /// The text of a file that will be pushed, and what it was.
    Edit {
        /// Whose gate.
        task: TaskId,
        /// Which file.
        path: String,
        /// The text under the operator's hands.
        input: Field,
        /// The text as it was.
        before: Vec<String>,
    },
    /// Another value for a variable.
    SetVar(Setting),
    /// A note for the journal.
    Note(Field),
    /// A reason to end the session.
    Abort(Field),
    /// A text to look for in the log.
    Search(Field),
    /// A text that hosts are chosen by.
    Filter(Field),
    /// Everything that can be done now, found by typing; which of the found ones is lit.
    Palette(Field, usize),
    /// Take these back? The host's name is typed where that is grave.
    Undo {
        /// On which host.
        host: HostName,
        /// In the order they were done.
        tasks: Vec<TaskId>,
        /// The host's name, where it has to be typed.
        input: Option<Field>,
        /// How far it was read.
        reading: Reading,
    },
    /// End what this task runs, half-way?
    End(TaskId),
    /// Leave?
    Quit,
    /// Throw away what was typed in the popup below?
    Discard,
}

impl Popup {
    /// The field that is typed into.
    pub fn field(&mut self) -> Option<&mut TextArea<'static>> {
        match self {
            Self::Confirm(_, input, _)
            | Self::OpenAll { input, .. }
            | Self::Skip(_, input)
            | Self::Edit { input, .. }
            | Self::Note(input)
            | Self::Abort(input)
            | Self::Search(input)
            | Self::Filter(input)
            | Self::Palette(input, _)
            | Self::Undo { input: Some(input), .. } => Some(input),
            Self::SetVar(setting) => Some(setting.field()),
            Self::Help(_)
            | Self::Card(..)
            | Self::Undo { input: None, .. }
            | Self::End(_)
            | Self::Quit
            | Self::Discard => None,
        }
    }

    /// What has to be read in it before it is agreed to.
    pub(super) fn reading(&mut self) -> Option<&mut Reading> {
        match self {
            Self::OpenAll { reading, .. } | Self::Undo { reading, .. } => Some(reading),
            _ => None,
        }
    }

    /// Whether something was typed that closing would throw away.
    #[must_use]
    pub fn holds_words(&self) -> bool {
        match self {
            Self::Skip(_, input) | Self::Note(input) | Self::Abort(input) => !input.is_empty(),
            Self::Edit { input, before, .. } => input.lines() != before.as_slice(),
            Self::SetVar(setting) => setting.holds_words(),
            // A name is typed again in a second; a search and a filter hold as they are typed.
            Self::Confirm(..)
            | Self::OpenAll { .. }
            | Self::Undo { .. }
            | Self::Search(_)
            | Self::Filter(_)
            | Self::Palette(..)
            | Self::Help(_)
            | Self::Card(..)
            | Self::End(_)
            | Self::Quit
            | Self::Discard => false,
        }
    }
}

/// Which logs are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tiles {
    /// The lit host's.
    #[default]
    Lit,
    /// One for each host at work.
    AtWork,
    /// One for each host.
    All,
}

/// How the grid is ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// As the inventory has it.
    #[default]
    Inventory,
    /// What wants the operator first.
    Urgency,
    /// By name.
    Name,
}

impl Sort {
    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Inventory => Self::Urgency,
            Self::Urgency => Self::Name,
            Self::Name => Self::Inventory,
        }
    }

    /// What it is called.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Inventory => "as in the inventory",
            Self::Urgency => "by urgency",
            Self::Name => "by name",
        }
    }
}

/// Where the operator looks.
#[derive(Debug, Default)]
pub struct UiState {
    /// The screen's own clock, counted from when it was opened.
    pub at: Duration,
    /// The pane that keys go to.
    pub focus: Pane,
    /// The focused pane alone.
    pub zoom: bool,
    /// The host that was picked; the one where things go on, if none.
    pub host: Option<HostName>,
    /// A step of the lit host that is read before or after its turn.
    pub peek: Option<TaskId>,
    /// Rows scrolled down in the gate pane.
    pub gate_scroll: usize,
    /// Rows scrolled up in the steps pane.
    pub steps_scroll: usize,
    /// Checks that hold are listed one by one.
    pub all_checks: bool,
    /// Which logs are shown.
    pub tiles: Tiles,
    /// Where each log stands, and what is looked for.
    pub logs: Logs,
    /// Only hosts with this in their name, role or doing.
    pub filter: String,
    /// How the grid is ordered.
    pub sort: Sort,
    /// What lies over the screen, the topmost last.
    pub popups: Vec<Popup>,
    /// What was last said to the operator.
    pub notice: Option<Notice>,
    /// Where a replay is.
    pub playhead: Option<Playhead>,
    /// How long steps usually take.
    pub usual: Usual,
    /// When the topmost popup was opened.
    pub(super) popup_since: Duration,
    /// When the last frame had been written.
    pub(super) written: Duration,
    /// What a key might have acted on when a popup was laid over it: the lit host, the shown task and its phase.
    pub(super) vouched: Option<(Option<HostName>, Option<TaskId>, u64)>,
    /// The window is too small for anything to be seen: nothing can be done in it.
    pub(super) blind: bool,
    /// When the gate's pane was last turned by a page.
    pub(super) paged: Duration,
    /// When the last key came that is a letter.
    pub(super) typed: Duration,
    /// Rows of the gate's pane.
    pub(super) gate_height: usize,
    /// A button that was clicked, and when: it wants a second click.
    pub(super) clicked: Option<(super::keymap::Command, Duration)>,
    /// Since when the lit host is.
    pub(super) lit: (Option<HostName>, Duration),
    /// What has been on the screen, and for how long.
    pub(super) hand: Hand,
    /// Since when values are what they are.
    pub(super) since: Since,
    /// What was drawn last: keys act on it and on nothing else.
    pub(super) look: Rc<Look>,
    /// What stands where, for the mouse.
    pub(super) spots: Spots,
}

/// Where a replay is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Playhead {
    /// Events before it.
    pub position: usize,
    /// Events in all, as far as they have been counted.
    pub total: usize,
    /// They are still being counted.
    pub counting: bool,
    /// Why nothing after these events can be played, where something stands there.
    pub flaw: Option<String>,
    /// It moves by itself.
    pub playing: bool,
    /// Times as fast as it happened.
    pub speed: f64,
}

impl UiState {
    /// What a drag of the mouse covered when it ended.
    pub(super) fn copied(&mut self, buffer: &ratatui::buffer::Buffer) -> Option<String> {
        let (from, to) = self.spots.copy.take()?;
        Some(super::copy::text(buffer, from, to)).filter(|text| !text.trim().is_empty())
    }

    /// Says something to the operator on the line for that.
    pub fn say(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice::new(self.at, text.into()));
    }

    /// Lays something over the screen.
    pub(super) fn popup(&mut self, popup: Popup) {
        if self.popups.is_empty() {
            let settled = self.look.task.is_none_or(|task| self.hand.settled(self.at, task)) && self.lit_for_a_moment();
            self.vouched = settled.then(|| self.meant());
        }
        self.popups.push(popup);
        self.popup_since = self.at;
        self.notice = None;
    }

    /// What a key would act on.
    pub(super) fn meant(&self) -> (Option<HostName>, Option<TaskId>, u64) {
        (self.look.host.clone(), self.look.task, self.look.since_seq)
    }

    /// Closes the topmost popup: what lay under it is looked at anew.
    pub(super) fn close_popup(&mut self) {
        self.vouched = None;
        self.popups.pop();
        self.popup_since = self.at;
        self.hand.look_anew(self.at);
        self.lit.1 = self.at;
    }

    /// What is on the screen stands elsewhere than it did: it is looked at anew.
    pub(super) fn look_anew(&mut self) {
        self.popup_since = self.at;
        self.lit.1 = self.at;
        self.hand.look_anew(self.at);
    }

    /// The frame that was drawn at a moment has been written by now: what was new in it counts from now on.
    pub(super) fn frame_written(&mut self, drawn: Duration) {
        self.hand.written(drawn, self.at);
        for reading in self.popups.iter_mut().filter_map(Popup::reading) {
            reading.written(drawn, self.at);
        }
        for since in [&mut self.popup_since, &mut self.lit.1] {
            if *since > self.written {
                *since = self.at;
            }
        }
        self.written = self.at;
    }

    /// Nobody can have looked for a while, and what was typed meanwhile was not meant for this screen.
    pub(super) fn wake(&mut self) {
        self.look_anew();
        self.hand.deafen(self.at);
    }

    /// Whether the lit host has been for long enough that a key means it.
    pub(super) fn lit_for_a_moment(&self) -> bool {
        self.lit.0 == self.look.host && self.at.saturating_sub(self.lit.1) >= super::hand::SHOWN_FOR
    }

    /// Takes in what is looked at now, before it is drawn.
    pub(super) fn settle(&mut self, state: &State, look: Rc<Look>) {
        if look.task != self.look.task || look.since_seq != self.look.since_seq {
            self.gate_scroll = 0;
            self.steps_scroll = 0;
            self.since.sweep();
        }
        if look.host != self.lit.0 {
            let by_itself = self.lit.0.is_some() && self.host.is_none() && self.playhead.is_none();
            // What is said while a popup is open is said in it, as an answer to it.
            let gate = look.at_gate(state).filter(|_| by_itself && self.popups.is_empty());
            // One that nobody is asked about is gone before this was read.
            let asks = |step: &Step| confirmation(step) != Confirm::None;
            if let Some((task, step, _)) = gate.and_then(|id| state.task(id)).filter(|(_, step, _)| asks(step)) {
                self.say(format!("now: {} on {}", step.name, task.host));
            }
            self.lit = (look.host.clone(), self.at);
        }
        if self.peek.is_some() && !look.peeked {
            // Its turn has come, or its host is another now.
            self.peek = None;
        }
        if self.notice.as_ref().is_some_and(|notice| !notice.stands(self.at, &look)) {
            self.notice = None;
        }
        self.look = look;
    }

    /// What came of what was asked for: the popup it was asked in closes, or stays with what is wrong.
    pub fn answered(&mut self, answer: Result<(), String>) {
        match answer {
            Ok(()) => {
                if !self.popups.is_empty() {
                    self.close_popup();
                }
                self.notice = None;
            }
            Err(refusal) => self.refused(refusal),
        }
    }

    /// Says why not. What is typed on after that, in the belief that it was taken, goes nowhere.
    pub fn refused(&mut self, why: String) {
        self.notice = Some(Notice::refusal(self.at, why, self.look.task));
        if self.popups.is_empty() {
            self.hand.deafen(self.at);
        }
    }
}
