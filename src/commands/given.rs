//! What the operator gave: inventories, runbooks, values. All that is wrong with them is told at once.

use std::path::Path;

use crate::cli::Target;
use crate::documents::{self, Source};
use crate::model::{Inventory, Plan, Runbook};
use crate::yaml::Problems;

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
