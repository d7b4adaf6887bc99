//! The session on disk: one JSON object a line, appended, chained by hash, and synced before anything it announces
//! is done on a host. A [`Thread`] writes it, so that nobody else waits for the disk.
//!
//! ```text
//! {"lockkeeper_journal":1}
//! {"seq":1,"at":"2026-11-20T22:10:00.123456Z","prev":"<sha256 of the line above>","event":{"type":"session-started",…}}
//! ```
//!
//! The file is 0600 and locked while it is written. A last line without an end is what a crash leaves; it was never
//! acted upon, and is cut off when the session is resumed. Anything else that does not fit the chain is an error.

mod checkpoints;
mod read;
mod redact;
pub mod sessions;
pub(crate) mod thread;
mod write;

pub use checkpoints::{Checkpoint, Extent, Index, Limits, TORN, flaw};
pub use read::{Journal, Mark, Records, read};
pub use redact::redacted;
pub use thread::{Behind, Thread};
pub use write::Writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{Digest, Event, Record};

/// The version of the format, in the first line of every journal.
pub const FORMAT: u32 = 1;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    lockkeeper_journal: u32,
    /// The head of the journal that this one was made of, without its secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    redacted: Option<Digest>,
}

/// Every other line.
#[derive(Debug, Serialize, Deserialize)]
struct Line<E> {
    seq: u64,
    at: jiff::Timestamp,
    prev: Digest,
    event: E,
}

/// What records are written to: a file, or what stands for a slow and failing one in tests.
pub trait Store: fmt::Debug + Send {
    /// Adds records, in their order. When this returns they are in the file, as whole lines.
    ///
    /// # Errors
    /// When they cannot be written.
    fn write(&mut self, records: &[Record]) -> Result<(), JournalError>;

    /// Returns when all that was written is on disk for good, and in the file that is looked for.
    ///
    /// # Errors
    /// When it is not; then what was announced since the last time must not happen.
    fn sync(&mut self) -> Result<(), JournalError>;

    /// The digest that stands for all of it so far.
    fn head(&self) -> &Digest;
}

/// Whether an event has to be on disk for good before what follows from it is begun. What was merely seen would be seen again.
#[must_use]
pub fn is_decision(event: &Event) -> bool {
    !matches!(
        event,
        Event::FactsSeen { .. }
            | Event::FactsChanged { .. }
            | Event::FactsConfirmed { .. }
            | Event::Beat { .. }
            | Event::JobOutput { .. }
            | Event::FileMoved { .. }
    )
}

/// Why a journal cannot be written or read, said for the operator.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system said no.
    #[error("{what} {path}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What came of it.
        source: Arc<std::io::Error>,
    },
    /// Another process writes it.
    #[error("{0} is being written by another process: watch it instead, or end that one first")]
    Busy(PathBuf),
    /// Somebody has removed, replaced or changed it while it was written.
    #[error(
        "{path} is not the journal that this session writes: {what}. Nothing more is done; jobs that run on hosts go on there"
    )]
    Gone {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// It is no journal, or was changed.
    #[error("{path}:{line}: {what}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What does not fit.
        what: String,
    },
}

impl JournalError {
    fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source: Arc::new(source) }
    }
}

