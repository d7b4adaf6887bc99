//! What differs between the hosts whose gates are opened together: the gate's pane shows it for one of them, and what
//! runs on the others has to be read as well.

use ratatui::text::{Line, Span};

use super::gate::{numbered, with};
use crate::engine::{harm, variables};
use crate::model::hidden::shown;
use crate::model::plan::PushFile;
use crate::model::{State, Task, TaskId};
use crate::ui::page::Page;
use crate::ui::theme::{Meaning, style};

/// Says for each of the hosts what is not as on the one that was read.
pub(super) fn say(state: &State, read: TaskId, tasks: &[TaskId], page: &mut Page) {
    let Some((model, ..)) = state.task(read) else { return };
    let known = variables(state, read);
    let hosts: Vec<_> = tasks.iter().filter_map(|id| Some((*id, state.task(*id)?.0, variables(state, *id)))).collect();
    // A value that is the host's own name means the same on all of them.
    let is_own_name = |name: &str| {
        let own = |task: &Task, vars: &[(String, String)]| {
            vars.iter().any(|(other, value)| other == name && value == task.host.as_str())
        };
        own(model, &known) && hosts.iter().all(|(_, task, vars)| own(task, vars))
    };
    let own_names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).filter(|name| is_own_name(name)).collect();
    if !own_names.is_empty() {
        page.say(format!("On each host its own name: {}.", own_names.join(", ")));
    }
    let mut same = Vec::new();
    for (_, task, vars) in hosts.iter().filter(|(id, ..)| *id != read) {
        let mut differs = Page::default();
        let elsewhere = |task: &Task| (task.on != task.host).then(|| task.on.clone());
        if elsewhere(task) != elsewhere(model) {
            differs.code(Line::styled(format!("  runs on {}", task.on), style(Meaning::Warn)));
        }
        let other = |own: &&(String, String)| !known.contains(own) && !own_names.contains(&own.0.as_str());
        with(&vars.iter().filter(other).cloned().collect::<Vec<_>>(), &mut differs);
        let unset = known.iter().filter(|(name, _)| !vars.iter().any(|(other, _)| other == name));
        unset.for_each(|(name, _)| differs.code(format!("  {name} is not among its values")));
        task.pushes.iter().filter(|push| !model.pushes.contains(push)).for_each(|push| file(push, &mut differs));
        for (what, hits) in harm(state, task).into_iter().filter(|(_, hits)| !hits.is_empty()) {
            differs.code(Line::styled(format!("  ! the config's {}", shown(&what)), style(Meaning::Bad)));
            hits.iter().for_each(|hit| {
                differs.code(Line::styled(format!("      hits {}", shown(hit)), style(Meaning::Bad)));
            });
        }
        if differs.is_empty() {
            same.push(task.host.to_string());
        } else {
            page.say(Line::styled(task.host.to_string(), style(Meaning::Title)));
            page.append(differs);
        }
    }
    if !same.is_empty() {
        page.say(format!("As on {}, which was shown: {}.", model.host, same.join(", ")));
    }
}

/// A file that is another one there, in full.
fn file(push: &PushFile, page: &mut Page) {
    let head = match &push.artifact {
        Some(artifact) => format!(" {} (mode {}): what was brought back from {artifact}", push.path, push.mode),
        None => format!(" {} (mode {})", push.path, push.mode),
    };
    page.code(Line::from(vec![Span::styled("  WRITES", style(Meaning::Title)), Span::raw(shown(&head))]));
    if push.artifact.is_none() {
        numbered(&push.content, page);
    }
}
