//! What is installed: programs, packages, system containers, and the runtime behind the kubelet.

use serde_json::Value;

use super::{Section, json, tidy};
use crate::model::Facts;
use crate::model::facts::{Runtime, SystemContainer};

/// What a program prints when it is asked for its version: the first word that looks like one, such as `1.12.1`,
/// `v1.6.2` or `20.10.5+dfsg1`. Every tool has its own sentence around it.
pub(super) fn program(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if section.status != 0 {
        return Err(format!("it ended with {}", section.status));
    }
    let version = version_in(&section.text).ok_or("no version in what it printed")?;
    facts.programs.insert(section.argument.clone(), version);
    Ok(())
}

fn version_in(text: &str) -> Option<String> {
    // `kubectl version --client -o json` names other versions before its own.
    let text = match serde_json::from_str::<Value>(text.trim()) {
        Ok(body) => body["clientVersion"]["gitVersion"].as_str()?.to_owned(),
        Err(_) => text.to_owned(),
    };
    text.split(|c: char| c.is_whitespace() || matches!(c, ',' | '"' | '(' | ')')).find_map(|word| {
        let plain = word.strip_prefix('v').unwrap_or(word);
        let (major, rest) = plain.split_once('.')?;
        let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        (number(major) && rest.starts_with(|c: char| c.is_ascii_digit())).then(|| tidy(plain))
    })
}

/// `NAME VERSION`, from pacman, dpkg-query or rpm. A status that is not 0, or nothing at all, is "not installed".
pub(super) fn package(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if section.status == 127 {
        return Err("neither pacman, dpkg nor rpm is on this host".into());
    }
    if section.status != 0 || section.text.trim().is_empty() {
        return Ok(());
    }
    let words: Vec<_> = section.text.split_whitespace().collect();
    let [name, version, ..] = words.as_slice() else { return Err("not a name and a version".into()) };
    // Where something else provides it, its own name is printed; asked for was this one.
    let name = if section.argument.is_empty() { name } else { section.argument.as_str() };
    facts.packages.insert(name.to_owned(), tidy(version));
    Ok(())
}

/// `crictl version`: `KEY:  value` lines.
pub(super) fn crictl(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    // A runtime that does not answer is absent; why stands in its own journal.
    if section.status != 0 {
        return Ok(());
    }
    let value = |key: &str| section.text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(tidy);
    facts.runtime = Some(Runtime {
        name: value("RuntimeName").ok_or("no RuntimeName")?,
        version: value("RuntimeVersion").ok_or("no RuntimeVersion")?.trim_start_matches('v').to_owned(),
    });
    Ok(())
}

