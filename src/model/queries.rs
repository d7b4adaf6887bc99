//! Questions that the screen asks of a state.

use super::state::{Phase, Tally};
use super::{HostName, State, TaskId};

impl State {
    /// Tasks that have work under way, in the plan's order.
    pub fn under_way(&self) -> impl Iterator<Item = TaskId> {
        self.task_ids().filter(|id| self.tasks[id.index()].phase.is_under_way())
    }

    /// Tasks that came to a stop, in the plan's order.
    pub fn failed(&self) -> impl Iterator<Item = TaskId> {
        self.task_ids().filter(|id| matches!(self.tasks[id.index()].phase, Phase::Failed { .. }))
    }

    /// The tasks of a stage, counted.
    #[must_use]
    pub fn stage_tally(&self, stage: usize) -> Tally {
        let mut tally = Tally::default();
        for task in self.plan.iter().flat_map(|plan| &plan.tasks).filter(|task| task.stage == stage) {
            tally.total += 1;
            match self.tasks[task.id.index()].phase {
                Phase::Done => tally.done += 1,
                Phase::Failed { .. } => tally.failed += 1,
                Phase::Skipped { .. } => tally.skipped += 1,
                Phase::NotNeeded => tally.not_needed += 1,
                _ => {}
            }
        }
        tally
    }

    /// The first stage that is not over.
    #[must_use]
    pub fn current_stage(&self) -> Option<usize> {
        let plan = self.plan.as_ref()?;
        plan.tasks.iter().find(|task| !self.tasks[task.id.index()].phase.is_over()).map(|task| task.stage)
    }

    /// All tasks about a host, in the plan's order.
    #[must_use]
    pub fn tasks_of(&self, host: &HostName) -> Vec<TaskId> {
        self.plan.iter().flat_map(|plan| &plan.tasks).filter(|task| task.host == *host).map(|task| task.id).collect()
    }

    /// The first task about a host that is not over.
    #[must_use]
    pub fn next_of(&self, host: &HostName) -> Option<TaskId> {
        self.tasks_of(host).into_iter().find(|id| !self.tasks[id.index()].phase.is_over())
    }
}
