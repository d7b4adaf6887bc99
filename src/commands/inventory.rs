//! `inventory import` and `inventory init`.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use color_eyre::eyre::{Result, WrapErr as _};

use super::{complain, print, refuse};
use crate::cli::{Import, Inventory as Args};
use crate::documents::{self, Source};
use crate::import::{Found, FoundHost, ansible, ssh_config};
use crate::model::inventory::Role;
use crate::ui::form::{Answers, Form};
use crate::yaml::{Problem, Problems, did_you_mean};

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

/// What a filled-in form comes to, and everything that is wrong with it. `roles` are one or more words.
fn filled(answers: &Answers) -> (String, Vec<String>) {
    let mut wrong = Vec::new();
    if answers.cluster.is_empty() {
        wrong.push("the cluster needs a name".to_owned());
    } else {
        wrong.extend(documents::check_cluster(&answers.cluster).err());
    }
    // What is said of all hosts is wrong once, and no host is to blame.
    wrong.extend(some(&answers.user).and_then(|user| documents::check_user(&user).err()));
    wrong.extend(some(&answers.jump).and_then(|jump| documents::check_jump(&jump).err()));
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
        wrong.extend(wrong_words(name, &host).into_iter().map(|(key, why)| format!("{name}: {key}: {why}")));
        for (key, value) in [("user", &answers.user), ("jump", &answers.jump)] {
            host.ssh.extend(some(value).map(|value| (key, value)));
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
