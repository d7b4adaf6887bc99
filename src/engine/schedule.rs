//! Whose turn it is.

use crate::model::progress::StageProgress;
use crate::model::runbook::{Order, Stage};
use crate::model::state::Phase;
use crate::model::{HostName, State, TaskId};

/// The tasks whose turn has come and that nobody has been shown yet, in the order they should be shown.
pub fn next(state: &State) -> impl Iterator<Item = TaskId> + '_ {
    let turns = state.current_stage().and_then(|stage| Turns::of(state, stage));
    let waiting = |id: &TaskId| state.tasks[id.index()].phase == Phase::Waiting && !state.undo.contains(id);
    turns.into_iter().flat_map(Turns::tasks).filter(waiting)
}

/// A task that comes first: of an earlier stage that is not over, or of another host whose turn it is. What was taken back
/// is that again.
#[must_use]
pub fn before(state: &State, id: TaskId) -> Option<TaskId> {
    let lane = state.lane_of(id)?;
    let earlier = (0..lane.stage).find_map(|stage| state.stage_progress(stage)?.open.first().copied());
    earlier.or_else(|| {
        let turns = Turns::of(state, lane.stage)?;
        let ours = lane.next.is_some_and(|next| turns.has(next));
        turns.tasks().find(|_| !ours)
    })
}

/// A task that has to come to its end before another host of its stage may be worked on: the stage has no room beside
/// it. What came to a stop holds its place where `stopped` counts, as it does for everything but the way back.
#[must_use]
pub fn in_the_way(state: &State, id: TaskId, stopped: bool) -> Option<TaskId> {
    let lane = state.lane_of(id)?;
    let turns = Turns::of(state, lane.stage)?;
    let (busy, ours) = if stopped { (&turns.now.holding, lane.holding) } else { (&turns.now.working, lane.working) };
    turns.no_room_beside(busy.iter().copied().filter(|other| Some(*other) != ours))
}

/// A host of a task's stage on which something has been changed and that is not through, where there is no room beside it:
/// what was begun there is finished, or taken back, before anything else is taken back.
#[must_use]
pub fn half_way(state: &State, id: TaskId) -> Option<&HostName> {
    let lane = state.lane_of(id)?;
    let turns = Turns::of(state, lane.stage)?;
    let others = turns.now.half_way.iter().copied().filter(|other| Some(*other) != lane.next);
    Some(&state.lane_of(turns.no_room_beside(others)?)?.host)
}

/// The hosts whose turn it is in a stage, each told by its next task: those that have begun, and as many others as there is
/// room for beside them. Where what a host has done is taken back it is its turn again, before that of hosts that have
/// only been shown a gate.
#[derive(Clone, Copy)]
struct Turns<'s> {
    state: &'s State,
    stage: &'s Stage,
    now: &'s StageProgress,
}

impl<'s> Turns<'s> {
    fn of(state: &'s State, index: usize) -> Option<Self> {
        Some(Self { state, stage: state.plan.as_ref()?.runbook.stages.get(index)?, now: state.stage_progress(index)? })
    }

    /// How many hosts may be worked on at once.
    fn limit(self) -> usize {
        match self.stage.order {
            Order::OneAtATime => 1,
            Order::Batch(percent) => (self.now.hosts * usize::from(percent) / 100).max(1),
            Order::AllAtOnce => self.now.hosts,
        }
    }

    /// How many hosts may begin beside those that have.
    fn room(self) -> usize {
        self.limit().saturating_sub(self.now.begun.len())
    }

    fn tasks(self) -> impl Iterator<Item = TaskId> + 's {
        self.now.begun.iter().copied().chain(self.fresh().take(self.room()))
    }

    /// The hosts that have not begun, in the order they will.
    fn fresh(self) -> impl Iterator<Item = TaskId> + 's {
        let put_off = move |id: &TaskId| self.stage.leader_last && self.leads(*id);
        let at_once = self.now.fresh.iter().copied().filter(move |id| !put_off(id));
        at_once.chain(self.now.fresh.iter().copied().filter(move |id| put_off(id)))
    }

    fn has(self, next: TaskId) -> bool {
        let among_fresh = || self.now.fresh.contains(&next);
        let all = self.room() >= self.now.fresh.len();
        self.now.begun.contains(&next)
            || (among_fresh() && (all || self.fresh().take(self.room()).any(|id| id == next)))
    }

    /// The first of these, where they take all the room there is.
    fn no_room_beside(self, mut others: impl Iterator<Item = TaskId>) -> Option<TaskId> {
        let first = others.next()?;
        let more = self.limit().saturating_sub(1);
        (others.take(more).count() == more).then_some(first)
    }

    /// Whether the etcd member of a task's host leads, as far as is known.
    fn leads(self, id: TaskId) -> bool {
        let host = self.state.lane_of(id).and_then(|lane| self.state.host(&lane.host));
        let facts = host.and_then(|host| host.current()).map(|seen| &seen.facts);
        facts.and_then(|facts| facts.etcd.as_ref()?.leader) == Some(true)
    }
}
