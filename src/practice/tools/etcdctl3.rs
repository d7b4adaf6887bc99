//! `etcdctl` with the v3 API, on a host or in the etcd container of a control plane.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::disk::Disk;
use super::super::world::World;
use super::{Call, Exit};
use crate::model::HostName;

/// Runs `etcdctl WORDS` for the member of a host.
pub(super) async fn run(call: &Call<'_>, host: &HostName, disk: &Arc<Disk>, words: &[String]) -> Exit {
    let mut plain: Vec<&str> = Vec::new();
    // What a shell in the container was given is one word with several in it.
    let mut args = words.iter().flat_map(|word| word.split_whitespace());
    let (mut json_wanted, mut rev) = (false, 0);
    while let Some(arg) = args.next() {
        match arg {
            "etcdctl" | "etcdutl" | "sh" | "-c" => {}
            "-w" | "--write-out" => json_wanted = args.next() == Some("json"),
            "--write-out=json" | "-wjson" => json_wanted = true,
            "--rev" => rev = args.next().and_then(|rev| rev.parse().ok()).unwrap_or_default(),
            "--endpoints" | "--cacert" | "--cert" | "--key" | "--dial-timeout" | "--command-timeout" => {
                let _ = args.next();
            }
            _ if arg.starts_with('-') || arg.starts_with("ETCDCTL_API=") => {}
            _ => plain.push(arg),
        }
    }
    match plain.as_slice() {
        ["version"] => {
            let version =
                call.world(|world| world.machine(host).software.programs.get("etcdctl").cloned()).unwrap_or_default();
            let api = version.rsplit_once('.').map_or("3.3", |(minor, _)| minor).to_owned();
            call.say(format!("etcdctl version: {version}\nAPI version: {api}\n")).await
        }
        ["snapshot", "status", file] => {
            let Some(text) = disk.text(file) else {
                return call.fail(format!("Error: stat {file}: no such file or directory"), 1).await;
            };
            let keys = text.lines().filter(|line| line.starts_with("key ")).count();
            let hash = text.len() as u64 * 2_654_435_761 % 4_294_967_291;
            call.say(format!(
                "{}\n",
                json!({"hash": hash, "revision": 1000, "totalKey": keys, "totalSize": text.len()})
            ))
            .await
        }
        _ if !call.world(|world| world.cluster.processes.get(host).is_some_and(|process| process.joined)) => {
            call.fail("Error: context deadline exceeded", 1).await
        }
        _ if !call.world(|world| world.cluster.takes_part(host)) => {
            tokio::time::sleep(Duration::from_secs(3)).await;
            call.fail("Error: etcdserver: request timed out", 1).await
        }
        ["snapshot", "save", file] => {
            tokio::time::sleep(Duration::from_millis(400)).await;
            let mut text = String::from("snapshot\n");
            for key in call.world(|world| world.cluster.keys.keys().cloned().collect::<Vec<_>>()) {
                text += &format!("key {key}\n");
            }
            text += &"0123456789abcdef".repeat(1024);
            disk.put(file, text);
            disk.own(file, Some("root"), Some(0o600));
            call.say(format!("Snapshot saved at {file}\n")).await
        }
        ["endpoint", "status"] if json_wanted => {
            let status = call.world(|world| status(world, host));
            call.say(format!("{}\n", json!([{"Endpoint": "127.0.0.1:2379", "Status": status}]))).await
        }
        ["endpoint", "health"] => {
            call.say("127.0.0.1:2379 is healthy: successfully committed proposal: took = 2ms\n").await
        }
        ["endpoint", "hashkv"] => {
            let (lines, failed) = call.world(|world| hashes(world, rev));
            call.out(format!("{}\n", Value::Array(lines))).await?;
            for line in &failed {
                call.err(format!("{line}\n")).await?;
            }
            Ok(i32::from(!failed.is_empty()))
        }
        ["member", "list"] if json_wanted => {
            let list = call.world(|world| members(world, false));
            call.say(format!("{list}\n")).await
        }
        ["alarm", "list"] => call.say(call.world(|world| alarms(world))).await,
        ["alarm", "disarm"] => {
            let disarmed = call.world(|world| (alarms(world), world.cluster.alarms.clear()).0);
            call.say(disarmed).await
        }
        ["put", ..] if call.world(|world| !world.cluster.alarms.is_empty()) => {
            call.fail("Error: etcdserver: mvcc: database space exceeded", 1).await
        }
        ["put", key, value] => {
            let key = (*key).to_owned();
            let value = (*value).to_owned();
            call.world(|world| {
                world.cluster.index += 1;
                let modified = world.cluster.index;
                world.cluster.keys.insert(key, super::super::cluster::Key { value, created: modified, modified });
            });
            call.say("OK\n").await
        }
        ["get", ..] => {
            let keys = call.world(|world| world.cluster.keys.keys().cloned().collect::<Vec<_>>().join("\n"));
            call.say(format!("{keys}\n")).await
        }
        _ => call.fail(format!("Error: unknown command \"{}\" for \"etcdctl\"", plain.join(" ")), 1).await,
    }
}

