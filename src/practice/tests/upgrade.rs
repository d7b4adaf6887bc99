//! The built-in runbook's scripts on the members of a cluster, by hand and in order; and out of order.

use std::time::Duration;

use tokio::time::sleep;

use super::bench::{Bench, MEMBERS, ignition};
use crate::hosts::{JobStatus, untold};

#[tokio::test(start_paused = true)]
async fn the_cluster_begins_well() {
    let bench = Bench::new(1, &[]);
    let started = std::time::Instant::now();
    for host in MEMBERS {
        assert_eq!(bench.version(host).await, r#"{"etcdserver":"2.3.8","etcdcluster":"2.3.0"}"#);
        assert!(bench.healthy(host).await);
    }
    eprintln!("a small probe takes {:?}", started.elapsed() / 6);
    let health = bench.see("etcd1", "etcdctl cluster-health; echo rc=$?").await;
    assert!(
        health.ends_with("cluster is healthy\nrc=0\n") && health.contains("member 628170c800dbcee is healthy"),
        "{health}"
    );
    assert_eq!(bench.see("master1", "kubectl get --raw /healthz").await, "ok");
    let nodes: serde_json::Value =
        serde_json::from_str(&bench.see("master1", "kubectl get nodes -o json").await).unwrap();
    assert_eq!(nodes["items"].as_array().unwrap().len(), 3);
    let os = bench.see("worker1", ". /etc/os-release; echo \"$ID $VERSION_ID\"; cat /etc/coreos/update.conf").await;
    assert_eq!(os, "coreos 1353.7.0\nGROUP=stable\nREBOOT_STRATEGY=etcd-lock\n");
    assert_eq!(bench.see("worker1", "command -v kubectl || echo none").await, "none\n");
    assert_eq!(bench.practice.inventory().hosts.len(), 6);
    assert_eq!(bench.practice.invariants(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn the_drop_in_way_leads_to_three_dot_zero() {
    let bench = Bench::new(1, &[]);
    for host in ["etcd1", "etcd2", "etcd3", "master1", "worker1", "worker2"] {
        bench.does(host, "hold-updates", "hold").await;
    }
    assert_eq!(
        bench.see("etcd1", "systemctl show update-engine -p ActiveState,UnitFileState").await,
        "ActiveState=inactive\nUnitFileState=masked\n"
    );
    for host in ["master1", "worker1", "worker2"] {
        bench.does(host, "stop-kubernetes", "stop").await;
    }
    assert!(bench.see("master1", "kubectl get --raw /healthz 2>&1 || true").await.contains("was refused"));
    for host in MEMBERS {
        assert!(bench.version("etcd2").await.contains(r#""etcdcluster":"2.3.0""#));
        bench.upgrade_by_drop_in(host).await;
    }
    sleep(Duration::from_secs(3)).await;
    for host in MEMBERS {
        assert_eq!(bench.version(host).await, r#"{"etcdserver":"3.0.17","etcdcluster":"3.0.0"}"#);
        let journal = bench.see(host, "journalctl -b -u etcd-member.service -o cat --no-pager").await;
        assert!(journal.contains("membership: updated the cluster version from 2.3 to 3.0"), "{journal}");
        assert!(journal.contains("api: enabled capabilities for version 3.0"), "{journal}");
        assert_eq!(bench.see(host, "systemctl is-active etcd-member etcd2 || true").await, "active\ninactive\n");
    }
    let canary = bench.see("etcd3", "curl -s 'http://127.0.0.1:2379/v2/keys/canary?quorum=true'").await;
    assert!(canary.contains(r#""value":"v1""#), "{canary}");
    for host in ["master1", "worker1", "worker2"] {
        bench.does(host, "start-kubernetes", "start").await;
    }
    sleep(Duration::from_secs(5)).await;
    assert_eq!(bench.see("master1", "kubectl get --raw /healthz").await, "ok");
    assert_eq!(bench.see("master1", "kubectl get nodes -o json").await.matches(r#""status":"True""#).count(), 3);
    for host in ["etcd1", "worker2"] {
        bench.does(host, "release-updates", "release").await;
        assert_eq!(bench.see(host, "systemctl is-active update-engine locksmithd").await, "active\nactive\n");
    }
    assert_eq!(bench.practice.invariants(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn the_first_boot_way_leads_to_three_dot_zero() {
    let bench = Bench::new(2, &["etcd3:slow-start"]);
    for host in MEMBERS {
        bench.host(host).push("/usr/share/oem/config.ign", "0644", ignition(host).as_bytes(), untold()).await.unwrap();
        for step in ["place-ignition", "stop", "backup", "copy", "put-cloud-config-aside"] {
            bench.does(host, "members", step).await;
        }
        let boot = bench.see(host, "cat /proc/sys/kernel/random/boot_id").await;
        let (status, _) = bench.run(host, &bench.step("members", "first-boot", "run")).await;
        assert!(matches!(status, JobStatus::Exited(0) | JobStatus::Interrupted { rebooted: true }), "{status:?}");
        bench.until_booted(host).await;
        assert_ne!(bench.see(host, "cat /proc/sys/kernel/random/boot_id").await, boot);
        assert_eq!(bench.see(host, "test -e /boot/coreos/first_boot || echo gone").await, "gone\n");
        assert!(bench.see(host, "cat /proc/cmdline").await.contains("coreos.first_boot=detected"));
        let shown =
            bench.see(host, "systemctl show etcd-member.service -p UnitFileState,DropInPaths,Environment").await;
        assert!(shown.starts_with("UnitFileState=disabled\n") && shown.contains("ETCD_IMAGE_TAG=v3.0.17"), "{shown}");
        bench.does(host, "members", "enable").await;
        bench.run(host, &bench.step("members", "start-by-reboot", "run")).await;
        bench.until_booted(host).await;
        assert!(!bench.see(host, "cat /proc/cmdline").await.contains("first_boot"));
        bench.until_healthy(host).await;
    }
    sleep(Duration::from_secs(2)).await;
    assert_eq!(bench.version("etcd1").await, r#"{"etcdserver":"3.0.17","etcdcluster":"3.0.0"}"#);
    assert_eq!(bench.practice.invariants(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn the_wrong_image_never_joins_and_the_right_one_mends_it() {
    let bench = Bench::new(3, &[]);
    bench.push_drop_in("etcd1", "ETCD_USER=etcd").await;
    let shown = bench.see("etcd1", "systemctl show etcd-member -p NeedDaemonReload,DropInPaths").await;
    assert_eq!(shown, "NeedDaemonReload=yes\nDropInPaths=\n");
    bench.does("etcd1", "members", "write-drop-in").await;
    for step in ["stop", "backup", "copy", "put-cloud-config-aside", "enable", "start"] {
        bench.does("etcd1", "members", step).await;
    }
    sleep(Duration::from_mins(5)).await;
    assert_eq!(bench.version("etcd1").await, " rc=28\n");
    assert_eq!(
        bench.see("etcd1", "systemctl show etcd-member -p ActiveState,SubState").await,
        "ActiveState=activating\nSubState=start\n"
    );
    let journal = bench.see("etcd1", "journalctl -u etcd-member -o cat").await;
    assert!(journal.contains("remote version is too low") && journal.contains("local=3.1.6"), "{journal}");
    assert!(bench.healthy("etcd2").await && bench.healthy("etcd3").await);
    let (status, _) = bench.run("etcd1", "timeout 20 systemctl start etcd-member").await;
    assert_eq!(status, JobStatus::Exited(124));

    bench.push_drop_in("etcd1", "ETCD_IMAGE_TAG=v3.0.17").await;
    bench.run("etcd1", "systemctl daemon-reload; systemctl restart etcd-member").await;
    bench.until_healthy("etcd1").await;
    assert_eq!(bench.practice.invariants(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_second_copy_is_refused_and_forced_old_data_panics() {
    let bench = Bench::new(4, &[]);
    bench.upgrade_by_drop_in("etcd1").await;
    let (status, _) = bench.run("etcd1", &bench.step("members", "copy", "run")).await;
    assert_eq!(status, JobStatus::Exited(1));
    assert!(bench.healthy("etcd1").await);
    sleep(Duration::from_mins(1)).await;
    let script = "systemctl stop etcd-member; rm -rf /var/lib/etcd/member; cp -a /var/lib/etcd2/member /var/lib/etcd/; systemctl start etcd-member";
    let (status, output) = bench.run("etcd1", script).await;
    assert_eq!(status, JobStatus::Exited(1), "{output}");
    let journal = bench.see("etcd1", "journalctl -u etcd-member -o cat").await;
    assert!(journal.contains("panic: tocommit(") && journal.contains("is out of range"), "{journal}");
    assert!(bench.practice.invariants()[0].contains("etcd1: etcd-member.service was started on old data"));
}

#[tokio::test(start_paused = true)]
async fn two_three_does_not_start_on_three_zero_data() {
    let bench = Bench::new(5, &[]);
    bench.upgrade_by_drop_in("etcd1").await;
    let script = "systemctl stop etcd-member; rm -rf /var/lib/etcd2/member; cp -a /var/lib/etcd/member /var/lib/etcd2/; systemctl start --no-block etcd2";
    bench.run("etcd1", script).await;
    sleep(Duration::from_secs(5)).await;
    let journal = bench.see("etcd1", "journalctl -u etcd2 -o cat").await;
    assert!(journal.contains("experimental-v3demo cannot be disabled"), "{journal}");
    let (status, output) = bench.run("etcd1", "etcdctl backup --data-dir /var/lib/etcd2 --backup-dir /tmp/b").await;
    assert_eq!(status, JobStatus::Exited(2));
    assert!(output.contains("makeslice"), "{output}");
}

#[tokio::test(start_paused = true)]
async fn a_cloud_config_left_behind_brings_stale_etcd2_back() {
    let bench = Bench::new(6, &[]);
    bench.push_drop_in("etcd1", "ETCD_IMAGE_TAG=v3.0.17").await;
    bench.does("etcd1", "members", "write-drop-in").await;
    for step in ["stop", "backup", "copy", "enable", "start"] {
        bench.does("etcd1", "members", step).await;
    }
    bench.until_healthy("etcd1").await;
    sleep(Duration::from_mins(1)).await;
    bench.run("etcd1", "systemctl reboot").await;
    bench.until_booted("etcd1").await;
    sleep(Duration::from_secs(8)).await;
    let journal = bench.see("etcd1", "journalctl -b -u etcd2 -o cat; systemctl is-active etcd-member || true").await;
    assert!(journal.contains("panic: tocommit(") && journal.ends_with("inactive\n"), "{journal}");
}

#[tokio::test(start_paused = true)]
async fn taking_a_second_member_loses_quorum_and_is_remembered() {
    let bench = Bench::new(7, &[]);
    bench.run("etcd1", "systemctl stop etcd2").await;
    assert_eq!(bench.practice.invariants(), Vec::<String>::new());
    let health = bench.see("etcd3", "etcdctl cluster-health; echo rc=$?").await;
    assert!(health.contains("are all unreachable") && health.ends_with("cluster is healthy\nrc=0\n"), "{health}");
    bench.run("etcd2", "systemctl stop etcd2").await;
    let broken = bench.practice.invariants();
    assert!(broken[0].ends_with("quorum of etcd was lost by stopping etcd2.service on etcd2"), "{broken:?}");
    assert!(!bench.healthy("etcd3").await);
    let answer = bench
        .see(
            "etcd3",
            "curl -s 'http://127.0.0.1:2379/v2/keys/canary?quorum=true'; curl -s http://127.0.0.1:2379/v2/keys/canary",
        )
        .await;
    assert!(answer.contains("Raft Internal Error") && answer.contains(r#""value":"v1""#), "{answer}");
    bench.run("etcd2", "systemctl start etcd2").await;
    bench.until_healthy("etcd2").await;
}

#[tokio::test(start_paused = true)]
async fn the_configs_that_come_along_fit_the_members() {
    let bench = Bench::new(14, &[]);
    let list = bench.see("etcd1", "etcdctl member list").await;
    for host in MEMBERS {
        let file = format!("{}/assets/practice/container-linux/{host}.yaml", env!("CARGO_MANIFEST_DIR"));
        let config: serde_yaml::Value = serde_yaml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let of = |key: &str| config["etcd"][key].as_str().unwrap().to_owned();
        let row = format!(
            "name={} peerURLs={} clientURLs={} ",
            of("name"),
            of("initial_advertise_peer_urls"),
            of("advertise_client_urls")
        );
        assert!(list.contains(&row), "{list} has no {row}");
        assert_eq!(of("version"), "3.0.17");
    }
}
