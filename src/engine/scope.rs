//! What checks can see: `host`, `hosts`, `etcd`, `kube`, `vars`, `session`, `config`.
//!
//! Only facts that count are in it. A fact that is absent, too old, or older than the moment its gate was shown is
//! simply not there, so that an expression which needs it cannot be evaluated, and does not pass.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::memo::{Generations, Part, Root, Values};
use super::roots::{etcd_value, host_value, on_this_host, session_value};
use super::value;
use crate::model::inventory::{Host, Role};
use crate::model::state::{HostState, Seen};
use crate::model::{Facts, HostName, Inventory, State, TaskId};

/// Facts older than this do not count, however quiet the session.
pub const FRESH_FOR: SignedDuration = SignedDuration::from_secs(20);

/// The names that an expression may begin a path with.
pub const ROOTS: [&str; 7] = ["host", "hosts", "etcd", "kube", "vars", "session", "config"];

/// A root's value, where there is one, and when the oldest fact behind it was seen.
type Seeing = (Option<Arc<Root>>, Option<Timestamp>);

/// The values of one moment, for one task. Each is made when it is first asked for.
pub struct Scope<'s> {
    state: &'s State,
    inventory: Arc<Inventory>,
    task: Option<TaskId>,
    since: u64,
    now: Timestamp,
    roots: [OnceCell<Seeing>; ROOTS.len()],
}

thread_local! {
    static KNOWN: Known = Known::default();
}

/// The values of all scopes of a thread.
struct Known {
    host: Values,
    hosts: Values,
    etcd: Values,
    kube: Values,
    vars: Values,
    session: Values,
    config: Values,
    /// Hosts mostly have the same variables: what was found with those of one holds for the others.
    vars_by_content: RefCell<Generations<BTreeMap<String, String>, Arc<Root>>>,
}

impl Default for Known {
    fn default() -> Self {
        // A value of all hosts holds much, and few of them are of use at a time.
        const FEW: usize = 8;
        const MANY: usize = 8_192;
        Self {
            host: Values::keeping(MANY),
            hosts: Values::keeping(FEW),
            etcd: Values::keeping(FEW),
            kube: Values::keeping(FEW),
            vars: Values::keeping(MANY),
            session: Values::keeping(FEW),
            config: Values::keeping(MANY),
            vars_by_content: RefCell::new(Generations::keeping(MANY)),
        }
    }
}

impl<'s> Scope<'s> {
    /// What the checks of a task see, counting facts asked for after event `since` only. Without a task there is no `host`
    /// and no `config`.
    #[must_use]
    pub fn new(state: &'s State, task: Option<TaskId>, since: u64, now: Timestamp) -> Self {
        let inventory = state.session.as_ref().map(|session| session.inventory.clone()).unwrap_or_default();
        Self { state, inventory, task, since, now, roots: Default::default() }
    }

    /// When the oldest fact behind a root name was seen; nothing for what is no fact.
    #[must_use]
    pub fn seen(&self, root: &str) -> Option<Timestamp> {
        self.seeing(root)?.1
    }

    /// Hosts whose facts do not count, and why.
    #[must_use]
    pub fn absent(&self) -> Vec<(HostName, String)> {
        let why = |host: &Host| Some((host.name.clone(), self.absence(&host.name)?));
        self.inventory.hosts.iter().filter_map(why).collect()
    }

    /// Why the facts of a host do not count, if they do not.
    #[must_use]
    pub fn absence(&self, host: &HostName) -> Option<String> {
        self.countable(self.state.host(host)).err().map(|why| why.to_string())
    }

    /// Whether any host's facts do not count that some condition holds for.
    pub(super) fn lacks(&self, such: impl Fn(&HostState) -> bool) -> bool {
        self.state.hosts.values().any(|host| self.countable(Some(host)).is_err() && such(host))
    }

    /// The value of a root name.
    pub(super) fn root(&self, name: &str) -> Option<&Arc<Root>> {
        self.seeing(name)?.0.as_ref()
    }

    fn seeing(&self, name: &str) -> Option<&Seeing> {
        let index = ROOTS.iter().position(|root| *root == name)?;
        let make = || KNOWN.with(|known| self.make(name, known));
        Some(self.roots[index].get_or_init(make))
    }

    fn make(&self, name: &str, known: &Known) -> Seeing {
        let nothing = (None, None);
        match name {
            "host" => self.place().map_or(nothing, |(place, seen)| {
                (Some(self.host(known, place, seen.map(|seen| &seen.facts))), seen.map(|seen| seen.at))
            }),
            "hosts" => self.hosts(known),
            "etcd" => self.etcd(known),
            "kube" => self.kube(known),
            "vars" => (Some(self.vars(known)), None),
            "session" => {
                let parts = [Part::Inventory(&self.inventory), Part::Deeds(self.state.deeds())];
                (Some(known.session.get(&parts, || Root::new(value::of(session_value(self.state))))), None)
            }
            "config" => (self.config(known), None),
            _ => nothing,
        }
    }

    /// The task's host, by its place in the inventory, with its facts where they count.
    fn place(&self) -> Option<(usize, Option<&'s Seen>)> {
        let (task, _, _) = self.state.task(self.task?)?;
        let inventory = &self.inventory;
        let place = self.state.hosts.get_index_of(&task.host)?;
        let is_it = |place: &usize| inventory.hosts.get(*place).is_some_and(|host| host.name == task.host);
        let place =
            Some(place).filter(is_it).or_else(|| inventory.hosts.iter().position(|host| host.name == task.host))?;
        Some((place, self.countable(self.state.host(&task.host)).ok()))
    }

