//! What a task will do: what it destroys, its script with its values, the files it writes, what is looked for afterwards,
//! what leads back.

use ratatui::text::{Line, Span};

use super::{values, verdict};
use crate::engine::{GateView, limit};
use crate::model::diff::{Change, There};
use crate::model::hidden::shown;
use crate::model::logtail::clean;
use crate::model::runbook::{Check, Step};
use crate::model::state::{Phase, TaskState};
use crate::model::{State, Task, size};
use crate::ui::look::Look;
use crate::ui::page::Page;
use crate::ui::theme::{Meaning, Sign, sign, style};
use crate::ui::view::UiState;

/// Says what the shown task will do, for a page that is so many cells wide.
pub(super) fn say(state: &State, ui: &UiState, look: &Look, gate: &GateView, width: u16, page: &mut Page) {
    let Some((task, step, current)) = state.task(gate.task) else { return };
    consequences(gate, task, step, page);
    page.gap();
    page.must_read_from_here();
    if let Some(hands) = &step.hands {
        page.say(Line::styled("BY HAND", style(Meaning::Title)));
        hands
            .trim()
            .lines()
            .for_each(|line| page.say(Line::styled(format!("  {}", shown(line)), style(Meaning::Warn))));
    }
    if let Some(script) = &gate.script {
        let usually = verdict::usually(state, ui, gate.task);
        let elsewhere = if task.on == task.host { String::new() } else { format!(", for {}", task.host) };
        page.say(Line::from(vec![
            Span::styled("RUNS", style(Meaning::Title)),
            Span::raw(format!(" as root on {}{elsewhere}", task.on)),
            Span::styled(
                format!(" · at most {}{usually}", crate::ui::clock::span(state.timeout_of(gate.task))),
                style(Meaning::Quiet),
            ),
        ]));
        numbered(script, page);
    }
    values::say(state, look, gate, width, page);
    for push in &task.pushes {
        let head = match &push.artifact {
            Some(artifact) => {
                let held = state.artifacts.iter().rfind(|held| held.path == *artifact);
                let size = held.map(|held| format!(", {}", size(held.bytes as i64))).unwrap_or_default();
                format!(" {} (mode {}{size}): what was brought back from {artifact}", push.path, push.mode)
            }
            None => format!(
                " {} (mode {}, {} bytes, sha256 {:.12}…)",
                push.path,
                push.mode,
                push.content.len(),
                push.sha256.as_str()
            ),
        };
        page.code(Line::from(vec![Span::styled("WRITES", style(Meaning::Title)), Span::raw(shown(&head))]));
        if push.artifact.is_none() {
            compared(current, &push.path, page);
            numbered(&push.content, page);
        }
    }
    page.must_read_up_to_here();
    for fetch in &step.fetch {
        page.code(Line::from(vec![Span::styled("BRINGS BACK ", style(Meaning::Title)), Span::raw(shown(&fetch.path))]));
    }
    verdict::holds(current, gate, state.now, ui.all_checks, page);
    afterwards(step, current, page);
    way_back(step, page);
}

fn clock(time: std::time::Duration) -> String {
    crate::ui::clock::span(jiff::SignedDuration::try_from(time).unwrap_or(jiff::SignedDuration::MAX))
}

fn consequences(gate: &GateView, task: &Task, step: &Step, page: &mut Page) {
    for (word, text) in [("destroys", &step.destroys), ("no way back", &step.point_of_no_return)] {
        if let Some(text) = text {
            page.say(Line::from(vec![
                Span::styled(format!("! {word}: "), style(Meaning::Bad)),
                Span::styled(text.trim().replace('\n', " "), style(Meaning::Warn)),
            ]));
        }
    }
    for (what, here) in &gate.harm {
        page.say(Line::styled(format!("! the config's {}", clean(what)), style(Meaning::Bad)));
        here.iter().for_each(|hit| page.say(Line::styled(format!("    hits {}", clean(hit)), style(Meaning::Bad))));
    }
    if step.reboots {
        page.say(Line::styled(format!("! reboots {}", task.host), style(Meaning::Bad)));
    }
}

