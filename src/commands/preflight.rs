//! `preflight`: everything that can be checked before a window, at once, without touching anything.

mod findings;
mod print;
mod root;
mod tools;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use color_eyre::eyre::Result;
use indexmap::IndexMap;
use jiff::Timestamp;

use super::cluster::Cluster;
use super::{begun, given, new_session, refuse, runtime};
use crate::cli::{Output, Preflight as Args};
use crate::documents;
use crate::hosts::{self, Links, Observe};
use crate::model::event::Mode;
use crate::model::{HostName, Plan, State, TaskId};
use crate::probe::Request;
use crate::runner::{Clock, Monitor, Recorder};
use crate::yaml::Problems;

use findings::{Finding, findings, worse};

/// How often everything is looked at: what comes and goes does not hold.
const ROUNDS: usize = 2;

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let practice = match args.cluster.as_deref().map(Cluster::named).transpose() {
        Ok(cluster) => cluster,
        Err(problems) => return Ok(refuse(&problems)),
    };
    let (plan, guards) = match plan(args, practice.as_ref()) {
        Ok(planned) => planned,
        Err(problems) => return Ok(refuse(&problems)),
    };
    let runtime = runtime()?;
    let looked = runtime.block_on(look(plan, guards, practice.as_ref(), Duration::from_secs(args.wait)));
    runtime.shutdown_background();
    let (state, findings) = looked?;
    let go = findings.iter().all(Finding::lets_go);
    match args.output {
        Output::Json => super::print(&format!("{:#}\n", print::json(&state, &findings, go)))?,
        Output::Table => super::print(&print::table(&state, &findings, go))?,
    }
    Ok(if go { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The guards, and behind them every task of the runbook: what its gates ask is asked now, as far as it can be told.
/// Also how many stages the guards have.
fn plan(args: &Args, practice: Option<&Cluster>) -> Result<(Plan, usize), Problems> {
    let runbook = args.runbook.as_deref().map(given::runbook).transpose()?;
    let (inventory, source) = match (practice, &args.inventory) {
        (Some(practice), _) => practice.inventory(runbook.as_ref().map(|(runbook, _)| runbook)),
        (None, Some(path)) => given::inventory(path)?,
        // The command line asks for one of them.
        (None, None) => return Err(Problems::default()),
    };
    let guards = documents::preflight();
    let mut whole = documents::plan::build(&inventory, &source, &documents::read_runbook(&guards)?, &guards, &[])?;
    let Some((runbook, runbook_source)) = runbook else { return Ok((whole, usize::MAX)) };
    let own = documents::plan::build(&inventory, &source, &runbook, &runbook_source, &args.vars)?;
    let behind = whole.runbook.stages.len();
    for task in &own.tasks {
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
    Ok((whole, behind))
}

/// Looks at every host so often, and keeps the worst of each check. So many stages hold guards; what comes behind them is the
/// runbook.
async fn look(plan: Plan, guards: usize, practice: Option<&Cluster>, wait: Duration) -> Result<(State, Vec<Finding>)> {
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
    let seen_hosts = hosts.clone();
    let roots =
        futures::future::join_all(hosts.iter().map(|(name, (seen, _))| root::can_be_had(name, seen.as_ref(), wait)));
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
        worst = worse(worst, findings(state, guards, Timestamp::now()));
    }
    let state = monitor.state().clone();
    drop(monitor);
    worst.extend(tools::missing(&state, &seen_hosts, guards).await);
    links.close().await;
    Ok((state, worst))
}
