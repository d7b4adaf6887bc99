//! The operator that practice has and nothing else: opens every gate as soon as it opens, and never skips.

use std::collections::BTreeSet;
use std::mem::Discriminant;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::engine::{Intent, confirmation, gate_view, undo_chain};
use crate::journal::JournalError;
use crate::model::event::Outcome;
use crate::model::runbook::Confirm;
use crate::model::state::Phase;
use crate::model::{HostName, State, TaskId};
use crate::runner::Runner;

/// After this much virtual time a session that has not ended never will.
const LONGEST: SignedDuration = SignedDuration::from_hours(6);

/// A gate that stays shut for so long, while nothing runs anywhere, stays shut.
const SHUT: SignedDuration = SignedDuration::from_secs(200);

/// How often one task is retried before the operator gives up.
const RETRIES: usize = 3;

/// How a session went.
#[derive(Debug)]
pub(super) struct Summary {
    /// In a word.
    pub(super) outcome: &'static str,
    /// What stood in the way, if anything.
    pub(super) why: Option<String>,
    /// The whole line, for programs.
    pub(super) json: serde_json::Value,
}

/// Who opens the gates, with what they remember of the session so far. A wizard that was killed does not take it along.
#[derive(Debug)]
pub(super) struct Driver {
    /// What was done in a stage is taken back on one host and done again, once at every [`Moment`].
    take_back: bool,
    began: Option<Timestamp>,
    moved: Timestamp,
    retries: Vec<usize>,
    phases: Vec<Discriminant<Phase>>,
    taken_back: BTreeSet<(usize, Moment)>,
    undone: BTreeSet<TaskId>,
}

impl Driver {
    pub(super) fn new(take_back: bool) -> Self {
        Self {
            take_back,
            began: None,
            moved: Timestamp::UNIX_EPOCH,
            retries: Vec::new(),
            phases: Vec::new(),
            taken_back: BTreeSet::new(),
            undone: BTreeSet::new(),
        }
    }

