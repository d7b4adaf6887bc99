//! Hosts over SSH: one connection each, kept by OpenSSH's own client, shared by all commands, made again when it is lost.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use openssh::{Session, Stdio};
use tempfile::NamedTempFile;
use tokio::sync::{Mutex, Semaphore};

use super::HostError;
use super::asking::Asker;
use super::host_key;
use super::links::Ways;
use super::master::{self, NoMaster};
use super::route::Route;
use super::shell::{Feed, GRACE, Shell, Sink, Take, pump};
use super::trouble::{self, Target};
use crate::model::logtail::clean;
use crate::model::prompt::{Secret, Wanted};
use crate::model::{HostKey, HostName};

/// When to give ssh up that neither connects nor fails, beyond what it may take.
const GIVE_UP: Duration = Duration::from_secs(30);

/// How long a connection that is there may take to run a command that does nothing, where the inventory does not say.
const ALIVE: Duration = Duration::from_secs(5);

/// Commands at once on one host: sshd's own limit is 10, and it refuses some from six on.
const COMMANDS: usize = 4;

/// Waits before a command, or a connection, that was refused for being one too many is tried again. A command is tried on:
/// those that are there end by their deadlines.
const CROWDED: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(300), Duration::from_millis(900), Duration::from_secs(2)];

/// How long a command is tried that sshd refuses for being one too many.
const TURN: Duration = Duration::from_secs(60);

/// What the login shell is given to run, and passes on unchanged whichever it is: `sh`, csh, fish. The command itself comes
/// as the first line of standard input, of which `read` takes no byte more.
const READ_LINE: &str = "exec sh -c 'IFS= read -r command && eval \"$command\"'";

