//! What can be practised, in words.

use super::{Fault, FaultKind, Kind};

impl Kind {
    /// What it is, in a line.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::ContainerLinux => "Container Linux of April 2017: etcd 2.3.8, Kubernetes 1.5.6",
            Self::Etcd => "etcd 3.4.23 under systemd on Debian",
            Self::Kubeadm => "kubeadm 1.30.4 on Debian, etcd 3.5.15 as static pods, containerd",
            Self::KubeadmMixed => "kubeadm 1.32.9 on hosts of different make: dnf, and bare binaries",
            Self::ArchArm => "kubeadm 1.11.1 on Arch Linux ARM, CRI-O, and a board that builds packages",
            Self::FedoraAtomic => "Fedora Atomic 26: etcd 3.1.9, flannel and Kubernetes 1.6.7 from the base image",
            Self::FedoraAtomicLayered => "Fedora Atomic 26 with layered packages, etcd's data where nobody moved it to",
            Self::SystemContainers => "Fedora Atomic 27: etcd 3.2.7, flannel and Kubernetes 1.7.3 in system containers",
            Self::BareAtomic => "Fedora Atomic 27 as it was installed, with configuration for a cluster",
            Self::CentosAtomic => "CentOS Atomic 7.1712: a master with Kubernetes 1.5.2 layered, two nodes",
            Self::CentosContainers => "CentOS Atomic 7.1712 with the master's components in docker's containers",
            Self::FedoraCoreos => "Fedora CoreOS 40 with kubeadm 1.30.4, the stream at 41",
            Self::Flatcar => "Flatcar 3815.2.0 with kubeadm 1.30.4, the channel at 3975.2.0",
            Self::BlueGreen => "Kubernetes 1.28.9 with work on it, and 1.31.4 beside it",
        }
    }

    /// The names of its hosts.
    pub fn host_names(self) -> impl Iterator<Item = &'static str> {
        self.hosts(None).into_iter().map(|(name, _)| name)
    }

    /// Every fault that can strike here, with the host that it strikes.
    pub fn faults(self) -> impl Iterator<Item = (&'static str, FaultKind)> {
        let all = self.host_names().flat_map(|host| FaultKind::ALL.map(|kind| (host, kind))).collect::<Vec<_>>();
        all.into_iter()
            .filter(move |(host, kind)| self.check(None, &Fault { host: (*host).into(), kind: *kind }).is_ok())
    }
}

impl FaultKind {
    /// What a runbook has to do on its host for it to strike, where that is not what every runbook does.
    #[must_use]
    pub fn occasion(self) -> Option<&'static str> {
        Some(match self {
            Self::MemberUnhealthy | Self::Diverged => "an etcd member",
            Self::SlowStart | Self::WontStart => "an etcd member that is started",
            Self::DiskFull => "an etcd member whose data is archived",
            Self::CorruptFetch => "an etcd member from which a file is fetched",
            Self::RebootHangs => "a step that reboots",
            Self::BudgetBlocks => "a step that drains",
            Self::PackageGone => "a step that layers flannel",
            Self::NoSpace | Self::Corrupt => "an etcd of 3.0 or later",
            Self::ConnectionDrop | Self::LostAck | Self::ProbeTimeouts => return None,
        })
    }

    /// What happens, in a line.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::MemberUnhealthy => "the etcd member is unhealthy for the first minutes",
            Self::SlowStart => "the new etcd member takes most of a minute to join",
            Self::WontStart => "the first start of the new etcd member fails",
            Self::DiskFull => "the first archive that is written finds no room",
            Self::ConnectionDrop => "the connection breaks while a job runs",
            Self::LostAck => "a job starts, and the answer that says so is lost",
            Self::RebootHangs => "the first reboot takes five minutes",
            Self::CorruptFetch => "the first file that is fetched arrives damaged",
            Self::ProbeTimeouts => "a few probes do not come back",
            Self::BudgetBlocks => {
                "for two and a half minutes of its first drain, a disruption budget allows no eviction"
            }
            Self::PackageGone => "the repository no longer has one of the packages",
            Self::NoSpace => "the etcd member has raised the alarm NOSPACE: its database is full",
            Self::Corrupt => "the etcd member has raised the alarm CORRUPT",
            Self::Diverged => "the etcd member's keys are not what the others have, and nothing says so but hashkv",
        }
    }
}
