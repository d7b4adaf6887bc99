//! An inventory as a commented file: what was found beside what it was found on.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;

use crate::model::inventory::Role;
use crate::ui::form::{Answers, HostAnswer, Proposal, Tried};

/// A word as YAML has it, quoted where it would otherwise be something else.
fn scalar(text: &str) -> String {
    serde_yaml::to_string(text).unwrap_or_default().trim_end().to_owned()
}

/// A remark that stays one.
fn remark(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

fn found(host: &HostAnswer) -> Option<&Proposal> {
    match &host.tried {
        Some(Tried::Found(found)) => Some(found),
        _ => None,
    }
}

/// Values that every host shares which has any: they need to be said once only.
fn shared(answers: &Answers) -> BTreeMap<String, String> {
    let mut shared: BTreeMap<String, Option<String>> = BTreeMap::new();
    for (name, value) in answers.hosts.iter().filter_map(found).flat_map(vars) {
        let known = shared.entry(name).or_insert_with(|| Some(value.clone()));
        if known.as_ref() != Some(&value) {
            *known = None;
        }
    }
    shared.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn vars(found: &Proposal) -> BTreeMap<String, String> {
    let manager = found.package_manager.iter().map(|manager| ("package_manager".to_owned(), manager.clone()));
    found.etcd.clone().into_iter().chain(manager).collect()
}

/// The inventory, ready to be read by people and by `plan`.
pub(super) fn yaml(answers: &Answers, now: Timestamp) -> String {
    let mut out = String::new();
    let day = now.strftime("%Y-%m-%d");
    let _ = writeln!(
        out,
        "# The hosts of one cluster, as they were found on {day}. Read it through: every line is yours to change."
    );
    let _ = writeln!(out, "# `lockkeeper plan` shows every mistake in it at its line and column.");
    let _ = writeln!(out, "cluster: {}", scalar(&answers.cluster));
    // A port is a number; the others are words.
    let word = |text: &str| if text.is_empty() { String::new() } else { scalar(text) };
    let ssh = [
        ("user", word(&answers.user)),
        ("port", answers.port.clone()),
        ("identity", word(&answers.key)),
        ("jump", word(&answers.jump)),
    ];
    if ssh.iter().any(|(_, value)| !value.is_empty()) {
        let _ = writeln!(
            out,
            "\n# How hosts are reached. What is left out is as ~/.ssh/config has it; host keys are always checked."
        );
        let _ = writeln!(out, "ssh:");
        for (key, value) in ssh.iter().filter(|(_, value)| !value.is_empty()) {
            let _ = writeln!(out, "  {key}: {value}");
        }
    }
    let shared = shared(answers);
    if !shared.is_empty() {
        let _ = writeln!(
            out,
            "\n# Values for runbooks, on every host: where etcd answers on a host that has a member, and how packages are"
        );
        let _ = writeln!(out, "# installed. A host's own `vars` come before these, and `--var` before both.");
        let _ = writeln!(out, "vars:");
        for (name, value) in &shared {
            let _ = writeln!(out, "  {name}: {}", scalar(value));
        }
    }
    let _ = writeln!(out, "\nhosts:");
    for host in &answers.hosts {
        one(&mut out, host, &shared);
    }
    out
}

fn one(out: &mut String, host: &HostAnswer, shared: &BTreeMap<String, String>) {
    let found = found(host);
    match &host.tried {
        Some(Tried::Found(found)) => {
            if !found.system.is_empty() {
                let _ = writeln!(out, "  # {}", remark(&found.system));
            }
            for said in &found.remarks {
                let _ = writeln!(out, "  # To be mended: {}", remark(said));
            }
        }
        Some(Tried::Failed(why)) => {
            let _ = writeln!(out, "  # Not seen: {}", remark(why));
        }
        Some(Tried::NewKey(_)) => {
            let _ =
                writeln!(out, "  # Not seen: its host key is not known here. Compare it, and connect once with ssh.");
        }
        Some(Tried::Trying) | None => {
            let _ = writeln!(out, "  # Not seen: it had not answered yet.");
        }
    }
    if host.guessed {
        let _ = writeln!(out, "  # Its roles are a guess by its name: nothing that was seen says what it does.");
    }
    let _ = writeln!(out, "  - name: {}", scalar(&host.name));
    if host.address != host.name {
        let _ = writeln!(out, "    address: {}", scalar(&host.address));
    }
    let roles: Vec<&str> = host.roles.iter().map(|role| Role::word(*role)).collect();
    let _ = writeln!(out, "    roles: [{}]", roles.join(", "));
    let Some(found) = found else { return };
    if !found.node.is_empty() && found.node != host.name {
        let _ = writeln!(out, "    # The name of its Node object.");
        let _ = writeln!(out, "    node: {}", scalar(&found.node));
    }
    let own: Vec<_> = vars(found).into_iter().filter(|(name, _)| !shared.contains_key(name)).collect();
    if !own.is_empty() {
        let _ = writeln!(out, "    vars:");
        for (name, value) in own {
            let _ = writeln!(out, "      {name}: {}", scalar(&value));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::documents::{Source, read_inventory};

    fn host(name: &str, address: &str, roles: &[Role], tried: Option<Tried>) -> HostAnswer {
        let roles: BTreeSet<Role> = roles.iter().copied().collect();
        HostAnswer { name: name.into(), address: address.into(), roles, guessed: tried.is_none(), tried }
    }

    #[test]
    fn what_was_found_is_written_and_can_be_read() {
        let member = |endpoint: &str| {
            Some(Tried::Found(Box::new(Proposal {
                hostname: "etcd1".into(),
                system: "Debian GNU/Linux 12 (bookworm)".into(),
                node: "etcd1.example.org".into(),
                package_manager: Some("apt".into()),
                etcd: [("etcd_endpoint".to_owned(), endpoint.to_owned())].into(),
                remarks: vec!["root cannot be had".into()],
                ..Proposal::default()
            })))
        };
        let failed = Some(Tried::Failed("cannot connect:\n10.0.0.13 refuses port 22".into()));
        let answers = Answers {
            cluster: "on".into(),
            user: "core".into(),
            port: "2222".into(),
            key: "~/.ssh/id_ed25519".into(),
            jump: String::new(),
            file: "prod.yaml".into(),
            hosts: vec![
                host("etcd1", "10.0.0.11", &[Role::Etcd, Role::ControlPlane], member("https://127.0.0.1:2379")),
                host("etcd2", "10.0.0.12", &[Role::Etcd], member("http://127.0.0.1:4001")),
                host("etcd3", "10.0.0.13", &[Role::Etcd], failed),
                host("worker1", "worker1", &[Role::Worker], None),
            ],
        };
        let yaml = yaml(&answers, Timestamp::UNIX_EPOCH);
        insta::assert_snapshot!(yaml);
        let inventory = read_inventory(&Source::file(Path::new("prod.yaml"), yaml)).unwrap();
        assert_eq!((inventory.cluster.as_str(), inventory.hosts.len()), ("on", 4));
        assert_eq!((inventory.ssh.user.as_deref(), inventory.ssh.port), (Some("core"), Some(2222)));
        assert_eq!(inventory.vars["package_manager"], "apt");
        assert_eq!(inventory.hosts[1].vars["etcd_endpoint"], "http://127.0.0.1:4001");
        assert_eq!(inventory.hosts[0].node(), "etcd1.example.org");
    }
}
