//! The index says what a count from nothing says, after every event.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proptest::prelude::*;

use crate::model::event::{Event, FailedAt, JobKind, Mode, Record};
use crate::model::inventory::{Connection, Host, Inventory, Role, Ssh};
use crate::model::plan::{Plan, Task};
use crate::model::runbook::{Order, ProbeSpec, Runbook, Stage, Step};
use crate::model::state::{Phase, State, Tally, TaskState};
use crate::model::{HostName, TaskId};

/// Everything that the index tells, counted from nothing.
pub(crate) fn assert_counted(state: &State) {
    let Some(plan) = &state.plan else {
        assert_eq!((state.gates().count(), state.tally(), state.current_stage()), (0, Tally::default(), None));
        return;
    };
    let all = || plan.tasks.iter().zip(&state.tasks);
    let which = |such: &dyn Fn(&Phase) -> bool| -> Vec<TaskId> {
        all().filter(|(_, now)| such(&now.phase)).map(|(task, _)| task.id).collect()
    };
    let holds = |phase: &Phase| phase.is_under_way() || matches!(phase, Phase::Failed { .. });
    assert_eq!(state.gates().collect::<Vec<_>>(), which(&|phase| *phase == Phase::Gate));
    assert_eq!(state.under_way().collect::<Vec<_>>(), which(&Phase::is_under_way));
    assert_eq!(state.failed().collect::<Vec<_>>(), which(&|phase| matches!(phase, Phase::Failed { .. })));
    assert_eq!(state.tally(), tally(all().map(|(_, now)| now)));
    let open = |(_, now): &(&Task, &TaskState)| !now.phase.is_over();
    assert_eq!(state.current_stage(), all().filter(open).map(|(task, _)| task.stage).min());

    for stage in 0..plan.runbook.stages.len() {
        let told = state.stage_progress(stage).expect("every stage has its progress");
        assert_eq!(told.tally, tally(all().filter(|(task, _)| task.stage == stage).map(|(_, now)| now)));
        let listed: BTreeSet<&HostName> = plan.hosts_of(stage).collect();
        assert_eq!(told.hosts, plan.hosts_of(stage).count());
        let mut sets: [BTreeSet<TaskId>; 6] = Default::default();
        let hosts: BTreeSet<&HostName> = plan.inventory.hosts.iter().map(|host| &host.name).collect();
        for host in hosts {
            let ours = || all().filter(|(task, _)| task.stage == stage && task.host == *host);
            let next = ours().find(|(_, now)| !now.phase.is_over()).map(|(task, _)| task.id);
            let begun = ours().any(|(_, now)| !matches!(now.phase, Phase::Waiting | Phase::Gate | Phase::NotNeeded));
            let changed = ours().any(|(task, now)| {
                plan.step_of(task).changes() && matches!(now.phase, Phase::Done | Phase::Failed { .. })
            });
            let working = ours().find(|(_, now)| now.phase.is_under_way()).map(|(task, _)| task.id);
            let holding = ours().find(|(_, now)| holds(&now.phase)).map(|(task, _)| task.id);
            let turn = next.filter(|_| listed.contains(host));
            for (set, task) in sets.iter_mut().zip([
                next,
                turn.filter(|_| begun),
                turn.filter(|_| !begun),
                turn.filter(|_| changed),
                working,
                holding,
            ]) {
                set.extend(task);
            }
            if let Some(lane) = state.lane(stage, host) {
                assert!(lane.tasks.iter().copied().eq(ours().map(|(task, _)| task.id)), "{host}");
                assert_eq!((lane.next, lane.begun, lane.changed), (next, begun, changed), "{host}");
                assert_eq!((lane.working, lane.holding), (working, holding), "{host}");
                assert!(lane.tasks.iter().all(|task| state.lane_of(*task) == Some(lane)));
            } else {
                assert_eq!((ours().count(), listed.contains(host)), (0, false), "{host} has no lane");
            }
        }
        let told = [&told.open, &told.begun, &told.fresh, &told.half_way, &told.working, &told.holding];
        assert_eq!(told.map(Clone::clone), sets, "stage {stage}");
    }

    for host in plan.inventory.hosts.iter().map(|host| &host.name) {
        let about = || all().filter(|(task, _)| task.host == *host);
        assert!(state.tasks_of(host).iter().copied().eq(about().map(|(task, _)| task.id)), "{host}");
        assert_eq!(state.active_on(host), about().find(|(_, now)| holds(&now.phase)).map(|(task, _)| task.id));
        assert_eq!(state.next_of(host), about().find(open).map(|(task, _)| task.id));
        let touched = all().filter(|(task, _)| task.host == *host || task.on == *host);
        let touched = touched.filter(|(_, now)| now.phase != Phase::NotNeeded).map(|(_, now)| now.since_seq).max();
        assert_eq!(state.last_touched(host), touched.unwrap_or_default(), "{host}");
    }
    let waiting = all().filter(|(_, now)| now.phase == Phase::Waiting).map(|(_, now)| now.since_seq).max();
    assert!(state.last_taken_back() >= waiting.unwrap_or_default());
    let passed = all()
        .filter(|(task, _)| plan.step_of(task).point_of_no_return.is_some())
        .filter(|(_, now)| now.phase.is_under_way() || matches!(now.phase, Phase::Done | Phase::Failed { .. }))
        .max_by_key(|(_, now)| now.since_seq);
    assert_eq!(state.last_point_of_no_return(), passed.map(|(task, _)| task.id));
    for artifact in &state.artifacts {
        assert!(state.brought(artifact.task, &artifact.path), "{}", artifact.path);
    }
    let brought: usize = state.progress.brought.values().map(Vec::len).sum();
    assert_eq!(brought, state.artifacts.len());
}

