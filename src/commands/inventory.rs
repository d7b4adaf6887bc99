//! `inventory import` and `inventory init`.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use color_eyre::eyre::Result;

use super::{complain, print, refuse};
use crate::cli::{Import, Inventory as Args};
use crate::documents::{self, Source};
use crate::import::{Found, FoundHost, ansible, ssh_config};
use crate::model::inventory::Role;
use crate::ui::form::{Answers, Form};
use crate::yaml::{Problems, did_you_mean};

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

/// What a filled-in form comes to, and everything that is wrong with it. `roles` are one or more words.
fn filled(answers: &Answers) -> (String, Vec<String>) {
    let mut wrong = Vec::new();
    if answers.cluster.is_empty() {
        wrong.push("the cluster needs a name".to_owned());
    }
    if answers.hosts.is_empty() {
        wrong.push("an inventory has at least one host".to_owned());
    }
    if answers.file.is_empty() {
        wrong.push("say which file to write".to_owned());
    }
    let mut found = Found::default();
    for [name, address, roles] in &answers.hosts {
        if name.is_empty() {
            wrong.push(format!("the host at {} needs a name", if address.is_empty() { roles } else { address }));
            continue;
        }
        let mut host = FoundHost { address: some(address), ..FoundHost::default() };
        for word in roles.split([',', ' ']).filter(|word| !word.is_empty()) {
            if let Some(role) = Role::from_word(word) {
                host.roles.insert(role);
            } else {
                let hint = did_you_mean(word, Role::ALL.map(Role::word));
                wrong.push(format!("{name}: `{word}` is no role{hint}"));
            }
        }
        if host.roles.is_empty() {
            wrong.push(format!("{name}: its roles are one or more of {}", Role::ALL.map(Role::word).join(", ")));
            host.roles.insert(Role::Worker);
        }
        for (key, value) in [("user", &answers.user), ("jump", &answers.jump)] {
            host.ssh.extend(some(value).map(|value| (key, value)));
        }
        if let Err(why) = sound(name, &host) {
            wrong.push(format!("{name}: {why}"));
        }
        if found.hosts.insert(name.clone(), host).is_some() {
            wrong.push(format!("there are two hosts `{name}`"));
        }
    }
    wrong.dedup();
    (found.inventory(&answers.cluster).unwrap_or_default(), wrong)
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// The form on the screen; the file that was written, if one was.
fn form() -> Result<Option<String>> {
    let mut form = Form::new("cluster.yaml");
    let mut over = None;
    let write = |answers: &Answers| {
        // What is there is written over when it is asked for twice.
        if Path::new(&answers.file).exists() && over.as_ref() != Some(&answers.file) {
            over = Some(answers.file.clone());
            return Err(format!("{} is there already: Ctrl-S once more writes over it", answers.file));
        }
        std::fs::write(&answers.file, filled(answers).0).map_err(|error| format!("{}: {error}", answers.file))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let fill = crate::ui::form::fill(&mut form, super::habits(), |answers| filled(answers).1, write);
    let written = runtime.block_on(fill)?;
    Ok(written.then(|| form.answers().file))
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
