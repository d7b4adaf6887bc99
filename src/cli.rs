//! The command line.

#![expect(missing_docs, reason = "what clap shows as help is the documentation")]

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::model::HostName;

/// A terminal upgrade wizard for etcd and Kubernetes hosts.
///
/// Nothing happens on a host before its gate has been shown, checked on fresh facts, and opened by you. Whatever
/// happens is written to one journal, which can be resumed, replayed and audited.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Begin with `lockkeeper practice`: a whole upgrade on hosts that cannot be hurt."
)]
pub struct Cli {
    /// The start screen where none is given
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Walk through a runbook on simulated hosts, which cannot be hurt
    Practice(Practice),
    /// Walk through a runbook on real hosts, gate by gate
    Upgrade(Upgrade),
    /// Go on with a session that was quit, or that a crash ended
    Resume(Resume),
    /// Watch hosts live; cannot change anything
    Monitor(Observe),
    /// Print the grid once; cannot change anything
    Status(Status),
    /// Check before a window all that can be checked, and print what stands against it; cannot change anything
    Preflight(Preflight),
    /// Print every task, script and check of a runbook on an inventory; contacts nobody
    Plan(Plan),
    /// Make an inventory: from Ansible's or ssh's files, or by answering questions
    #[command(subcommand)]
    Inventory(Inventory),
    /// List, show and check runbooks
    #[command(subcommand)]
    Runbook(Runbook),
    /// Convert and examine configs for the first boot
    #[command(subcommand)]
    Ignition(Ignition),
    /// Play a journal on the same screen
    Replay(Replay),
    /// Examine this machine, and the hosts of an inventory, before an upgrade does; changes nothing
    Doctor(Doctor),
    /// Print a completion script for your shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Debug, Args)]
pub struct Practice {
    /// The runbook: a built-in name, or a file
    #[arg(long, default_value = "etcd-2-to-3-container-linux")]
    pub runbook: String,
    /// The simulated cluster; the runbook says which one suits it, if not given
    #[arg(long, value_name = "KIND")]
    pub cluster: Option<String>,
    /// A variable of the runbook
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub vars: Vec<(String, String)>,
    /// Decides every delay and every random fault: the same seed, the same run
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Break something on purpose; may be given more than once
    #[arg(long = "fault", value_name = "HOST:KIND")]
    pub faults: Vec<String>,
    /// Also break so many things by chance; the seed decides which
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub random_faults: usize,
    /// Open every gate by itself, as fast as virtual time allows, and print one line of summary
    #[arg(long)]
    pub auto: bool,
    /// With --auto: take back in every stage what was done on a host, before its last step, amid and after it, and do it again
    #[arg(long, requires = "auto")]
    pub take_back: bool,
    /// With --auto: run twice in a row what may be repeated, as after a connection that broke at the wrong moment
    #[arg(long, requires = "auto")]
    pub twice: bool,
    /// How the summary of --auto is written
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    /// Where to record; in the state directory, or with --auto nowhere, if not given
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Target {
    /// The hosts: a YAML file
    #[arg(long, short, value_name = "FILE")]
    pub inventory: PathBuf,
    /// The runbook: a built-in name, or a file
    #[arg(long, short)]
    pub runbook: String,
    /// A variable of the runbook, over what the inventory says
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub vars: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub struct Upgrade {
    #[command(flatten)]
    pub target: Target,
    /// Where to record; a new file in the state directory if not given
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Resume {
    /// The journal; if not given, the one unfinished upgrade there is, or a list of them
    pub journal: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Observe {
    /// The hosts: a YAML file
    #[arg(long, short, value_name = "FILE")]
    pub inventory: PathBuf,
    /// Also look at what this runbook looks at
    #[arg(long, short)]
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
    /// Print the inventory that another tool's files make, and what could not be carried over
    Import(Import),
    /// Ask for the hosts one by one, and write an inventory
    Init,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("from").required(true))]
pub struct Import {
    /// An Ansible inventory, INI or YAML, or the directory it lies in
    #[arg(long, value_name = "FILE|DIR", group = "from")]
    pub ansible: Option<PathBuf>,
    /// A configuration of ssh
    #[arg(long, value_name = "FILE", group = "from")]
    pub ssh_config: Option<PathBuf>,
    /// Which hosts of an ssh configuration: `*` and `?` stand for anything and for one letter
    #[arg(requires = "ssh_config")]
    pub pattern: Option<String>,
    /// What hosts do; may be given more than once
    #[arg(long = "role", value_name = "PATTERN=ROLE,ROLE")]
    pub roles: Vec<String>,
    /// What the cluster is called
    #[arg(long, default_value = "imported")]
    pub name: String,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("whose").required(true))]
pub struct Preflight {
    /// The hosts: a YAML file
    #[arg(long, short, value_name = "FILE", group = "whose")]
    pub inventory: Option<PathBuf>,
    /// A simulated cluster instead, to see what it looks like
    #[arg(long, value_name = "KIND", group = "whose")]
    pub cluster: Option<String>,
    /// Also make the checks of this runbook
    #[arg(long, short)]
    pub runbook: Option<String>,
    /// A variable of the runbook, over what the inventory says
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub vars: Vec<(String, String)>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    /// How long to wait for a host, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    pub wait: u64,
}

#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    pub observe: Observe,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    /// Seconds to wait for hosts that do not answer
    #[arg(long, default_value_t = 20)]
    pub wait: u64,
}

#[derive(Debug, Args)]
pub struct Plan {
    #[command(flatten)]
    pub target: Target,
}

#[derive(Debug, Subcommand)]
pub enum Runbook {
    /// Name and title of every built-in runbook
    List,
    /// A runbook as it will be walked through
    Show {
        /// A built-in name, or a file
        runbook: String,
    },
    /// Everything that is wrong with a runbook, with line and column
    Check {
        /// Built-in names, or files
        #[arg(required = true)]
        runbooks: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Ignition {
    /// A Container Linux Config as Ignition; of a cloud-config, the draft of a Container Linux Config and what is lost
    Convert {
        /// A Container Linux Config, or a cloud-config
        file: PathBuf,
        /// The spec that the hosts' Ignition reads: 2.0.0, 2.1.0, 2.2.0 or 2.3.0
        #[arg(long, default_value = crate::ignition::DEFAULT_SPEC)]
        spec: String,
        /// Whose metadata fill in {PRIVATE_IPV4} and its like, as `ct -platform` names it
        #[arg(long)]
        platform: Option<String>,
        /// In lines that people can read
        #[arg(long)]
        pretty: bool,
    },
    /// What in a config destroys data on a host that has some, or stops its boot; exit status 1 if there is any
    Lint {
        /// An Ignition config (2.x, 3.x), or a Container Linux Config
        file: PathBuf,
        /// Of a Container Linux Config: whose metadata fill in {PRIVATE_IPV4} and its like
        #[arg(long)]
        platform: Option<String>,
        /// The host's ID in /etc/os-release: coreos, flatcar, fedora
        #[arg(long, value_name = "ID", requires = "release")]
        os: Option<String>,
        /// The host's VERSION_ID in /etc/os-release
        #[arg(long, value_name = "VERSION", requires = "os")]
        release: Option<String>,
        /// Look at this host, and tell what of it would be hit; nothing is changed there
        #[arg(long, value_name = "NAME", requires = "inventory", conflicts_with = "os")]
        host: Option<HostName>,
        /// The inventory that the host is in
        #[arg(short, long, value_name = "FILE", requires = "host")]
        inventory: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub struct Replay {
    /// The journal
    pub journal: PathBuf,
    /// Print one frame and end, instead of playing
    #[arg(long)]
    pub print: bool,
    /// After how many events: a number, or `end`
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
