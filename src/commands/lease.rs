//! `lease`: who holds which host, and taking hosts over from somebody whose session is gone.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use color_eyre::eyre::Result;
use indexmap::IndexMap;

use super::{BAD_INPUT, complain, given, operator, print, printable, refuse, runtime};
use crate::cli::lease::{Hosts, Lease as Args};
use crate::hosts::{self, Held, HostError, LeaseAnswer, Links};
use crate::model::inventory::Host;
use crate::model::{HostName, Inventory};

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let (hosts, take) = match args {
        Args::Show(hosts) => (hosts, false),
        Args::Take(hosts) => (hosts, true),
    };
    let (inventory, wanted) = match chosen(hosts) {
        Ok(chosen) => chosen,
        Err(code) => return Ok(code),
    };
    if take && !std::io::stdin().is_terminal() {
        complain("a lease is taken over by words that somebody types: standard input is no terminal");
        return Ok(ExitCode::from(BAD_INPUT));
    }
    let runtime = runtime()?;
    let code = runtime.block_on(async {
        let links = Links::new()?;
        let told = ask(&inventory, &wanted, &links).await;
        print(&table(&told))?;
        let code = if take {
            seize(&inventory, &told, &links).await?
        } else if told.values().all(Result::is_ok) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
        links.close().await;
        Ok(code)
    });
    runtime.shutdown_background();
    code
}

/// The inventory, and the hosts of it that are meant.
fn chosen(args: &Hosts) -> Result<(Inventory, Vec<Host>), ExitCode> {
    let (inventory, _) = given::inventory(&args.inventory).map_err(|problems| refuse(&problems))?;
    if let Some(unknown) = args.hosts.iter().find(|name| inventory.host(name).is_none()) {
        complain(&format!("{}: no host is called `{unknown}` there", args.inventory.display()));
        return Err(ExitCode::from(BAD_INPUT));
    }
    let meant = |host: &&Host| args.hosts.is_empty() || args.hosts.contains(&host.name);
    let hosts = inventory.hosts.iter().filter(meant).cloned().collect();
    Ok((inventory, hosts))
}

type Told = IndexMap<HostName, Result<Option<Held>, HostError>>;

/// Asks all of them at once who holds them.
async fn ask(inventory: &Inventory, wanted: &[Host], links: &Links) -> Told {
    let each = wanted.iter().map(|host| async move {
        let there = hosts::operate(inventory, host, links);
        let answer = async {
            there.connect().await?;
            Ok(match there.show_lease().await? {
                LeaseAnswer::HeldBy(held) => Some(held),
                LeaseAnswer::Free | LeaseAnswer::Taken { .. } | LeaseAnswer::Busy(_) => None,
            })
        };
        (host.name.clone(), answer.await)
    });
    futures::future::join_all(each).await.into_iter().collect()
}

fn table(told: &Told) -> String {
    let width = told.keys().map(|name| name.as_str().len()).max().unwrap_or_default();
    let mut text = String::new();
    for (name, answer) in told {
        let says = match answer {
            Ok(None) => "free".to_owned(),
            Ok(Some(held)) => format!("held by {held}"),
            Err(error) => format!("not known: {error}"),
        };
        text += &format!("{:<width$}  {}\n", name.as_str(), printable(&says));
    }
    text
}

/// Takes over what is held by others, holder by holder, each by words of its own.
async fn seize(inventory: &Inventory, told: &Told, links: &Links) -> Result<ExitCode> {
    let us = operator();
    let mut holders: IndexMap<(&str, &str), Vec<(&HostName, &Held)>> = IndexMap::new();
    for (name, held) in told.iter().filter_map(|(name, answer)| Some((name, answer.as_ref().ok()?.as_ref()?))) {
        holders.entry((held.operator.as_str(), held.session.as_str())).or_default().push((name, held));
    }
    if holders.is_empty() {
        complain("nobody holds any of them: there is nothing to take over");
        return Ok(ExitCode::SUCCESS);
    }
    let mut well = true;
    for ((holder, session), held) in holders {
        let names: Vec<&str> = held.iter().map(|(name, _)| name.as_str()).collect();
        let words = format!("I, {us}, take over from {holder}");
        print(&format!(
            "\n{} of session {session}: {}\nSpeak to {holder} first. From then on their session can start nothing there; what it has \
             started runs on, and is waited for.\nTo take over, type: {}\n> ",
            printable(holder),
            names.join(", "),
            printable(&words)
        ))?;
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        if line.trim() != words {
            complain("other words: nothing was taken over from them");
            well = false;
            continue;
        }
        for (name, shown) in held {
            let Some(host) = inventory.host(name) else { continue };
            match hosts::operate(inventory, host, links).seize_lease(&us, shown).await {
                Ok(true) => print(&format!("{name}: taken over; your next session there finds it\n"))?,
                Ok(false) => {
                    complain(&format!("{name}: somebody else has come meanwhile: nothing was taken over; ask again"));
                    well = false;
                }
                Err(error) => {
                    complain(&error.to_string());
                    well = false;
                }
            }
        }
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
