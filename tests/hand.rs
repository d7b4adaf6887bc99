//! The hand is safe: whatever keys, pastes, resizes and events come in whatever order, nothing is opened that was not on the
//! screen for a moment with the last line of what it runs, and nothing acts on another host than the lit one.
//!
//! What was on the screen is told by reading the frames themselves, not by asking the code that is tested.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without may end it")]

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyModifiers};
use lockkeeper::engine::{self, Intent, decide};
use lockkeeper::model::event::Event;
use lockkeeper::model::state::Phase;
use lockkeeper::model::{Record, State, TaskId};
use lockkeeper::ui::{self, UiAction, UiState};
use proptest::prelude::*;

static SESSION: LazyLock<Vec<Record>> = LazyLock::new(|| {
    lockkeeper::journal::read(std::path::Path::new("tests/journals/container-linux.jsonl")).unwrap().records
});

/// What can be done to the screen.
#[derive(Clone, Debug)]
enum Move {
    Key(KeyCode, KeyModifiers),
    Paste(String),
    /// Time passes, in milliseconds, and a frame is drawn.
    Wait(u64),
    Resize(u16, u16),
    /// So many events of the recorded session happen.
    Happen(usize),
}

fn moves() -> impl Strategy<Value = Move> {
    let plain = |code| Move::Key(code, KeyModifiers::NONE);
    prop_oneof![
        8 => Just(plain(KeyCode::Enter)),
        6 => prop::sample::select("Ausreyqpac?zLif/:o[]vQFtgGjk x1e23".chars().collect::<Vec<_>>())
            .prop_map(move |c| plain(KeyCode::Char(c))),
        3 => prop::sample::select(vec![KeyCode::Up, KeyCode::Down, KeyCode::Tab, KeyCode::Esc, KeyCode::PageDown, KeyCode::End])
            .prop_map(plain),
        1 => Just(Move::Key(KeyCode::Char('c'), KeyModifiers::CONTROL)),
        1 => prop::sample::select(vec!["\n", "s\nbecause\n", "y", "etcd1\n", "sudo systemctl stop etcd\nqy\n"])
            .prop_map(|text| Move::Paste(text.into())),
        6 => prop::sample::select(vec![0_u64, 20, 200, 399, 401, 600, 1500]).prop_map(Move::Wait),
        1 => prop::sample::select(vec![(60, 16), (80, 24), (120, 40), (200, 60), (40, 10)])
            .prop_map(|(columns, lines)| Move::Resize(columns, lines)),
        3 => (1_usize..6).prop_map(Move::Happen),
    ]
}

/// What the frames have shown of a gate.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    /// Since when its pane has been in every frame.
    since: Duration,
    /// When the last line of its script was first in one.
    last_line: Option<Duration>,
}

struct Desk {
    state: State,
    ui: UiState,
    at: Duration,
    size: (u16, u16),
    shown: BTreeMap<(TaskId, u64), Shown>,
    frame: String,
    next: usize,
    opened: usize,
}

impl Desk {
    /// At the first gate of a stage where six hosts stand at theirs.
    fn new(from: usize) -> Self {
        let mut state = State::default();
        for record in &SESSION[..from] {
            state.apply(record);
        }
        Self {
            state,
            ui: UiState::default(),
            at: Duration::ZERO,
            size: (120, 40),
            shown: BTreeMap::new(),
            frame: String::new(),
            next: from,
            opened: 0,
        }
    }

    fn record(&mut self, event: Event) {
        let record = Record { seq: self.state.seq + 1, at: self.state.now, event };
        self.state.apply(&record);
    }

    /// Draws a frame and reads it, as somebody before the screen would.
    fn draw(&mut self) {
        self.ui.at = self.at;
        let buffer = ui::frame(&self.state, self.state.now, &mut self.ui, self.size);
        self.frame = (0..self.size.1)
            .map(|y| (0..self.size.0).map(|x| buffer[(x, y)].symbol()).collect::<String>() + "\n")
            .collect();
        let gates: Vec<TaskId> = self.state.gates().collect();
        let covered = !self.ui.popups.is_empty();
        let mut now = BTreeMap::new();
        for id in gates {
            let (task, step, current) = self.state.task(id).unwrap();
            let key = (id, current.since_seq);
            // A popup lies over the pane: what was seen before it came stays seen.
            let headed = self.frame.contains(&format!(" {} · {} ", step.name, task.host));
            let known = self.shown.get(&key).copied();
            if !(headed || covered && known.is_some()) {
                continue;
            }
            let mut shown = known.unwrap_or(Shown { since: self.at, last_line: None });
            let text = [&step.run, &step.hands].into_iter().flatten().next_back();
            let last = text.and_then(|text| text.lines().last()).map_or("", str::trim);
            let squeezed =
                |text: &str| text.chars().filter(|c| !c.is_whitespace() && !"│↪┃".contains(*c)).collect::<String>();
            // A long line is wrapped: its end must be there.
            let tail: String = squeezed(last).chars().rev().take(12).collect::<Vec<_>>().into_iter().rev().collect();
            if shown.last_line.is_none()
                && !covered
                && squeezed(&self.pane(&format!(" {} · {} ", step.name, task.host))).contains(&tail)
            {
                shown.last_line = Some(self.at);
            }
            now.insert(key, shown);
        }
        self.shown = now;
    }

