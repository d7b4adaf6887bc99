//! What a connection asks for, answered: a key with a passphrase, a new host key.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use lockkeeper::hosts::{self, HostError, Links, Question};
use lockkeeper::model::prompt::{Prompt, Reply, Wanted};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::accounts::Account;
use crate::server::Server;

fn asking(server: &Server) -> (Links, mpsc::Receiver<Question>) {
    let (links, asked) = Links::asking(PathBuf::from(env!("CARGO_BIN_EXE_lockkeeper"))).unwrap();
    (links.rootless(server.path("base").display().to_string()), asked)
}

/// An operator who answers so, one answer after the other, and then no more; what was asked.
fn operator(mut asked: mpsc::Receiver<Question>, answers: Vec<Reply>) -> JoinHandle<Vec<Prompt>> {
    tokio::spawn(async move {
        let mut answers = answers.into_iter();
        let mut prompts = Vec::new();
        while let Some(question) = asked.recv().await {
            prompts.push(question.prompt);
            question.reply.send(answers.next().unwrap_or(Reply::No)).unwrap();
        }
        prompts
    })
}

pub(crate) fn lock(server: &Server) {
    let args = ["-q", "-p", "-P", "", "-N", "open sesame", "-f"];
    let locked = Command::new("ssh-keygen").args(args).arg(server.path("user")).status().unwrap();
    assert!(locked.success());
}

/// Everything of this machine that could tell a secret: arguments and environments of all that runs.
fn tells(secret: &str) -> bool {
    let has = |path: PathBuf| {
        fs::read(path).is_ok_and(|bytes| bytes.windows(secret.len()).any(|part| part == secret.as_bytes()))
    };
    let mut running = fs::read_dir("/proc").unwrap().flatten();
    running.any(|entry| ["cmdline", "environ"].iter().any(|file| has(entry.path().join(file))))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_is_asked_for_once_for_all_hosts_and_is_nowhere_to_be_seen() {
    let Some(server) = Server::start() else { return };
    lock(&server);
    let mut inventory = server.inventory();
    let mut other = inventory.hosts[0].clone();
    other.name = "node-2".into();
    inventory.hosts.push(other);
    let (links, asked) = asking(&server);
    let hosts: Vec<_> = inventory.hosts.iter().map(|host| hosts::operate(&inventory, host, &links)).collect();
    let operator = operator(asked, vec![Reply::Secret("wrong".into()), Reply::Secret("open sesame".into())]);
    for connected in futures::future::join_all(hosts.iter().map(|host| host.connect())).await {
        connected.unwrap();
    }
    assert!(!tells("open sesame"), "it is in the arguments or the environment of a process");
    links.close().await;
    drop((hosts, links));
    let prompts = operator.await.unwrap();
    let key = Wanted::Passphrase(server.path("user").display().to_string());
    assert!(prompts.iter().all(|prompt| prompt.wanted == key), "{prompts:?}");
    assert_eq!(prompts.iter().map(|prompt| prompt.again).collect::<Vec<_>>(), [false, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_is_an_answer_and_is_not_asked_for_again() {
    let Some(server) = Server::start() else { return };
    lock(&server);
    let inventory = server.inventory();
    let (links, asked) = asking(&server);
    let host = hosts::observe(&inventory, &inventory.hosts[0], &links);
    let operator = operator(asked, vec![]);
    for _ in 0..2 {
        let Err(HostError::Connect(reason)) = host.connect().await else { panic!("it got in") };
        assert!(reason.contains("ssh-add") && reason.contains("on their screen"), "{reason}");
    }
    drop((host, links));
    assert_eq!(operator.await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_host_key_is_asked_about_and_one_that_has_changed_is_not() {
    let Some(server) = Server::start() else { return };
    let inventory = server.inventory();
    fs::write(server.path("known_hosts"), "").unwrap();
    let (links, asked) = asking(&server);
    let host = hosts::observe(&inventory, &inventory.hosts[0], &links);
    let first = operator(asked, vec![]);
    assert!(matches!(host.connect().await, Err(HostError::UnknownKey(_))));
    drop((host, links));
    assert_eq!(first.await.unwrap().len(), 1);
    assert_eq!(fs::read_to_string(server.path("known_hosts")).unwrap(), "", "a no accepts nothing");

    let (links, asked) = asking(&server);
    let host = hosts::observe(&inventory, &inventory.hosts[0], &links);
    let second = operator(asked, vec![Reply::Compared]);
    host.connect().await.unwrap();
    links.close().await;
    server.trust("other_host");
    let changed = host.connect().await;
    assert!(matches!(&changed, Err(HostError::Connect(reason)) if reason.contains("HAS CHANGED")), "{changed:?}");
    drop((host, links));
    let prompts = second.await.unwrap();
    let [Prompt { wanted: Wanted::HostKey(key), .. }] = &prompts[..] else { panic!("{prompts:?}") };
    let printed = Command::new("ssh-keygen").arg("-lf").arg(server.path("host.pub")).output().unwrap();
    assert_eq!(String::from_utf8(printed.stdout).unwrap().split(' ').nth(1), Some(key.fingerprint.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_logs_in() {
    let account = Account::new("word", "open sesame", "");
    let Some(server) = Server::start_with("PasswordAuthentication yes") else { return };
    let Some(account) = account else { return };
    let mut inventory = account.inventory(&server);
    inventory.ssh.identity = Some(server.path("stranger"));
    let (links, asked) = asking(&server);
    let host = hosts::observe(&inventory, &inventory.hosts[0], &links);
    let operator = operator(asked, vec![Reply::Secret("open sesame".into())]);
    host.connect().await.unwrap();
    links.close().await;
    drop((host, links));
    let prompts = operator.await.unwrap();
    assert_eq!(prompts.len(), 1, "{prompts:?}");
    assert!(matches!(&prompts[0].wanted, Wanted::Answer(says) if says.contains("password")), "{prompts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sudo_password_is_asked_for_once_and_reaches_nothing_but_sudo() {
    let Some(account) = Account::new("sudo", "open sesame", "USER ALL=(ALL) ALL\n") else { return };
    let Some(server) = Server::start() else { return };
    let inventory = account.inventory(&server);
    let (links, asked) = Links::asking(PathBuf::from(env!("CARGO_BIN_EXE_lockkeeper"))).unwrap();
    let host = hosts::operate(&inventory, &inventory.hosts[0], &links);
    let operator = operator(asked, vec![Reply::Secret("wrong".into()), Reply::Secret("open sesame".into())]);
    host.connect().await.unwrap();
    let id = async || host.probe("id -u; cat", std::time::Duration::from_secs(9)).await.unwrap().output;
    assert_eq!(id().await, format!("{}\n", account.id()), "who only looks is not asked");
    // Two that need it at once ask once.
    let (first, second) = futures::future::join(host.try_root(), host.read("/etc/shadow")).await;
    first.unwrap();
    assert_eq!(second.unwrap(), Some(fs::read("/etc/shadow").unwrap()));
    assert_eq!(id().await, "0\n", "the script's own input begins after the password");
    assert!(!tells("open sesame"), "it is in the arguments or the environment of a process");
    links.close().await;
    drop((host, links));
    let prompts = operator.await.unwrap();
    assert!(prompts.iter().all(|prompt| prompt.wanted == Wanted::SudoPassword(account.0.clone())), "{prompts:?}");
    assert_eq!(prompts.iter().map(|prompt| prompt.again).collect::<Vec<_>>(), [false, true]);
}
