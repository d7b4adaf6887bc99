//! What the API server keeps: nodes, pods, budgets, DaemonSets.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::HostName;

/// The objects of the cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct Kube {
    pub(super) nodes: BTreeMap<HostName, NodeState>,
    pub(super) pods: Vec<Pod>,
    pub(super) budgets: Vec<Budget>,
    pub(super) sets: Vec<Set>,
    /// Minors, such as `1.12`, whose kubelet configuration kubeadm has uploaded.
    pub(super) kubelet_configs: BTreeSet<String>,
    /// Where the kubelets' runtime listens, as kubeadm wrote it down.
    pub(super) cri_socket: &'static str,
    /// `RuntimeName`, as nodes show it: `cri-o`, `containerd`, `docker`.
    pub(super) runtime: &'static str,
}

/// What is known of a node.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeState {
    pub(super) cordoned: bool,
    /// The version of the kubelet that reported last.
    pub(super) kubelet: String,
    /// The annotation that kubeadm writes, where it is another than the cluster's.
    pub(super) cri_socket: Option<String>,
}

/// Who would start a pod anew elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    ReplicaSet,
    DaemonSet,
    Nobody,
}

/// A pod.
#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub(super) namespace: &'static str,
    pub(super) name: String,
    pub(super) app: &'static str,
    pub(super) owner: Owner,
    pub(super) node: HostName,
    /// It has an `emptyDir`.
    pub(super) local_data: bool,
    /// From when on it is ready.
    pub(super) ready_at: Duration,
}

/// A disruption budget.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    pub(super) namespace: &'static str,
    pub(super) name: &'static str,
    pub(super) app: &'static str,
    /// So many of its pods must stay ready.
    pub(super) min: usize,
}

/// A DaemonSet, whose pods run on every node.
#[derive(Clone, Debug)]
pub(super) struct Set {
    pub(super) namespace: &'static str,
    pub(super) name: &'static str,
    pub(super) image: String,
    /// Since when its pods are of this image.
    pub(super) since: Duration,
}

/// What became of an eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Eviction {
    Done,
    /// A budget has no room.
    Refused,
}

impl Kube {
    /// A kubelet tells its version.
    pub(super) fn reports(&mut self, host: &HostName, version: String) {
        self.nodes.entry(host.clone()).or_default().kubelet = version;
    }

    pub(super) fn node(&mut self, host: &HostName) -> &mut NodeState {
        self.nodes.entry(host.clone()).or_default()
    }

    /// How many pods a budget would let go now.
    pub(super) fn allowed(&self, budget: &Budget, now: Duration) -> usize {
        let ready = self.pods.iter().filter(|pod| budget.covers(pod) && pod.ready_at <= now).count();
        ready.saturating_sub(budget.min)
    }

    /// Evicts a pod, which starts anew on one of `others` where somebody cares for it.
    pub(super) fn evict(&mut self, name: &str, others: &[HostName], now: Duration) -> Eviction {
        let Some(at) = self.pods.iter().position(|pod| pod.name == name) else { return Eviction::Done };
        let pod = self.pods[at].clone();
        let blocked = self.budgets.iter().any(|budget| budget.covers(&pod) && self.allowed(budget, now) == 0);
        if blocked {
            return Eviction::Refused;
        }
        self.pods.remove(at);
        if pod.owner == Owner::ReplicaSet {
            let (stem, serial) = pod.name.rsplit_once('-').unwrap_or((&pod.name, "0"));
            let name = format!("{stem}-{}", serial.chars().rev().collect::<String>());
            self.pods.push(Pod { name, node: NOWHERE.into(), ready_at: Duration::MAX, ..pod });
            self.schedule(at, others, now);
        }
        Eviction::Done
    }

    /// Gives pods that wait for a node one of these, from the one at that place on.
    pub(super) fn schedule(&mut self, at: usize, nodes: &[HostName], now: Duration) {
        for (number, pod) in self.pods.iter_mut().filter(|pod| pod.is_pending()).enumerate() {
            if let Some(node) = nodes.get((at + number) % nodes.len().max(1)) {
                (pod.node, pod.ready_at) = (node.clone(), now + Duration::from_secs(8));
            }
        }
    }

    /// Pods that no node was found for.
    pub(super) fn pending(&self) -> impl Iterator<Item = &Pod> {
        self.pods.iter().filter(|pod| pod.is_pending())
    }

    /// Somebody scales up what a budget protects.
    pub(super) fn ease(&mut self, name: &str) {
        for budget in self.budgets.iter_mut().filter(|budget| budget.name == name) {
            budget.min = 1;
        }
    }
}

/// The node of a pod that has none yet.
const NOWHERE: &str = "";

impl Pod {
    /// It waits for a node.
    pub(super) fn is_pending(&self) -> bool {
        self.node.as_str() == NOWHERE
    }
}

impl Budget {
    fn covers(&self, pod: &Pod) -> bool {
        self.namespace == pod.namespace && self.app == pod.app
    }
}
