//! The cluster: a row a host, as many as there is room for.

use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Row, Table};
use unicode_width::UnicodeWidthStr as _;

use super::word;
use crate::engine::schedule::before;
use crate::engine::scope::FRESH_FOR;
use crate::model::inventory::Role;
use crate::model::logtail::clean;
use crate::model::runbook::Component;
use crate::model::state::{HostState, Link, Phase};
use crate::model::{HostName, State, TaskId};
use crate::ui::clock::{age, span};
use crate::ui::look::Look;
use crate::ui::mouse::Spot;
use crate::ui::page::cut;
use crate::ui::theme::{Meaning, Sign, sign, style};
use crate::ui::view::{Sort, UiState};

/// Headings, and how readily a column is given up where there is no room: the highest goes first.
const COLUMNS: [(&str, u8); COUNT] = [
    ("HOST", 0),
    ("ROLE", 8),
    ("LINK", 10),
    ("ETCD", 2),
    ("SERVER", 3),
    ("CLUSTER", 4),
    ("API", 6),
    ("KUBELET", 5),
    ("DEPLOYMENT", 9),
    ("NODE", 7),
    ("NOW", 0),
];
const COUNT: usize = 11;
const LINK: usize = 2;
const SERVER: usize = 4;
const CLUSTER: usize = 5;
const API: usize = 6;
const KUBELET: usize = 7;
const DEPLOYMENT: usize = 8;
const NODE: usize = 9;
const NOW: usize = 10;

/// A column's heading. Where no host has ostree deployments, that column tells the systems that hosts run.
fn heading(state: &State, column: usize) -> &'static str {
    let deploys = |host: &HostState| host.facts.as_ref().is_some_and(|seen| seen.facts.ostree.is_some());
    if column == DEPLOYMENT && !state.hosts.values().any(deploys) { "OS" } else { COLUMNS[column].0 }
}

/// The least that the last column wants.
const NOW_LEAST: usize = 22;

/// The widest any other column gets.
const WIDEST: usize = 28;

type Cells = [(String, Meaning); COUNT];

/// Whether the filter leaves a host in the grid.
#[must_use]
pub fn matches(state: &State, ui: &UiState, look: &Look, now: Timestamp, index: usize) -> bool {
    let wanted = ui.filter.to_lowercase();
    wanted.is_empty()
        || state.hosts.get_index(index).is_some_and(|(name, host)| {
            let cells = row(state, look, now, name, host);
            cells.iter().any(|(text, _)| text.to_lowercase().contains(&wanted))
        })
}

/// The hosts that are shown, in their order. The lit one is always among them: a gate that can be opened is never one of a
/// host that the grid does not show.
#[must_use]
pub fn visible(state: &State, ui: &UiState, look: &Look, now: Timestamp) -> Vec<usize> {
    let mut hosts: Vec<usize> = (0..state.hosts.len()).collect();
    if !ui.filter.is_empty() {
        hosts.retain(|index| *index == look.lit || matches(state, ui, look, now, *index));
    }
    match ui.sort {
        Sort::Inventory => {}
        Sort::Name => hosts.sort_by_key(|index| state.hosts.get_index(*index).map(|(name, _)| name.clone())),
        Sort::Urgency => {
            hosts.sort_by_key(|index| state.hosts.get_index(*index).map(|(name, host)| rank(state, look, name, host)));
        }
    }
    hosts
}

/// How much a host wants the operator.
fn rank(state: &State, look: &Look, name: &HostName, host: &HostState) -> u8 {
    let phase = now_task(state, name).and_then(|id| Some((id, &state.task(id)?.2.phase)));
    match phase {
        Some((_, Phase::Failed { .. })) => 0,
        _ if host.rebooted.is_some() => 1,
        Some((id, Phase::Gate)) if look.standing(id) == Some(&crate::engine::Standing::Ready) => 2,
        Some((_, Phase::Gate)) => 3,
        _ if host.link != Link::Up || host.barred.is_some() => 4,
        Some((_, phase)) if phase.is_under_way() => 5,
        Some(_) => 6,
        None => 7,
    }
}

