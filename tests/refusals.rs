//! Every check that a built-in runbook asks before a gate can shut that gate: in a session that went well, with one thing
//! about a host, a variable, the config or the session other than it was, the gate is refused and says why.
//!
//! A check that nothing can make fail guards nothing.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "what a test cannot do without may end it, and it may speak"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use lockkeeper::documents::{builtin_runbooks, find_runbook, read_runbook};
use lockkeeper::engine::check::{evaluate, names_in};
use lockkeeper::engine::gate_view;
use lockkeeper::engine::scope::Scope;
use lockkeeper::model::event::{Event, Verdict};
use lockkeeper::model::state::Phase;
use lockkeeper::model::{Facts, HostName, Record, Role, State, TaskId};
use serde_json::{Value, json};

/// A check: its step, and what it says. A step that stands in several stages counts once.
type Check = (String, String);

/// What `practice --auto` recorded.
fn recorded(runbook: &str, cluster: &str, more: &[String], journal: &Path) -> Vec<Record> {
    let output = Command::new(env!("CARGO_BIN_EXE_lockkeeper"))
        .args(["practice", "--auto", "--runbook", runbook, "--cluster", cluster, "--journal"])
        .arg(journal)
        .args(more)
        .output()
        .unwrap();
    assert!(output.status.success(), "{runbook} on {cluster}: {}", String::from_utf8_lossy(&output.stdout));
    lockkeeper::journal::read(journal).unwrap().records
}

/// Every way in which one leaf of a value can be other than it is, below the keys that matter; also what the check names.
fn otherwise(value: &Value, named: &[&str], each: &mut impl FnMut(&Value) -> bool) -> bool {
    fn leaves(value: &Value, at: &mut Vec<String>, all: &mut Vec<Vec<String>>) {
        all.push(at.clone());
        let inner: Vec<(String, &Value)> = match value {
            Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
            Value::Array(items) => items.iter().enumerate().map(|(n, value)| (n.to_string(), value)).collect(),
            _ => Vec::new(),
        };
        for (key, value) in inner {
            at.push(key.replace('~', "~0").replace('/', "~1"));
            leaves(value, at, all);
            at.pop();
        }
    }
    let mut all = Vec::new();
    leaves(value, &mut Vec::new(), &mut all);
    let mut changed = value.clone();
    for path in all {
        let pointer: String = path.iter().map(|key| format!("/{key}")).collect();
        let was = value.pointer(&pointer).unwrap().clone();
        let others = match &was {
            Value::Bool(truth) => vec![json!(!truth)],
            Value::Number(number) => {
                let number = number.as_i64().unwrap_or_default();
                vec![json!(0), json!(-1), json!(number + 1), json!(1_000_000_000)]
            }
            Value::String(text) => {
                let more = format!("{text}x");
                let made = ["", "0.0.0", "99.99.99", &more, "x 99.99.99 masked"];
                made.into_iter().chain(named.iter().copied()).map(|other| json!(other)).collect()
            }
            Value::Array(items) => {
                let mut more = items.clone();
                more.extend(items.first().cloned().or(Some(json!("x"))));
                vec![json!([]), Value::Array(more)]
            }
            Value::Object(map) => {
                let mut more = map.clone();
                more.insert("other".into(), map.values().next().cloned().unwrap_or(json!("x")));
                vec![json!({}), Value::Object(more)]
            }
            Value::Null => Vec::new(),
        };
        for other in others {
            *changed.pointer_mut(&pointer).unwrap() = other;
            if each(&changed) {
                return true;
            }
        }
        *changed.pointer_mut(&pointer).unwrap() = was;
        // Gone altogether.
        if let Some((last, above)) = path.split_last() {
            let above: String = above.iter().map(|key| format!("/{key}")).collect();
            let mut without = value.clone();
            if let Some(Value::Object(map)) = without.pointer_mut(&above)
                && map.remove(&last.replace("~1", "/").replace("~0", "~")).is_some()
                && each(&without)
            {
                return true;
            }
        }
    }
    false
}

/// Takes an event in, at the moment that the state has come to.
fn happen(state: &mut State, event: Event) {
    state.apply(&Record { seq: state.seq, at: state.now, event });
}

