//! Simulated hosts: the same runbooks, probe and parsers, on a cluster that cannot be hurt.
//!
//! Scripts run in an in-process shell on files in memory; the tools they call are simulated over one shared world. All
//! time is the runtime's, all chance is the seed's: under a paused clock the same seed and the same acts give the same
//! run. Nothing here touches the machine it runs on, but for files that were asked for by `fetch`.

mod atomic_hosts;
mod boot;
mod build;
mod catalogue;
mod clock;
mod cluster;
mod container_linux;
mod disk;
mod etcd;
mod faults;
mod host;
mod kube;
mod kubeadm;
mod ostree;
mod random;
mod services;
mod sight;
mod size;
mod software;
#[cfg(test)]
mod tests;
mod tools;
mod units;
mod updater;
mod world;

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use crate::hosts::{Observe, Operate};
use crate::model::inventory::{Connection, Ssh};
use crate::model::{Host, HostName, Inventory, Role};

pub use faults::{Fault, FaultKind, NoSuchFault};

use clock::Clock;
use host::PracticeHost;
use world::{Happening, Sim};

/// Which cluster is practised on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Container Linux of April 2017: etcd 2.3.8 on `etcd1` to `etcd3`, Kubernetes 1.5.6 on `master1`, `worker1`, `worker2`.
    ContainerLinux,
    /// etcd 3.4.23 under systemd on Debian: `etcd1` to `etcd3`.
    Etcd,
    /// kubeadm 1.30.4 on Debian: `cp1` to `cp3` with etcd 3.5.15 as static pods, `node1` to `node3`, containerd.
    Kubeadm,
    /// kubeadm 1.32.9 on hosts of different make: `stream-cp` and `stream-1` with dnf, `plain-1` with bare binaries.
    KubeadmMixed,
    /// kubeadm 1.11.1 on Arch Linux ARM: `c2-master0`, `c2-worker0` to `c2-worker2`, CRI-O; `c2-build` builds packages.
    ArchArm,
    /// Fedora Atomic 26 by the contrib Ansible scripts: etcd 3.1.9, flannel and Kubernetes 1.6.7 from the base.
    FedoraAtomic,
    /// The same on hosts whose packages are layered, and where etcd's data lies where nobody moved it to.
    FedoraAtomicLayered,
    /// Fedora Atomic 27 with etcd 3.2.7, flannel and Kubernetes 1.7.3 in system containers.
    SystemContainers,
    /// Fedora Atomic 27 as it was installed, and configuration for a cluster on it.
    BareAtomic,
    /// CentOS Atomic 7.1712: a master with Kubernetes 1.5.2 layered, two nodes.
    CentosAtomic,
    /// The same with the master's components in containers that docker runs.
    CentosContainers,
    /// Fedora CoreOS 40 with kubeadm 1.30.4; the stream is at 41.
    FedoraCoreos,
    /// Flatcar 3815.2.0 with kubeadm 1.30.4; the channel is at 3975.2.0.
    Flatcar,
    /// Kubernetes 1.28.9 with work on it, and beside it 1.31.4 without any.
    BlueGreen,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 14] = [
        Self::ContainerLinux,
        Self::Etcd,
        Self::Kubeadm,
        Self::KubeadmMixed,
        Self::ArchArm,
        Self::FedoraAtomic,
        Self::FedoraAtomicLayered,
        Self::SystemContainers,
        Self::BareAtomic,
        Self::CentosAtomic,
        Self::CentosContainers,
        Self::FedoraCoreos,
        Self::Flatcar,
        Self::BlueGreen,
    ];

    /// What it is called on the command line, in runbooks and in the inventory.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ContainerLinux => "container-linux",
            Self::Etcd => "etcd",
            Self::Kubeadm => "kubeadm",
            Self::KubeadmMixed => "kubeadm-mixed",
            Self::ArchArm => "arch-arm",
            Self::FedoraAtomic => "fedora-atomic",
            Self::FedoraAtomicLayered => "fedora-atomic-layered",
            Self::SystemContainers => "system-containers",
            Self::BareAtomic => "bare-atomic",
            Self::CentosAtomic => "centos-atomic",
            Self::CentosContainers => "centos-containers",
            Self::Flatcar => "flatcar",
            Self::BlueGreen => "blue-green",
            Self::FedoraCoreos => "fedora-coreos",
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Whether a cluster of this kind can have so many workers.
    ///
    /// # Errors
    /// Says why it cannot.
    pub fn can_have(self, workers: usize) -> Result<(), String> {
        let grows = |kind: &Self| {
            matches!(kind, Self::Kubeadm | Self::KubeadmMixed | Self::ArchArm | Self::FedoraCoreos | Self::Flatcar)
        };
        if !grows(&self) {
            let others: Vec<&str> = Self::ALL.iter().filter(|kind| grows(kind)).map(|kind| kind.word()).collect();
            return Err(format!(
                "the practice cluster `{}` has the hosts it has; the number of workers can be chosen for {}",
                self.word(),
                others.join(", ")
            ));
        }
        match workers {
            1..=size::MOST => Ok(()),
            _ => Err(format!("a practice cluster has from 1 to {} workers, not {workers}", size::MOST)),
        }
    }

    fn hosts(self, workers: Option<usize>) -> Vec<(&'static str, &'static [Role])> {
        let of = |plans: &[build::Plan]| {
            size::with_workers(plans, workers).iter().map(|plan| (plan.name, plan.roles)).collect()
        };
        match self {
            Self::ContainerLinux => container_linux::hosts().collect(),
            Self::Etcd => of(&kubeadm::ETCD),
            Self::Kubeadm => of(&kubeadm::DEBIAN),
            Self::KubeadmMixed => of(&kubeadm::MIXED),
            Self::ArchArm => of(&kubeadm::ARCH),
            Self::FedoraAtomic | Self::FedoraAtomicLayered | Self::SystemContainers | Self::BareAtomic => {
                of(&atomic_hosts::FEDORA)
            }
            Self::CentosAtomic | Self::CentosContainers => of(&atomic_hosts::CENTOS),
            Self::Flatcar => of(&kubeadm::FLATCAR),
            Self::BlueGreen => of(&kubeadm::BLUE_GREEN),
            Self::FedoraCoreos => of(&atomic_hosts::COREOS),
        }
    }

    fn world(self, clock: Clock, seed: u64, workers: Option<usize>) -> world::World {
        match self {
            Self::ContainerLinux => container_linux::world(clock, seed),
            Self::Etcd => kubeadm::etcd(clock, seed),
            Self::Kubeadm => kubeadm::debian(clock, seed, workers),
            Self::KubeadmMixed => kubeadm::mixed(clock, seed, workers),
            Self::ArchArm => kubeadm::arch(clock, seed, workers),
            Self::FedoraAtomic => atomic_hosts::fedora_26_cluster(clock, seed, false),
            Self::FedoraAtomicLayered => atomic_hosts::fedora_26_cluster(clock, seed, true),
            Self::SystemContainers => atomic_hosts::fedora_27_cluster(clock, seed),
            Self::BareAtomic => atomic_hosts::bare_fedora(clock, seed),
            Self::CentosAtomic => atomic_hosts::centos(clock, seed, true),
            Self::CentosContainers => atomic_hosts::centos(clock, seed, false),
            Self::Flatcar => kubeadm::flatcar(clock, seed, workers),
            Self::BlueGreen => kubeadm::blue_green(clock, seed),
            Self::FedoraCoreos => atomic_hosts::coreos(clock, seed, workers),
        }
    }

    /// What an operator of this cluster would write into the inventory.
    fn vars(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::ContainerLinux => &[("config_dir", "builtin:practice/container-linux")],
            Self::ArchArm => kubeadm::ARCH_VARS,
            Self::KubeadmMixed => kubeadm::MIXED_VARS,
            Self::Etcd
            | Self::FedoraAtomic
            | Self::FedoraAtomicLayered
            | Self::SystemContainers
            | Self::BareAtomic
            | Self::CentosAtomic
            | Self::CentosContainers
            | Self::BlueGreen => &[],
            Self::Kubeadm | Self::FedoraCoreos | Self::Flatcar => kubeadm::DEBIAN_VARS,
        }
    }

    /// The same about a host that differs from the others.
    fn vars_of(self, host: &HostName) -> &'static [(&'static str, &'static str)] {
        match (self, host.as_str()) {
            (Self::KubeadmMixed, name) if name.starts_with("plain") => kubeadm::PLAIN_VARS,
            (Self::FedoraAtomicLayered, name) => atomic_hosts::layered_vars(name.contains("master")),
            _ => &[],
        }
    }

    /// So many faults that can strike here, with so many workers; the same for the same seed.
    #[must_use]
    pub fn random_faults(self, workers: Option<usize>, seed: u64, count: usize) -> Vec<Fault> {
        let named = |member: bool| -> Vec<HostName> {
            let of_etcd = self.hosts(workers).into_iter().filter(|(_, roles)| roles.contains(&Role::Etcd) == member);
            of_etcd.map(|(name, _)| name.into()).collect()
        };
        Fault::random(seed, count, &named(true), &named(false))
    }

    /// Whether a fault can strike here at all, with so many workers.
    ///
    /// # Errors
    /// Says why it cannot: no such host, or a fault of etcd where no member runs.
    pub fn check(self, workers: Option<usize>, fault: &Fault) -> Result<(), String> {
        let hosts = self.hosts(workers);
        let Some((_, roles)) = hosts.iter().find(|(name, _)| *name == fault.host.as_str()) else {
            let names: Vec<&str> = hosts.iter().map(|(name, _)| *name).collect();
            return Err(format!("`{fault}`: there is no such host here; there are {}", names.join(", ")));
        };
        if fault.kind.of_a_member() && !roles.contains(&Role::Etcd) {
            return Err(format!("`{fault}`: {} runs no etcd member, so this never strikes there", fault.host));
        }
        Ok(())
    }
}

