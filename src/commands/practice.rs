//! `practice`: the whole program, on hosts that cannot be hurt.

use std::collections::HashSet;
use std::path::Path;
use std::process::ExitCode;

use color_eyre::eyre::Result;
use indexmap::IndexMap;

use super::acting::Acting;
use super::{artifacts_of, auto, complain, default_journal, given, new_session, operator, print, refuse};
use crate::cli::{Output, Practice as Args};
use crate::documents::{self, Source};
use crate::hosts::Operate;
use crate::journal::Writer;
use crate::model::event::Mode;
use crate::model::runbook::Runbook;
use crate::model::state::Phase;
use crate::model::{Event, HostName, State, TaskId};
use crate::practice::{Fault, Kind, Practice};
use crate::probe::Request;
use crate::runner::{Clock, INTERVAL, Recorder, Runner, Setup};

/// The moment that virtual time begins at: the night of the published run that the first runbook retells.
const EPOCH: &str = "2017-04-22T13:00:00Z";

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let (runbook, source) = match given::runbook(&args.runbook) {
        Ok(found) => found,
        Err(problems) => return Ok(refuse(&problems)),
    };
    let (kind, values) = match cluster(args.cluster.as_deref(), &runbook) {
        Ok(cluster) => cluster,
        Err(error) => {
            complain(&error);
            return Ok(ExitCode::from(super::BAD_INPUT));
        }
    };
    let mut faults = Vec::new();
    for fault in &args.faults {
        match fault
            .parse::<Fault>()
            .map_err(|error| error.to_string())
            .and_then(|fault| kind.check(&fault).map(|()| fault))
        {
            Ok(fault) => faults.push(fault),
            Err(error) => {
                complain(&format!("--fault {fault}: {error}"));
                return Ok(ExitCode::from(super::BAD_INPUT));
            }
        }
    }
    let by_chance = kind.random_faults(args.seed, args.random_faults);
    if !by_chance.is_empty() {
        let named: Vec<String> = by_chance.iter().map(ToString::to_string).collect();
        complain(&format!("by chance: {}", named.join(", ")));
    }
    faults.extend(by_chance);
    // One thread: with its clock paused, the same seed gives the same run.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        if args.auto {
            tokio::time::pause();
        }
        let practice = Practice::new(kind, args.seed, faults);
        let mut inventory = practice.inventory();
        inventory.vars.extend(values);
        let place = Source::file(Path::new("practice"), "");
        let mut plan = match documents::plan::build(&inventory, &place, &runbook, &source, &args.vars) {
            Ok(plan) => plan,
            Err(problems) => return Ok(refuse(&problems)),
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
        let started = Event::SessionStarted {
            session: if args.auto { format!("practice-{}", args.seed).into() } else { new_session() },
            mode: Mode::Practice,
            version: env!("CARGO_PKG_VERSION").into(),
            operator: operator(),
            inventory: Box::new(plan.inventory.clone()),
            plan: Some(Box::new(plan)),
        };
        let writer = journal.as_deref().map(Writer::create).transpose()?;
        let mut recorder = Recorder::new(State::default(), writer, clock);
        recorder.record(started)?;
        // Nobody looks on, and whatever waits for an answer asks for it.
        let interval = if args.auto { 3 * INTERVAL } else { super::interval() };
        let mut runner = Runner::new(recorder, Setup { hosts, artifacts, operator: operator(), interval });

        let mut hands = Hands { practice: practice.clone(), lent: HashSet::new() };
        if args.auto {
            let summary = auto::drive(&mut runner, args.take_back, |state| hands.lend(state)).await?;
            runner.close().await;
            return report(&summary, &practice.invariants(), args);
        }
        let mut acting = Acting { runner: &mut runner, followed: |state: &State| hands.lend(state) };
        let left = crate::ui::run(&mut acting, super::habits()).await;
        let code = super::upgrade::exit_code(runner.state());
        runner.close().await;
        let code = super::ended(left?, code);
        if let Some(path) = journal {
            complain(&format!("recorded in {}; play it with: lockkeeper replay {0}", path.display()));
        }
        Ok(code)
    })
}

/// The cluster that was asked for, or the one that suits the runbook, and the values that its variables have there.
fn cluster(asked: Option<&str>, runbook: &Runbook) -> Result<(Kind, IndexMap<String, String>), String> {
    let word = asked.or(runbook.practice.keys().next().map(String::as_str)).unwrap_or(Kind::ContainerLinux.word());
    let kind = Kind::from_word(word).ok_or_else(|| {
        let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.word()).collect();
        format!("there is no practice cluster `{word}`; there are: {}", known.join(", "))
    })?;
    Ok((kind, runbook.practice.get(word).cloned().unwrap_or_default()))
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
