//! `man`: one page with everything. Options come from the command line's own definitions, keys from the screen's table.

use std::io;

use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use crate::cli::EXIT_STATUS;
use crate::ui::keymap::{BINDINGS, Group, key_name};

/// What each way of running the program may do.
const MODES: [(&str, &str); 6] = [
    (
        "upgrade, resume",
        "act on real hosts, over ssh and through gates. Nothing happens on a host before its gate has been shown, checked on \
         fresh facts, and opened by you.",
    ),
    ("monitor, status, preflight", "look at real hosts, and have no way to change them."),
    (
        "clean",
        "lists what sessions have left on real hosts, and removes it by typed words: nothing of a session that is not over, nor \
         of a host that somebody holds.",
    ),
    ("practice", "acts on simulated hosts only: the same runbooks, probe and screen."),
    (
        "plan, replay, runbook, inventory import, ignition",
        "work on files and contact nobody, but for ignition lint --host.",
    ),
    (
        "inventory init",
        "visits the hosts that are typed, over ssh, to propose what it finds there; changes nothing on them.",
    ),
];

const FILES: [(&str, &str); 6] = [
    (
        "$XDG_STATE_HOME/lockkeeper/sessions/",
        "Journals, one a session, named DATE-CLUSTER-RUNBOOK.jsonl, and beside each a directory with the files it brought \
         back from hosts. Without XDG_STATE_HOME this is ~/.local/state/lockkeeper/sessions/.",
    ),
    (
        "$XDG_CONFIG_HOME/lockkeeper/config.yaml",
        "Your settings. Without XDG_CONFIG_HOME this is ~/.config/lockkeeper/config.yaml.",
    ),
    ("$XDG_RUNTIME_DIR/", "Sockets of the ssh connections, while there are any."),
    ("~/.ssh/config, ~/.ssh/known_hosts", "Read by ssh as always. Host keys are always checked strictly."),
    ("cluster.yaml", "An inventory: the hosts of a cluster, their roles, and how to reach them."),
    (
        "/var/lib/lockkeeper/",
        "On each host that is upgraded: a directory a job, and the lease. Closed to all but root.",
    ),
];

const ENVIRONMENT: [(&str, &str); 6] = [
    ("XDG_STATE_HOME, XDG_CONFIG_HOME, XDG_RUNTIME_DIR, HOME", "Where the files above are."),
    (
        "SSH_AUTH_SOCK",
        "The ssh agent. For a key with a passphrase that it has not got, upgrade, resume and monitor ask; the rest need it.",
    ),
    ("SUDO_USER, USER, LOGNAME", "The first that is set names you in journals and in leases on hosts."),
    ("NO_COLOR", "If it is not empty, the screen has no colours."),
    ("TERM", "The terminal, as for any program that draws on one."),
    ("COMPLETE", "Set by the completion script: answers the shell instead of running."),
];

const EXAMPLES: [(&str, &str); 5] = [
    ("lockkeeper practice", "A whole upgrade on hosts that cannot be hurt."),
    ("lockkeeper practice --list", "What can be practised: clusters, faults and runbooks."),
    ("lockkeeper plan --cluster kubeadm --runbook kubeadm-minor", "Read a plan without having an inventory."),
    ("lockkeeper preflight -i cluster.yaml -r etcd-minor --var target=3.5.32", "The day before: go or no-go."),
    ("lockkeeper upgrade -i cluster.yaml -r etcd-minor --var target=3.5.32", "The night itself."),
];

/// The page, for `man -l`.
pub(super) fn page(cli: &clap::Command) -> io::Result<Vec<u8>> {
    // Every page would say of every command that `--help` prints help.
    let mut cli = cli.clone().disable_help_subcommand(true);
    cli = without_help(cli, true);
    cli.build();
    let mut out = Vec::new();
    let man = Man::new(cli.clone());
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    list("MODES", &MODES).to_writer(&mut out)?;
    man.render_options_section(&mut out)?;
    Roff::new().control("SH", ["COMMANDS"]).to_writer(&mut out)?;
    for command in cli.get_subcommands() {
        commands(command, &mut out)?;
    }
    keys().to_writer(&mut out)?;
    list("FILES", &FILES).to_writer(&mut out)?;
    list("ENVIRONMENT", &ENVIRONMENT).to_writer(&mut out)?;
    list("EXIT STATUS", &EXIT_STATUS).to_writer(&mut out)?;
    list("EXAMPLES", &EXAMPLES).to_writer(&mut out)?;
    let others = ["ssh(1)", "ssh_config(5)", "etcdctl(1)", "kubectl(1)", "kubeadm(1)"];
    Roff::new().control("SH", ["SEE ALSO"]).text([roman(others.join(", "))]).to_writer(&mut out)?;
    Ok(out)
}

fn without_help(command: clap::Command, root: bool) -> clap::Command {
    let command = command.mut_subcommands(|sub| without_help(sub, false));
    if root { command } else { command.disable_help_flag(true).disable_help_subcommand(true) }
}

/// A command and those below it, each with its options.
fn commands(command: &clap::Command, out: &mut Vec<u8>) -> io::Result<()> {
    if command.has_subcommands() {
        for sub in command.get_subcommands() {
            commands(sub, out)?;
        }
        return Ok(());
    }
    let name = command.get_bin_name().unwrap_or(command.get_name());
    Roff::new().control("SS", [name]).to_writer(out)?;
    let man = Man::new(command.clone());
    for render in [Man::render_description_section, Man::render_options_section] {
        let mut section = Vec::new();
        render(&man, &mut section)?;
        // Within COMMANDS these are no sections of their own.
        let text = String::from_utf8_lossy(&section);
        let text: Vec<&str> = text.lines().filter(|line| !line.starts_with(".SH")).collect();
        out.extend(text.join("\n").bytes());
        out.push(b'\n');
    }
    Ok(())
}

/// A section of words and what they mean.
fn list(title: &str, rows: &[(&str, &str)]) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [title]);
    for (word, meaning) in rows {
        entry(&mut roff, bold(*word), meaning);
    }
    roff
}

fn entry(roff: &mut Roff, word: Inline, meaning: &str) {
    roff.control("TP", []).text([word]).text([roman(meaning)]);
}

/// What the keys do on the screen, as its help has it.
fn keys() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["KEYS"]);
    for group in Group::ALL {
        roff.control("SS", [group.title()]);
        for row in BINDINGS.iter().filter(|row| row.group == group) {
            let keys: Vec<String> = row.keys.iter().map(|key| key_name(*key)).collect();
            entry(&mut roff, italic(keys.join(", ")), row.help);
        }
    }
    roff
}
