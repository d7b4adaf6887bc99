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
    use std::path::Path;
    use std::sync::LazyLock;

    use jiff::SignedDuration;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::model::facts::{Etcd, Kube, Node, NodePods};
    use crate::model::{Event, Facts, HostName, Record, State};

    /// Facts of any kind, made of few values, so that the same come again.
    fn any_facts() -> impl Strategy<Value = Facts> {
        let word = || prop_oneof![Just("a"), Just("b"), Just("")].prop_map(str::to_owned);
        let words = || proptest::collection::vec(word(), 0..3);
        let by_name = || proptest::collection::btree_map(word(), words(), 0..3);
        let etcd = (proptest::option::of(0..3_i64), proptest::option::of(any::<bool>()), proptest::option::of(words()));
        let node = (any::<bool>(), proptest::option::of(words()));
        let kube = proptest::collection::btree_map(word(), node, 0..3);
        (
            proptest::option::of(word()),
            proptest::option::of(0..3_i64),
            proptest::option::of(etcd),
            by_name(),
            proptest::option::of(kube),
            words(),
        )
            .prop_map(|(boot_id, clock_ms, etcd, lines, kube, problems)| Facts {
                boot_id,
                clock_ms,
                etcd: etcd.map(|(raft_index, healthy, alarms)| Etcd { healthy, raft_index, alarms, ..Etcd::default() }),
                lines,
                kube: kube.map(|nodes| Kube {
                    nodes: nodes
                        .into_iter()
                        .map(|(name, (ready, blocked))| {
                            let pods = blocked.map(|blocked| NodePods { blocked, ..NodePods::default() });
                            (name, Node { ready, pods, ..Node::default() })
                        })
                        .collect(),
                    ..Kube::default()
                }),
                problems,
                ..Facts::default()
            })
    }

    proptest! {
        #[test]
        fn a_session_told_in_changes_is_the_session_told_whole(all in proptest::collection::vec(any_facts(), 1..12)) {
            static STARTED: LazyLock<Record> = LazyLock::new(|| {
                crate::journal::read(Path::new("tests/journals/container-linux.jsonl")).unwrap().records.remove(0)
            });
            let mut whole = State::of([&*STARTED]);
            let mut changed = whole.clone();
            let host = HostName::from("etcd1");
            for facts in all {
                let (seq, at) = (whole.seq + 1, whole.now + SignedDuration::from_secs(2));
                let seen = Event::FactsSeen { host: host.clone(), asked: seq, facts: Box::new(facts.clone()) };
                let known = changed.hosts[&host].facts.clone();
                let told = match known.map(|known| between(&*known.facts, &facts)) {
                    None => seen.clone(),
                    Some(changes) => {
                        let changes = changes.expect("facts hold no null");
                        Event::FactsChanged { host: host.clone(), asked: seq, changes }
                    }
                };
                let told: Event = serde_json::from_str(&serde_json::to_string(&told).unwrap()).unwrap();
                whole.apply(&Record { seq, at, event: seen });
                changed.apply(&Record { seq, at, event: told });
                prop_assert_eq!(&whole, &changed);
            }
        }
    }

    #[test]
    fn only_what_differs_is_told_and_an_unknown_section_is_passed_over() {
        let facts = |value: Value| -> Facts { serde_json::from_value(value).unwrap() };
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
