//! Whose facts somebody waits for now, so that they are told at once and exactly: what merely moves can wait elsewhere.

use std::collections::HashMap;

use crate::model::drift::Closely;
use crate::model::event::Event;
use crate::model::runbook::Expression;
use crate::model::state::Phase;
use crate::model::{HostName, State};

/// Who waits for facts, and since which event they count for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Awaited {
    /// For anybody.
    since: u64,
    /// For checks that read more than their own host.
    all: u64,
    /// For checks of gates and verifications on their own host.
    own: HashMap<HostName, u64>,
    closely: Closely,
}

impl Awaited {
    /// As the state has it.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let mut awaited = Self { since: state.last_taken_back(), ..Self::default() };
        // What comes after a task, and the promise at the end, read facts from after it.
        let over = state.tasks.iter().filter(|task| task.phase.is_over()).map(|task| task.since_seq).max();
        awaited.since = awaited.since.max(over.unwrap_or_default());
        for id in state.gates().chain(state.under_way()) {
            let Some((task, step, current)) = state.task(id) else { continue };
            let checks = match current.phase {
                Phase::Gate => &step.require,
                Phase::Verifying => &step.verify,
                _ => continue,
            };
            let since = super::opening::counts_since(state, id);
            awaited.since = awaited.since.max(since);
            let own = awaited.own.entry(task.host.clone()).or_default();
            *own = since.max(*own);
            awaited.read(checks.iter().map(|check| &check.that), since);
        }
        if let Some(plan) = state.plan.as_ref().filter(|_| state.current_stage().is_none()) {
            awaited.all = awaited.since;
            awaited.read(plan.runbook.promise.iter().map(|check| &check.that), awaited.since);
        }
        awaited
    }

    fn read<'c>(&mut self, conditions: impl Iterator<Item = &'c Expression>, since: u64) {
        for Expression(text) in conditions {
            let names = |root: &str| text.match_indices(root).any(|(at, _)| !text[..at].ends_with('.'));
            if ["hosts", "etcd", "kube"].into_iter().any(names) {
                self.all = self.all.max(since);
            }
            self.closely.lag |= text.contains("lag") || text.contains("raft_index");
        }
    }

    /// Whether somebody waits for facts that were asked for after event `asked`, where the last that are known were asked for
    /// after event `known`.
    #[must_use]
    pub fn soon(&self, known: u64, asked: u64) -> bool {
        known < self.since && asked >= self.since
    }

    /// Whether the values count to the last digit for them.
    #[must_use]
    pub fn exactly(&self, host: &HostName, known: u64, asked: u64) -> bool {
        let since = self.own.get(host).copied().unwrap_or_default().max(self.all);
        known < since && asked >= since
    }

    /// What is looked at however little it moves, as long as these gates stand and these verifications go on.
    #[must_use]
    pub fn closely(&self) -> Closely {
        self.closely
    }

    /// Whether an event may change who waits.
    #[must_use]
    pub fn moved_by(event: &Event) -> bool {
        !matches!(
            event,
            Event::FactsSeen { .. }
                | Event::FactsChanged { .. }
                | Event::FactsConfirmed { .. }
                | Event::Beat { .. }
                | Event::JobOutput { .. }
                | Event::FileMoved { .. }
        )
    }
}
