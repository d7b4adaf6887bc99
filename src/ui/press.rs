//! Keys to actions.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use tui_textarea::TextArea;

use super::keymap::{Command, command};
use super::panes::log::find;
use super::view::{Pane, Popup, UiState};
use crate::engine::gate::confirmation;
use crate::engine::{Intent, undo_chain};
use crate::model::runbook::Confirm;
use crate::model::{State, TaskId};

/// What comes of a key, beyond the screen itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UiAction {
    /// The operator asks for something.
    Submit(Intent),
    /// The operator has written another text for a file that will be pushed.
    Edit {
        /// Whose gate.
        task: TaskId,
        /// Which file.
        path: String,
        /// All of it.
        text: String,
    },
    /// Leave.
    Quit,
    /// Move the playhead.
    Playback(Command),
}

/// Takes a key in. What stays on the screen changes `ui` only.
pub fn press(state: &State, _now: Timestamp, ui: &mut UiState, key: KeyEvent) -> Option<UiAction> {
    ui.message = None;
    if ui.popup.is_some() {
        return in_popup(state, ui, key);
    }
    if state.plan.is_none() {
        ui.focus = Pane::Log;
    }
    let command = command(key, ui.playhead.is_some())?;
    match command {
        Command::Quit if state.outcome.is_some() || state.plan.is_none() || ui.playhead.is_some() => {
            return Some(UiAction::Quit);
        }
        Command::Quit => ui.popup = Some(Popup::Quit),
        Command::Help => ui.popup = Some(Popup::Help(0)),
        Command::NextPane => ui.focus = ui.focus.step(1),
        Command::PreviousPane => ui.focus = ui.focus.step(Pane::ALL.len() - 1),
        Command::Zoom => ui.zoom = !ui.zoom,
        Command::NextHost => pick_host(state, ui, 1),
        Command::PreviousHost => pick_host(state, ui, state.hosts.len().saturating_sub(1)),
        Command::Down => scroll(ui, 1),
        Command::Up => scroll(ui, -1),
        Command::PageDown => scroll(ui, 10),
        Command::PageUp => scroll(ui, -10),
        Command::Top if ui.playhead.is_some() => return Some(UiAction::Playback(Command::Top)),
        Command::Bottom if ui.playhead.is_some() => return Some(UiAction::Playback(Command::Bottom)),
        Command::Top => scroll(ui, i32::MIN / 2),
        Command::Bottom => {
            scroll(ui, i32::MAX / 2);
            // Back to wherever things go on.
            ui.host = None;
        }
        Command::Search => ui.popup = Some(Popup::Search(editor(&ui.search))),
        Command::SearchNext => search(state, ui, false),
        Command::SearchPrevious => search(state, ui, true),
        Command::Open => return open(state, ui),
        Command::Retry => return Some(UiAction::Submit(Intent::Retry { task: ui.task(state)? })),
        Command::Skip => ui.popup = Some(Popup::Skip(ui.task(state)?, editor(""))),
        Command::Edit => edit(state, ui),
        Command::Undo => {
            let (host, _) = state.hosts.get_index(ui.host_index(state))?;
            match undo_chain(state, host) {
                Ok(chain) => ui.popup = Some(Popup::Undo(host.clone(), chain)),
                Err(refusal) => ui.message = Some(refusal.to_string()),
            }
        }
        Command::Pause => return Some(UiAction::Submit(if state.paused { Intent::Continue } else { Intent::Pause })),
        Command::Note => ui.popup = Some(Popup::Note(editor(""))),
        Command::Abort => ui.popup = Some(Popup::Abort(editor(""))),
        Command::Play | Command::StepForward | Command::StepBack | Command::Faster | Command::Slower => {
            return Some(UiAction::Playback(command));
        }
    }
    None
}

/// Lays the text of the first file that will be pushed under the operator's hands.
fn edit(state: &State, ui: &mut UiState) {
    let pushes = ui.task(state).and_then(|id| Some((id, &state.task(id)?.0.pushes)));
    let Some((id, push)) = pushes.and_then(|(id, pushes)| Some((id, pushes.iter().find(|p| p.artifact.is_none())?)))
    else {
        ui.message = Some("this task writes no file that could be edited".into());
        return;
    };
    let text = push.source.as_ref().unwrap_or(&push.content);
    let mut editor = TextArea::from(text.lines());
    editor.set_line_number_style(super::theme::style(super::theme::Meaning::Quiet));
    ui.popup = Some(Popup::Edit(id, push.path.clone(), Box::new(editor)));
}

/// Opens the gate, or asks for what has to be typed first. A gate that is shut says why without asking for words.
fn open(state: &State, ui: &mut UiState) -> Option<UiAction> {
    let task = ui.task(state)?;
    let (_, step, _) = state.task(task)?;
    let gate = crate::engine::gate_view(state, task, state.now)?;
    let wants_words = matches!(confirmation(step), Confirm::Host | Confirm::Phrase(_));
    if wants_words && gate.refusal.is_none() {
        ui.popup = Some(Popup::Confirm(task, editor("")));
        return None;
    }
    Some(UiAction::Submit(Intent::OpenGate { task, typed: None, shown_ms: None }))
}

