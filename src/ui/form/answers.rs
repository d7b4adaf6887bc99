//! What the form asks to be tried, what came of it, and what it all comes to.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::HostKey;
use crate::model::inventory::Role;

/// A host and how it is to be reached: whatever of it changes makes another attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// Where it answers.
    pub address: String,
    /// The user to log in as, or empty.
    pub user: String,
    /// The port, 1 to 65535, or empty.
    pub port: String,
    /// The private key's file, or empty.
    pub key: String,
    /// The jump host, or empty.
    pub jump: String,
}

/// What was found on a host, and what follows from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposal {
    /// What the host calls itself.
    pub hostname: String,
    /// Its system, as it calls itself.
    pub system: String,
    /// What it does, by what runs there; empty where nothing that is known runs.
    pub roles: BTreeSet<Role>,
    /// The name of its Node object, where it has a kubelet.
    pub node: String,
    /// `apt`, `dnf` or `pacman`, where it has one of them.
    pub package_manager: Option<String>,
    /// Variables of runbooks that say how its etcd member is asked.
    pub etcd: BTreeMap<String, String>,
    /// What stands against an upgrade there.
    pub remarks: Vec<String>,
}

/// Why nothing was found on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSeen {
    /// It shows a key that is not known here.
    NewKey(Box<HostKey>),
    /// For another reason: what it is, and what to do about it.
    Because(String),
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// Nothing yet.
    Trying,
    /// It cannot be reached or used: why, and what to do about it.
    Failed(String),
    /// It shows a key that is not known here, and that can be compared.
    NewKey(Box<HostKey>),
    /// It answered.
    Found(Box<Proposal>),
}

/// A host as it would be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostAnswer {
    /// Unique.
    pub name: String,
    /// Where it answers.
    pub address: String,
    /// At least one.
    pub roles: BTreeSet<Role>,
    /// Nothing that was found says so, and the operator has not either.
    pub guessed: bool,
    /// What came of trying it, where it was tried.
    pub tried: Option<Tried>,
}

/// What was filled in and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The cluster's name.
    pub cluster: String,
    /// The user to log in as, or empty.
    pub user: String,
    /// The port, 1 to 65535, or empty.
    pub port: String,
    /// The private key's file, or empty.
    pub key: String,
    /// The jump host, or empty.
    pub jump: String,
    /// The file to write.
    pub file: String,
    /// In the order they were typed.
    pub hosts: Vec<HostAnswer>,
}
