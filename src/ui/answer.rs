//! What is typed into a popup, and what comes of it. A popup closes when what it asks for was done, or when the operator
//! closes it: what was typed is never thrown away unasked.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use tui_textarea::TextArea;

use super::hand::{Readiness, SHOWN_FOR};
use super::keymap::Command;
use super::light::light;
use super::panes::grid::{matches, visible};
use super::panes::palette::{Entry, found, no_match};
use super::press::{UiAction, execute, turned};
use super::reading::Reading;
use super::view::{Popup, UiState};
use crate::engine::{Intent, confirmation};
use crate::model::runbook::Confirm;
use crate::model::{State, TaskId};

/// Out of the popup, or, asked above whatever was being typed, out of the program.
fn leave(ui: &mut UiState, popup_only: bool) {
    if popup_only {
        close(ui);
    } else if !matches!(ui.popups.last(), Some(Popup::Quit)) {
        ui.popup(Popup::Quit);
    }
}

/// Takes a key into the topmost popup.
pub(super) fn in_popup(state: &State, now: Timestamp, ui: &mut UiState, key: KeyEvent) -> Option<UiAction> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    if control && key.code == KeyCode::Char('c') || key.code == KeyCode::Esc {
        leave(ui, key.code == KeyCode::Esc);
        return None;
    }
    let sure = ui.at.saturating_sub(ui.popup_since) >= SHOWN_FOR;
    let in_field = ui.popups.last_mut().is_some_and(|popup| popup.field().is_some());
    if Reading::moves(key.code, in_field) && ui.popups.last_mut().is_some_and(|popup| popup.reading().is_some()) {
        let page = !matches!(key.code, KeyCode::Up | KeyCode::Down | KeyCode::Char('j' | 'k'));
        if !page || turned(ui) {
            ui.popups.last_mut().and_then(Popup::reading).into_iter().for_each(|reading| reading.go(key.code));
            ui.notice = None;
        }
        return None;
    }
    match ui.popups.last_mut()? {
        Popup::Help(down) | Popup::Card(_, down) => {
            if !paged(down, key.code) {
                ui.close_popup();
            }
            None
        }
        // Leaving harms nothing and can be resumed: a quick hand is not held up, unless what was typed would be lost.
        Popup::Quit => match yes(key, sure || ui.popups.iter().all(|popup| !popup.holds_words())) {
            Some(true) => Some(UiAction::Quit),
            Some(false) => too_fast(ui, "y"),
            None => y_or_esc(ui, key),
        },
        Popup::Discard => match yes(key, sure) {
            Some(true) => {
                ui.popups.pop();
                ui.close_popup();
                None
            }
            Some(false) => too_fast(ui, "y"),
            None => y_or_esc(ui, key),
        },
        Popup::End(task) => {
            let intent = Intent::EndJob { task: *task };
            match yes(key, sure) {
                Some(true) => Some(UiAction::Submit(intent)),
                Some(false) => too_fast(ui, "y"),
                None => y_or_esc(ui, key),
            }
        }
        Popup::Undo { host, input: None, reading, .. } => {
            let (intent, readiness) = (Intent::Undo { host: host.clone() }, reading.readiness(ui.at));
            match (yes(key, sure), readiness) {
                (None, _) => y_or_esc(ui, key),
                (Some(true), Readiness::Ready(_)) => Some(UiAction::Submit(intent)),
                (Some(_), Readiness::Unread(_) | Readiness::Unseen) => unread(ui),
                (Some(_), Readiness::TooSoon | Readiness::Ready(_)) => too_fast(ui, "y"),
            }
        }
        Popup::Edit { task, path, input, .. } => {
            if control && key.code == KeyCode::Char('s') {
                let text = input.lines().join("\n") + "\n";
                return Some(UiAction::Edit { task: *task, path: path.clone(), text });
            }
            write(input, key);
            None
        }
        Popup::SetVar(setting) => {
            if key.code == KeyCode::Enter && !sure {
                return too_fast(ui, "Enter");
            }
            let action = setting.press(key, write);
            ui.notice = None;
            action
        }
        Popup::Palette(_, at) if matches!(key.code, KeyCode::Up | KeyCode::Down) => {
            *at = if key.code == KeyCode::Down { at.saturating_add(1) } else { at.saturating_sub(1) };
            None
        }
        Popup::Palette(input, at) if key.code == KeyCode::Enter => {
            let (wanted, at) = (words(input), *at);
            chosen(state, now, ui, &wanted, at)
        }
        _ if key.code == KeyCode::Enter => {
            if !sure && !matches!(ui.popups.last(), Some(Popup::Search(_) | Popup::Filter(_))) {
                return too_fast(ui, "Enter");
            }
            entered(state, ui)
        }
        popup => {
            if let Some(input) = popup.field() {
                match key.code {
                    // An end of line in a field of one line is a blank, and a tab is none at all.
                    KeyCode::Char('j' | 'm') if control => input.insert_char(' '),
                    KeyCode::Tab | KeyCode::BackTab => {}
                    _ => write(input, key),
                }
            }
            if let Some(Popup::Palette(_, at)) = ui.popups.last_mut() {
                *at = 0;
            }
            ui.notice = None;
            typed(state, ui);
            None
        }
    }
}

