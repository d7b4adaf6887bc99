//! A runbook applied to an inventory: the list of tasks, complete before anything runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::hidden::{is_hidden, shown};
use super::runbook::{Convert, Fetch, Runbook, Stage, Step};
use super::{Digest, HostName, Inventory, SecretSource, TaskId};

/// What will be done, in full. It opens every journal, so that a resume and a replay need no other file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The hosts.
    pub inventory: Inventory,
    /// The procedure.
    pub runbook: Runbook,
    /// Stage by stage, then host by host, then step by step.
    pub tasks: Vec<Task>,
    /// Values of the runbook's variables per host, as scripts and checks see them.
    pub vars: BTreeMap<HostName, BTreeMap<String, String>>,
    /// The secret variables per host, and where their values come from: these stand in no plan.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<HostName, BTreeMap<String, SecretSource>>,
}

/// One step on one host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its place in the plan.
    pub id: TaskId,
    /// Index into the runbook's stages.
    pub stage: usize,
    /// Index into the stage's steps.
    pub step: usize,
    /// The host it is about.
    pub host: HostName,
    /// The host its script runs on: the same, unless the step says `on`.
    pub on: HostName,
    /// Files to write first, in full.
    #[serde(default)]
    pub pushes: Vec<PushFile>,
    /// What it was opened with of the variables that its host was given another value for since.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kept: BTreeMap<String, String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_plain(convert: &Convert) -> bool {
    *convert == Convert::None
}

/// A file to write on a host, in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushFile {
    /// Where it goes.
    pub path: String,
    /// Permissions, octal.
    pub mode: String,
    /// What will stand in it.
    pub content: String,
    /// Of `content`.
    pub sha256: Digest,
    /// The content is no text of this plan but a file that an earlier step brought back: its path on the host it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
    /// The text that `content` was made of, where it was converted: what is edited on the screen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How it was made.
    #[serde(default, skip_serializing_if = "is_plain")]
    pub convert: Convert,
    /// What checks see as `config`: the parts of a converted config that guards compare with the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<serde_json::Value>,
}

impl Plan {
    /// The task of that id.
    ///
    /// # Panics
    /// If the id is of another plan.
    #[must_use]
    pub fn task(&self, id: TaskId) -> &Task {
        &self.tasks[id.index()]
    }

    /// Whether every task has its place for an id, and a stage and a step that exist. A plan out of a journal that was
    /// written by hand may be anything.
    #[must_use]
    pub fn holds_together(&self) -> bool {
        let exists =
            |task: &Task| self.runbook.stages.get(task.stage).is_some_and(|stage| task.step < stage.steps.len());
        self.tasks.iter().enumerate().all(|(index, task)| task.id.index() == index && exists(task))
    }

    /// The stage a task belongs to.
    #[must_use]
    pub fn stage_of(&self, task: &Task) -> &Stage {
        &self.runbook.stages[task.stage]
    }

    /// The step a task is an instance of.
    #[must_use]
    pub fn step_of(&self, task: &Task) -> &Step {
        &self.runbook.stages[task.stage].steps[task.step]
    }

    /// Values of the variables as the scripts and checks of a task see them: the host's, its stage's own, and what it was
    /// opened with.
    #[must_use]
    pub fn vars_of(&self, task: &Task) -> BTreeMap<String, String> {
        let mut vars = self.vars.get(&task.host).cloned().unwrap_or_default();
        vars.extend(self.stage_of(task).vars.clone());
        vars.extend(task.kept.clone());
        vars
    }

    /// Gives a variable of a host another value. Tasks that were opened keep the one that they were opened with.
    pub(super) fn set_var(&mut self, host: &HostName, name: &str, value: &str, opened: impl Fn(TaskId) -> bool) {
        let Some(held) = self.vars.get_mut(host).and_then(|vars| vars.get_mut(name)) else { return };
        let before = std::mem::replace(held, value.to_owned());
        for task in self.tasks.iter_mut().filter(|task| task.host == *host && opened(task.id)) {
            task.kept.entry(name.to_owned()).or_insert_with(|| before.clone());
        }
    }

    /// The secret variables that the scripts of a task may name, and where their values come from.
    #[must_use]
    pub fn secrets_of(&self, task: &Task) -> BTreeMap<String, SecretSource> {
        self.secrets.get(&task.host).cloned().unwrap_or_default()
    }

