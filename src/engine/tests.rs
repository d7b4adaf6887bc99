//! The engine as a whole: sessions driven event by event, by table and by chance.

mod ending;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::model::event::{Event, FailedAt, Mode, Outcome, Record};
use crate::model::facts::{Etcd, Facts, Member, Unit};
use crate::model::inventory::{Host, Inventory, Role};
use crate::model::plan::{Plan, Task};
use crate::model::runbook::{Check, Expression, Order, Runbook, Stage, Step};

const HOSTS: [&str; 3] = ["etcd1", "etcd2", "etcd3"];

fn check(that: &str) -> Check {
    Check { says: String::new(), that: Expression(that.into()), because: format!("{that} must hold"), within: None }
}

/// stop (quorum guarded, can be undone) → swap (no way back) → start (verified).
fn steps() -> Vec<Step> {
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

fn plan(steps: Vec<Step>, order: Order) -> Plan {
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
        })
    });
    Plan {
        tasks: tasks.collect(),
        inventory: Inventory { cluster: "test".into(), hosts: hosts.into(), ..Inventory::default() },
        runbook,
        vars: HOSTS.iter().map(|host| ((*host).into(), BTreeMap::new())).collect(),
    }
}

/// A cluster that obeys, and a session on it.
struct Play {
    state: State,
    records: Vec<Record>,
    now: Timestamp,
    up: BTreeMap<&'static str, bool>,
}

impl Play {
    fn new(plan: Plan) -> Self {
        let mut play = Self {
            state: State::default(),
            records: Vec::new(),
            now: Timestamp::UNIX_EPOCH,
            up: HOSTS.iter().map(|host| (*host, true)).collect(),
        };
        play.record(Event::SessionStarted {
            session: "s".into(),
            mode: Mode::Practice,
            version: "0".into(),
            operator: "o".into(),
            inventory: Box::new(plan.inventory.clone()),
            plan: Some(Box::new(plan)),
        });
        play
    }

    fn record(&mut self, event: Event) {
        let record = Record { seq: self.state.seq + 1, at: self.now, event };
        self.state.apply(&record);
        crate::model::progress::tests::assert_counted(&self.state);
        self.records.push(record);
    }

    fn settle(&mut self) {
        for _ in 0..1000 {
            let events = advance(&self.state, self.now);
            if events.is_empty() {
                return;
            }
            events.into_iter().for_each(|event| self.record(event));
        }
        panic!("the engine never comes to rest");
    }

    /// Every host is probed now. etcd2 leads.
    fn probe(&mut self) {
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

    fn gate(&self) -> TaskId {
        self.state.gates().next().expect("a gate is shown")
    }

    fn label(&self, id: TaskId) -> String {
        self.state.plan.as_ref().unwrap().label(id)
    }

    fn submit(&mut self, intent: &Intent) -> Result<(), Refusal> {
        let events = decide(&self.state, self.now, intent)?;
        events.into_iter().for_each(|event| self.record(event));
        self.settle();
        Ok(())
    }

    /// Opens the gate that is shown with what it asks for.
    fn open(&mut self) -> TaskId {
        let id = self.gate();
        let host = self.state.task(id).unwrap().0.host.to_string();
        self.submit(&Intent::OpenGate { task: id, typed: Some(host), shown_ms: None, together: None }).unwrap();
        id
    }

    /// The host carries out whatever is wanted of it, the script ending with `exit`.
    fn work(&mut self, exit: i32) {
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

    fn failed_at(&self, id: TaskId) -> Option<FailedAt> {
        match &self.state.tasks[id.index()].phase {
            Phase::Failed { at, .. } => Some(*at),
            _ => None,
        }
    }

    fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }
}

#[test]
fn a_whole_session_takes_the_leader_last_and_keeps_its_promise() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.probe();
    let mut order = Vec::new();
    for _ in 0..9 {
        play.probe();
        order.push(play.open());
        play.work(0);
        play.probe();
    }
    play.probe();
    assert_eq!(play.state.outcome, Some(Outcome::Completed), "{:?}", play.state.tally());
    let hosts: Vec<_> = order.iter().map(|id| play.state.task(*id).unwrap().0.host.to_string()).collect();
    assert_eq!(hosts, ["etcd1", "etcd1", "etcd1", "etcd3", "etcd3", "etcd3", "etcd2", "etcd2", "etcd2"]);
}