/// Does what the palette's lit line says: the one at that place among those that match the words.
fn chosen(state: &State, now: Timestamp, ui: &mut UiState, wanted: &str, at: usize) -> Option<UiAction> {
    let entries = found(state, ui, wanted);
    let Some(entry) = entries.get(at.min(entries.len().saturating_sub(1))).cloned() else {
        ui.say(no_match(wanted));
        return None;
    };
    let vouched = ui.vouched.take();
    ui.close_popup();
    match entry {
        Entry::Command(row) => {
            // What asks once more by a popup of its own may act on what was looked at before this one was opened.
            let asks =
                matches!(row.command, Command::End | Command::Skip | Command::Edit | Command::SetVar | Command::Undo);
            ui.vouched = vouched.filter(|_| asks);
            let action = execute(state, now, ui, row.command);
            ui.vouched = None;
            action
        }
        Entry::Host(host) => {
            light(ui, host);
            None
        }
    }
}

/// What is looked for and what hosts are chosen by hold while they are typed.
pub(super) fn typed(state: &State, ui: &mut UiState) {
    match ui.popups.last() {
        Some(Popup::Search(input)) => {
            let wanted = words(input);
            if let Some((name, host)) = state.hosts.get_index(ui.look.lit) {
                ui.logs.look_for(name, &host.log, &wanted);
            }
            ui.focus = super::view::Pane::Log;
        }
        Some(Popup::Filter(input)) => {
            ui.filter = words(input);
            // Where the filter leaves hosts but not the lit one, the first of them is lit.
            let look = ui.look.clone();
            if !matches(state, ui, &look, state.now, look.lit) {
                let hosts = visible(state, ui, &look, state.now);
                let first = hosts.into_iter().find(|index| *index != look.lit);
                if let Some((name, _)) = first.and_then(|index| state.hosts.get_index(index)) {
                    light(ui, name.clone());
                }
            }
        }
        _ => {}
    }
}

/// Enter in a field of one line.
fn entered(state: &State, ui: &mut UiState) -> Option<UiAction> {
    match ui.popups.last_mut()?.reading().map(|reading| reading.readiness(ui.at)) {
        Some(Readiness::Unread(_) | Readiness::Unseen) => return unread(ui),
        Some(Readiness::TooSoon) => return too_fast(ui, "Enter"),
        Some(Readiness::Ready(_)) | None => {}
    }
    let intent = match ui.popups.last_mut()? {
        Popup::Confirm(task, input, shown_ms) => {
            let (task, typed, shown_ms) = (*task, words(input), Some(*shown_ms));
            if let Some(wrong) = mismatch(state, task, &typed) {
                ui.refused(wrong);
                return None;
            }
            Intent::OpenGate { task, typed: Some(typed), shown_ms, together: None }
        }
        Popup::OpenAll { read, shown_ms, tasks, input, reading } => {
            let (read, shown_ms, tasks, typed) = (*read, *shown_ms, tasks.clone(), words(input));
            let Readiness::Ready(here) = reading.readiness(ui.at) else { return None };
            if typed != tasks.len().to_string() {
                ui.refused(format!("`{typed}` is not {}, the number of gates", tasks.len()));
                return None;
            }
            let together = Some(tasks.len());
            // What runs on the others was shown here, beside the one that was shown at its gate.
            let shown = |task| if task == read { shown_ms } else { here.as_millis() as u64 };
            let open =
                |task| Intent::OpenGate { task, typed: Some(typed.clone()), shown_ms: Some(shown(task)), together };
            return Some(UiAction::SubmitAll(tasks.into_iter().map(open).collect()));
        }
        Popup::Undo { host, input: Some(input), .. } => {
            let (host, typed) = (host.clone(), words(input));
            if typed != host.as_str() {
                ui.refused(format!("`{typed}` is not `{host}`"));
                return None;
            }
            Intent::Undo { host }
        }
        Popup::Skip(task, input) => Intent::Skip { task: *task, reason: words(input) },
        Popup::Note(input) => Intent::Note { text: words(input) },
        Popup::Abort(input) => Intent::Abort { reason: words(input) },
        _ => return closed(ui),
    };
    Some(UiAction::Submit(intent))
}

