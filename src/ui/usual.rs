//! How long steps usually take: learned from this session, from earlier ones, from practice.
//!
//! What practice takes says little of real hosts, and is never told without saying where it is from.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::clock;
use crate::model::event::Mode;
use crate::model::runbook::Order;
use crate::model::state::{Phase, TaskState};
use crate::model::{State, TaskId};

/// How many times of a step are kept.
const KEPT: usize = 20;

/// So many times make one usual.
const ENOUGH: usize = 3;

/// Times by `runbook/stage/step`, in seconds; those of a reboot's parts by `runbook/stage/step/part`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usual {
    /// On real hosts.
    pub upgrade: BTreeMap<String, Vec<u32>>,
    /// On simulated ones.
    pub practice: BTreeMap<String, Vec<u32>>,
}

/// How long something takes, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// The median; of fewer than [`ENOUGH`] times, the last one.
    pub span: SignedDuration,
    /// What it rests on.
    pub basis: Basis,
}

/// What an estimate rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Times of this session or of one's own earlier ones, at least [`ENOUGH`].
    Usual,
    /// Fewer of them.
    Last,
    /// Simulated hosts, which say little of real ones.
    Simulated,
}

impl Estimate {
    /// `usually 0:04`; after a time or two, `last time 0:04`; where only practice tells, `simulated 0:04`.
    #[must_use]
    pub fn told(&self) -> String {
        let word = match self.basis {
            Basis::Usual => "usually",
            Basis::Last => "last time",
            Basis::Simulated => "simulated",
        };
        format!("{word} {}", clock::span(self.span))
    }

    /// Whether enough times tell for it to be relied upon.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        self.basis == Basis::Usual
    }
}

/// What of a step has a clock of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// From its gate to the end of its verification.
    Whole,
    /// Of a reboot: until the host does not answer any more.
    GoingDown,
    /// Of a reboot: until the host answers with another boot id.
    Away,
    /// Of a reboot: from then to the end of its verification.
    Checks,
}

impl Part {
    const ALL: [Self; 4] = [Self::Whole, Self::GoingDown, Self::Away, Self::Checks];

    /// What its key ends with.
    fn suffix(self) -> &'static str {
        match self {
            Self::Whole => "",
            Self::GoingDown => "/going-down",
            Self::Away => "/away",
            Self::Checks => "/checks",
        }
    }

    /// How long it took, for a task that came to a good end.
    fn took(self, task: &TaskState) -> Option<SignedDuration> {
        let took = task.took?;
        if self == Self::Whole {
            return Some(took);
        }
        let (began, back) = (task.began?, task.back.filter(|_| task.phase == Phase::Done)?);
        match self {
            Self::Whole => Some(took),
            Self::GoingDown => Some(task.away?.duration_since(began)),
            Self::Away => Some(back.duration_since(task.away?)),
            Self::Checks => Some(took - back.duration_since(began)),
        }
    }
}

impl Usual {
    /// How long a task usually takes from its gate to its verification: as on the hosts that are through with it, or as in
    /// earlier sessions, or as in practice.
    #[must_use]
    pub fn of(&self, state: &State, id: TaskId) -> Option<Estimate> {
        self.of_part(state, id, Part::Whole)
    }

    /// The same of a part of it.
    #[must_use]
    pub fn of_part(&self, state: &State, id: TaskId, part: Part) -> Option<Estimate> {
        let plan = state.plan.as_ref()?;
        let task = plan.tasks.get(id.index())?;
        let key = key(state, id, part)?;
        let alike = plan.tasks.iter().filter(|other| (other.stage, other.step) == (task.stage, task.step));
        let mut here: Vec<&TaskState> = alike.map(|other| &state.tasks[other.id.index()]).collect();
        here.sort_by_key(|task| task.since);
        let here: Vec<u32> =
            here.into_iter().filter(|task| sound(task)).filter_map(|task| seconds(part.took(task)?)).collect();
        let earlier = self.upgrade.get(&key).cloned().unwrap_or_default();
        let enough = |times: &&Vec<u32>| times.len() >= ENOUGH;
        let own = [&here, &earlier];
        let (seconds, basis) = if let Some(times) = own.into_iter().find(enough) {
            (median(times.clone())?, Basis::Usual)
        } else if let Some(last) = own.into_iter().find_map(|times| times.last()) {
            (*last, Basis::Last)
        } else {
            (median(self.practice.get(&key)?.clone())?, Basis::Simulated)
        };
        Some(Estimate { span: SignedDuration::from_secs(i64::from(seconds)), basis })
    }

