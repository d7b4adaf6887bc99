//! `replay`: a journal on the same screen, or one frame of it.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use color_eyre::eyre::Result;
use jiff::Timestamp;
use tokio::time::Instant;

use super::print;
use crate::cli::{At, Replay as Args};
use crate::engine::{Intent, Refusal};
use crate::journal::{self, Checkpoint, Extent, Index, JournalError, Limits, Mark, Records};
use crate::model::{Record, State};
use crate::ui::{Playback, Playhead, Source};

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let records = Records::open(&args.journal)?;
    if args.print {
        return print_frame(records, args);
    }
    if let Some(code) = super::lacks_terminal("`lockkeeper replay --print`") {
        return Ok(code);
    }
    let index = Index::begin(records.at(records.mark()), Limits::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let left = runtime.block_on(async {
        let mut player = Player::new(records, index)?;
        crate::ui::run(&mut player, super::habits()).await
    })?;
    Ok(super::ended(left, ExitCode::SUCCESS))
}

/// One frame. Where the journal is broken it is of what stands before that, and the exit status says so.
fn print_frame(mut records: Records, args: &Args) -> Result<ExitCode> {
    let (mut state, mut total) = (State::default(), 0);
    let mut broken = None;
    for record in records.by_ref() {
        match record {
            Ok(record) => {
                total += 1;
                if !matches!(args.at, At::Event(count) if total > count) {
                    state.apply(&record);
                }
            }
            // Nothing stands before it.
            Err(error) if total == 0 => return Err(error.into()),
            Err(error) => broken = Some(error),
        }
    }
    let flaw = broken.as_ref().map(journal::flaw).or_else(|| records.torn().then(|| journal::TORN.to_owned()));
    let playhead = Playhead { position: state.seq as usize, total, speed: 1.0, flaw, ..Playhead::default() };
    print(&crate::ui::frame_text(&state, state.now, Some(playhead), args.size))?;
    broken.map_or(Ok(ExitCode::SUCCESS), |error| Err(error.into()))
}

/// Longest wait between two events, however long it was: nobody trains by watching nothing happen.
const LONGEST_GAP: Duration = Duration::from_secs(2);

/// How fast a journal can be played.
const SPEEDS: [f64; 7] = [0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0];

/// A step back after a jump goes so far back at most: a state is kept there on the way.
const NEAR: u64 = 256;

/// A journal with a playhead. It holds nothing that could act.
struct Player {
    /// Read up to the next record.
    records: Records,
    /// The one after the playhead; none at the end, or where nothing more can be read.
    next: Option<Record>,
    /// Before that one.
    mark: Mark,
    /// Before the first one.
    start: Mark,
    index: Index,
    /// A little before where it was last jumped to.
    near: Option<Arc<Checkpoint>>,
    state: State,
    playing: bool,
    speed: usize,
    /// When the next event is due, once somebody has waited for it: whoever waits may be called away and come back.
    due: Option<Instant>,
}

impl Player {
    /// At the first event, which is the session itself: without it there is nothing to show.
    fn new(mut records: Records, index: Index) -> Result<Self, JournalError> {
        let start = records.mark().clone();
        let mut player = Self {
            next: records.next().transpose()?,
            records,
            mark: start.clone(),
            start,
            index,
            near: None,
            state: State::default(),
            playing: true,
            speed: 1,
            due: None,
        };
        player.forward();
        Ok(player)
    }

    /// One event further, if there is one.
    fn forward(&mut self) -> bool {
        let Some(record) = self.next.take() else { return false };
        self.state.apply(&record);
        self.look_ahead();
        true
    }

    fn look_ahead(&mut self) {
        self.mark = self.records.mark().clone();
        // What is wrong with it the index tells.
        self.next = self.records.next().and_then(Result::ok);
    }

    /// To the last state that is kept of those up to there, unless this one is nearer.
    fn approach(&mut self, seq: u64) {
        let near = self.near.clone().filter(|near| near.mark.seq <= seq);
        let kept = near.into_iter().chain(self.index.before(seq)).max_by_key(|kept| kept.mark.seq);
        let from = kept.as_ref().map_or(0, |kept| kept.mark.seq);
        if (from..=seq).contains(&self.state.seq) {
            return;
        }
        self.records = self.records.at(kept.as_ref().map_or(&self.start, |kept| &kept.mark));
        self.state = kept.map_or_else(State::default, |kept| kept.state.clone());
        self.look_ahead();
    }

