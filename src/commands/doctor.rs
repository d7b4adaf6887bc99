//! `doctor`: what of this machine and its hosts would stand against an upgrade, with the fix beside it.

mod findings;

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use color_eyre::eyre::Result;
use serde_json::json;

use self::findings::{ANYTHING, Agent, Client, Finding, Found, Key, Place, ROOM, Terminal, Verdict, Visit, WRITE};
use super::{given, print, refuse, runtime};
use crate::cli::{Doctor as Args, Output};
use crate::hosts::{self, Links};
use crate::journal;
use crate::model::Inventory;
use crate::model::logtail::clean;

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let inventory = match args.inventory.as_deref().map(given::inventory).transpose() {
        Ok(inventory) => inventory.map(|(inventory, _)| inventory),
        Err(problems) => return Ok(refuse(&problems)),
    };
    let mut found = findings::terminal(&terminal());
    found.extend(findings::client(&client()));
    found.extend(findings::keys(&keys(inventory.as_ref())));
    found.extend(directories()?);
    if let Some(inventory) = &inventory {
        found.extend(visits(inventory)?.iter().flat_map(findings::visit));
    }
    let wrong = found.iter().filter(|finding| finding.verdict == Verdict::Wrong).count();
    match args.output {
        Output::Table => print(&table(&found, wrong))?,
        Output::Json => print(&format!("{:#}\n", as_json(&found, wrong)))?,
    }
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn table(found: &[Finding], wrong: usize) -> String {
    let mut text = String::new();
    let mut area = "";
    for finding in found {
        if finding.area != area {
            area = finding.area;
            text.push_str(&format!("{}\n", area.to_uppercase()));
        }
        text.push_str(&format!("  {:<6} {}\n", finding.verdict.word(), finding.says));
        if !finding.fix.is_empty() {
            text.push_str(&format!("         fix: {}\n", finding.fix));
        }
    }
    text + &match wrong {
        0 => match found.iter().filter(|finding| finding.verdict == Verdict::Note).count() {
            0 => "Nothing stands against an upgrade.\n".to_owned(),
            1 => "Nothing is wrong; whether the note above stands against an upgrade is yours to say.\n".to_owned(),
            notes => {
                format!("Nothing is wrong; whether the {notes} notes above stand against an upgrade is yours to say.\n")
            }
        },
        1 => "1 thing stands against an upgrade.\n".to_owned(),
        more => format!("{more} things stand against an upgrade.\n"),
    }
}

fn as_json(found: &[Finding], wrong: usize) -> serde_json::Value {
    let rows = found.iter().map(|finding| {
        let fix = Some(&finding.fix).filter(|fix| !fix.is_empty());
        json!({"area": finding.area, "verdict": finding.verdict.word(), "says": finding.says, "fix": fix})
    });
    json!({"wrong": wrong, "findings": rows.collect::<Vec<_>>()})
}

fn terminal() -> Terminal {
    let var = |name: &str| std::env::var(name).unwrap_or_default();
    let is_one = std::io::stdout().is_terminal();
    Terminal {
        is_one,
        size: is_one.then(crossterm::terminal::size).and_then(Result::ok),
        term: var("TERM"),
        colorterm: var("COLORTERM"),
        no_color: !var("NO_COLOR").is_empty(),
        locale: ["LC_ALL", "LC_CTYPE", "LANG"].map(var).into_iter().find(|value| !value.is_empty()).unwrap_or_default(),
        tmux: !var("TMUX").is_empty(),
    }
}

/// What a program said, on standard output and standard error, and whether it was content.
fn ask(program: &str, args: &[&str]) -> Result<(bool, String, String), String> {
    let mut command = Command::new(program);
    // Nothing may ask for a passphrase, on the terminal or in a window.
    command.args(args).stdin(Stdio::null()).env_remove("DISPLAY").env("SSH_ASKPASS_REQUIRE", "never");
    let output = command.output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| {
        String::from_utf8_lossy(bytes).lines().map(clean).collect::<Vec<_>>().join("\n").trim().to_owned()
    };
    Ok((output.status.success(), text(&output.stdout), text(&output.stderr)))
}

fn client() -> Client {
    let agent = match std::env::var_os("SSH_AUTH_SOCK") {
        None => Agent::None,
        Some(_) => match ask("ssh-add", &["-l"]) {
            Ok((true, keys, _)) => Agent::Keys(keys.lines().count()),
            Ok((false, said, _)) if said.contains("no identities") => Agent::Keys(0),
            _ => Agent::Silent,
        },
    };
    Client {
        version: ask("ssh", &["-V"]).map(|(_, _, version)| version),
        agent,
        sockets: place(hosts::sockets()),
        // It reads the whole configuration and contacts nobody.
        config: match ask("ssh", &["-G", "lockkeeper.invalid"]) {
            Ok((false, _, said)) => Err(said.replace('\n', "; ")),
            _ => Ok(()),
        },
    }
}

