//! Whose facts somebody waits for now, so that they are told at once and exactly: what merely moves can wait elsewhere.

use std::collections::{HashMap, HashSet};

use super::check::names_in;
use super::verification;
use crate::model::drift::Closely;
use crate::model::event::Event;
use crate::model::runbook::Check;
use crate::model::state::Phase;
use crate::model::{HostName, Role, State};

/// Who waits for facts, and since which event they count for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Awaited {
    /// For anybody.
    since: u64,
    /// For checks that read all hosts.
    all: u64,
    /// For checks of gates and verifications on these hosts, and for those that read the cluster as these tell of it.
    own: HashMap<HostName, u64>,
    /// What was done there is looked for: it may come true by little.
    verifying: HashSet<HostName>,
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
        let inventory = state.session.as_ref().map(|session| session.inventory.clone()).unwrap_or_default();
        let tellers = [("etcd", Role::Etcd), ("kube", Role::ControlPlane)]
            .map(|(root, role)| (root, inventory.with_role(role).map(|host| &host.name).collect::<Vec<_>>()));
        for id in state.gates().chain(state.under_way()) {
            let Some((task, step, current)) = state.task(id) else { continue };
            let checks = match current.phase {
                Phase::Gate => step.require.as_slice(),
                Phase::Verifying => verification::awaited(step, current),
                _ => continue,
            };
            let since = super::opening::counts_since(state, id);
            awaited.since = awaited.since.max(since);
            awaited.wait_for([&task.host], since);
            if current.phase == Phase::Verifying {
                awaited.verifying.insert(task.host.clone());
            }
            awaited.read(&tellers, checks, since);
        }
        if let Some(plan) = state.plan.as_ref().filter(|_| state.current_stage().is_none()) {
            awaited.all = awaited.since;
            awaited.read(&tellers, &plan.runbook.promise, awaited.since);
        }
        awaited
    }

    fn wait_for<'h>(&mut self, hosts: impl IntoIterator<Item = &'h HostName>, since: u64) {
        for host in hosts {
            let own = self.own.entry(host.clone()).or_default();
            *own = since.max(*own);
        }
    }

    /// Takes in who is read by checks; `tellers` are the hosts that a root name is made of.
    fn read(&mut self, tellers: &[(&str, Vec<&HostName>)], checks: &[Check], since: u64) {
        for Check { that, .. } in checks {
            let names = names_in(that);
            if names.contains(&"hosts") {
                self.all = self.all.max(since);
            }
            for (_, hosts) in tellers.iter().filter(|(root, _)| names.contains(root)) {
                self.wait_for(hosts.iter().copied(), since);
            }
            self.closely.lag |= that.0.contains("lag") || that.0.contains("raft_index");
        }
    }

    /// Whether somebody waits for facts that were asked for after event `asked`, where the last that are known were asked for
    /// after event `known`.
    #[must_use]
    pub fn soon(&self, known: u64, asked: u64) -> bool {
        known < self.since && asked >= self.since
    }

    /// Whether they wait for this host by itself: it is told at once.
    #[must_use]
    pub fn at_once(&self, host: &HostName, known: u64, asked: u64) -> bool {
        self.own.get(host).is_some_and(|since| known < *since && asked >= *since)
    }

    /// Whether the values count to the last digit for them.
    #[must_use]
    pub fn exactly(&self, host: &HostName, known: u64, asked: u64) -> bool {
        self.verifying.contains(host) || self.at_once(host, known, asked) || (known < self.all && asked >= self.all)
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
