//! An sshd on 127.0.0.1 for a test of its own, and what tests ask of a host.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use lockkeeper::hosts::{self, HostError, JobSpec, JobStatus, Lease, LeaseAnswer, Links, Operate};
use lockkeeper::model::inventory::{Connection, Host, Inventory, Role, Ssh};
use tempfile::TempDir;

const SSHD: &str = "/usr/sbin/sshd";

/// An sshd with one key that may log in, and what a client needs to know of it.
pub(crate) struct Server {
    pub(crate) dir: TempDir,
    pub(crate) port: u16,
    pub(crate) sshd: Child,
}

impl Server {
    /// Nothing where this machine has no sshd.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with("")
    }

    /// With these lines more in its configuration.
    pub(crate) fn start_with(more: &str) -> Option<Self> {
        if !Path::new(SSHD).exists() {
            crate::skipped(&format!("there is no {SSHD} on this machine, nothing is known about hosts over SSH"));
            return None;
        }
        // sshd wants it when it runs as root, and init scripts make it elsewhere.
        let _ = fs::create_dir("/run/sshd");
        let dir = tempfile::tempdir().unwrap();
        for key in ["host", "other_host", "user", "stranger"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(dir.path().join(key))
                .status()
                .unwrap();
            assert!(made.success());
        }
        fs::write(dir.path().join("more"), more).unwrap();
        fs::copy(dir.path().join("user.pub"), dir.path().join("authorized_keys")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let sshd = launch(dir.path(), port, "host");
        let server = Self { dir, port, sshd };
        server.trust("host");
        Some(server)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes the known hosts file, with that key in it.
    pub(crate) fn trust(&self, key: &str) {
        let key = fs::read_to_string(self.path(&format!("{key}.pub"))).unwrap();
        fs::write(self.path("known_hosts"), format!("[127.0.0.1]:{0},[localhost]:{0} {key}", self.port)).unwrap();
    }

    pub(crate) fn inventory(&self) -> Inventory {
        let host = Host {
            name: "node-1".into(),
            address: Some("127.0.0.1".into()),
            roles: vec![Role::Etcd],
            connection: Connection::Ssh,
            node: None,
            ssh: Ssh::default(),
            vars: indexmap::IndexMap::new(),
        };
        fs::write(self.path("config"), "").unwrap();
        let ssh = Ssh {
            user: None,
            port: Some(self.port),
            identity: Some(self.path("user")),
            known_hosts: Some(self.path("known_hosts")),
            jump: None,
            config: Some(self.path("config")),
            connect_timeout: None,
        };
        Inventory { cluster: "test".into(), ssh, vars: indexmap::IndexMap::new(), hosts: vec![host] }
    }

    /// The same as a file, `cluster.yaml`, with another user.
    pub(crate) fn write_inventory(&self, user: Option<&str>) {
        let ssh = self.inventory().ssh;
        let path = |path: Option<PathBuf>| path.unwrap().display().to_string();
        let user = user.map(|user| format!("user: {user}, ")).unwrap_or_default();
        let text = format!(
            "cluster: x\nssh: {{{user}port: {}, identity: {}, known_hosts: {}, config: {}}}\nhosts:\n  \
             - {{name: node-1, address: 127.0.0.1, roles: worker}}\n",
            self.port,
            path(ssh.identity),
            path(ssh.known_hosts),
            path(ssh.config),
        );
        fs::write(self.path("cluster.yaml"), text).unwrap();
    }

    pub(crate) fn links(&self) -> Links {
        Links::new().unwrap().rootless(self.path("base").display().to_string())
    }

    pub(crate) fn operate(&self, links: &Links) -> Arc<dyn Operate> {
        let inventory = self.inventory();
        hosts::operate(&inventory, &inventory.hosts[0], links)
    }

    /// Every connection drops, as when a cable is pulled and put back; sshd itself goes on listening.
    pub(crate) fn cut(&self) -> usize {
        let mut cut = 0;
        for pid in children(self.sshd.id()) {
            // With privilege separation the connection is a child's, or a child's child's.
            for pid in children(pid).into_iter().chain([pid]) {
                if fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("sshd")) {
                    cut += usize::from(
                        Command::new("kill")
                            .args(["-9", &pid.to_string()])
                            .stderr(Stdio::null())
                            .status()
                            .unwrap()
                            .success(),
                    );
                }
            }
        }
        cut
    }

    pub(crate) fn stop(&mut self) {
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.cut();
        self.stop();
    }
}

pub(crate) fn launch(dir: &Path, port: u16, host_key: &str) -> Child {
    let at = |name: &str| dir.join(name).display().to_string();
    let config = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
         UsePAM no\nPermitRootLogin prohibit-password\n{}\n\
         PasswordAuthentication no\n",
        at(host_key),
        at("authorized_keys"),
        fs::read_to_string(dir.join("more")).unwrap(),
    );
    fs::write(dir.join("sshd_config"), config).unwrap();
    let sshd = Command::new(SSHD)
        .args(["-D", "-f", &at("sshd_config"), "-E", &at("sshd.log")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It listens from a moment on that only a connection can find.
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::yield_now();
    }
    sshd
}

pub(crate) fn children(parent: u32) -> Vec<u32> {
    let stat = |pid: u32| fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            stat(*pid).is_some_and(|stat| {
                stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)) == Some(&parent.to_string())
            })
        })
        .collect()
}

pub(crate) fn spec(name: &str, script: &str) -> JobSpec {
    JobSpec {
        name: name.into(),
        script: script.into(),
        env: BTreeMap::new(),
        timeout: Duration::from_secs(60),
        secrets: BTreeMap::new(),
    }
}

/// The host is ours from here on.
pub(crate) async fn lease(host: &dyn Operate) {
    let lease = Lease {
        session: "s".into(),
        operator: "o".into(),
        token: uuid::Uuid::now_v7().to_string(),
        seat: "here".into(),
    };
    assert_eq!(host.take_lease(&lease).await, Ok(LeaseAnswer::Taken { from: None }));
}

/// Follows a job to its end, and through every lost connection.
pub(crate) async fn follow(
    host: &dyn Operate,
    name: &str,
    mut on_news: impl FnMut(&[u8]),
) -> (String, JobStatus, usize) {
    let (mut output, mut lost) = (Vec::new(), 0);
    loop {
        match host.poll_job(&name.into(), output.len() as u64).await {
            Ok(news) => {
                output.extend(news.output);
                on_news(&output);
                if news.status != JobStatus::Running {
                    return (String::from_utf8(output).unwrap(), news.status, lost);
                }
            }
            Err(HostError::Refused(reason) | HostError::Fenced(reason)) => panic!("{reason}"),
            Err(HostError::Connect(_) | HostError::UnknownKey(_) | HostError::Lost(_)) => {
                lost += 1;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        assert!(lost < 50, "it does not come back");
    }
}
