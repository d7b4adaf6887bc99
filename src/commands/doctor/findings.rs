//! What `doctor` makes of what it saw. Values in, findings out: nothing is looked up here.

use std::path::PathBuf;

/// What a finding means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it should be.
    Well,
    /// Good to know; nothing stops because of it.
    Note,
    /// Stands against it.
    Wrong,
}

impl Verdict {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Note => "note",
            Self::Wrong => "wrong",
        }
    }
}

/// Something that was found, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) area: &'static str,
    pub(super) verdict: Verdict,
    pub(super) says: String,
    /// Empty where there is nothing to do.
    pub(super) fix: String,
}

impl Finding {
    pub(super) fn well(area: &'static str, says: impl Into<String>) -> Self {
        Self { area, verdict: Verdict::Well, says: says.into(), fix: String::new() }
    }

    pub(super) fn note(area: &'static str, says: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { area, verdict: Verdict::Note, says: says.into(), fix: fix.into() }
    }

    pub(super) fn wrong(area: &'static str, says: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { area, verdict: Verdict::Wrong, says: says.into(), fix: fix.into() }
    }
}

/// The terminal, by what the environment says of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Terminal {
    pub(super) is_one: bool,
    pub(super) size: Option<(u16, u16)>,
    pub(super) term: String,
    pub(super) colorterm: String,
    pub(super) no_color: bool,
    /// The first of LC_ALL, LC_CTYPE and LANG that says anything.
    pub(super) locale: String,
    pub(super) tmux: bool,
}

/// The least that the screen can be drawn on, and the least on which it is whole.
const LEAST: (u16, u16) = (60, 16);
const WHOLE: (u16, u16) = (80, 24);

pub(super) fn terminal(seen: &Terminal) -> Vec<Finding> {
    const AREA: &str = "terminal";
    let mut found = Vec::new();
    if !seen.is_one {
        let fix = "run it in the terminal of the upgrade, without a pipe, to have that one examined";
        found.push(Finding::note(AREA, "this is no terminal: only what the environment says is known", fix));
    }
    match seen.size {
        Some((columns, lines)) if columns < LEAST.0 || lines < LEAST.1 => {
            let fix = format!("make it {}x{} or larger", WHOLE.0, WHOLE.1);
            found.push(Finding::wrong(AREA, format!("{columns}x{lines}: too small for the screen"), fix));
        }
        Some((columns, lines)) if columns < WHOLE.0 || lines < WHOLE.1 => {
            let fix = "80x24 shows it whole, 120x40 shows grid, steps, gate and log together";
            found.push(Finding::note(AREA, format!("{columns}x{lines}: the screen is cut short"), fix));
        }
        Some((columns, lines)) => found.push(Finding::well(AREA, format!("{columns}x{lines}"))),
        None => {}
    }
    if seen.term.is_empty() || seen.term == "dumb" {
        let says = format!("TERM is `{}`: this terminal cannot be drawn on", seen.term);
        found.push(Finding::wrong(AREA, says, "export TERM=xterm-256color, or what your terminal is called"));
        return found;
    }
    found.push(if seen.no_color {
        Finding::note(AREA, "NO_COLOR is set: signs and words alone tell what is what", "unset NO_COLOR for colours")
    } else {
        Finding::well(AREA, format!("{}: {}", seen.term, colours(seen)))
    });
    let locale = seen.locale.to_lowercase();
    found.push(if locale.contains("utf-8") || locale.contains("utf8") {
        Finding::well(AREA, format!("{}: signs such as ✓ and ● can be shown", seen.locale))
    } else {
        let said = if seen.locale.is_empty() { "no locale is set" } else { &seen.locale };
        Finding::note(AREA, format!("{said}: signs outside of ASCII may come out wrong"), "export LANG=C.UTF-8")
    });
    let titled = ["xterm", "screen", "tmux", "rxvt", "alacritty", "kitty", "foot", "wezterm"];
    found.push(if titled.iter().any(|name| seen.term.contains(name)) {
        Finding::well(AREA, "it can show a title")
    } else {
        Finding::note(AREA, format!("{} shows no title: a gate that waits is seen on the screen only", seen.term), "")
    });
    found.push(if seen.tmux {
        let fix = "tmux set -g set-clipboard on";
        Finding::note(AREA, "copying (OSC 52) goes through tmux, which has to allow it", fix)
    } else if seen.term == "linux" {
        Finding::note(AREA, "the Linux console has no clipboard (OSC 52)", "")
    } else {
        Finding::well(AREA, "copying is by OSC 52, which this kind of terminal most often allows")
    });
    found
}