    /// How long the steps that are not over will take, as far as that is known; the time that operators take at gates is
    /// not in it. Hosts of a stage that go together count once. It is practice's where any part of it is.
    #[must_use]
    pub fn left(&self, state: &State) -> Option<Estimate> {
        let plan = state.plan.as_ref()?;
        let real = state.session.as_ref().is_none_or(|session| session.mode != Mode::Practice);
        let mut steps: BTreeMap<(usize, usize), (TaskId, i64)> = BTreeMap::new();
        for task in plan.tasks.iter().filter(|task| !state.tasks[task.id.index()].phase.is_over()) {
            steps.entry((task.stage, task.step)).or_insert((task.id, 0)).1 += 1;
        }
        let mut total = SignedDuration::ZERO;
        let (mut known, mut unknown, mut basis) = (0, 0, Basis::Usual);
        for ((stage, _), (id, count)) in steps {
            let told = self.of(state, id).filter(|estimate| !(real && estimate.basis == Basis::Simulated));
            let Some(estimate) = told else {
                unknown += i64::from(plan.step_of(plan.task(id)).changes()) * count;
                continue;
            };
            let together = match plan.runbook.stages[stage].order {
                Order::OneAtATime => 1,
                Order::Batch(percent) => (plan.hosts_of(stage).count() as i64 * i64::from(percent) / 100).max(1),
                Order::AllAtOnce => count,
            };
            let rounds = (count + together - 1) / together.max(1);
            total = total.saturating_add(estimate.span.saturating_mul(i32::try_from(rounds).unwrap_or(i32::MAX)));
            known += count;
            if estimate.basis != Basis::Usual && basis != Basis::Simulated {
                basis = estimate.basis;
            }
        }
        // A sum of the few steps that are known would promise an early end.
        (known > 0 && unknown * 4 <= known).then_some(Estimate { span: total, basis })
    }

    /// Takes in what a session has shown, but for tasks that failed on the way: what went wrong is not how it usually goes.
    pub fn learn(&mut self, state: &State, practice: bool) {
        let times = if practice { &mut self.practice } else { &mut self.upgrade };
        let parts = state.task_ids().flat_map(|id| Part::ALL.map(|part| (id, part)));
        for (id, part) in parts {
            let task = &state.tasks[id.index()];
            let took = part.took(task).filter(|_| sound(task)).and_then(seconds);
            if let (Some(key), Some(took)) = (key(state, id, part), took) {
                let known = times.entry(key).or_default();
                known.push(took);
                let over = known.len().saturating_sub(KEPT);
                known.drain(..over);
            }
        }
    }
}

/// Whether nothing went wrong with a task that took its time.
fn sound(task: &TaskState) -> bool {
    task.failures == 0
}

fn seconds(span: SignedDuration) -> Option<u32> {
    u32::try_from(span.as_secs()).ok()
}

/// A stage that is repeated takes about as long for every word: its repetitions share their times.
fn key(state: &State, id: TaskId, part: Part) -> Option<String> {
    let plan = state.plan.as_ref()?;
    let (task, step, _) = state.task(id)?;
    let stage = plan.stage_of(task);
    let repeated = stage.vars.values().find_map(|word| stage.name.strip_suffix(word.as_str())?.strip_suffix('-'));
    Some(format!("{}/{}/{}{}", plan.runbook.name, repeated.unwrap_or(&stage.name), step.name, part.suffix()))
}

fn median(mut times: Vec<u32>) -> Option<u32> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_one_is_usual() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![9, 1, 4]), Some(4));
        assert_eq!(median(vec![1, 300]), Some(300));
    }
}
