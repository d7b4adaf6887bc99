//! `passwd`: users and groups, passed through.

use serde_json::{Map, Value, json};

use super::reading::Kind::{Id, Set, Text, Texts, Truth};
use super::reading::{Reading, Row, insert};
use super::spec::Spec::{self, V2_0, V2_1};
use crate::yaml::Node;

const USER: &[Row] = &[
    ("name", "name", Text, V2_0),
    ("password_hash", "passwordHash", Set, V2_0),
    ("ssh_authorized_keys", "sshAuthorizedKeys", Texts, V2_0),
    ("uid", "uid", Id, V2_1),
    ("gecos", "gecos", Text, V2_1),
    ("home_dir", "homeDir", Text, V2_1),
    ("no_create_home", "noCreateHome", Truth, V2_1),
    ("primary_group", "primaryGroup", Text, V2_1),
    ("groups", "groups", Texts, V2_1),
    ("no_user_group", "noUserGroup", Truth, V2_1),
    ("system", "system", Truth, V2_1),
    ("no_log_init", "noLogInit", Truth, V2_1),
    ("shell", "shell", Text, V2_1),
];

/// How spec 2.0.0 says what later ones say of the user itself.
const CREATE: &[Row] = &[
    ("uid", "uid", Id, V2_0),
    ("gecos", "gecos", Text, V2_0),
    ("home_dir", "homeDir", Text, V2_0),
    ("no_create_home", "noCreateHome", Truth, V2_0),
    ("primary_group", "primaryGroup", Text, V2_0),
    ("groups", "groups", Texts, V2_0),
    ("no_user_group", "noUserGroup", Truth, V2_0),
    ("system", "system", Truth, V2_0),
    ("no_log_init", "noLogInit", Truth, V2_0),
    ("shell", "shell", Text, V2_0),
];

const GROUP: &[Row] = &[
    ("name", "name", Text, V2_0),
    ("gid", "gid", Id, V2_0),
    ("password_hash", "passwordHash", Text, V2_0),
    ("system", "system", Truth, V2_0),
];

/// Reads the section.
pub(super) fn read(reading: &mut Reading<'_>, node: &Node) -> Map<String, Value> {
    let mut made = Map::new();
    let Some(fields) = reading.fields(node, "`passwd`", &["users", "groups"]) else { return made };
    let mut users = Vec::new();
    for node in reading.each(fields, "users") {
        users.extend(user(reading, node));
    }
    let mut groups = Vec::new();
    for node in reading.each(fields, "groups") {
        if let Some((fields, group)) = reading.section(node, "a group", GROUP, &[]) {
            reading.must_have(fields, "this group", &["name"]);
            groups.push(group.into());
        }
    }
    insert(&mut made, "users", users);
    insert(&mut made, "groups", groups);
    made
}

fn user(reading: &mut Reading<'_>, node: &Node) -> Option<Value> {
    let (fields, mut user) = reading.section(node, "a user", USER, &["create"])?;
    reading.must_have(fields, "this user", &["name"]);
    if let Some(node) = fields.get("create") {
        let (_, create) = reading.section(node, "`create`", CREATE, &[])?;
        user.insert("create".into(), create.into());
    } else if reading.spec == Spec::V2_0 && user.get("name").is_some_and(|name| name != "core") {
        // Without it the Ignition of that spec only sets passwords and keys, of users that are there.
        user.insert("create".into(), json!({}));
    }
    Some(user.into())
}
