//! A cluster of three members that obeys, and a session on it that is driven event by event.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::engine::*;
use crate::model::event::{Event, FailedAt, Record};
use crate::model::facts::{Etcd, Facts, Member, Unit};
use crate::model::inventory::{Host, Inventory, Role};
use crate::model::plan::{Plan, Task};
use crate::model::progress::tests::{assert_counted, started};
use crate::model::runbook::{Check, Expression, Order, Runbook, Stage, Step};

pub(super) const HOSTS: [&str; 3] = ["etcd1", "etcd2", "etcd3"];

pub(super) fn check(that: &str) -> Check {
    Check { says: String::new(), that: Expression(that.into()), because: format!("{that} must hold"), within: None }
}

/// stop (quorum guarded, can be undone) → swap (no way back) → start (verified).
pub(super) fn steps() -> Vec<Step> {
    vec![
        Step {
            name: "stop".into(),
            require: vec![check("etcd.members.all(m, m.healthy)"), check("etcd.healthy - 1 >= etcd.quorum")],
            run: Some("systemctl stop etcd".into()),
            undo: Some("systemctl start etcd".into()),
            verify: vec![check("host.units['etcd'].active == 'inactive'")],
            ..Step::default()
        },
        Step { name: "swap".into(), run: Some("swap".into()), undo: Some("swap back".into()), ..Step::default() },
        Step {
            name: "start".into(),
            run: Some("systemctl start etcd".into()),
            verify: vec![check("host.etcd.healthy")],
            point_of_no_return: Some("its data is rewritten".into()),
            ..Step::default()
        },
    ]
}

pub(super) fn plan(steps: Vec<Step>, order: Order) -> Plan {
    let hosts = HOSTS.map(|name| Host {
        name: name.into(),
        address: None,
        roles: vec![Role::Etcd],
        connection: crate::model::inventory::Connection::Practice,
        node: None,
        ssh: crate::model::inventory::Ssh::default(),
        vars: indexmap::IndexMap::new(),
    });
    let count = steps.len();
    let stage = Stage {
        each: None,
        vars: BTreeMap::new(),
        name: "members".into(),
        title: "Members".into(),
        hosts: vec![Role::Etcd],
        order,
        leader_last: true,
        steps,
    };
    let runbook = Runbook {
        name: "test".into(),
        title: "Test".into(),
        about: String::new(),
        vars: indexmap::IndexMap::new(),
        practice: indexmap::IndexMap::new(),
        probe: crate::model::runbook::ProbeSpec::default(),
        stages: vec![stage],
        promise: vec![check("etcd.members.all(m, m.healthy)")],
    };
    let tasks = HOSTS.iter().enumerate().flat_map(|(n, host)| {
        (0..count).map(move |step| Task {
            id: TaskId((n * count + step) as u32),
            stage: 0,
            step,
            host: (*host).into(),
            on: (*host).into(),
            pushes: Vec::new(),
            kept: BTreeMap::new(),
        })
    });
    Plan {
        tasks: tasks.collect(),
        inventory: Inventory { cluster: "test".into(), hosts: hosts.into(), ..Inventory::default() },
        runbook,
        vars: HOSTS.iter().map(|host| ((*host).into(), BTreeMap::new())).collect(),
        secrets: BTreeMap::new(),
    }
}

/// A cluster that obeys, and a session on it.
pub(super) struct Play {
    pub(super) state: State,
    pub(super) records: Vec<Record>,
    pub(super) now: Timestamp,
    pub(super) up: BTreeMap<&'static str, bool>,
}

impl Play {
    pub(super) fn new(plan: Plan) -> Self {
        let mut play = Self {
            state: State::default(),
            records: Vec::new(),
            now: Timestamp::UNIX_EPOCH,
            up: HOSTS.iter().map(|host| (*host, true)).collect(),
        };
        play.record(started(plan));
        play
    }

    pub(super) fn record(&mut self, event: Event) {
        let record = Record { seq: self.state.seq + 1, at: self.now, event };
        self.state.apply(&record);
        assert_counted(&self.state);
        self.records.push(record);
    }

