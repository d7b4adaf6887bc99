//! The one read-only script that gathers facts, and a parser a tool.
//!
//! What a tool prints is data of somebody else: it is parsed strictly, what is not understood becomes a `problem` and no
//! fact, and every text loses its control characters before it is kept.

#![expect(
    clippy::unnecessary_wraps,
    reason = "every parser has one shape, so that the table of sections stays a table"
)]

mod etcd;
mod host;
mod kube;
mod ostree;
mod request;
mod software;
mod systemd;

pub use request::Request;

use jiff::Timestamp;

use crate::model::Facts;

/// One command's output.
#[derive(Debug, PartialEq, Eq)]
struct Section<'o> {
    name: &'o str,
    status: i32,
    /// The path or unit it is about, or nothing.
    argument: String,
    text: String,
}

/// What the output of a probe that began at `begun`, by the operator's clock, says. Never fails: what cannot be read is absent, and named in
/// `problems`. Without the moment the host's clock is not compared.
#[must_use]
pub fn parse(output: &str, begun: Option<Timestamp>) -> Facts {
    let mut facts = Facts::default();
    let sections = sections(output);
    if sections.last().is_none_or(|section| section.name != "end") {
        facts.problems.push("probe: the script did not come to its end; what is missing is unknown".into());
    }
    for section in &sections {
        if let Err(complaint) = read(section, begun, &mut facts) {
            let what = if section.argument.is_empty() { String::new() } else { format!(" {}", section.argument) };
            facts.problems.push(crate::model::logtail::clean(&format!("{}{what}: {complaint}", section.name)));
        }
    }
    etcd::finish(&mut facts);
    facts
}

fn read(section: &Section<'_>, begun: Option<Timestamp>, facts: &mut Facts) -> Result<(), String> {
    match section.name {
        "clock" => host::clock(section, begun, facts),
        "uname" => host::uname(section, facts),
        "swaps" => host::swaps(section, facts),
        "mounts" => host::mounts(section, facts),
        "inodes" => host::inodes(section, facts),
        "lines" => host::lines(section, facts),
        "cert" => host::cert(section, begun, facts),
        "locksmith" => host::locksmith(section, facts),
        "zincati" => host::zincati(section, facts),
        "program" => software::program(section, facts),
        "package" => software::package(section, facts),
        "crictl" => software::crictl(section, facts),
        "containers" => software::containers(section, facts),
        "etcd-gateway-status" => etcd::gateway_status(section, facts),
        "etcd-gateway-alarms" => etcd::gateway_alarms(section, facts),
        "kube-pods" => kube::pods(section, facts),
        "os" => host::os(section, facts),
        "boot-id" => host::boot_id(section, facts),
        "cmdline" => host::cmdline(section, facts),
        "disks" => host::disks(section, facts),
        "devices" => host::devices(section, facts),
        "stat" => host::stat(section, facts),
        "fs" => host::file_system(section, facts),
        "ls" => host::entries(section, facts),
        "update-engine" => host::update_engine(section, facts),
        "strategy" => host::strategy(section, facts),
        "units" => systemd::units(section, facts),
        "journal" => systemd::journal(section, facts),
        "etcd-on-disk" => etcd::on_disk(section, facts),
        "etcd-found" => etcd::found(section, facts),
        "etcd-version" => etcd::version(section, facts),
        "etcd-health" => etcd::health(section, facts),
        "etcd-members" => etcd::v2_members(section, facts),
        "etcd-self" => etcd::v2_self(section, facts),
        "etcd3-status" => etcd::v3_status(section, facts),
        "etcd3-members" | "etcd-gateway-members" => etcd::v3_members(section, facts),
        "etcd3-alarms" => etcd::v3_alarms(section, facts),
        "kubelet" => kube::kubelet(section, facts),
        "api-server" => kube::api_server(section, facts),
        "api-ready" => kube::api_ready(section, facts),
        "api-unit" => kube::api_unit(section, facts),
        "kube-health" => kube::health(section, facts),
        "kube-version" => kube::version(section, facts),
        "kube-nodes" => kube::nodes(section, facts),
        "rpm-ostree" => ostree::rpm_ostree(section, facts),
        "ostree" => ostree::admin_status(section, facts),
        "no-etcdctl" => Err("etcdctl is not on this host: alarms, raft index and snapshots cannot be had".into()),
        "too-long" => Err(format!("it printed {} bytes, more than is read: nothing is known of it", section.status)),
        "end" => Ok(()),
        _ => Err("a section of that name is not known".into()),
    }
}

