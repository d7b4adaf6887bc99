//! `inventory import` and `inventory init`.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use color_eyre::eyre::Result;

use super::discover::discover;
use super::{complain, print, refuse, runtime, written};
use crate::cli::{Import, Inventory as Args};
use crate::documents::{self, Source};
use crate::hosts::Links;
use crate::import::{Found, FoundHost, ansible, ssh_config};
use crate::model::inventory::Role;
use crate::runner::Clock;
use crate::ui::form::{Answers, Attempt, Form, NotWritten, Prober, Proposal};
use crate::yaml::Problems;

/// How long connections may take to be closed when the form is left.
const LEAVE: Duration = Duration::from_secs(2);

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    match args {
        Args::Import(args) => import(args),
        Args::Init => init(),
    }
}

fn import(args: &Import) -> Result<ExitCode> {
    match imported(args) {
        Ok((yaml, found)) => {
            print(&yaml)?;
            for left in &found.left {
                complain(&format!("not carried over: {left}"));
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => Ok(refuse(&problems)),
    }
}

fn imported(args: &Import) -> Result<(String, Found), Problems> {
    let mut found = match (&args.ansible, &args.ssh_config) {
        (Some(path), _) => ansible(path)?,
        (None, Some(path)) => ssh_config(path, args.pattern.as_deref().unwrap_or("*"))?,
        (None, None) => Found::default(),
    };
    found.give_roles(&args.roles)?;
    let yaml = found.inventory(&args.name)?;
    // Whatever another tool allows, what is printed must be readable here.
    documents::read_inventory(&Source::file(Path::new("the imported inventory"), yaml.as_str()))?;
    Ok((yaml, found))
}

/// Nobody answers any more.
struct Gone;

/// Asks until an answer is good; what is wrong with one is said at once.
fn ask<T>(question: &str, check: impl Fn(&str) -> Result<T, String>) -> Result<T, Gone> {
    loop {
        let mut err = std::io::stderr().lock();
        let _ = write!(err, "{question}: ");
        let _ = err.flush();
        drop(err);
        let mut line = String::new();
        match std::io::stdin().lock().read_line(&mut line) {
            Ok(0) | Err(_) => return Err(Gone),
            Ok(_) => match check(line.trim()) {
                Ok(answer) => return Ok(answer),
                Err(why) => complain(&why),
            },
        }
    }
}

/// The inventory of one host, read as any other: what is wrong with a word is told by the one reader there is.
fn sound(name: &str, host: &FoundHost) -> Result<(), String> {
    let mut found = Found::default();
    found.hosts.insert(name.to_owned(), host.clone());
    let yaml = found.inventory("x").map_err(|problems| problems.0[0].message.clone())?;
    let source = Source::file(Path::new("answer"), yaml.as_str());
    documents::read_inventory(&source).map(drop).map_err(|problems| problems.0[0].message.clone())
}

fn answers() -> Result<(String, String), Gone> {
    let cluster = ask("What is the cluster called", |text| some(text).ok_or("it needs a name".to_owned()))?;
    let worker = || FoundHost { roles: [Role::Worker].into(), ..FoundHost::default() };
    let option = |key: &'static str| {
        move |text: &str| {
            let mut host = worker();
            if !text.is_empty() {
                host.ssh.insert(key, text.to_owned());
            }
            sound("host", &host).map(|()| some(text))
        }
    };
    let user = ask("Log in as (empty: whatever ssh does)", option("user"))?;
    let jump = ask("Through which bastion (empty: none)", option("jump"))?;
    let mut found = Found::default();
    loop {
        let known: Vec<String> = found.hosts.keys().cloned().collect();
        let name = ask("Host's name (empty: that was all)", |name| match name {
            "" if known.is_empty() => Err("an inventory has at least one host".to_owned()),
            "" => Ok(None),
            name if known.iter().any(|other| other == name) => Err(format!("there is a host `{name}` already")),
            name => sound(name, &worker()).map(|()| Some(name.to_owned())),
        })?;
        let Some(name) = name else { break };
        let address = ask("  Its address (empty: its name)", |text| {
            let host = FoundHost { address: some(text), ..worker() };
            sound(&name, &host).map(|()| host.address)
        })?;
        let words = Role::ALL.map(Role::word).join(", ");
        let roles = ask(&format!("  What it does, of {words}"), |text| {
            let roles: Option<_> =
                text.split([',', ' ']).filter(|word| !word.is_empty()).map(Role::from_word).collect();
            roles
                .filter(|roles: &std::collections::BTreeSet<Role>| !roles.is_empty())
                .ok_or(format!("it is one or more of: {words}"))
        })?;
        let mut host = FoundHost { address, roles, ..FoundHost::default() };
        for (key, value) in [("user", &user), ("jump", &jump)] {
            if let Some(value) = value {
                host.ssh.insert(key, value.clone());
            }
        }
        found.hosts.insert(name, host);
    }
    let yaml = found.inventory(&cluster).unwrap_or_default();
    complain(&format!("\n{yaml}"));
    let file = ask("Write it to (empty: cluster.yaml)", |text| {
        Ok(if text.is_empty() { "cluster.yaml".to_owned() } else { text.to_owned() })
    })?;
    if Path::new(&file).exists() {
        let over = ask(&format!("{file} is there already. Write over it (yes or no)"), |text| match text {
            "yes" => Ok(true),
            "no" | "" => Ok(false),
            _ => Err("yes or no".to_owned()),
        })?;
        if !over {
            return Err(Gone);
        }
    }
    Ok((file, yaml))
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// A path as shells have it: `~/` is the home directory.
pub(super) fn home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), etcetera::home_dir()) {
        (Some(rest), Ok(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

/// Tries hosts beside the form, and writes what it comes to.
struct Visitor {
    runtime: tokio::runtime::Runtime,
    links: Arc<Links>,
    told: Sender<(Attempt, Result<Proposal, String>)>,
    heard: Receiver<(Attempt, Result<Proposal, String>)>,
}

impl Prober for Visitor {
    fn begin(&mut self, attempt: &Attempt) {
        let (attempt, links, told) = (attempt.clone(), self.links.clone(), self.told.clone());
        self.runtime.spawn(async move {
            let result = discover(&attempt, &links).await;
            // Whoever has left the form does not listen any more.
            let _ = told.send((attempt, result));
        });
    }

    fn news(&mut self) -> Vec<(Attempt, Result<Proposal, String>)> {
        self.heard.try_iter().collect()
    }

    fn key(&self, path: &str) -> Option<String> {
        use std::os::unix::fs::MetadataExt as _;
        if path.is_empty() {
            return None;
        }
        match home(path).metadata() {
            Err(_) => Some("no such file".into()),
            Ok(found) if !found.is_file() => Some("that is no file".into()),
            Ok(found) if found.mode() & 0o077 != 0 => Some("open to others: chmod 600 it".into()),
            Ok(_) if Path::new(path).extension().is_some_and(|extension| extension == "pub") => {
                Some("the private key, without .pub".into())
            }
            Ok(_) => None,
        }
    }

    fn write(&mut self, answers: &Answers, over: bool) -> Result<(), NotWritten> {
        let because = |why: String| NotWritten::Because(why);
        let mut answers = answers.clone();
        // In the file a path starts where the file lies.
        if !answers.key.is_empty() && !answers.key.starts_with("~/") {
            let whole = std::path::absolute(&answers.key).map_err(|error| because(error.to_string()))?;
            answers.key = whole.display().to_string();
        }
        let yaml = written::yaml(&answers, Clock::Real.now());
        documents::read_inventory(&Source::file(Path::new(&answers.file), yaml.as_str()))
            .map_err(|problems| because(problems.0[0].message.clone()))?;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(!over).create(over).truncate(over);
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => NotWritten::Exists,
            _ => because(format!("{}: {error}", answers.file)),
        };
        let mut file = options.open(home(&answers.file)).map_err(failed)?;
        file.write_all(yaml.as_bytes()).map_err(failed)
    }
}

/// The form on the screen; the file that was written, if one was.
fn form() -> Result<Option<String>> {
    let mut form = Form::new("cluster.yaml");
    let (told, heard) = channel();
    let mut visitor = Visitor { runtime: runtime()?, links: Arc::new(Links::new()?), told, heard };
    let written = crate::ui::form::fill(&mut form, &mut visitor);
    let Visitor { runtime, links, .. } = visitor;
    // An attempt that hangs is not waited for.
    runtime.block_on(async { tokio::time::timeout(LEAVE, links.close()).await }).ok();
    runtime.shutdown_background();
    Ok(written?.then(|| form.answers().file))
}

fn init() -> Result<ExitCode> {
    let on_screen = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let written = if on_screen {
        form()?
    } else {
        match answers() {
            Ok((file, yaml)) => {
                std::fs::write(&file, yaml)?;
                Some(file)
            }
            Err(Gone) => None,
        }
    };
    let Some(file) = written else {
        complain("nothing was written");
        return Ok(ExitCode::from(super::BAD_INPUT));
    };
    complain(&format!("wrote {file}; look at it with: lockkeeper status --inventory {file}"));
    Ok(ExitCode::SUCCESS)
}
