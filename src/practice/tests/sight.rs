//! What a probe is told without being run is what it would have found.

use std::time::Duration;

use tokio::time::sleep;

use super::bench::Bench;
use crate::hosts::Observe as _;
use crate::model::Role;
use crate::practice::host::PracticeHost;
use crate::practice::{Kind, Practice};

/// A probe that asks for everything that a host of these roles is asked for.
fn script(roles: &[Role], kind: Kind) -> String {
    let etcd = if kind == Kind::Etcd { "http://127.0.0.1:2379" } else { "" };
    let kube = if roles.contains(&Role::ControlPlane) { "yes" } else { "" };
    format!(
        "lk_units='etcd.service kubelet.service containerd.service'\nlk_paths=/var/lib/etcd\nlk_journal=\nlk_lines=\n\
         lk_packages='kubelet etcd'\nlk_programs=kubeadm\nlk_certs=\nlk_containers=\nlk_pods={kube}\nlk_devices=\n\
         lk_etcd={etcd}\nlk_cacert=\nlk_cert=\nlk_key=\nlk_kubectl={kube}\nlk_kubelet={kube}\n{}",
        include_str!("../../../assets/probe.sh")
    )
}

/// All but the clock, and what no fact is made of.
fn lasting(output: &str) -> String {
    let clock = output.split_once("@os ").map_or(output, |(_, rest)| rest);
    clock.lines().filter(|line| !line.contains("\"uptime\"")).collect::<Vec<_>>().join("\n")
}

async fn tells_what_it_would_find(kind: Kind, acts: &[(&str, &str)]) {
    let bench = Bench::of(Practice::new(kind, 11, Vec::new()), "{}");
    let (mut same, mut all) = (0, 0);
    for round in 0..acts.len() * 8 {
        if round % 8 == 2 {
            let (host, act) = acts[round / 8];
            let spec = bench.spec(act);
            bench.host(host).start_job(&spec).await.unwrap();
        }
        sleep(Duration::from_millis(2700)).await;
        for (name, host) in &bench.practice.hosts {
            let script = bench.practice.sim.with(|world| script(&world.machine(name).roles, kind));
            let before = bench.practice.sim.with(|world| world.sight(name));
            let told = host.probe(&script, Duration::from_secs(30)).await;
            let anew = PracticeHost::new(name.clone(), bench.practice.sim.clone());
            let found = anew.probe(&script, Duration::from_secs(30)).await;
            // What happens between the two is no matter of the first.
            if bench.practice.sim.with(|world| world.sight(name)) != before {
                continue;
            }
            all += 1;
            if let (Ok(told), Ok(found)) = (told, found) {
                assert_eq!(lasting(&told.output), lasting(&found.output), "{name} in round {round}");
                same += 1;
            }
        }
    }
    assert!(same > all / 2 && same > 30, "{same} of {all}");
}

#[tokio::test(start_paused = true)]
async fn of_members_and_what_happens_to_them() {
    let acts = [
        ("etcd1", "systemctl restart etcd"),
        ("etcd2", "touch /root/here; ETCDCTL_API=3 etcdctl put a b"),
        ("etcd3", "systemctl stop etcd; sleep 9; systemctl start etcd"),
        ("etcd2", "reboot; sleep 60"),
    ];
    tells_what_it_would_find(Kind::Etcd, &acts).await;
}

#[tokio::test(start_paused = true)]
async fn of_nodes_and_what_happens_to_them() {
    let drain = "kubectl drain --ignore-daemonsets --delete-emptydir-data --force --timeout=60s node1";
    let acts = [
        ("cp1", drain),
        ("node1", "systemctl restart kubelet"),
        ("node1", "reboot; sleep 60"),
        ("cp1", "kubectl uncordon node1"),
        ("cp2", "systemctl stop kubelet"),
    ];
    tells_what_it_would_find(Kind::Kubeadm, &acts).await;
}
