//! What a probe saw on one host, typed. What was not seen is absent, and an absent fact passes no check.
//!
//! The field names are the ones runbooks use in their checks (`host.etcd.server`), so a name changed here is a
//! change of the runbook language.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All that one probe saw on one host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The operating system's own word (`/etc/os-release`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<Os>,
    /// `/proc/sys/kernel/random/boot_id`: changes with every boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// The host's clock against the operator's, in milliseconds, to the nearest 200: half of the probe's journey is in it,
    /// so that less cannot be told. Positive where the host is ahead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_ms: Option<i64>,
    /// `uname -m`, such as `x86_64` or `aarch64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// `uname -n`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Whether swap is on (`/proc/swaps`); the kubelet refuses to start with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap: Option<bool>,
    /// Mount points of network file systems (`/proc/mounts`), over which a reboot can hang.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_mounts: Option<Vec<String>>,
    /// The kernel's command line (`/proc/cmdline`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmdline: Option<String>,
    /// The etcd member on this host, as it answers locally. Absent where nothing answered and no binary was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etcd: Option<Etcd>,
    /// systemd units the runbook asked for, by full name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub units: BTreeMap<String, Unit>,
    /// Paths the runbook asked for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub paths: BTreeMap<String, PathFact>,
    /// `kubelet --version`, without the leading `v`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubelet: Option<String>,
    /// Versions of programs on disk that the runbook asked for, without a leading `v`. What is not installed is absent.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub programs: BTreeMap<String, String>,
    /// Versions of packages that the runbook asked for, as pacman, rpm or dpkg tells them. What is not installed is absent.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub packages: BTreeMap<String, String>,
    /// The container runtime behind the kubelet's socket, as `crictl version` tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Runtime>,
    /// System containers, by name, where the runbook asked for any.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub containers: BTreeMap<String, SystemContainer>,
    /// Days until certificates end that the runbook asked for, by file; negative where one has ended.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub certs: BTreeMap<String, i64>,
    /// Lines of files that the runbook asked for, by file: the first twenty of each. A file that is not there has none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub lines: BTreeMap<String, Vec<String>>,
    /// The deployments of an ostree host, the next boot's first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ostree: Option<Ostree>,
    /// The API server on this host, as it answers there itself. Absent where none is meant to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_server: Option<ApiServer>,
    /// The API server's view, where `kubectl` works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kube: Option<Kube>,
    /// What would update or reboot the host by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updates: Option<Updates>,
    /// File systems, by mount point.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub disks: BTreeMap<String, Disk>,
    /// Block devices (`lsblk`), where the runbook asked for them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<BlockDevice>,
    /// Lines of this boot's journal that the runbook asked for, by unit: the last twenty of each.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub journal: BTreeMap<String, Vec<String>>,
    /// What was printed but not understood: tool and complaint. Never guessed at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

impl Facts {
    /// The sections in which two probes saw something else, by the names that checks use.
    #[must_use]
    pub fn differing(&self, other: &Self) -> Vec<&'static str> {
        macro_rules! differing {
            ($($section:ident)*) => {
                [$((stringify!($section), self.$section != other.$section)),*]
            };
        }
        let sections = differing!(
            os boot_id clock_ms arch hostname swap network_mounts cmdline etcd units paths kubelet programs packages runtime containers certs lines ostree api_server kube updates disks devices journal problems
        );
        sections.into_iter().filter(|(_, differs)| *differs).map(|(section, _)| section).collect()
    }
}

/// `/etc/os-release`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Os {
    /// `ID`, such as `coreos`, `fedora`, `debian`, `flatcar`.
    pub id: String,
    /// `VERSION_ID`, or empty on a rolling release.
    pub version: String,
    /// `PRETTY_NAME`.
    pub name: String,
}

