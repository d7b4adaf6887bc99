//! The whole program on real hosts: a real terminal, real sshd, systemd and etcd. One rolling upgrade from 3.4.23 to
//! 3.5.1, in which the wizard is killed in the middle of a job on the first host, and loses its connection in the middle
//! of a job on the second.
//!
//! The keys are pressed by what the journal says, so that nothing here waits for a guess.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "what a test cannot do without may end it, and it may speak"
)]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
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

/// Three hosts, taken down at the end.
struct Lab {
    dir: PathBuf,
    /// There is one lab on a machine; whoever holds this file's lock has it.
    _turn: std::fs::File,
}

impl Lab {
    /// Nothing where this machine cannot run the lab; then it has said why.
    fn up() -> Option<Self> {
        let turn = std::fs::File::create(std::env::temp_dir().join("lockkeeper-lab.lock")).unwrap();
        turn.lock().unwrap();
        let dir = PathBuf::from(std::env::var("LOCKKEEPER_LAB").unwrap_or_else(|_| "/var/tmp/lockkeeper-lab".into()));
        let output = Command::new("tests/lab/up.sh").arg("--fresh").arg(&dir).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => Some(Self { dir, _turn: turn }),
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
                let gate = gate_view(state, id, jiff::Timestamp::now())?;
                let host = state.task(id)?.0.host.to_string();
                (gate.refusal.is_none() && gate.confirm != Confirm::None).then_some(Next::Open(id, gate.confirm, host))
            });
            let (id, confirm, host) = match next {
                Next::Found(found) => return found,
                Next::Open(id, confirm, host) => (id, confirm, host),
            };
            self.press("\r");
            let words = match confirm {
                Confirm::None | Confirm::Enter => None,
                Confirm::Host => Some(host),
                Confirm::Phrase(phrase) => Some(phrase),
            };
            if let Some(words) = words {
                let began = Instant::now();
                while !self.shows().contains("Open this gate") {
                    assert!(began.elapsed() < PATIENCE, "nothing asks for `{words}`:\n{}", self.shows());
                    std::thread::sleep(Duration::from_millis(50));
                }
                self.press(&format!("{words}\r"));
            }
            self.until("the gate to open", |state, _| (state.tasks[id.index()].phase != Phase::Gate).then_some(()));
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

/// A key written through one member's gateway.
fn put(address: &str, key: &str) -> bool {
    let url = format!("http://{address}:2379/v3/kv/put");
    let encoded = BASE64.encode(key);
    let body = format!("{{\"key\":\"{encoded}\",\"value\":\"{encoded}\"}}");
    let output = Command::new("curl").args(["-sf", "--max-time", "3", "-d", &body, &url]).output().unwrap();
    output.status.success()
}

/// Writes through whichever member takes it, until told to stop: the keys written, and the writes nobody took.
fn write_all_along(stop: Arc<AtomicBool>) -> std::thread::JoinHandle<(Vec<String>, Vec<String>)> {
    std::thread::spawn(move || {
        let (mut written, mut lost) = (Vec::new(), Vec::new());
        for number in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let key = format!("during-{number:05}");
            let taken = (0..3).any(|n| put(HOSTS[(number + n) % 3].1, &key));
            if taken { written.push(key) } else { lost.push(key) }
        }
        (written, lost)
    })
}

#[test]
fn a_real_cluster_goes_from_3_4_to_3_5_through_a_kill_and_a_lost_connection() {
    let Some(lab) = Lab::up() else { return };
    let scratch = tempfile::tempdir().unwrap();
    let inventory = scratch.path().join("cluster.yaml");
    let text = std::fs::read_to_string(lab.dir.join("inventory.yaml")).unwrap();
    // The install takes some seconds and leaves a mark each time it runs.
    let slow =
        "etcd_install: echo ran >> /var/tmp/installs; for n in $(seq 1 30); do echo \"line $n\"; sleep 0.2; done; ";
    std::fs::write(&inventory, text.replace("etcd_install: ", slow)).unwrap();
    let journal = scratch.path().join("session.jsonl");
    let before: Vec<String> = (0..100).map(|number| format!("before-{number:03}")).collect();
    for (number, key) in before.iter().enumerate() {
        assert!(put(HOSTS[number % 3].1, key), "{key} was not written");
    }
    let stop = Arc::new(AtomicBool::new(false));
    let writer = write_all_along(stop.clone());

    let inventory_arg = inventory.to_str().unwrap();
    let journal_arg = journal.to_str().unwrap();
    let vars = ["--var", "target=3.5.1", "--var", "previous=3.4.23", "--var", "allow_bad_patch=yes"];
    let mut args = vec!["upgrade", "--inventory", inventory_arg, "--runbook", "etcd-minor", "--journal", journal_arg];
    args.extend(vars);
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
    stop.store(true, Ordering::Relaxed);
    let (during, lost) = writer.join().unwrap();

    let records = wizard.records();
    let state = State::of(&records);
    assert_eq!(state.outcome, Some(Outcome::Completed));
    assert!(status.success(), "{status:?}");
    assert_eq!(lost, [""; 0], "writes that no member took, of {}", during.len());
    assert!(during.len() > 20, "only {} writes in all that time", during.len());
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
    for (host, _) in HOSTS {
        let version = lab.ssh(host, "curl -s http://127.0.0.1:2379/version");
        assert!(version.contains(r#""etcdserver":"3.5.1","etcdcluster":"3.5.0""#), "{host}: {version}");
    }
    let keys = lab.ssh(HOSTS[0].0, "ETCDCTL_API=3 etcdctl get '' --prefix --keys-only");
    let kept: std::collections::BTreeSet<&str> = keys.lines().collect();
    for key in before.iter().chain(&during) {
        assert!(kept.contains(key.as_str()), "{key} is gone");
    }
    assert!(
        lab.ssh(HOSTS[0].0, "ls /var/lib/lockkeeper").lines().all(|entry| entry != "lease"),
        "the lease was given back"
    );
}
