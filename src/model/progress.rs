//! What is asked of a plan's tasks again and again, kept up to date where their phases change and never counted anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::state::{Sort, State, Tally, TaskState};
use super::{HostName, Plan, TaskId};

/// A host's way through a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Index into the runbook's stages.
    pub stage: usize,
    /// The host.
    pub host: HostName,
    /// Its tasks, in order.
    pub tasks: Arc<[TaskId]>,
    /// Something was done there: more than to show a gate, or to find a task not needed.
    pub begun: bool,
    /// Something on the host has been changed.
    pub changed: bool,
    /// The first task that is not over.
    pub next: Option<TaskId>,
    /// The host has a role of the stage. It has none only in a plan that was written by hand, and never has its turn there.
    listed: bool,
    /// The first task under way.
    pub working: Option<TaskId>,
    /// The first task that is under way or came to a stop.
    pub holding: Option<TaskId>,
}

/// How the lanes of a stage stand, each told by a task of it; in the plan's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StageProgress {
    /// How many hosts have a role of the stage.
    pub hosts: usize,
    /// How its tasks stand.
    pub tally: Tally,
    /// The first task that is not over, of each lane that has one.
    pub open: BTreeSet<TaskId>,
    /// Of these, the ones in lanes that have begun.
    pub begun: BTreeSet<TaskId>,
    /// And the ones in lanes that have not.
    pub fresh: BTreeSet<TaskId>,
    /// And the ones in lanes where something has been changed.
    pub half_way: BTreeSet<TaskId>,
    /// The first task under way, of each lane that has one.
    pub working: BTreeSet<TaskId>,
    /// The first task that is under way or came to a stop, of each lane that has one.
    pub holding: BTreeSet<TaskId>,
}

/// The index of a state. It says nothing that the tasks do not say, only faster.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Progress {
    layout: Arc<Layout>,
    lanes: Vec<Lane>,
    stages: Vec<StageProgress>,
    gates: BTreeSet<TaskId>,
    under_way: BTreeSet<TaskId>,
    failed: BTreeSet<TaskId>,
    tally: Tally,
    /// Number of the event that last made a task wait again.
    taken_back: u64,
    /// Points of no return that were reached, after the event that began their phase.
    passed: BTreeSet<(u64, TaskId)>,
    /// By host, as the layout numbers them: tasks about it or run on it, after the event that began their phase.
    touched: Vec<BTreeSet<(u64, TaskId)>>,
    /// Paths of the files that tasks brought back.
    brought: BTreeMap<TaskId, Vec<String>>,
    /// Another one whenever a task becomes done, or is so no more, and with every file brought back.
    deeds: Arc<()>,
}

/// The part of the index that a plan gives and no event changes.
#[derive(Debug, Default, PartialEq)]
struct Layout {
    /// By task.
    places: Vec<Place>,
    /// By host.
    hosts: HashMap<HostName, HostTasks>,
}

/// Where a task belongs.
#[derive(Debug, PartialEq)]
struct Place {
    lane: usize,
    /// Numbers of the host that it is about and of the one that it runs on.
    hosts: [usize; 2],
    changes: bool,
    point_of_no_return: bool,
}

/// What a plan has for a host.
#[derive(Debug, PartialEq)]
struct HostTasks {
    number: usize,
    about: Vec<TaskId>,
    lanes: Vec<usize>,
}

/// How a task stood, as far as the index is concerned.
#[derive(Clone, Copy)]
pub(super) struct Stood(Sort, u64);

impl Stood {
    pub(super) fn of(task: &TaskState) -> Self {
        Self(task.phase.sort(), task.since_seq)
    }
}

impl Progress {
    /// Of a plan of which nothing has been done. Its tasks have their place for an id, and stages and steps that exist.
    pub(super) fn of(plan: &Plan) -> Self {
        let mut progress = Self::default();
        let mut layout = Layout::default();
        let mut grouped: BTreeMap<usize, Vec<TaskId>> = BTreeMap::new();
        for (stage, _) in plan.runbook.stages.iter().enumerate() {
            progress.stages.push(StageProgress::default());
            for host in plan.hosts_of(stage) {
                progress.lane(&mut layout, stage, host, true);
                progress.stages[stage].hosts += 1;
            }
        }
        for task in &plan.tasks {
            let lane = progress.lane(&mut layout, task.stage, &task.host, false);
            let hosts = [layout.number(&task.host), layout.number(&task.on)];
            let step = plan.step_of(task);
            let point_of_no_return = step.point_of_no_return.is_some();
            layout.places.push(Place { lane, hosts, changes: step.changes(), point_of_no_return });
            grouped.entry(lane).or_default().push(task.id);
            if let Some(host) = layout.hosts.get_mut(&task.host) {
                host.about.push(task.id);
            }
            progress.tally.total += 1;
            progress.stages[task.stage].tally.total += 1;
        }
        for (lane, tasks) in grouped {
            progress.lanes[lane].tasks = tasks.into();
        }
        progress.touched = vec![BTreeSet::new(); layout.hosts.len()];
        progress.layout = Arc::new(layout);
        let untouched = vec![TaskState::default(); plan.tasks.len()];
        (0..progress.lanes.len()).for_each(|lane| progress.refresh(lane, &untouched));
        progress
    }

