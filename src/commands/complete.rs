//! What the shell offers while a command line is typed: runbooks, practice clusters, faults, and the hosts of the
//! inventory that stands on the line.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use clap_complete::engine::{PathCompleter, ValueCompleter as _};
use clap_complete::env::Shells;
use clap_complete::{CompletionCandidate as Candidate, Shell};

use super::{cluster, given};
use crate::documents;

/// What bash lacks.
const BASH: &str = include_str!("../../assets/complete.bash");

/// What a shell has to source.
pub(super) fn script(shell: Shell) -> io::Result<String> {
    let mut script = Vec::new();
    if let Some(completer) = Shells::builtins().completer(&shell.to_string()) {
        completer.write_registration("COMPLETE", "lockkeeper", "lockkeeper", "lockkeeper", &mut script)?;
    }
    let more = if shell == Shell::Bash { BASH } else { "" };
    Ok(String::from_utf8_lossy(&script).into_owned() + more)
}

/// Built-in runbooks, and files.
pub(crate) fn runbooks(current: &OsStr) -> Vec<Candidate> {
    let titles = documents::builtin_runbooks().map(|(name, _)| {
        let title = given::runbook(name).map(|(runbook, _)| runbook.title).unwrap_or_default();
        Candidate::new(name).help(Some(title.into()))
    });
    let mut found = beginning(current, titles);
    found.extend(PathCompleter::file().complete(current));
    found
}

/// Practice clusters.
pub(crate) fn clusters(current: &OsStr) -> Vec<Candidate> {
    let all = cluster::all().into_iter();
    beginning(current, all.map(|(word, about)| Candidate::new(word).help(Some(about.into()))))
}

/// `HOST:KIND` on the cluster that stands on the line, or that suits the line's runbook.
pub(crate) fn faults(current: &OsStr) -> Vec<Candidate> {
    let line = Line::of_this_process();
    let runbook = line.value(&["--runbook"]).unwrap_or(crate::cli::PRACTICE_RUNBOOK);
    let suits = || given::runbook(runbook).ok()?.0.practice.keys().next().cloned();
    let Some(cluster) = line.value(&["--cluster"]).map(str::to_owned).or_else(suits) else { return Vec::new() };
    let all = cluster::faults(&cluster).into_iter();
    beginning(current, all.map(|(fault, about)| Candidate::new(fault).help(Some(about.into()))))
}

/// Hosts of the inventory that stands on the line.
pub(crate) fn hosts(current: &OsStr) -> Vec<Candidate> {
    let line = Line::of_this_process();
    let inventory = line.value(&["-i", "--inventory"]).and_then(|file| given::inventory(Path::new(file)).ok());
    let Some((inventory, _)) = inventory else { return Vec::new() };
    let hosts = inventory.hosts.iter().map(|host| {
        let roles: Vec<&str> = host.roles.iter().map(|role| role.word()).collect();
        Candidate::new(host.name.to_string()).help(Some(roles.join(", ").into()))
    });
    beginning(current, hosts)
}

fn beginning(current: &OsStr, all: impl Iterator<Item = Candidate>) -> Vec<Candidate> {
    let current = current.to_string_lossy();
    all.filter(|candidate| candidate.get_value().to_string_lossy().starts_with(&*current)).collect()
}

/// The words that have been typed so far.
struct Line(Vec<String>);

impl Line {
    /// The shell calls `lockkeeper -- WORDS`.
    fn of_this_process() -> Self {
        let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
        Self(words.skip_while(|word| word != "--").skip(1).collect())
    }

    /// What stands behind an option, whichever way it is written.
    fn value(&self, names: &[&str]) -> Option<&str> {
        self.0.iter().enumerate().find_map(|(at, word)| {
            let name = names.iter().find(|name| word.starts_with(**name))?;
            match word.strip_prefix(name)? {
                "" => self.0.get(at + 1).map(String::as_str),
                rest if name.starts_with("--") => rest.strip_prefix('='),
                rest => Some(rest.strip_prefix('=').unwrap_or(rest)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_found_whichever_way_it_is_written() {
        for line in ["x -i a.yaml", "x -ia.yaml", "x -i=a.yaml", "x --inventory a.yaml", "x --inventory=a.yaml --host"]
        {
            let line = Line(line.split(' ').map(str::to_owned).collect());
            assert_eq!(line.value(&["-i", "--inventory"]), Some("a.yaml"), "{:?}", line.0);
        }
        assert_eq!(Line(vec!["-i".into()]).value(&["-i"]), None);
    }
}
