//! Clusters made by kubeadm: three control planes of now on Debian, and the small boards of the seed on Arch Linux ARM.

use crate::model::Role;

use super::build::{self, Distribution, Etcd, PLAIN_DISK, Plan};
use super::clock::Clock;
use super::cluster::Release;
use super::kube::Kube;
use super::size;
use super::units::unit_of;
use super::updater::Updater;
use super::world::World;

const CONTROL: &[Role] = &[Role::Etcd, Role::ControlPlane];
const WORKER: &[Role] = &[Role::Worker];

/// Three control planes with stacked etcd, and three workers.
pub(super) const DEBIAN: [Plan; 6] = [
    Plan { name: "cp1", address: "10.15.8.11", roles: CONTROL },
    Plan { name: "cp2", address: "10.15.8.12", roles: CONTROL },
    Plan { name: "cp3", address: "10.15.8.13", roles: CONTROL },
    Plan { name: "node1", address: "10.15.8.21", roles: WORKER },
    Plan { name: "node2", address: "10.15.8.22", roles: WORKER },
    Plan { name: "node3", address: "10.15.8.23", roles: WORKER },
];

/// One control plane and two workers that differ.
pub(super) const MIXED: [Plan; 3] = [
    Plan { name: "stream-cp", address: "10.15.10.11", roles: CONTROL },
    Plan { name: "stream-1", address: "10.15.10.21", roles: WORKER },
    Plan { name: "plain-1", address: "10.15.10.22", roles: WORKER },
];

/// Two clusters side by side, whose etcd is elsewhere.
pub(super) const BLUE_GREEN: [Plan; 6] = [
    Plan { name: "blue-cp", address: "10.15.11.11", roles: &[Role::ControlPlane] },
    Plan { name: "blue-1", address: "10.15.11.21", roles: WORKER },
    Plan { name: "blue-2", address: "10.15.11.22", roles: WORKER },
    Plan { name: "green-cp", address: "10.15.12.11", roles: &[Role::ControlPlane] },
    Plan { name: "green-1", address: "10.15.12.21", roles: WORKER },
    Plan { name: "green-2", address: "10.15.12.22", roles: WORKER },
];

/// Three members on plain hosts.
pub(super) const ETCD: [Plan; 3] = [
    Plan { name: "etcd1", address: "10.15.3.11", roles: &[Role::Etcd] },
    Plan { name: "etcd2", address: "10.15.3.12", roles: &[Role::Etcd] },
    Plan { name: "etcd3", address: "10.15.3.13", roles: &[Role::Etcd] },
];

/// One control plane and two workers.
pub(super) const FLATCAR: [Plan; 3] = [
    Plan { name: "flatcar-cp", address: "10.15.7.31", roles: CONTROL },
    Plan { name: "flatcar-1", address: "10.15.7.41", roles: WORKER },
    Plan { name: "flatcar-2", address: "10.15.7.42", roles: WORKER },
];

/// One control plane and three workers, and a board that packages are built on.
pub(super) const ARCH: [Plan; 5] = [
    Plan { name: "c2-master0", address: "10.15.9.10", roles: CONTROL },
    Plan { name: "c2-worker0", address: "10.15.9.20", roles: WORKER },
    Plan { name: "c2-worker1", address: "10.15.9.21", roles: WORKER },
    Plan { name: "c2-worker2", address: "10.15.9.22", roles: WORKER },
    Plan { name: "c2-build", address: "10.15.9.30", roles: &[Role::Build] },
];

/// How etcd of a kubeadm control plane is reached from its own host.
macro_rules! stacked_etcd {
    ($($more:expr),* $(,)?) => {
        &[
            ("etcd_endpoint", "https://127.0.0.1:2379"),
            ("etcd_cacert", "/etc/kubernetes/pki/etcd/ca.crt"),
            ("etcd_cert", "/etc/kubernetes/pki/etcd/healthcheck-client.crt"),
            ("etcd_key", "/etc/kubernetes/pki/etcd/healthcheck-client.key"),
            $($more),*
        ]
    };
}

