//! The command line.

#![expect(missing_docs, reason = "what clap shows as help is the documentation")]

pub mod clean;
pub mod journal;
pub mod lease;
pub mod practice;
pub mod window;

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::engine::ArgValueCompleter;

pub use self::practice::Practice;
use self::window::Window;
use crate::commands::complete;
use crate::model::HostName;

/// A terminal upgrade wizard for etcd and Kubernetes hosts.
///
/// Nothing happens on a host before its gate has been shown, checked on fresh facts, and opened by you. Whatever
/// happens is written to one journal, which can be resumed, replayed and audited.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    subcommand_value_name = "COMMAND",
    after_help = "Begin with `lockkeeper practice`: a whole upgrade on hosts that cannot be hurt.\n`lockkeeper man` prints the \
                  manual: keys, files, environment, exit statuses."
)]
pub struct Cli {
    /// The start screen where none is given
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub habits: Habits,
}

/// Stronger than the configuration and the environment; see `lockkeeper config`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Screen")]
pub struct Habits {
    /// Colours: `terminal` uses your terminal's own
    #[arg(long, global = true, value_parser = crate::ui::theme::Theme::WORDS.map(|(word, _)| word))]
    pub theme: Option<String>,
    /// Signs and lines without Unicode
    #[arg(long, global = true)]
    pub ascii: bool,
    /// Do not ring when something wants you
    #[arg(long, global = true)]
    pub no_bell: bool,
}

/// What the exit status says; the manual prints it.
pub const EXIT_STATUS: [(&str, &str); 3] = [
    (
        "0",
        "What was asked for is done: a session completed as its runbook promises, all checks hold, nothing harmful found.",
    ),
    (
        "1",
        "It is not: a session ended otherwise or was left before its end, a check does not hold, a host was not seen, a \
         config does harm, or something failed on the way.",
    ),
    (
        "2",
        "What was given cannot be used: an argument, an inventory, a runbook, a config, a journal, or there is no terminal. \
         No host was contacted.",
    ),
];

/// What is practised if nothing else is asked for.
pub const PRACTICE_RUNBOOK: &str = "etcd-2-to-3-container-linux";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Walk through a runbook on simulated hosts, which cannot be hurt
    Practice(Practice),
    /// Walk through a runbook on real hosts, gate by gate
    Upgrade(Upgrade),
    /// Take up a session that was left, or that a crash ended
    Resume(Resume),
    /// Watch hosts live; cannot change anything
    Monitor(Observe),
    /// Print the state of every host once; cannot change anything
    Status(Status),
    /// Say go or no-go before a maintenance window: make every check that can be made now; cannot change anything
    Preflight(Preflight),
    /// Print every task, script and check of a runbook on an inventory or a practice cluster; contacts nobody
    Plan(Plan),
    /// Check journals
    #[command(subcommand)]
    Journal(journal::Journal),
    /// Who holds which host; take hosts over from another operator
    #[command(subcommand)]
    Lease(lease::Lease),
    /// List what sessions have left on hosts, and remove what none needs any more, by typed words
    Clean(clean::Clean),
    /// Make an inventory: of Ansible's or ssh's files, or by answering questions
    #[command(subcommand)]
    Inventory(Inventory),
    /// List, show and check runbooks
    #[command(subcommand)]
    Runbook(Runbook),
    /// Convert and check configs for the first boot
    #[command(subcommand)]
    Ignition(Ignition),
    /// Play a journal on the same screen; contacts nobody
    Replay(Replay),
    /// Examine this machine, and the hosts of an inventory, before an upgrade does; changes nothing
    Doctor(Doctor),
    /// Print every setting, and whether the configuration, the environment or a flag decided it
    Config(Config),
    /// Print a script that has your shell complete commands, runbooks, clusters, faults and hosts
    ///
    /// bash: source <(lockkeeper completions bash)
    ///
    /// zsh: source <(lockkeeper completions zsh)
    ///
    /// fish: lockkeeper completions fish | source
    #[command(verbatim_doc_comment)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual, with everything in one page: lockkeeper man | man -l -
    Man,
}

