//! What is down because the runbook stopped it, and will be started again: to be told from what went down by itself.

use super::runbook::Component;
use super::state::{Phase, State};
use super::{HostName, TaskId};

impl State {
    /// Whether a component of a host is stopped for now, as the runbook has it: a step of this session that was not taken
    /// back stopped it, or is about to, and a step that can still be done starts it again. What an ordered reboot takes
    /// down is so too, until the host is seen to be well again.
    ///
    /// It says what was planned, not what is: whether the component is down is for facts to say. When the session is over
    /// nobody is left to start anything, and what is down then is just down.
    #[must_use]
    pub fn stopped_as_planned(&self, host: &HostName, component: Component) -> bool {
        if self.outcome.is_some() {
            return false;
        }
        let mut stopped = false;
        for (_, step, task) in self.tasks_of(host).iter().filter_map(|id: &TaskId| self.task(*id)) {
            let (stops, starts) = (step.stops.contains(&component), step.starts.contains(&component));
            match &task.phase {
                phase if step.reboots && phase.is_under_way() && *phase != Phase::Opened => return true,
                Phase::Done if stops || starts => stopped = !starts,
                // A script is at work, or its effect is looked for.
                phase if phase.is_under_way() && *phase != Phase::Opened && (stops || starts) => {
                    stopped |= stops;
                    if starts {
                        return stopped;
                    }
                }
                Phase::Waiting | Phase::Gate | Phase::Opened if starts => return stopped,
                // It did not start it, and nobody knows what it left behind.
                Phase::Failed { .. } if starts => return false,
                _ => {}
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::*;
    use crate::model::event::{Event, FailedAt, JobKind, Mode, Outcome, Record};
    use crate::model::inventory::Inventory;
    use crate::model::plan::{Plan, Task};
    use crate::model::runbook::Component::{ApiServer, Etcd, Kubelet};
    use crate::model::runbook::{Order, ProbeSpec, Runbook, Stage, Step};

    const STOP: u32 = 0;
    const BACKUP: u32 = 1;
    const START: u32 = 2;
    const START_LAST: u32 = 3;
    const REBOOT: u32 = 4;
    const STOP_AGAIN: u32 = 5;

    /// stop, backup, start or start-last, reboot, and one more stop that nothing follows.
    fn begun() -> State {
        let step = |name: &str, stops: &[Component], starts: &[Component]| Step {
            name: name.into(),
            run: Some("true".into()),
            stops: stops.to_vec(),
            starts: starts.to_vec(),
            ..Step::default()
        };
        let steps = vec![
            step("stop", &[Etcd], &[]),
            step("backup", &[], &[]),
            step("start", &[], &[Etcd]),
            step("start-last", &[], &[Etcd]),
            Step { reboots: true, ..step("reboot", &[], &[]) },
            step("stop-again", &[Etcd], &[]),
        ];
        let tasks = (0..steps.len()).map(|step| Task {
            id: TaskId(step as u32),
            stage: 0,
            step,
            host: "a".into(),
            on: "a".into(),
            pushes: Vec::new(),
            kept: BTreeMap::new(),
        });
        let plan = Plan {
            inventory: Inventory::default(),
            tasks: tasks.collect(),
            vars: BTreeMap::new(),
            secrets: BTreeMap::new(),
            runbook: Runbook {
                name: "r".into(),
                title: String::new(),
                about: String::new(),
                vars: indexmap::IndexMap::new(),
                practice: indexmap::IndexMap::new(),
                probe: ProbeSpec::default(),
                promise: Vec::new(),
                stages: vec![Stage {
                    name: "s".into(),
                    title: String::new(),
                    each: None,
                    vars: BTreeMap::new(),
                    hosts: Vec::new(),
                    order: Order::OneAtATime,
                    leader_last: false,
                    steps,
                }],
            },
        };
        State::default().and(Event::SessionStarted {
            session: "s".into(),
            mode: Mode::Practice,
            version: "0".into(),
            operator: "o".into(),
            inventory: Box::new(plan.inventory.clone()),
            plan: Some(Box::new(plan)),
        })
    }

    impl State {
        fn and(mut self, event: Event) -> Self {
            self.apply(&Record { seq: self.seq + 1, at: Timestamp::UNIX_EPOCH, event });
            self
        }

        fn opened(self, task: u32) -> Self {
            let task = TaskId(task);
            self.and(Event::GateShown { task }).and(Event::GateOpened {
                task,
                typed: None,
                checks: Vec::new(),
                boot_id: None,
                shown_ms: None,
            })
        }

        fn at_work(self, task: u32, kind: JobKind) -> Self {
            self.and(Event::JobIntended { task: TaskId(task), kind, job: "j".into() })
        }

        fn done(self, task: u32) -> Self {
            let seen = self.opened(task).at_work(task, JobKind::Run).and(Event::VerifyStarted { task: TaskId(task) });
            seen.and(Event::TaskDone { task: TaskId(task), checks: Vec::new() })
        }

        fn fails(self, task: u32) -> Self {
            self.and(Event::TaskFailed { task: TaskId(task), at: FailedAt::Run, reason: "r".into() })
        }

        fn not_needed(self, task: u32) -> Self {
            self.and(Event::TaskNotNeeded { task: TaskId(task) })
        }

        fn planned(&self) -> bool {
            self.stopped_as_planned(&"a".into(), Etcd)
        }
    }

    #[test]
    fn from_the_script_that_stops_it_until_it_is_seen_to_run_again() {
        let state = begun();
        assert!(!state.planned(), "nothing was done yet");
        let state = state.opened(STOP);
        assert!(!state.planned(), "the script has not been sent yet");
        let state = state.at_work(STOP, JobKind::Run);
        assert!(state.planned());
        let state = state.and(Event::TaskDone { task: TaskId(STOP), checks: Vec::new() }).done(BACKUP);
        assert!(state.planned());
        let state = state.opened(START).at_work(START, JobKind::Run);
        assert!(state.planned(), "it is being started");
        let state = state.and(Event::TaskDone { task: TaskId(START), checks: Vec::new() });
        assert!(!state.planned(), "a member that goes down now was stopped by nobody here");
    }

    #[test]
    fn what_else_fails_on_the_host_changes_nothing_and_nothing_else_is_excused() {
        let state = begun().done(STOP).opened(BACKUP).at_work(BACKUP, JobKind::Run).fails(BACKUP);
        assert!(state.planned());
        assert!(!state.stopped_as_planned(&"a".into(), Kubelet));
        assert!(!state.stopped_as_planned(&"a".into(), ApiServer));
        assert!(!state.stopped_as_planned(&"b".into(), Etcd));
    }

    #[test]
    fn a_stop_that_failed_or_was_passed_over_and_a_start_that_failed_are_no_excuse() {
        assert!(!begun().opened(STOP).at_work(STOP, JobKind::Run).fails(STOP).planned());
        assert!(!begun().and(Event::TaskSkipped { task: TaskId(STOP), reason: "by hand".into() }).planned());
        assert!(!begun().done(STOP).done(BACKUP).opened(START).at_work(START, JobKind::Run).fails(START).planned());
    }

    #[test]
    fn a_stop_that_was_taken_back_is_none() {
        let state = begun().done(STOP).at_work(STOP, JobKind::Undo);
        assert!(state.planned(), "it is being started again");
        assert!(!state.and(Event::TaskUndone { task: TaskId(STOP), checks: Vec::new() }).planned());
        let state = begun().done(STOP).done(START).at_work(START, JobKind::Undo);
        assert!(state.planned(), "the way back stops it once more");
        assert!(
            state.and(Event::TaskUndone { task: TaskId(START), checks: Vec::new() }).planned(),
            "and there it stays until it is started"
        );
    }

    #[test]
    fn somebody_has_to_start_it() {
        let state = begun().done(STOP).not_needed(START);
        assert!(state.planned(), "the other one starts it");
        assert!(!state.not_needed(START_LAST).planned());
        assert!(!begun().done(STOP).and(Event::SessionEnded { outcome: Outcome::Completed }).planned());
        assert!(!begun().done(STOP).done(START).not_needed(START_LAST).done(REBOOT).done(STOP_AGAIN).planned());
    }

    #[test]
    fn an_ordered_reboot_takes_everything_down() {
        let state = begun().done(STOP).done(START).not_needed(START_LAST);
        let state = state.opened(REBOOT).at_work(REBOOT, JobKind::Run);
        for component in Component::ALL {
            assert!(state.stopped_as_planned(&"a".into(), component));
        }
        assert!(!state.and(Event::TaskDone { task: TaskId(REBOOT), checks: Vec::new() }).planned());
    }
}
