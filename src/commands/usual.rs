//! How long steps usually take, kept beside the sessions: a small file that may be deleted at any time. What it does not
//! tell, the walks of practice tell that stand in `assets/usual.yaml`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use crate::journal;
use crate::model::State;
use crate::model::event::Mode;
use crate::ui::usual::Usual;

/// Seconds by runbook and `stage/step`, of the practice clusters that every runbook names.
const PRACTISED: &str = include_str!("../../assets/usual.yaml");

/// Where it lies: beside the directory of the sessions.
fn path() -> Option<PathBuf> {
    Some(journal::directory().ok()?.parent()?.join("usual.json"))
}

/// What earlier sessions have shown; of steps that none of them came by, what practice has.
pub(super) fn load() -> Usual {
    with_practice(own())
}

fn with_practice(mut usual: Usual) -> Usual {
    let practised: BTreeMap<String, BTreeMap<String, u32>> = serde_yaml::from_str(PRACTISED).unwrap_or_default();
    for (runbook, steps) in practised {
        for (step, seconds) in steps {
            usual.practice.entry(format!("{runbook}/{step}")).or_insert_with(|| vec![seconds]);
        }
    }
    usual
}

/// What earlier sessions have shown; nothing where there is none, or what is there cannot be read: it is only a comfort.
fn own() -> Usual {
    let text = path().and_then(|path| std::fs::read_to_string(path).ok());
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// Takes in what a session has shown. Sessions that end at the same moment may lose one of them; no more than that.
pub(super) fn learn(state: &State) {
    let Some((path, session)) = path().zip(state.session.as_ref()) else { return };
    let mut usual = own();
    usual.learn(state, session.mode == Mode::Practice);
    let Some(directory) = path.parent() else { return };
    let written = tempfile::NamedTempFile::new_in(directory).and_then(|mut file| {
        file.write_all(serde_json::to_string(&usual).unwrap_or_default().as_bytes())?;
        Ok(file.persist(&path)?)
    });
    drop(written);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_practice_takes_stands_in_for_times_of_ones_own() {
        let step = "etcd-minor/members/stop";
        let mut own = Usual::default();
        assert!(with_practice(own.clone()).practice.contains_key(step), "assets/usual.yaml is read");
        own.practice.insert(step.into(), vec![7777]);
        assert_eq!(with_practice(own).practice[step], [7777]);
    }
}
