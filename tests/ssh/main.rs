//! Hosts over a real sshd on 127.0.0.1, started here on a port of its own with keys of its own.
//!
//! Where there is no sshd the tests say so and pass, as they can tell nothing then; but not where `tests/run.sh` installs one.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and must say that it was skipped")]

mod accounts;
mod as_they_are;
mod prompts;
mod screen;
mod server;

use std::fs;
use std::process::Command;
use std::time::Duration;

use lockkeeper::hosts::{self, HostError, JobStatus, Links};
use lockkeeper::model::inventory::{Connection, Host, Inventory, Role, Ssh};

use self::server::{Server, children, follow, launch, lease, spec};

/// Says why a test proves nothing here. Where `tests/run.sh` installs what tests need, it fails instead.
pub(crate) fn skipped(why: &str) {
    assert!(std::env::var_os("LOCKKEEPER_SKIP_NOTHING").is_none(), "skipped where it could have been run: {why}");
    eprintln!("SKIPPED: {why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_connected_probed_and_worked_on() {
    let Some(server) = Server::start() else { return };
    let links = server.links();
    let host = server.operate(&links);
    host.connect().await.unwrap();
    host.connect().await.unwrap();
    lease(&*host).await;
    assert_eq!(host.probe("echo seen; cat", Duration::from_secs(9)).await.unwrap().output, "seen\n");

    let mut job = spec("j1", "printf '%s|' \"$v\"; exit 127");
    job.env.insert("v".into(), "a 'b' \"c\"\n$(id)!".into());
    host.start_job(&job).await.unwrap();
    let (output, status, _) = follow(&*host, "j1", |_| ()).await;
    assert_eq!((output.as_str(), status), ("a 'b' \"c\"\n$(id)!|", JobStatus::Exited(127)));

    let content = b"\0bin\xff".repeat(100_000);
    let path = server.path("pushed").display().to_string();
    let pushed = host.push(&path, "0600", &content, lockkeeper::hosts::untold()).await.unwrap();
    let fetched = host.fetch(&path, &server.path("fetched"), lockkeeper::hosts::untold()).await.unwrap();
    assert_eq!((fetched.bytes, fetched.sha256), (500_000, pushed));
    assert!(fs::read(server.path("fetched")).unwrap() == content);

    // More commands at once than sshd takes (MaxSessions 10).
    let many = (0..40).map(|n| {
        let host = host.clone();
        async move { host.probe(&format!("echo {n}"), Duration::from_secs(20)).await }
    });
    for (n, output) in futures::future::join_all(many).await.into_iter().enumerate() {
        assert_eq!(output.unwrap().output, format!("{n}\n"));
    }

    // One host has one connection, however often it is asked for; closing leaves no master behind.
    hosts::observe(&server.inventory(), &server.inventory().hosts[0], &links).connect().await.unwrap();
    assert_eq!(children(server.sshd.id()).len(), 1);
    links.close().await;
    assert_eq!(masters(&server), 0);
}

/// Masters of ssh that have this server's files in their command line.
fn masters(server: &Server) -> usize {
    let mark = server.dir.path().display().to_string();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok())
        .filter(|line| line.starts_with(b"ssh") && String::from_utf8_lossy(line).contains(&mark))
        .filter(|line| !line.starts_with(b"sshd"))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_right_is_refused_and_explained() {
    let Some(mut server) = Server::start() else { return };
    let reason = async |server: &Server, change: &dyn Fn(&mut Inventory)| {
        let mut inventory = server.inventory();
        change(&mut inventory);
        refusal(&inventory, &server.links()).await
    };
    let same = |_: &mut Inventory| ();

    server.trust("other_host");
    let said = reason(&server, &same).await;
    assert!(said.starts_with("node-1: the host key of 127.0.0.1 HAS CHANGED"), "{said}");
    assert!(said.contains("SHA256:") && said.contains("known_hosts:1"), "{said}");

    fs::write(server.path("known_hosts"), "").unwrap();
    let said = reason(&server, &same).await;
    assert!(said.contains("is not known here") && said.contains(&format!("`ssh -p {} 127", server.port)), "{said}");
    // Even where the user's own configuration would let it pass.
    fs::write(server.path("lax"), "Host *\n  StrictHostKeyChecking no\n").unwrap();
    let lax = server.path("lax");
    let said = reason(&server, &|inventory| inventory.ssh.config = Some(lax.clone())).await;
    assert!(said.contains("is not known here"), "{said}");
    assert_eq!(fs::read_to_string(server.path("known_hosts")).unwrap(), "", "nothing was accepted unseen");

    server.trust("host");
    let stranger = server.path("stranger");
    let said = reason(&server, &|inventory| inventory.hosts[0].ssh.identity = Some(stranger.clone())).await;
    assert!(said.contains("does not let the default user in") && said.contains("ssh-add"), "{said}");
    let said = reason(&server, &|inventory| inventory.hosts[0].address = Some("no-such-host.invalid".into())).await;
    assert!(said.contains("no-such-host.invalid") && said.contains("DNS"), "{said}");
    let said = reason(&server, &|inventory| inventory.hosts[0].address = Some("-oProxyCommand=false".into())).await;
    assert!(said.contains("is not an address"), "{said}");
    let said = reason(&server, &|inventory| inventory.hosts[0].connection = Connection::Practice).await;
    assert!(said.contains("practice host"), "{said}");

    server.stop();
    let said = reason(&server, &same).await;
    assert!(said.contains(&format!("refuses port {}", server.port)), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bastion_is_held_to_the_same_rules() {
    let Some(server) = Server::start() else { return };
    let mut inventory = server.inventory();
    // The same sshd twice, by two names: ssh refuses to go through a host to itself.
    inventory.ssh.jump = Some(format!("127.0.0.1:{}", server.port));
    inventory.hosts[0].address = Some("localhost".into());
    let links = server.links();
    let host = hosts::observe(&inventory, &inventory.hosts[0], &links);
    host.connect().await.unwrap();
    assert_eq!(children(server.sshd.id()).len(), 2, "one to the bastion, one through it");
    links.close().await;

    // What is wrong behind the bastion, and what is wrong with it.
    inventory.ssh.port = Some(1);
    let said = refusal(&inventory, &links).await;
    assert!(said.contains("lets us in, but no sshd answers through it at localhost"), "{said}");
    fs::write(server.path("known_hosts"), "").unwrap();
    let said = refusal(&inventory, &links).await;
    assert!(said.contains("the host key of ssh://127.0.0.1:") && said.contains("is not known here"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_shown_kept_and_then_known() {
    let Some(server) = Server::start() else { return };
    let (inventory, links) = (server.inventory(), server.links());
    let host = &inventory.hosts[0];
    let observe = hosts::observe(&inventory, host, &links);
    fs::write(server.path("known_hosts"), "another.example ssh-ed25519 AAAA").unwrap();
    assert!(matches!(observe.connect().await, Err(HostError::UnknownKey(_))), "told apart from other refusals");
    let key = hosts::offered_key(&inventory, host, &links).await.unwrap();
    let printed = Command::new("ssh-keygen").arg("-lf").arg(server.path("host.pub")).output().unwrap();
    assert_eq!(String::from_utf8(printed.stdout).unwrap().split(' ').nth(1), Some(key.fingerprint.as_str()));
    assert_eq!(key.place, format!("[127.0.0.1]:{}", server.port));
    assert_eq!((key.kind.as_str(), &key.file), ("ed25519", &server.path("known_hosts")));
    assert!(matches!(observe.connect().await, Err(HostError::UnknownKey(_))), "looking at it accepts nothing");
    hosts::trust(&key).unwrap();
    observe.connect().await.unwrap();
    links.close().await;

    // Another key under that name, and another kind of key: neither is one to be accepted here.
    server.trust("other_host");
    let said = hosts::offered_key(&inventory, host, &links).await.unwrap_err();
    assert!(said.contains("known_hosts has something about [127.0.0.1]:"), "{said}");
    assert!(matches!(observe.connect().await, Err(HostError::Connect(reason)) if reason.contains("HAS CHANGED")));
    let made =
        Command::new("ssh-keygen").args(["-q", "-t", "ecdsa", "-N", "", "-f"]).arg(server.path("ecdsa")).status();
    assert!(made.unwrap().success());
    server.trust("ecdsa");
    assert!(observe.connect().await.is_err());
    assert!(hosts::offered_key(&inventory, host, &links).await.unwrap_err().contains("another kind of key"));

    // Through a bastion nothing can be fetched, and where nobody answers there is nothing to fetch.
    fs::write(server.path("known_hosts"), "").unwrap();
    let mut other = inventory.clone();
    other.ssh.jump = Some(format!("127.0.0.1:{}", server.port));
    let said = hosts::offered_key(&other, &other.hosts[0], &links).await.unwrap_err();
    assert!(said.contains("jumphost loop"), "what ssh itself says against it: {said}");
    other.hosts[0].address = Some("localhost".into());
    let said = hosts::offered_key(&other, &other.hosts[0], &links).await.unwrap_err();
    assert!(said.contains("does not go through a jump host"), "{said}");
    let mut other = inventory.clone();
    other.ssh.port = Some(1);
    let said = hosts::offered_key(&other, &other.hosts[0], &links).await.unwrap_err();
    assert!(said.contains("gets no key to compare"), "{said}");
}

async fn refusal(inventory: &Inventory, links: &Links) -> String {
    match hosts::observe(inventory, &inventory.hosts[0], links).connect().await {
        Err(HostError::Connect(reason) | HostError::UnknownKey(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_in_the_middle_of_a_job_loses_nothing() {
    let Some(mut server) = Server::start() else { return };
    let links = server.links();
    let host = server.operate(&links);
    let script = format!(
        "echo ran >>{}; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo \"line $i\"; sleep 0.25; done; printf last; exit 4",
        server.path("proof").display()
    );
    let job = spec("j1", &script);
    lease(&*host).await;
    host.start_job(&job).await.unwrap();
    let (mut cuts, mut next) = (0, 2);
    let (output, status, lost) = follow(&*host, "j1", |output| {
        let lines = String::from_utf8_lossy(output).lines().count();
        if lines >= next {
            next = lines + 4;
            cuts += server.cut();
        }
    })
    .await;
    assert!(cuts >= 2, "the connection was cut {cuts} times only");
    let expected: Vec<String> = (1..=12).map(|n| format!("line {n}")).chain(["last".into()]).collect();
    assert_eq!((output, status), (expected.join("\n"), JobStatus::Exited(4)), "after {lost} lost answers");
    host.start_job(&job).await.unwrap();
    assert_eq!(fs::read_to_string(server.path("proof")).unwrap(), "ran\n");

    // While sshd is down the host cannot be reached; when it is up again the same handle works.
    server.cut();
    server.stop();
    let down = host.connect().await;
    assert!(matches!(&down, Err(HostError::Connect(reason)) if reason.contains("refuses port")), "{down:?}");
    server.sshd = launch(server.dir.path(), server.port, "host");
    host.connect().await.unwrap();
    assert_eq!(host.claim_job(&"j1".into()).await, Ok(JobStatus::Exited(4)));
    links.close().await;
}

/// A host with systemd, a user `core` with `sudo`, and an ssh configuration that knows it: one of tests/lab.
/// `LOCKKEEPER_LAB_SSH=DIR/ssh_config LOCKKEEPER_LAB_HOST=lab1 cargo test --test ssh -- --ignored`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a lab host, and reboots it"]
async fn a_lab_host_with_systemd_sudo_and_a_reboot() {
    let (Ok(config), Ok(name)) = (std::env::var("LOCKKEEPER_LAB_SSH"), std::env::var("LOCKKEEPER_LAB_HOST")) else {
        panic!("LOCKKEEPER_LAB_SSH and LOCKKEEPER_LAB_HOST say which host")
    };
    let host = Host {
        name: name.as_str().into(),
        address: None,
        roles: vec![Role::Etcd],
        connection: Connection::Ssh,
        node: None,
        ssh: Ssh { config: Some(config.into()), ..Ssh::default() },
        vars: indexmap::IndexMap::new(),
    };
    let inventory =
        Inventory { cluster: "lab".into(), ssh: Ssh::default(), vars: indexmap::IndexMap::new(), hosts: vec![host] };
    let links = Links::new().unwrap();
    let host = hosts::operate(&inventory, &inventory.hosts[0], &links);
    host.connect().await.unwrap();
    assert_eq!(host.probe("id -u", Duration::from_secs(9)).await.unwrap().output, "0\n");

    lease(&*host).await;
    let run = std::process::id();
    let one = format!("test-{run}-one");
    host.start_job(&spec(&one, "id -u; cat /proc/self/cgroup; echo $HOME; umask; ls -A; exit 6")).await.unwrap();
    let (output, status, _) = follow(&*host, &one, |_| ()).await;
    assert_eq!(status, JobStatus::Exited(6));
    assert!(output.starts_with("0\n") && output.contains(&format!("lockkeeper-{one}.service")), "{output}");
    assert!(output.ends_with("/root\n0022\n"), "{output}");

    let pushed =
        host.push("/etc/lockkeeper-test/a.conf", "0600", b"root's own\n", lockkeeper::hosts::untold()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let fetched =
        host.fetch("/etc/lockkeeper-test/a.conf", &dir.path().join("a"), lockkeeper::hosts::untold()).await.unwrap();
    assert_eq!(fetched.sha256, pushed);

    // It runs, and the host goes down under it: perhaps so fast that nobody hears that it has started.
    let two = format!("test-{run}-two");
    match host.start_job(&spec(&two, "echo going; systemctl reboot; sleep 50")).await {
        Ok(()) | Err(HostError::Lost(_)) => {}
        other => panic!("{other:?}"),
    }
    let (output, status, lost) = follow(&*host, &two, |_| ()).await;
    assert_eq!((output.as_str(), status), ("going\n", JobStatus::Interrupted { rebooted: true }), "{lost} lost");
    links.close().await;
}
