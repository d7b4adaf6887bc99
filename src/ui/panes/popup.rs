//! What lies over the screen and wants an answer.

use std::time::Duration;

use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};
use tui_textarea::TextArea;
use unicode_width::UnicodeWidthStr as _;

use super::frame as framed;
use super::palette::found;
use crate::engine::{changed, confirmation, variables_of_undo};
use crate::model::event::Mode;
use crate::model::hidden::shown;
use crate::model::logtail::clean;
use crate::model::runbook::Confirm;
use crate::model::{HostName, State, TaskId};
use crate::ui::clock::span;
use crate::ui::page::{Page, cut};
use crate::ui::possible::groups;
use crate::ui::reading::Reading;
use crate::ui::theme::{Meaning, style};
use crate::ui::view::{Popup, UiState};

/// Draws the popups, the topmost last.
pub fn draw(state: &State, now: Timestamp, ui: &mut UiState, frame: &mut Frame<'_>, area: Rect) {
    let mut popups = std::mem::take(&mut ui.popups);
    let last = popups.len().saturating_sub(1);
    let unsaved = popups.iter().rfind(|popup| popup.holds_words()).and_then(unsaved);
    for (n, popup) in popups.iter_mut().enumerate() {
        let wrong = if n == last { ui.notice.as_ref().map(|notice| notice.text.clone()) } else { None };
        one(state, now, ui, popup, wrong.as_deref(), n < last, unsaved.as_deref(), frame, area);
    }
    ui.popups = popups;
}

#[expect(clippy::too_many_arguments, reason = "a popup and where it is drawn")]
fn one(
    state: &State,
    now: Timestamp,
    ui: &UiState,
    popup: &mut Popup,
    wrong: Option<&str>,
    covered: bool,
    unsaved: Option<&str>,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let keys = "Enter: go on    Esc: back";
    match popup {
        Popup::Help(down) => {
            let mut page = Page::default();
            super::help::lines(&groups(state, ui), ui.focus).into_iter().for_each(|line| page.code(line));
            scrolled("Help", &page, down, frame, area);
        }
        Popup::Card(host, down) => {
            scrolled(&format!("{host}"), &super::card::page(state, now, host), down, frame, area);
        }
        Popup::Confirm(task, input, _) => {
            ask("Open this gate", confirm(state, now, ui, *task), Some(input), wrong, keys, frame, area);
        }
        Popup::OpenAll { read, tasks, input, reading, .. } => {
            let asks = format!(
                "Type their number, {}, to open all of them. What is not ready any more by then stays shut.",
                tasks.len()
            );
            let popup = Agreement {
                title: "Open these gates".to_owned(),
                page: open_all(state, *read, tasks),
                reading,
                input: Some(input),
                asks: Some(asks),
                wrong,
                keys,
                covered,
            };
            agree(popup, ui.at, frame, area);
        }
        Popup::Skip(task, input) => {
            let mut page = Page::default();
            page.say(format!("Skip {}. Why? The journal keeps it.", label(state, *task)));
            ask("Skip", page, Some(input), wrong, keys, frame, area);
        }
        Popup::Edit { task, path, input, .. } => {
            edit(&format!("{path} of {}", label(state, *task)), input, wrong, frame, area);
        }
        Popup::SetVar(setting) => {
            let page = super::setting::page(state, setting);
            let keys = match (setting.why, setting.known.len()) {
                (true, _) => "Enter: set it    Tab: the value    Esc: back",
                (false, 1) => "Enter: go on    Esc: back",
                (false, _) => "↓ ↑: another variable    Enter: go on    Esc: back",
            };
            ask("Set a variable", page, Some(&*setting.field()), wrong, keys, frame, area);
        }
        Popup::Note(input) => {
            ask("Note", said("The journal keeps it."), Some(input), wrong, keys, frame, area);
        }
        Popup::Abort(input) => {
            let text = "This session ends here and cannot be resumed; hosts stay as they are. Why?";
            ask("End the session for good", said(text), Some(input), wrong, keys, frame, area);
        }
        Popup::Search(input) => {
            ask(
                "Search the log",
                Page::default(),
                Some(input),
                wrong,
                "Enter: keep, n and N go on    Esc: clear",
                frame,
                area,
            );
        }
        Popup::Filter(input) => {
            let text = "Only hosts with this in their row: a name, a role, a version, SHUT.";
            ask("Filter the hosts", said(text), Some(input), wrong, "Enter: keep    Esc: all hosts", frame, area);
        }
        Popup::Palette(input, at) => palette(state, ui, input, at, wrong, frame, area),
        Popup::Undo { host, tasks, input, reading } => {
            let typed = input.is_some();
            let popup = Agreement {
                title: format!("Take back on {host}"),
                page: undo(state, host, tasks),
                reading,
                input: input.as_deref(),
                asks: typed.then(|| format!("Type the host's name, {host}, to take them back.")),
                wrong,
                keys: if typed { "Enter: take back    Esc: do not" } else { "y: take back    Esc: do not" },
                covered,
            };
            agree(popup, ui.at, frame, area);
        }
        Popup::End(task) => {
            let keys = "y: end it    Esc: let it run";
            ask("End what runs", end(state, now, *task), None, wrong, keys, frame, area);
        }
        Popup::Quit => ask("Leave", quit(state, unsaved), None, wrong, "y: leave    Esc: stay", frame, area),
        Popup::Discard => {
            let text = "What you have typed is not saved anywhere. Throw it away?";
            ask("Throw it away?", said(text), None, wrong, "y: throw it away    Esc: go on typing", frame, area);
        }
    }
}

