//! What a key and an idle screen cost in a real terminal, with everything running: threads, journal, hosts.
//!
//! `cargo bench --bench live`, as root (a job pours its lines on this machine), on a machine that does nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark may end where it cannot go on, and its figures are what it is for"
)]

use std::io::{Read as _, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

const SIZE: PtySize = PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 };

/// One host that pours, and one that is not there: their headings differ.
const INVENTORY: &str = "cluster: live
hosts:
  - {name: one, connection: local, roles: [etcd]}
  - {name: two, address: 127.0.0.1, roles: [etcd], ssh: {port: 1}}
";
const RUNBOOK: &str = "runbook: pour
title: Pours lines
about: Pours lines of output, to be read at a screen.
vars:
  pouring: {about: lines are poured while this file is there, required: true}
stages:
  - stage: pour
    title: Pour
    hosts: etcd
    order: all-at-once
    steps:
      - step: pour
        title: Pour 50,000 lines a second
        run: while [ -e \"$pouring\" ]; do seq -f 'a line of output, number %.0f' 5000; sleep 0.1; done
";

fn main() {
    let scratch = tempfile::tempdir().unwrap();
    let pouring = scratch.path().join("pouring");
    std::fs::write(&pouring, "").unwrap();
    let inventory = format!("{INVENTORY}vars: {{pouring: {}}}\n", pouring.display());
    std::fs::write(scratch.path().join("inventory.yaml"), inventory).unwrap();
    std::fs::write(scratch.path().join("pour.yaml"), RUNBOOK).unwrap();
    idle(scratch.path());
    keys(scratch.path());
    std::fs::remove_file(pouring).unwrap();
}

/// How soon a key is answered while 50,000 lines a second arrive.
fn keys(home: &Path) {
    let mut run = Run::start(&["upgrade", "-i", "inventory.yaml", "-r", "pour.yaml"], home);
    run.until(" pour · one ");
    run.until("READY");
    std::thread::sleep(Duration::from_secs(2));
    while !run.shows("RUNNING") {
        run.press("\r");
        std::thread::sleep(Duration::from_secs(2));
    }
    // The light has gone on to the gate that waits.
    run.until(" pour · two ");
    run.press("\x1b[A");
    run.until("number");
    let mut took = Vec::new();
    for turn in 0..1_000 {
        let (key, heading) = if turn % 2 == 0 { ("\x1b[B", " pour · two ") } else { ("\x1b[A", " pour · one ") };
        let began = Instant::now();
        run.press(key);
        run.until(heading);
        took.push(began.elapsed());
        std::thread::sleep(Duration::from_millis(17));
    }
    run.until("number");
    took.sort_unstable();
    let ms = |share: usize| took[(took.len() * share / 1_000).min(took.len() - 1)].as_secs_f64() * 1e3;
    println!(
        "a key, 50,000 lines a second: p50 {:.1} ms · p90 {:.1} · p99 {:.1} · slowest {:.1}",
        ms(500),
        ms(900),
        ms(990),
        ms(1000)
    );
    println!("{}", run.line("Log · one"));
}

/// What part of a core the thread of screen, fold, engine and journal takes at 500 practice hosts at which nothing happens. The
/// hosts are simulated on other threads.
fn idle(home: &Path) {
    let run = Run::start(&["practice", "-r", "kubeadm-minor", "--hosts", "500", "--seed", "1"], home);
    // Every host has been seen, and whatever goes on by itself has come to its gate.
    run.until("1006 of 5048");
    run.until("READY");
    std::thread::sleep(Duration::from_secs(30));
    let pid = run.child.process_id().unwrap();
    let before = ticks(pid);
    std::thread::sleep(Duration::from_secs(20));
    let share = (ticks(pid) - before) as f64 / 20.0;
    println!("idle, 500 practice hosts: {share:.1} % of a core for screen, fold, engine and journal");
}

/// Hundredths of a second of processor time that the first thread of a process has taken.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// The program in a terminal.
struct Run {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    screen: Arc<(Mutex<vt100::Parser>, Condvar)>,
    _terminal: Box<dyn MasterPty + Send>,
}

impl Run {
    fn start(args: &[&str], home: &Path) -> Self {
        let pty = native_pty_system().openpty(SIZE).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lockkeeper"));
        command.args(args);
        command.cwd(home);
        command.env("XDG_STATE_HOME", home);
        command.env("TERM", "xterm-256color");
        let child = pty.slave.spawn_command(command).unwrap();
        let screen = Arc::new((Mutex::new(vt100::Parser::new(SIZE.rows, SIZE.cols, 0)), Condvar::new()));
        let (mut output, told) = (pty.master.try_clone_reader().unwrap(), screen.clone());
        std::thread::spawn(move || {
            let mut bytes = vec![0; 1 << 16];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                told.0.lock().unwrap().process(&bytes[..count]);
                told.1.notify_all();
            }
        });
        let keys = pty.master.take_writer().unwrap();
        Self { child, keys, screen, _terminal: pty.master }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    fn shows(&self, text: &str) -> bool {
        self.screen.0.lock().unwrap().screen().contents().contains(text)
    }

    /// Waits until a text is on the screen.
    fn until(&self, text: &str) {
        let screen = self.screen.0.lock().unwrap();
        let (screen, waited) = self
            .screen
            .1
            .wait_timeout_while(screen, Duration::from_secs(120), |screen| !screen.screen().contents().contains(text))
            .unwrap();
        assert!(!waited.timed_out(), "waited in vain for {text:?}:\n{}", screen.screen().contents());
    }

    /// The line of the screen with a text.
    fn line(&self, text: &str) -> String {
        let contents = self.screen.0.lock().unwrap().screen().contents();
        contents.lines().find(|line| line.contains(text)).unwrap_or_default().trim().to_owned()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