    /// Hosts of the inventory, with their facts where they count.
    fn all(&self) -> impl Iterator<Item = (&Host, Option<&'s Seen>)> {
        self.inventory.hosts.iter().enumerate().map(|(place, host)| {
            // The state has them in the same order, unless a name is there twice.
            let there = self.state.hosts.get_index(place).filter(|(name, _)| **name == host.name);
            let state = there.map(|(_, state)| state).or_else(|| self.state.host(&host.name));
            (host, self.countable(state).ok())
        })
    }

    fn host(&self, known: &Known, place: usize, facts: Option<&Arc<Facts>>) -> Arc<Root> {
        known.host.get(&[Part::Inventory(&self.inventory), Part::Number(place), Part::Facts(facts)], || {
            Root::new(value::of(host_value(&self.inventory.hosts[place], facts.map(|facts| &**facts))))
        })
    }

    fn hosts(&self, known: &Known) -> Seeing {
        let all: Vec<_> = self.all().map(|(_, seen)| seen).collect();
        let facts = |seen: &Option<&'s Seen>| seen.map(|seen| &seen.facts);
        let parts: Vec<_> = std::iter::once(Part::Inventory(&self.inventory))
            .chain(all.iter().map(|seen| Part::Facts(facts(seen))))
            .collect();
        let make = || {
            let each =
                all.iter().enumerate().map(|(place, seen)| self.host(known, place, facts(seen)).value.clone_as_boxed());
            Root::new(value::list(each.collect()))
        };
        (Some(known.hosts.get(&parts, make)), all.iter().flatten().map(|seen| seen.at).min())
    }

    fn etcd(&self, known: &Known) -> Seeing {
        let members: Vec<_> = self.all().filter(|(host, _)| host.roles.contains(&Role::Etcd)).collect();
        let facts = members.iter().map(|(_, seen)| Part::Facts(seen.map(|seen| &seen.facts)));
        let parts: Vec<_> = std::iter::once(Part::Inventory(&self.inventory)).chain(facts).collect();
        let make = || {
            let told = members.iter().map(|(host, seen)| (*host, seen.and_then(|seen| seen.facts.etcd.as_ref())));
            Root::new(value::of(etcd_value(&told.collect::<Vec<_>>())))
        };
        (Some(known.etcd.get(&parts, make)), members.iter().filter_map(|(_, seen)| Some((*seen)?.at)).min())
    }

    /// The API server's view, from the first control plane that has one.
    fn kube(&self, known: &Known) -> Seeing {
        let mut planes = self.all().filter(|(host, _)| host.roles.contains(&Role::ControlPlane));
        let seen = planes.find_map(|(_, seen)| seen.filter(|seen| seen.facts.kube.is_some()));
        let make = || Root::new(value::of(seen.map_or_else(|| json!({}), |seen| json!(seen.facts.kube))));
        (Some(known.kube.get(&[Part::Facts(seen.map(|seen| &seen.facts))], make)), seen.map(|seen| seen.at))
    }

    fn vars(&self, known: &Known) -> Arc<Root> {
        let Some(plan) = &self.state.plan else { return known.vars.get(&[], || Root::new(value::of(json!(null)))) };
        let task = self.task.and_then(|id| plan.tasks.get(id.index()));
        let parts = [Part::Plan(plan), Part::Number(task.map_or(usize::MAX, |task| task.id.index()))];
        known.vars.get(&parts, || {
            let first = || plan.vars.get(&plan.inventory.hosts.first()?.name).cloned();
            let Some(vars) = task.map(|task| plan.vars_of(task)).or_else(first) else {
                return Root::new(value::of(json!(null)));
            };
            let mut by_content = known.vars_by_content.borrow_mut();
            if let Some(root) = by_content.get(&vars) {
                return root.clone();
            }
            let root = Root::new(value::of(json!(vars)));
            by_content.insert(vars, root.clone(), |_| false);
            root
        })
    }

    fn config(&self, known: &Known) -> Option<Arc<Root>> {
        let (id, plan) = (self.task?, self.state.plan.as_ref()?);
        let config = plan.tasks.get(id.index())?.pushes.iter().find_map(|push| push.config.as_ref())?;
        let facts = self.place().and_then(|(_, seen)| seen).map(|seen| &seen.facts);
        let make = || Root::new(value::of(on_this_host(config.clone(), facts.map(|facts| &**facts))));
        Some(known.config.get(&[Part::Plan(plan), Part::Number(id.index()), Part::Facts(facts)], make))
    }

    /// The facts of a host, if they count.
    fn countable<'h>(&self, host: Option<&'h HostState>) -> Result<&'h Seen, Absence<'h>> {
        let host = host.ok_or(Absence::Unknown)?;
        if let Some(why) = &host.stale {
            return Err(Absence::Stale(why));
        }
        let seen = host.facts.as_ref().ok_or(Absence::Unseen)?;
        let age = self.now.duration_since(seen.at);
        if age > FRESH_FOR {
            return Err(Absence::Old(age));
        }
        if seen.asked < self.since {
            return Err(Absence::Before);
        }
        Ok(seen)
    }
}

/// Why the facts of a host do not count.
enum Absence<'h> {
    Unknown,
    Stale(&'h str),
    Unseen,
    Old(SignedDuration),
    Before,
}

impl fmt::Display for Absence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("not in this session"),
            Self::Stale(why) => f.write_str(why),
            Self::Unseen => f.write_str("not seen yet"),
            Self::Old(age) => write!(f, "last seen {} s ago", age.as_secs()),
            Self::Before => f.write_str("not seen since this began"),
        }
    }
}