/// What was typed into a popup and would be lost.
fn unsaved(popup: &Popup) -> Option<String> {
    match popup {
        Popup::Edit { path, .. } => Some(format!("Your text for {path}")),
        Popup::SetVar(_) => Some("Your value".to_owned()),
        Popup::Note(_) => Some("Your note".to_owned()),
        Popup::Skip(..) | Popup::Abort(_) => Some("Your reason".to_owned()),
        _ => None,
    }
}

fn said(text: &str) -> Page {
    let mut page = Page::default();
    page.say(text.to_owned());
    page
}

fn label(state: &State, task: TaskId) -> String {
    state.plan.as_ref().map(|plan| plan.label(task)).unwrap_or_default()
}

fn quit(state: &State, unsaved: Option<&str>) -> Page {
    let mut page = Page::default();
    if let Some(unsaved) = unsaved {
        page.say(Line::styled(format!("{unsaved} is not saved anywhere, and lost then."), style(Meaning::Bad)));
    }
    let practice = state.session.as_ref().is_some_and(|session| session.mode == Mode::Practice);
    page.say(if practice {
        "The practice is not finished. Its hosts are simulated and end with it: only a replay can be seen afterwards."
    } else {
        "The session is not finished. `lockkeeper resume` goes on from here."
    });
    let running = state.under_way().count();
    if running > 0 && !practice {
        page.say(Line::styled(
            format!("{running} under way: what runs on hosts goes on without you."),
            style(Meaning::Warn),
        ));
    }
    page
}

/// What has to be typed, and what hangs on it.
fn confirm(state: &State, now: Timestamp, ui: &UiState, id: TaskId) -> Page {
    let mut page = Page::default();
    let Some((task, step, _)) = state.task(id) else { return page };
    page.say(Line::styled(label(state, id), style(Meaning::Title)));
    if let Some(destroys) = &step.destroys {
        page.say(format!("It destroys: {}", destroys.trim().replace('\n', " ")));
    }
    if let Some(why) = &step.point_of_no_return {
        page.say(format!("There is no way back: {}", why.trim().replace('\n', " ")));
    }
    if step.reboots {
        page.say(format!("{} reboots.", task.host));
    }
    if let Some(warning) = super::gate::window_warning(state, now, ui, id) {
        page.say(Line::styled(warning, style(Meaning::Bad)));
    }
    page.say(match confirmation(step) {
        Confirm::None | Confirm::Enter => "Press Enter.".to_owned(),
        Confirm::Host => format!("Type the host's name, {}, to open.", task.host),
        Confirm::Phrase(phrase) => format!("Type `{phrase}` to open."),
    });
    page
}

/// What is ended, and what stays then.
fn end(state: &State, now: Timestamp, id: TaskId) -> Page {
    let mut page = Page::default();
    let Some((task, step, current)) = state.task(id) else { return page };
    page.say(Line::styled(label(state, id), style(Meaning::Title)));
    let elsewhere = if task.on == task.host { String::new() } else { format!(" on {}", task.on) };
    page.say(format!(
        "It has run{elsewhere} for {} of {}. Its script is asked to end, and killed 10 s later; the step has failed then.",
        span(now.duration_since(current.since)),
        span(state.timeout_of(id)),
    ));
    if let Some(stays) = step.stays_if_ended() {
        let text = format!("What stays: {}.", clean(stays.trim()));
        page.say(Line::styled(text, style(Meaning::Warn)));
    }
    page.say("After that it can be run again (r), taken back (u) or skipped (s).");
    page
}

