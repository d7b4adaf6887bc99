//! `practice`: the whole program, on hosts that cannot be hurt.

use std::collections::HashSet;
use std::process::ExitCode;
use std::time::Duration;

use color_eyre::eyre::Result;
use indexmap::IndexMap;

use super::acting::Acting;
use super::asked::Asked;
use super::{
    artifacts_of, auto, begun, cluster, complain, default_journal, given, new_session, operator, print, refuse,
};
use super::{usual, window};
use crate::cli::{Output, Practice as Args};
use crate::documents;
use crate::hosts::Operate;
use crate::journal::Writer;
use crate::model::event::Mode;
use crate::model::runbook::Runbook;
use crate::model::state::Phase;
use crate::model::{HostName, State, TaskId};
use crate::practice::{Fault, FaultKind, Kind, Practice};
use crate::probe::Request;
use crate::runner::{Clock, INTERVAL, Recorder, Runner, Setup};
use crate::yaml::{Problem, Problems};

/// The moment that virtual time begins at: the night of the published run that the first runbook retells.
const EPOCH: &str = "2017-04-22T13:00:00Z";

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
    // One thread: with its clock paused, the same seed gives the same run. Where somebody looks on, hosts do not make the
    // screen wait.
    let runtime =
        if args.auto { tokio::runtime::Builder::new_current_thread().enable_all().build()? } else { super::runtime()? };
    runtime.block_on(async {
        if args.auto {
            tokio::time::pause();
        }
        let well = faults.is_empty();
        let practice = Practice::with_workers(kind, args.hosts, args.seed, faults.clone());
        let mut inventory = practice.inventory();
        inventory.vars.extend(values);
        inventory.vars.extend(cluster::made_up(&runbook));
        let mut plan = match documents::plan::build(&inventory, &cluster::source(), &runbook, &source, &args.vars) {
            Ok(plan) => plan,
            Err(problems) => return Ok(refuse(&cluster::unsuited(problems, kind, &runbook))),
        };
        if args.twice {
            repeat(&mut plan.runbook);
        }
        let clock = if args.auto { Clock::virtual_from(EPOCH.parse()?) } else { Clock::Real };
        let journal = match (&args.journal, args.auto) {
            (Some(path), _) => Some(path.clone()),
            (None, true) => None,
            (None, false) => Some(default_journal(clock.now(), &plan.inventory.cluster, &plan.runbook.name)?),
        };
        let scratch = tempfile::tempdir()?;
        let artifacts = journal.as_deref().map_or_else(|| scratch.path().to_owned(), artifacts_of);
        let hosts: IndexMap<HostName, (std::sync::Arc<dyn Operate>, String)> = plan
            .inventory
            .hosts
            .iter()
            .map(|host| {
                let request = Request::for_host(host, &plan.runbook.probe, &plan.vars[&host.name]);
                (host.name.clone(), (practice.host(&host.name), request.script()))
            })
            .collect();
        let session = if args.auto { format!("practice-{}", args.seed).into() } else { new_session() };
        let secrets = super::secrets::practised(&plan);
        let started = begun(session, Mode::Practice, plan.inventory.clone(), Some(plan));
        let writer = journal.as_deref().map(Writer::create).transpose()?;
        let mut recorder = Recorder::new(State::default(), writer, clock);
        recorder.record(started)?;
        // Nobody looks on, and whatever waits for an answer asks for it.
        let interval = if args.auto { 3 * INTERVAL } else { super::interval().max(PROBE * hosts.len() as u32) };
        let mut runner = Runner::new(
            recorder,
            Setup { hosts, artifacts, operator: operator(), seat: "practice".into(), interval, secrets },
        );

        let mut hands = Hands { practice: practice.clone(), lent: HashSet::new() };
        if args.auto {
            let summary = auto::drive(&mut runner, args.take_back, |state| hands.lend(state)).await?;
            runner.close().await?;
            tell_of_idle(&practice.never_struck(&faults));
            return report(&summary, &practice.invariants(), args);
        }
        if let Some(intent) = window {
            runner.submit(&intent)?.ok();
        }
        let mut acting =
            Acting { runner: &mut runner, followed: |state: &State| hands.lend(state), asked: Asked::default() };
        let left = crate::ui::run(&mut acting, super::habits()).await;
        let code = super::upgrade::exit_code(runner.state());
        // What was broken on purpose is not how it usually goes.
        if well {
            usual::learn(runner.state());
        }
        let words = super::last_words(runner.state(), journal.as_deref());
        let closed = runner.close().await;
        let code = super::ended(left?, code);
        closed?;
        tell_of_idle(&practice.never_struck(&faults));
        if let Some(path) = journal {
            complain(&format!("recorded in {}; play it with: lockkeeper replay {0}", path.display()));
        }
        complain(&words);
        Ok(code)
    })
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

/// What is typed at a Container Linux console to force a first boot.
const AT_CONSOLE: &str = "coreos.first_boot=1";

/// The operator's hands at the consoles, which nobody has in memory: what a step asks to be done by hand is done.
struct Hands {
    practice: Practice,
    lent: HashSet<(TaskId, u64)>,
}

impl Hands {
    fn lend(&mut self, state: &State) {
        for id in state.task_ids() {
            let Some((task, step, current)) = state.task(id) else { continue };
            if current.taking_back() {
                continue;
            }
            let asked = step.hands.is_some() && step.reboots && current.phase == Phase::Verifying;
            if asked && self.lent.insert((id, current.since_seq)) {
                self.practice.restart_at_console(&task.host, AT_CONSOLE);
            }
            let begun = matches!(current.phase, Phase::Verifying | Phase::Done);
            let by_hand = step.hands.is_some() && !step.reboots && begun;
            if by_hand && self.lent.insert((id, current.since_seq)) {
                match step.name.as_str() {
                    "deploy" => self.practice.deploy_to_second(),
                    "switch" => self.practice.switch_traffic(),
                    "turn-off" => self.practice.turn_off(std::slice::from_ref(&task.host)),
                    _ => {}
                }
            }
        }
    }
}

/// One line of summary; 0 only where the cluster ended as promised and nothing unsafe was seen on the way.
fn report(summary: &auto::Summary, unsafe_acts: &[String], args: &Args) -> Result<ExitCode> {
    let mut json = summary.json.clone();
    if let Some(map) = json.as_object_mut() {
        map.insert("seed".into(), args.seed.into());
        if !unsafe_acts.is_empty() {
            map.insert("outcome".into(), "unsafe".into());
            map.insert("unsafe".into(), unsafe_acts.into());
        }
    }
    match args.output {
        Output::Json => print(&format!("{json}\n"))?,
        Output::Table => {
            let count = |key: &str| json[key].to_string();
            let why = summary.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            print(&format!(
                "{}{why} ({} of {} tasks done, {} not needed, {} failed, {} skipped; {} events; seed {})\n",
                json["outcome"].as_str().unwrap_or(summary.outcome),
                count("done"),
                count("tasks"),
                count("not_needed"),
                count("failed"),
                count("skipped"),
                count("events"),
                args.seed,
            ))?;
            for act in unsafe_acts {
                print(&format!("unsafe: {act}\n"))?;
            }
        }
    }
    let well = summary.outcome == "completed" && unsafe_acts.is_empty();
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
