//! The runbook as it stands: stages, and the hosts and steps of the one that the lit task is in.

use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{bar, frame as framed, word};
use crate::model::runbook::Order;
use crate::model::state::Phase;
use crate::model::{HostName, Plan, State, TaskId};
use crate::ui::clock::span;
use crate::ui::look::Look;
use crate::ui::mouse::Spot;
use crate::ui::page::cut;
use crate::ui::theme::{Meaning, Sign, sign, style};
use crate::ui::usual::Basis;
use crate::ui::view::{Pane, UiState};

/// A line of the pane, made to text only where it is in sight.
enum Entry {
    Stage(usize),
    Host(HostName),
    Step(TaskId),
}

/// Draws the runbook into an area, scrolled to the shown task.
pub fn draw(state: &State, now: Timestamp, ui: &mut UiState, look: &Look, frame: &mut Frame<'_>, area: Rect) {
    let Some(plan) = state.plan.clone() else {
        frame.render_widget(Paragraph::new("no runbook: looking only").block(framed("Steps", false)), area);
        return;
    };
    let block = framed(&cut(&plan.runbook.name, usize::from(area.width.saturating_sub(4))), ui.focus == Pane::Steps);
    let inner = block.inner(area);
    let room = usize::from(inner.height);
    let (entries, current) = entries(state, &plan, look);
    let most = entries.len().saturating_sub(room);
    let above = current.saturating_sub(room / 2).min(most);
    // Scrolled by hand, it stays within its bounds.
    let above = (above + ui.steps_scroll).min(most);
    ui.steps_scroll = above.saturating_sub(current.saturating_sub(room / 2).min(most));
    let shown = &entries[above..(above + room).min(entries.len())];
    let lines: Vec<Line<'static>> =
        shown.iter().map(|entry| line(state, &plan, now, ui, look, entry, usize::from(inner.width))).collect();
    let block = if entries.len() > room {
        let text = format!(" {}–{} of {} ", above + 1, above + shown.len(), entries.len());
        block.title_bottom(Line::styled(text, style(Meaning::Quiet)).right_aligned())
    } else {
        block
    };
    frame.render_widget(Paragraph::new(lines).block(block), area);
    ui.spots.add(area, Spot::Pane(Pane::Steps));
    for (n, entry) in shown.iter().enumerate() {
        let row = Rect { y: inner.y + n as u16, height: 1, ..inner };
        match entry {
            Entry::Step(id) => ui.spots.add(row, Spot::Step(*id)),
            Entry::Host(host) => ui.spots.add(row, Spot::Host(host.clone())),
            Entry::Stage(_) => {}
        }
    }
}

fn entries(state: &State, plan: &Plan, look: &Look) -> (Vec<Entry>, usize) {
    let here = look.task.map(|id| plan.task(id).stage).or_else(|| state.current_stage());
    let mut entries = Vec::new();
    let mut current = 0;
    for number in 0..plan.runbook.stages.len() {
        entries.push(Entry::Stage(number));
        if here != Some(number) {
            continue;
        }
        current = entries.len() - 1;
        for host in plan.hosts_of(number) {
            entries.push(Entry::Host(host.clone()));
            if Some(host) != look.host.as_ref() {
                continue;
            }
            current = entries.len() - 1;
            for id in state.tasks_of(host).iter().copied().filter(|id| plan.task(*id).stage == number) {
                if look.task == Some(id) {
                    current = entries.len();
                }
                entries.push(Entry::Step(id));
            }
        }
    }
    (entries, current)
}

fn line(
    state: &State,
    plan: &Plan,
    now: Timestamp,
    ui: &UiState,
    look: &Look,
    entry: &Entry,
    width: usize,
) -> Line<'static> {
    match entry {
        Entry::Stage(number) => stage(state, plan, look, *number, width),
        Entry::Host(host) => lane(state, plan, now, look, host, width),
        Entry::Step(id) => step(state, plan, now, ui, look, *id, width),
    }
}

