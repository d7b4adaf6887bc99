//! Reading, a line after the other, each with its place in the chain checked.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::value::RawValue;

use super::{FORMAT, Header, JournalError, Line};
use crate::model::{Digest, Event, Record};

/// A journal as it was found.
#[derive(Debug)]
pub struct Journal {
    /// Every whole record, in order.
    pub records: Vec<Record>,
    /// The digest of the last whole line.
    pub last: Digest,
    /// Bytes up to the end of the last whole line.
    pub length: u64,
    /// There was a piece of a line after that.
    pub torn: bool,
    /// The head of the journal that this one was made of, without its secrets.
    pub redacted: Option<Digest>,
}

/// Reads a whole journal, for those who need all of it at once.
///
/// # Errors
/// When it cannot be read, is of another format, or a line does not fit the one before.
pub fn read(path: &Path) -> Result<Journal, JournalError> {
    let mut lines = Records::open(path)?;
    let records = lines.by_ref().collect::<Result<_, _>>()?;
    Ok(Journal {
        records,
        last: lines.mark.head,
        length: lines.mark.offset,
        torn: lines.torn,
        redacted: lines.redacted,
    })
}

/// A place between two records, from which reading can go on.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Records before it.
    pub seq: u64,
    /// Bytes before it.
    offset: u64,
    /// The digest of the line before it.
    head: Digest,
}

/// The records of a journal, read as they are asked for. After an error there are no more.
#[derive(Debug)]
pub struct Records {
    input: BufReader<Input>,
    path: PathBuf,
    mark: Mark,
    redacted: Option<Digest>,
    torn: bool,
    failed: bool,
    line: Vec<u8>,
}

impl Records {
    /// Begins with the first record.
    ///
    /// # Errors
    /// When the file cannot be read, or is not a journal of this format.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let file = seekable(path).map_err(JournalError::io("cannot read the journal", path))?;
        let mark = Mark { seq: 0, offset: 0, head: Digest::from("") };
        let mut records = Self::over(Arc::new(file), path, mark, None);
        let broken = |what: String| JournalError::Broken { path: path.to_owned(), line: 1, what };
        if !records.next_line()? {
            return Err(broken("the file is empty: this is not a journal".into()));
        }
        let header: Header =
            serde_json::from_slice(&records.line).map_err(|_| broken("this is not a Lockkeeper journal".into()))?;
        if header.lockkeeper_journal != FORMAT {
            let found = header.lockkeeper_journal;
            let what =
                format!("this journal has format {found}, and this version reads {FORMAT}: use a newer Lockkeeper");
            return Err(broken(what));
        }
        records.mark.head = Digest::of(&records.line);
        records.redacted = header.redacted;
        Ok(records)
    }

    /// The records of the same file from another place on, whoever reads it elsewhere meanwhile. What stands there is checked
    /// against the chain as it was when the mark was set.
    #[must_use]
    pub fn at(&self, mark: &Mark) -> Self {
        Self::over(self.input.get_ref().file.clone(), &self.path, mark.clone(), self.redacted.clone())
    }

    fn over(file: Arc<File>, path: &Path, mark: Mark, redacted: Option<Digest>) -> Self {
        let input = BufReader::with_capacity(64 << 10, Input { file, offset: mark.offset });
        Self { input, path: path.to_owned(), mark, redacted, torn: false, failed: false, line: Vec::new() }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it is: after the last record that was returned.
    #[must_use]
    pub fn mark(&self) -> &Mark {
        &self.mark
    }

    /// The digest that stands for all up to here.
    #[must_use]
    pub fn head(&self) -> &Digest {
        &self.mark.head
    }

    /// Whether the end was reached, and a piece of a line stood there.
    #[must_use]
    pub fn torn(&self) -> bool {
        self.torn
    }

    /// The head of the journal that this one was made of, without its secrets.
    #[must_use]
    pub fn redacted(&self) -> Option<&Digest> {
        self.redacted.as_ref()
    }

    /// Reads a whole line, without its end; whether there was one.
    fn next_line(&mut self) -> Result<bool, JournalError> {
        self.line.clear();
        let read = self.input.read_until(b'\n', &mut self.line);
        read.map_err(JournalError::io("cannot read the journal", &self.path))?;
        if self.line.pop_if(|byte| *byte == b'\n').is_none() {
            self.torn = !self.line.is_empty();
            return Ok(false);
        }
        self.mark.offset += self.line.len() as u64 + 1;
        Ok(true)
    }

    /// The next line with its place in the chain checked, and its event as it stands there.
    pub(super) fn next_raw(&mut self) -> Option<Result<Line<&RawValue>, JournalError>> {
        if self.failed {
            return None;
        }
        match self.next_line() {
            Ok(true) => {}
            Ok(false) => return None,
            Err(error) => {
                self.failed = true;
                return Some(Err(error));
            }
        }
        let line = link(&self.line, &self.mark);
        self.failed = line.is_err();
        Some(match line {
            Ok(line) => {
                (self.mark.seq, self.mark.head) = (line.seq, Digest::of(&self.line));
                Ok(line)
            }
            Err(what) => Err(broken(&self.path, self.mark.seq + 1, what)),
        })
    }
}