    /// The number of a lane, which is made where there is none.
    fn lane(&mut self, layout: &mut Layout, stage: usize, host: &HostName, listed: bool) -> usize {
        let number = self.lanes.len();
        let lanes = &mut layout.host(host).lanes;
        if let Some(lane) = lanes.iter().find(|lane| self.lanes[**lane].stage == stage) {
            return *lane;
        }
        lanes.push(number);
        self.lanes.push(Lane {
            stage,
            host: host.clone(),
            tasks: Arc::default(),
            begun: false,
            changed: false,
            next: None,
            listed,
            working: None,
            holding: None,
        });
        number
    }

    /// Takes in that a task stands otherwise than it did.
    pub(super) fn moved(&mut self, id: TaskId, stood: Stood, tasks: &[TaskState]) {
        let layout = self.layout.clone();
        let (Some(place), Some(task)) = (layout.places.get(id.index()), tasks.get(id.index())) else { return };
        let stands = Stood::of(task);
        self.count(id, place, stood, false);
        self.count(id, place, stands, true);
        if (stood.0 == Sort::Done) != (stands.0 == Sort::Done) {
            self.deeds = Arc::default();
        }
        self.refresh(place.lane, tasks);
    }

    /// Counts a task in, or out again.
    fn count(&mut self, id: TaskId, place: &Place, Stood(sort, since): Stood, counts: bool) {
        fn put<T: Ord>(set: &mut BTreeSet<T>, item: T, counts: bool) {
            if counts {
                set.insert(item);
            } else {
                set.remove(&item);
            }
        }
        let by_sort = match sort {
            Sort::Gate => Some(&mut self.gates),
            Sort::UnderWay => Some(&mut self.under_way),
            Sort::Failed => Some(&mut self.failed),
            Sort::Waiting | Sort::Done | Sort::Skipped | Sort::NotNeeded => None,
        };
        by_sort.into_iter().for_each(|set| put(set, id, counts));
        let stage = self.lanes[place.lane].stage;
        for tally in [&mut self.tally, &mut self.stages[stage].tally] {
            let by_sort = match sort {
                Sort::Done => &mut tally.done,
                Sort::Failed => &mut tally.failed,
                Sort::Skipped => &mut tally.skipped,
                Sort::NotNeeded => &mut tally.not_needed,
                Sort::Waiting | Sort::Gate | Sort::UnderWay => continue,
            };
            *by_sort = if counts { *by_sort + 1 } else { by_sort.saturating_sub(1) };
        }
        // Nothing has happened yet to a task that no event has touched.
        if since == 0 {
            return;
        }
        if sort == Sort::Waiting {
            self.taken_back = self.taken_back.max(since);
        }
        if place.point_of_no_return && matches!(sort, Sort::UnderWay | Sort::Done | Sort::Failed) {
            put(&mut self.passed, (since, id), counts);
        }
        if sort != Sort::NotNeeded {
            place.hosts.iter().for_each(|host| put(&mut self.touched[*host], (since, id), counts));
        }
    }

    /// Looks at a lane anew, which has few tasks.
    fn refresh(&mut self, number: usize, tasks: &[TaskState]) {
        let sort = |id: TaskId| tasks.get(id.index()).map_or(Sort::Waiting, |task| task.phase.sort());
        let lane = &mut self.lanes[number];
        let stage = &mut self.stages[lane.stage];
        let mut change = |lane: &Lane, counts: bool| {
            let listed = |task: Option<TaskId>| task.filter(|_| lane.listed);
            for (set, task) in [
                (&mut stage.open, lane.next),
                (&mut stage.begun, listed(lane.next).filter(|_| lane.begun)),
                (&mut stage.fresh, listed(lane.next).filter(|_| !lane.begun)),
                (&mut stage.half_way, listed(lane.next).filter(|_| lane.changed)),
                (&mut stage.working, lane.working),
                (&mut stage.holding, lane.holding),
            ] {
                match task {
                    Some(task) if counts => drop(set.insert(task)),
                    Some(task) => drop(set.remove(&task)),
                    None => {}
                }
            }
        };
        change(lane, false);
        let ids = lane.tasks.clone();
        let first = |which: &[Sort]| ids.iter().copied().find(|id| which.contains(&sort(*id)));
        lane.next = first(&[Sort::Waiting, Sort::Gate, Sort::UnderWay, Sort::Failed]);
        lane.working = first(&[Sort::UnderWay]);
        lane.holding = first(&[Sort::UnderWay, Sort::Failed]);
        lane.begun = first(&[Sort::UnderWay, Sort::Done, Sort::Skipped, Sort::Failed]).is_some();
        let changed =
            |id: &TaskId| self.layout.places[id.index()].changes && matches!(sort(*id), Sort::Done | Sort::Failed);
        lane.changed = ids.iter().any(changed);
        change(lane, true);
    }

