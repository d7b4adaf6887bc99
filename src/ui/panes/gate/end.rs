//! What stands in the gate's place when no task does: what is waited for, and, at the end, all that came of the session.

use jiff::Timestamp;
use ratatui::text::{Line, Span};

use crate::engine::promise;
use crate::model::event::Outcome;
use crate::model::logtail::clean;
use crate::model::state::Phase;
use crate::model::{Facts, State};
use crate::ui::clock::span;
use crate::ui::page::Page;
use crate::ui::theme::{Meaning, Sign, sign, style};

/// What there is to say while no task is before the operator.
pub(super) fn page(state: &State, now: Timestamp) -> Page {
    let mut page = Page::default();
    match &state.outcome {
        Some(Outcome::Completed) => {
            page.text(&format!("{} COMPLETED   Every promise of the runbook holds.", sign(Sign::Done)), Meaning::Good);
        }
        Some(Outcome::Unkept { missing }) => {
            page.text(
                &format!(
                    "{} UNKEPT   Every task is over, and the runbook's promise does not hold:",
                    sign(Sign::Failed)
                ),
                Meaning::Bad,
            );
            missing.iter().for_each(|what| page.say(format!("  {} {}", sign(Sign::Failed), clean(what))));
        }
        Some(Outcome::Aborted { reason }) => {
            page.text(&format!("{} ENDED by the operator: {}", sign(Sign::Failed), clean(reason)), Meaning::Bad);
        }
        None if state.plan.is_none() => {
            page.text("Looking only: nothing can be changed from here.", Meaning::Quiet);
            return page;
        }
        None if state.tasks.iter().all(|task| task.phase.is_over()) => {
            verifying(state, now, &mut page);
            return page;
        }
        None => {
            page.text("Waiting for the hosts.", Meaning::Quiet);
            return page;
        }
    }
    changes(state, &mut page);
    course(state, &mut page);
    left_behind(state, &mut page);
    page
}

/// The promise while it is looked for.
fn verifying(state: &State, now: Timestamp, page: &mut Page) {
    let since = state.tasks.iter().map(|task| task.since).max().unwrap_or(now);
    let limit = crate::engine::PROMISE_WITHIN;
    page.text(
        &format!(
            "{} VERIFYING {} of {}   Every task is over. What the runbook promises:",
            sign(Sign::Verifying),
            span(now.duration_since(since)),
            span(limit)
        ),
        Meaning::Active,
    );
    for check in promise(state, now) {
        let (mark, meaning) = if check.passed() { (Sign::Done, Meaning::Good) } else { (Sign::Unknown, Meaning::Warn) };
        page.say(Line::from(vec![
            Span::styled(format!("  {} ", sign(mark)), style(meaning)),
            Span::raw(clean(check.sentence())),
        ]));
        for reading in check.read.iter().filter(|_| !check.passed()) {
            page.say(Line::styled(
                format!("      {} = {}", reading.path, clean(&reading.value)),
                style(Meaning::Quiet),
            ));
        }
    }
}

/// Before and after, a line a host.
fn changes(state: &State, page: &mut Page) {
    page.gap();
    page.text("BEFORE → AFTER", Meaning::Title);
    for (name, host) in &state.hosts {
        let (Some(first), Some(last)) = (&host.first, &host.facts) else {
            page.say(Line::styled(format!("  {name}  was not seen"), style(Meaning::Warn)));
            continue;
        };
        let moved: Vec<String> = versions(first)
            .into_iter()
            .zip(versions(&last.facts))
            .filter(|(before, after)| before.1 != after.1)
            .map(|(before, after)| {
                let word = |value: Option<String>| value.unwrap_or_else(|| "none".into());
                format!("{} {} → {}", before.0, word(before.1), word(after.1))
            })
            .collect();
        let text = if moved.is_empty() { "as before".to_owned() } else { moved.join(" · ") };
        page.say(Line::from(vec![Span::raw(format!("  {name}  ")), Span::styled(clean(&text), style(Meaning::Plain))]));
    }
}

/// What an upgrade may move, by name.
fn versions(facts: &Facts) -> [(&'static str, Option<String>); 5] {
    let etcd = facts.etcd.as_ref();
    let booted = facts.ostree.as_ref().and_then(|ostree| ostree.booted());
    [
        ("etcd", etcd.and_then(|etcd| etcd.server.clone())),
        ("cluster", etcd.and_then(|etcd| etcd.cluster.clone())),
        ("kubelet", facts.kubelet.clone()),
        ("deployment", booted.map(|booted| booted.version.clone())),
        ("os", facts.os.as_ref().map(|os| format!("{} {}", os.id, os.version))),
    ]
}

/// Times, what was skipped, what was noted.
fn course(state: &State, page: &mut Page) {
    let Some(session) = &state.session else { return };
    page.gap();
    page.text("THE SESSION", Meaning::Title);
    let tally = state.tally();
    let counted =
        [("done", tally.done), ("not needed", tally.not_needed), ("skipped", tally.skipped), ("failed", tally.failed)];
    let counted: Vec<String> =
        counted.into_iter().filter(|(_, count)| *count > 0).map(|(word, count)| format!("{count} {word}")).collect();
    page.say(format!(
        "  {} in all: {}",
        span(state.ended.unwrap_or(state.now).duration_since(session.started)),
        counted.join(", ")
    ));
    let Some(plan) = &state.plan else { return };
    for (number, stage) in plan.runbook.stages.iter().enumerate() {
        let took =
            plan.tasks.iter().filter(|task| task.stage == number).filter_map(|task| state.tasks[task.id.index()].took);
        let longest = took.max();
        if let Some(longest) = longest {
            page.say(format!("  {}: longest step {}", stage.title, span(longest)));
        }
    }
    for id in state.task_ids() {
        if let Phase::Skipped { reason } = &state.tasks[id.index()].phase {
            page.say(Line::styled(
                format!("  {} skipped {}: {}", sign(Sign::Skipped), plan.label(id), clean(reason)),
                style(Meaning::Warn),
            ));
        }
    }
    for note in &state.notes {
        page.say(format!("  note {}: {}", note.at.strftime("%H:%M"), clean(&note.text)));
    }
}

/// What stays on the hosts and here, and how to remove it.
fn left_behind(state: &State, page: &mut Page) {
    let Some(session) = &state.session else { return };
    page.gap();
    page.text("WHAT STAYS", Meaning::Title);
    page.say(
        "  On each host, /var/lib/lockkeeper: the scripts that ran with their output, and the copies that a way back",
    );
    page.say("  needs. Once nobody wants to go back any more, remove it as root:");
    page.code(format!("    rm -r /var/lib/lockkeeper/jobs/{}*", session.id));
    for artifact in &state.artifacts {
        page.code(format!("  Here: {} ({} bytes, from {})", clean(&artifact.to), artifact.bytes, artifact.host));
    }
    page.say("  The journal holds all of it: `lockkeeper replay` plays it. q leaves.");
}
