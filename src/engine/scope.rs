//! What checks can see: `host`, `hosts`, `etcd`, `kube`, `vars`, `session`, `config`.
//!
//! Only facts that count are in it. A fact that is absent, too old, or older than the moment its gate was shown is
//! simply not there, so that an expression which needs it cannot be evaluated, and does not pass.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::check::Values;
use crate::model::facts::Etcd;
use crate::model::harm::Target;
use crate::model::inventory::{Host, Role};
use crate::model::state::{Phase, Seen};
use crate::model::{Facts, HostName, State, TaskId};

/// Facts older than this do not count, however quiet the session.
pub const FRESH_FOR: SignedDuration = SignedDuration::from_secs(20);

/// The values of one moment, for one task.
pub struct Scope {
    roots: Map<String, Value>,
    pub(super) values: Values,
    host_seen: Option<Timestamp>,
    etcd_seen: Option<Timestamp>,
    hosts_seen: Option<Timestamp>,
    kube_seen: Option<Timestamp>,
    /// Hosts whose facts do not count, and why.
    pub absent: Vec<(HostName, String)>,
}

impl Scope {
    /// What the checks of a task see, counting facts asked for after event `since` only. Without a task there is no `host`
    /// and no `config`.
    #[must_use]
    pub fn new(state: &State, task: Option<TaskId>, since: u64, now: Timestamp) -> Self {
        let inventory = state.session.as_ref().map(|session| session.inventory.clone()).unwrap_or_default();
        let mut absent = Vec::new();
        let fresh: Vec<(&Host, Option<&Seen>)> = inventory
            .hosts
            .iter()
            .map(|host| match countable(state, &host.name, since, now) {
                Ok(seen) => (host, Some(seen)),
                Err(why) => {
                    absent.push((host.name.clone(), why));
                    (host, None)
                }
            })
            .collect();

        let mut roots = Map::new();
        let mut host_seen = None;
        if let Some((task, _, _)) = task.and_then(|id| state.task(id)) {
            if let Some((host, seen)) = fresh.iter().find(|(host, _)| host.name == task.host) {
                roots.insert("host".into(), host_value(host, *seen));
                host_seen = seen.map(|seen| seen.at);
            }
            if let Some(config) = task.pushes.iter().find_map(|push| push.config.clone()) {
                let facts = fresh.iter().find(|(host, _)| host.name == task.host).and_then(|(_, seen)| *seen);
                roots.insert("config".into(), on_this_host(config, facts));
            }
        }
        let vars = state.plan.as_ref().and_then(|plan| {
            let first = || plan.vars.get(&plan.inventory.hosts.first()?.name).cloned();
            task.and_then(|id| plan.tasks.get(id.index())).map(|task| plan.vars_of(task)).or_else(first)
        });
        roots.insert("vars".into(), json!(vars));
        roots.insert("hosts".into(), fresh.iter().map(|(host, seen)| host_value(host, *seen)).collect());
        let (etcd, etcd_seen) = etcd_value(&fresh);
        roots.insert("etcd".into(), etcd);
        let (kube, kube_seen) = kube_value(&fresh);
        roots.insert("kube".into(), kube);
        roots.insert("session".into(), session_value(state));
        let hosts_seen = fresh.iter().filter_map(|(_, seen)| seen.map(|seen| seen.at)).min();
        Self { roots, values: Values::default(), host_seen, etcd_seen, hosts_seen, kube_seen, absent }
    }

    /// The value of a root name.
    #[must_use]
    pub fn root(&self, name: &str) -> Option<&Value> {
        self.roots.get(name)
    }

    /// When the oldest fact behind a root name was seen; nothing for what is no fact.
    #[must_use]
    pub fn seen(&self, root: &str) -> Option<Timestamp> {
        match root {
            "host" => self.host_seen,
            "hosts" => self.hosts_seen,
            "etcd" => self.etcd_seen,
            "kube" => self.kube_seen,
            _ => None,
        }
    }
}

/// The facts of a host, if they count.
fn countable<'s>(state: &'s State, host: &HostName, since: u64, now: Timestamp) -> Result<&'s Seen, String> {
    let host = state.host(host).ok_or("not in this session")?;
    if let Some(why) = &host.stale {
        return Err(why.clone());
    }
    let seen = host.facts.as_ref().ok_or("not seen yet")?;
    let age = now.duration_since(seen.at);
    if age > FRESH_FOR {
        return Err(format!("last seen {} s ago", age.as_secs()));
    }
    if seen.asked < since {
        return Err("not seen since this began".into());
    }
    Ok(seen)
}

fn host_value(host: &Host, seen: Option<&Seen>) -> Value {
    let mut value = seen.map_or_else(|| json!({}), |seen| json!(*seen.facts));
    if let Some(map) = value.as_object_mut() {
        map.insert("name".into(), json!(host.name));
        map.insert("address".into(), json!(host.address()));
        map.insert("node".into(), json!(host.node()));
        map.insert("roles".into(), json!(host.roles));
        if seen.is_some() {
            // Asked about and nothing there is an answer: a check over all of them must be able to say so.
            for collection in
                ["units", "paths", "disks", "journal", "programs", "packages", "containers", "certs", "lines"]
            {
                map.entry(collection).or_insert_with(|| json!({}));
            }
        }
    }
    value
}

/// A config with what each destructive part of it would hit on this host, under `here`; without where that is not known.
fn on_this_host(mut config: Value, seen: Option<&Seen>) -> Value {
    for part in config.get_mut("destructive").and_then(Value::as_array_mut).into_iter().flatten() {
        let here = harm_of(part).zip(seen).map(|(targets, seen)| here(&targets, &seen.facts));
        if let (Some(here), Some(map)) = (here, part.as_object_mut()) {
            map.insert("here".into(), json!(here));
        }
    }
    config
}

