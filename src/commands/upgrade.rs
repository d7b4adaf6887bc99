//! `upgrade` and `resume`: real hosts, through gates.

use std::path::Path;
use std::process::ExitCode;

use color_eyre::eyre::Result;
use indexmap::IndexMap;

use super::acting::Acting;
use super::asked::Asked;
use super::secrets;
use super::sessions::{self, Pick};
use super::{artifacts_of, begun, complain, default_journal, given, new_session, operator, refuse, runtime};
use super::{usual, window};
use crate::cli::{Resume, Upgrade};
use crate::engine::Intent;
use crate::hosts;
use crate::journal::{self, Writer};
use crate::model::event::{Mode, Outcome};
use crate::model::{Event, Secrets, State, Summary};
use crate::probe::Request;
use crate::runner::{Clock, Recorder, Runner, Setup};

/// Nothing opens gates but an operator who has seen them.
const WITHOUT_TERMINAL: &str = "`lockkeeper plan`, `lockkeeper preflight`, `lockkeeper replay --print`";

pub(super) fn run(args: &Upgrade) -> Result<ExitCode> {
    let window = match window::intent(&args.window, &jiff::Zoned::now()) {
        Ok(window) => window,
        Err(problems) => return Ok(refuse(&problems)),
    };
    let plan = match given::plan(&args.target) {
        Ok(plan) => plan,
        Err(problems) => return Ok(refuse(&problems)),
    };
    if let Some(code) = super::lacks_terminal(WITHOUT_TERMINAL) {
        return Ok(code);
    }
    let secrets = match secrets::read(&plan) {
        Ok(secrets) => secrets,
        Err(problems) => return Ok(refuse(&problems)),
    };
    let path = match &args.journal {
        Some(path) => path.clone(),
        None => default_journal(Clock::Real.now(), &plan.inventory.cluster, &plan.runbook.name)?,
    };
    let mut recorder = Recorder::new(State::default(), Some(Writer::create(&path)?), Clock::Real);
    recorder.record(begun(new_session(), Mode::Upgrade, plan.inventory.clone(), Some(plan)))?;
    act(recorder, &path, window.as_ref(), secrets)
}

/// Takes a session up where its journal ends. What was under way then is asked for, never run again on a guess.
pub(super) fn resume(args: &Resume) -> Result<ExitCode> {
    let window = match window::intent(&args.window, &jiff::Zoned::now()) {
        Ok(window) => window,
        Err(problems) => return Ok(refuse(&problems)),
    };
    let path = match &args.journal {
        Some(path) => path.clone(),
        None => match sessions::pick(sessions::all()?) {
            Pick::Take(path) => path,
            Pick::Ask(all) => {
                let list = sessions::table(&all, Clock::Real.now());
                let head = if all.iter().any(Summary::resumable) {
                    "which session? Say it by its journal:"
                } else {
                    "nothing here can be resumed as it is:"
                };
                complain(&format!("{head}\n\n{list}"));
                return Ok(ExitCode::from(super::BAD_INPUT));
            }
            Pick::Nothing => {
                let place = journal::directory()?;
                complain(&format!("no upgrade in {} is unfinished: there is nothing to resume", place.display()));
                return Ok(ExitCode::from(super::BAD_INPUT));
            }
        },
    };
    let (writer, records) = match Writer::resume(&path) {
        Ok(opened) => opened,
        Err(error) => {
            complain(&format!("lockkeeper: {error}"));
            return Ok(ExitCode::from(super::BAD_INPUT));
        }
    };
    let state = State::of(&records);
    match &state.session {
        Some(session) if session.mode == Mode::Upgrade && state.outcome.is_none() => {}
        Some(session) => {
            let why = if state.outcome.is_some() { "it has ended" } else { "its hosts were simulated and are gone" };
            complain(&format!(
                "{}: this {} cannot be resumed: {why}; `lockkeeper replay` plays it",
                path.display(),
                session.mode
            ));
            return Ok(ExitCode::from(super::BAD_INPUT));
        }
        None => {
            complain(&format!("{}: this journal has no session in it", path.display()));
            return Ok(ExitCode::from(super::BAD_INPUT));
        }
    }
    if let Some(code) = super::lacks_terminal(WITHOUT_TERMINAL) {
        return Ok(code);
    }
    // They stand in no journal, so they are read again.
    let secrets = match state.plan.as_deref().map(secrets::read).transpose() {
        Ok(secrets) => secrets.unwrap_or_default(),
        Err(problems) => return Ok(refuse(&problems)),
    };
    let mut recorder = Recorder::new(state, Some(writer), Clock::Real);
    recorder.record(Event::SessionResumed { operator: operator() })?;
    act(recorder, &path, window.as_ref(), secrets)
}

fn act(recorder: Recorder, path: &Path, window: Option<&Intent>, secrets: Secrets) -> Result<ExitCode> {
    let runtime = runtime()?;
    let code = runtime.block_on(async {
        let (links, asked) = Asked::links()?;
        let state = recorder.state();
        let mut members = IndexMap::new();
        if let (Some(plan), Some(session)) = (&state.plan, &state.session) {
            for host in &session.inventory.hosts {
                let request = Request::for_host(host, &plan.runbook.probe, &plan.vars[&host.name]);
                let operate = hosts::operate(&session.inventory, host, &links);
                members.insert(host.name.clone(), (operate, request.script()));
            }
        }
        let setup = Setup {
            hosts: members,
            artifacts: artifacts_of(path),
            operator: operator(),
            seat: super::seat(path),
            interval: super::interval(),
            secrets,
        };
        let mut runner = Runner::new(recorder, setup);
        if let Some(intent) = window {
            runner.submit(intent)?.ok();
        }
        let mut acting = Acting { runner: &mut runner, followed: |_: &State| {}, asked };
        let left = crate::ui::run(&mut acting, super::habits()).await;
        let code = exit_code(runner.state());
        let words = super::last_words(runner.state(), Some(path));
        usual::learn(runner.state());
        let head = runner.close().await;
        links.close().await;
        let code = super::ended(left?, code);
        if let Some(head) = head? {
            complain(&format!(
                "recorded in {}; its head is {head}: `lockkeeper journal verify` proves it",
                path.display()
            ));
        }
        complain(&words);
        Ok(code)
    });
    runtime.shutdown_background();
    code
}

/// 0 only where the session has kept its promise.
pub(super) fn exit_code(state: &State) -> ExitCode {
    match state.outcome {
        Some(Outcome::Completed) => ExitCode::SUCCESS,
        Some(Outcome::Unkept { .. } | Outcome::Aborted { .. }) | None => ExitCode::FAILURE,
    }
}
