//! What stands in the gate's place when no task does: what is waited for, and, at the end, all that came of the session.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ratatui::text::{Line, Span};

use crate::engine::promise;
use crate::model::event::{Mode, Outcome};
use crate::model::facts::Node;
use crate::model::logtail::clean;
use crate::model::state::Phase;
use crate::model::{Facts, Host, HostName, State};
use crate::ui::clock::span;
use crate::ui::page::Page;
use crate::ui::theme::{Meaning, Sign, sign, style};

/// What there is to say while no task is before the operator.
pub(super) fn page(state: &State, now: Timestamp) -> Page {
    if let Some(mut page) = summary(state) {
        page.say(
            "  The journal holds all of it: `lockkeeper replay` plays it. Where it lies is said as you leave, with q.",
        );
        return page;
    }
    let mut page = Page::default();
    if state.plan.is_none() {
        page.text("Looking only: nothing can be changed from here.", Meaning::Quiet);
    } else if state.tasks.iter().all(|task| task.phase.is_over()) {
        verifying(state, now, &mut page);
    } else {
        page.text("Waiting for the hosts.", Meaning::Quiet);
    }
    page
}

/// All that came of a session that has ended.
pub(in crate::ui) fn summary(state: &State) -> Option<Page> {
    let mut page = Page::default();
    match state.outcome.as_ref()? {
        Outcome::Completed => {
            page.text(&format!("{} COMPLETED   Every promise of the runbook holds.", sign(Sign::Done)), Meaning::Good);
        }
        Outcome::Unkept { missing } => {
            page.text(
                &format!(
                    "{} UNKEPT   Every task is over, and the runbook's promise does not hold:",
                    sign(Sign::Failed)
                ),
                Meaning::Bad,
            );
            missing.iter().for_each(|what| page.say(format!("  {} {}", sign(Sign::Failed), clean(what))));
        }
        Outcome::Aborted { reason } => {
            page.text(&format!("{} ENDED by the operator: {}", sign(Sign::Failed), clean(reason)), Meaning::Bad);
        }
    }
    changes(state, &mut page);
    course(state, &mut page);
    left_behind(state, &mut page);
    Some(page)
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
        let node = state.session.as_ref().and_then(|session| session.inventory.host(name)).map(Host::node);
        let all_first = || state.hosts.values().filter_map(|host| host.first.as_deref());
        let all_last = || state.hosts.values().filter_map(|host| host.facts.as_ref()).map(|seen| &*seen.facts);
        let moved: Vec<String> = versions(first, seen_by(all_first(), node))
            .into_iter()
            .zip(versions(&last.facts, seen_by(all_last(), node)))
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

/// A node as the API server told one of these hosts.
fn seen_by<'f>(mut told: impl Iterator<Item = &'f Facts>, name: Option<&str>) -> Option<&'f Node> {
    told.find_map(|facts| facts.kube.as_ref()?.nodes.get(name?))
}

