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
        let target = others.get(at % others.len().max(1));
        if let (Owner::ReplicaSet, Some(node)) = (pod.owner, target) {
            let (stem, serial) = pod.name.rsplit_once('-').unwrap_or((&pod.name, "0"));
            let name = format!("{stem}-{}", serial.chars().rev().collect::<String>());
            let ready_at = now + Duration::from_secs(8);
            self.pods.push(Pod { name, node: node.clone(), ready_at, ..pod });
        }
        Eviction::Done
    }

    /// Somebody scales up what a budget protects.
    pub(super) fn ease(&mut self, name: &str) {
        for budget in self.budgets.iter_mut().filter(|budget| budget.name == name) {
            budget.min = 1;
        }
    }
}

impl Budget {
    fn covers(&self, pod: &Pod) -> bool {
        self.namespace == pod.namespace && self.app == pod.app
    }
}
