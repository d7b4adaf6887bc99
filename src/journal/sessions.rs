//! What a list of sessions shows of each: the head and the tail of its journal. A whole journal may be gigabytes long and
//! its chain is not judged here; whoever resumes or replays it reads it all.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{FORMAT, Header, Records};
use crate::model::event::{Mode, Outcome};
use crate::model::logtail::clean;
use crate::model::{Standing, Summary};

/// How much of a journal's end is read. Its last events are in it, whatever came before.
const TAIL: u64 = 64 << 10;

/// The longest beginning that is read: a plan of many hundred hosts has some megabytes.
const HEAD: u64 = 64 << 20;

/// The journals of a directory, the one that was written last first. A directory that is not there has none.
#[must_use]
pub fn journals(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let written = path.extension().is_some_and(|extension| extension == "jsonl").then(|| path.metadata())?;
            Some((written.ok()?.modified().ok()?, path))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, path)| path).collect()
}

/// Who holds which file, by inode, as the kernel tells it. Asking it disturbs nobody, which trying a lock would.
#[derive(Debug)]
pub struct Locks(Option<HashMap<u64, u32>>);

impl Locks {
    /// As they are now.
    #[must_use]
    pub fn now() -> Self {
        Self(fs::read_to_string("/proc/locks").ok().map(|text| locks(&text)))
    }

    /// That a process writes this journal now, if one does.
    fn writer(&self, file: &File) -> Option<Standing> {
        let process = match &self.0 {
            Some(held) => Some(*held.get(&file.metadata().ok()?.ino())?),
            None => None,
        };
        // Another file system may have a file of the same number: only the lock itself tells.
        match flock(file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => {
                let _ = flock(file, FlockOperation::Unlock);
                None
            }
            Err(_) => Some(Standing::Running { process: process.filter(|process| *process > 0) }),
        }
    }
}

/// Lines such as `1: FLOCK  ADVISORY  WRITE 1234 fe:01:5678 0 EOF`.
fn locks(text: &str) -> HashMap<u64, u32> {
    let held = text.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, "WRITE", process, file, ..] = words.as_slice() else { return None };
        Some((file.rsplit(':').next()?.parse().ok()?, process.parse().unwrap_or_default()))
    });
    held.collect()
}

/// As much of the first record as a list shows; the rest of it is passed over.
#[derive(Deserialize)]
struct First {
    at: Timestamp,
    event: Started,
}

#[derive(Deserialize)]
struct Started {
    mode: Mode,
    #[serde(default)]
    operator: String,
    inventory: Cluster,
    plan: Option<Planned>,
}

#[derive(Deserialize)]
struct Cluster {
    cluster: String,
}