#[test]
fn a_gate_stays_shut_on_facts_from_before_it_was_shown() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    play.probe();
    play.open();
    play.work(0);
    // These facts end the first task, and with that show the next gate: they were asked for before it.
    play.probe();
    let task = play.gate();
    let refusal = play.submit(&Intent::OpenGate { task, typed: None, shown_ms: None, together: None }).unwrap_err();
    assert!(matches!(refusal, Refusal::NoFacts { .. }), "{refusal}");
    play.probe();
    play.submit(&Intent::OpenGate { task, typed: None, shown_ms: None, together: None }).unwrap();
}

#[test]
fn a_gate_stays_shut_on_old_facts() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    play.probe();
    play.pass(21);
    let task = play.gate();
    let refusal = play.submit(&Intent::OpenGate { task, typed: None, shown_ms: None, together: None }).unwrap_err();
    assert!(refusal.to_string().contains("21 s ago"), "{refusal}");
}

#[test]
fn a_gate_stays_shut_while_a_member_is_down() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    play.up.insert("etcd3", false);
    play.probe();
    let task = play.gate();
    let refusal = play.submit(&Intent::OpenGate { task, typed: None, shown_ms: None, together: None }).unwrap_err();
    assert!(
        matches!(&refusal, Refusal::Checks(checks) if checks.iter().filter(|check| !check.passed()).count() == 2),
        "{refusal}"
    );
}

#[test]
fn no_way_back_wants_the_hosts_name() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    for _ in 0..2 {
        play.probe();
        play.open();
        play.work(0);
        play.probe();
    }
    play.probe();
    let task = play.gate();
    for typed in [None, Some("etcd2".to_owned()), Some(String::new())] {
        let refusal = play.submit(&Intent::OpenGate { task, typed, shown_ms: None, together: None }).unwrap_err();
        assert_eq!(refusal, Refusal::NotConfirmed(Confirm::Host));
    }
    play.submit(&Intent::OpenGate { task, typed: Some("etcd1".into()), shown_ms: None, together: None }).unwrap();
}

#[test]
fn a_failed_script_stops_its_host_and_can_be_undone_to_the_safe_point() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    play.probe();
    play.open();
    play.work(0);
    play.probe();
    play.probe();
    let swap = play.open();
    play.work(7);
    assert_eq!(play.failed_at(swap), Some(FailedAt::Run));
    assert_eq!(play.state.gates().count(), 0, "nothing goes on past a failure");
    let chain = undo_chain(&play.state, &"etcd1".into()).unwrap();
    assert_eq!(
        chain.iter().map(|id| play.label(*id)).collect::<Vec<_>>(),
        ["members/stop on etcd1", "members/swap on etcd1"]
    );
    play.submit(&Intent::Undo { host: "etcd1".into() }).unwrap();
    play.work(0);
    assert!(play.up["etcd1"], "the member runs again");
    assert_eq!(play.state.task(play.gate()).unwrap().1.name, "stop", "and stands at its first gate");
}

#[test]
fn there_is_no_undo_behind_a_point_of_no_return() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    for _ in 0..3 {
        play.probe();
        play.open();
        play.work(0);
        play.probe();
    }
    let refusal = undo_chain(&play.state, &"etcd1".into()).unwrap_err();
    assert!(matches!(&refusal, Refusal::NoWayBack { why, .. } if why == "its data is rewritten"), "{refusal}");
}