/// One etcd member, seen from its own host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Etcd {
    /// `etcdserver` of `GET /version`: the version that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// `etcdcluster` of `GET /version`: the version the members agreed on, always `X.Y.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// `GET /health` said the string `true`. Present whenever the question was asked: no answer is `false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy: Option<bool>,
    /// Where the member's own process says that it answers; absent where the inventory or the runbook says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// This member's id in lower-case hex without padding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// This member's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether this member leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leader: Option<bool>,
    /// Raft index (applied where the version tells it apart). A count of log entries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raft_index: Option<i64>,
    /// Raft term.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raft_term: Option<i64>,
    /// The member list as this member tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Member>>,
    /// Raised alarms, such as `NOSPACE`; v3 API only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarms: Option<Vec<String>>,
    /// Size of the v3 backend, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db_bytes: Option<i64>,
    /// The version of the binary on disk, which need not be the one that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_disk: Option<String>,
}

/// A row of the member list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Lower-case hex without padding.
    pub id: String,
    /// Empty for a member that was added and never started.
    pub name: String,
    /// Where peers reach it.
    pub peer_urls: Vec<String>,
    /// Where clients reach it; empty until it has started.
    pub client_urls: Vec<String>,
    /// A learner does not vote.
    #[serde(default)]
    pub learner: bool,
}

/// `systemctl show`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// `LoadState`: `loaded`, `not-found`, `masked`.
    pub load: String,
    /// `ActiveState`: `active`, `inactive`, `activating`, `deactivating`, `failed`.
    pub active: String,
    /// `SubState`: `running`, `dead`, `start`, …
    pub sub: String,
    /// `UnitFileState`: `enabled`, `disabled`, `static`, `masked`, or empty.
    pub enabled: String,
    /// `MainPID`, 0 when it does not run.
    pub pid: i64,
    /// `NRestarts`: automatic restarts since it was last started by hand.
    #[serde(default)]
    pub restarts: i64,
    /// `FragmentPath`: the file the unit was loaded from.
    #[serde(default)]
    pub file: String,
    /// `DropInPaths`.
    #[serde(default)]
    pub drop_ins: Vec<String>,
    /// `Environment`, one `NAME=value` each.
    #[serde(default)]
    pub environment: Vec<String>,
    /// `NeedDaemonReload`: files changed since systemd read them.
    #[serde(default)]
    pub need_reload: bool,
}

/// What stands at a path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathFact {
    /// Whether anything is there.
    pub exists: bool,
    /// `file`, `directory`, `symlink`, `other`, or empty where nothing is.
    #[serde(default)]
    pub kind: String,
    /// The owning user, by name where it has one.
    #[serde(default)]
    pub owner: String,
    /// Permissions in octal, such as `700`.
    #[serde(default)]
    pub mode: String,
    /// In bytes; of a directory, of its entry alone.
    #[serde(default)]
    pub bytes: i64,
    /// Names in a directory.
    #[serde(default)]
    pub entries: Vec<String>,
    /// The type of the file system it lies on, such as `ext4` or `tmpfs`.
    #[serde(default)]
    pub fs: String,
}

/// What an ostree host has deployed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ostree {
    /// The next boot's first.
    pub deployments: Vec<Deployment>,
    /// A transaction runs: nothing else may be begun. Only rpm-ostree tells.
    #[serde(default)]
    pub busy: bool,
}

impl Ostree {
    /// The deployment the host runs from.
    #[must_use]
    pub fn booted(&self) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.booted)
    }
}

/// One bootable tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Such as `27.61`; empty where the tree has none.
    pub version: String,
    /// Commit checksum in hex.
    pub checksum: String,
    /// What it follows, such as `fedora-atomic-27:fedora/27/x86_64/atomic-host`.
    #[serde(default)]
    pub origin: String,
    /// Whether the host runs from it now.
    pub booted: bool,
    /// Whether it waits for the next boot.
    #[serde(default)]
    pub staged: bool,
    /// Packages layered on top.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Packages somebody asked for; those that the base has already are not layered.
    #[serde(default)]
    pub requested: Vec<String>,
    /// Kept, however many come after it (`ostree admin pin`).
    #[serde(default)]
    pub pinned: bool,
}

