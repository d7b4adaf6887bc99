//! The conditions of the runbook `etcd-minor`, judged on the facts of a cluster that is half way through, and its comparison
//! of the members' data, run on what etcdctl prints.

// Helpers of tests are tests too, which clippy does not see.
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use jiff::Timestamp;
use lockkeeper::documents::{Source, find_runbook, plan, read_inventory, read_runbook};
use lockkeeper::engine::check::evaluate_expression;
use lockkeeper::engine::scope::Scope;
use lockkeeper::model::event::{Mode, Verdict};
use lockkeeper::model::facts::{Disk, Etcd, Facts, Member, PathFact, Unit};
use lockkeeper::model::runbook::Expression;
use lockkeeper::model::{Event, HostName, Plan, Record, State};

const INVENTORY: &str = "cluster: lab
vars: {target: 3.5.21, previous: 3.4.37, etcd_install: 'true', etcd_uninstall: 'true'}
hosts:
  - {name: etcd1, roles: etcd}
  - {name: etcd2, roles: etcd}
  - {name: etcd3, roles: etcd}
";

fn plan() -> Plan {
    let inventory_source = Source::file(Path::new("i.yaml"), INVENTORY);
    let inventory = read_inventory(&inventory_source).unwrap();
    let runbook_source = find_runbook("etcd-minor").unwrap();
    let runbook = read_runbook(&runbook_source).unwrap();
    plan::build(&inventory, &inventory_source, &runbook, &runbook_source, &[]).unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// What a probe sees on a member that runs this version, or is stopped.
fn facts(number: usize, server: Option<&str>, on_disk: &str) -> Facts {
    let members =
        (1..=3).map(|n| Member { id: format!("a{n}"), name: format!("etcd{n}"), ..Member::default() }).collect();
    let runs = server.is_some();
    let etcd = Etcd {
        server: server.map(str::to_owned),
        cluster: runs.then(|| "3.4.0".to_owned()),
        healthy: Some(runs),
        id: runs.then(|| format!("a{number}")),
        leader: runs.then_some(number == 1),
        raft_index: runs.then_some(1000),
        members: runs.then_some(members),
        alarms: runs.then(Vec::new),
        db_bytes: runs.then_some(50_000_000),
        on_disk: Some(on_disk.to_owned()),
        ..Etcd::default()
    };
    let unit = Unit { active: if runs { "active" } else { "inactive" }.into(), ..Unit::default() };
    let path = |fs: &str| PathFact { exists: true, fs: fs.into(), ..PathFact::default() };
    Facts {
        etcd: Some(etcd),
        units: [("etcd.service".to_owned(), unit)].into(),
        paths: ["/var/lib/etcd", "/var/lib/etcd/member", "/var/lib"].map(|at| (at.to_owned(), path("ext4"))).into(),
        disks: [("/".to_owned(), Disk { fs: "ext4".into(), size_kib: 1 << 24, free_kib: 1 << 23, free_inodes: None })]
            .into(),
        ..Facts::default()
    }
}

fn state(plan: &Plan, seen: [Facts; 3]) -> State {
    let mut events = vec![Event::SessionStarted {
        session: "s".into(),
        mode: Mode::Practice,
        version: "0".into(),
        operator: "o".into(),
        inventory: Box::new(plan.inventory.clone()),
        plan: Some(Box::new(plan.clone())),
    }];
    for (host, facts) in ["etcd1", "etcd2", "etcd3"].into_iter().zip(seen) {
        events.push(Event::FactsSeen { host: HostName::from(host), asked: 1, facts: Box::new(facts) });
    }
    let records = events.into_iter().zip(1..).map(|(event, seq)| Record { seq, at: Timestamp::UNIX_EPOCH, event });
    State::of(&records.collect::<Vec<_>>())
}

/// The verdict on each of a task's conditions.
fn verdicts(
    state: &State,
    label: &str,
    which: impl Fn(&lockkeeper::model::runbook::Step) -> Vec<Expression>,
) -> Vec<(String, Verdict)> {
    let plan = state.plan.as_ref().unwrap();
    let task = plan.tasks.iter().find(|task| plan.label(task.id) == label).unwrap();
    let scope = Scope::new(state, Some(task.id), 0, Timestamp::UNIX_EPOCH);
    which(plan.step_of(task)).into_iter().map(|that| (that.0.clone(), evaluate_expression(&that, &scope).0)).collect()
}

fn require(state: &State, label: &str) -> Vec<(String, Verdict)> {
    verdicts(state, label, |step| step.require.iter().map(|check| check.that.clone()).collect())
}

fn needed(state: &State, label: &str) -> Verdict {
    verdicts(state, label, |step| step.only_if.clone().into_iter().collect()).remove(0).1
}

#[track_caller]
fn all_pass(verdicts: &[(String, Verdict)]) {
    assert!(!verdicts.is_empty());
    for (that, verdict) in verdicts {
        assert_eq!(*verdict, Verdict::Pass, "{that}");
    }
}

#[test]
fn a_sound_cluster_passes_the_preflight_and_an_unsound_one_does_not() {
    let plan = plan();
    let sound = |n| facts(n, Some("3.4.37"), "3.4.37");
    let state_of = |third: Facts| state(&plan, [sound(1), sound(2), third]);
    all_pass(&require(&state_of(sound(3)), "preflight/ready on etcd1"));
    all_pass(&require(&state_of(sound(3)), "members/health on etcd2"));
    let fails = |third: Facts, word: &str| {
        let verdicts = require(&state_of(third), "preflight/ready on etcd1");
        let failed: Vec<_> = verdicts.iter().filter(|(_, verdict)| *verdict != Verdict::Pass).collect();
        assert!(failed.iter().any(|(that, _)| that.contains(word)), "{word}: {failed:?}");
    };
    fails(facts(3, None, "3.4.37"), "m.healthy");
    let mut other = sound(3);
    let change = |etcd: &mut Etcd| {
        etcd.cluster = Some("3.3.0".into());
        etcd.alarms = Some(vec!["NOSPACE".into()]);
    };
    other.etcd.as_mut().map(change).unwrap();
    fails(other.clone(), "alarms");
    fails(other, "startsWith");
    let mut second_leader = sound(3);
    second_leader.etcd.as_mut().unwrap().leader = Some(true);
    fails(second_leader, "m.leader");
}

#[test]
fn the_last_member_is_the_point_of_no_return_and_no_other() {
    let plan = plan();
    let new = |n| facts(n, Some("3.5.21"), "3.5.21");
    let old = |n| facts(n, Some("3.4.37"), "3.4.37");
    let stopped = |n| facts(n, None, "3.5.21");

    let second = state(&plan, [old(1), stopped(2), new(3)]);
    assert_eq!(needed(&second, "members/start on etcd2"), Verdict::Pass);
    assert_eq!(needed(&second, "members/start-last on etcd2"), Verdict::Fail);
    all_pass(&require(&second, "members/start on etcd2"));

    let last = state(&plan, [stopped(1), new(2), new(3)]);
    assert_eq!(needed(&last, "members/start on etcd1"), Verdict::Fail);
    assert_eq!(needed(&last, "members/start-last on etcd1"), Verdict::Pass);
    let missing: Vec<_> = require(&last, "members/start-last on etcd1")
        .into_iter()
        .filter(|(_, verdict)| *verdict != Verdict::Pass)
        .map(|(that, _)| that)
        .collect();
    assert_eq!(missing, ["session.artifacts.exists(a, a.host == host.name && a.bytes > 0)"], "no backup, no return");

    let done = state(&plan, [new(1), new(2), new(3)]);
    for step in ["health", "backup", "install", "stop", "start", "start-last"] {
        assert_eq!(needed(&done, &format!("members/{step} on etcd1")), Verdict::Fail, "{step}");
    }
}

/// A program that the script calls, in a directory of its own.
fn program(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// How the step `same-data` ends in a cluster of three, when etcdctl answers so: what it prints of hashes and its exit
/// status, once after another and the last for ever.
fn same_data(answers: &[(&str, i32)]) -> (bool, String) {
    let dir = tempfile::tempdir().unwrap();
    for (number, (answer, status)) in answers.iter().enumerate() {
        program(dir.path(), &format!("answer-{number}"), &format!("echo '[{answer}]'\nexit {status}\n"));
    }
    let last = answers.len() - 1;
    let etcdctl = format!(
        r#"case "$*" in
*"member list") echo '{{"header":{{"cluster_id":1}},"members":[{{"ID":1,"name":"a"}},{{"ID":2,"name":"b"}},{{"ID":3,"name":"c"}}]}}' ;;
*"endpoint status") echo '[{{"Endpoint":"x","Status":{{"header":{{"member_id":1,"revision":812,"raft_term":3}},"version":"3.5.21"}}}}]' ;;
*"endpoint hashkv --cluster --rev 812")
  asked=$(cat "$0.asked" 2>/dev/null || echo 0)
  echo $((asked + 1)) >"$0.asked"
  if [ "$asked" -gt {last} ]; then asked={last}; fi
  exec "${{0%/*}}/answer-$asked" ;;
*) exit 64 ;;
esac
"#
    );
    program(dir.path(), "etcdctl", &etcdctl);
    program(dir.path(), "sleep", "");
    let runbook = read_runbook(&find_runbook("etcd-minor").unwrap()).unwrap();
    let step = runbook.stages.iter().flat_map(|stage| &stage.steps).find(|step| step.name == "same-data").unwrap();
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-euc", step.run.as_ref().unwrap()])
        .envs([
            ("PATH", path.as_str()),
            ("etcd_endpoint", "x"),
            ("etcd_cacert", ""),
            ("etcd_cert", ""),
            ("etcd_key", ""),
        ])
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A member's answer.
fn hash(hash: u64, compacted: i64) -> String {
    format!(
        r#"{{"Endpoint":"x","HashKV":{{"header":{{"revision":900}},"hash":{hash},"compact_revision":{compacted},"hash_revision":812}}}}"#
    )
}

