//! The help screen, made from the table of keys.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};

use super::frame as framed;
use crate::ui::keymap::{BINDINGS, Group, key_name};
use crate::ui::theme::{Meaning, style};

/// The keys by their groups; the replay's only in a replay.
#[must_use]
pub fn lines(replay: bool) -> Vec<Line<'static>> {
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
    lines
}

/// Draws the keys over the screen, from so many lines down as there are more than fit.
pub fn draw(replay: bool, down: u16, frame: &mut Frame<'_>, area: Rect) {
    let lines = lines(replay);
    let area = super::popup::centred(area, 80, lines.len() as u16 + 2);
    let most = (lines.len() as u16).saturating_sub(area.height.saturating_sub(2));
    let down = down.min(most);
    let title = if most == 0 { "Keys · any key closes" } else { "Keys · ↓ ↑ for more, any other key closes" };
    let mut block = framed(title, true);
    if most > down {
        block = block.title_bottom(Span::styled(format!(" {} more lines below ", most - down), style(Meaning::Warn)));
    }
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).scroll((down, 0)).block(block), area);
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_line_fits_the_smallest_screen() {
        for line in super::lines(true) {
            assert!(line.width() <= 78, "{line}");
        }
    }
}
