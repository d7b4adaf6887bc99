//! The built-in runbook's scripts, by hand and in order, on the practice cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::hosts::{HostError, JobSpec, JobStatus, Lease, LeaseAnswer, Operate, untold};
use crate::model::{HostName, JobName};

use super::{Fault, Kind, Practice};

const MEMBERS: [&str; 3] = ["etcd1", "etcd3", "etcd2"];

/// A practice cluster with somebody who types.
struct Bench {
    practice: Practice,
    runbook: serde_yaml::Value,
    jobs: std::cell::Cell<u32>,
}

impl Bench {
    fn new(seed: u64, faults: &[&str]) -> Self {
        let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        let text = include_str!("../../assets/runbooks/etcd-2-to-3-container-linux.yaml");
        Self::of(Practice::new(Kind::ContainerLinux, seed, faults), text)
    }

    fn of(practice: Practice, runbook: &str) -> Self {
        Self { practice, runbook: serde_yaml::from_str(runbook).unwrap(), jobs: 0.into() }
    }

    fn host(&self, host: &str) -> std::sync::Arc<dyn Operate> {
        self.practice.host(&host.into())
    }

    fn step(&self, stage: &str, step: &str, key: &str) -> String {
        let named = |list: &serde_yaml::Value, key: &str, name: &str| {
            list.as_sequence().unwrap().iter().find(|item| item[key] == name).unwrap().clone()
        };
        let stage = named(&self.runbook["stages"], "stage", stage);
        named(&stage["steps"], "step", step)[key].as_str().unwrap().to_owned()
    }

    fn spec(&self, script: &str) -> JobSpec {
        self.jobs.set(self.jobs.get() + 1);
        let inventory = self.practice.inventory();
        let given = [("target", "3.0.17"), ("backup_dir", "/var/lib/lockkeeper-backup"), ("way", "drop-in")];
        let env = given.into_iter().chain(inventory.vars.iter().map(|(name, value)| (&**name, &**value)));
        JobSpec {
            name: JobName::from(format!("job-{}", self.jobs.get())),
            script: script.into(),
            env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<BTreeMap<_, _>>(),
            timeout: Duration::from_mins(10),
        }
    }

    async fn end_of(&self, host: &str, job: &JobName) -> (JobStatus, String) {
        let host = self.host(host);
        let mut output = Vec::new();
        loop {
            match host.poll_job(job, output.len() as u64).await {
                Ok(news) => {
                    output.extend(news.output);
                    if news.status != JobStatus::Running {
                        return (news.status, String::from_utf8(output).unwrap());
                    }
                }
                Err(_) => sleep(Duration::from_secs(1)).await,
            }
        }
    }

    async fn run(&self, host: &str, script: &str) -> (JobStatus, String) {
        let spec = self.spec(script);
        self.host(host).start_job(&spec).await.unwrap();
        self.end_of(host, &spec.name).await
    }

    /// Runs a step of the runbook, which must go well.
    async fn does(&self, host: &str, stage: &str, step: &str) -> String {
        let (status, output) = self.run(host, &self.step(stage, step, "run")).await;
        assert_eq!(status, JobStatus::Exited(0), "{host} {step}: {output}");
        output
    }

    async fn see(&self, host: &str, script: &str) -> String {
        self.host(host).probe(script, Duration::from_secs(30)).await.unwrap().output
    }

    async fn version(&self, host: &str) -> String {
        self.see(host, "curl -s --max-time 5 http://127.0.0.1:2379/version || echo \" rc=$?\"").await
    }

    async fn healthy(&self, host: &str) -> bool {
        self.see(host, "curl -s --max-time 5 http://127.0.0.1:2379/health || true").await == r#"{"health": "true"}"#
    }

    async fn until_healthy(&self, host: &str) {
        for _ in 0..300 {
            if matches!(self.host(host).connect().await, Ok(())) && self.healthy(host).await {
                return;
            }
            sleep(Duration::from_secs(1)).await;
        }
        panic!("{host} never became healthy: {}", self.see(host, "journalctl -b -u etcd-member -u etcd2 -n 20").await);
    }

    async fn until_booted(&self, host: &str) {
        sleep(Duration::from_secs(2)).await;
        while self.host(host).connect().await.is_err() {
            sleep(Duration::from_secs(1)).await;
        }
    }

    async fn push_drop_in(&self, host: &str, tag: &str) {
        let path = "/etc/systemd/system/etcd-member.service.d/20-clct-etcd-member.conf";
        self.host(host).push(path, "0644", drop_in(host, tag).as_bytes(), untold()).await.unwrap();
    }