    /// Takes in that a file was brought back; whether one of that path had been before.
    pub(super) fn bring(&mut self, task: TaskId, path: &str) -> bool {
        self.deeds = Arc::default();
        let paths = self.brought.entry(task).or_default();
        let again = paths.iter().any(|known| known == path);
        if !again {
            paths.push(path.to_owned());
        }
        again
    }

    /// Forgets the files that a task brought back; whether there were any.
    pub(super) fn forget(&mut self, task: TaskId) -> bool {
        let any = self.brought.remove(&task).is_some();
        if any {
            self.deeds = Arc::default();
        }
        any
    }
}

impl Layout {
    fn host(&mut self, name: &HostName) -> &mut HostTasks {
        let number = self.hosts.len();
        self.hosts.entry(name.clone()).or_insert_with(|| HostTasks { number, about: Vec::new(), lanes: Vec::new() })
    }

    fn number(&mut self, name: &HostName) -> usize {
        self.host(name).number
    }
}

impl State {
    /// Tasks that stand before the operator, in the plan's order.
    pub fn gates(&self) -> impl Iterator<Item = TaskId> {
        self.progress.gates.iter().copied()
    }

    /// Tasks that have work under way, in the plan's order.
    pub fn under_way(&self) -> impl Iterator<Item = TaskId> {
        self.progress.under_way.iter().copied()
    }

    /// Tasks that came to a stop, in the plan's order.
    pub fn failed(&self) -> impl Iterator<Item = TaskId> {
        self.progress.failed.iter().copied()
    }

    /// How many tasks are done, failed, passed over (by the operator or as not needed), and there in all.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.progress.tally
    }

    /// The same of one stage.
    #[must_use]
    pub fn stage_tally(&self, stage: usize) -> Tally {
        self.stage_progress(stage).map(|stage| stage.tally).unwrap_or_default()
    }

    /// How the lanes of a stage stand; nothing for a stage that the plan does not have.
    #[must_use]
    pub fn stage_progress(&self, stage: usize) -> Option<&StageProgress> {
        self.progress.stages.get(stage)
    }

    /// The first stage that is not over.
    #[must_use]
    pub fn current_stage(&self) -> Option<usize> {
        self.progress.stages.iter().position(|stage| !stage.open.is_empty())
    }

    /// A host's way through a stage.
    #[must_use]
    pub fn lane(&self, stage: usize, host: &HostName) -> Option<&Lane> {
        let lanes = &self.progress.layout.hosts.get(host)?.lanes;
        lanes.iter().map(|lane| &self.progress.lanes[*lane]).find(|lane| lane.stage == stage)
    }

    /// The lane that a task belongs to.
    #[must_use]
    pub fn lane_of(&self, task: TaskId) -> Option<&Lane> {
        Some(&self.progress.lanes[self.progress.layout.places.get(task.index())?.lane])
    }

    /// The tasks about a host, in the plan's order.
    #[must_use]
    pub fn tasks_of(&self, host: &HostName) -> &[TaskId] {
        self.progress.layout.hosts.get(host).map(|host| host.about.as_slice()).unwrap_or_default()
    }

    /// The task that has work under way on a host, or came to a stop there.
    #[must_use]
    pub fn active_on(&self, host: &HostName) -> Option<TaskId> {
        let lanes = self.progress.layout.hosts.get(host)?.lanes.iter();
        lanes.filter_map(|lane| self.progress.lanes[*lane].holding).min()
    }

    /// The first task about a host that is not over.
    #[must_use]
    pub fn next_of(&self, host: &HostName) -> Option<TaskId> {
        let lanes = self.progress.layout.hosts.get(host)?.lanes.iter();
        lanes.filter_map(|lane| self.progress.lanes[*lane].next).min()
    }

    /// Whether a file was brought back by a task.
    #[must_use]
    pub fn brought(&self, task: TaskId, path: &str) -> bool {
        self.progress.brought.get(&task).is_some_and(|paths| paths.iter().any(|known| known == path))
    }

    /// Number of the event that last took a task back, whatever became of the task since; 0 where there is none.
    #[must_use]
    pub fn last_taken_back(&self) -> u64 {
        self.progress.taken_back
    }

    /// Number of the event that last began a phase of a task about a host, or run on it; what was found not needed does
    /// not count. 0 where there is none.
    #[must_use]
    pub fn last_touched(&self, host: &HostName) -> u64 {
        let number = self.progress.layout.hosts.get(host).map(|host| host.number);
        number.and_then(|number| self.progress.touched[number].last()).map_or(0, |(seq, _)| *seq)
    }

    /// The point of no return that was reached last.
    #[must_use]
    pub fn last_point_of_no_return(&self) -> Option<TaskId> {
        self.progress.passed.last().map(|(_, task)| *task)
    }

    /// The identity of what this session has done: as long as it is the same, so are the tasks that are done and the
    /// files that were brought back. States that have done the same need not share it.
    #[must_use]
    pub fn deeds(&self) -> &Arc<()> {
        &self.progress.deeds
    }
}

#[cfg(test)]
pub(crate) mod tests;
