//! What befalls hosts in the middle of a job: silence, a reboot by somebody else, a full disk, a lease that is taken over. And
//! reboots that were ordered, again and again. Each on a host of its own, by a session of its own, all at once.

use std::thread;

use jiff::Timestamp;
use lockkeeper::engine::{Refusal, gate_view};
use lockkeeper::model::event::{Event, Outcome};
use lockkeeper::model::state::Phase;
use lockkeeper::model::{Record, State, TaskId};
use tempfile::TempDir;

use crate::cluster::{HOSTS, Lab, signal_sshd};
use crate::output_of;
use crate::wizard::Wizard;

/// The first task of a host.
const WORK: TaskId = TaskId(0);

/// A job that prints, a page of the disk every second or so, until there is a file that says it is enough.
const RUNBOOK: &str = r#"runbook: work
title: Work that takes as long as it is let
stages:
  - stage: work
    title: Work
    hosts: worker
    steps:
      - step: work
        title: Work until it is enough
        run: |
          echo ran >>/var/tmp/runs
          n=0
          until [ -e /var/tmp/enough ]; do n=$((n + 1)); printf 'line %d %0800d\n' "$n" 0; sleep 0.2; done
        undo: 'true'
        timeout: 5m
        repeatable: true
      - step: after
        title: And then
        run: echo after >>/var/tmp/runs
        undo: 'true'
"#;

const REBOOTS: &str = r"runbook: reboots
title: The same host again and again
vars:
  rounds: {about: a word for each, required: true}
stages:
  - stage: round
    title: Round $round
    each: {round: rounds}
    hosts: worker
    steps:
      - step: reboot
        title: Reboot
        run: systemctl reboot
        reboots: true
";

/// A session on one host, which is a worker to it.
struct Session<'l> {
    lab: &'l Lab,
    host: &'static str,
    dir: TempDir,
    wizard: Wizard,
}

impl<'l> Session<'l> {
    fn start(lab: &'l Lab, host: &'static str, runbook: &str, more: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let address = HOSTS.iter().find(|(name, _)| *name == host).unwrap().1;
        let files = lab.dir.display();
        let inventory = format!(
            "cluster: lab\nssh: {{user: core, identity: {files}/id_ed25519, known_hosts: {files}/known_hosts}}\n\
             hosts:\n  - {{name: {host}, address: {address}, roles: worker}}\n"
        );
        std::fs::write(dir.path().join("cluster.yaml"), inventory).unwrap();
        std::fs::write(dir.path().join("work.yaml"), runbook).unwrap();
        let wizard = by(
            "ann",
            &dir,
            "session.jsonl",
            &[&["upgrade", "-r", "DIR/work.yaml", "--journal", "DIR/session.jsonl"], more].concat(),
        );
        Self { lab, host, dir, wizard }
    }

    /// Until the job runs and some of its output is here; how many lines.
    fn at_work(&mut self) -> usize {
        self.wizard.walk_until("the job to run", |state, records| {
            let lines = output_of(records, WORK).lines().count();
            (phase(state, WORK) == Some(&Phase::Running) && lines >= 3).then_some(lines)
        })
    }

    fn enough(&self) {
        self.lab.ssh(self.host, "touch /var/tmp/enough");
    }

    /// Opens what is to be opened, to the end; how often the job has run, and what came after.
    fn finish(mut self) -> String {
        let outcome = self.wizard.walk_until("the session to end", |state, _| state.outcome.clone());
        assert_eq!(outcome, Outcome::Completed);
        self.wizard.press("q");
        assert!(self.wizard.child.wait().unwrap().success());
        let runs = self.lab.ssh(self.host, "cat /var/tmp/runs");
        self.lab.ssh(self.host, "rm -f /var/tmp/runs /var/tmp/enough");
        runs
    }

    fn failed(&self) -> String {
        self.wizard.until("the task to fail", |state, _| match phase(state, WORK) {
            Some(Phase::Failed { reason, .. }) => Some(reason.clone()),
            _ => None,
        })
    }
}

/// The program as somebody with a home of their own starts it; `DIR` is the session's directory.
fn by(who: &str, dir: &TempDir, journal: &str, words: &[&str]) -> Wizard {
    let home = dir.path().join(who).display().to_string();
    std::fs::create_dir_all(&home).unwrap();
    let inventory = dir.path().join("cluster.yaml").display().to_string();
    let place = dir.path().display().to_string();
    let words: Vec<String> = words.iter().map(|word| word.replace("DIR", &place)).collect();
    let mut args: Vec<&str> = words.iter().map(String::as_str).collect();
    args.extend(["-i", &inventory]);
    let environment =
        [("HOME", home.as_str()), ("XDG_STATE_HOME", &home), ("XDG_CONFIG_HOME", &home), ("SUDO_USER", who)];
    Wizard::start_with(&args, &dir.path().join(journal), &environment)
}

