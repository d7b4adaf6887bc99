//! The task before the operator: whether its gate opens and why not, what it will do, and what there is to press.

mod body;
mod end;
mod live;
mod values;
mod verdict;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};
use unicode_width::UnicodeWidthStr as _;

use super::frame as framed;
use crate::engine::{GateView, confirmation};
use crate::model::runbook::Confirm;
use crate::model::{State, TaskId};
use crate::ui::hand::{Extent, Shown};
use crate::ui::look::Look;
use crate::ui::mouse::Spot;
use crate::ui::page::{Page, Row};
use crate::ui::theme::{Meaning, style};
use crate::ui::view::{Pane, UiState};

/// Draws the task before the operator, and notes how much of what it runs was on the screen.
pub fn draw(state: &State, now: Timestamp, ui: &mut UiState, look: &Look, frame: &mut Frame<'_>, area: Rect) {
    // The frame takes a cell on either side.
    let (title, page) = page(state, now, ui, look, area.width.saturating_sub(2));
    let block = block(state, ui, look, &title, area.width);
    let inner = block.inner(area);
    let rows = page.rows(inner.width);
    let height = usize::from(inner.height);
    ui.gate_height = height;
    let most = rows.len().saturating_sub(height);
    ui.gate_scroll = ui.gate_scroll.min(most);
    let below = most - ui.gate_scroll;
    let more = match below {
        0 => String::new(),
        1 => " 1 more row below · PgDn ".to_owned(),
        _ => format!(" {below} more rows below · PgDn "),
    };
    let room = usize::from(inner.width).saturating_sub(more.width());
    let block = block.title_bottom(buttons(state, ui, look, room));
    let block = block.title_bottom(Line::styled(more, style(Meaning::Warn)).right_aligned());
    let visible = ui.gate_scroll..(ui.gate_scroll + height).min(rows.len());
    // What lies under a popup is not on the screen.
    if let (Some(gate), Some(task), true) = (&look.gate, look.task, ui.popups.is_empty()) {
        let since_seq = state.tasks[task.index()].since_seq;
        let shown = Shown { task, since_seq, content: digest(state, gate) };
        ui.hand.drawn(ui.at, shown, &extent(&rows, &page, &visible, inner.width));
        if let Some(notice) = &mut ui.notice {
            notice.read_on(ui.at, &ui.hand);
        }
    } else {
        ui.hand.hidden();
    }
    let lines: Vec<Line<'_>> = rows[visible].iter().map(|row| row.text.clone()).collect();
    frame.render_widget(Paragraph::new(lines).block(block), area);
    ui.spots.add(area, Spot::Pane(Pane::Gate));
}

/// The rows of what has to be read, and which of them are visible.
fn extent(rows: &[Row], page: &Page, visible: &std::ops::Range<usize>, width: u16) -> Extent {
    let must = page.must();
    let first = rows.iter().position(|row| row.line >= must.start).unwrap_or(rows.len());
    let ends: Vec<usize> = must.map(|line| rows.partition_point(|row| row.line <= line) - first).collect();
    let all = ends.last().copied().unwrap_or_default();
    let within = |row: usize| row.saturating_sub(first).min(all);
    Extent { visible: within(visible.start)..within(visible.end), ends, width }
}

/// Of what a gate runs and writes: another digest is another gate.
fn digest(state: &State, gate: &GateView) -> u64 {
    let mut hasher = DefaultHasher::new();
    gate.script.hash(&mut hasher);
    gate.vars.hash(&mut hasher);
    if let Some((task, step, current)) = state.task(gate.task) {
        for (path, comparison) in &current.compared {
            path.hash(&mut hasher);
            comparison.lines.iter().for_each(|line| line.text.hash(&mut hasher));
        }
        task.pushes.iter().for_each(|push| (&push.path, push.sha256.as_str()).hash(&mut hasher));
        step.hands.hash(&mut hasher);
    }
    hasher.finish()
}

