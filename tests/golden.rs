//! Journals that were written once and stay as they are: every kind of event is in one of them, and what they come to is what it
//! always was.
//!
//! A new kind of event goes into `every_kind`, and into a journal beside the old ones:
//! `cargo test --test golden -- --ignored` writes one under a name that is not there yet.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without may end it")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use lockkeeper::journal::{self, Writer};
use lockkeeper::model::diff::{Comparison, There};
use lockkeeper::model::event::{FailedAt, JobKind, Outcome};
use lockkeeper::model::{Digest, Event, Facts, HostName, Record, State, TaskId, patch};

const FIRST: &str = "tests/journals/container-linux.jsonl";

fn golden() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("tests/journals").unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = entries.collect();
    all.sort();
    all
}

/// The names of all kinds of events, as the type itself tells them to whoever gets one wrong.
fn kinds() -> BTreeSet<String> {
    let error = serde_json::from_str::<Event>(r#"{"type": "none of them"}"#).unwrap_err().to_string();
    error.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_kind_of_event_is_in_a_golden_journal() {
    let mut missing = kinds();
    assert!(missing.len() > 30 && missing.contains("beat"), "{missing:?}");
    for path in golden() {
        for line in std::fs::read_to_string(path).unwrap().lines().skip(1) {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            missing.remove(line["event"]["type"].as_str().unwrap());
        }
    }
    assert!(missing.is_empty(), "in no golden journal: {missing:?}");
}

#[test]
fn golden_journals_come_to_what_they_always_came_to() {
    for path in golden() {
        let journal = journal::read(&path).unwrap();
        let known = |record: &Record| !matches!(record.event, Event::Unknown(_));
        assert!(journal.records.iter().all(known), "{}: no kind of it was ever given up", path.display());
        let state = State::of(&journal.records);
        let name = path.file_stem().unwrap().to_str().unwrap();
        insta::assert_snapshot!(format!("golden-{name}"), told(&state));
    }
}

/// What a state says of its session, one thing a line: all that a journal of any age has.
fn told(state: &State) -> String {
    let mut lines = vec![format!(
        "{} events until {}; {} unknown; paused: {}; window until {:?}; outcome {:?}",
        state.seq, state.now, state.unknown_events, state.paused, state.window_until, state.outcome
    )];
    for (name, host) in &state.hosts {
        let seen = host.facts.as_ref();
        let facts = seen.map(|seen| Digest::of(serde_json::to_string(&seen.facts).unwrap().as_bytes()));
        lines.push(format!(
            "{name}: {:?}; facts {:.12} seen {:?}, asked {:?}; stale {:?}; barred {:?}; rebooted {:?}; changed {:?}",
            host.link,
            facts.as_ref().map_or("none", Digest::as_str),
            seen.map(|seen| seen.at.to_string()),
            seen.map(|seen| seen.asked),
            host.stale,
            host.barred,
            host.rebooted.map(|at| at.to_string()),
            host.changed.iter().map(|(section, at)| format!("{section} {at}")).collect::<Vec<_>>(),
        ));
    }
    for (id, task) in state.task_ids().zip(&state.tasks) {
        lines.push(format!(
            "{}: {:?} since {}; {} runs, {} undos; job {:?}; {} files pushed, {} compared; took {:?}",
            state.label(id),
            task.phase,
            task.since_seq,
            task.attempts,
            task.undo_attempts,
            task.job,
            task.pushed.len(),
            task.compared.len(),
            task.took,
        ));
    }
    lines.extend(state.notes.iter().map(|note| format!("note: {}", note.text)));
    lines.extend(state.artifacts.iter().map(|artifact| format!("artifact: {artifact:?}")));
    lines.join("\n")
}

/// A session in which everything happens, on the plan of the first golden journal.
#[expect(clippy::too_many_lines, reason = "a session is one list")]
fn every_kind() -> Vec<Event> {
    let records = journal::read(Path::new(FIRST)).unwrap().records;
    let facts_of = |host: &HostName| {
        records.iter().find_map(|record| match &record.event {
            Event::FactsSeen { host: seen, facts, .. } if seen == host => Some((**facts).clone()),
            _ => None,
        })
    };
    let started = records[0].event.clone();
    let state = State::of(&records[..1]);
    let plan = state.plan.as_ref().unwrap();
    let pushing = plan.tasks.iter().find(|task| !task.pushes.is_empty()).unwrap();
    let push = pushing.pushes[0].clone();
    let (first, pushes) = (TaskId(0), pushing.id);
    let host = plan.tasks[0].host.clone();
    let facts = facts_of(&host).unwrap();
    let moved = Facts { clock_ms: Some(400), swap: None, ..facts.clone() };
    let rebooted = Facts { boot_id: Some("another boot".into()), ..moved.clone() };
    let changes = patch::between(&facts, &moved).unwrap();
    let name = |host: &HostName| host.clone();
    let (others, at): (Vec<HostName>, Timestamp) =
        (state.hosts.keys().filter(|other| **other != host).cloned().collect(), records[0].at);
    let job = |id: TaskId, what: &str| format!("lk-{id}-{what}").as_str().into();
    let sha256 = Digest::of(b"content");
    let window = Event::WindowSet { from: Some(at), until: at + SignedDuration::from_hours(4) };
    let checks = Vec::new();
    let opened = |task: TaskId, typed: Option<&str>, shown_ms: Option<u64>| Event::GateOpened {
        task,
        typed: typed.map(str::to_owned),
        checks: checks.clone(),
        boot_id: Some("a boot".into()),
        shown_ms,
    };
    let mut events = vec![started, window, Event::HostLost { host: name(&host), reason: "no answer".into() }];
    events.extend(state.hosts.keys().map(|host| Event::HostConnected { host: host.clone() }));
    events.extend(others.iter().map(|host| {
        let facts = Box::new(facts_of(host).unwrap());
        Event::FactsSeen { host: host.clone(), asked: 3, facts }
    }));
    events.extend([
        Event::HostBarred { host: name(&host), reason: "held by another".into() },
        Event::LeaseTaken { host: name(&host), from: Some("somebody, session s".into()) },
        Event::FactsSeen { host: name(&host), asked: 9, facts: Box::new(facts) },
        Event::GateShown { task: first },
        Event::FactsConfirmed { host: name(&host), asked: 18 },
        Event::FactsChanged { host: name(&host), asked: 19, changes },
        Event::Beat { asked: 20, seen: at + SignedDuration::from_secs(20), hosts: vec![], but: vec![name(&host)] },
        Event::Beat { asked: 21, seen: at + SignedDuration::from_secs(21), hosts: others[..2].to_vec(), but: vec![] },
        Event::WorkPaused,
        Event::NoteAdded { text: "a moment".into() },
        Event::WorkContinued,
        opened(first, None, None),
        Event::JobIntended { task: first, kind: JobKind::Run, job: job(first, "run-1") },
        Event::JobUncertain { task: first, reason: "the connection was lost".into() },
        Event::JobStarted { task: first },
        Event::JobOutput { task: first, offset: 0, bytes: 5, text: "said\n".into() },
        Event::JobEndOrdered { task: first },
        Event::JobEndRefused { task: first, reason: "not now".into() },
        Event::JobEndOrdered { task: first },
        Event::JobEndSent { task: first },
        Event::JobFinished { task: first, exit: 0 },
        Event::FileMoved { task: first, path: "/backup".into(), bytes: 5, total: 10 },
        Event::ArtifactFetched {
            task: first,
            path: "/backup".into(),
            to: "/kept/backup".into(),
            bytes: 10,
            sha256: sha256.clone(),
        },
        Event::VerifyStarted { task: first },
        Event::TaskDone { task: first, checks: checks.clone() },
        Event::GateShown { task: pushes },
        Event::FileCompared {
            task: pushes,
            path: push.path.clone(),
            comparison: Box::new(Comparison { there: There::Nothing, lines: Vec::new(), more: 0 }),
        },
        Event::PushEdited { task: pushes, file: Box::new(push.clone()) },
        opened(pushes, Some("etcd1"), Some(2_500)),
        Event::FilePushed { task: pushes, path: push.path, sha256 },
        Event::JobIntended { task: pushes, kind: JobKind::Run, job: job(pushes, "run-1") },
        Event::JobStarted { task: pushes },
        Event::SessionResumed { operator: "another@vm".into() },
        Event::HostConnected { host: name(&host) },
        Event::JobAbsent { task: pushes },
        Event::FactsSeen { host: name(&host), asked: 51, facts: Box::new(rebooted) },
        Event::HostRebooted { host: name(&host), ordered: false },
        Event::RebootAccepted { host: name(&host) },
        Event::GateShown { task: pushes },
        opened(pushes, Some("etcd1"), None),
        Event::JobIntended { task: pushes, kind: JobKind::Run, job: job(pushes, "run-2") },
        Event::JobInterrupted { task: pushes, rebooted: true },
        Event::TaskFailed { task: pushes, at: FailedAt::Interrupted, reason: "it was killed".into() },
        Event::UndoOpened { tasks: vec![pushes] },
        Event::JobIntended { task: pushes, kind: JobKind::Undo, job: job(pushes, "undo-1") },
        Event::JobFinished { task: pushes, exit: 0 },
        Event::TaskUndone { task: pushes, checks: Vec::new() },
        Event::VarSet { task: pushes, name: "target".into(), value: "3.0.17".into(), reason: "as asked".into() },
        Event::TaskSkipped { task: pushes, reason: "done by hand".into() },
        Event::TaskNotNeeded { task: TaskId(1) },
        Event::ProbeFailed { host: others[0].clone(), reason: "it took too long".into() },
        Event::LeaseLost { host: others[1].clone(), reason: "somebody has it".into() },
        Event::SessionEnded { outcome: Outcome::Aborted { reason: "enough".into() } },
    ]);
    events
}

#[test]
fn what_is_written_anew_has_every_kind_as_well() {
    let events = every_kind();
    let told = |event: &Event| serde_json::to_value(event).unwrap()["type"].as_str().unwrap().to_owned();
    assert_eq!(events.iter().map(told).collect::<BTreeSet<_>>(), kinds());
}

#[test]
#[ignore = "writes a golden journal that is not there yet"]
fn write_one_of_every_kind() {
    let path = Path::new("tests/journals/every-kind.jsonl");
    let mut writer = Writer::create(path).unwrap();
    let begun = journal::read(Path::new(FIRST)).unwrap().records[0].at;
    for (second, event) in (0..).zip(every_kind()) {
        writer.append(begun + SignedDuration::from_secs(second), event, false).unwrap();
    }
}
