//! Questions of connections, put to the operator one at a time.
//!
//! Answers are kept no longer than connections are being made, so that many hosts with one key ask once. What was answered
//! with no is not asked again in this run; an agent that has the key meanwhile gets in all the same.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, mpsc, oneshot};

use crate::model::HostName;
use crate::model::prompt::{Prompt, Reply, Secret, Wanted};

/// The first OpenSSH that asks by a program and nowhere else, where it is told to (`SSH_ASKPASS_REQUIRE`).
const ASKS_BY_PROGRAM: (u32, u32) = (8, 4);

/// A question, and where its answer goes.
#[derive(Debug)]
pub struct Question {
    /// What is asked.
    pub prompt: Prompt,
    /// Dropped, it is a no.
    pub reply: oneshot::Sender<Reply>,
}

/// Whoever connections ask.
pub(super) struct Asker {
    questions: mpsc::Sender<Question>,
    askpass: PathBuf,
    connecting: AtomicUsize,
    answers: Mutex<Answers>,
}

#[derive(Default)]
struct Answers {
    given: HashMap<String, Secret>,
    refused: HashSet<String>,
}

impl Asker {
    /// `askpass` is the program that ssh has to start: this one, which then answers as `commands::askpass` does. Nothing
    /// where the ssh of this machine would ask on the terminal itself.
    pub(super) fn new(askpass: PathBuf, questions: mpsc::Sender<Question>) -> Option<Self> {
        let version = Command::new("ssh").arg("-V").stdin(Stdio::null()).output().ok()?;
        asks_by_program(&String::from_utf8_lossy(&version.stderr)).then(|| Self {
            questions,
            askpass,
            connecting: AtomicUsize::new(0),
            answers: Mutex::default(),
        })
    }

    pub(super) fn askpass(&self) -> &Path {
        &self.askpass
    }

    /// A connection is being made, until this is dropped.
    pub(super) fn connecting(&self) -> Connecting<'_> {
        self.connecting.fetch_add(1, Ordering::AcqRel);
        Connecting(self)
    }

    /// The answer to what ssh asks. `before` is what it was given for that already, on the same connection.
    pub(super) async fn secret(&self, host: &HostName, wanted: Wanted, before: Option<&Secret>) -> Option<Secret> {
        // A passphrase is the key's, whichever host it is for; anything else is between one host and the operator.
        let key = match &wanted {
            Wanted::Passphrase(path) => path.clone(),
            Wanted::Answer(says) => format!("{host}\0{says}"),
            Wanted::SudoPassword(user) => format!("{host}\0sudo\0{user}"),
            Wanted::HostKey(_) => return None,
        };
        let mut answers = self.answers.lock().await;
        if answers.refused.contains(&key) {
            return None;
        }
        if let Some(given) = answers.given.get(&key).filter(|given| before != Some(given)) {
            return Some(given.clone());
        }
        match self.ask(Prompt { host: host.clone(), wanted, again: before.is_some() }).await {
            Reply::Secret(secret) => {
                if self.connecting.load(Ordering::Acquire) > 0 {
                    answers.given.insert(key, secret.clone());
                }
                Some(secret)
            }
            Reply::No | Reply::Compared => {
                answers.refused.insert(key);
                None
            }
        }
    }

    /// Whether the operator has compared a new host key.
    pub(super) async fn compared(&self, host: &HostName, key: &crate::model::HostKey) -> bool {
        let mut answers = self.answers.lock().await;
        if answers.refused.contains(&key.entry) {
            return false;
        }
        let wanted = Wanted::HostKey(Box::new(key.clone()));
        let compared = self.ask(Prompt { host: host.clone(), wanted, again: false }).await == Reply::Compared;
        if !compared {
            answers.refused.insert(key.entry.clone());
        }
        compared
    }

    async fn ask(&self, prompt: Prompt) -> Reply {
        let (reply, answer) = oneshot::channel();
        match self.questions.send(Question { prompt, reply }).await {
            Ok(()) => answer.await.unwrap_or(Reply::No),
            Err(_) => Reply::No,
        }
    }
}

/// While this is there a connection is being made.
pub(super) struct Connecting<'a>(&'a Asker);

