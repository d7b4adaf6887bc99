//! Starting OpenSSH's client as the master of a connection, and answering what it asks meanwhile.
//!
//! The crate that speaks to masters starts them as well, but so that they may ask nothing (`BatchMode`). Here ssh starts this
//! program where it has a question; that one brings it to a socket which only this user can reach, and takes the answer back.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use openssh::Session;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::Command;
use tokio::time::Instant;

use super::asking::{Asker, wanted};
use super::route::Route;
use crate::model::HostName;
use crate::model::logtail::clean;
use crate::model::prompt::Secret;

/// Where the program that ssh asks by finds whom to ask.
pub const ASKPASS: &str = "LOCKKEEPER_ASKPASS";

/// The longest question, in bytes.
const LONGEST: u64 = 4 << 10;

/// How long that program may take to say what is asked.
const SOON: Duration = Duration::from_secs(5);

/// Why there is no master.
pub(super) enum NoMaster {
    /// The client cannot be run here, or not be listened to.
    Here(io::Error),
    /// What it said.
    Log(String),
}

impl From<io::Error> for NoMaster {
    fn from(error: io::Error) -> Self {
        Self::Here(error)
    }
}

/// Starts a master. What the operator takes to answer does not count as time.
pub(super) async fn launch(
    route: &Route,
    host: &HostName,
    dir: &Path,
    config: &Path,
    asker: Option<&Asker>,
    mut patience: Duration,
) -> Result<Session, NoMaster> {
    let dir = tempfile::Builder::new().prefix(".ssh-connection").tempdir_in(dir)?;
    let log = dir.path().join("log");
    let mut ssh = Command::new("ssh");
    ssh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    ssh.arg("-E").arg(&log).arg("-S").arg(dir.path().join("master")).args(["-M", "-f", "-N"]);
    ssh.args(route.options()).arg("-F").arg(config).arg(&route.address);
    let listener = match asker {
        None => None,
        Some(asker) => {
            let socket = dir.path().join("ask");
            let listener = UnixListener::bind(&socket)?;
            ssh.env("SSH_ASKPASS", asker.askpass()).env("SSH_ASKPASS_REQUIRE", "force").env(ASKPASS, &socket);
            Some((listener, asker))
        }
    };
    let mut child = ssh.spawn()?;
    let mut given = Vec::new();
    // A master goes to the background once it is connected.
    let status = loop {
        let until = Instant::now() + patience;
        tokio::select! {
            status = child.wait() => break status?,
            question = accept(listener.as_ref()) => {
                patience = until.saturating_duration_since(Instant::now());
                if let Some((stream, asker)) = question {
                    answer(stream, host, asker, &mut given).await;
                }
            }
            () = tokio::time::sleep_until(until) => return Err(NoMaster::Log("the connection timed out".into())),
        }
    };
    if status.success() { Ok(Session::new_native_mux(dir)) } else { Err(said(&dir, &log)) }
}

fn said(_dir: &TempDir, log: &Path) -> NoMaster {
    std::fs::read_to_string(log).map_or_else(NoMaster::Here, NoMaster::Log)
}

async fn accept<'a>(listener: Option<&(UnixListener, &'a Asker)>) -> Option<(UnixStream, &'a Asker)> {
    match listener {
        Some((listener, asker)) => listener.accept().await.ok().map(|(stream, _)| (stream, *asker)),
        None => std::future::pending().await,
    }
}

/// Takes a question of ssh's and brings the answer: `+` and it, or nothing.
async fn answer(mut stream: UnixStream, host: &HostName, asker: &Asker, given: &mut Vec<(String, Secret)>) {
    let ours = rustix::process::getuid().as_raw();
    if stream.peer_cred().map_or(true, |peer| peer.uid() != ours) {
        return;
    }
    let mut says = Vec::new();
    let asked = tokio::time::timeout(SOON, (&mut stream).take(LONGEST).read_to_end(&mut says)).await;
    if !matches!(asked, Ok(Ok(1..))) {
        return;
    }
    // It may be the host that says it.
    let says = clean(&String::from_utf8_lossy(&says));
    let before = given.iter().rfind(|(asked, _)| *asked == says).map(|(_, secret)| secret);
    let Some(secret) = asker.secret(host, wanted(&says), before).await else { return };
    let mut bytes = format!("+{}", secret.expose()).into_bytes();
    let _ = stream.write_all(&bytes).await;
    bytes.fill(0);
    given.push((says, secret));
}