#[test]
fn a_verification_fails_after_its_time_and_says_what_it_read() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    play.probe();
    let stop = play.open();
    while let Some(effect) = wanted(&play.state).into_iter().next() {
        let task = effect.task;
        play.record(match effect.act {
            Act::Start(_) => Event::JobStarted { task },
            _ => Event::JobFinished { task, exit: 0 },
        });
        play.settle();
    }
    play.pass(59);
    play.probe();
    assert_eq!(play.failed_at(stop), None);
    play.pass(2);
    play.probe();
    assert_eq!(play.failed_at(stop), Some(FailedAt::Verify));
    let Phase::Failed { reason, .. } = &play.state.tasks[stop.index()].phase else { panic!() };
    assert!(reason.contains("host.units['etcd'].active is active"), "{reason}");
    // It came true after all: the retry looks, and runs nothing again.
    play.up.insert("etcd1", false);
    play.submit(&Intent::Retry { task: stop }).unwrap();
    play.probe();
    assert_eq!(play.state.tasks[stop.index()].phase, Phase::Done);
    assert_eq!(play.state.tasks[stop.index()].attempts, 1);
}

#[test]
fn a_reboot_is_seen_by_the_boot_id() {
    let reboot = Step { name: "reboot".into(), run: Some("systemctl reboot".into()), reboots: true, ..Step::default() };
    let mut play = Play::new(plan(vec![reboot], Order::OneAtATime));
    play.settle();
    play.probe();
    let task = play.open();
    play.record(Event::JobStarted { task });
    play.record(Event::JobInterrupted { task, rebooted: true });
    play.settle();
    play.probe();
    assert_eq!(play.state.tasks[task.index()].phase, Phase::Verifying, "the same boot id is no reboot");
    let asked = play.state.seq;
    let facts = Facts { boot_id: Some("another".into()), ..Facts::default() };
    play.record(Event::FactsSeen { host: "etcd1".into(), asked, facts: Box::new(facts) });
    play.settle();
    assert_eq!(play.state.tasks[task.index()].phase, Phase::Done);
}

#[test]
fn an_interrupted_script_is_never_simply_run_again() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    play.probe();
    let stop = play.open();
    play.record(Event::JobStarted { task: stop });
    play.record(Event::JobInterrupted { task: stop, rebooted: false });
    play.settle();
    assert_eq!(play.failed_at(stop), Some(FailedAt::Interrupted));
    play.submit(&Intent::Retry { task: stop }).unwrap();
    assert_eq!(play.state.tasks[stop.index()].phase, Phase::Verifying);
    assert!(wanted(&play.state).is_empty());
}

#[test]
fn a_monitor_is_refused_everything() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    if let Some(session) = &mut play.state.session {
        session.mode = Mode::Monitor;
    }
    for intent in [Intent::Pause, Intent::Note { text: "x".into() }, Intent::Undo { host: "etcd1".into() }] {
        assert_eq!(play.submit(&intent), Err(Refusal::ReadOnly("monitor")));
    }
}

#[test]
fn words_are_asked_for() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    let task = play.gate();
    assert_eq!(play.submit(&Intent::Skip { task, reason: "  ".into() }), Err(Refusal::NoWords));
    assert_eq!(play.submit(&Intent::Note { text: String::new() }), Err(Refusal::NoWords));
    assert_eq!(play.submit(&Intent::Abort { reason: " ".into() }), Err(Refusal::NoWords));
    play.submit(&Intent::Skip { task, reason: "done by hand".into() }).unwrap();
    assert_eq!(play.state.tally().skipped, 1);
}

#[test]
fn batches_round_down_to_no_less_than_one() {
    for (order, expected) in
        [(Order::OneAtATime, 1), (Order::Batch(25), 1), (Order::Batch(70), 2), (Order::AllAtOnce, 3)]
    {
        let mut play = Play::new(plan(steps(), order));
        play.settle();
        assert_eq!(play.state.gates().count(), expected, "{order:?}");
    }
}

/// A thread that remembers what it has seen of this session says of every gate what one says that has seen nothing yet,
/// and the short form what the long one does.
fn assert_told_alike(state: &State, now: Timestamp) {
    let look = || -> Vec<(Option<GateView>, Standing)> {
        let ids = state.gates().chain(state.under_way());
        ids.map(|id| (gate_view(state, id, now), standing(state, id, now))).collect()
    };
    let remembered = look();
    let fresh = std::thread::scope(|scope| scope.spawn(look).join().unwrap());
    assert_eq!(remembered, fresh);
    for (view, standing) in fresh {
        let expected = match view.unwrap().refusal {
            None => Standing::Ready,
            Some(Refusal::Checks(checks)) => {
                let failing = checks.iter().filter(|check| !check.passed()).count();
                Standing::Shut { failing, total: checks.len() }
            }
            Some(other) => Standing::Barred(other),
        };
        assert_eq!(standing, expected);
    }
}

