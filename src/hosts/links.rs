//! What all hosts share: the directory of their connections, and how many may be made at once.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};

use super::asking::{Asker, Question};
use super::job::{BASE, Remote};
use super::local::Local;
use super::route::Route;
use super::shell::Shell;
use super::ssh::Ssh;
use super::{HostError, Observe, Operate};
use crate::model::inventory::{Connection, Host, Inventory};
use crate::model::{HostKey, HostName};

/// Connections made at once, over all hosts: sshd, and so a bastion, drops some from ten on (`MaxStartups 10:30:100`).
const AT_ONCE: u16 = 8;

/// A control socket's path may have 108 bytes, and ssh adds 17 of its own while it makes one.
const LONGEST: usize = 50;

/// The connections of one run of the program. Close them when it ends: ssh's masters are processes of their own.
pub struct Links {
    ways: Arc<Ways>,
    base: String,
    rootless: bool,
    known: Mutex<HashMap<HostName, Arc<Remote<Ssh>>>>,
}

impl Links {
    /// Prepares a directory for connections, of this run and for this user only, and sweeps up those of dead runs.
    ///
    /// # Errors
    /// When no such directory can be made, or others could write to it.
    pub fn new() -> io::Result<Self> {
        let home = home()?;
        sweep(&home);
        let dir = tempfile::Builder::new().prefix(&format!("{}.", std::process::id())).tempdir_in(&home)?;
        let ways = Arc::new(Ways { dir, at_once: Semaphore::new(AT_ONCE.into()), asker: None });
        Ok(Self { ways, base: BASE.into(), rootless: false, known: Mutex::default() })
    }

    /// Puts what connections ask for to whoever takes the questions: passphrases, passwords, new host keys. `askpass` is this
    /// program's own file, which ssh starts. Where ssh is too old for that, nothing is asked, as without this.
    ///
    /// # Errors
    /// As `new`.
    pub fn asking(askpass: PathBuf) -> io::Result<(Self, mpsc::Receiver<Question>)> {
        let mut links = Self::new()?;
        let (questions, asked) = mpsc::channel(1);
        if let Some(ways) = Arc::get_mut(&mut links.ways) {
            ways.asker = Asker::new(askpass, questions);
        }
        Ok((links, asked))
    }

    /// Keeps jobs and leases in another directory of the hosts, and does nothing as root there: for tests, and for
    /// rehearsals on an account without rights.
    #[must_use]
    pub fn rootless(mut self, base: impl Into<String>) -> Self {
        self.base = base.into();
        self.rootless = true;
        self
    }

    /// Ends all connections.
    pub async fn close(&self) {
        let known: Vec<_> =
            self.known.lock().unwrap_or_else(PoisonError::into_inner).drain().map(|(_, host)| host).collect();
        futures::future::join_all(known.iter().map(|host| host.shell().close())).await;
    }

    /// One connection for a host, however often it is asked for; another when the inventory has another way to it.
    fn over_ssh(&self, route: Result<Route, HostError>, name: &HostName) -> Arc<Remote<Ssh>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(name) {
            Some(host) if *host.shell().route() == route => host.clone(),
            _ => {
                let host = Arc::new(self.remote(Ssh::new(route, name.clone(), self.ways.clone()), name));
                known.insert(name.clone(), host.clone());
                host
            }
        }
    }

    fn remote<S: Shell>(&self, shell: S, name: &HostName) -> Remote<S> {
        Remote::new(shell, name.clone(), self.base.clone(), self.rootless)
    }

    fn ssh(&self, inventory: &Inventory, host: &Host) -> Arc<Remote<Ssh>> {
        let route = match host.connection {
            // Practice hosts are in memory; asking for one here must not reach a real host of that name.
            Connection::Practice => Err("this is a practice host: it is not reached from here".into()),
            Connection::Ssh | Connection::Local => Route::new(&inventory.ssh, host),
        };
        self.over_ssh(route.map_err(HostError::Connect), &host.name)
    }
}

/// A host to look at. Nothing is connected yet.
#[must_use]
pub fn observe(inventory: &Inventory, host: &Host, links: &Links) -> Arc<dyn Observe> {
    match host.connection {
        Connection::Local => Arc::new(links.remote(Local, &host.name)),
        Connection::Ssh | Connection::Practice => links.ssh(inventory, host),
    }
}

/// A host to work on. Nothing is connected yet.
#[must_use]
pub fn operate(inventory: &Inventory, host: &Host, links: &Links) -> Arc<dyn Operate> {
    match host.connection {
        Connection::Local => Arc::new(links.remote(Local, &host.name)),
        Connection::Ssh | Connection::Practice => links.ssh(inventory, host),
    }
}

/// The key that a host shows which was refused for it (`HostError::UnknownKey`), to be compared at its console.
///
/// # Errors
/// Says why it cannot be compared here: a jump host, another key of that host that is known already, no answer.
pub async fn offered_key(inventory: &Inventory, host: &Host, links: &Links) -> Result<HostKey, String> {
    links.ssh(inventory, host).shell().offered_key().await
}

/// What connections need of each other.
pub(super) struct Ways {
    dir: TempDir,
    at_once: Semaphore,
    asker: Option<Asker>,
}

impl Ways {
    /// Where control sockets are.
    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Whoever may be asked for a passphrase and the like.
    pub(super) fn asker(&self) -> Option<&Asker> {
        self.asker.as_ref()
    }

    /// A turn to connect, given back when dropped.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.at_once.acquire().await.ok()
    }

    /// All turns: nobody else of ours connects meanwhile.
    pub(super) async fn all_turns(&self) -> Option<SemaphorePermit<'_>> {
        self.at_once.acquire_many(AT_ONCE.into()).await.ok()
    }
}

/// Where the sockets of connections are kept: short enough for every one of them, and not made by asking.
#[must_use]
pub fn sockets() -> PathBuf {
    let user = rustix::process::getuid().as_raw();
    std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute() && dir.is_dir())
        .map(|dir| dir.join("lockkeeper"))
        .filter(|dir| dir.as_os_str().len() <= LONGEST)
        .unwrap_or_else(|| PathBuf::from(format!("/tmp/lk-{user}")))
}

/// That directory, made where it is missing, and this user's alone.
fn home() -> io::Result<PathBuf> {
    let user = rustix::process::getuid().as_raw();
    let home = sockets();
    match std::fs::DirBuilder::new().mode(0o700).create(&home) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // In /tmp anybody may have made it first.
    let found = std::fs::symlink_metadata(&home)?;
    if found.is_dir() && found.uid() == user && found.mode() & 0o777 == 0o700 {
        Ok(home)
    } else {
        Err(io::Error::other(format!(
            "{} must be a directory that is yours and closed to others (chmod 700); remove it, or set XDG_RUNTIME_DIR",
            home.display()
        )))
    }
}

/// Removes what runs that are dead have left. Their masters, out of reach then, go when they have been idle.
fn sweep(home: &Path) {
    let Ok(entries) = std::fs::read_dir(home) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.split_once('.')).and_then(|(pid, _)| pid.parse::<i32>().ok());
        let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) else { continue };
        if rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