    async fn upgrade_by_drop_in(&self, host: &str) {
        self.push_drop_in(host, "ETCD_IMAGE_TAG=v3.0.17").await;
        self.does(host, "members", "write-drop-in").await;
        for step in ["stop", "backup", "copy", "put-cloud-config-aside", "enable", "start"] {
            self.does(host, "members", step).await;
        }
        self.until_healthy(host).await;
    }
}

fn drop_in(host: &str, tag: &str) -> String {
    let address = format!("10.15.4.18{}", &host[4..]);
    format!(
        "[Service]\nEnvironment=\"{tag}\"\nExecStart=\nExecStart=/usr/lib/coreos/etcd-wrapper $ETCD_OPTS \\\n  \
         --name=\"{host}\" \\\n  --listen-peer-urls=\"http://0.0.0.0:2380\" \\\n  \
         --listen-client-urls=\"http://0.0.0.0:2379\" \\\n  \
         --initial-advertise-peer-urls=\"http://{address}:2380\" \\\n  --advertise-client-urls=\"http://{address}:2379\""
    )
}

fn ignition(host: &str) -> String {
    serde_json::json!({
        "ignition": {"version": "2.0.0", "config": {}},
        "storage": {"files": [{"filesystem": "root", "path": "/etc/coreos/update.conf",
            "contents": {"source": "data:,GROUP%3Dstable%0AREBOOT_STRATEGY%3D%22etcd-lock%22"}, "mode": 420}]},
        "systemd": {"units": [{"name": "etcd-member.service", "enable": true,
            "dropins": [{"name": "20-clct-etcd-member.conf", "contents": drop_in(host, "ETCD_IMAGE_TAG=v3.0.17")}]}]}
    })
    .to_string()
}

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
async fn a_job_outlives_its_connection_and_starts_once() {
    let bench = Bench::new(8, &["etcd1:lost-ack", "etcd1:connection-drop"]);
    let spec = bench.spec("echo begun >> /root/count; sleep 4; echo done");
    let lost = bench.host("etcd1").start_job(&spec).await;
    assert!(matches!(lost, Err(HostError::Lost(_))), "{lost:?}");
    assert_eq!(bench.host("etcd1").claim_job(&spec.name).await, Ok(JobStatus::Running));
    bench.host("etcd1").start_job(&spec).await.unwrap();
    let dropped = bench.host("etcd1").poll_job(&spec.name, 0).await;
    assert!(matches!(dropped, Err(HostError::Lost(_))), "{dropped:?}");
    assert!(bench.host("etcd1").connect().await.is_err());
    assert_eq!(bench.end_of("etcd1", &spec.name).await, (JobStatus::Exited(0), "done\n".into()));
    assert_eq!(bench.see("etcd1", "cat /root/count").await, "begun\n");

    let never = JobName::from("never");
    assert_eq!(bench.host("etcd1").claim_job(&never).await, Ok(JobStatus::Absent));
    bench.host("etcd1").start_job(&JobSpec { name: never.clone(), ..spec }).await.unwrap();
    assert_eq!(bench.host("etcd1").claim_job(&never).await, Ok(JobStatus::Absent));
}