fn in_popup(state: &State, ui: &mut UiState, key: KeyEvent) -> Option<UiAction> {
    let mut popup = ui.popup.take()?;
    if key.code == KeyCode::Esc {
        return None;
    }
    match &mut popup {
        Popup::Help(down) => {
            let most = super::panes::help::lines(ui.playhead.is_some()).len() as u16;
            *down = match key.code {
                KeyCode::Down | KeyCode::Char('j') => down.saturating_add(1),
                KeyCode::Up | KeyCode::Char('k') => down.saturating_sub(1),
                KeyCode::PageDown | KeyCode::Char(' ') => down.saturating_add(10),
                KeyCode::PageUp => down.saturating_sub(10),
                _ => return None,
            }
            .min(most);
            ui.popup = Some(popup);
            return None;
        }
        Popup::Quit => return matches!(key.code, KeyCode::Char('y' | 'Y')).then_some(UiAction::Quit),
        Popup::Undo(host, _) => {
            let host = host.clone();
            return matches!(key.code, KeyCode::Char('y' | 'Y')).then_some(UiAction::Submit(Intent::Undo { host }));
        }
        Popup::Edit(task, path, input) => {
            let takes = key.code == KeyCode::Char('s') && key.modifiers.contains(KeyModifiers::CONTROL);
            let done = takes.then(|| UiAction::Edit {
                task: *task,
                path: path.clone(),
                text: input.lines().join("\n") + "\n",
            });
            if done.is_none() {
                input.input(key);
            }
            ui.popup = Some(popup);
            return done;
        }
        Popup::Confirm(_, input)
        | Popup::Skip(_, input)
        | Popup::Note(input)
        | Popup::Abort(input)
        | Popup::Search(input) => {
            if key.code != KeyCode::Enter {
                input.input(key);
                ui.popup = Some(popup);
                return None;
            }
        }
    }
    let typed = |input: &TextArea<'_>| input.lines().join(" ").trim().to_owned();
    let intent = match &popup {
        Popup::Confirm(task, input) => {
            let typed = typed(input);
            if let Some(message) = mismatch(state, *task, &typed) {
                ui.message = Some(message);
                ui.popup = Some(popup);
                return None;
            }
            Intent::OpenGate { task: *task, typed: Some(typed), shown_ms: None }
        }
        Popup::Skip(task, input) => Intent::Skip { task: *task, reason: typed(input) },
        Popup::Note(input) => Intent::Note { text: typed(input) },
        Popup::Abort(input) => Intent::Abort { reason: typed(input) },
        Popup::Search(input) => {
            ui.search = typed(input);
            ui.focus = Pane::Log;
            ui.log_scroll = 0;
            if let Some((_, host)) = state.hosts.get_index(ui.host_index(state)) {
                let last = host.log.lines().back().is_some_and(|line| line.text.contains(&ui.search));
                ui.log_scroll = if last { 0 } else { find(&host.log, &ui.search, 0, true).unwrap_or_default() };
            }
            return None;
        }
        Popup::Help(_) | Popup::Quit | Popup::Undo(..) | Popup::Edit(..) => return None,
    };
    Some(UiAction::Submit(intent))
}

/// What is wrong with the typed words. The engine decides in the end; this keeps the popup open for another try.
fn mismatch(state: &State, task: crate::model::TaskId, typed: &str) -> Option<String> {
    let (task, step, _) = state.task(task)?;
    let asked = match confirmation(step) {
        Confirm::None | Confirm::Enter => return None,
        Confirm::Host => task.host.to_string(),
        Confirm::Phrase(phrase) => phrase,
    };
    (typed != asked).then(|| format!("`{typed}` is not `{asked}`"))
}

pub(super) fn editor(text: &str) -> Box<TextArea<'static>> {
    let mut editor = TextArea::new(vec![text.to_owned()]);
    editor.set_cursor_line_style(ratatui::style::Style::new());
    editor.move_cursor(tui_textarea::CursorMove::End);
    Box::new(editor)
}

fn pick_host(state: &State, ui: &mut UiState, by: usize) {
    if !state.hosts.is_empty() {
        ui.host = Some((ui.host_index(state) + by) % state.hosts.len());
        ui.log_scroll = 0;
    }
}

fn scroll(ui: &mut UiState, by: i32) {
    match ui.focus {
        Pane::Stages => {}
        Pane::Gate => ui.gate_scroll = (i32::from(ui.gate_scroll) + by).clamp(0, 10_000) as u16,
        Pane::Log => ui.log_scroll = (ui.log_scroll as i64 - i64::from(by)).clamp(0, 1_000_000) as usize,
    }
}

fn search(state: &State, ui: &mut UiState, forward: bool) {
    let Some((_, host)) = state.hosts.get_index(ui.host_index(state)) else { return };
    // In a log the newest stands last: the next place is further up.
    match find(&host.log, &ui.search, ui.log_scroll, !forward) {
        Some(scroll) => ui.log_scroll = scroll,
        None if ui.search.is_empty() => ui.message = Some("search for something first (/)".into()),
        None => ui.message = Some(format!("no more `{}`", ui.search)),
    }
}