/// The user's own private keys, and those that the inventory names.
fn keys(inventory: Option<&Inventory>) -> Vec<Key> {
    let named: BTreeSet<PathBuf> = inventory
        .iter()
        .flat_map(|inventory| inventory.hosts.iter().map(|host| &host.ssh).chain([&inventory.ssh]))
        .filter_map(|ssh| ssh.identity.clone())
        .collect();
    let own = etcetera::home_dir().ok().and_then(|home| std::fs::read_dir(home.join(".ssh")).ok());
    let own = own.into_iter().flatten().filter_map(|entry| {
        let path = entry.ok()?.path();
        let name = path.file_name()?.to_str()?;
        (name.starts_with("id_") && path.extension().is_none()).then_some(path)
    });
    let all: BTreeSet<PathBuf> = named.iter().cloned().chain(own).collect();
    let loaded = ask("ssh-add", &["-l"]).map(|(_, keys, _)| keys).unwrap_or_default();
    all.into_iter()
        .map(|path| {
            let fingerprint = ask("ssh-keygen", &["-lf", &path.to_string_lossy()]).map(|(_, said, _)| said);
            let fingerprint = fingerprint.unwrap_or_default();
            Key {
                named: named.contains(&path),
                mode: path.metadata().ok().map(|found| found.mode()),
                locked: matches!(
                    ask("ssh-keygen", &["-y", "-P", "", "-f", &path.to_string_lossy()]),
                    Ok((false, _, said)) if said.contains("passphrase")
                ),
                loaded: fingerprint.split(' ').nth(1).is_some_and(|print| loaded.contains(print)),
                path,
            }
        })
        .collect()
}

fn place(path: PathBuf) -> Place {
    use rustix::fs::{Access, access, statvfs};
    let found = std::fs::symlink_metadata(&path).ok().map(|found| Found {
        directory: found.is_dir(),
        ours: found.uid() == rustix::process::getuid().as_raw(),
        mode: found.mode(),
        writable: access(&path, Access::WRITE_OK | Access::EXEC_OK).is_ok(),
        free_mib: statvfs(&path).map_or(0, |room| room.f_bavail.saturating_mul(room.f_frsize) >> 20),
    });
    Place { path, found }
}

fn directories() -> Result<Vec<Finding>> {
    const AREA: &str = "directories";
    let sessions = journal::directory()?;
    let mut found = findings::place(AREA, "sessions", &place(sessions.clone()), ANYTHING, ROOM);
    if !sessions.exists() {
        // It will lie on the file system of the first directory above it that there is.
        let above = sessions.ancestors().skip(1).find(|above| above.exists()).unwrap_or(Path::new("/"));
        let room = place(above.to_owned()).found;
        if room.is_some_and(|room| !room.writable) {
            let says = format!("sessions: nothing can be made in {}", above.display());
            found = vec![Finding::wrong(AREA, says, "set XDG_STATE_HOME to a directory of yours")];
        }
    }
    if let Ok(base) = etcetera::choose_base_strategy() {
        let config = place(etcetera::BaseStrategy::config_dir(&base).join("lockkeeper"));
        found.extend(findings::place(AREA, "inventories", &config, WRITE, 0));
    }
    Ok(found)
}

/// What of a host is asked: as whom scripts run, and what they cannot do without. It changes nothing.
const VISIT: &str = "echo \"user $(id -u)\"
for tool in timeout wc tail head mkdir cat; do
    command -v $tool >/dev/null 2>&1 || echo \"missing $tool\"
done
command -v systemd-run >/dev/null 2>&1 || command -v setsid >/dev/null 2>&1 || echo 'missing systemd-run or setsid'
command -v sha256sum >/dev/null 2>&1 || command -v openssl >/dev/null 2>&1 || command -v shasum >/dev/null 2>&1 || echo 'missing sha256sum'
command -v curl >/dev/null 2>&1 || command -v wget >/dev/null 2>&1 || echo 'missing curl or wget'
";

fn visits(inventory: &Inventory) -> Result<Vec<Visit>> {
    let runtime = runtime()?;
    let visits = runtime.block_on(async {
        let links = Links::new()?;
        let visits = inventory.hosts.iter().map(|host| {
            let observe = hosts::observe(inventory, host, &links);
            async move {
                let answer = match observe.connect().await {
                    Ok(()) => observe.probe(VISIT, Duration::from_secs(15)).await,
                    Err(error) => Err(error),
                };
                let twice = format!("{}: ", host.name);
                let answer = answer.map_err(|error| error.to_string().replacen(&twice, "", 1));
                let noise = answer.as_ref().ok().and_then(|said| said.noise.clone());
                let answer = answer.and_then(|said| visited(&said.output));
                let root = match &answer {
                    Ok((user, _)) if *user != 0 => observe.try_root().await.map_err(|error| error.to_string()),
                    Ok(_) | Err(_) => Ok(()),
                };
                let root = root.map_err(|why| why.replacen(&twice, "", 1));
                Visit { host: host.name.to_string(), answer, root, noise }
            }
        });
        let visits = futures::future::join_all(visits).await;
        links.close().await;
        Ok::<_, color_eyre::Report>(visits)
    });
    runtime.shutdown_background();
    visits
}

/// Reads what `VISIT` printed.
fn visited(said: &str) -> Result<(u32, Vec<String>), String> {
    let user = said.lines().find_map(|line| line.strip_prefix("user ")?.parse().ok());
    let missing = said.lines().filter_map(|line| line.strip_prefix("missing ")).map(clean).collect();
    Ok((user.ok_or("it does not say who one is there: does `id` work?")?, missing))
}
