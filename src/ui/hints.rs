//! The last line: the keys of the moment. What cannot be done now is not hinted.

use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use super::keymap::{BINDINGS, Command};
use super::possible::possible;
use super::theme::{Meaning, style};
use super::view::UiState;
use crate::model::State;

/// The hints that fit a width, and where each stands.
#[must_use]
pub(super) fn line(state: &State, ui: &UiState, width: u16) -> (Line<'static>, Vec<(u16, u16, Command)>) {
    let mut spans = Vec::new();
    let mut places = Vec::new();
    let mut used = 0;
    // Help and the palette lead to all the rest: they are never pushed out.
    let kept = 20;
    for row in BINDINGS.iter().filter(|row| !row.hint.is_empty() && possible(state, ui, row.command)) {
        let key = format!(" {} ", super::chord::keys(row.command).first().map(ToString::to_string).unwrap_or_default());
        let hint = match row.command {
            Command::Pause if state.paused => "continue".to_owned(),
            Command::End => {
                let step = ui.look.task.and_then(|id| state.task(id)).map(|(_, step, _)| step.name.as_str());
                format!("{} the {}", row.hint, step.unwrap_or("step"))
            }
            _ => row.hint.to_owned(),
        };
        let wide = key.width() + hint.width() + 1;
        let always = matches!(row.command, Command::Help | Command::Palette);
        let room = if always { usize::from(width) } else { usize::from(width).saturating_sub(kept) };
        if used + wide > room {
            continue;
        }
        places.push((used as u16, wide as u16, row.command));
        used += wide;
        spans.push(Span::styled(key, style(Meaning::Active)));
        spans.push(Span::styled(format!("{hint} "), style(Meaning::Plain)));
    }
    (Line::from(spans), places)
}
