//! `plan`: every task, script and check before anything runs.

use std::process::ExitCode;

use color_eyre::eyre::Result;

use super::{complain, given, print, refuse};
use crate::cli::Plan as Args;
use crate::documents;

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    match given::plan(&args.target) {
        Ok(plan) => {
            for stage in documents::plan::empty_stages(&plan) {
                complain(&format!("note: no host has a role of stage `{}`; it will be passed over", stage.name));
            }
            print(&documents::print::plan_text(&plan))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => Ok(refuse(&problems)),
    }
}
