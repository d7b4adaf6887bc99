//! etcd processes: on which data they start, whether they join, and what that does to the cluster.
//!
//! A data directory holds real files, and the log's file says whose it is, who wrote it last and up to where. So a
//! copy that went wrong matters here as it does on a real member.

use std::path::Path;
use std::time::Duration;

use crate::model::HostName;

use super::cluster::{Process, Release};
use super::disk::{Disk, Kind};
use super::faults::FaultKind;
use super::units::UnitFile;
use super::world::{Happening, Machine, World};

/// The name etcd gives the first file of its log.
const WAL: &str = "0000000000000000-0000000000000000.wal";

/// What a data directory says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Data {
    pub(super) cluster: u64,
    pub(super) member: u64,
    /// The minor version that wrote last.
    pub(super) release: Release,
    pub(super) index: u64,
}

impl Data {
    /// Reads `member/wal` of a data directory.
    pub(super) fn read(disk: &Disk, dir: &str) -> Option<Self> {
        let text = disk.text(format!("{dir}/member/wal/{WAL}"))?;
        let head = text.lines().next()?;
        let field = |name: &str| head.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        Some(Self {
            cluster: u64::from_str_radix(field("cluster")?, 16).ok()?,
            member: u64::from_str_radix(field("member")?, 16).ok()?,
            release: Release::parse(field("release")?)?,
            index: field("index")?.parse().ok()?,
        })
    }

    /// Writes `member/{snap,wal}`, owned as etcd owns them.
    pub(super) fn write(&self, disk: &Disk, dir: &str, owner: &str) {
        let Self { cluster, member, release, index } = self;
        let head = format!("wal cluster={cluster:x} member={member:x} release={release} index={index}\n");
        let filler = "0123456789abcdef".repeat(512);
        disk.put(format!("{dir}/member/wal/{WAL}"), head + &filler);
        let snap = format!("{dir}/member/snap");
        if disk.names(&snap).is_empty() {
            let at = index.saturating_sub(index % 1000);
            disk.put(
                format!("{snap}/{:016x}-{at:016x}.snap", 5),
                format!("snap cluster={cluster:x} index={at}\n{filler}"),
            );
        }
        if *release >= Release(3, 0, 0) && !disk.exists(format!("{snap}/db")) {
            disk.put(format!("{snap}/db"), "bolt\n");
        }
        for (path, node) in disk.tree(format!("{dir}/member")) {
            let mode = if node.kind == Kind::Directory { 0o700 } else { 0o600 };
            disk.own(path, Some(owner), Some(mode));
        }
    }
}

impl Machine {
    /// How long the unit takes before its etcd looks at its data: the image may have to be fetched first.
    pub(super) fn member_delay(&mut self, unit: &UnitFile) -> Duration {
        let mut delay = Duration::ZERO;
        if self.images.insert(image(unit), self.version_of(unit)).is_none() {
            delay += self.random.millis(2000..5000);
        }
        delay + self.start_delay()
    }

    /// How long an etcd takes before it looks at its data.
    pub(super) fn start_delay(&mut self) -> Duration {
        let mut delay = self.random.millis(1000..4000);
        if self.strikes(FaultKind::SlowStart) {
            delay += self.random.millis(40_000..60_000);
        }
        delay
    }
}

/// Where a member's data lies on its host, and who must own it.
struct Place {
    data_dir: String,
    /// Nobody in particular where its process may read everything.
    owner: Option<&'static str>,
}

impl Place {
    fn of(name: &str, unit: &UnitFile, release: Release) -> Self {
        let given = unit.etcd_option("data-dir");
        match name {
            "etcd2.service" => Self { data_dir: "/var/lib/etcd2".into(), owner: Some("etcd") },
            "etcd-member.service" => {
                Self { data_dir: "/var/lib/etcd".into(), owner: (release.0 >= 3).then_some("etcd") }
            }
            "etcd.pod" => Self { data_dir: given.unwrap_or_else(|| "/var/lib/etcd".into()), owner: None },
            // The system container mounts `/var/lib/etcd/NAME.etcd` at its own `/var/lib/etcd`, and runs as a root that
            // may not override permissions.
            _ if unit.exec_start.contains("runc") => {
                let inside = given.unwrap_or_else(|| "/var/lib/etcd/etcd.etcd".into());
                let below = inside.strip_prefix("/var/lib/etcd").unwrap_or(&inside);
                Self {
                    data_dir: format!("/var/lib/etcd/etcd.etcd{}", below.trim_end_matches('/')),
                    owner: Some("root"),
                }
            }
            // Not told where, it goes by its own name, in the directory that the unit runs it in.
            _ => {
                let name = unit.etcd_option("name").unwrap_or_else(|| "default".into());
                Self { data_dir: given.unwrap_or_else(|| format!("/var/lib/etcd/{name}.etcd")), owner: Some("etcd") }
            }
        }
    }
}