pub(super) const DEBIAN_VARS: &[(&str, &str)] = stacked_etcd![
    ("package_manager", "apt"),
    ("runtime_unit", "containerd.service"),
    ("cri_socket", "unix:///run/containerd/containerd.sock"),
];
pub(super) const MIXED_VARS: &[(&str, &str)] = stacked_etcd![
    ("package_manager", "dnf"),
    ("runtime_unit", "containerd.service"),
    ("cri_socket", "unix:///run/containerd/containerd.sock"),
];
/// What has no package manager keeps its container runtime as it is.
pub(super) const PLAIN_VARS: &[(&str, &str)] =
    &[("package_manager", "binary"), ("package_dir", "/opt/kubernetes"), ("runtime_packages", "")];
pub(super) const ARCH_VARS: &[(&str, &str)] = stacked_etcd![
    ("package_manager", "pacman"),
    ("runtime_unit", "crio.service"),
    ("cri_socket", "/var/run/crio/crio.sock"),
    ("kubernetes_packages", "kubernetes"),
];

const DEBIAN_12: Distribution = Distribution {
    os_release: "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n",
    kernel_line: "BOOT_IMAGE=/boot/vmlinuz-6.1.0-25-amd64 root=/dev/vda1 ro quiet",
    mounts: PLAIN_DISK,
};

const STREAM_9: Distribution = Distribution {
    os_release: "NAME=\"CentOS Stream\"\nVERSION_ID=\"9\"\nID=\"centos\"\nPRETTY_NAME=\"CentOS Stream 9\"\n",
    kernel_line: "BOOT_IMAGE=(hd0,gpt2)/vmlinuz-5.14.0-611.el9.x86_64 root=/dev/vda1 ro",
    mounts: PLAIN_DISK,
};

const ARCH_ARM: Distribution = Distribution {
    os_release: "NAME=\"Arch Linux ARM\"\nPRETTY_NAME=\"Arch Linux ARM\"\nID=archarm\nID_LIKE=arch\n",
    kernel_line: "console=ttyS0,115200 root=/dev/mmcblk0p1 rw aarch64",
    mounts: PLAIN_DISK,
};

/// etcd 3.4.23 under systemd on Debian.
pub(super) fn etcd(clock: Clock, seed: u64) -> World {
    let etcd = Etcd {
        unit: "etcd.service",
        release: Release(3, 4, 23),
        data_dir: "/var/lib/etcd",
        owner: Some("etcd"),
        tls: false,
    };
    let mut world = build::world(&ETCD, etcd, seed);
    world.offers.packages.insert("etcd".into(), vec!["3.5.32".into(), "3.4.23".into()]);
    for plan in &ETCD {
        let mut machine = build::machine(plan, &DEBIAN_12, clock, seed);
        machine.software.install("etcd", "3.4.23");
        for tool in ["apt-get", "apt-mark", "dpkg-query"] {
            machine.software.programs.insert(tool.into(), "2.6.1".into());
        }
        machine.disk.put("/usr/lib/systemd/system/etcd.service", unit_of("etcd").unwrap_or_default());
        machine.disk.put(
            "/etc/etcd/etcd.conf",
            format!(
                "ETCD_NAME={}\nETCD_DATA_DIR=/var/lib/etcd\nETCD_LISTEN_PEER_URLS=http://{}:2380\n",
                plan.name, plan.address
            ),
        );
        build::enable(&mut machine, &["etcd.service"]);
        build::join(&mut world, machine, etcd);
    }
    world
}

