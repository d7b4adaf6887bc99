//! `etcdctl` 2.3.8, whose `cluster-health` calls a cluster healthy as soon as one member answers.

use std::time::Duration;

use super::super::cluster::{Key, Release};
use super::super::etcd::Data;
use super::curl::{self, Met};
use super::{Call, Exit};

const NOBODY: &str = "client: etcd cluster is unavailable or misconfigured";

pub(super) async fn run(call: &Call<'_>) -> Exit {
    let version = call.machine(|machine| machine.software.programs.get("etcdctl").cloned()).unwrap_or_default();
    let release = Release::parse(&version).unwrap_or_default();
    let asked = call.ctx.env.get("ETCDCTL_API").map(String::as_str);
    // 2.3 knows the variable and calls its v3 API something else; 3.4 takes v3 unless told otherwise.
    if release.0 >= 3 && (asked == Some("3") || asked.is_none() && release >= Release(3, 4, 0)) {
        let words: Vec<String> = call.args().map(str::to_owned).collect();
        return super::etcdctl3::run(call, call.host, &call.disk, &words).await;
    }
    if call.has("--version") || call.has("-v") {
        call.out(format!("etcdctl version {version}\n")).await?;
        return Ok(0);
    }
    let words = call.operands_beside(&[
        "--endpoints",
        "--endpoint",
        "--peers",
        "-C",
        "--timeout",
        "--total-timeout",
        "-o",
        "--output",
        "--data-dir",
        "--backup-dir",
        "--wal-dir",
        "--backup-wal-dir",
    ]);
    match words.as_slice() {
        ["cluster-health"] => cluster_health(call).await,
        ["member", "list"] => member_list(call).await,
        ["backup", ..] => backup(call).await,
        ["get", key] => get(call, key).await,
        ["set", key, value] => set(call, key, value).await,
        ["ls", ..] => {
            let keys = call.world(|world| world.cluster.keys.keys().cloned().collect::<Vec<_>>().join("\n"));
            call.out(format!("{keys}\n")).await?;
            Ok(0)
        }
        // An unknown command is no failure to this release.
        [word, ..] => {
            call.out(format!("No help topic for '{word}'\n")).await?;
            Ok(0)
        }
        [] => Ok(0),
    }
}

/// Whether the first endpoint answers; where it accepts and says nothing, this waits as long.
async fn answers(call: &Call<'_>) -> bashkit::Result<bool> {
    let given =
        call.option("--endpoints", Some("-C")).or_else(|| call.ctx.env.get("ETCDCTL_ENDPOINTS").map(String::as_str));
    let mut silent = false;
    for endpoint in given.unwrap_or("http://127.0.0.1:2379").split(',') {
        match call.world(|world| curl::ask(world, call.host, &format!("{endpoint}/v2/members"))) {
            Met::Answer(_) => return Ok(true),
            Met::Silence => silent = true,
            Met::Refused | Met::NoRoute => {}
        }
    }
    if silent {
        tokio::time::sleep(Duration::MAX).await;
    }
    call.err(format!("Error:  {NOBODY}\nerror #0: dial tcp 127.0.0.1:2379: getsockopt: connection refused\n\n"))
        .await?;
    Ok(false)
}

async fn cluster_health(call: &Call<'_>) -> Exit {
    if !answers(call).await? {
        call.out("cluster may be unhealthy: failed to list members\n").await?;
        return Ok(4);
    }
    let members = sorted(call);
    let mut healthy = 0;
    for member in &members {
        let (id, url) = (member.id, &member.client_url);
        match call.world(|world| curl::ask(world, call.host, &format!("{url}/health"))) {
            Met::Answer(answer) if answer.status == 200 => {
                healthy += 1;
                call.out(format!("member {id:x} is healthy: got healthy result from {url}\n")).await?;
            }
            Met::Answer(_) => {
                call.out(format!("member {id:x} is unhealthy: got unhealthy result from {url}\n")).await?;
            }
            Met::Silence => tokio::time::sleep(Duration::MAX).await,
            Met::Refused | Met::NoRoute => {
                let address = url.trim_start_matches("http://");
                let text = format!(
                    "failed to check the health of member {id:x} on {url}: Get {url}/health: dial tcp {address}: getsockopt: connection refused\n\
                     member {id:x} is unreachable: [{url}] are all unreachable\n"
                );
                call.out(text).await?;
            }
        }
    }
    // One is enough for this release.
    let (verdict, exit) = if healthy > 0 { ("cluster is healthy", 0) } else { ("cluster is unhealthy", 5) };
    call.out(format!("{verdict}\n")).await?;
    Ok(exit)
}

