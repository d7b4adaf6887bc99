//! The operator that practice has and nothing else: opens every gate as soon as it opens, and never skips.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::json;

use crate::engine::{Intent, gate_view, undo_chain};
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

/// Drives a session to its end, or to where nobody can go on. What has to be done by hand is `followed` up elsewhere.
///
/// With `take_back`, what was done in a stage is taken back once on one host, as far as that goes, and done again.
pub(super) async fn drive(
    runner: &mut Runner,
    take_back: bool,
    mut followed: impl FnMut(&State),
) -> Result<Summary, JournalError> {
    let began = runner.now();
    let mut retries = vec![0; runner.state().tasks.len()];
    let mut phases = Vec::new();
    let mut moved = began;
    let mut taken_back = BTreeSet::new();
    loop {
        runner.changed().await?;
        followed(runner.state());
        if runner.state().outcome.is_some() {
            return Ok(summary(runner.state(), None));
        }
        let now: Vec<_> = runner.state().tasks.iter().map(|task| std::mem::discriminant(&task.phase)).collect();
        let idle = runner.state().tasks.iter().all(|task| {
            matches!(task.phase, Phase::Waiting | Phase::Gate | Phase::Done | Phase::NotNeeded | Phase::Skipped { .. })
        });
        if now != phases || !idle {
            (phases, moved) = (now, runner.now());
        }
        if runner.now().duration_since(began) > LONGEST || runner.now().duration_since(moved) > SHUT {
            let waiting = runner.state().gates().next().and_then(|id| gate_view(runner.state(), id, runner.now()));
            let why = waiting
                .and_then(|gate| gate.refusal)
                .map_or_else(|| "nothing moves".into(), |refusal| refusal.to_string());
            return Ok(summary(runner.state(), Some(("stuck", why))));
        }
        for id in runner.state().task_ids() {
            match &runner.state().tasks[id.index()].phase {
                Phase::Gate => {
                    if take_back && let Some((host, stage)) = may_take_back(runner.state(), id, &taken_back) {
                        taken_back.insert(stage);
                        if runner.submit(&Intent::Undo { host })?.is_ok() {
                            break;
                        }
                    }
                    open(runner, id)?;
                }
                Phase::Failed { reason, .. } => {
                    let reason = reason.clone();
                    retries[id.index()] += 1;
                    let given_up =
                        retries[id.index()] > RETRIES || runner.submit(&Intent::Retry { task: id })?.is_err();
                    if given_up {
                        return Ok(summary(runner.state(), Some(("failed", reason))));
                    }
                }
                _ => {}
            }
        }
    }
}

/// The host whose gate this is, if what it did in the stage before has not been taken back on any host yet, or in this
/// stage where there is none after it.
fn may_take_back(state: &State, id: TaskId, taken_back: &BTreeSet<usize>) -> Option<(HostName, usize)> {
    let plan = state.plan.as_ref()?;
    let task = plan.tasks.get(id.index())?;
    let chain = undo_chain(state, &task.host).ok()?;
    let stage = plan.tasks.get(chain.first()?.index())?.stage;
    let last = stage + 1 == plan.runbook.stages.len() && chain.len() >= 3;
    ((stage < task.stage || last) && !taken_back.contains(&stage)).then(|| (task.host.clone(), stage))
}

fn open(runner: &mut Runner, id: TaskId) -> Result<(), JournalError> {
    let state = runner.state();
    let Some(gate) = gate_view(state, id, runner.now()).filter(|gate| gate.refusal.is_none()) else { return Ok(()) };
    let typed = match gate.confirm {
        Confirm::None | Confirm::Enter => None,
        Confirm::Host => state.task(id).map(|(task, _, _)| task.host.to_string()),
        Confirm::Phrase(phrase) => Some(phrase),
    };
    // Between the look and the hand the facts cannot have changed: nothing else runs meanwhile.
    runner.submit(&Intent::OpenGate { task: id, typed })?.ok();
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