    /// How long a task's script may run.
    #[must_use]
    pub fn timeout_of(&self, task: &Task) -> std::time::Duration {
        self.step_of(task).timeout(&self.vars_of(task))
    }

    /// A text of the runbook with its `$variables` replaced, as a task sees them. Unknown ones stay as they are: the
    /// runbook's check has refused them before.
    #[must_use]
    pub fn expand(&self, task: &Task, text: &str) -> String {
        expand(text, &self.vars_of(task))
    }

    /// The file in the session's own directory that a task keeps what it brings back in.
    ///
    /// # Errors
    /// Says why the name, with its variables in it, is none: it would lead elsewhere.
    pub fn artifact(&self, task: &Task, fetch: &Fetch) -> Result<String, String> {
        let name = self.expand(task, &fetch.name);
        plain_file_name(&name)?;
        Ok(format!("{}-{name}", task.host))
    }

    /// `stage/step` and the host, as messages name a task.
    #[must_use]
    pub fn label(&self, id: TaskId) -> String {
        let task = self.task(id);
        format!("{}/{} on {}", self.stage_of(task).name, self.step_of(task).name, task.host)
    }

    /// Hosts of a stage in the inventory's order.
    pub fn hosts_of(&self, stage: usize) -> impl Iterator<Item = &HostName> {
        let roles = &self.runbook.stages[stage].hosts;
        self.inventory
            .hosts
            .iter()
            .filter(move |host| host.roles.iter().any(|role| roles.contains(role)))
            .map(|host| &host.name)
    }
}

/// Whether a name is that of a file in a directory, and leads nowhere else.
///
/// # Errors
/// Says why it is not.
pub fn plain_file_name(name: &str) -> Result<(), String> {
    const LONGEST: usize = 150;
    if name.contains('/') || name.starts_with('.') {
        return Err(format!("`{}` is not a plain file name: it may hold no `/` and not begin with a dot", shown(name)));
    }
    if name.is_empty() || name.len() > LONGEST {
        return Err(format!("a file name has 1 to {LONGEST} bytes, and this one {}", name.len()));
    }
    if name.chars().any(is_hidden) {
        return Err(format!("`{}` has a character in it that nobody sees", shown(name)));
    }
    Ok(())
}

/// A text with `$name` and `${name}` replaced by values; unknown names stay as they are.
#[must_use]
pub fn expand(text: &str, vars: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let (name, length) = variable_at(&rest[at..]);
        match vars.get(name) {
            Some(value) if !name.is_empty() => out.push_str(value),
            _ => out.push_str(&rest[at..at + length]),
        }
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    out
}

/// The name after a `$`, and the length of the whole reference in bytes.
fn variable_at(text: &str) -> (&str, usize) {
    let braced = text[1..].starts_with('{');
    let start = if braced { 2 } else { 1 };
    let body = &text[start..];
    let length = body.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(body.len());
    let name = &body[..length];
    match (braced, body[length..].starts_with('}')) {
        (true, true) => (name, start + length + 1),
        (true, false) => ("", start),
        (false, _) => (name, start + length),
    }
}

/// The names among `vars` that a script refers to, in their order.
#[must_use]
pub fn variables_in(script: &str, vars: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let mut named = std::collections::BTreeSet::new();
    let mut rest = script;
    while let Some(at) = rest.find('$') {
        let (name, length) = variable_at(&rest[at..]);
        named.insert(name);
        rest = &rest[at + length..];
    }
    vars.iter()
        .filter(|(name, _)| named.contains(name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_and_strangers_left_alone() {
        let vars: BTreeMap<String, String> =
            [("dir", "/b"), ("host", "etcd1")].map(|(name, value)| (name.into(), value.into())).into();
        for (text, expected) in [
            ("$dir/$host.yaml", "/b/etcd1.yaml"),
            ("${dir}x/$other", "/bx/$other"),
            ("cost: 5$ and ${dir", "cost: 5$ and ${dir"),
            ("$", "$"),
            ("", ""),
        ] {
            assert_eq!(expand(text, &vars), expected, "{text:?}");
        }
    }

    #[test]
    fn a_script_names_its_variables() {
        let vars: BTreeMap<String, String> =
            [("target", "3.5.1"), ("other", "x")].map(|(name, value)| (name.into(), value.into())).into();
        assert_eq!(variables_in("install \"$target\" $unit", &vars), [("target".to_owned(), "3.5.1".to_owned())]);
    }
}
