//! The whole screen, put together from its panes.

use std::rc::Rc;

use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::hints;
use super::keymap::Command;
use super::look::Look;
use super::mouse::Spot;
use super::page::{Page, cut};
use super::panes::{gate, grid, header, log, notes, popup, steps, timeline};
use super::theme::{Meaning, style};
use super::view::{Pane, Tiles, UiState};
use crate::model::State;

/// Smaller than this nothing can be read, so nothing is drawn.
const LEAST: (u16, u16) = (60, 16);

/// From this size on the panes stand beside each other.
const WIDE: (u16, u16) = (110, 30);

/// From this size on they stand in three columns.
const WIDEST: (u16, u16) = (180, 40);

/// Draws a state, as the operator looks at it.
pub fn draw(state: &State, now: Timestamp, ui: &mut UiState, frame: &mut Frame<'_>) {
    let look = Rc::new(Look::of(state, ui, now));
    ui.settle(state, look.clone());
    ui.spots.clear();
    let area = frame.area();
    let blind = area.width < LEAST.0 || area.height < LEAST.1;
    if ui.blind && !blind {
        ui.wake();
    }
    ui.blind = blind;
    if blind {
        ui.hand.hidden();
        let text = format!(
            "This window is {}x{}. Lockkeeper needs {}x{} at least. Nothing is lost: make it larger, or leave with Ctrl-C.",
            area.width, area.height, LEAST.0, LEAST.1
        );
        frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
        return;
    }
    let said_rows = said(ui, area.width).len().max(1) as u16;
    let [top, body, play, notice, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(8),
        Constraint::Length(ui.playhead.as_ref().map_or(0, |playhead| timeline::height(playhead, area.width))),
        Constraint::Length(said_rows),
        Constraint::Length(1),
    ])
    .areas(area);
    header::draw(state, now, ui, &look, frame, top);
    Body { state, now, look: &look }.draw(ui, frame, body);
    if let Some(playhead) = &ui.playhead {
        timeline::draw(state, playhead, frame, play);
    }
    frame.render_widget(Paragraph::new(said(ui, area.width)), notice);
    let (line, places) = hints::line(state, ui, keys.width);
    frame.render_widget(line, keys);
    for (x, width, command) in places {
        ui.spots.add(Rect { x: keys.x + x, width, ..keys }, Spot::Button(command));
    }
    popup::draw(state, now, ui, frame, area);
    if let Some((from, to)) = ui.spots.drag.filter(|(from, to)| from != to) {
        super::copy::mark(frame.buffer_mut(), from, to);
    }
}

/// So many lines a notice has at most.
const SAID: usize = 2;

/// What was said to the operator, on lines of its own.
fn said(ui: &UiState, width: u16) -> Vec<Line<'static>> {
    let Some(notice) = ui.notice.as_ref().filter(|_| ui.popups.is_empty()) else { return Vec::new() };
    let meaning = if notice.is_refusal() { Meaning::Bad } else { Meaning::Active };
    let width = width.saturating_sub(2);
    let text = cut(&notice.text.replace('\n', " "), SAID * usize::from(width));
    let mut page = Page::default();
    page.say(text);
    let rows: Vec<String> = page.rows(width).iter().map(|row| row.text.to_string()).collect();
    let (first, last) = rows.split_at(rows.len().min(SAID - 1));
    // Words are kept whole, so that what is left may be longer than a line.
    let last = cut(&last.concat(), usize::from(width));
    let lines = first.iter().chain(Some(&last).filter(|last| !last.is_empty()));
    lines.map(|line| Line::styled(format!(" {line}"), style(meaning))).collect()
}

/// What the panes are drawn from.
struct Body<'s> {
    state: &'s State,
    now: Timestamp,
    look: &'s Look,
}

