//! The house rules that a compiler does not know: which room may import which, who reads no clock, and who cannot even
//! name what acts, and how long a file may be.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "what a test cannot do without may end it, and it may speak"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms of `src` a room may import. Arrows point down the list in the README's architecture section only.
fn allowed() -> BTreeMap<&'static str, &'static [&'static str]> {
    BTreeMap::from([
        ("model", &[][..]),
        ("yaml", &["model"][..]),
        ("journal", &["model"][..]),
        ("engine", &["model"][..]),
        ("hosts", &["model"][..]),
        ("probe", &["model"][..]),
        ("ignition", &["model", "yaml"][..]),
        ("import", &["model", "yaml"][..]),
        ("documents", &["model", "engine", "ignition", "yaml"][..]),
        ("practice", &["model", "hosts"][..]),
        ("runner", &["model", "engine", "journal", "hosts", "probe"][..]),
        ("ui", &["model", "engine"][..]),
        ("settings", &["ui", "yaml"][..]),
        ("cli", &["model"][..]),
    ])
}

/// Everything under a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn is(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|extension| extensions.iter().any(|one| extension == *one))
}

/// The files of a room, but for those that hold nothing but tests: these may import what they like.
fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let tests = |path: &Path| path.iter().any(|part| part == "tests" || part == "tests.rs");
    files(dir).into_iter().filter(|path| is(path, &["rs"]) && !tests(path)).collect()
}

/// A file without its tests, which may import what they like. Tests in a file of their own are named wherever the others are.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

/// The rooms that a text imports, one by one or as a list in braces.
fn imported(text: &str) -> BTreeSet<String> {
    let word =
        |text: &str| text.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("").to_owned();
    let mut found = BTreeSet::new();
    for rest in text.split("crate::").skip(1) {
        let Some(list) = rest.strip_prefix('{') else {
            found.insert(word(rest));
            continue;
        };
        let mut depth = 0_usize;
        let mut item = String::new();
        for c in list.chars() {
            match c {
                '}' if depth == 0 => break,
                ',' if depth == 0 => drop(found.insert(word(&std::mem::take(&mut item)))),
                '{' => depth += 1,
                '}' => depth -= 1,
                other => item.push(other),
            }
        }
        found.insert(word(&item));
    }
    found
}

#[test]
fn an_import_is_seen_however_it_is_written() {
    let seen = imported(
        "use crate::model::{State, plan};\nuse crate::{hosts::{self, Job}, ui, engine::gate};\nlet x = crate::journal::read();",
    );
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), ["engine", "hosts", "journal", "model", "ui"]);
    let declared = "#[cfg(test)]\nmod tests;\n\nuse crate::hosts::Job;";
    assert!(imported(without_tests(declared)).contains("hosts"), "what stands after a declaration counts");
}

#[test]
fn rooms_import_only_what_they_may() {
    let rooms = allowed();
    let mut broken = Vec::new();
    for (room, may) in &rooms {
        let dir = Path::new("src").join(room);
        for file in rust_files(&dir) {
            let text = fs::read_to_string(&file).unwrap();
            let seen = imported(without_tests(&text));
            let others = rooms.keys().chain(&["commands"]).filter(|other| *other != room && !may.contains(other));
            for other in others.filter(|other| seen.contains(**other)) {
                broken.push(format!("{}: `{room}` may not know `{other}`", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_room_has_its_rule() {
    let rooms = allowed();
    for entry in fs::read_dir("src").unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(
                name == "commands" || rooms.contains_key(name.as_str()),
                "src/{name} is a room without a rule in this test"
            );
        }
    }
}

/// More than this has more than one reason to change.
const MOST_LINES: usize = 500;

#[test]
fn no_file_is_too_long_to_have_one_reason_to_change() {
    let code = ["src", "tests", "benches"].into_iter().flat_map(|dir| files(Path::new(dir)));
    let mut long = Vec::new();
    for file in code.filter(|file| is(file, &["rs", "sh"])) {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        if lines > MOST_LINES {
            long.push(format!("{}: {lines} lines, of at most {MOST_LINES}", file.display()));
        }
    }
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

#[test]
fn model_and_engine_read_no_clock_and_do_no_io() {
    for room in ["model", "engine"] {
        for file in rust_files(&Path::new("src").join(room)) {
            let text = fs::read_to_string(&file).unwrap();
            for banned in ["Timestamp::now", "Instant::now", "SystemTime", "std::fs", "tokio::", "async fn"] {
                assert!(!without_tests(&text).contains(banned), "{}: `{banned}` has no place here", file.display());
            }
        }
    }
}

#[test]
fn a_monitor_and_a_replay_cannot_name_what_acts() {
    for file in [
        "src/runner/monitor.rs",
        "src/runner/watch.rs",
        "src/commands/monitor.rs",
        "src/commands/status.rs",
        "src/commands/replay.rs",
    ] {
        let text = fs::read_to_string(file).unwrap();
        for banned in ["Operate", "operate(", "Runner"] {
            assert!(!text.contains(banned), "{file}: `{banned}` has no place here");
        }
    }
}

#[test]
fn the_rooms_of_the_engine_ask_each_other_in_no_circle() {
    let rooms: BTreeMap<String, String> = rust_files(Path::new("src/engine"))
        .into_iter()
        .map(|file| (file.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&file).unwrap()))
        .filter(|(name, _)| name != "mod" && name != "tests")
        .collect();
    let asks = |room: &str| -> Vec<String> {
        without_tests(&rooms[room])
            .split("super::")
            .skip(1)
            .flat_map(|rest| {
                let list = rest.strip_prefix('{').and_then(|list| list.split('}').next());
                list.unwrap_or(rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default())
                    .split(',')
            })
            .map(|name| name.trim().to_owned())
            .filter(|name| rooms.contains_key(name) && name != room)
            .collect()
    };
    // Whatever asks nobody that is left may go; what stays at the end goes round.
    let mut left: BTreeMap<String, Vec<String>> = rooms.keys().map(|room| (room.clone(), asks(room))).collect();
    while let Some(done) = left.iter().find(|(_, asked)| asked.iter().all(|room| !left.contains_key(room))) {
        let done = done.0.clone();
        left.remove(&done);
    }
    assert!(left.is_empty(), "these rooms of the engine ask each other in a circle: {left:?}");
    assert!(asks("advance").contains(&"opening".to_owned()), "this test reads the imports");
}
