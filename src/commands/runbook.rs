//! `runbook list|show|check`.

use std::process::ExitCode;

use color_eyre::eyre::Result;

use super::{given, print, refuse};
use crate::cli::Runbook as Args;
use crate::documents;
use crate::yaml::Problems;

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    match args {
        Args::List => {
            for (name, _) in documents::builtin_runbooks() {
                match given::runbook(name) {
                    Ok((runbook, _)) => print(&format!("{name:<34} {}\n", runbook.title))?,
                    Err(problems) => return Ok(refuse(&problems)),
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        Args::Show { runbook } => match given::runbook(runbook) {
            Ok((runbook, _)) => {
                print(&documents::print::runbook_text(&runbook))?;
                Ok(ExitCode::SUCCESS)
            }
            Err(problems) => Ok(refuse(&problems)),
        },
        Args::Check { runbooks } => {
            let mut problems = Problems::default();
            for name in runbooks {
                match given::runbook(name) {
                    Ok((runbook, _)) => {
                        let steps: usize = runbook.stages.iter().map(|stage| stage.steps.len()).sum();
                        print(&format!("{name}: nothing wrong ({} stages, {steps} steps)\n", runbook.stages.len()))?;
                        let unseen = documents::taken_back_unseen(&runbook);
                        if !unseen.is_empty() {
                            print(&format!(
                                "{name}: no `undone` says what has to be so once these are taken back; then the exit status of \
                                 `undo` is all there is to go by: {}\n",
                                unseen.join(", ")
                            ))?;
                        }
                    }
                    Err(found) => problems.0.extend(found.0),
                }
            }
            if problems.0.is_empty() { Ok(ExitCode::SUCCESS) } else { Ok(refuse(&problems)) }
        }
    }
}