fn colours(seen: &Terminal) -> &'static str {
    if matches!(seen.colorterm.as_str(), "truecolor" | "24bit") {
        "true colour"
    } else if seen.term.contains("256color") {
        "256 colours"
    } else if seen.term.starts_with("vt") {
        "no colours"
    } else {
        "16 colours"
    }
}

/// What ssh's agent answered.
#[derive(Clone, Debug)]
pub(super) enum Agent {
    /// SSH_AUTH_SOCK is not set.
    None,
    /// It is, and nobody answers there.
    Silent,
    /// So many keys are loaded.
    Keys(usize),
}

/// The ssh client of this machine.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// What `ssh -V` printed, or why it could not be run.
    pub(super) version: Result<String, String>,
    pub(super) agent: Agent,
    /// Where connections are kept: a path short enough for ssh's sockets.
    pub(super) sockets: Place,
    /// What `ssh -G` complained of in its configuration.
    pub(super) config: Result<(), String>,
}

/// The oldest client whose messages are understood.
const OLDEST: (u32, u32) = (7, 6);

pub(super) fn client(seen: &Client) -> Vec<Finding> {
    const AREA: &str = "ssh";
    let mut found = Vec::new();
    match &seen.version {
        Err(why) => {
            let fix = "install OpenSSH's client (openssh-client, openssh-clients, openssh)";
            return vec![Finding::wrong(AREA, format!("ssh cannot be run: {why}"), fix)];
        }
        Ok(version) => found.push(match release(version) {
            Some(release) if release >= OLDEST => Finding::well(AREA, version.clone()),
            Some(_) => {
                let fix = "install a newer OpenSSH client";
                Finding::wrong(AREA, format!("{version} is older than {}.{}", OLDEST.0, OLDEST.1), fix)
            }
            None => Finding::note(AREA, format!("`{version}` is no version of OpenSSH that is known"), ""),
        }),
    }
    if let Err(why) = &seen.config {
        found.push(Finding::wrong(AREA, format!("its configuration is not understood: {why}"), "mend ~/.ssh/config"));
    } else {
        found.push(Finding::well(AREA, "its configuration is understood"));
    }
    found.push(match seen.agent {
        Agent::Keys(0) => Finding::note(AREA, "the agent holds no key", "ssh-add, where a key has a passphrase"),
        Agent::Keys(1) => Finding::well(AREA, "the agent holds 1 key"),
        Agent::Keys(count) => Finding::well(AREA, format!("the agent holds {count} keys")),
        Agent::Silent => {
            let fix = "eval \"$(ssh-agent)\" and ssh-add, or unset SSH_AUTH_SOCK";
            Finding::wrong(AREA, "SSH_AUTH_SOCK is set, and no agent answers there", fix)
        }
        Agent::None => {
            let fix = "eval \"$(ssh-agent)\" and ssh-add, where a key has a passphrase";
            Finding::note(AREA, "there is no agent: a key with a passphrase cannot be used", fix)
        }
    });
    found.extend(place(AREA, "connections", &seen.sockets, ANYTHING, 0));
    found
}

/// `(9, 6)` of `OpenSSH_9.6p1 Debian-…`.
fn release(version: &str) -> Option<(u32, u32)> {
    let rest = version.split_once("OpenSSH_")?.1;
    let (major, rest) = rest.split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// A private key.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) path: PathBuf,
    /// An inventory names it.
    pub(super) named: bool,
    /// Its permissions; nothing where it is not there or cannot be looked at.
    pub(super) mode: Option<u32>,
    /// It cannot be used without a passphrase.
    pub(super) locked: bool,
    /// The agent holds it.
    pub(super) loaded: bool,
}

