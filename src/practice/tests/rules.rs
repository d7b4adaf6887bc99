//! Rules of the simulated world, each broken on purpose, and told.

use std::time::Duration;

use tokio::time::sleep;

use super::bench::Bench;
use crate::hosts::JobStatus;
use crate::practice::{Kind, Practice};

fn bench(kind: Kind, faults: &[&str]) -> Bench {
    let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    Bench::of(Practice::new(kind, 3, faults), "{}")
}

fn told(practice: &Practice, what: &str) -> bool {
    practice.invariants().iter().any(|broken| broken.contains(what))
}

const DRAIN: &str = "kubectl drain --ignore-daemonsets --delete-emptydir-data --force --timeout=60s";

#[tokio::test(start_paused = true)]
async fn a_node_that_is_rebooted_undrained() {
    let bench = bench(Kind::Kubeadm, &[]);
    let (status, output) = bench.run("cp1", &format!("{DRAIN} node2")).await;
    assert_eq!(status, JobStatus::Exited(0), "{output}");
    bench.run("node2", "reboot; sleep 60").await;
    assert_eq!(bench.practice.invariants(), Vec::<String>::new());
    bench.run("node1", "reboot; sleep 60").await;
    assert!(told(&bench.practice, "node1 was rebooted undrained, with "), "{:?}", bench.practice.invariants());
}

#[tokio::test(start_paused = true)]
async fn pods_that_are_left_pending() {
    let bench = bench(Kind::Kubeadm, &[]);
    bench.run("cp1", &format!("kubectl cordon node2; kubectl cordon node3; {DRAIN} node1 || true")).await;
    let left = bench.practice.left_behind();
    assert!(left.iter().any(|left| left.ends_with(" is left pending")), "{left:?}");
    bench.run("cp1", "kubectl uncordon node2").await;
    assert_eq!(bench.practice.left_behind(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_api_server_over_an_etcd_that_began_anew() {
    let bench = bench(Kind::ArchArm, &[]);
    let lose = "mv /etc/kubernetes/manifests/etcd.yaml /root/etcd.yaml; sleep 20; rm -rf /var/lib/etcd/member; \
                mv /root/etcd.yaml /etc/kubernetes/manifests/etcd.yaml; sleep 60";
    let (status, output) = bench.run("c2-master0", lose).await;
    assert_eq!(status, JobStatus::Exited(0), "{output}");
    assert!(told(&bench.practice, "the API server answers with empty lists"), "{:?}", bench.practice.invariants());
}

#[tokio::test(start_paused = true)]
async fn a_member_on_the_data_of_another() {
    let bench = bench(Kind::Etcd, &[]);
    let swap = "systemctl stop etcd; for wal in $(find /var/lib/etcd -name '*.wal'); do \
                sed -i 's/member=[0-9a-f]*/member=1/' \"$wal\"; done; systemctl start etcd || true; sleep 10";
    bench.run("etcd2", swap).await;
    assert!(told(&bench.practice, "on the data of another member"), "{:?}", bench.practice.invariants());
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_is_passed_over() {
    let bench = bench(Kind::Etcd, &["etcd1:nospace"]);
    let list = "ETCDCTL_API=3 etcdctl alarm list";
    assert!(bench.see("etcd2", list).await.ends_with(" alarm:NOSPACE\n"));
    assert_eq!(bench.run("etcd2", "ETCDCTL_API=3 etcdctl put a b").await.0, JobStatus::Exited(1));
    bench.run("etcd3", "systemctl stop etcd; sleep 5; systemctl start etcd; sleep 10").await;
    assert!(told(&bench.practice, "while the alarm NOSPACE was raised"), "{:?}", bench.practice.invariants());

    let mended = self::bench(Kind::Etcd, &["etcd1:corrupt"]);
    mended.run("etcd2", "ETCDCTL_API=3 etcdctl alarm disarm").await;
    assert_eq!(mended.see("etcd2", list).await, "");
    mended.run("etcd3", "systemctl stop etcd; sleep 5; systemctl start etcd; sleep 10").await;
    assert_eq!(mended.practice.invariants(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn members_whose_keys_differ() {
    let hashes = async |bench: &Bench| {
        let said = bench.see("etcd1", "ETCDCTL_API=3 etcdctl endpoint hashkv --cluster -w json").await;
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        said.as_array().unwrap().iter().map(|line| line["HashKV"]["hash"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let well = bench(Kind::Etcd, &[]);
    let before = hashes(&well).await;
    assert!(before.len() == 3 && before.iter().all(|hash| *hash == before[0]), "{before:?}");
    well.run("etcd1", "ETCDCTL_API=3 etcdctl put a b").await;
    assert_ne!(hashes(&well).await, before);
    assert_eq!(well.practice.left_behind(), Vec::<String>::new());

    let ill = bench(Kind::Etcd, &["etcd3:diverged"]);
    let found = hashes(&ill).await;
    assert!(found[0] == found[1] && found[1] != found[2], "{found:?}");
    assert!(ill.practice.left_behind()[0].contains("keys of etcd3 are not what the others have"));
}

#[tokio::test(start_paused = true)]
async fn a_member_that_comes_late_to_a_new_cluster_is_no_such_thing() {
    let bench = bench(Kind::Etcd, &[]);
    let hosts = ["etcd1", "etcd2", "etcd3"];
    for host in hosts {
        bench.practice.sim.with(|world| world.stop_unit(&host.into(), "etcd.service", "setting up"));
        bench.run(host, "sleep 5; rm -rf /var/lib/etcd/*").await;
    }
    bench.practice.sim.with(|world| {
        world.cluster.fresh();
        world.broken.clear();
    });
    for host in hosts {
        bench.run(host, "systemctl start etcd || true").await;
        sleep(Duration::from_secs(30)).await;
    }
    assert_eq!(bench.practice.invariants(), Vec::<String>::new());
    assert!(bench.practice.sim.with(|world| world.cluster.processes.values().all(|process| process.joined)));
    // Now it is known, and cannot begin anew.
    bench
        .run("etcd3", "systemctl stop etcd; sleep 5; rm -rf /var/lib/etcd/*; systemctl start etcd || true; sleep 5")
        .await;
    assert!(told(&bench.practice, "does not hold its data"), "{:?}", bench.practice.invariants());
}

#[tokio::test(start_paused = true)]
async fn a_runtime_mask_does_not_outlast_a_reboot() {
    let bench = bench(Kind::Flatcar, &[]);
    let state = "systemctl show -p LoadState update-engine.service";
    bench.run("flatcar-1", "systemctl mask --runtime update-engine.service").await;
    assert_eq!(bench.see("flatcar-1", state).await, "LoadState=masked\n");
    bench.practice.restart_at_console(&"flatcar-1".into(), "");
    bench.until_booted("flatcar-1").await;
    assert_eq!(bench.see("flatcar-1", state).await, "LoadState=loaded\n");
}
