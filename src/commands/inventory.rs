//! `inventory import` and `inventory init`.

use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use color_eyre::eyre::Result;

use super::{complain, print, refuse};
use crate::cli::{Import, Inventory as Args};
use crate::documents::{self, Source};
use crate::import::{Found, FoundHost, ansible, ssh_config};
use crate::model::inventory::Role;
use crate::yaml::Problems;

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
    let any =
        |text: &str| -> Result<Option<String>, String> { Ok(Some(text.to_owned()).filter(|text| !text.is_empty())) };
    let some = |text: &str| if text.is_empty() { Err("it needs a name".to_owned()) } else { Ok(text.to_owned()) };
    let cluster = ask("What is the cluster called", some)?;
    let worker = || FoundHost { roles: [Role::Worker].into(), ..FoundHost::default() };
    let option = |key: &'static str| {
        move |text: &str| {
            let mut host = worker();
            if !text.is_empty() {
                host.ssh.insert(key, text.to_owned());
            }
            sound("host", &host).map(|()| Some(text.to_owned()).filter(|text| !text.is_empty()))
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
            let host = FoundHost { address: any(text)?, ..worker() };
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

fn init() -> Result<ExitCode> {
    let Ok((file, yaml)) = answers() else {
        complain("nothing was written");
        return Ok(ExitCode::from(super::BAD_INPUT));
    };
    std::fs::write(&file, yaml)?;
    complain(&format!("wrote {file}; look at it with: lockkeeper status --inventory {file}"));
    Ok(ExitCode::SUCCESS)
}
