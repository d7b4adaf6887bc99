//! The whole program on real hosts: a real terminal, real sshd, systemd and etcd. One rolling upgrade from 3.4.23 to
//! 3.5.1, in which the wizard is killed in the middle of a job on the first host, and loses its connection in the middle
//! of a job on the second; one of a cluster that speaks only TLS, and only with those that have a certificate; what befalls
//! hosts in the middle of a job; twenty reboots in a row; that looking leaves nothing behind; and one look at a real ostree.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "what a test cannot do without may end it, and it may speak"
)]

mod befallen;
mod cluster;
mod untouched;
mod wizard;

use std::collections::BTreeMap;
use std::process::Command;

use jiff::Timestamp;
use lockkeeper::model::event::{Event, Outcome};
use lockkeeper::model::state::Phase;
use lockkeeper::model::{Record, State, TaskId};

use cluster::{HOSTS, Lab, Writer};
use wizard::Wizard;

const VARS: [&str; 6] = ["--var", "target=3.5.1", "--var", "previous=3.4.23", "--var", "allow_bad_patch=yes"];

/// The install job that runs on a host now, with some of its output already here.
fn installing(state: &State, records: &[Record]) -> Option<(TaskId, String)> {
    let id = state.task_ids().find(|id| {
        let (_, step, task) = state.task(*id).unwrap();
        step.name == "install" && task.phase == Phase::Running
    })?;
    let lines = output_of(records, id).lines().count();
    (3..20).contains(&lines).then(|| (id, state.task(id).unwrap().0.host.to_string()))
}

/// What a task's job has printed, pieced together; no gap, no overlap.
fn output_of(records: &[Record], wanted: TaskId) -> String {
    let mut all = String::new();
    let mut at = 0;
    for record in records {
        if let Event::JobOutput { task, offset, bytes, text } = &record.event
            && *task == wanted
        {
            assert_eq!(*offset, at, "output of task {wanted} has a gap or an overlap");
            at += bytes;
            all += text;
        }
    }
    all
}

#[test]
fn a_real_cluster_goes_from_3_4_to_3_5_through_a_kill_and_a_lost_connection() {
    let Some(lab) = Lab::up("http") else { return };
    let scratch = tempfile::tempdir().unwrap();
    let inventory = scratch.path().join("cluster.yaml");
    let text = std::fs::read_to_string(lab.dir.join("inventory.yaml")).unwrap();
    // The install takes some seconds and leaves a mark each time it runs.
    let slow =
        "etcd_install: echo ran >> /var/tmp/installs; for n in $(seq 1 30); do echo \"line $n\"; sleep 0.2; done; ";
    std::fs::write(&inventory, text.replace("etcd_install: ", slow)).unwrap();
    let journal = scratch.path().join("session.jsonl");
    let mut keys = lab.members.put_some();
    let writer = Writer::start(lab.members.clone());

    let inventory_arg = inventory.to_str().unwrap();
    let journal_arg = journal.to_str().unwrap();
    let mut args = vec!["upgrade", "--inventory", inventory_arg, "--runbook", "etcd-minor", "--journal", journal_arg];
    args.extend(VARS);
    let mut wizard = Wizard::start(&args, &journal);

    // The first host: the wizard is killed in the middle of the install.
    let (first, first_host) = wizard.walk_until("the first install to run", installing);
    assert!(wizard.shows().contains("install"), "{}", wizard.shows());
    wizard.child.kill().unwrap();
    wizard.child.wait().unwrap();

    // It goes on where it was. On the second host the connection is cut in the middle of the install.
    let mut wizard = Wizard::start(&["resume", journal_arg], &journal);
    let (second, second_host) = wizard.walk_until("the second install to run", |state, records| {
        installing(state, records).filter(|(id, _)| *id != first)
    });
    lab.ssh(&second_host, "pkill -KILL -f 'sshd: core'");

    wizard.walk_until("the session to end", |state, _| state.outcome.clone());
    wizard.press("q");
    let status = wizard.child.wait().unwrap();
    keys.extend(writer.stop().written);

    let records = wizard.records();
    let state = State::of(&records);
    assert_eq!(state.outcome, Some(Outcome::Completed));
    assert!(status.success(), "{status:?}");
    let expected: String = (1..=30).map(|n| format!("line {n}\n")).collect();
    for (task, host) in [(first, first_host), (second, second_host)] {
        let lines: String =
            output_of(&records, task).split_inclusive('\n').filter(|line| line.starts_with("line ")).collect();
        assert_eq!(lines, expected, "on {host}");
        assert_eq!(lab.ssh(&host, "cat /var/tmp/installs"), "ran", "the install ran once on {host}");
    }
    let mut intended: BTreeMap<String, u32> = BTreeMap::new();
    for record in &records {
        if let Event::JobIntended { job, .. } = &record.event {
            *intended.entry(job.to_string()).or_default() += 1;
        }
    }
    assert!(intended.values().all(|count| *count == 1), "{intended:?}");
    lab.assert_upgraded(&keys);
}

