//! Where a replay is.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::State;
use crate::ui::theme::{Meaning, style};
use crate::ui::view::Playhead;

/// Draws the playhead on one line.
pub fn draw(state: &State, playhead: &Playhead, frame: &mut Frame<'_>, area: Rect) {
    let told = format!(
        " {} {}x  event {} of {}  {} ",
        if playhead.playing { "▶ playing" } else { "■ stopped" },
        playhead.speed,
        playhead.position,
        playhead.total,
        state.now.strftime("%Y-%m-%d %H:%M:%S UTC"),
    );
    let room = usize::from(area.width).saturating_sub(told.chars().count());
    let done = (room * playhead.position).checked_div(playhead.total).unwrap_or_default();
    let line = Line::from(vec![
        Span::styled(told, style(Meaning::Active)),
        Span::styled("━".repeat(done), style(Meaning::Active)),
        Span::styled("─".repeat(room - done), style(Meaning::Quiet)),
    ]);
    frame.render_widget(line, area);
}
