//! How a task stands, first and in full where something is wrong: what fails, what it read and since when.

use jiff::{SignedDuration, Timestamp};
use ratatui::text::{Line, Span};

use super::live;
use crate::engine::{
    GateView, REBOOT_WITHIN, Refusal, Standing, awaited, changed, limit, settable, undo_chain, verification,
};
use crate::model::event::{CheckResult, FailedAt, Verdict};
use crate::model::logtail::clean;
use crate::model::runbook::{Confirm, Step};
use crate::model::state::{Ending, Phase, TaskState};
use crate::model::{State, Task, TaskId};
use crate::ui::chord;
use crate::ui::clock::{age, local, rough, span};
use crate::ui::keymap::Command;
use crate::ui::look::Look;
use crate::ui::page::Page;
use crate::ui::theme::{Meaning, Sign, sign, style};
use crate::ui::usual::Estimate;
use crate::ui::view::UiState;

/// Says how the shown task stands.
pub(super) fn say(state: &State, now: Timestamp, ui: &mut UiState, look: &Look, gate: &GateView, page: &mut Page) {
    let Some((task, step, current)) = state.task(gate.task) else { return };
    let title = step.title.as_str();
    let waited = span(now.duration_since(current.since));
    let usually = usually(state, ui, gate.task);
    match &current.phase {
        Phase::Waiting => head(page, Sign::Ahead, Meaning::Quiet, "AHEAD", title, &comes_after(state, gate.task)),
        Phase::Gate => at_gate(state, now, ui, look, gate, page),
        Phase::Opened if !task.pushes.is_empty() => {
            head(page, Sign::Runs, Meaning::Active, &format!("WRITING {waited}"), title, "");
            live::moving(now, current, page);
        }
        Phase::Opened | Phase::Starting => head(page, Sign::Runs, Meaning::Active, "STARTING", title, ""),
        Phase::Running => {
            let word = if current.taking_back() { "TAKING BACK" } else { "RUNNING" };
            if let Some(ending) = current.job.as_ref().and_then(|job| job.ending) {
                ending_by_operator(ending, now, title, page);
            } else {
                let text = format!("{word} {waited} of {}{usually}", span(state.timeout_of(gate.task)));
                head(page, Sign::Runs, Meaning::Active, &text, title, "");
            }
            live::say(state, now, ui, gate.task, page);
        }
        Phase::Uncertain { reason } => {
            head(page, Sign::Unknown, Meaning::Warn, &format!("ASKING {} for {waited}", task.on), title, "");
            page.text(
                &format!("Whether the script ran is not known: {reason}. The host is asked; nothing runs twice."),
                Meaning::Plain,
            );
        }
        Phase::Exited { .. } => {
            let what = if step.fetch.is_empty() { "ENDING" } else { "BRINGING BACK FILES" };
            head(page, Sign::Runs, Meaning::Active, &format!("{what} {waited}"), title, "");
            live::moving(now, current, page);
        }
        Phase::Interrupted { .. } => head(page, Sign::Unknown, Meaning::Warn, "INTERRUPTED", title, ""),
        Phase::Verifying => verifying(state, now, ui, gate.task, page),
        Phase::Failed { at, reason } => {
            head(page, Sign::Failed, Meaning::Bad, &format!("FAILED {} ago", age(now, current.since)), title, "");
            page.text(&capital(&format!("{reason}.")), Meaning::Bad);
            failed(state, gate.task, *at, step, task, page);
            let open: Vec<_> = gate.checks.iter().filter(|check| !check.passed()).collect();
            if !open.is_empty() {
                page.gap();
                let what = match at {
                    FailedAt::Undo => "What has to be so once it is taken back, as it stands now:",
                    _ => "What it should have brought about, as it stands now:",
                };
                page.text(what, Meaning::Title);
                open.into_iter().for_each(|check| failing(check, now, ui, gate.task, page));
            }
        }
        Phase::Done => {
            let took = current.took.map(|took| format!(", took {}", span(took))).unwrap_or_default();
            head(page, Sign::Done, Meaning::Good, &format!("DONE {} ago{took}", age(now, current.since)), title, "");
        }
        Phase::Skipped { reason } => {
            head(page, Sign::Skipped, Meaning::Warn, "SKIPPED", title, "");
            page.text(&format!("Why: {reason}"), Meaning::Plain);
        }
        Phase::NotNeeded => head(page, Sign::NotNeeded, Meaning::Quiet, "NOT NEEDED", title, ""),
    }
    if let Some(why) = Some(step.why.trim()).filter(|why| !why.is_empty()) {
        page.text(why, Meaning::Plain);
    }
}

