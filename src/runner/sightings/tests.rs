//! What a day of many hosts comes to, and that nobody waits for what was thinned.

use super::*;
use crate::engine;
use crate::journal::{Store as _, Writer};
use crate::model::event::Mode;
use crate::model::{Inventory, Record};

/// A session of hosts that are looked at, with its journal.
struct Desk {
    state: State,
    sightings: Sightings,
    now: Timestamp,
    writer: Writer,
    kinds: HashMap<&'static str, usize>,
    directory: tempfile::TempDir,
}

impl Desk {
    fn new(started: Event) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let writer = Writer::create(&directory.path().join("session.jsonl")).unwrap();
        let (state, kinds) = (State::default(), HashMap::new());
        let mut desk =
            Self { state, sightings: Sightings::new(), now: Timestamp::UNIX_EPOCH, writer, kinds, directory };
        desk.record(started);
        for host in desk.state.hosts.keys().cloned().collect::<Vec<_>>() {
            desk.record(Event::HostConnected { host });
        }
        desk
    }

    fn watching(hosts: usize) -> Self {
        let hosts: Vec<Value> = (1..=hosts)
            .map(|number| serde_json::json!({"name": format!("worker{number}"), "connection": "practice"}))
            .collect();
        let inventory: Inventory = serde_json::from_value(serde_json::json!({
            "cluster": "many", "ssh": {}, "vars": {}, "hosts": hosts.into_iter().map(|mut host| {
                host["roles"] = serde_json::json!(["worker"]);
                host["ssh"] = serde_json::json!({});
                host["vars"] = serde_json::json!({});
                host
            }).collect::<Vec<_>>(),
        }))
        .unwrap();
        Self::new(Event::SessionStarted {
            session: "s".into(),
            mode: Mode::Practice,
            version: "0".into(),
            operator: "o".into(),
            inventory: Box::new(inventory),
            plan: None,
        })
    }

    fn record(&mut self, event: Event) {
        let kind = match event {
            Event::Beat { .. } => "beat",
            Event::FactsSeen { .. } => "facts-seen",
            Event::FactsChanged { .. } => "facts-changed",
            _ => "other",
        };
        *self.kinds.entry(kind).or_default() += 1;
        self.sightings.recorded(&event);
        let record = Record { seq: self.state.seq + 1, at: self.now, event };
        self.writer.write(std::slice::from_ref(&record)).unwrap();
        self.state.apply(&record);
    }

    /// A probe comes back that was sent out after event `asked`.
    fn see(&mut self, host: &HostName, asked: u64, facts: &Facts) {
        let facts = Box::new(facts.clone());
        if let Some(event) = self.sightings.take(&self.state, self.now, host.clone(), asked, facts) {
            self.record(event);
        }
    }

    fn settle(&mut self) {
        for event in self.sightings.due(&self.state, self.now) {
            self.record(event);
        }
    }

    fn bytes(&self) -> u64 {
        self.directory.path().join("session.jsonl").metadata().unwrap().len()
    }

    fn age(&self, host: &HostName) -> SignedDuration {
        self.now.duration_since(self.state.hosts[host].facts.as_ref().unwrap().at)
    }
}

/// As long as those of a host of Kubernetes, with what moves by itself.
fn facts() -> Facts {
    let records = crate::journal::read(std::path::Path::new("tests/journals/container-linux.jsonl")).unwrap().records;
    let whole = records.into_iter().filter_map(|record| match record.event {
        Event::FactsSeen { facts, .. } => Some(*facts),
        _ => None,
    });
    let mut facts = whole.max_by_key(|facts| serde_json::to_string(facts).unwrap().len()).unwrap();
    facts.clock_ms = Some(0);
    for disk in facts.disks.values_mut() {
        (disk.free_kib, disk.size_kib) = (40_000_000, 100_000_000);
    }
    let etcd = facts.etcd.get_or_insert_default();
    (etcd.raft_index, etcd.raft_term) = (Some(1_000_000), Some(7));
    facts
}

/// Moves as real hosts do: at four probes of five.
fn churn(facts: &mut Facts, round: i64) {
    if round % 5 == 0 {
        return;
    }
    facts.clock_ms = Some(200 * (round % 2));
    facts.disks.values_mut().for_each(|disk| disk.free_kib -= 1024 * (round % 2));
    let etcd = facts.etcd.as_mut().unwrap();
    etcd.raft_index = etcd.raft_index.map(|index| index + 23);
}

