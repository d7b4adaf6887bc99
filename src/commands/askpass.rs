//! What ssh starts this program for where it has a question: the session that started ssh asks it on its screen.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use crate::hosts::ASKPASS;

/// Brings the question to whoever may answer, and prints the answer for ssh. Nothing where this program was not started so.
#[must_use]
pub fn askpass() -> Option<ExitCode> {
    let socket = std::env::var_os(ASKPASS)?;
    // `none` only tells of something and expects no answer; `confirm` is asked by agents, which are not ours.
    let kind = std::env::var("SSH_ASKPASS_PROMPT").unwrap_or_default();
    let says = std::env::args().nth(1).unwrap_or_default();
    let answer = if kind.is_empty() { ask(&socket, &says) } else { None };
    let Some(mut answer) = answer else { return Some(ExitCode::FAILURE) };
    answer.push(b'\n');
    let written = std::io::stdout().lock().write_all(&answer);
    answer.fill(0);
    Some(if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn ask(socket: &std::ffi::OsStr, says: &str) -> Option<Vec<u8>> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.write_all(says.as_bytes()).ok()?;
    stream.shutdown(Shutdown::Write).ok()?;
    let mut answer = Vec::with_capacity(2048);
    stream.read_to_end(&mut answer).ok()?;
    (answer.first() == Some(&b'+')).then(|| answer.split_off(1))
}