/// Nothing before there is a plan.
fn phase(state: &State, id: TaskId) -> Option<&Phase> {
    state.tasks.get(id.index()).map(|task| &task.phase)
}

fn told(records: &[Record], what: impl Fn(&Event) -> bool) -> Option<&Event> {
    records.iter().map(|record| &record.event).find(|event| what(event))
}

/// Every sshd stands still, as a host does whose disk hangs: it is told, the job goes on, and nothing of it is lost.
fn goes_silent(lab: &Lab, host: &'static str) {
    let mut session = Session::start(lab, host, RUNBOOK, &[]);
    session.at_work();
    signal_sshd(host, "STOP");
    let heard = session.wizard.until("the silence to be told", |_, records| {
        told(records, |event| matches!(event, Event::HostLost { .. })).map(|_| output_of(records, WORK).len())
    });
    assert!(lab.printed(host).len() > heard, "the job goes on while nobody hears of it");
    signal_sshd(host, "CONT");
    session.wizard.until("the job to be heard again", |state, records| {
        assert_eq!(phase(state, WORK), Some(&Phase::Running));
        (output_of(records, WORK).len() > heard).then_some(())
    });
    session.enough();
    let records = session.wizard.until("the job to end", |_, records| {
        told(records, |event| matches!(event, Event::JobFinished { exit: 0, .. })).map(|_| records.to_vec())
    });
    for (number, line) in output_of(&records, WORK).lines().enumerate() {
        assert!(line.starts_with(&format!("line {} ", number + 1)), "{line}");
    }
    assert_eq!(session.finish(), "ran\nafter");
}

/// Somebody reboots the host: it is told at once, the job is not run again by itself, and no gate opens before somebody has
/// looked.
fn is_rebooted(lab: &Lab, host: &'static str) {
    let mut session = Session::start(lab, host, RUNBOOK, &[]);
    session.at_work();
    lab.ssh(host, "systemctl reboot");
    let ordered = session.wizard.until("the reboot to be told", |_, records| {
        told(records, |event| matches!(event, Event::HostRebooted { .. })).cloned()
    });
    assert_eq!(ordered, Event::HostRebooted { host: host.into(), ordered: false });
    let why = session.failed();
    assert!(why.contains("went down while it ran") && why.contains("shows its gate again"), "{why}");
    assert_eq!(lab.ssh(host, "cat /var/tmp/runs"), "ran");
    session.wizard.press_until("r", |state| phase(state, WORK) == Some(&Phase::Gate));
    session.wizard.until("the gate to be barred", |state, _| {
        matches!(gate_view(state, WORK, Timestamp::now())?.refusal, Some(Refusal::Rebooted(_))).then_some(())
    });
    session.wizard.press_until("v", |state| state.host(&host.into()).unwrap().rebooted.is_none());
    session.enough();
    assert_eq!(session.finish(), "ran\nran\nafter");
}

/// Where jobs are kept there is no room: neither before, nor in the middle of one.
fn runs_out_of_room(lab: &Lab, host: &'static str) {
    let fill = "head -c 1000000 /dev/zero >/var/lib/lockkeeper/filler";
    let room = "rm /var/lib/lockkeeper/filler";
    lab.ssh(host, "mkdir -p /var/lib/lockkeeper; mount -t tmpfs -o size=128k,mode=700 none /var/lib/lockkeeper");
    lab.ssh(host, fill);
    let mut session = Session::start(lab, host, RUNBOOK, &[]);
    let why = session.wizard.until("the host to be barred", |state, _| state.host(&host.into())?.barred.clone());
    assert!(why.contains("is there room? (0 KiB"), "{why}");
    lab.ssh(host, room);
    session.at_work();
    lab.ssh(host, fill);
    let why = session.failed();
    assert!(why.contains("exit"), "{why}");
    let records = session.wizard.records();
    assert!(output_of(&records, WORK).starts_with("line 1 "), "what it printed while there was room is here");
    lab.ssh(host, room);
    session.enough();
    session.wizard.press_until("r", |state| phase(state, WORK) == Some(&Phase::Gate));
    assert_eq!(session.finish(), "ran\nran\nafter");
    lab.ssh(host, "umount /var/lib/lockkeeper");
}

