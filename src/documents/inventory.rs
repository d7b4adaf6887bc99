//! The inventory: the hosts of a cluster, their roles and how to reach them.

use std::path::PathBuf;

use indexmap::IndexMap;

use super::{BUILT_IN_VARS, Source};
use crate::model::inventory::{Connection, Host, Inventory, Role, Ssh};
use crate::yaml::{Node, Problems, Reader, did_you_mean, parse};

/// What may be in `roles`.
pub(super) fn role_words() -> [(&'static str, Role); 4] {
    Role::ALL.map(|role| (role.word(), role))
}

/// Reads an inventory.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub fn read_inventory(source: &Source) -> Result<Inventory, Problems> {
    let root = parse(&source.document)?;
    let mut reader = Reader::new(&source.document);
    let inventory = inventory(&mut reader, source, &root);
    reader.problems.or(inventory)
}

fn inventory(reader: &mut Reader<'_>, source: &Source, root: &Node) -> Option<Inventory> {
    let fields = reader.fields(root, "an inventory", &["cluster", "ssh", "vars", "hosts"])?;
    let cluster = reader.required(fields, "the inventory", "cluster").and_then(|node| reader.text(node, "cluster"));
    let ssh = fields.get("ssh").and_then(|node| ssh(reader, source, node)).unwrap_or_default();
    let vars = fields.get("vars").map(|node| vars(reader, node)).unwrap_or_default();
    let mut hosts: Vec<(Host, &Node)> = Vec::new();
    if let Some(list) = reader.required(fields, "the inventory", "hosts") {
        for node in reader.list(list, "hosts") {
            if let Some(host) = host(reader, source, node) {
                if let Some((_, first)) = hosts.iter().find(|(other, _)| other.name == host.name) {
                    let message = format!(
                        "there is a host `{}` already, in line {}: names are unique",
                        host.name, first.place.line
                    );
                    reader.complain(node.get("name").unwrap_or(node), message);
                }
                hosts.push((host, node));
            }
        }
        if list.items().is_empty() && reader.problems.0.is_empty() {
            reader.complain(list, "an inventory has at least one host");
        }
    }
    Some(Inventory { cluster: cluster?, ssh, vars, hosts: hosts.into_iter().map(|(host, _)| host).collect() })
}

fn host(reader: &mut Reader<'_>, source: &Source, node: &Node) -> Option<Host> {
    let keys = ["name", "address", "roles", "connection", "node", "ssh", "vars"];
    let fields = reader.fields(node, "a host", &keys)?;
    let name = reader.required(fields, "this host", "name").and_then(|node| {
        let name = reader.text(node, "name")?;
        // The name becomes part of file names and of a systemd unit's name.
        let fits = name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
            && name.len() <= 63;
        if !fits {
            reader.complain(node, "a host's name is made of letters, digits, `-`, `.` and `_`, begins with a letter or a digit, and has at most 63 characters");
        }
        fits.then_some(name)
    });
    let mut roles = Vec::new();
    if let Some(list) = reader.required(fields, "this host", "roles") {
        for item in reader.one_or_more(list) {
            let Some(role) = reader.word(item, "roles", &role_words()) else { continue };
            if roles.contains(&role) {
                reader.complain(item, format!("`{role}` is listed twice"));
            }
            roles.push(role);
        }
    }
    let address = fields.get("address").and_then(|node| ssh_word(reader, node, "address"));
    let connections = [("ssh", Connection::Ssh), ("local", Connection::Local), ("practice", Connection::Practice)];
    let connection = fields.get("connection").and_then(|node| reader.word(node, "connection", &connections));
    let node = fields.get("node").and_then(|node| reader.text(node, "node"));
    let ssh = fields.get("ssh").and_then(|node| ssh(reader, source, node)).unwrap_or_default();
    let vars = fields.get("vars").map(|node| vars(reader, node)).unwrap_or_default();
    Some(Host { name: name?.into(), address, roles, connection: connection.unwrap_or_default(), node, ssh, vars })
}

