//! Keys, pastes and the mouse to actions. What changes something acts on what was drawn last, and on nothing else.

use std::time::Duration;

use crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use jiff::Timestamp;
use tui_textarea::TextArea;

use super::answer::in_popup;
use super::chord::command;
use super::hand::{Readiness, SHOWN_FOR};
use super::keymap::{Command, Group, row_of};
use super::light::{go_there, light, move_light, peek};
use super::mouse::{Asked, Spot};
use super::notice::Notice;
use super::panes::gate::{unread_row, writes};
use super::reading::Reading;
use super::setting::Setting;
use super::view::{Field, Pane, Popup, Tiles, UiState};
use crate::engine::{Intent, Standing, confirmation, decide, undo_chain};
use crate::model::runbook::Confirm;
use crate::model::{HostName, State, TaskId};

/// What comes of an input, beyond the screen itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UiAction {
    /// The operator asks for something.
    Submit(Intent),
    /// The operator asks for each of these; what is refused stays as it is.
    SubmitAll(Vec<Intent>),
    /// The operator has written another text for a file that will be pushed.
    Edit {
        /// Whose gate.
        task: TaskId,
        /// Which file.
        path: String,
        /// All of it.
        text: String,
    },
    /// The operator gives a variable another value.
    Set {
        /// At whose gate.
        task: TaskId,
        /// Which variable.
        name: String,
        /// What it shall be.
        value: String,
        /// Why.
        reason: String,
    },
    /// Leave.
    Quit,
    /// Move the playhead.
    Playback(Command),
}

/// Takes an input in. What stays on the screen changes `ui` only.
pub fn press(state: &State, now: Timestamp, ui: &mut UiState, input: &Input) -> Option<UiAction> {
    match input {
        Input::Key(key) if key.kind != KeyEventKind::Release => {
            let control = key.modifiers.contains(KeyModifiers::CONTROL);
            if ui.blind {
                return (control && key.code == KeyCode::Char('c')).then_some(UiAction::Quit);
            }
            if ui.popups.is_empty() {
                if strays(ui, *key) {
                    return None;
                }
                let command = command(*key, ui.playhead.is_some());
                return if key.code == KeyCode::Esc { back(ui) } else { execute(state, now, ui, command?) };
            }
            in_popup(state, now, ui, *key)
        }
        _ if ui.blind => None,
        Input::Paste(text) => {
            paste(state, ui, text);
            None
        }
        Input::Mouse(event) => match ui.spots.take(*event)? {
            _ if !ui.popups.is_empty() => None,
            Asked::Click(spot) => click(state, now, ui, spot),
            Asked::Scroll(pane, by) => {
                scroll(state, ui, pane, by);
                None
            }
        },
        _ => None,
    }
}

/// Letters that come faster than a hand types them, in a burst: a paste, or an answer of the terminal.
const BURST: Duration = Duration::from_millis(12);

/// Whether a key is no command: typed on after a refusal, or part of something that nobody typed.
fn strays(ui: &mut UiState, key: KeyEvent) -> bool {
    let letter = matches!(key.code, KeyCode::Char(_) | KeyCode::Enter | KeyCode::Backspace | KeyCode::Delete);
    if !letter || key.modifiers.contains(KeyModifiers::CONTROL) {
        return false;
    }
    if ui.hand.is_deaf(ui.at) {
        return true;
    }
    // What a terminal answers begins with Esc and a bracket, which arrives as a letter with Alt.
    let unbound = key.modifiers.contains(KeyModifiers::ALT) && command(key, ui.playhead.is_some()).is_none();
    let burst = ui.typed > Duration::ZERO && ui.at.saturating_sub(ui.typed) < BURST;
    ui.typed = ui.at;
    if unbound || burst {
        ui.hand.deafen(ui.at);
    }
    unbound || burst
}