/// `atomic containers list --all --no-trunc --json` (1.15 and later): an array, or nothing at all where there are none.
pub(super) fn containers(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if section.status != 0 {
        return Err(format!("atomic ended with {}", section.status));
    }
    if section.text.trim().is_empty() {
        return Ok(());
    }
    let body = json(section)?;
    for row in body.as_array().ok_or("not a list")? {
        // Those of docker stand in the same list, and are not the ones a runbook asks for.
        if row["backend"].as_str().is_some_and(|backend| backend != "ostree") {
            continue;
        }
        let text = |key: &str| row[key].as_str().map(tidy).unwrap_or_default();
        let name = row["name"].as_str().or(row["id"].as_str()).map(tidy).ok_or("a container without a name")?;
        let container = SystemContainer { image: text("image_name"), image_id: text("image_id"), state: text("state") };
        facts.containers.insert(name, container);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::version_in;
    use crate::probe::facts as parse;

    #[test]
    fn every_program_tells_its_version_in_its_own_way() {
        // Words: kubeadm 1.12.1 and crio 1.11.7 from a published transcript; docker, containerd, flanneld and atomic from
        // their sources; etcdctl 3.4.23 and kubectl 1.32 as they were run.
        for (said, version) in [
            ("v1.12.1\n", "1.12.1"),
            ("crio version 1.11.7\ncommit: \"5f0a8a2\"\n", "1.11.7"),
            ("crio version 1.24.6\nVersion:          1.24.6\n", "1.24.6"),
            ("containerd github.com/containerd/containerd v1.6.20~ds1 1.6.20~ds1-1+b1\n", "1.6.20~ds1"),
            ("Docker version 20.10.24+dfsg1, build 297e128\n", "20.10.24+dfsg1"),
            ("crictl version v1.28.0\n", "1.28.0"),
            ("etcdctl version: 3.4.23\nAPI version: 3.4\n", "3.4.23"),
            ("v0.7.0\n", "0.7.0"),
            ("1.18.1\n", "1.18.1"),
            (
                r#"{"clientVersion": {"major": "1", "minor": "32", "gitVersion": "v1.32.4"}, "kustomizeVersion": "v5.5.0"}"#,
                "1.32.4",
            ),
        ] {
            assert_eq!(version_in(said).as_deref(), Some(version), "{said}");
        }
        assert_eq!(version_in("command not understood. v2 is near\n"), None);
    }

    #[test]
    fn what_real_programs_told() {
        for (said, version) in [
            (include_str!("../../tests/fixtures/host/containerd-1.6.20-version.txt"), "1.6.20~ds1"),
            (include_str!("../../tests/fixtures/host/crictl-1.25.0-program.txt"), "1.25.0"),
            (include_str!("../../tests/fixtures/kube/kubectl-1.32.4-version-client.json"), "1.32.4-dispatcher"),
        ] {
            assert_eq!(version_in(said).as_deref(), Some(version), "{said}");
        }
        let runtime = |status: i32, printed: &str| {
            let lines: String = printed.lines().map(|line| format!(" {line}\n")).collect();
            parse(&format!("@crictl {status} \n{lines}@end 0 \n")).runtime
        };
        let there = runtime(0, include_str!("../../tests/fixtures/host/crictl-1.25.0-version.txt")).unwrap();
        assert_eq!((&*there.name, &*there.version), ("containerd", "1.6.20~ds1"));
        assert!(runtime(1, include_str!("../../tests/fixtures/host/crictl-1.25.0-version-no-socket.txt")).is_none());
    }

    #[test]
    fn what_real_package_managers_told() {
        let package = |status: i32, printed: &str| {
            let facts = parse(&format!("@package {status} p\n {}\n@end 0 \n", printed.trim_end()));
            facts.packages.into_values().next()
        };
        for (status, printed, version) in [
            (0, include_str!("../../tests/fixtures/host/pacman-6.0.2-installed.txt"), Some("1.11.1-1")),
            (1, include_str!("../../tests/fixtures/host/pacman-6.0.2-absent.txt"), None),
            (0, include_str!("../../tests/fixtures/host/rpm-4.18.0-installed.txt"), Some("1.31.4-150500.1.1")),
            (1, include_str!("../../tests/fixtures/host/rpm-4.18.0-absent.txt"), None),
        ] {
            assert_eq!(package(status, printed).as_deref(), version, "{printed}");
        }
    }

    #[test]
    fn packages_of_three_managers_and_of_none() {
        let facts = parse(concat!(
            "@package 0 kubernetes\n kubernetes 1.11.1-1\n@package 1 cri-o\n@package 0 kubelet\n kubelet 1.30.4-1.1\n",
            "@package 127 etcd\n@end 0 \n"
        ));
        assert_eq!(facts.packages["kubernetes"], "1.11.1-1");
        assert_eq!((facts.packages.len(), facts.problems.len()), (2, 1));
    }

    /// What the script's own `package` makes of what a real dpkg-query printed.
    fn through_dpkg(printed: &str) -> crate::model::Facts {
        let script = include_str!("../../assets/probe.sh");
        let from = script.find("package() {").unwrap();
        let function = &script[from..from + script[from..].find("\n}\n").unwrap() + 3];
        let stand_ins = "have() { [ \"$1\" = dpkg-query ]; }\ntimeout() { [ \"$2\" = dpkg-query ] && cat; }\n";
        let mut sh = std::process::Command::new("sh")
            .args(["-c", &format!("{stand_ins}{function}package x")])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        sh.stdin.take().unwrap().write_all(printed.as_bytes()).unwrap();
        let output = sh.wait_with_output().unwrap();
        assert!(output.status.success());
        let printed = String::from_utf8(output.stdout).unwrap();
        let lines: String = printed.lines().map(|line| format!(" {line}\n")).collect();
        parse(&format!("@package 0 openssl\n{lines}@end 0 \n"))
    }

    #[test]
    fn real_packages_are_there_only_as_long_as_they_are_installed() {
        for there in [
            include_str!("../../tests/fixtures/host/dpkg-query-1.21-installed.txt"),
            include_str!("../../tests/fixtures/host/dpkg-query-1.21-held.txt"),
        ] {
            assert_eq!(through_dpkg(there).packages["openssl"], "3.0.20-1~deb12u2", "{there}");
        }
        for gone in [
            include_str!("../../tests/fixtures/host/dpkg-query-1.21-removed.txt"),
            include_str!("../../tests/fixtures/host/dpkg-query-1.21-absent.txt"),
        ] {
            let facts = through_dpkg(gone);
            assert!(facts.packages.is_empty() && facts.problems.is_empty(), "{gone}");
        }
    }

    #[test]
    fn system_containers_are_told_from_those_of_docker() {
        let list = r#"[{"id":"etcd","image_id":"aa","image_name":"registry.example.com/f27/etcd","name":"etcd","state":"running","backend":"ostree"},{"id":"0123","image_name":"x","state":"exited","backend":"docker"}]"#;
        let facts = parse(&format!("@containers 0 \n {list}\n@end 0 \n"));
        assert_eq!((facts.containers.len(), facts.containers["etcd"].state.as_str()), (1, "running"));
        assert!(
            parse("@containers 0 \n@end 0 \n").problems.is_empty(),
            "older ones print nothing where there are none"
        );
    }

    #[test]
    fn the_runtime_is_what_answers() {
        let facts = parse(
            "@crictl 0 \n Version:  0.1.0\n RuntimeName:  cri-o\n RuntimeVersion:  1.11.7\n RuntimeApiVersion:  v1alpha1\n@end 0 \n",
        );
        assert_eq!(
            facts.runtime.map(|runtime| (runtime.name, runtime.version)),
            Some(("cri-o".into(), "1.11.7".into()))
        );
        assert!(parse("@crictl 1 \n@end 0 \n").runtime.is_none());
    }
}
