//! What is kept of sessions, and what is done with it: journals, checks on what they hold, and the screen that draws them.

use std::io::Write as _;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use lockkeeper::documents::{find_runbook, read_runbook};
use lockkeeper::engine::check::{evaluate_expression, holds, names_in};
use lockkeeper::engine::scope::Scope;
use lockkeeper::engine::{advance, decide, gate_view, wanted};
use lockkeeper::journal::{self, Journal, Writer};
use lockkeeper::model::event::Verdict;
use lockkeeper::model::runbook::Expression;
use lockkeeper::model::state::Seen;
use lockkeeper::model::{Digest, Event, Record, Role, State, TaskId};
use lockkeeper::ui::{self, UiAction, UiState};

use super::mangled::{assert_plain, json, text};

const GOLDEN: &str = include_str!("../journals/container-linux.jsonl");

static SESSION: LazyLock<Vec<Record>> =
    LazyLock::new(|| journal::read(Path::new("tests/journals/container-linux.jsonl")).unwrap().records);

/// The session at some places of it.
static STATES: LazyLock<Vec<State>> = LazyLock::new(|| {
    [3, 40, 140, 333, 600, 780, SESSION.len()].map(|end| State::of(&SESSION[..end.min(SESSION.len())])).into()
});

/// Every kind of event once, as a journal has it.
static EVENTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut kinds = std::collections::BTreeMap::new();
    for record in SESSION.iter() {
        let event = serde_json::to_value(&record.event).unwrap();
        kinds.insert(event["type"].as_str().unwrap().to_owned(), event.to_string());
    }
    kinds.into_values().collect()
});

/// A few lines of a session that end on a line, as long as a journal may be torn anywhere.
static PIECES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut lines = GOLDEN.lines();
    let head = lines.next().unwrap();
    vec![
        format!("{head}\n"),
        String::new(),
        "{\"lockkeeper_journal\":2}\n".into(),
        GOLDEN.lines().take(6).map(|line| format!("{line}\n")).collect(),
    ]
});

/// Lines with a chain that holds, as a hand that knows how would write them.
fn chained(events: impl Iterator<Item = serde_json::Value>) -> String {
    let mut text = "{\"lockkeeper_journal\":1}".to_owned();
    let mut prev = Digest::of(text.as_bytes());
    text.push('\n');
    for (seq, event) in (1_u64..).zip(events) {
        let line =
            serde_json::json!({"seq": seq, "at": "2017-04-22T13:00:00Z", "prev": prev, "event": event}).to_string();
        prev = Digest::of(line.as_bytes());
        text += &line;
        text.push('\n');
    }
    text
}

fn read(bytes: &[u8]) -> Option<Journal> {
    let mut file = tempfile::NamedTempFile::new_in("/dev/shm").or_else(|_| tempfile::NamedTempFile::new()).unwrap();
    file.write_all(bytes).unwrap();
    journal::read(file.path()).ok()
}

/// A journal that was cut anywhere is the beginning of what it was, and is taken up there.
pub(super) fn journal(input: &[u8]) {
    let bytes = match input.split_last() {
        Some((last, rest)) if last % 2 == 0 => text(rest, &PIECES).into_bytes(),
        _ => chained((0..3).filter_map(|part| json(input.get(part * 5..)?, &EVENTS))).into_bytes(),
    };
    let Some(whole) = read(&bytes) else { return };
    let cut = bytes.len() * usize::from(input.first().copied().unwrap_or_default()) / 255;
    if let Some(part) = read(&bytes[..cut]) {
        assert_eq!(part.records, whole.records[..part.records.len()]);
        assert_eq!(part.torn, cut as u64 != part.length);
    } else {
        assert!(!bytes[..cut].contains(&b'\n'), "a piece with a whole head cannot be read");
    }
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let file = dir.path().join("session.jsonl");
    std::fs::write(&file, &bytes[..cut]).unwrap();
    if let Ok((mut writer, records)) = Writer::resume(&file) {
        let at = records.last().map_or(STATES[0].now, |record| record.at);
        writer.append(at, Event::WorkPaused, false).unwrap();
        let now = journal::read(&file).unwrap();
        assert_eq!(now.records.len(), records.len() + 1);
        assert_eq!((now.records[..records.len()].to_vec(), now.torn), (records, false));
    }
}