fn tally<'t>(tasks: impl Iterator<Item = &'t TaskState>) -> Tally {
    let mut tally = Tally::default();
    for task in tasks {
        tally.total += 1;
        match task.phase {
            Phase::Done => tally.done += 1,
            Phase::Failed { .. } => tally.failed += 1,
            Phase::Skipped { .. } => tally.skipped += 1,
            Phase::NotNeeded => tally.not_needed += 1,
            _ => {}
        }
    }
    tally
}

#[test]
fn the_index_is_right_after_every_event_of_a_recorded_session() {
    for entry in std::fs::read_dir("tests/journals").unwrap() {
        let records = crate::journal::read(&entry.unwrap().path()).unwrap().records;
        let mut state = State::default();
        for record in &records {
            state.apply(record);
            assert_counted(&state);
        }
        assert!(state.tally().done > 0);
    }
}

#[test]
fn a_plan_that_does_not_hold_together_is_none() {
    let whole = plan(&[(0, 0, 0), (0, 1, 0)]);
    let mut wrong = vec![whole.clone(), whole.clone(), whole.clone()];
    wrong[0].tasks[1].id = TaskId(7);
    wrong[1].tasks[1].stage = 9;
    wrong[2].tasks[1].step = 9;
    for wrong in wrong {
        let state = State::of(&[Record { seq: 1, at: Timestamp::UNIX_EPOCH, event: started(wrong) }]);
        assert_eq!((state.plan.clone(), state.tasks.len()), (None, 0));
        assert_counted(&state);
    }
    assert_eq!(State::of(&[Record { seq: 1, at: Timestamp::UNIX_EPOCH, event: started(whole) }]).tasks.len(), 2);
}

const HOSTS: [&str; 4] = ["a", "b", "c", "d"];
const STAGES: usize = 3;
const STEPS: usize = 3;

