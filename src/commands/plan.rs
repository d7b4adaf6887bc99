//! `plan`: every task, script and check before anything runs.

use std::process::ExitCode;

use color_eyre::eyre::Result;

use super::cluster::Cluster;
use super::{complain, given, print, refuse};
use crate::cli::Plan as Args;
use crate::documents;
use crate::model::Plan;
use crate::yaml::Problems;

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    match plan(args) {
        Ok(plan) => {
            for stage in documents::plan::empty_stages(&plan) {
                complain(&format!("note: no host has a role that stage `{}` is for; it is left out", stage.name));
            }
            print(&documents::print::plan_text(&plan))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => Ok(refuse(&problems)),
    }
}

fn plan(args: &Args) -> Result<Plan, Problems> {
    let runbook = given::runbook(&args.runbook);
    let (inventory, (runbook, source)) = match (&args.cluster, &args.inventory) {
        (Some(word), _) => {
            let (cluster, (runbook, source)) = given::both(Cluster::named(word), runbook)?;
            let (inventory, place) = cluster.inventory(Some(&runbook));
            return documents::plan::build(&inventory, &place, &runbook, &source, &args.vars)
                .map_err(|problems| cluster.unsuited(problems, &runbook));
        }
        (None, Some(path)) => given::both(given::inventory(path), runbook)?,
        // The command line asks for one of them.
        (None, None) => return Err(Problems::default()),
    };
    documents::plan::build(&inventory.0, &inventory.1, &runbook, &source, &args.vars)
}
