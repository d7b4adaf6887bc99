//! One look at the state a frame: whose gate, whether it opens, what else wants the operator. Panes draw it, and keys act on
//! the one that was drawn: what is lit is what is meant.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;

use super::view::UiState;
use crate::engine::schedule::before;
use crate::engine::{GateView, Standing, gate_view, standing};
use crate::model::state::Phase;
use crate::model::{HostName, State, TaskId};

/// What the screen shows, told once a frame.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// The lit host, as a place in the state's list.
    pub lit: usize,
    /// Its name; nothing without hosts.
    pub host: Option<HostName>,
    /// The task that the gate pane shows: always one about the lit host.
    pub task: Option<TaskId>,
    /// The event that began the shown task's phase.
    pub since_seq: u64,
    /// The shown task is read before or after its turn.
    pub peeked: bool,
    /// The shown task's gate, on the facts of now.
    pub gate: Option<Rc<GateView>>,
    /// The shown gate was shut when it was looked at before.
    pub was_shut: bool,
    /// Every gate at the very step that is shown, with how it stands; the shown one among them.
    pub group: Vec<(TaskId, Standing)>,
    /// Something on another host that wants the operator, where the lit one does not.
    pub elsewhere: Option<TaskId>,
    /// What waits for the operator on another host, whether the lit one does or not: the most urgent where it does not, else
    /// the next in the order of the hosts.
    pub next_waiting: Option<TaskId>,
    /// How every gate stands that is open to the operator.
    standings: Rc<BTreeMap<TaskId, Standing>>,
    /// When that was counted, by the screen's clock.
    counted: Duration,
    /// Gates that are ready, on whichever host.
    pub ready: usize,
    /// For which event and second the gate was evaluated.
    evaluated: (u64, i64),
}

impl Look {
    /// Looks at a state.
    #[must_use]
    pub fn of(state: &State, ui: &UiState, now: Timestamp) -> Self {
        let last = &ui.look;
        let urgent = urgent(state, last.host.as_ref().filter(|_| ui.host.is_none()));
        let about = |id: TaskId| state.plan.as_ref().map(|plan| plan.task(id).host.clone());
        let picked = ui.host.clone().filter(|host| state.hosts.contains_key(host));
        let host = picked
            .or_else(|| about(urgent?))
            .or_else(|| last.host.clone().filter(|host| state.hosts.contains_key(host)))
            .or_else(|| state.hosts.keys().next().cloned());
        let own = host.as_ref().and_then(|host| of_host(state, host));
        let peek = ui.peek.filter(|id| about(*id) == host);
        let task = peek.or(own);
        let peeked = task.is_some() && task != own;
        let evaluated = (state.seq, now.as_second());
        let gate = task.and_then(|task| match &last.gate {
            Some(gate) if gate.task == task && last.evaluated == evaluated => Some(gate.clone()),
            _ => gate_view(state, task, now).map(Rc::new),
        });
        let (standings, counted) = standings(state, ui, now, evaluated);
        let ready = standings.values().filter(|standing| **standing == Standing::Ready).count();
        let same_step = |id: TaskId| {
            let (plan, task) = (state.plan.as_ref()?, task?);
            let (this, other) = (plan.task(task), plan.task(id));
            Some((this.stage, this.step) == (other.stage, other.step))
        };
        let group: Vec<(TaskId, Standing)> = standings
            .iter()
            .filter(|(id, _)| same_step(**id) == Some(true))
            .map(|(id, how)| (*id, how.clone()))
            .collect();
        let wants = |id: TaskId| {
            matches!(state.tasks[id.index()].phase, Phase::Failed { .. })
                || (state.tasks[id.index()].phase == Phase::Gate && before(state, id).is_none())
        };
        let elsewhere = urgent.filter(|id| wants(*id) && about(*id) != host && !own.is_some_and(wants));
        let lit = host.as_ref().and_then(|host| state.hosts.get_index_of(host)).unwrap_or_default();
        let next = || {
            let after = |by: usize| state.hosts.get_index((lit + by) % state.hosts.len()).map(|(name, _)| name);
            let others = (1..state.hosts.len()).filter_map(after);
            others.filter_map(|host| of_host(state, host)).find(|id| wants(*id))
        };
        Self {
            lit,
            was_shut: last.task == task && last.gate.as_ref().is_some_and(|gate| gate.refusal.is_some()),
            host,
            since_seq: task.and_then(|id| state.tasks.get(id.index())).map_or(0, |task| task.since_seq),
            task,
            peeked,
            gate,
            group,
            standings,
            counted,
            elsewhere,
            next_waiting: elsewhere.or_else(next),
            ready,
            evaluated,
        }
    }

    /// How a gate stands; nothing for a task that does not stand at its gate.
    #[must_use]
    pub fn standing(&self, id: TaskId) -> Option<&Standing> {
        self.standings.get(&id)
    }

    /// The shown task, where it stands at its gate in its turn.
    #[must_use]
    pub fn at_gate(&self, state: &State) -> Option<TaskId> {
        self.task.filter(|id| !self.peeked && state.tasks.get(id.index()).is_some_and(|task| task.phase == Phase::Gate))
    }
}

/// How every gate stands. Where hundreds are open they are not all asked in every frame: a count that is a quarter of a
/// second old is as good, and the gate that is shown is asked for itself.
fn standings(
    state: &State,
    ui: &UiState,
    now: Timestamp,
    evaluated: (u64, i64),
) -> (Rc<BTreeMap<TaskId, Standing>>, Duration) {
    const MANY: usize = 48;
    const EVERY: Duration = Duration::from_millis(250);
    let last = &ui.look;
    if last.evaluated == evaluated {
        return (last.standings.clone(), last.counted);
    }
    let gates = state.gates().count();
    if gates > MANY && ui.at.saturating_sub(last.counted) < EVERY && last.standings.len() == gates {
        return (last.standings.clone(), last.counted);
    }
    (Rc::new(state.gates().map(|id| (id, standing(state, id, now))).collect()), ui.at)
}

/// How much a task wants the operator: what came to a stop, then a gate, then what is at work.
fn urgency(state: &State, id: TaskId) -> Option<u8> {
    match &state.tasks[id.index()].phase {
        Phase::Failed { .. } => Some(0),
        // One that stands open to another host's turn can wait.
        Phase::Gate if before(state, id).is_some() => Some(3),
        Phase::Gate => Some(1),
        phase if phase.is_under_way() => Some(2),
        _ => None,
    }
}

/// The task that wants the operator most. The host that is looked at keeps the eye while it wants something at all.
fn urgent(state: &State, lit: Option<&HostName>) -> Option<TaskId> {
    let own = lit.and_then(|host| of_host(state, host)).filter(|id| urgency(state, *id).is_some_and(|rank| rank < 2));
    own.or_else(|| {
        let candidates = state.failed().chain(state.gates()).chain(state.under_way());
        candidates.filter_map(|id| Some((urgency(state, id)?, id))).min().map(|(_, id)| id)
    })
}

/// The task about a host that is shown for it: one that came to a stop, stands at its gate or is at work, else the next.
fn of_host(state: &State, host: &HostName) -> Option<TaskId> {
    let tasks = state.tasks_of(host);
    tasks
        .iter()
        .filter_map(|id| Some((urgency(state, *id)?, *id)))
        .min()
        .map(|(_, id)| id)
        .or_else(|| state.next_of(host))
}
