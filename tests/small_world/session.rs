//! One session from its seed: the wizard, its journal and its operator over hosts that live on when it is killed.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use lockkeeper::engine::{Intent, standing};
use lockkeeper::hosts::Operate;
use lockkeeper::journal::{self, JournalError, Store, Writer};
use lockkeeper::model::event::{Event, Mode, Outcome};
use lockkeeper::model::{HostName, Record, Secrets, State};
use lockkeeper::runner::{Clock, Recorder, Runner, Setup};
use lockkeeper::ui::{self, UiState};

use crate::chance::Chance;
use crate::disk::{self, Disk};
use crate::host::Way;
use crate::operator::{Hand, Operator};
use crate::rules::{self, Moment};
use crate::runbook::{PIECES, Piece};
use crate::told::Told;
use crate::world::{By, Shared, World, look};

/// How a session went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Went {
    pub(crate) events: usize,
    pub(crate) kills: usize,
    /// How often the runner was asked what follows.
    pub(crate) looks: usize,
    pub(crate) completed: bool,
    /// The end of every host, boots and times aside.
    pub(crate) end: Vec<String>,
}

/// How rough a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Nothing goes wrong, and nobody is killed.
    Calm,
    /// The wizard is killed, again and again; nothing else.
    Kills,
    /// The first answers about leases are lost, and nothing else.
    Deaf,
    /// Everything.
    Storm,
}

pub(crate) struct Session {
    piece: &'static Piece,
    world: Shared,
    clock: Clock,
    directory: PathBuf,
    records: Vec<Record>,
    heard: disk::Told,
    state: State,
    told: Told,
    operator: Operator,
    /// The host that was asked to be taken back last.
    back: Option<HostName>,
    chance: Chance,
    weather: Weather,
    went: Went,
}

/// After so many looks, half a second apart at most, a session has come to no end.
const MOST_LOOKS: usize = 8_000;

/// A wizard that is always killed gets nowhere.
const MOST_KILLS: usize = 4;

/// Plays one to its end.
pub(crate) fn play(seed: u64, piece: usize, weather: Weather, directory: &Path) -> Result<Went, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(async { Session::new(seed, piece, weather, directory).run().await })
}

impl Session {
    fn new(seed: u64, piece: usize, weather: Weather, directory: &Path) -> Self {
        let mut chance = Chance::new(seed, 1);
        let piece = &PIECES[piece];
        let trouble = if weather == Weather::Storm { *chance.pick(&[0, 10, 40, 120]) } else { 0 };
        let mut world = World::new(&piece.plan, Chance::new(seed, 2), trouble, directory.join("artifacts"));
        if weather == Weather::Storm {
            world.foretell();
        }
        world.deaf = if weather == Weather::Deaf { 7 } else { 0 };
        let wild = if weather == Weather::Storm { *chance.pick(&[0, 0, 20, 100]) } else { 0 };
        let clock = Clock::virtual_from("2026-01-01T00:00:00Z".parse().unwrap_or_default());
        let began = clock.now();
        let operator = Operator { chance: Chance::new(seed, 3), wild, next: began, moved: (began, 0) };
        Self {
            piece,
            world: Arc::new(Mutex::new(world)),
            clock,
            directory: directory.to_owned(),
            records: Vec::new(),
            heard: disk::Told::default(),
            state: State::default(),
            told: Told::default(),
            operator,
            back: None,
            chance,
            weather,
            went: Went::default(),
        }
    }

    fn journal(&self) -> PathBuf {
        self.directory.join("session.jsonl")
    }

    fn begin(&mut self) -> Result<Runner, String> {
        let writer = Writer::create(&self.journal()).map_err(|error| error.to_string())?;
        let mut recorder = self.recorder(writer, State::default());
        let plan = &self.piece.plan;
        let started = Event::SessionStarted {
            session: "s".into(),
            mode: Mode::Practice,
            version: "0".into(),
            operator: "o@here".into(),
            inventory: Box::new(plan.inventory.clone()),
            plan: Some(Box::new(plan.clone())),
        };
        recorder.record(started).map_err(|error| error.to_string())?;
        Ok(self.runner(recorder))
    }