/// The sections of an output. A login banner before the first one is passed over.
fn sections(output: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for line in output.lines() {
        if let Some(head) = line.strip_prefix('@') {
            let mut words = head.splitn(3, ' ');
            let (name, status) =
                (words.next().unwrap_or_default(), words.next().and_then(|status| status.parse().ok()));
            if let Some(status) = status {
                let argument = tidy(words.next().unwrap_or_default());
                sections.push(Section { name, status, argument, text: String::new() });
            }
        } else if let (Some(text), Some(section)) = (line.strip_prefix(' '), sections.last_mut()) {
            section.text.push_str(text);
            section.text.push('\n');
        }
    }
    sections
}

/// A text of a host, fit to be kept.
fn tidy(text: &str) -> String {
    crate::model::logtail::clean(text.trim())
}

/// JSON, or a complaint that says what stands there instead.
fn json(section: &Section<'_>) -> Result<serde_json::Value, String> {
    serde_json::from_str(section.text.trim()).map_err(|error| {
        let start: String = section.text.chars().take(60).collect();
        format!("not JSON ({error}): `{}`", tidy(&start))
    })
}

/// What a probe of some time said, for tests.
#[cfg(test)]
fn facts(output: &str) -> Facts {
    parse(output, None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn output_cannot_pass_for_a_section() {
        let facts = facts("@os 0 \n ID=debian\n @boot-id 0 \n x\n@end 0 \n");
        assert_eq!(facts.boot_id, None);
        assert_eq!(facts.os.unwrap().id, "debian");
    }

    #[test]
    fn what_a_section_is_about_has_no_control_characters_either() {
        let facts =
            facts("@program 0 cri\u{1b}[31m\rctl\n crictl version v1.25.0\n@lines 0 /etc/\u{7}x\n a\n@end 0 \n");
        let kept = serde_json::to_string(&facts).unwrap();
        assert!(kept.contains("crictl") && kept.contains("/etc/x") && !kept.contains("\\u00"), "{kept}");
    }

    #[test]
    fn a_probe_that_was_cut_off_says_so() {
        let facts = facts("@os 0 \n ID=debian\n");
        assert!(facts.problems[0].contains("did not come to its end"), "{:?}", facts.problems);
    }

    #[test]
    fn the_script_runs_on_this_machine() {
        let request = Request {
            units: vec!["no-such.service".into()],
            paths: vec!["/".into(), "/no/such path".into()],
            etcd: Some(request::EtcdAccess { endpoint: "http://127.0.0.1:1".into(), ..Default::default() }),
            ..Request::default()
        };
        let output = std::process::Command::new("sh").arg("-c").arg(request.script()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let facts = parse(&String::from_utf8_lossy(&output.stdout), Some(Timestamp::now()));
        assert!(facts.os.is_some() && facts.boot_id.is_some(), "{facts:?}");
        assert_eq!(facts.paths["/"].kind, "directory");
        assert!(!facts.paths["/no/such path"].exists);
        assert_eq!(facts.etcd.unwrap().healthy, Some(false), "no answer is not healthy");
    }

    proptest! {
        #[test]
        fn nothing_that_is_printed_is_too_strange(lines in proptest::collection::vec(any::<String>(), 0..20), section in 0..45_usize) {
            let names = ["os", "boot-id", "cmdline", "disks", "stat", "fs", "ls", "update-engine", "strategy", "units",
                "journal", "etcd-on-disk", "etcd-version", "etcd-health", "etcd-members", "etcd-self", "etcd3-status",
                "etcd3-members", "etcd3-alarms", "kubelet", "kube-health", "kube-version", "kube-nodes", "rpm-ostree", "ostree",
                "clock", "uname", "swaps", "mounts", "inodes", "lines", "cert", "locksmith", "zincati", "program", "package",
                "crictl", "containers", "etcd-gateway-status", "etcd-gateway-members", "etcd-gateway-alarms", "kube-pods", "api-server",
                "api-ready", "api-unit"];
            let output = format!("@{} 0 x\n {}\n@end 0 \n", names[section], lines.join("\n "));
            let facts = facts(&output);
            let text = serde_json::to_string(&facts).unwrap();
            prop_assert_eq!(serde_json::from_str::<Facts>(&text).unwrap(), facts);
        }
    }
}
