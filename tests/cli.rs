//! The binary as its user meets it: arguments, exit statuses, whole practice runs, and a real terminal.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without may end it")]

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

fn lockkeeper() -> Command {
    Command::new(env!("CARGO_BIN_EXE_lockkeeper"))
}

fn said(command: &mut Command, status: i32) -> (String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(output.status.code(), Some(status), "{}{}", text(&output.stdout), text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

fn summary(args: &[&str], status: i32) -> serde_json::Value {
    let (out, _) = said(lockkeeper().args(["practice", "--auto", "--output", "json"]).args(args), status);
    serde_json::from_str(&out).unwrap()
}

#[test]
fn everything_wrong_with_the_input_is_told_at_once_and_nobody_is_contacted() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("bad.yaml");
    std::fs::write(
        &file,
        "cluster: bad\nssh:\n  usr: core\nhosts:\n  - name: a\n    roles: [etdc]\n  - name: a\n    roles: [etcd]\n",
    )
    .unwrap();
    for command in ["plan", "upgrade"] {
        let (_, err) = said(lockkeeper().arg(command).arg("-i").arg(&file).args(["-r", "etcd-minr"]), 2);
        for expected in [
            ":3:3: `ssh` has no key `usr`",
            ":6:13: `roles` cannot be `etdc`",
            ":7:11:",
            "did you mean `etcd-minor`",
            "4 problems",
        ] {
            assert!(err.contains(expected), "{command} does not say {expected}:\n{err}");
        }
    }
}

#[test]
fn a_whole_upgrade_by_drop_in_is_recorded_and_can_be_looked_at() {
    let scratch = tempfile::tempdir().unwrap();
    let journal = scratch.path().join("session.jsonl");
    let told = summary(&["--seed", "1", "--journal", journal.to_str().unwrap()], 0);
    assert_eq!((told["outcome"].as_str(), told["failed"].as_i64()), (Some("completed"), Some(0)), "{told}");
    let (frame, _) = said(lockkeeper().arg("replay").arg(&journal).args(["--print", "--size", "120x40"]), 0);
    assert!(frame.contains("Completed. Every promise of the runbook holds."), "{frame}");
    let (frame, _) =
        said(lockkeeper().arg("replay").arg(&journal).args(["--print", "--at", "1", "--size", "80x24"]), 0);
    assert!(frame.contains("0 of 60 tasks"), "{frame}");
    let (_, err) = said(lockkeeper().arg("resume").arg(&journal), 2);
    assert!(err.contains("cannot be resumed: it has ended"), "{err}");
}

#[test]
fn a_whole_upgrade_by_first_boot_survives_a_start_whose_answer_was_lost() {
    let told = summary(&["--seed", "7", "--var", "way=first-boot", "--fault", "etcd1:lost-ack"], 0);
    assert_eq!(told["outcome"], "completed", "{told}");
}

#[test]
fn an_end_that_was_not_promised_is_no_success() {
    let told = summary(&["--seed", "5", "--fault", "etcd1:disk-full"], 1);
    assert_ne!(told["outcome"], "completed", "{told}");
    let (_, err) = said(lockkeeper().args(["practice", "--auto", "--fault", "etcd9:disk-full"]), 2);
    assert!(err.contains("no such host"), "{err}");
}

#[test]
fn a_dead_host_is_named_and_the_others_go_on() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("dead.yaml");
    let text = "cluster: half\nhosts:\n  - {name: here, roles: [worker], connection: local}\n  - {name: gone, address: 127.0.0.1, roles: [etcd], ssh: {port: 1}}\n";
    std::fs::write(&file, text).unwrap();
    let (out, _) = said(lockkeeper().args(["status", "--wait", "15", "--output", "json", "-i"]).arg(&file), 1);
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(told["hosts"][0]["facts"]["boot_id"].is_string(), "{told}");
    assert_eq!(told["hosts"][1]["connection"], "lost", "{told}");
    assert!(told["hosts"][1]["reason"].as_str().unwrap().contains("refuses port 1"), "{told}");
}

