//! Hosts over SSH: one connection each, kept by OpenSSH's own client, shared by all commands, made again when it is lost.

use std::fmt::Write as _;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use openssh::{ControlPersist, KnownHosts, Session, SessionBuilder, Stdio};
use tempfile::NamedTempFile;
use tokio::sync::{Mutex, Semaphore};

use super::HostError;
use super::host_key;
use super::links::Ways;
use super::shell::{Feed, Shell, Sink, pump};
use super::trouble::{self, Target};
use crate::model::HostKey;
use crate::model::address::is_argument;
use crate::model::inventory::{Host, Ssh as Config};
use crate::model::logtail::clean;

/// For the network and the login together; a bastion takes its share.
const CONNECT: Duration = Duration::from_secs(10);

/// When to give ssh up that neither connects nor fails.
const GIVE_UP: Duration = Duration::from_secs(40);

/// How long a connection that is there may take to run `true`.
const ALIVE: Duration = Duration::from_secs(5);

/// A silent connection is given up after three of these (the client's own count).
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// A master that has lost us, for example to `kill -9`, goes by itself after so many seconds without a command.
const IDLE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(119);

/// Commands at once on one host: sshd's own limit is 10, and it refuses some from six on.
const COMMANDS: usize = 4;

/// Waits before a command, or a connection, that was refused for being one too many is tried again.
const CROWDED: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(300), Duration::from_millis(900), Duration::from_secs(2)];

/// How a host is reached, from inventory and host together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    address: String,
    config: Config,
}

impl Route {
    /// What the host says goes before what the inventory says.
    ///
    /// # Errors
    /// When an address, user or bastion could be taken for an option of ssh, or a path cannot be written down for it.
    pub(super) fn new(general: &Config, host: &Host) -> Result<Self, String> {
        let own = &host.ssh;
        let config = Config {
            user: own.user.clone().or_else(|| general.user.clone()),
            port: own.port.or(general.port),
            identity: own.identity.clone().or_else(|| general.identity.clone()),
            known_hosts: own.known_hosts.clone().or_else(|| general.known_hosts.clone()),
            jump: own.jump.clone().or_else(|| general.jump.clone()),
            config: own.config.clone().or_else(|| general.config.clone()),
        };
        let names = [Some(host.address()), config.user.as_deref(), config.jump.as_deref()];
        for name in names.into_iter().flatten() {
            if !is_argument(name) {
                return Err(format!("{name:?} in the inventory is not an address, user or bastion that ssh takes"));
            }
        }
        for path in [&config.identity, &config.known_hosts, &config.config].into_iter().flatten() {
            if path.to_str().is_none_or(|path| path.contains(|c: char| c == '"' || c.is_control())) {
                return Err(format!(
                    "the path {} in the inventory has a quote, a control character or bytes that are not UTF-8 in it: ssh would read it as another",
                    path.display()
                ));
            }
        }
        Ok(Self { address: host.address().to_owned(), config })
    }

    fn target(&self) -> Target<'_> {
        Target {
            address: &self.address,
            user: self.config.user.as_deref(),
            port: self.config.port,
            jump: self.config.jump.as_deref(),
        }
    }

    /// A client configuration that holds for the bastion too, which options on the command line do not reach. What
    /// comes first wins in ssh, so nothing that it includes can turn prompts on or checks of host keys off.
    fn client_config(&self) -> String {
        let mut text = String::from(
            "Host *\n  BatchMode yes\n  StrictHostKeyChecking yes\n  UpdateHostKeys no\n  ForwardAgent no\n  \
             ForwardX11 no\n  ClearAllForwardings yes\n  PermitLocalCommand no\n  RemoteCommand none\n  RequestTTY no\n",
        );
        let quoted = |path: &Path| path.display().to_string().replace('%', "%%");
        if let Some(path) = &self.config.known_hosts {
            let _ = writeln!(text, "  UserKnownHostsFile \"{}\"", quoted(path));
        }
        if let Some(path) = &self.config.identity {
            let _ = writeln!(text, "  IdentityFile \"{}\"", quoted(path));
        }
        match &self.config.config {
            Some(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                let _ = writeln!(text, "Include \"{}\"", path.display());
            }
            None => text.push_str("Include ~/.ssh/config\nInclude /etc/ssh/ssh_config\n"),
        }
        text
    }
}

