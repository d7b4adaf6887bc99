//! What the probe prints on a host of the small world: the least that its checks need, in the form of the real one.

use std::fmt::Write as _;

use crate::runbook::{BACKUP, SEED};
use crate::world::World;

fn section(out: &mut String, name: &str, status: i32, argument: &str, text: &str) {
    let _ = writeln!(out, "@{name} {status} {argument}");
    text.lines().for_each(|line| {
        let _ = writeln!(out, " {line}");
    });
}

pub(crate) fn printed(world: &World, place: usize) -> String {
    let host = &world.hosts[place];
    let mut out = String::with_capacity(600);
    section(&mut out, "boot-id", 0, "", &format!("{place:08x}-{:04x}", host.boot));
    for path in [BACKUP, SEED] {
        match host.files.get(path) {
            Some(content) => {
                section(&mut out, "stat", 0, path, &format!("regular file|root|600|{}", content.len()));
            }
            None => section(&mut out, "stat", 1, path, ""),
        }
    }
    if host.member {
        member(&mut out, world, place);
    }
    if host.plane {
        section(&mut out, "kube-health", 0, "", "ok");
        section(&mut out, "kube-nodes", 0, "", &nodes(world));
    }
    section(&mut out, "end", 0, "", "");
    out
}

fn member(out: &mut String, world: &World, place: usize) {
    let host = &world.hosts[place];
    section(out, "etcd-on-disk", 0, "", &format!("etcd Version: {}", host.version));
    if !host.runs {
        section(out, "etcd-version", 7, "", "");
        section(out, "etcd-health", 7, "", "");
        return;
    }
    let healthy = world.healthy(place);
    section(out, "etcd-version", 0, "", &format!("{{\"etcdserver\":\"{}\",\"etcdcluster\":\"3.4.0\"}}", host.version));
    section(out, "etcd-health", 0, "", &format!("{{\"health\":\"{healthy}\"}}"));
    let leads = (0..world.hosts.len()).find(|other| world.hosts[*other].member && world.well(*other)) == Some(place);
    let state = if leads && healthy { "StateLeader" } else { "StateFollower" };
    section(
        out,
        "etcd-self",
        0,
        "",
        &format!("{{\"id\":\"a{place}\",\"name\":\"{}\",\"state\":\"{state}\"}}", host.name),
    );
}

fn nodes(world: &World) -> String {
    let node = |host: &crate::world::Host| {
        let ready = if host.up { "True" } else { "False" };
        format!(
            "{{\"metadata\":{{\"name\":\"{}\"}},\"spec\":{{\"unschedulable\":{}}},\"status\":{{\"conditions\":[{{\"type\":\"Ready\",\"status\":\"{ready}\"}}]}}}}",
            host.name,
            host.cordoned.is_some()
        )
    };
    format!("{{\"items\":[{}]}}", world.hosts.iter().map(node).collect::<Vec<_>>().join(","))
}