#[test]
fn what_is_remembered_changes_no_answer_of_a_recorded_session() {
    let records = crate::journal::read(std::path::Path::new("tests/journals/container-linux.jsonl")).unwrap().records;
    let mut state = State::default();
    for (number, record) in records.iter().enumerate() {
        state.apply(record);
        if number % 16 == 0 {
            assert_told_alike(&state, state.now);
            // The same facts, when they are too old.
            assert_told_alike(&state, state.now + SignedDuration::from_secs(21));
        }
    }
}

/// What chance may do to a session.
#[derive(Clone, Debug)]
enum Chance {
    Probe,
    Open,
    Work(i32),
    Lost,
    Crash,
    Retry,
    Undo,
    Skip,
    Pause,
    Wait(i64),
    MemberDown(usize),
    MemberUp(usize),
}

fn chance() -> impl Strategy<Value = Chance> {
    prop_oneof![
        6 => Just(Chance::Probe),
        6 => Just(Chance::Open),
        4 => Just(Chance::Work(0)),
        1 => Just(Chance::Work(1)),
        1 => Just(Chance::Lost),
        2 => Just(Chance::Crash),
        2 => Just(Chance::Retry),
        1 => Just(Chance::Undo),
        1 => Just(Chance::Skip),
        1 => Just(Chance::Pause),
        2 => (1..90_i64).prop_map(Chance::Wait),
        1 => (0..3_usize).prop_map(Chance::MemberDown),
        1 => (0..3_usize).prop_map(Chance::MemberUp),
    ]
}

proptest! {
    /// Whatever happens in whatever order: no gate opens without its checks on facts asked for after it was shown, no
    /// job is started twice, only one member at a time is worked on, and the fold of the journal is the state.
    #[test]
    fn nothing_unsafe_happens_by_chance(chances in proptest::collection::vec(chance(), 1..120)) {
        let mut play = Play::new(plan(steps(), Order::OneAtATime));
        let mut started = BTreeSet::new();
        play.settle();
        for chance in chances {
            let first = play.state.gates().next();
            match chance {
                Chance::Probe => play.probe(),
                Chance::Open => {
                    if let Some(task) = first {
                        let asked = play.state.hosts.values().filter_map(|host| host.current()).map(|seen| seen.asked).min();
                        let shown = play.state.tasks[task.index()].since_seq;
                        let host = play.state.task(task).unwrap().0.host.to_string();
                        let guarded = !play.state.task(task).unwrap().1.require.is_empty();
                        let healthy = play.up.values().filter(|up| **up).count();
                        if play.submit(&Intent::OpenGate { task, typed: Some(host), shown_ms: None, together: None }).is_ok() && guarded {
                            prop_assert!(asked.is_some_and(|asked| asked >= shown), "opened on facts from before it was shown");
                            let known = play.state.hosts.values().filter(|host| {
                                host.facts.as_ref().is_some_and(|seen| seen.facts.etcd.as_ref().unwrap().healthy == Some(true))
                            });
                            prop_assert_eq!(known.count(), 3, "opened with a member known to be down ({} up)", healthy);
                        }
                    }
                }
                Chance::Work(exit) => {
                    for effect in wanted(&play.state) {
                        if let Act::Start(job) = effect.act {
                            prop_assert!(started.insert(job.clone()), "{} was started twice", job);
                        }
                    }
                    play.work(exit);
                }
                Chance::Lost => {
                    for effect in wanted(&play.state) {
                        if let Act::Start(job) = effect.act {
                            prop_assert!(started.insert(job.clone()), "{} was started twice", job);
                            play.record(Event::JobUncertain { task: effect.task, reason: "lost".into() });
                        }
                    }
                }
                Chance::Crash => {
                    let again = State::of(&play.records);
                    prop_assert_eq!(&again, &play.state, "the fold of the journal is not the state");
                    play.record(Event::SessionResumed { operator: "o".into() });
                    play.settle();
                    for effect in wanted(&play.state) {
                        prop_assert!(!matches!(effect.act, Act::Start(_)), "a resumed session starts a job without asking");
                    }
                }
                Chance::Retry => {
                    let failed = play.state.task_ids().find(|id| matches!(play.state.tasks[id.index()].phase, Phase::Failed { .. }));
                    if let Some(task) = failed {
                        let _ = play.submit(&Intent::Retry { task });
                    }
                }
                Chance::Undo => { let _ = play.submit(&Intent::Undo { host: "etcd1".into() }); }
                Chance::Skip => {
                    if let Some(task) = first {
                        let _ = play.submit(&Intent::Skip { task, reason: "chance".into() });
                    }
                }
                Chance::Pause => {
                    let intent = if play.state.paused { Intent::Continue } else { Intent::Pause };
                    let _ = play.submit(&intent);
                }
                Chance::Wait(seconds) => {
                    play.pass(seconds);
                    play.settle();
                }
                Chance::MemberDown(n) => { play.up.insert(HOSTS[n], false); }
                Chance::MemberUp(n) => { play.up.insert(HOSTS[n], true); }
            }
            let busy: BTreeSet<_> = play.state.task_ids()
                .filter(|id| play.state.tasks[id.index()].phase.is_under_way())
                .map(|id| play.state.task(id).unwrap().0.host.clone())
                .collect();
            prop_assert!(busy.len() <= 1, "several hosts are worked on: {:?}", busy);
        }
        assert_told_alike(&play.state, play.now);
    }
}

