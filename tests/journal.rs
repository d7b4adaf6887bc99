//! `journal verify`: what was changed is found, and a head that was kept elsewhere proves the whole of it.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without may end it")]

mod common;

use std::path::Path;

use assert_cmd::Command;
use common::said;

const GOLDEN: &str = "tests/journals/container-linux.jsonl";

fn verify(journal: &Path, more: &[&str], status: i32) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockkeeper"));
    said(command.args(["journal", "verify"]).arg(journal).args(more), status)
}

fn head(told: &str) -> String {
    told.lines().find_map(|line| line.strip_prefix("head")).unwrap().trim().to_owned()
}

#[test]
fn a_head_that_was_kept_proves_what_came_before_it() {
    let whole = std::fs::read_to_string(GOLDEN).unwrap();
    let half: String = whole.lines().take(500).map(|line| format!("{line}\n")).collect();
    let scratch = tempfile::tempdir().unwrap();
    let journal = scratch.path().join("session.jsonl");
    std::fs::write(&journal, &half).unwrap();
    let (told, _) = verify(&journal, &[], 0);
    assert!(told.contains("events    499") && told.contains("has not ended"), "{told}");
    let kept = head(&told);
    let (told, _) = verify(Path::new(GOLDEN), &["--head", &kept], 0);
    assert_ne!(head(&told), kept, "it has grown since");
    // Written anew from its beginning, chain and all, it is another journal.
    let forged = whole.lines().next().unwrap().to_owned() + "\n";
    std::fs::write(&journal, forged).unwrap();
    let (_, why) = verify(&journal, &["--head", &kept], 1);
    assert!(why.contains("no line of it has the head"), "{why}");
}

#[test]
fn what_was_changed_or_torn_is_told() {
    let whole = std::fs::read_to_string(GOLDEN).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let journal = scratch.path().join("session.jsonl");
    std::fs::write(&journal, &whole[..whole.len() - 20]).unwrap();
    assert!(verify(&journal, &[], 0).0.contains("a torn last line"));
    std::fs::write(&journal, whole.replacen("\"seq\":7,", "\"seq\":8,", 1)).unwrap();
    let (_, why) = verify(&journal, &[], 1);
    assert!(why.contains("session.jsonl:8:"), "{why}");
}

#[test]
fn what_was_announced_and_never_ended_is_told() {
    let whole = std::fs::read_to_string(GOLDEN).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let journal = scratch.path().join("session.jsonl");
    let up_to = |event: &str| {
        let lines = whole.lines().position(|line| line.contains(event)).unwrap() + 1;
        whole.lines().take(lines).map(|line| format!("{line}\n")).collect::<String>()
    };
    for (event, told) in [
        ("\"gate-opened\"", "no job was announced"),
        ("\"job-intended\"", "neither its start nor its end is recorded"),
        ("\"job-started\"", "was started, and no end of it is recorded"),
        ("\"job-finished\"", "whether it did its work was not seen"),
    ] {
        std::fs::write(&journal, up_to(event)).unwrap();
        let (all, _) = verify(&journal, &[], 0);
        let missing: Vec<&str> = all.lines().filter(|line| line.starts_with("missing")).collect();
        assert!(missing.iter().any(|line| line.contains(told)), "{event}: {all}");
    }
    assert!(!verify(Path::new(GOLDEN), &[], 0).0.contains("missing"));
}

#[test]
fn a_replay_shows_what_stands_before_a_flaw_and_says_where_and_why_it_ends() {
    let whole = std::fs::read_to_string(GOLDEN).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let journal = scratch.path().join("session.jsonl");
    let frame = |status| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockkeeper"));
        said(command.arg("replay").arg(&journal).args(["--print", "--size", "80x40"]), status)
    };
    std::fs::write(&journal, &whole[..whole.len() - 20]).unwrap();
    let (shown, err) = frame(0);
    assert!(shown.contains("event 994 of 994") && shown.contains("✗ after event 994: a torn last line"), "{shown}");
    assert_eq!(err, "");
    std::fs::write(&journal, whole.replacen("\"seq\":500,", "\"seq\":501,", 1)).unwrap();
    let (shown, err) = frame(2);
    assert!(shown.contains("event 499 of 499") && shown.contains("after event 499: line 501: record 501"), "{shown}");
    assert!(err.contains("session.jsonl:501:"), "{err}");
}
