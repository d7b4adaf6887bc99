//! Sessions of any size to measure on: one stage of five steps on all workers at once, on facts of the recorded session.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each benchmark takes what it needs, and may end where it cannot go on"
)]

use std::collections::BTreeMap;

use jiff::Timestamp;
use lockkeeper::engine;
use lockkeeper::model::event::{JobKind, Mode};
use lockkeeper::model::inventory::{Connection, Ssh};
use lockkeeper::model::plan::Task;
use lockkeeper::model::runbook::{Check, Expression, Order, ProbeSpec, Runbook, Stage, Step};
use lockkeeper::model::{Event, Facts, Host, HostName, Inventory, Plan, Record, Role, State, TaskId};

/// Steps of the stage.
pub const STEPS: usize = 5;

/// A session, and the facts that its hosts have.
pub struct Session {
    /// What it adds up to.
    pub state: State,
    /// Of every host, in the inventory's order.
    pub facts: Vec<(HostName, Facts)>,
}

impl Session {
    /// So many hosts, all connected and seen, each at its first gate and the gates ready to open.
    pub fn at_gates(hosts: usize) -> Self {
        let plan = plan(hosts);
        let facts = facts(&plan.inventory);
        let mut session = Self { state: State::default(), facts };
        session.record(Event::SessionStarted {
            session: "01234567".into(),
            mode: Mode::Practice,
            version: "0".into(),
            operator: "bench".into(),
            inventory: Box::new(plan.inventory.clone()),
            plan: Some(Box::new(plan)),
        });
        for (host, _) in session.facts.clone() {
            session.record(Event::HostConnected { host: host.clone() });
            session.record(Event::LeaseTaken { host, from: None });
        }
        session.settle();
        session.see();
        session
    }

    /// The same with every gate opened and every script running.
    pub fn running(hosts: usize) -> Self {
        let mut session = Self::at_gates(hosts);
        for task in session.state.gates().collect::<Vec<_>>() {
            let job = format!("job-{task}").into();
            session.record(Event::GateOpened { task, typed: None, checks: Vec::new(), boot_id: None, shown_ms: None });
            session.record(Event::JobIntended { task, kind: JobKind::Run, job });
            session.record(Event::JobStarted { task });
        }
        session
    }

    /// The same with every script through, and what it should bring about not seen yet.
    pub fn verifying(hosts: usize) -> Self {
        let mut session = Self::running(hosts);
        for task in session.state.under_way().collect::<Vec<_>>() {
            session.record(Event::JobFinished { task, exit: 0 });
            session.record(Event::VerifyStarted { task });
        }
        session.see();
        session
    }

    /// So many lines more, over all hosts.
    pub fn with_log(mut self, lines: usize) -> Self {
        let tasks: Vec<TaskId> = self.state.task_ids().step_by(STEPS).collect();
        for line in 0..lines {
            let text = format!("line {line}: Unpacking kubelet (1.31.4-1.1) over (1.30.4-1.1) ...\n");
            self.record(Event::JobOutput {
                task: tasks[line % tasks.len()],
                offset: 0,
                bytes: text.len() as u64,
                text,
            });
        }
        self
    }

    /// Takes an event in.
    pub fn record(&mut self, event: Event) {
        let record = Record { seq: self.state.seq + 1, at: now(), event };
        self.state.apply(&record);
    }

    /// Takes in what follows by itself.
    pub fn settle(&mut self) {
        loop {
            let events = engine::advance(&self.state, now());
            if events.is_empty() {
                return;
            }
            events.into_iter().for_each(|event| self.record(event));
        }
    }

    /// Every host is probed.
    pub fn see(&mut self) {
        for (host, facts) in self.facts.clone() {
            let asked = self.state.seq;
            self.record(Event::FactsSeen { host, asked, facts: Box::new(facts) });
        }
    }
}

/// The moment of everything here.
pub fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn check(that: &str) -> Check {
    Check { says: String::new(), that: Expression(that.into()), because: format!("{that} must hold"), within: None }
}

