//! The runbook as it stands: stages, and the hosts and steps of the one that is going on.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{frame as framed, phase_words, sign};
use crate::model::state::Phase;
use crate::model::{Plan, State, TaskId};
use crate::ui::theme::{Meaning, style};
use crate::ui::view::{Pane, UiState};

/// Draws the runbook into an area, scrolled to where things go on.
pub fn draw(state: &State, ui: &UiState, frame: &mut Frame<'_>, area: Rect) {
    let title = state.plan.as_ref().map_or_else(|| "Runbook".to_owned(), |plan| plan.runbook.name.clone());
    let block = framed(&title, ui.focus == Pane::Stages);
    let room = block.inner(area).height;
    let (lines, current) = state.plan.as_ref().map_or_else(
        || (vec![Line::styled("no runbook: this only looks", style(Meaning::Quiet))], 0),
        |plan| lines(state, plan, ui),
    );
    let above = (current as u16).saturating_sub(room / 2).min((lines.len() as u16).saturating_sub(room));
    frame.render_widget(Paragraph::new(lines).block(block).scroll((above, 0)), area);
}

fn lines(state: &State, plan: &Plan, ui: &UiState) -> (Vec<Line<'static>>, usize) {
    let shown = ui.task(state);
    let here = shown.map(|id| plan.task(id).stage).or_else(|| {
        plan.tasks.iter().find(|task| !state.tasks[task.id.index()].phase.is_over()).map(|task| task.stage)
    });
    let mut lines = Vec::new();
    let mut current = 0;
    for (number, stage) in plan.runbook.stages.iter().enumerate() {
        let tasks: Vec<TaskId> = plan.tasks.iter().filter(|task| task.stage == number).map(|task| task.id).collect();
        let over = tasks.iter().filter(|id| state.tasks[id.index()].phase.is_over()).count();
        let failed = tasks.iter().any(|id| matches!(state.tasks[id.index()].phase, Phase::Failed { .. }));
        let (mark, meaning) = match () {
            () if failed => ("✗", Meaning::Bad),
            () if over == tasks.len() => ("✓", Meaning::Good),
            () if here == Some(number) => ("▶", Meaning::Active),
            () => ("·", Meaning::Quiet),
        };
        let title_meaning = if here == Some(number) { Meaning::Title } else { meaning };
        lines.push(Line::from(vec![
            Span::styled(format!("{mark} "), style(meaning)),
            Span::styled(format!("{over:>2}/{:<2} ", tasks.len()), style(Meaning::Quiet)),
            Span::styled(stage.title.clone(), style(title_meaning)),
        ]));
        if here != Some(number) {
            continue;
        }
        for host in plan.hosts_of(number) {
            let ours: Vec<TaskId> = tasks.iter().copied().filter(|id| plan.task(*id).host == *host).collect();
            let open = shown.is_some_and(|id| ours.contains(&id));
            let mut line =
                vec![Span::styled(format!("  {host:<10} "), style(if open { Meaning::Title } else { Meaning::Plain }))];
            line.extend(ours.iter().map(|id| {
                let (mark, meaning) = sign(&state.tasks[id.index()]);
                Span::styled(mark, style(meaning))
            }));
            if open {
                current = lines.len();
            }
            lines.push(Line::from(line));
            // The steps of the host where things go on.
            for id in ours.into_iter().filter(|_| open) {
                let task = &state.tasks[id.index()];
                let step = plan.step_of(plan.task(id));
                let (mark, meaning) = sign(task);
                if shown == Some(id) {
                    current = lines.len();
                }
                let name = if shown == Some(id) { Meaning::Selected } else { Meaning::Plain };
                let mut line = vec![
                    Span::styled(format!("    {mark} "), style(meaning)),
                    Span::styled(step.name.clone(), style(name)),
                ];
                if !matches!(task.phase, Phase::Waiting | Phase::Done) {
                    line.push(Span::styled(format!("  {}", phase_words(&task.phase)), style(meaning)));
                }
                lines.push(Line::from(line));
            }
        }
    }
    (lines, current)
}
