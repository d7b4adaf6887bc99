//! The cluster: a row a host.

use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::Span;
use ratatui::widgets::{Cell, Row, Table};
use unicode_width::UnicodeWidthStr as _;

use super::{ago, phase_words};
use crate::engine::scope::FRESH_FOR;
use crate::model::inventory::Role;
use crate::model::state::{HostState, Link};
use crate::model::{HostName, State};
use crate::ui::theme::{Meaning, style};
use crate::ui::view::UiState;

/// Headings, and how readily a column is given up where there is no room: the highest goes first.
const COLUMNS: [(&str, u8); 10] = [
    ("HOST", 0),
    ("ROLES", 7),
    ("LINK", 4),
    ("ETCD", 0),
    ("SERVER", 1),
    ("CLUSTER", 2),
    ("KUBELET", 5),
    ("OS", 8),
    ("NODE", 6),
    ("DOING", 3),
];

/// The widest a column gets.
const WIDEST: usize = 30;

type Word = (String, Meaning);

/// Draws the grid into an area.
pub fn draw(state: &State, now: Timestamp, ui: &UiState, frame: &mut Frame<'_>, area: Rect) {
    let rows: Vec<[Word; 10]> = state.hosts.iter().map(|(name, host)| row(state, now, name, host)).collect();
    let width = |column: usize| {
        let widest = rows.iter().map(|row| row[column].0.width()).max().unwrap_or_default();
        widest.max(COLUMNS[column].0.width()).min(WIDEST)
    };
    // A column that says nothing anywhere is left out; then the least important go, until the rest fits.
    let mut kept: Vec<usize> =
        (0..COLUMNS.len()).filter(|column| rows.iter().any(|row| !row[*column].0.is_empty())).collect();
    while kept.iter().map(|column| width(*column) + 2).sum::<usize>() > usize::from(area.width) {
        let Some(least) =
            kept.iter().copied().max_by_key(|column| COLUMNS[*column].1).filter(|column| COLUMNS[*column].1 > 0)
        else {
            break;
        };
        kept.retain(|column| *column != least);
    }
    let selected = ui.host_index(state);
    let header = Row::new(kept.iter().map(|column| Cell::from(COLUMNS[*column].0)).collect::<Vec<_>>())
        .style(style(Meaning::Quiet));
    let lines = rows.iter().enumerate().map(|(n, row)| {
        let cells = kept.iter().map(|column| {
            let (text, meaning) = &row[*column];
            let meaning = if n == selected && *column == 0 { Meaning::Selected } else { *meaning };
            Cell::from(Span::styled(text.clone(), style(meaning)))
        });
        Row::new(cells.collect::<Vec<_>>())
    });
    let widths = kept.iter().map(|column| Constraint::Length(width(*column) as u16));
    // The picked host stays in sight however many there are.
    let room = usize::from(area.height.saturating_sub(1)).max(1);
    let skipped = (selected + 1).saturating_sub(room);
    frame.render_widget(Table::new(lines.skip(skipped), widths).header(header).column_spacing(2), area);
}

/// The same rows as words, headings first, for `status`.
#[must_use]
pub fn rows(state: &State) -> Vec<Vec<String>> {
    let head = COLUMNS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let rows = state.hosts.iter().map(|(name, host)| row(state, state.now, name, host).map(|(text, _)| text).to_vec());
    std::iter::once(head).chain(rows).collect()
}