#[test]
fn a_real_cluster_that_wants_certificates_goes_from_3_4_to_3_5_the_leader_last() {
    let Some(lab) = Lab::up("https") else { return };
    let stranger = Command::new("curl").args(["-sk", "https://10.99.47.11:2379/version"]).output().unwrap();
    assert!(!stranger.status.success(), "without a certificate nobody is answered");
    // A host without etcdctl asks the gateway, which wants the certificate as well.
    lab.ssh("lab3", "mv /usr/local/bin/etcdctl /usr/local/bin/aside");
    let seen = lab.status();
    lab.ssh("lab3", "mv /usr/local/bin/aside /usr/local/bin/etcdctl");
    for host in 0..3 {
        let facts = &seen["hosts"][host]["facts"];
        let etcd = &facts["etcd"];
        assert!(facts["problems"].is_null(), "{}", facts["problems"]);
        assert!(etcd["raft_index"].is_u64() && etcd["alarms"] == serde_json::json!([]), "{etcd}");
        assert_eq!(etcd["members"].as_array().map(Vec::len), Some(3), "{etcd}");
    }
    // The first of the inventory leads, which would be taken first if nobody looked.
    let said = |host: (&str, &str)| lab.members.ask(host.1, "/v2/stats/self", None).unwrap();
    let leader = HOSTS[0].0;
    if let Some((leads, _)) = HOSTS.into_iter().find(|host| said(*host).contains("StateLeader"))
        && leads != leader
    {
        let first: serde_json::Value = serde_json::from_str(&said(HOSTS[0])).unwrap();
        lab.etcdctl(leads, &format!("move-leader {}", first["id"].as_str().unwrap()));
    }
    assert!(said(HOSTS[0]).contains("StateLeader"), "{}", said(HOSTS[0]));
    let scratch = tempfile::tempdir().unwrap();
    let journal = scratch.path().join("session.jsonl");
    let inventory = lab.dir.join("inventory.yaml");
    let mut keys = lab.members.put_some();
    let writer = Writer::start(lab.members.clone());

    let mut args = vec!["upgrade", "--inventory", inventory.to_str().unwrap(), "--runbook", "etcd-minor"];
    args.extend(["--journal", journal.to_str().unwrap()]);
    args.extend(VARS);
    let mut wizard = Wizard::start(&args, &journal);
    wizard.walk_until("the session to end", |state, _| state.outcome.clone());
    wizard.press("q");
    let status = wizard.child.wait().unwrap();
    let writes = writer.stop();
    keys.extend(writes.written);

    let records = wizard.records();
    let state = State::of(&records);
    assert_eq!(state.outcome, Some(Outcome::Completed));
    assert!(status.success(), "{status:?}");
    lab.assert_upgraded(&keys);
    let mut began: Vec<(&str, &str, Timestamp)> = Vec::new();
    let mut ended: Vec<(&str, &str, Timestamp)> = Vec::new();
    for record in &records {
        let (Event::JobIntended { task, .. } | Event::TaskDone { task, .. }) = &record.event else { continue };
        let (row, step, _) = state.task(*task).unwrap();
        if ["stop", "start", "start-last"].contains(&step.name.as_str()) {
            let list = if matches!(record.event, Event::TaskDone { .. }) { &mut ended } else { &mut began };
            list.push((step.name.as_str(), row.host.as_str(), record.at));
        }
    }
    let order: Vec<(&str, &str)> = began.iter().map(|(step, host, _)| (*step, *host)).collect();
    let (second, third) = (HOSTS[1].0, HOSTS[2].0);
    let expected = [("stop", second), ("start", second), ("stop", third), ("start", third), ("stop", leader)];
    assert_eq!(order, [&expected[..], &[("start-last", leader)]].concat());
    // A member refuses writes only while it is taken itself.
    for (host, at) in &writes.refused {
        let from = began.iter().find(|(step, whose, _)| *step == "stop" && whose == host).unwrap().2;
        let to = ended.iter().find(|(step, whose, _)| step.starts_with("start") && whose == host).unwrap().2;
        assert!((from..=to).contains(at), "{host} refused a write at {at}, and was taken from {from} to {to}");
    }
    let told = std::fs::read_to_string(&journal).unwrap();
    assert!(!told.contains("PRIVATE KEY"));
    for name in ["ca", "client", "lab1", "lab2", "lab3"] {
        let key = std::fs::read_to_string(lab.dir.join("tls").join(name).with_extension("key")).unwrap();
        let secret = key.lines().find(|line| !line.starts_with('-')).unwrap();
        assert!(!told.contains(secret), "the key of {name} stands in the journal");
    }
}

#[test]
fn what_a_real_ostree_has_deployed_is_seen() {
    let Some(lab) = Lab::up("http") else { return };
    let deploy = |version: &str| {
        let output = Command::new("tests/lab/ostree.sh").arg(&lab.dir).args(["lab2", version]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let older = deploy("27.1");
    let newer = deploy("27.2");
    assert_eq!((older.len(), newer.len()), (64, 64));
    lab.ssh("lab2", "ostree admin pin 1");

    let status = lab.status();
    let facts = |host: usize| &status["hosts"][host]["facts"];
    let deployments: Vec<(&str, &str, bool)> = facts(1)["ostree"]["deployments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (row["checksum"].as_str().unwrap(), row["version"].as_str().unwrap(), row["pinned"].as_bool().unwrap())
        })
        .collect();
    assert_eq!(deployments, [(&*newer, "27.2", false), (&*older, "27.1", true)]);
    assert!(facts(0).is_object() && facts(0)["ostree"].is_null(), "a host without a sysroot has none");
}