/// Draws the grid into an area: the lit host is always in it.
pub fn draw(state: &State, now: Timestamp, ui: &mut UiState, look: &Look, frame: &mut Frame<'_>, area: Rect) {
    let hosts = visible(state, ui, look, now);
    let room = usize::from(area.height.saturating_sub(1)).max(1);
    let at = hosts.iter().position(|index| *index == look.lit).unwrap_or_default();
    let first = (at + 1).saturating_sub(room).max(at.saturating_sub(room / 2).min(hosts.len().saturating_sub(room)));
    let shown = &hosts[first.min(hosts.len())..(first + room).min(hosts.len())];
    let astray = !matches(state, ui, look, now, look.lit);
    let rows: Vec<Cells> = shown
        .iter()
        .filter_map(|index| Some((*index, state.hosts.get_index(*index)?)))
        .map(|(index, (name, host))| {
            let mut cells = row(state, look, now, name, host);
            if astray && index == look.lit {
                cells[NOW] = (format!("(not in the filter) {}", cells[NOW].0), Meaning::Warn);
            }
            cells
        })
        .collect();
    let widths: [usize; COUNT] = std::array::from_fn(|column| width(state, &rows, column));
    let keep = kept(state, &rows, &widths, usize::from(area.width));
    let used: usize = keep.iter().filter(|column| **column != NOW).map(|column| widths[*column] + 2).sum();
    let rest = usize::from(area.width).saturating_sub(used + 1);
    let headed = |column: &usize| {
        let lead = if *column == 0 { " " } else { "" };
        Cell::from(format!("{lead}{}", heading(state, *column)))
    };
    let header = Row::new(keep.iter().map(headed)).style(style(Meaning::Quiet));
    let lines = rows.iter().zip(shown).map(|(row, index)| {
        let lit = *index == look.lit;
        let cells = keep.iter().map(|column| {
            let (text, meaning) = &row[*column];
            let most = if *column == NOW { rest } else { WIDEST };
            let lead = if *column == 0 { " " } else { "" };
            let meaning = if lit && *column == 0 { Meaning::Lit } else { *meaning };
            Cell::from(Span::styled(format!("{lead}{}", cut(text, most)), style(meaning)))
        });
        let line = Row::new(cells.collect::<Vec<_>>());
        if lit { line.style(style(Meaning::Title)) } else { line }
    });
    let constraints = keep.iter().map(|column| match *column {
        NOW => Constraint::Fill(1),
        column => Constraint::Length(widths[column] as u16 + u16::from(column == 0)),
    });
    frame.render_widget(Table::new(lines, constraints).header(header).column_spacing(2), area);
    for (n, index) in shown.iter().enumerate() {
        if let Some((name, _)) = state.hosts.get_index(*index) {
            let line = Rect { y: area.y + 1 + n as u16, height: 1, ..area };
            ui.spots.add(line, Spot::Host(name.clone()));
        }
    }
    let hits = hosts.len() - usize::from(astray);
    if hits == 0 && astray {
        let text = format!(" no host has `{}` in its row: Esc clears the filter", clean(&ui.filter));
        // Below the one row that is left, or over the headings where there is no line for it.
        let y = if area.height > 2 { area.y + 2 } else { area.y };
        let place = Rect { y, height: 1, ..area };
        let text = format!("{:<width$}", cut(&text, usize::from(area.width)), width = usize::from(area.width));
        frame.render_widget(Line::styled(text, style(Meaning::Active)), place);
        return;
    }
    // The last heading is the one with room beside it: what is said there hides none.
    let room = rest.saturating_sub(heading(state, NOW).width());
    let text = cut(&counted(state, ui, hits, hosts.len(), first, shown.len()), room);
    let width = text.width() as u16;
    let place = Rect { x: area.right() - width, width, height: 1, ..area };
    frame.render_widget(Line::styled(text, style(Meaning::Active)), place);
}

/// What the hosts were chosen by, `13–25 of 40`, and how they are ordered: the most important first.
fn counted(state: &State, ui: &UiState, hits: usize, all: usize, first: usize, shown: usize) -> String {
    let mut parts = Vec::new();
    if !ui.filter.is_empty() {
        parts.push(format!("`{}` in {hits} of {}", clean(&ui.filter), state.hosts.len()));
    }
    if shown < all {
        parts.push(format!("{}–{} of {all}", first + 1, first + shown));
    }
    if ui.sort != Sort::Inventory {
        parts.push(ui.sort.word().to_owned());
    }
    if parts.is_empty() { String::new() } else { format!(" {} ", parts.join(" · ")) }
}

