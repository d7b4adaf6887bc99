//! `monitor`: the grid and the logs, live, without a way to act.

use std::process::ExitCode;

use color_eyre::eyre::Result;
use indexmap::IndexMap;

use super::asked::Asked;
use super::{begun, given, new_session, refuse, runtime};
use crate::cli::Observe as Args;
use crate::engine::{Intent, Refusal};
use crate::hosts::{self, Links};
use crate::model::event::Mode;
use crate::model::prompt::{Prompt, Reply};
use crate::model::{Inventory, Runbook, State};
use crate::probe::Request;
use crate::runner::{Clock, Monitor, Recorder};
use crate::ui::{Playback, Source};
use crate::yaml::Problems;

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let (inventory, runbook) = match subject(args) {
        Ok(subject) => subject,
        Err(problems) => return Ok(refuse(&problems)),
    };
    if let Some(code) = super::lacks_terminal("`lockkeeper status`") {
        return Ok(code);
    }
    let runtime = runtime()?;
    let exit = runtime.block_on(async {
        let (links, asked) = Asked::links()?;
        let mut monitor = watch(inventory, runbook.as_ref(), &links)?;
        let exit = crate::ui::run(&mut Watching(&mut monitor, asked), super::habits()).await;
        drop(monitor);
        links.close().await;
        exit
    });
    runtime.shutdown_background();
    Ok(super::ended(exit?, ExitCode::SUCCESS))
}

/// What to look at; all that is wrong with it at once.
pub(super) fn subject(args: &Args) -> Result<(Inventory, Option<Runbook>), Problems> {
    let runbook = args.runbook.as_deref().map(given::runbook).transpose();
    let ((inventory, _), runbook) = given::both(given::inventory(&args.inventory), runbook)?;
    Ok((inventory, runbook.map(|(runbook, _)| runbook)))
}

/// Begins to look. What comes back holds `dyn Observe` and nothing that acts.
pub(super) fn watch(inventory: Inventory, runbook: Option<&Runbook>, links: &Links) -> Result<Monitor> {
    let hosts: IndexMap<_, _> = inventory
        .hosts
        .iter()
        .map(|host| {
            let mut vars: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();
            for (name, spec) in runbook.iter().flat_map(|runbook| &runbook.vars) {
                vars.extend(spec.default.clone().map(|value| (name.clone(), value)));
            }
            vars.extend(inventory.vars.iter().chain(&host.vars).map(|(name, value)| (name.clone(), value.clone())));
            let request =
                Request::for_host(host, &runbook.map(|runbook| runbook.probe.clone()).unwrap_or_default(), &vars);
            (host.name.clone(), (hosts::observe(&inventory, host, links), request.script()))
        })
        .collect();
    let mut recorder = Recorder::new(State::default(), None, Clock::Real);
    recorder.record(begun(new_session(), Mode::Monitor, inventory, None))?;
    Ok(Monitor::new(recorder, hosts, super::interval()))
}

struct Watching<'m>(&'m mut Monitor, Asked);

impl Source for Watching<'_> {
    fn state(&self) -> &State {
        self.0.state()
    }

    fn now(&self) -> jiff::Timestamp {
        self.0.now()
    }

    fn submit(&mut self, _: Intent) -> Result<Result<(), Refusal>> {
        Ok(Err(Refusal::ReadOnly("monitor")))
    }

    async fn changed(&mut self) -> Result<()> {
        tokio::select! {
            changed = self.0.changed() => Ok(changed?),
            () = self.1.more() => Ok(()),
        }
    }

    fn asks(&self) -> Option<&Prompt> {
        self.1.first()
    }

    fn answer(&mut self, reply: Reply) {
        self.1.answer(reply);
    }

    fn playback(&mut self) -> Option<&mut dyn Playback> {
        None
    }
}