pub(super) fn keys(seen: &[Key]) -> Vec<Finding> {
    const AREA: &str = "keys";
    if seen.is_empty() {
        let fix = "ssh-keygen -t ed25519, then ssh-copy-id USER@HOST; or name one as `identity` in the inventory";
        return vec![Finding::note(AREA, "there is no private key in ~/.ssh", fix)];
    }
    seen.iter()
        .map(|key| {
            let path = key.path.display();
            match key.mode {
                None => Finding::wrong(AREA, format!("{path} cannot be found"), "mend `identity` in the inventory"),
                Some(mode) if mode & 0o077 != 0 => {
                    let says = format!("{path} can be read by others ({:03o}): ssh does not use it", mode & 0o777);
                    Finding::wrong(AREA, says, format!("chmod 600 {path}"))
                }
                Some(_) if key.locked && !key.loaded => {
                    let says = format!("{path} has a passphrase, and the agent does not hold it");
                    let fix = format!("ssh-add {path}");
                    if key.named { Finding::wrong(AREA, says, fix) } else { Finding::note(AREA, says, fix) }
                }
                Some(_) if key.locked => Finding::well(AREA, format!("{path}, from the agent")),
                Some(_) => Finding::well(AREA, format!("{path}")),
            }
        })
        .collect()
}

/// A directory of ours.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// Nothing where it is not there.
    pub(super) found: Option<Found>,
}

/// What stands there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// A directory, and no link to one.
    pub(super) directory: bool,
    pub(super) ours: bool,
    pub(super) mode: u32,
    pub(super) writable: bool,
    pub(super) free_mib: u64,
}

/// Room that a session's journal may well need, in MiB.
pub(super) const ROOM: u64 = 200;

/// What others may not do with a directory: anything, or write to it.
pub(super) const ANYTHING: u32 = 0o077;
pub(super) const WRITE: u32 = 0o022;

/// A directory that is to be this user's, kept from others so far, and with so many MiB of room.
pub(super) fn place(area: &'static str, what: &str, seen: &Place, closed: u32, room: u64) -> Vec<Finding> {
    let path = seen.path.display();
    let Some(found) = seen.found else {
        return vec![Finding::well(area, format!("{what}: {path}, made when it is needed"))];
    };
    let mut wrong = Vec::new();
    if !found.directory {
        wrong.push(Finding::wrong(area, format!("{what}: {path} is no directory"), format!("move {path} away")));
    } else if !found.ours {
        let fix = format!("sudo chown -R \"$(id -u)\" {path}");
        wrong.push(Finding::wrong(area, format!("{what}: {path} belongs to somebody else"), fix));
    } else if found.mode & closed != 0 {
        let says = format!("{what}: {path} is open to others ({:03o})", found.mode & 0o777);
        wrong.push(Finding::wrong(area, says, format!("chmod go-rwx {path}")));
    } else if !found.writable {
        wrong.push(Finding::wrong(area, format!("{what}: {path} cannot be written"), format!("chmod u+rwx {path}")));
    }
    if found.free_mib < room {
        let says = format!("{what}: {} MiB are free at {path}", found.free_mib);
        wrong.push(Finding::wrong(area, says, format!("make {room} MiB of room, or set XDG_STATE_HOME elsewhere")));
    }
    if wrong.is_empty() {
        wrong.push(Finding::well(area, format!("{what}: {path}, yours, {} MiB free", found.free_mib)));
    }
    wrong
}

/// What a host answered: who one is there, and which programs it has not got.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) host: String,
    /// The user id that scripts run as and the programs that are missing, or why it cannot be used.
    pub(super) answer: Result<(u32, Vec<String>), String>,
    /// Why root cannot be had, where that is so.
    pub(super) root: Result<(), String>,
    /// What the login prints by itself.
    pub(super) noise: Option<String>,
}

