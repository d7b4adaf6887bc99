//! The terminal: taken, given back whatever happens, and spoken to beside the frames.

use std::cell::Cell;
use std::io::{self, IsTerminal as _, Stdout, Write};
use std::mem::ManuallyDrop;
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture, Event,
    EventStream, KeyCode, KeyEventKind, KeyModifiers,
};
use crossterm::style::ResetColor;
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use futures::{Stream, StreamExt as _, stream};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use rustix::io::Errno;
use rustix::process::{Signal as Posix, kill_current_process_group};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::interrupt::Endings;
pub use super::interrupt::Interrupt;
use crate::model::logtail::clean;

/// What the operator lets us do to the terminal.
#[expect(clippy::struct_excessive_bools, reason = "four things, each of which may be had without the others")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Habits {
    /// Ring its bell when something wants the operator.
    pub bell: bool,
    /// Have it show a notification then.
    pub notifications: bool,
    /// Write its title.
    pub title: bool,
    /// Take its mouse, so that it selects no text by itself.
    pub mouse: bool,
}

impl Default for Habits {
    fn default() -> Self {
        Self { bell: true, notifications: true, title: true, mouse: true }
    }
}

/// Why there can be no screen.
#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    /// Not run by hand, or redirected.
    #[error("the screen wants a terminal, and {0} is none: run this in one, without redirecting it")]
    None(&'static str),
    /// It does not do what it should.
    #[error("the terminal does not work: {0}")]
    Broken(#[from] io::Error),
}

/// What has been taken of the terminal, while it is ours. A panic and a normal end must not both give it back.
static TAKEN: Mutex<Option<Habits>> = Mutex::new(None);

/// The terminal, as long as it is ours. Whatever ends this gives it back: the end of a scope, an error, a panic.
#[derive(Debug)]
pub struct Screen {
    /// What is drawn on. Dropped, it would show the cursor and print to a terminal that may be gone, and a print that fails
    /// panics; the cursor is shown here anyway.
    pub terminal: ManuallyDrop<Terminal<CrosstermBackend<Stdout>>>,
}

impl Screen {
    /// Takes the terminal, and clears it of whatever was there.
    ///
    /// # Errors
    /// When there is none, or it does not work.
    pub fn enter(habits: Habits) -> Result<Self, TerminalError> {
        if is_gone() {
            return Err(TerminalError::None("standard output"));
        }
        // Keys come from the controlling terminal where standard input is something else.
        if !io::stdin().is_terminal() && std::fs::File::open("/dev/tty").is_err() {
            return Err(TerminalError::None("standard input"));
        }
        give_back_on_panic();
        take(habits)?;
        match Terminal::new(CrosstermBackend::new(io::stdout())) {
            Ok(terminal) => Ok(Self { terminal: ManuallyDrop::new(terminal) }),
            Err(error) => {
                give_back();
                Err(error.into())
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take(habits: Habits) -> io::Result<()> {
    enable_raw_mode()?;
    *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(habits);
    let mut out = io::stdout();
    if habits.title {
        out.write_all(PUSH_TITLE)?;
    }
    queue!(out, EnterAlternateScreen, EnableBracketedPaste)?;
    if habits.mouse {
        queue!(out, EnableMouseCapture)?;
    }
    // A terminal without an alternate screen, and one that a killed program never left, still show what was there.
    execute!(out, Clear(ClearType::All))
}

/// Gives the terminal back, if it was taken. Nothing can be done about a terminal that does not listen any more.
pub(super) fn give_back() {
    let Some(habits) = TAKEN.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    let mut out = io::stdout();
    let _ = queue!(out, DisableMouseCapture, DisableFocusChange, DisableBracketedPaste, ResetColor);
    let _ = queue!(out, LeaveAlternateScreen, Show);
    if habits.title {
        let _ = out.write_all(POP_TITLE);
    }
    let _ = out.flush();
    let _ = disable_raw_mode();
}

fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            tell(panic);
        }));
    });
}

/// Gives the terminal back and stops this program until the shell has it go on in the foreground.
fn suspend() -> io::Result<()> {
    give_back();
    let mut err = io::stderr();
    let _ = writeln!(err, "lockkeeper: suspended, `fg` comes back; what runs on hosts goes on");
    stop(Posix::TSTP)?;
    foreground()
}

/// Waits until the terminal is ours. `bg` has us go on while the shell has it: whatever was drawn would stand over what is
/// typed there, so we stop again, as whoever writes from the background does.
fn foreground() -> io::Result<()> {
    while !is_ours() {
        // Where no shell could have us go on the kernel does not stop us, and the terminal itself says that it is gone.
        if !stop(Posix::TTOU)? {
            break;
        }
    }
    Ok(())
}

/// How long a signal may take to stop every thread.
const STOPS_WITHIN: Duration = Duration::from_millis(100);

/// Stops the whole job, as the terminal itself would; whether it was. The kernel ignores it where no shell could have it
/// go on.
fn stop(signal: Posix) -> io::Result<bool> {
    let before = Instant::now();
    kill_current_process_group(signal)?;
    // Threads stop one by one, and this one draws: it may do nothing else before it has stopped.
    std::thread::sleep(STOPS_WITHIN);
    Ok(before.elapsed() >= 2 * STOPS_WITHIN)
}