/// A paste goes into a field, and nowhere else.
fn paste(state: &State, ui: &mut UiState, text: &str) {
    let many = matches!(ui.popups.last(), Some(Popup::Edit { .. }));
    match ui.popups.last_mut().and_then(Popup::field) {
        Some(field) => {
            let text = if many {
                text.replace("\r\n", "\n").replace('\r', "\n")
            } else {
                text.replace(['\n', '\r', '\t'], " ")
            };
            field.insert_str(text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect::<String>());
            super::answer::typed(state, ui);
        }
        None => ui.refused("what was pasted went nowhere: there is no field to paste it into".into()),
    }
}

/// Esc goes one step back, and never destroys anything.
fn back(ui: &mut UiState) -> Option<UiAction> {
    if ui.focus == Pane::Log && !ui.logs.search.is_empty() {
        ui.logs.search.clear();
    } else if ui.peek.take().is_some() {
        ui.gate_scroll = 0;
    } else if !ui.filter.is_empty() {
        // Before the light goes back to where things go on, which may be a host that is filtered out.
        ui.filter.clear();
    } else if ui.host.take().is_some() {
        ui.gate_scroll = 0;
    } else if ui.zoom {
        ui.zoom = false;
    }
    ui.notice = None;
    None
}

fn click(state: &State, now: Timestamp, ui: &mut UiState, spot: Spot) -> Option<UiAction> {
    match spot {
        Spot::Pane(pane) => ui.focus = pane,
        Spot::Host(host) => light(ui, host),
        Spot::Step(id) => {
            ui.peek = Some(id);
            (ui.gate_scroll, ui.focus) = (0, Pane::Gate);
        }
        Spot::Button(command) => {
            let changes = row_of(command).is_some_and(|row| matches!(row.group, Group::Gate | Group::Session));
            let again = ui.clicked.take().is_some_and(|(other, at)| {
                other == command && ui.at.saturating_sub(at) < Duration::from_secs(4) && ui.at > at + SHOWN_FOR
            });
            // A click may only have meant to light the terminal's window.
            if changes && !again {
                ui.clicked = Some((command, ui.at));
                ui.say("click once more to do it");
                return None;
            }
            return execute(state, now, ui, command);
        }
    }
    None
}

