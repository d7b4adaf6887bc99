//! Ansible inventories, INI or YAML, with `group_vars` and `host_vars` beside them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::{Found, FoundHost, ini, ranges};
use crate::model::inventory::Role;
use crate::yaml::{Data, Document, Node, Problem, Problems, parse};

/// What the files say, before it is put together.
#[derive(Debug, Default)]
pub(super) struct Ground {
    hosts: IndexMap<String, IndexMap<String, (String, String)>>,
    /// Where each host was met first.
    places: IndexMap<String, String>,
    groups: IndexMap<String, Group>,
    left: Vec<String>,
    problems: Vec<Problem>,
}

#[derive(Debug, Default)]
struct Group {
    hosts: Vec<String>,
    children: Vec<String>,
    vars: IndexMap<String, (String, String)>,
}

impl Ground {
    pub(super) fn wrong(&mut self, place: &str, what: &str) {
        self.problems.push(Problem::of(place, what.to_owned()));
    }

    pub(super) fn group(&mut self, name: &str) {
        self.groups.entry(name.to_owned()).or_default();
    }

    pub(super) fn child(&mut self, group: &str, child: &str) {
        self.groups.entry(group.to_owned()).or_default().children.push(child.to_owned());
    }

    pub(super) fn group_var(&mut self, group: &str, key: &str, value: &str, place: &str) {
        let vars = &mut self.groups.entry(group.to_owned()).or_default().vars;
        vars.insert(key.to_owned(), (value.to_owned(), place.to_owned()));
    }

    pub(super) fn host(&mut self, group: &str, name: &str, place: &str) {
        self.hosts.entry(name.to_owned()).or_default();
        self.places.entry(name.to_owned()).or_insert_with(|| place.to_owned());
        let group = self.groups.entry(group.to_owned()).or_default();
        if !group.hosts.iter().any(|host| host == name) {
            group.hosts.push(name.to_owned());
        }
    }

    pub(super) fn host_var(&mut self, host: &str, key: &str, value: &str, place: &str) {
        let vars = self.hosts.entry(host.to_owned()).or_default();
        vars.insert(key.to_owned(), (value.to_owned(), place.to_owned()));
    }

    /// The hosts of a group and of the groups below it.
    fn members(&self, group: &str, seen: &mut BTreeSet<String>) -> Vec<String> {
        let Some(found) = self.groups.get(group).filter(|_| seen.insert(group.to_owned())) else { return Vec::new() };
        let mut hosts = found.hosts.clone();
        for child in &found.children {
            hosts.extend(self.members(child, seen));
        }
        hosts
    }

    fn put_together(mut self) -> Result<Found, Problems> {
        let mut found = Found::default();
        for (group, held) in &self.groups {
            for child in held.children.iter().filter(|child| !self.groups.contains_key(*child)) {
                self.left.push(format!("group {group} has a child `{child}` that is not defined"));
            }
        }
        for host in self.hosts.keys() {
            let places = self.places.get(host).map(|place| ("name", place.clone())).into_iter().collect();
            found.hosts.insert(host.clone(), FoundHost { places, ..FoundHost::default() });
        }
        let names: Vec<String> = self.groups.keys().cloned().collect();
        // What is said of all comes first, a host's own word last.
        let mut order: Vec<&String> = names.iter().filter(|name| *name == "all").collect();
        order.extend(names.iter().filter(|name| *name != "all"));
        let mut vars: IndexMap<String, IndexMap<String, (String, String)>> = IndexMap::new();
        for group in order {
            let members = if group == "all" {
                self.hosts.keys().cloned().collect()
            } else {
                self.members(group, &mut BTreeSet::new())
            };
            let role = role_of(group);
            if role.is_some() && members.is_empty() {
                self.left.push(format!("group {group} has no hosts"));
            }
            for host in members {
                if let (Some(role), Some(found)) = (role, found.hosts.get_mut(&host)) {
                    found.roles.insert(role);
                }
                vars.entry(host).or_default().extend(self.groups[group].vars.clone());
            }
        }
        for (host, own) in &self.hosts {
            vars.entry(host.clone()).or_default().extend(own.clone());
        }
        let mut said = BTreeSet::new();
        for (host, vars) in vars {
            let Some(found) = found.hosts.get_mut(&host) else { continue };
            for (key, (value, place)) in vars {
                if let Some(why) = take(found, &key, &value, &place)
                    && said.insert((key.clone(), place.clone()))
                {
                    self.left.push(format!("{place}: {key}: {why}"));
                }
            }
        }
        found.left = self.left;
        if self.problems.is_empty() { Ok(found) } else { Err(Problems(self.problems)) }
    }
}

/// What hosts of a group do, by the names that contrib, kubespray and others give.
fn role_of(group: &str) -> Option<Role> {
    match group.replace('-', "_").as_str() {
        "etcd" | "etcds" => Some(Role::Etcd),
        "masters" | "master" | "kube_control_plane" | "kube_master" | "control_plane" | "control_planes"
        | "controllers" => Some(Role::ControlPlane),
        "nodes" | "node" | "kube_node" | "kube_nodes" | "workers" | "worker" | "minions" => Some(Role::Worker),
        _ => None,
    }
}

