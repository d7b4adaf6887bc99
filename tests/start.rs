//! The start screen: keys, clicks and pastes on it, what they choose, and how soon it is there.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "what a test cannot do without may end it, and one tells a figure"
)]

#[macro_use]
mod common;

use std::path::{Path, PathBuf};

use crossterm::event::{Event as Input, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use jiff::Timestamp;
use lockkeeper::model::event::Mode;
use lockkeeper::model::{Standing, Summary};
use lockkeeper::ui::start::{Choice, Library, Start};

/// A library of two runbooks and one inventory, which refuses whatever is called `bad`.
struct Two;

impl Library for Two {
    fn runbooks(&self) -> Vec<(String, String)> {
        vec![
            ("etcd-minor".into(), "etcd 3.x to the next minor".into()),
            ("kubeadm-minor".into(), "Kubernetes to the next minor, node by node".into()),
            (
                "atomic-27-system-containers".into(),
                "Fedora Atomic 26 to 27, with etcd, flannel and Kubernetes moved into system containers, host by host, the leader last"
                    .into(),
            ),
        ]
    }

    fn text(&self, runbook: &str) -> String {
        (1..=50).map(|line| format!("{runbook}, line {line}\n")).collect()
    }

    fn clusters(&self, _: &str) -> Vec<String> {
        vec!["etcd".into(), "kubeadm".into()]
    }

    fn faults(&self, _: &str) -> Vec<String> {
        vec!["etcd1:disk-full".into(), "etcd1:slow-start".into(), "etcd2:lost-ack".into()]
    }

    fn inventories(&self) -> Vec<(PathBuf, String)> {
        vec![("prod.yaml".into(), "cluster prod".into())]
    }

    fn wanted(&self, _: &Path, _: &str) -> Result<Vec<String>, String> {
        Ok(vec!["target".into(), "previous".into()])
    }

    fn check(&self, choice: &Choice) -> Result<(), String> {
        match choice {
            Choice::Monitor(path) if path == Path::new("bad") => Err("bad: cannot be read".into()),
            _ => Ok(()),
        }
    }
}

const NOW: i64 = 1_800_000_000;

fn session(name: &str, standing: Standing, over: Option<usize>, minutes: i64) -> Summary {
    Summary {
        path: format!("/state/{name}.jsonl").into(),
        last: Timestamp::from_second(NOW - 60 * minutes).unwrap(),
        standing,
        mode: Some(Mode::Upgrade),
        cluster: "prod".into(),
        runbook: "etcd-2-to-3-container-linux".into(),
        operator: "op@laptop".into(),
        tasks: 60,
        over,
        barred: false,
    }
}

struct Screen(Start, Option<Choice>);

impl Screen {
    fn new() -> Self {
        let mut start = Start::new(Timestamp::from_second(NOW).unwrap());
        let practice = Summary {
            mode: Some(Mode::Practice),
            cluster: "practice-etcd".into(),
            runbook: "etcd-minor".into(),
            ..session("practice", Standing::Unfinished, Some(3), 3000)
        };
        let sessions = [
            session("running", Standing::Running { process: Some(4711) }, Some(12), 0),
            session("open", Standing::Unfinished, Some(27), 12),
            session("unkept", Standing::Unkept, Some(60), 200),
            practice,
            session("aborted", Standing::Aborted, None, 5000),
            session("completed", Standing::Completed, Some(60), 9000),
            session("torn", Standing::Unreadable { why: "no session was begun in it".into() }, None, 9999),
        ];
        sessions.into_iter().enumerate().for_each(|one| start.learn(one));
        start.complete();
        Self(start, None)
    }

    fn take(&mut self, input: &Input) {
        self.1 = self.0.take(input, &Two).or(self.1.take());
    }

    fn keys(mut self, keys: &str) -> Self {
        for key in common::keys(keys) {
            self.take(&Input::Key(key));
        }
        self
    }

    fn paste(mut self, text: &str) -> Self {
        self.take(&Input::Paste(text.into()));
        self
    }

    /// A click on the line that shows a text.
    fn click(mut self, text: &str) -> Self {
        let row = self.shows(120, 40).lines().position(|line| line.contains(text)).unwrap();
        let kind = MouseEventKind::Down(MouseButton::Left);
        let click = MouseEvent { kind, column: 9, row: row as u16, modifiers: KeyModifiers::NONE };
        self.take(&Input::Mouse(click));
        self
    }

    fn shows(&mut self, columns: u16, lines: u16) -> String {
        common::drawn(columns, lines, |frame| self.0.draw(frame))
    }
}

fn chosen(keys: &str) -> Option<Choice> {
    Screen::new().keys(keys).1
}

screens! {
    home: Screen::new(), 120 x 40;
    home_small: Screen::new(), 80 x 24;
    home_tiny: Screen::new().keys("<end>"), 50 x 14;
    faults: Screen::new().keys("g<enter><enter><enter><down> <down><down> "), 80 x 24;
    variables: Screen::new().keys("g<down><down><down><down><enter><enter><enter>3.5.32"), 80 x 24;
    runbook_is_read: Screen::new().keys("g<down><down><down><down><down><enter><enter><pgdn><pgdn><pgdn>"), 80 x 24;
    runbooks: Screen::new().keys("g<down><down><down><down><down><enter><down>"), 80 x 24;
    help: Screen::new().keys("?"), 80 x 24;
}

#[test]
fn an_unfinished_upgrade_is_resumed_and_nothing_else_is() {
    // The newest session is lit from the start.
    assert_eq!(chosen("<down><enter>"), Some(Choice::Resume("/state/open.jsonl".into())));
    for (downs, words) in [
        (0, "op@laptop, process 4711 writes it now"),
        (2, "it has ended (unkept)"),
        (3, "its hosts were simulated"),
        (4, "it has ended (aborted)"),
        (5, "it has ended (completed)"),
        (6, "this cannot be opened"),
    ] {
        let mut screen = Screen::new().keys(&"j".repeat(downs)).keys("<enter>");
        assert_eq!(screen.1, None);
        assert!(screen.shows(120, 40).contains(words), "{words}:\n{}", screen.shows(120, 40));
    }
    assert_eq!(chosen("v"), Some(Choice::Replay("/state/running.jsonl".into())));
    assert_eq!(chosen("jjv"), Some(Choice::Replay("/state/unkept.jsonl".into())));
}

#[test]
fn practice_is_put_together_from_lists() {
    let practice = |runbook: &str, cluster: &str, faults: &[&str]| Choice::Practice {
        runbook: runbook.into(),
        cluster: cluster.into(),
        faults: faults.iter().map(|fault| (*fault).to_owned()).collect(),
    };
    assert_eq!(chosen("g<enter><enter><enter><enter>"), Some(practice("etcd-minor", "etcd", &[])));
    let keys = "g<enter><down><enter><down><enter>j jj jG<enter><enter>g<enter>";
    assert_eq!(chosen(keys), Some(practice("kubeadm-minor", "kubeadm", &["etcd1:disk-full", "etcd2:lost-ack"])));
}

#[test]
fn real_hosts_are_reached_by_their_inventory() {
    assert_eq!(chosen("gj<enter>"), Some(Choice::Connect));
    assert_eq!(chosen("gjj<enter><enter>"), Some(Choice::Monitor("prod.yaml".into())));
    assert_eq!(chosen("gjjj<enter><enter>"), Some(Choice::Status("prod.yaml".into())));
    assert_eq!(chosen("gjj<enter>G<enter>other.yaml<enter>"), Some(Choice::Monitor("other.yaml".into())));
    let mut refused = Screen::new().keys("gjj<enter>G<enter>bad<enter>");
    assert_eq!(refused.1, None);
    assert!(refused.shows(80, 24).contains("bad: cannot be read"));
    // The cursor stands where the first value is missing.
    let keys = "gjjjj<enter><enter><enter>3.5.32<enter>";
    assert_eq!(chosen(keys), None, "`previous` has no value yet");
    let vars = [("target", "3.5.32"), ("previous", "3.4.37")].map(|(name, value)| (name.into(), value.into()));
    assert_eq!(
        chosen("gjjjj<enter><enter><enter><ctrl-u>target=3.5.32 <end><ctrl-u>target=3.5.32 previous=3.4.37<enter>"),
        Some(Choice::Upgrade { inventory: "prod.yaml".into(), runbook: "etcd-minor".into(), vars: vars.into() })
    );
}

#[test]
fn a_step_back_never_leaves_and_q_does() {
    assert_eq!(chosen("<esc><esc><esc>"), None);
    assert_eq!(chosen("g<enter><enter><esc><esc><esc>jq"), Some(Choice::Quit));
    assert_eq!(chosen("?q"), None, "any key closes the help, and no more than that");
}

#[test]
fn a_paste_triggers_nothing() {
    let mut screen = Screen::new().keys("j").paste("\rq\rv\nsudo reboot\n");
    assert_eq!(screen.1, None);
    assert!(screen.shows(80, 24).contains("a paste does nothing here"));
    // In a field it is text, and one line of it.
    let screen = Screen::new().keys("gjj<enter>G<enter>").paste("\nother\u{1b}[2J.yaml\r\n");
    assert_eq!(screen.1, None);
    assert_eq!(screen.keys("<enter>").1, Some(Choice::Monitor("other.yaml".into())));
}

#[test]
fn a_filter_shows_what_has_its_text() {
    let mut screen = Screen::new().keys("/unkept");
    let shown = screen.shows(120, 40);
    assert!(shown.contains("1 of 7") && !shown.contains("aborted"), "{shown}");
    let screen = screen.keys("<enter>v");
    assert_eq!(screen.1, Some(Choice::Replay("/state/unkept.jsonl".into())));
    let mut screen = Screen::new().keys("/qqq<enter>v<enter>");
    assert_eq!(screen.1, None, "nothing is lit, so nothing is taken");
    assert!(screen.shows(120, 40).contains("0 of 7"));
    assert!(screen.keys("<esc>").shows(120, 40).contains("Sessions · 7"));
}

#[test]
fn the_first_click_lights_and_the_second_takes() {
    let screen = Screen::new().click("12 min");
    assert_eq!(screen.1, None);
    assert_eq!(screen.click("12 min").1, Some(Choice::Resume("/state/open.jsonl".into())));
}

/// From the first instruction to the last line of the first frame, with a thousand sessions in the state directory:
/// `cargo test --release --test start -- --ignored --nocapture`
#[test]
#[ignore = "measures, and so wants a machine of its own"]
fn the_first_frame_is_there_at_once() {
    use std::io::{Read as _, Write as _};
    let scratch = tempfile::tempdir().unwrap();
    let sessions = scratch.path().join("lockkeeper/sessions");
    std::fs::create_dir_all(&sessions).unwrap();
    let whole = std::fs::read_to_string("tests/journals/container-linux.jsonl").unwrap();
    for number in 0..1000 {
        let lines = whole.lines().take(200 + number % 4 * 300);
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        std::fs::write(sessions.join(format!("{number:04}.jsonl")), text).unwrap();
    }
    let mut took: Vec<u128> = (0..9)
        .map(|_| {
            let size = portable_pty::PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 };
            let pty = portable_pty::native_pty_system().openpty(size).unwrap();
            let mut command = portable_pty::CommandBuilder::new(env!("CARGO_BIN_EXE_lockkeeper"));
            command.cwd(scratch.path());
            command.env("XDG_STATE_HOME", scratch.path());
            let began = std::time::Instant::now();
            let mut child = pty.slave.spawn_command(command).unwrap();
            drop(pty.slave);
            let mut output = pty.master.try_clone_reader().unwrap();
            let (mut seen, mut bytes) = (Vec::new(), vec![0; 1 << 16]);
            while !String::from_utf8_lossy(&seen).contains("q leave") {
                let count = output.read(&mut bytes).unwrap();
                assert!(count > 0, "it ended before it was drawn");
                seen.extend_from_slice(&bytes[..count]);
            }
            let took = began.elapsed().as_millis();
            pty.master.take_writer().unwrap().write_all(b"q").unwrap();
            while matches!(output.read(&mut bytes), Ok(1..)) {}
            child.wait().unwrap();
            took
        })
        .collect();
    took.sort_unstable();
    println!("first frame with 1,000 sessions, in ms: {took:?}");
    assert!(cfg!(debug_assertions) || took[took.len() / 2] < 30, "{took:?}");
}

#[test]
fn descriptions_are_wrapped_and_the_lit_row_is_whole() {
    let shelf = || Screen::new().keys("g<down><down><down><down><down><enter>");
    let ends = |shown: &str| shown.contains("leader last") && !shown.contains('…');
    assert!(ends(&shelf().shows(80, 24)), "{}", shelf().shows(80, 24));
    // Where not all of them have room the one that is lit is there to its end, and the first again on the way up.
    let shown = shelf().shows(60, 12);
    assert!(shown.contains("▸ etcd-minor") && !ends(&shown), "{shown}");
    let mut screen = shelf().keys("<end>");
    let shown = screen.shows(60, 12);
    assert!(shown.contains("▸ atomic-27") && ends(&shown) && !shown.contains("etcd-minor"), "{shown}");
    assert!(screen.keys("<up><up>").shows(60, 12).contains("▸ etcd-minor"));
    // A click on any line of a row is one on the row.
    let mut screen = shelf().click("leader last");
    assert!(screen.shows(120, 40).contains("▸ atomic-27"), "{}", screen.shows(120, 40));
}
