//! The popup that a variable is set in.

use ratatui::text::Line;

use crate::model::State;
use crate::model::hidden::shown;
use crate::ui::page::Page;
use crate::ui::setting::Setting;
use crate::ui::theme::{Meaning, Sign, sign, style};

/// What stands above the field: what may be set, what the lit one is for, and for what it is set.
pub(super) fn page(state: &State, setting: &Setting) -> Page {
    let mut page = Page::default();
    let Some((plan, (task, _, _))) = state.plan.as_ref().zip(state.task(setting.task)) else { return page };
    let (lit, _) = setting.lit();
    let value = |value: &str| if value.is_empty() { "''".to_owned() } else { shown(value) };
    for (name, held) in &setting.known {
        let (mark, meaning) = if name == lit { (sign(Sign::Lit), Meaning::Title) } else { (" ", Meaning::Quiet) };
        page.code(Line::styled(format!("{mark} {name} = {}", value(held)), style(meaning)));
    }
    page.gap();
    if let Some(spec) = plan.runbook.vars.get(lit) {
        page.text(&format!("{lit}: {}.", spec.about), Meaning::Plain);
        if !spec.one_of.is_empty() {
            page.text(&format!("One of: {}.", spec.choices()), Meaning::Plain);
        }
    }
    let scope = format!(
        "It holds on {} alone, for what is not opened there yet; what was opened keeps the value that it was opened with.",
        task.host
    );
    page.text(&scope, Meaning::Quiet);
    page.gap();
    page.text(
        &if setting.why { format!("{lit} = {}. Why?", value(&setting.value())) } else { format!("{lit} shall be:") },
        Meaning::Title,
    );
    page
}
