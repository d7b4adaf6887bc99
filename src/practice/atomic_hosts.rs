//! Clusters on ostree hosts: Fedora Atomic 26 with Kubernetes from rpm, 27 with it in system containers, hosts that have
//! nothing on them yet, CentOS Atomic, and Fedora CoreOS.

use crate::model::Role;

use super::build::{self, Distribution, Etcd, OSTREE_DISK, Plan};
use super::clock::Clock;
use super::cluster::Release;
use super::ostree::{Deployment, Ostree, Tree};
use super::software::{Software, SystemContainer, programs_of};
use super::units::unit_of;
use super::world::{Machine, World};

const MASTER: &[Role] = &[Role::Etcd, Role::ControlPlane];
const WORKER: &[Role] = &[Role::Worker];

/// Three masters with etcd on them, two nodes: what the contrib Ansible scripts make.
pub(super) const FEDORA: [Plan; 5] = [
    Plan { name: "atomic-master-1", address: "10.15.5.11", roles: MASTER },
    Plan { name: "atomic-master-2", address: "10.15.5.12", roles: MASTER },
    Plan { name: "atomic-master-3", address: "10.15.5.13", roles: MASTER },
    Plan { name: "atomic-node-1", address: "10.15.5.21", roles: WORKER },
    Plan { name: "atomic-node-2", address: "10.15.5.22", roles: WORKER },
];

/// One master, two nodes.
pub(super) const CENTOS: [Plan; 3] = [
    Plan { name: "centos-master", address: "10.15.6.11", roles: MASTER },
    Plan { name: "centos-node-1", address: "10.15.6.21", roles: WORKER },
    Plan { name: "centos-node-2", address: "10.15.6.22", roles: WORKER },
];

/// One control plane and two workers.
pub(super) const COREOS: [Plan; 3] = [
    Plan { name: "fcos-cp", address: "10.15.7.11", roles: MASTER },
    Plan { name: "fcos-1", address: "10.15.7.21", roles: WORKER },
    Plan { name: "fcos-2", address: "10.15.7.22", roles: WORKER },
];

/// Where images of the time came from.
const REGISTRY: &str = "registry.fedoraproject.org/f27";

const OLD_FEDORA: &str = "fedora-atomic-26:fedora/26/x86_64/atomic-host";
const NEW_FEDORA: &str = "fedora-atomic-27:fedora/27/x86_64/atomic-host";

const KERNEL: &str = "BOOT_IMAGE=/ostree/fedora-atomic/vmlinuz root=/dev/mapper/atomicos-root ostree=/ostree/boot.0";

fn etcd_of(release: Release) -> Etcd {
    Etcd { unit: "etcd.service", release, data_dir: "/var/lib/etcd", owner: Some("etcd"), tls: false }
}

fn os_release(name: &str, id: &str, version: &str) -> String {
    format!("NAME={name}\nID={id}\nVERSION_ID={version}\nPRETTY_NAME=\"{name} {version}\"\n")
}

/// A tree with packages in its base, and the tools that every such host has.
fn tree(origin: &str, version: &str, os_release: String, packages: &[(&str, &str)], tools: &[(&str, &str)]) -> Tree {
    let mut software = Software::default();
    let mut units = Vec::new();
    for (package, version) in packages {
        software.install(package, version);
        for program in programs_of(package) {
            units.extend(unit_of(program).map(|text| (format!("{program}.service"), text)));
        }
    }
    for (tool, version) in tools {
        software.programs.insert((*tool).into(), (*version).into());
    }
    let sum = origin
        .bytes()
        .chain(version.bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    // Configuration comes with the packages that read it.
    let defaults = packages
        .iter()
        .flat_map(|(package, _)| match *package {
            "kubernetes-master" => vec![("kubernetes/apiserver", "KUBE_API_ARGS=\"\"\n")],
            "kubernetes-node" => vec![("kubernetes/proxy", "KUBE_PROXY_ARGS=\"\"\n")],
            _ => Vec::new(),
        })
        .map(|(path, text)| (path.to_owned(), text.to_owned()))
        .collect();
    Tree {
        origin: origin.into(),
        version: version.into(),
        checksum: format!("{sum:016x}").repeat(4),
        os_release,
        software,
        units,
        defaults,
    }
}

const ATOMIC_TOOLS: [(&str, &str); 4] =
    [("atomic", "1.18.1"), ("rpm-ostree", "2017.9"), ("ostree", "2017.13"), ("rpm", "4.13.0")];

/// Fedora Atomic 26 of its last days: Kubernetes in the base.
fn fedora_26() -> Tree {
    let packages = [
        ("docker", "1.13.1"),
        ("etcd", "3.1.9"),
        ("flannel", "0.7.0"),
        ("kubernetes-master", "1.6.7"),
        ("kubernetes-node", "1.6.7"),
        ("kubernetes-client", "1.6.7"),
    ];
    tree(OLD_FEDORA, "26.157", os_release("Fedora", "fedora", "26"), &packages, &ATOMIC_TOOLS)
}

/// What is layered on a master: the node's packages as well, for it has a kubelet.
const LAYERED: [(&str, &str); 5] = [
    ("etcd", "3.1.9"),
    ("kubernetes-master", "1.6.7"),
    ("kubernetes-client", "1.6.7"),
    ("flannel", "0.7.0"),
    ("kubernetes-node", "1.6.7"),
];

/// The packages that are layered on a host.
fn layered(master: bool) -> &'static [(&'static str, &'static str)] {
    if master { &LAYERED } else { &LAYERED[3..] }
}

