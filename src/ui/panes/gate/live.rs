//! What is going on while a job runs: a drain by the pods that are left, a reboot by its phases.

use jiff::{SignedDuration, Timestamp};
use ratatui::text::{Line, Span};

use crate::model::logtail::clean;
use crate::model::state::{HostState, Link, TaskState};
use crate::model::{State, TaskId, size};
use crate::ui::clock::{age, span};
use crate::ui::page::Page;
use crate::ui::theme::{Meaning, Sign, sign, style};
use crate::ui::usual::Part;
use crate::ui::view::UiState;

/// Says what can be seen of a job while it runs.
pub(super) fn say(state: &State, now: Timestamp, ui: &mut UiState, id: TaskId, page: &mut Page) {
    let Some((_, step, _)) = state.task(id) else { return };
    if step.reboots {
        reboot(state, now, ui, id, page);
    }
    if step.run.as_ref().is_some_and(|script| script.contains("drain")) {
        drain(state, now, ui, id, page);
    }
}

/// The pods that a drain has still to evict, the budgets that hold them, and since when.
fn drain(state: &State, now: Timestamp, ui: &mut UiState, id: TaskId, page: &mut Page) {
    let Some((task, _, _)) = state.task(id) else { return };
    let inventory = state.session.as_ref().map(|session| session.inventory.clone());
    let node = inventory.as_ref().and_then(|inventory| inventory.host(&task.host)).map(|host| host.node().to_owned());
    let seen = state.hosts.values().filter_map(HostState::current).filter(|seen| seen.facts.kube.is_some());
    let Some((node, seen)) = node.zip(seen.max_by_key(|seen| seen.at)) else { return };
    let pods = seen.facts.kube.as_ref().and_then(|kube| kube.nodes.get(&node)?.pods.as_ref());
    let Some(pods) = pods else { return };
    page.gap();
    let left = pods.evictable.len();
    let more = if left >= crate::model::facts::NodePods::LISTED { " or more" } else { "" };
    page.say(Line::from(vec![
        Span::styled(
            format!("{left}{more} {} left on {node}", if left == 1 { "pod" } else { "pods" }),
            style(Meaning::Title),
        ),
        Span::styled(format!("  seen {} ago", age(now, seen.at)), style(Meaning::Quiet)),
    ]));
    for pod in &pods.evictable {
        // A blocked pod is told as `namespace/pod (budget)`.
        let budget = pods.blocked.iter().find_map(|held| held.strip_prefix(pod.as_str())?.trim().strip_prefix('('));
        let since = ui.since.of(&format!("{id}/{pod}"), budget.unwrap_or_default(), now);
        let (mark, meaning, what) = match budget {
            Some(budget) => {
                (Sign::Shut, Meaning::Warn, format!("held by the disruption budget {}", budget.trim_end_matches(')')))
            }
            None => (Sign::Ahead, Meaning::Plain, "on its way".to_owned()),
        };
        page.say(Line::from(vec![
            Span::styled(format!("  {} ", sign(mark)), style(meaning)),
            Span::raw(pod.clone()),
            Span::styled(format!("  {what} for {}", span(now.duration_since(since))), style(meaning)),
        ]));
    }
}

/// A file that is on its way, by bytes, rate and time left.
pub(super) fn moving(now: Timestamp, task: &TaskState, page: &mut Page) {
    let Some(moving) = &task.moving else { return };
    let seconds = moving.at.duration_since(moving.since.0).as_secs_f64();
    let rate = (moving.bytes - moving.since.1) as f64 / seconds.max(0.001);
    let mut text = format!("  {} of {}", size(moving.bytes as i64), size(moving.total as i64));
    if seconds >= 1.0 && rate >= 1.0 {
        let left = SignedDuration::from_secs_f64((moving.total - moving.bytes.min(moving.total)) as f64 / rate);
        text += &format!(" · {}/s · about {} left", size(rate as i64), span(left));
    }
    // A long path is wrapped, and the numbers are not.
    page.code(Line::from(format!("{text}  {}", clean(&moving.path))));
    let still = now.duration_since(moving.at);
    if moving.bytes >= moving.total {
        page.text(&format!("all of it is there; its digest is compared for {}", span(still)), Meaning::Quiet);
    } else if still >= SignedDuration::from_secs(5) {
        page.text(&format!("nothing has moved for {}", span(still)), Meaning::Warn);
    }
}

/// A reboot by its phases, those that are not over beside what they usually take.
pub(super) fn reboot(state: &State, now: Timestamp, ui: &UiState, id: TaskId, page: &mut Page) {
    let Some((task, _, current)) = state.task(id) else { return };
    let Some(began) = current.began else { return };
    let phase = |part: Part, name: &str, from: Option<Timestamp>, to: Option<Timestamp>| {
        let mut spans = clocked(now, name, from, to);
        let usual = ui.usual.of_part(state, id, part).filter(|usual| to.is_none() && usual.span.as_secs() > 0);
        spans.extend(usual.map(|usual| Span::styled(format!(" ({})", usual.told()), style(Meaning::Quiet))));
        spans
    };
    let away = current.away.or(current.back);
    let phases = [
        phase(Part::GoingDown, "going down", Some(began), away),
        phase(Part::Away, "away", away, current.back),
        phase(Part::Checks, "checks", current.back, None),
    ];
    let mut spans = vec![Span::raw("  ")];
    for (n, part) in phases.into_iter().enumerate() {
        if n > 0 {
            spans.push(Span::styled(" · ", style(Meaning::Quiet)));
        }
        spans.extend(part);
    }
    page.say(Line::from(spans));
    let link = state.host(&task.host).map(|host| &host.link);
    if let Some(Link::Lost { since, .. }) = link
        && now.duration_since(*since) >= crate::engine::REBOOT_WITHIN / 3
    {
        page.text(
            &format!(
                "{} has not answered for {}. Look at its console: is it in a boot menu, an emergency shell, or off?",
                task.host,
                span(now.duration_since(*since))
            ),
            Meaning::Warn,
        );
    }
}

/// A phase that is over, goes on, or lies ahead.
fn clocked(now: Timestamp, name: &str, from: Option<Timestamp>, to: Option<Timestamp>) -> Vec<Span<'static>> {
    match (from, to) {
        (Some(from), Some(to)) => {
            vec![
                Span::raw(format!("{name} ")),
                Span::styled(format!("{} ", sign(Sign::Done)), style(Meaning::Good)),
                Span::raw(span(to.duration_since(from))),
            ]
        }
        (Some(from), None) => vec![
            Span::styled(format!("{name} "), style(Meaning::Active)),
            Span::styled(format!("{} {}", sign(Sign::Runs), span(now.duration_since(from))), style(Meaning::Active)),
        ],
        (None, _) => vec![Span::styled(name.to_owned(), style(Meaning::Quiet))],
    }
}