fn row(state: &State, now: Timestamp, name: &HostName, host: &HostState) -> [Word; 10] {
    let described = state.session.as_ref().and_then(|session| session.inventory.host(name));
    let roles = described.map(|host| host.roles.clone()).unwrap_or_default();
    let facts = host.facts.as_ref().map(|seen| &seen.facts);
    let old = host.stale.is_some() || host.facts.as_ref().is_some_and(|seen| now.duration_since(seen.at) > FRESH_FOR);
    let told = |text: Option<String>| match text {
        Some(text) if old => (text, Meaning::Quiet),
        Some(text) => (text, Meaning::Plain),
        None => (String::new(), Meaning::Quiet),
    };
    let etcd = facts.and_then(|facts| facts.etcd.as_ref());
    let health = match (roles.contains(&Role::Etcd), old, etcd.and_then(|etcd| etcd.healthy)) {
        (false, _, _) => (String::new(), Meaning::Plain),
        (true, true, _) | (true, _, None) => ("? unknown".into(), Meaning::Warn),
        (true, false, Some(true)) if etcd.and_then(|etcd| etcd.leader) == Some(true) => {
            ("✓ leader".into(), Meaning::Good)
        }
        (true, false, Some(true)) => ("✓ healthy".into(), Meaning::Good),
        (true, false, Some(false)) => ("✗ down".into(), Meaning::Bad),
    };
    let link = match &host.link {
        Link::Connecting => ("… connecting".into(), Meaning::Warn),
        Link::Lost { since, .. } => (format!("✗ lost {}", ago(now, *since)), Meaning::Bad),
        Link::Up if host.barred.is_some() => ("✗ barred".into(), Meaning::Bad),
        Link::Up => match &host.facts {
            Some(seen) if old => (format!("? old {}", ago(now, seen.at)), Meaning::Warn),
            Some(_) => ("✓ up".into(), Meaning::Good),
            None => ("… probing".into(), Meaning::Warn),
        },
    };
    let os = facts.and_then(|facts| {
        let booted = facts.ostree.as_ref().and_then(|ostree| ostree.booted());
        let deployment = booted.map(|booted| {
            if booted.version.is_empty() { short_checksum(&booted.checksum) } else { booted.version.clone() }
        });
        let os = facts.os.as_ref()?;
        Some(format!("{} {}", os.id, deployment.unwrap_or_else(|| os.version.clone())).trim().to_owned())
    });
    [
        (name.to_string(), Meaning::Title),
        (roles.iter().map(|role| role.word()).collect::<Vec<_>>().join(","), Meaning::Quiet),
        link,
        health,
        told(etcd.and_then(|etcd| etcd.server.clone())),
        told(etcd.and_then(|etcd| etcd.cluster.clone())),
        told(facts.and_then(|facts| facts.kubelet.clone())),
        told(os),
        node(state, described.map_or(name.as_str(), |host| host.node())),
        doing(state, name, host),
    ]
}

fn short_checksum(checksum: &str) -> String {
    checksum.chars().take(10).collect()
}

/// The API server's word on a node.
fn node(state: &State, name: &str) -> Word {
    let kube = state.hosts.values().filter_map(HostState::current).find_map(|seen| seen.facts.kube.as_ref());
    match kube {
        None => (String::new(), Meaning::Plain),
        Some(kube) => match kube.nodes.get(name) {
            Some(node) if node.cordoned => ("cordoned".into(), Meaning::Warn),
            Some(node) if node.ready => ("Ready".into(), Meaning::Good),
            Some(_) => ("NotReady".into(), Meaning::Bad),
            None => (String::new(), Meaning::Plain),
        },
    }
}

/// What the wizard is doing there, or why it can do nothing.
fn doing(state: &State, name: &HostName, host: &HostState) -> Word {
    let at_gate = || {
        let plan = state.plan.as_ref()?;
        state.gates().find(|id| plan.task(*id).host == *name)
    };
    match state.active_on(name).or_else(at_gate).and_then(|id| state.task(id)) {
        Some((_, step, task)) => (format!("{}: {}", step.name, phase_words(&task.phase)), super::sign(task).1),
        None => match (&host.link, &host.stale) {
            (Link::Lost { reason, .. }, _) => (reason.clone(), Meaning::Quiet),
            (_, Some(why)) => (why.clone(), Meaning::Quiet),
            _ => (host.barred.clone().unwrap_or_default(), Meaning::Quiet),
        },
    }
}
