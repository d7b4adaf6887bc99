//! Every built-in runbook on every practice cluster that it names, to its promised end; and where something is wrong, to
//! the end that it should come to.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without may end it")]

use std::process::Command;
use std::sync::Mutex;

use lockkeeper::documents::{builtin_runbooks, find_runbook, preflight, read_runbook};
use lockkeeper::model::runbook::Check;
use lockkeeper::practice::Kind;
use serde_json::Value;

/// How `practice --auto` ends: its exit status and its line of summary.
fn practised(runbook: &str, cluster: &str, more: &[&str]) -> (Option<i32>, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_lockkeeper"))
        .args(["practice", "--auto", "--output", "json", "--runbook", runbook, "--cluster", cluster])
        .args(more)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let summary = serde_json::from_str(&said).unwrap_or_else(|_| {
        panic!("{runbook} on {cluster}: {said}{}", String::from_utf8_lossy(&output.stderr));
    });
    (output.status.code(), summary)
}

/// Does all of them, two at a time, and tells all that went wrong.
fn each<T: Sync>(cases: &[T], check: impl Fn(&T) -> Result<(), String> + Sync) {
    let next = Mutex::new(cases.iter());
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(case) = next.lock().unwrap().next() else { return };
                    if let Err(error) = check(case) {
                        wrong.lock().unwrap().push(error);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_runbook_keeps_its_promise_on_every_cluster_it_names_also_when_all_is_done_twice_and_each_stage_taken_back() {
    let mut cases = Vec::new();
    for (name, _) in builtin_runbooks() {
        let runbook = read_runbook(&find_runbook(name).unwrap()).unwrap();
        assert!(!runbook.practice.is_empty(), "{name} names no cluster to practise it on");
        for cluster in runbook.practice.keys() {
            assert!(Kind::from_word(cluster).is_some(), "{name}: there is no practice cluster `{cluster}`");
            cases.push((name, cluster.clone()));
        }
    }
    each(&cases, |(name, cluster)| match practised(name, cluster, &["--take-back", "--twice"]) {
        (Some(0), _) => Ok(()),
        (_, summary) => Err(format!("{name} on {cluster}: {summary}")),
    });
}

/// What goes wrong on the way, and how it ends.
const WAYS: &[(&str, &str, &[&str], &str, &str)] = &[
    // Something comes in the way, and is got over.
    ("kubeadm-minor", "arch-arm", &["--fault", "c2-worker0:budget-blocks"], "completed", ""),
    ("kubeadm-minor", "arch-arm", &["--fault", "c2-master0:connection-drop"], "completed", ""),
    ("kubeadm-minor", "arch-arm", &["--fault", "c2-worker1:lost-ack"], "completed", ""),
    ("etcd-minor", "etcd", &["--fault", "etcd2:member-unhealthy"], "completed", ""),
    ("etcd-minor", "etcd", &["--fault", "etcd1:wont-start"], "completed", ""),
    ("etcd-minor", "etcd", &["--fault", "etcd3:slow-start"], "completed", ""),
    ("etcd-minor", "etcd", &["--fault", "etcd3:corrupt-fetch"], "completed", ""),
    ("flatcar-update", "flatcar", &["--fault", "flatcar-1:reboot-hangs"], "completed", ""),
    ("fedora-coreos-update", "fedora-coreos", &["--fault", "fcos-cp:probe-timeouts"], "completed", ""),
    ("system-containers-update", "system-containers", &["--fault", "atomic-master-1:lost-ack"], "completed", ""),
    // Another way is walked, with all of it taken back once.
    (
        "etcd-2-to-3-container-linux",
        "container-linux",
        &["--var", "onward=3.1.20 3.2.32", "--take-back"],
        "completed",
        "",
    ),
    (
        "etcd-2-to-3-container-linux",
        "container-linux",
        &["--var", "way=first-boot", "--take-back", "--twice"],
        "completed",
        "",
    ),
    // Something is refused, and nothing was begun.
    ("etcd-2-to-3-container-linux", "container-linux", &["--var", "onward=3.2.32"], "stuck", "none left out"),
    ("etcd-2-to-3-container-linux", "container-linux", &["--var", "target=3.1.20"], "stuck", "3.0 release"),
    ("kubeadm-minor", "arch-arm", &["--var", "target=1.13.0"], "stuck", "one minor above the API server"),
    ("kubeadm-minor", "arch-arm", &["--var", "delete_local_data=no"], "stuck", "emptyDir"),
    ("kubeadm-minor", "arch-arm", &["--var", "cri_socket=/var/run/dockershim.sock"], "stuck", "annotation"),
    ("kubeadm-minor", "arch-arm", &["--var", "patches=/root/patches"], "stuck", "kubeadm's patches"),
    ("etcd-minor", "etcd", &["--var", "target=3.6.0"], "stuck", "one minor version above"),
    ("etcd-minor", "etcd", &["--var", "target=3.7.1"], "stuck", "one minor version above"),
    ("etcd-minor", "etcd", &["--var", "target=3.5.1"], "stuck", "those were allowed"),
    ("etcd-minor", "kubeadm", &["--var", "floor_before_3_6=3.5.32"], "stuck", "the floor set for 3.5"),
    ("flatcar-update", "flatcar", &["--var", "release=9999.0.0"], "failed", "exit status 1"),
    ("fedora-coreos-update", "fedora-coreos", &["--var", "release=99.0"], "failed", "exit status 1"),
    (
        "atomic-27-package-layering",
        "fedora-atomic",
        &["--fault", "atomic-master-1:package-gone"],
        "failed",
        "exit status 1",
    ),
    ("atomic-27-system-containers", "fedora-atomic-layered", &["--var", "unlayer="], "stuck", "to be unlayered"),
    ("system-containers-deploy", "system-containers", &[], "stuck", "member directory"),
    ("arch-kubernetes-build", "arch-arm", &["--var", "crio_version=1.12.0"], "stuck", "PKGBUILD"),
];

#[test]
fn what_goes_wrong_ends_as_it_should() {
    each(WAYS, |(runbook, cluster, more, outcome, why)| {
        let (status, summary) = practised(runbook, cluster, more);
        let said = summary["why"].as_str().unwrap_or_default();
        let right =
            summary["outcome"] == *outcome && said.contains(why) && (status == Some(0)) == (*outcome == "completed");
        if right { Ok(()) } else { Err(format!("{runbook} on {cluster} {more:?}: {summary}")) }
    });
}

/// What is wrong with the sentence of a check. Beside a ✓ or a ✗ in a frame of 80 columns it has 74, and it says what is
/// so when the check holds, and never what somebody has to do.
fn wrong_sentence(check: &Check) -> Option<&'static str> {
    let says = check.says.as_str();
    let first = says.split(' ').next().unwrap_or_default();
    let name = first.starts_with('/') || first.contains('_') || (first.len() > 1 && first == first.to_uppercase());
    let word = |wanted: &str| says.split(|c: char| !c.is_alphanumeric()).any(|word| word == wanted);
    match says {
        "" => Some("it has no sentence"),
        _ if !name && !says.starts_with(char::is_lowercase) => Some("it begins with neither a small letter nor a name"),
        _ if says.ends_with('.') => Some("it ends with a full stop"),
        _ if word("must") || word("should") || says.contains("has to") || says.contains("have to") => {
            Some("it says what has to be, not what is")
        }
        _ if says.chars().count() > 74 => Some("it does not fit on one line of 80 columns"),
        _ if says == check.because => Some("it is its own reason"),
        _ => None,
    }
}

#[test]
fn every_check_says_a_sentence_that_is_true_when_it_holds() {
    let mut wrong = Vec::new();
    for source in builtin_runbooks().map(|(name, _)| find_runbook(name).unwrap()).chain([preflight()]) {
        let runbook = read_runbook(&source).unwrap();
        let steps = runbook.stages.iter().flat_map(|stage| &stage.steps);
        let lists = steps.flat_map(|step| [(step.name.as_str(), &step.require), (step.name.as_str(), &step.verify)]);
        for (step, checks) in lists.chain([("promise", &runbook.promise)]) {
            for (number, check) in checks.iter().enumerate() {
                let twice = checks[..number].iter().any(|other| other.says == check.says);
                let what = wrong_sentence(check).or(twice.then_some("another check of this list says the same"));
                wrong.extend(what.map(|what| format!("{}: {step}: `{}`: {what}", runbook.name, check.says)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
