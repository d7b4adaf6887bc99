//! A real terminal: taken, given back whatever ends the program, and cleared of what was there before.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without may end it")]

use std::collections::BTreeSet;
use std::io::{Read as _, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lockkeeper::ui::terminal::{Habits, Screen};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};

const LOCKKEEPER: &str = env!("CARGO_BIN_EXE_lockkeeper");
const SIZE: PtySize = PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 };

/// What the program has written.
struct Shown {
    raw: String,
    screen: vt100::Parser,
    over: bool,
    /// Read no more: the terminal is to go.
    close: bool,
}

/// A program in a terminal.
struct Run {
    child: Box<dyn Child + Send + Sync>,
    terminal: Option<Box<dyn MasterPty + Send>>,
    keys: Option<Box<dyn Write + Send>>,
    shown: Arc<(Mutex<Shown>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

impl Run {
    /// `before` stands on the screen already.
    fn start(program: &str, args: &[&str], home: &Path, environment: &[(&str, &str)], before: &str) -> Self {
        let pty = native_pty_system().openpty(SIZE).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.cwd(home);
        for name in ["NO_COLOR", "COLORTERM", "LC_CTYPE", "LANG", "ENV"] {
            command.env_remove(name);
        }
        let usual = [("TERM", "xterm-256color"), ("LC_ALL", "C.UTF-8"), ("PS1", "prompt> ")];
        for (name, value) in usual.iter().chain(environment) {
            command.env(name, value);
        }
        command.env("XDG_STATE_HOME", home);
        command.env("XDG_CONFIG_HOME", home);
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let mut screen = vt100::Parser::new(SIZE.rows, SIZE.cols, 0);
        screen.process(before.as_bytes());
        let shown =
            Arc::new((Mutex::new(Shown { raw: String::new(), screen, over: false, close: false }), Condvar::new()));
        let (mut output, told) = (pty.master.try_clone_reader().unwrap(), shown.clone());
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            let mut pending = Vec::new();
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                let mut shown = told.0.lock().unwrap();
                if shown.close {
                    return;
                }
                shown.screen.process(&bytes[..count]);
                // A character may be torn between two reads.
                pending.extend_from_slice(&bytes[..count]);
                let whole = match std::str::from_utf8(&pending) {
                    Ok(text) => text.len(),
                    Err(error) => error.valid_up_to(),
                };
                let text: Vec<u8> = pending.drain(..whole).collect();
                shown.raw.push_str(&String::from_utf8(text).unwrap());
                told.1.notify_all();
            }
            told.0.lock().unwrap().over = true;
            told.1.notify_all();
        });
        let keys = pty.master.take_writer().unwrap();
        Self { child, terminal: Some(pty.master), keys: Some(keys), shown, reader: Some(reader) }
    }

    fn lockkeeper(args: &[&str], home: &Path, environment: &[(&str, &str)]) -> Self {
        Self::start(LOCKKEEPER, args, home, environment, "")
    }

    /// Waits until what is shown is as it should be, and gives something of it.
    fn until<T>(&self, awaited: &str, found: impl Fn(&Shown) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut shown = self.shown.0.lock().unwrap();
        loop {
            if let Some(found) = found(&shown) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let said =
                || format!("waited in vain for {awaited}:\n{}\n{:?}", shown.screen.screen().contents(), shown.raw);
            assert!(!left.is_zero() && !shown.over, "{}", said());
            shown = self.shown.1.wait_timeout(shown, left).unwrap().0;
        }
    }

    fn shows(&self, text: &str) {
        self.until(text, |shown| shown.screen.screen().contents().contains(text).then_some(()));
    }

    /// Presses a key again every second until it is answered: right after a pause what is typed goes nowhere.
    fn insist(&mut self, keys: &str, text: &str) {
        let there = |shown: &Shown| shown.screen.screen().contents().contains(text);
        for _ in 0..60 {
            self.press(keys);
            let shown = self.shown.0.lock().unwrap();
            let (shown, _) =
                self.shown.1.wait_timeout_while(shown, Duration::from_secs(1), |shown| !there(shown)).unwrap();
            if there(&shown) {
                return;
            }
        }
        self.shows(text);
    }

    fn on_its_screen(&self, own: bool) {
        self.until(if own { "its own screen" } else { "the shell's screen" }, |shown| {
            (shown.screen.screen().alternate_screen() == own).then_some(())
        });
    }

    fn press(&mut self, keys: &str) {
        self.keys.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    /// Gives the window another size.
    fn resize(&mut self, columns: u16, lines: u16) {
        self.shown.0.lock().unwrap().screen.screen_mut().set_size(lines, columns);
        let size = PtySize { rows: lines, cols: columns, pixel_width: 0, pixel_height: 0 };
        self.terminal.as_ref().unwrap().resize(size).unwrap();
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.process_id().unwrap()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Closes the window. Its reader holds it open until something is written, and the clock on the screen is, every second.
    fn close(&mut self) {
        self.shown.0.lock().unwrap().close = true;
        self.reader.take().unwrap().join().unwrap();
        drop((self.keys.take(), self.terminal.take()));
    }

    /// Waits for its end: exit status, and all that was written.
    fn end(mut self) -> (u32, String) {
        let status = self.child.wait().unwrap().exit_code();
        let cooked = self.terminal.as_ref().unwrap().get_termios().is_some_and(|modes| {
            // ICANON and ECHO.
            modes.local_flags.bits() & 0o12 == 0o12
        });
        assert!(cooked, "the terminal was left raw");
        drop((self.keys.take(), self.terminal.take()));
        self.reader.take().unwrap().join().unwrap();
        let shown = self.shown.0.lock().unwrap();
        let screen = shown.screen.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste(), "{:?}", shown.raw);
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        (status, shown.raw.clone())
    }
}

