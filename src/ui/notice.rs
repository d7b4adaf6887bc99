//! What is said to the operator on a line of its own: it has an end, and goes when it is no longer true.

use std::time::Duration;

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
    /// It is a refusal, at the gate of this task.
    refused: Option<Option<TaskId>>,
}

impl Notice {
    /// Something worth a word.
    pub(super) fn new(at: Duration, text: String) -> Self {
        Self { text, since: at, refused: None }
    }

    /// Why something is not done, and at whose gate.
    pub(super) fn refusal(at: Duration, text: String, task: Option<TaskId>) -> Self {
        Self { text, since: at, refused: Some(task) }
    }

    /// Whether it is a refusal.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.refused.is_some()
    }

    /// Whether it still has something to say: a refusal ends with the task it was given at, and when its gate is ready.
    pub(super) fn stands(&self, at: Duration, look: &Look) -> bool {
        let true_still = self.refused.is_none_or(|task| {
            task == look.task
                && !(task.is_some() && look.was_shut && look.gate.as_ref().is_some_and(|gate| gate.refusal.is_none()))
        });
        true_still && at.saturating_sub(self.since) < STANDS
    }
}
