//! Bootable trees: what is deployed, what the next boot runs, and what becomes of `/etc` on the way.
//!
//! `/etc` is merged when a deployment is made: what is written there between that and the reboot is not in it. Files that
//! a tree brought and nobody changed go with the tree.

use std::path::{Path, PathBuf};

use super::disk::{Kind, Node};
use super::software::Software;
use super::world::Machine;

const UNITS: &str = "/usr/lib/systemd/system";

/// What an ostree host has deployed.
#[derive(Clone, Debug)]
pub(super) struct Ostree {
    /// The next boot's first.
    pub(super) deployments: Vec<Deployment>,
    /// Which of them runs.
    pub(super) booted: usize,
    /// Remotes that were added.
    pub(super) remotes: Vec<String>,
}

/// A tree as a repository offers it, and what was layered on it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tree {
    /// `remote:ref`
    pub(super) origin: String,
    pub(super) version: String,
    pub(super) checksum: String,
    pub(super) os_release: String,
    /// What is in the base.
    pub(super) software: Software,
    /// Unit files in `/usr`: name and text.
    pub(super) units: Vec<(String, String)>,
    /// Files of `/usr/etc`: path below `/etc`, and text.
    pub(super) defaults: Vec<(String, String)>,
}

/// A tree on this host, with its own `/etc`.
#[derive(Clone, Debug)]
pub(super) struct Deployment {
    pub(super) tree: Tree,
    pub(super) requested: Vec<String>,
    /// Those requested that the base did not have already.
    pub(super) layered: Vec<String>,
    /// Its `/etc` while another is booted.
    pub(super) etc: Vec<(PathBuf, Node)>,
}

impl Machine {
    /// Deploys a tree for the next boot; what waited there before is dropped.
    pub(super) fn deploy(&mut self, tree: Tree, requested: Vec<String>, layered: Vec<String>) {
        let mut etc = self.disk.tree("/etc");
        let Some(ostree) = &mut self.ostree else { return };
        let booted = ostree.deployments[ostree.booted].clone();
        // What the old tree brought and nobody changed is the old tree's.
        for (path, text) in &booted.tree.defaults {
            let unchanged = |node: &Node| node.kind == Kind::File(text.clone().into_bytes());
            etc.retain(|(there, node)| there.strip_prefix("/etc") != Ok(Path::new(path)) || !unchanged(node));
        }
        for (path, text) in &tree.defaults {
            let path = PathBuf::from(format!("/etc/{path}"));
            if !etc.iter().any(|(there, _)| *there == path) {
                self.disk.put("/tmp/.default", text.clone());
                etc.extend(self.disk.get("/tmp/.default").map(|node| (path, node)));
                self.disk.delete("/tmp/.default");
            }
        }
        ostree.deployments = vec![Deployment { tree, requested, layered, etc }, booted];
        ostree.booted = 1;
    }

    /// Drops what waits for the next boot. False where nothing does.
    pub(super) fn drop_pending(&mut self) -> bool {
        let Some(ostree) = &mut self.ostree else { return false };
        if ostree.booted == 0 {
            return false;
        }
        ostree.deployments.drain(..ostree.booted);
        ostree.booted = 0;
        true
    }

    /// Makes the other deployment the next boot's. False where there is none.
    pub(super) fn swap_deployments(&mut self) -> bool {
        let Some(ostree) = &mut self.ostree else { return false };
        if ostree.deployments.len() < 2 {
            return false;
        }
        ostree.deployments.swap(0, 1);
        ostree.booted = 1 - ostree.booted;
        true
    }

    /// The boot loader takes the first deployment.
    pub(super) fn boot_from_ostree(&mut self) {
        let Some(ostree) = &mut self.ostree else { return };
        if ostree.booted == 0 {
            return;
        }
        let old = ostree.booted;
        ostree.deployments[old].etc = self.disk.tree("/etc");
        ostree.booted = 0;
        let units = ostree.deployments[old].tree.units.clone();
        let new = ostree.deployments[0].clone();
        self.disk.delete("/etc");
        self.disk.make_dir("/etc");
        for (path, node) in new.etc {
            self.disk.place(path, node);
        }
        for (name, _) in units {
            self.disk.delete(format!("{UNITS}/{name}"));
        }
        self.take_tree(&new.tree);
    }

    /// What a tree brings to `/usr`, and the programs of system containers beside it.
    pub(super) fn take_tree(&mut self, tree: &Tree) {
        for (name, text) in &tree.units {
            self.disk.put(format!("{UNITS}/{name}"), text.clone());
        }
        self.disk.put("/usr/lib/os-release", tree.os_release.clone());
        self.software = tree.software.clone();
        for (name, container) in self.containers.clone() {
            for program in super::tools::brings(&name) {
                self.software.programs.insert((*program).into(), container.version().into());
            }
        }
    }
}