impl Drop for Connecting<'_> {
    fn drop(&mut self) {
        if self.0.connecting.fetch_sub(1, Ordering::AcqRel) == 1
            && let Ok(mut answers) = self.0.answers.try_lock()
        {
            answers.given.clear();
        }
    }
}

/// What ssh asks for, by its words.
pub(super) fn wanted(says: &str) -> Wanted {
    let path = says.split_once("passphrase for key '").and_then(|(_, path)| path.rsplit_once('\''));
    match path {
        Some((path, _)) => Wanted::Passphrase(path.to_owned()),
        None => Wanted::Answer(says.to_owned()),
    }
}

/// Of `OpenSSH_9.2p1 Debian-2, OpenSSL 3.0`.
fn asks_by_program(version: &str) -> bool {
    let number = |text: &str| text.split(|c: char| !c.is_ascii_digit()).next().and_then(|number| number.parse().ok());
    let parts = version.split_once("OpenSSH_").and_then(|(_, rest)| rest.split_once('.'));
    parts
        .and_then(|(major, minor)| Some((number(major)?, number(minor)?)))
        .is_some_and(|found| found >= ASKS_BY_PROGRAM)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker() -> (Asker, mpsc::Receiver<Question>) {
        let (questions, asked) = mpsc::channel(1);
        let answers = Mutex::default();
        (Asker { questions, askpass: PathBuf::new(), connecting: AtomicUsize::new(0), answers }, asked)
    }

    #[tokio::test]
    async fn one_key_is_asked_for_once_while_connections_are_made_and_then_forgotten() {
        let (asker, mut asked) = asker();
        let key = || Wanted::Passphrase("/k".into());
        let operator = async {
            let mut prompts = Vec::new();
            for answer in ["wrong", "right", "again"] {
                let question = asked.recv().await.unwrap();
                prompts.push((question.prompt.host.to_string(), question.prompt.again));
                question.reply.send(Reply::Secret(answer.into())).unwrap();
            }
            prompts
        };
        let hosts = async {
            let connecting = asker.connecting();
            let first = asker.secret(&"a".into(), key(), None).await.unwrap();
            assert_eq!(first.expose(), "wrong");
            assert_eq!(asker.secret(&"a".into(), key(), Some(&first)).await.unwrap().expose(), "right");
            assert_eq!(
                asker.secret(&"b".into(), key(), None).await.unwrap().expose(),
                "right",
                "one key, one question"
            );
            drop(connecting);
            assert!(asker.answers.lock().await.given.is_empty(), "nothing is kept");
            let _connecting = asker.connecting();
            assert_eq!(asker.secret(&"c".into(), key(), None).await.unwrap().expose(), "again");
        };
        let (prompts, ()) = futures::future::join(operator, hosts).await;
        assert_eq!(prompts, [("a".into(), false), ("a".into(), true), ("c".into(), false)]);
    }

    #[tokio::test]
    async fn a_no_is_not_asked_again_and_nobody_is_a_no() {
        let (asker, mut asked) = asker();
        let password = || Wanted::Answer("core@a's password: ".into());
        let operator = async { drop(asked.recv().await.unwrap().reply) };
        let (answer, ()) = futures::future::join(asker.secret(&"a".into(), password(), None), operator).await;
        assert_eq!(answer, None);
        assert_eq!(asker.secret(&"a".into(), password(), None).await, None);
        drop(asked);
        assert_eq!(asker.secret(&"b".into(), password(), None).await, None);
    }

    #[test]
    fn ssh_is_understood() {
        let passphrase = "Enter passphrase for key '/home/op/it's mine/id_ed25519': ";
        assert_eq!(wanted(passphrase), Wanted::Passphrase("/home/op/it's mine/id_ed25519".into()));
        assert_eq!(wanted("core@a's password: "), Wanted::Answer("core@a's password: ".into()));
        for (version, asks) in [
            ("OpenSSH_9.2p1 Debian-2, OpenSSL 3.0", true),
            ("OpenSSH_8.4p1", true),
            ("OpenSSH_8.3p1", false),
            ("", false),
        ] {
            assert_eq!(asks_by_program(version), asks, "{version}");
        }
    }
}
