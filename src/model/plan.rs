//! A runbook applied to an inventory: the list of tasks, complete before anything runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::runbook::{Runbook, Stage, Step};
use super::{Digest, HostName, Inventory, TaskId};

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
}

/// A file to write on a host, in full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PushFile {
    /// Where it goes.
    pub path: String,
    /// Permissions, octal.
    pub mode: String,
    /// What will stand in it.
    pub content: String,
    /// Of `content`.
    pub sha256: Digest,
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
