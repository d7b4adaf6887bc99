//! `runbook list|show|check`.

use std::process::ExitCode;

use color_eyre::eyre::Result;

use super::{print, refuse};
use crate::cli::Runbook as Args;
use crate::documents::{self, Problems};

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    match args {
        Args::List => {
            for name in documents::builtin_runbooks() {
                match documents::find_runbook(&name) {
                    Ok((runbook, _)) => print(&format!("{name:<32} {}\n", runbook.title))?,
                    Err(problems) => return Ok(refuse(&problems)),
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        Args::Show { runbook } => match documents::find_runbook(runbook) {
            Ok((runbook, _)) => {
                print(&documents::print::runbook_text(&runbook))?;
                Ok(ExitCode::SUCCESS)
            }
            Err(problems) => Ok(refuse(&problems)),
        },
        Args::Check { runbooks } => {
            let mut problems = Problems::default();
            for name in runbooks {
                match documents::find_runbook(name) {
                    Ok((runbook, _)) => {
                        let steps: usize = runbook.stages.iter().map(|stage| stage.steps.len()).sum();
                        print(&format!("{name}: well ({} stages, {steps} steps)\n", runbook.stages.len()))?;
                    }
                    Err(found) => problems.extend(Some(found)),
                }
            }
            if problems.is_empty() { Ok(ExitCode::SUCCESS) } else { Ok(refuse(&problems)) }
        }
    }
}
