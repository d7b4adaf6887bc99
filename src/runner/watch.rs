//! Watching a host: connect, probe at an interval, connect again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use super::{Clock, Report};
use crate::hosts::{HostError, Observe};
use crate::model::{Event, HostName, Redactor};

/// Between the end of a probe and the next, where somebody looks on.
pub const INTERVAL: Duration = Duration::from_secs(2);

/// How long a probe may take.
const DEADLINE: Duration = Duration::from_secs(15);

/// The first and the longest wait before a host is tried again.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// What it takes to watch one host.
pub(super) struct Watch {
    pub(super) name: HostName,
    pub(super) host: Arc<dyn Observe>,
    /// The probe, with this host's parameters.
    pub(super) script: String,
    /// Asks for a probe at once.
    pub(super) nudge: Arc<Notify>,
    pub(super) reports: mpsc::Sender<Report>,
    /// Number of the last event.
    pub(super) seq: Arc<AtomicU64>,
    /// The operator's clock, which the host's is compared with.
    pub(super) clock: Clock,
    /// Between the end of a probe and the next; a gate that is shown asks at once.
    pub(super) interval: Duration,
    /// Whatever the host says goes through it first.
    pub(super) redactor: Arc<Redactor>,
}

impl Watch {
    /// Watches until nobody listens.
    pub(super) async fn run(self) {
        let mut backoff = BACKOFF.0;
        let mut said = String::new();
        loop {
            let ended = match self.host.connect().await {
                Ok(()) => {
                    said.clear();
                    backoff = BACKOFF.0;
                    let connected = Event::HostConnected { host: self.name.clone() };
                    if !self.report(connected).await {
                        return;
                    }
                    match self.probe_until_lost().await {
                        Some(error) => error,
                        None => return,
                    }
                }
                Err(error) => error,
            };
            // The same complaint is made once.
            let reason = self.redactor.clean(&ended.to_string());
            if reason != said {
                let lost = Event::HostLost { host: self.name.clone(), reason: reason.clone() };
                if !self.report(lost).await {
                    return;
                }
                said = reason;
            }
            if self.reports.is_closed() {
                return;
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF.1);
        }
    }

    /// Why the connection ended, or nothing when nobody listens any more.
    async fn probe_until_lost(&self) -> Option<HostError> {
        let mut complaint = String::new();
        loop {
            let asked = self.seq.load(Ordering::Acquire);
            let begun = self.clock.now();
            let listening = match self.host.probe(&self.script, DEADLINE).await {
                Ok(probed) => {
                    complaint.clear();
                    // A slow login is no wrong clock.
                    let output = self.redactor.redact(&probed.output);
                    let facts = Box::new(crate::probe::parse(&output, Some(begun + probed.within)));
                    self.reports.send(Report::Facts { host: self.name.clone(), asked, facts }).await.is_ok()
                }
                Err(HostError::Refused(reason) | HostError::Fenced(reason)) => {
                    let reason = self.redactor.clean(&reason);
                    let listening = reason == complaint
                        || self.report(Event::ProbeFailed { host: self.name.clone(), reason: reason.clone() }).await;
                    complaint = reason;
                    listening
                }
                Err(error @ (HostError::Connect(_) | HostError::UnknownKey(_) | HostError::Lost(_))) => {
                    return Some(error);
                }
            };
            if !listening {
                return None;
            }
            tokio::select! {
                // In this order: under virtual time the same seed gives the same session.
                biased;
                () = tokio::time::sleep(self.interval) => {}
                () = self.nudge.notified() => {}
            }
        }
    }

    async fn report(&self, event: Event) -> bool {
        self.reports.send(Report::Event(event)).await.is_ok()
    }
}
