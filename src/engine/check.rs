//! One check on one scope: what came of it, and which values it read.

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use cel::objects::{Key, Map as CelMap};
use cel::{Context, Env, Program, Value as Cel};
use serde_json::Value;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use super::scope::Scope;
use crate::model::event::{CheckResult, Reading, Verdict};
use crate::model::runbook::{Check, Expression};

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// The names that an expression may begin a path with.
pub const ROOTS: [&str; 7] = ["host", "hosts", "etcd", "kube", "vars", "session", "config"];

/// Evaluates a check. What cannot be evaluated has not passed.
#[must_use]
pub fn evaluate(check: &Check, scope: &Scope) -> CheckResult {
    let (verdict, read) = evaluate_expression(&check.that, scope);
    CheckResult {
        says: check.says.clone(),
        that: check.that.0.clone(),
        because: check.because.clone(),
        verdict,
        read,
    }
}

/// Evaluates a bare condition.
#[must_use]
pub fn evaluate_expression(expression: &Expression, scope: &Scope) -> (Verdict, Vec<Reading>) {
    let program = match compiled(expression) {
        Ok(program) => program,
        Err(wrong) => return (Verdict::Unknown(wrong), Vec::new()),
    };
    let read = readings(&program, scope);
    let verdict = match scope.values.execute(&program, |name| scope.root(name)) {
        Ok(Cel::Bool(true)) => Verdict::Pass,
        Ok(Cel::Bool(false)) => Verdict::Fail,
        Ok(other) => Verdict::Unknown(format!("the condition is neither true nor false but {:?}", other.type_of())),
        Err(error) => Verdict::Unknown(explain(&error, scope)),
    };
    (verdict, read)
}

/// The values of a scope as the language sees them: those that some expression has asked for, each made once.
pub(super) struct Values(RefCell<Context<'static, 'static>>);

impl Default for Values {
    fn default() -> Self {
        let mut context = Context::with_env(ENV.clone());
        super::version::add_to(&mut context);
        Self(RefCell::new(context))
    }
}

impl Values {
    fn execute<'v>(&self, program: &Program, root: impl Fn(&str) -> Option<&'v Value>) -> cel::ResolveResult {
        let mut context = self.0.borrow_mut();
        for name in program.references().variables() {
            if context.get_variable(name).is_none()
                && let Some(value) = root(name)
            {
                context.add_variable_from_value(name, to_cel(value));
            }
        }
        program.execute(&context)
    }
}

thread_local! {
    /// Every expression is compiled once: a runbook has some hundreds, and its gates are looked at several times a second.
    static COMPILED: RefCell<HashMap<String, Rc<Program>>> = RefCell::default();
}

fn compiled(expression: &Expression) -> Result<Rc<Program>, String> {
    if let Some(program) = COMPILED.with_borrow(|known| known.get(&expression.0).cloned()) {
        return Ok(program);
    }
    let program = Rc::new(ENV.compile(&expression.0).map_err(|errors| format!("not an expression: {errors}"))?);
    COMPILED.with_borrow_mut(|known| known.insert(expression.0.clone(), program.clone()));
    Ok(program)
}

/// Why an expression could not be evaluated, in terms of what was not seen.
fn explain(error: &cel::ExecutionError, scope: &Scope) -> String {
    let what = match error {
        cel::ExecutionError::NoSuchKey(key) => format!("`{key}` is not known"),
        other => other.to_string(),
    };
    match scope.absent.as_slice() {
        [] => what,
        absent => {
            let hosts: Vec<_> = absent.iter().map(|(host, why)| format!("{host}: {why}")).collect();
            format!("{what} ({})", hosts.join("; "))
        }
    }
}

/// JSON as CEL sees it. Every whole number is an `int`, because CEL does not mix `uint` with literals.
fn to_cel(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(truth) => Cel::Bool(*truth),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Cel::Int(whole),
            None => Cel::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Object(entries) => {
            let map: HashMap<Key, Cel> =
                entries.iter().map(|(key, value)| (Key::String(Arc::new(key.clone())), to_cel(value))).collect();
            Cel::Map(CelMap { map: Arc::new(map) })
        }
    }
}

