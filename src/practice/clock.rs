//! The clock of the simulated cluster: it starts on a spring day of 2017 and runs by the runtime's own time, so that a
//! runtime with its clock paused makes it virtual.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Saturday, 22 April 2017, 13:00:00 UTC, in seconds since 1970.
const EPOCH: u64 = 1_492_866_000;

/// Shared by all hosts of a cluster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    started: Instant,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { started: Instant::now() }
    }

    /// Time since the cluster was made.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// When the runtime's clock will show that.
    pub(super) fn instant(&self, elapsed: Duration) -> Instant {
        self.started + elapsed
    }

    /// What a file written now is stamped with.
    pub(super) fn system_time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Self::since_1970(self.elapsed())
    }

    /// A moment as time since 1970.
    pub(super) fn since_1970(elapsed: Duration) -> Duration {
        Duration::from_secs(EPOCH) + elapsed
    }

    /// A moment in words, by the directives of `strftime`.
    pub(super) fn strftime(elapsed: Duration, format: &str) -> String {
        let since = Self::since_1970(elapsed);
        let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        jiff::Timestamp::new(seconds, since.subsec_nanos() as i32)
            .ok()
            .and_then(|at| jiff::fmt::strtime::format(format, &at.to_zoned(jiff::tz::TimeZone::UTC)).ok())
            .unwrap_or_default()
    }
}
