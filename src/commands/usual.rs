//! How long steps usually take, kept beside the sessions: a small file that may be deleted at any time.

use std::io::Write as _;
use std::path::PathBuf;

use crate::journal;
use crate::model::State;
use crate::model::event::Mode;
use crate::ui::usual::Usual;

/// Where it lies: beside the directory of the sessions.
fn path() -> Option<PathBuf> {
    Some(journal::directory().ok()?.parent()?.join("usual.json"))
}

/// What earlier sessions have shown; nothing where there is none, or what is there cannot be read: it is only a comfort.
pub(super) fn load() -> Usual {
    let text = path().and_then(|path| std::fs::read_to_string(path).ok());
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// Takes in what a session has shown. Sessions that end at the same moment may lose one of them; no more than that.
pub(super) fn learn(state: &State) {
    let Some((path, session)) = path().zip(state.session.as_ref()) else { return };
    let mut usual = load();
    usual.learn(state, session.mode == Mode::Practice);
    let Some(directory) = path.parent() else { return };
    let written = tempfile::NamedTempFile::new_in(directory).and_then(|mut file| {
        file.write_all(serde_json::to_string(&usual).unwrap_or_default().as_bytes())?;
        Ok(file.persist(&path)?)
    });
    drop(written);
}
