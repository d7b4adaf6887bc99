//! The draft: the sections of the Container Linux Config as they fill.

use serde_json::{Map, Value};

use crate::ignition::draft;
use crate::ignition::reading::insert;

/// The sections of the draft.
#[derive(Default)]
pub(super) struct Made {
    pub(super) users: Vec<Map<String, Value>>,
    pub(super) etcd: Option<Map<String, Value>>,
    pub(super) flannel: Map<String, Value>,
    pub(super) locksmith: Map<String, Value>,
    pub(super) update: Map<String, Value>,
    pub(super) units: Vec<Value>,
    pub(super) networks: Vec<Value>,
    pub(super) files: Vec<Value>,
}

impl Made {
    pub(super) fn draft(self) -> String {
        let mut config = Map::new();
        let mut section = |key: &str, inner: &str, list: Vec<Value>| {
            let mut map = Map::new();
            insert(&mut map, inner, list);
            if !map.is_empty() {
                config.insert(key.into(), map.into());
            }
        };
        section("passwd", "users", self.users.into_iter().map(Value::from).collect());
        section("systemd", "units", self.units);
        section("networkd", "units", self.networks);
        section("storage", "files", self.files);
        for (key, map) in [("flannel", self.flannel), ("locksmith", self.locksmith), ("update", self.update)] {
            if !map.is_empty() {
                config.insert(key.into(), map.into());
            }
        }
        config.extend(self.etcd.map(|etcd| ("etcd".to_owned(), etcd.into())));
        let version = "version: 3.0.17   # choose: without one the host runs the etcd that its release happens to name";
        draft::write(
            &config,
            &[("etcd", "Put into this section the version that the cluster is to run:"), ("etcd", version)],
        )
    }

    pub(super) fn user(&mut self, name: &str) -> &mut Map<String, Value> {
        let known = self.users.iter().position(|user| user.get("name").is_some_and(|other| other == name));
        let at = known.unwrap_or_else(|| {
            self.users.push(Map::from_iter([("name".to_owned(), name.into())]));
            self.users.len() - 1
        });
        &mut self.users[at]
    }
}
