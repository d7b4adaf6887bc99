//! The first line: what this is, how far it is, how long it has taken and will take, and whether something waits.

use jiff::{SignedDuration, Timestamp};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::bar;
use crate::model::event::Mode;
use crate::model::logtail::clean;
use crate::model::runbook::Component;
use crate::model::{Facts, State};
use crate::ui::clock::{local, rough, span};
use crate::ui::look::Look;
use crate::ui::page::cut;
use crate::ui::theme::{Meaning, Sign, sign, style};
use crate::ui::usual::Basis;
use crate::ui::view::UiState;

/// Draws the line. What has no room is left out, the least important first.
pub fn draw(state: &State, now: Timestamp, ui: &UiState, look: &Look, frame: &mut Frame<'_>, area: Rect) {
    let Some(session) = &state.session else { return };
    let (word, meaning) = match (ui.playhead.is_some(), session.mode) {
        (true, _) => ("REPLAY", Meaning::ModeReplay),
        (false, Mode::Upgrade) => ("UPGRADE", Meaning::ModeUpgrade),
        (false, Mode::Practice) => ("PRACTICE", Meaning::ModePractice),
        (false, Mode::Monitor) => ("MONITOR", Meaning::ModeMonitor),
    };
    let kind = match session.mode {
        Mode::Practice => ", simulated hosts",
        Mode::Monitor => ", looking only",
        Mode::Upgrade => ", real hosts",
    };
    let cluster = cut(&clean(&session.inventory.cluster), 24);
    let mut left = vec![Span::styled(format!(" {word} {cluster} "), style(meaning))];
    left.extend(alarms(state));
    let right = calls(state, look);
    let width = |spans: &[Span<'_>]| spans.iter().map(Span::width).sum::<usize>();
    let mut room = usize::from(area.width).saturating_sub(width(&left) + width(&right) + 1);
    for part in parts(state, now, ui, kind) {
        let wide = width(&part) + 2;
        if wide <= room {
            room -= wide;
            left.push(Span::raw("  "));
            left.extend(part);
        }
    }
    frame.render_widget(Line::from(left), area);
    frame.render_widget(Line::from(right).right_aligned(), area);
}

/// What is out of the ordinary.
fn alarms(state: &State) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    let mut say = |text: String, meaning| spans.push(Span::styled(format!("  {text}"), style(meaning)));
    let failed = state.failed().count();
    if failed > 0 {
        say(format!("{} {failed} FAILED", sign(Sign::Failed)), Meaning::Bad);
    }
    if state.paused {
        say("PAUSED".into(), Meaning::Warn);
    }
    if !state.undo.is_empty() {
        say(format!("{} TAKING BACK", sign(Sign::TakenBack)), Meaning::Warn);
    }
    if api_silent(state) {
        let text = if api_stopped(state) {
            format!("{} API server stopped, as planned", sign(Sign::Stopped))
        } else {
            "! the API server does not answer".to_owned()
        };
        say(text, Meaning::Warn);
    }
    let rebooted = state.hosts.values().filter(|host| host.rebooted.is_some()).count();
    if rebooted > 0 {
        say(format!("! {rebooted} REBOOTED, not by us"), Meaning::Bad);
    }
    if state.unknown_events > 0 {
        say(format!("{} events of a later version not shown", state.unknown_events), Meaning::Warn);
    }
    spans
}

/// Whether the API server answered somebody once in this session and now answers nobody who was asked.
fn api_silent(state: &State) -> bool {
    let answers = |facts: &Facts| facts.kube.as_ref().is_some_and(|kube| kube.healthy);
    let once = state.hosts.values().any(|host| host.first.as_ref().is_some_and(|facts| answers(facts)));
    let mut asked = state.hosts.values().filter(|host| host.first.as_ref().is_some_and(|facts| facts.kube.is_some()));
    once && !asked.any(|host| host.current().is_none_or(|seen| answers(&seen.facts)))
}

/// Whether the runbook has stopped the API server of every host that was ever asked for it.
fn api_stopped(state: &State) -> bool {
    let mut asked =
        state.hosts.iter().filter(|(_, host)| host.first.as_ref().is_some_and(|facts| facts.kube.is_some()));
    asked.all(|(name, _)| state.stopped_as_planned(name, Component::ApiServer))
}

/// What waits for the operator.
fn calls(state: &State, look: &Look) -> Vec<Span<'static>> {
    match look.ready {
        0 => Vec::new(),
        _ if state.outcome.is_some() => Vec::new(),
        1 => vec![Span::styled(format!("{} 1 waits ", sign(Sign::Waits)), style(Meaning::Good))],
        count => vec![Span::styled(format!("{} {count} wait ", sign(Sign::Waits)), style(Meaning::Good))],
    }
}

/// The rest, the most important first.
fn parts(state: &State, now: Timestamp, ui: &UiState, kind: &'static str) -> Vec<Vec<Span<'static>>> {
    let quiet = |text: String| Span::styled(text, style(Meaning::Quiet));
    let mut parts = Vec::new();
    let tally = state.tally();
    let over = tally.done + tally.skipped + tally.not_needed;
    if tally.total > 0 {
        let skipped = if tally.skipped > 0 { format!(", {} skipped", tally.skipped) } else { String::new() };
        parts.push(vec![Span::raw(format!("{over} of {}{skipped}", tally.total))]);
    }
    if let Some(until) = state.window_until.filter(|_| state.outcome.is_none()) {
        let left = until.duration_since(now);
        let at = local(until);
        let ahead = state.window_from.filter(|from| *from > now);
        let (text, meaning) = match (ahead, left.as_secs()) {
            (Some(from), _) => {
                (format!("window opens {} (in {})", local(from), rough(from.duration_since(now))), Meaning::Warn)
            }
            (None, ..=0) => (format!("window ended {at} ({} ago)", rough(-left)), Meaning::Bad),
            (None, 1..900) => (format!("window ends {at} (in {})", span(left)), Meaning::Warn),
            (None, _) => (format!("window ends {at} (in {})", rough(left)), Meaning::Quiet),
        };
        parts.push(vec![Span::styled(text, style(meaning))]);
    }
    let ended = state.outcome.is_some();
    if let Some(session) = &state.session {
        let gone = state.ended.unwrap_or(now).duration_since(session.started);
        let left = ui.usual.left(state).filter(|_| !ended);
        let left = left
            .map(|left| match (left.span.as_secs(), left.basis) {
                (..45, _) => String::new(),
                (_, Basis::Simulated) => format!(" · about {} left, simulated", rough(left.span)),
                (_, Basis::Usual | Basis::Last) => format!(" · about {} left", rough(left.span)),
            })
            .unwrap_or_default();
        parts.push(vec![quiet(format!("{} gone{left}", span(gone.max(SignedDuration::ZERO))))]);
    }
    if tally.total > 0 {
        parts.push(bar(over, tally.total, 18).spans);
    }
    parts.push(vec![quiet(kind.trim_start_matches(", ").to_owned())]);
    parts.push(vec![quiet(format!("{} UTC", now.strftime("%H:%M:%S")))]);
    parts
}