#[tokio::test(start_paused = true)]
async fn output_comes_as_time_passes_and_timeouts_end_a_job() {
    let bench = Bench::new(9, &[]);
    let spec = JobSpec {
        timeout: Duration::from_secs(5),
        ..bench.spec("echo one; echo two >&2; sleep 3; echo three; sleep 60; echo never")
    };
    let host = bench.host("worker1");
    let begun = Instant::now();
    host.start_job(&spec).await.unwrap();
    let news = host.poll_job(&spec.name, 0).await.unwrap();
    let early = String::from_utf8(news.output).unwrap();
    assert!(early.contains("one\n") && !early.contains("three") && begun.elapsed() < Duration::from_secs(1), "{early}");
    let (status, output) = bench.end_of("worker1", &spec.name).await;
    assert_eq!((status, output.ends_with("three\n")), (JobStatus::Exited(124), true), "{output}");
    assert!(begun.elapsed() < Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn a_reboot_ends_what_runs_and_empties_memory() {
    let bench = Bench::new(10, &["worker1:reboot-hangs"]);
    let long = bench.spec("touch /tmp/here /root/here; sleep 500");
    bench.host("worker1").start_job(&long).await.unwrap();
    bench.run("worker2", "true").await;
    bench.practice.restart_at_console(&"worker1".into(), "coreos.first_boot=1");
    sleep(Duration::from_secs(4)).await;
    let error = bench.host("worker1").connect().await.unwrap_err();
    assert!(matches!(&error, HostError::Connect(text) if text.contains("No route to host")), "{error}");
    let begun = Instant::now();
    bench.until_booted("worker1").await;
    assert!(begun.elapsed() > Duration::from_mins(4));
    assert_eq!(bench.host("worker1").claim_job(&long.name).await, Ok(JobStatus::Interrupted { rebooted: true }));
    assert_eq!(bench.see("worker1", "ls /root; ls /tmp").await, "here\n");
    assert!(bench.see("worker1", "cat /proc/cmdline").await.ends_with("coreos.first_boot=1\n"));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.see("worker1", "systemctl is-active kubelet kube-proxy").await, "active\nactive\n");
}

#[tokio::test(start_paused = true)]
async fn faults_strike_once() {
    let bench = Bench::new(
        11,
        &[
            "etcd1:disk-full",
            "etcd1:corrupt-fetch",
            "etcd1:wont-start",
            "etcd3:member-unhealthy",
            "worker1:probe-timeouts",
        ],
    );
    assert!(!bench.healthy("etcd3").await);
    sleep(Duration::from_secs(121)).await;
    assert!(bench.healthy("etcd3").await);
    for _ in 0..3 {
        assert!(matches!(bench.host("worker1").probe("true", Duration::from_secs(9)).await, Err(HostError::Lost(_))));
    }
    bench.see("worker1", "true").await;

    bench.push_drop_in("etcd1", "ETCD_IMAGE_TAG=v3.0.17").await;
    for step in ["write-drop-in", "stop"] {
        bench.does("etcd1", "members", step).await;
    }
    let (status, output) = bench.run("etcd1", &bench.step("members", "backup", "run")).await;
    assert!(
        matches!(status, JobStatus::Exited(code) if code != 0) && output.contains("No space left on device"),
        "{status:?} {output}"
    );
    sleep(Duration::from_secs(1)).await;
    bench.does("etcd1", "members", "backup").await;
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("cold");
    let path = "/var/lib/lockkeeper-backup/etcd2-cold.tar.gz";
    assert!(bench.host("etcd1").fetch(path, &into, crate::hosts::untold()).await.is_err());
    assert!(!into.exists());
    let fetched = bench.host("etcd1").fetch(path, &into, crate::hosts::untold()).await.unwrap();
    assert_eq!(std::fs::metadata(&into).unwrap().len(), fetched.bytes);
    assert!(fetched.bytes > 0);
    for step in ["copy", "put-cloud-config-aside", "enable", "start"] {
        bench.does("etcd1", "members", step).await;
    }
    sleep(Duration::from_secs(6)).await;
    assert_eq!(bench.see("etcd1", "systemctl show etcd-member -p SubState").await, "SubState=auto-restart\n");
    bench.until_healthy("etcd1").await;
}

#[tokio::test(start_paused = true)]
async fn the_lease_keeps_a_second_operator_out() {
    let bench = Bench::new(12, &[]);
    let lease = |session: &str| Lease { session: session.into(), operator: format!("{session}@desk") };
    let host = bench.host("etcd1");
    assert_eq!(host.take_lease(&lease("ann")).await, Ok(LeaseAnswer::Taken));
    assert_eq!(host.take_lease(&lease("ann")).await, Ok(LeaseAnswer::Taken));
    assert_eq!(host.take_lease(&lease("bob")).await, Ok(LeaseAnswer::HeldBy("ann@desk".into())));
    host.release_lease(&"bob".into()).await.unwrap();
    host.release_lease(&"ann".into()).await.unwrap();
    assert_eq!(host.take_lease(&lease("bob")).await, Ok(LeaseAnswer::Taken));
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_run() {
    async fn story(seed: u64) -> String {
        let members: Vec<HostName> = vec!["etcd1".into(), "etcd2".into()];
        let faults = Fault::random(seed, 2, &members, &["worker1".into()]);
        assert_eq!(faults.len(), 2);
        let bench = Bench::new(seed, &["etcd3:wont-start"]);
        bench.upgrade_by_drop_in("etcd3").await;
        let digest = bench.see("etcd3", "sha256sum /var/lib/lockkeeper-backup/*.gz").await;
        digest
            + &bench.see("etcd3", "journalctl -o short").await
            + &bench.see("etcd1", "journalctl; cat /etc/machine-id").await
    }
    let first = story(21).await;
    assert_eq!(first, story(21).await);
    assert_ne!(first, story(22).await);
}

#[tokio::test(start_paused = true)]
async fn two_jobs_at_once_on_one_host_are_remembered() {
    let bench = Bench::new(13, &[]);
    let (first, second) = (bench.spec("sleep 5"), bench.spec("true"));
    bench.host("etcd1").start_job(&first).await.unwrap();
    bench.host("etcd2").start_job(&second).await.unwrap();
    assert_eq!(bench.practice.invariants(), Vec::<String>::new());
    bench.host("etcd1").start_job(&second).await.unwrap();
    assert!(bench.practice.invariants()[0].ends_with("etcd1: job-2 was started while job-1 ran"));
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

#[tokio::test(start_paused = true)]
async fn what_goes_to_either_stream_comes_in_order() {
    let bench = Bench::new(16, &[]);
    let script = "for n in 1 2 3; do echo out$n; echo err$n >&2; ls /none$n || true; done; systemctl enable etcd-member; echo out4; cat /none || echo out5";
    let (_, output) = bench.run("etcd1", script).await;
    let words: Vec<&str> = output.lines().map(|line| line.split([' ', ':']).next().unwrap()).collect();
    let wanted = ["out1", "err1", "ls", "out2", "err2", "ls", "out3", "err3", "ls", "Created", "out4", "cat", "out5"];
    assert_eq!(words, wanted, "{output}");
}

#[tokio::test(start_paused = true)]
async fn a_download_shows_how_far_it_is() {
    let bench = Bench::new(17, &[]);
    let spec = bench.spec("rkt fetch --trust-keys-from-https quay.io/coreos/etcd:v$target");
    let host = bench.host("etcd1");
    host.start_job(&spec).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    let early = String::from_utf8(host.poll_job(&spec.name, 0).await.unwrap().output).unwrap();
    assert!(early.contains("Downloading ACI: 1.2 MB/12.2 MB") && !early.contains("sha512-"), "{early}");
    let (status, output) = bench.end_of("etcd1", &spec.name).await;
    assert!(status == JobStatus::Exited(0) && output.starts_with(&early) && output.contains("sha512-"), "{output}");
}

#[tokio::test(start_paused = true)]
async fn scripts_run_as_root_in_roots_home() {
    let bench = Bench::new(18, &[]);
    let script = "id -u; id -un; id -u etcd; whoami; hostname; pwd; sudo -n true; echo $?; sh -c 'echo sub $1' x y";
    assert_eq!(bench.see("etcd1", script).await, "0\nroot\n232\nroot\netcd1\n/root\n0\nsub y\n");
    let clock = "touch /root/x; stat -c %Y /root/x; date +%s; date +%Y%m%dT%H%M%S";
    assert_eq!(bench.see("etcd1", clock).await, "1492866000\n1492866000\n20170422T130000\n");
    let room = bench.see("etcd1", "df -kPT /var/lib; df -k --output=fstype,target /tmp").await;
    assert!(room.contains("/dev/sda9 ext4 16224000 ") && room.ends_with("tmpfs /tmp\n"), "{room}");
}

#[test]
fn a_fault_that_cannot_strike_is_refused_with_a_reason() {
    let check = |fault: &str| Kind::ContainerLinux.check(None, &fault.parse().unwrap());
    assert_eq!(check("etcd2:slow-start"), Ok(()));
    assert_eq!(check("worker1:lost-ack"), Ok(()));
    assert!(check("etcd9:lost-ack").unwrap_err().contains("there are etcd1, etcd2"));
    assert!(check("worker1:slow-start").unwrap_err().contains("worker1 runs no etcd member"));
}

#[tokio::test(start_paused = true)]
async fn a_network_plugin_that_was_brought_up_is_put_back() {
    let text = include_str!("../../assets/runbooks/kubeadm-minor.yaml");
    let bench = Bench::of(Practice::new(Kind::KubeadmMixed, 1, Vec::new()), text);
    let given = "cni_manifest=/root/calico-3.30.3.yaml cni_daemonset=kube-system/calico-node\n";
    let image = "kubectl get pods,poddisruptionbudgets,daemonsets -A -o json | grep -o 'calico/node:[^\"]*'";
    let script = given.to_owned() + &bench.step("network", "manifest", "run");
    assert_eq!(bench.run("stream-cp", &script).await.0, JobStatus::Exited(0));
    assert_eq!(bench.see("stream-cp", image).await.trim(), "calico/node:v3.30.3");
    let undo = given.to_owned() + &bench.step("network", "manifest", "undo");
    assert_eq!(bench.run("stream-cp", &undo).await.0, JobStatus::Exited(0));
    assert_eq!(bench.see("stream-cp", image).await.trim(), "calico/node:v3.29.5");
}