/// `alarm list`: a line an alarm.
fn alarms(world: &World) -> String {
    world.cluster.alarms.iter().map(|alarm| format!("memberID:{} alarm:{}\n", alarm.member, alarm.name)).collect()
}

/// `endpoint hashkv --cluster`: what the members answer, in the order of the keys that etcdctl writes, and why some do not.
fn hashes(world: &World, rev: u64) -> (Vec<Value>, Vec<String>) {
    let cluster = &world.cluster;
    let (mut answers, mut failed) = (Vec::new(), Vec::new());
    for member in &cluster.members {
        let fail = |why: &str| format!("Failed to get the hash of endpoint {} ({why})", member.client_url);
        if !cluster.processes.get(&member.host).is_some_and(|process| process.joined) {
            failed.push(fail("context deadline exceeded"));
        } else if rev > cluster.index {
            failed.push(fail("etcdserver: mvcc: required revision is a future revision"));
        } else {
            let header = json!({"cluster_id": cluster.id, "member_id": member.id, "revision": cluster.index, "raft_term": cluster.term});
            let hash = json!({"header": header, "hash": cluster.hash_of(member), "compact_revision": 1});
            answers.push(json!({"Endpoint": member.client_url, "HashKV": hash}));
        }
    }
    (answers, failed)
}

/// `Status` of `endpoint status -w json`; the gateway's answer but for its whole numbers.
pub(super) fn status(world: &World, host: &HostName) -> Value {
    let cluster = &world.cluster;
    let (Some(member), Some(process)) = (cluster.member_of(host), cluster.processes.get(host)) else {
        return json!({});
    };
    json!({
        "header": {"cluster_id": cluster.id, "member_id": member.id, "revision": cluster.index, "raft_term": cluster.term},
        "version": process.release.to_string(),
        "dbSize": 25_165_824,
        "leader": cluster.leader.unwrap_or_default(),
        "raftIndex": member.acknowledged,
        "raftTerm": cluster.term,
        "raftAppliedIndex": member.acknowledged,
        "dbSizeInUse": 20_971_520
    })
}

/// `member list -w json`, or the gateway's, whose ids are strings.
pub(super) fn members(world: &World, strings: bool) -> Value {
    let id = |id: u64| if strings { json!(id.to_string()) } else { json!(id) };
    let rows: Vec<Value> = world
        .cluster
        .members
        .iter()
        .map(|member| {
            json!({"ID": id(member.id), "name": member.name, "peerURLs": [member.peer_url], "clientURLs": [member.client_url]})
        })
        .collect();
    json!({"header": {"cluster_id": id(world.cluster.id)}, "members": rows})
}

/// A value as the gRPC gateway writes it: whole numbers as strings.
pub(super) fn as_gateway(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::String(number.to_string()),
        Value::Object(map) => Value::Object(map.into_iter().map(|(key, value)| (key, as_gateway(value))).collect()),
        other => other,
    }
}
