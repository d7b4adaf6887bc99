//! One check on one scope: what came of it, and which values it read.
//!
//! What came of an expression is kept by the identity of the values that it names: as long as these are the same, so is
//! that. What depends on the moment (how old a value is, whose facts do not count) is told anew each time.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use cel::common::ast::IdedExpr;
use cel::{Context, Env, Program, Value as Cel};

use super::memo::Generations;
use super::readings::{Read, readings};
use super::scope::{ROOTS, Scope};
use crate::model::HostName;
use crate::model::event::{CheckResult, Reading, Verdict};
use crate::model::runbook::{Check, Expression};

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// Evaluates a check. What cannot be evaluated has not passed.
#[must_use]
pub fn evaluate(check: &Check, scope: &Scope) -> CheckResult {
    let (verdict, read) = evaluate_expression(&check.that, scope);
    CheckResult { says: check.says.clone(), that: check.that.0.clone(), because: check.because.clone(), verdict, read }
}

/// Evaluates a bare condition.
#[must_use]
pub fn evaluate_expression(expression: &Expression, scope: &Scope) -> (Verdict, Vec<Reading>) {
    let compiled = match compiled(expression) {
        Ok(compiled) => compiled,
        Err(wrong) => return (Verdict::Unknown(wrong), Vec::new()),
    };
    let judged = judge(&compiled, scope);
    let reading =
        |read: &Read| Reading { path: read.path.clone(), value: read.value.clone(), seen: scope.seen(&read.root) };
    let read = judged.read.get_or_init(|| readings(&compiled.program, scope)).iter().map(reading).collect();
    let verdict = match &judged.outcome {
        Outcome::Is(true) if scope.knows_nothing_of(&compiled.names) => {
            Verdict::Unknown(explain("nothing that it asks about is known", &compiled.names, scope))
        }
        Outcome::Is(true) => Verdict::Pass,
        Outcome::Is(false) => Verdict::Fail,
        Outcome::Neither(what) => Verdict::Unknown(what.clone()),
        Outcome::Error(what) => Verdict::Unknown(explain(what, &compiled.names, scope)),
    };
    (verdict, read)
}

/// Whether a condition holds, where that can be told: what [`evaluate_expression`] finds, without the words.
#[must_use]
pub fn holds(expression: &Expression, scope: &Scope) -> Option<bool> {
    match judge(&*compiled(expression).ok()?, scope).outcome {
        Outcome::Is(truth) => Some(truth),
        Outcome::Neither(_) | Outcome::Error(_) => None,
    }
}

/// The root names that a condition speaks of; none where it is no condition.
#[must_use]
pub fn names_in(expression: &Expression) -> Vec<&'static str> {
    compiled(expression).map(|compiled| compiled.names.clone()).unwrap_or_default()
}

/// An expression, ready to be evaluated.
struct Compiled {
    /// Two of the same number are the same.
    number: usize,
    program: Program,
    /// The program as it is judged: what is asked of all is asked of something.
    judged: IdedExpr,
    /// The root names in it.
    names: Vec<&'static str>,
}

/// What came of an expression.
struct Judged {
    outcome: Outcome,
    /// The values that it read, once somebody has asked.
    read: OnceCell<Vec<Read>>,
}

enum Outcome {
    Is(bool),
    Neither(String),
    Error(String),
}

/// An expression's number, and the ids of the values that it names, in its order; 0 for a name that has none.
type Basis = (usize, Vec<u64>);

thread_local! {
    /// Every expression is compiled once: a runbook has some hundreds, and its gates are looked at several times a second.
    static COMPILED: RefCell<HashMap<String, Rc<Compiled>>> = RefCell::default();

    static JUDGED: RefCell<Generations<Basis, Rc<Judged>>> = RefCell::new(Generations::keeping(16_384));

    static FUNCTIONS: Context<'static, 'static> = {
        let mut context = Context::with_env(ENV.clone());
        super::version::add_to(&mut context);
        super::socket::add_to(&mut context);
        super::something::add_to(&mut context);
        context
    };
}

