//! Running a script on a host, by whatever way commands get there: who it runs as, its deadline, and how it ended.

mod between;

use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

use self::between::Between;
use super::{HostError, Progress};
use crate::model::logtail::clean;
use crate::model::prompt::Secret;

const WRAP: &str = include_str!("../../assets/job/wrap.sh");

/// For the way there and back.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// What goes to a command, or comes from it, at a time, in bytes.
const PIECE: usize = 64 << 10;

/// The most that is taken into memory of one command's standard output.
const MOST_OUTPUT: usize = 16 << 20;

/// The most that is kept of a command's standard error: this much of its beginning and as much of its end.
const MOST_COMPLAINT: usize = 64 << 10;

/// A way for commands to get to a host.
#[async_trait]
pub(super) trait Shell: Send + Sync + 'static {
    /// Makes sure that a real command gets through.
    async fn connect(&self) -> Result<(), HostError>;

    /// Runs a program with these arguments, feeds it, pours its standard output into `sink` and returns its
    /// standard error. How it exited is not asked: over SSH that cannot be told from a broken connection.
    async fn run(
        &self,
        argv: &[&str],
        feed: Feed<'_>,
        sink: &mut dyn Take,
        patience: Duration,
    ) -> Result<Vec<u8>, HostError>;

    /// Beyond the deadline that the host itself keeps: for the way there and back, and a login.
    fn grace(&self) -> Duration {
        GRACE
    }

    /// Asks the operator for the password that `sudo` asks this user for; `before` is what was not right. Nothing where nobody
    /// may be asked, or the answer is no.
    async fn ask_word(&self, _user: &str, _before: Option<&Secret>) -> Option<Secret> {
        None
    }

    /// Ends the connection, where there is one.
    async fn close(&self);
}

/// As whom a script runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Root, by login or by `sudo -n`, or not at all.
    Root,
    /// Root where that can be had, else the login user.
    Any,
    /// The login user.
    User,
    /// Root, by the password that `sudo` asks for, which goes before the input.
    Word,
}

/// What a command reads on its standard input.
#[derive(Clone, Copy)]
pub(super) struct Feed<'a> {
    /// Goes first, and is nobody's business.
    pub(super) first: &'a [u8],
    pub(super) bytes: &'a [u8],
    /// Told how many bytes the command has been given, and of how many, where somebody wants to know.
    pub(super) progress: Option<&'a Progress>,
}

impl<'a> From<&'a [u8]> for Feed<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { first: &[], bytes, progress: None }
    }
}

/// A script for a host.
#[derive(Clone, Copy)]
pub(super) struct Script<'a> {
    pub(super) who: Who,
    pub(super) text: &'a str,
    pub(super) args: &'a [&'a str],
    pub(super) input: Feed<'a>,
    pub(super) deadline: Duration,
}

/// How a script ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// Its exit status; 124 when it ran out of time.
    pub(super) status: i32,
    /// It ran as the login user for want of a `sudo` that asks for no password.
    pub(super) plain: bool,
    /// What it said on standard error, without control characters.
    pub(super) complaint: String,
    /// What the login printed by itself, before and after, without control characters.
    pub(super) noise: Option<String>,
}

impl Ended {
    /// It was ended for taking too long.
    pub(super) fn out_of_time(&self) -> bool {
        matches!(self.status, 124 | 137 | 143)
    }
}

/// Why a script was not run to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unrun {
    /// For a reason that no answer of the operator changes.
    Host(HostError),
    /// `sudo` wants a password of this user, or another one.
    SudoAsks {
        user: String,
        /// As it is told where nobody may be asked.
        why: String,
    },
}

