//! The lease on a host: one operator at a time, and nobody acts there who cannot prove that it is he.

use super::{Remote, SOON};
use crate::hosts::shell::Shell;
use crate::hosts::{Held, HostError, Lease, LeaseAnswer};
use crate::model::JobName;
use crate::model::logtail::clean;

const LEASE: &str = concat!(
    include_str!("../../../assets/job/room.sh"),
    include_str!("../../../assets/job/alive.sh"),
    include_str!("../../../assets/job/lease.sh")
);
pub(super) const RELEASE: &str = include_str!("../../../assets/job/release.sh");
const SEIZE: &str = concat!(include_str!("../../../assets/job/room.sh"), include_str!("../../../assets/job/seize.sh"));

impl<S: Shell> Remote<S> {
    /// Asks for the lease: `take`, `renew`, or `show`, which changes nothing.
    pub(super) async fn lease(&self, lease: &Lease, asked: &str) -> Result<LeaseAnswer, HostError> {
        let operator = clean(&lease.operator);
        let args = [&self.base, lease.session.as_str(), &operator, &lease.token, &lease.seat, asked];
        let output = self.ask(LEASE, &args, &[], SOON).await?;
        read_lease(&output).map_or_else(|| self.refuse("its answer about the lease cannot be read"), Ok)
    }

    /// Takes it from whoever was shown to have it, for the operator's next session; whether that is still who has it.
    pub(super) async fn seize(&self, operator: &str, from: &Held) -> Result<bool, HostError> {
        let args = [&self.base, &clean(operator), from.session.as_str()];
        let output = self.ask(SEIZE, &args, &[], SOON).await?;
        Ok(output.starts_with(b"seized"))
    }
}

/// Reads what `lease.sh` printed; nothing where it is no such answer.
#[must_use]
pub fn read_lease(output: &[u8]) -> Option<LeaseAnswer> {
    let output = String::from_utf8_lossy(output);
    let mut lines = output.lines().map(clean);
    match &*lines.next()? {
        "free" => Some(LeaseAnswer::Free),
        "taken" => Some(LeaseAnswer::Taken { from: lines.next().filter(|from| !from.is_empty()) }),
        "busy" => Some(LeaseAnswer::Busy(JobName::from(lines.next().unwrap_or_default()))),
        "held" => {
            let mut word = || lines.next().filter(|line| !line.is_empty()).unwrap_or_else(|| "unknown".into());
            let (session, operator, since) = (word(), word(), word());
            let renewed = lines.next().and_then(|age| age.parse().ok());
            Some(LeaseAnswer::HeldBy(Held { session: session.into(), operator, since, renewed }))
        }
        _ => None,
    }
}