#[derive(Deserialize)]
struct Planned {
    runbook: Named,
    tasks: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

/// As much of any other record.
#[derive(Deserialize)]
struct Later<E> {
    at: Timestamp,
    event: E,
}

#[derive(Deserialize)]
struct Ended {
    outcome: Outcome,
}

#[derive(Deserialize)]
struct Resumed {
    operator: String,
}

#[derive(Deserialize)]
struct OfTask {
    task: u32,
}

/// A session by the head and the tail of its journal. How far it came is told only where it came to its end: [`count`]
/// tells the others.
#[must_use]
pub fn glance(path: &Path, locks: &Locks) -> Summary {
    let mut summary = Summary {
        path: path.to_owned(),
        last: Timestamp::UNIX_EPOCH,
        standing: Standing::Unfinished,
        mode: None,
        cluster: String::new(),
        runbook: String::new(),
        operator: String::new(),
        tasks: 0,
        over: None,
        barred: false,
    };
    if let Err(why) = read_ends(&mut summary, locks) {
        summary.standing = Standing::Unreadable { why };
        let written = path.metadata().and_then(|found| found.modified()).ok();
        summary.last = written.and_then(|time| Timestamp::try_from(time).ok()).unwrap_or(summary.last);
    }
    summary
}

fn read_ends(summary: &mut Summary, locks: &Locks) -> Result<(), String> {
    let said = |error: std::io::Error| error.to_string();
    let mut file = File::open(&summary.path).map_err(said)?;
    let mut head = BufReader::new((&file).take(HEAD));
    let mut line = String::new();
    head.read_line(&mut line).map_err(said)?;
    let header: Header = serde_json::from_str(&line).map_err(|_| "not a Lockkeeper journal".to_owned())?;
    if header.lockkeeper_journal != FORMAT {
        return Err(format!("format {}, and this version reads {FORMAT}", header.lockkeeper_journal));
    }
    line.clear();
    head.read_line(&mut line).map_err(said)?;
    let first: First = serde_json::from_str(&line).map_err(|_| "no session was begun in it".to_owned())?;
    summary.last = first.at;
    summary.mode = Some(first.event.mode);
    summary.cluster = clean(&first.event.inventory.cluster);
    summary.operator = clean(&first.event.operator);
    if let Some(plan) = first.event.plan {
        summary.runbook = clean(&plan.runbook.name);
        summary.tasks = plan.tasks.len();
    }
    read_tail(&mut file, summary).map_err(said)?;
    if !summary.standing.ended()
        && let Some(running) = locks.writer(&file)
    {
        summary.standing = running;
    }
    Ok(())
}

fn read_tail(file: &mut File, summary: &mut Summary) -> std::io::Result<()> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
    let tail = String::from_utf8_lossy(&bytes[..whole]);
    let (mut dated, mut taken_up) = (false, false);
    for line in tail.lines().rev() {
        if !dated && let Ok(record) = serde_json::from_str::<Later<IgnoredAny>>(line) {
            (summary.last, dated) = (record.at, true);
        }
        match kind(line) {
            Some("session-ended") => {
                let Ok(record) = serde_json::from_str::<Later<Ended>>(line) else { continue };
                summary.standing = match record.event.outcome {
                    Outcome::Completed => Standing::Completed,
                    Outcome::Unkept { .. } => Standing::Unkept,
                    Outcome::Aborted { .. } => Standing::Aborted,
                };
                if summary.standing != Standing::Aborted {
                    summary.over = Some(summary.tasks);
                }
            }
            Some("session-resumed") if !taken_up => {
                let Ok(record) = serde_json::from_str::<Later<Resumed>>(line) else { continue };
                (summary.operator, taken_up) = (clean(&record.event.operator), true);
            }
            _ => {}
        }
    }
    Ok(())
}

/// What every event begins with.
const KIND: &str = "{\"type\":\"";

/// The kind of event that a line records. What an event says comes after its kind, so that no text can pass for one.
fn kind(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("\"event\":")?;
    rest.strip_prefix(KIND)?.split_once('"').map(|(kind, _)| kind)
}

