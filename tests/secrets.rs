//! A secret of a real session on this machine: everything that stays of it, or is shown, is searched for the value.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without may end it")]

mod common;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assert_cmd::Command;
use common::{keys, said, text};
use crossterm::event::Event as Input;
use indexmap::IndexMap;
use lockkeeper::documents::{self, Source};
use lockkeeper::engine::{Intent, gate_view};
use lockkeeper::hosts::{self, Links};
use lockkeeper::journal::{self, Writer};
use lockkeeper::model::event::{Event, Mode};
use lockkeeper::model::state::Phase;
use lockkeeper::model::{Plan, Secret, Secrets, State, TaskId};
use lockkeeper::probe::Request;
use lockkeeper::runner::{Clock, Recorder, Runner, Setup};
use lockkeeper::ui::{self, UiState};

const CANARY: &str = "canary 7f3a'unlikely";
const TASK: TaskId = TaskId(0);

/// Says its secret in every way that a script does by mistake, and in pieces: each goes on once the one before was taken.
const RUNBOOK: &str = r#"runbook: leaky
title: A script that tells what it knows
vars:
  word: {about: the word, secret: true, required: true}
probe:
  lines: {DIR/seen: [needle]}
stages:
  - stage: one
    title: One
    hosts: etcd
    steps:
      - step: tell
        title: Tell
        push: {path: DIR/there, from: new, mode: '0600'}
        run: |
          set -x
          echo "$word"; printf %s "$word" | base64
          set +x
          printf 'one\ncanary 7f'; read -r _ <DIR/taken; printf "3a'unli%s\ntwo\n%s%s" kely 'canary 7f' "3a'unli"; read -r _ <DIR/taken; echo 'kely'
          echo 'kubeadm join 10.0.0.1:6443 --token abcdef.0123456789abcdef'
          printf -- 'three\n-----BEGIN RSA PRIVATE KEY-----\nMIIEhush\n'; read -r _ <DIR/taken; echo '-----END RSA PRIVATE KEY-----'
          curl_said='Authorization: Bearer hush-hush-hush'; echo "$curl_said"
          echo "$word" >DIR/brought
        fetch: {path: DIR/brought, name: brought}
        undo: 'true'
"#;

fn plan(dir: &Path) -> Plan {
    let inventory = Source::file(
        &dir.join("i.yaml"),
        "cluster: c\nvars: {word: {from: 'env:WORD'}}\nhosts: [{name: here, roles: etcd, connection: local}]\n",
    );
    let runbook = Source::file(&dir.join("r.yaml"), RUNBOOK.replace("DIR", &dir.display().to_string()));
    let (hosts, steps) = (documents::read_inventory(&inventory), documents::read_runbook(&runbook));
    let (hosts, steps) = (hosts.unwrap_or_else(|why| panic!("{why}")), steps.unwrap_or_else(|why| panic!("{why}")));
    documents::plan::build(&hosts, &inventory, &steps, &runbook, &[]).unwrap_or_else(|why| panic!("{why}"))
}

async fn until(runner: &mut Runner, what: impl Fn(&Runner) -> bool) {
    let walk = async {
        while !what(runner) {
            runner.changed().await.unwrap();
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(60), walk).await.is_ok(), "{:?}", runner.state().tasks);
}