/// The values a program reads, by the path it reads them from.
fn readings(program: &Program, scope: &Scope) -> Vec<Reading> {
    let mut reader = Reader { scope, bound: Vec::new(), found: Vec::new() };
    reader.walk(program.expression());
    let mut readings: Vec<Reading> = Vec::new();
    for place in reader.found {
        let reading = place.reading(scope);
        if !readings.contains(&reading) {
            readings.push(reading);
        }
    }
    readings
}

/// A value, if it is known, and what it is called in a list.
type Labelled<'s> = (Option<Cow<'s, str>>, Option<Cow<'s, Value>>);

/// A path that an expression reads, with every value that stands there: one, or one for each item of a list.
#[derive(Clone)]
struct Place<'s> {
    root: String,
    path: String,
    values: Vec<Labelled<'s>>,
}

/// What stands under a key, where anything does.
fn under<'s>(value: Cow<'s, Value>, key: &str) -> Option<Cow<'s, Value>> {
    match value {
        Cow::Borrowed(value) => value.get(key).map(Cow::Borrowed),
        Cow::Owned(value) => value.get(key).cloned().map(Cow::Owned),
    }
}

impl Place<'_> {
    fn step(mut self, name: &str, shown: &str) -> Self {
        self.path.push_str(shown);
        for (_, value) in &mut self.values {
            *value = value.take().and_then(|value| under(value, name));
        }
        self
    }

    fn reading(self, scope: &Scope) -> Reading {
        let seen = scope.seen(&self.root);
        let shown: Vec<String> = self
            .values
            .iter()
            .map(|(label, value)| {
                let value = value.as_ref().map_or_else(|| "unknown".into(), |value| brief(value));
                match label {
                    Some(label) if *label != value => format!("{label} {value}"),
                    _ => value,
                }
            })
            .collect();
        let value = if shown.is_empty() { "none".into() } else { shorten(shown.join(", ")) };
        Reading { path: self.path, value, seen }
    }
}

/// A value in a few words.
fn brief(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.is_empty() => "''".into(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            format!("[{}]", items.iter().map(brief).collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("{} entries", items.len()),
        Value::Object(map) => format!("{} entries", map.len()),
    }
}

fn shorten(text: String) -> String {
    const MOST: usize = 160;
    if text.chars().count() <= MOST {
        return text;
    }
    let head: String = text.chars().take(MOST).collect();
    format!("{head}…")
}

struct Reader<'s> {
    scope: &'s Scope,
    /// Variables of the comprehensions around, with what they run over.
    bound: Vec<(String, Place<'s>)>,
    found: Vec<Place<'s>>,
}

impl<'s> Reader<'s> {
    fn walk(&mut self, expression: &IdedExpr) {
        if let Some(place) = self.place(expression) {
            self.found.push(place);
            return;
        }
        match &expression.expr {
            Expr::Call(call) => {
                call.target.iter().for_each(|target| self.walk(target));
                call.args.iter().for_each(|arg| self.walk(arg));
            }
            Expr::Comprehension(comprehension) => {
                let before = self.found.len();
                if let Some(range) = self.place(&comprehension.iter_range) {
                    self.bound.push((comprehension.iter_var.clone(), items(range.clone())));
                    self.walk(&comprehension.loop_step);
                    self.bound.pop();
                    if self.found.len() == before {
                        self.found.push(range);
                    }
                } else {
                    self.walk(&comprehension.iter_range);
                    self.walk(&comprehension.loop_step);
                }
            }
            Expr::List(list) => list.elements.iter().for_each(|element| self.walk(element)),
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.walk(&entry.key);
                        self.walk(&entry.value);
                    }
                }
            }
            Expr::Select(select) => self.walk(&select.operand),
            Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) | Expr::Unspecified => {}
        }
    }

    /// The place that an expression names, if it is nothing but a path from a root or a bound variable.
    fn place(&self, expression: &IdedExpr) -> Option<Place<'s>> {
        match &expression.expr {
            Expr::Ident(name) => {
                if let Some((_, place)) = self.bound.iter().rev().find(|(bound, _)| bound == name) {
                    return Some(place.clone());
                }
                ROOTS.contains(&name.as_str()).then(|| Place {
                    root: name.clone(),
                    path: name.clone(),
                    values: vec![(None, self.scope.root(name).map(Cow::Borrowed))],
                })
            }
            Expr::Select(select) => {
                Some(self.place(&select.operand)?.step(&select.field, &format!(".{}", select.field)))
            }
            Expr::Call(call) if call.func_name == "_[_]" => {
                let [base, index] = call.args.as_slice() else { return None };
                let base = self.place(base)?;
                if let Expr::Literal(LiteralValue::String(key)) = &index.expr {
                    let key: &str = key.inner();
                    return Some(base.step(key, &format!("['{key}']")));
                }
                let index = self.place(index)?;
                let [(_, Some(Cow::Borrowed(container)))] = base.values.as_slice() else { return None };
                let values = index.values.into_iter().map(|(_, key)| {
                    let key = match key {
                        Some(Cow::Borrowed(Value::String(key))) => Cow::Borrowed(key.as_str()),
                        Some(Cow::Owned(Value::String(key))) => Cow::Owned(key),
                        _ => return (None, None),
                    };
                    let value = container.get(&*key).map(Cow::Borrowed);
                    (Some(key), value)
                });
                Some(Place {
                    root: base.root,
                    path: format!("{}[{}]", base.path, index.path),
                    values: values.collect(),
                })
            }
            _ => None,
        }
    }
}

