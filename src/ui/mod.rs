//! The screen: draws a state, turns keys into intents. It sees no host and no journal; whoever shows a session gives it a
//! `Source`.

mod field;
pub mod form;
mod hints;
pub mod keymap;
mod layout;
pub mod panes;
mod press;
mod screen;
pub mod start;
pub mod theme;
mod view;

pub use layout::draw;
pub use panes::grid::rows as grid_rows;
pub use press::{UiAction, press};
pub use view::{Pane, Playhead, Popup, UiState};

use std::time::Duration;

use color_eyre::eyre::Result;
use crossterm::event::{Event as Input, EventStream, KeyEventKind};
use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::backend::{Backend, TestBackend};
use tokio::time::Instant;

use self::keymap::Command;
use crate::engine::{Intent, Refusal};
use crate::model::State;

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

    /// Waits until there is something new to draw. May be dropped and called again at any time.
    ///
    /// # Errors
    /// When the session cannot go on.
    fn changed(&mut self) -> impl Future<Output = Result<()>>;

    /// The playhead, in a replay.
    fn playback(&mut self) -> Option<&mut dyn Playback>;
}

/// A journal with a playhead.
pub trait Playback {
    /// Events before the playhead, and in all.
    fn position(&self) -> (usize, usize);
    /// Whether it moves by itself.
    fn is_playing(&self) -> bool;
    /// Play, or stop.
    fn toggle(&mut self);
    /// Times as fast as it happened.
    fn speed(&self) -> f64;
    /// Faster, if there is a faster.
    fn faster(&mut self);
    /// Slower, if there is a slower.
    fn slower(&mut self);
    /// To a place, counted in events.
    fn jump(&mut self, position: usize);
}

/// The shortest time between two frames.
const FRAME: Duration = Duration::from_millis(33);

/// Ages on the screen are redrawn this often.
const TICK: Duration = Duration::from_secs(1);

/// Shows a session on the terminal until the operator leaves, and gives the terminal back.
///
/// # Errors
/// When the terminal does not work, or the session cannot go on.
pub async fn run(source: &mut impl Source) -> Result<()> {
    let mut terminal = ratatui::try_init()?;
    let result = show(source, &mut terminal, EventStream::new()).await;
    ratatui::restore();
    result
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
    let mut ui = UiState::default();
    let mut input = std::pin::pin!(input);
    let mut due = Instant::now();
    let mut dirty = true;
    let mut tick = tokio::time::interval(TICK);
    loop {
        if dirty && Instant::now() >= due {
            ui.playhead = source.playback().map(|playback| playhead(playback));
            let now = source.now();
            terminal.draw(|frame| draw(source.state(), now, &mut ui, frame))?;
            due = Instant::now() + FRAME;
            dirty = false;
        }
        tokio::select! {
            biased;
            event = input.next() => match event {
                Some(event) => {
                    if take(source, &mut ui, &event?)? {
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
        }
    }
}

/// Takes an input in; whether to leave.
fn take(source: &mut impl Source, ui: &mut UiState, event: &Input) -> Result<bool> {
    let Input::Key(key) = event else { return Ok(false) };
    if key.kind == KeyEventKind::Release {
        return Ok(false);
    }
    let now = source.now();
    match press(source.state(), now, ui, *key) {
        Some(UiAction::Quit) => return Ok(true),
        Some(UiAction::Submit(intent)) => {
            if let Err(refusal) = source.submit(intent)? {
                ui.message = Some(refusal.to_string());
            }
        }
        Some(UiAction::Edit { task, path, text }) => {
            match source.edit(task, &path, &text)? {
                Ok(()) => ui.popup = None,
                // The text stays under the operator's hands until it is right.
                Err(wrong) => ui.message = Some(wrong),
            }
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

fn playhead(playback: &dyn Playback) -> Playhead {
    let (position, total) = playback.position();
    Playhead { position, total, playing: playback.is_playing(), speed: playback.speed() }
}

fn play(playback: &mut dyn Playback, command: Command) {
    let (position, total) = playback.position();
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
pub fn frame_text(state: &State, now: Timestamp, size: (u16, u16)) -> String {
    let buffer = frame(state, now, &mut UiState::default(), size);
    let mut text = String::new();
    for y in 0..size.1 {
        let line: String = (0..size.0).filter_map(|x| Some(buffer.cell((x, y))?.symbol())).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
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