/// Whether a session broke off because the terminal is gone.
pub(super) fn is_lost(error: &color_eyre::Report) -> bool {
    // What was being written finds out before the terminal says so itself.
    let broken = |error: &io::Error| error.raw_os_error() == Some(Errno::IO.raw_os_error());
    is_gone() || error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(broken))
}

/// Whether we are who the terminal listens to; a terminal that cannot say so has nobody else.
fn is_ours() -> bool {
    rustix::termios::tcgetpgrp(io::stdout()).map_or(true, |group| group == rustix::process::getpgrp())
}

fn is_gone() -> bool {
    !io::stdout().is_terminal()
}

/// A terminal that is gone need not say so.
const LOOK_FOR_IT: Duration = Duration::from_secs(1);

struct Input {
    habits: Habits,
    events: EventStream,
    endings: Endings,
    continued: Signal,
    look: Interval,
}

/// What comes from the operator: keys, pastes, sizes. It ends when the session has to, and `why` then says why. Ctrl-Z
/// suspends the program right here; a resize tells the loop that nothing of the last frame is left.
///
/// # Errors
/// When the system lets us listen to no signals.
pub(super) fn input(
    habits: Habits,
    endings: Endings,
    why: &Cell<Option<Interrupt>>,
) -> io::Result<impl Stream<Item = io::Result<Event>>> {
    let mut look = interval(LOOK_FOR_IT);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let input = Input {
        habits,
        events: EventStream::new(),
        endings,
        continued: signal(SignalKind::from_raw(Posix::CONT.as_raw()))?,
        look,
    };
    Ok(stream::unfold(input, async |mut input| match input.next().await {
        Ok(event) => Some((event, input)),
        Err(interrupt) => {
            why.set(Some(interrupt));
            None
        }
    })
    .fuse())
}

impl Input {
    async fn next(&mut self) -> Result<io::Result<Event>, Interrupt> {
        loop {
            tokio::select! {
                biased;
                interrupt = self.endings.next() => return Err(interrupt),
                // Stopped from outside, or after a pause of its own: the shell has had the terminal meanwhile.
                _ = self.continued.recv() => {
                    give_back();
                    return Ok(anew(foreground().and_then(|()| take(self.habits))));
                }
                _ = self.look.tick() => if is_gone() {
                    return Err(Interrupt::Lost);
                },
                event = self.events.next() => match event {
                    Some(Ok(event)) if is_suspend(&event) => {
                        return Ok(anew(suspend().and_then(|()| take(self.habits))));
                    }
                    Some(Err(_)) | None if is_gone() => return Err(Interrupt::Lost),
                    Some(event) => return Ok(event),
                    None => return Err(Interrupt::Lost),
                },
            }
        }
    }
}

/// Back on the terminal, of which nothing is known but its size.
fn anew(taken: io::Result<()>) -> io::Result<Event> {
    let (columns, lines) = taken.and_then(|()| crossterm::terminal::size())?;
    Ok(Event::Resize(columns, lines))
}

fn is_suspend(event: &Event) -> bool {
    matches!(event, Event::Key(key) if key.code == KeyCode::Char('z')
        && key.modifiers == KeyModifiers::CONTROL
        && key.kind == KeyEventKind::Press)
}

/// Saves and restores title and icon name: xterm's window operations.
const PUSH_TITLE: &[u8] = b"\x1b[22;0t";
const POP_TITLE: &[u8] = b"\x1b[23;0t";

/// The longest text for titles and notifications.
const LONGEST: usize = 120;

fn tidy(text: &str) -> String {
    clean(text).chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

impl Habits {
    /// Calls the operator, as far as they let us.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn call(self, out: &mut impl Write, text: &str) -> io::Result<()> {
        if self.bell {
            out.write_all(b"\x07")?;
        }
        if self.notifications {
            write!(out, "\x1b]9;{}\x07", tidy(text))?;
        }
        out.flush()
    }

    /// Writes the terminal's title.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn title(self, out: &mut impl Write, text: &str) -> io::Result<()> {
        if self.title {
            write!(out, "\x1b]0;{}\x07", tidy(text))?;
        }
        out.flush()
    }
}

/// Puts a text into the operator's clipboard, through whatever lies between (OSC 52).
///
/// # Errors
/// When the terminal is gone. Whether it takes clipboards at all, it does not say.
pub fn copy(text: &str) -> io::Result<()> {
    execute!(io::stdout(), CopyToClipboard::to_clipboard_from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_made_as_the_operator_wants_it() {
        let said = |habits: Habits| {
            let mut out = Vec::new();
            habits.call(&mut out, "etcd3: stop\x1b]0;owned\x07\n is ready\u{9b}").unwrap();
            habits.title(&mut out, "● prod").unwrap();
            String::from_utf8(out).unwrap()
        };
        let all = Habits::default();
        assert_eq!(said(all), "\x07\x1b]9;etcd3: stop is ready\x07\x1b]0;● prod\x07");
        assert_eq!(said(Habits { bell: false, title: false, ..all }), "\x1b]9;etcd3: stop is ready\x07");
        assert_eq!(said(Habits { bell: false, notifications: false, title: false, mouse: false }), "");
    }
}
