//! Hosts that were only looked at, by a `monitor` and by probes without a pause, are as they were, byte for byte, but for what
//! sshd, sudo and journald write down, and etcd's raft log. `LOCKKEEPER_PROBES` says how many for each host; an hour of `monitor` has 1800.

use std::collections::BTreeMap;
use std::time::Duration;

use lockkeeper::documents::{self, Source};
use lockkeeper::hosts::{self, Links};
use lockkeeper::model::inventory::Host;
use lockkeeper::model::runbook::ProbeSpec;
use lockkeeper::probe::Request;

use crate::cluster::{HOSTS, Lab};
use crate::wizard::Wizard;

/// Everything that keeps a host's state, and what is in it: kind, rights, owner, size, time, target, and digest.
fn seen(lab: &Lab, host: &str) -> BTreeMap<String, String> {
    let files = "find / -xdev -path /run -prune -o -path /dev -prune -o -path /proc -prune -o -path /sys -prune -o";
    let script = format!(
        "{files} -printf '%p\\t%y %m %U:%G %s %T@ %C@ %l\\n'; find /tmp -printf '%p\\t%y %m %U:%G %s %T@ %C@ %l\\n'; \
         {files} -type f -exec sha256sum {{}} + | sed 's/^\\([0-9a-f]*\\) *\\(.*\\)/digest of \\2\\t\\1/'"
    );
    let listed = lab.ssh(host, &script);
    // The last is no log of the host's and not as it should be: `alarm list`, and `/health` before 3.5, are answered by way of
    // the raft log, so that each probe makes it two entries longer on every member. What etcd keeps (snap/db) stays the same.
    let logs = ["/var/log/journal/", "/var/log/wtmp", "/var/log/btmp", "/var/log/lastlog", "/var/lib/etcd/member/wal/"];
    let rows = listed.lines().map(|line| line.split_once('\t').unwrap());
    let rows = rows.filter(|(path, _)| !logs.iter().any(|log| path.trim_start_matches("digest of ").starts_with(log)));
    let seen: BTreeMap<String, String> = rows.map(|(path, is)| (path.to_owned(), is.to_owned())).collect();
    assert!(seen.len() > 10_000, "only {} things were seen on {host}", seen.len());
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitored_host_stays_as_it_was_byte_for_byte() {
    let Some(lab) = Lab::up("http") else { return };
    let source = Source::read(&lab.dir.join("inventory.yaml")).unwrap();
    let inventory = documents::read_inventory(&source).unwrap();
    let probes = std::env::var("LOCKKEEPER_PROBES").map_or(40, |count| count.parse().unwrap());
    let before = HOSTS.map(|(host, _)| seen(&lab, host));

    let given = lab.dir.join("inventory.yaml").display().to_string();
    let mut monitor = Wizard::start(&["monitor", "-i", &given], &lab.dir);
    monitor.until_shown("3.4.23");
    let links = Links::new().unwrap();
    let look = async |host: &Host| {
        let there = hosts::observe(&inventory, host, &links);
        there.connect().await.unwrap();
        let script =
            Request::for_host(host, &ProbeSpec::default(), &inventory.vars.clone().into_iter().collect()).script();
        for _ in 0..probes {
            let probed = there.probe(&script, Duration::from_secs(30)).await.unwrap();
            assert!(lockkeeper::probe::parse(&probed.output, None).etcd.is_some());
        }
    };
    futures::future::join_all(inventory.hosts.iter().map(look)).await;
    links.close().await;
    assert!(monitor.shows().contains("3.4.23"), "{}", monitor.shows());
    monitor.press("q");
    assert!(monitor.child.wait().unwrap().success());

    let mut changed = Vec::new();
    for ((host, _), before) in HOSTS.into_iter().zip(before) {
        let after = seen(&lab, host);
        let gone = before.keys().filter(|path| !after.contains_key(*path));
        let other = after.iter().filter(|(path, is)| before.get(*path) != Some(is)).map(|(path, _)| path);
        changed.extend(gone.chain(other).map(|path| format!("{host}: {path}")));
    }
    assert_eq!(changed, [""; 0]);
}