/// An upgrade of a host that refuses: what is tested here is the way out.
fn upgrade(home: &Path) -> [&'static str; 5] {
    let inventory = "cluster: prod\nhosts:\n  - {name: gone, address: 127.0.0.1, roles: worker, ssh: {port: 1}}\n";
    let runbook = "runbook: nothing\ntitle: Nothing\nstages:\n  - stage: one\n    title: One\n    hosts: worker\n    steps:\n      - {step: look, title: Look, run: \"true\"}\n";
    std::fs::write(home.join("hosts.yaml"), inventory).unwrap();
    std::fs::write(home.join("nothing.yaml"), runbook).unwrap();
    ["upgrade", "-i", "hosts.yaml", "-r", "./nothing.yaml"]
}

/// The signals that end the program and leave it the time to say so, with what a shell makes of each.
const ENDINGS: [(Signal, &str, u32); 16] = [
    (Signal::TERM, "SIGTERM", 143),
    (Signal::HUP, "SIGHUP", 129),
    (Signal::INT, "SIGINT", 130),
    (Signal::QUIT, "SIGQUIT", 131),
    (Signal::ABORT, "SIGABRT", 134),
    (Signal::ALARM, "SIGALRM", 142),
    (Signal::USR1, "SIGUSR1", 138),
    (Signal::USR2, "SIGUSR2", 140),
    (Signal::XCPU, "SIGXCPU", 152),
    (Signal::VTALARM, "SIGVTALRM", 154),
    (Signal::PROF, "SIGPROF", 155),
    (Signal::IO, "SIGIO", 157),
    (Signal::POWER, "SIGPWR", 158),
    (Signal::STKFLT, "SIGSTKFLT", 144),
    (Signal::TRAP, "SIGTRAP", 133),
    (Signal::SYS, "SIGSYS", 159),
];

#[test]
fn a_signal_gives_the_terminal_back_and_says_how_to_go_on() {
    for (signal, name, status) in ENDINGS {
        let home = tempfile::tempdir().unwrap();
        let run = Run::lockkeeper(&upgrade(home.path()), home.path(), &[("LOCKKEEPER_MOUSE", "yes")]);
        run.shows("gone");
        run.until("mouse and paste", |shown| {
            let screen = shown.screen.screen();
            let mouse = screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None;
            (mouse && screen.bracketed_paste()).then_some(())
        });
        run.signal(signal);
        let (code, raw) = run.end();
        assert_eq!(code, status, "{name}: {raw:?}");
        let (_, after) = raw.rsplit_once("\x1b[?1049l").unwrap();
        assert!(after.contains(&format!("ended by {name}")), "{after:?}");
        assert!(after.contains("go on with: lockkeeper resume "), "{after:?}");
        let journal = after.split("lockkeeper resume ").nth(1).unwrap().trim_end();
        lockkeeper::journal::read(Path::new(journal)).unwrap();
    }
}

