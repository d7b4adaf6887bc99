//! The whole way: ssh asks, the screen shows it, somebody types, and the host is there.

use std::fs;
use std::io::{Read as _, Write as _};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use crate::prompts::lock;
use crate::server::Server;

const SIZE: PtySize = PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 };

#[test]
fn a_monitor_asks_for_a_passphrase_on_its_screen_and_shows_nothing_of_it() {
    let Some(server) = Server::start() else { return };
    lock(&server);
    server.write_inventory(None);

    let pty = native_pty_system().openpty(SIZE).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lockkeeper"));
    command.args(["monitor", "-i", "cluster.yaml"]);
    command.cwd(server.dir.path());
    for (name, value) in [("TERM", "xterm-256color"), ("LC_ALL", "C.UTF-8")] {
        command.env(name, value);
    }
    command.env("XDG_STATE_HOME", server.dir.path());
    command.env("XDG_CONFIG_HOME", server.dir.path());
    let mut child = pty.slave.spawn_command(command).unwrap();
    drop(pty.slave);
    let mut output = pty.master.try_clone_reader().unwrap();
    let mut keys = pty.master.take_writer().unwrap();
    let (said, heard) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = output.read(&mut bytes) {
            if said.send(bytes[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    let mut screen = vt100::Parser::new(SIZE.rows, SIZE.cols, 0);
    let mut raw = Vec::new();
    // Until it is so; what is given is pressed again every second, since nobody is heard who has not looked.
    let mut until = |awaited: &str, press: &str, found: &dyn Fn(&str) -> bool| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !found(&screen.screen().contents()) {
            assert!(Instant::now() < deadline, "waited in vain for {awaited}:\n{}", screen.screen().contents());
            match heard.recv_timeout(Duration::from_secs(1)) {
                Ok(bytes) => {
                    screen.process(&bytes);
                    raw.extend(bytes);
                }
                Err(RecvTimeoutError::Timeout) => keys.write_all(press.as_bytes()).unwrap(),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended:\n{}", screen.screen().contents()),
            }
        }
    };
    until("the question", "", &|seen| seen.contains("The passphrase of the key"));
    until("something typed", "x", &|seen| seen.contains("(typed, and not shown)"));
    until("the wrong one to be refused", "\r", &|seen| seen.contains("It was not right"));
    until("something typed", "x", &|seen| seen.contains("(typed, and not shown)"));
    until("the question to be gone", "\u{15}open sesame\r", &|seen| !seen.contains("The passphrase of the key"));
    let log = || fs::read_to_string(server.path("sshd.log")).unwrap();
    until("a login", "", &|_| log().contains("Accepted publickey"));
    let text = String::from_utf8_lossy(&raw);
    assert!(!text.contains("open sesame") && !text.contains("Enter passphrase"), "{text}");
    let _ = child.kill();
    let _ = child.wait();
}
