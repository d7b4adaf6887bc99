//! What the clusters have in common: hosts that have run for some days, with services that are up.

use std::sync::Arc;

use crate::model::{HostName, Role};

use super::clock::Clock;
use super::cluster::{Cluster, Key, Member, Process, Release};
use super::disk::{Disk, Mount, RUN, TMP};
use super::etcd::Data;
use super::kube::{Budget, Kube, Owner, Pod, Set};
use super::units::{ActiveState, Unit, UnitFile, wants};
use super::world::{Machine, World};

/// The id of every cluster here but Container Linux's.
const CLUSTER_ID: u64 = 0x0f12_9a7e_33c4_10d5;
/// Entries in its log.
const INDEX: u64 = 91_404;

/// A host that is to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) name: &'static str,
    pub(super) address: &'static str,
    pub(super) roles: &'static [Role],
}

/// What a distribution is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Distribution {
    pub(super) os_release: &'static str,
    pub(super) kernel_line: &'static str,
    pub(super) mounts: &'static [Mount],
}

const PROC: Mount = Mount { at: "/proc", device: "proc", fs: "proc", size_kib: 0, used_kib: 0 };

/// A disk of 40 GB with everything on it but what is in memory.
pub(super) const PLAIN_DISK: &[Mount] = &[
    Mount { at: "/", device: "/dev/vda1", fs: "ext4", size_kib: 41_152_736, used_kib: 6_318_000 },
    Mount { at: "/boot", device: "/dev/vda2", fs: "ext4", size_kib: 999_320, used_kib: 152_712 },
    PROC,
    RUN,
    TMP,
];

/// An ostree host: its root is small on purpose, as the installer makes it.
pub(super) const OSTREE_DISK: &[Mount] = &[
    Mount { at: "/", device: "/dev/mapper/atomicos-root", fs: "xfs", size_kib: 15_718_400, used_kib: 2_318_000 },
    Mount { at: "/boot", device: "/dev/vda1", fs: "ext4", size_kib: 999_320, used_kib: 152_712 },
    PROC,
    RUN,
    TMP,
];

/// A host of Fedora CoreOS: one partition, which is seen at several places.
pub(super) const COREOS_DISK: &[Mount] = &[
    Mount { at: "/", device: "/dev/vda4", fs: "xfs", size_kib: 20_447_232, used_kib: 4_318_000 },
    Mount { at: "/sysroot", device: "/dev/vda4", fs: "xfs", size_kib: 20_447_232, used_kib: 4_318_000 },
    Mount { at: "/var", device: "/dev/vda4", fs: "xfs", size_kib: 20_447_232, used_kib: 4_318_000 },
    Mount { at: "/boot", device: "/dev/vda3", fs: "ext4", size_kib: 358_271, used_kib: 152_712 },
    PROC,
    RUN,
    TMP,
];

/// How members of a cluster are run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Etcd {
    pub(super) unit: &'static str,
    pub(super) release: Release,
    pub(super) data_dir: &'static str,
    pub(super) owner: Option<&'static str>,
    pub(super) tls: bool,
}

/// The world with its etcd cluster, without machines yet.
pub(super) fn world(plans: &[Plan], etcd: Etcd, seed: u64) -> World {
    let scheme = if etcd.tls { "https" } else { "http" };
    let members = plans.iter().filter(|plan| plan.roles.contains(&Role::Etcd)).enumerate();
    let members = members.map(|(number, plan)| {
        let url = |port| format!("{scheme}://{}:{port}", plan.address);
        Member::old(member_id(number), plan.name, url(2380), url(2379), INDEX)
    });
    let mut cluster = Cluster::new(CLUSTER_ID, members.collect(), etcd.release.cluster(), INDEX);
    cluster.leader = cluster.members.first().map(|member| member.id);
    cluster.tls = etcd.tls;
    let network = r#"{"Network": "172.16.0.0/12", "SubnetLen": 24, "Backend": {"Type": "vxlan"}}"#;
    let network = Key { value: network.into(), created: 9, modified: 9 };
    cluster.keys.insert(super::services::NETWORK.into(), network);
    World::new(cluster, seed)
}

fn member_id(number: usize) -> u64 {
    0x8211_f1d0_f64f_3269_u64.wrapping_mul(number as u64 * 2 + 1)
}

/// A host with its distribution's files; packages, units and data are the caller's to add before [`settle`].
pub(super) fn machine(plan: &Plan, distribution: &Distribution, clock: Clock, seed: u64) -> Machine {
    let host = HostName::from(plan.name);
    let disk = Disk::new(clock, distribution.mounts);
    for dir in ["/root", "/var/log", "/var/lib/kubelet", "/etc/systemd/system", "/usr/local/bin"] {
        disk.make_dir(dir);
    }
    disk.put("/usr/lib/os-release", distribution.os_release);
    disk.link("/etc/os-release", "/usr/lib/os-release");
    disk.put("/etc/hostname", format!("{}\n", plan.name));
    disk.put("/proc/swaps", "Filename Type Size Used Priority\n");
    disk.put("/proc/mounts", "/dev/vda1 / ext4 rw 0 0\n");
    let mut machine = Machine::new(&host, plan.address, plan.roles.to_vec(), disk, seed);
    machine.disk.put("/etc/machine-id", format!("{}\n", machine.id));
    machine.kernel_line = distribution.kernel_line;
    machine.cmdline = distribution.kernel_line.into();
    machine.write_proc();
    machine
}

