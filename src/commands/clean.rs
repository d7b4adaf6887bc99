//! `clean`: what sessions have left on hosts, listed, and removed where no session needs it any more.

use std::collections::BTreeSet;
use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use color_eyre::eyre::Result;
use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};

use super::{complain, given, new_session, operator, print, printable, refuse, runtime, sessions};
use crate::cli::clean::Clean as Args;
use crate::hosts::{self, HostError, Lease, LeaseAnswer, Left, LeftKind, Leftovers, Links};
use crate::journal;
use crate::model::event::Mode;
use crate::model::size::size;
use crate::model::{HostName, Inventory, State};

/// A job's directory goes after so long, unless something else is said.
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The sessions that are not over, as far as journals here tell.
#[derive(Debug, Default)]
struct Unfinished {
    sessions: BTreeSet<String>,
    /// One of them is of the cluster in question: its way back may need copies.
    here: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let (inventory, _) = match given::inventory(&args.inventory) {
        Ok(given) => given,
        Err(problems) => return Ok(refuse(&problems)),
    };
    let unfinished = match unfinished(&inventory.cluster)? {
        Ok(unfinished) => unfinished,
        Err(why) => {
            complain(&why);
            return Ok(ExitCode::FAILURE);
        }
    };
    let runtime = runtime()?;
    let code = runtime.block_on(async {
        let links = Links::new()?;
        let code = clean(args, &inventory, &unfinished, &links).await;
        links.close().await;
        code
    });
    runtime.shutdown_background();
    code
}

/// What the journals of this machine say is not over. A journal that cannot be read may be one of them.
fn unfinished(cluster: &str) -> Result<Result<Unfinished, String>> {
    let mut found = Unfinished::default();
    let open = sessions::all()?.into_iter().filter(|one| !one.standing.ended() && one.mode != Some(Mode::Practice));
    for summary in open.filter(|one| one.mode != Some(Mode::Monitor)) {
        let state = journal::read(&summary.path).map(|journal| State::of(&journal.records));
        match state.map(|state| state.session) {
            Ok(Some(session)) => {
                found.here |= session.inventory.cluster == cluster;
                found.sessions.insert(session.id.to_string());
            }
            Ok(None) => {}
            Err(error) => {
                return Ok(Err(format!(
                    "nothing was removed: whether a session needs it cannot be told, {error}. Move that file elsewhere if it is \
                     of no use any more"
                )));
            }
        }
    }
    Ok(Ok(found))
}

/// Why something stays; nothing where it may go.
fn stays(left: &Left, now: i64, older_than: Option<SignedDuration>, unfinished: &Unfinished) -> Option<&'static str> {
    let age = SignedDuration::from_secs(now.saturating_sub(left.at));
    match &left.kind {
        _ if left.running => Some("in use"),
        // NAME is SESSION-TASK-KIND-ATTEMPT.
        LeftKind::Job(name)
            if name.as_str().rsplitn(4, '-').nth(3).is_some_and(|session| unfinished.sessions.contains(session)) =>
        {
            Some("of a session that is not over")
        }
        LeftKind::Copy if unfinished.here => Some("a session of this cluster is not over"),
        LeftKind::Copy if older_than.is_none() => Some("a copy: --older-than removes it"),
        _ if age < older_than.unwrap_or(WEEK) => Some("not old enough"),
        LeftKind::Job(_) | LeftKind::Payload | LeftKind::Copy => None,
    }
}

/// What may go, host by host.
type Going = IndexMap<HostName, Vec<Left>>;

