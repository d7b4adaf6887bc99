//! The values that a task's scripts name; where many hosts stand at its step, those that differ as a table.

use std::collections::BTreeMap;

use ratatui::text::{Line, Span};

use crate::engine::GateView;
use crate::model::hidden::shown;
use crate::model::{HostName, Plan, State};
use crate::ui::look::Look;
use crate::ui::page::{Page, cells, cut};
use crate::ui::theme::{Meaning, Sign, sign, style};

/// How many hosts have a row of their own: the whole table has to be read before a gate opens.
const HOSTS: usize = 8;

/// The least a column is worth having, in cells.
const LEAST: usize = 8;

/// Between columns, in cells.
const GAP: usize = 2;

/// Says the values for a page that is so many cells wide.
pub(super) fn say(state: &State, look: &Look, gate: &GateView, width: u16, page: &mut Page) {
    with(&gate.vars, page);
    let Some(plan) = state.plan.as_ref().filter(|_| look.group.len() > 1) else { return };
    let own = &plan.task(gate.task).host;
    let others = look.group.iter().map(|(id, _)| &plan.task(*id).host).filter(|host| *host != own);
    let hosts: Vec<&HostName> = std::iter::once(own).chain(others).collect();
    let (named, differing) = differing(plan, gate, &hosts);
    for name in named {
        page.say(Line::styled(format!("  {name}: on each host its own name"), style(Meaning::Quiet)));
    }
    if !differing.is_empty() {
        table(plan, &hosts, &differing, usize::from(width), page);
    }
}

/// Says values by their names, as scripts see them.
pub(in crate::ui::panes) fn with(vars: &[(String, String)], page: &mut Page) {
    if vars.is_empty() {
        return;
    }
    page.say(Line::styled("WITH", style(Meaning::Title)));
    for (name, value) in vars {
        page.code(Line::from(vec![
            Span::styled(format!("  {name}="), style(Meaning::Quiet)),
            Span::raw(format!("'{}'", shown(value))),
        ]));
    }
}

/// The names of the values that are not the same on all hosts: those that are just the host's name, and the others.
fn differing<'g>(plan: &Plan, gate: &'g GateView, hosts: &[&HostName]) -> (Vec<&'g str>, Vec<&'g str>) {
    let names = gate.vars.iter().map(|(name, _)| name.as_str());
    let differs = |name: &str| hosts.iter().any(|host| value(plan, host, name) != value(plan, hosts[0], name));
    names
        .filter(|name| differs(name))
        .partition(|name| hosts.iter().all(|host| value(plan, host, name) == host.as_str()))
}

/// A host's value. What a stage gives its variables is the same for all who stand at its step.
fn value<'p>(plan: &'p Plan, host: &HostName, name: &str) -> &'p str {
    let value = |vars: &'p BTreeMap<String, String>| vars.get(name);
    plan.vars.get(host).and_then(value).map_or("", String::as_str)
}

/// A row a host, the lit one's first; what has no room is cut with a sign.
fn table(plan: &Plan, hosts: &[&HostName], names: &[&str], width: usize, page: &mut Page) {
    let shown_hosts = &hosts[..hosts.len().min(HOSTS)];
    let mut rows: Vec<Vec<String>> =
        vec![std::iter::once("HOST").chain(names.iter().copied()).map(str::to_owned).collect()];
    for host in shown_hosts {
        let values = names.iter().map(|name| match value(plan, host, name) {
            "" => "''".to_owned(),
            value => shown(value),
        });
        rows.push(std::iter::once(host.to_string()).chain(values).collect());
    }
    let natural: Vec<usize> =
        (0..=names.len()).map(|column| rows.iter().map(|row| cells(&row[column])).max().unwrap_or_default()).collect();
    let widths = fitted(&natural, width.saturating_sub(GAP));
    for (number, row) in rows.iter().enumerate() {
        let texts = row.iter().zip(&widths).map(|(cell, width)| {
            let cell = cut(cell, *width);
            let rest = width.saturating_sub(cells(&cell));
            format!("{}{cell}{}", " ".repeat(GAP), " ".repeat(rest))
        });
        let meaning = match number {
            0 => Meaning::Quiet,
            1 => Meaning::Title,
            _ => Meaning::Plain,
        };
        page.code(Line::styled(texts.collect::<String>().trim_end().to_owned(), style(meaning)));
    }
    let quiet = |text: String| Line::styled(format!("  {} {text}", sign(Sign::More)), style(Meaning::Quiet));
    if hosts.len() > shown_hosts.len() {
        let more = hosts.len() - shown_hosts.len();
        page.say(quiet(if more == 1 { "one more host".to_owned() } else { format!("{more} more hosts") }));
    }
    let left_out = &names[(widths.len() - 1).min(names.len())..];
    if !left_out.is_empty() {
        page.say(quiet(format!("these differ as well: {}", left_out.join(", "))));
    }
}

/// The widths of as many columns as there is room for: each its own where that fits, and else the widest give way first.
fn fitted(natural: &[usize], room: usize) -> Vec<usize> {
    let columns = natural.len().min((room / (LEAST + GAP)).max(2));
    let natural = &natural[..columns];
    let room = room.saturating_sub(GAP * (columns - 1));
    let taken = |most: usize| natural.iter().map(|width| (*width).min(most)).sum::<usize>();
    let widest = natural.iter().copied().max().unwrap_or_default();
    let most = (0..=widest).rev().find(|most| taken(*most) <= room).unwrap_or_default();
    natural.iter().map(|width| (*width).min(most)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_widest_column_gives_way_first() {
        assert_eq!(fitted(&[5, 10, 7], 40), [5, 10, 7], "all of it fits");
        assert_eq!(fitted(&[5, 60, 7], 40), [5, 24, 7]);
        assert_eq!(fitted(&[5, 60, 50], 45), [5, 18, 18]);
    }

    #[test]
    fn what_has_no_room_at_all_is_left_out() {
        assert_eq!(fitted(&[30; 12], 40).len(), 4);
    }

    proptest! {
        #[test]
        fn no_row_is_wider_than_its_page(natural in proptest::collection::vec(1_usize..200, 2..12), room in 20_usize..200) {
            let widths = fitted(&natural, room);
            prop_assert!(widths.iter().sum::<usize>() + GAP * (widths.len() - 1) <= room, "{widths:?}");
        }
    }
}
