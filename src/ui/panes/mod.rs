//! One file a pane; each draws a state and nothing else.

pub mod card;
pub mod gate;
pub mod grid;
pub mod header;
pub mod help;
pub mod log;
pub mod notes;
pub mod palette;
pub mod popup;
mod setting;
pub mod steps;
pub mod timeline;
mod together;

use jiff::Timestamp;
use ratatui::text::{Line, Span};
use ratatui::widgets::Block;

use super::clock::span;
use super::theme::{Meaning, Sign, sign, style};
use crate::engine::Standing;
use crate::model::state::Phase;
use crate::model::{State, TaskId};

/// A frame with a heading; the focused one stands out.
pub(super) fn frame(title: &str, focused: bool) -> Block<'static> {
    let meaning = if focused { Meaning::Active } else { Meaning::Quiet };
    Block::bordered()
        .border_set(super::theme::lines(false))
        .border_style(style(meaning))
        .title(Span::styled(format!(" {title} "), style(if focused { Meaning::Active } else { Meaning::Title })))
}

/// How a task stands: its sign, a word or two, what they mean.
pub(super) type Word = (Sign, String, Meaning);

/// How a task stands, in the words of the grid and the steps.
pub(super) fn word(state: &State, id: TaskId, standing: Option<&Standing>, now: Timestamp) -> Word {
    let Some((_, _, task)) = state.task(id) else { return (Sign::Unknown, String::new(), Meaning::Quiet) };
    let waited = || span(now.duration_since(task.since));
    match &task.phase {
        Phase::Waiting if task.undo_attempts > 0 => (Sign::TakenBack, "taken back".into(), Meaning::Quiet),
        Phase::Waiting => (Sign::Ahead, String::new(), Meaning::Quiet),
        Phase::Gate => match standing {
            Some(Standing::Ready) => (Sign::Waits, "READY".into(), Meaning::Good),
            Some(Standing::Shut { failing, total }) => (Sign::Shut, format!("SHUT {failing}/{total}"), Meaning::Warn),
            Some(Standing::Barred(_)) | None => (Sign::Shut, "SHUT".into(), Meaning::Warn),
        },
        Phase::Opened | Phase::Starting => (Sign::Runs, "STARTING".into(), Meaning::Active),
        Phase::Running if task.job.as_ref().is_some_and(|job| job.ending.is_some()) => {
            (Sign::Runs, "ENDING".into(), Meaning::Warn)
        }
        Phase::Running => {
            let verb = if task.taking_back() { "TAKING BACK" } else { "RUNNING" };
            (Sign::Runs, format!("{verb} {}", waited()), Meaning::Active)
        }
        Phase::Exited { .. } => (Sign::Runs, "ENDING".into(), Meaning::Active),
        Phase::Uncertain { .. } => (Sign::Unknown, format!("ASKING {}", waited()), Meaning::Warn),
        Phase::Interrupted { .. } => (Sign::Unknown, "INTERRUPTED".into(), Meaning::Warn),
        Phase::Verifying => (Sign::Verifying, format!("VERIFYING {}", waited()), Meaning::Active),
        Phase::Done => (Sign::Done, String::new(), Meaning::Good),
        Phase::Skipped { .. } => (Sign::Skipped, "skipped".into(), Meaning::Warn),
        Phase::NotNeeded => (Sign::NotNeeded, "not needed".into(), Meaning::Quiet),
        Phase::Failed { .. } => (Sign::Failed, "FAILED".into(), Meaning::Bad),
    }
}

/// A bar of a width, so much of it full.
pub(super) fn bar(done: usize, total: usize, width: usize) -> Line<'static> {
    let full = (width * done).checked_div(total).unwrap_or_default().min(width);
    Line::from(vec![
        Span::styled(sign(Sign::BarFull).repeat(full), style(Meaning::Active)),
        Span::styled(sign(Sign::BarEmpty).repeat(width - full), style(Meaning::Quiet)),
    ])
}
