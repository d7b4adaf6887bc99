//! The inventory: the hosts of a cluster, their roles and how to reach them.

use std::path::PathBuf;

use indexmap::IndexMap;

use super::{BUILT_IN_VARS, Source};
use crate::model::address::{self, NoAddress};
use crate::model::inventory::{Connection, Host, Inventory, Role, Ssh};
use crate::yaml::{Data, Node, Problems, Reader, did_you_mean, parse};

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
    let cluster = reader.required(fields, "the inventory", "cluster").and_then(|node| {
        let name = reader.text(node, "cluster")?;
        checked(reader, node, name, check_cluster)
    });
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
        checked(reader, node, name, check_host)
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
    let address = fields.get("address").and_then(|node| word(reader, node, "address", check_address));
    let connections = [("ssh", Connection::Ssh), ("local", Connection::Local), ("practice", Connection::Practice)];
    let connection = fields.get("connection").and_then(|node| reader.word(node, "connection", &connections));
    let node = fields.get("node").and_then(|node| reader.text(node, "node"));
    let ssh = fields.get("ssh").and_then(|node| ssh(reader, source, node)).unwrap_or_default();
    let vars = fields.get("vars").map(|node| vars(reader, node)).unwrap_or_default();
    Some(Host { name: name?.into(), address, roles, connection: connection.unwrap_or_default(), node, ssh, vars })
}

fn ssh(reader: &mut Reader<'_>, source: &Source, node: &Node) -> Option<Ssh> {
    let keys = ["user", "port", "identity", "known_hosts", "jump", "config", "connect_timeout"];
    let fields = reader.fields(node, "`ssh`", &keys)?;
    let mut path = |key: &str| -> Option<PathBuf> {
        let node = fields.get(key)?;
        reader.text(node, key).map(|text| source.resolve(&text))
    };
    let (identity, known_hosts, config) = (path("identity"), path("known_hosts"), path("config"));
    let mut number = |key: &str, most: u16, says: &str| {
        let node = fields.get(key)?;
        let number = node.text().and_then(|text| text.parse().ok()).filter(|number| (1..=most).contains(number));
        if number.is_none() {
            reader.complain(node, says);
        }
        number
    };
    let port = number("port", u16::MAX, "`port` is a number from 1 to 65535");
    let connect_timeout = number("connect_timeout", 600, "`connect_timeout` is a number of seconds from 1 to 600");
    let user = fields.get("user").and_then(|node| word(reader, node, "user", check_user));
    let jump = fields.get("jump").and_then(|node| word(reader, node, "jump", check_jump));
    Some(Ssh { user, port, identity, known_hosts, jump, config, connect_timeout })
}

/// Whether a cluster may be called so: the name becomes part of file names.
///
/// # Errors
/// What is wrong with it, for whoever types it.
pub fn check_cluster(name: &str) -> Result<(), String> {
    address::is_name(name).then_some(()).ok_or_else(|| format!("`{name}` cannot name a cluster: {NAME}"))
}

/// Whether a host may be called so: the name becomes part of file names and of a systemd unit's name.
///
/// # Errors
/// What is wrong with it, for whoever types it.
pub fn check_host(name: &str) -> Result<(), String> {
    address::is_name(name).then_some(()).ok_or_else(|| format!("`{name}` cannot name a host: {NAME}"))
}

const NAME: &str = "letters, digits, `-`, `.` and `_`, one of the first two at the beginning, 63 at most";

/// Whether ssh could connect there: an IPv4 or IPv6 address, or a name that DNS or ssh's configuration knows.
///
/// # Errors
/// What is wrong with it, for whoever types it.
pub fn check_address(text: &str) -> Result<(), String> {
    address::address(text).map_err(|wrong| {
        let why = match wrong {
            NoAddress::NoArgument => return no_argument(text),
            NoAddress::Ipv4 => "IPv4 has four numbers from 0 to 255, such as 10.0.0.1",
            NoAddress::Ipv6 => "IPv6 is written as in fe80::1, without brackets; a port goes under `ssh: port`",
            NoAddress::User => "the user goes under `ssh: user`",
            NoAddress::Name => {
                "a host's name is of letters, digits, `-` and `_`, with dots between its parts; each begins and ends with \
                 one of the first two"
            }
        };
        format!("`{text}` is not an address: {why}")
    })
}

