//! Which hosts a task waits to hear from: its own, and those that what decides next speaks of.
//!
//! Facts of before do not count at a gate or for a verification, so these hosts are looked at as soon as one begins. The
//! others are looked at in their turn, as ever.

use std::collections::BTreeSet;

use super::check::names_in;
use super::quorum::stops_etcd;
use super::verification::awaited;
use crate::model::inventory::Role;
use crate::model::state::Phase;
use crate::model::{HostName, Inventory, State, TaskId};

/// The hosts whose facts decide how a task goes on.
#[must_use]
pub fn asked(state: &State, id: TaskId) -> BTreeSet<HostName> {
    let (Some((task, step, current)), Some(session)) = (state.task(id), &state.session) else {
        return BTreeSet::new();
    };
    let checks = if current.phase == Phase::Verifying { awaited(step, current) } else { &step.require };
    let mut asked = BTreeSet::from([task.host.clone(), task.on.clone()]);
    for name in checks.iter().flat_map(|check| names_in(&check.that)) {
        asked.extend(behind(name, &session.inventory));
    }
    // Quorum is asked about before a member goes down, whatever the runbook asks.
    if stops_etcd(step, false) {
        asked.extend(behind("etcd", &session.inventory));
    }
    asked
}

/// The hosts that a root name is made of, beside the task's own.
fn behind(root: &str, inventory: &Inventory) -> Vec<HostName> {
    let with = |role| inventory.with_role(role).map(|host| host.name.clone()).collect();
    match root {
        "hosts" => inventory.hosts.iter().map(|host| host.name.clone()).collect(),
        "etcd" => with(Role::Etcd),
        "kube" => with(Role::ControlPlane),
        _ => Vec::new(),
    }
}
