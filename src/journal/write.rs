//! Writing: whatever is announced is on disk before it happens.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};

use super::{FORMAT, Header, JournalError, Line, Store, read};
use crate::model::{Digest, Event, Record};

/// A journal that is being written; no other process can write it meanwhile.
#[derive(Debug)]
pub struct Writer {
    file: File,
    path: PathBuf,
    seq: u64,
    prev: Digest,
    /// Bytes of it that are whole lines.
    length: u64,
    /// A torn last line comes after them, and goes when there is something to write.
    torn: bool,
}

impl Writer {
    /// Begins a new journal, in a directory that is made where it is missing (0700).
    ///
    /// # Errors
    /// When the file exists, or cannot be written.
    pub fn create(path: &Path) -> Result<Self, JournalError> {
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(dir)
                .map_err(JournalError::io("cannot make the directory", dir))?;
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(JournalError::io("cannot begin the journal", path))?;
        lock(&file, path)?;
        let mut writer = Self { file, path: path.to_owned(), seq: 0, prev: Digest::from(""), length: 0, torn: false };
        let header = serde_json::to_string(&Header { lockkeeper_journal: FORMAT, redacted: None }).unwrap_or_default();
        writer.add(format!("{header}\n").as_bytes())?;
        writer.sync()?;
        writer.prev = Digest::of(header.as_bytes());
        Ok(writer)
    }

    /// Takes up a journal where it ended, and returns what it holds.
    ///
    /// # Errors
    /// When it is being written by another process, cannot be read, or was changed.
    pub fn resume(path: &Path) -> Result<(Self, Vec<Record>), JournalError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(JournalError::io("cannot open the journal", path))?;
        lock(&file, path)?;
        let journal = read(path)?;
        if journal.redacted.is_some() {
            let what = "this is a redacted copy: `lockkeeper replay` plays it, and nothing can go on from it".into();
            return Err(JournalError::Broken { path: path.to_owned(), line: 1, what });
        }
        let writer = Self {
            file,
            path: path.to_owned(),
            seq: journal.records.len() as u64,
            prev: journal.last,
            length: journal.length,
            torn: journal.torn,
        };
        Ok((writer, journal.records))
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds an event. When this returns it is written, and with `durable` also on disk for good.
    ///
    /// # Errors
    /// When it cannot be written; then what it announces must not happen.
    pub fn append(&mut self, at: Timestamp, event: Event, durable: bool) -> Result<Record, JournalError> {
        let record = Record { seq: self.seq + 1, at, event };
        self.write(std::slice::from_ref(&record))?;
        if durable {
            self.sync()?;
        }
        Ok(record)
    }

    /// What stands under our path is the file that we write, as long as we have left it: else what is announced in it would be
    /// nowhere when it is looked for.
    fn still_ours(&self) -> Result<(), JournalError> {
        let gone = |what: &str| JournalError::Gone { path: self.path.clone(), what: what.into() };
        let ours = self.file.metadata().map_err(JournalError::io("cannot look at", &self.path))?;
        match fs::metadata(&self.path) {
            Err(error) => Err(gone(&format!("it is not there any more ({error})"))),
            Ok(there) if (there.dev(), there.ino()) != (ours.dev(), ours.ino()) => {
                Err(gone("another file stands there"))
            }
            Ok(there) if there.len() != self.length => {
                Err(gone(&format!("it has {} bytes, and {} were written", there.len(), self.length)))
            }
            Ok(_) => Ok(()),
        }
    }

    /// Adds these lines with one `write`, so that a crash leaves whole lines and at most one that is torn.
    fn add(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        if self.torn {
            self.file
                .set_len(self.length)
                .map_err(JournalError::io("cannot cut the torn last line off", &self.path))?;
            self.torn = false;
        }
        self.still_ours()?;
        // Where the last whole line ended: nothing that was half written before is added to.
        self.file.write_all_at(bytes, self.length).map_err(JournalError::io("cannot write to", &self.path))?;
        self.length += bytes.len() as u64;
        Ok(())
    }
}

impl Store for Writer {
    fn write(&mut self, records: &[Record]) -> Result<(), JournalError> {
        let mut bytes = Vec::new();
        let mut prev = self.prev.clone();
        for Record { seq, at, event } in records {
            let begun = bytes.len();
            let (seq, at) = (*seq, *at);
            let line = match event {
                Event::Unknown(raw) => serde_json::to_writer(&mut bytes, &Line { seq, at, prev, event: raw }),
                known => serde_json::to_writer(&mut bytes, &Line { seq, at, prev, event: known }),
            };
            line.map_err(|error| JournalError::io("cannot write to", &self.path)(error.into()))?;
            prev = Digest::of(&bytes[begun..]);
            bytes.push(b'\n');
        }
        self.add(&bytes)?;
        self.seq = records.last().map_or(self.seq, |record| record.seq);
        self.prev = prev;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        self.file.sync_data().map_err(JournalError::io("cannot sync", &self.path))?;
        // What went to the disk may be in a file that nobody finds any more.
        self.still_ours()
    }

    fn head(&self) -> &Digest {
        &self.prev
    }
}

fn lock(file: &File, path: &Path) -> Result<(), JournalError> {
    flock(file, FlockOperation::NonBlockingLockExclusive).map_err(|_| JournalError::Busy(path.to_owned()))
}
