//! What checks can see: `host`, `hosts`, `etcd`, `kube`, `vars`, `session`, `config`.
//!
//! Only facts that count are in it. A fact that is absent, too old, or older than the moment its gate was shown is
//! simply not there, so that an expression which needs it cannot be evaluated, and does not pass.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use indexmap::IndexMap;
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

/// The values of one moment, for one task. Each is made when it is first asked for.
pub struct Scope<'s> {
    state: &'s State,
    inventory: Arc<Inventory>,
    task: Option<TaskId>,
    since: u64,
    now: Timestamp,
    roots: [OnceCell<Option<Arc<Root>>>; ROOTS.len()],
}

thread_local! {
    static KNOWN: Known = Known::default();
}

/// Places of hosts in an inventory, by their role.
type Places = HashMap<Role, Rc<[usize]>>;

/// The values of all scopes of a thread.
struct Known {
    host: Values,
    hosts: Values,
    etcd: Values,
    kube: Values,
    vars: Values,
    session: Values,
    config: Values,
    /// Places of hosts by their role, of the inventory that was asked for last.
    roles: RefCell<(Weak<Inventory>, Places)>,
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
            roles: RefCell::default(),
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
        let oldest = |seen: &mut dyn Iterator<Item = Option<&'s Seen>>| seen.flatten().map(|seen| seen.at).min();
        match root {
            "host" => oldest(&mut self.place().map(|(_, seen)| seen).into_iter()),
            "hosts" => oldest(&mut self.all().map(|(_, seen)| seen)),
            "etcd" => oldest(&mut self.with_role(Role::Etcd).iter().map(|place| self.at(*place).1)),
            "kube" => oldest(&mut self.plane().into_iter().map(Some)),
            _ => None,
        }
    }

    /// Why facts behind these root names do not count, and whose.
    #[must_use]
    pub fn absent(&self, roots: &[&str]) -> IndexMap<String, Vec<HostName>> {
        let asked: BTreeSet<usize> = roots.iter().flat_map(|root| self.behind(root)).collect();
        let mut reasons: IndexMap<String, Vec<HostName>> = IndexMap::new();
        for place in asked {
            let name = &self.inventory.hosts[place].name;
            if let Some(why) = self.absence(name) {
                reasons.entry(why).or_default().push(name.clone());
            }
        }
        reasons
    }

    /// Whether these root names stand for facts of hosts, and none of these hosts' facts count: over nothing, anything holds.
    pub(super) fn knows_nothing_of(&self, roots: &[&str]) -> bool {
        let mut asked = roots.iter().flat_map(|root| self.behind(root)).peekable();
        asked.peek().is_some() && asked.all(|place| self.at(place).1.is_none())
    }

    /// The places of the hosts whose facts a root name is made of.
    fn behind(&self, root: &str) -> Vec<usize> {
        match root {
            "host" | "config" => self.place().map(|(place, _)| place).into_iter().collect(),
            "hosts" => (0..self.inventory.hosts.len()).collect(),
            "etcd" => self.with_role(Role::Etcd).to_vec(),
            "kube" => self.with_role(Role::ControlPlane).to_vec(),
            _ => Vec::new(),
        }
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
        let index = ROOTS.iter().position(|root| *root == name)?;
        self.roots[index].get_or_init(|| KNOWN.with(|known| self.make(name, known))).as_ref()
    }

    fn make(&self, name: &str, known: &Known) -> Option<Arc<Root>> {
        match name {
            "host" => self.place().map(|(place, seen)| self.host(known, place, seen.map(|seen| &seen.facts))),
            "hosts" => Some(self.hosts(known)),
            "etcd" => Some(self.etcd(known)),
            "kube" => Some(self.kube(known)),
            "vars" => Some(self.vars(known)),
            "session" => {
                let parts = [Part::Inventory(&self.inventory), Part::Deeds(self.state.deeds())];
                Some(known.session.get(parts.into_iter(), || Root::new(value::of(session_value(self.state)))))
            }
            "config" => self.config(known),
            _ => None,
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

    /// The hosts of the inventory, with their facts where they count.
    fn all(&self) -> impl Iterator<Item = (&Host, Option<&'s Seen>)> + Clone {
        (0..self.inventory.hosts.len()).map(|place| self.at(place))
    }

    /// The host at a place of the inventory, with its facts where they count.
    fn at(&self, place: usize) -> (&Host, Option<&'s Seen>) {
        let host = &self.inventory.hosts[place];
        // The state has them in the same order, unless a name is there twice.
        let there = self.state.hosts.get_index(place).filter(|(name, _)| **name == host.name);
        let state = there.map(|(_, state)| state).or_else(|| self.state.host(&host.name));
        (host, self.countable(state).ok())
    }

    /// The places of the hosts that have a role.
    fn with_role(&self, role: Role) -> Rc<[usize]> {
        KNOWN.with(|known| {
            let mut roles = known.roles.borrow_mut();
            if !std::ptr::eq(roles.0.as_ptr(), Arc::as_ptr(&self.inventory)) {
                *roles = (Arc::downgrade(&self.inventory), HashMap::new());
            }
            let hosts = self.inventory.hosts.iter().enumerate();
            let places = || hosts.filter(|(_, host)| host.roles.contains(&role)).map(|(place, _)| place).collect();
            roles.1.entry(role).or_insert_with(places).clone()
        })
    }

    fn host(&self, known: &Known, place: usize, facts: Option<&Arc<Facts>>) -> Arc<Root> {
        let parts = [Part::Inventory(&self.inventory), Part::Number(place), Part::Facts(facts)];
        known.host.get(parts.into_iter(), || {
            Root::new(value::of(host_value(&self.inventory.hosts[place], facts.map(|facts| &**facts))))
        })
    }

    fn hosts(&self, known: &Known) -> Arc<Root> {
        let facts = self.all().map(|(_, seen)| seen.map(|seen| &seen.facts));
        let parts = std::iter::once(Part::Inventory(&self.inventory)).chain(facts.clone().map(Part::Facts));
        known.hosts.get(parts, || {
            let each = facts.enumerate().map(|(place, facts)| self.host(known, place, facts).value.clone_as_boxed());
            Root::new(value::list(each.collect()))
        })
    }

    fn etcd(&self, known: &Known) -> Arc<Root> {
        let places = self.with_role(Role::Etcd);
        let members = places.iter().map(|place| self.at(*place));
        let facts = members.clone().map(|(_, seen)| Part::Facts(seen.map(|seen| &seen.facts)));
        known.etcd.get(std::iter::once(Part::Inventory(&self.inventory)).chain(facts), || {
            let told = members.map(|(host, seen)| (host, seen.and_then(|seen| seen.facts.etcd.as_ref())));
            Root::new(value::of(etcd_value(&told.collect::<Vec<_>>())))
        })
    }

    fn kube(&self, known: &Known) -> Arc<Root> {
        let facts = self.plane().map(|seen| &seen.facts);
        let make = || Root::new(value::of(facts.map_or_else(|| json!({}), |facts| json!(facts.kube))));
        known.kube.get(std::iter::once(Part::Facts(facts)), make)
    }

    /// The first control plane that tells what the API server sees.
    fn plane(&self) -> Option<&'s Seen> {
        let places = self.with_role(Role::ControlPlane);
        places.iter().filter_map(|place| self.at(*place).1).find(|seen| seen.facts.kube.is_some())
    }

    fn vars(&self, known: &Known) -> Arc<Root> {
        let Some(plan) = &self.state.plan else {
            return known.vars.get(std::iter::empty(), || Root::new(value::of(json!(null))));
        };
        let task = self.task.and_then(|id| plan.tasks.get(id.index()));
        let parts = [Part::Plan(plan), Part::Number(task.map_or(usize::MAX, |task| task.id.index()))];
        known.vars.get(parts.into_iter(), || {
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
        let parts = [Part::Plan(plan), Part::Number(id.index()), Part::Facts(facts)];
        Some(known.config.get(parts.into_iter(), make))
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
