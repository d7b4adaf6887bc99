//! `inventory import` and `inventory init`.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use color_eyre::eyre::{Result, WrapErr as _};

use super::discover::discover;
use super::{complain, print, refuse, runtime, written};
use crate::cli::{Import, Inventory as Args};
use crate::documents::{self, Source};
use crate::hosts::Links;
use crate::import::{Found, FoundHost, ansible, ssh_config};
use crate::model::HostKey;
use crate::model::inventory::Role;
use crate::runner::Clock;
use crate::ui::form::{Answers, Attempt, Form, NotSeen, NotWritten, Prober, Proposal};
use crate::yaml::{Problem, Problems};

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
    let mut problems = Problems::default();
    if let Err(why) = documents::check_cluster(&args.name) {
        problems.0.push(Problem::of("--name", why));
    }
    // What another tool allows and this one does not is told where it stands, not where it would be written.
    for (name, host) in found.hosts.iter().filter(|(_, host)| !host.roles.is_empty()) {
        for (key, why) in wrong_words(name, host) {
            let place = host.places.get(key).map_or("import", String::as_str);
            problems.0.push(Problem::of(place, format!("{key}: {why}")));
        }
    }
    problems.0.dedup();
    if !problems.0.is_empty() {
        return Err(problems);
    }
    let yaml = found.inventory(&args.name)?;
    documents::read_inventory(&Source::file(Path::new("what would be printed"), yaml.as_str()))?;
    Ok((yaml, found))
}

/// What of a host cannot stand in an inventory: the key, and why.
fn wrong_words(name: &str, host: &FoundHost) -> Vec<(&'static str, String)> {
    let port = |text: &str| match text.parse::<u16>() {
        Ok(1..) => Ok(()),
        _ => Err(format!("`{text}` is not a port: a number from 1 to 65535")),
    };
    let ssh = |key: &str| host.ssh.get(key).map(String::as_str);
    [
        ("name", documents::check_host(name).err()),
        ("address", host.address.as_deref().and_then(|address| documents::check_address(address).err())),
        ("user", ssh("user").and_then(|user| documents::check_user(user).err())),
        ("jump", ssh("jump").and_then(|jump| documents::check_jump(jump).err())),
        ("port", ssh("port").and_then(|text| port(text).err())),
    ]
    .into_iter()
    .filter_map(|(key, why)| Some((key, why?)))
    .collect()
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

/// An answer that may be left out; what is given is checked.
fn optional(check: fn(&str) -> Result<(), String>) -> impl Fn(&str) -> Result<Option<String>, String> {
    move |text| some(text).map(|text| check(&text).map(|()| text)).transpose()
}

fn answers() -> Result<(String, String), Gone> {
    let cluster = ask("What is the cluster called", |text| match text {
        "" => Err("the cluster needs a name".to_owned()),
        name => documents::check_cluster(name).map(|()| name.to_owned()),
    })?;
    let user = ask("Log in as (empty: whatever ssh does)", optional(documents::check_user))?;
    let jump = ask("Through which bastion (empty: none)", optional(documents::check_jump))?;
    let mut found = Found::default();
    loop {
        let known: Vec<String> = found.hosts.keys().cloned().collect();
        let name = ask("Host's name (empty: that was all)", |name| match name {
            "" if known.is_empty() => Err("an inventory has at least one host".to_owned()),
            "" => Ok(None),
            name if known.iter().any(|other| other == name) => Err(format!("there is a host `{name}` already")),
            name => documents::check_host(name).map(|()| Some(name.to_owned())),
        })?;
        let Some(name) = name else { break };
        let address = ask("  Its address (empty: its name)", optional(documents::check_address))?;
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
    told: Sender<(Attempt, Result<Proposal, NotSeen>)>,
    heard: Receiver<(Attempt, Result<Proposal, NotSeen>)>,
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

    fn news(&mut self) -> Vec<(Attempt, Result<Proposal, NotSeen>)> {
        self.heard.try_iter().collect()
    }

    fn trust(&mut self, key: &HostKey) -> Result<(), String> {
        crate::hosts::trust(key)
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
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => NotWritten::Exists,
            _ => because(format!("{}: {error}", answers.file)),
        };
        put(Path::new(&home(&answers.file)), &yaml, over).map_err(failed)
    }
}

/// Writes a file; what is there already is replaced by the whole of it or stays, and keeps its mode.
fn put(path: &Path, text: &str, over: bool) -> std::io::Result<()> {
    if !over {
        return std::fs::OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes());
    }
    // Where a link leads, the file it names is replaced and the link stays.
    let path = std::fs::canonicalize(path)?;
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new("/")))?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(std::fs::metadata(&path)?.permissions())?;
    file.as_file().sync_all()?;
    file.persist(&path).map(|_| ()).map_err(|error| error.error)
}

/// The form on the screen; the file that was written, if one was.
fn form() -> Result<Option<String>> {
    let mut form = Form::new("cluster.yaml");
    let (told, heard) = channel();
    let mut visitor = Visitor { runtime: runtime()?, links: Arc::new(Links::new()?), told, heard };
    let written = crate::ui::form::fill(&mut form, super::habits(), &mut visitor);
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
                std::fs::write(&file, yaml).wrap_err_with(|| format!("cannot write {file}"))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_and_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hosts.yaml");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let before = std::fs::File::open(&path).unwrap();
        assert_eq!(put(&path, "new", false).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
        put(&path, "new", true).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        // Whoever reads the old one still has all of it: nothing was truncated.
        assert_eq!(std::io::read_to_string(before).unwrap(), "old");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