/// What is wrong with the typed words. The engine decides in the end; this keeps the popup open for another try.
fn mismatch(state: &State, task: TaskId, typed: &str) -> Option<String> {
    let (task, step, _) = state.task(task)?;
    let asked = match confirmation(step) {
        Confirm::None | Confirm::Enter => return None,
        Confirm::Host => task.host.to_string(),
        Confirm::Phrase(phrase) => phrase,
    };
    let wrong =
        || if typed.is_empty() { format!("type `{asked}` first") } else { format!("`{typed}` is not `{asked}`") };
    (typed != asked).then(wrong)
}

fn words(input: &TextArea<'_>) -> String {
    input.lines().join(" ").trim().to_owned()
}

/// A key into a field. Ctrl-U clears up to the cursor, as it does in every shell.
fn write(input: &mut TextArea<'static>, key: KeyEvent) {
    if key.modifiers == KeyModifiers::CONTROL && key.code == KeyCode::Char('u') {
        input.delete_line_by_head();
    } else {
        input.input(key);
    }
}

/// Esc: one step back. What was typed is thrown away only when that was asked.
fn close(ui: &mut UiState) {
    let holds = ui.popups.last().is_some_and(Popup::holds_words);
    if holds {
        ui.popup(Popup::Discard);
        return;
    }
    match ui.popups.last() {
        Some(Popup::Search(_)) => ui.logs.search.clear(),
        Some(Popup::Filter(_)) => ui.filter.clear(),
        _ => {}
    }
    ui.close_popup();
    ui.notice = None;
}

fn closed(ui: &mut UiState) -> Option<UiAction> {
    ui.close_popup();
    ui.notice = None;
    None
}

/// A question is answered with y, n or Esc; any other key is no answer.
fn y_or_esc(ui: &mut UiState, key: KeyEvent) -> Option<UiAction> {
    if matches!(key.code, KeyCode::Char('n' | 'N')) {
        return closed(ui);
    }
    ui.say("y or Esc");
    None
}

/// What was not read to its end is not agreed to.
fn unread(ui: &mut UiState) -> Option<UiAction> {
    ui.say("there is more of it below: PgDn reads on");
    None
}

/// What is answered in the same breath as it is asked was not read.
fn too_fast(ui: &mut UiState, key: &str) -> Option<UiAction> {
    ui.refused(format!("that was fast: read this, then press {key} again"));
    None
}

/// Whether a key says yes; and whether the question has been on the screen long enough for that.
fn yes(key: KeyEvent, sure: bool) -> Option<bool> {
    (matches!(key.code, KeyCode::Char('y' | 'Y')) && !key.modifiers.contains(KeyModifiers::CONTROL)).then_some(sure)
}

/// Scrolls a text; whether the key was one for that.
fn paged(down: &mut u16, code: KeyCode) -> bool {
    *down = match code {
        KeyCode::Down | KeyCode::Char('j') => down.saturating_add(1),
        KeyCode::Up | KeyCode::Char('k') => down.saturating_sub(1),
        KeyCode::PageDown | KeyCode::Char(' ') => down.saturating_add(10),
        KeyCode::PageUp => down.saturating_sub(10),
        _ => return false,
    };
    true
}