/// One `kube-apiserver`, seen from its own host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiServer {
    /// It is ready (`GET /readyz`), or tells nothing to whom it does not know.
    pub answers: bool,
    /// `gitVersion` of `GET /version` without the leading `v`: the version that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The API server's view of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kube {
    /// Whether the API server answered `ok` on `/healthz`.
    pub healthy: bool,
    /// `serverVersion.gitVersion` without the leading `v`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// By the name of the Node object.
    #[serde(default)]
    pub nodes: BTreeMap<String, Node>,
    /// By `namespace/name`, where the runbook asked for pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub daemonsets: BTreeMap<String, DaemonSet>,
}

/// A Node object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// The `Ready` condition is `True`.
    pub ready: bool,
    /// `spec.unschedulable`: cordoned.
    pub cordoned: bool,
    /// `status.nodeInfo.kubeletVersion` without the leading `v`.
    pub kubelet: String,
    /// `status.nodeInfo.containerRuntimeVersion`, such as `cri-o://1.11.7`.
    #[serde(default)]
    pub runtime: String,
    /// The annotation `kubeadm.alpha.kubernetes.io/cri-socket`; empty where there is none.
    #[serde(default)]
    pub cri_socket: String,
    /// It bears the label of a control plane, of old (`master`) or of now.
    #[serde(default)]
    pub control_plane: bool,
    /// What runs on it, where the runbook asked for pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pods: Option<NodePods>,
}

/// The pods of a node, seen as a drain sees them. Each is a `namespace/name`, at most twenty a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePods {
    /// Those that a drain would evict: no DaemonSet's, no static ones, none that have ended.
    pub evictable: Vec<String>,
    /// Evictable, and nobody would start them anew elsewhere.
    pub unmanaged: Vec<String>,
    /// Evictable, with an `emptyDir` that is lost with them.
    pub local_data: Vec<String>,
    /// Evictable, and a disruption budget allows no eviction now: `namespace/pod (budget)`.
    pub blocked: Vec<String>,
    /// Pods of DaemonSets that are not ready.
    pub daemons_unready: Vec<String>,
}

impl NodePods {
    /// How many a list names at most.
    pub const LISTED: usize = 20;
}

/// A DaemonSet's status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonSet {
    /// `status.desiredNumberScheduled`
    pub desired: i64,
    /// `status.numberReady`
    pub ready: i64,
    /// `status.updatedNumberScheduled`
    pub updated: i64,
    /// The first container's image.
    pub image: String,
}

/// `crictl version`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    /// `RuntimeName`, such as `cri-o` or `containerd`.
    pub name: String,
    /// `RuntimeVersion` without a leading `v`.
    pub version: String,
}

/// A row of `atomic containers list --all --json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemContainer {
    /// `image_name`
    pub image: String,
    /// `image_id`, in full.
    #[serde(default)]
    pub image_id: String,
    /// `running`, `failed`, `inactive`, `no service`.
    pub state: String,
}

/// What would update or reboot the host by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Updates {
    /// `CURRENT_OP` of update_engine without its prefix, such as `IDLE` or `UPDATED_NEED_REBOOT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// `NEW_VERSION` of update_engine: the release that was written, once `engine` is `UPDATED_NEED_REBOOT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_version: Option<String>,
    /// locksmith's `REBOOT_STRATEGY`: `reboot`, `etcd-lock`, `off`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reboot_strategy: Option<String>,
    /// Who holds locksmith's reboot lock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock_holders: Option<Vec<String>>,
    /// zincati would update this host: it runs, and its configuration does not forbid it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zincati: Option<bool>,
}

/// A row of `lsblk -P`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlockDevice {
    /// Such as `/dev/sda9`.
    pub path: String,
    /// The device it lies on, or empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub parent: String,
    /// Its size.
    pub bytes: i64,
    /// The type of its file system, or empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub fs: String,
    /// The label of its file system, or empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Its name in the partition table, or empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub part_label: String,
    /// Where it is mounted, or empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mount: String,
}

/// Room on a file system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Such as `ext4` or `tmpfs`.
    pub fs: String,
    /// KiB in all.
    pub size_kib: i64,
    /// KiB free to an ordinary user, rounded down to MiB so that a busy log does not make every probe a change.
    pub free_kib: i64,
    /// Inodes free, rounded down to thousands; absent where the file system has no such limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_inodes: Option<i64>,
}