fn stage(state: &State, plan: &Plan, look: &Look, number: usize, width: usize) -> Line<'static> {
    let stage = &plan.runbook.stages[number];
    let tally = state.stage_tally(number);
    let over = tally.done + tally.skipped + tally.not_needed;
    let here = look.task.is_some_and(|id| plan.task(id).stage == number);
    let (mark, meaning) = match () {
        () if tally.failed > 0 => (Sign::Failed, Meaning::Bad),
        () if over == tally.total => (Sign::Done, Meaning::Good),
        () if here => (Sign::Unfolded, Meaning::Active),
        () if state.current_stage() == Some(number) => (Sign::Folded, Meaning::Active),
        () => (Sign::Ahead, Meaning::Quiet),
    };
    let count = format!("{over}/{}", tally.total);
    let order = match stage.order {
        Order::Batch(percent) => {
            let hosts = plan.hosts_of(number).count();
            format!(" · {} at a time", (hosts * usize::from(percent) / 100).max(1))
        }
        Order::AllAtOnce | Order::OneAtATime => String::new(),
    };
    let room = width.saturating_sub(count.len() + 4);
    let title = cut(&format!("{}{order}", stage.title), room);
    let gap = " ".repeat(room.saturating_sub(unicode_width::UnicodeWidthStr::width(title.as_str())) + 1);
    Line::from(vec![
        Span::styled(format!("{} ", sign(mark)), style(meaning)),
        Span::styled(title, style(if here { Meaning::Title } else { meaning })),
        Span::raw(gap),
        Span::styled(count, style(Meaning::Quiet)),
    ])
}

fn lane(state: &State, plan: &Plan, now: Timestamp, look: &Look, host: &HostName, width: usize) -> Line<'static> {
    let number = look.task.map(|id| plan.task(id).stage).or_else(|| state.current_stage()).unwrap_or_default();
    let tasks = state.tasks_of(host);
    let ours: Vec<TaskId> = tasks.iter().copied().filter(|id| plan.task(*id).stage == number).collect();
    let over = ours.iter().filter(|id| state.tasks[id.index()].phase.is_over()).count();
    let lit = Some(host) == look.host.as_ref();
    let next = ours.iter().copied().find(|id| !state.tasks[id.index()].phase.is_over());
    let (text, meaning) = match next {
        None => ("done".to_owned(), Meaning::Good),
        Some(id) => {
            let (mark, text, meaning) = word(state, id, look.standing(id), now);
            if text.is_empty() {
                (format!("{over}/{}", ours.len()), Meaning::Quiet)
            } else {
                (format!("{over}/{} {} {text}", ours.len(), sign(mark)), meaning)
            }
        }
    };
    let name = cut(host.as_str(), 12);
    let mut spans = vec![
        Span::styled(if lit { format!("{} ", sign(Sign::Folded)) } else { "  ".to_owned() }, style(Meaning::Active)),
        Span::styled(format!("{name:<12} "), style(if lit { Meaning::Title } else { Meaning::Plain })),
    ];
    spans.extend(bar(over, ours.len(), 10.min(width.saturating_sub(30))).spans);
    spans.push(Span::styled(format!(" {}", cut(&text, width.saturating_sub(26))), style(meaning)));
    Line::from(spans)
}

fn step(
    state: &State,
    plan: &Plan,
    now: Timestamp,
    ui: &UiState,
    look: &Look,
    id: TaskId,
    width: usize,
) -> Line<'static> {
    let task = &state.tasks[id.index()];
    let step = plan.step_of(plan.task(id));
    let (mark, text, meaning) = word(state, id, look.standing(id), now);
    let shown = look.task == Some(id);
    let time = match &task.phase {
        Phase::Done => task.took.map(span).unwrap_or_default(),
        Phase::Waiting => ui
            .usual
            .of(state, id)
            .filter(|usual| usual.span.as_secs() > 0)
            .map(|usual| match usual.basis {
                Basis::Simulated => format!("simulated {}", span(usual.span)),
                Basis::Usual | Basis::Last => format!("about {}", span(usual.span)),
            })
            .unwrap_or_default(),
        _ => String::new(),
    };
    let right = if text.is_empty() { time } else { text };
    let room = width.saturating_sub(right.chars().count() + 7);
    let name = cut(&step.name, room);
    let gap = " ".repeat(room.saturating_sub(name.chars().count()) + 1);
    let right_meaning = if matches!(task.phase, Phase::Done | Phase::Waiting) { Meaning::Quiet } else { meaning };
    Line::from(vec![
        Span::styled(format!("    {} ", sign(mark)), style(meaning)),
        Span::styled(name, style(if shown { Meaning::Lit } else { Meaning::Plain })),
        Span::raw(gap),
        Span::styled(right, style(right_meaning)),
    ])
}