fn owned(vars: &[(&str, &str)]) -> IndexMap<String, String> {
    vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A cluster in memory.
#[derive(Clone, Debug)]
pub struct Practice {
    kind: Kind,
    sim: Arc<Sim>,
    hosts: IndexMap<HostName, Arc<PracticeHost>>,
}

impl Practice {
    /// A cluster that has run well for some days, and what shall go wrong with it. Faults that
    /// [`Kind::check`] refuses never strike.
    #[must_use]
    pub fn new(kind: Kind, seed: u64, faults: Vec<Fault>) -> Self {
        Self::with_workers(kind, None, seed, faults)
    }

    /// The same with so many workers, where [`Kind::can_have`] allows it.
    #[must_use]
    pub fn with_workers(kind: Kind, workers: Option<usize>, seed: u64, faults: Vec<Fault>) -> Self {
        let clock = Clock::new();
        let mut world = kind.world(clock, seed, workers);
        for fault in faults {
            let Some(machine) = world.machines.get_mut(&fault.host) else { continue };
            match fault.kind {
                FaultKind::DiskFull => machine.disk.fill_up(),
                FaultKind::MemberUnhealthy => {
                    if let Some(member) = world.cluster.members.iter_mut().find(|member| member.host == fault.host) {
                        member.ill = true;
                        world.after(Duration::from_secs(120), Happening::Recover { host: fault.host });
                        world.regroup();
                    }
                }
                FaultKind::NoSpace | FaultKind::Corrupt | FaultKind::Diverged => {
                    world.cluster.go_wrong(&fault.host, fault.kind);
                }
                FaultKind::PackageGone => {
                    machine.disk.put("/var/lib/lockkeeper-practice/package-gone", "flannel\n");
                    machine.faults.insert(FaultKind::PackageGone);
                }
                kind => {
                    machine.faults.insert(kind);
                }
            }
        }
        let names: Vec<HostName> = world.machines.keys().cloned().collect();
        let sim = Arc::new(Sim::new(clock, world));
        let host = |name: HostName| (name.clone(), Arc::new(PracticeHost::new(name, sim.clone())));
        Self { kind, hosts: names.into_iter().map(host).collect(), sim: sim.clone() }
    }

    /// The hosts as an operator would describe them.
    #[must_use]
    pub fn inventory(&self) -> Inventory {
        let hosts = self.sim.with(|world| {
            let host = |(name, machine): (&HostName, &world::Machine)| Host {
                name: name.clone(),
                address: Some(machine.address.into()),
                roles: machine.roles.clone(),
                connection: Connection::Practice,
                node: None,
                ssh: Ssh::default(),
                vars: owned(self.kind.vars_of(name)),
            };
            world.machines.iter().map(host).collect()
        });
        Inventory {
            cluster: format!("practice-{}", self.kind.word()),
            ssh: Ssh::default(),
            vars: owned(self.kind.vars()),
            hosts,
        }
    }

    /// A host to observe and no more.
    ///
    /// # Panics
    /// For a name that is not in the inventory of this cluster.
    #[must_use]
    pub fn observe(&self, name: &HostName) -> Arc<dyn Observe> {
        self.hosts.get(name).expect("a host of the practice inventory").clone()
    }

    /// A host to observe and to operate.
    ///
    /// # Panics
    /// For a name that is not in the inventory of this cluster.
    #[must_use]
    pub fn host(&self, name: &HostName) -> Arc<dyn Operate> {
        self.hosts.get(name).expect("a host of the practice inventory").clone()
    }

    /// One host, whose lease is ours already.
    #[cfg(test)]
    fn leased(&self, name: &HostName) -> Arc<dyn Operate> {
        self.hosts[name].lend();
        self.host(name)
    }

    /// What must never happen and did, each with its time in the cluster: quorum lost by an act, data lost.
    #[must_use]
    pub fn invariants(&self) -> Vec<String> {
        self.sim.with(|world| world.broken.clone())
    }

    /// What a completed session must not leave behind, and did: pods that no node was found for, members whose data differ.
    #[must_use]
    pub fn left_behind(&self) -> Vec<String> {
        self.sim.with(|world| {
            let kubes = std::iter::once(&world.kube).chain(world.second.as_ref().map(|(_, kube)| kube));
            let pending =
                kubes.flat_map(kube::Kube::pending).map(|pod| format!("the pod {} is left pending", pod.name));
            let diverged = world.cluster.members.iter().filter(|member| member.diverged);
            pending
                .chain(diverged.map(|member| format!("the keys of {} are not what the others have", member.host)))
                .collect()
        })
    }

    /// After how many events each the wizard is killed, so many times: the same for the same seed.
    pub fn kills(seed: u64) -> impl Iterator<Item = u64> {
        const MOST: usize = 8;
        let mut random = random::Random::new(seed, "kills");
        std::iter::repeat_with(move || 1 + random.below(200)).take(MOST)
    }

    /// Those of these faults that still wait for their occasion.
    #[must_use]
    pub fn never_struck(&self, faults: &[Fault]) -> Vec<Fault> {
        let waits = |fault: &&Fault| {
            self.sim.with(|world| {
                world.machines.get(&fault.host).is_none_or(|machine| match fault.kind {
                    // It is ill from the beginning.
                    FaultKind::MemberUnhealthy | FaultKind::Diverged => false,
                    FaultKind::NoSpace | FaultKind::Corrupt => world.cluster.alarms.is_empty(),
                    FaultKind::DiskFull => machine.disk.is_full(),
                    kind => machine.faults.contains(&kind),
                })
            })
        };
        faults.iter().filter(waits).cloned().collect()
    }

    /// What an operator's hands do in the second cluster: the work of the first is deployed there as well.
    pub fn deploy_to_second(&self) {
        self.sim.with(|world| {
            let (pods, now) = (world.kube.pods.clone(), world.now);
            if let Some((hosts, second)) = &mut world.second {
                let nodes: Vec<HostName> =
                    hosts.iter().filter(|host| !host.as_str().ends_with("-cp")).cloned().collect();
                let moved = pods.into_iter().enumerate().map(|(number, mut pod)| {
                    (pod.node, pod.ready_at) = (nodes[number % nodes.len()].clone(), now + Duration::from_secs(20));
                    pod
                });
                second.pods = moved.collect();
            }
        });
    }

    /// What an operator's hands do at the load balancer: a file on both control planes says who gets the traffic.
    pub fn switch_traffic(&self) {
        self.sim.with(|world| {
            for machine in world.machines.values() {
                machine.disk.put("/run/practice-traffic", "green\n");
            }
        });
    }

    /// What an operator's hands do with hosts that are not needed any more.
    pub fn turn_off(&self, hosts: &[HostName]) {
        self.sim.with(|world| {
            for host in hosts {
                world.machine(host).units.clear();
            }
        });
    }

    /// What an operator's hands do at a host's console: restart it, with words added to the kernel's line.
    pub fn restart_at_console(&self, host: &HostName, append: &str) {
        self.sim.with(|world| {
            if world.machines.contains_key(host) {
                world.reboot(host, append);
            }
        });
    }
}
