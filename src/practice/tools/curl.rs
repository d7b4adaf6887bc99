//! `curl`, and the HTTP servers it can reach: etcd's v2 API, `/healthz` and `/version` of the API server.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;

use crate::model::HostName;

use super::super::cluster::{Alarm, Key, Member, Release};
use super::super::world::World;
use super::etcdctl3::{as_gateway, members, status};
use super::kubectl::{own_api, told};
use super::{Call, Exit};

/// What an HTTP request meets.
pub(super) enum Met {
    /// Nobody listens: curl's status 7.
    Refused,
    /// The host is away: curl's status 7 as well, in other words.
    NoRoute,
    /// Somebody listens and says nothing.
    Silence,
    /// An answer, after some time.
    Answer(Answer),
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
    pub(super) after: Duration,
}

impl Answer {
    fn json(status: u16, body: impl Into<String>) -> Self {
        let headers = vec![("Content-Type", "application/json".to_owned())];
        Self { status, headers, body: body.into(), after: Duration::ZERO }
    }
}

/// Asks a URL from a host.
pub(super) fn ask(world: &mut World, from: &HostName, url: &str) -> Met {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).unwrap_or(url);
    let (authority, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
    let (address, port) = authority.split_once(':').unwrap_or((authority, "80"));
    let host = if matches!(address, "127.0.0.1" | "localhost") {
        Some(from.clone())
    } else {
        let is_it =
            |(name, machine): &(&HostName, &super::Machine)| machine.address == address || name.as_str() == address;
        world.machines.iter().find(is_it).map(|(name, _)| name.clone())
    };
    let Some(host) = host else { return Met::NoRoute };
    if !world.machine(&host).up {
        return Met::NoRoute;
    }
    match port {
        // Each speaks either TLS or not, and hangs up on the other.
        "2379" if url.starts_with("https://") != world.cluster.tls => Met::Refused,
        "2379" => ask_etcd(world, &host, path),
        // As kubeadm sets it up the API server speaks TLS alone; of old it spoke plainly to its own host.
        "6443" | "8080" if path == "/version" || port == "6443" => match own_api(world, &host) {
            Some((version, tls)) if tls == (port == "6443") && tls == url.starts_with("https://") => {
                let ok = world.etcd_answers();
                // `/readyz` came with 1.16; what there is not, nobody unknown may see.
                let old = Release::parse(&version).is_some_and(|release| release < Release(1, 16, 0));
                Met::Answer(match path {
                    "/version" => Answer::json(200, told(&version).to_string()),
                    "/readyz" if old => Answer::json(403, r#"{"kind":"Status","code":403}"#),
                    "/healthz" | "/readyz" if ok => Answer::json(200, "ok"),
                    "/healthz" | "/readyz" => Answer::json(500, "[+]ping ok\n[-]etcd failed: reason withheld\n"),
                    _ => Answer::json(403, r#"{"kind":"Status","code":403}"#),
                })
            }
            _ => Met::Refused,
        },
        "8080" if world.machine(&host).serves_api() => {
            let ok = world.etcd_answers();
            Met::Answer(Answer::json(
                if ok { 200 } else { 500 },
                if ok { "ok" } else { "[+]ping ok\n[-]etcd failed: reason withheld\n" },
            ))
        }
        _ => Met::Refused,
    }
}

fn gateway_prefix(release: Release) -> &'static str {
    if release >= Release(3, 4, 0) {
        "v3"
    } else if release >= Release(3, 3, 0) {
        "v3beta"
    } else {
        "v3alpha"
    }
}

fn row(member: &Member) -> serde_json::Value {
    json!({"id": format!("{:x}", member.id), "name": member.name, "peerURLs": [member.peer_url], "clientURLs": [member.client_url]})
}

fn ask_etcd(world: &World, host: &HostName, path: &str) -> Met {
    let cluster = &world.cluster;
    let (Some(process), Some(member)) = (cluster.processes.get(host), cluster.member_of(host)) else {
        return Met::Refused;
    };
    if !process.joined {
        // It listens before it serves: whoever asks without a deadline waits for ever.
        return Met::Silence;
    }
    let takes_part = cluster.takes_part(host);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let leader = cluster.leader.filter(|_| takes_part);
    let mut answer = match path {
        "/version" => {
            let body = json!({"etcdserver": process.release.to_string(), "etcdcluster": cluster.version.to_string()});
            Answer::json(200, body.to_string())
        }
        "/health" => {
            let (yes, no) = match process.release {
                release if release < Release(3, 3, 0) => (r#"{"health": "true"}"#, "{\"health\": \"false\"}\n"),
                release if release < Release(3, 5, 0) => (r#"{"health":"true"}"#, r#"{"health":"false"}"#),
                _ => (r#"{"health":"true","reason":""}"#, r#"{"health":"false","reason":"RAFT NO LEADER"}"#),
            };
            let mut answer = if takes_part { Answer::json(200, yes) } else { Answer::json(503, no) };
            answer.headers[0].1 = "text/plain; charset=utf-8".into();
            answer
        }
        // The prefix changed twice; this answers under the one of its release only.
        _ if path == format!("/{}/maintenance/status", gateway_prefix(process.release)) => {
            Answer::json(200, as_gateway(status(world, host)).to_string())
        }
        _ if path == format!("/{}/cluster/member/list", gateway_prefix(process.release)) => {
            Answer::json(200, members(world, true).to_string())
        }
        _ if path == format!("/{}/maintenance/alarm", gateway_prefix(process.release)) => {
            let mut body = json!({"header": {"revision": "1"}});
            if !cluster.alarms.is_empty() {
                let alarm = |alarm: &Alarm| json!({"memberID": alarm.member.to_string(), "alarm": alarm.name});
                body["alarms"] = cluster.alarms.iter().map(alarm).collect();
            }
            Answer::json(200, body.to_string())
        }
        // From 3.4 on the v2 API is off unless asked for.
        path if path.starts_with("/v2/") && process.release >= Release(3, 4, 0) => {
            Answer::json(404, "404 page not found\n")
        }
        "/v2/members" => Answer::json(
            200,
            json!({"members": cluster.members.iter().map(row).collect::<Vec<_>>()}).to_string() + "\n",
        ),
        "/v2/stats/self" => {
            let leads = leader == Some(member.id);
            let body = json!({
                "name": member.name,
                "id": format!("{:x}", member.id),
                "state": if leads { "StateLeader" } else { "StateFollower" },
                "startTime": "2017-04-18T08:12:44.190233861Z",
                "leaderInfo": {
                    "leader": leader.map(|leader| format!("{leader:x}")).unwrap_or_default(),
                    "uptime": format!("{}s", world.now.saturating_sub(cluster.led_since).as_secs()),
                    "startTime": "2017-04-18T08:12:45.011250372Z"
                },
                "recvAppendRequestCnt": if leads { 0 } else { cluster.index },
                "sendAppendRequestCnt": if leads { cluster.index } else { 0 }
            });
            Answer::json(200, body.to_string())
        }
        "/v2/stats/leader" if leader == Some(member.id) => {
            let followers: serde_json::Map<String, serde_json::Value> = cluster
                .members
                .iter()
                .filter(|other| other.id != member.id)
                .map(|other| {
                    let fail = if cluster.takes_part(&other.host) { 0 } else { 12 };
                    (
                        format!("{:x}", other.id),
                        json!({"latency": {}, "counts": {"fail": fail, "success": other.acknowledged}}),
                    )
                })
                .collect();
            Answer::json(200, json!({"leader": format!("{:x}", member.id), "followers": followers}).to_string())
        }
        "/v2/stats/leader" => Answer::json(403, r#"{"message":"not current leader"}"#),
        path if path.starts_with("/v2/keys") => keys(world, &path["/v2/keys".len()..], query, takes_part),
        _ => Answer::json(404, "404 page not found\n"),
    };
    if path.starts_with("/v2/keys") {
        let index = if takes_part { cluster.index } else { member.acknowledged };
        answer.headers.push(("X-Etcd-Cluster-Id", format!("{:x}", cluster.id)));
        answer.headers.push(("X-Etcd-Index", (index / 2).to_string()));
        answer.headers.push(("X-Raft-Index", index.to_string()));
        answer.headers.push(("X-Raft-Term", cluster.term.to_string()));
    }
    Met::Answer(answer)
}

fn keys(world: &World, key: &str, query: &str, takes_part: bool) -> Answer {
    if query.contains("quorum=true") && !takes_part {
        let body =
            r#"{"errorCode":300,"message":"Raft Internal Error","cause":"etcdserver: request timed out","index":0}"#;
        return Answer { after: Duration::from_secs(5), ..Answer::json(500, format!("{body}\n")) };
    }
    let node = |(key, Key { value, created, modified }): (&String, &Key)| json!({"key": key, "value": value, "modifiedIndex": modified, "createdIndex": created});
    let all = &world.cluster.keys;
    if key.is_empty() || key == "/" {
        let nodes: Vec<_> = all.iter().map(node).collect();
        return Answer::json(200, json!({"action": "get", "node": {"dir": true, "nodes": nodes}}).to_string() + "\n");
    }
    if let Some(found) = all.get_key_value(key) {
        Answer::json(200, json!({"action": "get", "node": node(found)}).to_string() + "\n")
    } else {
        {
            let index = world.cluster.index / 2;
            Answer::json(
                404,
                json!({"errorCode": 100, "message": "Key not found", "cause": key, "index": index}).to_string() + "\n",
            )
        }
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        403 => "Forbidden",
        404 => "Not Found",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "",
    }
}

pub(super) async fn run(call: &Call<'_>) -> Exit {
    let (mut url, mut max_time, mut write_out, mut output, mut dump) = (None, None, None, None, None);
    let (mut silent, mut show_error, mut fail, mut include) = (false, false, false, false);
    let mut args = call.args();
    while let Some(arg) = args.next() {
        match arg {
            "--max-time" | "--connect-timeout" => max_time = args.next().and_then(|s| s.parse::<f64>().ok()),
            "--write-out" => write_out = args.next(),
            "--output" => output = args.next(),
            "--dump-header" => dump = args.next(),
            "--header" | "--request" | "--retry" | "--user" | "--cacert" | "--cert" | "--key" | "--data"
            | "--noproxy" => {
                let _ = args.next();
            }
            "--silent" => silent = true,
            "--show-error" => show_error = true,
            "--fail" => fail = true,
            "--include" => include = true,
            _ if arg.starts_with("--") => {}
            _ if arg.starts_with('-') => {
                for (n, letter) in arg.char_indices().skip(1) {
                    let rest = &arg[n + 1..];
                    let mut value = || if rest.is_empty() { args.next() } else { Some(rest) };
                    match letter {
                        's' => silent = true,
                        'S' => show_error = true,
                        'f' => fail = true,
                        'i' => include = true,
                        'm' => max_time = value().and_then(|s| s.parse().ok()),
                        'w' => write_out = value(),
                        'o' => output = value(),
                        'D' => dump = value(),
                        'H' | 'X' | 'u' | 'd' => drop(value()),
                        _ => continue,
                    }
                    if "mwoDHXud".contains(letter) {
                        break;
                    }
                }
            }
            _ => url = Some(arg),
        }
    }
    let Some(url) = url else { return call.fail("curl: no URL specified!", 2).await };
    let met = call.world(|world| ask(world, call.host, url));
    let limit = max_time.map(Duration::from_secs_f64);
    let speaks = !silent || show_error;
    let (complaint, exit, answer) = match met {
        Met::Refused => (format!("curl: (7) Failed to connect to {url}: Connection refused"), 7, None),
        Met::NoRoute => {
            tokio::time::sleep(limit.unwrap_or(Duration::from_secs(3)).min(Duration::from_secs(3))).await;
            (format!("curl: (7) Failed to connect to {url}: No route to host"), 7, None)
        }
        Met::Silence => {
            tokio::time::sleep(limit.unwrap_or(Duration::MAX)).await;
            let millis = limit.unwrap_or_default().as_millis();
            (format!("curl: (28) Operation timed out after {millis} milliseconds with 0 bytes received"), 28, None)
        }
        Met::Answer(answer) if limit.is_some_and(|limit| answer.after > limit) => {
            tokio::time::sleep(limit.unwrap_or_default()).await;
            (String::from("curl: (28) Operation timed out with 0 bytes received"), 28, None)
        }
        Met::Answer(answer) => {
            tokio::time::sleep(answer.after).await;
            let failed = fail && answer.status >= 400;
            let complaint = format!("curl: (22) The requested URL returned error: {}", answer.status);
            if failed { (complaint, 22, None) } else { (String::new(), 0, Some(answer)) }
        }
    };
    if exit != 0 && speaks {
        call.err(format!("{complaint}\n")).await?;
    }
    let status = answer.as_ref().map_or(0, |answer| answer.status);
    if let Some(answer) = answer {
        let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
        for (name, value) in &answer.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let _ = write!(head, "Content-Length: {}\r\n\r\n", answer.body.len());
        match dump {
            Some("-") => call.out(&head).await?,
            Some("/dev/stderr") => call.err(&head).await?,
            Some(file) => call.disk.put(call.path(file), head.clone()),
            None => {}
        }
        if include {
            call.out(&head).await?;
        }
        match output {
            Some("/dev/null") => {}
            Some(file) => call.disk.put(call.path(file), answer.body),
            None => call.out(answer.body).await?,
        }
    }
    if let Some(format) = write_out {
        let text = format.replace("%{http_code}", &format!("{status:03}")).replace("\\n", "\n");
        call.out(text).await?;
    }
    Ok(exit)
}