fn compiled(expression: &Expression) -> Result<Rc<Compiled>, String> {
    if let Some(compiled) = COMPILED.with_borrow(|known| known.get(&expression.0).cloned()) {
        return Ok(compiled);
    }
    let program = ENV.compile(&expression.0).map_err(|errors| format!("not an expression: {errors}"))?;
    let references = program.references();
    let names = ROOTS.into_iter().filter(|name| references.has_variable(name)).collect();
    Ok(COMPILED.with_borrow_mut(|known| {
        let judged = super::something::asked_for(program.expression().clone());
        let compiled = Rc::new(Compiled { number: known.len(), program, judged, names });
        known.insert(expression.0.clone(), compiled.clone());
        compiled
    }))
}

fn judge(compiled: &Compiled, scope: &Scope) -> Rc<Judged> {
    let ids = compiled.names.iter().map(|name| scope.root(name).map_or(0, |root| root.id)).collect();
    let basis = (compiled.number, ids);
    if let Some(judged) = JUDGED.with_borrow_mut(|known| known.get(&basis).cloned()) {
        return judged;
    }
    let outcome = match execute(compiled, scope) {
        Ok(Cel::Bool(truth)) => Outcome::Is(truth),
        Ok(other) => Outcome::Neither(format!("the condition is neither true nor false but {:?}", other.type_of())),
        Err(cel::ExecutionError::NoSuchKey(key)) => Outcome::Error(format!("`{key}` is not known")),
        Err(error) => Outcome::Error(error.to_string()),
    };
    let judged = Rc::new(Judged { outcome, read: OnceCell::new() });
    JUDGED.with_borrow_mut(|known| known.insert(basis, judged.clone(), |_| false));
    judged
}

fn execute(compiled: &Compiled, scope: &Scope) -> cel::ResolveResult {
    FUNCTIONS.with(|functions| {
        let mut context = functions.new_inner_scope();
        for name in &compiled.names {
            if let Some(root) = scope.root(name) {
                context.add_variable_as_val(*name, root.value.clone_as_boxed());
            }
        }
        Cel::resolve(&compiled.judged, &context)
    })
}

/// Why an expression of these root names could not be evaluated, in terms of what was not seen.
fn explain(what: &str, names: &[&str], scope: &Scope) -> String {
    let reasons: Vec<String> =
        scope.absent(names).iter().map(|(why, hosts)| format!("{}: {why}", few(hosts))).collect();
    if reasons.is_empty() { what.to_owned() } else { format!("{what} ({})", reasons.join("; ")) }
}