/// Enables units and has them run.
pub(super) fn enable(machine: &mut Machine, units: &[&str]) {
    for unit in units {
        let path = ["/etc/systemd/system", "/usr/lib/systemd/system"].map(|dir| format!("{dir}/{unit}"));
        let path = path.into_iter().find(|path| machine.disk.exists(path)).unwrap_or_default();
        machine.disk.link(wants(unit), path);
    }
    machine.load_units();
    for unit in units {
        run(machine, unit, None);
    }
}

/// A unit, or a static pod by its manifest, that has run since before the world began.
fn run(machine: &mut Machine, name: &str, loaded: Option<UnitFile>) {
    let pid = machine.pid();
    let loaded = loaded.unwrap_or_else(|| machine.unit(name).loaded);
    let version = machine.version_of(&loaded);
    let unit = Unit { active: ActiveState::Active, sub: "running", pid, run: 1, version, loaded, ..Unit::default() };
    machine.units.insert(name.to_owned(), unit);
}

/// Static pods of a control plane, written as kubeadm writes them, and running.
pub(super) fn static_pods(machine: &mut Machine, etcd: Option<(&str, &str)>, kubernetes: &str) {
    let address = machine.address;
    let manifest = |name: &str, image: String, args: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  namespace: kube-system\nspec:\n  containers:\n  - command:\n    - {name}\n{args}    image: {image}\n  hostNetwork: true\n"
        )
    };
    let mut manifests: Vec<(&str, String)> = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"]
        .into_iter()
        .map(|name| {
            let args = match name {
                "kube-apiserver" => format!("    - --advertise-address={address}\n    - --secure-port=6443\n"),
                _ => "    - --v=2\n".to_owned(),
            };
            (name, manifest(name, format!("registry.k8s.io/{name}:v{kubernetes}"), &args))
        })
        .collect();
    if let Some((tag, member)) = etcd {
        let args = format!(
            "    - --name={member}\n    - --data-dir=/var/lib/etcd\n    - --listen-peer-urls=https://{address}:2380\n    - --advertise-client-urls=https://{address}:2379\n"
        );
        manifests.push(("etcd", manifest("etcd", format!("registry.k8s.io/etcd:{tag}"), &args)));
    }
    for (name, text) in manifests {
        let path = format!("/etc/kubernetes/manifests/{name}.yaml");
        machine.disk.put(&path, text.clone());
        run(machine, &format!("{name}.pod"), Some(UnitFile::manifest(&path, text)));
    }
    for cert in ["apiserver", "apiserver-etcd-client", "front-proxy-client", "etcd/server", "etcd/peer"] {
        machine.disk.put(format!("/etc/kubernetes/pki/{cert}.crt"), "notAfter=Jan  1 00:00:00 2035 GMT\n");
    }
    machine.disk.put("/etc/kubernetes/admin.conf", "kind: Config\n");
}

/// A machine joins the world; where it has a member, its data is written and its process runs.
pub(super) fn join(world: &mut World, machine: Machine, etcd: Etcd) {
    let host = HostName::from(machine.disk.text("/etc/hostname").unwrap_or_default().trim());
    if let Some(member) = world.cluster.member_of(&host) {
        let data = Data { cluster: CLUSTER_ID, member: member.id, release: etcd.release, index: INDEX };
        machine.disk.make_dir(etcd.data_dir);
        machine.disk.own(etcd.data_dir, etcd.owner, Some(0o700));
        data.write(&machine.disk, etcd.data_dir, etcd.owner.unwrap_or("root"));
        let process = Process {
            unit: etcd.unit.into(),
            release: etcd.release,
            data_dir: etcd.data_dir.into(),
            owner: etcd.owner,
            joined: true,
            able: true,
        };
        world.cluster.processes.insert(host.clone(), process);
    }
    if let Some(version) = machine.running("kubelet").map(|unit| unit.version.clone()) {
        world.kube_of(&host).reports(&host, version);
        let run = machine.unit("kubelet.service").run;
        let look = super::world::Happening::Manifests { host: host.clone(), run };
        world.after(std::time::Duration::from_secs(5), look);
    }
    let disk: Arc<Disk> = machine.disk.clone();
    disk.make_dir("/var/lib/lockkeeper");
    world.machines.insert(host, machine);
}

/// Some work on the workers: a shop with a budget, a cache with local data, and a network on every node.
pub(super) fn workloads(kube: &mut Kube, workers: &[&'static str], network: (&'static str, &str)) {
    let mut pod = |app: &'static str, number: usize, local_data: bool| {
        let node = HostName::from(workers[number % workers.len()]);
        let name = format!("{app}-{}{}", ["96d5f", "4kx2b", "7c9zt", "p0qrs"][number % 4], number);
        kube.pods.push(Pod {
            namespace: "shop",
            name,
            app,
            owner: Owner::ReplicaSet,
            node,
            local_data,
            ready_at: std::time::Duration::ZERO,
        });
    };
    for number in 0..4 {
        pod("web", number, false);
    }
    for number in 0..2 {
        pod("cache", number, true);
    }
    kube.budgets.push(Budget { namespace: "shop", name: "web", app: "web", min: 2 });
    let (name, image) = network;
    kube.sets.push(Set { namespace: "kube-system", name, image: image.into(), since: std::time::Duration::ZERO });
}
