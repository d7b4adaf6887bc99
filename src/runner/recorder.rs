//! The one place where events come about: handed to the journal and folded. What follows from them on hosts waits for the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Clock;
use crate::journal::{self, Behind, JournalError, Store, Writer};
use crate::model::{Digest, Event, Record, State};

/// Where records go.
#[derive(Debug)]
enum Sink {
    /// A monitor keeps none.
    Nowhere,
    /// Written before anything goes on: on virtual time, which would run ahead of a thread.
    Inline(Box<dyn Store>),
    /// Written meanwhile.
    Thread(journal::Thread),
}

/// A state, and the journal it is the fold of. A monitor keeps none.
#[derive(Debug)]
pub struct Recorder {
    state: State,
    sink: Sink,
    clock: Clock,
    seq: Arc<AtomicU64>,
}

impl Recorder {
    /// A recorder that goes on from a state.
    #[must_use]
    pub fn new(state: State, journal: Option<Writer>, clock: Clock) -> Self {
        Self::over(state, journal.map(|writer| Box::new(writer) as Box<dyn Store>), clock)
    }

    /// The same, over whatever holds records.
    #[must_use]
    pub fn over(state: State, store: Option<Box<dyn Store>>, clock: Clock) -> Self {
        let seq = Arc::new(AtomicU64::new(state.seq));
        let sink = match (store, clock) {
            (None, _) => Sink::Nowhere,
            (Some(store), Clock::Virtual { .. }) => Sink::Inline(store),
            (Some(store), Clock::Real) => Sink::Thread(journal::Thread::spawn(store)),
        };
        Self { state, sink, clock, seq }
    }

    /// What has come of it so far.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
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

    /// Hands an event to the journal and folds it in. What it announces on a host must not happen before the journal has
    /// [caught up](Self::behind) with it.
    ///
    /// # Errors
    /// When it cannot be written, or one before it could not. The state is as before then.
    pub fn record(&mut self, event: Event) -> Result<(), JournalError> {
        let record = Record { seq: self.state.seq + 1, at: self.clock.now(), event };
        match &mut self.sink {
            Sink::Nowhere => self.state.apply(&record),
            Sink::Inline(store) => {
                store.write(std::slice::from_ref(&record))?;
                if journal::is_decision(&record.event) {
                    store.sync()?;
                }
                self.state.apply(&record);
            }
            Sink::Thread(thread) => {
                thread.failed()?;
                self.state.apply(&record);
                thread.record(record)?;
            }
        }
        self.seq.store(self.state.seq, Ordering::Release);
        Ok(())
    }

    /// What waits until all that was decided so far is on disk for good.
    pub(super) fn behind(&self) -> Behind {
        match &self.sink {
            Sink::Nowhere | Sink::Inline(_) => Behind::nothing(),
            Sink::Thread(thread) => thread.behind(),
        }
    }

    /// Waits for the journal to fail.
    pub(super) async fn failed(&mut self) -> JournalError {
        match &mut self.sink {
            Sink::Nowhere | Sink::Inline(_) => std::future::pending().await,
            Sink::Thread(thread) => loop {
                if let Err(error) = thread.failed() {
                    return error;
                }
                thread.moved().await;
            },
        }
    }

    /// So much waits for the disk that nothing more should be taken from hosts.
    pub(super) fn is_full(&self) -> bool {
        matches!(&self.sink, Sink::Thread(thread) if thread.is_full())
    }

    /// How long the disk has owed the session something that was decided.
    pub(super) fn silent(&self) -> Option<Duration> {
        match &self.sink {
            Sink::Nowhere | Sink::Inline(_) => None,
            Sink::Thread(thread) => thread.silent(),
        }
    }

    /// Waits until all of it is on disk, and returns the digest that stands for the whole journal, where there is one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) async fn close(self) -> Result<Option<Digest>, JournalError> {
        match self.sink {
            Sink::Nowhere => Ok(None),
            Sink::Inline(mut store) => {
                store.sync()?;
                Ok(Some(store.head().clone()))
            }
            Sink::Thread(thread) => thread.close().await.map(Some),
        }
    }
}
