//! What runs on hosts besides etcd: what each needs before it starts, and what follows from its running.

use std::time::Duration;

use crate::model::HostName;

use super::units::{ActiveState, Unit, UnitFile};
use super::world::{Happening, Machine, World};

/// Where the kubelet looks for static pods, and how often.
const MANIFESTS: &str = "/etc/kubernetes/manifests";
const LOOKS_EVERY: Duration = Duration::from_secs(5);

/// What flanneld writes for docker; gone with every boot.
pub(super) const SUBNET: &str = "/run/flannel/subnet.env";

/// Where flannel finds its network in etcd.
pub(super) const NETWORK: &str = "/cluster.local/network/config";

impl Machine {
    /// A program runs as a unit or as a static pod.
    pub(super) fn runs(&self, program: &str) -> bool {
        self.is_active(&format!("{program}.service")) || self.is_active(&format!("{program}.pod"))
    }

    /// An API server runs here.
    pub(super) fn serves_api(&self) -> bool {
        self.runs("kube-apiserver")
    }

    /// The unit or static pod that runs a program.
    pub(super) fn running(&self, program: &str) -> Option<&Unit> {
        [format!("{program}.service"), format!("{program}.pod")]
            .iter()
            .filter_map(|name| self.units.get(name))
            .find(|unit| unit.active == ActiveState::Active)
    }
}

/// Whether a name among the units is a static pod's.
fn is_pod(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, kind)| kind == "pod")
}

impl World {
    /// Whether etcd gives answers.
    pub(super) fn etcd_answers(&self) -> bool {
        // Where no host runs etcd it is somewhere else, and well.
        self.cluster.members.is_empty() || self.cluster.leader.is_some() && self.cluster.has_quorum()
    }

    /// Why a service that is being started cannot run, in its own words.
    pub(super) fn hindrance(&self, host: &HostName, name: &str) -> Option<String> {
        let answers = self.etcd_answers();
        let machine = &self.machines[host];
        match name {
            "flanneld.service" if !answers => {
                Some("Couldn't fetch network config: client: etcd cluster is unavailable or misconfigured".into())
            }
            "flanneld.service" if !self.cluster.keys.contains_key(NETWORK) => {
                Some(format!("Couldn't fetch network config: 100: Key not found ({NETWORK})"))
            }
            "docker.service"
                if machine.disk.exists("/etc/systemd/system/docker.service.d/flanneld.conf")
                    && !machine.disk.exists(SUBNET) =>
            {
                Some("Failed to load environment files: No such file or directory".into())
            }
            "kube-apiserver.service" | "kube-apiserver.pod" if !answers => {
                Some("error: etcd endpoints are unreachable: context deadline exceeded".into())
            }
            "kube-apiserver.service"
                if !machine.disk.exists("/etc/kubernetes/apiserver") && machine.ostree.is_some() =>
            {
                Some("/usr/bin/kube-apiserver: /etc/kubernetes/apiserver: No such file or directory".into())
            }
            "kubelet.service" if machine.disk.text("/proc/swaps").is_some_and(|swaps| swaps.lines().count() > 1) => {
                Some("error: failed to run Kubelet: Running with swap on is not supported, please disable swap!".into())
            }
            _ => None,
        }
    }

    /// What follows when a service runs.
    pub(super) fn is_running(&mut self, host: &HostName, name: &str) {
        match name {
            "flanneld.service" => {
                let third = self.machine(host).address.rsplit('.').next().unwrap_or("1").to_owned();
                let text = format!(
                    "FLANNEL_NETWORK=172.16.0.0/12\nFLANNEL_SUBNET=172.16.{third}.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n"
                );
                self.machine(host).disk.put(SUBNET, text);
            }
            "kubelet.service" => {
                let version = self.machine(host).unit(name).version;
                self.kube_of(host).reports(host, version);
                let run = self.machine(host).unit(name).run;
                self.after(Duration::from_secs(1), Happening::Manifests { host: host.clone(), run });
            }
            _ => {}
        }
    }

    /// The kubelet compares its static pods with the manifests, and makes them alike.
    pub(super) fn look_at_manifests(&mut self, host: &HostName, run: u64) {
        let kubelet = self.machine(host).unit("kubelet.service");
        if kubelet.run != run || kubelet.active != ActiveState::Active {
            return;
        }
        let machine = self.machine(host);
        let disk = machine.disk.clone();
        let files = disk.names(MANIFESTS).into_iter().filter(|file| !file.starts_with('.'));
        let wanted: Vec<(String, UnitFile)> = files
            .filter_map(|file| {
                let path = format!("{MANIFESTS}/{file}");
                let manifest = UnitFile::manifest(&path, disk.text(&path)?);
                Some((format!("{}.pod", manifest.pod_name()?), manifest))
            })
            .collect();
        let running: Vec<String> = machine.units.keys().filter(|name| is_pod(name)).cloned().collect();
        for name in running {
            let same =
                wanted.iter().any(|(other, file)| *other == name && *file == self.machine(host).unit(&name).loaded);
            if !same {
                self.stop_unit(host, &name, &format!("replacing the static pod {name} on {host}"));
                let machine = self.machine(host);
                if machine.units.get(&name).is_some_and(|unit| unit.active == ActiveState::Inactive) {
                    machine.units.remove(&name);
                }
            }
        }
        for (name, loaded) in wanted {
            if !self.machine(host).units.contains_key(&name) {
                self.machine(host).units.insert(name.clone(), Unit { sub: "dead", loaded, ..Unit::default() });
                // What a pod needs and does not find is said in its log.
                let _ = self.start_unit(host, &name);
            }
        }
        self.after(LOOKS_EVERY, Happening::Manifests { host: host.clone(), run });
    }
}
