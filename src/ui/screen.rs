//! The terminal for a form or a list: raw, with pastes and clicks told apart from keys, and given back whatever happens.

use std::io;

use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::execute;
use crossterm::terminal::{Clear, ClearType};
use ratatui::DefaultTerminal;

/// Hands the terminal to `show` and gives it back afterwards.
///
/// # Errors
/// When the terminal does not work.
pub(super) fn with<T>(show: impl FnOnce(&mut DefaultTerminal) -> io::Result<T>) -> io::Result<T> {
    let mut terminal = ratatui::try_init()?;
    // `Terminal::clear` would ask where the cursor is, and wait two seconds for a terminal that does not answer.
    let ready = execute!(io::stdout(), Clear(ClearType::All), EnableBracketedPaste, EnableMouseCapture);
    let shown = ready.and_then(|()| show(&mut terminal));
    let _ = execute!(io::stdout(), DisableMouseCapture, DisableBracketedPaste);
    ratatui::restore();
    shown
}