impl From<HostError> for Unrun {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

impl Unrun {
    /// As it is told.
    pub(super) fn told(self) -> HostError {
        match self {
            Self::Host(error) => error,
            Self::SudoAsks { why, .. } => HostError::Refused(why),
        }
    }
}

/// Runs a script and says how it ended; its output goes into `sink`.
///
/// # Errors
/// `Refused` where the script did not begin, `Lost` where its end was not seen.
pub(super) async fn run(shell: &dyn Shell, script: Script<'_>, sink: &mut Sink) -> Result<Ended, Unrun> {
    let who = match script.who {
        Who::Root => "root",
        Who::Any => "any",
        Who::User => "user",
        Who::Word => "word",
    };
    let seconds = script.deadline.as_secs().max(1).to_string();
    let mark = uuid::Uuid::now_v7().simple().to_string();
    let mut argv = vec!["sh", "-c", WRAP, "lockkeeper", &mark, who, &seconds, script.text];
    argv.extend(script.args);
    let mut between = Between::new(sink, &mark);
    let stderr = shell.run(&argv, script.input, &mut between, script.deadline + shell.grace()).await?;
    let mut ended = read_marks(&String::from_utf8_lossy(&stderr), &mark)?;
    ended.noise = between.end(ended.noise.as_deref())?;
    Ok(ended)
}

/// Reads what `wrap.sh` marked on standard error.
fn read_marks(stderr: &str, mark: &str) -> Result<Ended, Unrun> {
    let lost = || HostError::Lost(BROKEN.into());
    let marks = format!("\nlockkeeper {mark}: ");
    let (before_end, end) = stderr.rsplit_once(&format!("{marks}ended ")).ok_or_else(lost)?;
    let (status, after) = end.split_once('\n').unwrap_or((end, ""));
    let status = status.parse().map_err(|_| lost())?;
    let (before, marked) = before_end.split_once(&format!("{marks}user ")).ok_or_else(lost)?;
    let (user, rest) = marked.split_once('\n').unwrap_or((marked, ""));
    let (user, sudo) = user.split_once(' ').map_or((user, false), |(user, _)| (user, true));
    let user = clean(user);
    // sudo may greet with a lecture before it lets the script begin.
    let Some((_, complaint)) = rest.split_once(&format!("lockkeeper {mark}: begun\n")) else {
        let missing = format!("{rest}\n");
        let missing = missing.split_once(&format!("lockkeeper {mark}: missing "));
        let missing = missing.and_then(|(_, missing)| missing.lines().next());
        let why = match missing {
            Some("sudo") => {
                format!("user {user} cannot become root: there is no `sudo` there; install it, or log in as root")
            }
            Some(program) => {
                let program = clean(program);
                format!(
                    "there is no `{program}` on the PATH of user {user} there: install it (it is part of coreutils)"
                )
            }
            None if sudo => no_root(&user, &said(rest)),
            None => format!("no command can be run as user {user} ({}); look at the login there", said(rest)),
        };
        let asks = missing.is_none() && sudo && ASKS.iter().any(|words| rest.contains(words));
        return Err(if asks { Unrun::SudoAsks { user, why } } else { HostError::Refused(why).into() });
    };
    let noise = Some(said(&format!("{before}\n{after}"))).filter(|noise| !noise.is_empty());
    Ok(Ended { status, plain: user != "root" && !sudo, complaint: said(complaint), noise })
}

const BROKEN: &str = "the connection broke before the command had ended";

/// What sudo says where it wants a password: without a way to ask for it, or after one that was wrong.
const ASKS: [&str; 4] = ["password is required", "no askpass program", "incorrect password", "Sorry, try again"];

/// Why `sudo -n` let nothing begin, and what to do about it.
fn no_root(user: &str, said: &str) -> String {
    let has = |words: &[&str]| words.iter().any(|words| said.contains(words));
    let (why, also) = if has(&["must have a tty"]) {
        ("its sudo wants a terminal", format!(" and `Defaults:{user} !requiretty`"))
    } else if has(&ASKS) {
        ("its sudo asks for a password", String::new())
    } else if has(&["not in the sudoers", "may not run sudo", "not allowed to"]) {
        ("its sudo does not allow it", String::new())
    } else {
        ("`sudo -n` fails", String::new())
    };
    format!(
        "user {user} cannot become root: {why} ({said}); allow it on the host with a file in /etc/sudoers.d that says \
         `{user} ALL=(ALL) NOPASSWD: ALL`{also}, or log in as root"
    )
}

/// The last few lines of a complaint, as one.
fn said(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(clean).filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(3)..].join("; ")
}

