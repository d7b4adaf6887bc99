//! What the journal's lines tell, put together once more and in another way than the product's fold does.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lockkeeper::model::event::{Event, JobKind};
use lockkeeper::model::{HostName, Plan, Record, TaskId};

/// What a probe told last, and whether it still counts.
#[derive(Clone, Copy)]
pub(crate) struct Heard {
    pub(crate) asked: u64,
    pub(crate) at: Timestamp,
    pub(crate) counts: bool,
}

#[derive(Default)]
pub(crate) struct Told {
    pub(crate) heard: BTreeMap<HostName, Heard>,
    /// Gates that stand shown, since which event.
    pub(crate) shown: BTreeMap<TaskId, u64>,
    /// Opened, and no end told.
    pub(crate) open: BTreeSet<TaskId>,
    /// To be taken back.
    pub(crate) undo: BTreeSet<TaskId>,
    /// Hosts whose lease is ours.
    pub(crate) leased: BTreeSet<HostName>,
    /// When something was last taken back.
    pub(crate) taken_back: u64,
    /// Job to its task.
    pub(crate) jobs: BTreeMap<String, (TaskId, JobKind)>,
    /// Runs of a task since it was last taken back.
    pub(crate) runs: BTreeMap<TaskId, Vec<String>>,
    /// Files of tasks that were opened: host and path.
    pub(crate) files: BTreeSet<String>,
    pub(crate) paused: bool,
    pub(crate) ended: bool,
    pub(crate) failed: BTreeMap<TaskId, usize>,
    /// Something was passed over, or the operator ended it.
    pub(crate) given_up: bool,
}

impl Told {
    pub(crate) fn of(plan: &Plan, records: &[Record]) -> Self {
        let mut told = Self::default();
        records.iter().for_each(|record| told.take(plan, record));
        told
    }

    pub(crate) fn take(&mut self, plan: &Plan, record: &Record) {
        let heard = |asked: u64| Heard { asked, at: record.at, counts: true };
        let over = |told: &mut Self, task: &TaskId| {
            told.shown.remove(task);
            told.open.remove(task);
        };
        match &record.event {
            Event::FactsSeen { host, asked, .. }
            | Event::FactsChanged { host, asked, .. }
            | Event::FactsConfirmed { host, asked } => {
                self.heard.insert(host.clone(), heard(*asked));
            }
            Event::Beat { asked, seen, hosts, but } => {
                let meant = |host: &HostName| (hosts.is_empty() || hosts.contains(host)) && !but.contains(host);
                for (_, heard) in self.heard.iter_mut().filter(|(host, heard)| heard.counts && meant(host)) {
                    (heard.asked, heard.at) = (heard.asked.max(*asked), heard.at.max(*seen));
                }
            }
            Event::LeaseTaken { host, .. } => drop(self.leased.insert(host.clone())),
            Event::HostBarred { host, .. } | Event::LeaseLost { host, .. } => drop(self.leased.remove(host)),
            Event::HostLost { host, .. } | Event::ProbeFailed { host, .. } => {
                self.heard.entry(host.clone()).and_modify(|heard| heard.counts = false);
            }
            Event::SessionResumed { .. } => {
                self.heard.values_mut().for_each(|heard| heard.counts = false);
                self.shown.clear();
                self.leased.clear();
            }
            Event::WorkPaused => self.paused = true,
            Event::WorkContinued => self.paused = false,
            Event::SessionEnded { .. } => self.ended = true,
            Event::GateShown { task } => {
                self.open.remove(task);
                self.shown.insert(*task, record.seq);
            }
            Event::GateOpened { task, .. } => {
                self.shown.remove(task);
                self.open.insert(*task);
                let task = plan.task(*task);
                self.files.extend(task.pushes.iter().map(|push| format!("{} {}", task.on, push.path)));
            }
            Event::JobIntended { task, kind, job } => {
                self.jobs.insert(job.to_string(), (*task, *kind));
                if *kind == JobKind::Run {
                    self.runs.entry(*task).or_default().push(job.to_string());
                }
            }
            Event::TaskSkipped { task, .. } => {
                self.given_up = true;
                over(self, task);
            }
            Event::TaskDone { task, .. } | Event::TaskNotNeeded { task } => over(self, task),
            Event::TaskFailed { task, .. } => {
                *self.failed.entry(*task).or_default() += 1;
                self.undo.clear();
                over(self, task);
            }
            Event::JobAbsent { task } => {
                if self.undo.contains(task) {
                    self.undo.clear();
                }
                self.open.remove(task);
            }
            Event::UndoOpened { tasks } => self.undo = tasks.iter().copied().collect(),
            Event::TaskUndone { task, checks: _ } => {
                self.taken_back = record.seq;
                self.undo.remove(task);
                self.runs.remove(task);
                over(self, task);
            }
            _ => {}
        }
    }

    /// What may be done on hosts: jobs by their names, files by host and path.
    pub(crate) fn announced(&self) -> BTreeSet<String> {
        self.jobs.keys().chain(&self.files).cloned().collect()
    }
}