fn sorted(call: &Call<'_>) -> Vec<super::super::cluster::Member> {
    let mut members = call.world(|world| world.cluster.members.clone());
    members.sort_by_key(|member| member.id);
    members
}

async fn member_list(call: &Call<'_>) -> Exit {
    if !answers(call).await? {
        return Ok(2);
    }
    let Some(leader) = call.world(|world| world.cluster.leader) else {
        return call.fail(format!("Failed to get leader:  {NOBODY}"), 1).await;
    };
    for member in sorted(call) {
        let (id, name, leads) = (member.id, &member.name, member.id == leader);
        let urls = (&member.peer_url, &member.client_url);
        call.out(format!("{id:x}: name={name} peerURLs={} clientURLs={} isLeader={leads}\n", urls.0, urls.1)).await?;
    }
    Ok(0)
}

async fn backup(call: &Call<'_>) -> Exit {
    let (Some(from), Some(to)) = (call.option("--data-dir", None), call.option("--backup-dir", None)) else {
        // What an en dash for a hyphen comes to.
        call.disk.make_dir(call.path("member/snap"));
        return call.fail("open member/wal: no such file or directory", 1).await;
    };
    if call.disk.exists(call.path(to).join("member")) {
        return call
            .fail(
                format!("failed creating backup snapshot dir {to}/member/snap: mkdir {to}/member: file already exists"),
                1,
            )
            .await;
    }
    let Some(data) = Data::read(&call.disk, &call.path(from).to_string_lossy()) else {
        return call.fail(format!("open {from}/member/snap: no such file or directory"), 1).await;
    };
    let own = call.machine(|machine| machine.software.programs.get("etcdctl").cloned()).unwrap_or_default();
    if Release::parse(&own).is_some_and(|own| own.minor() != data.release.minor() && own < data.release) {
        return call.fail("panic: runtime error: makeslice: len out of range\n\ngoroutine 1 [running]:", 2).await;
    }
    tokio::time::sleep(Duration::from_millis(400)).await;
    // The ids are taken out: such a copy starts a cluster of its own and nothing else.
    Data { cluster: 0, member: 0, ..data }.write(&call.disk, &call.path(to).to_string_lossy(), "root");
    Ok(0)
}

async fn get(call: &Call<'_>, key: &str) -> Exit {
    if !answers(call).await? {
        return Ok(2);
    }
    let key = format!("/{}", key.trim_start_matches('/'));
    let (value, index) =
        call.world(|world| (world.cluster.keys.get(&key).map(|k| k.value.clone()), world.cluster.index / 2));
    match value {
        Some(value) => {
            call.out(format!("{value}\n")).await?;
            Ok(0)
        }
        None => call.fail(format!("Error:  100: Key not found ({key}) [{index}]"), 4).await,
    }
}

async fn set(call: &Call<'_>, key: &str, value: &str) -> Exit {
    if !answers(call).await? {
        return Ok(2);
    }
    let key = format!("/{}", key.trim_start_matches('/'));
    let written = call.world(|world| {
        if world.cluster.leader.is_none() {
            return false;
        }
        world.cluster.index += 2;
        let modified = world.cluster.index / 2;
        let created = world.cluster.keys.get(&key).map_or(modified, |key| key.created);
        world.cluster.keys.insert(key, Key { value: value.into(), created, modified });
        true
    });
    if !written {
        tokio::time::sleep(Duration::from_secs(5)).await;
        return call.fail("Error:  300: Raft Internal Error (etcdserver: request timed out) [0]", 4).await;
    }
    call.out(format!("{value}\n")).await?;
    Ok(0)
}
