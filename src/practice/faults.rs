//! What may go wrong on a practice host, by name.

use std::fmt;
use std::str::FromStr;

use crate::model::HostName;

use super::random::Random;

/// Something that goes wrong on one host, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub host: HostName,
    /// What.
    pub kind: FaultKind,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// The etcd member is unhealthy for the first minutes.
    MemberUnhealthy,
    /// The new etcd member takes most of a minute to join.
    SlowStart,
    /// The first start of the new etcd member fails.
    WontStart,
    /// The first archive written finds no room.
    DiskFull,
    /// The connection breaks while a job runs.
    ConnectionDrop,
    /// A job starts, and the answer that says so is lost.
    LostAck,
    /// The first reboot takes five minutes.
    RebootHangs,
    /// The first file fetched arrives damaged.
    CorruptFetch,
    /// A few probes do not come back.
    ProbeTimeouts,
    /// For two and a half minutes from its first drain, a disruption budget allows no eviction of what runs there.
    BudgetBlocks,
    /// The repository has one of the packages no more.
    PackageGone,
    /// The member has raised `NOSPACE`, and nobody has disarmed it.
    NoSpace,
    /// The member has raised `CORRUPT`.
    Corrupt,
    /// The member's keys are not what the others have, and no alarm says so.
    Diverged,
}

impl FaultKind {
    /// All kinds.
    pub const ALL: [Self; 14] = [
        Self::MemberUnhealthy,
        Self::SlowStart,
        Self::WontStart,
        Self::DiskFull,
        Self::ConnectionDrop,
        Self::LostAck,
        Self::RebootHangs,
        Self::CorruptFetch,
        Self::ProbeTimeouts,
        Self::BudgetBlocks,
        Self::PackageGone,
        Self::NoSpace,
        Self::Corrupt,
        Self::Diverged,
    ];

    /// What strikes by chance: not what is wrong with the cluster from the beginning and stays so, which has no way to a
    /// completed session.
    const BY_CHANCE: usize = Self::ALL.len() - 3;

    /// What it is called on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::MemberUnhealthy => "member-unhealthy",
            Self::SlowStart => "slow-start",
            Self::WontStart => "wont-start",
            Self::DiskFull => "disk-full",
            Self::ConnectionDrop => "connection-drop",
            Self::LostAck => "lost-ack",
            Self::RebootHangs => "reboot-hangs",
            Self::CorruptFetch => "corrupt-fetch",
            Self::ProbeTimeouts => "probe-timeouts",
            Self::BudgetBlocks => "budget-blocks",
            Self::PackageGone => "package-gone",
            Self::NoSpace => "nospace",
            Self::Corrupt => "corrupt",
            Self::Diverged => "diverged",
        }
    }

    /// Whether it needs an etcd member to go wrong.
    #[must_use]
    pub fn of_a_member(self) -> bool {
        self.alarm().is_some()
            || matches!(
                self,
                Self::MemberUnhealthy
                    | Self::SlowStart
                    | Self::WontStart
                    | Self::DiskFull
                    | Self::CorruptFetch
                    | Self::Diverged
            )
    }

    /// The alarm that it raises, by etcd's name for it.
    pub(super) fn alarm(self) -> Option<&'static str> {
        match self {
            Self::NoSpace => Some("NOSPACE"),
            Self::Corrupt => Some("CORRUPT"),
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.kind.word())
    }
}

/// Not a fault that can be practised.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a fault: write HOST:KIND, where KIND is one of {}", words())]
pub struct NoSuchFault {
    given: String,
}

fn words() -> String {
    FaultKind::ALL.map(FaultKind::word).join(", ")
}

impl FromStr for Fault {
    type Err = NoSuchFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once(':')
            .filter(|(host, _)| !host.is_empty())
            .and_then(|(host, word)| {
                let kind = FaultKind::ALL.into_iter().find(|kind| kind.word() == word)?;
                Some(Self { host: host.into(), kind })
            })
            .ok_or_else(|| NoSuchFault { given: text.into() })
    }
}

impl Fault {
    /// `count` faults by chance, the same for the same seed; etcd's own only on `members`.
    #[must_use]
    pub fn random(seed: u64, count: usize, members: &[HostName], others: &[HostName]) -> Vec<Self> {
        let mut random = Random::new(seed, "faults");
        let mut pick = |of: &[HostName]| of.get(random.below(of.len().max(1) as u64) as usize).cloned();
        let all: Vec<HostName> = members.iter().chain(others).cloned().collect();
        let mut kinds = Random::new(seed, "kinds");
        (0..count)
            .filter_map(|_| {
                let kind = FaultKind::ALL[kinds.below(FaultKind::BY_CHANCE as u64) as usize];
                Some(Self { host: pick(if kind.of_a_member() { members } else { &all })?, kind })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_written_as_host_and_kind() {
        for kind in FaultKind::ALL {
            let fault = Fault { host: "etcd1".into(), kind };
            assert_eq!(fault.to_string().parse(), Ok(fault));
        }
        let complaint = "etcd1:flood".parse::<Fault>().unwrap_err().to_string();
        assert!(complaint.contains("`etcd1:flood` is not a fault") && complaint.contains("lost-ack"), "{complaint}");
        assert!("lost-ack".parse::<Fault>().is_err());
    }

    #[test]
    fn faults_by_chance_are_the_same_for_the_same_seed() {
        let members = ["etcd1".into(), "etcd2".into()];
        let others = ["worker1".into()];
        let faults = Fault::random(5, 20, &members, &others);
        assert_eq!(faults, Fault::random(5, 20, &members, &others));
        assert_eq!(faults.len(), 20);
        assert!(faults.iter().all(|fault| !fault.kind.of_a_member() || fault.host.as_str().starts_with("etcd")));
    }
}
