//! What changed between two values, as a JSON merge patch (RFC 7396): only what differs, `null` for what is gone.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The patch that makes one value of another; nothing where a patch cannot say it (a `null` that is meant, a value that is no
/// object), so that it has to be told whole.
#[must_use]
pub fn between<T: Serialize + DeserializeOwned + PartialEq>(before: &T, after: &T) -> Option<Map<String, Value>> {
    let (Ok(Value::Object(old)), Ok(Value::Object(new))) = (serde_json::to_value(before), serde_json::to_value(after))
    else {
        return None;
    };
    let patch = differing(&old, &new);
    let told: T = patched(old, &patch)?;
    (told == *after).then_some(patch)
}

/// A value as it is after a patch. What the patch names and the type does not know is passed over; nothing where what comes of
/// it is no such value.
#[must_use]
pub fn apply<T: Serialize + DeserializeOwned>(before: &T, patch: &Map<String, Value>) -> Option<T> {
    let Ok(Value::Object(old)) = serde_json::to_value(before) else { return None };
    patched(old, patch)
}

fn patched<T: DeserializeOwned>(mut old: Map<String, Value>, patch: &Map<String, Value>) -> Option<T> {
    merge(&mut old, patch);
    serde_json::from_value(Value::Object(old)).ok()
}

fn differing(old: &Map<String, Value>, new: &Map<String, Value>) -> Map<String, Value> {
    let gone = old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let other = new.iter().filter_map(|(key, value)| {
        let change = match (old.get(key), value) {
            (Some(before), _) if before == value => return None,
            (Some(Value::Object(before)), Value::Object(after)) => Value::Object(differing(before, after)),
            _ => value.clone(),
        };
        Some((key.clone(), change))
    });
    other.chain(gone).collect()
}

fn merge(into: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, change) in patch {
        match change {
            Value::Null => drop(into.shift_remove(key)),
            Value::Object(change) => {
                let place = into.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()));
                if !place.is_object() {
                    *place = Value::Object(Map::new());
                }
                if let Value::Object(place) = place {
                    merge(place, change);
                }
            }
            other => drop(into.insert(key.clone(), other.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_told_and_an_unknown_section_is_passed_over() {
        let facts = |value: Value| -> crate::model::Facts { serde_json::from_value(value).unwrap() };
        let before = facts(json!({
            "arch": "x86_64", "etcd": {"raft_index": 1, "raft_term": 2, "healthy": true},
            "lines": {"/a": ["1", "2"], "/b": []},
        }));
        let after = facts(json!({
            "swap": true, "etcd": {"raft_index": 5, "raft_term": 2}, "lines": {"/a": ["1"]},
        }));
        let mut patch = between(&before, &after).unwrap();
        let expected = json!({
            "arch": null, "swap": true, "etcd": {"raft_index": 5, "healthy": null}, "lines": {"/a": ["1"], "/b": null},
        });
        assert_eq!(Value::Object(patch.clone()), expected);
        patch.insert("from_the_future".into(), json!({"x": 1}));
        assert_eq!(apply(&before, &patch), Some(after));
        patch.insert("swap".into(), json!("no truth value"));
        assert_eq!(apply(&before, &patch), None);
    }
}
