//! The list of sessions, and which of them `resume` takes when it is told none.

use std::path::PathBuf;

use color_eyre::eyre::Result;
use jiff::Timestamp;

use crate::journal::{self, sessions};
use crate::model::event::Mode;
use crate::model::{Standing, Summary};

/// Every session of the state directory, the one that was written last first.
pub(super) fn all() -> Result<Vec<Summary>> {
    let locks = sessions::Locks::now();
    let mut all: Vec<_> =
        sessions::journals(&journal::directory()?).iter().map(|path| sessions::glance(path, &locks)).collect();
    all.iter_mut().filter(|summary| wants_count(summary)).for_each(sessions::count);
    Ok(all)
}

/// Whether its whole journal has to be read to know how far it is.
pub(super) fn wants_count(summary: &Summary) -> bool {
    summary.over.is_none() && !matches!(summary.standing, Standing::Unreadable { .. })
}

/// What `resume` makes of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pick {
    /// This one, beyond doubt.
    Take(PathBuf),
    /// The operator has to say which: all that may be meant.
    Ask(Vec<Summary>),
    /// There is nothing to go on with.
    Nothing,
}

/// Takes what is unambiguous. A session that has done nothing and is kept out by a host stands back behind another; a
/// journal that cannot be read may be the one that is meant, and so may one that somebody writes just now.
pub(super) fn pick(all: Vec<Summary>) -> Pick {
    let open = |summary: &Summary| match summary.standing {
        Standing::Unfinished | Standing::Running { .. } => summary.mode == Some(Mode::Upgrade),
        Standing::Unreadable { .. } => true,
        Standing::Completed | Standing::Unkept | Standing::Aborted => false,
    };
    let all: Vec<Summary> = all.into_iter().filter(open).collect();
    if all.is_empty() {
        return Pick::Nothing;
    }
    let stands_back = |summary: &Summary| summary.resumable() && summary.barred && summary.over == Some(0);
    let mut candidates = all.iter().filter(|summary| !stands_back(summary));
    match (candidates.next(), candidates.next()) {
        (Some(one), None) if one.resumable() => Pick::Take(one.path.clone()),
        (None, _) if all.len() == 1 => Pick::Take(all[0].path.clone()),
        _ => Pick::Ask(all),
    }
}

/// A list for people, with the words to go on with each.
pub(super) fn table(all: &[Summary], now: Timestamp) -> String {
    let mut rows = vec![["STATE", "CLUSTER", "RUNBOOK", "DONE", "AGE", ""].map(str::to_owned)];
    for summary in all {
        let remark = match &summary.standing {
            Standing::Running { .. } => format!("held by {}", summary.holder()),
            Standing::Unreadable { why } => why.clone(),
            _ if summary.barred => "a host keeps it out".into(),
            _ => String::new(),
        };
        rows.push([
            summary.standing.word().into(),
            summary.cluster.clone(),
            summary.runbook.clone(),
            summary.progress(),
            summary.age(now),
            remark,
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..6).map(width).collect();
    let mut text = String::new();
    let paths = std::iter::once(None).chain(all.iter().map(Some));
    for (row, summary) in rows.iter().zip(paths) {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
        if let Some(summary) = summary {
            let words = if summary.resumable() { "lockkeeper resume " } else { "" };
            text.push_str(&format!("    {words}{}\n", summary.path.display()));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(name: &str, standing: Standing, over: usize, barred: bool) -> Summary {
        Summary {
            path: name.into(),
            last: Timestamp::UNIX_EPOCH,
            standing,
            mode: Some(Mode::Upgrade),
            cluster: "prod".into(),
            runbook: "etcd-minor".into(),
            operator: "op@laptop".into(),
            tasks: 48,
            over: Some(over),
            barred,
        }
    }

    fn unreadable(name: &str) -> Summary {
        Summary { mode: None, ..session(name, Standing::Unreadable { why: "torn".into() }, 0, false) }
    }

    #[test]
    fn what_is_unambiguous_is_taken_and_the_rest_is_asked() {
        let open = |name, over, barred| session(name, Standing::Unfinished, over, barred);
        let held = |name| session(name, Standing::Running { process: Some(7) }, 3, false);
        let ended = |name| session(name, Standing::Completed, 48, false);
        let practised = Summary { mode: Some(Mode::Practice), ..open("p", 5, false) };
        for (all, expected) in [
            (vec![], None),
            (vec![ended("a"), practised.clone()], None),
            (vec![ended("a"), practised, open("b", 5, false)], Some("b")),
            // A second session that never came past its first host is not the one that is meant.
            (vec![open("second", 0, true), open("first", 11, false)], Some("first")),
            (vec![open("only", 0, true)], Some("only")),
            (vec![open("a", 1, false), open("b", 11, false)], Some("?")),
            (vec![open("a", 0, false), open("b", 11, false)], Some("?")),
            (vec![held("a")], Some("?")),
            (vec![held("a"), open("b", 0, true)], Some("?")),
            (vec![held("a"), open("b", 11, false)], Some("?")),
            (vec![unreadable("a"), open("b", 11, false)], Some("?")),
            // A damaged one behind or before another is named, and so is one that is all there is.
            (vec![open("b", 11, false), unreadable("a")], Some("?")),
            (vec![unreadable("a"), open("b", 0, true)], Some("?")),
            (vec![unreadable("a")], Some("?")),
            (vec![unreadable("a"), ended("b")], Some("?")),
            // One that has ended long ago is none to go on with, however it ended and whoever writes another.
            (vec![session("a", Standing::Aborted, 3, false), session("b", Standing::Unkept, 48, false)], None),
            (vec![open("b", 11, false), session("a", Standing::Aborted, 3, false)], Some("b")),
            (vec![ended("a"), held("b")], Some("?")),
        ] {
            let names: Vec<_> = all.iter().map(|summary| summary.path.clone()).collect();
            let picked = match pick(all) {
                Pick::Take(path) => Some(path.display().to_string()),
                Pick::Ask(_) => Some("?".into()),
                Pick::Nothing => None,
            };
            assert_eq!(picked.as_deref(), expected, "{names:?}");
        }
    }

    #[test]
    fn a_list_names_what_is_needed_to_choose() {
        let all = [
            session("/s/a.jsonl", Standing::Running { process: Some(7) }, 11, false),
            session("/s/b.jsonl", Standing::Unfinished, 0, true),
            unreadable("/s/c.jsonl"),
        ];
        let now = Timestamp::from_second(7200).unwrap();
        insta::assert_snapshot!(table(&all, now));
    }
}