/// Does what a key of the table asks.
pub(super) fn execute(state: &State, now: Timestamp, ui: &mut UiState, command: Command) -> Option<UiAction> {
    if !matches!(command, Command::Open) {
        ui.notice = None;
    }
    match command {
        Command::Quit if state.outcome.is_some() || state.plan.is_none() || ui.playhead.is_some() => {
            return Some(UiAction::Quit);
        }
        Command::Quit => ui.popup(Popup::Quit),
        Command::Help => ui.popup(Popup::Help(0)),
        Command::Palette => ui.popup(Popup::Palette(editor(""), 0)),
        Command::NextPane => ui.focus = ui.focus.step(1),
        Command::PreviousPane => ui.focus = ui.focus.step(Pane::ALL.len() - 1),
        Command::Zoom => ui.zoom = !ui.zoom,
        Command::NextHost => move_light(state, now, ui, 1),
        Command::PreviousHost => move_light(state, now, ui, -1),
        Command::GoThere => go_there(state, ui),
        Command::Follow => {
            (ui.host, ui.peek, ui.gate_scroll) = (None, None, 0);
        }
        Command::Card => {
            if let Some(host) = ui.look.host.clone() {
                ui.popup(Popup::Card(host, 0));
            }
        }
        Command::Filter => ui.popup(Popup::Filter(editor(&ui.filter.clone()))),
        Command::Sort => {
            ui.sort = ui.sort.next();
            ui.say(format!("hosts ordered {}", ui.sort.word()));
        }
        Command::Tiles => {
            ui.tiles = match ui.tiles {
                Tiles::Lit => Tiles::AtWork,
                Tiles::AtWork => Tiles::All,
                Tiles::All => Tiles::Lit,
            };
            let shown = match ui.tiles {
                Tiles::Lit => "the log of the lit host",
                Tiles::AtWork if state.under_way().next().is_none() => "nobody is at work: the log of the lit host",
                Tiles::AtWork => "a log for each host at work",
                Tiles::All => "a log for each host",
            };
            ui.focus = Pane::Log;
            ui.say(shown);
        }
        Command::AllChecks => ui.all_checks = !ui.all_checks,
        Command::StepAhead => peek(state, ui, 1),
        Command::StepBehind => peek(state, ui, -1),
        Command::Down => scroll(state, ui, ui.focus, 1),
        Command::Up => scroll(state, ui, ui.focus, -1),
        Command::PageDown | Command::PageUp => {
            let by = if command == Command::PageDown { 1 } else { -1 };
            let page = if ui.focus == Pane::Gate { ui.gate_height.saturating_sub(2).max(1) as i64 } else { 10 };
            if ui.focus != Pane::Gate || turned(ui) {
                scroll(state, ui, ui.focus, by * page);
            }
        }
        Command::Top | Command::Bottom if ui.playhead.is_some() => return Some(UiAction::Playback(command)),
        Command::Top => leap(state, ui, false),
        Command::Bottom => leap(state, ui, true),
        Command::Search => ui.popup(Popup::Search(editor(""))),
        Command::SearchNext => hit(state, ui, true),
        Command::SearchPrevious => hit(state, ui, false),
        Command::Open => return open(state, now, ui),
        Command::OpenAll => open_all(state, ui),
        Command::Retry => return Some(UiAction::Submit(Intent::Retry { task: addressed(ui)? })),
        Command::End => {
            let task = addressed(ui)?;
            match decide(state, now, &Intent::EndJob { task }) {
                Ok(_) => ui.popup(Popup::End(task)),
                Err(refusal) => ui.refused(refusal.to_string()),
            }
        }
        Command::Skip => {
            let task = addressed(ui)?;
            ui.popup(Popup::Skip(task, editor("")));
        }
        Command::Edit => {
            let task = addressed(ui)?;
            edit(state, ui, task);
        }
        Command::SetVar => {
            let task = addressed(ui)?;
            match Setting::of(state, task).filter(|_| ui.look.at_gate(state) == Some(task)) {
                Some(setting) => ui.popup(Popup::SetVar(setting)),
                None => ui.refused("this gate names no variable that could be set here".into()),
            }
        }
        Command::Undo => undo(state, ui),
        Command::AcceptReboot => {
            addressed(ui)?;
            return ui.look.host.clone().map(|host| UiAction::Submit(Intent::AcceptReboot { host }));
        }
        Command::Pause => return Some(UiAction::Submit(if state.paused { Intent::Continue } else { Intent::Pause })),
        Command::Note => ui.popup(Popup::Note(editor(""))),
        Command::Abort => ui.popup(Popup::Abort(editor(""))),
        Command::Play | Command::StepForward | Command::StepBack | Command::Faster | Command::Slower => {
            return Some(UiAction::Playback(command));
        }
    }
    None
}

/// The task that a key which changes something acts on: the one that is shown, in its turn, and has been for a moment.
fn addressed(ui: &mut UiState) -> Option<TaskId> {
    let Some(task) = ui.look.task else {
        ui.refused("no step is shown that this could be done to".into());
        return None;
    };
    if ui.look.peeked {
        ui.refused("this step is only being read: Esc goes back to the one whose turn it is".into());
        return None;
    }
    if ui.vouched.as_ref() == Some(&ui.meant()) {
        return Some(task);
    }
    if ui.hand.readiness(ui.at, task) == Readiness::Unseen {
        bring_forward(ui);
        return None;
    }
    if !ui.hand.settled(ui.at, task) {
        ui.refused(JUST_NOW.into());
        return None;
    }
    Some(task)
}