    pub(super) fn settle(&mut self) {
        for _ in 0..1000 {
            let events = advance(&self.state, self.now);
            if events.is_empty() {
                return;
            }
            events.into_iter().for_each(|event| self.record(event));
        }
        panic!("the engine never comes to rest");
    }

    /// Every host is held that nobody else holds.
    fn hold(&mut self) {
        for host in HOSTS.map(HostName::from) {
            if self.state.host(&host).is_some_and(|known| !known.leased && known.barred.is_none()) {
                self.record(Event::LeaseTaken { host, from: None });
            }
        }
    }

    /// Every host is ours and probed now. etcd2 leads.
    pub(super) fn probe(&mut self) {
        self.hold();
        let members: Vec<Member> =
            HOSTS.iter().map(|name| Member { id: (*name).into(), name: (*name).into(), ..Member::default() }).collect();
        for host in HOSTS {
            let up = self.up[host];
            let etcd = Etcd {
                healthy: Some(up),
                leader: up.then_some(host == "etcd2"),
                members: up.then(|| members.clone()),
                ..Etcd::default()
            };
            let active = if up { "active" } else { "inactive" };
            let unit = Unit { active: active.into(), ..Unit::default() };
            let facts = Facts {
                etcd: Some(etcd),
                units: BTreeMap::from([("etcd".into(), unit)]),
                boot_id: Some("boot".into()),
                ..Facts::default()
            };
            let asked = self.state.seq;
            self.record(Event::FactsSeen { host: host.into(), asked, facts: Box::new(facts) });
        }
        self.settle();
    }

    pub(super) fn gate(&self) -> TaskId {
        self.state.gates().next().expect("a gate is shown")
    }

    pub(super) fn label(&self, id: TaskId) -> String {
        self.state.plan.as_ref().unwrap().label(id)
    }

    pub(super) fn submit(&mut self, intent: &Intent) -> Result<(), Refusal> {
        let events = decide(&self.state, self.now, intent)?;
        events.into_iter().for_each(|event| self.record(event));
        self.settle();
        Ok(())
    }

    /// Opens the gate that is shown with what it asks for.
    pub(super) fn open(&mut self) -> TaskId {
        let id = self.gate();
        let host = self.state.task(id).unwrap().0.host.to_string();
        self.submit(&Intent::OpenGate { task: id, typed: Some(host), shown_ms: None, together: None }).unwrap();
        id
    }

    /// The host carries out whatever is wanted of it, the script ending with `exit`.
    pub(super) fn work(&mut self, exit: i32) {
        while let Some(effect) = wanted(&self.state).into_iter().next() {
            let task = effect.task;
            match effect.act {
                Act::Start(_) => self.record(Event::JobStarted { task }),
                Act::Follow(_) => {
                    let (planned, step, current) = self.state.task(task).unwrap();
                    let host = HOSTS.into_iter().find(|host| *host == planned.host.as_str()).unwrap();
                    let undo = current.job.as_ref().unwrap().kind == JobKind::Undo;
                    let effect = match (step.name.as_str(), undo) {
                        ("stop", false) => Some(false),
                        ("stop", true) | ("start", false) => Some(true),
                        _ => None,
                    };
                    if let (Some(up), 0) = (effect, exit) {
                        self.up.insert(host, up);
                    }
                    self.record(Event::JobFinished { task, exit });
                }
                Act::Claim(_) => self.record(Event::JobAbsent { task }),
                Act::End(_) => self.record(Event::JobEndSent { task }),
                Act::Compare(_) | Act::Push(_) | Act::Fetch(_) => unreachable!("this plan has none"),
            }
            self.settle();
        }
    }

    /// Opens so many gates, one after the other, and has their work done.
    pub(super) fn walk(&mut self, gates: usize) {
        for _ in 0..gates {
            self.probe();
            self.open();
            self.work(0);
            self.probe();
        }
    }

    pub(super) fn failed_at(&self, id: TaskId) -> Option<FailedAt> {
        match &self.state.tasks[id.index()].phase {
            Phase::Failed { at, .. } => Some(*at),
            _ => None,
        }
    }

    pub(super) fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }
}
