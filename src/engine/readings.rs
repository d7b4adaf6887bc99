//! What an expression reads: which paths it names, and what stands there.

use cel::Program;
use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use cel::common::types::{CelList, CelMap, CelString};
use cel::common::value::Val;

use super::scope::{ROOTS, Scope};
use super::value::{self, under};

/// A value that an expression reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Read {
    /// The root name of the path.
    pub(super) root: String,
    /// Such as `etcd.members[].healthy`.
    pub(super) path: String,
    /// In a few words.
    pub(super) value: String,
}

/// The values a program reads, by the path it reads them from.
pub(super) fn readings(program: &Program, scope: &Scope) -> Vec<Read> {
    let mut reader = Reader { scope, bound: Vec::new(), found: Vec::new() };
    reader.walk(program.expression());
    let mut readings: Vec<Read> = Vec::new();
    for place in reader.found {
        let reading = place.reading();
        if !readings.contains(&reading) {
            readings.push(reading);
        }
    }
    readings
}

/// A value, if it is known, and what it is called in a list.
type Labelled<'s> = (Option<&'s str>, Option<Item<'s>>);

/// What stands at a path.
#[derive(Clone, Copy)]
enum Item<'s> {
    Value(&'s dyn Val),
    /// A key of a map.
    Key(&'s str),
}

impl<'s> Item<'s> {
    fn value(self) -> Option<&'s dyn Val> {
        match self {
            Self::Value(value) => Some(value),
            Self::Key(_) => None,
        }
    }

    fn text(self) -> Option<&'s str> {
        match self {
            Self::Value(value) => value.downcast_ref::<CelString>().map(CelString::inner),
            Self::Key(key) => Some(key),
        }
    }

    fn brief(self) -> String {
        match self {
            Self::Value(value) => value::brief(value),
            Self::Key(key) => value::brief(&CelString::from(key)),
        }
    }
}

/// A path that an expression reads, with every value that stands there: one, or one for each item of a list.
#[derive(Clone)]
struct Place<'s> {
    root: String,
    path: String,
    values: Vec<Labelled<'s>>,
}

impl Place<'_> {
    fn step(mut self, name: &str, shown: &str) -> Self {
        self.path.push_str(shown);
        for (_, value) in &mut self.values {
            *value = value.take().and_then(Item::value).and_then(|value| under(value, name)).map(Item::Value);
        }
        self
    }

    fn reading(self) -> Read {
        let shown: Vec<String> = self
            .values
            .iter()
            .map(|(label, value)| {
                let value = value.map_or_else(|| "unknown".into(), Item::brief);
                match label {
                    Some(label) if *label != value => format!("{label} {value}"),
                    _ => value,
                }
            })
            .collect();
        let value = if shown.is_empty() { "none".into() } else { shorten(shown.join(", ")) };
        Read { root: self.root, path: self.path, value }
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
    scope: &'s Scope<'s>,
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
                    values: vec![(None, self.scope.root(name).map(|root| Item::Value(&*root.value)))],
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
                let [(_, Some(Item::Value(container)))] = base.values.as_slice() else { return None };
                let values = index.values.into_iter().map(|(_, key)| {
                    let key = key.and_then(Item::text);
                    (key, key.and_then(|key| under(*container, key)).map(Item::Value))
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
    let mut values: Vec<Labelled<'_>> = Vec::new();
    for (label, value) in range.values {
        let Some(value) = value.and_then(Item::value) else {
            // A list that is not known is not an empty one.
            values.push((label, None));
            continue;
        };
        if let Some(list) = value.downcast_ref::<CelList>() {
            for element in list.inner() {
                let element: &dyn Val = &**element;
                let label = ["host", "name"].iter().find_map(|key| Item::Value(under(element, key)?).text());
                values.push((label, Some(Item::Value(element))));
            }
        } else if let Some(map) = value.downcast_ref::<CelMap>() {
            let mut keys: Vec<&str> = map.inner().keys().filter_map(|key| Item::Value(key.inner()).text()).collect();
            keys.sort_unstable();
            values.extend(keys.into_iter().map(|key| (None, Some(Item::Key(key)))));
        }
    }
    Place { root: range.root, path: format!("{}[]", range.path), values }
}
