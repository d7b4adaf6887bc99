//! The binary as its user meets it: arguments, exit statuses, whole practice runs, and a real terminal.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without may end it")]

mod common;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use common::said;
use lockkeeper::journal::{self, Store as _};
use lockkeeper::model::Event;
use lockkeeper::model::event::Mode;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

fn lockkeeper() -> Command {
    Command::new(env!("CARGO_BIN_EXE_lockkeeper"))
}

fn summary(args: &[&str], status: i32) -> serde_json::Value {
    let (out, _) = said(lockkeeper().args(["practice", "--auto", "--output", "json"]).args(args), status);
    serde_json::from_str(&out).unwrap()
}

/// A file with this text, in a directory of its own.
fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("cluster.yaml");
    std::fs::write(&file, text).unwrap();
    (scratch, file)
}

#[test]
fn everything_wrong_with_the_input_is_told_at_once_and_nobody_is_contacted() {
    let (_scratch, file) = written(
        "cluster: bad\nssh:\n  usr: core\nhosts:\n  - name: a\n    roles: [etdc]\n  - name: a\n    roles: [etcd]\n",
    );
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
    assert!(frame.contains("COMPLETED   Every promise of the runbook holds."), "{frame}");
    let (frame, _) =
        said(lockkeeper().arg("replay").arg(&journal).args(["--print", "--at", "1", "--size", "80x24"]), 0);
    assert!(frame.contains("0 of 60"), "{frame}");
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
    let text = "cluster: half\nhosts:\n  - {name: here, roles: [worker], connection: local}\n  - {name: gone, address: 127.0.0.1, roles: [etcd], ssh: {port: 1}}\n";
    let (_scratch, file) = written(text);
    let (out, _) = said(lockkeeper().args(["status", "--wait", "15", "--output", "json", "-i"]).arg(&file), 1);
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(told["hosts"][0]["facts"]["boot_id"].is_string(), "{told}");
    assert_eq!(told["hosts"][1]["connection"], "lost", "{told}");
    assert!(told["hosts"][1]["reason"].as_str().unwrap().contains("refuses port 1"), "{told}");
}

/// What the shell `lockkeeper WORDS` leaves open is asked for, as the scripts of `completions` do it.
fn offered(words: &[&str]) -> Vec<String> {
    let mut command = lockkeeper();
    command.env("COMPLETE", "bash").env("_CLAP_IFS", "\n").env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    let (out, err) = said(command.args(["--", "lockkeeper"]).args(words), 0);
    assert_eq!(err, "");
    out.lines().map(str::to_owned).collect()
}

#[test]
fn resume_lists_the_sessions_where_more_than_one_may_be_meant() {
    let scratch = tempfile::tempdir().unwrap();
    let sessions = scratch.path().join("lockkeeper/sessions");
    std::fs::create_dir_all(&sessions).unwrap();
    let mut whole = journal::read(Path::new("tests/journals/container-linux.jsonl")).unwrap().records;
    if let Event::SessionStarted { mode, .. } = &mut whole[0].event {
        *mode = Mode::Upgrade;
    }
    let write = |name: &str, records: usize| {
        journal::Writer::create(&sessions.join(name)).unwrap().write(&whole[..records]).unwrap();
    };
    let resume = || said(lockkeeper().arg("resume").env("XDG_STATE_HOME", scratch.path()), 2).1;
    write("ended.jsonl", whole.len());
    assert!(resume().contains("there is nothing to resume"), "a session that has ended is never opened");
    write("early.jsonl", 199);
    // One that was changed is named, though its head and its tail are as they were, and the other is not taken instead.
    write("damaged.jsonl", 500);
    let damaged = sessions.join("damaged.jsonl");
    let text = std::fs::read_to_string(&damaged).unwrap();
    std::fs::write(&damaged, text.replacen("gate-opened", "gate-0pened", 1)).unwrap();
    let list = resume();
    assert!(list.contains("damaged.jsonl") && list.contains("chain of digests is broken"), "{list}");
    std::fs::remove_file(damaged).unwrap();
    write("late.jsonl", 699);
    let list = resume();
    for words in ["which session?", "lockkeeper resume ", "early.jsonl", "late.jsonl", "42 of 60", "unfinished"] {
        assert!(list.contains(words), "{words}:\n{list}");
    }
    assert!(!list.contains("ended.jsonl"), "{list}");
}

