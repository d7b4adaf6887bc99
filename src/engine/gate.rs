//! A gate as the operator sees it, evaluated on the facts of now. `decide` opens by the very same view.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::Refusal;
use super::check::evaluate;
pub use super::opening::confirmation;
use super::opening::{counts_since, may_open};
use super::roots::{harm_of, here};
use super::scope::Scope;
use super::verification::{awaited, verification};
use crate::model::event::CheckResult;
use crate::model::plan::variables_in;
use crate::model::runbook::Confirm;
use crate::model::state::Phase;
use crate::model::{State, Task, TaskId};

/// A gate as the operator sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct GateView {
    /// For which task.
    pub task: TaskId,
    /// Its checks on the facts of now: what must hold before, or, once its script is through, what it should have
    /// brought about.
    pub checks: Vec<CheckResult>,
    /// What has to be typed, or that Enter is enough. A step that destroys, reboots or has no way back wants the host's
    /// name at least.
    pub confirm: Confirm,
    /// What the config that is pushed would destroy: what it does, and what of this host that hits.
    pub harm: Vec<(String, Vec<String>)>,
    /// The script, as it will run; nothing for a step without one.
    pub script: Option<String>,
    /// The shell variables that the script names, with their values.
    pub vars: Vec<(String, String)>,
    /// Why it does not open as things stand, the typed words aside. Nothing where it does.
    pub refusal: Option<Refusal>,
}

/// The gate of a task, evaluated on the facts of now; nothing for an id of another plan.
#[must_use]
pub fn gate_view(state: &State, task: TaskId, now: Timestamp) -> Option<GateView> {
    let (planned, step, _) = state.task(task)?;
    let (checks, refusal) = match may_open(state, now, task) {
        Ok(checks) => (checks, None),
        Err(Refusal::Checks(checks)) => (checks.clone(), Some(Refusal::Checks(checks))),
        Err(refusal) => (checks(state, task, now), Some(refusal)),
    };
    Some(GateView {
        task,
        checks,
        harm: harm(state, planned),
        confirm: confirmation(step),
        script: step.run.clone(),
        vars: variables(state, task),
        refusal,
    })
}

/// The shell variables that a task's scripts name, with their values.
#[must_use]
pub fn variables(state: &State, id: TaskId) -> Vec<(String, String)> {
    let Some((_, step, _)) = state.task(id) else { return Vec::new() };
    let scripts = [&step.run, &step.undo].into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("\n");
    named_by(state, id, &scripts)
}

/// Those that the script names which takes a task back.
#[must_use]
pub fn variables_of_undo(state: &State, id: TaskId) -> Vec<(String, String)> {
    let undo = state.task(id).and_then(|(_, step, _)| step.undo.clone()).unwrap_or_default();
    named_by(state, id, &undo)
}

fn named_by(state: &State, id: TaskId, scripts: &str) -> Vec<(String, String)> {
    let Some((plan, (task, ..))) = state.plan.as_ref().zip(state.task(id)) else { return Vec::new() };
    let mut vars = plan.vars_of(task);
    vars.extend(plan.secrets_of(task).into_iter().map(|(name, from)| (name, format!("(secret, from {from})"))));
    all_variables_in(scripts, &vars)
}

/// The variables that scripts name, and those that their values name in turn: what a command is, and which version it gets.
fn all_variables_in(scripts: &str, vars: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let mut text = scripts.to_owned();
    loop {
        let named = variables_in(&text, vars);
        let values: Vec<&str> = named.iter().map(|(_, value)| value.as_str()).collect();
        let more = format!("{scripts}\n{}", values.join("\n"));
        if variables_in(&more, vars).len() == named.len() {
            return named;
        }
        text = more;
    }
}

/// What the config that a task pushes would destroy: what it does, and what of its host that hits.
#[must_use]
pub fn harm(state: &State, task: &Task) -> Vec<(String, Vec<String>)> {
    let facts = state.host(&task.host).and_then(|host| host.facts.as_ref()).map(|seen| &*seen.facts);
    let config = task.pushes.iter().find_map(|push| push.config.as_ref());
    let parts = config.and_then(|config| config.get("destructive")?.as_array()).into_iter().flatten();
    let text = |part: &Value, key: &str| part.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    parts
        .map(|part| {
            let targets = harm_of(part).unwrap_or_default();
            let hit = facts.map(|facts| here(&targets, facts)).unwrap_or_default();
            (format!("{}: {}", text(part, "path"), text(part, "what")), hit)
        })
        .collect()
}

/// The checks that count in a task's present phase.
#[must_use]
pub fn checks(state: &State, id: TaskId, now: Timestamp) -> Vec<CheckResult> {
    let Some((_, step, task)) = state.task(id) else { return Vec::new() };
    let on_facts = |checks: &[_], since| {
        let scope = Scope::new(state, Some(id), since, now);
        checks.iter().map(|check| evaluate(check, &scope)).collect()
    };
    match task.phase {
        Phase::Gate => on_facts(&step.require, counts_since(state, id)),
        // A look ahead: how the checks would stand if it were its turn.
        Phase::Waiting => on_facts(&step.require, 0),
        Phase::Verifying => verification(state, id, now),
        Phase::Failed { .. } if !awaited(step, task).is_empty() => on_facts(awaited(step, task), 0),
        // Those that it was opened on, or ended with.
        _ => task.checks.clone(),
    }
}
