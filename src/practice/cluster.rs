//! The etcd cluster as its members agree on it: who belongs to it, who leads, how far its log is, and its keys.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::model::HostName;

use super::faults::FaultKind;

/// A release of etcd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Release(pub(super) u32, pub(super) u32, pub(super) u32);

impl Release {
    /// What Container Linux of that time runs as etcd2.
    pub(super) const ETCD2: Self = Self(2, 3, 8);

    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim_start_matches('v').split('.').map(|part| part.parse().ok());
        Some(Self(parts.next()??, parts.next()??, parts.next()??))
    }

    /// Where its minor stands in the line 2.3, 3.0, 3.1, …
    fn rank(self) -> u32 {
        if self.0 < 3 { 0 } else { self.1 + 1 }
    }

    /// Live members speak to each other across one minor version and no more (seen with 2.3.8, 3.0.17 and 3.1.20).
    pub(super) fn speaks_to(self, other: Self) -> bool {
        self.rank().abs_diff(other.rank()) <= 1
    }

    /// `2.3` of `2.3.8`.
    pub(super) fn minor(self) -> String {
        format!("{}.{}", self.0, self.1)
    }

    /// The cluster version that a cluster of this release agrees on.
    pub(super) fn cluster(self) -> Self {
        Self(self.0, self.1, 0)
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// A row of the member list.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) host: HostName,
    pub(super) peer_url: String,
    pub(super) client_url: String,
    /// The log index up to which the others know that it has the log.
    pub(super) acknowledged: u64,
    /// Does not answer its peers.
    pub(super) ill: bool,
    /// It has joined once: the others know it, and its data cannot be begun anew.
    pub(super) published: bool,
    /// Its data is not what the others have.
    pub(super) diverged: bool,
}

impl Member {
    /// A member that has been one for some time.
    pub(super) fn old(id: u64, name: &str, peer_url: String, client_url: String, acknowledged: u64) -> Self {
        let (name, host) = (name.to_owned(), name.into());
        Self { id, name, host, peer_url, client_url, acknowledged, ill: false, published: true, diverged: false }
    }
}

/// What a member has cried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Alarm {
    pub(super) member: u64,
    /// `NOSPACE` or `CORRUPT`.
    pub(super) name: &'static str,
}

/// An etcd process.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) unit: String,
    pub(super) release: Release,
    /// The host's directory that holds `member/`.
    pub(super) data_dir: String,
    /// Who owns what it writes there; root where nobody is named.
    pub(super) owner: Option<&'static str>,
    /// It has joined at some time since it started: it answers clients.
    pub(super) joined: bool,
    /// It can join: its data and addresses are right.
    pub(super) able: bool,
}

/// A key of the v2 store.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) value: String,
    pub(super) created: u64,
    pub(super) modified: u64,
}

/// All that the members agree on, and their processes by host.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub(super) id: u64,
    pub(super) members: Vec<Member>,
    pub(super) processes: BTreeMap<HostName, Process>,
    pub(super) version: Release,
    pub(super) leader: Option<u64>,
    /// Since when it leads.
    pub(super) led_since: Duration,
    pub(super) term: u64,
    /// Entries in the log.
    pub(super) index: u64,
    pub(super) keys: BTreeMap<String, Key>,
    /// What was cried out and nobody has taken back.
    pub(super) alarms: Vec<Alarm>,
    /// Its clients come by TLS, with a certificate.
    pub(super) tls: bool,
    /// Counts elections, so that an overtaken one is passed over.
    pub(super) round: u64,
    /// Time that was not enough for a write yet.
    spare: Duration,
}

impl Cluster {
    pub(super) fn new(id: u64, members: Vec<Member>, version: Release, index: u64) -> Self {
        let canary = Key { value: "v1".into(), created: 8, modified: 8 };
        Self {
            id,
            leader: members.get(1).map(|member| member.id),
            members,
            processes: BTreeMap::new(),
            version,
            led_since: Duration::ZERO,
            term: 5,
            index,
            keys: BTreeMap::from([("/canary".into(), canary)]),
            alarms: Vec::new(),
            tls: false,
            round: 0,
            spare: Duration::ZERO,
        }
    }

    /// Makes it a cluster that has yet to begin.
    pub(super) fn fresh(&mut self) {
        (self.index, self.version) = (1, Release(3, 0, 0));
        (self.leader, self.processes) = (None, BTreeMap::new());
        self.keys.clear();
        for member in &mut self.members {
            (member.acknowledged, member.published) = (0, false);
        }
    }

    /// What is wrong with a member from the beginning. Alarms came with the third version.
    pub(super) fn go_wrong(&mut self, host: &HostName, fault: FaultKind) {
        let third = self.version >= Release(3, 0, 0);
        let Some(member) = self.members.iter_mut().find(|member| member.host == *host) else { return };
        match fault.alarm() {
            Some(name) if third => self.alarms.push(Alarm { member: member.id, name }),
            Some(_) => {}
            None => member.diverged = true,
        }
    }