#[test]
fn the_shell_is_told_hosts_runbooks_clusters_and_faults() {
    let (_scratch, file) =
        written("cluster: c\nhosts:\n  - {name: etcd1, roles: etcd}\n  - {name: w1, roles: worker}\n");
    let file = file.to_str().unwrap();
    assert_eq!(offered(&["ignition", "lint", "-i", file, "--host", ""]), ["etcd1", "w1"]);
    assert_eq!(offered(&["ignition", "lint", &format!("--inventory={file}"), "--host", "w"]), ["w1"]);
    assert!(offered(&["ignition", "lint", "--host", ""]).is_empty());
    assert_eq!(offered(&["plan", "--runbook", "etcd"]), ["etcd-2-to-3-container-linux", "etcd-minor"]);
    assert_eq!(offered(&["runbook", "show", "flat"]), ["flatcar-update"]);
    assert_eq!(offered(&["plan", "--cluster", "ku"]), ["kubeadm", "kubeadm-mixed"]);
    let faults = offered(&["practice", "--cluster", "kubeadm", "--fault", "node1:"]);
    assert!(
        faults.contains(&"node1:lost-ack".to_owned()) && !faults.contains(&"node1:wont-start".to_owned()),
        "{faults:?}"
    );
    assert!(offered(&["practice", "--fault", "etcd1:w"]).contains(&"etcd1:wont-start".to_owned()));
    assert_eq!(offered(&["ignition", "convert", "--spec", "2.3"]), ["2.3.0"]);
    // bash itself, which takes words apart at `:` and `=`, and replaces what stands behind the last of them.
    let bin = Path::new(env!("CARGO_BIN_EXE_lockkeeper")).parent().unwrap();
    for (words, cursor, word, expected) in [
        ("plan --cluster ku", 3, "ku", "kubeadm|kubeadm-mixed|"),
        ("plan --cluster = ku", 4, "ku", "kubeadm|kubeadm-mixed|"),
        ("practice --fault etcd1 : wo", 5, "wo", "wont-start|"),
        ("practice --fault etcd1 :", 4, "", "member-unhealthy|"),
    ] {
        let script = format!(
            "PATH={}:$PATH; source <(lockkeeper completions bash); COMP_WORDS=(lockkeeper {words}); COMP_CWORD={cursor}; \
             _lockkeeper lockkeeper '{word}' ''; printf '%s|' \"${{COMPREPLY[@]}}\"",
            bin.display()
        );
        let (out, err) = said(Command::new("bash").args(["--norc", "-c", &script]), 0);
        assert!(out.starts_with(expected) && err.is_empty(), "{words}: {out}{err}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let (script, _) = said(lockkeeper().args(["completions", shell]), 0);
        assert!(script.contains("COMPLETE") && script.contains(shell), "{script}");
    }
}

#[test]
fn the_manual_has_every_option_every_key_and_every_exit_status() {
    let (man, err) = said(lockkeeper().arg("man"), 0);
    assert_eq!(err, "");
    let plain = man.replace("\\-", "-").replace("\\fB", "").replace("\\fI", "").replace("\\fR", "");
    for section in ["MODES", "COMMANDS", "KEYS", "FILES", "ENVIRONMENT", "EXIT STATUS", "EXAMPLES"] {
        assert!(plain.lines().any(|line| line.starts_with(".SH") && line.contains(section)), "no {section}:\n{plain}");
    }
    let mut expected: Vec<String> =
        ["/var/lib/lockkeeper/", "lockkeeper/config.yaml", "SSH_AUTH_SOCK", "NO_COLOR"].map(str::to_owned).into();
    let mut commands = vec![<lockkeeper::cli::Cli as clap::CommandFactory>::command()];
    while let Some(command) = commands.pop() {
        expected.extend(command.get_arguments().filter_map(|arg| Some(format!("--{}", arg.get_long()?))));
        expected.extend(command.get_about().filter(|_| !command.has_subcommands()).map(ToString::to_string));
        commands.extend(command.get_subcommands().cloned());
    }
    expected.extend(lockkeeper::ui::keymap::BINDINGS.iter().map(|row| row.help.to_owned()));
    expected.extend(lockkeeper::cli::EXIT_STATUS.map(|(_, meaning)| meaning.to_owned()));
    assert!(expected.len() > 80, "{expected:?}");
    for expected in &expected {
        let escaped = expected.replace('\'', "\\*(Aq");
        assert!(plain.contains(expected) || plain.contains(&escaped), "says nothing of {expected}:\n{plain}");
    }
}

#[test]
fn whatever_a_user_can_do_ends_with_a_line_and_a_status() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name).to_str().unwrap().to_owned();
    let inventory = path("ok.yaml");
    std::fs::write(&inventory, "cluster: c\nhosts:\n  - {name: a, roles: etcd, connection: local}\n").unwrap();
    std::fs::write(path("binary"), b"\xff\xfe").unwrap();
    std::fs::write(path("empty"), "").unwrap();
    std::fs::write(path("text"), "no journal\n").unwrap();
    let (dir, none) = (scratch.path().to_str().unwrap(), path("none"));
    let minor =
        ["-r", "etcd-minor", "--var", "target=3.5.32", "--var", "previous=3.4.37", "--var", "etcd_install=true"];
    let upgrade = [&["upgrade", "-i", &inventory, "--var", "etcd_uninstall=true"][..], &minor].concat();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["practice"], 2, "practice --auto"),
        (&["practice", "--journal", dir], 2, "needs a terminal"),
        (&["practice", "--auto", "--journal", dir], 1, "cannot begin the journal"),
        (&["practice", "--auto", "--journal", &path("text")], 1, "cannot begin the journal"),
        (&["monitor", "-i", &inventory], 2, "lockkeeper status"),
        (&upgrade, 2, "needs a terminal"),
        (&["monitor", "-i", dir], 2, "cannot be read"),
        (&["status", "-i", &none], 2, "cannot be read"),
        (&["status", "-i", &path("binary")], 2, "cannot be read"),
        (&["plan", "-i", &path("empty"), "-r", "etcd-minor"], 2, "is empty"),
        (&["replay", dir], 2, "Is a directory"),
        (&["replay", &none], 2, "cannot read the journal"),
        (&["replay", &path("empty")], 2, "empty"),
        (&["replay", &path("text"), "--print"], 2, "not a Lockkeeper journal"),
        (&["resume", dir], 2, "Is a directory"),
        (&["resume", &none], 2, "cannot open the journal"),
        (&["practice", "--hosts", "abc"], 2, "`abc` is not a number such as 40"),
        (&["plan", "-r", "kubeadm-minor", "--cluster", "etcd"], 2, "practised on kubeadm, kubeadm-mixed, arch-arm"),
        (&["resume"], 2, "there is nothing to resume"),
        (&["ignition", "convert", dir], 2, "cannot be read"),
        (&["ignition", "lint", &path("binary")], 2, "cannot be read"),
        (&["runbook", "show", dir], 2, "cannot be read"),
        (&["runbook", "check", &path("binary")], 2, "cannot be read"),
        (&["inventory", "import", "--ansible", &none], 2, "cannot be read"),
        (&["inventory", "init"], 2, "nothing was written"),
    ];
    for (args, status, expected) in cases {
        for (home, backtrace) in [(Some(scratch.path()), "1"), (None, "full")] {
            let mut command = lockkeeper();
            command
                .args(*args)
                .env("XDG_STATE_HOME", scratch.path())
                .env("RUST_BACKTRACE", backtrace)
                .env_remove("HOME");
            command.envs(home.map(|home| ("HOME", home)));
            let (_, err) = said(&mut command, *status);
            assert!(err.contains(expected), "{args:?} does not say `{expected}`:\n{err}");
            told_plainly(args, &err);
        }
    }
}

