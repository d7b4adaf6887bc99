//! The conditions of the runbook `etcd-minor`, judged on the facts of a cluster that is half way through.

// Helpers of tests are tests too, which clippy does not see.
#![allow(clippy::unwrap_used)]

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
    let inventory_source = Source::file(std::path::Path::new("i.yaml"), INVENTORY);
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