#[derive(Debug, Args)]
pub struct Target {
    /// The inventory: a YAML file that names the hosts
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub inventory: PathBuf,
    /// The runbook: a built-in name, or a file [`runbook list` names them]
    #[arg(long, short, add = ArgValueCompleter::new(complete::runbooks))]
    pub runbook: String,
    /// A variable of the runbook; stronger than what the inventory says
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub vars: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub struct Upgrade {
    #[command(flatten)]
    pub target: Target,
    /// Where to record the session; by default a new file in the state directory
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub journal: Option<PathBuf>,
    #[command(flatten)]
    pub window: Window,
}

#[derive(Debug, Args)]
pub struct Resume {
    /// The journal; by default the newest unfinished one in the state directory
    #[arg(value_hint = ValueHint::FilePath)]
    pub journal: Option<PathBuf>,
    #[command(flatten)]
    pub window: Window,
}

#[derive(Debug, Args)]
pub struct Observe {
    /// The inventory: a YAML file that names the hosts
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub inventory: PathBuf,
    /// Also look at what this runbook looks at
    #[arg(long, short, add = ArgValueCompleter::new(complete::runbooks))]
    pub runbook: Option<String>,
}

#[derive(Debug, Args)]
pub struct Doctor {
    /// Also visit these hosts: a YAML file
    #[arg(long, short, value_name = "FILE")]
    pub inventory: Option<PathBuf>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

#[derive(Debug, Subcommand)]
pub enum Inventory {
    /// Make an inventory of another tool's files, and say what could not be carried over
    Import(Import),
    /// Ask for the hosts one by one, and write an inventory
    Init,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("from").required(true))]
pub struct Import {
    /// An Ansible inventory, INI or YAML, or the directory it lies in
    #[arg(long, value_name = "FILE|DIR", group = "from", value_hint = ValueHint::AnyPath)]
    pub ansible: Option<PathBuf>,
    /// An ssh configuration, such as ~/.ssh/config
    #[arg(long, value_name = "FILE", group = "from", value_hint = ValueHint::FilePath)]
    pub ssh_config: Option<PathBuf>,
    /// Which hosts of the ssh configuration: `*` stands for anything, `?` for one character
    #[arg(requires = "ssh_config")]
    pub pattern: Option<String>,
    /// The roles of the hosts whose names match: etcd, control-plane, worker; may be given more than once
    #[arg(long = "role", value_name = "PATTERN=ROLE,ROLE")]
    pub roles: Vec<String>,
    /// The name of the cluster
    #[arg(long, default_value = "imported")]
    pub name: String,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("whose").required(true))]
pub struct Preflight {
    /// The inventory: a YAML file that names the hosts
    #[arg(long, short, value_name = "FILE", group = "whose", value_hint = ValueHint::FilePath)]
    pub inventory: Option<PathBuf>,
    /// A simulated cluster instead, to see what it looks like [`practice --list` names them]
    #[arg(long, value_name = "KIND", group = "whose", add = ArgValueCompleter::new(complete::clusters))]
    pub cluster: Option<String>,
    /// Also make the checks of this runbook
    #[arg(long, short, add = ArgValueCompleter::new(complete::runbooks))]
    pub runbook: Option<String>,
    /// A variable of the runbook; stronger than what the inventory says
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub vars: Vec<(String, String)>,
    /// The format
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    /// How long to wait for hosts that do not answer
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    pub wait: u64,
}

