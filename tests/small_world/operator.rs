//! The hand before the screen: it mostly goes forward, and is now and then in two minds.

use jiff::{SignedDuration, Timestamp};
use lockkeeper::engine::{Intent, Standing, confirmation, standing};
use lockkeeper::model::event::FailedAt;
use lockkeeper::model::runbook::Confirm;
use lockkeeper::model::state::Phase;
use lockkeeper::model::{State, TaskId};

use crate::chance::Chance;
use crate::told::Told;

pub(crate) struct Operator {
    pub(crate) chance: Chance,
    /// Out of a thousand, how often something else is done than what leads forward.
    pub(crate) wild: usize,
    /// Not before.
    pub(crate) next: Timestamp,
    /// When something was last to be seen to move.
    pub(crate) moved: (Timestamp, u64),
}

/// What the hand does.
pub(crate) enum Hand {
    Submit(Intent),
    /// Leaves, to take the session up again.
    Quit,
}

impl Operator {
    /// What is done now, if anything.
    pub(crate) fn turn(&mut self, state: &State, told: &Told, now: Timestamp) -> Option<Hand> {
        if now < self.next || state.outcome.is_some() {
            return None;
        }
        self.next = now + SignedDuration::from_millis(self.chance.millis(200, 4000).as_millis() as i64);
        let since = state.tasks.iter().map(|task| task.since_seq).max().unwrap_or_default();
        if since != self.moved.1 {
            self.moved = (now, since);
        }
        let stuck = now.duration_since(self.moved.0) > SignedDuration::from_mins(4);
        if state.hosts.values().any(|host| host.barred.is_some()) && (stuck || self.chance.in_1000(50)) {
            self.moved.0 = now;
            return Some(Hand::Quit);
        }
        if let Some((host, _)) = state.hosts.iter().find(|(_, host)| host.rebooted.is_some()) {
            return Some(Hand::Submit(Intent::AcceptReboot { host: host.clone() }));
        }
        if state.paused {
            return Some(Hand::Submit(Intent::Continue));
        }
        if self.chance.in_1000(self.wild) {
            return Some(Hand::Submit(self.whim(state)?));
        }
        if stuck {
            return Some(Hand::Submit(self.way_out(state, now)));
        }
        let ready: Vec<TaskId> = state.gates().filter(|id| standing(state, *id, now) == Standing::Ready).collect();
        if !ready.is_empty() {
            return Some(Hand::Submit(open(state, *self.chance.pick(&ready))));
        }
        let failed: Vec<TaskId> = state.failed().collect();
        let task = *failed.first()?;
        // What may not be run again is only looked at again, which takes as long as it did the last time.
        let looks = state.task(task).is_some_and(|(_, step, now)| {
            matches!(now.phase, Phase::Failed { at: FailedAt::Verify | FailedAt::Interrupted, .. }) && !step.repeatable
        });
        if told.failed.get(&task).is_some_and(|often| often % if looks { 2 } else { 6 } == 0) {
            return Some(Hand::Submit(self.way_out(state, now)));
        }
        Some(Hand::Submit(match self.chance.below(12) {
            0 => Intent::Undo { host: state.task(task)?.0.host.clone() },
            _ => Intent::Retry { task },
        }))
    }

    /// Nothing leads forward: back, then past, then out.
    fn way_out(&mut self, state: &State, now: Timestamp) -> Intent {
        let at = state.failed().chain(state.gates()).collect::<Vec<_>>();
        let why = || "nothing leads forward".to_owned();
        self.moved.0 = now - SignedDuration::from_mins(3);
        match at.first() {
            Some(task) if self.chance.in_1000(500) => Intent::Skip { task: *task, reason: why() },
            Some(task) => {
                Intent::Undo { host: state.task(*task).map_or_else(|| "e1".into(), |(task, _, _)| task.host.clone()) }
            }
            None => Intent::Abort { reason: why() },
        }
    }

    fn whim(&mut self, state: &State) -> Option<Intent> {
        let task = TaskId(self.chance.below(state.tasks.len()) as u32);
        let host = state.hosts.keys().nth(self.chance.below(state.hosts.len()))?.clone();
        let at = state.gates().next().unwrap_or(task);
        Some(match self.chance.below(10) {
            0 => Intent::Pause,
            1 => Intent::Undo { host },
            2 => Intent::Skip { task: at, reason: "not today".into() },
            3 => Intent::Retry { task },
            4 => Intent::EndJob { task: state.under_way().next().unwrap_or(task) },
            5 => Intent::Note { text: "hm".into() },
            6 => Intent::OpenGate { task, typed: None, shown_ms: None, together: None },
            7 => Intent::OpenGate { task: at, typed: Some("e2".into()), shown_ms: Some(3), together: Some(2) },
            8 if self.chance.in_1000(200) => Intent::Abort { reason: "enough".into() },
            _ => open(state, at),
        })
    }
}

/// With the words that are asked for.
fn open(state: &State, task: TaskId) -> Intent {
    let found = state.task(task);
    let typed = found.and_then(|(task, step, _)| match confirmation(step) {
        Confirm::None | Confirm::Enter => None,
        Confirm::Host => Some(task.host.to_string()),
        Confirm::Phrase(words) => Some(words),
    });
    Intent::OpenGate { task, typed, shown_ms: Some(600), together: None }
}