/// Commands over SSH.
pub(super) struct Ssh {
    route: Result<Route, HostError>,
    name: HostName,
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
    pub(super) fn new(route: Result<Route, HostError>, name: HostName, ways: Arc<Ways>) -> Self {
        Self { route, name, ways, commands: Semaphore::new(COMMANDS), line: Mutex::default() }
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

    /// Makes a connection, asking for what it takes where somebody may be asked.
    async fn launch(&self) -> Result<Session, HostError> {
        let route = self.route.as_ref().map_err(Clone::clone)?;
        let _connecting = self.ways.asker().map(Asker::connecting);
        match self.attempt_launch(route).await {
            Err(HostError::UnknownKey(reason)) => match self.ways.asker() {
                Some(asker) if self.accept_key(asker).await.map_err(HostError::Connect)? => {
                    self.attempt_launch(route).await
                }
                _ => Err(HostError::UnknownKey(reason)),
            },
            done => done,
        }
    }

    /// Whether the operator has compared the key of a host of which none is known, and it is known now.
    async fn accept_key(&self, asker: &Asker) -> Result<bool, String> {
        // Where it cannot be shown, the first refusal says what to do.
        let Ok(key) = self.offered_key().await else { return Ok(false) };
        if !asker.compared(&self.name, &key).await {
            return Ok(false);
        }
        host_key::trust(&key).map(|()| true)
    }

    async fn attempt_launch(&self, route: &Route) -> Result<Session, HostError> {
        let failed = |reason: String| HostError::Connect(reason);
        let mut turn = self.ways.turn().await;
        let asker = self.ways.asker();
        let config = self.config(route, asker.is_some()).map_err(failed)?;
        let give_up = route.login() + GIVE_UP;
        let mut pauses = CROWDED.iter();
        loop {
            let attempt = master::launch(route, &self.name, self.ways.dir(), config.path(), asker, give_up).await;
            let log = match attempt {
                Ok(session) => return Ok(session),
                Err(NoMaster::Here(error)) => {
                    return Err(failed(format!("cannot run the ssh client on this machine: {error}")));
                }
                Err(NoMaster::Log(log)) => log,
            };
            match pauses.next().filter(|_| trouble::crowded(&log)) {
                Some(pause) => {
                    // One too many makes room. Where that did not help, it was the others of ours: the last time there are none.
                    drop(turn);
                    tokio::time::sleep(*pause).await;
                    turn = if pauses.len() == 0 { self.ways.all_turns().await } else { self.ways.turn().await };
                }
                // The ssh that goes to the bastion speaks to nobody: all that is seen of its failure is silence.
                None if log.contains("UNKNOWN port 65535") => {
                    let config = self.config(route, false).map_err(failed)?;
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
    fn config(&self, route: &Route, asks: bool) -> Result<NamedTempFile, String> {
        let unwritten = |error: std::io::Error| {
            format!("cannot write to {}, where connections are kept: {error}", self.ways.dir().display())
        };
        let mut config = NamedTempFile::new_in(self.ways.dir()).map_err(unwritten)?;
        config.write_all(route.client_config(asks).as_bytes()).map_err(unwritten)?;
        Ok(config)
    }

    /// The key that the host shows, where none is known here.
    ///
    /// # Errors
    /// Says why it cannot be compared here.
    pub(super) async fn offered_key(&self) -> Result<HostKey, String> {
        let route = self.route.as_ref().map_err(ToString::to_string)?;
        let _turn = self.ways.turn().await;
        let config = self.config(route, false)?;
        let (path, port) = (config.path().display().to_string(), route.config.port.map(|port| port.to_string()));
        let mut ssh = vec!["ssh", "-G", "-F", &path];
        let options = [("-p", &port), ("-l", &route.config.user), ("-J", &route.config.jump)];
        ssh.extend(options.into_iter().filter_map(|(name, value)| Some([name, value.as_deref()?])).flatten());
        ssh.push(&route.address);
        host_key::offered(&ssh).await
    }

    /// The master says that it lives long after the host has gone: only a real command tells.
    async fn prove(&self, session: &Session) -> Result<(), HostError> {
        let patience = self.patience(ALIVE);
        let mut sink = Sink::Memory(Vec::new());
        let mark = format!("alive {}\n", uuid::Uuid::now_v7().simple());
        let argv = ["printf", "%s", &mark];
        let attempt = self.attempt(session, &argv, Feed::from(&[][..]), &mut sink);
        let reason = match tokio::time::timeout(patience, attempt).await {
            // Whatever the login prints beside it.
            Ok(Ok(_)) if matches!(&sink, Sink::Memory(output) if String::from_utf8_lossy(output).contains(&mark)) => {
                return Ok(());
            }
            // Busy to the brim, and so alive.
            Ok(Err(Attempt::Crowded)) => return Ok(()),
            Ok(Ok(said)) => {
                let said = clean(String::from_utf8_lossy(&said).trim());
                format!("the login works, but `sh` does not run there: {said}")
            }
            Ok(Err(Attempt::Over(error))) => return Err(error),
            Ok(Err(Attempt::Broken(said))) => said,
            Ok(Err(Attempt::Gone)) => "the connection closed at once".into(),
            Err(_) => format!(
                "the login works, but no command ends within {} s: a slow login shell, or a busy host; `connect_timeout` \
                 under `ssh` in the inventory says how many seconds it may take",
                patience.as_secs()
            ),
        };
        Err(HostError::Connect(reason))
    }

    fn patience(&self, otherwise: Duration) -> Duration {
        self.route.as_ref().map_or(otherwise, |route| route.patience(otherwise))
    }

    /// One attempt at a command.
    async fn attempt(
        &self,
        session: &Session,
        argv: &[&str],
        feed: Feed<'_>,
        sink: &mut dyn Take,
    ) -> Result<Vec<u8>, Attempt> {
        let Some(line) = as_line(argv) else {
            return Err(Attempt::Over(HostError::Refused("a command with a NUL byte cannot be sent".into())));
        };
        let mut command = session.raw_command(READ_LINE);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().await.map_err(|error| match error {
            // The master is gone: nothing was sent.
            openssh::Error::Disconnected => Attempt::Gone,
            error => {
                let said = chain(&error);
                if said.contains("refused by peer") { Attempt::Crowded } else { Attempt::Broken(said) }
            }
        })?;
        let (input, output, complaint) = (child.stdin().take(), child.stdout().take(), child.stderr().take());
        let said = pump(input, output, complaint, line.as_bytes(), feed, sink).await.map_err(Attempt::Over)?;
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
        sink: &mut dyn Take,
        patience: Duration,
    ) -> Result<Vec<u8>, HostError> {
        let _slot = self.commands.acquire().await;
        let mut pauses = CROWDED.iter().chain(CROWDED.last().into_iter().cycle());
        let asked = Instant::now();
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
                Err(Attempt::Crowded) => match pauses.next().filter(|_| asked.elapsed() < TURN) {
                    Some(pause) => tokio::time::sleep(*pause).await,
                    None => {
                        return Err(HostError::Lost(format!(
                            "sshd there has refused a further command on the connection for {} s: raise MaxSessions in its \
                             sshd_config (10 is usual; 4 are needed), or look what hangs there",
                            TURN.as_secs()
                        )));
                    }
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

    fn grace(&self) -> Duration {
        self.patience(GRACE).max(GRACE)
    }

    async fn ask_word(&self, user: &str, before: Option<&Secret>) -> Option<Secret> {
        let wanted = Wanted::SudoPassword(user.to_owned());
        self.ways.asker()?.secret(&self.name, wanted, before).await
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
    ssh.arg(format!("ConnectTimeout={}", route.login().as_secs()));
    if let Some(before) = before {
        ssh.args(["-J", before]);
    }
    // Its user and port are in one word with it, which ssh takes in this form only.
    let address = if last.contains("://") { last.to_owned() } else { format!("ssh://{last}") };
    ssh.arg(&address).arg("true");
    ssh.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let status = tokio::time::timeout(route.login() + GIVE_UP, ssh.kill_on_drop(true).status()).await;
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    let _ = std::fs::remove_file(&log);
    // 255 is ssh's own: anything else comes from the bastion, which has let us in then.
    match status {
        Ok(Ok(status)) if status.code() == Some(255) => trouble::explain(
            &said,
            Target { address: &address, user: None, port: None, jump: before, seconds: route.login().as_secs() },
        ),
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

/// A program and its arguments as one line of `sh`, whatever is in them; nothing where a NUL byte is.
fn as_line(argv: &[&str]) -> Option<String> {
    let mut line = String::from("n=$(printf '\\012x') n=${n%x}; exec");
    for word in argv {
        if word.contains('\0') {
            return None;
        }
        let _ = write!(line, " '{}'", word.replace('\'', r"'\''").replace('\n', "'\"$n\"'"));
    }
    line.push('\n');
    Some(line)
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