#[test]
fn members_hold_the_same_data_only_if_each_has_said_so_of_the_same_history() {
    let all = |hashes: [(u64, i64); 3]| hashes.map(|(h, compacted)| hash(h, compacted)).join(",");
    let same = all([(77, 500), (77, 500), (77, 500)]);
    let never_compacted = all([(77, -1), (77, -1), (77, -1)]);
    let differ = all([(77, 500), (77, 500), (78, 500)]);
    // Hashes of different histories differ in members that are well.
    let compacting = all([(77, 500), (77, 500), (91, 700)]);
    let two = [hash(77, 500), hash(77, 500)].join(",");
    assert!(same_data(&[(&same, 0)]).0);
    assert!(same_data(&[(&never_compacted, 0)]).0);
    assert!(same_data(&[(&compacting, 0), (&two, 1), ("", 1), (&same, 0)]).0, "asked again");
    let (passed, why) = same_data(&[(&differ, 0), (&same, 0)]);
    assert!(!passed && why.contains("do not hold the same data"), "{why}");
    for (answer, status) in
        [("", 0), ("", 1), (two.as_str(), 0), (two.as_str(), 1), (same.as_str(), 1), (compacting.as_str(), 0)]
    {
        let (passed, why) = same_data(&[(answer, status)]);
        assert!(!passed && why.contains("no hashes that can be compared"), "{answer} {status}: {why}");
    }
}
