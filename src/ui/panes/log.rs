//! A host's log: the tail that is kept, followed or scrolled.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::frame as framed;
use crate::model::State;
use crate::model::logtail::{LineKind, LogLine, LogTail};
use crate::ui::theme::{Meaning, style};
use crate::ui::view::{Pane, UiState};

/// Draws the log of the host that is looked at.
pub fn draw(state: &State, ui: &UiState, frame: &mut Frame<'_>, area: Rect) {
    let Some((name, host)) = state.hosts.get_index(ui.host_index(state)) else { return };
    let lines = host.log.lines();
    let room = usize::from(area.height.saturating_sub(2));
    let scroll = ui.log_scroll.min(lines.len().saturating_sub(room));
    let end = lines.len() - scroll;
    let mut title = format!("log of {name}");
    title += &if scroll == 0 { " · following".to_owned() } else { format!(" · {scroll} lines below, f follows") };
    if host.log.dropped() > 0 {
        title += &format!(" · {} older lines only in the journal", host.log.dropped());
    }
    if !ui.search.is_empty() {
        let hits = lines.iter().filter(|line| matches(line, &ui.search)).count();
        title += &format!(" · `{}` in {hits} lines", ui.search);
    }
    let shown: Vec<Line<'_>> =
        lines.range(end.saturating_sub(room)..end).map(|line| rendered(line, &ui.search)).collect();
    frame.render_widget(Paragraph::new(shown).block(framed(&title, ui.focus == Pane::Log)), area);
}

/// How far up from the end the next line with the searched text is; `back` looks towards the beginning.
#[must_use]
pub fn find(log: &LogTail, search: &str, scroll: usize, back: bool) -> Option<usize> {
    if search.is_empty() {
        return None;
    }
    let up: Vec<usize> =
        (0..log.lines().len()).filter(|up| matches(&log.lines()[log.lines().len() - 1 - up], search)).collect();
    if back { up.into_iter().find(|up| *up > scroll) } else { up.into_iter().rev().find(|up| *up < scroll) }
}

fn matches(line: &LogLine, search: &str) -> bool {
    !search.is_empty() && line.text.to_lowercase().contains(&search.to_lowercase())
}

fn rendered<'l>(line: &'l LogLine, search: &str) -> Line<'l> {
    let meaning = match line.kind {
        LineKind::Output => Meaning::Plain,
        LineKind::Wizard => Meaning::Active,
        LineKind::Trouble => Meaning::Bad,
    };
    let mark = match line.kind {
        LineKind::Output => "  ",
        LineKind::Wizard => "» ",
        LineKind::Trouble => "! ",
    };
    let meaning = if matches(line, search) { Meaning::Selected } else { meaning };
    Line::from(vec![
        Span::styled(line.at.strftime("%H:%M:%S ").to_string(), style(Meaning::Quiet)),
        Span::styled(mark, style(meaning)),
        Span::styled(line.text.as_str(), style(meaning)),
    ])
}