#[test]
fn a_form_gives_the_terminal_back_says_why_and_writes_nothing() {
    for (signal, name, status) in ENDINGS {
        let home = tempfile::tempdir().unwrap();
        let run = Run::lockkeeper(&["inventory", "init"], home.path(), &[]);
        run.shows("A new inventory");
        run.signal(signal);
        let (code, raw) = run.end();
        assert_eq!(code, status, "{name}: {raw:?}");
        // A line that this end of the terminal sends when it is closed may be echoed behind it.
        let (_, after) = raw.rsplit_once("\x1b[?1049l").unwrap();
        assert!(after.contains(&format!("lockkeeper: ended by {name}; nothing was written\r\n")), "{after:?}");
        assert!(!home.path().join("cluster.yaml").exists(), "nothing was written");
    }
}

#[test]
fn a_window_that_is_closed_ends_the_session_soundly() {
    let home = tempfile::tempdir().unwrap();
    let mut run = Run::lockkeeper(&["practice"], home.path(), &[]);
    run.shows("etcd1");
    run.close();
    assert_eq!(run.child.wait().unwrap().exit_code(), 129);
    let journal = std::fs::read_dir(home.path().join("lockkeeper/sessions")).unwrap().next().unwrap().unwrap().path();
    assert!(!lockkeeper::journal::read(&journal).unwrap().records.is_empty());
}

#[test]
fn a_terminal_that_goes_without_a_signal_is_noticed() {
    let home = tempfile::tempdir().unwrap();
    let line = format!("trap '' HUP; setsid --wait '{LOCKKEEPER}' practice; echo $? > status");
    let mut run = Run::start("/bin/sh", &["-c", &line], home.path(), &[], "");
    run.shows("etcd1");
    run.close();
    run.child.wait().unwrap();
    assert_eq!(std::fs::read_to_string(home.path().join("status")).unwrap().trim(), "129");
}

/// A practice that was started in a shell, and suspended there.
fn suspended(home: &Path) -> Run {
    let mut run = Run::start("/bin/sh", &["-i"], home, &[], "");
    run.shows("prompt> ");
    run.press(&format!("'{LOCKKEEPER}' practice\n"));
    run.on_its_screen(true);
    run.shows("etcd1");
    run.press("\x1a");
    run.on_its_screen(false);
    run.shows("`fg` comes back");
    run.shows("Stopped");
    run
}

#[test]
fn ctrl_z_and_fg() {
    let home = tempfile::tempdir().unwrap();
    let mut run = suspended(home.path());
    run.press("echo he''re\n");
    run.shows("here");
    run.press("fg\n");
    run.on_its_screen(true);
    run.shows("etcd1");
    run.insist("q", "not finished");
    run.press("y");
    run.on_its_screen(false);
    run.press("exit\n");
    run.end();
}

#[test]
fn in_the_background_nothing_is_drawn_over_the_shell() {
    let home = tempfile::tempdir().unwrap();
    let mut run = suspended(home.path());
    let taken = |shown: &Shown| shown.raw.matches("\x1b[?1049h").count();
    let before = taken(&run.shown.0.lock().unwrap());
    run.press("bg\n");
    run.insist("jobs\n", "tty output");
    assert_eq!(taken(&run.shown.0.lock().unwrap()), before, "drawn over the shell");
    run.press("fg\n");
    run.on_its_screen(true);
    run.insist("q", "not finished");
    run.press("y");
    run.on_its_screen(false);
    run.press("exit\n");
    run.end();
}

#[test]
fn who_was_stopped_from_outside_comes_back_with_a_whole_screen() {
    let home = tempfile::tempdir().unwrap();
    let run = Run::lockkeeper(&["practice"], home.path(), &[]);
    run.shows("etcd1");
    run.signal(Signal::STOP);
    // What the shell has written meanwhile.
    run.shown.0.lock().unwrap().screen.process(b"\x1b[?1049l\x1b[2Jsomebody else's text");
    run.signal(Signal::CONT);
    run.on_its_screen(true);
    run.shows("etcd1");
    run.signal(Signal::TERM);
    run.end();
}

