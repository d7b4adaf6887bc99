//! A drain on the screen: what is left, until when, and how it is ended half-way.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without may end it")]

use std::path::Path;
use std::time::Duration;

use crossterm::event::{Event as Input, KeyCode, KeyEvent};
use jiff::{SignedDuration, Timestamp};
use lockkeeper::documents::{Source, find_runbook, plan, read_runbook};
use lockkeeper::engine::{Intent, advance, decide};
use lockkeeper::model::event::{Event, JobKind, Mode};
use lockkeeper::model::facts::{Facts, Kube, Node, NodePods};
use lockkeeper::model::state::Phase;
use lockkeeper::model::{JobName, Plan, Record, State, TaskId};
use lockkeeper::practice::{Kind, Practice};
use lockkeeper::ui::{self, UiAction, UiState};

/// Somebody before a screen, and a drain of `node1` that runs on `cp1`.
struct Screen {
    state: State,
    ui: UiState,
    now: Timestamp,
    drain: TaskId,
}

fn planned(drain_timeout: &str) -> Plan {
    let source = find_runbook("kubeadm-minor").unwrap();
    let runbook = read_runbook(&source).unwrap();
    let mut inventory = Practice::new(Kind::Kubeadm, 1, Vec::new()).inventory();
    inventory.vars.extend(runbook.practice["kubeadm"].clone());
    let given = [("drain_timeout".to_owned(), drain_timeout.to_owned())];
    plan::build(&inventory, &Source::file(Path::new("practice"), ""), &runbook, &source, &given)
        .unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// Two pods are left on the node, and one of them is held.
fn seen() -> Facts {
    let pods = NodePods {
        evictable: vec!["shop/cart-7f9c".into(), "shop/db-0".into()],
        blocked: vec!["shop/db-0 (db)".into()],
        ..NodePods::default()
    };
    let node = Node { ready: true, cordoned: true, kubelet: "1.30.4".into(), pods: Some(pods), ..Node::default() };
    let kube = Kube { healthy: true, nodes: [("node1".to_owned(), node)].into(), ..Kube::default() };
    Facts { kube: Some(kube), boot_id: Some("b".into()), ..Facts::default() }
}

impl Screen {
    fn at(step: &str, drain_timeout: &str) -> Self {
        let plan = planned(drain_timeout);
        let task = plan.tasks.iter().find(|task| task.host.as_str() == "node1" && plan.step_of(task).name == step);
        let drain = task.unwrap().id;
        let cordon =
            plan.tasks.iter().find(|task| task.host.as_str() == "node1" && plan.step_of(task).name == "cordon");
        let cordon = cordon.unwrap().id;
        let mut ui = UiState::default();
        ui.host = Some("node1".into());
        ui.at = Duration::from_secs(1);
        let mut screen = Self { state: State::default(), ui, now: "2026-01-02T03:00:00Z".parse().unwrap(), drain };
        let hosts: Vec<_> = plan.inventory.hosts.iter().map(|host| host.name.clone()).collect();
        screen.record(Event::SessionStarted {
            session: "s".into(),
            mode: Mode::Practice,
            version: "0".into(),
            operator: "ada@desk".into(),
            inventory: Box::new(plan.inventory.clone()),
            plan: Some(Box::new(plan)),
        });
        for host in hosts {
            screen.record(Event::HostConnected { host: host.clone() });
            screen.record(Event::LeaseTaken { host, from: None });
        }
        screen.record(Event::TaskDone { task: cordon, checks: Vec::new() });
        screen.record(Event::GateShown { task: drain });
        screen.record(Event::GateOpened {
            task: drain,
            typed: None,
            checks: Vec::new(),
            boot_id: None,
            shown_ms: None,
        });
        let job = JobName::from("s-drain-1".to_owned());
        screen.record(Event::JobIntended { task: drain, kind: JobKind::Run, job });
        screen.record(Event::JobStarted { task: drain });
        screen.record(Event::FactsSeen { host: "cp1".into(), asked: 0, facts: Box::new(seen()) });
        screen.look();
        screen.pass(72);
        screen
    }

    fn record(&mut self, event: Event) {
        let record = Record { seq: self.state.seq + 1, at: self.now, event };
        self.state.apply(&record);
    }

    fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    /// What is on the screen now.
    fn look(&mut self) -> String {
        let buffer = ui::frame(&self.state, self.now, &mut self.ui, (120, 40));
        let line = |y| (0..120).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
        (0..40).map(line).collect::<Vec<_>>().join("\n")
    }

    /// Presses a key after looking for a while.
    fn press(&mut self, key: char) -> Option<UiAction> {
        self.look();
        self.ui.at += Duration::from_millis(600);
        self.look();
        ui::press(&self.state, self.now, &mut self.ui, &Input::Key(KeyEvent::from(KeyCode::Char(key))))
    }

    fn submit(&mut self, intent: &Intent) {
        let events = decide(&self.state, self.now, intent).unwrap();
        events.into_iter().for_each(|event| self.record(event));
        self.ui.answered(Ok(()));
    }

    fn hints(&mut self) -> String {
        self.look().lines().last().unwrap().to_owned()
    }
}

#[test]
fn a_drain_says_when_it_ends_by_itself_by_the_value_that_was_given_for_it() {
    for (given, shown) in [("10m", "RUNNING 1:12 of 11:00"), ("1h30m", "RUNNING 1:12 of 1:31:00")] {
        let frame = Screen::at("drain", given).look();
        assert!(frame.contains(shown), "{frame}");
    }
}

#[test]
fn a_drain_is_ended_after_saying_what_stays() {
    let mut screen = Screen::at("drain", "10m");
    insta::assert_snapshot!("drain_running", screen.look());
    assert!(screen.hints().contains("x end the drain"), "{}", screen.hints());
    assert_eq!(screen.press('x'), None, "it is asked once more");
    insta::assert_snapshot!("drain_end_is_asked", screen.look());
    let intent = Intent::EndJob { task: screen.drain };
    assert_eq!(screen.press('y'), Some(UiAction::Submit(intent.clone())));
    screen.submit(&intent);
    screen.pass(3);
    insta::assert_snapshot!("drain_ending", screen.look());
    assert!(!screen.hints().contains("x end"), "it is not ended twice: {}", screen.hints());
    screen.record(Event::JobEndSent { task: screen.drain });
    screen.record(Event::JobFinished { task: screen.drain, exit: 143 });
    for event in advance(&screen.state, screen.now) {
        screen.record(event);
    }
    insta::assert_snapshot!("drain_ended", screen.look());
}

#[test]
fn esc_lets_it_run_and_a_quick_hand_ends_nothing() {
    let mut screen = Screen::at("drain", "10m");
    screen.press('x');
    assert_eq!(
        ui::press(&screen.state, screen.now, &mut screen.ui, &Input::Key(KeyEvent::from(KeyCode::Char('y')))),
        None,
        "nobody has read that"
    );
    ui::press(&screen.state, screen.now, &mut screen.ui, &Input::Key(KeyEvent::from(KeyCode::Esc)));
    assert!(!screen.look().contains("End what runs"));
    assert_eq!(screen.state.tasks[screen.drain.index()].phase, Phase::Running);
}

#[test]
fn what_may_not_be_ended_is_not_hinted_and_says_why() {
    let mut screen = Screen::at("kubelet", "10m");
    assert!(!screen.hints().contains("x end"), "{}", screen.hints());
    assert_eq!(screen.press('x'), None);
    let frame = screen.look();
    assert!(frame.contains("may not be ended half-way"), "{frame}");
}