/// What an operator writes down about a host with layered packages.
pub(super) fn layered_vars(master: bool) -> &'static [(&'static str, &'static str)] {
    if master {
        &[("unlayer", "etcd kubernetes-master kubernetes-client flannel kubernetes-node")]
    } else {
        &[("unlayer", "flannel kubernetes-node")]
    }
}

/// Fedora Atomic 26 without Kubernetes in its base, and with it layered.
fn fedora_26_layered(master: bool) -> Tree {
    let os = os_release("Fedora", "fedora", "26");
    let mut tree = tree(OLD_FEDORA, "26.157", os, &[("docker", "1.13.1")], &ATOMIC_TOOLS);
    for (package, version) in layered(master) {
        tree.software.install(package, version);
        for program in programs_of(package) {
            tree.units.extend(unit_of(program).map(|text| (format!("{program}.service"), text)));
        }
    }
    tree
}

/// Where the data of a host's etcd lies: as the contrib scripts have it, as the package has it, and where etcd itself puts
/// it when it is not told. Nothing is the line in `etcd.conf` then.
fn data_dirs(name: &str) -> (&'static str, Option<&'static str>) {
    match name {
        "atomic-master-1" => ("/var/lib/etcd/default.etcd", Some("/var/lib/etcd/default.etcd")),
        "atomic-master-2" => ("/var/lib/etcd/atomic-master-2.etcd", None),
        _ => ("/var/lib/etcd", Some("/var/lib/etcd")),
    }
}

/// Fedora Atomic 27: no Kubernetes, no etcd, no flannel.
fn fedora_27(version: &str) -> Tree {
    tree(NEW_FEDORA, version, os_release("Fedora", "fedora", "27"), &[("docker", "1.13.1")], &ATOMIC_TOOLS)
}

fn boot(machine: &mut Machine, tree: Tree, requested: &[&str]) {
    for (path, text) in &tree.defaults {
        machine.disk.put(format!("/etc/{path}"), text.clone());
    }
    machine.take_tree(&tree);
    let remote = tree.origin.split(':').next().unwrap_or_default().to_owned();
    let requested: Vec<String> = requested.iter().map(|package| (*package).to_owned()).collect();
    let deployment = Deployment { tree, layered: requested.clone(), requested, etc: Vec::new() };
    machine.ostree = Some(Ostree { deployments: vec![deployment], booted: 0, remotes: vec![remote] });
}

/// Configuration as the contrib Ansible scripts write it.
fn contrib_files(machine: &Machine, name: &str, data_dir: Option<&str>, plans: &[Plan]) {
    let address = machine.address;
    let members: Vec<String> = plans
        .iter()
        .filter(|plan| plan.roles.contains(&Role::Etcd))
        .map(|plan| format!("{}=http://{}:2380", plan.name, plan.address))
        .collect();
    if machine.roles.contains(&Role::Etcd) {
        let data_dir = data_dir.map(|dir| format!("ETCD_DATA_DIR={dir}\n")).unwrap_or_default();
        machine.disk.put(
            "/etc/etcd/etcd.conf",
            format!(
                "ETCD_NAME={name}\n{data_dir}ETCD_LISTEN_PEER_URLS=http://{address}:2380\nETCD_LISTEN_CLIENT_URLS=http://0.0.0.0:2379\nETCD_INITIAL_CLUSTER={}\nETCD_INITIAL_CLUSTER_STATE=new\nETCD_INITIAL_CLUSTER_TOKEN=etcd-k8-cluster\n",
                members.join(",")
            ),
        );
    }
    let endpoints: Vec<String> = plans
        .iter()
        .filter(|plan| plan.roles.contains(&Role::Etcd))
        .map(|plan| format!("http://{}:2379", plan.address))
        .collect();
    machine.disk.put(
        "/etc/sysconfig/flanneld",
        format!("FLANNEL_ETCD_ENDPOINTS=\"{}\"\nFLANNEL_ETCD_PREFIX=\"/cluster.local/network\"\n", endpoints.join(",")),
    );
    machine.disk.put("/etc/kubernetes/config", "KUBE_LOGTOSTDERR=\"--logtostderr=true\"\n");
    machine.disk.put("/etc/kubernetes/kubelet", "KUBELET_ARGS=\"--cgroup-driver=systemd\"\n");
    if machine.roles.contains(&Role::ControlPlane) {
        machine.disk.put(
            "/etc/kubernetes/apiserver",
            "KUBE_API_ARGS=\"--storage-backend=etcd2 --storage-media-type=application/json\"\n",
        );
    }
}

