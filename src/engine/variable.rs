//! Variables that may be given another value under way, at a gate whose step names them.

use super::Refusal;
use super::gate::variables;
use crate::model::event::Event;
use crate::model::plan::variables_in;
use crate::model::runbook::Step;
use crate::model::state::Phase;
use crate::model::{Plan, State, TaskId};

/// What the probe of a host is told when the session begins, beside what the runbook's own `probe` names.
const PROBED: [&str; 4] = ["etcd_endpoint", "etcd_cacert", "etcd_cert", "etcd_key"];

/// The variables, with their values, that may be given another one at a task's gate: those of the runbook that its scripts
/// or checks name. What a stage is repeated for, what a file that is pushed was made with, and what hosts are looked at by
/// was settled when the session began.
#[must_use]
pub fn settable(state: &State, id: TaskId) -> Vec<(String, String)> {
    let Some((plan, (task, step, current))) = state.plan.as_ref().zip(state.task(id)) else { return Vec::new() };
    if current.phase != Phase::Gate {
        return Vec::new();
    }
    let in_scripts = variables(state, id);
    let repeated = &plan.stage_of(task).vars;
    let named = |name: &String| in_scripts.iter().any(|(known, _)| known == name) || in_checks(step, name);
    let values = plan.vars_of(task).into_iter();
    values
        .filter(|(name, _)| plan.runbook.vars.contains_key(name) && !repeated.contains_key(name))
        .filter(|(name, _)| named(name) && !settled(plan, name))
        .collect()
}

/// Whether a step's deadline or one of its checks reads a variable.
fn in_checks(step: &Step, name: &str) -> bool {
    let checks = step.require.iter().chain(&step.verify).chain(&step.undone).map(|check| &check.that);
    let reads = format!("vars.{name}");
    let whole = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let in_text = |text: &str| text.match_indices(&reads).any(|(at, _)| whole(&text[at + reads.len()..]));
    let timeout = step.timeout.as_ref().is_some_and(|it| it.parts().any(|part| part.strip_prefix('$') == Some(name)));
    timeout || checks.chain(&step.only_if).any(|that| in_text(&that.0))
}

/// Whether what a variable holds was used up when the session began.
fn settled(plan: &Plan, name: &str) -> bool {
    let one = [(name.to_owned(), String::new())].into();
    let names = |text: &str| !variables_in(text, &one).is_empty();
    let probe = &plan.runbook.probe;
    let lists = [&probe.units, &probe.paths, &probe.packages, &probe.programs, &probe.containers, &probe.certs];
    let probed = lists.into_iter().flatten().chain(probe.journal.keys()).chain(probe.lines.keys());
    let steps = plan.runbook.stages.iter().flat_map(|stage| &stage.steps);
    let mut pushed = steps.flat_map(|step| &step.push).flat_map(|push| [&push.path, &push.from]);
    PROBED.contains(&name) || probed.into_iter().any(|text| names(text)) || pushed.any(|text| names(text))
}

/// Gives a variable another value at a gate. All gates of the host are shown anew: their scripts are read again, and their
/// checks wait for facts from after it.
pub(super) fn set(state: &State, id: TaskId, name: &str, value: &str, reason: String) -> Result<Vec<Event>, Refusal> {
    let (task, _, current) = state.task(id).ok_or(Refusal::NoSuchTask)?;
    if current.phase != Phase::Gate {
        return Err(Refusal::NotAtGate(state.label(id)));
    }
    if !state.undo.is_empty() {
        return Err(Refusal::Undoing);
    }
    let known = settable(state, id);
    let Some((name, before)) = known.into_iter().find(|(known, _)| known == name) else {
        return Err(Refusal::NotToBeSet(name.to_owned()));
    };
    if before == value {
        return Err(Refusal::SameValue(name, before));
    }
    let set = Event::VarSet { task: id, name, value: value.to_owned(), reason };
    let here = |gate: &TaskId| state.task(*gate).is_some_and(|(other, _, _)| other.host == task.host);
    let shown = state.gates().filter(here).map(|task| Event::GateShown { task });
    Ok(std::iter::once(set).chain(shown).collect())
}
