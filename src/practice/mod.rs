//! Simulated hosts: the same runbooks, probe and parsers, on a cluster that cannot be hurt.
//!
//! Scripts run in an in-process shell on files in memory; the tools they call are simulated over one shared world. All
//! time is the runtime's, all chance is the seed's: under a paused clock the same seed and the same acts give the same
//! run. Nothing here touches the machine it runs on, but for files that were asked for by `fetch`.

mod boot;
mod clock;
mod cluster;
mod container_linux;
mod disk;
mod etcd;
mod faults;
mod host;
mod kube;
mod ostree;
mod random;
mod services;
mod software;
#[cfg(test)]
mod tests;
mod tools;
mod units;
mod world;

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use crate::hosts::Operate;
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
}

impl Kind {
    /// What it is called on the command line and in the inventory.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ContainerLinux => "container-linux",
        }
    }

    /// Whether a fault can strike here at all.
    ///
    /// # Errors
    /// Says why it cannot: no such host, or a fault of etcd where no member runs.
    pub fn check(self, fault: &Fault) -> Result<(), String> {
        let hosts: Vec<(&str, Role)> = match self {
            Self::ContainerLinux => container_linux::hosts().collect(),
        };
        let Some((_, role)) = hosts.iter().find(|(name, _)| *name == fault.host.as_str()) else {
            let names: Vec<&str> = hosts.iter().map(|(name, _)| *name).collect();
            return Err(format!("`{fault}`: there is no such host here; there are {}", names.join(", ")));
        };
        if fault.kind.of_a_member() && *role != Role::Etcd {
            return Err(format!("`{fault}`: {} runs no etcd member, so this never strikes there", fault.host));
        }
        Ok(())
    }
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
        let clock = Clock::new();
        let mut world = match kind {
            Kind::ContainerLinux => container_linux::world(clock, seed),
        };
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
                vars: IndexMap::new(),
            };
            world.machines.iter().map(host).collect()
        });
        let configs = format!("builtin:practice/{}", self.kind.word());
        Inventory {
            cluster: format!("practice-{}", self.kind.word()),
            ssh: Ssh::default(),
            vars: IndexMap::from([("config_dir".to_owned(), configs)]),
            hosts,
        }
    }

    /// A host to observe and to operate.
    ///
    /// # Panics
    /// For a name that is not in the inventory of this cluster.
    #[must_use]
    pub fn host(&self, name: &HostName) -> Arc<dyn Operate> {
        self.hosts.get(name).expect("a host of the practice inventory").clone()
    }

    /// What must never happen and did, each with its time in the cluster: quorum lost by an act, data lost.
    #[must_use]
    pub fn invariants(&self) -> Vec<String> {
        self.sim.with(|world| world.broken.clone())
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