#[test]
fn a_host_that_came_to_a_stop_holds_its_place() {
    // Found by chance: an undo that failed on one host, and the next host's gate already before the operator.
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.settle();
    let skip = |play: &mut Play| {
        let task = play.gate();
        play.submit(&Intent::Skip { task, reason: "by hand".into() }).unwrap();
    };
    skip(&mut play);
    play.probe();
    play.open();
    play.work(0);
    skip(&mut play);
    play.submit(&Intent::Undo { host: "etcd1".into() }).unwrap();
    play.work(1);
    play.probe();
    let gate = play.gate();
    let host = play.state.task(gate).unwrap().0.host.to_string();
    assert_eq!(host, "etcd3");
    let refusal =
        play.submit(&Intent::OpenGate { task: gate, typed: Some(host), shown_ms: None, together: None }).unwrap_err();
    assert_eq!(refusal, Refusal::NotItsTurn("members/swap on etcd1".into()));
}

fn steps_with_a_way_back() -> Vec<Step> {
    let mut steps = steps();
    (steps[2].point_of_no_return, steps[2].undo) = (None, Some("systemctl stop etcd".into()));
    steps
}

/// So many gates opened and their work done, one host at a time, and the next gate shown.
fn after(gates: usize) -> Play {
    let mut play = Play::new(plan(steps_with_a_way_back(), Order::OneAtATime));
    for _ in 0..gates {
        play.probe();
        play.probe();
        play.open();
        play.work(0);
    }
    play.probe();
    play
}

#[test]
fn what_was_taken_back_on_one_host_comes_before_the_gate_of_another() {
    let mut play = after(3);
    let shown = play.gate();
    assert_eq!(play.label(shown), "members/stop on etcd3");
    play.probe();
    assert_eq!(gate_view(&play.state, shown, play.now).unwrap().refusal, None);
    play.submit(&Intent::Undo { host: "etcd1".into() }).unwrap();
    play.work(0);
    play.probe();
    let refusal = play
        .submit(&Intent::OpenGate { task: shown, typed: Some("etcd3".into()), shown_ms: None, together: None })
        .unwrap_err();
    assert_eq!(refusal, Refusal::ComesAfter("members/stop on etcd1".into()));
    let gates: Vec<String> = play.state.gates().map(|id| play.label(id)).collect();
    assert!(gates.contains(&"members/stop on etcd1".to_owned()), "{gates:?}");
}