fn open_all(state: &State, read: TaskId, tasks: &[TaskId]) -> Page {
    let mut page = Page::default();
    let names: Vec<String> = tasks.iter().filter_map(|id| Some(state.task(*id)?.0.host.to_string())).collect();
    let step = tasks.first().and_then(|id| state.task(*id)).map(|(_, step, _)| step);
    if let Some(step) = step {
        page.say(Line::styled(format!("{}: {}", step.name, step.title), style(Meaning::Title)));
        if step.reboots {
            page.say(Line::styled("Each of these hosts reboots.", style(Meaning::Bad)));
        }
    }
    page.say(format!("On {}.", names.join(", ")));
    super::together::say(state, read, tasks, &mut page);
    page
}

/// What an undo runs, the last step's first, and with which values.
fn undo(state: &State, host: &HostName, tasks: &[TaskId]) -> Page {
    let mut page = Page::default();
    let tasks: Vec<TaskId> = changed(state, tasks).collect();
    page.say(format!("Take back on {host}, the last one first:"));
    for id in tasks.iter().rev() {
        let Some((task, step, _)) = state.task(*id) else { continue };
        let elsewhere = if task.on == task.host { String::new() } else { format!(", runs on {}", task.on) };
        let reboots = if step.reboots { ", reboots" } else { "" };
        page.say(Line::styled(format!("{}{elsewhere}{reboots}", step.name), style(Meaning::Title)));
        let Some(script) = step.takes_back() else {
            page.say(Line::styled("    nothing to do", style(Meaning::Quiet)));
            continue;
        };
        for line in script.lines() {
            page.code(Line::styled(format!("    {}", shown(line)), style(Meaning::Plain)));
        }
        super::gate::with(&variables_of_undo(state, *id), &mut page);
        super::gate::seen_undone(step, &mut page);
    }
    page
}

/// A popup whose text is read to its end before it is agreed to.
struct Agreement<'p> {
    title: String,
    page: Page,
    reading: &'p mut Reading,
    input: Option<&'p TextArea<'static>>,
    /// What is asked for below the text.
    asks: Option<String>,
    wrong: Option<&'p str>,
    keys: &'static str,
    covered: bool,
}

fn agree(popup: Agreement<'_>, at: Duration, frame: &mut Frame<'_>, area: Rect) {
    let inner = area.width.min(wide(popup.input)).saturating_sub(2);
    let mut foot = Page::default();
    popup.asks.into_iter().for_each(|asks| foot.say(asks));
    popup.wrong.into_iter().for_each(|wrong| foot.say(Line::styled(wrong.to_owned(), style(Meaning::Bad))));
    let typed = if popup.input.is_some() { 2 } else { 0 };
    // The frame's two rows, and one that says how much there is below.
    let height = area.height.saturating_sub(3 + typed + foot.rows(inner).len() as u16);
    let part = popup.reading.draw(at, &popup.page, (inner, height), popup.covered);
    let mut page = Page::default();
    part.lines.into_iter().for_each(|line| page.code(line));
    if part.below > 0 {
        let rows = if part.below == 1 { "row" } else { "rows" };
        page.say(Line::styled(format!("{} more {rows} below: PgDn", part.below), style(Meaning::Warn)));
    }
    page.append(foot);
    ask(&popup.title, page, popup.input, None, popup.keys, frame, area);
}

/// How wide a question is at most, in cells.
fn wide(input: Option<&TextArea<'_>>) -> u16 {
    if input.is_some() { 84 } else { 78 }
}

fn palette(
    state: &State,
    ui: &UiState,
    input: &TextArea<'static>,
    at: &mut usize,
    wrong: Option<&str>,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let wanted = input.lines().join(" ");
    let entries = found(state, ui, wanted.trim());
    *at = (*at).min(entries.len().saturating_sub(1));
    let area = top(area, 78, entries.len().max(1) as u16 + 4);
    let block = framed("What can be done now", true).title_bottom(" Enter: do it    ↑↓: choose    Esc: back ");
    let inner = block.inner(area);
    frame.render_widget(Clear, area);
    frame.render_widget(block, area);
    field(input, Rect { height: 1, ..inner }, frame);
    let lines: Vec<Line<'_>> = entries
        .iter()
        .enumerate()
        .map(|(n, entry)| {
            let key = match entry {
                super::palette::Entry::Command(row) => {
                    crate::ui::chord::keys(row.command).first().map(ToString::to_string).unwrap_or_default()
                }
                super::palette::Entry::Host(_) => String::new(),
            };
            let meaning = if n == *at { Meaning::Lit } else { Meaning::Plain };
            Line::from(vec![
                Span::styled(format!(" {key:>9}  "), style(Meaning::Active)),
                Span::styled(cut(&entry.text(), usize::from(inner.width).saturating_sub(14)), style(meaning)),
            ])
        })
        .collect();
    let below = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
    if lines.is_empty() {
        let meaning = if wrong.is_some() { Meaning::Bad } else { Meaning::Quiet };
        let text = cut(&super::palette::no_match(wanted.trim()), usize::from(inner.width).saturating_sub(2));
        frame.render_widget(Line::styled(format!(" {text}"), style(meaning)), below);
        return;
    }
    frame.render_widget(Paragraph::new(lines), below);
}

