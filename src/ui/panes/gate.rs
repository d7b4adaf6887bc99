//! The task before the operator: what it will do, on what grounds, and what there is to press.

use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Paragraph, Wrap};

use super::{ago, frame as framed, phase_words, sign};
use crate::engine::{GateView, Refusal, changed, undo_chain};
use crate::model::event::{CheckResult, FailedAt, Outcome, Verdict};
use crate::model::runbook::{Confirm, Step};
use crate::model::state::{Phase, TaskState};
use crate::model::{State, Task};
use crate::ui::theme::{Meaning, style};
use crate::ui::view::{Pane, UiState};

/// Draws the task before the operator.
pub fn draw(state: &State, now: Timestamp, ui: &UiState, frame: &mut Frame<'_>, area: Rect) {
    let gate = ui.gate(state, now);
    let shown = gate.as_ref().and_then(|gate| Some((gate, state.task(gate.task)?)));
    let (title, lines) = match shown {
        Some((gate, (task, step, current))) => {
            let title = format!("{} on {} · {}", step.name, task.host, phase_words(&current.phase));
            (title, describe(state, now, gate, task, step, current))
        }
        None => (Pane::Gate.title().to_owned(), idle(state)),
    };
    let paragraph = Paragraph::new(Text::from(lines)).wrap(Wrap { trim: false });
    let block = framed(&title, ui.focus == Pane::Gate);
    let inner = block.inner(area);
    let most = (paragraph.line_count(inner.width) as u16).saturating_sub(inner.height);
    let scroll = ui.gate_scroll.min(most);
    let block = if most > scroll {
        block.title_bottom(Span::styled(format!(" {} more lines below ", most - scroll), style(Meaning::Warn)))
    } else {
        block
    };
    frame.render_widget(paragraph.block(block).scroll((scroll, 0)), area);
}

/// What there is to say while no task is before the operator.
fn idle(state: &State) -> Vec<Line<'static>> {
    match &state.outcome {
        Some(Outcome::Completed) => vec![
            Line::styled("✓ Completed. Every promise of the runbook holds.", style(Meaning::Good)),
            Line::raw(""),
            Line::raw("Press q to leave. The journal has all of it; play it with `lockkeeper replay`."),
        ],
        Some(Outcome::Unkept { missing }) => {
            let mut lines = vec![Line::styled(
                "✗ Every task is over, and the runbook's promise does not hold:",
                style(Meaning::Bad),
            )];
            lines.extend(missing.iter().map(|what| Line::raw(format!("  · {what}"))));
            lines
        }
        Some(Outcome::Aborted { reason }) => {
            vec![Line::styled(format!("✗ Ended by the operator: {reason}"), style(Meaning::Bad))]
        }
        None if state.plan.is_none() => {
            vec![Line::styled("This only looks. Nothing can be changed from here.", style(Meaning::Quiet))]
        }
        None if state.tasks.iter().all(|task| task.phase.is_over()) => {
            vec![Line::styled(
                "Every task is over. Looking whether the runbook's promise holds …",
                style(Meaning::Active),
            )]
        }
        None => vec![Line::styled("Waiting for the hosts …", style(Meaning::Quiet))],
    }
}

