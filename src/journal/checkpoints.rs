//! A journal that can be entered anywhere: states of it at places not too far from each other, in bounded memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::{JournalError, Mark, Records};
use crate::model::logtail::{LogLine, LogTail};
use crate::model::state::{HostState, TaskState};
use crate::model::{Facts, State};

/// A state, and where reading goes on from it.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// After all records before the mark.
    pub state: State,
    /// Where the next record stands.
    pub mark: Mark,
}

/// How much is kept. Whatever a journal holds, it is thinned to that.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Records between two checkpoints, as long as no limit is reached.
    pub every: u64,
    /// Checkpoints.
    pub most: usize,
    /// Bytes of them all, roughly, without what they have in common.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { every: 1_000, most: 256, bytes: 256 << 20 }
    }
}

/// States of a session, evenly apart.
#[derive(Debug)]
struct Checkpoints {
    limits: Limits,
    /// Records between two of them now.
    every: u64,
    /// In their order.
    kept: Vec<Arc<Checkpoint>>,
    bytes: usize,
}

impl Checkpoints {
    fn new(limits: Limits) -> Self {
        Self { limits, every: limits.every.max(1), kept: Vec::new(), bytes: 0 }
    }

    /// Keeps a state where one is due.
    fn offer(&mut self, state: &State, mark: &Mark) {
        if !mark.seq.is_multiple_of(self.every) {
            return;
        }
        self.bytes += weight(self.kept.last().map(|last| &last.state), state);
        self.kept.push(Arc::new(Checkpoint { state: state.clone(), mark: mark.clone() }));
        // One is kept whatever it weighs, or there would be none at all.
        while self.kept.len() > 1 && (self.kept.len() > self.limits.most || self.bytes > self.limits.bytes) {
            self.every *= 2;
            let every = self.every;
            self.kept.retain(|checkpoint| checkpoint.mark.seq.is_multiple_of(every));
            let before = std::iter::once(None).chain(self.kept.iter().map(Some));
            let weights = before.zip(&self.kept).map(|(last, next)| weight(last.map(|last| &last.state), &next.state));
            self.bytes = weights.sum();
        }
    }

    /// The last one with no more records before it than that.
    fn before(&self, seq: u64) -> Option<Arc<Checkpoint>> {
        let after = self.kept.partition_point(|checkpoint| checkpoint.mark.seq <= seq);
        Some(self.kept[after.checked_sub(1)?].clone())
    }
}

/// What the facts of a host take, roughly.
const FACTS: usize = size_of::<Facts>() + (8 << 10);

/// What a check of a task takes with its texts, roughly.
const CHECK: usize = 1 << 10;

/// Bytes of a state, roughly, but for what it shares with the one before it.
fn weight(before: Option<&State>, state: &State) -> usize {
    let logs = state.hosts.iter().map(|(name, host)| {
        let (log, known) = (&host.log, before.and_then(|before| before.host(name)).map(|host| &host.log));
        let lines = |log: &LogTail| log.dropped() + log.lines().len() as u64;
        let new = lines(log).saturating_sub(known.map_or(0, lines)).min(log.lines().len() as u64) as usize;
        let average = log.bytes() / log.lines().len().max(1) + size_of::<LogLine>();
        new * average + FACTS + size_of::<HostState>()
    });
    let tasks = state.tasks.iter().map(|task| size_of::<TaskState>() + task.checks.len() * CHECK);
    logs.sum::<usize>() + tasks.sum::<usize>()
}

/// How far a journal has been read through, and what was found.
#[derive(Clone, Debug, Default)]
pub struct Extent {
    /// Records that can be played.
    pub records: u64,
    /// The end was reached, or the place from which on nothing can be read.
    pub whole: bool,
    /// Why what comes after these records cannot be played, if anything does.
    pub flaw: Option<String>,
}

/// What is known of a journal while it is read through.
#[derive(Debug)]
struct Known {
    checkpoints: Checkpoints,
    extent: Extent,
}

/// A journal that is read through once, so that it can be entered anywhere.
#[derive(Debug)]
pub struct Index(Arc<Mutex<Known>>);

impl Index {
    /// Has a thread read a journal through, from its first record. It ends when nobody has the index any more.
    ///
    /// # Errors
    /// When the machine has no thread to give.
    pub fn begin(records: Records, limits: Limits) -> Result<Self, JournalError> {
        let (index, path) = (Self::unread(limits), records.path().to_owned());
        let known = Arc::downgrade(&index.0);
        let thread = std::thread::Builder::new().name("index".into()).spawn(move || read_through(records, &known));
        thread.map_err(JournalError::io("cannot begin to read", &path))?;
        Ok(index)
    }

    /// Reads a journal through before it returns.
    #[must_use]
    pub fn of(records: Records, limits: Limits) -> Self {
        let index = Self::unread(limits);
        read_through(records, &Arc::downgrade(&index.0));
        index
    }

