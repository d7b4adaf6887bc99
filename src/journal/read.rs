//! Reading, with the chain checked line by line.

use std::path::Path;

use serde_json::Value;

use super::{FORMAT, Header, JournalError, Line};
use crate::model::{Digest, Event, Record};

/// A journal as it was found.
#[derive(Debug)]
pub struct Journal {
    /// Every whole record, in order.
    pub records: Vec<Record>,
    /// The digest of the last whole line.
    pub last: Digest,
    /// The digests of all lines: the heads that it has had.
    pub heads: Vec<Digest>,
    /// Bytes up to the end of the last whole line.
    pub length: u64,
    /// There was a piece of a line after that.
    pub torn: bool,
    /// The head of the journal that this one was made of, without its secrets.
    pub redacted: Option<Digest>,
}

/// Reads a journal.
///
/// # Errors
/// When it cannot be read, is of another format, or a line does not fit the one before.
pub fn read(path: &Path) -> Result<Journal, JournalError> {
    parse(path, &std::fs::read(path).map_err(JournalError::io("cannot read the journal", path))?)
}

/// The journal that these bytes are, by the name of `path` in what is wrong with it.
///
/// # Errors
/// As [`read`], but for the file.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Journal, JournalError> {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let broken = |line, what: String| JournalError::Broken { path: path.to_owned(), line, what };
    let text = std::str::from_utf8(&bytes[..whole]).map_err(|error| broken(1, error.to_string()))?;

    let mut lines = text.lines();
    let first = lines.next().ok_or_else(|| broken(1, "the file is empty: this is not a journal".into()))?;
    let header: Header =
        serde_json::from_str(first).map_err(|_| broken(1, "this is not a Lockkeeper journal".into()))?;
    if header.lockkeeper_journal != FORMAT {
        let found = header.lockkeeper_journal;
        return Err(broken(
            1,
            format!("this journal has format {found}, and this version reads {FORMAT}: use a newer Lockkeeper"),
        ));
    }
    let mut prev = Digest::of(first.as_bytes());
    let mut records = Vec::new();
    let mut heads = vec![prev.clone()];
    for (number, text) in (2..).zip(lines) {
        let line: Line<Value> =
            serde_json::from_str(text).map_err(|error| broken(number, format!("not a record: {error}")))?;
        if line.prev != prev {
            let what = "the line above was changed after it was written: the chain of digests is broken";
            return Err(broken(number, what.into()));
        }
        let expected = records.len() as u64 + 1;
        if line.seq != expected {
            return Err(broken(number, format!("record {} stands where {expected} should", line.seq)));
        }
        let event = event(line.event).map_err(|what| broken(number, what))?;
        records.push(Record { seq: line.seq, at: line.at, event });
        prev = Digest::of(text.as_bytes());
        heads.push(prev.clone());
    }
    Ok(Journal {
        records,
        last: prev,
        heads,
        length: whole as u64,
        torn: whole < bytes.len(),
        redacted: header.redacted,
    })
}

/// An event of a name that a later version has made is kept as it is. One that is known and does not parse is none to be passed
/// over: it may have announced what was done.
fn event(raw: Value) -> Result<Event, String> {
    let Some(name) = raw.get("type").and_then(Value::as_str).map(str::to_owned) else {
        return Err("this record has no event with a name".into());
    };
    match serde_json::from_value(raw.clone()) {
        Ok(event) => Ok(event),
        Err(error) if error.to_string().starts_with(&format!("unknown variant `{name}`")) => Ok(Event::Unknown(raw)),
        Err(error) => Err(format!("the event `{name}` cannot be read by this version: {error}")),
    }
}