fn ssh(reader: &mut Reader<'_>, source: &Source, node: &Node) -> Option<Ssh> {
    let fields = reader.fields(node, "`ssh`", &["user", "port", "identity", "known_hosts", "jump", "config"])?;
    let mut path = |key: &str| -> Option<PathBuf> {
        let node = fields.get(key)?;
        reader.text(node, key).map(|text| source.resolve(&text))
    };
    let (identity, known_hosts, config) = (path("identity"), path("known_hosts"), path("config"));
    let port = fields.get("port").and_then(|node| {
        let port = node.text().and_then(|text| text.parse::<u16>().ok()).filter(|port| *port > 0);
        if port.is_none() {
            reader.complain(node, "`port` is a number from 1 to 65535");
        }
        port
    });
    let user = fields.get("user").and_then(|node| ssh_word(reader, node, "user"));
    let jump = fields.get("jump").and_then(|node| ssh_word(reader, node, "jump"));
    Some(Ssh { user, port, identity, known_hosts, jump, config })
}

/// A word that becomes an argument of `ssh`: one that begins with a dash would be an option there.
fn ssh_word(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<String> {
    let text = reader.text(node, what)?;
    if text.starts_with('-') || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        reader.complain(node, format!("`{what}` is one word that does not begin with a dash"));
        return None;
    }
    Some(text)
}

fn vars(reader: &mut Reader<'_>, node: &Node) -> IndexMap<String, String> {
    let mut vars = IndexMap::new();
    for (key, value) in reader.entries(node, "vars") {
        let name = key.text().unwrap_or_default();
        let value = if value.is_null() { Some(String::new()) } else { reader.text(value, name) };
        if variable_name(reader, key)
            && let Some(value) = value
        {
            vars.insert(name.to_owned(), value);
        }
    }
    vars
}

/// Whether a key may name a variable. They become shell variables of a script that runs as root, so that `PATH` and its
/// like are out of reach by their letters alone.
pub(super) fn variable_name(reader: &mut Reader<'_>, key: &Node) -> bool {
    let name = key.text().unwrap_or_default();
    let form = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !form {
        let near = did_you_mean(name, [&*name.to_lowercase().replace('-', "_")]);
        reader.complain(
            key,
            format!("`{name}` cannot name a variable: small letters, digits and `_`, a letter first{near}"),
        );
    } else if BUILT_IN_VARS.contains(&name) {
        reader.complain(key, format!("every script has a variable `{name}` already: choose another name"));
        return false;
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn read(text: &str) -> Result<Inventory, Problems> {
        read_inventory(&Source::file(Path::new("sites/lab/inventory.yaml"), text))
    }

    #[test]
    fn the_example_is_sound() {
        let text = crate::documents::source::asset("inventories/example.yaml").unwrap();
        let inventory = read(text).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(inventory.hosts.len(), 4);
        assert_eq!(inventory.with_role(Role::Etcd).count(), 3);
        assert_eq!(inventory.hosts[2].ssh.port, Some(2222));
        assert_eq!(inventory.hosts[3].node(), "worker1.example.net");
        let json = serde_json::to_string(&inventory).unwrap();
        assert_eq!(serde_json::from_str::<Inventory>(&json).unwrap(), inventory);
    }

    #[test]
    fn paths_start_where_the_inventory_lies_and_values_stay_as_written() {
        let text = "cluster: c\nssh: {identity: keys/id, known_hosts: /etc/kh}\nvars: {minor: 3.10, flag: yes, none: }\nhosts:\n  - {name: a, roles: etcd, connection: practice}\n";
        let inventory = read(text).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(inventory.ssh.identity.as_deref(), Some(Path::new("sites/lab/keys/id")));
        assert_eq!(inventory.ssh.known_hosts.as_deref(), Some(Path::new("/etc/kh")));
        assert_eq!(inventory.vars["minor"], "3.10");
        assert_eq!(inventory.vars["flag"], "yes");
        assert_eq!(inventory.vars["none"], "");
        assert_eq!(inventory.hosts[0].connection, Connection::Practice);
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let text = r#"cluster: lab
ssh:
  port: 70000
  identiy: ~/.ssh/id
vars:
  Target: 3.5.1
  node: x
hosts:
  - name: etcd1
    adress: 10.0.0.1
    roles: [etcd, master]
  - name: etcd1
    roles: [etcd]
  - roles: [worker]
  - name: "-oProxyCommand=x"
    roles: [worker, worker]
    address: -x
    connection: shh
"#;
        insta::assert_snapshot!(read(text).unwrap_err());
    }
}