    /// What stands in the pane of that heading: the frame has other panes beside it.
    fn pane(&self, heading: &str) -> String {
        let rows: Vec<Vec<char>> = self.frame.lines().map(|line| line.chars().collect()).collect();
        let Some(y) = self.frame.lines().position(|line| line.contains(heading)) else { return String::new() };
        let at = self.frame.lines().nth(y).unwrap().split(heading).next().unwrap().chars().count();
        let left = rows[y][..at].iter().rposition(|c| *c == '┌').unwrap_or(0);
        let right = (at..rows[y].len()).find(|x| rows[y][*x] == '┐').unwrap_or(rows[y].len());
        let cut = |row: &Vec<char>| row.iter().skip(left).take(right - left + 1).collect::<String>();
        rows[y..].iter().map(cut).collect()
    }

    fn input(&mut self, input: &Input) {
        self.ui.at = self.at;
        let lit = self.lit();
        let action = ui::press(&self.state, self.state.now, &mut self.ui, input);
        let intents = match action {
            Some(UiAction::Submit(intent)) => vec![intent],
            Some(UiAction::SubmitAll(intents)) => intents,
            _ => return,
        };
        for intent in intents {
            self.judge(&intent, lit.as_deref());
            match decide(&self.state, self.state.now, &intent) {
                Ok(events) => {
                    events.into_iter().for_each(|event| self.record(event));
                    self.ui.answered(Ok(()));
                }
                Err(refusal) => self.ui.answered(Err(refusal.to_string())),
            }
        }
    }

    /// The host in the heading of the gate's pane, in the frame that was drawn last.
    fn lit(&self) -> Option<String> {
        let plan = self.state.plan.as_ref()?;
        plan.tasks
            .iter()
            .find(|task| self.frame.contains(&format!(" {} · {} ", plan.step_of(task).name, task.host)))
            .map(|task| task.host.to_string())
    }

    /// Whether the grid, which stands above every pane, has a row of a host.
    fn has_row(&self, host: &str) -> bool {
        let grid = self.frame.lines().skip(2).take_while(|line| !line.starts_with('┌') && !line.contains(" Gate  "));
        grid.map(|line| line.split_whitespace().next()).any(|first| first == Some(host))
    }

    fn judge(&mut self, intent: &Intent, lit: Option<&str>) {
        match intent {
            Intent::OpenGate { task, shown_ms, together, .. } => {
                self.opened += 1;
                let (planned, step, current) = self.state.task(*task).unwrap();
                let what = format!("{} on {}", step.name, planned.host);
                if together.is_some() {
                    // Opened with its fellows: the pane of one of them stood for all.
                    return;
                }
                let shown =
                    self.shown.get(&(*task, current.since_seq)).unwrap_or_else(|| panic!("{what} was opened unseen"));
                let last = shown
                    .last_line
                    .unwrap_or_else(|| panic!("the last line of {what} was never shown:\n{}", self.frame));
                for since in [shown.since, last] {
                    assert!(
                        self.at.saturating_sub(since) >= Duration::from_millis(400),
                        "{what} was shown for {:?} only",
                        self.at.saturating_sub(since)
                    );
                }
                assert!(
                    shown_ms.is_some_and(|ms| ms >= 400),
                    "{what}: the journal would not tell how long it was shown"
                );
                assert!(lit.is_none_or(|lit| lit == planned.host.as_str()), "{what} was opened while {lit:?} was lit");
                assert!(
                    self.has_row(planned.host.as_str()),
                    "{what} was opened, and the grid has no row of it:\n{}",
                    self.frame
                );
            }
            Intent::Retry { task } | Intent::Skip { task, .. } => {
                let (planned, step, _) = self.state.task(*task).unwrap();
                let lit = lit.is_none_or(|lit| lit == planned.host.as_str());
                assert!(lit || !self.ui.popups.is_empty(), "{} on {} was acted on unlit", step.name, planned.host);
            }
            _ => {}
        }
    }

