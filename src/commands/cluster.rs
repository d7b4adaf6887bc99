//! Practice clusters as the command line names them.

use std::path::Path;
use std::sync::Arc;

use crate::documents::Source;
use crate::hosts::Observe;
use crate::model::{HostName, Inventory, Runbook, SecretSource};
use crate::practice::{Fault, FaultKind, Kind, NoSuchFault, Practice};
use crate::yaml::{Problem, Problems, did_you_mean};

/// A simulated cluster to look at.
pub(super) struct Cluster {
    kind: Kind,
    practice: Practice,
}

impl Cluster {
    /// The one of this name.
    pub(super) fn named(word: &str) -> Result<Self, Problems> {
        kind(word).map(|kind| Self { kind, practice: Practice::new(kind, 1, Vec::new()) })
    }

    /// Its hosts, with the values that a runbook's variables have there.
    pub(super) fn inventory(&self, runbook: Option<&Runbook>) -> (Inventory, Source) {
        let mut inventory = self.practice.inventory();
        let values = runbook.and_then(|runbook| runbook.practice.get(self.kind.word()));
        inventory.vars.extend(values.cloned().unwrap_or_default());
        inventory.vars.extend(runbook.into_iter().flat_map(made_up));
        (inventory, source())
    }

    /// One of its hosts, to be looked at.
    pub(super) fn observe(&self, host: &HostName) -> Arc<dyn Observe> {
        self.practice.observe(host)
    }

    /// Says first, where this is none of the clusters that a runbook names, that this may be all that is wrong.
    pub(super) fn unsuited(&self, problems: Problems, runbook: &Runbook) -> Problems {
        unsuited(problems, self.kind, runbook)
    }
}

/// Where the secret variables of a runbook have their values from in practice: nobody is asked, and they are made up.
pub(super) fn made_up(runbook: &Runbook) -> impl Iterator<Item = (String, String)> {
    let secrets = runbook.vars.iter().filter(|(_, spec)| spec.secret);
    secrets.map(|(name, _)| (name.clone(), SecretSource::Ask.to_string()))
}

/// What a simulated inventory was read from.
pub(super) fn source() -> Source {
    Source::file(Path::new("practice"), "")
}

/// The kind of this name.
pub(super) fn kind(word: &str) -> Result<Kind, Problems> {
    Kind::from_word(word).ok_or_else(|| {
        let known = Kind::ALL.map(Kind::word);
        let near = did_you_mean(word, known);
        let near = if near.is_empty() { "." } else { &near };
        let message = format!(
            "there is no practice cluster `{word}`{near} There are: {}; `lockkeeper practice --list` says more",
            known.join(", ")
        );
        Problem::of("--cluster", message).into()
    })
}

/// A fault that can strike on a cluster, as `HOST:KIND`.
pub(super) fn fault(cluster: Kind, workers: Option<usize>, text: &str) -> Result<Fault, Problems> {
    let (host, word) = text.split_once(':').unwrap_or((text, text));
    let wrong = |message: String, near: &str| -> Problems {
        let near = if near.is_empty() { "." } else { near };
        let list = "`lockkeeper practice --list` says which strike where";
        Problem::of("--fault", format!("{message}{near} {list}")).into()
    };
    let fault: Fault = text.parse().map_err(|error: NoSuchFault| {
        wrong(error.to_string(), &did_you_mean(word, FaultKind::ALL.map(FaultKind::word)))
    })?;
    let near = did_you_mean(host, cluster.host_names().filter(|name| *name != host));
    cluster.check(workers, &fault).map(|()| fault).map_err(|error| wrong(error, &near))
}

/// Says first, where a cluster is none that the runbook names, that this may be all that is wrong.
pub(super) fn unsuited(mut problems: Problems, cluster: Kind, runbook: &Runbook) -> Problems {
    if !runbook.practice.is_empty() && !runbook.practice.contains_key(cluster.word()) {
        let suits: Vec<&str> = runbook.practice.keys().map(String::as_str).collect();
        let (runbook, cluster) = (&runbook.name, cluster.word());
        let message =
            format!("`{runbook}` and the cluster `{cluster}` do not suit; it is practised on {}", suits.join(", "));
        problems.0.insert(0, Problem::of("--cluster", message));
    }
    problems
}

/// The cluster to practise on where a runbook names none.
pub(super) const DEFAULT: &str = "container-linux";

/// The name of every kind, and what it is.
pub(super) fn all() -> Vec<(&'static str, &'static str)> {
    Kind::ALL.map(|kind| (kind.word(), kind.about())).to_vec()
}

/// What can go wrong on a cluster: `HOST:KIND`, and what that is.
pub(super) fn faults(cluster: &str) -> Vec<(String, &'static str)> {
    let Some(kind) = Kind::from_word(cluster) else { return Vec::new() };
    kind.faults().map(|(host, fault)| (format!("{host}:{}", fault.word()), fault.about())).collect()
}