const MASTER_UNITS: [&str; 6] = [
    "etcd.service",
    "flanneld.service",
    "docker.service",
    "kube-apiserver.service",
    "kube-controller-manager.service",
    "kube-scheduler.service",
];
const NODE_UNITS: [&str; 4] = ["flanneld.service", "docker.service", "kubelet.service", "kube-proxy.service"];

/// The units of a host by its roles. Masters run a kubelet as well, so that they are nodes.
fn units_of(plan: &Plan) -> Vec<&'static str> {
    if plan.roles.contains(&Role::ControlPlane) {
        MASTER_UNITS.into_iter().chain(["kubelet.service", "kube-proxy.service"]).collect()
    } else {
        NODE_UNITS.to_vec()
    }
}

fn flannel_runs(machine: &Machine) {
    machine.disk.put(
        "/usr/lib/systemd/system/docker.service.d/flannel.conf",
        "[Service]\nEnvironmentFile=-/run/flannel/docker\n",
    );
    let third = machine.address.rsplit('.').next().unwrap_or("1");
    machine.disk.put(
        super::services::SUBNET,
        format!("FLANNEL_NETWORK=172.16.0.0/12\nFLANNEL_SUBNET=172.16.{third}.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n"),
    );
}

fn offer_images(world: &mut World, registry: &str, kubernetes: &str, etcd: &str) {
    for (image, version) in [
        ("etcd", etcd),
        ("flannel", "0.9.0"),
        ("kubernetes-apiserver", kubernetes),
        ("kubernetes-controller-manager", kubernetes),
        ("kubernetes-scheduler", kubernetes),
        ("kubernetes-kubelet", kubernetes),
        ("kubernetes-proxy", kubernetes),
    ] {
        world.offers.images.insert(format!("{registry}/{image}"), version.into());
    }
}

/// Fedora Atomic 26, Kubernetes 1.6.7 and etcd 3.1.9 from the base, or layered on it.
pub(super) fn fedora_26_cluster(clock: Clock, seed: u64, is_layered: bool) -> World {
    let etcd = etcd_of(Release(3, 1, 9));
    let mut world = build::world(&FEDORA, etcd, seed);
    world.kube.runtime = "docker";
    offer_images(&mut world, REGISTRY, "1.7.3", "3.2.7");
    world.offers.trees.insert(NEW_FEDORA.into(), fedora_27("27.16"));
    for (package, version) in [
        ("etcd", "3.2.7"),
        ("flannel", "0.9.0"),
        ("kubernetes-master", "1.7.3"),
        ("kubernetes-node", "1.7.3"),
        ("kubernetes-client", "1.7.3"),
    ] {
        world.offers.packages.insert(format!("27/{package}"), vec![version.into()]);
    }
    let distribution = distribution();
    for plan in &FEDORA {
        let mut machine = build::machine(plan, &distribution, clock, seed);
        if is_layered {
            let master = plan.roles.contains(&Role::Etcd);
            let packages: Vec<&str> = layered(master).iter().map(|(package, _)| *package).collect();
            boot(&mut machine, fedora_26_layered(master), &packages);
        } else {
            boot(&mut machine, fedora_26(), &[]);
        }
        let (data_dir, line) = if is_layered { data_dirs(plan.name) } else { ("/var/lib/etcd", Some("/var/lib/etcd")) };
        contrib_files(&machine, plan.name, line, &FEDORA);
        flannel_runs(&machine);
        build::enable(&mut machine, &units_of(plan));
        build::join(&mut world, machine, Etcd { data_dir, ..etcd });
    }
    build::workloads(&mut world.kube, &["atomic-node-1", "atomic-node-2"], ("fluentd", "fluentd:1.2"));
    world
}

