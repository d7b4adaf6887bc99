//! Another value for a variable, with a reason: which one, what, and why.

use crossterm::event::{KeyCode, KeyEvent};
use tui_textarea::TextArea;

use super::press::{UiAction, editor};
use super::view::Field;
use crate::engine::settable;
use crate::model::{State, TaskId};

/// What is being set.
#[derive(Debug)]
pub struct Setting {
    /// At whose gate.
    pub(super) task: TaskId,
    /// What may be set there, with the values of now; never empty.
    pub(super) known: Vec<(String, String)>,
    /// Which of it.
    pub(super) at: usize,
    /// What it shall be.
    pub(super) value: Field,
    /// Why.
    pub(super) reason: Field,
    /// The reason is being typed, not the value.
    pub(super) why: bool,
}

impl Setting {
    /// Of a gate; nothing where there is nothing to set.
    pub(super) fn of(state: &State, task: TaskId) -> Option<Self> {
        let known = settable(state, task);
        let checks = state.task(task).map(|(_, step, _)| &step.require);
        // What a check of the gate reads is what is most likely meant.
        let reads =
            |name: &str| checks.is_some_and(|all| all.iter().any(|it| it.that.0.contains(&format!("vars.{name}"))));
        let at = known.iter().position(|(name, _)| reads(name)).unwrap_or_default();
        let value = editor(&known.get(at)?.1);
        Some(Self { task, known, at, value, reason: editor(""), why: false })
    }

    /// The variable that is set, and its value of now.
    pub(super) fn lit(&self) -> (&str, &str) {
        self.known.get(self.at).map_or(("", ""), |(name, value)| (name, value))
    }

    /// What is typed into.
    pub(super) fn field(&mut self) -> &mut TextArea<'static> {
        if self.why { &mut self.reason } else { &mut self.value }
    }

    /// What it shall be, as far as it was typed.
    pub(super) fn value(&self) -> String {
        self.value.lines().join(" ").trim().to_owned()
    }

    /// Whether something was typed.
    pub(super) fn holds_words(&self) -> bool {
        self.value() != self.lit().1 || !self.reason.is_empty()
    }

    /// Takes a key in: Enter goes on from the value to the reason, and from there to the plan.
    pub(super) fn press(
        &mut self,
        key: KeyEvent,
        write: impl Fn(&mut TextArea<'static>, KeyEvent),
    ) -> Option<UiAction> {
        match key.code {
            KeyCode::Enter if self.why => {
                let reason = self.reason.lines().join(" ");
                let name = self.lit().0.to_owned();
                return Some(UiAction::Set { task: self.task, name, value: self.value(), reason });
            }
            KeyCode::Enter | KeyCode::Tab | KeyCode::BackTab => self.why = !self.why,
            KeyCode::Up | KeyCode::Down if !self.why => {
                let count = self.known.len();
                let step = if key.code == KeyCode::Down { 1 } else { count - 1 };
                self.at = (self.at + step) % count.max(1);
                self.value = editor(self.lit().1);
            }
            KeyCode::Up | KeyCode::Down => {}
            _ => write(self.field(), key),
        }
        None
    }
}
