//! `practice`: the whole program, on hosts that cannot be hurt.

mod exercise;
mod hands;
mod many;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use color_eyre::eyre::Result;
use indexmap::IndexMap;

use self::exercise::Exercise;
use self::hands::Hands;
use super::acting::Acting;
use super::asked::Asked;
use super::{artifacts_of, begun, cluster, complain, default_journal, given, new_session, operator, print, refuse};
use super::{secrets, usual, window};
use crate::cli::Practice as Args;
use crate::documents;
use crate::hosts::Operate;
use crate::journal::Writer;
use crate::model::event::Mode;
use crate::model::runbook::Runbook;
use crate::model::{Host, HostName, Plan, State};
use crate::practice::{Fault, FaultKind, Kind, Practice};
use crate::probe::Request;
use crate::runner::{Clock, Recorder, Runner, Setup};
use crate::yaml::{Problem, Problems};

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    if args.list {
        print(&list())?;
        return Ok(ExitCode::SUCCESS);
    }
    let window = match window::intent(&args.window, &jiff::Zoned::now()) {
        Ok(window) => window,
        Err(problems) => return Ok(refuse(&problems)),
    };
    let (runbook, source) = match given::runbook(&args.runbook) {
        Ok(found) => found,
        Err(problems) => return Ok(refuse(&problems)),
    };
    let (kind, values) = match suited(args.cluster.as_deref(), &runbook) {
        Ok(cluster) => cluster,
        Err(problems) => return Ok(refuse(&problems)),
    };
    let mut faults = match faults(kind, args) {
        Ok(faults) => faults,
        Err(problems) => return Ok(refuse(&problems)),
    };
    let inventory = {
        let mut inventory = Practice::with_workers(kind, args.hosts, args.seed, Vec::new()).inventory();
        inventory.vars.extend(values);
        inventory.vars.extend(cluster::made_up(&runbook));
        inventory
    };
    let mut plan = match documents::plan::build(&inventory, &cluster::source(), &runbook, &source, &args.vars) {
        Ok(plan) => plan,
        Err(problems) => return Ok(refuse(&cluster::unsuited(problems, kind, &runbook))),
    };
    if args.twice {
        repeat(&mut plan.runbook);
    }
    let exercise = Exercise { kind, plan, args };
    if let Some(seeds) = &args.seeds {
        return many::run(&exercise, seeds.clone(), &faults);
    }
    if !args.auto
        && let Some(code) = super::lacks_terminal("`lockkeeper practice --auto`")
    {
        return Ok(code);
    }
    let by_chance = kind.random_faults(args.hosts, args.seed, args.random_faults);
    if !by_chance.is_empty() {
        let named: Vec<String> = by_chance.iter().map(ToString::to_string).collect();
        complain(&format!("faults at random: {}", named.join(", ")));
    }
    faults.extend(by_chance);
    if args.auto {
        return exercise.once(&faults);
    }
    let runtime = super::runtime()?;
    runtime.block_on(async {
        let practice = Practice::with_workers(kind, args.hosts, args.seed, faults.clone());
        let plan = exercise.plan;
        let path = match &args.journal {
            Some(path) => path.clone(),
            None => default_journal(Clock::Real.now(), &plan.inventory.cluster, &plan.runbook.name)?,
        };
        let hosts = hosts_of(&practice, &plan);
        let interval = super::interval().max(PROBE * hosts.len() as u32);
        let mut recorder = Recorder::new(State::default(), Some(Writer::create(&path)?), Clock::Real);
        let secrets = secrets::practised(&plan);
        recorder.record(begun(new_session(), Mode::Practice, plan.inventory.clone(), Some(plan)))?;
        let artifacts = artifacts_of(&path);
        let mut runner = Runner::new(
            recorder,
            Setup { hosts, artifacts, operator: operator(), seat: "practice".into(), interval, secrets },
        );
        let mut hands = Hands::new(practice.clone());
        if let Some(intent) = window {
            runner.submit(&intent)?.ok();
        }
        let mut acting =
            Acting { runner: &mut runner, followed: |state: &State| hands.lend(state), asked: Asked::default() };
        let left = crate::ui::run(&mut acting, super::habits()).await;
        let code = super::upgrade::exit_code(runner.state());
        // What was broken on purpose is not how it usually goes.
        if faults.is_empty() {
            usual::learn(runner.state());
        }
        let words = super::last_words(runner.state(), Some(&path));
        let closed = runner.close().await;
        let code = super::ended(left?, code);
        closed?;
        tell_of_idle(&practice.never_struck(&faults));
        complain(&format!("recorded in {}; play it with: lockkeeper replay {0}", path.display()));
        complain(&words);
        Ok(code)
    })
}

