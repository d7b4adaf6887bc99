//! What lies over the screen and wants an answer.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Text};
use ratatui::widgets::{Clear, Paragraph, Wrap};
use tui_textarea::TextArea;

use super::frame as framed;
use crate::engine::changed;
use crate::engine::gate::confirmation;
use crate::model::runbook::Confirm;
use crate::model::{State, TaskId};
use crate::ui::theme::{Meaning, style};
use crate::ui::view::{Popup, UiState};

/// Draws the popup, if there is one.
pub fn draw(state: &State, ui: &UiState, frame: &mut Frame<'_>, area: Rect) {
    let Some(popup) = &ui.popup else { return };
    match popup {
        Popup::Help(down) => super::help::draw(ui.playhead.is_some(), *down, frame, area),
        Popup::Confirm(task, input) => ask("Open this gate", &confirm_text(state, *task), input, ui, frame, area),
        Popup::Skip(task, input) => {
            let text = format!("Pass {} over. Why? The journal keeps it.", label(state, *task));
            ask("Skip", &text, input, ui, frame, area);
        }
        Popup::Edit(task, path, input) => {
            let title = format!("{path} of {}", label(state, *task));
            edit(&title, input, ui, frame, area);
        }
        Popup::Note(input) => ask("Note", "The journal keeps it.", input, ui, frame, area),
        Popup::Abort(input) => ask("End the session for good", "Hosts stay as they are. Why?", input, ui, frame, area),
        Popup::Search(input) => ask("Search the log", "", input, ui, frame, area),
        Popup::Undo(host, chain) => {
            let mut lines = vec![Line::raw(format!("Take these back on {host}, the last one first:"))];
            let tasks: Vec<TaskId> = changed(state, chain).collect();
            lines.extend(tasks.iter().rev().map(|id| Line::raw(format!("  · {}", label(state, *id)))));
            tell("Undo", lines, "y takes them back    Esc does not", frame, area);
        }
        Popup::Quit => {
            let running = state.task_ids().filter(|id| state.tasks[id.index()].phase.is_under_way()).count();
            let mut lines = Vec::new();
            if state.outcome.is_none() && state.plan.is_some() {
                lines.push(Line::raw("The session is not finished. `lockkeeper resume` goes on from here."));
                if running > 0 {
                    lines.push(Line::styled(
                        format!("{running} under way: what runs on hosts goes on without you."),
                        style(Meaning::Warn),
                    ));
                }
            } else {
                lines.push(Line::raw("Nothing is under way."));
            }
            tell("Leave", lines, "y leaves    Esc stays", frame, area);
        }
    }
}

fn label(state: &State, task: TaskId) -> String {
    state.plan.as_ref().map(|plan| plan.label(task)).unwrap_or_default()
}

/// What has to be typed, and what hangs on it.
fn confirm_text(state: &State, id: TaskId) -> String {
    let Some((task, step, _)) = state.task(id) else { return String::new() };
    let mut text = format!("{}\n", label(state, id));
    if let Some(destroys) = &step.destroys {
        text += &format!("It destroys: {}\n", destroys.trim());
    }
    if let Some(why) = &step.point_of_no_return {
        text += &format!("There is no way back: {}\n", why.trim());
    }
    if step.reboots {
        text += &format!("{} reboots.\n", task.host);
    }
    text + &match confirmation(step) {
        Confirm::None | Confirm::Enter => "Press Enter.".to_owned(),
        Confirm::Host => format!("Type the host's name, {}, to open.", task.host),
        Confirm::Phrase(phrase) => format!("Type `{phrase}` to open."),
    }
}

/// A whole text, with what is wrong with it below.
fn edit(title: &str, input: &TextArea<'_>, ui: &UiState, frame: &mut Frame<'_>, area: Rect) {
    let area = centred(area, area.width.saturating_sub(4), area.height.saturating_sub(2));
    let block = framed(title, true).title_bottom(" Ctrl-S takes it    Esc does not ");
    let inner = block.inner(area);
    frame.render_widget(Clear, area);
    frame.render_widget(block, area);
    let wrong: Vec<Line<'_>> = ui
        .message
        .iter()
        .flat_map(|message| message.lines())
        .take(8)
        .map(|line| Line::styled(line.to_owned(), style(Meaning::Bad)))
        .collect();
    let below = (wrong.len() as u16).min(inner.height / 2);
    frame.render_widget(input, Rect { height: inner.height - below, ..inner });
    let y = inner.bottom() - below;
    frame.render_widget(Paragraph::new(wrong), Rect { y, height: below, ..inner });
}

fn ask(title: &str, text: &str, input: &TextArea<'_>, ui: &UiState, frame: &mut Frame<'_>, area: Rect) {
    let mut lines: Vec<Line<'_>> = text.lines().map(Line::raw).collect();
    if let Some(message) = &ui.message {
        lines.push(Line::styled(message.clone(), style(Meaning::Bad)));
    }
    let paragraph = Paragraph::new(Text::from(lines)).wrap(Wrap { trim: false });
    let width = area.width.min(78);
    let rows = paragraph.line_count(width.saturating_sub(4)) as u16;
    let area = centred(area, width, rows + 5);
    let block = framed(title, true).title_bottom(" Enter takes it    Esc does not ");
    let inner = block.inner(area);
    frame.render_widget(Clear, area);
    frame.render_widget(block, area);
    let text_area = Rect { height: rows.min(inner.height.saturating_sub(2)), ..inner };
    frame.render_widget(paragraph, text_area);
    let y = (text_area.bottom() + 1).min(inner.bottom().saturating_sub(1));
    frame.render_widget(Line::styled("> ", style(Meaning::Active)), Rect { y, height: 1, width: 2, ..inner });
    let field = Rect { x: inner.x + 2, y, width: inner.width.saturating_sub(2), height: 1 };
    frame.render_widget(input, field);
}

fn tell(title: &str, lines: Vec<Line<'_>>, keys: &'static str, frame: &mut Frame<'_>, area: Rect) {
    let area = centred(area, 78, lines.len() as u16 + 2);
    frame.render_widget(Clear, area);
    let block = framed(title, true).title_bottom(format!(" {keys} "));
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(block), area);
}

/// An area of that size in the middle of another, no larger than it.
#[must_use]
pub fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}
