//! Keeping other operators out of a host, waiting for one to leave, and finding out when the host was taken over.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::Report;
use crate::hosts::{HostError, Lease, LeaseAnswer, Operate};
use crate::model::logtail::clean;
use crate::model::{Event, HostName};

/// Before a host that somebody else holds is asked again.
const AGAIN: Duration = Duration::from_secs(10);

/// How often the host is told that we live, well within what counts as old.
const RENEW: Duration = Duration::from_secs(30);

/// Before a host that did not answer is asked again. Its probes may well get through meanwhile: nobody else would ask.
const SILENT: Duration = Duration::from_secs(3);

/// Holds a host's lease until it is lost: asks for it until it is ours, unless it has been ours before (`held`), and then says
/// again and again that we live.
pub(super) async fn hold(
    name: HostName,
    host: Arc<dyn Operate>,
    lease: Lease,
    held: bool,
    reports: mpsc::Sender<Report>,
) {
    if !held && !take(&name, &host, &lease, &reports).await {
        return;
    }
    loop {
        let wait = match host.renew_lease(&lease).await {
            // Where it cannot be told now: whatever we do there proves itself.
            Ok(LeaseAnswer::Taken { .. }) | Err(HostError::Refused(_) | HostError::Fenced(_)) => RENEW,
            Ok(other) => {
                let _ = reports.send(Report::Event(lost(name, &other))).await;
                return;
            }
            Err(HostError::Connect(_) | HostError::UnknownKey(_) | HostError::Lost(_)) => SILENT,
        };
        tokio::time::sleep(wait).await;
        if reports.is_closed() {
            return;
        }
    }
}

/// Asks until it is ours; whether it is.
async fn take(name: &HostName, host: &Arc<dyn Operate>, lease: &Lease, reports: &mpsc::Sender<Report>) -> bool {
    let mut said = String::new();
    loop {
        let reason = match host.take_lease(lease).await {
            Ok(LeaseAnswer::Taken { from }) => {
                let taken = Event::LeaseTaken { host: name.clone(), from: from.map(|from| clean(&from)) };
                return reports.send(Report::Event(taken)).await.is_ok();
            }
            Ok(LeaseAnswer::HeldBy(holder)) => {
                format!(
                    "held by {holder}; once they are gone, `lockkeeper lease take {name} -i INVENTORY` takes it over"
                )
            }
            Ok(LeaseAnswer::Busy(job)) => {
                format!("the job {job} of another session still runs there: it is waited for")
            }
            Ok(LeaseAnswer::Free) => "its answer about the lease cannot be understood".into(),
            Err(HostError::Refused(reason) | HostError::Fenced(reason)) => reason,
            Err(HostError::Connect(_) | HostError::UnknownKey(_) | HostError::Lost(_)) => {
                tokio::time::sleep(SILENT).await;
                if reports.is_closed() {
                    return false;
                }
                continue;
            }
        };
        let reason = clean(&reason);
        // How long ago something was is no news.
        let told = reason.split(", and that session").next().unwrap_or_default().to_owned();
        if told != said {
            let barred = Event::HostBarred { host: name.clone(), reason };
            if reports.send(Report::Event(barred)).await.is_err() {
                return false;
            }
            said = told;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// The lease was ours, and is not any more.
pub(super) fn lost(host: HostName, now: &LeaseAnswer) -> Event {
    let whose = match now {
        LeaseAnswer::HeldBy(holder) => format!("now it is held by {holder}"),
        _ => "somebody has removed it".into(),
    };
    fenced(host, &whose)
}

/// The host has refused what we wanted of it, for want of the lease.
pub(super) fn fenced(host: HostName, whose: &str) -> Event {
    let reason = format!(
        "this session has lost the host's lease: {whose}. Nothing of this session is done there any more. Once they are done: \
         quit, and `lockkeeper resume` asks for it again"
    );
    Event::LeaseLost { host, reason: clean(&reason) }
}