fn describe(
    state: &State,
    now: Timestamp,
    gate: &GateView,
    task: &Task,
    step: &Step,
    current: &TaskState,
) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled(step.title.clone(), style(Meaning::Title))];
    if !step.why.is_empty() {
        lines.push(Line::styled(step.why.trim().replace('\n', " "), style(Meaning::Plain)));
    }
    lines.push(Line::raw(""));
    status(state, gate, task, step, current, &mut lines);
    for (word, text) in [("destroys", &step.destroys), ("no way back", &step.point_of_no_return)] {
        if let Some(text) = text {
            lines.push(Line::from(vec![
                Span::styled(format!("! {word}: "), style(Meaning::Bad)),
                Span::styled(text.trim().replace('\n', " "), style(Meaning::Warn)),
            ]));
        }
    }
    for (what, here) in &gate.harm {
        lines.push(Line::styled(format!("! the config's {what}"), style(Meaning::Bad)));
        let clean = |text: &String| crate::model::logtail::clean(text);
        lines.extend(here.iter().map(|hit| Line::styled(format!("    hits {}", clean(hit)), style(Meaning::Bad))));
    }
    if step.reboots {
        lines.push(Line::styled(format!("! reboots {}", task.host), style(Meaning::Bad)));
    }
    if task.on != task.host {
        lines.push(Line::styled(format!("runs on {}, about {}", task.on, task.host), style(Meaning::Warn)));
    }
    if !gate.checks.is_empty() {
        let head = match current.phase {
            Phase::Gate | Phase::Waiting => "Must hold before",
            Phase::Verifying => "Must come true",
            Phase::Failed { .. } => "What it should have brought about, now",
            _ => "Held when the gate opened",
        };
        heading(&mut lines, head);
        gate.checks.iter().for_each(|check| check_lines(check, now, &mut lines));
    }
    if let Some(hands) = &step.hands {
        heading(&mut lines, "By hand");
        lines.extend(hands.lines().map(|line| Line::styled(format!("  {line}"), style(Meaning::Warn))));
    }
    if let Some(script) = &gate.script {
        heading(&mut lines, &format!("Runs as root on {}, for at most {} s", task.on, step.timeout().as_secs()));
        lines.extend(script.lines().map(|line| Line::raw(format!("  {line}"))));
    }
    if !gate.vars.is_empty() {
        heading(&mut lines, "With");
        lines.extend(gate.vars.iter().map(|(name, value)| {
            Line::from(vec![Span::styled(format!("  {name}="), style(Meaning::Quiet)), Span::raw(format!("'{value}'"))])
        }));
    }
    for fetch in &step.fetch {
        lines.push(Line::from(vec![
            Span::styled("  brings back ", style(Meaning::Quiet)),
            Span::raw(fetch.path.clone()),
        ]));
    }
    if matches!(current.phase, Phase::Gate | Phase::Waiting | Phase::Running) && !step.verify.is_empty() {
        heading(&mut lines, "Verified afterwards");
        lines.extend(step.verify.iter().map(|check| {
            Line::from(vec![
                Span::raw(format!("  · {}", check.sentence())),
                Span::styled(format!("  within {} s", check.within().as_secs()), style(Meaning::Quiet)),
            ])
        }));
    }
    if step.changes() {
        heading(&mut lines, "Undo");
        match (&step.point_of_no_return, &step.undo) {
            (Some(_), _) => lines.push(Line::styled("  none: see above", style(Meaning::Bad))),
            (None, Some(undo)) => lines.extend(undo.lines().map(|line| Line::raw(format!("  {line}")))),
            (None, None) => lines.push(Line::styled("  none", style(Meaning::Warn))),
        }
    }
    for push in &task.pushes {
        if let Some(artifact) = &push.artifact {
            heading(
                &mut lines,
                &format!("Writes {} (mode {}), what was brought back from {artifact}", push.path, push.mode),
            );
            continue;
        }
        heading(
            &mut lines,
            &format!(
                "Writes {} (mode {}, {} bytes, sha256 {:.12}…)",
                push.path,
                push.mode,
                push.content.len(),
                push.sha256.as_str()
            ),
        );
        lines.extend(push.content.lines().map(|line| Line::raw(format!("  {}", crate::model::logtail::clean(line)))));
    }
    lines
}

fn heading(lines: &mut Vec<Line<'static>>, text: &str) {
    lines.push(Line::raw(""));
    lines.push(Line::styled(text.to_owned(), style(Meaning::Title)));
}

