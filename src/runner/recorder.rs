//! The one place where events come about: written first, then folded.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Clock;
use crate::journal::{JournalError, Writer};
use crate::model::{Digest, Event, State};

/// A state, and the journal it is the fold of. A monitor keeps none.
#[derive(Debug)]
pub struct Recorder {
    state: State,
    journal: Option<Writer>,
    clock: Clock,
    seq: Arc<AtomicU64>,
}

impl Recorder {
    /// A recorder that goes on from a state.
    #[must_use]
    pub fn new(state: State, journal: Option<Writer>, clock: Clock) -> Self {
        let seq = Arc::new(AtomicU64::new(state.seq));
        Self { state, journal, clock, seq }
    }

    /// What has come of it so far.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The digest that stands for the whole journal so far, where there is one.
    #[must_use]
    pub fn head(&self) -> Option<&Digest> {
        self.journal.as_ref().map(Writer::head)
    }

    /// The time.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The number of the last event, for those who must know what a later answer can have seen.
    #[must_use]
    pub fn seq(&self) -> Arc<AtomicU64> {
        self.seq.clone()
    }

    /// Writes an event down and folds it in.
    ///
    /// # Errors
    /// When it cannot be written. The state is as before then, and what the event announces must not happen.
    pub fn record(&mut self, event: Event) -> Result<(), JournalError> {
        let at = self.clock.now();
        let record = match &mut self.journal {
            Some(journal) => {
                let durable = is_decision(&event);
                journal.append(at, event, durable)?
            }
            None => crate::model::Record { seq: self.state.seq + 1, at, event },
        };
        self.state.apply(&record);
        self.seq.store(self.state.seq, Ordering::Release);
        Ok(())
    }
}

/// Whether an event has to be on disk for good before anything goes on. What was merely seen would be seen again.
fn is_decision(event: &Event) -> bool {
    !matches!(
        event,
        Event::FactsSeen { .. } | Event::FactsConfirmed { .. } | Event::JobOutput { .. } | Event::FileMoved { .. }
    )
}
