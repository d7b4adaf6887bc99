//! The disk under a journal: the real writer over a file in memory, on a disk that may fail.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use lockkeeper::journal::{JournalError, Store, Writer};
use lockkeeper::model::{Digest, Record};

/// What was written since it was last asked for, and how far it is on disk for good.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) records: Vec<Record>,
    /// Number of the last event that is on disk for good.
    pub(crate) durable: u64,
    /// It answers no more.
    pub(crate) failed: bool,
}

pub(crate) type Told = Arc<Mutex<Heard>>;

#[derive(Debug)]
pub(crate) struct Disk {
    writer: Writer,
    heard: Told,
    /// Number of the last event that was written.
    seq: u64,
    /// So many more calls go well.
    left: Option<usize>,
}

impl Disk {
    pub(crate) fn new(writer: Writer, heard: Told, seq: u64, left: Option<usize>) -> Self {
        Self { writer, heard, seq, left }
    }

    fn heard(&self, tell: impl FnOnce(&mut Heard)) {
        tell(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Once it has failed it fails for good.
    fn call(&mut self, what: &'static str) -> Result<(), JournalError> {
        match &mut self.left {
            Some(0) => {
                self.heard(|heard| heard.failed = true);
                let source = Arc::new(std::io::Error::from_raw_os_error(5));
                Err(JournalError::Io { what, path: Path::new("session.jsonl").to_owned(), source })
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Store for Disk {
    fn write(&mut self, records: &[Record]) -> Result<(), JournalError> {
        self.call("cannot write to")?;
        self.writer.write(records)?;
        self.seq = records.last().map_or(self.seq, |record| record.seq);
        self.heard(|heard| heard.records.extend_from_slice(records));
        Ok(())
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        self.call("cannot sync")?;
        self.writer.sync()?;
        let seq = self.seq;
        self.heard(|heard| heard.durable = seq);
        Ok(())
    }

    fn head(&self) -> &Digest {
        self.writer.head()
    }
}