fn distribution() -> Distribution {
    Distribution { os_release: "", kernel_line: KERNEL, mounts: OSTREE_DISK }
}

/// Fedora Atomic 27 with everything in system containers, for which the registry has newer images.
pub(super) fn fedora_27_cluster(clock: Clock, seed: u64) -> World {
    let etcd = Etcd { data_dir: "/var/lib/etcd/etcd.etcd", owner: Some("root"), ..etcd_of(Release(3, 2, 7)) };
    let mut world = build::world(&FEDORA, etcd, seed);
    world.kube.runtime = "docker";
    offer_images(&mut world, REGISTRY, "1.7.5", "3.2.9");
    world.offers.images.insert("registry.fedoraproject.org/f28/etcd".into(), "3.3.11".into());
    let distribution = distribution();
    for plan in &FEDORA {
        let mut machine = build::machine(plan, &distribution, clock, seed);
        boot(&mut machine, fedora_27("27.16"), &[]);
        contrib_files(&machine, plan.name, Some("/var/lib/etcd"), &FEDORA);
        flannel_runs(&machine);
        for unit in units_of(plan).into_iter().filter(|unit| *unit != "docker.service") {
            let name = unit.trim_end_matches(".service");
            let (image, version) = match name {
                "etcd" => ("etcd", "3.2.7"),
                "flanneld" => ("flannel", "0.9.0"),
                "kubelet" => ("kubernetes-kubelet", "1.7.3"),
                "kube-proxy" => ("kubernetes-proxy", "1.7.3"),
                "kube-apiserver" => ("kubernetes-apiserver", "1.7.3"),
                "kube-controller-manager" => ("kubernetes-controller-manager", "1.7.3"),
                _ => ("kubernetes-scheduler", "1.7.3"),
            };
            let image = format!("{REGISTRY}/{image}");
            machine.images.insert(image.clone(), version.into());
            machine.disk.put(format!("/etc/systemd/system/{unit}"), super::tools::container_unit(name));
            machine
                .containers
                .insert(name.into(), SystemContainer { image, slots: [Some(version.into()), None], active: 0 });
            for program in super::tools::brings(name) {
                machine.software.programs.insert((*program).into(), version.into());
            }
        }
        build::enable(&mut machine, &units_of(plan));
        build::join(&mut world, machine, etcd);
    }
    build::workloads(&mut world.kube, &["atomic-node-1", "atomic-node-2"], ("fluentd", "fluentd:1.2"));
    world
}

/// Fedora Atomic 27 as it was installed, with the inventory and the configuration that the contrib scripts would have
/// written.
pub(super) fn bare_fedora(clock: Clock, seed: u64) -> World {
    let etcd = Etcd { data_dir: "/var/lib/etcd/etcd.etcd", owner: Some("root"), ..etcd_of(Release(3, 2, 7)) };
    let mut world = build::world(&FEDORA, etcd, seed);
    world.cluster.processes.clear();
    world.kube.runtime = "docker";
    offer_images(&mut world, REGISTRY, "1.7.3", "3.2.7");
    let distribution = distribution();
    for plan in &FEDORA {
        let mut machine = build::machine(plan, &distribution, clock, seed);
        boot(&mut machine, fedora_27("27.16"), &[]);
        contrib_files(&machine, plan.name, Some("/var/lib/etcd"), &FEDORA);
        build::enable(&mut machine, &["docker.service"]);
        let host = crate::model::HostName::from(plan.name);
        world.machines.insert(host, machine);
    }
    world.cluster.leader = None;
    world.cluster.fresh();
    world
}

