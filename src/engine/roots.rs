//! What the root names stand for, made of the facts that count.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::model::facts::Etcd;
use crate::model::harm::Target;
use crate::model::inventory::Host;
use crate::model::state::Phase;
use crate::model::{Facts, State};

/// A host, with its facts where they count.
pub(super) fn host_value(host: &Host, facts: Option<&Facts>) -> Value {
    let mut value = facts.map_or_else(|| json!({}), |facts| json!(facts));
    if let Some(map) = value.as_object_mut() {
        map.insert("name".into(), json!(host.name));
        map.insert("address".into(), json!(host.address()));
        map.insert("node".into(), json!(host.node()));
        map.insert("roles".into(), json!(host.roles));
        if facts.is_some() {
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
pub(super) fn on_this_host(mut config: Value, facts: Option<&Facts>) -> Value {
    for part in config.get_mut("destructive").and_then(Value::as_array_mut).into_iter().flatten() {
        let here = harm_of(part).zip(facts).map(|(targets, facts)| here(&targets, facts));
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
pub(super) fn etcd_value(told: &[(&Host, Option<&Etcd>)]) -> Value {
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
    if let Some(servers) = all_of(told, |etcd| etcd.server.as_deref()) {
        map.insert("versions".into(), json!(servers));
    }
    if let Some(clusters) = all_of(told, |etcd| etcd.cluster.as_deref())
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
    Value::Object(map)
}

/// The distinct values that the members name, if every one names one.
fn all_of<'f>(
    told: &[(&Host, Option<&'f Etcd>)],
    value: impl Fn(&'f Etcd) -> Option<&'f str>,
) -> Option<BTreeSet<&'f str>> {
    told.iter().map(|(_, etcd)| etcd.and_then(&value)).collect()
}

/// What this session has done.
pub(super) fn session_value(state: &State) -> Value {
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
