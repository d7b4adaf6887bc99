//! A cluster of three members that obeys, and a session on it that is driven event by event.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::engine::*;
use crate::model::diff::{Comparison, There};
use crate::model::event::{Event, FailedAt, Record};
use crate::model::facts::{Etcd, Facts, Member, Unit};
use crate::model::inventory::{Host, Inventory, Role};
use crate::model::plan::{Plan, PushFile, Task};
use crate::model::progress::tests::{assert_counted, started};
use crate::model::runbook::{Check, Component, Convert, Expression, Fetch, Order, Runbook, Stage, Step};
use crate::model::{Digest, JobName};

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

/// The same steps with all that a step can be: files go and come, every step owns up to what it stops and leads back, and a
/// second stage looks through all members once more, a file for each.
pub(super) fn rich_plan(order: Order, second: Order) -> Plan {
    let mut steps = steps();
    steps[0].stops = vec![Component::Etcd];
    steps[1].fetch = vec![Fetch { path: "/var/backup".into(), name: "backup".into() }];
    steps[2].starts = vec![Component::Etcd];
    (steps[2].point_of_no_return, steps[2].undo) = (None, Some("systemctl stop etcd".into()));
    let mut plan = plan(steps, order);
    let look = Step {
        name: "look".into(),
        require: vec![check("host.etcd.healthy")],
        run: Some("look".into()),
        fetch: vec![Fetch { path: "/var/seen".into(), name: "seen".into() }],
        ..Step::default()
    };
    let mut stage = plan.runbook.stages[0].clone();
    (stage.name, stage.steps, stage.order) = ("look-through".into(), vec![look], second);
    plan.runbook.stages.push(stage);
    let file = |path: &str| PushFile {
        path: path.into(),
        mode: "0644".into(),
        content: "x".into(),
        sha256: Digest::of(b"x"),
        artifact: None,
        source: None,
        convert: Convert::None,
        config: None,
    };
    for task in plan.tasks.iter_mut().filter(|task| task.step == 1) {
        task.pushes = vec![file("/etc/a"), file("/etc/b")];
    }
    for host in HOSTS {
        let id = TaskId(plan.tasks.len() as u32);
        let (host, pushes) = (HostName::from(host), vec![file("/etc/c")]);
        plan.tasks.push(Task { id, stage: 1, step: 0, on: host.clone(), host, pushes, kept: BTreeMap::new() });
    }
    plan
}

/// A cluster that obeys, and a session on it.
pub(super) struct Play {
    pub(super) state: State,
    pub(super) records: Vec<Record>,
    pub(super) now: Timestamp,
    pub(super) up: BTreeMap<&'static str, bool>,
    /// Members that our scripts left stopped.
    pub(super) stopped_by_us: BTreeSet<&'static str>,
    /// Jobs that a host was asked to start.
    started: BTreeSet<JobName>,
}

impl Play {
    pub(super) fn new(plan: Plan) -> Self {
        let mut play = Self {
            state: State::default(),
            records: Vec::new(),
            now: Timestamp::UNIX_EPOCH,
            up: HOSTS.iter().map(|host| (*host, true)).collect(),
            stopped_by_us: BTreeSet::new(),
            started: BTreeSet::new(),
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
    pub(super) fn hold(&mut self) {
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

    /// The hosts carry out whatever is wanted of them, scripts ending with `exit`.
    pub(super) fn work(&mut self, exit: i32) {
        while let Some(effect) = wanted(&self.state).into_iter().next() {
            self.carry_out(effect, exit);
        }
    }

    /// A host carries out one thing that is wanted of it.
    pub(super) fn carry_out(&mut self, Effect { task, act }: Effect, exit: i32) {
        match act {
            Act::Start(job) => {
                self.start(task, &job);
                self.record(Event::JobStarted { task });
            }
            Act::Follow(_) => {
                let (planned, step, current) = self.state.task(task).unwrap();
                let host = HOSTS.into_iter().find(|host| *host == planned.host.as_str()).unwrap();
                let undo = current.job.as_ref().unwrap().kind == JobKind::Undo;
                let effect = match (step.name.as_str(), undo) {
                    ("stop", false) | ("start", true) => Some(false),
                    ("stop", true) | ("start", false) => Some(true),
                    _ => None,
                };
                if let (Some(up), 0) = (effect, exit) {
                    if up {
                        self.stopped_by_us.remove(host);
                    } else if self.up[host] {
                        self.stopped_by_us.insert(host);
                    }
                    self.up.insert(host, up);
                }
                self.record(Event::JobFinished { task, exit });
            }
            Act::Claim(_) => self.record(Event::JobAbsent { task }),
            Act::End(_) => self.record(Event::JobEndSent { task }),
            Act::Compare(path) => {
                let comparison = Comparison { there: There::Nothing, lines: Vec::new(), more: 0 };
                self.record(Event::FileCompared { task, path, comparison: Box::new(comparison) });
            }
            Act::Push(path) => self.record(Event::FilePushed { task, path, sha256: Digest::of(b"pushed") }),
            Act::Fetch(path) => {
                let (to, bytes, sha256) = (path.clone(), 1, Digest::of(b"fetched"));
                self.record(Event::ArtifactFetched { task, path, to, bytes, sha256 });
            }
        }
        self.settle();
    }

    /// A host is asked to start a job: never one that it was asked for before, and no step's script before its files are there.
    pub(super) fn start(&mut self, task: TaskId, job: &JobName) {
        let since = self
            .records
            .iter()
            .rposition(|record| matches!(&record.event, Event::GateOpened { task: opened, .. } if *opened == task));
        let pushed = |path: &str| {
            self.records[since.expect("its gate was opened")..].iter().any(|record| {
                matches!(&record.event, Event::FilePushed { task: of, path: there, .. } if *of == task && there == path)
            })
        };
        let (planned, _, current) = self.state.task(task).unwrap();
        if current.job.as_ref().unwrap().kind == JobKind::Run {
            assert!(planned.pushes.iter().all(|push| pushed(&push.path)), "{job} runs without its files");
        }
        assert!(self.started.insert(job.clone()), "{job} was started twice");
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