/// Whether something other than it was makes the gate be refused by this very check.
fn can_be_shut(state: &State, id: TaskId, number: usize) -> bool {
    let (task, step, _) = state.task(id).unwrap();
    let text = &step.require[number].that.0;
    let named: Vec<&str> = text.split('\'').skip(1).step_by(2).collect();
    // The one check is asked first, because a whole gate costs more.
    let shut = |state: &State| {
        // What cannot be told is shut as well, and would be so for a check that is always true.
        let judged = evaluate(&step.require[number], &Scope::new(state, Some(id), 0, state.now));
        let fails = judged.verdict == Verdict::Fail;
        fails && gate_view(state, id, state.now).is_none_or(|gate| gate.refusal.is_some())
    };
    // The session: nothing brought back, or all of it passed over by hand.
    let mut bare = state.clone();
    for task in state.artifacts.iter().map(|artifact| artifact.task) {
        happen(&mut bare, Event::TaskUndone { task, checks: Vec::new() });
        happen(&mut bare, Event::TaskDone { task, checks: Vec::new() });
    }
    let mut skipped = state.clone();
    for task in state.task_ids().filter(|id| state.tasks[id.index()].phase == Phase::Done) {
        happen(&mut skipped, Event::TaskSkipped { task, reason: "by hand".into() });
    }
    // The inventory: the host has every role.
    let mut everything = state.clone();
    let session = everything.session.as_mut().unwrap();
    for host in Arc::make_mut(&mut session.inventory).hosts.iter_mut().filter(|host| host.name == task.host) {
        host.roles = vec![Role::Etcd, Role::ControlPlane, Role::Worker, Role::Build];
    }
    if [bare, skipped, everything].iter().any(shut) {
        return true;
    }
    // The values of variables.
    for name in state.plan.as_ref().unwrap().vars_of(task).keys().filter(|name| text.contains(&format!("vars.{name}")))
    {
        for value in ["", "no", "0.0.1", "99.99.99", "x"].into_iter().chain(named.iter().copied()) {
            let mut other = state.clone();
            let plan = Arc::make_mut(other.plan.as_mut().unwrap());
            plan.vars.get_mut(&task.host).unwrap().insert(name.clone(), value.into());
            plan.runbook.stages[task.stage].vars.entry(name.clone()).and_modify(|word| *word = value.into());
            // A path that it names is looked at, and nothing is there.
            if let Some(seen) = other.hosts.get_mut(&task.host).and_then(|host| host.facts.as_mut()) {
                Arc::make_mut(&mut seen.facts).paths.entry(value.into()).or_default();
            }
            if shut(&other) {
                return true;
            }
        }
    }
    // The config that is pushed.
    let config = task.pushes.iter().position(|push| push.config.is_some());
    if let Some(at) = config.filter(|_| text.contains("config.")) {
        let mut config = task.pushes[at].config.clone().unwrap();
        config["destructive"] = json!([]);
        let found = otherwise(&config, &named, &mut |config| {
            let mut other = state.clone();
            let plan = Arc::make_mut(other.plan.as_mut().unwrap());
            plan.tasks[id.index()].pushes[at].config = Some(config.clone());
            shut(&other)
        });
        if found {
            return true;
        }
    }
    // What was seen: on the host itself first, then on the others.
    let mut hosts: Vec<HostName> = state.hosts.keys().cloned().collect();
    hosts.sort_by_key(|host| *host != task.host);
    let matters = |key: &str| {
        let of_cluster = (text.contains("etcd.") && key == "etcd") || (text.contains("kube.") && key == "kube");
        of_cluster || text.contains(key)
    };
    hosts.iter().any(|host| {
        let Some(seen) = state.hosts[host].facts.clone() else { return false };
        let all = serde_json::to_value(&*seen.facts).unwrap();
        let keys: Vec<String> = all.as_object().unwrap().keys().filter(|key| matters(key)).cloned().collect();
        keys.iter().any(|key| {
            otherwise(&all[key], &named, &mut |part| {
                let mut changed = all.clone();
                changed[key] = part.clone();
                let Ok(facts) = serde_json::from_value::<Facts>(changed) else { return false };
                let mut other = state.clone();
                other.hosts.get_mut(host).unwrap().facts.as_mut().unwrap().facts = Arc::new(facts);
                // What all of them have to say alike is said by all of them.
                shut(&other) || shut(&on_all(&other, key, part))
            })
        })
    })
}

/// The state in which a section of the facts is the same on every host that has it.
fn on_all(state: &State, key: &str, part: &Value) -> State {
    let mut other = state.clone();
    for seen in other.hosts.values_mut().filter_map(|host| host.facts.as_mut()) {
        let mut all = serde_json::to_value(&*seen.facts).unwrap();
        if let Some(held) = all.get_mut(key) {
            *held = part.clone();
            seen.facts = Arc::new(serde_json::from_value(all).unwrap());
        }
    }
    other
}

/// On hosts of which nothing is known no check holds that asks about a host: neither of a gate, nor of what a step should
/// bring about, nor of the promise.
fn assert_nothing_holds_unseen(state: &State, id: TaskId) {
    let mut unseen = state.clone();
    for host in unseen.hosts.values_mut() {
        host.facts = None;
    }
    let (_, step, _) = unseen.task(id).unwrap();
    let promise = &unseen.plan.as_ref().unwrap().runbook.promise;
    let of_task = step.require.iter().chain(&step.verify).map(|check| (check, Some(id)));
    let mut asked = 0;
    for (check, task) in of_task.chain(promise.iter().map(|check| (check, None))) {
        let of_hosts = |name: &&str| ["host", "hosts", "etcd", "kube"].contains(name);
        if names_in(&check.that).iter().any(of_hosts) {
            asked += 1;
            let judged = evaluate(check, &Scope::new(&unseen, task, 0, unseen.now));
            assert!(!judged.passed(), "{}: holds of hosts that nobody has seen: {}", step.name, check.that.0);
        }
    }
    assert!(asked > 0, "{}: no promise asks about a host", step.name);
}

