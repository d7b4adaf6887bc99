//! The screen: draws a state, turns keys into intents. It sees no host and no journal; whoever shows a session gives it a
//! `Source`.

mod answer;
mod ask;
mod attention;
pub mod chord;
mod clock;
mod copy;
mod field;
pub mod form;
pub mod hand;
mod hints;
mod interrupt;
pub mod keymap;
mod layout;
mod light;
pub mod look;
mod mouse;
mod notice;
mod page;
mod palette;
pub mod panes;
mod possible;
mod press;
mod reading;
mod screen;
mod setting;
mod signs;
mod since;
pub mod start;
pub mod terminal;
pub mod theme;
pub mod usual;
mod view;

pub use layout::draw;
pub use panes::grid::rows as grid_rows;
pub use press::{UiAction, press};
pub use view::{Pane, Playhead, Popup, Sort, Tiles, UiState};

use std::cell::Cell;
use std::time::Duration;

use color_eyre::eyre::Result;
use crossterm::event::Event as Input;
use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::backend::{Backend, TestBackend};
use ratatui::layout::Rect;
use tokio::time::{Instant, MissedTickBehavior};

use self::ask::Asking;
use self::attention::Attended;
use self::interrupt::Endings;
use self::keymap::Command;
use self::terminal::{Habits, Interrupt, Screen};
use crate::engine::{Intent, Refusal};
use crate::model::State;
use crate::model::prompt::{Prompt, Reply};

/// What a session looks like to the screen.
pub trait Source {
    /// What there is to draw.
    fn state(&self) -> &State;

    /// The time that ages are counted to.
    fn now(&self) -> Timestamp;

    /// Hands an intent on. The inner result is the engine's answer.
    ///
    /// # Errors
    /// When the session cannot go on.
    fn submit(&mut self, intent: Intent) -> Result<Result<(), Refusal>>;

    /// Writes another text into a file that a task will push. The inner result says what is wrong with the text.
    ///
    /// # Errors
    /// When the session cannot go on.
    fn edit(&mut self, _task: crate::model::TaskId, _path: &str, _text: &str) -> Result<Result<(), String>> {
        Ok(Err("this session cannot change anything".into()))
    }

    /// Gives a variable another value at a gate. The inner result says what is wrong with it.
    ///
    /// # Errors
    /// When the session cannot go on.
    fn set(
        &mut self,
        _task: crate::model::TaskId,
        _name: &str,
        _value: &str,
        _why: &str,
    ) -> Result<Result<(), String>> {
        Ok(Err("this session cannot change anything".into()))
    }

    /// Waits until there is something new to draw. May be dropped and called again at any time.
    ///
    /// # Errors
    /// When the session cannot go on.
    fn changed(&mut self) -> impl Future<Output = Result<()>>;

    /// What keeps the session from going on, in a sentence, if anything does.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// How long steps usually take, as far as that is known.
    fn usual(&self) -> usual::Usual {
        usual::Usual::default()
    }

    /// Hands a text to the operator's clipboard, where there is one.
    ///
    /// # Errors
    /// When the terminal does not work.
    fn copy(&mut self, _text: &str) -> Result<()> {
        Ok(())
    }

    /// What a connection asks the operator for; the same until it is answered.
    fn asks(&self) -> Option<&Prompt> {
        None
    }

    /// Answers that.
    fn answer(&mut self, _reply: Reply) {}

    /// The playhead, in a replay.
    fn playback(&mut self) -> Option<&mut dyn Playback>;
}

/// A journal with a playhead.
pub trait Playback {
    /// Where it is, and how it moves.
    fn playhead(&self) -> Playhead;
    /// Play, or stop.
    fn toggle(&mut self);
    /// Faster, if there is a faster.
    fn faster(&mut self);
    /// Slower, if there is a slower.
    fn slower(&mut self);
    /// To a place, counted in events, or to the end where there are fewer.
    fn jump(&mut self, position: usize);
}

/// The shortest time between two frames.
const FRAME: Duration = Duration::from_millis(33);

/// The loop comes round at least so often.
const BEAT: Duration = Duration::from_millis(200);

/// So long a silence of the loop means that the program was stopped.
const STOPPED: Duration = Duration::from_millis(700);

/// Ages on the screen are redrawn this often.
const TICK: Duration = Duration::from_secs(1);