fn width(state: &State, rows: &[Cells], column: usize) -> usize {
    let widest = rows.iter().map(|row| row[column].0.width()).max().unwrap_or_default();
    widest.max(heading(state, column).width()).min(WIDEST)
}

/// The columns that say something and fit; what the runbook changes is given up last.
fn kept(state: &State, rows: &[Cells], widths: &[usize; COUNT], room: usize) -> Vec<usize> {
    // A column does not come and go as hosts with an API server are scrolled in and out.
    let serves = |host: &HostState| host.facts.as_ref().is_some_and(|seen| seen.facts.api_server.is_some());
    let said = |column: &usize| match *column {
        LINK => false,
        NOW => true,
        API => state.hosts.values().any(serves),
        column => rows.iter().any(|row| !row[column].0.is_empty()),
    };
    let mut kept: Vec<usize> = (0..COUNT).filter(said).collect();
    let taken = |kept: &[usize]| -> usize {
        kept.iter().map(|column| if *column == NOW { NOW_LEAST } else { widths[*column] + 2 }).sum::<usize>() + 1
    };
    let changes = changes(state);
    let given_up = |column: usize| if changes[column] { COLUMNS[column].1.min(1) } else { COLUMNS[column].1 };
    while taken(&kept) > room {
        let Some(least) =
            kept.iter().copied().filter(|column| given_up(*column) > 0).max_by_key(|column| given_up(*column))
        else {
            break;
        };
        kept.retain(|column| *column != least);
    }
    kept
}

/// The columns that the runbook changes, as its promise tells.
fn changes(state: &State) -> [bool; COUNT] {
    let mut changes = [false; COUNT];
    let Some(plan) = &state.plan else { return changes };
    let stages = plan.runbook.stages.iter().flat_map(|stage| &stage.steps).flat_map(|step| &step.verify);
    for check in plan.runbook.promise.iter().chain(stages) {
        let text = check.that.0.as_str();
        for (column, words) in [
            (SERVER, &["etcd.server", "etcd.versions", "m.server"][..]),
            (CLUSTER, &["cluster_version"][..]),
            (API, &["kube.server", "api_server"][..]),
            (KUBELET, &["kubelet"][..]),
            (DEPLOYMENT, &[".ostree", ".os."][..]),
            (NODE, &["cordoned", ".ready"][..]),
        ] {
            changes[column] |= words.iter().any(|word| text.contains(word));
        }
    }
    changes
}

/// The rows as words, headings first, for `status`.
#[must_use]
pub fn rows(state: &State) -> Vec<Vec<String>> {
    let head = (0..COUNT).map(|column| heading(state, column).to_owned()).collect();
    let look = Look::default();
    let rows =
        state.hosts.iter().map(|(name, host)| row(state, &look, state.now, name, host).map(|(text, _)| text).to_vec());
    std::iter::once(head).chain(rows).collect()
}

