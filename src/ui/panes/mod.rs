//! One file a pane; each draws a state and nothing else.

pub mod gate;
pub mod grid;
pub mod help;
pub mod log;
pub mod popup;
pub mod stages;
pub mod timeline;

use jiff::{SignedDuration, Timestamp};
use ratatui::text::Span;
use ratatui::widgets::Block;

use super::theme::{Meaning, style};
use crate::model::state::{Phase, TaskState};

/// A frame with a heading; the focused one stands out.
pub(super) fn frame(title: &str, focused: bool) -> Block<'static> {
    let meaning = if focused { Meaning::Active } else { Meaning::Quiet };
    Block::bordered()
        .border_style(style(meaning))
        .title(Span::styled(format!(" {title} "), style(if focused { Meaning::Active } else { Meaning::Title })))
}

/// The sign and the meaning of a phase.
fn sign(task: &TaskState) -> (&'static str, Meaning) {
    match task.phase {
        Phase::Waiting => ("·", Meaning::Quiet),
        Phase::Gate => ("▶", Meaning::Warn),
        Phase::Opened | Phase::Starting | Phase::Running | Phase::Exited { .. } | Phase::Interrupted { .. } => {
            ("»", Meaning::Active)
        }
        Phase::Uncertain { .. } => ("?", Meaning::Warn),
        Phase::Verifying => ("~", Meaning::Active),
        Phase::Done => ("✓", Meaning::Good),
        Phase::Skipped { .. } => ("↷", Meaning::Warn),
        Phase::NotNeeded => ("-", Meaning::Quiet),
        Phase::Failed { .. } => ("✗", Meaning::Bad),
    }
}

/// A phase in a few words.
fn phase_words(phase: &Phase) -> &'static str {
    match phase {
        Phase::Waiting => "waits",
        Phase::Gate => "at its gate",
        Phase::Opened => "gate open",
        Phase::Starting => "starting",
        Phase::Running => "running",
        Phase::Uncertain { .. } => "asking the host",
        Phase::Exited { .. } => "fetching",
        Phase::Interrupted { .. } => "interrupted",
        Phase::Verifying => "verifying",
        Phase::Done => "done",
        Phase::Skipped { .. } => "skipped",
        Phase::NotNeeded => "not needed",
        Phase::Failed { .. } => "FAILED",
    }
}

/// How long ago, in two or three letters and digits.
fn ago(now: Timestamp, then: Timestamp) -> String {
    short(now.duration_since(then))
}

fn short(span: SignedDuration) -> String {
    match span.as_secs().max(0) {
        seconds @ 0..100 => format!("{seconds}s"),
        seconds @ 100..6000 => format!("{}m", seconds / 60),
        seconds => format!("{}h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        for (seconds, expected) in [(-3, "0s"), (0, "0s"), (99, "99s"), (100, "1m"), (5999, "99m"), (7200, "2h")] {
            assert_eq!(short(SignedDuration::from_secs(seconds)), expected);
        }
    }
}
