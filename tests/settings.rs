//! The configuration as its user meets it.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without may end it")]

use std::path::Path;

use assert_cmd::Command;

fn said(home: &Path, args: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockkeeper"));
    for name in ["NO_COLOR", "LOCKKEEPER_THEME", "LOCKKEEPER_BELL"] {
        command.env_remove(name);
    }
    command.args(args).env("XDG_CONFIG_HOME", home).envs(environment.iter().copied());
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn configured(text: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("lockkeeper")).unwrap();
    std::fs::write(home.path().join("lockkeeper/config.yaml"), text).unwrap();
    home
}

#[test]
fn every_setting_says_where_it_came_from() {
    let home = configured("title: no\nbell: yes\nkeys:\n  skip: w\n");
    let (status, out, err) =
        said(home.path(), &["config", "--no-bell", "--output", "json"], &[("LOCKKEEPER_THEME", "light")]);
    assert_eq!(status, Some(0), "{err}");
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    let settings: Vec<[&str; 3]> = told["settings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|setting| ["name", "value", "from"].map(|key| setting[key].as_str().unwrap()))
        .collect();
    let file = home.path().join("lockkeeper/config.yaml").display().to_string();
    for expected in [
        ["theme", "light", "LOCKKEEPER_THEME"],
        ["bell", "no", "--no-bell"],
        ["title", "no", &format!("{file}:1")],
        ["keys.skip", "w", &format!("{file}:4")],
        ["mouse", "yes", "default"],
    ] {
        assert!(settings.contains(&expected), "{expected:?} is not in {settings:#?}");
    }
    let (_, table, _) = said(home.path(), &["config"], &[]);
    assert!(table.contains("keys.skip") && table.contains(&format!("{file}:4")), "{table}");
}

#[test]
fn a_wrong_configuration_is_refused_before_anything_runs_and_shown_by_config() {
    let home = configured("theme: drak\nbel: no\n");
    for args in [&["runbook", "list"][..], &["practice", "--auto"], &["config"]] {
        let (status, out, err) = said(home.path(), args, &[("LOCKKEEPER_INTERVAL", "soon")]);
        assert_eq!(status, Some(2), "{args:?}: {err}");
        for expected in
            ["config.yaml:1:8: `theme` cannot be `drak`", "config.yaml:2:1:", "LOCKKEEPER_INTERVAL: cannot be `soon`"]
        {
            assert!(err.contains(expected), "{args:?} does not say {expected}:\n{err}");
        }
        assert_eq!(out.contains("SETTING"), args == ["config"], "{args:?}: {out}");
    }
}

#[test]
fn the_example_can_be_put_where_it_is_looked_for() {
    let (status, example, _) = said(Path::new("/nonexistent"), &["config", "--example"], &[]);
    assert_eq!(status, Some(0));
    let home = configured(&example);
    let (status, out, err) = said(home.path(), &["config"], &[]);
    assert_eq!(status, Some(0), "{err}");
    assert!(!out.contains("config.yaml:"), "{out}");
}