/// CentOS Atomic 7.1712: Kubernetes 1.5.2 from the base on the nodes; on the master layered, or in containers that docker
/// runs under units of `/etc`.
pub(super) fn centos(clock: Clock, seed: u64, layered: bool) -> World {
    let etcd = etcd_of(Release(3, 2, 9));
    let mut world = build::world(&CENTOS, etcd, seed);
    world.kube.runtime = "docker";
    let registry = "registry.centos.org/centos";
    for (image, version) in [
        ("kubernetes-apiserver", "1.5.4"),
        ("kubernetes-controller-manager", "1.5.4"),
        ("kubernetes-scheduler", "1.5.4"),
    ] {
        world.offers.images.insert(format!("{registry}/{image}:{version}"), version.into());
    }
    world.offers.packages.insert("7/kubernetes-master".into(), vec!["1.5.2".into()]);
    let packages = [
        ("docker", "1.12.6"),
        ("etcd", "3.2.9"),
        ("flannel", "0.7.1"),
        ("kubernetes-node", "1.5.2"),
        ("kubernetes-client", "1.5.2"),
    ];
    let os =
        "NAME=\"CentOS Linux\"\nID=\"centos\"\nVERSION_ID=\"7\"\nPRETTY_NAME=\"CentOS Linux 7 (Core)\"\n".to_owned();
    let tools = [("atomic", "1.20.1"), ("rpm-ostree", "2017.9"), ("ostree", "2017.11"), ("rpm", "4.11.3")];
    let origin = "centos-atomic-host:centos-atomic-host/7/x86_64/standard";
    let distribution = distribution();
    for plan in &CENTOS {
        let mut machine = build::machine(plan, &distribution, clock, seed);
        let mut base = tree(origin, "7.1712", os.clone(), &packages, &tools);
        world.offers.trees.insert(origin.into(), base.clone());
        let master = plan.roles.contains(&Role::ControlPlane);
        if master && layered {
            base.software.install("kubernetes-master", "1.5.2");
            for program in programs_of("kubernetes-master") {
                base.units.extend(unit_of(program).map(|text| (format!("{program}.service"), text)));
            }
        }
        boot(&mut machine, base, if master && layered { &["kubernetes-master"] } else { &[] });
        contrib_files(&machine, plan.name, Some("/var/lib/etcd"), &CENTOS);
        for name in ["apiserver", "controller-manager", "scheduler"] {
            if master && !layered {
                let image = format!("{registry}/kubernetes-{name}:1.5.2");
                machine.images.insert(image.clone(), "1.5.2".into());
                let unit = format!(
                    "[Unit]\nDescription=kube-{name}\nRequires=docker.service\n[Service]\nExecStart=/usr/bin/docker run --rm --name kube-{name} --net=host {image}\nRestart=always\n[Install]\nWantedBy=multi-user.target\n"
                );
                machine.disk.put(format!("/etc/systemd/system/kube-{name}.service"), unit);
            }
        }
        flannel_runs(&machine);
        build::enable(&mut machine, &units_of(plan));
        build::join(&mut world, machine, etcd);
    }
    build::workloads(&mut world.kube, &["centos-node-1", "centos-node-2"], ("fluentd", "fluentd:1.2"));
    world
}

const STREAM: &str = "fedora:fedora/x86_64/coreos/stable";

fn coreos_tree(version: &str) -> Tree {
    let packages = [("kubeadm", "1.30.4"), ("kubelet", "1.30.4"), ("kubectl", "1.30.4"), ("containerd", "1.7.20")];
    let tools = [("rpm-ostree", "2024.8"), ("ostree", "2024.8"), ("rpm", "4.19.1"), ("crictl", "1.30.0")];
    let major = version.split('.').next().unwrap_or("40");
    let mut tree = tree(STREAM, version, os_release("Fedora CoreOS", "fedora", major), &packages, &tools);
    tree.units.push((
        "zincati.service".into(),
        "[Unit]\nDescription=Zincati Update Agent\n[Service]\nType=notify\nExecStart=/usr/libexec/zincati agent\n[Install]\nWantedBy=multi-user.target\n".into(),
    ));
    tree
}

/// Fedora CoreOS 40 with kubeadm 1.30.4; the stream has gone on to 41.
pub(super) fn coreos(clock: Clock, seed: u64, workers: Option<usize>) -> World {
    let etcd = Etcd { unit: "etcd.pod", owner: None, tls: true, ..etcd_of(Release(3, 5, 15)) };
    let plans = super::size::with_workers(&COREOS, workers);
    let mut world = build::world(&plans, etcd, seed);
    world.kube.runtime = "containerd";
    world.kube.cri_socket = "unix:///run/containerd/containerd.sock";
    world.offers.trees.insert(STREAM.into(), coreos_tree("41.20241027.3.0"));
    let distribution = Distribution { mounts: build::COREOS_DISK, ..distribution() };
    for plan in &plans {
        let mut machine = build::machine(plan, &distribution, clock, seed);
        boot(&mut machine, coreos_tree("40.20241019.3.0"), &[]);
        machine.disk.put("/usr/lib/zincati/config.d/10-agent.toml", "[agent]\n[updates]\nenabled = true\n");
        machine.disk.put("/etc/cni/net.d/10-net.conflist", "{}\n");
        build::enable(&mut machine, &["zincati.service", "containerd.service", "kubelet.service"]);
        if plan.roles.contains(&Role::ControlPlane) {
            build::static_pods(&mut machine, Some(("3.5.15-0", plan.name)), "1.30.4");
        }
        build::join(&mut world, machine, etcd);
    }
    build::workloads(&mut world.kube, &super::size::workers(&plans), ("cilium", "quay.io/cilium/cilium:v1.15.6"));
    world
}