const JUST_NOW: &str = "this came up just now: look at it, then press the key again";

fn bring_forward(ui: &mut UiState) {
    ui.focus = Pane::Gate;
    ui.refused("here is the gate: read it, then press the key again".into());
}

/// How long a page of what runs is on the screen at least before the next one: a held key reads nothing.
const PAGE: Duration = Duration::from_millis(250);

/// Whether a page may be turned now.
pub(super) fn turned(ui: &mut UiState) -> bool {
    let may = ui.paged == Duration::ZERO || ui.at.saturating_sub(ui.paged) >= PAGE;
    if may {
        ui.paged = ui.at;
    }
    may
}

/// Opens the gate that is shown, once it has been shown and read; asks for what has to be typed first.
fn open(state: &State, now: Timestamp, ui: &mut UiState) -> Option<UiAction> {
    let look = ui.look.clone();
    if look.peeked {
        ui.refused("this step is only being read: Esc goes back to the one whose turn it is".into());
        return None;
    }
    let Some(task) = look.at_gate(state) else {
        no_gate(state, ui);
        return None;
    };
    let gate = look.gate.as_ref()?;
    match ui.hand.readiness(ui.at, task) {
        Readiness::Unseen => bring_forward(ui),
        _ if gate.refusal.is_some() => {
            let why = gate.refusal.as_ref().map(ToString::to_string).unwrap_or_default();
            ui.gate_scroll = 0;
            ui.refused(why);
        }
        Readiness::Unread(_) if !turned(ui) => {}
        Readiness::Unread(rows) => {
            let width = ui.hand.width();
            ui.gate_scroll = unread_row(state, now, ui, width);
            ui.notice = Some(Notice::reading(ui.at, task, rows));
        }
        Readiness::TooSoon => ui.refused(JUST_NOW.into()),
        Readiness::Ready(shown) => {
            let (_, step, _) = state.task(task)?;
            ui.notice = None;
            if matches!(confirmation(step), Confirm::Host | Confirm::Phrase(_)) {
                ui.popup(Popup::Confirm(task, editor(""), shown.as_millis() as u64));
            } else {
                let shown_ms = Some(shown.as_millis() as u64);
                return Some(UiAction::Submit(Intent::OpenGate { task, typed: None, shown_ms, together: None }));
            }
        }
    }
    None
}

/// Says that the lit host has no gate, and who has one.
fn no_gate(state: &State, ui: &mut UiState) {
    let here = ui.look.host.as_ref().map_or("this host", HostName::as_str);
    let text = match ui.look.elsewhere.and_then(|id| state.task(id)) {
        Some((task, step, _)) => {
            format!("{here} has no gate to open; {} waits at {}: t goes there", task.host, step.name)
        }
        None => format!("{here} has no gate to open"),
    };
    ui.refused(text);
}

/// Asks for the number of the gates at this step that are ready. One host goes first and alone.
fn open_all(state: &State, ui: &mut UiState) {
    let Some(task) = addressed(ui) else { return };
    if ui.look.at_gate(state).is_none() {
        return no_gate(state, ui);
    }
    let ready: Vec<TaskId> =
        ui.look.group.iter().filter(|(_, standing)| *standing == Standing::Ready).map(|(id, _)| *id).collect();
    match ui.hand.readiness(ui.at, task) {
        Readiness::Ready(shown) if ready.len() > 1 => match crate::engine::may_open_together(state, task) {
            Ok(()) => ui.popup(Popup::OpenAll {
                read: task,
                shown_ms: shown.as_millis() as u64,
                tasks: ready,
                input: editor(""),
                reading: Reading::default(),
            }),
            Err(refusal) => ui.refused(refusal.to_string()),
        },
        Readiness::Ready(_) => ui.refused("fewer than two gates at this step are ready: Enter opens the one".into()),
        _ => ui.refused("read what it runs to its end first: Enter reads on".into()),
    }
}