/// Takes a variable in, or says why not. Secrets are named, never shown.
fn take(host: &mut FoundHost, key: &str, value: &str, place: &str) -> Option<String> {
    if key.contains("pass") || key.contains("secret") || key.contains("token") || value.starts_with("$ANSIBLE_VAULT") {
        return Some("a secret, which stays where it is".into());
    }
    if value == SEVERAL {
        return Some("more than one value".into());
    }
    if value.contains("{{") {
        return Some("a template, which is not evaluated".into());
    }
    let ours = match key {
        "ip" if host.address.is_some() => return None,
        "ansible_host" | "ansible_ssh_host" | "access_ip" | "ip" => {
            host.address = Some(value.to_owned());
            "address"
        }
        "ansible_port" | "ansible_ssh_port" => "port",
        "ansible_user" | "ansible_ssh_user" => "user",
        "ansible_ssh_private_key_file" | "ansible_private_key_file" => "identity",
        "ansible_connection" => match value {
            "local" => {
                host.local = true;
                return None;
            }
            "ssh" | "smart" | "paramiko" => return None,
            other => return Some(format!("there is no connection `{other}` here")),
        },
        "ansible_ssh_common_args" | "ansible_ssh_extra_args" => match jump_of(value) {
            Some(jump) => {
                host.ssh.insert("jump", jump);
                host.places.insert("jump", place.to_owned());
                return None;
            }
            None => return Some("ssh options belong in an ssh configuration file".into()),
        },
        _ => return Some("a variable of the playbooks; a runbook's variables have names of their own".into()),
    };
    if ours != "address" {
        host.ssh.insert(ours, value.to_owned());
    }
    host.places.insert(ours, place.to_owned());
    None
}

fn jump_of(args: &str) -> Option<String> {
    let words = shlex::split(args)?;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "-J" {
            return words.next().cloned();
        }
        let option = if word == "-o" { words.next()? } else { word.strip_prefix("-o").unwrap_or_default() };
        if let Some(jump) = option.strip_prefix("ProxyJump=") {
            return Some(jump.to_owned());
        }
    }
    None
}

/// Reads an inventory file, or the directory that one lies in, with the variables beside it.
///
/// # Errors
/// Files that cannot be read, and all that is wrong in them.
pub fn ansible(path: &Path) -> Result<Found, Problems> {
    let file = if path.is_dir() { inventory_in(path)? } else { path.to_owned() };
    let mut ground = Ground::default();
    let text = read(&file)?;
    let name = file.display().to_string();
    let is_yaml = file.extension().is_some_and(|extension| extension == "yml" || extension == "yaml");
    if is_yaml {
        let document = Document::new(name.as_str(), text);
        let root = parse(&document)?;
        for (group, node) in entries(&root) {
            yaml_group(&group, node, &name, &mut ground);
        }
    } else {
        ini::read(&name, &text, &mut ground);
    }
    let beside = file.parent().unwrap_or(Path::new("."));
    for (dir, of_groups) in [("group_vars", true), ("host_vars", false)] {
        for (owner, file) in vars_files(&beside.join(dir)) {
            let name = file.display().to_string();
            let text = read(&file)?;
            if text.starts_with("$ANSIBLE_VAULT") {
                ground.left.push(format!("{name}: a vault, which stays where it is"));
                continue;
            }
            let document = Document::new(name.as_str(), text);
            let root = parse(&document)?;
            for (key, node) in entries(&root) {
                let place = format!("{name}:{}", node.place.line);
                let value = scalar(node);
                if of_groups {
                    ground.group_var(&owner, &key, &value, &place);
                } else if ground.hosts.contains_key(&owner) {
                    ground.host_var(&owner, &key, &value, &place);
                }
            }
        }
    }
    ground.put_together()
}

fn read(file: &Path) -> Result<String, Problems> {
    std::fs::read_to_string(file)
        .map_err(|error| Problem::of(file.display().to_string(), format!("cannot be read: {error}")).into())
}

fn inventory_in(dir: &Path) -> Result<PathBuf, Problems> {
    let names = [
        "inventory",
        "hosts",
        "inventory.ini",
        "hosts.ini",
        "hosts.yml",
        "hosts.yaml",
        "inventory.yml",
        "inventory.yaml",
    ];
    let found = names.iter().map(|name| dir.join(name)).find(|file| file.is_file());
    found.ok_or_else(|| {
        let message = format!("there is no inventory in this directory; looked for {}", names.join(", "));
        Problem::of(dir.display().to_string().as_str(), message).into()
    })
}