/// A whole text, with what is wrong with it below.
fn edit(title: &str, input: &TextArea<'_>, wrong: Option<&str>, frame: &mut Frame<'_>, area: Rect) {
    let area = centred(area, area.width.saturating_sub(4), area.height.saturating_sub(2));
    let block = framed(title, true).title_bottom(" Ctrl-S: write it into the plan    Esc: back ");
    let inner = block.inner(area);
    frame.render_widget(Clear, area);
    frame.render_widget(block, area);
    let wrong: Vec<Line<'_>> = wrong
        .iter()
        .flat_map(|message| message.lines())
        .take(8)
        .map(|line| Line::styled(clean(line), style(Meaning::Bad)))
        .collect();
    let below = (wrong.len() as u16).min(inner.height / 2);
    frame.render_widget(input, Rect { height: inner.height - below, ..inner });
    let y = inner.bottom() - below;
    frame.render_widget(Paragraph::new(wrong), Rect { y, height: below, ..inner });
}

fn ask(
    title: &str,
    mut page: Page,
    input: Option<&TextArea<'_>>,
    wrong: Option<&str>,
    keys: &'static str,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    if let Some(wrong) = wrong {
        page.say(Line::styled(wrong.to_owned(), style(Meaning::Bad)));
    }
    let width = area.width.min(wide(input));
    let rows = page.rows(width.saturating_sub(2));
    let typed = if input.is_some() { 2 } else { 0 };
    let area = centred(area, width, rows.len() as u16 + 2 + typed);
    let block = framed(title, true).title_bottom(format!(" {keys} "));
    let inner = block.inner(area);
    frame.render_widget(Clear, area);
    frame.render_widget(block, area);
    // Where the window is too small for all of it, what stands at its end and the field stay in sight.
    let height = inner.height.saturating_sub(typed);
    let skip = rows.len().saturating_sub(usize::from(height));
    let lines: Vec<Line<'_>> = rows.into_iter().skip(skip).map(|row| row.text).collect();
    frame.render_widget(Paragraph::new(lines), Rect { height, ..inner });
    if let Some(input) = input {
        field(input, Rect { y: inner.bottom().saturating_sub(1), height: 1, ..inner }, frame);
    }
}

fn field(input: &TextArea<'_>, area: Rect, frame: &mut Frame<'_>) {
    frame.render_widget(Line::styled("> ", style(Meaning::Active)), Rect { width: 2.min(area.width), ..area });
    frame.render_widget(input, Rect { x: area.x + 2, width: area.width.saturating_sub(2), ..area });
}

/// A text that may be longer than the screen.
fn scrolled(title: &str, page: &Page, down: &mut u16, frame: &mut Frame<'_>, area: Rect) {
    let width = area.width.min(100);
    let rows = page.rows(width.saturating_sub(2));
    let area = centred(area, width, rows.len() as u16 + 2);
    let height = area.height.saturating_sub(2);
    let most = (rows.len() as u16).saturating_sub(height);
    *down = (*down).min(most);
    let more = if *down < most { format!(" {} more below ", most - *down) } else { String::new() };
    // What does not fit beside how much is below gives way whole.
    let keys = match most {
        0 => [" any key closes "].as_slice(),
        _ => &[" ↓ ↑ PgDn PgUp: more    any other key closes ", " ↓ ↑ PgDn PgUp: more ", ""],
    };
    let room = usize::from(area.width.saturating_sub(2)).saturating_sub(more.width());
    let keys = keys.iter().copied().find(|keys| keys.width() <= room).unwrap_or_default();
    let mut block = framed(title, true).title_bottom(keys);
    if !more.is_empty() {
        block = block.title_bottom(Line::styled(more, style(Meaning::Warn)).right_aligned());
    }
    let lines: Vec<Line<'_>> =
        rows.into_iter().skip(usize::from(*down)).take(usize::from(height)).map(|row| row.text).collect();
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// An area of that size in the middle of another, no larger than it.
#[must_use]
pub fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

/// The same, near the top.
fn top(area: Rect, width: u16, height: u16) -> Rect {
    let centred = centred(area, width, height);
    Rect { y: area.y + (area.height - centred.height).min(3), ..centred }
}
