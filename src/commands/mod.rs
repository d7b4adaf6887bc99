//! One file a subcommand; each wires sources, engine, journal and screen together.

mod acting;
mod auto;
mod discover;
mod doctor;
mod given;
mod ignition;
mod inventory;
mod monitor;
mod plan;
mod practice;
mod preflight;
mod replay;
mod runbook;
mod sessions;
mod start;
mod status;
mod upgrade;
mod written;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::CommandFactory as _;
use color_eyre::eyre::Result;
use jiff::Timestamp;

use crate::cli::{Cli, Command};
use crate::journal::JournalError;
use crate::yaml::Problems;

/// What the operator gave cannot be used; nothing was contacted.
const BAD_INPUT: u8 = 2;

/// Does what the command line says. 0 is well, 1 is an end that is not what was promised, 2 is bad input.
///
/// # Errors
/// What nobody could have foreseen in the input: a terminal or a journal that does not work.
pub fn run(cli: Cli) -> Result<ExitCode> {
    match dispatch(cli) {
        // What is wrong with a file is the operator's to know, and no backtrace helps them.
        Err(report) if report.is::<JournalError>() => {
            complain(&format!("lockkeeper: {report}"));
            Ok(ExitCode::FAILURE)
        }
        other => other,
    }
}

fn dispatch(cli: Cli) -> Result<ExitCode> {
    let Some(command) = cli.command else { return start::run() };
    match command {
        Command::Practice(args) => practice::run(&args),
        Command::Upgrade(args) => upgrade::run(&args),
        Command::Resume(args) => upgrade::resume(&args),
        Command::Monitor(args) => monitor::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Preflight(args) => preflight::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Inventory(args) => inventory::run(&args),
        Command::Runbook(args) => runbook::run(&args),
        Command::Ignition(args) => ignition::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "lockkeeper", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Man => {
            clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Writes a text to standard output. A reader that has gone away (`| head`) is no error.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Shows all that is wrong with the input, at once.
fn refuse(problems: &Problems) -> ExitCode {
    complain(&problems.to_string());
    ExitCode::from(BAD_INPUT)
}

/// A message for people, on standard error.
fn complain(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = writeln!(err, "{}", text.trim_end());
}

/// Who acts, as journals and leases name them: `user@machine`.
fn operator() -> String {
    let user = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).or_else(|_| std::env::var("LOGNAME"));
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{}@{machine}", user.unwrap_or_else(|_| "somebody".into()))
}

/// The runtime for everything but practice.
fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// A new session's name.
fn new_session() -> crate::model::SessionId {
    crate::model::SessionId::from(uuid::Uuid::now_v7().to_string())
}

/// Where a session records that was not told where: `DATE-CLUSTER-RUNBOOK.jsonl` in the state directory.
fn default_journal(now: Timestamp, cluster: &str, runbook: &str) -> Result<PathBuf> {
    let tidy = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
    };
    // To the millisecond: two sessions may well begin in the same second.
    let stamp = now.strftime("%Y%m%dT%H%M%S.%3fZ");
    Ok(crate::journal::directory()?.join(format!("{stamp}-{}-{}.jsonl", tidy(cluster), tidy(runbook))))
}

/// Where the files that a session brings back are kept: beside its journal.
fn artifacts_of(journal: &Path) -> PathBuf {
    journal.with_extension("artifacts")
}
