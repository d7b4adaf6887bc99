//! `preflight`: everything that can be checked before a window, at once, without touching anything.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use color_eyre::eyre::Result;
use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::json;

use super::{begun, given, new_session, print, refuse, runtime};
use crate::cli::{Output, Preflight as Args};
use crate::documents::{self, Source};
use crate::engine::check::{evaluate, evaluate_expression};
use crate::engine::scope::Scope;
use crate::hosts::{self, HostError, Links, Observe};
use crate::model::event::{CheckResult, Mode, Verdict};
use crate::model::logtail::clean;
use crate::model::{HostName, Inventory, Plan, State, TaskId};
use crate::practice::Practice;
use crate::probe::Request;
use crate::runner::{Clock, Monitor, Recorder};
use crate::yaml::Problems;

/// How often everything is looked at: what comes and goes does not hold.
const ROUNDS: usize = 2;

/// The guard that asks whether a host can be seen at all.
const FACTS: &str = "facts";

/// One check on one host, or on the cluster.
struct Finding {
    /// Nothing for what is the whole cluster's.
    host: Option<HostName>,
    /// The guard, or the runbook's step.
    guard: String,
    result: CheckResult,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let practice = match args.cluster.as_deref().map(given::cluster).transpose() {
        Ok(kind) => kind.map(|kind| Practice::new(kind, 1, Vec::new())),
        Err(problems) => return Ok(refuse(&problems)),
    };
    let plan = match plan(args, practice.as_ref()) {
        Ok(plan) => plan,
        Err(problems) => return Ok(refuse(&problems)),
    };
    let runtime = runtime()?;
    let looked = runtime.block_on(look(plan, practice.as_ref(), Duration::from_secs(args.wait)));
    runtime.shutdown_background();
    let (state, findings) = looked?;
    let go = findings.iter().all(|finding| finding.result.passed());
    match args.output {
        Output::Json => print(&format!("{:#}\n", as_json(&state, &findings, go)))?,
        Output::Table => print(&as_table(&state, &findings, go))?,
    }
    Ok(if go { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The guards, and behind them what the runbook itself asks before it changes anything.
fn plan(args: &Args, practice: Option<&Practice>) -> Result<Plan, Problems> {
    let (inventory, source) = match (practice, &args.inventory) {
        (Some(practice), _) => (practice.inventory(), Source::file(std::path::Path::new("practice"), "")),
        (None, Some(path)) => given::inventory(path)?,
        (None, None) => (Inventory::default(), Source::file(std::path::Path::new("nothing"), "")),
    };
    let guards = documents::preflight();
    let mut whole = documents::plan::build(&inventory, &source, &documents::read_runbook(&guards)?, &guards, &[])?;
    let Some(runbook) = &args.runbook else { return Ok(whole) };
    let (runbook, runbook_source) = given::runbook(runbook)?;
    let mut inventory = inventory;
    if practice.is_some() {
        inventory
            .vars
            .extend(runbook.practice.get(args.cluster.as_deref().unwrap_or_default()).cloned().unwrap_or_default());
    }
    let own = documents::plan::build(&inventory, &source, &runbook, &runbook_source, &args.vars)?;
    let behind = whole.runbook.stages.len();
    for task in own.tasks.iter().filter(|task| task.stage == 0 && !own.step_of(task).changes()) {
        let mut task = task.clone();
        task.id = TaskId(u32::try_from(whole.tasks.len()).unwrap_or(u32::MAX));
        task.stage += behind;
        whole.tasks.push(task);
    }
    whole.runbook.probe = whole.runbook.probe.and(&own.runbook.probe);
    whole.runbook.stages.extend(own.runbook.stages);
    for (host, values) in own.vars {
        whole.vars.entry(host).or_default().extend(values);
    }
    Ok(whole)
}

/// Looks at every host so often, and keeps the worst of each check.
async fn look(plan: Plan, practice: Option<&Practice>, wait: Duration) -> Result<(State, Vec<Finding>)> {
    let links = Links::new()?;
    let hosts: IndexMap<HostName, (Arc<dyn Observe>, String)> = plan
        .inventory
        .hosts
        .iter()
        .map(|host| {
            let script = Request::for_host(host, &plan.runbook.probe, &plan.vars[&host.name]).script();
            let seen: Arc<dyn Observe> = match practice {
                Some(practice) => practice.observe(&host.name),
                None => hosts::observe(&plan.inventory, host, &links),
            };
            (host.name.clone(), (seen, script))
        })
        .collect();
    let roots = futures::future::join_all(hosts.iter().map(|(name, (seen, _))| root(name, seen.as_ref(), wait)));
    let mut recorder = Recorder::new(State::default(), None, Clock::Real);
    recorder.record(begun(new_session(), Mode::Monitor, plan.inventory.clone(), Some(plan)))?;
    let roots = roots.await.into_iter().flatten();
    let mut monitor = Monitor::new(recorder, hosts, super::interval());
    let mut worst: Vec<Finding> = roots.collect();
    let mut seen: BTreeMap<HostName, Timestamp> = BTreeMap::new();
    for _ in 0..ROUNDS {
        let all_told = async {
            while !monitor.state().hosts.iter().all(|(name, host)| {
                let newer =
                    host.facts.as_ref().is_some_and(|facts| seen.get(name).is_none_or(|before| facts.at > *before));
                newer || host.stale.is_some()
            }) {
                monitor.changed().await?;
            }
            Ok::<_, color_eyre::Report>(())
        };
        if let Ok(told) = tokio::time::timeout(wait, all_told).await {
            told?;
        }
        let state = monitor.state();
        seen = state.hosts.iter().filter_map(|(name, host)| Some((name.clone(), host.facts.as_ref()?.at))).collect();
        worst = worse(worst, findings(state, Timestamp::now()));
    }
    let state = monitor.state().clone();
    drop(monitor);
    links.close().await;
    Ok((state, worst))
}

/// Whether root can be had on a host; nothing where the host does not answer, which is told anyway.
async fn root(host: &HostName, seen: &dyn Observe, wait: Duration) -> Option<Finding> {
    let asked = async {
        seen.connect().await?;
        seen.try_root().await
    };
    let (verdict, because) = match tokio::time::timeout(wait, asked).await {
        Ok(Ok(())) => (Verdict::Pass, "every step's script runs as root".to_owned()),
        Ok(Err(HostError::Refused(why))) => (Verdict::Fail, clean(&why)),
        Ok(Err(_)) | Err(_) => return None,
    };
    let result =
        CheckResult { says: "root can be had here".into(), that: "root".into(), because, verdict, read: Vec::new() };
    Some(Finding { host: Some(host.clone()), guard: "Root".into(), result })
}

/// Every check that applies, on the facts of now.
fn findings(state: &State, now: Timestamp) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for id in state.task_ids() {
        let Some((task, step, _)) = state.task(id) else { continue };
        // Of a host that cannot be seen that is all there is to say.
        if step.name != FACTS && state.host(&task.host).is_some_and(|host| host.stale.is_some()) {
            continue;
        }
        let scope = Scope::new(state, Some(id), 0, now);
        if let Some(condition) = &step.only_if
            && evaluate_expression(condition, &scope).0 == Verdict::Fail
        {
            continue;
        }
        for check in &step.require {
            // What does not speak of its host is the same on every one.
            let host = check.that.0.contains("host.").then(|| task.host.clone());
            let known = |other: &Finding| other.host.is_none() && other.result.that == check.that.0;
            if host.is_none() && found.iter().any(known) {
                continue;
            }
            found.push(Finding { host, guard: step.title.clone(), result: evaluate(check, &scope) });
        }
    }
    found
}

/// Of two looks at the same checks, what did not hold in either. A check that applied once counts.
fn worse(mut before: Vec<Finding>, after: Vec<Finding>) -> Vec<Finding> {
    for finding in after {
        let same = |other: &&mut Finding| other.host == finding.host && other.result.that == finding.result.that;
        match before.iter_mut().find(same) {
            Some(held) if held.result.passed() => *held = finding,
            // Not seen yet is no finding against a host that was seen later.
            Some(held) if matches!(held.result.verdict, Verdict::Unknown(_)) => *held = finding,
            Some(_) => {}
            None => before.push(finding),
        }
    }
    before
}

fn as_json(state: &State, findings: &[Finding], go: bool) -> serde_json::Value {
    let checks: Vec<_> = findings
        .iter()
        .map(|finding| {
            let mut check = json!(finding.result);
            if let Some(map) = check.as_object_mut() {
                map.insert("host".into(), json!(finding.host));
                map.insert("guard".into(), json!(finding.guard));
                map.insert("holds".into(), finding.result.passed().into());
            }
            check
        })
        .collect();
    json!({
        "verdict": if go { "go" } else { "no-go" },
        "cluster": state.session.as_ref().map(|session| &session.inventory.cluster),
        "at": state.now,
        "checks": checks,
        "unseen": state.hosts.iter().filter_map(|(name, host)| Some(json!({"host": name, "why": host.stale.as_ref()?}))).collect::<Vec<_>>(),
    })
}

/// What stands against it, host by host, and the count of what holds.
fn as_table(state: &State, findings: &[Finding], go: bool) -> String {
    let mut text = String::new();
    for (name, host) in &state.hosts {
        if let Some(why) = &host.stale {
            text.push_str(&format!("{name}: cannot be seen: {why}\n"));
        }
    }
    let mut against: Vec<&Finding> = findings.iter().filter(|finding| !finding.result.passed()).collect();
    against.sort_by_key(|finding| finding.host.as_ref().map(ToString::to_string));
    for finding in &against {
        let whose = finding.host.as_ref().map_or("cluster", |host| host.as_str());
        let mark = if matches!(finding.result.verdict, Verdict::Unknown(_)) { "unknown" } else { "no-go" };
        let holds = if mark == "unknown" { "cannot be told whether it holds" } else { "does not hold" };
        text.push_str(&format!("{mark:<8} {whose}  {}\n", finding.guard));
        text.push_str(&format!("           {holds}: {}\n", finding.result.sentence()));
        if let Verdict::Unknown(why) = &finding.result.verdict {
            text.push_str(&format!("           {why}\n"));
        }
        if !finding.result.says.is_empty() {
            text.push_str(&format!("           {}\n", finding.result.because));
        }
        for reading in &finding.result.read {
            text.push_str(&format!("           {} = {}\n", reading.path, crate::model::logtail::clean(&reading.value)));
        }
    }
    let held = findings.len() - against.len();
    let hosts = state.hosts.len();
    text.push_str(&if go {
        format!("GO: {held} checks hold on {hosts} hosts\n")
    } else {
        let unknown = |finding: &&&Finding| matches!(finding.result.verdict, Verdict::Unknown(_));
        let untold = against.iter().filter(unknown).count();
        let all = findings.len();
        let fails = against.len() - untold;
        let also = if untold == 0 { String::new() } else { format!(", and of {untold} it cannot be told") };
        format!("NO-GO: {fails} of {all} checks on {hosts} hosts do not hold{also}\n")
    });
    text
}