#[test]
fn nothing_of_what_was_there_shines_through() {
    let home = tempfile::tempdir().unwrap();
    // A program that was killed has left its screen full, and never left it.
    let full = format!("\x1b[?1049h{}", "#".repeat(usize::from(SIZE.rows * SIZE.cols)));
    let run = Run::start(LOCKKEEPER, &["practice"], home.path(), &[], &full);
    run.shows("etcd1");
    run.until("a clean screen", |shown| (!shown.screen.screen().contents().contains("##")).then_some(()));
    run.signal(Signal::TERM);
    run.end();
}

#[test]
fn a_panic_gives_the_terminal_back() {
    const CHILD: &str = "LOCKKEEPER_TEST_PANICS";
    if std::env::var_os(CHILD).is_some() {
        let habits = Habits { mouse: true, ..Habits::default() };
        let mut screen = Screen::enter(habits).unwrap();
        screen.terminal.draw(|frame| frame.render_widget("drawn", frame.area())).unwrap();
        panic!("on purpose");
    }
    let home = tempfile::tempdir().unwrap();
    let program = std::env::current_exe().unwrap();
    let args = ["--exact", "a_panic_gives_the_terminal_back", "--nocapture"];
    let run = Run::start(program.to_str().unwrap(), &args, home.path(), &[(CHILD, "1")], "");
    let (code, raw) = run.end();
    assert_ne!(code, 0);
    let (before, after) = raw.rsplit_once("\x1b[?1049l").unwrap();
    assert!(before.contains("drawn") && after.contains("on purpose"), "{raw:?}");
}