    /// How long the next event is away at this speed; nothing at the end.
    fn gap(&self) -> Option<Duration> {
        let next = self.next.as_ref()?;
        let gap = Duration::try_from(next.at.duration_since(self.state.now)).unwrap_or_default();
        Some(gap.min(LONGEST_GAP).div_f64(SPEEDS[self.speed]))
    }
}

impl Source for Player {
    fn state(&self) -> &State {
        &self.state
    }

    fn now(&self) -> Timestamp {
        self.state.now
    }

    fn submit(&mut self, _: Intent) -> Result<Result<(), Refusal>> {
        Ok(Err(Refusal::ReadOnly("replay")))
    }

    async fn changed(&mut self) -> Result<()> {
        let Some(gap) = self.gap().filter(|_| self.playing) else { return std::future::pending().await };
        let mut due = *self.due.get_or_insert_with(|| Instant::now() + gap);
        tokio::time::sleep_until(due).await;
        // Whatever is due by now: a frame is not drawn for each.
        loop {
            self.forward();
            self.due = None;
            match self.gap() {
                Some(gap) if due + gap <= Instant::now() => due += gap,
                Some(gap) => {
                    self.due = Some(due + gap);
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
    }

    fn playback(&mut self) -> Option<&mut dyn Playback> {
        Some(self)
    }
}

impl Playback for Player {
    fn playhead(&self) -> Playhead {
        let Extent { records, whole, flaw } = self.index.extent();
        let position = self.state.seq as usize;
        let total = position.max(records as usize);
        Playhead { position, total, counting: !whole, flaw, playing: self.playing, speed: SPEEDS[self.speed] }
    }

    fn toggle(&mut self) {
        self.playing = !self.playing;
        self.due = None;
    }

    fn faster(&mut self) {
        self.speed = (self.speed + 1).min(SPEEDS.len() - 1);
        self.due = None;
    }

    fn slower(&mut self) {
        self.speed = self.speed.saturating_sub(1);
        self.due = None;
    }

    fn jump(&mut self, position: usize) {
        self.due = None;
        let target = position.max(1) as u64;
        self.approach(target);
        let near = target.saturating_sub(NEAR);
        while self.state.seq < target {
            if self.state.seq == near {
                self.near = Some(Arc::new(Checkpoint { state: self.state.clone(), mark: self.mark.clone() }));
            }
            if !self.forward() {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const GOLDEN: &str = "tests/journals/container-linux.jsonl";

    fn player(limits: Limits) -> (Player, Vec<Record>) {
        let records = Records::open(Path::new(GOLDEN)).unwrap();
        let index = Index::of(records.at(records.mark()), limits);
        (Player::new(records, index).unwrap(), journal::read(Path::new(GOLDEN)).unwrap().records)
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_passed_however_often_somebody_looks_in() {
        let (mut player, records) = player(Limits::default());
        let pause = (1..records.len()).find(|n| records[*n].at.duration_since(records[n - 1].at).as_secs() >= 2);
        player.jump(pause.unwrap());
        let before = player.state.seq;
        // The screen's clock ticks every second, and calls it away each time.
        for _ in 0..3 {
            let _ = tokio::time::timeout(Duration::from_millis(900), player.changed()).await;
        }
        assert!(player.state.seq > before, "it still stands at event {before}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_recording_takes_as_long_as_it_took() {
        let (mut player, records) = player(Limits::default());
        let (began, from) = (Instant::now(), player.state.now);
        while player.gap().is_some() {
            player.changed().await.unwrap();
        }
        let (took, recorded) = (began.elapsed(), Duration::try_from(player.state.now.duration_since(from)).unwrap());
        assert!(took <= recorded && player.state.seq == records.len() as u64, "{took:?} of {recorded:?}");
    }

    #[test]
    fn wherever_it_jumps_it_shows_what_had_happened_by_then() {
        let none = Limits { every: u64::MAX, ..Limits::default() };
        for limits in [none, Limits { every: 50, ..Limits::default() }, Limits { every: 50, most: 2, bytes: 0 }] {
            let (mut player, records) = player(limits);
            let mut jump = |to: usize| {
                player.jump(to);
                let expected = State::of(&records[..to.clamp(1, records.len())]);
                assert!(player.state == expected, "at {to} with {limits:?}");
                let next = records.get(to.max(1));
                assert!(player.next.as_ref() == next, "what comes after {to} with {limits:?}");
            };
            (0..=1_000).step_by(97).for_each(&mut jump);
            (0..=1_000).rev().step_by(97).for_each(&mut jump);
            // A jump, and steps back and forth from there, further than to what was kept on the way.
            (690..=700).chain((430..700).rev().step_by(9)).chain([431, 432, 431]).for_each(&mut jump);
        }
    }
}
