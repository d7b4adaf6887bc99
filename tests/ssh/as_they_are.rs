//! Hosts as they are: logins that print, other shells than `sh`, slow ones, and an sshd that takes few sessions.

use std::fs;
use std::path::Path;
use std::time::Duration;

use lockkeeper::hosts::{self, HostError, JobStatus, untold};

use crate::server::{Server, follow, lease, spec};

/// Everything that goes over a connection, with bytes that any cutting would show.
async fn works(server: &Server) {
    let links = server.links();
    let host = server.operate(&links);
    host.connect().await.unwrap();
    lease(&*host).await;
    let probed = host.probe("printf 'a\\nb'; cat", Duration::from_secs(9)).await.unwrap();
    assert_eq!(probed.output, "a\nb");
    let mut job = spec("j1", "printf '%s|' \"$v\"; exit 3");
    job.env.insert("v".into(), "a 'b' \"c\"\n$(id)! \\n".into());
    host.start_job(&job).await.unwrap();
    let (output, status, _) = follow(&*host, "j1", |_| ()).await;
    assert_eq!((output.as_str(), status), ("a 'b' \"c\"\n$(id)! \\n|", JobStatus::Exited(3)));
    let mut content = b"lockkeeper \0bin\xff\r\n!$".repeat(20_000);
    content.extend(b"\n\nlockkeeper: ended");
    let path = server.path("pushed").display().to_string();
    let pushed = host.push(&path, "0600", &content, untold()).await.unwrap();
    assert!(fs::read(&path).unwrap() == content, "it came there as it was");
    let fetched = host.fetch(&path, &server.path("fetched"), untold()).await.unwrap();
    assert_eq!(fetched.sha256, pushed);
    assert!(fs::read(server.path("fetched")).unwrap() == content, "it came back as it was");
    links.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_prints_is_cut_and_told_of() {
    let noise = "ForceCommand echo 'lockkeeper: begun'; echo 'Welcome to node'; echo oops >&2; \
                 sh -c \"$SSH_ORIGINAL_COMMAND\"; echo bye; echo 'lockkeeper: ended 9' >&2";
    let Some(server) = Server::start_with(noise) else { return };
    works(&server).await;
    let links = server.links();
    let host = server.operate(&links);
    host.connect().await.unwrap();
    let probed = host.probe("echo seen", Duration::from_secs(9)).await.unwrap();
    assert_eq!(probed.output, "seen\n");
    let noise = probed.noise.unwrap();
    assert!(noise.contains("Welcome to node") && noise.contains("oops") && noise.contains("bye"), "{noise}");
    links.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_login_shell_is_a_command_gets_through_it() {
    for shell in ["/usr/bin/tcsh", "/usr/bin/fish", "/bin/bash", "/bin/sh"] {
        if !Path::new(shell).exists() {
            crate::skipped(&format!("there is no {shell} on this machine, nothing is known about logins by it"));
            continue;
        }
        let Some(server) = Server::start_with(&format!("ForceCommand {shell} -c \"$SSH_ORIGINAL_COMMAND\"")) else {
            return;
        };
        works(&server).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sshd_that_takes_two_sessions_is_waited_for() {
    let Some(server) = Server::start_with("MaxSessions 2") else { return };
    let links = server.links();
    let host = server.operate(&links);
    host.connect().await.unwrap();
    // Each holds its session for longer than a short patience.
    let many = (0..6).map(|n| {
        let host = host.clone();
        async move { host.probe(&format!("sleep 1.5; echo {n}"), Duration::from_secs(20)).await }
    });
    for (n, output) in futures::future::join_all(many).await.into_iter().enumerate() {
        assert_eq!(output.unwrap().output, format!("{n}\n"));
    }
    links.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sshd_that_takes_three_logins_at_a_time_lets_a_whole_cluster_in() {
    // As behind one bastion: whoever comes while three others log in is dropped.
    let Some(server) = Server::start_with("MaxStartups 3") else { return };
    let links = server.links();
    let mut inventory = server.inventory();
    let first = inventory.hosts.remove(0);
    inventory.hosts = (1..=24)
        .map(|number| {
            let mut host = first.clone();
            host.name = format!("node-{number}").as_str().into();
            host
        })
        .collect();
    let hosts: Vec<_> = inventory.hosts.iter().map(|host| hosts::operate(&inventory, host, &links)).collect();
    for connected in futures::future::join_all(hosts.iter().map(|host| host.connect())).await {
        connected.unwrap();
    }
    links.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_login_is_waited_for_where_the_inventory_says_so() {
    let Some(server) = Server::start_with("ForceCommand sleep 2; sh -c \"$SSH_ORIGINAL_COMMAND\"") else { return };
    let links = server.links();
    let mut inventory = server.inventory();
    inventory.hosts[0].ssh.connect_timeout = Some(1);
    let host = hosts::operate(&inventory, &inventory.hosts[0], &links);
    let Err(HostError::Connect(reason)) = host.connect().await else { panic!("1 s is too short") };
    assert!(reason.contains("no command ends within 1 s") && reason.contains("connect_timeout"), "{reason}");
    inventory.hosts[0].ssh.connect_timeout = Some(30);
    let host = hosts::operate(&inventory, &inventory.hosts[0], &links);
    host.connect().await.unwrap();
    // The deadline is the script's own: the login's time does not count.
    assert_eq!(host.probe("echo seen", Duration::from_secs(1)).await.unwrap().output, "seen\n");
    links.close().await;
}