    /// From the journal alone.
    fn resume(&mut self) -> Result<Runner, String> {
        let (writer, records) = Writer::resume(&self.journal()).map_err(|error| error.to_string())?;
        if records != self.records {
            return Err("what was written is read back: it is not".into());
        }
        let mut recorder = self.recorder(writer, State::of(&records));
        recorder.record(Event::SessionResumed { operator: "o@here".into() }).map_err(|error| error.to_string())?;
        Ok(self.runner(recorder))
    }

    /// Over a disk that may fail.
    fn recorder(&mut self, writer: Writer, state: State) -> Recorder {
        let fails = self.weather == Weather::Storm && self.went.kills < MOST_KILLS && self.chance.in_1000(100);
        let left = fails.then(|| 10 + self.chance.below(150));
        *self.heard() = disk::Heard { durable: state.seq, ..disk::Heard::default() };
        let disk: Box<dyn Store> = Box::new(Disk::new(writer, self.heard.clone(), state.seq, left));
        Recorder::over(state, Some(disk), self.clock)
    }

    fn heard(&self) -> MutexGuard<'_, disk::Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn runner(&self, recorder: Recorder) -> Runner {
        let way = |(place, (name, probe)): (usize, (&HostName, &String))| -> (HostName, (Arc<dyn Operate>, String)) {
            (name.clone(), (Arc::new(Way::new(self.world.clone(), place)), probe.clone()))
        };
        let hosts: IndexMap<_, _> = self.piece.probes.iter().enumerate().map(way).collect();
        let artifacts = self.directory.join("artifacts");
        let interval = Duration::from_secs(9);
        Runner::new(
            recorder,
            Setup {
                hosts,
                artifacts,
                operator: "o@here".into(),
                seat: "here".into(),
                interval,
                secrets: Secrets::default(),
            },
        )
    }

    async fn run(mut self) -> Result<Went, String> {
        let mut runner = self.begin()?;
        let mut kill_after = self.next_kill();
        loop {
            let before = self.records.len();
            self.take(&runner)?;
            // An end that could not be written down is none.
            let failed = self.heard().failed;
            if self.state.outcome.is_some() && !failed {
                break;
            }
            if failed || self.records.len() >= kill_after {
                if !failed {
                    self.same_as(&runner, true)?;
                }
                // Nothing that these lines announce has begun: it begins when the time passes.
                drop(runner);
                runner = self.killed(before).await?;
                kill_after = self.next_kill();
                continue;
            }
            let now = self.clock.now();
            if self.went.looks > MOST_LOOKS {
                let at = self.state.gates().chain(self.state.under_way()).chain(self.state.failed());
                let how =
                    |id| (self.state.label(id), &self.state.tasks[id.index()].phase, standing(&self.state, id, now));
                let at: Vec<_> = at.map(how).collect();
                return Err(format!(
                    "a session comes to its end: this one stays at {at:?}, undo {:?}",
                    self.state.undo
                ));
            }
            match self.operator.turn(&self.state, &self.told, now) {
                Some(Hand::Submit(intent)) => {
                    self.back = match &intent {
                        Intent::Undo { host } => Some(host.clone()),
                        Intent::Retry { task } => self.state.task(*task).map(|(task, _, _)| task.host.clone()),
                        _ => None,
                    };
                    // A refusal is an answer.
                    let answer = runner.submit(&intent).map(|_| ());
                    self.unless_failed(answer)?;
                    continue;
                }
                Some(Hand::Quit) => {
                    let _ = runner.close().await;
                    runner = self.resume()?;
                    continue;
                }
                None => {}
            }
            self.went.looks += 1;
            let answer = runner.changed().await;
            self.unless_failed(answer)?;
        }
        self.same_as(&runner, true)?;
        let _ = runner.close().await;
        let written = journal::read(&self.journal()).map_err(|error| error.to_string())?.records;
        if written != self.records || State::of(&written) != self.state {
            return Err("the fold of what is read back is the state: it is not".into());
        }
        Ok(self.ended())
    }

    /// Whoever cannot write a session down stops.
    fn unless_failed(&self, answer: Result<(), JournalError>) -> Result<(), String> {
        answer.or_else(|error| if self.heard().failed { Ok(()) } else { Err(error.to_string()) })
    }

    fn next_kill(&mut self) -> usize {
        let most = if matches!(self.weather, Weather::Calm | Weather::Deaf) { 0 } else { MOST_KILLS };
        if self.went.kills >= most {
            return usize::MAX;
        }
        self.records.len() + 1 + self.chance.below(90)
    }

    /// The wizard is gone; of the lines it wrote last, only some are on the disk, and the last of these may be torn.
    async fn killed(&mut self, before: usize) -> Result<Runner, String> {
        self.went.kills += 1;
        let (failed, durable) = {
            let heard = self.heard();
            (heard.failed, heard.durable as usize)
        };
        let least = if failed { durable } else { before }.max(1);
        let mut kept = least + self.chance.below(self.records.len() - least + 1);
        // Where the machine itself goes down, what was merely seen may be gone as well.
        if self.chance.in_1000(300) {
            while kept > 1 && !journal::is_decision(&self.records[kept - 1].event) {
                kept -= 1;
            }
        }
        let ends = self.ends()?;
        let mut length = ends[kept];
        if let Some(next) = ends.get(kept + 1).filter(|_| self.chance.in_1000(500)) {
            length += self.chance.number() % (next - length);
        }
        let file = OpenOptions::new().write(true).open(self.journal());
        file.and_then(|file| file.set_len(length)).map_err(|error| error.to_string())?;
        self.records.truncate(kept);
        self.state = State::of(&self.records);
        self.told = Told::of(&self.piece.plan, &self.records);
        look(&self.world).announced = self.told.announced();
        let away = if self.chance.in_1000(60) { 7_200_000 } else { self.chance.below(60_000) };
        tokio::time::sleep(Duration::from_millis(away as u64)).await;
        self.operator.moved.0 = self.clock.now();
        self.resume()
    }

    /// Takes in what was written since, line by line, and looks at every rule after each.
    fn take(&mut self, runner: &Runner) -> Result<(), String> {
        let (lines, durable) = {
            let mut heard = self.heard();
            (std::mem::take(&mut heard.records), heard.durable)
        };
        if lines.is_empty() {
            return Ok(());
        }
        let shared = self.world.clone();
        let mut world = look(&shared);
        for record in lines {
            let moment = Moment {
                record: &record,
                told: &self.told,
                plan: &self.piece.plan,
                world: &world,
                back: self.back.as_ref(),
            };
            if let Some(why) = rules::broken(&moment) {
                return Err(format!("event {}: {why}", record.seq));
            }
            self.told.take(&self.piece.plan, &record);
            self.state.apply(&record);
            self.records.push(record);
            if self.records.len() as u64 == durable {
                world.announced = self.told.announced();
            }
        }
        if let Some(why) = world.broken.pop().or_else(|| rules::untold(&world, &self.state)) {
            return Err(format!("after event {}: {why}", self.records.len()));
        }
        drop(world);
        // Whoever could not write a line down has not taken it in.
        if self.chance.in_1000(100) && !self.heard().failed { self.same_as(runner, false) } else { Ok(()) }
    }

    /// Where each line of the journal ends, the head's first.
    fn ends(&self) -> Result<Vec<u64>, String> {
        let text = std::fs::read(self.journal()).map_err(|error| error.to_string())?;
        Ok(text.iter().zip(1..).filter(|(byte, _)| **byte == b'\n').map(|(_, end)| end).collect())
    }

    /// What the screen draws from is the fold of what is written, and so is the screen.
    fn same_as(&self, runner: &Runner, drawn: bool) -> Result<(), String> {
        if *runner.state() != self.state {
            return Err("the fold of what is written is the state: it is not".into());
        }
        let frame = |state: &State| ui::frame(state, self.clock.now(), &mut UiState::default(), (80, 24));
        if drawn && frame(runner.state()) != frame(&self.state) {
            return Err("the live frame is the replayed frame: it is not".into());
        }
        Ok(())
    }

    fn ended(mut self) -> Went {
        let world = look(&self.world);
        self.went.events = self.records.len();
        self.went.completed = self.state.outcome == Some(Outcome::Completed) && !self.told.given_up;
        self.went.end = world
            .hosts
            .iter()
            .map(|host| {
                let cordoned = host.cordoned == Some(By::Us);
                let files: Vec<_> = host.files.keys().collect();
                format!("{} runs {} {} cordoned {cordoned} {files:?}", host.name, host.enabled, host.version)
            })
            .collect();
        drop(world);
        self.went
    }
}