fn head(page: &mut Page, mark: Sign, meaning: Meaning, word: &str, title: &str, rest: &str) {
    page.say(Line::from(vec![
        Span::styled(format!("{} {word}", sign(mark)), style(meaning)),
        Span::raw("   "),
        Span::styled(title.to_owned(), style(Meaning::Title)),
    ]));
    if !rest.is_empty() {
        page.text(rest, Meaning::Quiet);
    }
}

/// ` · usually 0:04`, or from where else that is known, if anything is.
pub(super) fn usually(state: &State, ui: &UiState, id: TaskId) -> String {
    let worth = |estimate: &Estimate| estimate.span >= SignedDuration::from_secs(1);
    ui.usual.of(state, id).filter(worth).map_or_else(String::new, |estimate| format!(" · {}", estimate.told()))
}

/// A script that the operator ends, and that has not ended yet.
fn ending_by_operator(ending: Ending, now: Timestamp, title: &str, page: &mut Page) {
    let text = format!("ENDING {}", span(now.duration_since(ending.ordered)));
    head(page, Sign::Runs, Meaning::Warn, &text, title, "");
    let told = if ending.sent {
        "Its script was asked to end, and is killed after 10 s."
    } else {
        "The host is told; while it does not answer, the script goes on there."
    };
    page.text(&format!("You ended it after {}. {told}", span(ending.after)), Meaning::Plain);
}

fn comes_after(state: &State, id: TaskId) -> String {
    let first = crate::engine::schedule::before(state, id)
        .or_else(|| state.task(id).and_then(|(task, _, _)| state.next_of(&task.host)).filter(|next| *next != id));
    let plan = state.plan.as_ref();
    first.zip(plan).map_or_else(String::new, |(first, plan)| {
        let Some((other, step, _)) = state.task(first) else { return String::new() };
        let _ = plan;
        format!("Its turn comes after {} on {}. Only to be read from here.", step.name, other.host)
    })
}

fn at_gate(state: &State, now: Timestamp, ui: &mut UiState, look: &Look, gate: &GateView, page: &mut Page) {
    let Some((task, step, _)) = state.task(gate.task) else { return };
    let (ready, shut): (Vec<_>, Vec<_>) = look.group.iter().partition(|(_, standing)| *standing == Standing::Ready);
    match &gate.refusal {
        None => {
            head(page, Sign::Waits, Meaning::Good, "READY", &step.title, "");
            if let Confirm::Host | Confirm::Phrase(_) = &gate.confirm {
                let what = match &gate.confirm {
                    Confirm::Phrase(phrase) => format!("the words `{phrase}`"),
                    _ => format!("the host's name, `{}`,", task.host),
                };
                page.text(&format!("Enter asks for {what} before anything happens."), Meaning::Plain);
            }
        }
        Some(Refusal::Checks(checks)) => {
            let open: Vec<&CheckResult> = checks.iter().filter(|check| !check.passed()).collect();
            let word = format!("SHUT {}/{}", open.len(), checks.len());
            head(page, Sign::Shut, Meaning::Warn, &word, &step.title, "");
            let text = match (open.len(), checks.len()) {
                (1, 1) => "1 check does not hold:".to_owned(),
                (1, all) => format!("1 of {all} checks does not hold:"),
                (failing, all) => format!("{failing} of {all} checks do not hold:"),
            };
            page.text(&text, Meaning::Plain);
            let reads = |name: &str| {
                let path = format!("vars.{name}");
                open.iter().any(|check| check.read.iter().any(|reading| reading.path == path))
            };
            let names: Vec<String> =
                settable(state, gate.task).into_iter().map(|(name, _)| name).filter(|name| reads(name)).collect();
            open.into_iter().for_each(|check| failing(check, now, ui, gate.task, page));
            if !names.is_empty() {
                let key = chord::keys(Command::SetVar).first().map(ToString::to_string).unwrap_or_default();
                page.text(&format!("{key} sets {} here, with a reason.", names.join(", ")), Meaning::Active);
            }
            page.gap();
        }
        Some(refusal) => {
            head(page, Sign::Shut, Meaning::Warn, "SHUT", &step.title, "");
            page.text(&capital(&format!("{refusal}.")), Meaning::Warn);
        }
    }
    if look.group.len() > 1 {
        let named = |group: &[&(TaskId, Standing)]| {
            let names: Vec<String> = group
                .iter()
                .take(3)
                .filter_map(|(id, _)| state.task(*id).map(|(task, _, _)| task.host.to_string()))
                .collect();
            let more = if group.len() > 3 { format!(" {}", sign(Sign::More)) } else { String::new() };
            format!("{}{more}", names.join(", "))
        };
        let mut text = format!("At this step: READY on {} of {}", ready.len(), look.group.len());
        if !shut.is_empty() {
            text += &format!(" · SHUT on {} ({})", shut.len(), named(&shut));
        }
        page.text(&text, Meaning::Active);
    }
    if let Some(warning) = window_warning(state, now, ui, gate.task) {
        page.text(&warning, Meaning::Bad);
    }
}