fn row(state: &State, look: &Look, now: Timestamp, name: &HostName, host: &HostState) -> Cells {
    let described = state.session.as_ref().and_then(|session| session.inventory.host(name));
    let roles: &[Role] = described.map_or(&[], |host| &host.roles);
    let facts = host.facts.as_ref().map(|seen| &seen.facts);
    let old = host.stale.is_some() || host.facts.as_ref().is_some_and(|seen| now.duration_since(seen.at) > FRESH_FOR);
    let told = |text: Option<String>| match text {
        // What was so when the host was last seen, and need not be now.
        Some(text) if old => (format!("{text}{}", sign(Sign::Unknown)), Meaning::Quiet),
        Some(text) => (text, Meaning::Plain),
        None => (String::new(), Meaning::Quiet),
    };
    let planned = |component| state.stopped_as_planned(name, component);
    let etcd = facts.and_then(|facts| facts.etcd.as_ref());
    // A member that tells its version runs: nobody's plan explains why it is not healthy.
    let silent = etcd.is_some_and(|etcd| etcd.server.is_none());
    let health = match (roles.contains(&Role::Etcd), old, etcd.and_then(|etcd| etcd.healthy)) {
        (false, _, _) => (String::new(), Meaning::Plain),
        (true, true, _) | (true, _, None) => (format!("{} unknown", sign(Sign::Unknown)), Meaning::Warn),
        (true, false, Some(true)) if etcd.and_then(|etcd| etcd.leader) == Some(true) => {
            (format!("{} leader", sign(Sign::Leader)), Meaning::Good)
        }
        (true, false, Some(true)) => (format!("{} member", sign(Sign::Done)), Meaning::Good),
        (true, false, Some(false)) if silent && planned(Component::Etcd) => stopped(),
        (true, false, Some(false)) => down(),
    };
    let api = match facts.and_then(|facts| facts.api_server.as_ref()) {
        Some(server) if !server.answers && !old => {
            if planned(Component::ApiServer) {
                stopped()
            } else {
                down()
            }
        }
        Some(server) if server.answers => told(Some(server.version.clone().unwrap_or_else(|| "answers".into()))),
        Some(_) => (format!("{} unknown", sign(Sign::Unknown)), Meaning::Warn),
        None => told(None),
    };
    let os = facts.and_then(|facts| {
        let booted = facts.ostree.as_ref().and_then(|ostree| ostree.booted());
        let deployment = booted.map(|booted| {
            if booted.version.is_empty() { booted.checksum.chars().take(10).collect() } else { booted.version.clone() }
        });
        let os = facts.os.as_ref()?;
        Some(format!("{} {}", os.id, deployment.unwrap_or_else(|| os.version.clone())).trim().to_owned())
    });
    let node = described.map_or(name.as_str(), |host| host.node());
    let kubelet = facts.and_then(|facts| facts.kubelet.as_deref());
    let (node_word, kubelet) = self::node(state, node, kubelet, planned(Component::Kubelet));
    [
        (name.to_string(), Meaning::Title),
        (roles.iter().map(|role| role.short()).collect::<Vec<_>>().join(","), Meaning::Quiet),
        link(host, now, old),
        health,
        told(etcd.and_then(|etcd| etcd.server.clone())),
        told(etcd.and_then(|etcd| etcd.cluster.clone())),
        api,
        told(kubelet),
        told(os),
        node_word,
        now_word(state, look, now, name, host),
    ]
}

/// What went down, and nobody here stopped it.
fn down() -> (String, Meaning) {
    (format!("{} down", sign(Sign::Failed)), Meaning::Bad)
}

/// What the runbook stopped, and will start again: no alarm, and no all-clear either.
fn stopped() -> (String, Meaning) {
    (format!("{} stopped, as planned", sign(Sign::Stopped)), Meaning::Warn)
}

fn link(host: &HostState, now: Timestamp, old: bool) -> (String, Meaning) {
    match &host.link {
        Link::Connecting => (format!("{} connecting", sign(Sign::More)), Meaning::Warn),
        Link::Lost { since, .. } => (format!("{} lost {}", sign(Sign::Failed), age(now, *since)), Meaning::Bad),
        Link::Up if host.barred.is_some() => (format!("{} barred", sign(Sign::Failed)), Meaning::Bad),
        Link::Up => match &host.facts {
            Some(seen) if old => (format!("{} old {}", sign(Sign::Unknown), age(now, seen.at)), Meaning::Warn),
            Some(_) => (format!("{} up", sign(Sign::Done)), Meaning::Good),
            None => (format!("{} probing", sign(Sign::More)), Meaning::Warn),
        },
    }
}

