//! `lockkeeper ignition`: what is written where, and the exit statuses.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without may end it")]

mod common;

use std::path::Path;

use assert_cmd::Command;

/// Standard output and error of `lockkeeper ignition ARGS FILE`.
fn said(args: &[&str], file: &Path, status: i32) -> (String, String) {
    common::said(Command::new(env!("CARGO_BIN_EXE_lockkeeper")).arg("ignition").args(args).arg(file), status)
}

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ignition").join(name)
}

#[test]
fn a_config_is_converted_for_the_spec_that_was_asked_for() {
    for spec in ["2.0.0", "2.3.0"] {
        let (out, err) = said(&["convert", "--spec", spec], &fixture("storage.yaml"), 0);
        assert_eq!((out.lines().count(), err.as_str()), (1, ""));
        let expected = std::fs::read_to_string(fixture(&format!("storage.{spec}.json"))).unwrap();
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&out), value(&expected));
        let (pretty, _) = said(&["convert", "--pretty", "--spec", spec], &fixture("storage.yaml"), 0);
        assert!(pretty.lines().count() > 50);
        assert_eq!(value(&pretty), value(&out));
    }
    let (_, err) = said(&["convert"], &fixture("metadata@ec2.yaml"), 2);
    assert!(err.contains(":2:10: `{HOSTNAME}` is filled in from a cloud's metadata"), "{err}");
    let (out, _) = said(&["convert", "--platform", "ec2"], &fixture("metadata@ec2.yaml"), 0);
    assert!(out.contains("${COREOS_EC2_HOSTNAME}"), "{out}");
}

#[test]
fn all_that_is_wrong_is_told_at_once_with_its_lines() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("clc.yaml");
    std::fs::write(&file, "etcd:\n  nam: a\nstorage:\n  files:\n    - path: etc/x\n      mode: 644\n").unwrap();
    let (out, err) = said(&["convert"], &file, 2);
    assert_eq!(out, "");
    // What would be a warning alone stands among the errors.
    for expected in [
        "clc.yaml:2:3: `etcd` has no key `nam`; did you mean `name`?",
        "clc.yaml:5:13: `path` begins with `/`",
        "clc.yaml:6:13: `644` without a leading 0",
        "  6 |       mode: 644\n    |             ^^^",
        "3 problems",
    ] {
        assert!(err.contains(expected), "does not say `{expected}`:\n{err}");
    }
    let (_, err) = said(&["convert"], &scratch.path().join("none.yaml"), 2);
    assert!(err.contains("none.yaml: cannot be read"), "{err}");
}

#[test]
fn a_cloud_config_becomes_a_draft_and_a_list_of_what_is_lost() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("user-data");
    std::fs::write(
        &file,
        "#cloud-config\nhostname: etcd1\nmanage_etc_hosts: localhost\ncoreos:\n  etcd2:\n    name: etcd1\n  fleet: {a: b}\n",
    )
    .unwrap();
    let (draft, err) = said(&["convert"], &file, 0);
    for expected in ["lost     line    3  manage_etc_hosts", "remove   line    5  coreos.etcd2", "1 lost; 2 to remove"]
    {
        assert!(err.contains(expected), "does not say `{expected}`:\n{err}");
    }
    std::fs::write(&file, draft).unwrap();
    let (out, _) = said(&["convert"], &file, 0);
    assert!(out.contains("--name=\\\"etcd1\\\""), "{out}");
    std::fs::write(&file, "#!/bin/bash\nrm -rf /\n").unwrap();
    for command in ["convert", "lint"] {
        assert_eq!(said(&[command], &file, 2).0, "");
    }
}