/// The row that the page has to be scrolled to, to go on reading.
pub(in crate::ui) fn unread_row(state: &State, now: Timestamp, ui: &mut UiState, width: u16) -> usize {
    let look = ui.look.clone();
    let (_, page) = page(state, now, ui, &look, width);
    let rows = page.rows(width);
    let first = rows.iter().position(|row| row.line >= page.must().start).unwrap_or_default();
    first + ui.hand.read()
}

/// All that came of a session that has ended.
pub(in crate::ui) use end::summary;

fn page(state: &State, now: Timestamp, ui: &mut UiState, look: &Look, width: u16) -> (String, Page) {
    let Some((gate, (task, step, _))) =
        look.gate.as_ref().and_then(|gate| Some((gate.clone(), state.task(gate.task)?)))
    else {
        let title = if state.outcome.is_some() { "The end" } else { Pane::Gate.title() };
        return (title.to_owned(), end::page(state, now));
    };
    let mut page = Page::default();
    if state.outcome.is_some() && !look.peeked {
        return ("The end".to_owned(), end::page(state, now));
    }
    verdict::say(state, now, ui, look, &gate, &mut page);
    body::say(state, ui, look, &gate, width, &mut page);
    (format!("{} · {}", step.name, task.host), page)
}

/// The frame: what leads back on its right.
fn block(state: &State, ui: &UiState, look: &Look, title: &str, width: u16) -> Block<'static> {
    let mut block = framed(title, ui.focus == Pane::Gate);
    let Some((_, step, _)) = look.task.and_then(|id| state.task(id)) else { return block };
    let grave = step.point_of_no_return.is_some();
    if grave {
        block = block.border_style(style(Meaning::Danger));
    }
    let way_back = match (grave, &step.undo) {
        _ if !step.changes() => "only looks",
        (false, _) if step.destroys.is_some() => "destroys something",
        (false, Some(_)) if step.takes_back().is_none() => "leaves nothing to take back",
        (true, _) => "no way back",
        (false, Some(_)) => "can be taken back",
        (false, None) => "no undo",
    };
    let meaning = if grave { Meaning::Danger } else { Meaning::Quiet };
    if usize::from(width) > title.chars().count() + way_back.len() + 8 {
        block = block.title_top(Line::styled(format!(" {way_back} "), style(meaning)).right_aligned());
    }
    block
}

/// What there is to press at a gate that opens. What does not fit gives way whole, the last one first: the last line of the
/// screen has it as well.
fn buttons(state: &State, ui: &UiState, look: &Look, room: usize) -> Line<'static> {
    let opens = look.gate.as_ref().is_some_and(|gate| gate.refusal.is_none());
    let gate = look.at_gate(state).filter(|_| opens && ui.playhead.is_none());
    let Some((task, step, _)) = gate.and_then(|id| state.task(id)) else { return Line::default() };
    let typed = if matches!(confirmation(step), Confirm::None | Confirm::Enter) { "" } else { ", typed" };
    let mut keys = vec![("Enter", format!("open on {}{typed}", task.host))];
    if crate::ui::possible::possible(state, ui, crate::ui::keymap::Command::OpenAll) {
        keys.push(("A", "open all that are ready".to_owned()));
    }
    keys.push(("s", "skip".to_owned()));
    let mut line = Line::default();
    for (key, does) in keys {
        let lead = if line.spans.is_empty() { " " } else { "  " };
        let button = [Span::raw(lead), Span::styled(key, style(Meaning::Active)), Span::raw(format!(" {does} "))];
        if line.width() + button.iter().map(Span::width).sum::<usize>() > room {
            break;
        }
        line.spans.extend(button);
    }
    line
}

pub(in crate::ui::panes) use body::{numbered, seen_undone};
pub(in crate::ui::panes) use values::with;
pub(in crate::ui) use verdict::window_warning;

/// Whether a task writes a file that can be edited at its gate.
pub(in crate::ui) fn writes(state: &State, id: TaskId) -> bool {
    state.task(id).is_some_and(|(task, _, _)| task.pushes.iter().any(|push| push.artifact.is_none()))
}