/// Which kinds of colours a stream asks for: of the 16, of the 256, or true ones.
fn colours(raw: &str) -> BTreeSet<&'static str> {
    let sequences = raw.split("\x1b[").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        (rest[end..].starts_with('m')).then(|| &rest[..end])
    });
    let mut found = BTreeSet::new();
    for sequence in sequences {
        let mut numbers = sequence.split(';').map(|number| number.parse::<u8>().unwrap_or_default());
        while let Some(number) = numbers.next() {
            match number {
                38 | 48 => {
                    let kind = numbers.next().unwrap_or_default();
                    let values: Vec<u8> = numbers.by_ref().take(if kind == 2 { 3 } else { 1 }).collect();
                    found.insert(if kind == 2 {
                        "true"
                    } else if values[0] < 16 {
                        "16"
                    } else {
                        "256"
                    });
                }
                30..=37 | 40..=47 | 90..=97 | 100..=107 => {
                    found.insert("16");
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn as_many_colours_as_are_wanted_and_none_where_none_are() {
    let shown = |environment: &[(&str, &str)]| {
        let home = tempfile::tempdir().unwrap();
        let run = Run::lockkeeper(&["practice"], home.path(), environment);
        run.shows("etcd1");
        run.signal(Signal::TERM);
        colours(&run.end().1)
    };
    let dark = ("LOCKKEEPER_THEME", "dark");
    let true_colour = ("COLORTERM", "truecolor");
    assert_eq!(shown(&[]), BTreeSet::from(["16"]), "the terminal's own");
    assert_eq!(shown(&[dark, ("TERM", "xterm")]), BTreeSet::from(["16"]));
    assert_eq!(shown(&[dark]), BTreeSet::from(["256"]));
    assert_eq!(shown(&[dark, true_colour]), BTreeSet::from(["true"]));
    for none in [("NO_COLOR", "1"), ("TERM", "dumb"), ("LOCKKEEPER_COLOURS", "none")] {
        assert_eq!(shown(&[dark, true_colour, none]), BTreeSet::new(), "{none:?}");
    }
    let forced = [dark, ("NO_COLOR", "1"), ("LOCKKEEPER_COLOURS", "256")];
    assert_eq!(shown(&forced), BTreeSet::from(["256"]));
}

#[test]
fn a_terminal_without_unicode_is_sent_none() {
    let home = tempfile::tempdir().unwrap();
    let run = Run::lockkeeper(&["practice"], home.path(), &[("LC_ALL", "C")]);
    run.shows("etcd1");
    run.until("a title", |shown| shown.raw.contains("\x1b]0;").then_some(()));
    run.signal(Signal::TERM);
    let (_, raw) = run.end();
    let beyond: String = raw.chars().filter(|c| !c.is_ascii()).collect();
    assert_eq!(beyond, "");
}

#[test]
fn the_title_is_given_back() {
    let home = tempfile::tempdir().unwrap();
    let run = Run::lockkeeper(&["practice"], home.path(), &[]);
    run.until("a title", |shown| shown.raw.contains("\x1b]0;").then_some(()));
    run.signal(Signal::TERM);
    let (_, raw) = run.end();
    let (saved, restored) = (raw.find("\x1b[22;0t").unwrap(), raw.rfind("\x1b[23;0t").unwrap());
    assert!(saved < raw.find("\x1b]0;").unwrap() && raw.rfind("\x1b]0;").unwrap() < restored);
    let run = Run::lockkeeper(&["practice"], home.path(), &[("LOCKKEEPER_TITLE", "no")]);
    run.shows("etcd1");
    run.signal(Signal::TERM);
    let (_, raw) = run.end();
    assert!(!raw.contains("\x1b]0;") && !raw.contains("0t"), "{raw:?}");
}

/// How many gates a journal says were opened by hand, and the shortest time one of them had been shown, in milliseconds.
fn opened(home: &Path) -> (usize, u64) {
    let sessions = home.join("lockkeeper/sessions");
    let journal = std::fs::read_dir(sessions).unwrap().next().unwrap().unwrap().path();
    let records = lockkeeper::journal::read(&journal).unwrap().records;
    let shown: Vec<u64> = records
        .iter()
        .filter_map(|record| match &record.event {
            lockkeeper::model::Event::GateOpened { shown_ms, .. } => *shown_ms,
            _ => None,
        })
        .collect();
    (shown.len(), shown.into_iter().min().unwrap_or(u64::MAX))
}

#[test]
fn bursts_and_pastes_open_nothing_that_was_not_read() {
    let home = tempfile::tempdir().unwrap();
    let mut run = Run::lockkeeper(&["practice"], home.path(), &[]);
    run.shows("READY on 6 of 6");
    // Everything that a hand, a clipboard or a cat on the keyboard can send in one go.
    for keys in [
        "\r\r\r\r\r\r\r\r",
        "\x1b[200~\rqy\rs\rsudo systemctl stop etcd\r\x1b[201~",
        "sudo systemctl restart kubelet\rqy\r",
        "u\ry\r",
        "A6\r\r",
    ] {
        run.press(keys);
    }
    run.press("\x1b\x1b");
    run.insist("q", "Leave");
    run.press("y");
    let (_, raw) = run.end();
    let (count, shortest) = opened(home.path());
    assert!(count <= 1 && shortest >= 400, "{count} gates were opened, one after {shortest} ms: {raw:?}");
}

#[test]
fn a_window_that_changes_its_size_under_a_question_keeps_what_was_typed() {
    let home = tempfile::tempdir().unwrap();
    let mut run = Run::lockkeeper(&["practice"], home.path(), &[]);
    run.shows("READY on 6 of 6");
    run.insist("a", "The journal keeps it");
    run.press("half a thought");
    run.shows("half a thought");
    for (columns, lines) in [(60, 16), (80, 24), (200, 60), (120, 40)] {
        run.resize(columns, lines);
        run.shows("half a thought");
    }
    // A key in the same moment as a resize may wait for the next one in the terminal's queue.
    run.insist("!", "half a thought!");
    run.insist("\x1b", "Throw it away?");
    run.press("n");
    run.insist("\r", "noted in the journal");
    run.insist("q", "Leave");
    run.press("y");
    run.end();
    let sessions = home.path().join("lockkeeper/sessions");
    let journal = std::fs::read_dir(sessions).unwrap().next().unwrap().unwrap().path();
    assert!(std::fs::read_to_string(journal).unwrap().contains("half a thought"));
}