    fn go(&mut self, doing: &Move) {
        match doing {
            Move::Key(code, modifiers) => self.input(&Input::Key(KeyEvent::new(*code, *modifiers))),
            Move::Paste(text) => {
                let events = self.state.seq;
                self.input(&Input::Paste(text.clone()));
                assert_eq!(self.state.seq, events, "a paste did something");
            }
            Move::Wait(ms) => self.at += Duration::from_millis(*ms),
            Move::Resize(columns, lines) => self.size = (*columns, *lines),
            Move::Happen(count) => {
                for _ in 0..*count {
                    if let Some(record) = SESSION.get(self.next) {
                        self.next += 1;
                        self.record(record.event.clone());
                    }
                }
            }
        }
        // The screen draws after every input.
        self.draw();
    }
}

/// Places of the recorded session to begin at: gates of one host, gates of six at once.
fn places() -> Vec<usize> {
    let mut state = State::default();
    let mut places = Vec::new();
    let mut before = 0;
    for (n, record) in SESSION.iter().enumerate() {
        state.apply(record);
        let gates = state.gates().count();
        if gates > 0 && gates != before && state.outcome.is_none() {
            places.push(n + 1);
        }
        before = gates;
    }
    places
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_opened_unseen(place in prop::sample::select(places()), moves in prop::collection::vec(moves(), 1..60)) {
        let mut desk = Desk::new(place);
        desk.draw();
        moves.iter().for_each(|doing| desk.go(doing));
    }
}

/// A burst of Enters as fast as a terminal hands them over.
#[test]
fn a_burst_of_enters_opens_nothing_but_what_was_read() {
    // Six hosts stand at `hold`.
    let place = places().into_iter().find(|place| {
        let state = State::of(&SESSION[..*place]);
        state.gates().count() > 1
    });
    let mut desk = Desk::new(place.unwrap());
    desk.draw();
    desk.go(&Move::Wait(1_000));
    for _ in 0..50 {
        desk.go(&Move::Key(KeyCode::Enter, KeyModifiers::NONE));
        desk.go(&Move::Wait(30));
    }
    assert!(desk.opened <= 1, "{} gates were opened by one burst", desk.opened);
}

/// Ready gates do open by a patient hand: the rule is no wall.
#[test]
fn a_patient_hand_opens_every_gate() {
    let mut desk = Desk::new(places()[0]);
    for _ in 0..400 {
        desk.go(&Move::Wait(1_000));
        let before = desk.opened;
        for _ in 0..12 {
            desk.go(&Move::Key(KeyCode::Enter, KeyModifiers::NONE));
            desk.go(&Move::Wait(700));
            if !desk.ui.popups.is_empty() {
                let id = desk.state.gates().next().unwrap();
                let gate = engine::gate_view(&desk.state, id, desk.state.now).unwrap();
                let host = desk.state.task(id).unwrap().0.host.to_string();
                let words = match gate.confirm {
                    lockkeeper::model::runbook::Confirm::Phrase(phrase) => phrase,
                    _ => host,
                };
                desk.go(&Move::Paste(words));
            }
        }
        if desk.opened > before + 1 || desk.state.gates().count() == 0 {
            break;
        }
        desk.go(&Move::Happen(1));
    }
    assert!(desk.opened > 0);
    assert!(desk.state.tasks.iter().any(|task| task.phase != Phase::Waiting));
}

/// A screen at the first place where one host stands at a gate that is ready.
fn at_a_ready_gate() -> Desk {
    let place = places().into_iter().find(|place| {
        let state = State::of(&SESSION[..*place]);
        let gate = state.gates().next().and_then(|id| engine::gate_view(&state, id, state.now));
        gate.is_some_and(|gate| gate.refusal.is_none() && gate.confirm == lockkeeper::model::runbook::Confirm::Enter)
    });
    let mut desk = Desk::new(place.unwrap());
    desk.draw();
    desk
}

fn press(desk: &mut Desk, keys: &str, pause: u64) {
    for key in keys.chars() {
        let code = if key == '\r' { KeyCode::Enter } else { KeyCode::Char(key) };
        desk.go(&Move::Key(code, KeyModifiers::NONE));
        desk.go(&Move::Wait(pause));
    }
}

#[test]
fn what_lay_under_a_popup_is_looked_at_anew() {
    for (keys, pause) in [("?x\r", 100), ("i\r\r", 100), ("/abc\r\r", 100), ("f\r\r", 100), ("ahello\r\r", 150)] {
        let mut desk = at_a_ready_gate();
        desk.go(&Move::Wait(3_000));
        press(&mut desk, keys, pause);
        assert_eq!(desk.opened, 0, "{keys:?} opened a gate that had just come back to the screen");
    }
}

#[test]
fn a_question_is_not_answered_by_whatever_key_comes() {
    let mut desk = at_a_ready_gate();
    desk.go(&Move::Wait(3_000));
    press(&mut desk, "q\r\r\rx ", 700);
    assert_eq!((desk.opened, desk.ui.popups.len()), (0, 1), "the question still stands");
}