/// Every file below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The session, walked to its end; the directories of journal and host.
async fn walked(dir: &Path) -> State {
    std::fs::write(dir.join("seen"), format!("needle {CANARY}\n")).unwrap();
    std::fs::write(dir.join("there"), format!("{CANARY}\npassword: hush-hush-hush\nplain\n")).unwrap();
    std::fs::write(dir.join("new"), "plain\n").unwrap();
    let taken = dir.join("taken");
    assert!(std::process::Command::new("mkfifo").arg(&taken).status().unwrap().success());
    // Open to be read as well, so that nothing here waits for whoever reads it.
    let mut taken = std::fs::File::options().read(true).write(true).open(taken).unwrap();
    let plan = plan(dir);
    let host = plan.inventory.hosts[0].clone();
    let links = Links::new().unwrap().rootless(dir.join("host").display().to_string());
    let request = Request::for_host(&host, &plan.runbook.probe, &plan.vars[&host.name]);
    let operate = hosts::operate(&plan.inventory, &host, &links);
    let mut recorder =
        Recorder::new(State::default(), Some(Writer::create(&dir.join("s.jsonl")).unwrap()), Clock::Real);
    let started = Event::SessionStarted {
        session: "s".into(),
        mode: Mode::Upgrade,
        version: "0".into(),
        operator: "o".into(),
        inventory: Box::new(plan.inventory.clone()),
        plan: Some(Box::new(plan)),
    };
    recorder.record(started).unwrap();
    let values = BTreeMap::from([("word".to_owned(), Secret::new(CANARY))]);
    let setup = Setup {
        hosts: IndexMap::from([(host.name.clone(), (operate, request.script()))]),
        artifacts: dir.join("artifacts"),
        operator: "o".into(),
        seat: "s".into(),
        interval: Duration::from_millis(500),
        secrets: Secrets::from([(host.name, values)]),
    };
    let mut runner = Runner::new(recorder, setup);
    until(&mut runner, |runner| {
        let gate = gate_view(runner.state(), TASK, runner.now());
        let compared = runner.state().tasks[TASK.index()].phase == Phase::Gate && runner.state().seq > 6;
        compared && gate.is_some_and(|gate| gate.refusal.is_none())
    })
    .await;
    runner.submit(&Intent::Note { text: format!("its word is {CANARY}") }).unwrap().unwrap();
    runner.submit(&Intent::OpenGate { task: TASK, typed: None, shown_ms: None, together: None }).unwrap().unwrap();
    for last in ["one", "two", "three"] {
        // The piece behind this line came with it, and is kept back.
        let told = |runner: &Runner| {
            let log = &runner.state().host(&"here".into()).unwrap().log;
            log.lines().iter().any(|line| line.text == last)
        };
        until(&mut runner, told).await;
        taken.write_all(b"\n").unwrap();
    }
    until(&mut runner, |runner| runner.state().outcome.is_some()).await;
    let state = runner.state().clone();
    runner.close().await.unwrap();
    links.close().await;
    state
}