impl Iterator for Records {
    type Item = Result<Record, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = match self.next_raw()? {
            Ok(line) => line,
            Err(error) => return Some(Err(error)),
        };
        let (seq, at) = (line.seq, line.at);
        Some(match event(line.event) {
            Ok(event) => Ok(Record { seq, at, event }),
            Err(what) => {
                self.failed = true;
                Err(broken(&self.path, seq, what))
            }
        })
    }
}

/// The header is the first line, and the first record the second.
fn broken(path: &Path, seq: u64, what: String) -> JournalError {
    JournalError::Broken { path: path.to_owned(), line: seq as usize + 1, what }
}

/// A line that follows a mark.
fn link<'l>(text: &'l [u8], mark: &Mark) -> Result<Line<&'l RawValue>, String> {
    let line: Line<&RawValue> = serde_json::from_slice(text).map_err(|error| format!("not a record: {error}"))?;
    if line.prev != mark.head {
        return Err("the line above was changed after it was written: the chain of digests is broken".into());
    }
    let expected = mark.seq + 1;
    if line.seq != expected {
        return Err(format!("record {} stands where {expected} should", line.seq));
    }
    Ok(line)
}

/// An event of a name that a later version has made is kept as it is. One that is known and does not parse is none to be passed
/// over: it may have announced what was done.
fn event(raw: &RawValue) -> Result<Event, String> {
    let error = match serde_json::from_str(raw.get()) {
        Ok(event) => return Ok(event),
        Err(error) => error,
    };
    let value: serde_json::Value = serde_json::from_str(raw.get()).map_err(|error| format!("not a record: {error}"))?;
    let Some(name) = value.get("type").and_then(serde_json::Value::as_str).map(str::to_owned) else {
        return Err("this record has no event with a name".into());
    };
    // With nothing else in it, only its name can be unknown.
    let alone = serde_json::from_value::<Event>(serde_json::json!({ "type": name }));
    match alone {
        Err(unknown) if unknown.to_string().starts_with(&format!("unknown variant `{name}`")) => {
            Ok(Event::Unknown(value))
        }
        _ => Err(format!("the event `{name}` cannot be read by this version: {error}")),
    }
}

/// The file to read from anywhere. What comes through a pipe is kept in one that nobody else sees.
fn seekable(path: &Path) -> io::Result<File> {
    let mut file = File::open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    let mut copy = tempfile::tempfile()?;
    io::copy(&mut file, &mut copy)?;
    Ok(copy)
}

/// A file from a place on, with a position of its own.
#[derive(Debug)]
struct Input {
    file: Arc<File>,
    offset: u64,
}

impl Read for Input {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(bytes, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}
