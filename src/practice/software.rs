//! What is installed on a host, and what could be: packages with their programs, system containers, registries.

use std::collections::BTreeMap;

use super::ostree::Tree;
use super::units::UnitFile;
use super::world::Machine;

/// Programs and packages of a host, each with its version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Software {
    /// By the name they are called by.
    pub(super) programs: BTreeMap<String, String>,
    /// By the package manager's name for them; with the release, where it has one.
    pub(super) packages: BTreeMap<String, String>,
}

impl Software {
    /// Puts a package in, or another version of it, with its programs.
    pub(super) fn install(&mut self, package: &str, version: &str) {
        self.packages.insert(package.into(), version.into());
        let plain = version.split('-').next().unwrap_or(version);
        for program in programs_of(package) {
            self.programs.insert((*program).into(), plain.into());
        }
    }
}

/// What a package brings.
pub(super) fn programs_of(package: &str) -> &'static [&'static str] {
    match package {
        // Arch's, built from the sources: everything in one.
        "kubernetes" => &["kubelet", "kubeadm", "kubectl"],
        "cri-o" => &["crio"],
        "crictl-bin" | "cri-tools" => &["crictl"],
        "containerd" | "containerd.io" => &["containerd"],
        "kubernetes-master" => &["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"],
        "kubernetes-node" => &["kubelet", "kube-proxy"],
        "etcd" => &["etcd", "etcdctl"],
        "flannel" => &["flanneld"],
        "docker" => &["docker"],
        "kubelet" => &["kubelet"],
        "kubeadm" => &["kubeadm"],
        "kubectl" | "kubernetes-client" => &["kubectl"],
        "atomic" => &["atomic"],
        _ => &[],
    }
}

/// What registries and repositories offer now.
#[derive(Clone, Debug, Default)]
pub(super) struct Offers {
    /// Image to the version its tag stands for now.
    pub(super) images: BTreeMap<String, String>,
    /// Versions of packages that `apt` can get.
    pub(super) packages: BTreeMap<String, Vec<String>>,
    /// By `remote:ref`, what it stands for now.
    pub(super) trees: BTreeMap<String, Tree>,
}

/// A system container: two places for its checkout, one of which is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SystemContainer {
    pub(super) image: String,
    /// The versions checked out as `NAME.0` and `NAME.1`.
    pub(super) slots: [Option<String>; 2],
    pub(super) active: usize,
}

impl SystemContainer {
    pub(super) fn version(&self) -> &str {
        self.slots[self.active].as_deref().unwrap_or_default()
    }
}

impl Machine {
    /// The version of the program that a unit would start now.
    pub(super) fn version_of(&self, unit: &UnitFile) -> String {
        if let Some(version) = unit.image_version() {
            return version.into();
        }
        if let Some(tag) = unit.variable("ETCD_IMAGE_TAG") {
            return tag.trim_start_matches('v').into();
        }
        let words = shlex::split(&unit.exec_start).unwrap_or_default();
        let program = words.first().map(|path| path.rsplit('/').next().unwrap_or(path)).unwrap_or_default();
        match program {
            // `runc … run NAME`
            "runc" => {
                let name = words.last().cloned().unwrap_or_default();
                self.containers.get(&name).map(|container| container.version().to_owned()).unwrap_or_default()
            }
            // `docker run … IMAGE:TAG COMMAND`
            "docker" => {
                let image = words.iter().find(|word| self.images.contains_key(*word));
                image.and_then(|image| self.images.get(image)).cloned().unwrap_or_default()
            }
            _ => self.software.programs.get(program).cloned().unwrap_or_default(),
        }
    }
}