/// Lays the text of the first file that will be pushed under the operator's hands.
fn edit(state: &State, ui: &mut UiState, id: TaskId) {
    if ui.look.at_gate(state) != Some(id) || !writes(state, id) {
        ui.refused("this step writes no file that could be edited".into());
        return;
    }
    let Some(push) = state.task(id).and_then(|(task, _, _)| task.pushes.iter().find(|push| push.artifact.is_none()))
    else {
        return;
    };
    let text = push.source.as_ref().unwrap_or(&push.content);
    let mut input = TextArea::from(text.lines());
    let before = input.lines().to_vec();
    input.set_line_number_style(super::theme::style(super::theme::Meaning::Quiet));
    ui.popup(Popup::Edit { task: id, path: push.path.clone(), input: Box::new(input), before });
}

/// Lists what would be taken back on the lit host. What reboots, reinstalls or touches another host wants its name typed.
fn undo(state: &State, ui: &mut UiState) {
    let Some(host) = ui.look.host.clone() else { return };
    if !ui.lit_for_a_moment() && ui.vouched.as_ref() != Some(&ui.meant()) {
        ui.refused(JUST_NOW.into());
        return;
    }
    match undo_chain(state, &host) {
        Ok(tasks) => {
            let input = tasks.iter().any(|id| grave(state, *id)).then(|| editor(""));
            ui.popup(Popup::Undo { host, tasks, input, reading: Reading::default() });
        }
        Err(refusal) => ui.refused(refusal.to_string()),
    }
}

/// Whether taking a task back reboots its host, installs anything or touches another host.
fn grave(state: &State, id: TaskId) -> bool {
    const INSTALLS: [&str; 10] =
        ["install", "rebase", "rollback", "deploy", "downgrade", "reboot", "dpkg", "rpm ", "pacman", "dnf "];
    state.task(id).is_some_and(|(task, step, current)| {
        let script = step.undo.as_deref().unwrap_or_default();
        let done = !matches!(current.phase, crate::model::state::Phase::NotNeeded);
        done && (step.reboots
            || step.destroys.is_some()
            || task.on != task.host
            || INSTALLS.iter().any(|word| script.contains(word)))
    })
}

pub(super) fn editor(text: &str) -> Field {
    let mut editor = TextArea::new(vec![text.to_owned()]);
    editor.set_cursor_line_style(ratatui::style::Style::new());
    editor.move_cursor(tui_textarea::CursorMove::End);
    Box::new(editor)
}

fn scroll(state: &State, ui: &mut UiState, pane: Pane, by: i64) {
    match pane {
        Pane::Steps => ui.steps_scroll = ui.steps_scroll.saturating_add_signed(by as isize),
        Pane::Gate => ui.gate_scroll = ui.gate_scroll.saturating_add_signed(by as isize),
        Pane::Log => {
            if let Some((name, host)) = state.hosts.get_index(ui.look.lit) {
                ui.logs.scroll(name, &host.log, by);
            }
        }
    }
}

fn leap(state: &State, ui: &mut UiState, to_end: bool) {
    match ui.focus {
        Pane::Steps => ui.steps_scroll = 0,
        Pane::Gate => ui.gate_scroll = if to_end { usize::MAX / 2 } else { 0 },
        Pane::Log => {
            if let Some((name, host)) = state.hosts.get_index(ui.look.lit) {
                ui.logs.leap(name, &host.log, to_end);
            }
        }
    }
}

fn hit(state: &State, ui: &mut UiState, forward: bool) {
    let Some((name, host)) = state.hosts.get_index(ui.look.lit) else { return };
    match ui.logs.next_hit(name, &host.log, forward) {
        Ok(false) => {}
        Ok(true) if forward => ui.say("that was the last hit: on from the first"),
        Ok(true) => ui.say("that was the first hit: on from the last"),
        Err(why) => ui.say(why),
    }
}
