//! `plan`: every task, script and check before anything runs.

use std::process::ExitCode;

use color_eyre::eyre::Result;

use super::upgrade::planned;
use super::{print, refuse};
use crate::cli::Plan as Args;
use crate::documents;

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    match planned(&args.target) {
        Ok(plan) => {
            print(&documents::print::plan_text(&plan))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => Ok(refuse(&problems)),
    }
}
