//! Values as the language sees them, which can be handed on without being copied.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use cel::common::traits::{Adder, Container, Indexer, Iterable, Sizer, Zeroer};
use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, Type};
use cel::common::value::{Builtin, BuiltinRef, CowVal, Val};
use serde_json::Value;

/// A list or map that many values hold. The language copies what a comprehension runs over, item by item; of these it
/// copies a reference.
#[derive(Debug)]
struct Shared<T>(Arc<T>);

/// What the value under a [`Shared`] can do, it can do.
macro_rules! hand_on {
    ($($method:ident: $ability:ident,)*) => {
        $(
            fn $method<'b, 'v>(&'b self) -> Option<&'b (dyn $ability + 'v)>
            where
                Self: 'v,
            {
                self.0.$method()
            }
        )*
    };
}

impl<T: Val + 'static> Val for Shared<T> {
    hand_on! {
        as_adder: Adder,
        as_indexer: Indexer,
        as_iterable: Iterable,
    }

    fn get_type(&self) -> &Type {
        self.0.get_type()
    }

    fn cel_type() -> &'static Type {
        T::cel_type()
    }

    fn as_container(&self) -> Option<&dyn Container> {
        self.0.as_container()
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        self.0.as_sizer()
    }

    fn as_zeroer(&self) -> Option<&dyn Zeroer> {
        self.0.as_zeroer()
    }

    fn equals(&self, other: &dyn Val) -> bool {
        self.0.equals(other)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(Self(self.0.clone()))
    }

    fn as_any(&self) -> Option<&dyn Any> {
        self.0.as_any()
    }

    fn into_indexer<'v>(self: Box<Self>) -> Option<Box<dyn Indexer + 'v>>
    where
        Self: 'v,
    {
        self.0.clone_as_boxed().into_indexer()
    }

    // Told to be what it holds, so that it equals, and becomes, what a list or map of the language would.
    fn as_builtin<'b, 'v>(&'b self) -> BuiltinRef<'b, 'v>
    where
        Self: 'v,
    {
        self.0.as_builtin()
    }

    fn into_builtin<'v>(self: Box<Self>) -> Option<Builtin<'v>>
    where
        Self: 'v,
    {
        self.0.clone_as_boxed().into_builtin()
    }
}

/// JSON as the language sees it. Every whole number is an `int`, because the language does not mix `uint` with literals.
pub(super) fn of(json: Value) -> Box<dyn Val> {
    match json {
        Value::Null => Box::new(CelNull),
        Value::Bool(truth) => Box::new(CelBool::from(truth)),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Box::new(CelInt::from(whole)),
            None => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
        },
        Value::String(text) => Box::new(CelString::from(text)),
        Value::Array(items) => list(items.into_iter().map(of).collect()),
        Value::Object(entries) => {
            let map: HashMap<CelMapKey, Box<dyn Val>> =
                entries.into_iter().map(|(key, value)| (CelMapKey::from(key), of(value))).collect();
            Box::new(Shared(Arc::new(CelMap::from(map))))
        }
    }
}

/// A list of such values.
pub(super) fn list(items: Vec<Box<dyn Val>>) -> Box<dyn Val> {
    Box::new(Shared(Arc::new(CelList::from(items))))
}

/// What stands under a key, where anything does.
pub(super) fn under<'v>(value: &'v dyn Val, key: &str) -> Option<&'v dyn Val> {
    match value.downcast_ref::<CelMap>()?.get(&CelString::from(key)).ok()? {
        CowVal::Borrowed(found) => Some(found),
        CowVal::Owned(_) => None,
    }
}

/// A value in a few words.
pub(super) fn brief(value: &dyn Val) -> String {
    if let Some(text) = value.downcast_ref::<CelString>().map(CelString::inner) {
        return if text.is_empty() { "''".into() } else { text.into() };
    }
    let entries = |count: usize| format!("{count} entries");
    if let Some(items) = value.downcast_ref::<CelList>() {
        let plain = |item: &dyn Val| matches!(item.as_builtin(), BuiltinRef::String(_) | BuiltinRef::Other);
        return if items.inner().iter().all(|item| plain(&**item)) {
            format!("[{}]", items.inner().iter().map(|item| brief(&**item)).collect::<Vec<_>>().join(", "))
        } else {
            entries(items.inner().len())
        };
    }
    let truth = || Some(value.downcast_ref::<CelBool>()?.inner().to_string());
    let whole = || Some(value.downcast_ref::<CelInt>()?.inner().to_string());
    let number = || Some(Value::from(*value.downcast_ref::<CelDouble>()?.inner()).to_string());
    let map = || Some(entries(value.downcast_ref::<CelMap>()?.inner().len()));
    truth().or_else(whole).or_else(number).or_else(map).unwrap_or_else(|| "nothing".into())
}

#[cfg(test)]
mod tests {
    use cel::{Context, Program};
    use serde_json::json;

    use super::*;

    #[test]
    fn shared_values_are_as_good_as_the_languages_own() {
        let value = json!({"list": ["a", "b"], "map": {"k": 1}, "many": [{"n": 1}, {"n": 2}], "half": 0.5, "no": null});
        let mut context = Context::default();
        context.add_variable_as_val("x", of(value));
        for that in [
            "x.list == ['a', 'b'] && ['a', 'b'] == x.list",
            "x.map == {'k': 1} && {'k': 1} == x.map",
            "x.list + ['c'] == ['a', 'b', 'c'] && ['c'] + x.list == ['c', 'a', 'b']",
            "'a' in x.list && 'k' in x.map && !('z' in x.map)",
            "x.many.filter(m, m.n > 1).size() == 1 && x.many.filter(m, m.n > 1)[0].n == 2",
            "x.many.map(m, m.n) == [1, 2] && size(x.map) == 1",
            "x.many.exists(m, m == {'n': 2}) && x.half == 0.5 && x.no == null && !has(x.other)",
        ] {
            assert_eq!(Program::compile(that).unwrap().execute(&context), Ok(cel::Value::Bool(true)), "{that}");
        }
    }

    #[test]
    fn a_value_is_told_in_a_few_words() {
        for (value, expected) in [
            (json!(["a", 1, true]), "[a, 1, true]"),
            (json!([{}, {}]), "2 entries"),
            (json!({"a": 1}), "1 entries"),
            (json!(""), "''"),
            (json!(0.5), "0.5"),
            (json!(null), "nothing"),
        ] {
            assert_eq!(brief(&*of(value.clone())), expected, "{value}");
        }
    }
}