#[test]
fn what_is_quoted_cannot_command_the_terminal() {
    let (_scratch, file) =
        written("cluster: c\nhosts:\n  - {name: a, roles: \"\\e[2Jetcd\", address: \"a\\u202eb\"}\n");
    let (_, err) = said(lockkeeper().args(["status", "-i"]).arg(&file), 2);
    assert!(err.contains("[2Jetcd") && !err.contains(['\u{1b}', '\u{202e}']), "{err:?}");
}

/// No dump of an error, and no backtrace.
fn told_plainly(args: &[&str], err: &str) {
    for never in ["panicked", "Backtrace", "BACKTRACE", "Error:", "Location:", "stack backtrace"] {
        assert!(!err.contains(never), "{args:?} says `{never}`:\n{err}");
    }
}

#[test]
fn what_is_printed_may_be_cut_short_and_says_so_where_it_finds_no_room() {
    use std::process::{Command, Stdio};
    let all: &[&[&str]] = &[
        &["man"],
        &["completions", "bash"],
        &["practice", "--list"],
        &["runbook", "list"],
        &["runbook", "show", "etcd-minor"],
        &["plan", "--cluster", "etcd", "-r", "etcd-minor"],
        &["preflight", "--cluster", "etcd"],
        &["--help"],
    ];
    for args in all {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockkeeper"));
        command.args(*args).env("RUST_BACKTRACE", "1").stdin(Stdio::null()).stderr(Stdio::piped());
        let output = command.stdout(full).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        told_plainly(args, &err);
        if *args != ["--help"] {
            assert_eq!(output.status.code(), Some(1), "{args:?}: {err}");
            assert!(err.contains("cannot write to standard output: No space left"), "{args:?}: {err}");
        }
        // A reader that is gone before the first byte, as after `| head`.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command.stdout(writer).output().unwrap();
        told_plainly(args, &String::from_utf8_lossy(&output.stderr));
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{args:?}");
    }
}