/// A session in which anything may have been written: it is folded and drawn, and what follows from it is decided.
pub(super) fn session(input: &[u8]) {
    let from = usize::from(input.first().copied().unwrap_or_default()) % STATES.len();
    let mut state = STATES[from].clone();
    let mut ui = UiState::default();
    for part in input.get(1..).unwrap_or_default().chunks(21) {
        let Some(event) = json(part, &EVENTS).and_then(|event| serde_json::from_value::<Event>(event).ok()) else {
            continue;
        };
        state.apply(&Record { seq: state.seq + 1, at: state.now, event });
        let _ = (advance(&state, state.now), wanted(&state), state.tally());
        for id in state.gates().collect::<Vec<_>>() {
            let _ = gate_view(&state, id, state.now);
        }
        ui.at += Duration::from_millis(100);
        show(&state, &mut ui, (120, 40));
    }
}

/// Draws a frame, which hides nothing from whoever reads it.
fn show(state: &State, ui: &mut UiState, size: (u16, u16)) {
    let frame = ui::frame(state, state.now, ui, size);
    for cell in frame.content() {
        assert!(!cell.symbol().chars().any(char::is_control), "a control character is drawn: {:?}", cell.symbol());
    }
}

/// Whatever is pressed, pasted, clicked or resized, a frame can be drawn after it, and what comes of it can be decided.
pub(super) fn keys(input: &[u8]) {
    let from = usize::from(input.first().copied().unwrap_or_default());
    let mut state = STATES[from % STATES.len()].clone();
    let mut ui = UiState::default();
    if from >= 0x80 {
        let total = SESSION.len();
        ui.playhead = Some(ui::Playhead {
            position: total / 2,
            total,
            playing: from % 2 == 0,
            speed: 1.0,
            counting: false,
            flaw: None,
        });
    }
    let mut size = (120, 40);
    show(&state, &mut ui, size);
    for part in input.get(1..).unwrap_or_default().chunks(3).take(48) {
        let &[kind, a, b] = part else { break };
        let codes = [
            KeyCode::Enter,
            KeyCode::Esc,
            KeyCode::Tab,
            KeyCode::BackTab,
            KeyCode::Up,
            KeyCode::Down,
            KeyCode::Left,
            KeyCode::Right,
            KeyCode::PageUp,
            KeyCode::PageDown,
            KeyCode::Home,
            KeyCode::End,
            KeyCode::Backspace,
            KeyCode::Delete,
            KeyCode::Insert,
            KeyCode::F(1),
        ];
        let modifiers = KeyModifiers::from_bits_truncate(b);
        ui.at += Duration::from_millis(u64::from(b) * 8);
        let input = match kind % 8 {
            0 | 1 => Input::Key(KeyEvent::new(KeyCode::Char(char::from(a)), KeyModifiers::NONE)),
            2 => Input::Key(KeyEvent::new(codes[usize::from(a) % codes.len()], KeyModifiers::NONE)),
            3 => Input::Key(KeyEvent::new(KeyCode::Char(char::from(a)), modifiers)),
            4 => {
                let words = ["etcd1\n", "\u{1b}[201~", "é漢\u{301}\u{202e}", "a\tb\r\nc\0", "\n\n\n\n", "99"];
                Input::Paste(words[usize::from(a) % words.len()].repeat(usize::from(b) % 40))
            }
            5 => {
                size = (u16::from(a) % 220, u16::from(b) % 80);
                Input::Resize(size.0, size.1)
            }
            6 => {
                let left = MouseButton::Left;
                let kinds = [
                    MouseEventKind::Down(left),
                    MouseEventKind::Drag(left),
                    MouseEventKind::Up(left),
                    MouseEventKind::ScrollDown,
                    MouseEventKind::ScrollUp,
                ];
                let kind = kinds[usize::from(kind / 8) % kinds.len()];
                Input::Mouse(MouseEvent {
                    kind,
                    column: u16::from(a),
                    row: u16::from(b),
                    modifiers: KeyModifiers::NONE,
                })
            }
            _ => {
                if let Some(record) = SESSION.get(usize::try_from(state.seq).unwrap_or_default()) {
                    state.apply(record);
                }
                Input::FocusGained
            }
        };
        let before = state.seq;
        let action = ui::press(&state, state.now, &mut ui, &input);
        assert!(action.is_none() || !matches!(input, Input::Paste(_)), "a paste did something");
        let intents = match action {
            Some(UiAction::Submit(intent)) => vec![intent],
            Some(UiAction::SubmitAll(intents)) => intents,
            Some(UiAction::Quit) => break,
            _ => Vec::new(),
        };
        for intent in intents {
            match decide(&state, state.now, &intent) {
                Ok(events) => {
                    for event in events {
                        state.apply(&Record { seq: state.seq + 1, at: state.now, event });
                    }
                    ui.answered(Ok(()));
                }
                Err(refusal) => {
                    assert_plain(&refusal.to_string());
                    assert_eq!(state.seq, before, "what is refused changes nothing");
                    ui.answered(Err(refusal.to_string()));
                }
            }
        }
        show(&state, &mut ui, size);
    }
}