    /// Drives a session to its end, or to where nobody can go on; nothing where it has come to so many events before.
    /// What has to be done by hand is `followed` up elsewhere.
    pub(super) async fn drive(
        &mut self,
        runner: &mut Runner,
        until: Option<u64>,
        mut followed: impl FnMut(&State),
    ) -> Result<Option<Summary>, JournalError> {
        let began = *self.began.get_or_insert(runner.now());
        self.retries.resize(runner.state().tasks.len(), 0);
        loop {
            runner.changed().await?;
            followed(runner.state());
            if runner.state().outcome.is_some() {
                return Ok(Some(summary(runner.state(), None)));
            }
            if until.is_some_and(|until| runner.state().seq >= until) {
                return Ok(None);
            }
            let now: Vec<_> = runner.state().tasks.iter().map(|task| std::mem::discriminant(&task.phase)).collect();
            let idle = runner.state().tasks.iter().all(|task| {
                matches!(
                    task.phase,
                    Phase::Waiting | Phase::Gate | Phase::Done | Phase::NotNeeded | Phase::Skipped { .. }
                )
            });
            if now != self.phases || !idle {
                (self.phases, self.moved) = (now, runner.now());
            }
            if runner.now().duration_since(began) > LONGEST || runner.now().duration_since(self.moved) > SHUT {
                let waiting = runner.state().gates().next().and_then(|id| gate_view(runner.state(), id, runner.now()));
                let why = waiting
                    .and_then(|gate| gate.refusal)
                    .map_or_else(|| "nothing moves".into(), |refusal| refusal.to_string());
                return Ok(Some(summary(runner.state(), Some(("stuck", why)))));
            }
            for id in runner.state().task_ids() {
                match &runner.state().tasks[id.index()].phase {
                    Phase::Gate => {
                        if self.take_back
                            && let Some((host, when)) = may_take_back(runner.state(), id, &self.taken_back)
                        {
                            let chain = undo_chain(runner.state(), &host).unwrap_or_default();
                            let done = |id: &TaskId| runner.state().tasks[id.index()].phase == Phase::Done;
                            let again: Vec<TaskId> = chain.into_iter().filter(done).collect();
                            if runner.submit(&Intent::Undo { host })?.is_ok() {
                                self.undone.extend(again);
                                self.taken_back.insert(when);
                                break;
                            }
                        }
                        open(runner, id)?;
                    }
                    // What was done, and taken back, is there to be done again.
                    Phase::NotNeeded if self.undone.contains(&id) => {
                        let label = runner.state().plan.as_ref().map(|plan| plan.label(id)).unwrap_or_default();
                        let why = format!("the undo of {label} took nothing back");
                        return Ok(Some(summary(runner.state(), Some(("failed", why)))));
                    }
                    Phase::Failed { reason, .. } => {
                        let reason = reason.clone();
                        self.retries[id.index()] += 1;
                        let given_up =
                            self.retries[id.index()] > RETRIES || runner.submit(&Intent::Retry { task: id })?.is_err();
                        if given_up {
                            return Ok(Some(summary(runner.state(), Some(("failed", reason)))));
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}

/// At what point of a stage something is taken back, each once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    /// Before a step that nothing leads back from, or the last one.
    Before,
    /// While the stage goes on elsewhere: on a host that is through with it, at the gate of another.
    Amid,
    /// When it is over; in the last stage, which nothing comes after, where a host has done enough already.
    After,
}

/// The host on which to take back what it did in a stage, if this gate is a moment for that.
fn may_take_back(
    state: &State,
    id: TaskId,
    taken_back: &BTreeSet<(usize, Moment)>,
) -> Option<(HostName, (usize, Moment))> {
    let plan = state.plan.as_ref()?;
    let (task, step, _) = state.task(id)?;
    let did = |host: &HostName| {
        let chain = undo_chain(state, host).ok()?;
        Some((plan.tasks.get(chain.first()?.index())?.stage, chain.len()))
    };
    let last_step = task.step + 1 == plan.stage_of(task).steps.len();
    let barrier = last_step || (step.changes() && (step.point_of_no_return.is_some() || step.undo.is_none()));
    let here = did(&task.host).and_then(|(stage, steps)| {
        let last = stage + 1 == plan.runbook.stages.len() && steps >= 3;
        let moment = match (stage < task.stage || last, barrier) {
            (true, _) => Moment::After,
            (false, true) => Moment::Before,
            (false, false) => return None,
        };
        Some((task.host.clone(), (stage, moment)))
    });
    let elsewhere = plan.hosts_of(task.stage).filter(|host| **host != task.host).find_map(|host| {
        let (stage, _) = did(host)?;
        (stage == task.stage).then(|| (host.clone(), (stage, Moment::Amid)))
    });
    here.into_iter().chain(elsewhere).find(|(_, key)| !taken_back.contains(key))
}

fn open(runner: &mut Runner, id: TaskId) -> Result<(), JournalError> {
    let state = runner.state();
    // What asks for nothing is opened by the engine itself.
    if state.task(id).is_none_or(|(_, step, _)| confirmation(step) == Confirm::None) {
        return Ok(());
    }
    let Some(gate) = gate_view(state, id, runner.now()).filter(|gate| gate.refusal.is_none()) else { return Ok(()) };
    let typed = match gate.confirm {
        Confirm::None | Confirm::Enter => None,
        Confirm::Host => state.task(id).map(|(task, _, _)| task.host.to_string()),
        Confirm::Phrase(phrase) => Some(phrase),
    };
    // Between the look and the hand the facts cannot have changed: nothing else runs meanwhile.
    runner.submit(&Intent::OpenGate { task: id, typed, shown_ms: None, together: None })?.ok();
    Ok(())
}

fn summary(state: &State, stopped: Option<(&'static str, String)>) -> Summary {
    let (outcome, why) = match (&state.outcome, stopped) {
        (Some(Outcome::Completed), _) => ("completed", None),
        (Some(Outcome::Unkept { missing }), _) => ("unkept", Some(missing.join("; "))),
        (Some(Outcome::Aborted { reason }), _) => ("aborted", Some(reason.clone())),
        (None, Some((outcome, why))) => (outcome, Some(why)),
        (None, None) => ("stuck", None),
    };
    let tally = state.tally();
    let json = json!({
        "outcome": outcome, "why": why,
        "tasks": tally.total, "done": tally.done, "failed": tally.failed,
        "skipped": tally.skipped, "not_needed": tally.not_needed,
        "events": state.seq,
    });
    Summary { outcome, why, json }
}
