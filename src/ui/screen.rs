//! The terminal for a form or a list, which have no session to end in order: a signal gives it back and ends the program.

use std::io::{self, Write as _};
use std::sync::mpsc::Sender;

use ratatui::DefaultTerminal;
use tokio::sync::oneshot;

use super::interrupt::Endings;
use super::terminal::{Habits, Screen, TerminalError, give_back};

/// Hands the terminal to `show` and gives it back afterwards.
///
/// # Errors
/// When there is no terminal, or it does not work.
pub(super) fn with<T>(
    habits: Habits,
    show: impl FnOnce(&mut DefaultTerminal) -> io::Result<T>,
) -> Result<T, TerminalError> {
    let (done, left) = oneshot::channel();
    let (ready, begun) = std::sync::mpsc::channel();
    let watching = std::thread::spawn(move || watch(left, &ready));
    // Not before somebody listens: a signal must not find the terminal taken and nobody to give it back.
    let _ = begun.recv();
    let mut screen = Screen::enter(habits)?;
    let shown = show(&mut screen.terminal);
    drop(screen);
    drop(done);
    let _ = watching.join();
    Ok(shown?)
}

/// Waits for a signal that ends the program, or for the screen to be left.
fn watch(left: oneshot::Receiver<()>, ready: &Sender<()>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        let Ok(mut endings) = Endings::listen() else { return };
        let _ = ready.send(());
        tokio::select! {
            // Where both have come the signal counts: what it says must not depend on which is seen first.
            biased;
            interrupt = endings.next() => {
                // Whoever draws just now waits for the end: no frame comes after the terminal was given back.
                let _quiet = io::stdout().lock();
                give_back();
                let _ = writeln!(io::stderr(), "lockkeeper: {interrupt}; nothing was written");
                std::process::exit(i32::from(interrupt.exit_status()));
            }
            _ = left => {}
        }
    });
}