/// The image that `etcd-wrapper` runs, by the unit's variables.
fn image(unit: &UnitFile) -> String {
    format!("quay.io/coreos/etcd:{}", unit.variable("ETCD_IMAGE_TAG").unwrap_or("v3.1.6"))
}

impl World {
    /// The unit's process has come up and opens its data.
    pub(super) fn begin_process(&mut self, host: &HostName, name: &str) {
        let disk = self.machine(host).disk.clone();
        let held = self.machine(host).unit(name);
        let unit = held.loaded.with_files(&disk);
        let Some(release) = Release::parse(&held.version) else {
            self.log(host, name, format!("image: no image found: {}", image(&unit)));
            return self.unit_failed(host, name);
        };
        let Place { data_dir, owner } = Place::of(name, &unit, release);
        let data_dir = data_dir.as_str();
        if !disk.exists(data_dir) {
            // etcd-wrapper makes the directory and gives it to etcd; etcd2's comes with the system.
            disk.make_dir(data_dir);
            disk.own(data_dir, owner, Some(0o700));
        }
        self.log_etcd(host, name, 'I', &format!("etcdmain: etcd Version: {release}"));
        self.repair_layout(host, name, release, data_dir, &disk);
        let Some(member) = self.cluster.member_of(host).cloned() else { return self.unit_failed(host, name) };
        let empty = Data::read(&disk, data_dir).is_none();
        if empty && member.published && self.cluster.members.len() == 1 {
            self.begin_anew(host, name);
        }
        let unknown = self.cluster.member_of(host).is_some_and(|member| !member.published);
        if empty && unknown {
            let data = Data { cluster: self.cluster.id, member: member.id, release, index: 1 };
            data.write(&disk, data_dir, owner.unwrap_or("root"));
        }
        let Some(data) = Data::read(&disk, data_dir) else {
            self.log_etcd(host, name, 'C', &format!("etcdmain: member {:x} has already been bootstrapped", member.id));
            self.break_rule(format_args!("{host}: {name} was started on a directory that does not hold its data"));
            return self.unit_failed(host, name);
        };
        let member_dir = format!("{data_dir}/member");
        if disk.get(&member_dir).is_some_and(|node| owner.is_some_and(|owner| node.owner != owner)) {
            let text = format!("etcdmain: cannot access data directory: open {data_dir}/.touch: permission denied");
            self.log_etcd(host, name, 'C', &text);
            return self.unit_failed(host, name);
        }
        if data.release.0 > release.0 {
            self.log_etcd(host, name, 'C', "etcdmain: experimental-v3demo cannot be disabled once it is enabled");
            return self.unit_failed(host, name);
        }
        if self.cluster.version > release {
            let (from, to) = (release, self.cluster.version.minor());
            let text = format!(
                "etcdserver/membership: cluster cannot be downgraded (current version: {from} is lower than determined cluster version: {to})."
            );
            self.log_etcd(host, name, 'C', &text);
            return self.unit_failed(host, name);
        }
        if data.cluster == self.cluster.id && data.member == member.id && data.index < member.acknowledged {
            let (commit, last) = (member.acknowledged, data.index);
            self.log(
                host,
                name,
                format!("panic: tocommit({commit}) is out of range [lastIndex({last})]. Was the raft log corrupted, truncated, or lost?"),
            );
            self.break_rule(format_args!(
                "{host}: {name} was started on old data (log ends at {last}, {commit} was acknowledged)"
            ));
            return self.unit_failed(host, name);
        }
        let text = format!(
            "etcdserver: restarting member {:x} in cluster {:x} at commit index {}",
            data.member, data.cluster, data.index
        );
        self.log_etcd(host, name, 'I', &text);
        let ours = data.cluster == self.cluster.id && data.member == member.id;
        if !ours {
            self.break_rule(format_args!("{host}: {name} was started on the data of another member"));
        }
        let reachable = unit.etcd_option("listen-peer-urls").is_some_and(|url| !url.contains("localhost"));
        let able = ours && reachable;
        let process = Process { unit: name.into(), release, data_dir: data_dir.into(), owner, joined: false, able };
        self.cluster.processes.insert(host.clone(), process);
        if let Some(own_name) = unit.etcd_option("name")
            && let Some(member) = self.cluster.members.iter_mut().find(|member| member.host == *host)
            && able
        {
            member.name = own_name;
        }
        if name == "etcd2.service" || name == "etcd.pod" || unit.exec_start.contains("runc") {
            // 2.3 says READY before it has joined, later ones after; a container runs as soon as its process does.
            self.unit_running(host, name);
        }
        self.regroup();
    }

