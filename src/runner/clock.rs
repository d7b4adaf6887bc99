//! The only clock. Practice may run on virtual time; then every timestamp follows tokio's paused clock.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Where the time comes from.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The machine's.
    Real,
    /// A fixed moment, and what tokio's clock has counted since: the same on every run of the same seed.
    Virtual {
        /// The moment that the clock starts at.
        epoch: Timestamp,
        /// Tokio's clock at that moment.
        start: Instant,
    },
}

impl Clock {
    /// A virtual clock that starts now, at a moment of its own.
    #[must_use]
    pub fn virtual_from(epoch: Timestamp) -> Self {
        Self::Virtual { epoch, start: Instant::now() }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::Real => Timestamp::now(),
            Self::Virtual { epoch, start } => {
                let passed = SignedDuration::try_from(start.elapsed()).unwrap_or(SignedDuration::MAX);
                epoch.saturating_add(passed).unwrap_or(*epoch)
            }
        }
    }
}
