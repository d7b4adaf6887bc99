//! `lockkeeper` alone: the start screen, and then whatever is chosen there, as its subcommand would do it.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};

use clap::{CommandFactory as _, Parser as _};
use color_eyre::eyre::Result;

use super::{cluster, complain, dispatch, given, sessions};
use crate::cli::{Cli, Target};
use crate::documents;
use crate::journal;
use crate::model::logtail::clean;
use crate::runner::Clock;
use crate::ui::start::{Choice, Library, News, Start, choose};
use crate::yaml::Problems;

pub(super) fn run() -> Result<ExitCode> {
    if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        complain(&Cli::command().render_help().to_string());
        return Ok(ExitCode::from(super::BAD_INPUT));
    }
    let mut said = String::new();
    loop {
        let mut start = Start::new(Clock::Real.now());
        start.say(&std::mem::take(&mut said));
        let choice = choose(&mut start, super::habits(), &Shelf, &list()?)?;
        let Some(words) = words(&choice) else { return Ok(ExitCode::SUCCESS) };
        let cli = Cli::try_parse_from(words)?;
        let done = dispatch(cli);
        match choice {
            Choice::Replay(_) | Choice::Practice { .. } | Choice::Monitor(_) | Choice::Connect => {
                if let Err(report) = done {
                    said = report.to_string();
                }
            }
            _ => return done,
        }
    }
}

/// What would be typed for a choice; nothing for leaving.
fn words(choice: &Choice) -> Option<Vec<OsString>> {
    let mut words: Vec<OsString> = vec!["lockkeeper".into()];
    let mut say = |more: &[&dyn AsRef<std::ffi::OsStr>]| words.extend(more.iter().map(|word| word.as_ref().into()));
    match choice {
        Choice::Quit => return None,
        Choice::Resume(journal) => say(&[&"resume", journal]),
        Choice::Replay(journal) => say(&[&"replay", journal]),
        Choice::Connect => say(&[&"inventory", &"init"]),
        Choice::Monitor(inventory) => say(&[&"monitor", &"--inventory", inventory]),
        Choice::Status(inventory) => say(&[&"status", &"--inventory", inventory]),
        Choice::Practice { runbook, cluster, faults } => {
            say(&[&"practice", &"--runbook", runbook, &"--cluster", cluster]);
            faults.iter().for_each(|fault| say(&[&"--fault", fault]));
        }
        Choice::Upgrade { inventory, runbook, vars } => {
            say(&[&"upgrade", &"--inventory", inventory, &"--runbook", runbook]);
            vars.iter().for_each(|(name, value)| say(&[&"--var", &format!("{name}={value}")]));
        }
    }
    Some(words)
}

/// Reads the sessions beside the screen: first what every one is, then how far each is.
fn list() -> Result<Receiver<News>> {
    let directory = journal::directory()?;
    let (news, inbox) = channel();
    std::thread::spawn(move || tell(&directory, &news));
    Ok(inbox)
}

fn tell(directory: &Path, news: &Sender<News>) {
    let locks = journal::sessions::Locks::now();
    let mut uncounted = Vec::new();
    for (place, path) in journal::sessions::journals(directory).iter().enumerate() {
        let summary = journal::sessions::glance(path, &locks);
        if sessions::wants_count(&summary) {
            uncounted.push((place, summary.clone()));
        }
        if news.send((place, summary)).is_err() {
            return;
        }
    }
    for (place, mut summary) in uncounted {
        journal::sessions::count(&mut summary);
        if news.send((place, summary)).is_err() {
            return;
        }
    }
}

/// What is built in, and what lies about.
struct Shelf;

impl Library for Shelf {
    fn runbooks(&self) -> Vec<(String, String)> {
        let title = |name: &str| given::runbook(name).map(|(runbook, _)| runbook.title).unwrap_or_default();
        documents::builtin_runbooks().map(|(name, _)| (name.to_owned(), title(name))).collect()
    }

    fn text(&self, runbook: &str) -> String {
        match given::runbook(runbook) {
            Ok((runbook, _)) => documents::print::runbook_text(&runbook),
            Err(problems) => problems.to_string(),
        }
    }

    fn clusters(&self, runbook: &str) -> Vec<String> {
        let suited = given::runbook(runbook).map(|(runbook, _)| runbook.practice.into_keys().collect::<Vec<_>>());
        suited.ok().filter(|suited| !suited.is_empty()).unwrap_or_else(|| vec![cluster::DEFAULT.to_owned()])
    }

    fn faults(&self, cluster: &str) -> Vec<String> {
        cluster::faults(cluster).into_iter().map(|(fault, _)| fault).collect()
    }

