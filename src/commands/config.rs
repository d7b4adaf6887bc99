//! `config`: what holds, and who said so.

use std::process::ExitCode;

use color_eyre::eyre::Result;
use serde_json::json;

use super::{print, refuse};
use crate::cli::{Config as Args, Habits, Output};
use crate::settings::{self, Flags, Settings};
use crate::yaml::Problems;

/// A file that says what holds without it.
const EXAMPLE: &str = include_str!("../../assets/config.yaml");

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// File, environment and flags put together, and all that is wrong with them.
pub(super) fn settings(habits: &Habits) -> (Settings, Problems) {
    let flags = Flags { theme: habits.theme.clone(), ascii: habits.ascii, no_bell: habits.no_bell };
    let (file, unreadable) = match settings::file() {
        Ok(file) => (file, None),
        Err(problem) => (None, Some(problem)),
    };
    let (settings, mut problems) = settings::resolve(file.as_ref(), variable, &flags);
    problems.0.extend(unreadable);
    (settings, problems)
}

/// Has the screen look and behave as the settings say.
pub(super) fn settle(settings: &Settings) {
    crate::ui::theme::choose(settings.appearance(variable));
    crate::ui::chord::rebind(settings.rebound.clone());
    // Whether there are colours has been decided: what draws must not decide it once more.
    crossterm::style::force_color_output(true);
}

pub(super) fn run(args: &Args, settings: &Settings, problems: &Problems) -> Result<ExitCode> {
    if args.example {
        print(EXAMPLE)?;
        return Ok(ExitCode::SUCCESS);
    }
    match args.output {
        Output::Json => print(&format!("{:#}\n", as_json(settings, problems)))?,
        Output::Table => print(&as_table(settings))?,
    }
    Ok(if problems.0.is_empty() { ExitCode::SUCCESS } else { refuse(problems) })
}

/// What `auto` comes to here.
fn comes_to(name: &str, settings: &Settings) -> Option<&'static str> {
    let look = settings.appearance(variable);
    match name {
        "colours" if settings.colours.value.is_none() => Some(look.depth.word()),
        "ascii" if settings.ascii.value.is_none() => Some(if look.ascii { "yes" } else { "no" }),
        _ => None,
    }
}

fn as_table(settings: &Settings) -> String {
    let head = ["SETTING", "VALUE", "FROM"].map(str::to_owned);
    let rows: Vec<[String; 3]> = std::iter::once(head)
        .chain(settings.list().into_iter().map(|(name, text, from)| {
            let value = match comes_to(&name, settings) {
                Some(found) => format!("{text} ({found})"),
                None => text.to_owned(),
            };
            [name, value, from.to_string()]
        }))
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let (first, second) = (width(0), width(1));
    let mut out: String =
        rows.iter().map(|[name, value, from]| format!("{name:first$}  {value:second$}  {from}\n")).collect();
    if let Some(path) = settings::path() {
        let there = if path.exists() { "was read from" } else { "would be read from" };
        out.push_str(&format!(
            "\nThe configuration {there} {}; `--example` prints one to start from.\n",
            path.display()
        ));
    }
    out
}

fn as_json(settings: &Settings, problems: &Problems) -> serde_json::Value {
    let entry = |(name, text, from): (String, &str, &settings::Origin)| {
        let found = comes_to(&name, settings);
        json!({"name": name, "value": text, "comes_to": found.unwrap_or(text), "from": from.to_string()})
    };
    json!({
        "path": settings::path(),
        "settings": settings.list().into_iter().map(entry).collect::<Vec<_>>(),
        "problems": problems.0.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