#[test]
fn resume_lists_the_sessions_where_more_than_one_may_be_meant() {
    let scratch = tempfile::tempdir().unwrap();
    let sessions = scratch.path().join("lockkeeper/sessions");
    std::fs::create_dir_all(&sessions).unwrap();
    let whole = std::fs::read_to_string("tests/journals/container-linux.jsonl").unwrap();
    let whole = whole.replacen(r#""mode":"practice""#, r#""mode":"upgrade""#, 1);
    let write = |name: &str, lines: usize| {
        let text: String = whole.lines().take(lines).map(|line| format!("{line}\n")).collect();
        std::fs::write(sessions.join(name), text).unwrap();
    };
    let resume = || said(lockkeeper().arg("resume").env("XDG_STATE_HOME", scratch.path()), 2).1;
    write("ended.jsonl", usize::MAX);
    assert!(resume().contains("there is nothing to resume"), "a session that has ended is never opened");
    write("early.jsonl", 200);
    write("late.jsonl", 700);
    let list = resume();
    for words in ["which session?", "lockkeeper resume ", "early.jsonl", "late.jsonl", "42 of 60", "unfinished"] {
        assert!(list.contains(words), "{words}:\n{list}");
    }
    assert!(!list.contains("ended.jsonl"), "{list}");
}

#[test]
fn man_page_and_completions_are_made() {
    assert!(said(lockkeeper().arg("man"), 0).0.contains("lockkeeper"));
    assert!(said(lockkeeper().args(["completions", "bash"]), 0).0.contains("_lockkeeper"));
    assert!(
        said(lockkeeper().args(["runbook", "check", "etcd-minor", "etcd-2-to-3-container-linux"]), 0)
            .0
            .contains("well")
    );
}

/// Keys in a real terminal, each pressed once the screen shows what it waits for; the last screen.
fn in_a_terminal(args: &[&str], state: &Path, size: (u16, u16), play: &[(&str, &str)]) -> String {
    let size = PtySize { rows: size.1, cols: size.0, pixel_width: 0, pixel_height: 0 };
    let pty = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lockkeeper"));
    command.args(args);
    command.cwd(state);
    command.env("TERM", "xterm-256color");
    command.env("XDG_STATE_HOME", state);
    let mut child = pty.slave.spawn_command(command).unwrap();
    drop(pty.slave);
    let screen = Arc::new(Mutex::new(vt100::Parser::new(size.rows, size.cols, 0)));
    let shown = screen.clone();
    let mut output = pty.master.try_clone_reader().unwrap();
    let reader = std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = output.read(&mut bytes) {
            shown.lock().unwrap().process(&bytes[..count]);
        }
    });
    let mut keys = pty.master.take_writer().unwrap();
    let mut last = String::new();
    for (awaited, pressed) in play {
        let began = Instant::now();
        loop {
            last = screen.lock().unwrap().screen().contents();
            if last.contains(awaited) {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "waited in vain for `{awaited}`:\n{last}");
            std::thread::sleep(Duration::from_millis(20));
        }
        keys.write_all(pressed.as_bytes()).unwrap();
    }
    child.wait().unwrap();
    drop(pty.master);
    reader.join().unwrap();
    let after = screen.lock().unwrap();
    assert!(!after.screen().alternate_screen() && !after.screen().hide_cursor(), "the terminal was not given back");
    last
}

#[test]
fn a_real_terminal_is_drawn_on_and_given_back() {
    let scratch = tempfile::tempdir().unwrap();
    let play = [
        ("hold on etcd1", "?"),
        ("any key closes", "x"),
        ("Enter opens the gate", "\r"),
        ("hold on etcd2", "q"),
        ("not finished", "y"),
    ];
    in_a_terminal(&["practice"], scratch.path(), (120, 40), &play);
    let journals: Vec<_> = std::fs::read_dir(scratch.path().join("lockkeeper/sessions")).unwrap().collect();
    assert_eq!(journals.len(), 1, "the session was recorded");
}

#[test]
fn a_small_terminal_is_enough() {
    let scratch = tempfile::tempdir().unwrap();
    in_a_terminal(&["practice"], scratch.path(), (80, 24), &[("hold on etcd1", "q"), ("not finished", "y")]);
}

