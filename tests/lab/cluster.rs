//! Three real hosts and what is asked of them beside the wizard: over ssh, at the members, and by writing all the time.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use jiff::Timestamp;

pub(crate) const HOSTS: [(&str, &str); 3] = [("lab1", "10.99.47.11"), ("lab2", "10.99.47.12"), ("lab3", "10.99.47.13")];

/// Three hosts, taken down at the end.
pub(crate) struct Lab {
    pub(crate) dir: PathBuf,
    pub(crate) members: Members,
    /// There is one lab on a machine; whoever holds this file's lock has it.
    _turn: std::fs::File,
}

impl Lab {
    /// Nothing where this machine cannot run the lab; then it has said why.
    pub(crate) fn up(scheme: &'static str) -> Option<Self> {
        let turn = std::fs::File::create(std::env::temp_dir().join("lockkeeper-lab.lock")).unwrap();
        turn.lock().unwrap();
        let dir = PathBuf::from(std::env::var("LOCKKEEPER_LAB").unwrap_or_else(|_| "/var/tmp/lockkeeper-lab".into()));
        let tls = (scheme == "https").then_some("--tls");
        let output = Command::new("tests/lab/up.sh").arg("--fresh").args(tls).arg(&dir).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => Some(Self { members: Members { scheme, tls: dir.join("tls") }, dir, _turn: turn }),
            Some(77) => {
                eprintln!("\n*** THE LAB WAS SKIPPED: nothing was tested on real hosts. {}\n", said.trim());
                None
            }
            code => panic!("tests/lab/up.sh ended with {code:?}:\n{said}"),
        }
    }

    pub(crate) fn ssh(&self, host: &str, command: &str) -> String {
        let output = Command::new("ssh")
            .arg("-F")
            .arg(self.dir.join("ssh_config"))
            .arg(format!("root@{host}"))
            .arg(command)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// What a job has printed so far, as it lies on the disk of its host: seen from outside.
    pub(crate) fn printed(&self, host: &str) -> String {
        let jobs = self.dir.join("hosts").join(host).join("upper/var/lib/lockkeeper/jobs");
        let job = std::fs::read_dir(jobs).unwrap().next().unwrap().unwrap();
        std::fs::read_to_string(job.path().join("out")).unwrap()
    }

    /// `etcdctl` on a host, of its own member.
    pub(crate) fn etcdctl(&self, host: &str, command: &str) -> String {
        let identity = match self.members.scheme {
            "https" => {
                "ETCDCTL_CACERT=/etc/etcd/tls/ca.crt ETCDCTL_CERT=/etc/etcd/tls/client.crt ETCDCTL_KEY=/etc/etcd/tls/client.key"
            }
            _ => "",
        };
        let endpoint = format!("ETCDCTL_API=3 ETCDCTL_ENDPOINTS={}://127.0.0.1:2379", self.members.scheme);
        self.ssh(host, &format!("{endpoint} {identity} etcdctl {command}"))
    }

    /// What `status` tells.
    pub(crate) fn status(&self) -> serde_json::Value {
        let output = Command::new(env!("CARGO_BIN_EXE_lockkeeper"))
            .args(["status", "--output", "json", "--inventory"])
            .arg(self.dir.join("inventory.yaml"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What the members say of themselves once all is done, and that no key is gone.
    pub(crate) fn assert_upgraded(&self, keys: &[String]) {
        for (host, address) in HOSTS {
            let version = self.members.ask(address, "/version", None).unwrap();
            assert!(version.contains(r#""etcdserver":"3.5.1","etcdcluster":"3.5.0""#), "{host}: {version}");
        }
        let found = self.etcdctl(HOSTS[0].0, "get '' --prefix --keys-only");
        let kept: BTreeSet<&str> = found.lines().collect();
        for key in keys {
            assert!(kept.contains(key.as_str()), "{key} is gone");
        }
        for (host, _) in HOSTS {
            let left = self.ssh(host, "ls /var/lib/lockkeeper");
            assert!(left.lines().all(|entry| entry != "lease"), "the lease was given back on {host}");
        }
    }
}

/// Stops every sshd of a host (`STOP`), or lets it go on (`CONT`): from outside, since nobody gets in meanwhile.
pub(crate) fn signal_sshd(host: &str, signal: &str) {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
    let mut fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let groups = fields.find(|fields| fields[2] == "cgroup2").unwrap()[1].to_owned();
    let mut dirs = vec![PathBuf::from(groups).join("lockkeeper-lab").join(host).join("box")];
    let mut sent = 0;
    while let Some(dir) = dirs.pop() {
        let entries = std::fs::read_dir(&dir).into_iter().flatten().flatten().map(|entry| entry.path());
        dirs.extend(entries.filter(|path| path.is_dir()));
        for process in std::fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default().lines() {
            let name = std::fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
            if name.trim() == "sshd" {
                let done = Command::new("kill").args(["-s", signal, process]).status().unwrap();
                sent += usize::from(done.success());
            }
        }
    }
    assert!(sent > 0, "{host} has no sshd");
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = Command::new("tests/lab/down.sh").arg(&self.dir).output();
    }
}

/// How the members are asked from here.
#[derive(Clone)]
pub(crate) struct Members {
    scheme: &'static str,
    /// Where the client's certificate lies.
    tls: PathBuf,
}

impl Members {
    pub(crate) fn ask(&self, address: &str, path: &str, body: Option<&str>) -> Option<String> {
        let mut curl = Command::new("curl");
        curl.args(["-sf", "--max-time", "3", "--noproxy", "*"]);
        if self.scheme == "https" {
            for (option, file) in [("--cacert", "ca.crt"), ("--cert", "client.crt"), ("--key", "client.key")] {
                curl.arg(option).arg(self.tls.join(file));
            }
        }
        let url = format!("{}://{address}:2379{path}", self.scheme);
        let output = curl.args(body.map(|body| ["-d", body]).iter().flatten()).arg(url).output().unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// A key written through one member's gateway.
    fn put(&self, address: &str, key: &str) -> bool {
        let encoded = BASE64.encode(key);
        let body = format!("{{\"key\":\"{encoded}\",\"value\":\"{encoded}\"}}");
        self.ask(address, "/v3/kv/put", Some(&body)).is_some()
    }

    /// A hundred keys.
    pub(crate) fn put_some(&self) -> Vec<String> {
        let keys: Vec<String> = (0..100).map(|number| format!("before-{number:03}")).collect();
        for (number, key) in keys.iter().enumerate() {
            assert!(self.put(HOSTS[number % 3].1, key), "{key} was not written");
        }
        keys
    }
}

/// What became of the writes of some time.
#[derive(Default)]
pub(crate) struct Writes {
    pub(crate) written: Vec<String>,
    /// Keys that no member took.
    lost: Vec<String>,
    /// The members that did not take a write which another one then took, and when it was tried.
    pub(crate) refused: Vec<(&'static str, Timestamp)>,
}

/// Writes through whichever member takes it, until told to stop.
pub(crate) struct Writer {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Writes>,
}

impl Writer {
    pub(crate) fn start(members: Members) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut writes = Writes::default();
            for number in 0.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let key = format!("during-{number:05}");
                let mut in_turn = (0..3).map(|n| HOSTS[(number + n) % 3]);
                let taken = in_turn.any(|(host, address)| {
                    let at = Timestamp::now();
                    members.put(address, &key) || {
                        writes.refused.push((host, at));
                        false
                    }
                });
                if taken { writes.written.push(key) } else { writes.lost.push(key) }
            }
            writes
        });
        Self { stop, thread }
    }

    pub(crate) fn stop(self) -> Writes {
        self.stop.store(true, Ordering::Relaxed);
        let writes = self.thread.join().unwrap();
        assert_eq!(writes.lost, [""; 0], "writes that no member took, of {}", writes.written.len());
        assert!(writes.written.len() > 20, "only {} writes in all that time", writes.written.len());
        writes
    }
}
