//! Whether a host has the programs and units that scripts call there, whichever way they go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::findings::{Finding, When};
use crate::documents::needs::{Needs, needs};
use crate::hosts::Observe;
use crate::model::event::{CheckResult, Reading, Verdict};
use crate::model::{HostName, State};

/// How long a host may take to look for them.
const DEADLINE: Duration = Duration::from_secs(15);

/// What the scripts of the stages behind the guards miss, host by host. A host that does not answer has said so elsewhere.
pub(super) async fn missing(
    state: &State,
    hosts: &IndexMap<HostName, (Arc<dyn Observe>, String)>,
    guards: usize,
) -> Vec<Finding> {
    let asked = wanted(state, guards).into_iter().filter_map(|(name, needs)| {
        let seen = state.host(&name).is_some_and(|host| host.stale.is_none() && host.facts.is_some());
        let (host, _) = hosts.get(&name).filter(|_| seen)?;
        Some(async move {
            let answer = host.probe(&script(&needs), DEADLINE).await.ok()?;
            Some(finding(name, &needs, answer.output.lines()))
        })
    });
    futures::future::join_all(asked).await.into_iter().flatten().collect()
}

/// Whether it is a unit, its name, and the step that needs it first.
type Thing = (bool, String, String);

/// What every host needs, and for which step first.
type Wanted = BTreeMap<HostName, BTreeMap<(bool, String), String>>;

fn wanted(state: &State, guards: usize) -> Vec<(HostName, Vec<Thing>)> {
    let mut wanted = Wanted::new();
    for (task, step, _) in state.task_ids().filter_map(|id| state.task(id)).filter(|(task, ..)| task.stage >= guards) {
        let scripts = [&step.run, &step.undo].into_iter().flatten().map(|script| needs(script));
        let all = scripts.fold(Needs::default(), |mut all, more| {
            all.programs.extend(more.programs);
            all.units.extend(more.units);
            all
        });
        let host = wanted.entry(task.on.clone()).or_default();
        let things = all.programs.into_iter().map(|program| (false, program));
        for thing in things.chain(all.units.into_iter().map(|unit| (true, unit))) {
            host.entry(thing).or_insert_with(|| step.title.clone());
        }
    }
    let flat = |things: BTreeMap<(bool, String), String>| {
        things.into_iter().map(|((unit, name), step)| (unit, name, step)).collect()
    };
    wanted.into_iter().map(|(host, things)| (host, flat(things))).collect()
}

/// Names each thing that is not there, in a line of its own.
fn script(things: &[Thing]) -> String {
    let quoted = |unit: bool| -> String {
        let names = things.iter().filter(|(is_unit, ..)| *is_unit == unit);
        names.filter_map(|(_, name, _)| shlex::try_quote(name).ok()).map(|name| format!(" {name}")).collect()
    };
    format!(
        "PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
         for name in{}; do command -v \"$name\" >/dev/null 2>&1 || echo \"$name\"; done\n\
         for name in{}; do case $(systemctl show -p LoadState \"$name\" 2>/dev/null) in *not-found) echo \"$name\" ;; esac; done\n",
        quoted(false),
        quoted(true)
    )
}

fn finding<'a>(host: HostName, things: &[Thing], lines: impl Iterator<Item = &'a str>) -> Finding {
    let lines: Vec<&str> = lines.map(str::trim).collect();
    let missing: Vec<String> = things
        .iter()
        .filter(|(_, name, _)| lines.contains(&name.as_str()))
        .map(|(_, name, step)| format!("{name} ({step})"))
        .collect();
    let read = if missing.is_empty() {
        Vec::new()
    } else {
        vec![Reading { path: "missing".into(), value: missing.join(", "), seen: None }]
    };
    Finding {
        host: Some(host),
        guard: "Programs and units".into(),
        when: When::Now,
        result: CheckResult {
            says: "every program and unit that the scripts call here, whichever way they go, is there".into(),
            that: String::new(),
            because: "the step would fail half-way, in the window".into(),
            verdict: if missing.is_empty() { Verdict::Pass } else { Verdict::Fail },
            read,
        },
    }
}
