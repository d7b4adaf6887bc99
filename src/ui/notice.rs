//! What is said to the operator on a line of its own: it has an end, and goes when it is no longer true.

use std::time::Duration;

use super::hand::{Hand, Readiness};
use super::look::Look;
use crate::model::TaskId;

/// How long a notice stands.
const STANDS: Duration = Duration::from_secs(10);

/// Something said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// In plain words.
    pub text: String,
    /// By the screen's clock.
    since: Duration,
    /// What it is.
    kind: Kind,
}

/// What a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Something worth a word.
    Word,
    /// A refusal, with this task on the screen.
    Refusal(Option<TaskId>),
    /// How much of what this task runs is still to be read.
    Reading(TaskId),
}

impl Notice {
    /// Something worth a word.
    pub(super) fn new(at: Duration, text: String) -> Self {
        Self { text, since: at, kind: Kind::Word }
    }

    /// Why something is not done, and at whose gate.
    pub(super) fn refusal(at: Duration, text: String, task: Option<TaskId>) -> Self {
        Self { text, since: at, kind: Kind::Refusal(task) }
    }

    /// How much of what a task runs is still to be read.
    pub(super) fn reading(at: Duration, task: TaskId, rows: usize) -> Self {
        Self { text: to_read(rows), since: at, kind: Kind::Reading(task) }
    }

    /// A frame was drawn: what is told of reading is what is so in that frame.
    pub(super) fn read_on(&mut self, at: Duration, hand: &Hand) {
        if let Kind::Reading(task) = self.kind {
            self.text = match hand.readiness(at, task) {
                Readiness::Unread(rows) => to_read(rows),
                _ => "that was all of it: Enter opens".into(),
            };
        }
    }

    /// Whether it is a refusal.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self.kind, Kind::Refusal(_))
    }

    /// Whether it still has something to say: a refusal ends with the task it was given at, and when its gate is ready.
    pub(super) fn stands(&self, at: Duration, look: &Look) -> bool {
        let opens = look.was_shut && look.gate.as_ref().is_some_and(|gate| gate.refusal.is_none());
        let true_still = match self.kind {
            Kind::Word => true,
            Kind::Refusal(task) => task == look.task && !(task.is_some() && opens),
            Kind::Reading(task) => {
                look.task == Some(task) && look.gate.as_ref().is_some_and(|gate| gate.refusal.is_none())
            }
        };
        true_still && at.saturating_sub(self.since) < STANDS
    }
}

fn to_read(rows: usize) -> String {
    format!("{rows} more {} of what it runs: Enter reads on", if rows == 1 { "row" } else { "rows" })
}