fn plan(hosts: usize) -> Plan {
    let masters = (1..=3).map(|number| (format!("master{number}"), vec![Role::Etcd, Role::ControlPlane]));
    let workers = (1..=hosts).map(|number| (format!("worker{number}"), vec![Role::Worker]));
    let host = |(name, roles): (String, Vec<Role>)| Host {
        name: name.into(),
        address: None,
        roles,
        connection: Connection::Practice,
        node: None,
        ssh: Ssh::default(),
        vars: indexmap::IndexMap::new(),
    };
    let hosts: Vec<Host> = masters.chain(workers).map(host).collect();
    let step = |number: usize| Step {
        name: format!("step-{number}"),
        title: "A step".into(),
        // One of each kind that the built-in runbooks have: of the host, of the cluster, of all hosts.
        require: vec![
            check("kube.healthy && kube.nodes[host.node].ready"),
            check("host.units['kubelet.service'].active == 'active'"),
            check("etcd.members.all(m, m.healthy) && etcd.healthy - 1 >= etcd.quorum"),
            check("hosts.all(h, h.boot_id != '') && vars.target != ''"),
        ],
        run: Some("apt-get install -y kubelet=\"$target\"".into()),
        verify: vec![check("host.units['kubelet.service'].active == 'restarted'")],
        undo: Some("apt-get install -y kubelet=\"$previous\"".into()),
        ..Step::default()
    };
    let stage = Stage {
        each: None,
        vars: BTreeMap::new(),
        name: "workers".into(),
        title: "Workers".into(),
        hosts: vec![Role::Worker],
        order: Order::AllAtOnce,
        leader_last: false,
        steps: (0..STEPS).map(step).collect(),
    };
    let workers: Vec<&Host> = hosts.iter().filter(|host| host.roles.contains(&Role::Worker)).collect();
    let tasks = workers.iter().flat_map(|host| (0..STEPS).map(|step| (host.name.clone(), step))).enumerate();
    let task = |(place, (host, step)): (usize, (HostName, usize))| Task {
        id: TaskId(place as u32),
        stage: 0,
        step,
        on: host.clone(),
        host,
        pushes: Vec::new(),
        kept: BTreeMap::new(),
    };
    let values = |host: &Host| (host.name.clone(), BTreeMap::from([("target".into(), "1.31.4".into())]));
    Plan {
        tasks: tasks.map(task).collect(),
        vars: hosts.iter().map(values).collect(),
        secrets: BTreeMap::new(),
        runbook: Runbook {
            name: "bench".into(),
            title: "A stage of five steps on all workers".into(),
            about: String::new(),
            vars: indexmap::IndexMap::new(),
            practice: indexmap::IndexMap::new(),
            probe: ProbeSpec::default(),
            stages: vec![stage],
            promise: Vec::new(),
        },
        inventory: Inventory { cluster: "bench".into(), hosts, ..Inventory::default() },
    }
}

/// What the hosts of the recorded session were last seen to be, for as many hosts as there are here.
fn facts(inventory: &Inventory) -> Vec<(HostName, Facts)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/journals/container-linux.jsonl");
    let recorded = State::of(&lockkeeper::journal::read(path.as_ref()).unwrap().records);
    let of = |host: &str| (*recorded.hosts[host].facts.as_ref().unwrap().facts).clone();
    let (master, worker, member) = (of("master1"), of("worker1"), of("etcd1"));
    let mut kube = master.kube.clone().unwrap();
    let node = kube.nodes.values().next().unwrap().clone();
    kube.nodes = inventory.hosts.iter().map(|host| (host.name.to_string(), node.clone())).collect();
    let seen = |host: &Host| {
        let mut facts = worker.clone();
        if host.roles.contains(&Role::ControlPlane) {
            facts = Facts { etcd: member.etcd.clone(), kube: Some(kube.clone()), ..master.clone() };
        }
        facts.boot_id = Some(host.name.to_string());
        (host.name.clone(), facts)
    };
    inventory.hosts.iter().map(seen).collect()
}
