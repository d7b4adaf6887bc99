//! What the start screen answers with, and what it can be asked to show.

use std::path::{Path, PathBuf};

/// What the operator wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Go on with an upgrade.
    Resume(PathBuf),
    /// Play a journal.
    Replay(PathBuf),
    /// Walk through a runbook on simulated hosts.
    Practice {
        /// Its name.
        runbook: String,
        /// The kind of cluster.
        cluster: String,
        /// `HOST:KIND` each.
        faults: Vec<String>,
    },
    /// Make an inventory.
    Connect,
    /// Watch the hosts of an inventory.
    Monitor(PathBuf),
    /// Print how the hosts of an inventory stand.
    Status(PathBuf),
    /// Walk through a runbook on real hosts.
    Upgrade {
        /// The hosts.
        inventory: PathBuf,
        /// The runbook's name.
        runbook: String,
        /// Values for its variables.
        vars: Vec<(String, String)>,
    },
    /// Leave.
    Quit,
}

/// What can be chosen from, looked up when it is asked for.
pub trait Library {
    /// Name and title of every built-in runbook.
    fn runbooks(&self) -> Vec<(String, String)>;
    /// A runbook as `runbook show` prints it.
    fn text(&self, runbook: &str) -> String;
    /// The kinds of practice cluster that suit a runbook, the best first.
    fn clusters(&self, runbook: &str) -> Vec<String>;
    /// What can go wrong on a practice cluster: `HOST:KIND` each.
    fn faults(&self, cluster: &str) -> Vec<String>;
    /// Inventories that lie about, with a word on each.
    fn inventories(&self) -> Vec<(PathBuf, String)>;
    /// Variables of a runbook that have to be given, and have no value in this inventory.
    ///
    /// # Errors
    /// What is wrong with the inventory.
    fn wanted(&self, inventory: &Path, runbook: &str) -> Result<Vec<String>, String>;
    /// What stands against a choice, before the screen is left for it.
    ///
    /// # Errors
    /// Says what.
    fn check(&self, choice: &Choice) -> Result<(), String>;
}
