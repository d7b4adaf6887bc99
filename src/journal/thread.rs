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
    thread: Option<JoinHandle<()>>,
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
        Self { queue: Some(queue), waiting, progress, thread: thread.ok(), decided: 0, asked }
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
        if let Some(thread) = self.thread.take() {
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
