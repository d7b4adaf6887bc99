//! The front door: arguments, completions, errors, dispatch.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use clap_complete::CompleteEnv;
use lockkeeper::{cli::Cli, commands};

fn main() -> color_eyre::Result<ExitCode> {
    let hooks = color_eyre::config::HookBuilder::default().display_env_section(false);
    hooks.panic_message(commands::CrashMessage).install()?;
    // For ssh, which takes what is printed for a passphrase.
    if let Some(code) = commands::askpass::askpass() {
        return Ok(code);
    }
    // Answers the shell, and ends, where the completion script asks.
    CompleteEnv::with_factory(Cli::command).complete();
    Ok(commands::run(Cli::parse()))
}
