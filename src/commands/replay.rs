//! `replay`: a journal on the same screen, or one frame of it.

use std::process::ExitCode;
use std::time::Duration;

use color_eyre::eyre::Result;
use jiff::Timestamp;
use tokio::time::Instant;

use super::print;
use crate::cli::{At, Replay as Args};
use crate::engine::{Intent, Refusal};
use crate::journal;
use crate::model::{Record, State};
use crate::ui::{Playback, Playhead, Source};

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let journal = journal::read(&args.journal)?;
    if args.print {
        let count = match args.at {
            At::Event(count) => count.min(journal.records.len()),
            At::End => journal.records.len(),
        };
        let state = State::of(&journal.records[..count]);
        let (position, total) = (count, journal.records.len());
        let playhead = Playhead { position, total, playing: false, speed: 1.0 };
        print(&crate::ui::frame_text(&state, state.now, Some(playhead), args.size))?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(code) = super::lacks_terminal("`lockkeeper replay --print`") {
        return Ok(code);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let left = runtime.block_on(async {
        let mut player = Player::new(journal.records);
        crate::ui::run(&mut player, super::habits()).await
    })?;
    Ok(super::ended(left, ExitCode::SUCCESS))
}

/// Longest wait between two events, however long it was: nobody trains by watching nothing happen.
const LONGEST_GAP: Duration = Duration::from_secs(2);

/// How fast a journal can be played.
const SPEEDS: [f64; 7] = [0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0];

/// A journal with a playhead. It holds nothing that could act.
struct Player {
    records: Vec<Record>,
    /// Events before the playhead.
    position: usize,
    state: State,
    playing: bool,
    speed: usize,
    /// When the next event is due, once somebody has waited for it: whoever waits may be called away and come back.
    due: Option<Instant>,
}

impl Player {
    fn new(records: Vec<Record>) -> Self {
        let mut player = Self { records, position: 0, state: State::default(), playing: true, speed: 1, due: None };
        // The first event is the session itself: without it there is nothing to show.
        player.forward();
        player
    }

    fn forward(&mut self) {
        if let Some(record) = self.records.get(self.position) {
            self.state.apply(record);
            self.position += 1;
        }
    }

    /// How long the next event is away at this speed; nothing at the end.
    fn gap(&self) -> Option<Duration> {
        let next = self.records.get(self.position)?;
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
    fn position(&self) -> (usize, usize) {
        (self.position, self.records.len())
    }

    fn is_playing(&self) -> bool {
        self.playing
    }

    fn toggle(&mut self) {
        self.playing = !self.playing;
        self.due = None;
    }

    fn speed(&self) -> f64 {
        SPEEDS[self.speed]
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
        let position = position.clamp(1.min(self.records.len()), self.records.len());
        if position < self.position {
            self.state = State::of(&self.records[..position]);
            self.position = position;
        } else {
            while self.position < position {
                self.forward();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_passed_however_often_somebody_looks_in() {
        let golden = journal::read(std::path::Path::new("tests/journals/container-linux.jsonl")).unwrap();
        let mut player = Player::new(golden.records);
        let pause = (1..player.records.len())
            .find(|n| player.records[*n].at.duration_since(player.records[n - 1].at).as_secs() >= 2);
        player.jump(pause.unwrap());
        let before = player.position;
        // The screen's clock ticks every second, and calls it away each time.
        for _ in 0..3 {
            let _ = tokio::time::timeout(Duration::from_millis(900), player.changed()).await;
        }
        assert!(player.position > before, "it still stands at event {before}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_recording_takes_as_long_as_it_took() {
        let golden = journal::read(std::path::Path::new("tests/journals/container-linux.jsonl")).unwrap();
        let mut player = Player::new(golden.records);
        let (began, from) = (Instant::now(), player.state.now);
        while player.gap().is_some() {
            player.changed().await.unwrap();
        }
        let (took, recorded) = (began.elapsed(), Duration::try_from(player.state.now.duration_since(from)).unwrap());
        assert!(took <= recorded && player.position == player.records.len(), "{took:?} of {recorded:?}");
    }
}