/// `NAME.yml`, `NAME.yaml`, `NAME` and the files in a directory `NAME`, with whose they are.
fn vars_files(dir: &Path) -> Vec<(String, PathBuf)> {
    let list = |dir: &Path| -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(dir).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        paths
    };
    let stem = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    list(dir)
        .into_iter()
        .flat_map(|path| {
            let owner = stem(&path);
            let files = if path.is_dir() { list(&path) } else { vec![path] };
            files.into_iter().map(move |file| (owner.clone(), file)).collect::<Vec<_>>()
        })
        .collect()
}

/// What stands for a list or a map, which no host variable of ours is.
const SEVERAL: &str = "\0";

fn scalar(node: &Node) -> String {
    match &node.data {
        Data::Map(_) | Data::Seq(_) => SEVERAL.to_owned(),
        Data::Scalar(_) => node.text().unwrap_or_default().to_owned(),
    }
}

fn entries(node: &Node) -> Vec<(String, &Node)> {
    match &node.data {
        Data::Map(entries) => entries.iter().filter_map(|(key, value)| Some((key.text()?.to_owned(), value))).collect(),
        _ => Vec::new(),
    }
}

/// A group of a YAML inventory: `hosts`, `children`, `vars`.
fn yaml_group(name: &str, node: &Node, file: &str, ground: &mut Ground) {
    ground.group(name);
    for (key, part) in entries(node) {
        for (inner, value) in entries(part) {
            let place = format!("{file}:{}", value.place.line);
            match key.as_str() {
                "hosts" => {
                    for host in ranges(&inner) {
                        ground.host(name, &host, &place);
                        for (key, value) in entries(value) {
                            let text = scalar(value);
                            ground.host_var(&host, &key, &text, &place);
                        }
                    }
                }
                "children" => {
                    ground.child(name, &inner);
                    yaml_group(&inner, value, file, ground);
                }
                "vars" => {
                    let text = scalar(value);
                    ground.group_var(name, &inner, &text, &place);
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::{Source, read_inventory};

    fn imported(files: &[(&str, &str)], ask: &str) -> Result<(String, Found), Problems> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let mut found = ansible(&dir.path().join(ask))?;
        let yaml = found.inventory("prod")?;
        read_inventory(&Source::file(Path::new("i.yaml"), yaml.as_str()))
            .unwrap_or_else(|problems| panic!("{problems}\n{yaml}"));
        Ok((yaml, found))
    }

    #[test]
    fn an_inventory_as_contrib_has_it() {
        let files = [
            (
                "inventory/inventory",
                "[masters]\nkube-master.example.com\n\n[etcd:children]\nmasters\n\n[nodes]\nkube-minion-[1:2].example.com ansible_port=2222\n",
            ),
            (
                "inventory/group_vars/all.yml",
                "source_type: packageManager\nansible_ssh_user: root\nkube_cert_secret: x\n",
            ),
        ];
        let (yaml, found) = imported(&files, "inventory").unwrap();
        let master = &found.hosts["kube-master.example.com"];
        assert_eq!(master.roles, BTreeSet::from([Role::Etcd, Role::ControlPlane]));
        let minion = &found.hosts["kube-minion-2.example.com"];
        assert_eq!((minion.roles.len(), minion.ssh["port"].as_str(), minion.ssh["user"].as_str()), (1, "2222", "root"));
        assert!(yaml.contains("not carried over") && yaml.contains("source_type"), "{yaml}");
        assert!(yaml.contains("kube_cert_secret: a secret") && !yaml.contains(": x"), "{yaml}");
    }

    #[test]
    fn an_inventory_as_kubespray_has_it() {
        let hosts = "all:\n  hosts:\n    node1: {ansible_host: 10.0.0.1, ip: 10.9.0.1}\n    node2: {ip: 10.9.0.2}\n  children:\n    kube_control_plane:\n      hosts: {node1: }\n    kube_node:\n      hosts: {node1: , node2: }\n    etcd:\n      hosts: {node1: }\n    k8s_cluster:\n      children: {kube_control_plane: , kube_node: }\n";
        let (_, found) = imported(&[("hosts.yml", hosts)], "hosts.yml").unwrap();
        assert_eq!(found.hosts["node1"].roles.len(), 3);
        assert_eq!(found.hosts["node1"].address.as_deref(), Some("10.0.0.1"));
        assert_eq!(found.hosts["node2"].address.as_deref(), Some("10.9.0.2"));
    }

    #[test]
    fn what_is_wrong_is_told_at_once_and_secrets_are_not_shown() {
        let problems = imported(&[("hosts", "[etcd\n[x:y]\n[etcd:vars]\noops\n")], "hosts").unwrap_err().to_string();
        assert!(
            problems.contains("hosts:1") && problems.contains("hosts:2") && problems.contains("hosts:4"),
            "{problems}"
        );
        let (yaml, _) = imported(
            &[("hosts", "[etcd]\na ansible_ssh_pass=hunter2 ansible_ssh_common_args='-o ProxyJump=bastion'\nb ansible_connection=local name={{x}}\n")],
            "hosts",
        )
        .unwrap();
        assert!(
            !yaml.contains("hunter2") && yaml.contains("jump: bastion") && yaml.contains("connection: local"),
            "{yaml}"
        );
    }
}
