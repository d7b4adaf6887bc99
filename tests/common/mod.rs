//! What several tests of the program have in common: keys as they are written in a test, what a screen shows, and what a
//! command said.

#![allow(
    dead_code,
    unreachable_pub,
    unused_macros,
    clippy::unwrap_used,
    reason = "each test takes what it needs, and what it cannot do without may end it"
)]

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use lockkeeper::model::event::{Event, Mode};
use lockkeeper::model::plan::Plan;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::{Frame, Terminal};

/// Keys that are written by their names.
const NAMED: [(&str, KeyCode, KeyModifiers); 14] = [
    ("<enter>", KeyCode::Enter, KeyModifiers::NONE),
    ("<tab>", KeyCode::Tab, KeyModifiers::NONE),
    ("<esc>", KeyCode::Esc, KeyModifiers::NONE),
    ("<back>", KeyCode::Backspace, KeyModifiers::NONE),
    ("<up>", KeyCode::Up, KeyModifiers::NONE),
    ("<down>", KeyCode::Down, KeyModifiers::NONE),
    ("<right>", KeyCode::Right, KeyModifiers::NONE),
    ("<home>", KeyCode::Home, KeyModifiers::NONE),
    ("<end>", KeyCode::End, KeyModifiers::NONE),
    ("<pgup>", KeyCode::PageUp, KeyModifiers::NONE),
    ("<pgdn>", KeyCode::PageDown, KeyModifiers::NONE),
    ("<ctrl-c>", KeyCode::Char('c'), KeyModifiers::CONTROL),
    ("<ctrl-s>", KeyCode::Char('s'), KeyModifiers::CONTROL),
    ("<ctrl-u>", KeyCode::Char('u'), KeyModifiers::CONTROL),
];

/// `<enter>`, `<ctrl-s>` and the like, or plain characters.
pub fn keys(written: &str) -> Vec<KeyEvent> {
    let mut keys = Vec::new();
    let mut rest = written;
    while let Some(first) = rest.chars().next() {
        let named = NAMED.iter().find(|(name, ..)| rest.starts_with(name));
        let (code, modifiers, length) = named
            .map_or((KeyCode::Char(first), KeyModifiers::NONE, first.len_utf8()), |(name, code, with)| {
                (*code, *with, name.len())
            });
        rest = &rest[length..];
        keys.push(KeyEvent::new(code, modifiers));
    }
    keys
}

/// The lines of a buffer, without the blanks at their ends.
pub fn text(buffer: &Buffer) -> String {
    let area = buffer.area;
    let line = |y| (0..area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..area.height).map(line).collect::<Vec<_>>().join("\n")
}

/// What is drawn on a screen of this size, in columns and lines.
pub fn drawn(columns: u16, lines: u16, draw: impl FnOnce(&mut Frame<'_>)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, lines)).unwrap();
    terminal.draw(draw).unwrap();
    text(terminal.backend().buffer())
}

/// A test a line: a screen, its size where it has none of its own, and a snapshot of what it shows.
macro_rules! screens {
    ($($name:ident: $screen:expr $(, $columns:literal x $lines:literal)?;)*) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!($screen.shows($($columns, $lines)?));
            }
        )*
    };
}

/// What a command writes to standard output and to standard error, ending with this status.
pub fn said(command: &mut assert_cmd::Command, status: i32) -> (String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(output.status.code(), Some(status), "{}{}", text(&output.stdout), text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

/// A practice of this plan begins.
pub fn started(plan: Plan) -> Event {
    Event::SessionStarted {
        session: "2026-01-01-many".into(),
        mode: Mode::Practice,
        version: "0".into(),
        operator: "o".into(),
        inventory: Box::new(plan.inventory.clone()),
        plan: Some(Box::new(plan)),
    }
}
