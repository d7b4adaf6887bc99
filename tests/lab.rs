//! The whole program on real hosts: a real terminal, real sshd, systemd and etcd. One rolling upgrade from 3.4.23 to
//! 3.5.1, in which the wizard is killed in the middle of a job on the first host, and loses its connection in the middle
//! of a job on the second; one of a cluster that speaks only TLS, and only with those that have a certificate; and one
//! look at a real ostree.
//!
//! The keys are pressed by what the journal says, so that nothing here waits for a guess.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "what a test cannot do without may end it, and it may speak"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use jiff::Timestamp;
use lockkeeper::engine::gate_view;
use lockkeeper::journal;
use lockkeeper::model::event::{Event, Outcome};
use lockkeeper::model::runbook::Confirm;
use lockkeeper::model::state::Phase;
use lockkeeper::model::{Record, State, TaskId};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

const HOSTS: [(&str, &str); 3] = [("lab1", "10.99.47.11"), ("lab2", "10.99.47.12"), ("lab3", "10.99.47.13")];

/// How long one thing may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(120);

const VARS: [&str; 6] = ["--var", "target=3.5.1", "--var", "previous=3.4.23", "--var", "allow_bad_patch=yes"];

/// Three hosts, taken down at the end.
struct Lab {
    dir: PathBuf,
    members: Members,
    /// There is one lab on a machine; whoever holds this file's lock has it.
    _turn: std::fs::File,
}

