//! What stands for practice clusters in a build that has none: built with `--no-default-features`, it holds no shell
//! interpreter and nothing that simulates.

use std::process::ExitCode;
use std::sync::Arc;

use color_eyre::eyre::Result;

use super::refuse;
use crate::cli::Practice;
use crate::documents::Source;
use crate::hosts::Observe;
use crate::model::{HostName, Inventory, Runbook};
use crate::yaml::{Problem, Problems};

/// There is none.
pub(super) enum Cluster {}

impl Cluster {
    pub(super) fn named(word: &str) -> Result<Self, Problems> {
        Err(Problem::of("--cluster", format!("there is no practice cluster `{word}`: {WHY}")).into())
    }

    pub(super) fn inventory(&self, _: Option<&Runbook>) -> (Inventory, Source) {
        match *self {}
    }

    pub(super) fn observe(&self, _: &HostName) -> Arc<dyn Observe> {
        match *self {}
    }

    pub(super) fn unsuited(&self, _: Problems, _: &Runbook) -> Problems {
        match *self {}
    }
}

const WHY: &str =
    "this program was built without practice hosts; build it with the feature `practice`, which is on by default";

/// The cluster to practise on where a runbook names none.
pub(super) const DEFAULT: &str = "none";

pub(super) fn all() -> Vec<(&'static str, &'static str)> {
    Vec::new()
}

pub(super) fn faults(_: &str) -> Vec<(String, &'static str)> {
    Vec::new()
}

/// `practice`, which is not there.
#[expect(clippy::unnecessary_wraps, reason = "it stands for a command that can fail")]
pub(super) fn run(_: &Practice) -> Result<ExitCode> {
    Ok(refuse(&Problem::of("practice", WHY).into()))
}