/// Commands over SSH.
pub(super) struct Ssh {
    route: Result<Route, HostError>,
    ways: Arc<Ways>,
    commands: Semaphore,
    line: Mutex<Line>,
}

/// The connection, or how the last attempt at one failed.
#[derive(Default)]
struct Line {
    session: Option<Arc<Session>>,
    failed: Option<(Instant, HostError)>,
}

impl Ssh {
    /// A host that no attempt is made to reach yet; one without a route answers with its error always.
    pub(super) fn new(route: Result<Route, HostError>, ways: Arc<Ways>) -> Self {
        Self { route, ways, commands: Semaphore::new(COMMANDS), line: Mutex::default() }
    }

    pub(super) fn route(&self) -> &Result<Route, HostError> {
        &self.route
    }

    /// The connection; made where there is none.
    async fn session(&self) -> Result<Arc<Session>, HostError> {
        let asked = Instant::now();
        let mut line = self.line.lock().await;
        if let Some(session) = &line.session {
            return Ok(session.clone());
        }
        // Whoever waited while an attempt failed shares its answer, and does not make the next wait as long again.
        if let Some((_, error)) = line.failed.as_ref().filter(|(when, _)| *when > asked) {
            return Err(error.clone());
        }
        match self.launch().await {
            Ok(session) => {
                let session = Arc::new(session);
                *line = Line { session: Some(session.clone()), failed: None };
                Ok(session)
            }
            Err(error) => {
                line.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Gives a connection up that has proved dead, unless another has taken its place already.
    async fn give_up(&self, dead: Arc<Session>) {
        let mut line = self.line.lock().await;
        if line.session.as_ref().is_some_and(|session| Arc::ptr_eq(session, &dead)) {
            line.session = None;
        }
        drop(line);
        retire(dead).await;
    }

    async fn launch(&self) -> Result<Session, HostError> {
        let route = self.route.as_ref().map_err(Clone::clone)?;
        let failed = |reason: String| HostError::Connect(reason);
        let _turn = self.ways.turn().await;
        let config = self.config(route).map_err(failed)?;
        let builder = builder(route, self.ways.dir(), config.path());
        let mut pauses = CROWDED.iter();
        loop {
            let attempt = tokio::time::timeout(GIVE_UP, builder.connect_mux(&route.address)).await;
            let log = match attempt {
                Ok(Ok(session)) => return Ok(session),
                Ok(Err(openssh::Error::Connect(error))) if error.raw_os_error().is_some() => {
                    return Err(failed(format!("cannot run the ssh client on this machine: {error}")));
                }
                Ok(Err(openssh::Error::Connect(error))) => error.to_string(),
                Ok(Err(error)) => return Err(failed(chain(&error))),
                Err(_) => format!("the connection timed out after {} s", GIVE_UP.as_secs()),
            };
            match pauses.next().filter(|_| trouble::crowded(&log)) {
                Some(pause) => tokio::time::sleep(*pause).await,
                // The ssh that goes to the bastion speaks to nobody: all that is seen of its failure is silence.
                None if log.contains("UNKNOWN port 65535") => {
                    return Err(failed(ask_bastion(route, config.path()).await));
                }
                None => {
                    let reason = trouble::explain(&log, route.target());
                    let unknown = trouble::is_unknown_key(&log);
                    return Err(if unknown { HostError::UnknownKey(reason) } else { failed(reason) });
                }
            }
        }
    }

    /// The client's configuration, as a file: read at the start of ssh and of the one it starts for a bastion, and of no use
    /// once they are connected.
    fn config(&self, route: &Route) -> Result<NamedTempFile, String> {
        let unwritten = |error: std::io::Error| {
            format!("cannot write to {}, where connections are kept: {error}", self.ways.dir().display())
        };
        let mut config = NamedTempFile::new_in(self.ways.dir()).map_err(unwritten)?;
        config.write_all(route.client_config().as_bytes()).map_err(unwritten)?;
        Ok(config)
    }

    /// The key that the host shows, where none is known here.
    ///
    /// # Errors
    /// Says why it cannot be compared here.
    pub(super) async fn offered_key(&self) -> Result<HostKey, String> {
        let route = self.route.as_ref().map_err(ToString::to_string)?;
        let _turn = self.ways.turn().await;
        let config = self.config(route)?;
        let (path, port) = (config.path().display().to_string(), route.config.port.map(|port| port.to_string()));
        let mut ssh = vec!["ssh", "-G", "-F", &path];
        let options = [("-p", &port), ("-l", &route.config.user), ("-J", &route.config.jump)];
        ssh.extend(options.into_iter().filter_map(|(name, value)| Some([name, value.as_deref()?])).flatten());
        ssh.push(&route.address);
        host_key::offered(&ssh).await
    }

    /// The master says that it lives long after the host has gone: only a real command tells.
    async fn prove(&self, session: &Session) -> Result<(), HostError> {
        let mut sink = Sink::Memory(Vec::new());
        let attempt = self.attempt(session, &["sh", "-c", "echo alive"], Feed::from(&[][..]), &mut sink);
        let reason = match tokio::time::timeout(ALIVE, attempt).await {
            Ok(Ok(_)) if matches!(&sink, Sink::Memory(output) if output.ends_with(b"alive\n")) => return Ok(()),
            // Busy to the brim, and so alive.
            Ok(Err(Attempt::Crowded)) => return Ok(()),
            Ok(Ok(said)) => {
                let said = clean(String::from_utf8_lossy(&said).trim());
                format!("the login works, but `sh` does not run there: {said}")
            }
            Ok(Err(Attempt::Over(error))) => return Err(error),
            Ok(Err(Attempt::Broken(said))) => said,
            Ok(Err(Attempt::Gone)) => "the connection closed at once".into(),
            Err(_) => format!("the login works, but no command finishes within {} s", ALIVE.as_secs()),
        };
        Err(HostError::Connect(reason))
    }

    /// One attempt at a command.
    async fn attempt(
        &self,
        session: &Session,
        argv: &[&str],
        feed: Feed<'_>,
        sink: &mut Sink,
    ) -> Result<Vec<u8>, Attempt> {
        let Some((program, args)) = argv.split_first() else {
            return Err(Attempt::Over(HostError::Refused("there is no command to run".into())));
        };
        let mut command = session.command(*program);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().await.map_err(|error| match error {
            openssh::Error::InvalidCommand => {
                Attempt::Over(HostError::Refused("a command with a NUL byte cannot be sent".into()))
            }
            // The master is gone: nothing was sent.
            openssh::Error::Disconnected => Attempt::Gone,
            error => {
                let said = chain(&error);
                if said.contains("refused by peer") { Attempt::Crowded } else { Attempt::Broken(said) }
            }
        })?;
        let (input, output, complaint) = (child.stdin().take(), child.stdout().take(), child.stderr().take());
        let said = pump(input, output, complaint, feed, sink).await.map_err(Attempt::Over)?;
        // What it exits with is in its own last line; this only waits for the master to be done with it.
        let _ = child.wait().await;
        Ok(said)
    }
}

/// Why a command did not come through.
enum Attempt {
    /// There is no master any more, and nothing was sent to it.
    Gone,
    /// One command too many at a time.
    Crowded,
    /// The connection failed while the command was sent.
    Broken(String),
    /// For a reason that no other attempt changes.
    Over(HostError),
}

#[async_trait]
impl Shell for Ssh {
    async fn connect(&self) -> Result<(), HostError> {
        let _slot = self.commands.acquire().await;
        let session = self.session().await?;
        if self.prove(&session).await.is_ok() {
            return Ok(());
        }
        // It may have died long ago; a new one is judged by itself.
        self.give_up(session).await;
        let session = self.session().await?;
        let proof = self.prove(&session).await;
        if proof.is_err() {
            self.give_up(session).await;
        }
        proof
    }

    async fn run(
        &self,
        argv: &[&str],
        feed: Feed<'_>,
        sink: &mut Sink,
        patience: Duration,
    ) -> Result<Vec<u8>, HostError> {
        let _slot = self.commands.acquire().await;
        let mut pauses = CROWDED.iter();
        let mut reconnected = false;
        loop {
            let session = self.session().await?;
            let Ok(attempt) = tokio::time::timeout(patience, self.attempt(&session, argv, feed, sink)).await else {
                // The host ends every command in time and says so: this silence is the connection's.
                self.give_up(session).await;
                return Err(HostError::Lost(format!("no answer in {} s", patience.as_secs())));
            };
            match attempt {
                Ok(said) => return Ok(said),
                Err(Attempt::Over(error)) => return Err(error),
                Err(Attempt::Crowded) => match pauses.next() {
                    Some(pause) => tokio::time::sleep(*pause).await,
                    None => return Err(HostError::Lost("sshd accepts no more commands at once (MaxSessions)".into())),
                },
                Err(Attempt::Gone) if !reconnected => {
                    reconnected = true;
                    self.give_up(session).await;
                }
                Err(Attempt::Gone) => {
                    self.give_up(session).await;
                    return Err(HostError::Lost("the connection closed".into()));
                }
                Err(Attempt::Broken(said)) => {
                    self.give_up(session).await;
                    return Err(HostError::Lost(said));
                }
            }
        }
    }

    async fn close(&self) {
        let session = self.line.lock().await.session.take();
        if let Some(session) = session {
            retire(session).await;
        }
    }
}

/// Finds out what is wrong with a way through a bastion, by going to the bastion alone.
async fn ask_bastion(route: &Route, config: &Path) -> String {
    let jump = route.config.jump.as_deref().unwrap_or_default();
    let (before, last) = jump.rsplit_once(',').map_or((None, jump), |(before, last)| (Some(before), last));
    let log = config.with_extension("bastion");
    let mut ssh = tokio::process::Command::new("ssh");
    ssh.arg("-F").arg(config).arg("-E").arg(&log).args(["-n", "-T", "-o"]);
    ssh.arg(format!("ConnectTimeout={}", CONNECT.as_secs()));
    if let Some(before) = before {
        ssh.args(["-J", before]);
    }
    // Its user and port are in one word with it, which ssh takes in this form only.
    let address = if last.contains("://") { last.to_owned() } else { format!("ssh://{last}") };
    ssh.arg(&address).arg("true");
    ssh.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let status = tokio::time::timeout(GIVE_UP, ssh.kill_on_drop(true).status()).await;
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    let _ = std::fs::remove_file(&log);
    // 255 is ssh's own: anything else comes from the bastion, which has let us in then.
    match status {
        Ok(Ok(status)) if status.code() == Some(255) => {
            trouble::explain(&said, Target { address: &address, user: None, port: None, jump: before })
        }
        _ => format!(
            "the bastion {jump} lets us in, but no sshd answers through it at {}: check address and port as seen from \
             there, and whether it may forward (AllowTcpForwarding)",
            route.address
        ),
    }
}

/// Ends a master. `Session`'s own way only tells it to take no more commands; it would stay until it is idle.
async fn retire(session: Arc<Session>) {
    let mut exit = tokio::process::Command::new("ssh");
    exit.arg("-S").arg(session.control_socket()).args(["-O", "exit", "-F", "none", "lockkeeper"]);
    exit.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let _ = tokio::time::timeout(ALIVE, exit.kill_on_drop(true).status()).await;
    // Dropping waits for the socket.
    let _ = tokio::task::spawn_blocking(move || drop(session)).await;
}

fn builder(route: &Route, dir: &Path, config: &Path) -> SessionBuilder {
    let mut builder = SessionBuilder::default();
    builder
        .known_hosts_check(KnownHosts::Strict)
        .connect_timeout(CONNECT)
        .server_alive_interval(KEEP_ALIVE)
        .control_directory(dir)
        .control_persist(ControlPersist::IdleFor(IDLE))
        .config_file(config);
    if let Some(port) = route.config.port {
        builder.port(port);
    }
    if let Some(user) = &route.config.user {
        builder.user(user.clone());
    }
    if let Some(identity) = &route.config.identity {
        builder.keyfile(identity);
    }
    if let Some(known_hosts) = &route.config.known_hosts {
        builder.user_known_hosts_file(known_hosts);
    }
    if let Some(jump) = &route.config.jump {
        builder.jump_hosts([jump]);
    }
    builder
}

/// An error and what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