pub(super) fn visit(seen: &Visit) -> Vec<Finding> {
    const AREA: &str = "hosts";
    let host = &seen.host;
    let (user, missing) = match &seen.answer {
        Err(why) => {
            let fix = "connect by hand with ssh, as the inventory says; what helps there helps here";
            return vec![Finding::wrong(AREA, format!("{host}: {why}"), fix)];
        }
        Ok(answer) => answer,
    };
    let mut found = Vec::new();
    if *user != 0 {
        let why = seen.root.as_ref().err().map_or(String::new(), |why| format!(": {why}"));
        let fix = "on the host, a file in /etc/sudoers.d that says `USER ALL=(ALL) NOPASSWD: ALL`; or log in as root";
        found.push(Finding::wrong(AREA, format!("{host}: connects, and root cannot be had there{why}"), fix));
    }
    if !missing.is_empty() {
        let says = format!("{host}: has no {}", missing.join(", no "));
        found.push(Finding::wrong(AREA, says, "install what is missing, or put it on the PATH that sudo uses"));
    }
    if let Some(noise) = &seen.noise {
        let fix = "what a login that no terminal reads prints is cut from every answer; a `.bashrc` that tests for `$PS1` prints none";
        found.push(Finding::note(AREA, format!("{host}: the login prints by itself: {noise}"), fix));
    }
    if found.iter().all(|finding| finding.verdict == Verdict::Note) {
        found.push(Finding::well(AREA, format!("{host}: connects, root can be had, tools are there")));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(found: &[Finding]) -> Vec<String> {
        let wrong = found.iter().filter(|finding| finding.verdict == Verdict::Wrong);
        wrong.map(|finding| format!("{} | {}", finding.says, finding.fix)).collect()
    }

    #[test]
    fn a_terminal_is_judged_by_its_table() {
        let good = Terminal {
            is_one: true,
            size: Some((120, 40)),
            term: "xterm-256color".into(),
            locale: "en_US.UTF-8".into(),
            ..Terminal::default()
        };
        assert!(terminal(&good).iter().all(|finding| finding.verdict == Verdict::Well), "{:?}", terminal(&good));
        for (seen, expected) in [
            (Terminal { size: Some((50, 12)), ..good.clone() }, "50x12: too small for the screen"),
            (Terminal { term: "dumb".into(), ..good.clone() }, "TERM is `dumb`"),
            (Terminal { term: String::new(), ..good.clone() }, "TERM is ``"),
        ] {
            assert!(wrong(&terminal(&seen))[0].starts_with(expected), "{:?}", terminal(&seen));
        }
        for (seen, expected) in [
            (Terminal { is_one: false, size: None, ..good.clone() }, "this is no terminal"),
            (Terminal { size: Some((70, 30)), ..good.clone() }, "70x30: the screen is cut short"),
            (Terminal { locale: "C".into(), ..good.clone() }, "C: signs outside of ASCII"),
            (Terminal { no_color: true, ..good.clone() }, "NO_COLOR is set"),
            (Terminal { tmux: true, ..good.clone() }, "copying (OSC 52) goes through tmux"),
        ] {
            let found = terminal(&seen);
            assert!(wrong(&found).is_empty(), "{found:?}");
            let note = found.iter().find(|finding| finding.verdict == Verdict::Note).unwrap();
            assert!(note.says.starts_with(expected), "{note:?}");
        }
    }

    fn dir(mode: u32) -> Place {
        let found = Found { directory: true, ours: true, mode, writable: true, free_mib: 9000 };
        Place { path: "/home/op/.local/state/lockkeeper".into(), found: Some(found) }
    }

    #[test]
    fn a_client_is_judged_by_its_table() {
        let good = Client {
            version: Ok("OpenSSH_9.6p1 Ubuntu-3".into()),
            agent: Agent::Keys(2),
            sockets: Place { path: "/run/user/1000/lockkeeper".into(), found: dir(0o40700).found },
            config: Ok(()),
        };
        assert!(client(&good).iter().all(|finding| finding.verdict == Verdict::Well), "{:?}", client(&good));
        for (seen, expected) in [
            (Client { version: Err("no such file".into()), ..good.clone() }, "ssh cannot be run: no such file"),
            (Client { version: Ok("OpenSSH_7.4p1".into()), ..good.clone() }, "OpenSSH_7.4p1 is older than 7.6"),
            (Client { agent: Agent::Silent, ..good.clone() }, "SSH_AUTH_SOCK is set, and no agent"),
            (Client { config: Err("line 3: Bad option".into()), ..good.clone() }, "its configuration is not"),
            (Client { sockets: dir(0o40755), ..good.clone() }, "connections: /home/op"),
        ] {
            let wrong = wrong(&client(&seen));
            assert!(wrong.len() == 1 && wrong[0].starts_with(expected), "{wrong:?}");
        }
        assert!(wrong(&client(&Client { agent: Agent::None, ..good })).is_empty());
    }

    #[test]
    fn keys_are_judged_by_their_table() {
        let good = Key { path: "/k".into(), named: true, mode: Some(0o100_600), locked: false, loaded: false };
        for (seen, expected) in [
            (good.clone(), ""),
            (Key { mode: Some(0o100_400), ..good.clone() }, ""),
            (Key { mode: None, ..good.clone() }, "/k cannot be found"),
            (Key { mode: Some(0o100_644), ..good.clone() }, "/k can be read by others (644)"),
            (Key { locked: true, ..good.clone() }, "/k has a passphrase"),
            (Key { locked: true, loaded: true, ..good.clone() }, ""),
            (Key { locked: true, named: false, ..good.clone() }, ""),
        ] {
            let wrong = wrong(&keys(std::slice::from_ref(&seen)));
            assert!(wrong.join("").starts_with(expected) && wrong.is_empty() == expected.is_empty(), "{wrong:?}");
        }
    }

    #[test]
    fn directories_are_judged_by_their_table() {
        let with = |change: &dyn Fn(&mut Found)| {
            let mut place = dir(0o40700);
            change(place.found.as_mut().unwrap());
            wrong(&super::place("directories", "state", &place, ANYTHING, ROOM))
        };
        assert!(with(&|_| ()).is_empty());
        assert!(
            wrong(&super::place("directories", "state", &Place { found: None, ..dir(0) }, ANYTHING, ROOM)).is_empty()
        );
        assert!(with(&|found| found.directory = false)[0].contains("is no directory"));
        assert!(with(&|found| found.ours = false)[0].contains("belongs to somebody else"));
        assert!(with(&|found| found.mode = 0o40755)[0].contains("chmod go-rwx /home/op"));
        let config = super::place("directories", "config", &dir(0o40755), WRITE, 0);
        assert!(wrong(&config).is_empty(), "others may read it: {config:?}");
        assert!(with(&|found| found.writable = false)[0].contains("cannot be written"));
        assert!(with(&|found| found.free_mib = 10)[0].contains("10 MiB are free"));
    }

    #[test]
    fn hosts_are_judged_by_their_table() {
        for (answer, expected) in [
            (Ok((0, vec![])), vec![]),
            (Ok((1000, vec![])), vec!["root cannot be had there: its sudo"]),
            (Ok((1000, vec!["timeout".into()])), vec!["root cannot be had", "has no timeout"]),
            (Err("etcd1 refuses port 22".into()), vec!["refuses port 22"]),
        ] {
            let seen = Visit { host: "etcd1".into(), answer, root: Err("its sudo".into()), noise: Some("motd".into()) };
            assert_eq!(
                visit(&seen).iter().filter(|found| found.says.ends_with("by itself: motd")).count(),
                usize::from(seen.answer.is_ok())
            );
            let wrong = wrong(&visit(&seen));
            assert_eq!(wrong.len(), expected.len(), "{wrong:?}");
            wrong.iter().zip(expected).for_each(|(said, words)| assert!(said.contains(words), "{said}"));
        }
    }
}
