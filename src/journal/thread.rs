//! The journal on a thread of its own: a slow disk stops neither the screen nor what is seen, only what is done.
//!
//! All that waits is written at once, with one sync for all of it where any of it is a decision (group commit). Whatever is done
//! on a host waits until the decision that it follows from is durable.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{JournalError, Store, is_decision};
use crate::model::{Digest, Event, Record};

/// Records in one write: a disk that was away for long gets what has gathered in parts that one can see go.
const BATCH: usize = 1024;

/// Bytes that may wait for the disk before nothing more is taken from hosts.
const MOST: usize = 16 << 20;

/// How far the thread is.
#[derive(Clone, Debug)]
struct Progress {
    /// Number of the last event that is on disk for good.
    durable: u64,
    head: Digest,
    failed: Option<JournalError>,
}

/// A journal that a thread writes.
pub struct Thread {
    queue: Option<mpsc::Sender<Record>>,
    /// Bytes that wait, roughly.
    waiting: Arc<AtomicUsize>,
    progress: watch::Receiver<Progress>,
    writes: Option<JoinHandle<()>>,
    /// Number of the last decision.
    decided: u64,
    /// When the disk was last asked for something that it has not answered yet.
    asked: Arc<Mutex<Option<Instant>>>,
}

/// Tells when the journal has caught up with an event.
#[derive(Clone, Debug)]
pub struct Behind(Option<(watch::Receiver<Progress>, u64)>);

impl Behind {
    /// Nothing has to be waited for.
    #[must_use]
    pub fn nothing() -> Self {
        Self(None)
    }

    /// Waits until it is on disk for good; whether that ever comes to be.
    pub async fn caught_up(self) -> bool {
        let Some((mut progress, seq)) = self.0 else { return true };
        let done = |progress: &Progress| progress.durable >= seq || progress.failed.is_some();
        progress.wait_for(done).await.is_ok_and(|progress| progress.failed.is_none())
    }
}

impl Thread {
    /// Begins to write there. Where the machine has no thread to give, the journal has failed.
    #[must_use]
    pub fn spawn(store: Box<dyn Store>) -> Self {
        let (queue, records) = mpsc::channel();
        let (tell, progress) = watch::channel(Progress { durable: 0, head: store.head().clone(), failed: None });
        let (waiting, asked) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Option<Instant>>>::default());
        let disk = Disk { store, tell: tell.clone(), waiting: waiting.clone(), asked: asked.clone(), synced: true };
        let thread = std::thread::Builder::new().name("journal".into()).spawn(move || disk.run(&records));
        if let Err(error) = &thread {
            let why = std::io::Error::new(error.kind(), error.to_string());
            let failed = JournalError::io("cannot begin to write", Path::new("the journal"))(why);
            tell.send_modify(|progress| progress.failed = Some(failed));
        }
        Self { queue: Some(queue), waiting, progress, writes: thread.ok(), decided: 0, asked }
    }

    /// Hands a record over. It never waits.
    ///
    /// # Errors
    /// Why the journal cannot be written any more.
    pub fn record(&mut self, record: Record) -> Result<(), JournalError> {
        self.failed()?;
        if is_decision(&record.event) {
            self.decided = record.seq;
        }
        self.waiting.fetch_add(weight(&record), Ordering::Relaxed);
        if let Some(queue) = &self.queue
            && queue.send(record).is_err()
        {
            // It has failed since, and says so before it ends.
            self.failed()?;
        }
        Ok(())
    }

    /// What waits for all that was decided so far.
    #[must_use]
    pub fn behind(&self) -> Behind {
        Behind(Some((self.progress.clone(), self.decided)))
    }

    /// Why the journal cannot be written, if it cannot.
    ///
    /// # Errors
    /// That.
    pub fn failed(&self) -> Result<(), JournalError> {
        self.progress.borrow().failed.clone().map_or(Ok(()), Err)
    }

    /// Waits for something to become durable or to fail.
    pub async fn moved(&mut self) {
        if self.progress.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// So much waits that nothing more should be taken in.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) >= MOST
    }

    /// How long the disk has not answered, where it was asked for something.
    #[must_use]
    pub fn silent(&self) -> Option<Duration> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).map(|asked| asked.elapsed())
    }

    /// Waits until all of it is on disk, and returns the digest that stands for it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn close(mut self) -> Result<Digest, JournalError> {
        self.queue = None;
        while self.progress.changed().await.is_ok() {}
        self.failed()?;
        Ok(self.progress.borrow().head.clone())
    }
}