/// The first of many names, and how many more there are.
fn few(names: &[HostName]) -> String {
    const NAMED: usize = 3;
    let first: Vec<&str> = names.iter().take(NAMED).map(HostName::as_str).collect();
    let more = names.len().saturating_sub(NAMED);
    if more == 0 { first.join(", ") } else { format!("{} and {more} more", first.join(", ")) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::*;
    use crate::model::event::Mode;
    use crate::model::facts::{Etcd, Facts, Member, PathFact, Unit};
    use crate::model::inventory::{Host, Inventory, Role};
    use crate::model::{Event, Record, State};

    fn host(name: &str, role: Role) -> Host {
        Host {
            name: name.into(),
            address: None,
            roles: vec![role],
            connection: crate::model::inventory::Connection::default(),
            node: None,
            ssh: crate::model::inventory::Ssh::default(),
            vars: indexmap::IndexMap::new(),
        }
    }

    fn watched(inventory: Inventory) -> Event {
        Event::SessionStarted {
            session: "s".into(),
            mode: Mode::Monitor,
            version: "0".into(),
            operator: "o".into(),
            inventory: Box::new(inventory),
            plan: None,
        }
    }

    /// Three members, the third one dead, seen by a monitor.
    fn state() -> State {
        let names = ["etcd1", "etcd2", "etcd3"];
        let hosts = names.map(|name| host(name, Role::Etcd));
        let inventory = Inventory { cluster: "test".into(), hosts: hosts.into(), ..Inventory::default() };
        let members =
            names.map(|name| Member { id: name.replace("etcd", "a"), name: name.into(), ..Member::default() });
        let mut events = vec![watched(inventory)];
        for (n, name) in names.iter().enumerate() {
            let healthy = n != 2;
            let etcd = Etcd {
                healthy: Some(healthy),
                server: healthy.then(|| "2.3.8".into()),
                members: healthy.then(|| members.to_vec()),
                ..Etcd::default()
            };
            let unit = Unit { active: "active".into(), ..Unit::default() };
            let facts = Facts {
                etcd: Some(etcd),
                units: BTreeMap::from([("etcd2.service".into(), unit)]),
                paths: BTreeMap::from([("/var/lib/etcd/member".into(), PathFact::default())]),
                ..Facts::default()
            };
            events.push(Event::FactsSeen { host: HostName::from(*name), asked: 0, facts: Box::new(facts) });
        }
        let records = events.into_iter().zip(1..).map(|(event, seq)| Record { seq, at: Timestamp::UNIX_EPOCH, event });
        State::of(&records.collect::<Vec<_>>())
    }

    fn judge(that: &str) -> (Verdict, Vec<(String, String)>) {
        let state = state();
        let scope = Scope::new(&state, None, 0, Timestamp::UNIX_EPOCH);
        let (verdict, read) = evaluate_expression(&Expression(that.into()), &scope);
        (verdict, read.into_iter().map(|reading| (reading.path, reading.value)).collect())
    }

    #[test]
    fn what_was_read_is_told_member_by_member() {
        let (verdict, read) = judge("etcd.members.all(m, m.healthy)");
        assert_eq!(verdict, Verdict::Fail);
        assert_eq!(read, [("etcd.members[].healthy".into(), "etcd1 true, etcd2 true, etcd3 false".into())]);
    }

    #[test]
    fn counts_are_integers_that_mix_with_literals() {
        let (verdict, read) = judge("etcd.healthy - 1 >= etcd.quorum");
        assert_eq!(verdict, Verdict::Fail);
        assert_eq!(read, [("etcd.healthy".into(), "2".into()), ("etcd.quorum".into(), "2".into())]);
    }

    #[test]
    fn an_absent_fact_never_passes() {
        for that in [
            "etcd.versions.all(v, v == '2.3.8')",
            "hosts.all(h, h.etcd.server == '2.3.8')",
            "kube.healthy",
            "host.name == 'x'",
        ] {
            assert!(matches!(judge(that).0, Verdict::Unknown(_) | Verdict::Fail), "{that}: {:?}", judge(that));
        }
    }

    #[test]
    fn what_holds_of_hosts_that_nobody_has_seen_is_unknown() {
        let clocks = Expression("hosts.all(h, !has(h.clock_ms) || h.clock_ms <= 400)".into());
        let mut state = state();
        let verdict = |state: &State| {
            let scope = Scope::new(state, None, 0, Timestamp::UNIX_EPOCH);
            let (verdict, read) = evaluate_expression(&clocks, &scope);
            assert!(read.iter().all(|reading| reading.value != "none"), "{read:?}");
            verdict
        };
        assert_eq!(verdict(&state), Verdict::Pass);
        for (seq, host) in (state.seq + 1..).zip(["etcd1", "etcd2", "etcd3"]) {
            let event = Event::HostLost { host: host.into(), reason: "refuses port 22".into() };
            state.apply(&Record { seq, at: Timestamp::UNIX_EPOCH, event });
        }
        assert!(matches!(verdict(&state), Verdict::Unknown(_)), "{:?}", verdict(&state));
    }

    #[test]
    fn who_left_it_open_is_told_by_reason_and_in_few_words() {
        let mut state = State::default();
        let hosts = (1..=40).map(|n| host(&format!("h{n}"), if n <= 5 { Role::Etcd } else { Role::Worker }));
        let inventory = Inventory { cluster: "test".into(), hosts: hosts.collect(), ..Inventory::default() };
        let started = watched(inventory);
        let lost = Event::HostLost { host: "h2".into(), reason: "refuses port 22".into() };
        for (seq, event) in (1..).zip([started, lost]) {
            state.apply(&Record { seq, at: Timestamp::UNIX_EPOCH, event });
        }
        let scope = Scope::new(&state, None, 0, Timestamp::UNIX_EPOCH);
        let told = |that: &str| match evaluate_expression(&Expression(that.into()), &scope).0 {
            Verdict::Unknown(why) => why,
            other => panic!("{that} is {other:?}"),
        };
        // Members only, since nobody else was asked.
        let why = told("etcd.alarms.size() == 0");
        assert!(why.ends_with("(h1, h3, h4 and 1 more: not seen yet; h2: the host does not answer)"), "{why}");
        let why = told("hosts.all(h, h.kubelet == 'x')");
        assert!(why.ends_with("(h1, h3, h4 and 36 more: not seen yet; h2: the host does not answer)"), "{why}");
    }

    #[test]
    fn paths_through_maps_and_keys_are_named() {
        let (verdict, read) =
            judge("hosts.all(h, h.units.all(u, !u.startsWith('kube') || h.units[u].active != 'active'))");
        assert_eq!(verdict, Verdict::Pass);
        assert!(!read.is_empty());
        let (verdict, _) = judge("hosts.all(h, !h.paths['/var/lib/etcd/member'].exists)");
        assert_eq!(verdict, Verdict::Pass);
    }

    #[test]
    fn what_holds_of_all_of_nothing_is_unknown() {
        // No host of the inventory is a member.
        let inventory = Inventory { hosts: vec![host("w1", Role::Worker)], ..Inventory::default() };
        let mut state = State::default();
        let facts = Facts { hostname: Some("w1".into()), ..Facts::default() };
        let seen = Event::FactsSeen { host: "w1".into(), asked: 0, facts: Box::new(facts) };
        for (seq, event) in (1..).zip([watched(inventory), seen]) {
            state.apply(&Record { seq, at: Timestamp::UNIX_EPOCH, event });
        }
        let scope = Scope::new(&state, None, 0, Timestamp::UNIX_EPOCH);
        let verdict = |that: &str| evaluate_expression(&Expression(that.into()), &scope).0;
        for that in [
            "etcd.members.all(m, m.healthy)",
            "hosts.all(h, h.units.all(u, h.units[u].active == 'active'))",
            "hosts.all(h, etcd.members.all(m, m.healthy))",
            "etcd.members.filter(m, m.healthy).all(m, m.name != '')",
            "hosts[0].name == 'w1' && etcd.members.all(m, m.healthy)",
        ] {
            let Verdict::Unknown(why) = verdict(that) else { panic!("{that}: {:?}", verdict(that)) };
            assert!(why.contains("nothing that it could hold of"), "{that}: {why}");
        }
        for that in [
            "etcd.members.size() == 0 || etcd.members.all(m, m.healthy)",
            "hosts.filter(h, h.name == 'x').all(h, h.name == 'y')",
            "hosts.all(h, h.name == 'w1')",
            "!etcd.members.exists(m, m.healthy)",
            "[1, 2].all(n, n > 0)",
        ] {
            assert_eq!(verdict(that), Verdict::Pass, "{that}");
        }
        assert_eq!(verdict("hosts.all(h, h.name == 'x')"), Verdict::Fail);
    }

    #[test]
    fn a_condition_that_is_no_condition_is_unknown() {
        assert!(matches!(judge("etcd.size").0, Verdict::Unknown(_)));
        assert!(matches!(judge("etcd.size ==").0, Verdict::Unknown(_)));
    }
}