/// A warning before something is begun outside the maintenance window, or that it has no room for.
pub(in crate::ui) fn window_warning(state: &State, now: Timestamp, ui: &UiState, id: TaskId) -> Option<String> {
    let (_, step, _) = state.task(id)?;
    if let Some(from) = state.window_from.filter(|from| *from > now && step.changes()) {
        return Some(format!(
            "! The window has not begun: it opens {} (in {}).",
            local(from),
            rough(from.duration_since(now))
        ));
    }
    let left = state.window_until?.duration_since(now);
    if left <= SignedDuration::ZERO {
        return Some(format!("! The window ended {} ago.", span(-left)));
    }
    too_long(state, ui, id, left)
}

/// Why what is left of the window may not be enough for a step: as it usually goes, where enough of one's own sessions have
/// told, or else at its longest.
fn too_long(state: &State, ui: &UiState, id: TaskId, left: SignedDuration) -> Option<String> {
    let (_, step, _) = state.task(id)?;
    let ends = format!("the window ends in {}", span(left));
    match ui.usual.of(state, id).filter(Estimate::is_usual) {
        Some(estimate) if estimate.span > left => {
            Some(format!("! This usually takes {}, and {ends}: it will not be through in time.", span(estimate.span)))
        }
        Some(_) => None,
        None => {
            let most = state.timeout_of(id);
            (step.changes() && most > left).then(|| format!("! This may take up to {}, and {ends}.", span(most)))
        }
    }
}

/// A check that does not hold: the sentence, what it read, since when, and what goes wrong.
fn failing(check: &CheckResult, now: Timestamp, ui: &mut UiState, id: TaskId, page: &mut Page) {
    let (mark, meaning) = match &check.verdict {
        Verdict::Pass => (Sign::Done, Meaning::Good),
        Verdict::Fail => (Sign::Failed, Meaning::Bad),
        Verdict::Unknown(_) => (Sign::Unknown, Meaning::Warn),
    };
    page.say(Line::from(vec![
        Span::styled(format!("  {} ", sign(mark)), style(meaning)),
        Span::styled(clean(check.sentence()), style(meaning)),
    ]));
    if let Verdict::Unknown(why) = &check.verdict {
        page.say(Line::styled(format!("      not known: {}", clean(why)), style(Meaning::Warn)));
    }
    for reading in &check.read {
        let value = clean(&reading.value);
        let since = ui.since.of(&format!("{id}/{}", reading.path), &value, now);
        let mut age = reading.seen.map(|seen| format!("  read {} ago", self::age(now, seen))).unwrap_or_default();
        if now.duration_since(since) >= SignedDuration::from_secs(5) && !check.passed() {
            age = format!("  for {}{}", span(now.duration_since(since)), age.replace("  read", " · read"));
        }
        page.say(Line::from(vec![
            Span::styled(format!("      {} = ", reading.path), style(Meaning::Quiet)),
            Span::raw(value),
            Span::styled(age, style(Meaning::Quiet)),
        ]));
    }
    if !check.says.is_empty() && !check.passed() {
        page.say(Line::styled(format!("      {}", clean(&check.because)), style(Meaning::Plain)));
    }
}