/// Bob takes the host over from Ann, in whose session a job runs: it is followed to its end, and nothing comes after it.
fn is_taken_over(lab: &Lab, host: &'static str) {
    let mut session = Session::start(lab, host, RUNBOOK, &[]);
    let lines = session.at_work();
    let mut bob = by("bob", &session.dir, "bob.jsonl", &["lease", "take", host]);
    bob.until_shown("To take over, type: ");
    let shown = bob.shows();
    let words = shown.split("To take over, type: ").nth(1).unwrap().lines().next().unwrap();
    assert!(words.starts_with("I, bob@") && words.contains(", take over from ann@"), "{words}");
    bob.press(&format!("{}\r", words.trim_end()));
    bob.until_shown("taken over; your next session there finds it");
    assert!(bob.child.wait().unwrap().success());

    let why = session.wizard.until("the loss to be told", |_, records| {
        match told(records, |event| matches!(event, Event::LeaseLost { .. })) {
            Some(Event::LeaseLost { reason, .. }) => Some(reason.clone()),
            _ => None,
        }
    });
    assert!(why.contains("bob@"), "{why}");
    session
        .wizard
        .until("more of the job", |_, records| (output_of(records, WORK).lines().count() > lines).then_some(()));
    // Whoever comes next waits for it as well.
    let mut next =
        by("bob", &session.dir, "bob.jsonl", &["upgrade", "-r", "DIR/work.yaml", "--journal", "DIR/bob.jsonl"]);
    let busy = next.until("the job to be waited for", |state, _| state.host(&host.into())?.barred.clone());
    assert!(busy.contains("still runs there"), "{busy}");
    session.enough();
    session.wizard.until("the next gate, barred", |state, _| {
        let gate = gate_view(state, TaskId(1), Timestamp::now())?;
        (phase(state, TaskId(1)) == Some(&Phase::Gate) && matches!(gate.refusal, Some(Refusal::Barred { .. })))
            .then_some(())
    });
    session.wizard.press("\r\r");
    let from = next.until("the lease to be Bob's", |_, records| {
        match told(records, |event| matches!(event, Event::LeaseTaken { .. })) {
            Some(Event::LeaseTaken { from, .. }) => from.clone(),
            _ => None,
        }
    });
    assert!(from.starts_with("ann@"), "{from}");
    next.walk_until("the session to end", |state, _| state.outcome.clone());
    let intended = |wizard: &Wizard| {
        wizard.records().iter().filter(|record| matches!(record.event, Event::JobIntended { .. })).count()
    };
    assert_eq!((intended(&session.wizard), intended(&next)), (1, 2));
    assert_eq!(lab.ssh(host, "cat /var/tmp/runs"), "ran\nran\nafter");
    for wizard in [&mut next, &mut session.wizard] {
        wizard.child.kill().unwrap();
        wizard.child.wait().unwrap();
    }
}

/// Ordered reboots: all of them seen, none of them taken for somebody else's, and none failed.
fn reboots(lab: &Lab, host: &'static str, rounds: usize) {
    let words: Vec<String> = (1..=rounds).map(|round| round.to_string()).collect();
    let mut session = Session::start(lab, host, REBOOTS, &["--var", &format!("rounds={}", words.join(" "))]);
    // Walking ends the test where anything has failed.
    session.wizard.walk_until("the session to end", |state, _| state.outcome.clone());
    let records = session.wizard.records();
    let count = |what: &dyn Fn(&Event) -> bool| records.iter().filter(|record| what(&record.event)).count();
    assert_eq!(count(&|event| matches!(event, Event::JobIntended { .. })), rounds);
    assert_eq!(count(&|event| matches!(event, Event::HostRebooted { ordered: true, .. })), rounds);
    assert_eq!(
        count(&|event| matches!(event, Event::HostRebooted { ordered: false, .. } | Event::TaskFailed { .. })),
        0
    );
    session.finish();
}

#[test]
fn whatever_befalls_a_host_in_a_job_is_told_and_survived_and_twenty_reboots_are_nothing() {
    let Some(lab) = Lab::up("http") else { return };
    let lab = &lab;
    thread::scope(|hosts| {
        hosts.spawn(|| {
            goes_silent(lab, "lab1");
            reboots(lab, "lab1", 7);
        });
        hosts.spawn(|| {
            is_rebooted(lab, "lab2");
            reboots(lab, "lab2", 7);
        });
        hosts.spawn(|| {
            runs_out_of_room(lab, "lab3");
            is_taken_over(lab, "lab3");
            reboots(lab, "lab3", 6);
        });
    });
}