/// A plan of such tasks: stage, host, step. Some hosts have no role in a stage, some scripts run elsewhere, some steps
/// change nothing, and some have no way back.
fn plan(tasks: &[(usize, usize, usize)]) -> Plan {
    let host = |(number, name): (usize, &&str)| Host {
        name: (**name).into(),
        address: None,
        roles: vec![[Role::Etcd, Role::ControlPlane, Role::Worker, Role::Worker][number]],
        connection: Connection::Practice,
        node: None,
        ssh: Ssh::default(),
        vars: indexmap::IndexMap::new(),
    };
    let step = |number: usize| Step {
        name: number.to_string(),
        run: (number > 0).then(|| "true".into()),
        point_of_no_return: (number == 2).then(|| "for good".into()),
        ..Step::default()
    };
    let stage = |number: usize| Stage {
        each: None,
        vars: BTreeMap::new(),
        name: number.to_string(),
        title: String::new(),
        hosts: [vec![Role::Etcd, Role::Worker], vec![Role::ControlPlane], vec![Role::Worker]][number].clone(),
        order: [Order::AllAtOnce, Order::OneAtATime, Order::Batch(50)][number],
        leader_last: false,
        steps: (0..STEPS).map(step).collect(),
    };
    let task = |(place, (stage, host, step)): (usize, &(usize, usize, usize))| Task {
        id: TaskId(place as u32),
        stage: *stage,
        step: *step,
        host: HOSTS[*host].into(),
        on: HOSTS[if *step == 1 { 0 } else { *host }].into(),
        pushes: Vec::new(),
        kept: BTreeMap::new(),
    };
    Plan {
        inventory: Inventory {
            cluster: "test".into(),
            hosts: HOSTS.iter().enumerate().map(host).collect(),
            ..Inventory::default()
        },
        runbook: Runbook {
            name: "test".into(),
            title: String::new(),
            about: String::new(),
            vars: indexmap::IndexMap::new(),
            practice: indexmap::IndexMap::new(),
            probe: ProbeSpec::default(),
            stages: (0..STAGES).map(stage).collect(),
            promise: Vec::new(),
        },
        tasks: tasks.iter().enumerate().map(task).collect(),
        vars: BTreeMap::new(),
        secrets: BTreeMap::new(),
    }
}

/// A session on a plan begins.
pub(crate) fn started(plan: Plan) -> Event {
    Event::SessionStarted {
        session: "s".into(),
        mode: Mode::Practice,
        version: "0".into(),
        operator: "o".into(),
        inventory: Box::new(plan.inventory.clone()),
        plan: Some(Box::new(plan)),
    }
}

/// Any event that may change how a task stands, whether it fits or not.
fn event() -> impl Strategy<Value = Event> {
    (0..18_u32, 0..32_u32).prop_map(|(which, number)| {
        let task = TaskId(number);
        match which {
            0 | 1 => Event::GateShown { task },
            2 => Event::GateOpened { task, typed: None, checks: Vec::new(), boot_id: None, shown_ms: None },
            3 => Event::TaskSkipped { task, reason: "r".into() },
            4 => Event::TaskNotNeeded { task },
            5 => Event::JobIntended { task, kind: JobKind::Run, job: "j".into() },
            6 => Event::JobIntended { task, kind: JobKind::Undo, job: "j".into() },
            7 => Event::JobStarted { task },
            8 => Event::JobFinished { task, exit: 0 },
            9 => Event::JobUncertain { task, reason: "r".into() },
            10 => Event::JobAbsent { task },
            11 => Event::JobInterrupted { task, rebooted: true },
            12 => Event::ArtifactFetched {
                task,
                path: (number % 2).to_string(),
                to: String::new(),
                bytes: 1,
                sha256: "x".into(),
            },
            13 => Event::VerifyStarted { task },
            14 => Event::TaskDone { task, checks: Vec::new() },
            15 => Event::TaskFailed { task, at: FailedAt::Run, reason: "r".into() },
            16 => Event::TaskUndone { task, checks: Vec::new() },
            _ => Event::SessionResumed { operator: "o".into() },
        }
    })
}

proptest! {
    /// Tasks in any order and number, events that fit and events that do not.
    #[test]
    fn the_index_is_right_after_any_events(
        tasks in proptest::collection::vec((0..STAGES, 0..HOSTS.len(), 0..STEPS), 0..24),
        events in proptest::collection::vec(event(), 1..120),
    ) {
        let mut state = State::default();
        for (event, seq) in std::iter::once(started(plan(&tasks))).chain(events).zip(1..) {
            state.apply(&Record { seq, at: Timestamp::UNIX_EPOCH, event });
            assert_counted(&state);
        }
    }
}
