//! What the operator gave: inventories, runbooks, values. All that is wrong with them is told at once.

use std::path::Path;

use crate::cli::Target;
use crate::documents::{self, Source};
use crate::model::{Inventory, Plan, Runbook, SecretSource};
use crate::practice::{Fault, FaultKind, Kind, Practice};
use crate::yaml::{Problem, Problems, did_you_mean};

/// An inventory, and where it came from.
pub(super) fn inventory(path: &Path) -> Result<(Inventory, Source), Problems> {
    let source = Source::read(path)?;
    Ok((documents::read_inventory(&source)?, source))
}

/// A runbook, built-in or from a file, and where it came from.
pub(super) fn runbook(name_or_path: &str) -> Result<(Runbook, Source), Problems> {
    let source = documents::find_runbook(name_or_path)?;
    Ok((documents::read_runbook(&source)?, source))
}

/// Inventory, runbook and variables, put together.
pub(super) fn plan(target: &Target) -> Result<Plan, Problems> {
    let ((inventory, inventory_source), (runbook, runbook_source)) =
        both(inventory(&target.inventory), runbook(&target.runbook))?;
    documents::plan::build(&inventory, &inventory_source, &runbook, &runbook_source, &target.vars)
}

/// A practice cluster, by its word.
pub(super) fn cluster(word: &str) -> Result<Kind, Problems> {
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
    let fault: Fault = text.parse().map_err(|error: crate::practice::NoSuchFault| {
        wrong(error.to_string(), &did_you_mean(word, FaultKind::ALL.map(FaultKind::word)))
    })?;
    let near = did_you_mean(host, cluster.host_names().filter(|name| *name != host));
    cluster.check(workers, &fault).map(|()| fault).map_err(|error| wrong(error, &near))
}

/// The inventory of a practice cluster, with the values that a runbook's variables have there.
pub(super) fn simulated(practice: &Practice, cluster: Kind, runbook: &Runbook) -> (Inventory, Source) {
    let mut inventory = practice.inventory();
    inventory.vars.extend(runbook.practice.get(cluster.word()).cloned().unwrap_or_default());
    // Nobody is asked: practice makes their values up.
    let secrets = runbook.vars.iter().filter(|(_, spec)| spec.secret).map(|(name, _)| name.clone());
    inventory.vars.extend(secrets.map(|name| (name, SecretSource::Ask.to_string())));
    (inventory, Source::file(Path::new("practice"), ""))
}

/// Says first, where a practice cluster is none that the runbook names, that this may be all that is wrong.
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

/// Both values, or the problems of both.
pub(super) fn both<A, B>(a: Result<A, Problems>, b: Result<B, Problems>) -> Result<(A, B), Problems> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (a, b) => {
            let mut all = Vec::new();
            all.extend(a.err().into_iter().chain(b.err()).flat_map(|problems| problems.0));
            Err(Problems(all))
        }
    }
}