impl Drop for Thread {
    /// What was handed over is written, however the session ends.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.writes.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").field("decided", &self.decided).finish_non_exhaustive()
    }
}

/// Roughly what a record takes up while it waits.
fn weight(record: &Record) -> usize {
    match &record.event {
        Event::JobOutput { text, .. } => 512 + text.len(),
        Event::FactsSeen { .. } | Event::Beat { .. } => 16 << 10,
        _ => 1 << 10,
    }
}

/// What the thread has.
struct Disk {
    store: Box<dyn Store>,
    tell: watch::Sender<Progress>,
    waiting: Arc<AtomicUsize>,
    asked: Arc<Mutex<Option<Instant>>>,
    /// Nothing was written that may be lost with the machine.
    synced: bool,
}

impl Disk {
    fn run(mut self, records: &mpsc::Receiver<Record>) {
        while let Ok(first) = records.recv() {
            let batch: Vec<Record> = std::iter::once(first).chain(records.try_iter().take(BATCH - 1)).collect();
            if !self.write(&batch) {
                return;
            }
        }
        if !self.synced {
            self.write(&[]);
        }
    }

    /// Writes what has gathered, and tells how far it is; whether it goes on. Nothing at all is synced, as at the end.
    fn write(&mut self, batch: &[Record]) -> bool {
        self.ask(Some(Instant::now()));
        let decided = batch.is_empty() || batch.iter().any(|record| is_decision(&record.event));
        let done = self.store.write(batch).and_then(|()| if decided { self.store.sync() } else { Ok(()) });
        self.ask(None);
        self.synced = decided;
        self.waiting.fetch_sub(batch.iter().map(weight).sum(), Ordering::Relaxed);
        let durable = batch.last().map(|record| record.seq).filter(|_| decided);
        let goes_on = done.is_ok();
        let head = self.store.head().clone();
        self.tell.send_modify(|progress| match done {
            Ok(()) => {
                progress.head = head;
                progress.durable = durable.unwrap_or(progress.durable);
            }
            Err(error) => progress.failed = Some(error),
        });
        goes_on
    }

    fn ask(&self, at: Option<Instant>) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Condvar;

    use jiff::Timestamp;

    use super::*;

    /// A disk that answers when it is told to.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Slow(Arc<(Mutex<Held>, Condvar)>);

    #[derive(Debug, Default)]
    struct Held {
        stuck: bool,
        /// Somebody waits for it.
        waits: bool,
        fails: Option<i32>,
        written: u64,
        syncs: usize,
    }

    impl Slow {
        fn set(&self, set: impl FnOnce(&mut Held)) {
            set(&mut self.0.0.lock().unwrap());
            self.0.1.notify_all();
        }

        pub(crate) fn stick(&self) {
            self.set(|held| held.stuck = true);
        }

        pub(crate) fn go_on(&self) {
            self.set(|held| held.stuck = false);
        }

        /// Answers with this error from now on.
        pub(crate) fn fail(&self, error: i32) {
            self.set(|held| (held.fails, held.stuck) = (Some(error), false));
        }

        /// Waits until somebody waits for the disk.
        fn until_asked(&self) {
            let held = self.0.0.lock().unwrap();
            drop(self.0.1.wait_while(held, |held| !held.waits).unwrap());
        }

        fn syncs(&self) -> usize {
            self.0.0.lock().unwrap().syncs
        }
    }

    static HEAD: std::sync::LazyLock<Digest> = std::sync::LazyLock::new(|| Digest::from("head"));

