//! The help: keys of this mode and pane, made from the table of keys, and what the signs mean.

use ratatui::text::{Line, Span};

use crate::ui::chord::keys;
use crate::ui::keymap::{BINDINGS, Group};
use crate::ui::theme::{Meaning, Sign, sign, style};
use crate::ui::view::Pane;

/// What is of use where the operator is: the mode's keys, the focused pane's first.
#[must_use]
pub fn lines(groups: &[Group], pane: Pane) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let first = match pane {
        Pane::Gate => Group::Gate,
        Pane::Log => Group::Log,
        Pane::Steps => Group::Hosts,
    };
    let mut order: Vec<Group> = groups.to_vec();
    order.sort_by_key(|group| *group != first);
    for group in order {
        lines.push(Line::styled(group.title(), style(Meaning::Title)));
        for row in BINDINGS.iter().filter(|row| row.group == group) {
            let keys: Vec<_> = keys(row.command).iter().map(ToString::to_string).collect();
            lines.push(Line::from(vec![
                Span::styled(format!("  {:<12}", keys.join(" ")), style(Meaning::Active)),
                Span::raw(row.help),
            ]));
        }
    }
    let always =
        [("Ctrl-C", "ask to leave, from wherever you are"), ("Ctrl-Z", "to the shell for a while; fg comes back")];
    for (key, help) in [("Esc", "one step back; throws nothing away unasked")].into_iter().chain(always) {
        lines.push(Line::from(vec![Span::styled(format!("  {key:<12}"), style(Meaning::Active)), Span::raw(help)]));
    }
    lines.push(Line::styled("Signs", style(Meaning::Title)));
    for pair in SIGNS.chunks(2) {
        let mut spans = Vec::new();
        for (mark, meaning) in pair {
            spans.push(Span::styled(format!("  {} ", sign(*mark)), style(Meaning::Active)));
            spans.push(Span::raw(format!("{meaning:<34}")));
        }
        lines.push(Line::from(spans));
    }
    lines
}

/// What the signs mean.
const SIGNS: &[(Sign, &str)] = &[
    (Sign::Waits, "READY: a gate that waits for you"),
    (Sign::Shut, "SHUT n/m: n of m checks fail"),
    (Sign::Runs, "runs"),
    (Sign::Verifying, "its effect is looked for"),
    (Sign::Done, "done, healthy, holds"),
    (Sign::Failed, "failed, down, does not hold"),
    (Sign::NotNeeded, "not needed on this host"),
    (Sign::Skipped, "skipped by you"),
    (Sign::TakenBack, "taken back"),
    (Sign::Stopped, "stopped for now, as planned"),
    (Sign::Unknown, "not known"),
    (Sign::Leader, "leads the etcd cluster"),
    (Sign::Wrap, "the same line goes on"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_fits_the_smallest_screen() {
        for line in lines(&Group::ALL, Pane::Gate) {
            assert!(line.width() <= 78, "{line}");
        }
    }
}
