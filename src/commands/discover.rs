//! What a host is found to be when an inventory is made: one read-only script, and what follows from its answer.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::hosts::{self, HostError, Links};
use crate::model::inventory::{Connection, Host, Inventory, Role, Ssh};
use crate::model::logtail::clean;
use crate::ui::form::{Attempt, NotSeen, Proposal};

const SCRIPT: &str = include_str!("../../assets/discover.sh");

/// How long the script may take on a host.
const PATIENCE: Duration = Duration::from_secs(15);

/// Connects to a host and asks it. Its key has to be known here: it is never accepted unseen.
pub(super) async fn discover(attempt: &Attempt, links: &Links) -> Result<Proposal, NotSeen> {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let ssh = Ssh {
        user: some(&attempt.user),
        port: attempt.port.parse().ok(),
        identity: some(&attempt.key).map(|key| super::inventory::home(&key)),
        jump: some(&attempt.jump),
        ..Ssh::default()
    };
    let host = Host {
        name: attempt.address.as_str().into(),
        address: None,
        roles: vec![Role::Worker],
        connection: Connection::Ssh,
        node: None,
        ssh: Ssh::default(),
        vars: indexmap::IndexMap::new(),
    };
    let inventory = Inventory { ssh, hosts: vec![host], ..Inventory::default() };
    let observe = hosts::observe(&inventory, &inventory.hosts[0], links);
    let why = |error: HostError| NotSeen::Because(plain(&error.to_string(), &attempt.address));
    match observe.connect().await {
        Err(error @ HostError::UnknownKey(_)) => {
            return Err(match hosts::offered_key(&inventory, &inventory.hosts[0], links).await {
                Ok(key) => NotSeen::NewKey(Box::new(key)),
                Err(more) => NotSeen::Because(plain(&format!("{error}. {more}"), &attempt.address)),
            });
        }
        connected => connected.map_err(why)?,
    }
    let said = observe.probe(SCRIPT, PATIENCE).await.map_err(why)?;
    Ok(proposal(&said.output))
}

/// An error without what stands before it on the screen already.
fn plain(error: &str, address: &str) -> String {
    let error = error.strip_prefix("cannot connect: ").unwrap_or(error);
    error.strip_prefix(&format!("{address}: ")).unwrap_or(error).to_owned()
}

/// A process of a cluster, by its arguments and environment.
#[derive(Default)]
struct Process(BTreeMap<String, String>);

