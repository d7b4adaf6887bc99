//! One file a subcommand; each wires sources, engine, journal and screen together.

mod acting;
mod asked;
pub mod askpass;
#[cfg(feature = "practice")]
mod auto;
mod clean;
#[cfg_attr(not(feature = "practice"), path = "no_cluster.rs")]
mod cluster;
pub(crate) mod complete;
mod config;
mod discover;
mod doctor;
mod given;
mod ignition;
mod inventory;
mod journal;
mod lease;
mod man;
mod monitor;
mod plan;
#[cfg(feature = "practice")]
mod practice;
mod preflight;
mod replay;
mod runbook;
mod secrets;
mod sessions;
mod start;
mod status;
mod upgrade;
mod usual;
mod window;
mod written;

pub use self::secrets::CrashMessage;

#[cfg(not(feature = "practice"))]
use cluster as practice;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::CommandFactory as _;
use color_eyre::eyre::{Result, WrapErr as _};
use jiff::Timestamp;

use crate::cli::{Cli, Command};
use crate::journal::JournalError;
use crate::model::event::Mode;
use crate::model::hidden::is_hidden;
use crate::model::{Digest, Event, Inventory, Plan, SessionId, State};
use crate::settings::{self, Settings};
use crate::ui::terminal::{Habits, Interrupt};
use crate::yaml::Problems;

/// What the operator gave cannot be used; nothing was contacted.
const BAD_INPUT: u8 = 2;

/// Does what the command line says; `cli::EXIT_STATUS` tells with which status. Whatever fails is told in a line: it is
/// the operator's to mend, and no backtrace helps them. A panic is a bug, and keeps its own.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    // A journal to be played that cannot be read is bad input; any other that fails ends what was going on.
    let replayed = matches!(cli.command, Some(Command::Replay(_)));
    dispatch(cli).unwrap_or_else(|report| {
        let causes: Vec<String> = report.chain().map(ToString::to_string).collect();
        // An error of ours names its cause already.
        let bad_journal = report.is::<JournalError>();
        complain(&format!("lockkeeper: {}", if bad_journal { report.to_string() } else { causes.join(": ") }));
        if replayed && bad_journal { ExitCode::from(BAD_INPUT) } else { ExitCode::FAILURE }
    })
}