/// A verification: every check with its own time.
fn verifying(state: &State, now: Timestamp, ui: &mut UiState, id: TaskId, page: &mut Page) {
    let Some((_, step, current)) = state.task(id) else { return };
    let waited = now.duration_since(current.since);
    let checks = awaited(step, current);
    let least = step.reboots.then_some(REBOOT_WITHIN);
    let longest = checks.iter().map(|check| limit(step, check)).chain(least).max();
    let longest = longest.map(|longest| format!(" of {}", span(longest))).unwrap_or_default();
    head(page, Sign::Verifying, Meaning::Active, &format!("VERIFYING {}{longest}", span(waited)), &step.title, "");
    if step.reboots {
        live::reboot(state, now, ui, id, page);
    }
    let what = if current.taking_back() {
        "It was taken back. What has to be so again:"
    } else {
        "The script is through. What it should bring about:"
    };
    page.text(what, Meaning::Plain);
    for check in verification(state, id, now) {
        let planned = checks.iter().find(|planned| planned.that.0 == check.that);
        let limit = planned.map_or(REBOOT_WITHIN, |planned| limit(step, planned));
        // Before its time is over it has not failed: it is only not so yet.
        if check.passed() || waited < limit {
            let (mark, meaning) =
                if check.passed() { (Sign::Done, Meaning::Good) } else { (Sign::Ahead, Meaning::Quiet) };
            let time =
                if check.passed() { String::new() } else { format!("  not yet, {} of {}", span(waited), span(limit)) };
            page.say(Line::from(vec![
                Span::styled(format!("  {} ", sign(mark)), style(meaning)),
                Span::raw(clean(check.sentence())),
                Span::styled(time, style(Meaning::Quiet)),
            ]));
            for reading in check.read.iter().filter(|reading| !check.passed() && reading.value != "unknown") {
                let text = format!("      {} = {}", reading.path, clean(&reading.value));
                page.say(Line::styled(text, style(Meaning::Quiet)));
            }
        } else {
            failing(&check, now, ui, id, page);
        }
    }
}

/// What there is to do about a task that came to a stop.
fn failed(state: &State, id: TaskId, at: FailedAt, step: &Step, task: &Task, page: &mut Page) {
    let key = |key: &str, text: String| {
        Line::from(vec![Span::styled(format!("  {key}  "), style(Meaning::Active)), Span::raw(text)])
    };
    page.say(key("r", retry(at, step).to_owned()));
    let undo = match undo_chain(state, &task.host) {
        Ok(chain) => {
            let count = changed(state, &chain).count();
            format!("takes back {count} {} on {}", if count == 1 { "step" } else { "steps" }, task.host)
        }
        Err(refusal) => format!("not possible: {refusal}"),
    };
    page.say(key("u", undo));
    page.say(key("s", "skips it, with a reason".into()));
    page.say(key("Q", "ends the session here; hosts stay as they are".into()));
    let _ = id;
}

fn retry(at: FailedAt, step: &Step) -> &'static str {
    match at {
        FailedAt::Push | FailedAt::Run => "shows the gate again; the script then runs anew",
        FailedAt::Undo => "takes back again",
        FailedAt::Verify | FailedAt::Interrupted | FailedAt::Fetch if step.repeatable => {
            "shows the gate again; this script may run a second time without harm"
        }
        FailedAt::Verify | FailedAt::Interrupted => "looks again whether it has come true; runs nothing",
        FailedAt::Fetch => "not possible: take it back or skip it",
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The checks that hold, in one line or one by one.
pub(super) fn holds(current: &TaskState, gate: &GateView, now: Timestamp, all: bool, page: &mut Page) {
    if !matches!(current.phase, Phase::Gate | Phase::Waiting) {
        return;
    }
    let held: Vec<&CheckResult> = gate.checks.iter().filter(|check| check.passed()).collect();
    if held.is_empty() {
        return;
    }
    let read = held.iter().flat_map(|check| &check.read).filter_map(|reading| reading.seen).min();
    let read = read.map(|read| format!(", read {} ago", age(now, read))).unwrap_or_default();
    let open = gate.checks.len() - held.len();
    let checks = match (held.len(), open) {
        (1, 0) => "1 check".to_owned(),
        (count, 0) => format!("{count} checks"),
        (count, _) => format!("the other {count}"),
    };
    page.gap();
    page.say(Line::from(vec![
        Span::styled("HOLDS   ", style(Meaning::Title)),
        Span::styled(format!("{} ", sign(Sign::Done)), style(Meaning::Good)),
        Span::raw(format!("{checks}{read}")),
        Span::styled("   c", style(Meaning::Active)),
        Span::styled(if all { " fewer" } else { " all of them" }, style(Meaning::Quiet)),
    ]));
    for check in held.into_iter().filter(|_| all) {
        page.say(Line::from(vec![
            Span::styled(format!("  {} ", sign(Sign::Done)), style(Meaning::Good)),
            Span::raw(clean(check.sentence())),
        ]));
        for reading in &check.read {
            let age = reading.seen.map(|seen| format!("  {} ago", age(now, seen))).unwrap_or_default();
            page.say(Line::from(vec![
                Span::styled(format!("      {} = ", reading.path), style(Meaning::Quiet)),
                Span::raw(clean(&reading.value)),
                Span::styled(age, style(Meaning::Quiet)),
            ]));
        }
    }
}