/// What a part of a config hits.
pub(super) fn harm_of(part: &Value) -> Option<Vec<Target>> {
    serde_json::from_value(part.get("targets")?.clone()).ok()
}

/// What a host has there, a line each. What was not looked at counts as hit.
pub(super) fn here(targets: &[Target], facts: &Facts) -> Vec<String> {
    let told = |target: &Target| target.on(facts).unwrap_or_else(|| vec!["what is there was not looked at".into()]);
    targets.iter().flat_map(told).collect()
}

/// The cluster, put together from what each member says of itself. What one silent member leaves open stays open.
fn etcd_value(fresh: &[(&Host, Option<&Seen>)]) -> (Value, Option<Timestamp>) {
    let hosts: Vec<_> = fresh.iter().filter(|(host, _)| host.roles.contains(&Role::Etcd)).collect();
    let told: Vec<(&Host, Option<&Etcd>)> =
        hosts.iter().map(|(host, seen)| (*host, seen.and_then(|seen| seen.facts.etcd.as_ref()))).collect();
    let answers = || told.iter().filter_map(|(_, etcd)| *etcd);

    let members: Vec<Value> = told
        .iter()
        .map(|(host, etcd)| {
            let mut member = json!({ "host": host.name });
            if let (Some(etcd), Some(map)) = (etcd, member.as_object_mut()) {
                let all = json!(etcd);
                for key in ["id", "name", "healthy", "server", "cluster", "leader", "raft_index", "on_disk", "db_bytes"]
                {
                    if let Some(value) = all.get(key) {
                        map.insert(key.into(), value.clone());
                    }
                }
            }
            member
        })
        .collect();

    let mut map = Map::new();
    // The list counts as known only where all who tell one tell the same.
    let lists: BTreeSet<Vec<&str>> = answers()
        .filter_map(|etcd| etcd.members.as_ref())
        .map(|members| {
            let mut ids: Vec<_> = members.iter().map(|member| member.id.as_str()).collect();
            ids.sort_unstable();
            ids
        })
        .collect();
    if let (1, Some(ids)) = (lists.len(), lists.first()) {
        let size = ids.len() as i64;
        map.insert("size".into(), json!(size));
        map.insert("quorum".into(), json!(size / 2 + 1));
        map.insert("listed".into(), json!(ids));
    }
    if answers().next().is_some() {
        map.insert("healthy".into(), json!(answers().filter(|etcd| etcd.healthy == Some(true)).count()));
    }
    if let Some((host, _)) = told.iter().find(|(_, etcd)| etcd.is_some_and(|etcd| etcd.leader == Some(true))) {
        map.insert("leader".into(), json!(host.name));
    }
    // Values of the whole cluster need every member's word.
    if let Some(servers) = all_of(&told, |etcd| etcd.server.as_deref()) {
        map.insert("versions".into(), json!(servers));
    }
    if let Some(clusters) = all_of(&told, |etcd| etcd.cluster.as_deref())
        && let (1, Some(version)) = (clusters.len(), clusters.first())
    {
        map.insert("cluster_version".into(), json!(version));
    }
    if let Some(alarms) =
        told.iter().map(|(_, etcd)| etcd.and_then(|etcd| etcd.alarms.as_ref())).collect::<Option<Vec<_>>>()
    {
        map.insert("alarms".into(), json!(alarms.into_iter().flatten().collect::<BTreeSet<_>>()));
    }
    let indexes: Option<Vec<i64>> = told.iter().map(|(_, etcd)| etcd.and_then(|etcd| etcd.raft_index)).collect();
    if let Some(indexes) = indexes
        && let (Some(least), Some(most)) = (indexes.iter().min(), indexes.iter().max())
    {
        map.insert("lag".into(), json!(most - least));
    }
    map.insert("members".into(), Value::Array(members));
    let seen = hosts.iter().filter_map(|(_, seen)| seen.map(|seen| seen.at)).min();
    (Value::Object(map), seen)
}

/// The distinct values that the members name, if every one names one.
fn all_of<'f>(
    told: &[(&Host, Option<&'f Etcd>)],
    value: impl Fn(&'f Etcd) -> Option<&'f str>,
) -> Option<BTreeSet<&'f str>> {
    told.iter().map(|(_, etcd)| etcd.and_then(&value)).collect()
}

/// The API server's view, from the first control plane that has one.
fn kube_value(fresh: &[(&Host, Option<&Seen>)]) -> (Value, Option<Timestamp>) {
    fresh
        .iter()
        .filter(|(host, _)| host.roles.contains(&Role::ControlPlane))
        .find_map(|(_, seen)| {
            let seen = (*seen)?;
            Some((json!(seen.facts.kube.as_ref()?), Some(seen.at)))
        })
        .unwrap_or_else(|| (json!({}), None))
}

fn session_value(state: &State) -> Value {
    let artifacts: Vec<Value> = state
        .artifacts
        .iter()
        .map(|artifact| {
            json!({
                "host": artifact.host, "path": artifact.path, "name": artifact.to,
                "bytes": artifact.bytes, "sha256": artifact.sha256,
            })
        })
        .collect();
    // What this session did itself: a cordon of ours is lifted by us, and nobody else's.
    let done: Vec<Value> = state
        .task_ids()
        .filter_map(|id| state.task(id))
        .filter(|(_, _, current)| current.phase == Phase::Done)
        .filter_map(|(task, step, _)| {
            let stage = &state.plan.as_ref()?.runbook.stages.get(task.stage)?.name;
            Some(json!({ "host": task.host, "stage": stage, "step": step.name }))
        })
        .collect();
    json!({
        "done": done,
        "id": state.session.as_ref().map(|session| session.id.as_str()),
        "artifacts": artifacts,
    })
}
