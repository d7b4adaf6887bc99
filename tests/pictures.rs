//! The pictures in screenshots/, made from a real run: `cargo test --test pictures -- --ignored`.
//!
//! The binary walks through a whole practice session and records it; the screen is drawn at chosen places of that
//! journal, becomes an SVG, and the SVG a PNG. The font comes along, so that the pictures are the same everywhere.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "what a test cannot do without may end it, and it may speak"
)]

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{Event as Input, KeyCode, KeyEvent};
use lockkeeper::model::event::{Event, FailedAt};
use lockkeeper::model::state::Phase;
use lockkeeper::model::{Record, State};
use lockkeeper::ui::{self, UiState};
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

/// A cell of DejaVu Sans Mono at 15 px: in this size box lines join.
const CELL: (f32, f32) = (9.03, 17.46);
const GROUND: &str = "#16181d";
const TEXT: &str = "#d7dae0";

fn colour(colour: Color, otherwise: &'static str) -> String {
    match colour {
        Color::Red => "#f0717a".into(),
        Color::Green => "#8fce7e".into(),
        Color::Yellow => "#e5c07b".into(),
        Color::Cyan => "#5cc8d7".into(),
        Color::Blue => "#6f9fe8".into(),
        Color::Magenta => "#c98be0".into(),
        Color::White => "#ffffff".into(),
        Color::Black => "#101216".into(),
        Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
        _ => otherwise.into(),
    }
}

fn looks(cell: &Cell) -> (String, String) {
    let (ink, ground) = (colour(cell.fg, TEXT), colour(cell.bg, GROUND));
    if cell.modifier.contains(Modifier::REVERSED) { (ground, ink) } else { (ink, ground) }
}

/// A frame as SVG: one text element a run of cells that look alike.
fn svg(buffer: &Buffer) -> String {
    let area = buffer.area;
    let (width, height) = (f32::from(area.width) * CELL.0, f32::from(area.height) * CELL.1);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\"><rect width=\"100%\" height=\"100%\" fill=\"{GROUND}\"/>"
    );
    for y in 0..area.height {
        let mut x = 0;
        while x < area.width {
            let (start, first) = (x, &buffer[(x, y)]);
            let mut run = String::new();
            while x < area.width && buffer[(x, y)].style() == first.style() {
                run.push_str(buffer[(x, y)].symbol());
                x += 1;
            }
            let (ink, ground) = looks(first);
            let (left, top) = (f32::from(start) * CELL.0, f32::from(y) * CELL.1);
            let length = f32::from(x - start) * CELL.0;
            if ground != GROUND {
                let _ = write!(
                    out,
                    "<rect x=\"{left}\" y=\"{top}\" width=\"{length}\" height=\"{}\" fill=\"{ground}\"/>",
                    CELL.1
                );
            }
            if run.trim().is_empty() {
                continue;
            }
            let weight = if first.modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
            let opacity = if first.modifier.contains(Modifier::DIM) { " opacity=\"0.65\"" } else { "" };
            let run = run.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let _ = write!(
                out,
                "<text xml:space=\"preserve\" x=\"{left}\" y=\"{}\" font-family=\"DejaVu Sans Mono\" font-size=\"15\" fill=\"{ink}\"{weight}{opacity}>{run}</text>",
                top + 13.8,
            );
        }
    }
    out + "</svg>"
}

fn picture(buffer: &Buffer, path: &str) {
    let mut fonts = fontdb::Database::new();
    for font in ["DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf"] {
        fonts.load_font_data(std::fs::read(Path::new("tests/fonts").join(font)).unwrap());
    }
    let options = Options { fontdb: Arc::new(fonts), ..Options::default() };
    let tree = Tree::from_str(&svg(buffer), &options).unwrap();
    let size = tree.size().to_int_size();
    let mut pixmap = Pixmap::new(size.width(), size.height()).unwrap();
    resvg::render(&tree, Transform::default(), &mut pixmap.as_mut());
    pixmap.save_png(path).unwrap();
}