/// Reads a journal through, and says how far the session is, whether it is kept out, and where the journal was changed. Costs
/// as much as its length.
pub fn count(summary: &mut Summary) {
    let Ok(mut records) = Records::open(&summary.path) else { return };
    let (mut over, mut barred) = (BTreeSet::new(), false);
    while let Some(line) = records.next_raw() {
        let event = match line {
            Ok(line) => line.event.get(),
            Err(error) => {
                if summary.standing == Standing::Unfinished {
                    summary.standing = Standing::Unreadable { why: super::flaw(&error) };
                }
                break;
            }
        };
        let task = || serde_json::from_str::<OfTask>(event).map(|event| event.task);
        match event.strip_prefix(KIND).and_then(|rest| rest.split_once('"')).map(|(kind, _)| kind) {
            Some("task-done" | "task-skipped" | "task-not-needed") => over.extend(task()),
            Some("task-undone" | "task-failed") => {
                if let Ok(task) = task() {
                    over.remove(&task);
                }
            }
            Some("host-barred" | "lease-lost") => barred = true,
            Some("session-resumed") => barred = false,
            _ => {}
        }
    }
    summary.over = Some(over.len());
    summary.barred = barred;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Writer;
    use crate::model::{Event, Inventory, TaskId};

    fn golden(lines: usize) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        let text = fs::read_to_string("tests/journals/container-linux.jsonl").unwrap();
        let text: String = text.lines().take(lines).map(|line| format!("{line}\n")).collect();
        fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn head_and_tail_tell_a_session() {
        let (_dir, path) = golden(usize::MAX);
        let summary = glance(&path, &Locks::now());
        assert_eq!((summary.cluster.as_str(), summary.tasks), ("practice-container-linux", 60));
        assert_eq!((summary.standing.word(), summary.progress()), ("completed", "60 of 60".into()));
        assert_eq!(summary.mode, Some(Mode::Practice));
        assert!(!summary.resumable());
    }

    #[test]
    fn what_is_counted_is_what_the_fold_counts() {
        for lines in [2, 300, 700] {
            let (_dir, path) = golden(lines);
            let mut summary = glance(&path, &Locks::now());
            assert_eq!(summary.standing, Standing::Unfinished);
            assert_eq!(summary.progress(), "? of 60");
            count(&mut summary);
            let tally = crate::model::State::of(&crate::journal::read(&path).unwrap().records).tally();
            assert_eq!(summary.over, Some(tally.done + tally.skipped + tally.not_needed), "after {lines} lines");
        }
    }

    #[test]
    fn a_journal_that_was_changed_in_its_middle_is_named_once_it_is_counted() {
        let (_dir, path) = golden(700);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen("gate-opened", "gate-0pened", 1)).unwrap();
        let mut summary = glance(&path, &Locks::now());
        assert_eq!(summary.standing, Standing::Unfinished, "head and tail tell nothing of it");
        count(&mut summary);
        let Standing::Unreadable { why } = &summary.standing else { panic!("{summary:?}") };
        assert!(why.starts_with("line ") && why.contains("chain of digests is broken"), "{why}");
    }

    #[test]
    fn who_writes_it_is_told_and_is_not_disturbed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl");
        let mut writer = Writer::create(&path).unwrap();
        let started = Event::SessionStarted {
            session: "s".into(),
            mode: Mode::Upgrade,
            version: "0".into(),
            operator: "op@laptop".into(),
            inventory: Box::new(Inventory { cluster: "prod\u{1b}[2J".into(), ..Inventory::default() }),
            plan: None,
        };
        writer.append(Timestamp::UNIX_EPOCH, started, true).unwrap();
        writer.append(Timestamp::UNIX_EPOCH, Event::TaskNotNeeded { task: TaskId(0) }, true).unwrap();
        let summary = glance(&path, &Locks::now());
        assert_eq!(summary.standing, Standing::Running { process: Some(std::process::id()) });
        assert_eq!(summary.holder(), format!("op@laptop, process {}", std::process::id()));
        assert_eq!(summary.cluster, "prod", "nothing of a journal reaches a terminal with a control character");
        drop(writer);
        assert!(glance(&path, &Locks::now()).resumable());
        assert!(Writer::resume(&path).is_ok());
    }

    #[test]
    fn what_is_no_journal_says_so_and_a_torn_one_is_read() {
        let dir = tempfile::tempdir().unwrap();
        for (text, words) in [
            ("", "not a Lockkeeper journal"),
            ("{\"lockkeeper_journal\":99}\n", "format 99"),
            ("{\"lockkeeper_journal\":1}\n{\"seq\":1", "no session"),
        ] {
            let path = dir.path().join("x.jsonl");
            fs::write(&path, text).unwrap();
            let summary = glance(&path, &Locks::now());
            assert!(matches!(&summary.standing, Standing::Unreadable { why } if why.contains(words)), "{summary:?}");
        }
        let (_dir, path) = golden(100);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, &text[..text.len() - 20]).unwrap();
        assert_eq!(glance(&path, &Locks::now()).standing, Standing::Unfinished);
    }

    #[test]
    fn the_kernel_names_the_holder() {
        let text = "1: FLOCK  ADVISORY  WRITE 1234 fe:01:5678 0 EOF\n2: POSIX  ADVISORY  WRITE 7 fe:01:9 0 EOF\n2: -> FLOCK ADVISORY WRITE 3 fe:01:5 0 EOF\n";
        assert_eq!(locks(text), HashMap::from([(5678, 1234)]));
    }
}
