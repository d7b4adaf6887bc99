//! The practice cluster on Container Linux 1353.7.0 (April 2017): three etcd 2.3.8 members configured by Cloud Config,
//! a Kubernetes 1.5.6 master and two workers.

use crate::model::{HostName, Role};

use super::clock::Clock;
use super::cluster::{Cluster, Member, Process, Release};
use super::disk::{CONTAINER_LINUX, Disk};
use super::etcd::Data;
use super::units::{ActiveState, vendor_wants, wants};
use super::world::{Machine, World};

/// Hosts with their addresses and roles. The ids of the first three are their members'.
const HOSTS: [(&str, &str, Role, u64); 6] = [
    ("etcd1", "10.15.4.181", Role::Etcd, 0x9e73_7feb_b6b9_9eee),
    ("etcd2", "10.15.4.182", Role::Etcd, 0xddd6_7b31_2462_fd7b),
    // Fifteen digits on purpose: etcd prints ids without padding.
    ("etcd3", "10.15.4.183", Role::Etcd, 0x0628_170c_800d_bcee),
    ("master1", "10.15.4.171", Role::ControlPlane, 0),
    ("worker1", "10.15.4.191", Role::Worker, 0),
    ("worker2", "10.15.4.192", Role::Worker, 0),
];
const CLUSTER_ID: u64 = 0x7384_a7f1_0b5e_2c07;
const INDEX: u64 = 48_213;
const KUBERNETES: &str = "1.5.6";

const OS_RELEASE: &str = r#"NAME="Container Linux by CoreOS"
ID=coreos
VERSION=1353.7.0
VERSION_ID=1353.7.0
BUILD_ID=2017-04-26-2154
PRETTY_NAME="Container Linux by CoreOS 1353.7.0 (Ladybug)"
ANSI_COLOR="38;5;75"
HOME_URL="https://coreos.com/"
BUG_REPORT_URL="https://github.com/coreos/bugs/issues"
"#;

const ETCD2: &str = "[Unit]
Description=etcd2
Conflicts=etcd.service
[Service]
User=etcd
Type=notify
Environment=ETCD_DATA_DIR=/var/lib/etcd2
Environment=ETCD_NAME=%m
ExecStart=/usr/bin/etcd2
Restart=always
RestartSec=10s
LimitNOFILE=40000
TimeoutStartSec=0
[Install]
WantedBy=multi-user.target
";

/// The image tag is the default since 26 April 2017, which does not speak to 2.3.
const ETCD_MEMBER: &str = r#"[Unit]
Description=etcd (System Application Container)
Documentation=https://github.com/coreos/etcd
Wants=network.target
Conflicts=etcd.service
Conflicts=etcd2.service
[Service]
Type=notify
Restart=on-failure
RestartSec=10s
TimeoutStartSec=0
LimitNOFILE=40000
Environment="ETCD_IMAGE_TAG=v3.1.6"
Environment="ETCD_NAME=%m"
Environment="ETCD_USER=etcd"
Environment="ETCD_DATA_DIR=/var/lib/etcd"
Environment="RKT_RUN_ARGS=--uuid-file-save=/var/lib/coreos/etcd-member-wrapper.uuid"
ExecStartPre=/usr/bin/mkdir --parents /var/lib/coreos
ExecStart=/usr/lib/coreos/etcd-wrapper $ETCD_OPTS
ExecStop=-/usr/bin/rkt stop --uuid-file=/var/lib/coreos/etcd-member-wrapper.uuid
[Install]
WantedBy=multi-user.target
"#;

fn user_data(name: &str, address: &str) -> String {
    format!(
        "#cloud-config\n\nhostname: {name}\ncoreos:\n  update:\n    reboot-strategy: etcd-lock\n  etcd2:\n    \
         name: {name}\n    listen-client-urls: http://0.0.0.0:2379\n    \
         advertise-client-urls: http://{address}:2379\n    listen-peer-urls: http://0.0.0.0:2380\n    \
         initial-advertise-peer-urls: http://{address}:2380\n    \
         initial-cluster: etcd1=http://10.15.4.181:2380,etcd2=http://10.15.4.182:2380,etcd3=http://10.15.4.183:2380\n    \
         initial-cluster-state: existing\n  units:\n    - name: etcd2.service\n      enable: true\n      command: start\n"
    )
}

fn simple(description: &str, exec: &str) -> String {
    format!(
        "[Unit]\nDescription={description}\n[Service]\nExecStart={exec}\nRestart=always\nRestartSec=10\n[Install]\nWantedBy=multi-user.target\n"
    )
}

/// The units of Kubernetes that run on hosts of a role.
fn kube_units(role: Role) -> &'static [&'static str] {
    match role {
        Role::Etcd | Role::Build => &[],
        Role::ControlPlane => &["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet"],
        Role::Worker => &["kubelet", "kube-proxy"],
    }
}