/// The items that a comprehension over a place runs over: of a list its elements, of a map its keys.
fn items(range: Place<'_>) -> Place<'_> {
    let mut values = Vec::new();
    for (_, value) in range.values {
        match value {
            Some(Cow::Borrowed(Value::Array(elements))) => {
                for element in elements {
                    let label = ["host", "name"].iter().find_map(|key| element.get(key)?.as_str());
                    values.push((label.map(Cow::Borrowed), Some(Cow::Borrowed(element))));
                }
            }
            Some(Cow::Borrowed(Value::Object(map))) => {
                values.extend(map.keys().map(|key| (None, Some(Cow::Owned(Value::String(key.clone()))))));
            }
            _ => {}
        }
    }
    Place { root: range.root, path: format!("{}[]", range.path), values }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::*;
    use crate::model::event::Mode;
    use crate::model::facts::{Etcd, Facts, Member, PathFact, Unit};
    use crate::model::inventory::{Host, Inventory, Role};
    use crate::model::{Event, HostName, Record, State};

    /// Three members, the third one dead, seen by a monitor.
    fn scope() -> Scope {
        let names = ["etcd1", "etcd2", "etcd3"];
        let hosts = names.map(|name| Host {
            name: name.into(),
            address: None,
            roles: vec![Role::Etcd],
            connection: crate::model::inventory::Connection::default(),
            node: None,
            ssh: crate::model::inventory::Ssh::default(),
            vars: indexmap::IndexMap::new(),
        });
        let inventory = Inventory { cluster: "test".into(), hosts: hosts.into(), ..Inventory::default() };
        let members =
            names.map(|name| Member { id: name.replace("etcd", "a"), name: name.into(), ..Member::default() });
        let mut events = vec![Event::SessionStarted {
            session: "s".into(),
            mode: Mode::Monitor,
            version: "0".into(),
            operator: "o".into(),
            inventory: Box::new(inventory),
            plan: None,
        }];
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
        let state = State::of(&records.collect::<Vec<_>>());
        Scope::new(&state, None, 0, Timestamp::UNIX_EPOCH)
    }

    fn judge(that: &str) -> (Verdict, Vec<(String, String)>) {
        let (verdict, read) = evaluate_expression(&Expression(that.into()), &scope());
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
    fn paths_through_maps_and_keys_are_named() {
        let (verdict, read) =
            judge("hosts.all(h, h.units.all(u, !u.startsWith('kube') || h.units[u].active != 'active'))");
        assert_eq!(verdict, Verdict::Pass);
        assert!(!read.is_empty());
        let (verdict, _) = judge("hosts.all(h, !h.paths['/var/lib/etcd/member'].exists)");
        assert_eq!(verdict, Verdict::Pass);
    }

    #[test]
    fn a_condition_that_is_no_condition_is_unknown() {
        assert!(matches!(judge("etcd.size").0, Verdict::Unknown(_)));
        assert!(matches!(judge("etcd.size ==").0, Verdict::Unknown(_)));
    }
}