/// Shows a session on the terminal until the operator leaves, and gives the terminal back. What comes back says what
/// ended it, if the operator did not.
///
/// # Errors
/// When the terminal does not work, or the session cannot go on.
pub async fn run(source: &mut impl Source, habits: Habits) -> Result<Option<Interrupt>> {
    let interrupt = Cell::new(None);
    // First: a signal must not find the terminal taken and nobody to give it back.
    let endings = Endings::listen()?;
    let mut screen = Screen::enter(habits)?;
    let input = terminal::input(habits, endings, &interrupt)?;
    let result = show(&mut Attended::new(source, habits), &mut *screen.terminal, input).await;
    drop(screen);
    match result {
        // A frame that cannot be drawn on a terminal that is gone is no failure of the session.
        Err(error) if terminal::is_lost(&error) => Ok(interrupt.get().or(Some(Interrupt::Lost))),
        result => result.map(|()| interrupt.get()),
    }
}

/// The loop behind `run`, on any terminal and any input.
///
/// # Errors
/// As `run`.
pub async fn show<B>(
    source: &mut impl Source,
    terminal: &mut Terminal<B>,
    input: impl Stream<Item = std::io::Result<Input>>,
) -> Result<()>
where
    B: Backend,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let mut ui = UiState { usual: source.usual(), ..UiState::default() };
    let opened = Instant::now();
    let mut input = std::pin::pin!(input);
    let mut due = Instant::now();
    let mut dirty = true;
    let mut tick = tokio::time::interval(TICK);
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut awake = opened.elapsed();
    let mut asking: Option<Asking> = None;
    loop {
        dirty |= come_round(&mut ui, &mut awake, opened.elapsed());
        if dirty && Instant::now() >= due {
            ui.playhead = source.playback().map(|playback| playback.playhead());
            let now = source.now();
            ui.at = opened.elapsed();
            if let Some(trouble) = source.trouble() {
                ui.say(trouble);
            }
            let mut copied = None;
            if asking.is_none() {
                asking = source.asks().cloned().map(Asking::new);
            }
            terminal.draw(|frame| {
                draw(source.state(), now, &mut ui, frame);
                asking.iter().for_each(|asking| asking.draw(frame));
                theme::finish(frame.buffer_mut());
                copied = ui.copied(frame.buffer_mut());
            })?;
            if let Some(text) = copied {
                source.copy(&text)?;
                ui.say("copied");
            }
            // Writing it may have taken long: it is on the screen from now on, and no sooner.
            let drawn = std::mem::replace(&mut ui.at, opened.elapsed());
            match &mut asking {
                // What lies below it is not seen.
                Some(asking) => asking.written(ui.at),
                None => ui.frame_written(drawn),
            }
            awake = ui.at;
            due = Instant::now() + FRAME;
            dirty = false;
        }
        tokio::select! {
            biased;
            event = input.next() => match event {
                Some(event) => {
                    let event = event?;
                    // A key may have waited while nobody could look.
                    come_round(&mut ui, &mut awake, opened.elapsed());
                    if let Input::Resize(columns, lines) = event {
                        // Nobody knows what stands there now. `clear` would ask the terminal where its cursor is, and the
                        // answer is read by the input already.
                        terminal.resize(Rect::new(0, 0, columns, lines))?;
                        ui.look_anew();
                    }
                    if let Some(asked) = asking.as_mut().filter(|_| !matches!(event, Input::Resize(..))) {
                        if let Some(reply) = asked.take(&event, ui.at) {
                            source.answer(reply);
                            asking = None;
                            // What lay below it has to be seen anew.
                            ui.wake();
                        }
                    } else if take(source, &mut ui, &event)? {
                        return Ok(());
                    }
                    // What was pressed is answered at once.
                    (dirty, due) = (true, Instant::now());
                }
                None => return Ok(()),
            },
            () = tokio::time::sleep_until(due), if dirty => {}
            changed = source.changed() => {
                changed?;
                dirty = true;
            }
            _ = tick.tick() => dirty = true,
            _ = beat.tick() => {}
        }
    }
}

/// The loop has come round: after a silence the program was stopped, and nobody has looked. Whether that is so.
fn come_round(ui: &mut UiState, awake: &mut Duration, now: Duration) -> bool {
    let stopped = now.saturating_sub(*awake) >= STOPPED;
    (ui.at, *awake) = (now, now);
    if stopped {
        ui.wake();
    }
    stopped
}

