//! `users`, and the keys with which they log in.

use serde_json::{Map, Value, json};

use super::{Fate, Migrating};
use crate::yaml::Node;

impl Migrating<'_> {
    pub(super) fn users(&mut self, list: &Node) {
        for (index, node) in self.reader.list(list, "users").iter().enumerate() {
            let at = format!("users[{index}]");
            let entries = self.entries(node, "a user");
            let Some((_, _, value)) = entries.iter().find(|(name, _, _)| name == "name") else {
                self.reader.complain(node, "this user has no `name`");
                continue;
            };
            let Some(user) = self.reader.text(value, "name") else { continue };
            self.note(node, &at, Fate::Carried, format!("passwd.users, for {user}"));
            let mut create = Map::new();
            for (name, key, value) in entries {
                let path = format!("{at}.{name}");
                match &*name {
                    "name" => {}
                    "passwd" => {
                        if let Some(hash) = self.reader.text(value, &name) {
                            self.made.user(&user).insert("password_hash".into(), hash.into());
                        }
                    }
                    "ssh_authorized_keys" => {
                        let keys = self.reader.texts(value, &name);
                        add_keys(self.made.user(&user), keys);
                    }
                    "gecos" | "homedir" | "primary_group" | "shell" | "no_create_home" | "no_user_group" | "system"
                    | "no_log_init" | "groups" => {
                        if user == "core" {
                            self.note(
                                key,
                                &path,
                                Fate::Lost,
                                "core is there already: only its password and keys can be set",
                            );
                            continue;
                        }
                        let made = match &*name {
                            "groups" => Some(self.reader.texts(value, &name).into()),
                            "gecos" | "homedir" | "primary_group" | "shell" => {
                                self.reader.text(value, &name).map(Value::from)
                            }
                            _ => self.reader.boolean(value, &name).map(Value::from),
                        };
                        let name = if name == "homedir" { "home_dir".into() } else { name };
                        create.extend(made.map(|made| (name, made)));
                    }
                    "coreos_ssh_import_github" | "coreos_ssh_import_github_users" | "coreos_ssh_import_url" => {
                        self.note(
                            key,
                            &path,
                            Fate::Lost,
                            "keys are no longer fetched: write them under ssh_authorized_keys",
                        );
                    }
                    _ => self.unknown(key, &path),
                }
            }
            let made = self.made.user(&user);
            if !create.is_empty() {
                made.insert("create".into(), create.into());
            }
        }
    }
}

pub(super) fn add_keys(user: &mut Map<String, Value>, keys: Vec<String>) {
    let known = user.entry("ssh_authorized_keys").or_insert_with(|| json!([]));
    if let Value::Array(known) = known {
        known.extend(keys.into_iter().map(Value::from));
    }
}