#[test]
fn a_day_of_500_hosts_is_under_200_megabytes() {
    const HOSTS: usize = 500;
    // What always moves is told of every host once in this time.
    let rounds = HELD.as_secs() / 2 + 5;
    let mut desk = Desk::watching(HOSTS);
    let mut all: Vec<(HostName, Facts)> = desk.state.hosts.keys().map(|host| (host.clone(), facts())).collect();
    let whole = serde_json::to_string(&all[0].1).unwrap().len();
    let mut begun = 0;
    let mut oldest = SignedDuration::ZERO;
    for round in 0..rounds {
        // Two seconds, in which the answers of all hosts come in, ten times as many at once.
        for part in all.chunks_mut(HOSTS / 10) {
            desk.now += SignedDuration::from_millis(200);
            let asked = desk.state.seq.saturating_sub(3);
            for (host, facts) in part {
                churn(facts, round);
                desk.see(host, asked, facts);
            }
            desk.settle();
        }
        if round == 0 {
            begun = desk.bytes();
            desk.kinds.clear();
        } else {
            oldest = oldest.max(desk.state.hosts.keys().map(|host| desk.age(host)).max().unwrap());
        }
    }
    let seconds = 2 * (rounds - 1);
    let a_day = |bytes: u64| bytes * 86_400 / seconds as u64;
    let told = a_day(desk.bytes() - begun);
    // Facts are told whole again after so many bytes of changes as they are long.
    let again = a_day(desk.sightings.told.values().map(|told| told.since as u64).sum());
    let day = begun + told + again;
    println!("{day} bytes a day; facts of {whole} bytes; {:?} in {seconds} s; at most {oldest:#} old", desk.kinds);
    assert!(desk.kinds["facts-changed"] >= HOSTS, "what moves is told");
    assert!(day < 200_000_000, "{day} bytes a day");
    assert!(oldest <= SignedDuration::from_secs(10), "half of what counts as fresh: {oldest:#}");
    let read = crate::journal::read(&desk.directory.path().join("session.jsonl")).unwrap();
    assert_eq!(State::of(&read.records), desk.state, "the journal is the session");
}

#[test]
fn what_somebody_waits_for_is_told_soon_and_to_the_last_digit() {
    let records = crate::journal::read(std::path::Path::new("tests/journals/container-linux.jsonl")).unwrap().records;
    let mut desk = Desk::new(records[0].event.clone());
    let host = HostName::from("etcd1");
    let mut facts = facts();
    desk.see(&host, desk.state.seq, &facts);
    desk.now += SignedDuration::from_secs(1);
    churn(&mut facts, 1);
    desk.see(&host, desk.state.seq, &facts);
    desk.settle();
    let known = |desk: &Desk| desk.state.hosts[&HostName::from("etcd1")].facts.clone().unwrap();
    assert_ne!(*known(&desk).facts, facts, "it moves a little, and nobody waits for it");
    for event in engine::advance(&desk.state, desk.now) {
        desk.record(event);
    }
    let shown = desk.state.tasks[0].since_seq;
    assert!(desk.state.gates().next().is_some(), "a gate is shown");
    // Sent out before: it does not count for the gate.
    desk.see(&host, shown - 1, &facts);
    assert!(known(&desk).asked < shown);
    desk.see(&host, shown, &facts);
    assert_eq!((&*known(&desk).facts, known(&desk).asked), (&facts, shown), "told at once, exactly");
    let gate = desk.state.gates().next().unwrap();
    desk.record(Event::GateShown { task: gate });
    let shown = desk.state.seq;
    desk.see(&host, shown, &facts);
    assert_eq!(known(&desk).asked, shown, "nothing has changed, and the gate waits for it");
    // Another host, for which no gate waits alone.
    let other = HostName::from("worker1");
    desk.see(&other, 1, &facts);
    desk.now += SOON;
    desk.see(&other, shown, &facts);
    assert_eq!(desk.sightings.due_in(&desk.state, desk.now), Some(Duration::ZERO));
    desk.settle();
    assert_eq!(desk.state.hosts[&other].facts.as_ref().unwrap().asked, shown);
}

#[test]
fn what_was_lost_or_resumed_is_told_whole_again() {
    let mut desk = Desk::watching(2);
    let (host, facts) = (HostName::from("worker1"), facts());
    let whole = |desk: &Desk| desk.kinds.get("facts-seen").copied().unwrap_or_default();
    desk.see(&host, 1, &facts);
    desk.see(&host, 2, &facts);
    assert_eq!(whole(&desk), 1);
    desk.record(Event::HostLost { host: host.clone(), reason: "gone".into() });
    desk.now += SignedDuration::from_mins(1);
    desk.settle();
    assert!(!desk.kinds.contains_key("beat"), "what was seen before it was lost is no news");
    desk.record(Event::HostConnected { host: host.clone() });
    desk.see(&host, 3, &facts);
    assert_eq!(whole(&desk), 2);
    desk.record(Event::SessionResumed { operator: "o".into() });
    desk.record(Event::HostConnected { host: host.clone() });
    desk.see(&host, 4, &facts);
    assert_eq!(whole(&desk), 3);
    let mut other = facts.clone();
    other.boot_id = Some("another".into());
    desk.see(&host, 5, &other);
    assert_eq!(*desk.state.hosts[&host].facts.as_ref().unwrap().facts, other);
    assert_eq!((whole(&desk), desk.kinds["facts-changed"]), (3, 1));
}