/// Kubernetes 1.30.4 with containerd and stacked etcd 3.5.15.
pub(super) fn debian(clock: Clock, seed: u64, workers: Option<usize>) -> World {
    let etcd = Etcd { unit: "etcd.pod", release: Release(3, 5, 15), data_dir: "/var/lib/etcd", owner: None, tls: true };
    let plans = size::with_workers(&DEBIAN, workers);
    let mut world = build::world(&plans, etcd, seed);
    world.kube.runtime = "containerd";
    // As kubeadm wrote it up to 1.33; the kubelet is started with the path that it leads to.
    world.kube.cri_socket = "unix:///var/run/containerd/containerd.sock";
    world.kube.kubelet_configs.insert("1.30".into());
    let offers = |version: &str| vec![format!("{version}-1.1")];
    for package in ["kubeadm", "kubelet", "kubectl"] {
        world.offers.packages.insert(package.into(), [offers("1.31.4"), offers("1.30.4")].concat());
    }
    world.offers.packages.insert("containerd".into(), vec!["1.7.24-1".into(), "1.7.20-1".into()]);
    for plan in &plans {
        let mut machine = build::machine(plan, &DEBIAN_12, clock, seed);
        for (package, version) in [
            ("kubeadm", "1.30.4-1.1"),
            ("kubelet", "1.30.4-1.1"),
            ("kubectl", "1.30.4-1.1"),
            ("containerd", "1.7.20-1"),
        ] {
            machine.software.install(package, version);
            machine.disk.put(format!("/var/lib/dpkg/held/{package}"), "");
        }
        for tool in ["apt-get", "apt-mark", "dpkg-query", "crictl"] {
            machine.software.programs.insert(tool.into(), "1.30.0".into());
        }
        services(&mut machine, &["containerd", "kubelet"], "unix:///run/containerd/containerd.sock", "systemd");
        if plan.roles.contains(&Role::ControlPlane) {
            build::static_pods(&mut machine, Some(("3.5.15-0", plan.name)), "1.30.4");
        }
        build::join(&mut world, machine, etcd);
    }
    build::workloads(&mut world.kube, &size::workers(&plans), ("cilium", "quay.io/cilium/cilium:v1.15.6"));
    world
}

/// Kubernetes 1.32.9 with containerd and stacked etcd 3.5.15, its nodes on different distributions.
pub(super) fn mixed(clock: Clock, seed: u64, workers: Option<usize>) -> World {
    let etcd = Etcd { unit: "etcd.pod", release: Release(3, 5, 15), data_dir: "/var/lib/etcd", owner: None, tls: true };
    let plans = size::with_workers(&MIXED, workers);
    let mut world = build::world(&plans, etcd, seed);
    let socket = "unix:///run/containerd/containerd.sock";
    (world.kube.runtime, world.kube.cri_socket) = ("containerd", socket);
    world.kube.kubelet_configs.insert("1.32".into());
    for package in ["kubeadm", "kubelet", "kubectl"] {
        let versions = ["1.33.5", "1.32.9"].map(|version| format!("{version}-150500.1.1"));
        world.offers.packages.insert(package.into(), versions.into());
    }
    world.offers.packages.insert("containerd.io".into(), vec!["1.7.28-1.el9".into(), "1.7.25-3.1.el9".into()]);
    for plan in &plans {
        let plain = plan.name.starts_with("plain");
        let mut machine = build::machine(plan, if plain { &DEBIAN_12 } else { &STREAM_9 }, clock, seed);
        if plain {
            for program in ["kubeadm", "kubelet", "kubectl"] {
                for version in ["1.32.9", "1.33.5"] {
                    let file = format!("/opt/kubernetes/{version}/{program}");
                    machine.disk.put(&file, format!("{program} {version}\n"));
                    machine.disk.own(&file, Some("root"), Some(0o755));
                }
                machine.software.programs.insert(program.into(), "1.32.9".into());
            }
            machine.software.programs.insert("containerd".into(), "1.7.25".into());
        } else {
            for package in ["kubeadm", "kubelet", "kubectl"] {
                machine.software.install(package, "1.32.9-150500.1.1");
            }
            machine.software.install("containerd.io", "1.7.25-3.1.el9");
            for tool in ["dnf", "rpm"] {
                machine.software.programs.insert(tool.into(), "4.14.0".into());
            }
        }
        machine.software.programs.insert("crictl".into(), "1.32.0".into());
        services(&mut machine, &["containerd", "kubelet"], socket, "systemd");
        if plan.roles.contains(&Role::ControlPlane) {
            build::static_pods(&mut machine, Some(("3.5.15-0", plan.name)), "1.32.9");
            let manifest =
                "kind: DaemonSet\nmetadata:\n  name: calico-node\nspec:\n  image: quay.io/calico/node:v3.30.3\n";
            machine.disk.put("/root/calico-3.30.3.yaml", manifest);
        }
        build::join(&mut world, machine, etcd);
    }
    build::workloads(&mut world.kube, &size::workers(&plans), ("calico-node", "quay.io/calico/node:v3.29.5"));
    world
}