    impl Store for Slow {
        fn write(&mut self, records: &[Record]) -> Result<(), JournalError> {
            self.set(|held| held.written = records.last().map_or(held.written, |record| record.seq));
            Ok(())
        }

        fn sync(&mut self) -> Result<(), JournalError> {
            self.set(|held| held.waits = true);
            let held = self.0.0.lock().unwrap();
            let mut held = self.0.1.wait_while(held, |held| held.stuck).unwrap();
            (held.waits, held.syncs) = (false, held.syncs + 1);
            held.fails.map_or(Ok(()), |error| {
                Err(JournalError::io("cannot sync", Path::new("j.jsonl"))(std::io::Error::from_raw_os_error(error)))
            })
        }

        fn head(&self) -> &Digest {
            &HEAD
        }
    }

    fn note(seq: u64) -> Record {
        Record { seq, at: Timestamp::UNIX_EPOCH, event: Event::NoteAdded { text: seq.to_string() } }
    }

    fn seen(seq: u64) -> Record {
        let event = Event::FactsConfirmed { host: "etcd1".into(), asked: 1 };
        Record { seq, at: Timestamp::UNIX_EPOCH, event }
    }

    #[tokio::test]
    async fn nobody_waits_for_a_stuck_disk_and_many_decisions_are_one_sync() {
        let disk = Slow::default();
        disk.stick();
        let mut thread = Thread::spawn(Box::new(disk.clone()));
        thread.record(note(1)).unwrap();
        disk.until_asked();
        assert!(thread.silent().is_some());
        // These return, though the disk does not.
        for seq in 2..=200 {
            thread.record(note(seq)).unwrap();
        }
        thread.record(seen(201)).unwrap();
        let behind = thread.behind();
        let waits = tokio::spawn(behind.caught_up());
        tokio::task::yield_now().await;
        assert!(!waits.is_finished(), "nothing that was decided is durable");
        disk.go_on();
        assert!(waits.await.unwrap());
        assert_eq!(disk.syncs(), 2, "the first, and one for all that came while it went on");
        assert_eq!(thread.close().await.unwrap(), *HEAD);
        assert_eq!(disk.0.0.lock().unwrap().written, 201);
    }

    #[tokio::test]
    async fn what_was_only_seen_is_not_synced_before_the_end() {
        let disk = Slow::default();
        let mut thread = Thread::spawn(Box::new(disk.clone()));
        thread.record(seen(1)).unwrap();
        assert!(thread.behind().caught_up().await, "nothing was decided");
        thread.close().await.unwrap();
        assert_eq!(disk.syncs(), 1);
    }

    #[tokio::test]
    async fn a_disk_that_fails_bars_for_good() {
        for error in [5, 28] {
            let disk = Slow::default();
            disk.stick();
            let mut thread = Thread::spawn(Box::new(disk.clone()));
            thread.record(note(1)).unwrap();
            let behind = thread.behind();
            disk.fail(error);
            assert!(!behind.caught_up().await, "what follows from it must not be begun");
            assert!(!thread.behind().caught_up().await);
            let told = thread.record(note(2)).unwrap_err().to_string();
            assert!(told.starts_with("cannot sync j.jsonl:"), "{told}");
            assert!(thread.close().await.is_err());
        }
    }

    #[test]
    fn so_much_waits_and_no_more_is_taken() {
        let disk = Slow::default();
        disk.stick();
        let mut thread = Thread::spawn(Box::new(disk.clone()));
        thread.record(note(1)).unwrap();
        disk.until_asked();
        let text = "x".repeat(1 << 20);
        for seq in 2..18 {
            assert!(!thread.is_full());
            let event = Event::JobOutput { task: crate::model::TaskId(0), offset: 0, bytes: 1, text: text.clone() };
            thread.record(Record { seq, at: Timestamp::UNIX_EPOCH, event }).unwrap();
        }
        assert!(thread.is_full());
        disk.go_on();
    }
}
