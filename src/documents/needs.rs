//! What a script cannot do without: programs and units that it calls whichever way it goes. What stands behind a condition
//! may be for another kind of host, and what a script makes up as it runs is out of sight here.

use std::collections::BTreeSet;

use bashkit::parser::{Command, CompoundCommand, ListOperator, Parser, SimpleCommand, WordPart};

/// What has to be on a host before a script is run there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Programs, as they are called.
    pub programs: BTreeSet<String>,
    /// systemd units that it stops or restarts, with their suffix.
    pub units: BTreeSet<String>,
}

/// What `sh` does by itself.
const BUILTINS: &[&str] = &[
    "", ".", ":", "[", "alias", "bg", "break", "cd", "command", "continue", "echo", "eval", "exec", "exit", "export",
    "false", "fg", "getopts", "hash", "jobs", "kill", "local", "printf", "pwd", "read", "readonly", "return", "set",
    "shift", "test", "times", "trap", "true", "type", "ulimit", "umask", "unalias", "unset", "wait",
];

/// What a script needs. Nothing of one that cannot be parsed: `runbook check` has said so.
#[must_use]
pub fn needs(script: &str) -> Needs {
    let mut needs = Needs::default();
    if let Ok(parsed) = Parser::new(script).parse() {
        let mut own = BTreeSet::new();
        sequence(&parsed.commands, &mut needs, &mut own);
    }
    needs
}

/// Commands one after the other: after one that may end the script, what follows may never be reached.
fn sequence(commands: &[Command], needs: &mut Needs, own: &mut BTreeSet<String>) {
    for command in commands {
        one(command, needs, own);
        if may_end(command) {
            return;
        }
    }
}

fn one(command: &Command, needs: &mut Needs, own: &mut BTreeSet<String>) {
    match command {
        Command::Simple(simple) => call(simple, needs, own),
        Command::Pipeline(pipeline) => pipeline.commands.iter().for_each(|command| one(command, needs, own)),
        Command::List(list) => {
            // The first is always run. What follows `||` is for when that has failed: as a probe for a program may.
            let fallback = list.rest.iter().any(|(operator, _)| matches!(operator, ListOperator::Or));
            if !fallback {
                one(&list.first, needs, own);
                let always = list.rest.iter().take_while(|(operator, _)| matches!(operator, ListOperator::Semicolon));
                always.for_each(|(_, command)| one(command, needs, own));
            }
        }
        Command::Compound(CompoundCommand::Subshell(commands) | CompoundCommand::BraceGroup(commands), _) => {
            sequence(commands, needs, own);
        }
        Command::Compound(..) => {}
        Command::Function(function) => _ = own.insert(function.name.clone()),
    }
}

/// Whether what follows a command need not be reached.
fn may_end(command: &Command) -> bool {
    let any = |commands: &[Command]| commands.iter().any(may_end);
    match command {
        Command::Simple(simple) => {
            matches!(simple.name.parts.as_slice(), [WordPart::Literal(name)] if ["exit", "return", "exec"].contains(&name.as_str()))
        }
        Command::List(list) => may_end(&list.first) || list.rest.iter().any(|(_, command)| may_end(command)),
        Command::Compound(compound, _) => match compound {
            CompoundCommand::If(it) => {
                let elif = it.elif_branches.iter().any(|(_, branch)| any(branch));
                any(&it.then_branch) || elif || it.else_branch.as_deref().is_some_and(any)
            }
            CompoundCommand::For(it) => any(&it.body),
            CompoundCommand::While(it) => any(&it.body),
            CompoundCommand::Until(it) => any(&it.body),
            CompoundCommand::Case(it) => it.cases.iter().any(|case| any(&case.commands)),
            CompoundCommand::BraceGroup(commands) => any(commands),
            // A subshell ends itself alone; the rest is not written in `sh`.
            _ => false,
        },
        // What runs in a pipeline or a function's body ends itself, or when it is called.
        Command::Pipeline(_) | Command::Function(_) => false,
    }
}

fn call(simple: &SimpleCommand, needs: &mut Needs, own: &BTreeSet<String>) {
    let literal = |word: &bashkit::parser::Word| match word.parts.as_slice() {
        [WordPart::Literal(text)] => Some(text.clone()),
        _ => None,
    };
    let Some(name) = literal(&simple.name) else { return };
    if BUILTINS.contains(&name.as_str()) || own.contains(&name) {
        return;
    }
    let args: Option<Vec<String>> = simple.args.iter().map(literal).collect();
    if let ("systemctl", Some(args)) = (name.as_str(), args) {
        let words: Vec<&str> = args.iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
        if let ["stop" | "restart" | "reload", units @ ..] = words.as_slice() {
            let full = |unit: &&str| if unit.contains('.') { (*unit).to_owned() } else { format!("{unit}.service") };
            needs.units.extend(units.iter().map(full));
        }
    }
    needs.programs.insert(name);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(script: &str) -> (Vec<String>, Vec<String>) {
        let needs = needs(script);
        (needs.programs.into_iter().collect(), needs.units.into_iter().collect())
    }

    #[test]
    fn what_is_called_whichever_way_it_goes() {
        let (programs, units) = of("set -e\nsystemctl stop etcd2\ntar -czf x /etc | gzip >y\nkubeadm upgrade plan");
        assert_eq!(programs, ["gzip", "kubeadm", "systemctl", "tar"]);
        assert_eq!(units, ["etcd2.service"]);
    }

    #[test]
    fn what_depends_is_left_out() {
        for script in [
            "if command -v dnf; then dnf install x; else apt-get install x; fi",
            "dnf -v || apt-get -v",
            "case $x in a) dnf install x;; esac",
            "f() { dnf install x; }\nf",
            "$installer x",
            "[ -e /x ] && exit 0\ndnf install x",
            "systemctl stop \"$unit\" || true",
        ] {
            assert_eq!(of(script), (vec![], vec![]), "{script}");
        }
    }
}