    fn unread(limits: Limits) -> Self {
        Self(Arc::new(Mutex::new(Known { checkpoints: Checkpoints::new(limits), extent: Extent::default() })))
    }

    /// How far it is.
    #[must_use]
    pub fn extent(&self) -> Extent {
        known(&self.0).extent.clone()
    }

    /// The last state that is kept of those after so many records or fewer.
    #[must_use]
    pub fn before(&self, seq: u64) -> Option<Arc<Checkpoint>> {
        known(&self.0).checkpoints.before(seq)
    }
}

fn known(of: &Mutex<Known>) -> MutexGuard<'_, Known> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read_through(mut records: Records, index: &Weak<Mutex<Known>>) {
    let mut state = State::default();
    loop {
        let Some(shared) = index.upgrade() else { return };
        let every = known(&shared).checkpoints.limits.every.max(1);
        let end = (0..every).find_map(|_| match records.next() {
            Some(Ok(record)) => {
                state.apply(&record);
                None
            }
            Some(Err(error)) => Some(Some(flaw(&error))),
            None => Some(records.torn().then(|| TORN.to_owned())),
        });
        let mut known = known(&shared);
        let whole = end.is_some();
        known.extent = Extent { records: state.seq, whole, flaw: end.flatten() };
        if whole {
            return;
        }
        known.checkpoints.offer(&state, records.mark());
    }
}

/// What keeps a journal from being read on, where the journal itself is named already.
#[must_use]
pub fn flaw(error: &JournalError) -> String {
    match error {
        JournalError::Broken { line, what, .. } => format!("line {line}: {what}"),
        other => other.to_string(),
    }
}

/// What is told of a piece of a line at the end.
pub const TORN: &str = "a torn last line: a crash left it, nothing in it was acted upon";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::model::Record;

    const GOLDEN: &str = "tests/journals/container-linux.jsonl";

    /// The state after so many records, as a replay comes to it.
    fn entered(index: &Index, records: &Records, seq: u64) -> State {
        let (mut state, start) = match index.before(seq) {
            Some(checkpoint) => (checkpoint.state.clone(), checkpoint.mark.clone()),
            None => (State::default(), records.mark().clone()),
        };
        let left = (seq - start.seq) as usize;
        for record in records.at(&start).take(left) {
            state.apply(&record.unwrap());
        }
        state
    }

    #[test]
    fn a_state_that_is_entered_is_the_one_that_is_folded_from_nothing() {
        let all = crate::journal::read(Path::new(GOLDEN)).unwrap().records;
        let records = Records::open(Path::new(GOLDEN)).unwrap();
        let few = Limits { every: 7, most: 5, bytes: usize::MAX };
        let light = Limits { every: 7, most: usize::MAX, bytes: 3 << 20 };
        for limits in [Limits { every: 7, most: usize::MAX, bytes: usize::MAX }, few, light] {
            let index = Index::of(records.at(records.mark()), limits);
            let extent = index.extent();
            assert_eq!((extent.records, extent.whole, extent.flaw), (all.len() as u64, true, None));
            {
                let known = known(&index.0);
                let (kept, bytes) = (known.checkpoints.kept.len(), known.checkpoints.bytes);
                assert!(kept > 1 && kept <= limits.most && bytes <= limits.bytes, "{kept} kept, {bytes} bytes");
                assert_eq!(known.checkpoints.every == 7, limits.most.min(limits.bytes) == usize::MAX, "thinned");
            }
            let forward = (0..all.len()).step_by(83);
            for seq in forward.clone().chain(forward.rev()) {
                let expected = State::of(&all[..seq]);
                assert!(entered(&index, &records, seq as u64) == expected, "after {seq} records, {limits:?}");
            }
        }
    }

    #[test]
    fn what_stands_before_a_flaw_can_be_entered_and_the_flaw_is_told() {
        let whole = std::fs::read_to_string(GOLDEN).unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("session.jsonl");
        for (text, records, told) in [
            (whole[..whole.len() - 20].to_owned(), 994, "a torn last line"),
            (whole.replacen("\"seq\":500,", "\"seq\":501,", 1), 499, "line 501: record 501 stands where 500 should"),
            (whole.replacen("gate-opened", "gate-shown", 1), 0, "chain of digests is broken"),
        ] {
            std::fs::write(&path, text).unwrap();
            let begun = Records::open(&path).unwrap();
            let good: Vec<Record> = begun.at(begun.mark()).map_while(Result::ok).collect();
            let extent = Index::of(begun, Limits::default()).extent();
            assert_eq!(extent.records, good.len() as u64);
            assert!(extent.whole && extent.flaw.as_ref().is_some_and(|flaw| flaw.contains(told)), "{extent:?}");
            assert!(records == 0 || records == good.len(), "{}", good.len());
        }
    }
}
