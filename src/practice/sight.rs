//! What a probe of a host can see, as one number: while it stays, the same script is told the same.
//!
//! Most probes of a session find nothing new, and a shell that is interpreted takes a thousand times as long as a look
//! at the world.

use std::collections::hash_map::DefaultHasher;
use std::fmt::{self, Debug, Write as _};
use std::hash::Hasher as _;
use std::time::Duration;

use crate::model::{HostName, Role};

use super::cluster::Cluster;
use super::kube::Kube;
use super::units::Unit;
use super::world::{Machine, World};

/// After these spans something shows that nobody did: an API server listens, a kubelet reports, a rollout is through, a
/// kubelet is missed.
const SPANS: [Duration; 4] =
    [Duration::from_secs(2), Duration::from_secs(3), Duration::from_secs(15), Duration::from_secs(40)];

impl World {
    /// A number that differs when a host would tell something else but the time.
    pub(super) fn sight(&self, host: &HostName) -> u64 {
        let mut sight = Sight::default();
        let Some(own) = self.machines.get(host) else { return 0 };
        own.show(&mut sight);
        if own.roles.iter().any(|role| matches!(role, Role::Etcd | Role::ControlPlane)) {
            self.cluster.show(&mut sight);
            self.kube.show(self.now, &mut sight);
            if let Some((hosts, second)) = &self.second {
                sight.add(hosts);
                second.show(self.now, &mut sight);
            }
            for (name, machine) in &self.machines {
                sight.add(&(name, machine.up, machine.boots));
                for (unit, Unit { active, sub, version, since, .. }) in &machine.units {
                    sight.add(&(unit, active, sub, version, spans(self.now, *since)));
                }
            }
        }
        sight.0.finish()
    }
}

impl Machine {
    fn show(&self, sight: &mut Sight) {
        let Self { disk, boot_id, boots, up, units, journal, images, software, .. } = self;
        sight.add(&(disk.changes(), boot_id, boots, up, units, journal.len(), images, software));
        let Self { ostree, updater, containers, cmdline, .. } = self;
        sight.add(&(ostree, updater, containers, cmdline));
    }
}

impl Cluster {
    fn show(&self, sight: &mut Sight) {
        let Self { members, processes, version, leader, term, index, keys, tls, alarms, .. } = self;
        sight.add(&(members, processes, version, leader, term, index, keys, tls, alarms));
    }
}

impl Kube {
    fn show(&self, now: Duration, sight: &mut Sight) {
        sight.add(self);
        for pod in &self.pods {
            sight.add(&(pod.ready_at <= now));
        }
        for set in &self.sets {
            sight.add(&spans(now, set.since));
        }
    }
}

fn spans(now: Duration, since: Duration) -> [bool; SPANS.len()] {
    SPANS.map(|span| now.saturating_sub(since) >= span)
}

/// Takes in what is shown, as its `Debug` writes it: all fields, those that are added later included.
#[derive(Default)]
struct Sight(DefaultHasher);

impl Sight {
    fn add(&mut self, what: &impl Debug) {
        // Nothing that a hasher takes in can fail.
        let _ = write!(self, "{what:?}");
    }
}

impl fmt::Write for Sight {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}