/// What an upgrade may move, by name: what runs, where that is known, and what lies on disk otherwise.
fn versions(facts: &Facts, node: Option<&Node>) -> [(&'static str, Option<String>); 7] {
    let etcd = facts.etcd.as_ref();
    let booted = facts.ostree.as_ref().and_then(|ostree| ostree.booted());
    let runs = node.map(|node| node.kubelet.clone()).filter(|version| !version.is_empty());
    let kubelet = match (runs, &facts.kubelet) {
        (Some(runs), Some(disk)) if runs != *disk => Some(format!("{runs} ({disk} on disk)")),
        (Some(runs), _) => Some(runs),
        (None, disk) => disk.as_ref().map(|disk| format!("{disk} on disk")),
    };
    [
        ("etcd", etcd.and_then(|etcd| etcd.server.clone())),
        ("cluster", etcd.and_then(|etcd| etcd.cluster.clone())),
        ("API server", facts.api_server.as_ref().and_then(|server| server.version.clone())),
        ("kubelet", kubelet),
        ("runtime", facts.runtime.as_ref().map(|runtime| format!("{} {}", runtime.name, runtime.version))),
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
    let counted = if counted.is_empty() { "nothing was done".to_owned() } else { counted.join(", ") };
    page.say(format!("  {} in all: {counted}", span(state.ended.unwrap_or(state.now).duration_since(session.started))));
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
    let practised = session.mode == Mode::Practice;
    page.text(
        if practised { "WHAT WOULD STAY   These hosts were simulated, and are gone with it." } else { "WHAT STAYS" },
        Meaning::Title,
    );
    let touched = touched(state);
    if touched.is_empty() {
        page.say("  Nothing on any host: no script ran there.");
    } else {
        let whose = if touched.len() == state.hosts.len() { "each host".to_owned() } else { named(&touched) };
        page.say(format!(
            "  On {whose}, /var/lib/lockkeeper: the scripts that ran with their output, and the copies that"
        ));
        page.say("  a way back needs. Once nobody wants to go back any more, this lists it, asks, and removes it:");
        page.code("    lockkeeper clean -i INVENTORY --older-than 7d");
    }
    for (place, hosts) in backups(state, &touched) {
        page.say(format!("  Backups the runbook made, if its steps came to that, on {}:", named(&hosts)));
        page.code(format!("    {}", clean(place)));
    }
    for artifact in &state.artifacts {
        page.code(format!("  Here: {} ({} bytes, from {})", clean(&artifact.to), artifact.bytes, artifact.host));
    }
}

/// The hosts on which a script ran, or may have.
fn touched(state: &State) -> Vec<&HostName> {
    let tasks = || state.task_ids().filter_map(|id| state.task(id));
    let ran = |name: &HostName| tasks().any(|(task, _, now)| task.on == *name && now.attempts + now.undo_attempts > 0);
    state.hosts.keys().filter(|name| ran(name)).collect()
}

/// Where the runbook was told to make backups, with the hosts it was told so for, of those it ran on: `backup_dir` by the
/// convention of every runbook that makes any.
fn backups<'s>(state: &'s State, touched: &[&'s HostName]) -> BTreeMap<&'s str, Vec<&'s HostName>> {
    let mut places: BTreeMap<&str, Vec<&HostName>> = BTreeMap::new();
    let Some(plan) = &state.plan else { return places };
    for host in touched {
        if let Some(place) = plan.vars.get(*host).and_then(|vars| vars.get("backup_dir")) {
            places.entry(place).or_default().push(host);
        }
    }
    places
}

/// Hosts in a line, the first of many.
fn named(hosts: &[&HostName]) -> String {
    const MOST: usize = 4;
    let names: Vec<&str> = hosts.iter().take(MOST).map(|host| host.as_str()).collect();
    let more = hosts.len().saturating_sub(MOST);
    if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::facts::{ApiServer, Kube, Runtime};

    fn ended() -> State {
        let journal = std::path::Path::new("tests/journals/container-linux.jsonl");
        State::of(&crate::journal::read(journal).unwrap().records)
    }

    fn told(state: &State) -> String {
        page(state, state.now).rows(160).iter().map(|row| format!("{}\n", row.text)).collect()
    }

    #[test]
    fn what_runs_is_told_before_and_after_and_not_what_lies_on_disk() {
        let facts = |api: &str, disk: &str, runs: &str, runtime: &str| {
            let node = Node { kubelet: runs.into(), ..Node::default() };
            let facts = Facts {
                api_server: Some(ApiServer { answers: true, version: Some(api.into()) }),
                kubelet: Some(disk.into()),
                runtime: Some(Runtime { name: "containerd".into(), version: runtime.into() }),
                kube: Some(Kube { nodes: [("etcd1".to_owned(), node)].into(), ..Kube::default() }),
                ..Facts::default()
            };
            std::sync::Arc::new(facts)
        };
        let mut state = ended();
        let host = state.hosts.get_mut(&HostName::from("etcd1")).unwrap();
        host.first = Some(facts("1.30.4", "1.30.4", "1.30.4", "1.7.0"));
        host.facts.as_mut().unwrap().facts = facts("1.31.4", "1.31.4", "1.30.4", "1.7.1");
        let expected = "API server 1.30.4 → 1.31.4 · kubelet 1.30.4 → 1.30.4 (1.31.4 on disk) · \
                        runtime containerd 1.7.0 → containerd 1.7.1";
        assert!(told(&state).contains(expected), "{}", told(&state));
    }

    #[test]
    fn what_stays_is_told_of_the_hosts_that_were_touched() {
        let mut state = ended();
        let text = told(&state);
        assert!(text.contains("Backups the runbook made") && text.contains("/var/lib/lockkeeper-backup"), "{text}");
        assert!(text.contains("lockkeeper clean -i INVENTORY") && text.contains("WHAT WOULD STAY"), "{text}");
        let mut real = state.clone();
        real.session.as_mut().unwrap().mode = Mode::Upgrade;
        assert!(told(&real).contains("WHAT STAYS") && !told(&real).contains("simulated"), "{}", told(&real));
        state.tasks.iter_mut().for_each(|task| {
            (task.attempts, task.undo_attempts, task.phase) = (0, 0, Phase::Waiting);
        });
        let text = told(&state);
        assert!(
            text.contains("Nothing on any host") && !text.contains("lockkeeper clean") && !text.contains("Backups"),
            "{text}"
        );
    }
}