fn dispatch(cli: Cli) -> Result<ExitCode> {
    let (settings, problems) = config::settings(&cli.habits);
    if let Some(Command::Config(args)) = &cli.command {
        return config::run(args, &settings, &problems);
    }
    if !problems.0.is_empty() {
        return Ok(refuse(&problems));
    }
    config::settle(&settings);
    let _ = SETTINGS.set(settings);
    let Some(command) = cli.command else { return start::run() };
    match command {
        // Printed above, right or wrong.
        Command::Config(_) => Ok(ExitCode::SUCCESS),
        Command::Practice(args) => practice::run(&args),
        Command::Upgrade(args) => upgrade::run(&args),
        Command::Resume(args) => upgrade::resume(&args),
        Command::Monitor(args) => monitor::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Journal(args) => journal::run(&args),
        Command::Lease(args) => lease::run(&args),
        Command::Clean(args) => clean::run(&args),
        Command::Preflight(args) => preflight::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Inventory(args) => inventory::run(&args),
        Command::Runbook(args) => runbook::run(&args),
        Command::Ignition(args) => ignition::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Completions { shell } => {
            print(&complete::script(shell)?)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Man => {
            print(&String::from_utf8_lossy(&man::page(&Cli::command())?))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// What the operator prefers, settled before anything else runs.
static SETTINGS: OnceLock<Settings> = OnceLock::new();

fn preferred() -> &'static Settings {
    SETTINGS.get_or_init(|| settings::resolve(None, |_| None, &settings::Flags::default()).0)
}

/// What may be done to the terminal.
fn habits() -> Habits {
    preferred().habits()
}

/// How often a host is looked at.
fn interval() -> std::time::Duration {
    preferred().interval.value
}

/// Says what ended the screen, if the operator did not, and makes it the exit status.
fn ended(interrupt: Option<Interrupt>, otherwise: ExitCode) -> ExitCode {
    interrupt.map_or(otherwise, |interrupt| {
        complain(&format!("lockkeeper: {interrupt}"));
        ExitCode::from(interrupt.exit_status())
    })
}

/// Writes a text to standard output. A reader that has gone away (`| head`) is no error.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).wrap_err("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

/// Whether there is no terminal to draw on and to read keys from; then the operator has been told, and what does without.
fn lacks_terminal(instead: &str) -> Option<ExitCode> {
    let missing = match (std::io::stdin().is_terminal(), std::io::stdout().is_terminal()) {
        (true, true) => return None,
        (false, true) => "standard input is not one",
        (true, false) => "standard output is not one",
        (false, false) => "neither standard input nor standard output is one",
    };
    complain(&format!("lockkeeper: this needs a terminal, and {missing}; without one: {instead}"));
    Some(ExitCode::from(BAD_INPUT))
}

/// Shows all that is wrong with the input, at once.
fn refuse(problems: &Problems) -> ExitCode {
    complain(&problems.to_string());
    ExitCode::from(BAD_INPUT)
}

/// A message for people, on standard error. It may quote what somebody else wrote.
fn complain(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = writeln!(err, "{}", printable(&secrets::redacted(text.trim_end())));
}

/// What came of a session that has ended, and otherwise how to go on with it: told once its screen is gone.
fn last_words(state: &State, journal: Option<&Path>) -> String {
    /// Columns that a terminal has, unless it is a narrow one.
    const WIDTH: u16 = 100;
    let practised = state.session.as_ref().is_some_and(|session| session.mode == Mode::Practice);
    match (crate::ui::last_words(state, WIDTH), journal) {
        (Some(text), _) => text,
        (None, Some(journal)) if !practised => {
            format!("not finished; go on with: lockkeeper resume {}", journal.display())
        }
        (None, _) => {
            "not finished; its hosts were simulated and are gone: it cannot be resumed, only begun anew".into()
        }
    }
}

/// A text without what a terminal obeys instead of showing: a space stands in its place, so that columns stay.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c != '\n' && is_hidden(c) { ' ' } else { c }).collect()
}

/// Who acts, as journals and leases name them: `user@machine`.
fn operator() -> String {
    let user = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).or_else(|_| std::env::var("LOGNAME"));
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{}@{machine}", user.unwrap_or_else(|_| "somebody".into()))
}

/// Which journal on which machine, as leases name it: a process at a time has that open.
fn seat(journal: &Path) -> String {
    let path = std::path::absolute(journal).unwrap_or_else(|_| journal.to_owned());
    let path = path.canonicalize().unwrap_or(path);
    let machine = rustix::system::uname();
    let seat = format!("{}\0{}", machine.nodename().to_string_lossy(), path.display());
    Digest::of(seat.as_bytes()).as_str()[..16].to_owned()
}

/// The runtime for everything but practice.
fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// A new session's name.
fn new_session() -> SessionId {
    SessionId::from(uuid::Uuid::now_v7().to_string())
}

/// The first event of a session.
fn begun(session: SessionId, mode: Mode, inventory: Inventory, plan: Option<Plan>) -> Event {
    Event::SessionStarted {
        session,
        mode,
        version: env!("CARGO_PKG_VERSION").into(),
        operator: operator(),
        inventory: Box::new(inventory),
        plan: plan.map(Box::new),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_say_what_is_so() {
        let golden = crate::journal::read(Path::new("tests/journals/container-linux.jsonl")).unwrap().records;
        let path = Some(Path::new("/s/a.jsonl"));
        let told = last_words(&State::of(&golden), path);
        for words in ["COMPLETED", "BEFORE → AFTER", "→ 3.0.17", "48 done, 12 not needed", "lockkeeper clean"] {
            assert!(told.contains(words), "{words}: {told}");
        }
        let mut open = State::of(&golden[..500]);
        for journal in [path, None] {
            assert!(last_words(&open, journal).contains("cannot be resumed"), "its hosts are gone");
        }
        open.session.as_mut().unwrap().mode = Mode::Upgrade;
        assert_eq!(last_words(&open, path), "not finished; go on with: lockkeeper resume /s/a.jsonl");
    }
}
