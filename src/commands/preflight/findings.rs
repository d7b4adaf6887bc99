//! What was found of each check, and which of them can be told before the window.

use jiff::Timestamp;

use crate::engine::check::{evaluate, evaluate_expression, names_in};
use crate::engine::scope::Scope;
use crate::model::event::{CheckResult, Verdict};
use crate::model::plan::Task;
use crate::model::runbook::{Expression, Step};
use crate::model::{HostName, State};

/// The guard that asks whether a host can be seen at all.
const FACTS: &str = "facts";

/// One check on one host, or on the cluster.
pub(super) struct Finding {
    /// Nothing for what is the whole cluster's.
    pub(super) host: Option<HostName>,
    /// The guard, or the runbook's step.
    pub(super) guard: String,
    pub(super) when: When,
    pub(super) result: CheckResult,
}

/// When a check can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Before the window: it is a guard, asks what the runbook asks before it changes anything, or asks of a config or a
    /// variable, which are what they will be.
    Now,
    /// At its gate, `stage/step`: what it asks of the hosts is what earlier steps bring about.
    AtItsGate(String),
}

impl Finding {
    /// Whether it stands against nothing: it holds, or is for its gate to tell.
    pub(super) fn lets_go(&self) -> bool {
        self.when != When::Now || self.result.passed()
    }

    pub(super) fn unknown(&self) -> bool {
        matches!(self.result.verdict, Verdict::Unknown(_))
    }
}

/// Every check that applies, on the facts of now. The first stages are guards.
pub(super) fn findings(state: &State, guards: usize, now: Timestamp) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for id in state.task_ids() {
        let Some((task, step, _)) = state.task(id) else { continue };
        // Of a host that cannot be seen that is all there is to say.
        if step.name != FACTS && state.host(&task.host).is_some_and(|host| host.stale.is_some()) {
            continue;
        }
        let scope = Scope::new(state, Some(id), 0, now);
        let condition = step.only_if.as_ref().map(|condition| evaluate_expression(condition, &scope).0);
        if condition == Some(Verdict::Fail) {
            continue;
        }
        let surely_needed = step.only_if.as_ref().is_none_or(is_known_before);
        // What comes first of a runbook and changes nothing is a guard as well.
        let first = task.stage < guards || task.stage == guards && !step.changes();
        for check in &step.require {
            let result = evaluate(check, &scope);
            let told = first
                || surely_needed && is_known_before(&check.that) && !matches!(result.verdict, Verdict::Unknown(_));
            let when = if told { When::Now } else { When::AtItsGate(gate(state, task, step)) };
            // What does not speak of its host is the same on every one.
            let names = names_in(&check.that);
            let host = names.iter().any(|name| ["host", "config"].contains(name)).then(|| task.host.clone());
            let known =
                |other: &Finding| other.host.is_none() && other.when == when && other.result.that == check.that.0;
            if host.is_none() && found.iter().any(known) {
                continue;
            }
            found.push(Finding { host, guard: step.title.clone(), when, result });
        }
    }
    found
}

/// Whether what a check asks is before the window what it will be at its gate: it asks of a config that will be pushed, or of
/// nothing but variables.
fn is_known_before(that: &Expression) -> bool {
    let names = names_in(that);
    names.contains(&"config") || names == ["vars"]
}

fn gate(state: &State, task: &Task, step: &Step) -> String {
    let stage = state.plan.as_ref().and_then(|plan| plan.runbook.stages.get(task.stage));
    format!("{}/{}", stage.map_or("", |stage| &stage.name), step.name)
}

/// Of two looks at the same checks, what did not hold in either. A check that applied once counts.
pub(super) fn worse(mut before: Vec<Finding>, after: Vec<Finding>) -> Vec<Finding> {
    for finding in after {
        let same = |other: &&mut Finding| {
            other.host == finding.host && other.result.that == finding.result.that && other.when == finding.when
        };
        match before.iter_mut().find(same) {
            // Not seen yet is no finding against a host that was seen later.
            Some(held) if held.result.passed() || held.unknown() => *held = finding,
            Some(_) => {}
            None => before.push(finding),
        }
    }
    before
}