/// Kubernetes 1.11.1 with CRI-O 1.11.1 and etcd 3.2.18, of October 2018.
pub(super) fn arch(clock: Clock, seed: u64, workers: Option<usize>) -> World {
    let etcd = Etcd { unit: "etcd.pod", release: Release(3, 2, 18), data_dir: "/var/lib/etcd", owner: None, tls: true };
    let plans = size::with_workers(&ARCH, workers);
    let mut world = build::world(&plans, etcd, seed);
    world.kube.runtime = "cri-o";
    world.kube.cri_socket = "/var/run/crio/crio.sock";
    world.kube.kubelet_configs.insert("1.11".into());
    for plan in &plans {
        let mut machine = build::machine(plan, &ARCH_ARM, clock, seed);
        machine.software.programs.insert("pacman".into(), "5.1.1".into());
        if plan.roles.contains(&Role::Build) {
            for tool in ["runuser", "modprobe", "zramctl", "mkswap", "swapon", "swapoff", "fallocate", "umount"] {
                machine.software.programs.insert(tool.into(), "5.1.1".into());
            }
            machine.disk.put("/sys/devices/system/cpu/cpu1/online", "1\n");
            machine
                .disk
                .put("/home/build/pkgbuilds/kubernetes/PKGBUILD", "pkgname=kubernetes\npkgver=1.12.1\npkgrel=1\n");
            machine.disk.put("/home/build/pkgbuilds/cri-o/PKGBUILD", "pkgname=cri-o\npkgver=1.11.7\npkgrel=1\n");
            machine
                .disk
                .put("/home/build/pkgbuilds/crictl-bin/PKGBUILD", "pkgname=crictl-bin\npkgver=1.12.0\npkgrel=1\n");
            machine.load_units();
            build::join(&mut world, machine, etcd);
            continue;
        }
        let stash = "/var/lib/lockkeeper/packages";
        for (package, old, new) in [
            ("kubernetes", "1.11.1-1", Some("1.12.1-1")),
            ("cri-o", "1.11.1-1", Some("1.11.7-1")),
            ("crictl-bin", "1.11.1-1", Some("1.12.0-1")),
        ] {
            machine.software.install(package, old);
            for version in std::iter::once(old).chain(new) {
                let file = format!("{stash}/{package}-{version}-aarch64.pkg.tar.xz");
                machine.disk.put(file, format!("{package} {version}\n"));
            }
        }
        if plan.roles.contains(&Role::ControlPlane) {
            let manifest =
                "kind: DaemonSet\nmetadata:\n  name: weave-net\nspec:\n  image: weaveworks/weave-kube:2.5.0\n";
            machine.disk.put("/root/weave-2.5.0.yaml", manifest);
        }
        machine.disk.put("/etc/crictl.yaml", "runtime-endpoint: unix:///var/run/crio/crio.sock\n");
        services(&mut machine, &["crio", "kubelet"], "/var/run/crio/crio.sock", "systemd");
        if plan.roles.contains(&Role::ControlPlane) {
            build::static_pods(&mut machine, Some(("3.2.18", plan.name)), "1.11.1");
        }
        build::join(&mut world, machine, etcd);
    }
    build::workloads(&mut world.kube, &size::workers(&plans), ("weave-net", "weaveworks/weave-kube:2.4.1"));
    world
}