    /// The only member finds no data and nobody to ask: it begins an empty cluster, under whatever relied on the old one.
    fn begin_anew(&mut self, host: &HostName, name: &str) {
        self.cluster.fresh();
        let kube = self.kube_of(host);
        let held = kube.nodes.len() + kube.pods.len();
        kube.nodes.clear();
        kube.pods.clear();
        kube.budgets.clear();
        kube.sets.clear();
        self.break_rule(format_args!("{host}: {name} began an empty cluster, and all keys are lost"));
        if held > 0 {
            self.break_rule(format_args!("the API server answers with empty lists, since etcd on {host} is empty"));
        }
    }

    /// A directory whose `member` level is missing: 3.0 and earlier put it right, later ones start empty.
    fn repair_layout(&mut self, host: &HostName, name: &str, release: Release, dir: &str, disk: &Disk) {
        let flat = |part: &str| format!("{dir}/{part}");
        if disk.exists(flat("member")) || !disk.exists(flat("wal")) {
            return;
        }
        if release < Release(3, 1, 0) {
            for part in ["snap", "wal"] {
                for (path, node) in disk.tree(flat(part)) {
                    let below = path.strip_prefix(dir).unwrap_or(Path::new(part));
                    disk.place(Path::new(dir).join("member").join(below), node);
                }
                disk.delete(flat(part));
            }
            disk.own(flat("member"), Some("etcd"), Some(0o700));
        } else {
            let text = "etcdmain: found invalid file/dir snap under data dir (Ignore this if you are upgrading etcd)";
            self.log_etcd(host, name, 'W', text);
        }
    }

    /// The unit's process ends: what it knows is in its log.
    pub(super) fn end_process(&mut self, host: &HostName, name: &str, cause: Option<&str>) {
        if self.cluster.processes.get(host).is_none_or(|process| process.unit != name) {
            return;
        }
        let had_quorum = self.cluster.has_quorum();
        if let (Some(cause), Some(alarm)) = (cause, self.cluster.alarms.first()) {
            let name = alarm.name;
            self.break_rule(format_args!("{cause}: an etcd member was stopped while the alarm {name} was raised"));
        }
        if let Some(process) = self.cluster.processes.remove(host) {
            self.save(host, &process);
        }
        self.lost_quorum(had_quorum, cause);
        self.regroup();
    }

    /// Writes down how far a member's log is.
    fn save(&mut self, host: &HostName, process: &Process) {
        let (Some(member), cluster) = (self.cluster.member_of(host), self.cluster.id) else { return };
        let (member, index) = (member.id, member.acknowledged);
        let disk = self.machine(host).disk.clone();
        if process.joined && disk.exists(format!("{}/member", process.data_dir)) {
            let owner = process.owner.unwrap_or("root");
            Data { cluster, member, release: process.release, index }.write(&disk, &process.data_dir, owner);
        }
    }

    fn lost_quorum(&mut self, had_quorum: bool, cause: Option<&str>) {
        // A cluster that holds nothing yet can be taken down again.
        if had_quorum
            && !self.cluster.has_quorum()
            && self.cluster.members.len() > 1
            && !self.cluster.keys.is_empty()
            && let Some(cause) = cause
        {
            self.break_rule(format_args!("quorum of etcd was lost by {cause}"));
        }
    }

    /// Somebody came or went: sees who reaches whom, who leads, and who has joined by it.
    pub(super) fn regroup(&mut self) {
        let cluster = &mut self.cluster;
        let together: Vec<u64> = cluster.together().iter().map(|member| member.id).collect();
        let quorum = together.len() >= cluster.quorum();
        if cluster.leader.is_some_and(|leader| !together.contains(&leader)) || !quorum {
            cluster.leader = None;
        }
        if quorum && cluster.leader.is_none() {
            cluster.round += 1;
            let round = cluster.round;
            let delay = self.random.millis(1000..2000);
            self.after(delay, Happening::Elect { round });
        }
        self.complain_of_strangers(&together);
        self.publish();
    }

