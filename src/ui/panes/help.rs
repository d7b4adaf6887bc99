//! The help screen, made from the table of keys.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::frame as framed;
use crate::ui::keymap::{BINDINGS, Group, key_name};
use crate::ui::theme::{Meaning, style};

/// Draws the keys over the screen; the replay's only in a replay.
pub fn draw(replay: bool, frame: &mut Frame<'_>, area: Rect) {
    let mut lines = Vec::new();
    for group in [Group::Gate, Group::Session, Group::Screen, Group::Replay] {
        if (group == Group::Replay) && !replay {
            continue;
        }
        lines.push(Line::styled(group.title(), style(Meaning::Title)));
        for row in BINDINGS.iter().filter(|row| row.group == group) {
            let keys: Vec<_> = row.keys.iter().map(|key| key_name(*key)).collect();
            lines.push(Line::from(vec![
                Span::styled(format!("  {:<12}", keys.join(" ")), style(Meaning::Active)),
                Span::raw(row.help),
            ]));
        }
    }
    let area = super::popup::centred(area, 86, lines.len() as u16 + 2);
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(framed("Keys · any key closes", true)), area);
}
