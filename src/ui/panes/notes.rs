//! What the operator wrote down, and what came back from hosts: beside the log where there is room.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::frame as framed;
use crate::model::State;
use crate::model::logtail::clean;
use crate::ui::page::Page;
use crate::ui::theme::{Meaning, style};

/// Draws the newest of them.
pub fn draw(state: &State, frame: &mut Frame<'_>, area: Rect) {
    let block = framed("Notes and files", false);
    let inner = block.inner(area);
    let mut page = Page::default();
    for artifact in &state.artifacts {
        let name = artifact.to.rsplit('/').next().unwrap_or_default();
        page.code(Line::from(vec![
            Span::styled(format!("{} ", clean(name)), style(Meaning::Plain)),
            Span::styled(format!("{} bytes from {}", artifact.bytes, artifact.host), style(Meaning::Quiet)),
        ]));
    }
    for note in &state.notes {
        page.say(Line::from(vec![
            Span::styled(note.at.strftime("%H:%M ").to_string(), style(Meaning::Quiet)),
            Span::raw(clean(&note.text)),
        ]));
    }
    if state.notes.is_empty() && state.artifacts.is_empty() {
        page.text("Nothing yet: a writes a note.", Meaning::Quiet);
    }
    let rows = page.rows(inner.width);
    let skip = rows.len().saturating_sub(usize::from(inner.height));
    let lines: Vec<Line<'_>> = rows.into_iter().skip(skip).map(|row| row.text).collect();
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
