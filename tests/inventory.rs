//! `inventory import` and `inventory init`, as their user meets them.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without may end it")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn lockkeeper(dir: &Path, args: &[&str], answers: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lockkeeper"))
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn an_imported_inventory_can_be_planned_with() {
    let dir = tempfile::tempdir().unwrap();
    let hosts = "[etcd]\netcd[1:3] ansible_user=core ansible_become_pass=hunter2\n[others]\nodd\n";
    std::fs::write(dir.path().join("hosts"), hosts).unwrap();
    let output = lockkeeper(dir.path(), &["inventory", "import", "--ansible", "hosts", "--name", "prod"], "");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("ansible_become_pass: a secret") && said.contains("host odd"), "{said}");
    let yaml = text(&output.stdout);
    assert!(!yaml.contains("hunter2") && !said.contains("hunter2"));
    std::fs::write(dir.path().join("cluster.yaml"), yaml).unwrap();
    let vars = ["--var", "target=3.5.32", "--var", "previous=3.4.37"];
    let mut args = vec!["plan", "-i", "cluster.yaml", "-r", "etcd-minor"];
    args.extend(vars);
    let output = lockkeeper(dir.path(), &args, "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("etcd3"));
}

#[test]
fn what_cannot_be_imported_ends_with_two() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("hosts"), "[etcd\n").unwrap();
    for args in [&["--ansible", "hosts"][..], &["--ansible", "none"], &["--ssh-config", "none"]] {
        let mut all = vec!["inventory", "import"];
        all.extend(args);
        let output = lockkeeper(dir.path(), &all, "");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{args:?}");
    }
}

#[test]
fn answers_become_an_inventory() {
    let dir = tempfile::tempdir().unwrap();
    // A bad cluster, user, bastion, name or address, a name twice and a role that is none are asked again.
    let answers =
        "???x y\nprod\n-oops\ncore\na@\n\netcd 1\netcd1\n10.0.0.999\n10.0.0.1\nboss\netcd, control-plane\netcd1\n\n\n";
    let output = lockkeeper(dir.path(), &["inventory", "init"], answers);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for expected in [
        "`???x y` cannot name a cluster",
        "begin with a dash",
        "`a@` is not a bastion",
        "`etcd 1` cannot name a host",
        "`10.0.0.999` is not an address",
        "one or more of",
        "there is a host `etcd1` already",
    ] {
        assert!(said.contains(expected), "does not say `{expected}`:\n{said}");
    }
    let yaml = std::fs::read_to_string(dir.path().join("cluster.yaml")).unwrap();
    assert!(yaml.contains("cluster: prod") && yaml.contains("user: core") && yaml.contains("control-plane"), "{yaml}");
    // Nobody answers any more: nothing is written.
    let output = lockkeeper(dir.path(), &["inventory", "init"], "other\n\n\nhost\n");
    assert_eq!(output.status.code(), Some(2));
    assert!(std::fs::read_to_string(dir.path().join("cluster.yaml")).unwrap().contains("prod"));
    // What is there is not written over without a yes.
    let output = lockkeeper(dir.path(), &["inventory", "init"], "other\n\n\nhost\n\nworker\n\n\nno\n");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(std::fs::read_to_string(dir.path().join("cluster.yaml")).unwrap().contains("prod"));
}

#[test]
fn what_cannot_be_carried_over_is_told_where_it_stands() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    std::fs::create_dir(dir.path().join("group_vars")).unwrap();
    write("hosts", "[etcd]\na ansible_user='x y'\nb! ansible_host=10.0.0.999\n\nc ansible_port=no\n");
    write("group_vars/etcd.yml", "x: y\nansible_ssh_common_args: -J -bad\n");
    let ansible = lockkeeper(dir.path(), &["inventory", "import", "--ansible", "hosts", "--name", "?"], "");
    write("config", "Host a\n  HostName 10.0.0.1\n  User x y\nHost b\n  HostName 1.2.3\n");
    let from_ssh = ["inventory", "import", "--ssh-config", "config", "--role", "*=etcd"];
    let ssh = lockkeeper(dir.path(), &from_ssh, "");
    for (output, expected) in [
        (
            ansible,
            &[
                "--name: `?`",
                "hosts:2: user: `x y`",
                "hosts:3: name: `b!`",
                "hosts:3: address: `10.0.0.999`",
                "hosts:5: port: `no`",
                "group_vars/etcd.yml:2: jump: `-bad`",
            ][..],
        ),
        (ssh, &["config:3: user: `x y`", "config:5: address: `1.2.3`"]),
    ] {
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
        for expected in expected {
            assert!(said.contains(expected), "does not say `{expected}`:\n{said}");
        }
        // Every file that is named is there.
        for place in said.lines().filter_map(|line| line.split_once(": ")).map(|(place, _)| place) {
            let file = place.split(':').next().unwrap();
            assert!(file == "--name" || dir.path().join(file).exists(), "there is no {file}:\n{said}");
        }
    }
}