/// Every condition of a built-in runbook.
static CONDITIONS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let runbooks = ["etcd-minor", "kubeadm-minor", "flatcar-update", "etcd-2-to-3-container-linux", "blue-green"];
    let runbooks = runbooks.map(|name| read_runbook(&find_runbook(name).unwrap()).unwrap());
    let steps = runbooks.iter().flat_map(|runbook| &runbook.stages).flat_map(|stage| &stage.steps);
    let mut all: Vec<String> =
        steps.flat_map(|step| step.require.iter().chain(&step.verify)).map(|check| check.that.0.clone()).collect();
    all.sort();
    all.dedup();
    all
});

/// The session with some of its hosts unseen, by a bit each.
fn unseen(state: &State, hosts: u8) -> State {
    let mut state = state.clone();
    for (_, host) in state.hosts.iter_mut().enumerate().filter(|(number, _)| hosts & (1 << number) != 0) {
        host.1.facts = None;
    }
    state
}

/// A condition on any facts: it comes to an end, comes to the same end twice, and on facts that nobody has seen it does not hold.
pub(super) fn condition(input: &[u8]) {
    let (place, rest) = input.split_at(input.len().min(2));
    let &[at, hosts] = place else { return };
    let written = text(rest, &CONDITIONS);
    // Nobody writes longer ones, and a page of nested loops takes as long as it says.
    let expression = Expression(written.trim().chars().take(240).collect());
    if ["map(", "all(", "exists", "filter("].iter().map(|part| expression.0.matches(part).count()).sum::<usize>() > 3 {
        return;
    }
    let state = unseen(&STATES[usize::from(at) % STATES.len()], hosts);
    let nothing = unseen(&state, 0xff);
    let task = state.task_ids().nth(usize::from(at)).or(Some(TaskId(0)));
    for task in [None, task] {
        let scope = Scope::new(&state, task, 0, state.now);
        let (verdict, readings) = evaluate_expression(&expression, &scope);
        let (again, _) = evaluate_expression(&expression, &Scope::new(&state, task, 0, state.now));
        assert_eq!(verdict, again);
        let _ = (readings.len(), holds(&expression, &scope));
        let (verdict, _) = evaluate_expression(&expression, &Scope::new(&nothing, task, 0, nothing.now));
        let of_facts = |name: &&str| ["host", "hosts", "etcd", "kube"].contains(name);
        let asks = names_in(&expression).into_iter().filter(of_facts).any(|name| match name {
            "host" => task.is_some(),
            _ => true,
        });
        assert!(!asks || verdict != Verdict::Pass, "it holds of what nobody has seen: {}", expression.0);
    }
}

/// What a fuzzer cannot guess, it is told: that this is what the other targets lean on.
#[test]
fn the_seeds_are_what_they_stand_for() {
    assert!(CONDITIONS.len() > 50 && EVENTS.len() > 15 && STATES.len() == 7);
    assert!(STATES.iter().any(|state| state.gates().count() > 1));
    assert!(STATES.iter().flat_map(|state| state.hosts.values()).any(|host| matches!(host.facts, Some(Seen { .. }))));
    let session = STATES[0].session.as_ref().unwrap();
    assert!(session.inventory.hosts.iter().any(|host| host.roles.contains(&Role::ControlPlane)));
}