fn write_files(disk: &Disk, name: &str, address: &str, role: Role) {
    for dir in ["/root", "/var/log", "/var/lib/coreos", "/opt/bin", "/boot/coreos/grub", "/home/core"] {
        disk.make_dir(dir);
    }
    disk.put("/usr/lib/os-release", OS_RELEASE);
    disk.link("/etc/os-release", "/usr/lib/os-release");
    disk.put("/etc/hostname", format!("{name}\n"));
    disk.put("/proc/swaps", "Filename Type Size Used Priority\n");
    disk.put("/proc/mounts", "/dev/sda9 / ext4 rw 0 0\n");
    disk.put("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\ncore:x:500:500::/home/core:/bin/bash\netcd:x:232:232::/dev/null:/sbin/nologin\n");
    disk.put("/etc/coreos/update.conf", "GROUP=stable\nREBOOT_STRATEGY=etcd-lock\n");
    disk.put("/usr/share/coreos/update.conf", "SERVER=https://public.update.core-os.net/v1/update/\nGROUP=stable\n");
    disk.put("/boot/coreos/grub/grub.cfg.tar", "search --file /coreos/first_boot\n");
    disk.put("/usr/lib/systemd/system-preset/99-default.preset", "disable *\n");
    let system = "/usr/lib/systemd/system";
    disk.put(format!("{system}/etcd2.service"), ETCD2);
    disk.put(format!("{system}/etcd-member.service"), ETCD_MEMBER);
    for (unit, about, exec) in [
        ("update-engine.service", "Update Engine", "/usr/sbin/update_engine -foreground -logtostderr"),
        ("locksmithd.service", "Cluster reboot manager", "/usr/lib/locksmith/locksmithd"),
        ("docker.service", "Docker Application Container Engine", "/usr/lib/coreos/dockerd"),
    ] {
        disk.put(format!("{system}/{unit}"), simple(about, exec));
    }
    // These two start with the system without being enabled.
    for unit in ["update-engine.service", "locksmithd.service"] {
        disk.link(vendor_wants(unit), format!("../{unit}"));
    }
    for unit in kube_units(role) {
        let file = format!("{unit}.service");
        disk.put(format!("/etc/systemd/system/{file}"), simple(unit, &format!("/opt/bin/{unit}")));
        disk.link(wants(&file), format!("/etc/systemd/system/{file}"));
    }
    if role == Role::Etcd {
        disk.put("/var/lib/coreos-install/user_data", user_data(name, address));
        disk.link(wants("etcd2.service"), format!("{system}/etcd2.service"));
    }
}

/// Its hosts, and what they do.
pub(super) fn hosts() -> impl Iterator<Item = (&'static str, &'static [Role])> {
    HOSTS.iter().map(|(name, _, role, _)| (*name, std::slice::from_ref(role)))
}

/// The cluster as it has run for some days.
pub(super) fn world(clock: Clock, seed: u64) -> World {
    let members = HOSTS.iter().filter(|(_, _, role, _)| *role == Role::Etcd).map(|(name, address, _, id)| {
        let url = |port| format!("http://{address}:{port}");
        Member::old(*id, name, url(2380), url(2379), INDEX)
    });
    let cluster = Cluster::new(CLUSTER_ID, members.collect(), Release::ETCD2.cluster(), INDEX);
    let mut world = World::new(cluster, seed);
    for (name, address, role, id) in HOSTS {
        let host = HostName::from(name);
        let disk = Disk::new(clock, CONTAINER_LINUX);
        write_files(&disk, name, address, role);
        if role == Role::Etcd {
            let data = Data { cluster: CLUSTER_ID, member: id, release: Release::ETCD2, index: INDEX };
            disk.make_dir("/var/lib/etcd2");
            disk.own("/var/lib/etcd2", Some("etcd"), Some(0o755));
            data.write(&disk, "/var/lib/etcd2", "etcd");
            let process = Process {
                unit: "etcd2.service".into(),
                release: Release::ETCD2,
                data_dir: "/var/lib/etcd2".into(),
                owner: Some("etcd"),
                joined: true,
                able: true,
            };
            world.cluster.processes.insert(host.clone(), process);
        }
        let mut machine = Machine::new(&host, address, vec![role], disk, seed);
        machine.disk.put("/etc/machine-id", format!("{}\n", machine.id));
        machine.write_proc();
        let mut programs = vec![("etcd2", "2.3.8"), ("etcdctl", "2.3.8"), ("locksmithctl", "0.4.2"), ("rkt", "1.25.0")];
        programs.extend([("update_engine_client", "0.4.3"), ("docker", "1.12.6")]);
        if role != Role::Etcd {
            programs.push(("kubelet", KUBERNETES));
            world.kube.reports(&host, KUBERNETES.into());
        }
        if role == Role::ControlPlane {
            programs.push(("kubectl", KUBERNETES));
            programs.push(("kube-apiserver", KUBERNETES));
        }
        machine.software.programs = programs.into_iter().map(|(name, version)| (name.into(), version.into())).collect();
        machine.cloud_config();
        machine.load_units();
        let mut running = vec!["update-engine.service".to_owned(), "locksmithd.service".to_owned()];
        running.extend(kube_units(role).iter().map(|unit| format!("{unit}.service")));
        if role == Role::Etcd {
            running.push("etcd2.service".into());
        }
        for name in running {
            let pid = machine.pid();
            if let Some(unit) = machine.units.get_mut(&name) {
                (unit.active, unit.sub, unit.pid, unit.run) = (ActiveState::Active, "running", pid, 1);
            }
            let version = machine.version_of(&machine.unit(&name).loaded);
            if let Some(unit) = machine.units.get_mut(&name) {
                unit.version = version;
            }
        }
        world.machines.insert(host, machine);
    }
    world
}
