//! The hosts of a cluster, their roles, and how to reach them.

use std::fmt;
use std::path::PathBuf;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::HostName;

/// A cluster as its operator describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// What the cluster is called on the screen and in the journal.
    pub cluster: String,
    /// How hosts are reached, unless they say otherwise.
    #[serde(default)]
    pub ssh: Ssh,
    /// Values for every script, overridden by a host's own.
    #[serde(default)]
    pub vars: IndexMap<String, String>,
    /// At least one, names unique, in the order the operator wrote them.
    pub hosts: Vec<Host>,
}

impl Inventory {
    /// The host of that name.
    #[must_use]
    pub fn host(&self, name: &HostName) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name == *name)
    }

    /// The hosts that have a role, in the inventory's order.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &Host> {
        self.hosts.iter().filter(move |host| host.roles.contains(&role))
    }
}

/// How the ssh client is told to reach hosts. Host keys are always checked strictly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ssh {
    /// The user to log in as; the client's own default where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The port; 22 or what the client's configuration says where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// A private key file, not its content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<PathBuf>,
    /// A file of known host keys instead of the user's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_hosts: Option<PathBuf>,
    /// A bastion, as `ssh -J` takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<String>,
    /// A client configuration file to read instead of `~/.ssh/config`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<PathBuf>,
    /// How long the network and the login may take together, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<u16>,
}

/// One host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Unique within the inventory.
    pub name: HostName,
    /// A DNS name or an IP address; the name where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What the host does in the cluster.
    pub roles: Vec<Role>,
    /// How commands get there.
    #[serde(default)]
    pub connection: Connection,
    /// The name of its Kubernetes Node object; the host's name where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Overrides of the inventory's `ssh`.
    #[serde(default)]
    pub ssh: Ssh,
    /// Values for scripts on this host only.
    #[serde(default)]
    pub vars: IndexMap<String, String>,
}

impl Host {
    /// Where to connect to.
    #[must_use]
    pub fn address(&self) -> &str {
        self.address.as_deref().unwrap_or(self.name.as_str())
    }

    /// The name of its Node object.
    #[must_use]
    pub fn node(&self) -> &str {
        self.node.as_deref().unwrap_or(self.name.as_str())
    }
}

/// How commands get to a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Connection {
    /// Over SSH.
    #[default]
    Ssh,
    /// On the machine the wizard runs on.
    Local,
    /// In memory: a practice host, which cannot be hurt.
    Practice,
}

/// What a host does in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs a member of the etcd cluster.
    Etcd,
    /// Runs the Kubernetes API server and its controllers; `kubectl` works there.
    ControlPlane,
    /// Runs workloads.
    Worker,
    /// Builds packages; no part of the cluster.
    Build,
}

impl Role {
    /// All roles, in the order they are shown.
    pub const ALL: [Self; 4] = [Self::Etcd, Self::ControlPlane, Self::Worker, Self::Build];

    /// The word for it in an inventory and a runbook.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ControlPlane => "control-plane",
            Self::Worker => "worker",
            Self::Build => "build",
        }
    }

    /// The word for it in a narrow column.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            Self::ControlPlane => "cp",
            other => other.word(),
        }
    }

    /// The role of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