/// What Flatcar of a version says of itself.
pub(super) fn flatcar_release(version: &str) -> String {
    format!(
        "NAME=\"Flatcar Container Linux by Kinvolk\"\nID=flatcar\nID_LIKE=coreos\nVERSION={version}\nVERSION_ID={version}\nPRETTY_NAME=\"Flatcar Container Linux by Kinvolk {version} (Oklo)\"\n"
    )
}

/// Flatcar 3815.2.0 with Kubernetes 1.30.4, containerd and etcd 3.5.15.
pub(super) fn flatcar(clock: Clock, seed: u64, workers: Option<usize>) -> World {
    let etcd = Etcd { unit: "etcd.pod", release: Release(3, 5, 15), data_dir: "/var/lib/etcd", owner: None, tls: true };
    let plans = size::with_workers(&FLATCAR, workers);
    let mut world = build::world(&plans, etcd, seed);
    world.kube.runtime = "containerd";
    world.kube.cri_socket = "unix:///run/containerd/containerd.sock";
    let distribution = Distribution {
        os_release: "",
        kernel_line: "BOOT_IMAGE=/flatcar/vmlinuz-a mount.usr=PARTUUID=7130c94a-213a-4e5a-8e26-6cce9662f132 console=tty0",
        mounts: PLAIN_DISK,
    };
    for plan in &plans {
        let mut machine = build::machine(plan, &distribution, clock, seed);
        machine.disk.put("/usr/lib/os-release", flatcar_release("3815.2.0"));
        machine.updater = Some(Updater::new("3815.2.0", "3975.2.0"));
        machine.software.install("containerd", "1.7.13");
        for program in ["kubelet", "kubeadm", "kubectl"] {
            machine.software.programs.insert(program.into(), "1.30.4".into());
        }
        for tool in ["update_engine_client", "locksmithctl", "flatcar-update", "cgpt", "crictl"] {
            machine.software.programs.insert(tool.into(), "1.0.0".into());
        }
        machine.disk.put("/etc/flatcar/update.conf", "GROUP=stable\nREBOOT_STRATEGY=reboot\n");
        for unit in ["update-engine", "locksmithd"] {
            let text = format!(
                "[Unit]\nDescription={unit}\n[Service]\nExecStart=/usr/sbin/{unit}\n[Install]\nWantedBy=multi-user.target\n"
            );
            machine.disk.put(format!("/usr/lib/systemd/system/{unit}.service"), text);
            let link = super::units::vendor_wants(&format!("{unit}.service"));
            machine.disk.link(link, format!("../{unit}.service"));
        }
        services(&mut machine, &["containerd", "kubelet"], "unix:///run/containerd/containerd.sock", "systemd");
        build::enable(
            &mut machine,
            &["update-engine.service", "locksmithd.service", "containerd.service", "kubelet.service"],
        );
        if plan.roles.contains(&Role::ControlPlane) {
            build::static_pods(&mut machine, Some(("3.5.15-0", plan.name)), "1.30.4");
        }
        build::join(&mut world, machine, etcd);
    }
    build::workloads(&mut world.kube, &size::workers(&plans), ("cilium", "quay.io/cilium/cilium:v1.15.6"));
    world
}