#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    pub observe: Observe,
    /// The format
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    /// How long to wait for hosts that do not answer
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    pub wait: u64,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("whose").required(true))]
pub struct Plan {
    /// The inventory: a YAML file that names the hosts
    #[arg(long, short, value_name = "FILE", group = "whose", value_hint = ValueHint::FilePath)]
    pub inventory: Option<PathBuf>,
    /// A simulated cluster instead, to read a plan without an inventory [`practice --list` names them]
    #[arg(long, value_name = "KIND", group = "whose", add = ArgValueCompleter::new(complete::clusters))]
    pub cluster: Option<String>,
    /// The runbook: a built-in name, or a file [`runbook list` names them]
    #[arg(long, short, add = ArgValueCompleter::new(complete::runbooks))]
    pub runbook: String,
    /// A variable of the runbook; stronger than what the inventory says
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub vars: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
pub enum Runbook {
    /// Print the name and title of every built-in runbook
    List,
    /// Print a runbook as it will be walked through
    Show {
        /// A built-in name, or a file
        #[arg(add = ArgValueCompleter::new(complete::runbooks))]
        runbook: String,
    },
    /// Print everything that is wrong with a runbook, with line and column
    Check {
        /// Built-in names, or files
        #[arg(required = true, add = ArgValueCompleter::new(complete::runbooks))]
        runbooks: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Ignition {
    /// Make Ignition of a Container Linux Config; of a cloud-config, draft a Container Linux Config and list what is lost
    ///
    /// Writes Ignition by the spec that `--spec` names, 2.0.0 if none is named. A newer spec than a host's Ignition reads
    /// stops its boot: `ignition lint --os ID --release VERSION` says which one it reads. What `ct` warned of, or passed
    /// over in silence, is a warning with its line and column; `--strict` refuses it, as runbooks always do.
    Convert {
        /// A Container Linux Config, or a cloud-config
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// The spec to write by; the hosts' Ignition must read it
        #[arg(long, default_value = crate::ignition::DEFAULT_SPEC, value_parser = PossibleValuesParser::new(crate::ignition::SPECS))]
        spec: String,
        #[command(flatten)]
        reading: Reading,
        /// Refuse what is otherwise a warning
        #[arg(long)]
        strict: bool,
        /// Write JSON on many lines, for people
        #[arg(long)]
        pretty: bool,
    },
    /// Print what in a config destroys data on a host that has some, or stops its boot; exit status 1 if anything does
    Lint {
        /// An Ignition config (2.x, 3.x), or a Container Linux Config
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        #[command(flatten)]
        reading: Reading,
        /// The host's ID in /etc/os-release: coreos, flatcar, fedora
        #[arg(long, value_name = "ID", requires = "release")]
        os: Option<String>,
        /// The host's VERSION_ID in /etc/os-release
        #[arg(long, value_name = "VERSION", requires = "os")]
        release: Option<String>,
        /// Look at this host, and say what on it would be hit; nothing is changed there
        #[arg(long, value_name = "NAME", requires = "inventory", conflicts_with = "os", add = ArgValueCompleter::new(complete::hosts))]
        host: Option<HostName>,
        /// The inventory that the host is in
        #[arg(short, long, value_name = "FILE", requires = "host", value_hint = ValueHint::FilePath)]
        inventory: Option<PathBuf>,
    },
}

/// What a Container Linux Config is read with, as `ct` has it.
#[derive(Debug, Args)]
pub struct Reading {
    /// The cloud whose metadata fill in {PRIVATE_IPV4} and its like
    #[arg(long, value_parser = PossibleValuesParser::new(crate::ignition::PLATFORM_NAMES))]
    pub platform: Option<String>,
    /// Where the files lie that the config names under `local`
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub files_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Config {
    /// Print a configuration to start from, with comments
    #[arg(long)]
    pub example: bool,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Replay {
    /// The journal
    #[arg(value_hint = ValueHint::FilePath)]
    pub journal: PathBuf,
    /// Print one frame and end, instead of playing; needs no terminal
    #[arg(long)]
    pub print: bool,
    /// After how many events to take the frame: a number, or `end`
    #[arg(long, value_name = "N|end", default_value = "end", requires = "print")]
    pub at: At,
    /// The size of the frame, columns by lines
    #[arg(long, default_value = "120x40", value_parser = size, requires = "print")]
    pub size: (u16, u16),
}

/// A place in a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// After so many events.
    Event(usize),
    /// After the last.
    End,
}

impl std::str::FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "end" => Ok(Self::End),
            number => number
                .parse()
                .map(Self::Event)
                .map_err(|_| format!("`{number}` is neither a number of events nor `end`")),
        }
    }
}

/// How something is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not of the form NAME=VALUE")),
    }
}

fn count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number such as 40"))
}

fn size(text: &str) -> Result<(u16, u16), String> {
    let wrong = || format!("`{text}` is not a size such as 120x40");
    let (columns, lines) = text.split_once('x').ok_or_else(wrong)?;
    match (columns.parse(), lines.parse()) {
        (Ok(columns @ 1..=500), Ok(lines @ 1..=300)) => Ok((columns, lines)),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definitions_hold_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_and_variables_are_read_strictly() {
        assert_eq!(size("80x24"), Ok((80, 24)));
        for wrong in ["", "80", "80x", "0x24", "80x24x1", "9999x24"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        assert_eq!(variable("target=3.5.1"), Ok(("target".into(), "3.5.1".into())));
        assert_eq!(variable("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(variable("=x").is_err() && variable("x").is_err());
    }
}