#[test]
fn what_can_be_practised_is_listed_and_near_words_are_offered() {
    let (list, _) = said(lockkeeper().args(["practice", "--list"]), 0);
    for expected in [
        "container-linux",
        "hosts: cp1, cp2, cp3",
        "lost-ack",
        "five minutes [a step that reboots]",
        "kubeadm-minor",
        "on: kubeadm, kubeadm-mixed, arch-arm",
    ] {
        assert!(list.contains(expected), "does not list {expected}:\n{list}");
    }
    for (args, expected) in [
        (&["practice", "--cluster", "kubadm"][..], "did you mean `kubeadm`?"),
        (&["preflight", "--cluster", "flatcr"], "did you mean `flatcar`?"),
        (&["plan", "-r", "etcd-minor", "--cluster", "ectd"], "did you mean `etcd`?"),
        (&["practice", "--fault", "etcd1:lost-akc"], "did you mean `lost-ack`?"),
        (&["practice", "--fault", "ectd1:lost-ack"], "did you mean `etcd1`?"),
        (&["practice", "--fault", "worker1:wont-start"], "runs no etcd member"),
    ] {
        let (_, err) = said(lockkeeper().args(args), 2);
        assert!(err.contains(expected) && err.contains("--list"), "{args:?}: {err}");
    }
    for command in ["practice", "plan", "preflight"] {
        let (help, _) = said(lockkeeper().args([command, "--help"]), 0);
        assert!(help.contains("--list` names them"), "{command}: {help}");
    }
}

#[test]
fn a_plan_can_be_read_without_an_inventory() {
    let (plan, _) = said(lockkeeper().args(["plan", "--cluster", "kubeadm", "-r", "kubeadm-minor"]), 0);
    assert!(plan.starts_with("PLAN") && plan.contains("node3"), "{plan}");
    let (_, err) = said(lockkeeper().args(["plan", "-r", "etcd-minor"]), 2);
    assert!(err.contains("--inventory <FILE>|--cluster <KIND>"), "{err}");
}

#[test]
fn runbooks_are_checked() {
    assert!(
        said(lockkeeper().args(["runbook", "check", "etcd-minor", "etcd-2-to-3-container-linux"]), 0)
            .0
            .contains("etcd-minor: nothing wrong (")
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
    let mut before = "";
    for (awaited, pressed) in play {
        let (began, mut again) = (Instant::now(), Instant::now());
        loop {
            last = screen.lock().unwrap().screen().contents();
            if last.contains(awaited) {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "waited in vain for `{awaited}`:\n{last}");
            // A gate that came up just now does not open yet: a patient hand presses again.
            if before == "\r" && again.elapsed() > Duration::from_secs(1) {
                keys.write_all(before.as_bytes()).unwrap();
                again = Instant::now();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        keys.write_all(pressed.as_bytes()).unwrap();
        before = pressed;
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
        ("hold · etcd1", "?"),
        ("any other key closes", "x"),
        ("● READY", "\r"),
        ("hold · etcd2", "q"),
        ("not finished", "y"),
    ];
    in_a_terminal(&["practice"], scratch.path(), (120, 40), &play);
    let journals: Vec<_> = std::fs::read_dir(scratch.path().join("lockkeeper/sessions")).unwrap().collect();
    assert_eq!(journals.len(), 1, "the session was recorded");
}

#[test]
fn a_small_terminal_is_enough() {
    let scratch = tempfile::tempdir().unwrap();
    in_a_terminal(&["practice"], scratch.path(), (80, 24), &[("hold · etcd1", "q"), ("not finished", "y")]);
}

#[test]
fn an_inventory_is_asked_for_on_the_screen() {
    let scratch = tempfile::tempdir().unwrap();
    let play = [
        // Nobody answers at a name that cannot be; what was found out is written beside it.
        ("A new inventory", "prod\tcore\t2222\t\t\tetcd1=10.0.0.999"),
        ("✗ `10.0.0.999` is no address", "\x15etcd1=no-such-host.invalid, "),
        ("Could not resolve hostname", "\x13"),
    ];
    in_a_terminal(&["inventory", "init"], scratch.path(), (80, 24), &play);
    let yaml = std::fs::read_to_string(scratch.path().join("cluster.yaml")).unwrap();
    for words in
        ["cluster: prod", "user: core", "port: 2222", "name: etcd1", "# Not seen: Could not resolve", "roles: [etcd]"]
    {
        assert!(yaml.contains(words), "{yaml}");
    }
    // What is there is kept, unless writing over it is said; what was typed is not thrown away by one key.
    let play = [
        ("A new inventory", "other\t\t\t\t\tx\t\x13"),
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
    let text = "cluster: x\nssh: {identity: nowhere}\nhosts:\n  - {name: a, address: 127.0.0.1, roles: worker, ssh: {port: 1}}\n";
    let (scratch, file) = written(text);
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
