//! Watching hosts without a way to act on them: all it is given is `dyn Observe`.

use std::sync::Arc;

use indexmap::IndexMap;
use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::watch::Watch;
use super::{BACKLOG, Recorder, Report};
use crate::hosts::Observe;
use crate::journal::JournalError;
use crate::model::{HostName, State};

/// A session that only looks.
pub struct Monitor {
    recorder: Recorder,
    reports: mpsc::Receiver<Report>,
    _watching: JoinSet<()>,
}

impl Monitor {
    /// Begins to look, so often at each host. The recorder's state has a session.
    #[must_use]
    pub fn new(
        recorder: Recorder,
        hosts: IndexMap<HostName, (Arc<dyn Observe>, String)>,
        interval: std::time::Duration,
    ) -> Self {
        let (reporter, reports) = mpsc::channel(BACKLOG);
        let mut watching = JoinSet::new();
        for (name, (host, script)) in hosts {
            watching.spawn(
                Watch {
                    name,
                    host,
                    script,
                    nudge: Arc::new(Notify::new()),
                    reports: reporter.clone(),
                    seq: recorder.seq(),
                    clock: recorder.clock(),
                    interval,
                    redactor: Arc::default(),
                }
                .run(),
            );
        }
        Self { recorder, reports, _watching: watching }
    }

    /// What was seen.
    #[must_use]
    pub fn state(&self) -> &State {
        self.recorder.state()
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.recorder.clock().now()
    }

    /// Waits for something to be seen, and takes in all that was.
    ///
    /// # Errors
    /// When it is recorded and the journal cannot be written.
    pub async fn changed(&mut self) -> Result<(), JournalError> {
        let Some(report) = self.reports.recv().await else { return std::future::pending().await };
        self.take(report)?;
        while let Ok(report) = self.reports.try_recv() {
            self.take(report)?;
        }
        Ok(())
    }

    fn take(&mut self, report: Report) -> Result<(), JournalError> {
        let event = report.event(self.recorder.state());
        let rebooted = crate::engine::rebooted(self.recorder.state(), &event);
        self.recorder.record(event)?;
        rebooted.map_or(Ok(()), |event| self.recorder.record(event))
    }
}