/// All that can be seen of a journal: every frame, and at the end all that keys bring up.
fn frames(journal: &Path) -> String {
    let (mut state, mut seen) = (State::default(), String::new());
    let mut ui = UiState::default();
    for record in journal::read(journal).unwrap().records {
        state.apply(&record);
        seen += &text(&ui::frame(&state, state.now, &mut ui, (160, 60)));
    }
    for key in keys("iLcn<esc>?") {
        ui.at += Duration::from_millis(600);
        let _ = ui::press(&state, state.now, &mut ui, &Input::Key(key));
        seen += &text(&ui::frame(&state, state.now, &mut ui, (160, 60)));
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_in_nothing_that_stays_and_on_nothing_that_shows() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let state = walked(dir).await;
    let printed = files(&dir.join("host")).into_iter().find(|file| file.ends_with("out")).unwrap();
    let printed = std::fs::read_to_string(printed).unwrap();
    assert!(printed.contains(CANARY), "what the host has is as the script printed it: {printed}");
    let journal = std::fs::read_to_string(dir.join("s.jsonl")).unwrap();
    assert!(journal.contains("‹redacted›") && journal.contains("env:WORD"), "{journal}");
    assert_eq!(state.outcome, Some(lockkeeper::model::event::Outcome::Completed));
    assert_eq!(std::fs::read_to_string(dir.join("artifacts/here-brought")).unwrap(), format!("{CANARY}\n"));

    let host: Vec<_> = files(&dir.join("host")).into_iter().filter(|file| !file.ends_with("out")).collect();
    let surfaces = [
        ("journal", journal),
        ("screen", frames(&dir.join("s.jsonl"))),
        ("plan", documents::print::plan_text(&plan(dir))),
        (
            "names of files",
            files(&dir.join("artifacts")).iter().chain(&host).map(|file| file.display().to_string()).collect(),
        ),
        (
            "what stays on the host",
            host.iter()
                .map(|file| String::from_utf8_lossy(&std::fs::read(file).unwrap_or_default()).into_owned())
                .collect(),
        ),
    ];
    let leaked = ["canary 7f3a", "unlikely", "Y2FuYXJ5", "CANARY"];
    for (surface, text) in &surfaces {
        for value in leaked {
            assert!(!text.contains(value), "{value} in the {surface}: {text}");
        }
    }
    for value in ["hush-hush-hush", "abcdef.0123456789abcdef", "MIIEhush"] {
        let outputs: String =
            state.host(&"here".into()).unwrap().log.lines().iter().map(|line| line.text.clone() + "\n").collect();
        assert!(!outputs.contains(value), "{value}: {outputs}");
    }
}

const GOLDEN: &str = "tests/journals/container-linux.jsonl";

fn lockkeeper(words: &[&str], status: i32) -> (String, String) {
    said(Command::new(env!("CARGO_BIN_EXE_lockkeeper")).args(words), status)
}

#[test]
fn a_redacted_journal_plays_and_does_not_pass_for_the_real_one() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let mut writer = Writer::create(Path::new(&path("real"))).unwrap();
    let golden = journal::read(Path::new(GOLDEN)).unwrap().records;
    let at = golden[0].at;
    writer.append(at, golden[0].event.clone(), false).unwrap();
    // One token in two pieces, and one in a reason.
    for (offset, text) in [(0, "join --token abcdef.01234"), (25, "56789abcdef now\n")] {
        let output = Event::JobOutput { task: TASK, offset, bytes: text.len() as u64, text: text.into() };
        writer.append(at, output, false).unwrap();
    }
    let reason = "etcd1 at 10.15.3.11 wants zyxwvu.9876543210zyxwvu".to_owned();
    writer.append(at, Event::ProbeFailed { host: "etcd1".into(), reason }, true).unwrap();
    let head = journal::Store::head(&writer).to_string();
    drop(writer);

    lockkeeper(&["journal", "redact", &path("real"), "-o", &path("copy")], 0);
    let copy = std::fs::read_to_string(path("copy")).unwrap();
    for gone in ["abcdef.01234", "56789abcdef", "zyxwvu"] {
        assert!(!copy.contains(gone), "{gone}: {copy}");
    }
    assert!(
        copy.contains("join --token ‹redacted›") && copy.contains("\" now\\n\"") && copy.contains("10.15.3.11"),
        "{copy}"
    );
    assert_eq!(std::fs::metadata(path("copy")).unwrap().permissions().mode() & 0o777, 0o600);
    let (told, _) = lockkeeper(&["journal", "verify", &path("copy")], 0);
    assert!(told.contains("redacted") && told.contains(&head), "{told}");
    lockkeeper(&["journal", "verify", &path("copy"), "--head", &head], 1);
    let (_, why) = lockkeeper(&["resume", &path("copy")], 2);
    assert!(why.contains("redacted copy"), "{why}");
    lockkeeper(&["replay", &path("copy"), "--print"], 0);
    lockkeeper(&["journal", "redact", &path("real"), "-o", &path("copy")], 1);
}

#[test]
fn names_go_where_that_is_asked_and_the_session_stays_the_same() {
    let (copy, _) = lockkeeper(&["journal", "redact", GOLDEN, "--names"], 0);
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("copy");
    std::fs::write(&path, &copy).unwrap();
    let (was, is) = (journal::read(Path::new(GOLDEN)).unwrap().records, journal::read(&path).unwrap().records);
    let (was, is) = (State::of(&was), State::of(&is));
    assert_eq!((was.outcome, was.seq), (is.outcome.clone(), is.seq));
    let inventory = &is.session.as_ref().unwrap().inventory;
    for host in &was.session.as_ref().unwrap().inventory.hosts {
        let name = format!("\"{}\"", host.name);
        assert!(!copy.contains(&name), "{name}");
        assert!(!copy.contains(host.address()), "{}", host.address());
    }
    assert!(inventory.hosts.iter().all(|host| host.name.as_str().starts_with("host")), "{inventory:?}");
    lockkeeper(&["replay", path.to_str().unwrap(), "--print"], 0);
}
