//! The whole screen, put together from its panes.

use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::hints;
use super::panes::{gate, grid, log, popup, stages, timeline};
use super::theme::{Meaning, style};
use super::view::{Pane, UiState};
use crate::model::State;
use crate::model::state::Phase;

/// Smaller than this nothing can be read, so nothing is drawn.
const LEAST: (u16, u16) = (60, 16);

/// From this size on the panes stand beside each other.
const WIDE: (u16, u16) = (110, 30);

/// Draws a state, as the operator looks at it.
pub fn draw(state: &State, now: Timestamp, ui: &mut UiState, frame: &mut Frame<'_>) {
    ui.settle(state);
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let text = format!(
            "This window is {}x{}. Lockkeeper needs {}x{} at least. Nothing is lost: make it larger.",
            area.width, area.height, LEAST.0, LEAST.1
        );
        frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
        return;
    }
    let hosts = (state.hosts.len() as u16).min(area.height / 3);
    let playhead = u16::from(ui.playhead.is_some());
    let [top, cluster, body, line, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(hosts + 1),
        Constraint::Min(6),
        Constraint::Length(playhead),
        Constraint::Length(1),
    ])
    .areas(area);
    header(state, now, ui, frame, top);
    grid::draw(state, now, ui, frame, cluster);
    if state.plan.is_none() {
        // Nothing to walk through: the grid and a log are all there is to see.
        pane(Pane::Log, state, now, ui, frame, body);
    } else if area.width >= WIDE.0 && area.height >= WIDE.1 && !ui.zoom {
        let [upper, lower] = Layout::vertical([Constraint::Fill(5), Constraint::Fill(2)]).areas(body);
        let [left, right] = Layout::horizontal([Constraint::Percentage(36), Constraint::Fill(1)]).areas(upper);
        pane(Pane::Stages, state, now, ui, frame, left);
        pane(Pane::Gate, state, now, ui, frame, right);
        pane(Pane::Log, state, now, ui, frame, lower);
    } else {
        let [tabs, rest] = Layout::vertical([Constraint::Length(1), Constraint::Min(5)]).areas(body);
        tab_line(ui, frame, tabs);
        pane(ui.focus, state, now, ui, frame, rest);
    }
    if let Some(playhead) = &ui.playhead {
        timeline::draw(state, playhead, frame, line);
    }
    match (&ui.message, &ui.popup) {
        (Some(message), None) => frame.render_widget(Line::styled(format!(" {message}"), style(Meaning::Bad)), foot),
        _ => frame.render_widget(hints::line(state, now, ui, foot.width), foot),
    }
    popup::draw(state, ui, frame, area);
}

fn pane(pane: Pane, state: &State, now: Timestamp, ui: &UiState, frame: &mut Frame<'_>, area: Rect) {
    match pane {
        Pane::Stages => stages::draw(state, ui, frame, area),
        Pane::Gate => gate::draw(state, now, ui, frame, area),
        Pane::Log => log::draw(state, ui, frame, area),
    }
}

fn tab_line(ui: &UiState, frame: &mut Frame<'_>, area: Rect) {
    let spans: Vec<Span<'_>> = Pane::ALL
        .into_iter()
        .flat_map(|pane| {
            let meaning = if pane == ui.focus { Meaning::Selected } else { Meaning::Quiet };
            [Span::raw(" "), Span::styled(format!(" {} ", pane.title()), style(meaning))]
        })
        .collect();
    frame.render_widget(Line::from(spans), area);
}

fn header(state: &State, now: Timestamp, ui: &UiState, frame: &mut Frame<'_>, area: Rect) {
    let Some(session) = &state.session else { return };
    let mode = if ui.playhead.is_some() { "REPLAY".to_owned() } else { session.mode.to_string().to_uppercase() };
    let mut left = vec![
        Span::styled(" Lockkeeper ", style(Meaning::Title)),
        Span::styled(format!(" {mode} "), style(Meaning::Selected)),
        Span::raw(format!("  {}", session.inventory.cluster)),
    ];
    if state.paused {
        left.push(Span::styled("  PAUSED", style(Meaning::Warn)));
    }
    if state.tasks.iter().any(|task| matches!(task.phase, Phase::Failed { .. })) {
        left.push(Span::styled("  ✗ STOPPED", style(Meaning::Bad)));
    }
    if !state.undo.is_empty() {
        left.push(Span::styled("  UNDOING", style(Meaning::Warn)));
    }
    if state.unknown_events > 0 {
        left.push(Span::styled(
            format!("  {} events of a later version not shown", state.unknown_events),
            style(Meaning::Warn),
        ));
    }
    let tally = state.tally();
    let over = tally.done + tally.skipped + tally.not_needed;
    let progress = if tally.total > 0 { format!("{over} of {} tasks  ", tally.total) } else { String::new() };
    let right = format!("{progress}{} UTC ", now.strftime("%H:%M:%S"));
    frame.render_widget(Line::from(left), area);
    frame.render_widget(Line::styled(right, style(Meaning::Quiet)).right_aligned(), area);
}