#[test]
fn a_lint_ends_with_what_it_found() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("x.ign");
    let config =
        |spec: &str, storage: &str| format!("{{\"ignition\": {{\"version\": \"{spec}\"}},\n\"storage\": {storage}}}");
    std::fs::write(&file, config("2.1.0", "{}")).unwrap();
    let (out, _) = said(&["lint"], &file, 0);
    assert!(out.contains("nothing in it harms a host"), "{out}");
    said(&["lint", "--os", "coreos", "--release", "1465.6.0"], &file, 0);
    let (out, _) = said(&["lint", "--os", "coreos", "--release", "1409.7.0"], &file, 1);
    assert!(out.contains("spec 2.1.0 is read from release 1465 on, and 1409.7.0 reads up to spec 2.0.0"), "{out}");
    said(&["lint", "--os", "coreos"], &file, 2);

    std::fs::write(&file, config("3.0.0", "{\"disks\": [{\"device\": \"/dev/\\u001b[2Jsda\", \"wipeTable\": true}]}"))
        .unwrap();
    let (out, _) = said(&["lint"], &file, 1);
    assert!(
        out.contains("refuse  line    2  storage.disks[0].wipeTable") && out.contains("ROOT with /var/lib/etcd"),
        "{out}"
    );
    assert!(!out.contains('\u{1b}'), "a control character reached the terminal");
    let (out, _) = said(&["lint"], &fixture("storage.yaml"), 1);
    assert!(out.contains("refuse  line   12  storage.disks[0].wipeTable"), "{out}");
    for wrong in ["{", "[]", "storage: {disk: 1}"] {
        std::fs::write(&file, wrong).unwrap();
        assert_eq!(said(&["lint"], &file, 2).0, "");
    }
}

#[test]
fn what_ct_warned_of_is_a_warning_and_an_error_where_that_is_asked_for() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("clc.yaml");
    let text = "etcd:\nupdate: {group: gamma}\nsystemd:\n  units:\n    - {name: a.service, enable: true, contents: x, contets: y}\n";
    std::fs::write(&file, text).unwrap();
    let (out, err) = said(&["convert"], &file, 0);
    assert!(out.contains("GROUP%3Dgamma") && out.contains("a.service") && !out.contains("etcd"), "{out}");
    for expected in [
        "warning: ",
        "4 warnings; with `--strict`",
        "clc.yaml:1:1: `etcd` has no value",
        "clc.yaml:2:17: `group` is stable",
        "clc.yaml:5:49: this unit is enabled",
        ":5:52: a unit has no key `contets`; did you mean `contents`?",
    ] {
        assert!(err.contains(expected), "does not say `{expected}`:\n{err}");
    }
    let (out, err) = said(&["convert", "--strict"], &file, 2);
    assert!(out.is_empty() && err.contains("4 problems"), "{err}");
    std::fs::write(&file, "").unwrap();
    let (out, err) = said(&["convert"], &file, 0);
    assert!(out.contains("\"version\":\"2.0.0\"") && err.contains("clc.yaml: is empty"), "{out}{err}");
}

#[test]
fn the_specs_are_named_in_help_and_errors_and_files_beside_the_config_are_read() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("clc.yaml");
    std::fs::write(&file, "storage: {directories: [{path: /a}]}\n").unwrap();
    let (_, err) = said(&["convert"], &file, 2);
    assert!(err.contains("use `--spec 2.1.0`") && err.contains("2.0.0, 2.1.0, 2.2.0, 2.3.0"), "{err}");
    let (_, err) = said(&["convert", "--spec", "3.0.0"], &file, 2);
    assert!(err.contains("2.0.0, 2.1.0, 2.2.0, 2.3.0"), "{err}");
    let (_, err) = said(&["convert", "--platform", "gc"], &file, 2);
    assert!(err.contains("gce") && err.contains("openstack-metadata"), "{err}");
    std::fs::write(&file, "storage: {files: [{path: /a, contents: {local: x}}]}\n").unwrap();
    std::fs::write(scratch.path().join("x"), "hello").unwrap();
    for command in ["convert", "lint"] {
        let (_, err) = said(&[command], &file, 2);
        assert!(err.contains("clc.yaml:1:48") && err.contains("--files-dir"), "{err}");
    }
    let dir = scratch.path().to_str().unwrap();
    assert!(said(&["convert", "--files-dir", dir], &file, 0).0.contains("data:,hello"));
    assert!(said(&["lint", "--files-dir", dir], &file, 1).0.contains("storage.files[0]"));
}