#[test]
fn an_inventory_is_asked_for_on_the_screen() {
    let scratch = tempfile::tempdir().unwrap();
    let play = [
        // Nobody answers at a name that cannot be; what was found out is written beside it.
        ("A new inventory", "prod\tcore\t\t\tetcd1=10.0.0.999"),
        ("✗ `10.0.0.999` is no address", "\x15etcd1=no-such-host.invalid, "),
        ("Could not resolve hostname", "\x13"),
    ];
    in_a_terminal(&["inventory", "init"], scratch.path(), (80, 24), &play);
    let yaml = std::fs::read_to_string(scratch.path().join("cluster.yaml")).unwrap();
    for words in ["cluster: prod", "user: core", "name: etcd1", "# Not seen: Could not resolve", "roles: [etcd]"] {
        assert!(yaml.contains(words), "{yaml}");
    }
    // What is there is kept, unless writing over it is said; what was typed is not thrown away by one key.
    let play = [
        ("A new inventory", "other\t\t\t\tx\t\x13"),
        ("cluster.yaml is there already", "n"),
        ("Write to", "\x1b"),
        ("Leave, and lose what was typed?", "y"),
    ];
    in_a_terminal(&["inventory", "init"], scratch.path(), (80, 24), &play);
    assert_eq!(std::fs::read_to_string(scratch.path().join("cluster.yaml")).unwrap(), yaml);
}

#[test]
fn the_start_screen_leads_to_practice_and_back() {
    let scratch = tempfile::tempdir().unwrap();
    let play = [
        ("none yet: practice makes the first", "\r"),
        ("Practice › which runbook", "/etcd-minor\r"),
        ("1 of", "\r"),
        ("on which cluster", "\r"),
        ("what goes wrong", "\r"),
        ("etcd1", "q"),
        ("not finished", "y"),
        ("● unfinished  practice-etcd", "v"),
        ("REPLAY", "q"),
        ("● unfinished  practice-etcd", "q"),
    ];
    in_a_terminal(&[], scratch.path(), (100, 30), &play);
    let (_, err) = said(&mut lockkeeper(), 2);
    assert!(err.contains("Usage: lockkeeper"), "without a terminal it is the help: {err}");
}

#[test]
fn what_stands_against_an_upgrade_is_told_with_its_fix() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("hosts.yaml");
    let text = "cluster: x\nssh: {identity: nowhere}\nhosts:\n  - {name: a, address: 127.0.0.1, roles: worker, ssh: {port: 1}}\n";
    std::fs::write(&file, text).unwrap();
    let mut doctor = lockkeeper();
    doctor
        .args(["doctor", "--output", "json", "-i"])
        .arg(&file)
        .env("XDG_STATE_HOME", scratch.path())
        .env("TERM", "dumb");
    let told: serde_json::Value = serde_json::from_str(&said(&mut doctor, 1).0).unwrap();
    let found = |words: &str| {
        let all = told["findings"].as_array().unwrap().iter();
        all.filter(|row| row["verdict"] == "wrong").any(|row| row["says"].as_str().unwrap().contains(words))
    };
    assert!(found("TERM is `dumb`") && found("nowhere cannot be found") && found("a: cannot connect"), "{told:#}");
    assert!(!scratch.path().join("lockkeeper").exists(), "nothing is made");
}

#[test]
fn a_preflight_is_go_or_no_go_and_names_a_dead_host_once() {
    let go = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_lockkeeper")).arg("preflight").args(args).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (status, said) = go(&["--cluster", "arch-arm", "--runbook", "kubeadm-minor"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.starts_with("GO: "), "{said}");
    let (status, said) = go(&["--cluster", "system-containers", "--runbook", "system-containers-deploy"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("there is a cluster already") && said.contains("NO-GO: 3 of"), "{said}");
    let dir = tempfile::tempdir().unwrap();
    let inventory = dir.path().join("dead.yaml");
    std::fs::write(
        &inventory,
        "cluster: x\nhosts:\n  - {name: a, address: 127.0.0.1, roles: worker, ssh: {port: 1}}\n",
    )
    .unwrap();
    let (status, said) = go(&["-i", inventory.to_str().unwrap(), "--wait", "5", "--output", "json"]);
    assert_eq!(status, Some(1), "{said}");
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((report["verdict"].as_str(), report["checks"].as_array().unwrap().len()), (Some("no-go"), 1), "{said}");
    assert_eq!(report["unseen"][0]["host"], "a");
    assert_eq!(go(&["--runbook", "etcd-minor"]).0, Some(2), "whose hosts?");
}