/// Takes an input in; whether to leave.
fn take(source: &mut impl Source, ui: &mut UiState, event: &Input) -> Result<bool> {
    let now = source.now();
    match press(source.state(), now, ui, event) {
        Some(UiAction::Quit) => return Ok(true),
        Some(UiAction::Submit(intent)) => {
            let noted = matches!(intent, Intent::Note { .. });
            let answer = source.submit(intent)?;
            let taken = answer.is_ok();
            ui.answered(answer.map_err(|refusal| refusal.to_string()));
            if noted && taken {
                ui.say("noted in the journal");
            }
        }
        Some(UiAction::SubmitAll(intents)) => {
            let mut refusals = Vec::new();
            let asked = intents.len();
            for intent in intents {
                refusals.extend(source.submit(intent)?.err());
            }
            ui.close_popup();
            let opened = asked - refusals.len();
            match refusals.first() {
                None => ui.say(format!("{opened} gates opened")),
                Some(first) => ui.refused(format!("{opened} of {asked} gates opened; the first that was not: {first}")),
            }
        }
        Some(UiAction::Edit { task, path, text }) => {
            // The text stays under the operator's hands until it is right.
            let answer = source.edit(task, &path, &text)?;
            ui.answered(answer);
        }
        Some(UiAction::Set { task, name, value, reason }) => {
            let answer = source.set(task, &name, &value, &reason)?;
            ui.answered(answer);
        }
        Some(UiAction::Playback(command)) => {
            if let Some(playback) = source.playback() {
                play(playback, command);
            }
        }
        None => {}
    }
    Ok(false)
}

fn play(playback: &mut dyn Playback, command: Command) {
    let Playhead { position, total, .. } = playback.playhead();
    match command {
        Command::Play => playback.toggle(),
        Command::StepForward => playback.jump(position + 1),
        Command::StepBack => playback.jump(position.saturating_sub(1)),
        Command::Faster => playback.faster(),
        Command::Slower => playback.slower(),
        Command::Top => playback.jump(0),
        Command::Bottom => playback.jump(total),
        _ => {}
    }
}

/// One frame as text, lines without trailing blanks: for bug reports and tests.
#[must_use]
pub fn frame_text(state: &State, now: Timestamp, playhead: Option<Playhead>, size: (u16, u16)) -> String {
    let mut ui = UiState { playhead, ..UiState::default() };
    let buffer = frame(state, now, &mut ui, size);
    let mut text = String::new();
    for y in 0..size.1 {
        let line: String = (0..size.0).filter_map(|x| Some(buffer.cell((x, y))?.symbol())).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// All that came of a session that has ended, as text of that width: what is said once the screen is gone.
#[must_use]
pub fn last_words(state: &State, width: u16) -> Option<String> {
    let rows = panes::gate::summary(state)?.rows(width);
    Some(rows.iter().map(|row| format!("{}\n", row.text.to_string().trim_end())).collect())
}

/// One frame as cells.
#[must_use]
pub fn frame(state: &State, now: Timestamp, ui: &mut UiState, size: (u16, u16)) -> ratatui::buffer::Buffer {
    let backend = TestBackend::new(size.0, size.1);
    // Neither making nor drawing on a terminal in memory can fail: its error type has no value.
    let Ok(mut terminal) = Terminal::new(backend);
    let Ok(_) = terminal.draw(|frame| draw(state, now, ui, frame));
    terminal.backend().buffer().clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_counts_from_when_its_first_frame_was_written() {
        let mut ui = UiState::default();
        let ms = Duration::from_millis;
        for (drawn, written, since) in [(1_000, 4_000, 4_000), (4_033, 6_000, 4_000)] {
            if drawn == 1_000 {
                ui.at = ms(drawn);
                ui.popup(view::Popup::Quit);
            }
            ui.at = ms(written);
            ui.frame_written(ms(drawn));
            assert_eq!(ui.popup_since, ms(since), "a frame that was long in writing shows nothing new later");
        }
    }

    #[test]
    fn what_was_typed_while_the_program_stood_still_does_nothing() {
        let (mut ui, mut awake) = (UiState::default(), Duration::from_secs(5));
        assert!(!come_round(&mut ui, &mut awake, Duration::from_millis(5_400)));
        assert!(!ui.hand.is_deaf(ui.at));
        // The key is there before the signal that says that it goes on.
        assert!(come_round(&mut ui, &mut awake, Duration::from_millis(6_200)));
        assert!(ui.hand.is_deaf(ui.at));
        assert!(!come_round(&mut ui, &mut awake, Duration::from_millis(6_300)));
    }
}