#[test]
fn nothing_is_taken_back_beside_a_host_that_is_half_way() {
    // Seen on real hosts: one member stopped and at its next gate, and another taken back, which stopped that as well.
    let mut play = after(4);
    let shown = play.gate();
    assert_eq!(play.label(shown), "members/swap on etcd3");
    let refusal = play.submit(&Intent::Undo { host: "etcd1".into() }).unwrap_err();
    assert_eq!(refusal, Refusal::HalfWay("etcd3".into()));
    play.submit(&Intent::Undo { host: "etcd3".into() }).unwrap();
    play.work(0);
    play.submit(&Intent::Undo { host: "etcd1".into() }).unwrap();
}

#[test]
fn facts_from_before_something_was_taken_back_open_no_gate() {
    let mut play = Play::new(plan(steps_with_a_way_back(), Order::AllAtOnce));
    play.settle();
    play.probe();
    let first = play.gate();
    play.open();
    play.work(0);
    play.probe();
    let undone = play.state.task(first).unwrap().0.host.clone();
    let other = play.state.gates().find(|id| play.state.task(*id).unwrap().0.host != undone).unwrap();
    let host = play.state.task(other).unwrap().0.host.to_string();
    play.submit(&Intent::Undo { host: undone }).unwrap();
    play.work(0);
    let refusal = gate_view(&play.state, other, play.now).unwrap().refusal;
    assert!(matches!(refusal, Some(Refusal::NoFacts { .. })), "{refusal:?}");
    play.probe();
    play.submit(&Intent::OpenGate { task: other, typed: Some(host), shown_ms: None, together: None }).unwrap();
}

#[test]
fn two_members_are_never_worked_on_on_facts_from_before_the_first() {
    let mut play = Play::new(plan(steps(), Order::AllAtOnce));
    play.probe();
    let gates: Vec<TaskId> = play.state.gates().collect();
    assert_eq!(gates.len(), 3, "every member stands at its gate");
    let typed = |play: &Play, id: TaskId| Some(play.state.task(id).unwrap().0.host.to_string());
    let open = |play: &mut Play, id: TaskId| {
        let typed = typed(play, id);
        play.submit(&Intent::OpenGate { task: id, typed, shown_ms: None, together: None })
    };
    play.probe();
    open(&mut play, gates[0]).unwrap();
    // The first job is under way, and all facts still say that every member is healthy.
    let refusal = open(&mut play, gates[1]).unwrap_err();
    assert!(matches!(refusal, Refusal::NotItsTurn(_)), "{refusal}");
    play.work(0);
    play.probe();
    let refusal = open(&mut play, gates[1]).unwrap_err();
    assert!(matches!(refusal, Refusal::Checks(_) | Refusal::NotItsTurn(_)), "{refusal}");
}

#[test]
fn a_reboot_that_nobody_ordered_shuts_the_hosts_gates_until_it_was_looked_into() {
    let mut play = Play::new(plan(steps(), Order::OneAtATime));
    play.probe();
    let gate = play.gate();
    let host = play.state.task(gate).unwrap().0.host.clone();
    let mut facts = (*play.state.host(&host).unwrap().facts.as_ref().unwrap().facts).clone();
    facts.boot_id = Some("another".into());
    let seen = Event::FactsSeen { host: host.clone(), asked: play.state.seq, facts: Box::new(facts) };
    let before = play.state.host(&host).unwrap().facts.as_ref().unwrap().facts.boot_id.clone();
    let rebooted = rebooted(&play.state, &seen);
    if before.is_none() {
        assert_eq!(rebooted, None, "where no boot was known none can be told from another");
    }
    let told = Event::HostRebooted { host: host.clone(), ordered: false };
    play.record(told);
    let typed = Some(host.to_string());
    let open = Intent::OpenGate { task: gate, typed, shown_ms: None, together: None };
    assert_eq!(play.submit(&open).unwrap_err(), Refusal::Rebooted(host.clone()));
    play.submit(&Intent::AcceptReboot { host: host.clone() }).unwrap();
    play.probe();
    play.submit(&open).unwrap();
    assert_eq!(play.submit(&Intent::AcceptReboot { host: host.clone() }).unwrap_err(), Refusal::NotRebooted(host));
}