/// The simulated hosts of a plan, each with its probe.
fn hosts_of(practice: &Practice, plan: &Plan) -> IndexMap<HostName, (Arc<dyn Operate>, String)> {
    let host = |host: &Host| {
        let request = Request::for_host(host, &plan.runbook.probe, &plan.vars[&host.name]);
        (host.name.clone(), (practice.host(&host.name), request.script()))
    };
    plan.inventory.hosts.iter().map(host).collect()
}

/// A simulated host's share of the time between two rounds of probes: half a core at most goes into them.
const PROBE: Duration = Duration::from_millis(20);

/// The cluster that was asked for, or the one that suits the runbook, and the values that its variables have there.
fn suited(asked: Option<&str>, runbook: &Runbook) -> Result<(Kind, IndexMap<String, String>), Problems> {
    let word = asked.or(runbook.practice.keys().next().map(String::as_str)).unwrap_or(cluster::DEFAULT);
    Ok((cluster::kind(word)?, runbook.practice.get(word).cloned().unwrap_or_default()))
}

/// The faults that were asked for by name, on a cluster that can have so many hosts.
fn faults(kind: Kind, args: &Args) -> Result<Vec<Fault>, Problems> {
    if let Some(Err(error)) = args.hosts.map(|workers| kind.can_have(workers)) {
        return Err(Problem::of("--hosts", error).into());
    }
    args.faults.iter().map(|fault| cluster::fault(kind, args.hosts, fault)).collect()
}

/// Says which faults never came to pass: the runbook, or as much of it as was walked, gave them no occasion.
fn tell_of_idle(faults: &[Fault]) {
    for fault in faults {
        complain(&format!("the fault {fault} never struck: nothing that was done gave it an occasion"));
    }
}

/// What can be practised: clusters with their hosts, faults with what they strike, runbooks with what they suit.
fn list() -> String {
    let mut text = "Clusters (--cluster KIND), their hosts, and the faults that can strike there\n".to_owned();
    for kind in Kind::ALL {
        let hosts: Vec<&str> = kind.host_names().collect();
        let mut faults: Vec<&str> = kind.faults().map(|(_, fault)| fault.word()).collect();
        faults.sort_unstable();
        faults.dedup();
        let faults = faults.join(", ");
        text += &format!("\n  {}\n      {}\n      hosts: {}\n", kind.word(), kind.about(), hosts.join(", "));
        text += &format!("      faults: {faults}\n");
    }
    text += "\nFaults (--fault HOST:KIND) [and what they need to strike]\n\n";
    for fault in FaultKind::ALL {
        let needs = fault.occasion().map(|needs| format!(" [{needs}]")).unwrap_or_default();
        text += &format!("  {:<18} {}{needs}\n", fault.word(), fault.about());
    }
    text +=
        "\nRunbooks (--runbook NAME) and the clusters that suit them, the first one unless another is asked for\n\n";
    for (name, _) in documents::builtin_runbooks() {
        if let Ok((runbook, _)) = given::runbook(name) {
            let suits: Vec<&str> = runbook.practice.keys().map(String::as_str).collect();
            text += &format!("  {name}\n      {}\n      on: {}\n", runbook.title, suits.join(", "));
        }
    }
    text
}

/// Has every script that may be repeated run twice in a row.
fn repeat(runbook: &mut Runbook) {
    for step in runbook.stages.iter_mut().flat_map(|stage| &mut stage.steps) {
        if let Some(run) = step.run.as_mut().filter(|_| step.repeatable && !step.reboots) {
            *run = format!("(\n{run}\n)\nsleep 1\n(\n{run}\n)");
        }
    }
}
