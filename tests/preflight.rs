//! `preflight`, as its user meets it.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without may end it")]

use std::fs;
use std::path::Path;

use assert_cmd::Command;

fn go(args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_lockkeeper")).arg("preflight").args(args).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What is done to a config.
type Change = fn(String) -> String;

/// What is said of the cluster of the first runbook, with a config of one host changed.
fn with_config(way: &str, change: impl Fn(String) -> String) -> (Option<i32>, String) {
    let configs = tempfile::tempdir().unwrap();
    for entry in fs::read_dir("assets/practice/container-linux").unwrap().map(Result::unwrap) {
        let text = fs::read_to_string(entry.path()).unwrap();
        let text = if entry.file_name() == "etcd2.yaml" { change(text) } else { text };
        fs::write(configs.path().join(entry.file_name()), text).unwrap();
    }
    let (dir, way) = (format!("config_dir={}", configs.path().display()), format!("way={way}"));
    let runbook = "etcd-2-to-3-container-linux";
    go(&["--cluster", "container-linux", "-r", runbook, "--var", &dir, "--var", &way])
}

#[test]
fn a_wrong_config_is_no_go_the_day_before() {
    for way in ["drop-in", "first-boot"] {
        let (status, said) = with_config(way, |text| text);
        assert_eq!(status, Some(0), "{way}: {said}");
        let wrong: [(Change, &str); 3] = [
            (|text| text.replace("http://10.15.4.182:2380\n", "http://10.15.4.199:2380\n"), "peer address"),
            (|_| fs::read_to_string("assets/practice/container-linux/etcd3.yaml").unwrap(), "the name that it has now"),
            (|text| text.replace("version: 3.0.17", "version: 3.3.1"), "target version"),
        ];
        for (change, words) in wrong {
            let (status, said) = with_config(way, change);
            let line = said.lines().find(|line| line.contains("does not hold") && line.contains(words));
            assert!(status == Some(1) && line.is_some(), "{way}, {words}: {said}");
            assert!(said.contains("no-go    etcd2") && !said.contains("no-go    etcd1"), "{said}");
        }
    }
    let wiped = "storage:\n  disks:\n    - {device: /dev/sdb, wipe_table: true}\n";
    let (status, said) = with_config("first-boot", |text| text + wiped);
    assert!(status == Some(1) && said.contains("nothing in the config formats, wipes or partitions"), "{said}");
}

#[test]
fn what_only_a_gate_can_tell_is_listed_with_it() {
    let (status, said) = go(&["--cluster", "etcd", "-r", "etcd-minor"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("told at their gates") && said.contains("  members/stop  "), "{said}");
    let (_, said) = go(&["--cluster", "etcd", "-r", "etcd-minor", "--output", "json"]);
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    let later = report["checks"].as_array().unwrap().iter().filter(|check| check["told_at"] == "members/stop");
    assert!(later.count() > 0, "{said}");
}

#[test]
fn a_program_that_a_script_calls_and_the_host_lacks_is_no_go() {
    let scratch = tempfile::tempdir().unwrap();
    let runbook = scratch.path().join("r.yaml");
    let steps = "      - {step: a, title: Call it, run: 'frobnicate --all', undo: 'true'}\n";
    let text = "runbook: r\ntitle: R\nstages:\n  - stage: s\n    title: S\n    hosts: etcd\n    steps:\n";
    fs::write(&runbook, format!("{text}{steps}")).unwrap();
    let (status, said) = go(&["--cluster", "etcd", "-r", path(&runbook)]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("missing = frobnicate (Call it)"), "{said}");
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_preflight_is_go_or_no_go_and_names_a_dead_host_once() {
    let (status, said) = go(&["--cluster", "arch-arm", "--runbook", "kubeadm-minor"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("\nGO: ") && said.contains("looked at: Root, Facts, "), "{said}");
    let (status, said) = go(&["--cluster", "system-containers", "--runbook", "system-containers-deploy"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("there is a cluster already") && said.contains("NO-GO: 3 of"), "{said}");
    let scratch = tempfile::tempdir().unwrap();
    let inventory = scratch.path().join("cluster.yaml");
    fs::write(&inventory, "cluster: x\nhosts:\n  - {name: a, address: 127.0.0.1, roles: worker, ssh: {port: 1}}\n")
        .unwrap();
    let (status, said) = go(&["-i", inventory.to_str().unwrap(), "--wait", "5", "--output", "json"]);
    assert_eq!(status, Some(1), "{said}");
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((report["verdict"].as_str(), report["checks"].as_array().unwrap().len()), (Some("no-go"), 1), "{said}");
    assert_eq!(report["unseen"][0]["host"], "a");
    assert_eq!(go(&["--runbook", "etcd-minor"]).0, Some(2), "whose hosts?");
}
