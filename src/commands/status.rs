//! `status`: the grid, once.

use std::process::ExitCode;
use std::time::Duration;

use color_eyre::eyre::Result;
use serde_json::json;

use super::monitor::{subject, watch};
use super::{print, refuse, runtime};
use crate::cli::{Output, Status as Args};
use crate::hosts::Links;
use crate::model::State;
use crate::model::state::Link;

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let (inventory, runbook) = match subject(&args.observe) {
        Ok(subject) => subject,
        Err(problems) => return Ok(refuse(&problems)),
    };
    let runtime = runtime()?;
    let state: Result<State> = runtime.block_on(async {
        let links = Links::new()?;
        let mut monitor = watch(inventory, runbook.as_ref(), &links)?;
        let all_told = async {
            while !monitor.state().hosts.values().all(|host| host.facts.is_some() || host.stale.is_some()) {
                monitor.changed().await?;
            }
            Ok::<_, color_eyre::Report>(())
        };
        if let Ok(told) = tokio::time::timeout(Duration::from_secs(args.wait), all_told).await {
            told?;
        }
        let state = monitor.state().clone();
        drop(monitor);
        links.close().await;
        Ok(state)
    });
    runtime.shutdown_background();
    let state = state?;
    match args.output {
        Output::Json => print(&format!("{:#}\n", as_json(&state)))?,
        Output::Table => print(&as_table(&state))?,
    }
    let all_seen = state.hosts.values().all(|host| host.current().is_some());
    Ok(if all_seen { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn as_json(state: &State) -> serde_json::Value {
    let hosts = state.hosts.iter().map(|(name, host)| {
        let roles = state.session.as_ref().and_then(|session| session.inventory.host(name)).map(|host| &host.roles);
        let (link, reason) = match &host.link {
            Link::Connecting => ("connecting", None),
            Link::Up => ("up", None),
            Link::Lost { reason, .. } => ("lost", Some(reason)),
        };
        json!({
            "host": name, "roles": roles, "connection": link, "reason": reason.or(host.stale.as_ref()),
            "seen": host.facts.as_ref().map(|seen| seen.at),
            "facts": host.current().map(|seen| &seen.facts),
        })
    });
    json!({
        "cluster": state.session.as_ref().map(|session| &session.inventory.cluster),
        "at": state.now,
        "hosts": hosts.collect::<Vec<_>>(),
    })
}

/// The same columns as on the screen.
fn as_table(state: &State) -> String {
    let rows = crate::ui::grid_rows(state);
    let widths: Vec<usize> = (0..rows.first().map_or(0, Vec::len))
        .map(|column| {
            rows.iter().map(|row| unicode_width::UnicodeWidthStr::width(row[column].as_str())).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| {
                let gap = width.saturating_sub(unicode_width::UnicodeWidthStr::width(cell.as_str()));
                format!("{cell}{}", " ".repeat(gap))
            })
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    for (name, host) in &state.hosts {
        if let Some(why) = &host.stale {
            text.push_str(&format!("{name}: {why}\n"));
        }
    }
    text
}