/// The state at the last moment that a condition holds.
fn last(records: &[Record], condition: impl Fn(&State) -> bool) -> State {
    let mut state = State::default();
    let mut found = None;
    for record in records {
        state.apply(record);
        if condition(&state) {
            found = Some(state.clone());
        }
    }
    found.expect("that comes about in every practice session")
}

fn stands(state: &State, step: &str, host: &str, phase: &Phase) -> bool {
    state.task_ids().any(|id| {
        let (task, planned, current) = state.task(id).unwrap();
        planned.name == step && task.host.as_str() == host && current.phase == *phase
    })
}

/// A practice session that runs by itself, as it was recorded.
fn recorded(args: &[&str]) -> Vec<Record> {
    let scratch = tempfile::tempdir().unwrap();
    let journal = scratch.path().join("session.jsonl");
    let run = Command::new(env!("CARGO_BIN_EXE_lockkeeper"))
        .args(["practice", "--auto", "--seed", "1", "--journal"])
        .arg(&journal)
        .args(args)
        .env("USER", "operator")
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    lockkeeper::journal::read(&journal).unwrap().records
}

/// Draws a state after some keys, each pressed a second after a frame.
fn draw(state: &State, size: (u16, u16), keys: &[KeyCode], name: &str) {
    let mut ui = UiState::default();
    let mut buffer = ui::frame(state, state.now, &mut ui, size);
    for key in keys {
        ui.at += Duration::from_secs(1);
        ui::press(state, state.now, &mut ui, &Input::Key(KeyEvent::from(*key)));
        buffer = ui::frame(state, state.now, &mut ui, size);
    }
    picture(&buffer, &format!("screenshots/{name}.png"));
}

fn apply(state: &State, event: Event) -> State {
    let mut state = state.clone();
    let record = Record { seq: state.seq + 1, at: state.now, event };
    state.apply(&record);
    state
}

#[test]
#[ignore = "makes the pictures in screenshots/"]
fn pictures_are_made() {
    use KeyCode::Char;
    let records = recorded(&[]);
    let gate = last(&records, |state| stands(state, "stop", "etcd3", &Phase::Gate));
    draw(&gate, (120, 40), &[], "gate");
    draw(&gate, (80, 24), &[], "gate-80x24");
    draw(&gate, (200, 60), &[], "gate-200x60");
    draw(&gate, (120, 40), &[Char('i')], "card");
    draw(&gate, (120, 40), &[Char(':'), Char('l'), Char('o'), Char('g')], "palette");
    draw(&gate, (120, 40), &[Char('?')], "help");
    let down = {
        let host = "etcd1".into();
        let mut facts = (*gate.host(&host).unwrap().facts.as_ref().unwrap().facts).clone();
        if let Some(etcd) = &mut facts.etcd {
            etcd.healthy = Some(false);
        }
        apply(&gate, Event::FactsSeen { host, asked: gate.seq, facts: Box::new(facts) })
    };
    draw(&down, (120, 40), &[], "gate-shut");
    let hold = last(&records, |state| state.gates().count() == 6);
    draw(&hold, (120, 40), &[], "many-hosts");
    draw(&last(&records, |state| stands(state, "start", "etcd3", &Phase::Verifying)), (120, 40), &[], "verifying");
    let running = last(&records, |state| stands(state, "backup", "etcd3", &Phase::Running));
    draw(&running, (120, 40), &[Char('L')], "running");
    let task = running.under_way().next().unwrap();
    let failed =
        Event::TaskFailed { task, at: FailedAt::Run, reason: "the script on etcd3 ended with exit status 1".into() };
    draw(&apply(&running, failed), (120, 40), &[Char('u')], "take-back");
    draw(&last(&records, |state| state.outcome.is_some()), (120, 40), &[], "finished");
    let drained = recorded(&["--runbook", "kubeadm-minor"]);
    draw(&last(&drained, |state| stands(state, "drain", "node1", &Phase::Running)), (120, 40), &[], "drain");
}