async fn clean(args: &Args, inventory: &Inventory, unfinished: &Unfinished, links: &Links) -> Result<ExitCode> {
    let asked = inventory.hosts.iter().map(|host| async {
        let there = hosts::operate(inventory, host, links);
        let answer = async {
            there.connect().await?;
            Ok::<_, HostError>((there.show_lease().await?, there.left().await?))
        };
        (host.name.clone(), answer.await)
    });
    let (mut going, mut well) = (Going::new(), true);
    for (host, answer) in futures::future::join_all(asked).await {
        let (lease, left) = match answer {
            Ok(answer) => answer,
            Err(error) => {
                complain(&error.to_string());
                well = false;
                continue;
            }
        };
        let (text, may_go) = table(&host, &left, args.older_than, unfinished);
        print(&text)?;
        match lease {
            LeaseAnswer::HeldBy(holder) if !may_go.is_empty() => {
                print(&format!("  nothing of it is removed: held by {}\n", printable(&holder.to_string())))?;
                well = false;
            }
            _ if may_go.is_empty() => {}
            _ => drop(going.insert(host, may_go)),
        }
    }
    if going.is_empty() {
        print(if well { "There is nothing to remove.\n" } else { "Nothing was removed.\n" })?;
        return Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let kib: u64 = going.values().flatten().map(|left| left.kib).sum();
    let count = going.values().flatten().count();
    let hosts = if going.len() == 1 { "1 host".to_owned() } else { format!("{} hosts", going.len()) };
    let what = format!("{count} of them on {hosts}, {},", size((kib << 10) as i64));
    if !args.yes && !agreed(&what, &inventory.cluster)? {
        return Ok(if std::io::stdin().is_terminal() { ExitCode::FAILURE } else { ExitCode::SUCCESS });
    }
    for (host, left) in &going {
        match remove(inventory, host, left, links).await {
            Ok(()) => print(&format!("{host}: {} removed\n", left.len()))?,
            Err(why) => {
                complain(&why);
                well = false;
            }
        }
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a host has, one a line, and what of it may go.
fn table(
    host: &HostName,
    left: &Leftovers,
    older_than: Option<SignedDuration>,
    unfinished: &Unfinished,
) -> (String, Vec<Left>) {
    let kib: u64 = left.left.iter().map(|left| left.kib).sum();
    let mut text = format!("{host}: {} left by sessions, {}\n", left.left.len(), size((kib << 10) as i64));
    let mut may_go = Vec::new();
    for one in &left.left {
        let at =
            Timestamp::from_second(one.at).map_or_else(|_| "unknown".into(), |at| at.strftime("%F %H:%MZ").to_string());
        let stays = stays(one, left.now, older_than, unfinished);
        let word = match one.kind {
            LeftKind::Job(_) => "job",
            LeftKind::Payload => "payload",
            LeftKind::Copy => "copy",
        };
        let verdict = stays.map_or_else(|| "may go".into(), |why| format!("stays: {why}"));
        let room = size((one.kib << 10) as i64);
        text += &format!("  {word:<7}  {at:<17}  {room:>9}  {}  ({verdict})\n", printable(&one.path));
        if stays.is_none() {
            may_go.push(one.clone());
        }
    }
    (text, may_go)
}

/// Whether the operator types the cluster's name.
fn agreed(what: &str, cluster: &str) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        print(&format!("{what} may go; nothing was removed: standard input is no terminal, and --yes was not said\n"))?;
        return Ok(false);
    }
    print(&format!(
        "\n{what} may go. Journals on other machines are not seen from here: a session there that is to be resumed needs its jobs.\n\
         To remove them, type the cluster's name: {cluster}\n> "
    ))?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let agreed = line.trim() == cluster;
    if !agreed {
        complain("another name: nothing was removed");
    }
    Ok(agreed)
}

/// Removes it, as whoever holds the host meanwhile.
async fn remove(inventory: &Inventory, host: &HostName, left: &[Left], links: &Links) -> Result<(), String> {
    let Some(host) = inventory.host(host) else { return Ok(()) };
    let there = hosts::operate(inventory, host, links);
    let id = uuid::Uuid::now_v7();
    let lease =
        Lease { session: new_session(), operator: operator(), token: id.simple().to_string(), seat: id.to_string() };
    let said = |error: HostError| error.to_string();
    match there.take_lease(&lease).await.map_err(said)? {
        LeaseAnswer::Taken { from: None } => {}
        LeaseAnswer::HeldBy(holder) => return Err(format!("{}: nothing was removed: held by {holder}", host.name)),
        LeaseAnswer::Busy(job) => return Err(format!("{}: nothing was removed: the job {job} runs there", host.name)),
        LeaseAnswer::Taken { from: Some(_) } | LeaseAnswer::Free => {
            there.release_lease().await.map_err(said)?;
            return Err(format!("{}: nothing was removed: its lease has changed hands meanwhile", host.name));
        }
    }
    let removed = there.remove_left(left).await.map_err(said);
    there.release_lease().await.map_err(said)?;
    removed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_goes_that_a_session_may_still_need() {
        let day = 24 * 3600;
        let left =
            |kind: LeftKind, days: i64| Left { kind, running: false, at: -days * day, kib: 1, path: "/x/y".into() };
        let job = |session: &str, days| left(LeftKind::Job(format!("{session}-001-run-1").as_str().into()), days);
        let none = Unfinished::default();
        let open = Unfinished { sessions: BTreeSet::from(["019a-b".to_owned()]), here: true };
        let month = Some(SignedDuration::from_hours(30 * 24));
        for (left, older_than, unfinished, goes) in [
            (job("019a-b", 8), None, &none, true),
            (job("019a-b", 6), None, &none, false),
            (job("019a-b", 8), month, &none, false),
            (job("019a-b", 99), month, &open, false),
            (job("019a-c", 99), month, &open, true),
            (Left { running: true, ..job("019a-b", 99) }, None, &none, false),
            (left(LeftKind::Copy, 99), None, &none, false),
            (left(LeftKind::Copy, 99), month, &none, true),
            (left(LeftKind::Copy, 29), month, &none, false),
            (left(LeftKind::Copy, 99), month, &open, false),
            (left(LeftKind::Payload, 8), None, &open, true),
            // A clock that was set back makes nothing old.
            (job("019a-b", -8), None, &none, false),
        ] {
            assert_eq!(stays(&left, 0, older_than, unfinished).is_none(), goes, "{left:?}");
        }
    }
}
