//! `ignition convert|lint`.

use std::path::Path;
use std::process::ExitCode;

use color_eyre::eyre::Result;

use super::{print, refuse};
use crate::cli::Ignition as Args;
use crate::documents::Source;
use crate::ignition;

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    match args {
        Args::Convert { file, spec, platform, pretty } => convert(file, spec, platform.as_deref(), *pretty),
        Args::Lint { .. } => Ok(ExitCode::SUCCESS),
    }
}

fn convert(file: &Path, spec: &str, platform: Option<&str>, pretty: bool) -> Result<ExitCode> {
    let source = match Source::read(file) {
        Ok(source) => source,
        Err(problems) => return Ok(refuse(&problems)),
    };
    match ignition::convert_on(&source.document, spec, platform) {
        Ok(converted) => {
            let text = if pretty { format!("{:#}\n", converted.json) } else { format!("{}\n", converted.json) };
            print(&text)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => Ok(refuse(&problems)),
    }
}