    fn inventories(&self) -> Vec<(PathBuf, String)> {
        use etcetera::BaseStrategy as _;
        let config = etcetera::choose_base_strategy().map(|base| base.config_dir().join("lockkeeper")).ok();
        let mut found = inventories_in(Path::new("."));
        found.extend(config.iter().flat_map(|dir| inventories_in(dir)));
        found
    }

    fn wanted(&self, inventory: &Path, runbook: &str) -> Result<Vec<String>, String> {
        let ((inventory, _), (runbook, _)) =
            given::both(given::inventory(inventory), given::runbook(runbook)).map_err(|problems| brief(&problems))?;
        let has = |name: &String| {
            inventory.vars.contains_key(name) || inventory.hosts.iter().all(|host| host.vars.contains_key(name))
        };
        let wanted = runbook.vars.iter().filter(|(name, spec)| spec.required && !has(name));
        Ok(wanted.map(|(name, _)| name.clone()).collect())
    }

    fn check(&self, choice: &Choice) -> Result<(), String> {
        let checked = match choice {
            Choice::Monitor(inventory) | Choice::Status(inventory) => given::inventory(inventory).map(drop),
            Choice::Upgrade { inventory, runbook, vars } => {
                let target = Target { inventory: inventory.clone(), runbook: runbook.clone(), vars: vars.clone() };
                given::plan(&target).map(drop)
            }
            _ => Ok(()),
        };
        checked.map_err(|problems| brief(&problems))
    }
}

/// The first problems, a line each, and how many more there are.
fn brief(problems: &Problems) -> String {
    const MOST: usize = 4;
    let mut lines: Vec<String> = problems.0.iter().map(|problem| clean(&problem.message)).collect();
    lines.dedup();
    if let Some(more @ 1..) = lines.len().checked_sub(MOST) {
        lines.truncate(MOST);
        lines.push(format!("… and {more} more: `lockkeeper plan` shows all of them"));
    }
    lines.join("\n")
}

/// Files of a directory that look like an inventory, with the cluster that each names.
fn inventories_in(directory: &Path) -> Vec<(PathBuf, String)> {
    const LONGEST: u64 = 1 << 20;
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut found: Vec<(PathBuf, String)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
            let small = yaml && path.metadata().ok().is_some_and(|found| found.is_file() && found.len() <= LONGEST);
            let text = small.then(|| std::fs::read_to_string(&path).ok())??;
            let cluster = text.lines().find_map(|line| line.strip_prefix("cluster:"))?.trim();
            text.lines().any(|line| line.starts_with("hosts:")).then(|| {
                let path = path.strip_prefix(".").map(Path::to_owned).unwrap_or(path.clone());
                (path, format!("cluster {}", clean(cluster)))
            })
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_what_could_have_been_typed() {
        let path = PathBuf::from("a b.yaml");
        let choices = [
            Choice::Resume(path.clone()),
            Choice::Replay(path.clone()),
            Choice::Connect,
            Choice::Monitor(path.clone()),
            Choice::Status(path.clone()),
            Choice::Practice {
                runbook: "etcd-minor".into(),
                cluster: "etcd".into(),
                faults: vec!["etcd1:disk-full".into(), "etcd2:lost-ack".into()],
            },
            Choice::Upgrade {
                inventory: path,
                runbook: "etcd-minor".into(),
                vars: vec![("target".into(), "3.5.32".into())],
            },
        ];
        for choice in choices {
            let words = words(&choice).unwrap();
            assert!(Cli::try_parse_from(&words).is_ok(), "{words:?}");
        }
        assert_eq!(words(&Choice::Quit), None);
    }

    #[test]
    fn the_shelf_has_what_practice_takes() {
        for (runbook, title) in Shelf.runbooks() {
            assert!(!title.is_empty(), "{runbook}");
            for cluster in Shelf.clusters(&runbook) {
                assert!(!Shelf.faults(&cluster).is_empty(), "{cluster} of {runbook}");
            }
        }
    }

    #[test]
    fn inventories_are_told_from_other_yaml() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("b.yaml"), "cluster: prod\nhosts:\n  - {name: a, roles: [etcd]}\n").unwrap();
        std::fs::write(dir.path().join("a.yml"), "cluster: no\n").unwrap();
        std::fs::write(dir.path().join("c.txt"), "cluster: no\nhosts:\n").unwrap();
        let found = inventories_in(dir.path());
        assert_eq!(found, [(dir.path().join("b.yaml"), "cluster prod".to_owned())]);
        assert_eq!(Shelf.wanted(&found[0].0, "etcd-minor").unwrap(), ["target", "previous"]);
    }
}