    /// Members that run and belong to no quorum say why, and so do the others.
    fn complain_of_strangers(&mut self, together: &[u64]) {
        let running: Vec<(HostName, String, Release, u64)> = self
            .cluster
            .members
            .iter()
            .filter_map(|m| {
                self.cluster.processes.get(&m.host).map(|p| (m.host.clone(), p.unit.clone(), p.release, m.id))
            })
            .collect();
        for (host, unit, release, id) in &running {
            for (other, other_unit, remote, remote_id) in &running {
                if release.speaks_to(*remote)
                    || release < remote
                    || together.contains(id) && together.contains(remote_id)
                {
                    continue;
                }
                let low = format!(
                    "rafthttp: request version incompatibility (remote version is too low: remote[{remote_id:x}]={remote}, local={release})"
                );
                self.log_etcd(host, unit, 'E', &low);
                let mirror = format!(
                    "rafthttp: request version incompatibility (local version is too low: remote[{id:x}]={release}, local={remote})"
                );
                self.log_etcd(other, other_unit, 'E', &mirror);
            }
        }
    }

    pub(super) fn elect(&mut self, round: u64) {
        if self.cluster.round != round || self.cluster.leader.is_some() || !self.cluster.has_quorum() {
            return;
        }
        let together: Vec<(u64, HostName)> =
            self.cluster.together().iter().map(|member| (member.id, member.host.clone())).collect();
        let (leader, _) = together[self.random.below(together.len() as u64) as usize];
        self.cluster.leader = Some(leader);
        self.cluster.led_since = self.now;
        self.cluster.term += 1;
        self.cluster.index += 1;
        let term = self.cluster.term;
        for (id, host) in together {
            if let Some(unit) = self.cluster.processes.get(&host).map(|process| process.unit.clone()) {
                let text = format!("raft: raft.node: {id:x} elected leader {leader:x} at term {term}");
                self.log_etcd(&host, &unit, 'I', &text);
            }
        }
        self.publish();
    }

    /// Members that reach a quorum with a leader and had not joined have joined now.
    fn publish(&mut self) {
        if self.cluster.leader.is_none() {
            return;
        }
        let new: Vec<_> = self
            .cluster
            .together()
            .iter()
            .filter(|member| self.cluster.processes.get(&member.host).is_some_and(|process| !process.joined))
            .map(|member| (*member).clone())
            .collect();
        for member in new {
            let host = &member.host;
            let Some(process) = self.cluster.processes.get_mut(host) else { continue };
            process.joined = true;
            let process = process.clone();
            self.cluster.index += 1;
            if process.release.0 >= 3 {
                let minor = self.cluster.version.minor();
                self.log_etcd(
                    host,
                    &process.unit,
                    'N',
                    &format!("membership: set the initial cluster version to {minor}"),
                );
            }
            let text = format!(
                "etcdserver: published {{Name:{} ClientURLs:[{}]}} to cluster {:x}",
                member.name, member.client_url, self.cluster.id
            );
            self.log_etcd(host, &process.unit, 'I', &text);
            if let Some(row) = self.cluster.members.iter_mut().find(|row| row.id == member.id) {
                (row.acknowledged, row.published) = (self.cluster.index, true);
            }
            self.save(host, &process);
            if !self.machine(host).is_active(&process.unit) {
                self.unit_running(host, &process.unit);
            }
        }
        if self.next_version().is_some() {
            self.after(Duration::from_secs(1), Happening::Raise);
        }
    }

    /// The version that all members could agree on and have not yet.
    fn next_version(&self) -> Option<Release> {
        let lowest = self
            .cluster
            .members
            .iter()
            .map(|member| {
                self.cluster.processes.get(&member.host).filter(|process| process.joined).map(|process| process.release)
            })
            .collect::<Option<Vec<_>>>()?
            .into_iter()
            .min()?
            .cluster();
        (lowest > self.cluster.version && self.cluster.leader.is_some()).then_some(lowest)
    }

    pub(super) fn raise(&mut self) {
        let Some(to) = self.next_version() else { return };
        let (from, to_minor) = (self.cluster.version.minor(), to.minor());
        self.cluster.version = to;
        let leader = self.cluster.leader;
        for member in self.cluster.members.clone() {
            let Some(unit) = self.cluster.processes.get(&member.host).map(|process| process.unit.clone()) else {
                continue;
            };
            if Some(member.id) == leader {
                let text = format!("etcdserver: updating the cluster version from {from} to {to_minor}");
                self.log_etcd(&member.host, &unit, 'I', &text);
            }
            let text = format!("membership: updated the cluster version from {from} to {to_minor}");
            self.log_etcd(&member.host, &unit, 'N', &text);
            self.log_etcd(&member.host, &unit, 'I', &format!("api: enabled capabilities for version {to_minor}"));
        }
    }

    /// A member that did not answer its peers does again.
    pub(super) fn recover(&mut self, host: &HostName) {
        if let Some(member) = self.cluster.members.iter_mut().find(|member| member.host == *host) {
            member.ill = false;
        }
        self.regroup();
    }
}