/// Whether ssh could log in as this user.
///
/// # Errors
/// What is wrong with it, for whoever types it.
pub fn check_user(user: &str) -> Result<(), String> {
    argument(user)?;
    let wrong = || format!("`{user}` cannot be a user: a login name is of letters, digits and - . _ @ + \\");
    address::is_user(user).then_some(()).ok_or_else(wrong)
}

/// Whether ssh could go through this bastion: `host`, `user@host`, `user@host:port`, or several with commas between.
///
/// # Errors
/// What is wrong with it, for whoever types it.
pub fn check_jump(jump: &str) -> Result<(), String> {
    argument(jump)?;
    address::jump(jump).map_err(|_| {
        format!("`{jump}` is not a bastion: write host, user@host or user@host:port, with commas between several")
    })
}

fn argument(text: &str) -> Result<(), String> {
    address::is_argument(text).then_some(()).ok_or_else(|| no_argument(text))
}

fn no_argument(text: &str) -> String {
    format!("`{text}` cannot be given to ssh: it must be one word that does not begin with a dash")
}

fn word(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &str,
    check: impl Fn(&str) -> Result<(), String>,
) -> Option<String> {
    let text = reader.text(node, what)?;
    checked(reader, node, text, check)
}

fn checked(
    reader: &mut Reader<'_>,
    node: &Node,
    text: String,
    check: impl Fn(&str) -> Result<(), String>,
) -> Option<String> {
    match check(&text) {
        Ok(()) => Some(text),
        Err(why) => {
            reader.complain(node, why);
            None
        }
    }
}

fn vars(reader: &mut Reader<'_>, node: &Node) -> IndexMap<String, String> {
    let mut vars = IndexMap::new();
    for (key, value) in reader.entries(node, "vars") {
        let name = key.text().unwrap_or_default();
        let value = match value {
            value if value.is_null() => Some(String::new()),
            // Where the value of a secret comes from.
            Node { data: Data::Map(_), .. } => {
                let fields = reader.fields(value, "a value", &["from"]);
                let from = fields.and_then(|fields| reader.required(fields, "this value", "from"));
                from.and_then(|from| reader.text(from, "from"))
            }
            value => reader.text(value, name),
        };
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
    fn what_is_typed_is_checked_as_what_is_read() {
        for good in ["10.0.0.1", "fe80::1%eth0", "::1", "etcd1.example.net", "a_b", "x.", "10.example.net", "1a"] {
            assert_eq!(check_address(good), Ok(()));
        }
        for bad in [
            "10.0.0.999",
            "10.0.0",
            "1.2.3.4.5",
            "10",
            "",
            "a b",
            "-x",
            "[::1]",
            "host:22",
            "me@host",
            "a..b",
            "ä.net",
            "a-.b",
        ] {
            assert!(check_address(bad).is_err(), "{bad}");
        }
        for bad in ["???x y", "", "-a", ".a", "a/b", &"x".repeat(64)] {
            assert!(check_cluster(bad).is_err() && check_host(bad).is_err(), "{bad}");
        }
        assert!(check_cluster("prod-eu_1.2").is_ok());
        for (user, good) in
            [("core", true), ("me@corp.example", true), ("CORP\\me", true), ("a b", false), ("x:y", false), ("", false)]
        {
            assert_eq!(check_user(user).is_ok(), good, "{user}");
        }
        for (jump, good) in [
            ("bastion", true),
            ("me@b:22,c", true),
            ("ssh://me@b:22", true),
            ("me@", false),
            ("a,,b", false),
            ("-J", false),
        ] {
            assert_eq!(check_jump(jump).is_ok(), good, "{jump}");
        }
    }

    #[test]
    fn what_only_the_form_refused_is_refused_here_too() {
        for bad in ["_x", "x_", "a._b", "fe80::1%", "fe80::1%a/b"] {
            assert!(check_address(bad).is_err(), "{bad}");
        }
        for bad in ["a#b", "me$", "jörg"] {
            assert!(check_user(bad).is_err(), "{bad}");
        }
        for bad in ["b!", "b:0", "b:ssh", "b:", "fe80::1", "10.0.0.999", "x y@b", "me$@b", "@b"] {
            assert!(check_jump(bad).is_err(), "{bad}");
        }
        assert_eq!(check_jump("me@[fe80::1%eth0]:22,[::1]"), Ok(()));
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