/// Where the task stands, and what there is to press.
fn status(
    state: &State,
    gate: &GateView,
    task: &Task,
    step: &Step,
    current: &TaskState,
    lines: &mut Vec<Line<'static>>,
) {
    let (mark, meaning) = sign(current);
    let mut say = |text: String, meaning| lines.push(Line::styled(text, style(meaning)));
    match &current.phase {
        Phase::Gate => match &gate.refusal {
            None => say(format!("▶ Ready. Enter opens the gate{}.", what_to_type(&gate.confirm, task)), Meaning::Good),
            Some(Refusal::Checks(checks)) => {
                let open = checks.iter().filter(|check| !check.passed()).count();
                say(format!("▶ Shut: {open} of {} checks do not hold yet.", checks.len()), Meaning::Warn);
            }
            Some(refusal) => say(format!("▶ Shut: {refusal}."), Meaning::Warn),
        },
        Phase::Failed { at, reason } => {
            say(format!("{mark} Stopped: {reason}."), meaning);
            say(format!("  r  {}", retry_words(*at, step)), Meaning::Plain);
            let undo = match undo_chain(state, &task.host) {
                Ok(chain) => {
                    format!("takes back {} steps, down to the last safe point", changed(state, &chain).count())
                }
                Err(refusal) => format!("not possible: {refusal}"),
            };
            say(format!("  u  {undo}"), Meaning::Plain);
            say("  s  pass it over, with a reason    Q  end the session here".into(), Meaning::Plain);
        }
        Phase::Uncertain { reason } => say(
            format!("{mark} Whether the script ran is not known ({reason}). The host is asked; nothing runs twice."),
            meaning,
        ),
        Phase::Verifying => {
            say(format!("{mark} The script is through. Looking for what it should have brought about …"), meaning);
        }
        Phase::Running => say(format!("{mark} Running on {}; see its log.", task.on), meaning),
        phase => say(format!("{mark} {}", phase_words(phase)), meaning),
    }
}

fn what_to_type(confirm: &Confirm, task: &Task) -> String {
    match confirm {
        Confirm::None | Confirm::Enter => String::new(),
        Confirm::Host => format!(", and asks you to type `{}`", task.host),
        Confirm::Phrase(phrase) => format!(", and asks you to type `{phrase}`"),
    }
}

fn retry_words(at: FailedAt, step: &Step) -> &'static str {
    match at {
        FailedAt::Push | FailedAt::Run => "shows the gate again; the script then runs anew",
        FailedAt::Undo => "takes back again",
        FailedAt::Verify | FailedAt::Interrupted | FailedAt::Fetch if step.repeatable => {
            "shows the gate again; this script may simply run again"
        }
        FailedAt::Verify | FailedAt::Interrupted => "looks again whether it has come true; runs nothing",
        FailedAt::Fetch => "not possible: undo or skip",
    }
}

fn check_lines(check: &CheckResult, now: Timestamp, lines: &mut Vec<Line<'static>>) {
    let (mark, meaning) = match &check.verdict {
        Verdict::Pass => ("✓", Meaning::Good),
        Verdict::Fail => ("✗", Meaning::Bad),
        Verdict::Unknown(_) => ("?", Meaning::Warn),
    };
    lines.push(Line::from(vec![Span::styled(format!("  {mark} "), style(meaning)), Span::raw(check.sentence().to_owned())]));
    if let Verdict::Unknown(why) = &check.verdict {
        lines.push(Line::styled(format!("      unknown: {why}"), style(Meaning::Warn)));
    }
    for reading in &check.read {
        let age = reading.seen.map(|seen| format!("  {} ago", ago(now, seen))).unwrap_or_default();
        lines.push(Line::from(vec![
            Span::styled(format!("      {} = ", reading.path), style(Meaning::Quiet)),
            Span::styled(
                crate::model::logtail::clean(&reading.value),
                style(if check.passed() { Meaning::Plain } else { meaning }),
            ),
            Span::styled(age, style(Meaning::Quiet)),
        ]));
    }
}