/// The checks of a session's gates that nothing could shut, and how many there were.
fn unshut(records: &[Record], proven: &mut BTreeSet<Check>, missed: &mut BTreeSet<Check>) {
    let mut state = State::default();
    for record in records {
        if let Event::GateOpened { task: id, .. } = &record.event {
            let mut at = state.clone();
            at.now = record.at;
            let (_, step, current) = at.task(*id).unwrap();
            assert_eq!(current.phase, Phase::Gate);
            assert_nothing_holds_unseen(&at, *id);
            for (number, check) in step.require.iter().enumerate() {
                let key = (step.name.clone(), check.that.0.clone());
                if proven.contains(&key) {
                    continue;
                }
                if can_be_shut(&at, *id, number) {
                    missed.remove(&key);
                    proven.insert(key);
                } else {
                    missed.insert(key);
                }
            }
        }
        state.apply(record);
    }
}

#[test]
fn every_check_of_every_built_in_runbook_can_shut_its_gate() {
    let scratch = tempfile::tempdir().unwrap();
    let names: Vec<&str> = builtin_runbooks().map(|(name, _)| name).collect();
    let next = Mutex::new(names.iter());
    let told = Mutex::new((Vec::new(), 0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(name) = next.lock().unwrap().next() else { return };
                    let runbook = read_runbook(&find_runbook(name).unwrap()).unwrap();
                    let mut ways: Vec<(String, Vec<String>)> =
                        runbook.practice.keys().map(|cluster| (cluster.clone(), Vec::new())).collect();
                    if *name == "etcd-2-to-3-container-linux" {
                        let given = |values: &[&str]| {
                            let args = values.iter().flat_map(|value| ["--var".to_owned(), (*value).to_owned()]);
                            ("container-linux".to_owned(), args.collect())
                        };
                        ways.push(given(&["way=first-boot", "onward=3.1.20"]));
                        ways.push(given(&["way=first-boot", "first_boot_by=console"]));
                    }
                    let (mut proven, mut missed) = (BTreeSet::new(), BTreeSet::new());
                    for (number, (cluster, more)) in ways.iter().enumerate() {
                        let journal = scratch.path().join(format!("{name}-{number}.jsonl"));
                        unshut(&recorded(name, cluster, more, &journal), &mut proven, &mut missed);
                    }
                    let mut told = told.lock().unwrap();
                    told.1 += proven.len();
                    told.0
                        .extend(missed.iter().map(|(step, that)| format!("{name}: {step}: nothing shuts it: {that}")));
                }
            });
        }
    });
    let (wrong, proven) = told.into_inner().unwrap();
    eprintln!("{proven} checks can shut their gates");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(proven > 200, "only {proven} checks were met");
}

#[test]
fn a_control_plane_whose_own_api_server_is_down_is_no_end_of_an_upgrade() {
    let scratch = tempfile::tempdir().unwrap();
    for (runbook, cluster, host) in [
        ("kubeadm-minor", "kubeadm", "cp2"),
        ("flatcar-update", "flatcar", "flatcar-cp"),
        ("fedora-coreos-update", "fedora-coreos", "fcos-cp"),
    ] {
        let journal = scratch.path().join(format!("{runbook}.jsonl"));
        let mut state = State::of(&recorded(runbook, cluster, &[], &journal));
        let promise = state.plan.as_ref().unwrap().runbook.promise.clone();
        let kept = |state: &State| {
            promise.iter().filter(|check| evaluate(check, &Scope::new(state, None, 0, state.now)).passed()).count()
        };
        assert_eq!(kept(&state), promise.len());
        let seen = state.hosts.get_mut(&HostName::from(host)).unwrap().facts.as_mut().unwrap();
        let mut facts = (*seen.facts).clone();
        facts.api_server.as_mut().unwrap().answers = false;
        seen.facts = Arc::new(facts);
        assert_eq!(kept(&state), promise.len() - 1, "{runbook}: {host}");
    }
}

#[test]
fn flatcar_is_rebooted_into_the_release_that_was_given_and_into_no_other() {
    let scratch = tempfile::tempdir().unwrap();
    let mut state = State::default();
    let mut gates = 0;
    for record in recorded("flatcar-update", "flatcar", &[], &scratch.path().join("flatcar.jsonl")) {
        if let Event::GateOpened { task, .. } = &record.event {
            let mut other = state.clone();
            let (task, step) = other.task(*task).map(|(task, step, _)| (task.clone(), step.clone())).unwrap();
            if step.name == "reboot" {
                gates += 1;
                let passed = |state: &State| {
                    let scope = Scope::new(state, Some(task.id), 0, record.at);
                    step.require.iter().filter(|check| evaluate(check, &scope).passed()).count()
                };
                let before = passed(&other);
                let seen = other.hosts.get_mut(&task.host).unwrap().facts.as_mut().unwrap();
                let mut facts = (*seen.facts).clone();
                facts.updates.as_mut().unwrap().new_version = Some("4081.2.0".into());
                seen.facts = Arc::new(facts);
                assert_eq!(passed(&other), before - 1);
            }
        }
        state.apply(&record);
    }
    assert_eq!(gates, 3);
}