    /// What `hashkv` finds in a member's keys.
    pub(super) fn hash_of(&self, member: &Member) -> u64 {
        // FNV-1a over what is kept, as far as all members of a quorum have it.
        let mut text: String =
            self.keys.iter().map(|(key, kept)| format!("{key}={}@{};", kept.value, kept.modified)).collect();
        if member.diverged {
            text += "and something more";
        }
        let fold = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0193) & 0xffff_ffff;
        text.bytes().fold(0x811c_9dc5, fold)
    }

    pub(super) fn quorum(&self) -> usize {
        self.members.len() / 2 + 1
    }

    pub(super) fn member_of(&self, host: &HostName) -> Option<&Member> {
        self.members.iter().find(|member| member.host == *host)
    }

    /// The members that reach each other: of all that run and are well, the most that speak to one another. Between
    /// groups of one size, the leader's is it.
    pub(super) fn together(&self) -> Vec<&Member> {
        let well: Vec<(&Member, Release)> = self
            .members
            .iter()
            .filter(|member| !member.ill)
            .filter_map(|member| {
                Some((member, self.processes.get(&member.host).filter(|process| process.able)?.release))
            })
            .collect();
        well.iter()
            .map(|(_, lowest)| {
                let fits = |release: Release| release.rank() >= lowest.rank() && release.speaks_to(*lowest);
                well.iter().filter(|(_, release)| fits(*release)).map(|(member, _)| *member).collect::<Vec<_>>()
            })
            .max_by_key(|group| (group.len(), group.iter().any(|member| Some(member.id) == self.leader)))
            .unwrap_or_default()
    }

    /// A quorum is up and reaches itself.
    pub(super) fn has_quorum(&self) -> bool {
        self.together().len() >= self.quorum()
    }

    /// Whether a host's member takes part in what the cluster decides now.
    pub(super) fn takes_part(&self, host: &HostName) -> bool {
        self.leader.is_some() && self.has_quorum() && self.together().iter().any(|member| member.host == *host)
    }

    /// Lets the log grow while somebody writes and a quorum takes it.
    pub(super) fn write_on(&mut self, from: Duration, to: Duration, writes: bool) {
        // Leases are renewed every ten seconds, and most of what is written is that.
        const RENEWED_EVERY: Duration = Duration::from_secs(10);
        const LEASES: u64 = 20;
        if writes && self.leader.is_some() {
            self.spare += to.saturating_sub(from);
            let rounds = self.spare.as_millis() / RENEWED_EVERY.as_millis();
            self.spare -= RENEWED_EVERY * rounds as u32;
            self.index += rounds as u64 * LEASES;
        }
        if self.leader.is_some() {
            let hosts: Vec<HostName> = self.together().iter().map(|member| member.host.clone()).collect();
            let joined = |member: &Member| self.processes.get(&member.host).is_some_and(|process| process.joined);
            let up: Vec<bool> =
                self.members.iter().map(|member| hosts.contains(&member.host) && joined(member)).collect();
            for (member, _) in self.members.iter_mut().zip(up).filter(|(_, up)| *up) {
                member.acknowledged = self.index;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(releases: &[&str]) -> Cluster {
        let host = |n: usize| HostName::from(format!("etcd{}", n + 1));
        let member = |n: usize| Member::old(n as u64, host(n).as_str(), String::new(), String::new(), 0);
        let mut cluster = Cluster::new(1, (0..3).map(member).collect(), Release(2, 3, 0), 100);
        for (n, release) in releases.iter().enumerate() {
            let release = Release::parse(release).unwrap();
            let unit = "etcd2.service".into();
            let process = Process {
                unit,
                release,
                data_dir: "/var/lib/etcd2".into(),
                owner: Some("etcd"),
                joined: true,
                able: true,
            };
            cluster.processes.insert(host(n), process);
        }
        cluster
    }

    #[test]
    fn members_two_minors_apart_do_not_make_a_quorum() {
        assert_eq!(cluster(&["2.3.8", "2.3.8", "3.0.17"]).together().len(), 3);
        assert_eq!(cluster(&["2.3.8", "3.1.6", "2.3.8"]).together().len(), 2);
        let cut_off = cluster(&["2.3.8", "3.1.6", "3.1.6"]);
        assert!(cut_off.has_quorum() && !cut_off.takes_part(&"etcd1".into()));
        assert!(!cluster(&["2.3.8", "3.1.6"]).has_quorum());
        assert!(cluster(&["3.0.17", "3.1.6"]).has_quorum());
    }

    #[test]
    fn the_log_grows_by_twenty_in_ten_seconds_and_only_while_somebody_writes() {
        let mut cluster = cluster(&["2.3.8", "2.3.8", "2.3.8"]);
        cluster.write_on(Duration::ZERO, Duration::from_secs(7), true);
        cluster.write_on(Duration::from_secs(7), Duration::from_secs(10), true);
        assert_eq!((cluster.index, cluster.members[0].acknowledged), (120, 120));
        cluster.write_on(Duration::from_secs(10), Duration::from_secs(90), false);
        assert_eq!(cluster.index, 120);
    }
}