impl Process {
    /// Takes `--name=value` in, or a `--name` whose value is the next line.
    fn argument(&mut self, text: &str, pending: &mut Option<String>) {
        if let Some(name) = pending.take() {
            self.0.insert(name, text.to_owned());
        } else if let Some(flag) = text.strip_prefix('-') {
            let flag = flag.trim_start_matches('-');
            match flag.split_once('=') {
                Some((name, value)) => drop(self.0.insert(name.to_owned(), value.to_owned())),
                None => *pending = Some(flag.to_owned()),
            }
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// What the script's answer comes to. A line that is not known says nothing.
pub(super) fn proposal(said: &str) -> Proposal {
    let mut found = Proposal::default();
    let mut processes: BTreeMap<String, Process> = BTreeMap::new();
    let (mut process, mut pending) = (String::new(), None);
    let mut files = Vec::new();
    for line in said.lines() {
        let Some((word, rest)) = line.split_once(' ') else { continue };
        let rest = clean(rest);
        match word {
            "user" if rest != "0" => {
                found.remarks.push("root cannot be had: allow `sudo -n`, or log in as root".into());
            }
            "hostname" => found.hostname = rest,
            "system" => found.system = rest,
            "manager" => found.package_manager = Some(rest),
            "file" => files.push(rest),
            "missing" => found.remarks.push(format!("there is no `{rest}` there")),
            "process" => {
                (process, pending) = (if rest == "etcd2" { "etcd".into() } else { rest }, None);
                processes.entry(process.clone()).or_default();
            }
            "arg" => processes.entry(process.clone()).or_default().argument(&rest, &mut pending),
            "env" => {
                if let Some((name, value)) = rest.split_once('=') {
                    let name = name.trim_start_matches("ETCD_").to_lowercase().replace('_', "-");
                    // What is said in an argument goes before the environment.
                    processes.entry(process.clone()).or_default().0.entry(name).or_insert_with(|| value.to_owned());
                }
            }
            _ => {}
        }
    }
    if let Some(etcd) = processes.get("etcd") {
        found.roles.insert(Role::Etcd);
        found.etcd = access(etcd, &files);
    }
    if processes.contains_key("kube-apiserver") {
        found.roles.insert(Role::ControlPlane);
    }
    if let Some(kubelet) = processes.get("kubelet") {
        if !found.roles.contains(&Role::ControlPlane) {
            found.roles.insert(Role::Worker);
        }
        found.node = kubelet.get("hostname-override").map_or_else(|| found.hostname.to_lowercase(), str::to_owned);
    }
    found
}

/// How a member is asked, as the variables of runbooks have it.
fn access(etcd: &Process, files: &[String]) -> BTreeMap<String, String> {
    let mut vars = BTreeMap::new();
    let urls = etcd.get("listen-client-urls").or_else(|| etcd.get("advertise-client-urls")).unwrap_or_default();
    let urls: Vec<&str> = urls.split(',').map(str::trim).filter(|url| url.starts_with("http")).collect();
    let near = |url: &&&str| url.contains("//127.0.0.1:") || url.contains("//localhost:");
    let Some(url) = urls.iter().find(near).or(urls.first()) else { return vars };
    vars.insert("etcd_endpoint".to_owned(), url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:"));
    if url.starts_with("https") {
        // kubeadm keeps a client's certificate for just this; else the server's own most often serves as one.
        let ours = |end: &str| files.iter().find(|file| file.ends_with(end)).map(String::as_str);
        let (cert, key) = match (ours("healthcheck-client.crt"), ours("healthcheck-client.key")) {
            (Some(cert), Some(key)) => (Some(cert), Some(key)),
            _ => (etcd.get("cert-file"), etcd.get("key-file")),
        };
        for (name, value) in [("etcd_cacert", etcd.get("trusted-ca-file")), ("etcd_cert", cert), ("etcd_key", key)] {
            vars.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        }
    }
    vars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeadm_control_plane_is_known_by_what_runs() {
        let found = proposal(
            "user 0\nhostname CP1\nsystem Debian GNU/Linux 12 (bookworm)\nmanager apt\n\
             file /etc/kubernetes/pki/etcd/healthcheck-client.crt\nfile /etc/kubernetes/pki/etcd/healthcheck-client.key\n\
             process etcd\narg --advertise-client-urls=https://10.0.0.11:2379\narg --cert-file=/etc/kubernetes/pki/etcd/server.crt\n\
             arg --listen-client-urls=https://127.0.0.1:2379,https://10.0.0.11:2379\n\
             arg --trusted-ca-file=/etc/kubernetes/pki/etcd/ca.crt\nprocess kube-apiserver\nprocess kubelet\n",
        );
        assert_eq!(found.roles.iter().copied().collect::<Vec<_>>(), [Role::Etcd, Role::ControlPlane]);
        assert_eq!((&*found.node, found.package_manager.as_deref()), ("cp1", Some("apt")));
        assert_eq!(found.etcd["etcd_endpoint"], "https://127.0.0.1:2379");
        assert_eq!(found.etcd["etcd_cacert"], "/etc/kubernetes/pki/etcd/ca.crt");
        assert_eq!(found.etcd["etcd_cert"], "/etc/kubernetes/pki/etcd/healthcheck-client.crt");
        assert!(found.remarks.is_empty());
    }

    #[test]
    fn a_unit_with_an_environment_and_flags_in_two_words() {
        let found = proposal(
            "user 500\nhostname n1\nprocess etcd2\nenv ETCD_LISTEN_CLIENT_URLS=http://0.0.0.0:2379,http://0.0.0.0:4001\n\
             process kubelet\narg --hostname-override\narg 10.0.0.1\n",
        );
        assert_eq!(found.etcd, BTreeMap::from([("etcd_endpoint".into(), "http://127.0.0.1:2379".into())]));
        assert_eq!(found.roles.iter().copied().collect::<Vec<_>>(), [Role::Etcd, Role::Worker]);
        assert_eq!(found.node, "10.0.0.1");
        assert!(found.remarks[0].contains("root cannot be had"));
    }

    #[test]
    fn whatever_is_printed_is_taken() {
        let found = proposal("\u{1b}[2J\nprocess\narg x\nenv y\nhostname \u{1b}]0;x\u{7}evil\n");
        assert_eq!((found.hostname.as_str(), found.roles.len()), ("evil", 0));
    }

    #[test]
    fn the_script_runs_on_this_machine() {
        let output = std::process::Command::new("sh").arg("-c").arg(SCRIPT).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let found = proposal(&String::from_utf8_lossy(&output.stdout));
        assert!(!found.hostname.is_empty(), "{found:?}");
    }
}
