//! systemd: units and journals.

use std::collections::BTreeMap;

use super::{Section, tidy};
use crate::model::Facts;
use crate::model::facts::Unit;

/// `systemctl show -p …` of several units: `KEY=value` lines, a blank line between units. Properties come in systemd's
/// own order, and ones it does not know (`NRestarts` before 235) do not come at all.
pub(super) fn units(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if section.status != 0 {
        return Err(format!("systemctl show ended with {}", section.status));
    }
    for block in section.text.split("\n\n").filter(|block| !block.trim().is_empty()) {
        let values: BTreeMap<&str, &str> = block.lines().filter_map(|line| line.split_once('=')).collect();
        let text = |key: &str| values.get(key).map(|value| tidy(value)).unwrap_or_default();
        let required = |key: &str| values.get(key).map(|value| tidy(value)).ok_or_else(|| format!("no {key}"));
        let unit = Unit {
            load: required("LoadState")?,
            active: required("ActiveState")?,
            sub: text("SubState"),
            enabled: text("UnitFileState"),
            pid: text("MainPID").parse().unwrap_or_default(),
            restarts: text("NRestarts").parse().unwrap_or_default(),
            file: text("FragmentPath"),
            drop_ins: text("DropInPaths").split_whitespace().map(str::to_owned).collect(),
            environment: environment(&text("Environment")),
            need_reload: text("NeedDaemonReload") == "yes",
        };
        facts.units.insert(required("Id")?, unit);
    }
    Ok(())
}

/// What a unit's variables begin with that checks and operators have a use for. Others may hold anything, and stay on the host.
const KNOWN: [&str; 8] = ["ETCD_", "ETCDCTL_", "FLANNEL", "KUBE", "RKT_", "CONTAINERD_", "CRIO_", "DOCKER_"];

/// Words in the name of a variable that holds a secret.
const SECRET: [&str; 6] = ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "CREDENTIAL", "AUTH"];

/// The variables of a unit that may be known.
fn environment(shown: &str) -> Vec<String> {
    let known = |assignment: &String| {
        let Some((name, value)) = assignment.split_once('=') else { return false };
        // A key is a secret, the path to one is none.
        let secret =
            SECRET.iter().any(|word| name.contains(word)) || (name.ends_with("KEY") && !value.starts_with('/'));
        KNOWN.iter().any(|begin| name.starts_with(begin)) && !secret
    };
    shlex::split(shown).unwrap_or_default().into_iter().filter(known).collect()
}

/// The lines that were looked for; several texts of a unit come as several sections.
pub(super) fn journal(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    let lines = facts.journal.entry(section.argument.clone()).or_default();
    lines.extend(section.text.lines().map(tidy));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::probe::facts as parse;

    fn shown(file: &str) -> crate::model::Facts {
        let lines: String = file.lines().map(|line| format!(" {line}\n")).collect();
        parse(&format!("@units 0 \n{lines}@end 0 \n"))
    }

    #[test]
    fn real_units_are_read() {
        let running = shown(include_str!("../../tests/fixtures/etcd/systemctl-252-show-active.txt"));
        let unit = &running.units["etcd.service"];
        assert_eq!((unit.active.as_str(), unit.sub.as_str(), unit.load.as_str()), ("active", "running", "loaded"));
        assert!(unit.pid > 0);
    }

    #[test]
    fn real_units_in_several_states_are_told_apart() {
        let facts = shown(include_str!("../../tests/fixtures/host/systemctl-252-show-several.txt"));
        assert_eq!(facts.problems, [""; 0]);
        let failed = &facts.units["etcd.service"];
        assert_eq!((failed.active.as_str(), failed.sub.as_str(), failed.restarts), ("failed", "failed", 5));
        assert_eq!(failed.environment, ["ETCD_HEARTBEAT_INTERVAL=x"]);
        assert_eq!(failed.drop_ins, ["/run/systemd/system/etcd.service.d/bad.conf"]);
        let running = &facts.units["ssh.service"];
        assert_eq!((running.active.as_str(), running.pid, running.drop_ins.len()), ("active", 37, 0));
        assert_eq!(facts.units["absent.service"].load, "not-found");
        assert_eq!(facts.units.len(), 3);
    }

    #[test]
    fn several_units_and_their_environment() {
        let facts = shown(concat!(
            "Id=etcd-member.service\nLoadState=loaded\nActiveState=inactive\nSubState=dead\nMainPID=0\n",
            "Environment=ETCD_IMAGE_TAG=v3.0.17 \"RKT_RUN_ARGS=--uuid-file-save=/x y\"\n",
            "DropInPaths=/etc/systemd/system/etcd-member.service.d/20-clct-etcd-member.conf\nNeedDaemonReload=no\n",
            "\nId=no-such.service\nLoadState=not-found\nActiveState=inactive\nSubState=dead\n"
        ));
        assert_eq!(
            facts.units["etcd-member.service"].environment,
            ["ETCD_IMAGE_TAG=v3.0.17", "RKT_RUN_ARGS=--uuid-file-save=/x y"]
        );
        assert_eq!(facts.units["no-such.service"].load, "not-found");
    }

    #[test]
    fn of_an_environment_only_what_is_known_and_no_secret_is_kept() {
        let facts = shown(concat!(
            "Id=etcd.service\nLoadState=loaded\nActiveState=active\n",
            "Environment=ETCD_NAME=a ETCD_ROOT_PASSWORD=hush \"AWS_SECRET_ACCESS_KEY=hu sh\" ETCD_KEY_FILE=/k ",
            "ETCD_PEER_KEY=hush ETCD_TRUSTED_KEY=/etc/k HTTP_PROXY=http://me:hush@proxy KUBELET_TOKEN=hush\n"
        ));
        let kept = &facts.units["etcd.service"].environment;
        assert_eq!(*kept, ["ETCD_NAME=a", "ETCD_KEY_FILE=/k", "ETCD_TRUSTED_KEY=/etc/k"]);
    }
}