/// Kubernetes 1.28.9 with work on it, and 1.31.4 without.
pub(super) fn blue_green(clock: Clock, seed: u64) -> World {
    let etcd =
        Etcd { unit: "etcd.service", release: Release(3, 5, 15), data_dir: "/var/lib/etcd", owner: None, tls: true };
    let mut world = build::world(&BLUE_GREEN, etcd, seed);
    let socket = "unix:///run/containerd/containerd.sock";
    (world.kube.runtime, world.kube.cri_socket) = ("containerd", socket);
    let green = BLUE_GREEN.iter().filter(|plan| plan.name.starts_with("green")).map(|plan| plan.name.into()).collect();
    let second = Kube { runtime: "containerd", cri_socket: socket, ..Kube::default() };
    world.second = Some((green, second));
    for plan in &BLUE_GREEN {
        let version = if plan.name.starts_with("green") { "1.31.4" } else { "1.28.9" };
        let mut machine = build::machine(plan, &DEBIAN_12, clock, seed);
        for package in ["kubeadm", "kubelet", "kubectl"] {
            machine.software.install(package, version);
        }
        machine.software.install("containerd", "1.7.20-1");
        services(&mut machine, &["containerd", "kubelet"], socket, "systemd");
        if plan.roles.contains(&Role::ControlPlane) {
            build::static_pods(&mut machine, None, version);
        }
        build::join(&mut world, machine, etcd);
    }
    build::workloads(&mut world.kube, &["blue-1", "blue-2"], ("cilium", "quay.io/cilium/cilium:v1.15.6"));
    if let Some((_, green)) = &mut world.second {
        build::workloads(green, &["green-1", "green-2"], ("cilium", "quay.io/cilium/cilium:v1.16.4"));
        green.pods.clear();
        green.budgets.clear();
    }
    world
}

/// The runtime and the kubelet, with the configuration that kubeadm wrote.
fn services(machine: &mut super::world::Machine, names: &[&str], socket: &str, driver: &str) {
    for name in names {
        let unit = unit_of(name).unwrap_or_default();
        machine.disk.put(format!("/etc/systemd/system/{name}.service"), unit);
    }
    machine.disk.put(
        "/var/lib/kubelet/config.yaml",
        format!("kind: KubeletConfiguration\ncgroupDriver: {driver}\nfailSwapOn: true\n"),
    );
    machine.disk.put("/var/lib/kubelet/cluster-cgroup-driver", driver);
    machine.disk.put(
        "/var/lib/kubelet/kubeadm-flags.env",
        format!("KUBELET_KUBEADM_ARGS=\"--container-runtime-endpoint={socket}\"\n"),
    );
    machine.disk.put("/etc/kubernetes/kubelet.conf", "kind: Config\n");
    machine.disk.put("/etc/cni/net.d/10-net.conflist", "{}\n");
    machine.disk.put("/opt/cni/bin/loopback", "");
    machine.disk.put("/etc/crio/crio.conf", format!("cgroup_manager = \"{driver}\"\n"));
    let units: Vec<String> = names.iter().map(|name| format!("{name}.service")).collect();
    build::enable(machine, &units.iter().map(String::as_str).collect::<Vec<_>>());
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::model::facts::ApiServer;
    use crate::practice::{Kind, Practice};
    use crate::probe::{Request, parse};

    /// What the probe of a control plane says of the API server of a simulated host, after such a command.
    async fn api_server(kind: Kind, host: &str, before: &str) -> Option<ApiServer> {
        let practice = Practice::new(kind, 1, Vec::new());
        let host = practice.host(&host.into());
        host.probe(before, Duration::from_secs(30)).await.unwrap();
        let request = Request { kubectl: true, ..Request::default() };
        let facts = parse(&host.probe(&request.script(), Duration::from_secs(60)).await.unwrap().output, None);
        assert_eq!(facts.problems, [""; 0]);
        facts.api_server
    }

    #[tokio::test(start_paused = true)]
    async fn every_host_tells_of_its_own_api_server_and_of_no_other() {
        let answers = |version: &str| Some(ApiServer { answers: true, version: Some(version.into()) });
        assert_eq!(api_server(Kind::Kubeadm, "cp2", "true").await, answers("1.30.4"), "over TLS, as a static pod");
        assert_eq!(api_server(Kind::ContainerLinux, "master1", "true").await, answers("1.5.6"), "plainly, as a unit");
        assert_eq!(api_server(Kind::Kubeadm, "node1", "true").await, None, "none is meant to run there");
        let stop = "systemctl stop kube-apiserver.service";
        assert_eq!(api_server(Kind::ContainerLinux, "master1", stop).await, Some(ApiServer::default()));
    }
}