/// Where journals are kept: `lockkeeper/sessions` in the XDG state directory.
///
/// # Errors
/// When the user has no home directory.
pub fn directory() -> Result<PathBuf, JournalError> {
    use etcetera::BaseStrategy as _;
    let strategy = etcetera::choose_base_strategy().map_err(|error| {
        JournalError::io("cannot find the state directory for", Path::new("journals"))(std::io::Error::other(error))
    })?;
    let state = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
    Ok(state.join("lockkeeper").join("sessions"))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn note(text: &str) -> Event {
        Event::NoteAdded { text: text.into() }
    }

    fn written(notes: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("session.jsonl");
        let mut writer = Writer::create(&path).unwrap();
        for text in notes {
            writer.append(Timestamp::UNIX_EPOCH, note(text), true).unwrap();
        }
        (dir, path)
    }

    #[test]
    fn what_was_written_is_read() {
        let (_dir, path) = written(&["one", "two"]);
        let journal = read(&path).unwrap();
        let expected = |seq, text| Record { seq, at: Timestamp::UNIX_EPOCH, event: note(text) };
        assert_eq!(journal.records, [expected(1, "one"), expected(2, "two")]);
        assert!(!journal.torn);
    }

    #[test]
    fn only_its_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_dir, path) = written(&["one"]);
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_changed_line_breaks_the_chain() {
        let (_dir, path) = written(&["one", "two", "three"]);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("two", "2")).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains(":4:"), "the line after the changed one is named: {error}");
    }

    #[test]
    fn a_journal_that_somebody_took_away_is_noticed_before_the_next_line() {
        type Harm = fn(&Path);
        let harms: [(&str, Harm); 4] = [
            ("not there any more", |path| std::fs::remove_file(path).unwrap()),
            ("another file", |path| {
                let copy = path.with_extension("copy");
                std::fs::copy(path, &copy).unwrap();
                std::fs::rename(copy, path).unwrap();
            }),
            ("bytes", |path| std::fs::File::options().write(true).open(path).unwrap().set_len(30).unwrap()),
            ("bytes", |path| {
                let text = std::fs::read_to_string(path).unwrap();
                std::fs::write(path, text + "more\n").unwrap();
            }),
        ];
        for (told, harm) in harms {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("session.jsonl");
            let mut writer = Writer::create(&path).unwrap();
            writer.append(Timestamp::UNIX_EPOCH, note("one"), true).unwrap();
            harm(&path);
            for durable in [false, true] {
                let error = writer.append(Timestamp::UNIX_EPOCH, note("two"), durable).unwrap_err().to_string();
                assert!(error.contains(told) && error.contains("Nothing more is done"), "{error}");
            }
        }
    }

    #[test]
    fn a_journal_that_is_only_looked_at_stays_as_it_is() {
        let (_dir, path) = written(&["one", "two"]);
        let text = std::fs::read_to_string(&path).unwrap();
        let torn = &text[..text.len() - 10];
        std::fs::write(&path, torn).unwrap();
        let (writer, records) = Writer::resume(&path).unwrap();
        assert_eq!(records.len(), 1);
        drop(writer);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), torn, "whoever is refused has changed nothing");
    }

    #[test]
    fn a_known_event_that_cannot_be_read_stops_the_reading_and_an_unknown_one_is_kept() {
        let (_dir, path) = written(&["one"]);
        let mut writer = Writer::resume(&path).unwrap().0;
        let later = serde_json::json!({"type": "from-the-future", "host": "etcd1"});
        writer.append(Timestamp::UNIX_EPOCH, Event::Unknown(later.clone()), true).unwrap();
        let read_back = read(&path).unwrap();
        assert_eq!(read_back.records[1].event, Event::Unknown(later));
        for bad in [
            serde_json::json!({"type": "job-intended", "task": "not a number"}),
            serde_json::json!({"type": "task-failed", "task": 1, "at": "from-the-future", "reason": "x"}),
            // A value that is called as the event is.
            serde_json::json!({"type": "task-failed", "task": 1, "at": "task-failed", "reason": "x"}),
            serde_json::json!({"host": "etcd1"}),
        ] {
            let (_dir, path) = written(&["one"]);
            let mut writer = Writer::resume(&path).unwrap().0;
            writer.append(Timestamp::UNIX_EPOCH, Event::Unknown(bad.clone()), true).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains(":3:"), "{bad}: {error}");
        }
    }

    #[test]
    fn a_torn_last_line_is_cut_off_and_the_session_goes_on() {
        let (_dir, path) = written(&["one", "two"]);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 10]).unwrap();
        let journal = read(&path).unwrap();
        assert!(journal.torn);
        assert_eq!(journal.records.len(), 1);
        let (mut writer, records) = Writer::resume(&path).unwrap();
        assert_eq!(records.len(), 1);
        writer.append(Timestamp::UNIX_EPOCH, note("again"), true).unwrap();
        drop(writer);
        assert_eq!(read(&path).unwrap().records.len(), 2);
    }

    #[test]
    fn a_write_of_many_that_was_cut_off_leaves_the_first_of_them() {
        let (_dir, path) = written(&["one"]);
        let before = std::fs::metadata(&path).unwrap().len();
        let mut writer = Writer::resume(&path).unwrap().0;
        let record = |seq: u64| Record { seq, at: Timestamp::UNIX_EPOCH, event: note(&seq.to_string()) };
        writer.write(&[record(2), record(3), record(4)]).unwrap();
        drop(writer);
        let whole = std::fs::read(&path).unwrap();
        for cut in before as usize..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let (mut writer, records) = Writer::resume(&path).unwrap();
            let lines = whole[..cut].split(|byte| *byte == b'\n').count() - 1;
            assert_eq!(records.len(), lines - 1, "cut at {cut}");
            let seq = records.len() as u64 + 1;
            writer.write(&[record(seq)]).unwrap();
            drop(writer);
            assert_eq!(read(&path).unwrap().records.len() as u64, seq);
        }
    }

    #[test]
    fn a_journal_that_is_taken_away_while_it_is_synced_is_not_durable() {
        let (_dir, path) = written(&["one"]);
        let mut writer = Writer::resume(&path).unwrap().0;
        writer.write(&[Record { seq: 2, at: Timestamp::UNIX_EPOCH, event: note("two") }]).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(writer.sync(), Err(JournalError::Gone { .. })));
    }

    #[test]
    fn an_event_of_a_later_version_is_kept() {
        let (_dir, path) = written(&["one"]);
        let text = std::fs::read_to_string(&path).unwrap();
        let last = text.lines().last().unwrap();
        let later = format!(
            "{{\"seq\":2,\"at\":\"1970-01-01T00:00:00Z\",\"prev\":\"{}\",\"event\":{{\"type\":\"from-the-future\",\"x\":1}}}}\n",
            Digest::of(last.as_bytes())
        );
        std::fs::write(&path, text + &later).unwrap();
        let journal = read(&path).unwrap();
        let Event::Unknown(raw) = &journal.records[1].event else { panic!("{:?}", journal.records[1]) };
        assert_eq!(raw["x"], 1);
    }

    #[test]
    fn two_cannot_write_the_same_journal() {
        let (_dir, path) = written(&["one"]);
        let _first = Writer::resume(&path).unwrap();
        assert!(matches!(Writer::resume(&path), Err(JournalError::Busy(_))));
    }
}