impl Body<'_> {
    fn draw(&self, ui: &mut UiState, frame: &mut Frame<'_>, area: Rect) {
        let hosts = self.state.hosts.len() as u16;
        let fits = |least: (u16, u16)| frame.area().width >= least.0 && frame.area().height >= least.1;
        if self.state.plan.is_none() {
            // Nothing to walk through: the grid and a log are all there is to see.
            ui.hand.hidden();
            ui.focus = Pane::Log;
            let [above, below] =
                Layout::vertical([Constraint::Length((hosts + 1).min(area.height * 2 / 3)), Constraint::Min(5)])
                    .areas(area);
            self.grid(ui, frame, above);
            self.pane(Pane::Log, ui, frame, below);
        } else if ui.zoom {
            let [above, below] =
                Layout::vertical([Constraint::Length(hosts.min(3) + 1), Constraint::Min(5)]).areas(area);
            self.grid(ui, frame, above);
            self.tabs(ui, frame, below);
        } else if fits(WIDEST) {
            self.three_columns(ui, frame, area, hosts);
        } else if fits(WIDE) {
            self.beside(ui, frame, area, hosts);
        } else {
            let [above, below] =
                Layout::vertical([Constraint::Length(hosts.min(3) + 1), Constraint::Min(5)]).areas(area);
            self.grid(ui, frame, above);
            self.tabs(ui, frame, below);
        }
    }

    fn three_columns(&self, ui: &mut UiState, frame: &mut Frame<'_>, area: Rect, hosts: u16) {
        let [grid, rest] =
            Layout::vertical([Constraint::Length((hosts + 1).min(area.height / 3)), Constraint::Min(12)]).areas(area);
        let [steps, middle, right] =
            Layout::horizontal([Constraint::Percentage(26), Constraint::Percentage(37), Constraint::Fill(1)])
                .areas(rest);
        let [log, notes] = Layout::vertical([Constraint::Fill(4), Constraint::Length(8)]).areas(right);
        self.grid(ui, frame, grid);
        self.pane(Pane::Steps, ui, frame, steps);
        self.pane(Pane::Gate, ui, frame, middle);
        self.pane(Pane::Log, ui, frame, log);
        notes::draw(self.state, frame, notes);
    }

    fn beside(&self, ui: &mut UiState, frame: &mut Frame<'_>, area: Rect, hosts: u16) {
        let [grid, rest] =
            Layout::vertical([Constraint::Length((hosts + 1).min(area.height / 4).max(4)), Constraint::Min(12)])
                .areas(area);
        // The gate has what it needs; the log takes what is left, and more where many are shown.
        let log = if ui.tiles == Tiles::Lit { rest.height * 2 / 7 } else { rest.height / 2 };
        let [upper, lower] = Layout::vertical([Constraint::Fill(1), Constraint::Length(log.max(6))]).areas(rest);
        let [left, right] = Layout::horizontal([Constraint::Percentage(35), Constraint::Fill(1)]).areas(upper);
        self.grid(ui, frame, grid);
        self.pane(Pane::Steps, ui, frame, left);
        self.pane(Pane::Gate, ui, frame, right);
        self.pane(Pane::Log, ui, frame, lower);
    }

    /// One pane, and the names of the others.
    fn tabs(&self, ui: &mut UiState, frame: &mut Frame<'_>, area: Rect) {
        let [line, rest] = Layout::vertical([Constraint::Length(1), Constraint::Min(4)]).areas(area);
        let mut x = line.x + 1;
        for pane in Pane::ALL {
            let text = format!(" {} ", pane.title());
            let place = Rect { x, width: (text.len() as u16).min(line.right().saturating_sub(x)), ..line };
            let meaning = if pane == ui.focus { Meaning::Selected } else { Meaning::Quiet };
            frame.render_widget(Span::styled(text, style(meaning)), place);
            ui.spots.add(place, Spot::Pane(pane));
            x += place.width + 1;
        }
        let next = super::chord::keys(Command::NextPane).first().map(ToString::to_string).unwrap_or_default();
        let place = Rect { x, width: (next.len() as u16).min(line.right().saturating_sub(x)), ..line };
        frame.render_widget(Span::styled(next, style(Meaning::Active)), place);
        ui.spots.add(place, Spot::Button(Command::NextPane));
        if ui.focus != Pane::Gate {
            ui.hand.hidden();
        }
        self.pane(ui.focus, ui, frame, rest);
    }

    fn grid(&self, ui: &mut UiState, frame: &mut Frame<'_>, area: Rect) {
        grid::draw(self.state, self.now, ui, self.look, frame, area);
    }

    fn pane(&self, pane: Pane, ui: &mut UiState, frame: &mut Frame<'_>, area: Rect) {
        match pane {
            Pane::Steps => steps::draw(self.state, self.now, ui, self.look, frame, area),
            Pane::Gate => gate::draw(self.state, self.now, ui, self.look, frame, area),
            Pane::Log => log::draw(self.state, ui, self.look, frame, area),
        }
    }
}
