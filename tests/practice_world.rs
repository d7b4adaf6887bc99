//! The real scripts on every practice cluster under many seeds: nothing unsafe happens, whatever breaks and whenever the
//! wizard is killed; and where nothing breaks, the promise is kept.
//!
//! `LOCKKEEPER_PRACTICE_SESSIONS` says how many, about 200 unless told otherwise.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without may end it")]

use std::process::Command;
use std::sync::Mutex;

use lockkeeper::documents::{builtin_runbooks, find_runbook, read_runbook};
use serde_json::Value;

/// Sessions in all, a third of them without faults.
const SESSIONS: u64 = 200;

/// Plays these seeds, and gives every line that tells of one.
fn played(runbook: &str, cluster: &str, seeds: &str, more: &[&str]) -> Result<Vec<Value>, String> {
    let state = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_lockkeeper"))
        .args(["practice", "--auto", "--kill", "--output", "json", "--runbook", runbook, "--cluster", cluster])
        .args(["--seeds", seeds])
        .args(more)
        .env("XDG_STATE_HOME", state.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let sessions: Vec<Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let failed: Vec<String> =
        sessions.iter().filter(|told| told.get("failure").is_some()).map(Value::to_string).collect();
    if output.status.success() && failed.is_empty() {
        Ok(sessions)
    } else {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(format!("{runbook} on {cluster}:\n{}\n{said}", failed.join("\n")))
    }
}

#[test]
fn nothing_unsafe_happens_whatever_breaks_and_whenever_the_wizard_is_killed() {
    let mut cases = Vec::new();
    for (name, _) in builtin_runbooks() {
        let runbook = read_runbook(&find_runbook(name).unwrap()).unwrap();
        cases.extend(runbook.practice.keys().map(|cluster| (name, cluster.clone())));
    }
    let all = std::env::var("LOCKKEEPER_PRACTICE_SESSIONS").ok().and_then(|all| all.parse().ok()).unwrap_or(SESSIONS);
    let each = all.div_ceil(cases.len() as u64).max(3);
    let (well, broken) = (each.div_ceil(3), each - each.div_ceil(3));
    let (well, broken) = (format!("1..{well}"), format!("1001..{}", 1000 + broken));
    let next = Mutex::new(cases.iter());
    let ended = Mutex::new((0, Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some((runbook, cluster)) = next.lock().unwrap().next() else { return };
                    for (seeds, faults) in [(&well, "0"), (&broken, "3")] {
                        let told = played(runbook, cluster, seeds, &["--random-faults", faults]);
                        let mut ended = ended.lock().unwrap();
                        match told {
                            Ok(sessions)
                                if faults == "0" && sessions.iter().any(|told| told["outcome"] != "completed") =>
                            {
                                ended.1.push(format!("{runbook} on {cluster}: {sessions:?}"));
                            }
                            Ok(sessions) => ended.0 += sessions.len() as u64,
                            Err(failed) => ended.1.push(failed),
                        }
                    }
                }
            });
        }
    });
    let (sessions, failed) = ended.into_inner().unwrap();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(sessions >= all, "{sessions} sessions of {all} were told of");
}

#[test]
fn a_session_that_fails_is_told_with_the_fewest_faults_that_it_fails_with() {
    // Nobody asks for hashes there, and members that differ are left behind.
    let faults = ["--fault", "atomic-master-1:lost-ack", "--fault", "atomic-master-1:diverged", "--random-faults", "1"];
    let failed = played("system-containers-update", "system-containers", "5..5", &faults).unwrap_err();
    for told in [
        r#""faults":["atomic-master-1:diverged"]"#,
        "--seed 5 --fault atomic-master-1:diverged",
        ".jsonl",
        r#""killed":false"#,
    ] {
        assert!(failed.contains(told), "{told}: {failed}");
    }
}
