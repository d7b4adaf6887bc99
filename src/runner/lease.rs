//! Keeping other operators out of a host, and waiting for one to leave.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::Report;
use crate::hosts::{HostError, Lease, LeaseAnswer, Operate};
use crate::model::logtail::clean;
use crate::model::{Event, HostName};

/// Before a host that somebody else holds is asked again.
const AGAIN: Duration = Duration::from_secs(10);

/// Asks for a host's lease until it is ours, or the host is lost: a new connection asks anew.
pub(super) async fn hold(name: HostName, host: Arc<dyn Operate>, lease: Lease, reports: mpsc::Sender<Report>) {
    let mut said = String::new();
    loop {
        let reason = match host.take_lease(&lease).await {
            Ok(LeaseAnswer::Taken) => {
                let _ = reports.send(Report::Event(Event::LeaseTaken { host: name })).await;
                return;
            }
            Ok(LeaseAnswer::HeldBy(holder)) => format!("held by another operator: {holder}"),
            Err(HostError::Refused(reason)) => reason,
            Err(HostError::Connect(_) | HostError::UnknownKey(_) | HostError::Lost(_)) => return,
        };
        let reason = clean(&reason);
        if reason != said {
            let barred = Event::HostBarred { host: name.clone(), reason: reason.clone() };
            if reports.send(Report::Event(barred)).await.is_err() {
                return;
            }
            said = reason;
        }
        tokio::time::sleep(AGAIN).await;
    }
}
