//! What hosts print: probes, kubectl's JSON in them, answers about jobs and the lease.

use std::sync::LazyLock;

use jiff::Timestamp;
use lockkeeper::hosts::{read_digest, read_lease, read_news};
use lockkeeper::model::Facts;
use lockkeeper::probe;

use super::mangled::{assert_no_control, files, json, text};

/// What tools printed on real hosts, as the sections that a probe makes of it.
static SECTIONS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let of = [
        ("version-client", "program 0 kubectl"),
        ("kubectl-1.20.2-nodes", "kube-nodes 0 "),
        ("kubectl-1.32.4-nodes", "kube-nodes 0 "),
        ("-pods.json", "kube-pods 0 "),
        ("kubectl-1.20.2-version", "kube-version 0 "),
        ("kubectl-1.32.4-version", "kube-version 0 "),
        ("healthz", "kube-health 0 "),
        ("kubelet", "kubelet 0 "),
        ("gateway-alarms", "etcd-gateway-alarms 0 "),
        ("gateway-members", "etcd-gateway-members 0 "),
        ("gateway-status", "etcd-gateway-status 0 "),
        ("-health", "etcd-health 0 "),
        ("v2-members", "etcd-members 0 "),
        ("v2-stats", "etcd-self 0 "),
        ("etcd-3", "etcd-version 0 "),
        ("alarm-list", "etcd3-alarms 0 "),
        ("endpoint-status", "etcd3-status 0 "),
        ("member-list", "etcd3-members 0 "),
        ("os-release", "os 0 "),
        ("systemctl", "units 0 "),
        ("crictl-1.25.0-program", "program 0 crictl"),
        ("crictl", "crictl 0 "),
        ("containerd", "program 0 containerd"),
        ("dpkg", "package 0 dpkg etcd"),
        ("rpm", "package 0 rpm etcd"),
        ("pacman", "package 0 pacman etcd"),
        ("openssl", "cert 0 /etc/kubernetes/pki/ca.crt"),
        ("ostree", "ostree 0 "),
    ];
    let mut seeds = Vec::new();
    for (dir, extension) in
        [("etcd", "json"), ("etcd", "txt"), ("kube", "json"), ("kube", "txt"), ("host", "txt"), ("ostree", "txt")]
    {
        for (name, printed) in files(&format!("tests/fixtures/{dir}"), extension) {
            if let Some((_, head)) = of.iter().find(|(part, _)| name.contains(part)) {
                let lines: String = printed.lines().map(|line| format!(" {line}\n")).collect();
                seeds.push(format!("@{head}\n{lines}@end 0 \n"));
            }
        }
    }
    // Of the others, as the parsers' own tests have them: every name once, with lines of any kind of tool.
    let plain = [
        "boot-id",
        "cmdline",
        "disks",
        "devices",
        "stat",
        "fs",
        "ls",
        "update-engine",
        "strategy",
        "journal",
        "etcd-on-disk",
        "rpm-ostree",
        "clock",
        "uname",
        "swaps",
        "mounts",
        "inodes",
        "lines",
        "locksmith",
        "zincati",
        "containers",
        "api-server",
        "api-ready",
        "api-unit",
        "no-etcdctl",
    ];
    let lines = " a b c d e f g h\n KEY=value\n 1 2 3\n {\"a\": [1, {\"b\": null}]}\n /dev/sda1 ext4 0 /\n regular file 0644 root root 12 1690000000\n";
    seeds.push(plain.iter().map(|name| format!("@{name} 0 x\n{lines}")).collect::<String>() + "@end 0 \n");
    seeds
});

/// What kubectl prints as JSON, and which section it stands in.
static KUBECTL: LazyLock<(Vec<&str>, Vec<String>)> = LazyLock::new(|| {
    let of = [("nodes", "kube-nodes"), ("pods", "kube-pods"), ("version", "kube-version")];
    let section = |name: &str| of.iter().find(|(part, _)| name.contains(part)).map(|(_, section)| *section);
    let all = files("tests/fixtures/kube", "json");
    all.into_iter().filter_map(|(name, text)| Some((section(&name)?, text))).unzip()
});

fn judge(output: &str) {
    let begun = Timestamp::from_second(1_700_000_000).unwrap();
    for begun in [None, Some(begun)] {
        let facts = probe::parse(output, begun);
        let kept = serde_json::to_value(&facts).unwrap();
        assert_no_control(&kept);
        let text = kept.to_string();
        assert_eq!(serde_json::from_str::<Facts>(&text).unwrap(), facts, "a journal does not keep it whole");
    }
}

/// Whatever a probe prints: facts that a journal keeps whole, without control characters.
pub(super) fn probe(input: &[u8]) {
    judge(&text(input, &SECTIONS));
}

/// The same of JSON with anything in any place of it.
pub(super) fn kubectl(input: &[u8]) {
    let (sections, seeds) = &*KUBECTL;
    let Some(value) = json(input, seeds) else { return };
    let own = input.first().map_or(0, |first| usize::from(first & 0x7f) % sections.len());
    for section in [sections[own], "kube-nodes", "kube-pods"] {
        judge(&format!("@{section} 0 \n {value}\n@end 0 \n"));
    }
}

/// Whatever a host answers about a job, a file or the lease: what is not understood is told from what is.
pub(super) fn job(input: &[u8]) {
    if let Some(news) = read_news(input) {
        assert!(input.ends_with(&news.output) && input.starts_with(b"lockkeeper-job "));
        // A piece of an answer is none, or a whole one would be taken for it.
        for cut in 1..input.len() {
            assert_eq!(read_news(&input[..cut]), None, "an answer that broke off was taken for a whole one");
        }
    }
    if let Some((_, sum)) = read_digest(input) {
        assert_eq!(sum.as_str().len(), 64);
    }
    if let Some(answer) = read_lease(input) {
        let said = format!("{answer:?}");
        assert!(!said.contains("\\u{") || !String::from_utf8_lossy(input).is_ascii(), "{said}");
    }
}