/// The API server's word on a node, and the kubelet's version: the one that runs, and the one on disk where that is
/// another.
fn node(state: &State, name: &str, on_disk: Option<&str>, planned: bool) -> ((String, Meaning), Option<String>) {
    let kube = state.hosts.values().filter_map(HostState::current).find_map(|seen| seen.facts.kube.as_ref());
    let node = kube.and_then(|kube| kube.nodes.get(name));
    let word = match node {
        None => (String::new(), Meaning::Plain),
        Some(node) if !node.ready && planned => stopped(),
        Some(node) if node.cordoned && !node.ready => ("cordoned, NotReady".into(), Meaning::Bad),
        Some(node) if node.cordoned => ("cordoned".into(), Meaning::Warn),
        Some(node) if node.ready => ("Ready".into(), Meaning::Good),
        Some(_) => ("NotReady".into(), Meaning::Bad),
    };
    let kubelet = match (node.map(|node| node.kubelet.as_str()).filter(|version| !version.is_empty()), on_disk) {
        (Some(runs), Some(disk)) if runs != disk => Some(format!("{runs} ({disk} on disk)")),
        (Some(runs), _) => Some(runs.to_owned()),
        (None, Some(disk)) => Some(format!("{disk} on disk")),
        (None, None) => None,
    };
    (word, kubelet)
}

/// The task that a host's row tells of.
fn now_task(state: &State, name: &HostName) -> Option<TaskId> {
    let plan = state.plan.as_ref()?;
    let ours = |id: &TaskId| plan.task(*id).host == *name;
    state
        .failed()
        .find(ours)
        .or_else(|| state.under_way().find(ours))
        .or_else(|| state.gates().find(ours))
        .or_else(|| state.next_of(name))
}

/// What goes on there, or why nothing can.
fn now_word(state: &State, look: &Look, now: Timestamp, name: &HostName, host: &HostState) -> (String, Meaning) {
    let trouble = match (&host.link, &host.stale, &host.barred) {
        (Link::Connecting, _, _) => Some((format!("{} connecting", sign(Sign::More)), Meaning::Warn)),
        (Link::Lost { since, reason }, _, _) => {
            let text = format!("{} away {}: {reason}", sign(Sign::Failed), span(now.duration_since(*since)));
            Some((text, Meaning::Bad))
        }
        (Link::Up, _, Some(why)) => Some((format!("{} barred: {why}", sign(Sign::Failed)), Meaning::Bad)),
        (Link::Up, Some(why), _) => Some((format!("{} {why}", sign(Sign::Unknown)), Meaning::Warn)),
        (Link::Up, None, None) => None,
    };
    let task = now_task(state, name).and_then(|id| Some((id, state.task(id)?)));
    let rebooted = host.rebooted.map(|at| (format!("! rebooted {} ago, not by us", age(now, at)), Meaning::Bad));
    match task {
        Some((id, (_, step, task))) if task.phase != Phase::Waiting => {
            let (mark, text, meaning) = word(state, id, look.standing(id), now);
            let text = format!("{} {text}  {}", sign(mark), step.name);
            match (&trouble, rebooted) {
                (_, Some((rebooted, meaning))) => (format!("{rebooted} · {text}"), meaning),
                (Some((trouble, _)), _) if !matches!(task.phase, Phase::Failed { .. }) => {
                    (format!("{text} · {trouble}"), meaning)
                }
                _ => (text, meaning),
            }
        }
        waiting => trouble.or(rebooted).unwrap_or_else(|| match waiting {
            Some(_) if Component::ALL.iter().any(|component| state.stopped_as_planned(name, *component)) => stopped(),
            Some((id, _)) => (waits(state, id), Meaning::Quiet),
            None if state.plan.is_some() => done(state, now, name),
            None => {
                let seen =
                    host.facts.as_ref().map(|seen| format!("{} seen {} ago", sign(Sign::Done), age(now, seen.at)));
                (seen.unwrap_or_else(|| format!("{} probing", sign(Sign::More))), Meaning::Quiet)
            }
        }),
    }
}

/// What a host waits for.
fn waits(state: &State, id: TaskId) -> String {
    let first = before(state, id).and_then(|first| state.task(first));
    let here = state.task(id).map(|(task, _, _)| &task.host);
    match first {
        Some((task, _, _)) if Some(&task.host) != here => format!("waits for {}", task.host),
        _ => "waits".into(),
    }
}

/// When a host was through.
fn done(state: &State, now: Timestamp, name: &HostName) -> (String, Meaning) {
    let last = state.tasks_of(name).iter().filter_map(|id| Some(state.task(*id)?.2.since)).max();
    match last {
        Some(last) => (format!("{} done {} ago", sign(Sign::Done), age(now, last)), Meaning::Good),
        None => (String::new(), Meaning::Quiet),
    }
}
