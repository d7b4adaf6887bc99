//! One session that opens its own gates, on virtual time; killed on the way where that is asked for, and taken up again.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use color_eyre::eyre::Result;

use super::hands::Hands;
use super::{hosts_of, tell_of_idle};
use crate::cli::{Output, Practice as Args};
use crate::commands::auto::{Driver, Summary};
use crate::commands::{artifacts_of, begun, operator, print, secrets};
use crate::journal::Writer;
use crate::model::event::Mode;
use crate::model::{Event, Plan, State};
use crate::practice::{Fault, Kind, Practice};
use crate::runner::{Clock, INTERVAL, Recorder, Runner, Setup};

/// The moment that virtual time begins at: the night of the published run that the first runbook retells.
const EPOCH: &str = "2017-04-22T13:00:00Z";

/// A runbook on a kind of cluster, ready to be practised.
pub(super) struct Exercise<'a> {
    pub(super) kind: Kind,
    pub(super) plan: Plan,
    pub(super) args: &'a Args,
}

/// How it went once.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) summary: Summary,
    /// What must never happen and did.
    pub(super) broken: Vec<String>,
    /// Faults that never struck.
    pub(super) idle: Vec<Fault>,
}

impl Played {
    /// The line for programs.
    pub(super) fn json(&self, seed: u64) -> serde_json::Value {
        let mut json = self.summary.json.clone();
        if let Some(map) = json.as_object_mut() {
            map.insert("seed".into(), seed.into());
            if !self.broken.is_empty() {
                map.insert("outcome".into(), "unsafe".into());
                map.insert("unsafe".into(), self.broken.clone().into());
            }
        }
        json
    }

    /// The line for people, without its end.
    pub(super) fn line(&self, seed: u64) -> String {
        let json = self.json(seed);
        let count = |key: &str| json[key].to_string();
        let why = self.summary.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        format!(
            "{}{why} ({} of {} tasks done, {} not needed, {} failed, {} skipped; {} events; seed {seed})",
            json["outcome"].as_str().unwrap_or(self.summary.outcome),
            count("done"),
            count("tasks"),
            count("not_needed"),
            count("failed"),
            count("skipped"),
            count("events"),
        )
    }
}

impl Exercise<'_> {
    /// Plays the one session that was asked for and tells how it went; 0 only where the cluster ended as promised and
    /// nothing unsafe was seen on the way.
    pub(super) fn once(&self, faults: &[Fault]) -> Result<ExitCode> {
        let played = self.play(self.args.seed, faults, self.args.kill, self.args.journal.as_deref())?;
        tell_of_idle(&played.idle);
        match self.args.output {
            Output::Json => print(&format!("{}\n", played.json(self.args.seed)))?,
            Output::Table => {
                print(&format!("{}\n", played.line(self.args.seed)))?;
                for act in &played.broken {
                    print(&format!("unsafe: {act}\n"))?;
                }
            }
        }
        let well = played.summary.outcome == "completed" && played.broken.is_empty();
        Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Plays one session: the same for the same seed and faults.
    pub(super) fn play(&self, seed: u64, faults: &[Fault], kill: bool, journal: Option<&Path>) -> Result<Played> {
        // One thread: with its clock paused, the same seed gives the same run.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            tokio::time::pause();
            self.session(seed, faults, kill, journal).await
        })
    }

    async fn session(&self, seed: u64, faults: &[Fault], kill: bool, journal: Option<&Path>) -> Result<Played> {
        let practice = Practice::with_workers(self.kind, self.args.hosts, seed, faults.to_vec());
        let scratch = tempfile::tempdir()?;
        // What is taken up again needs something to be taken up from.
        let kept: Option<PathBuf> =
            journal.map(Path::to_owned).or_else(|| kill.then(|| scratch.path().join("session.jsonl")));
        let clock = Clock::virtual_from(EPOCH.parse()?);
        let artifacts = journal.map_or_else(|| scratch.path().join("artifacts"), artifacts_of);
        let begin = |recorder| {
            let setup = Setup {
                hosts: hosts_of(&practice, &self.plan),
                artifacts: artifacts.clone(),
                operator: operator(),
                seat: "practice".into(),
                // Nobody looks on, and whatever waits for an answer asks for it.
                interval: 7 * INTERVAL,
                secrets: secrets::practised(&self.plan),
            };
            Runner::new(recorder, setup)
        };
        let writer = kept.as_deref().map(Writer::create).transpose()?;
        let mut recorder = Recorder::new(State::default(), writer, clock);
        let session = format!("practice-{seed}").into();
        recorder.record(begun(session, Mode::Practice, self.plan.inventory.clone(), Some(self.plan.clone())))?;

        let mut runner = begin(recorder);
        let mut hands = Hands::new(practice.clone());
        let mut driver = Driver::new(self.args.take_back);
        let mut kills = Practice::kills(seed).take(if kill { usize::MAX } else { 0 });
        let summary = loop {
            let until = kills.next().map(|events| runner.state().seq + events);
            if let Some(summary) = driver.drive(&mut runner, until, |state| hands.lend(state)).await? {
                break summary;
            }
            // Whatever it held in memory is gone; hosts and their jobs live on.
            drop(runner);
            let path = kept.as_deref().unwrap_or(scratch.path());
            let (writer, records) = Writer::resume(path)?;
            let mut recorder = Recorder::new(State::of(&records), Some(writer), clock);
            recorder.record(Event::SessionResumed { operator: operator() })?;
            runner = begin(recorder);
        };
        runner.close().await?;
        let mut broken = practice.invariants();
        if summary.outcome == "completed" {
            broken.extend(practice.left_behind());
        }
        Ok(Played { summary, broken, idle: practice.never_struck(faults) })
    }
}
