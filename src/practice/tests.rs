//! The simulated hosts as one meets them over a connection: jobs, faults, reboots, and what a shell says there.

mod bench;
mod rules;
mod sight;
mod upgrade;

use std::time::Duration;

use tokio::time::{Instant, sleep};

use self::bench::Bench;
use super::{Fault, Kind, Practice};
use crate::hosts::{HostError, JobSpec, JobStatus, Lease, LeaseAnswer};
use crate::model::{HostName, JobName};

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
async fn a_budget_blocks_from_the_first_drain_of_its_host_however_late_that_comes() {
    let faults: Vec<Fault> =
        ["node1:budget-blocks", "node2:reboot-hangs"].iter().map(|fault| fault.parse().unwrap()).collect();
    let practice = Practice::new(Kind::Kubeadm, 1, faults.clone());
    let bench = Bench::of(practice, "{}");
    sleep(Duration::from_mins(30)).await;
    assert_eq!(bench.practice.never_struck(&faults), faults);
    let drain = "KUBECONFIG=/etc/kubernetes/admin.conf kubectl drain node1 --ignore-daemonsets --delete-emptydir-data --force --timeout=500s";
    let begun = Instant::now();
    let (status, output) = bench.run("cp1", drain).await;
    assert_eq!(status, JobStatus::Exited(0), "{output}");
    assert!(output.contains("disruption budget") && begun.elapsed() > Duration::from_secs(145), "{output}");
    assert_eq!(bench.practice.never_struck(&faults), faults[1..], "what had no occasion is told");
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
    let lease = |session: &str| Lease {
        session: session.into(),
        operator: format!("{session}@desk"),
        token: session.into(),
        seat: session.into(),
    };
    let host = bench.host("etcd1");
    let taken = Ok(LeaseAnswer::Taken { from: None });
    host.release_lease().await.unwrap();
    assert_eq!(host.take_lease(&lease("ann")).await, taken);
    assert_eq!(host.take_lease(&lease("ann")).await, taken);
    let answer = host.take_lease(&lease("bob")).await;
    assert!(matches!(&answer, Ok(LeaseAnswer::HeldBy(held)) if held.operator == "ann@desk"), "{answer:?}");
    host.release_lease().await.unwrap();
    assert_eq!(host.renew_lease(&lease("ann")).await, taken, "bob has none to give back");
    host.take_lease(&lease("ann")).await.unwrap();
    host.release_lease().await.unwrap();
    assert_eq!(host.take_lease(&lease("bob")).await, taken);
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
