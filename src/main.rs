//! The front door: arguments, errors, dispatch.

use std::process::ExitCode;

use clap::Parser as _;
use lockkeeper::{cli::Cli, commands};

fn main() -> color_eyre::Result<ExitCode> {
    color_eyre::config::HookBuilder::default().display_env_section(false).install()?;
    commands::run(Cli::parse())
}
