//! What practice takes, which stands in `assets/usual.yaml` for whoever has no times of their own yet.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without may end it")]

use std::collections::BTreeMap;
use std::process::Command;

use lockkeeper::documents::{builtin_runbooks, find_runbook, read_runbook};
use lockkeeper::model::State;
use lockkeeper::model::runbook::Runbook;
use lockkeeper::ui::usual::Usual;

const FILE: &str = "assets/usual.yaml";

const HEAD: &str = "\
# How many seconds each step takes in practice, from its gate to the end of its verification, and the parts of its reboot.
# Shown as `simulated 0:04` until a session of one's own has told. Written by
#
#     cargo test --test usual -- --ignored
#
# which walks every built-in runbook on every practice cluster that it names; the median of all hosts counts.
";

/// Other ways through a runbook than the usual one, so that the steps of these are come by as well.
const MORE_WAYS: &[(&str, &str, &str)] = &[
    ("etcd-2-to-3-container-linux", "container-linux", "way=first-boot"),
    ("etcd-2-to-3-container-linux", "container-linux", "onward=3.1.20 3.2.32"),
];

type Times = BTreeMap<String, BTreeMap<String, u32>>;

fn runbooks() -> impl Iterator<Item = Runbook> {
    builtin_runbooks().map(|(name, _)| read_runbook(&find_runbook(name).unwrap()).unwrap())
}

/// Takes in how long the steps of one walk took.
fn walk(usual: &mut Usual, runbook: &str, cluster: &str, var: Option<&str>) {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("walk.jsonl");
    let output = Command::new(env!("CARGO_BIN_EXE_lockkeeper"))
        .args(["practice", "--auto", "--runbook", runbook, "--cluster", cluster, "--journal"])
        .arg(&journal)
        .args(var.iter().flat_map(|var| ["--var", var]))
        .output()
        .unwrap();
    assert!(output.status.success(), "{runbook} on {cluster}: {}", String::from_utf8_lossy(&output.stdout));
    usual.learn(&State::of(&lockkeeper::journal::read(&journal).unwrap().records), true);
}

#[test]
#[ignore = "walks every runbook and writes assets/usual.yaml"]
fn write_what_practice_takes() {
    let mut usual = Usual::default();
    for runbook in runbooks() {
        runbook.practice.keys().for_each(|cluster| walk(&mut usual, &runbook.name, cluster, None));
    }
    MORE_WAYS.iter().for_each(|(runbook, cluster, var)| walk(&mut usual, runbook, cluster, Some(var)));
    let mut times = Times::new();
    for (key, mut seconds) in usual.practice {
        let (runbook, step) = key.split_once('/').unwrap();
        seconds.sort_unstable();
        times.entry(runbook.into()).or_default().insert(step.into(), seconds[seconds.len() / 2]);
    }
    std::fs::write(FILE, HEAD.to_owned() + &serde_yaml::to_string(&times).unwrap()).unwrap();
}

#[test]
fn practice_tells_of_every_runbook_and_of_no_step_that_is_not_there() {
    let times: Times = serde_yaml::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap();
    let runbooks: BTreeMap<String, Runbook> = runbooks().map(|runbook| (runbook.name.clone(), runbook)).collect();
    let mut wrong = Vec::new();
    for (name, steps) in &times {
        let Some(runbook) = runbooks.get(name) else {
            wrong.push(format!("there is no runbook {name}"));
            continue;
        };
        for key in steps.keys() {
            let mut words = key.splitn(3, '/');
            let (stage, step, part) = (words.next().unwrap(), words.next().unwrap_or_default(), words.next());
            let stage = runbook.stages.iter().find(|other| other.name == stage);
            let step = stage.and_then(|stage| stage.steps.iter().find(|other| other.name == step));
            let fits = step.is_some_and(|step| match part {
                None => true,
                Some(part) => step.reboots && ["going-down", "away", "checks"].contains(&part),
            });
            if !fits {
                wrong.push(format!("{name} has no step {key}"));
            }
        }
    }
    wrong.extend(runbooks.keys().filter(|name| !times.contains_key(*name)).map(|name| format!("nothing about {name}")));
    assert!(wrong.is_empty(), "{FILE} is not up to date, its head says how to write it:\n{}", wrong.join("\n"));
}
