//! Where a replay is.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use crate::model::State;
use crate::model::logtail::clean;
use crate::ui::theme::{Meaning, Sign, sign, style};
use crate::ui::view::Playhead;

/// Lines that it takes on a screen of that width.
#[must_use]
pub fn height(playhead: &Playhead, width: u16) -> u16 {
    1 + flaw(playhead).map_or(0, |flaw| flaw.line_count(width) as u16)
}

/// What comes after the events that can be played.
fn flaw(playhead: &Playhead) -> Option<Paragraph<'static>> {
    let flaw = playhead.flaw.as_ref()?;
    let text = format!(" {} after event {}: {}", sign(Sign::Failed), playhead.total, clean(flaw));
    Some(Paragraph::new(text).style(style(Meaning::Warn)).wrap(Wrap { trim: false }))
}

/// Draws the playhead on one line, and below it where the journal cannot be played on, and why.
pub fn draw(state: &State, playhead: &Playhead, frame: &mut Frame<'_>, area: Rect) {
    let told = format!(
        " {} {}x  event {} of {}{}  {} ",
        if playhead.playing { "▶ playing" } else { "■ stopped" },
        playhead.speed,
        playhead.position,
        playhead.total,
        if playhead.counting { "+" } else { "" },
        state.now.strftime("%Y-%m-%d %H:%M:%S UTC"),
    );
    let room = usize::from(area.width).saturating_sub(told.chars().count());
    let done = (room * playhead.position).checked_div(playhead.total).unwrap_or_default();
    let line = Line::from(vec![
        Span::styled(told, style(Meaning::Active)),
        Span::styled("━".repeat(done), style(Meaning::Active)),
        Span::styled("─".repeat(room - done), style(Meaning::Quiet)),
    ]);
    let [first, rest] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    frame.render_widget(line, first);
    frame.render_widget(flaw(playhead), rest);
}