#[test]
fn a_burst_of_letters_is_no_command() {
    let mut desk = at_a_ready_gate();
    desk.go(&Move::Wait(3_000));
    let before = desk.state.seq;
    // Pasted into a terminal that does not bracket pastes: the first letter is one of no use, the rest go nowhere.
    press(&mut desk, "xplease do now: apt upgrade, rs", 3);
    assert_eq!((desk.state.seq, desk.state.paused, desk.ui.popups.len()), (before, false, 0));
}

#[test]
fn nothing_is_done_in_a_window_in_which_nothing_is_seen() {
    let mut desk = at_a_ready_gate();
    desk.go(&Move::Wait(3_000));
    press(&mut desk, "s", 700);
    press(&mut desk, "by hand", 200);
    desk.go(&Move::Resize(30, 8));
    let before = desk.state.seq;
    press(&mut desk, "\r\rypQ", 700);
    assert_eq!(desk.state.seq, before, "a key acted on what nobody saw");
    desk.go(&Move::Resize(120, 40));
    press(&mut desk, "\r", 0);
    assert_eq!(desk.state.seq, before, "what has just come back was not read");
    desk.go(&Move::Wait(2_000));
    press(&mut desk, "\r", 0);
    assert_eq!(desk.state.seq, before + 1, "what was typed is still there");
}

#[test]
fn the_palette_reaches_what_asks_once_more_and_opens_nothing_itself() {
    let mut desk = at_a_ready_gate();
    desk.go(&Move::Wait(3_000));
    press(&mut desk, ":skip the step\r", 100);
    assert!(matches!(desk.ui.popups.last(), Some(ui::Popup::Skip(..))), "{:?}", desk.ui.popups);
    let mut desk = at_a_ready_gate();
    desk.go(&Move::Wait(3_000));
    press(&mut desk, ":open the gate\r", 100);
    assert_eq!(desk.opened, 0, "what has just come back to the screen is looked at first");
}

/// What was read in a large window and then covered is not shown by a small one that comes after: it is read again.
#[test]
fn what_comes_back_in_a_smaller_window_is_read_again() {
    let mut desk = at_a_ready_gate();
    for doing in [Move::Resize(200, 60), Move::Wait(500), Move::Resize(40, 10), Move::Wait(500), Move::Resize(60, 16)] {
        desk.go(&doing);
    }
    desk.go(&Move::Wait(1_500));
    press(&mut desk, "\r", 1_000);
    assert_eq!(desk.opened, 0, "Enter reads on: {}", desk.frame);
    for _ in 0..6 {
        if desk.opened == 0 {
            press(&mut desk, "\r", 1_000);
        }
    }
    assert_eq!(desk.opened, 1, "{}", desk.frame);
}

/// However the light got there: whose gate can be opened has a row in the grid.
#[test]
fn the_host_whose_gate_is_shown_is_in_the_grid_whatever_the_filter_hides() {
    let mut desk = at_a_ready_gate();
    desk.go(&Move::Wait(3_000));
    let before = desk.lit().unwrap();
    press(&mut desk, &format!("f{before}\r"), 700);
    while desk.next < SESSION.len() && desk.lit().is_none_or(|lit| lit == before) {
        desk.go(&Move::Happen(1));
    }
    let lit = desk.lit().unwrap();
    assert!(lit != before && desk.has_row(&lit), "{lit} is not in the grid:\n{}", desk.frame);
    assert!(desk.frame.contains("(not in the filter)"), "{}", desk.frame);
}

#[test]
fn the_notice_says_what_enter_does_now_and_where_the_light_went() {
    // Several hosts stand at `hold`, and the first of them is ready.
    let place = places().into_iter().find(|place| {
        let state = State::of(&SESSION[..*place]);
        let opens = |id| engine::gate_view(&state, id, state.now).is_some_and(|gate| gate.refusal.is_none());
        let held = state.gates().filter(|id| state.task(*id).unwrap().1.name == "hold").count();
        held > 1 && state.gates().next().is_some_and(opens)
    });
    let mut desk = Desk::new(place.unwrap());
    desk.go(&Move::Resize(60, 16));
    let notice = |desk: &Desk| desk.ui.notice.as_ref().map(|notice| notice.text.clone()).unwrap_or_default();
    let mut said = Vec::new();
    while desk.opened == 0 && said.len() < 20 {
        desk.go(&Move::Wait(700));
        said.push(notice(&desk));
        desk.go(&Move::Key(KeyCode::Enter, KeyModifiers::NONE));
    }
    assert_eq!(said.last().unwrap(), "that was all of it: Enter opens", "{said:?}\n{}", desk.frame);
    desk.go(&Move::Wait(100));
    let lit = desk.lit().unwrap();
    assert_eq!(notice(&desk), format!("now: hold on {lit}"), "{}", desk.frame);
}