impl Lab {
    /// Nothing where this machine cannot run the lab; then it has said why.
    fn up(scheme: &'static str) -> Option<Self> {
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

    fn ssh(&self, host: &str, command: &str) -> String {
        let output = Command::new("ssh")
            .arg("-F")
            .arg(self.dir.join("ssh_config"))
            .arg(format!("root@{host}"))
            .arg(command)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// `etcdctl` on a host, of its own member.
    fn etcdctl(&self, host: &str, command: &str) -> String {
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
    fn status(&self) -> serde_json::Value {
        let output = Command::new(env!("CARGO_BIN_EXE_lockkeeper"))
            .args(["status", "--output", "json", "--inventory"])
            .arg(self.dir.join("inventory.yaml"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What the members say of themselves once all is done, and that no key is gone.
    fn assert_upgraded(&self, keys: &[String]) {
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

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = Command::new("tests/lab/down.sh").arg(&self.dir).output();
    }
}

/// The wizard in a terminal of its own.
struct Wizard {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn std::io::Write + Send>,
    screen: Arc<Mutex<vt100::Parser>>,
    journal: PathBuf,
    _terminal: Box<dyn MasterPty + Send>,
}

impl Wizard {
    fn start(args: &[&str], journal: &Path) -> Self {
        let pty =
            native_pty_system().openpty(PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 }).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lockkeeper"));
        command.args(args);
        command.cwd(std::env::current_dir().unwrap());
        command.env("TERM", "xterm-256color");
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(40, 120, 0)));
        let mut output = pty.master.try_clone_reader().unwrap();
        let shown = screen.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 8192];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                shown.lock().unwrap().process(&bytes[..count]);
            }
        });
        let keys = pty.master.take_writer().unwrap();
        Self { child, keys, screen, journal: journal.to_owned(), _terminal: pty.master }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    fn shows(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    fn records(&self) -> Vec<Record> {
        journal::read(&self.journal).map(|journal| journal.records).unwrap_or_default()
    }

    /// Waits until the journal tells what is looked for.
    fn until<T>(&mut self, what: &str, mut told: impl FnMut(&State, &[Record]) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            let records = self.records();
            if let Some(found) = told(&State::of(&records), &records) {
                return found;
            }
            if began.elapsed() > PATIENCE {
                let last: Vec<String> =
                    records.iter().rev().take(8).map(|record| format!("{:?}", record.event)).collect();
                panic!("waited in vain for: {what}\n{}\n{}", self.shows(), last.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Opens a gate as a patient hand does: Enter until it opens or asks for words, these once, and Enter again. What has
    /// just come to the screen does not open yet, and a long script is read on first.
    fn open(&mut self, id: TaskId, words: Option<&str>) {
        let began = Instant::now();
        let mut words = words;
        let mut pressed = None::<Instant>;
        while State::of(&self.records()).tasks[id.index()].phase == Phase::Gate {
            assert!(began.elapsed() < PATIENCE, "the gate does not open:\n{}", self.shows());
            if words.is_some() && self.shows().contains("Open this gate") {
                self.press(words.take().unwrap_or_default());
                pressed = Some(Instant::now());
            } else if pressed.is_none_or(|at| at.elapsed() > Duration::from_millis(1_100)) {
                self.press("\r");
                pressed = Some(Instant::now());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Opens gates until the journal tells what is looked for.
    fn walk_until<T>(&mut self, what: &str, mut told: impl FnMut(&State, &[Record]) -> Option<T>) -> T {
        loop {
            enum Next<T> {
                Found(T),
                Open(TaskId, Confirm, String),
            }
            let next = self.until(what, |state, records| {
                if let Some(found) = told(state, records) {
                    return Some(Next::Found(found));
                }
                for id in state.task_ids() {
                    assert!(
                        !matches!(state.tasks[id.index()].phase, Phase::Failed { .. }),
                        "{:?}: {:?}",
                        state.plan.as_ref().unwrap().label(id),
                        state.tasks[id.index()].phase
                    );
                }
                let id = state.gates().next()?;
                let gate = gate_view(state, id, Timestamp::now())?;
                let host = state.task(id)?.0.host.to_string();
                (gate.refusal.is_none() && gate.confirm != Confirm::None).then_some(Next::Open(id, gate.confirm, host))
            });
            let (id, confirm, host) = match next {
                Next::Found(found) => return found,
                Next::Open(id, confirm, host) => (id, confirm, host),
            };
            let words = match confirm {
                Confirm::None | Confirm::Enter => None,
                Confirm::Host => Some(host),
                Confirm::Phrase(phrase) => Some(phrase),
            };
            self.open(id, words.as_deref());
        }
    }
}

/// The install job that runs on a host now, with some of its output already here.
fn installing(state: &State, records: &[Record]) -> Option<(TaskId, String)> {
    let id = state.task_ids().find(|id| {
        let (_, step, task) = state.task(*id).unwrap();
        step.name == "install" && task.phase == Phase::Running
    })?;
    let lines = output_of(records, id).lines().count();
    (3..20).contains(&lines).then(|| (id, state.task(id).unwrap().0.host.to_string()))
}

/// What a task's job has printed, pieced together; no gap, no overlap.
fn output_of(records: &[Record], wanted: TaskId) -> String {
    let mut all = String::new();
    let mut at = 0;
    for record in records {
        if let Event::JobOutput { task, offset, bytes, text } = &record.event
            && *task == wanted
        {
            assert_eq!(*offset, at, "output of task {wanted} has a gap or an overlap");
            at += bytes;
            all += text;
        }
    }
    all
}

/// How the members are asked from here.
#[derive(Clone)]
struct Members {
    scheme: &'static str,
    /// Where the client's certificate lies.
    tls: PathBuf,
}

impl Members {
    fn ask(&self, address: &str, path: &str, body: Option<&str>) -> Option<String> {
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
    fn put_some(&self) -> Vec<String> {
        let keys: Vec<String> = (0..100).map(|number| format!("before-{number:03}")).collect();
        for (number, key) in keys.iter().enumerate() {
            assert!(self.put(HOSTS[number % 3].1, key), "{key} was not written");
        }
        keys
    }
}

/// What became of the writes of some time.
#[derive(Default)]
struct Writes {
    written: Vec<String>,
    /// Keys that no member took.
    lost: Vec<String>,
    /// The members that did not take a write which another one then took, and when it was tried.
    refused: Vec<(&'static str, Timestamp)>,
}

/// Writes through whichever member takes it, until told to stop.
struct Writer {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Writes>,
}

impl Writer {
    fn start(members: Members) -> Self {
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

    fn stop(self) -> Writes {
        self.stop.store(true, Ordering::Relaxed);
        let writes = self.thread.join().unwrap();
        assert_eq!(writes.lost, [""; 0], "writes that no member took, of {}", writes.written.len());
        assert!(writes.written.len() > 20, "only {} writes in all that time", writes.written.len());
        writes
    }
}

#[test]
fn a_real_cluster_goes_from_3_4_to_3_5_through_a_kill_and_a_lost_connection() {
    let Some(lab) = Lab::up("http") else { return };
    let scratch = tempfile::tempdir().unwrap();
    let inventory = scratch.path().join("cluster.yaml");
    let text = std::fs::read_to_string(lab.dir.join("inventory.yaml")).unwrap();
    // The install takes some seconds and leaves a mark each time it runs.
    let slow =
        "etcd_install: echo ran >> /var/tmp/installs; for n in $(seq 1 30); do echo \"line $n\"; sleep 0.2; done; ";
    std::fs::write(&inventory, text.replace("etcd_install: ", slow)).unwrap();
    let journal = scratch.path().join("session.jsonl");
    let mut keys = lab.members.put_some();
    let writer = Writer::start(lab.members.clone());

    let inventory_arg = inventory.to_str().unwrap();
    let journal_arg = journal.to_str().unwrap();
    let mut args = vec!["upgrade", "--inventory", inventory_arg, "--runbook", "etcd-minor", "--journal", journal_arg];
    args.extend(VARS);
    let mut wizard = Wizard::start(&args, &journal);

    // The first host: the wizard is killed in the middle of the install.
    let (first, first_host) = wizard.walk_until("the first install to run", installing);
    assert!(wizard.shows().contains("install"), "{}", wizard.shows());
    wizard.child.kill().unwrap();
    wizard.child.wait().unwrap();

    // It goes on where it was. On the second host the connection is cut in the middle of the install.
    let mut wizard = Wizard::start(&["resume", journal_arg], &journal);
    let (second, second_host) = wizard.walk_until("the second install to run", |state, records| {
        installing(state, records).filter(|(id, _)| *id != first)
    });
    lab.ssh(&second_host, "pkill -KILL -f 'sshd: core'");

    wizard.walk_until("the session to end", |state, _| state.outcome.clone());
    wizard.press("q");
    let status = wizard.child.wait().unwrap();
    keys.extend(writer.stop().written);

    let records = wizard.records();
    let state = State::of(&records);
    assert_eq!(state.outcome, Some(Outcome::Completed));
    assert!(status.success(), "{status:?}");
    let expected: String = (1..=30).map(|n| format!("line {n}\n")).collect();
    for (task, host) in [(first, first_host), (second, second_host)] {
        let lines: String =
            output_of(&records, task).split_inclusive('\n').filter(|line| line.starts_with("line ")).collect();
        assert_eq!(lines, expected, "on {host}");
        assert_eq!(lab.ssh(&host, "cat /var/tmp/installs"), "ran", "the install ran once on {host}");
    }
    let mut intended: BTreeMap<String, u32> = BTreeMap::new();
    for record in &records {
        if let Event::JobIntended { job, .. } = &record.event {
            *intended.entry(job.to_string()).or_default() += 1;
        }
    }
    assert!(intended.values().all(|count| *count == 1), "{intended:?}");
    lab.assert_upgraded(&keys);
}

#[test]
fn a_real_cluster_that_wants_certificates_goes_from_3_4_to_3_5_the_leader_last() {
    let Some(lab) = Lab::up("https") else { return };
    let stranger = Command::new("curl").args(["-sk", "https://10.99.47.11:2379/version"]).output().unwrap();
    assert!(!stranger.status.success(), "without a certificate nobody is answered");
    // A host without etcdctl asks the gateway, which wants the certificate as well.
    lab.ssh("lab3", "mv /usr/local/bin/etcdctl /usr/local/bin/aside");
    let seen = lab.status();
    lab.ssh("lab3", "mv /usr/local/bin/aside /usr/local/bin/etcdctl");
    for host in 0..3 {
        let facts = &seen["hosts"][host]["facts"];
        let etcd = &facts["etcd"];
        assert!(facts["problems"].is_null(), "{}", facts["problems"]);
        assert!(etcd["raft_index"].is_u64() && etcd["alarms"] == serde_json::json!([]), "{etcd}");
        assert_eq!(etcd["members"].as_array().map(Vec::len), Some(3), "{etcd}");
    }
    // The first of the inventory leads, which would be taken first if nobody looked.
    let said = |host: (&str, &str)| lab.members.ask(host.1, "/v2/stats/self", None).unwrap();
    let leader = HOSTS[0].0;
    if let Some((leads, _)) = HOSTS.into_iter().find(|host| said(*host).contains("StateLeader"))
        && leads != leader
    {
        let first: serde_json::Value = serde_json::from_str(&said(HOSTS[0])).unwrap();
        lab.etcdctl(leads, &format!("move-leader {}", first["id"].as_str().unwrap()));
    }
    assert!(said(HOSTS[0]).contains("StateLeader"), "{}", said(HOSTS[0]));
    let scratch = tempfile::tempdir().unwrap();
    let journal = scratch.path().join("session.jsonl");
    let inventory = lab.dir.join("inventory.yaml");
    let mut keys = lab.members.put_some();
    let writer = Writer::start(lab.members.clone());

    let mut args = vec!["upgrade", "--inventory", inventory.to_str().unwrap(), "--runbook", "etcd-minor"];
    args.extend(["--journal", journal.to_str().unwrap()]);
    args.extend(VARS);
    let mut wizard = Wizard::start(&args, &journal);
    wizard.walk_until("the session to end", |state, _| state.outcome.clone());
    wizard.press("q");
    let status = wizard.child.wait().unwrap();
    let writes = writer.stop();
    keys.extend(writes.written);

    let records = wizard.records();
    let state = State::of(&records);
    assert_eq!(state.outcome, Some(Outcome::Completed));
    assert!(status.success(), "{status:?}");
    lab.assert_upgraded(&keys);
    let mut began: Vec<(&str, &str, Timestamp)> = Vec::new();
    let mut ended: Vec<(&str, &str, Timestamp)> = Vec::new();
    for record in &records {
        let (Event::JobIntended { task, .. } | Event::TaskDone { task, .. }) = &record.event else { continue };
        let (row, step, _) = state.task(*task).unwrap();
        if ["stop", "start", "start-last"].contains(&step.name.as_str()) {
            let list = if matches!(record.event, Event::TaskDone { .. }) { &mut ended } else { &mut began };
            list.push((step.name.as_str(), row.host.as_str(), record.at));
        }
    }
    let order: Vec<(&str, &str)> = began.iter().map(|(step, host, _)| (*step, *host)).collect();
    let (second, third) = (HOSTS[1].0, HOSTS[2].0);
    let expected = [("stop", second), ("start", second), ("stop", third), ("start", third), ("stop", leader)];
    assert_eq!(order, [&expected[..], &[("start-last", leader)]].concat());
    // A member refuses writes only while it is taken itself.
    for (host, at) in &writes.refused {
        let from = began.iter().find(|(step, whose, _)| *step == "stop" && whose == host).unwrap().2;
        let to = ended.iter().find(|(step, whose, _)| step.starts_with("start") && whose == host).unwrap().2;
        assert!((from..=to).contains(at), "{host} refused a write at {at}, and was taken from {from} to {to}");
    }
    let told = std::fs::read_to_string(&journal).unwrap();
    assert!(!told.contains("PRIVATE KEY"));
    for name in ["ca", "client", "lab1", "lab2", "lab3"] {
        let key = std::fs::read_to_string(lab.dir.join("tls").join(name).with_extension("key")).unwrap();
        let secret = key.lines().find(|line| !line.starts_with('-')).unwrap();
        assert!(!told.contains(secret), "the key of {name} stands in the journal");
    }
}

#[test]
fn what_a_real_ostree_has_deployed_is_seen() {
    let Some(lab) = Lab::up("http") else { return };
    let deploy = |version: &str| {
        let output = Command::new("tests/lab/ostree.sh").arg(&lab.dir).args(["lab2", version]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let older = deploy("27.1");
    let newer = deploy("27.2");
    assert_eq!((older.len(), newer.len()), (64, 64));
    lab.ssh("lab2", "ostree admin pin 1");

    let status = lab.status();
    let facts = |host: usize| &status["hosts"][host]["facts"];
    let deployments: Vec<(&str, &str, bool)> = facts(1)["ostree"]["deployments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (row["checksum"].as_str().unwrap(), row["version"].as_str().unwrap(), row["pinned"].as_bool().unwrap())
        })
        .collect();
    assert_eq!(deployments, [(&*newer, "27.2", false), (&*older, "27.1", true)]);
    assert!(facts(0).is_object() && facts(0)["ostree"].is_null(), "a host without a sysroot has none");
}
