//! What runs is ended by the operator: who may, what is wanted of the host, and what the task comes to.

use super::*;

const STAYS: &str = "the node stays cordoned";

/// What happens to a task.
type Happens = fn(TaskId) -> Event;

/// A drain that may be ended half-way, and can be taken back.
fn drain() -> Step {
    Step {
        name: "drain".into(),
        run: Some("kubectl drain".into()),
        undo: Some("true".into()),
        repeatable: true,
        if_ended: Some(STAYS.into()),
        ..Step::default()
    }
}

/// A session whose first script has been intended a minute and twelve seconds ago, after these events.
fn after(step: Step, events: &[Happens]) -> (Play, TaskId) {
    let mut play = Play::new(plan(vec![step], Order::OneAtATime));
    play.settle();
    play.probe();
    let task = play.open();
    play.pass(72);
    events.iter().for_each(|event| play.record(event(task)));
    (play, task)
}

fn started(task: TaskId) -> Event {
    Event::JobStarted { task }
}

fn ends(play: &Play) -> bool {
    wanted(&play.state).iter().any(|effect| matches!(effect.act, Act::End(_)))
}

#[test]
fn only_a_script_that_runs_and_whose_step_says_what_stays_is_ended_and_only_once() {
    let ordered = |task| Event::JobEndOrdered { task };
    let unsure = |task| Event::JobUncertain { task, reason: "lost".into() };
    let barred = |_| Event::HostBarred { host: "etcd1".into(), reason: "held by ada".into() };
    let not_declared = Step { if_ended: None, ..drain() };
    let not_repeatable = Step { repeatable: false, ..drain() };
    let reboots = Step { reboots: true, ..drain() };
    let label = || "members/drain on etcd1".to_owned();
    let no_gate = Refusal::NotRunning(label());
    let cases: [(Step, &[Happens], Option<Refusal>); 9] = [
        (drain(), &[started], None),
        (drain(), &[], Some(no_gate.clone())),
        (drain(), &[started, unsure], Some(no_gate.clone())),
        (drain(), &[started, |task| Event::JobFinished { task, exit: 0 }], Some(no_gate)),
        (drain(), &[started, ordered], Some(Refusal::EndingAlready(label()))),
        (drain(), &[started, barred], Some(Refusal::Barred { host: "etcd1".into(), reason: "held by ada".into() })),
        (not_declared, &[started], Some(Refusal::NotToBeEnded(label()))),
        (not_repeatable, &[started], Some(Refusal::NotToBeEnded(label()))),
        (reboots, &[started], Some(Refusal::NotToBeEnded(label()))),
    ];
    for (n, (step, events, refusal)) in cases.into_iter().enumerate() {
        let (play, task) = after(step, events);
        let answer = decide(&play.state, play.now, &Intent::EndJob { task });
        let expected = refusal.map_or_else(|| Ok(vec![Event::JobEndOrdered { task }]), Err);
        assert_eq!(answer, expected, "case {n}");
    }
}

#[test]
fn a_monitor_ends_nothing() {
    let (mut play, task) = after(drain(), &[started]);
    if let Some(session) = &mut play.state.session {
        session.mode = Mode::Monitor;
    }
    assert_eq!(play.submit(&Intent::EndJob { task }), Err(Refusal::ReadOnly("monitor")));
}

#[test]
fn what_takes_a_step_back_is_not_ended() {
    let (mut play, task) = after(drain(), &[started]);
    play.work(1);
    play.submit(&Intent::Undo { host: "etcd1".into() }).unwrap();
    play.record(Event::JobStarted { task });
    assert_eq!(play.submit(&Intent::EndJob { task }), Err(Refusal::NotRunning(play.label(task))));
}

#[test]
fn the_host_is_told_until_it_has_heard_while_the_job_is_followed() {
    let (mut play, task) = after(drain(), &[started]);
    assert!(!ends(&play));
    play.submit(&Intent::EndJob { task }).unwrap();
    assert!(ends(&play) && wanted(&play.state).iter().any(|effect| matches!(effect.act, Act::Follow(_))));

    // A crash between the order and the host: the resumed session asks how the job stands, and then ends it.
    play.record(Event::SessionResumed { operator: "o".into() });
    let acts: Vec<Act> = wanted(&play.state).into_iter().map(|effect| effect.act).collect();
    assert!(matches!(acts[..], [Act::Claim(_)]), "{acts:?}");
    play.record(Event::JobStarted { task });
    assert!(ends(&play), "what was ordered is not forgotten");

    play.record(Event::JobEndSent { task });
    assert!(!ends(&play), "the host has heard");
    assert_eq!(State::of(&play.records), play.state);
}

#[test]
fn a_host_that_cannot_end_it_leaves_it_running() {
    let (mut play, task) = after(drain(), &[started]);
    play.submit(&Intent::EndJob { task }).unwrap();
    play.record(Event::JobEndRefused { task, reason: "nothing there".into() });
    play.settle();
    assert!(!ends(&play) && play.state.tasks[task.index()].phase == Phase::Running);
    play.submit(&Intent::EndJob { task }).unwrap();
    assert!(ends(&play), "it may be tried again");
}

#[test]
fn what_was_ended_has_failed_and_says_what_stays() {
    for exit in [143, 137, 124, 1] {
        let (mut play, task) = after(drain(), &[started]);
        play.submit(&Intent::EndJob { task }).unwrap();
        play.work(exit);
        let reason = format!("ended by you after 1:12: {STAYS}");
        assert_eq!(play.state.tasks[task.index()].phase, Phase::Failed { at: FailedAt::Run, reason });
        for intent in [Intent::Retry { task }, Intent::Undo { host: "etcd1".into() }] {
            assert!(decide(&play.state, play.now, &intent).is_ok(), "{intent:?}");
        }
        play.submit(&Intent::Retry { task }).unwrap();
        assert_eq!(play.state.tasks[task.index()].job, None, "another attempt was not ordered to end");
    }
}

#[test]
fn what_came_to_its_end_by_itself_meanwhile_is_verified_like_any_other() {
    let (mut play, task) = after(drain(), &[started]);
    play.submit(&Intent::EndJob { task }).unwrap();
    play.work(0);
    assert_eq!(play.state.tasks[task.index()].phase, Phase::Done);
}