/// Where standard output goes.
pub(super) enum Sink {
    /// Into memory, up to a bound.
    Memory(Vec<u8>),
    /// The same, and how long after it was asked for the first of it came.
    Timed { kept: Vec<u8>, asked: Instant, first: Option<Duration> },
    /// Into a file, counted and digested on the way.
    File { file: tokio::fs::File, bytes: u64, hash: Box<Sha256>, all: u64, progress: Progress },
}

/// Whoever takes a command's standard output.
#[async_trait]
pub(super) trait Take: Send {
    /// Takes what came, in order.
    async fn take(&mut self, piece: &[u8]) -> std::io::Result<()>;
}

#[async_trait]
impl Take for Sink {
    async fn take(&mut self, piece: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Memory(kept) | Self::Timed { kept, .. } if kept.len() + piece.len() > MOST_OUTPUT => {
                Err(std::io::Error::other(format!("it printed more than {} MiB", MOST_OUTPUT >> 20)))
            }
            Self::Memory(kept) => {
                kept.extend_from_slice(piece);
                Ok(())
            }
            Self::Timed { kept, asked, first } => {
                first.get_or_insert_with(|| asked.elapsed());
                kept.extend_from_slice(piece);
                Ok(())
            }
            Self::File { file, bytes, hash, all, progress } => {
                hash.update(piece);
                *bytes += piece.len() as u64;
                progress(*bytes, *all);
                file.write_all(piece).await
            }
        }
    }
}

/// Feeds a command, `head` first, and takes its output until all its ends are closed. Returns its standard error.
///
/// # Errors
/// `Refused` where the output cannot be kept here.
pub(super) async fn pump(
    stdin: Option<impl AsyncWrite + Unpin>,
    stdout: Option<impl AsyncRead + Unpin>,
    stderr: Option<impl AsyncRead + Unpin>,
    head: &[u8],
    input: Feed<'_>,
    sink: &mut dyn Take,
) -> Result<Vec<u8>, HostError> {
    let feed = async {
        if let Some(mut stdin) = stdin {
            let mut given = 0;
            for piece in [head, input.first] {
                if !piece.is_empty() && stdin.write_all(piece).await.is_err() {
                    return Ok(());
                }
            }
            for piece in input.bytes.chunks(PIECE) {
                // A command that ends before it has read everything says so by its status.
                if stdin.write_all(piece).await.is_err() {
                    break;
                }
                given += piece.len() as u64;
                if let Some(progress) = input.progress {
                    progress(given, input.bytes.len() as u64);
                }
            }
            let _ = stdin.shutdown().await;
        }
        Ok::<(), HostError>(())
    };
    let pour = async {
        let Some(mut stdout) = stdout else { return Ok(()) };
        let mut piece = vec![0; PIECE];
        // An error of reading is a broken connection: then the mark of the end is missing too.
        while let Ok(count @ 1..) = stdout.read(&mut piece).await {
            sink.take(&piece[..count])
                .await
                .map_err(|error| HostError::Refused(format!("the output cannot be kept here: {error}")))?;
        }
        Ok(())
    };
    let listen = async {
        let mut said = Vec::new();
        let Some(mut stderr) = stderr else { return Ok(said) };
        let mut piece = vec![0; 8 << 10];
        while let Ok(count @ 1..) = stderr.read(&mut piece).await {
            said.extend_from_slice(&piece[..count]);
            if said.len() > 2 * MOST_COMPLAINT {
                said.drain(MOST_COMPLAINT..said.len() - MOST_COMPLAINT);
            }
        }
        Ok(said)
    };
    let ((), (), said) = tokio::try_join!(feed, pour, listen)?;
    Ok(said)
}

#[cfg(test)]
mod tests;