/// What a file changes of the one that is there.
fn compared(current: &TaskState, path: &str, page: &mut Page) {
    let Some(comparison) = current.compared.get(path) else { return };
    let quiet = |text: String| Line::styled(text, style(Meaning::Quiet));
    match &comparison.there {
        There::Nothing => return page.say(quiet("  nothing is there now; all of it is new:".into())),
        There::Unknown { why } => {
            return page.say(quiet(format!("  what is there now could not be compared: {}", clean(why))));
        }
        There::Text { .. } if comparison.lines.is_empty() => {
            return page.say(quiet("  the same is there already:".into()));
        }
        There::Text { .. } => page.say(quiet("  what will change of the one that is there:".into())),
    }
    for line in &comparison.lines {
        let (mark, meaning) = match line.change {
            Change::Stays => (" ", Meaning::Quiet),
            Change::Comes => ("+", Meaning::Added),
            Change::Goes => ("-", Meaning::Removed),
            Change::Gap => (sign(Sign::More), Meaning::Quiet),
        };
        page.code(Line::styled(format!("  {mark} {}", shown(&line.text)), style(meaning)));
    }
    if comparison.more > 0 {
        page.say(quiet(format!("  and {} lines more", comparison.more)));
    }
    page.say(quiet("  in full:".into()));
}

/// Lines with their numbers: a wrapped line can be told from a new one.
pub(in crate::ui::panes) fn numbered(text: &str, page: &mut Page) {
    let width = text.lines().count().to_string().len().max(2);
    for (number, line) in text.lines().enumerate() {
        page.code(Line::from(vec![
            Span::styled(format!("{:>width$}  ", number + 1), style(Meaning::Quiet)),
            Span::raw(shown(line)),
        ]));
    }
}

fn afterwards(step: &Step, current: &TaskState, page: &mut Page) {
    let ahead =
        matches!(current.phase, Phase::Gate | Phase::Waiting | Phase::Opened | Phase::Starting | Phase::Running);
    if !ahead || step.verify.is_empty() {
        return;
    }
    let longest = step.verify.iter().map(Check::within).max().unwrap_or_default();
    let checks = if step.verify.len() == 1 { "one check".to_owned() } else { format!("{} checks", step.verify.len()) };
    page.gap();
    page.say(Line::from(vec![
        Span::styled("THEN    ", style(Meaning::Title)),
        Span::raw(format!("{checks} within {}", clock(longest))),
    ]));
    step.verify.iter().for_each(|check| page.say(format!("  · {}", clean(check.sentence()))));
}

/// What has to be so once a step was taken back.
pub(in crate::ui::panes) fn seen_undone(step: &Step, page: &mut Page) {
    let Some(longest) = step.undone.iter().map(|check| limit(step, check)).max() else { return };
    page.say(format!("  after which, within {}:", crate::ui::clock::span(longest)));
    step.undone.iter().for_each(|check| page.say(format!("  · {}", clean(check.sentence()))));
}

fn way_back(step: &Step, page: &mut Page) {
    if !step.changes() {
        return;
    }
    page.gap();
    match (&step.point_of_no_return, &step.undo) {
        (Some(_), _) => page.say(Line::from(vec![
            Span::styled("WAY BACK", style(Meaning::Title)),
            Span::styled(" none, as said above", style(Meaning::Bad)),
        ])),
        (None, Some(_)) => match step.takes_back() {
            Some(script) => {
                page.say(Line::styled("WAY BACK", style(Meaning::Title)));
                numbered(script, page);
                seen_undone(step, page);
            }
            None => page.say(Line::from(vec![
                Span::styled("WAY BACK", style(Meaning::Title)),
                Span::styled(" nothing to take back", style(Meaning::Quiet)),
            ])),
        },
        (None, None) => page.say(Line::from(vec![
            Span::styled("WAY BACK", style(Meaning::Title)),
            Span::styled(" none but your own hands", style(Meaning::Warn)),
        ])),
    }
}
