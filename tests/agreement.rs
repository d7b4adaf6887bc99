//! What is agreed to in a popup was on the screen before, all of it and for a moment: an undo, and gates opened together.

#![allow(clippy::unwrap_used, dead_code, reason = "what a test cannot do without may end it; shared helpers")]

#[macro_use]
mod common;

use std::path::Path;
use std::time::Duration;

use crossterm::event::Event as Input;
use lockkeeper::documents::{Source, plan, read_inventory, read_runbook};
use lockkeeper::engine::decide;
use lockkeeper::model::event::Event;
use lockkeeper::model::state::Phase;
use lockkeeper::model::{Facts, HostName, Record, State, TaskId};
use lockkeeper::ui::{self, UiAction, UiState};

const HOSTS: usize = 42;

/// Somebody before a small window; one step on many hosts, of which the first has been through.
struct Desk {
    state: State,
    ui: UiState,
    size: (u16, u16),
    /// For how long each gate had been shown that was opened, by the journal.
    opened: Vec<(TaskId, Option<u64>)>,
    left: bool,
}

impl Desk {
    fn new(size: (u16, u16)) -> Self {
        let hosts: String = (1..=HOSTS)
            .map(|n| format!("  - {{name: node{n}, roles: worker, connection: practice, vars: {{size: '{n}00', mirror: 'https://mirror.example.org/a-long-way-down/that/differs/at/its/very/end/{n}'}}}}\n"))
            .collect();
        let undo: String = (1..=30).map(|n| format!("          echo {n} \"$size\"\n")).collect();
        let runbook = format!(
            "runbook: many\ntitle: Many\nvars:\n  size: {{about: s, default: ''}}\n  mirror: {{about: m, default: ''}}\nstages:\n  - stage: all\n    title: All\n    hosts: worker\n    order: all-at-once\n    steps:\n      - step: fetch\n        title: Fetch the new version\n        run: fetch \"$mirror\" \"$size\" \"$node\"\n        undo: |\n{undo}"
        );
        let source = |text: String| Source::file(Path::new("r.yaml"), text);
        let (written, hosts) = (source(runbook), source(format!("cluster: many\nhosts:\n{hosts}")));
        let (runbook, inventory) = (read_runbook(&written).unwrap(), read_inventory(&hosts).unwrap());
        let plan = plan::build(&inventory, &hosts, &runbook, &written, &[]).unwrap();
        let mut desk = Self { state: State::default(), ui: UiState::default(), size, opened: Vec::new(), left: false };
        desk.record(common::started(plan));
        (0..HOSTS).for_each(|n| desk.record(Event::GateShown { task: TaskId(n as u32) }));
        for n in 0..HOSTS {
            let host = HostName::from(format!("node{}", n + 1).as_str());
            desk.record(Event::LeaseTaken { host: host.clone(), from: None });
            desk.record(Event::FactsSeen { host, asked: desk.state.seq, facts: Box::new(Facts::default()) });
        }
        desk.record(Event::TaskDone { task: TaskId(0), checks: Vec::new() });
        desk.look();
        desk
    }

    fn record(&mut self, event: Event) {
        let record = Record { seq: self.state.seq + 1, at: self.state.now, event };
        self.state.apply(&record);
    }

    fn look(&mut self) -> String {
        common::text(&ui::frame(&self.state, self.state.now, &mut self.ui, self.size))
    }

    /// Keys with so much time between them; all that was on the screen.
    fn keys(&mut self, keys: &str, pause: u64) -> String {
        let mut seen = self.look();
        for key in common::keys(keys) {
            self.ui.at += Duration::from_millis(pause);
            let action = ui::press(&self.state, self.state.now, &mut self.ui, &Input::Key(key));
            let intents = match action {
                Some(UiAction::Submit(intent)) => vec![intent],
                Some(UiAction::SubmitAll(intents)) => intents,
                Some(UiAction::Quit) => {
                    self.left = true;
                    Vec::new()
                }
                _ => Vec::new(),
            };
            for intent in intents {
                let events = decide(&self.state, self.state.now, &intent).unwrap();
                for event in events {
                    if let Event::GateOpened { task, shown_ms, .. } = &event {
                        self.opened.push((*task, *shown_ms));
                    }
                    self.record(event);
                }
            }
            seen += &self.look();
        }
        seen
    }
}

/// Without what wrapping and frames put between.
fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && !"│↪".contains(*c)).collect()
}

#[test]
fn gates_open_together_when_all_that_differs_was_on_the_screen() {
    for size in [(60, 16), (80, 24)] {
        let mut desk = Desk::new(size);
        desk.keys(&"<pgdn>".repeat(10), 600);
        let asked = desk.keys("A", 600);
        assert!(asked.contains("more rows below"), "{asked}");
        desk.keys("41<enter>", 600);
        assert!(desk.opened.is_empty(), "agreed to unread");
        // All in one write: the screen draws after each of them.
        desk.keys(&("<pgdn>".repeat(28) + "<enter>"), 1);
        assert!(desk.opened.is_empty(), "agreed to in a breath");
        let seen = squeezed(&desk.keys(&("<pgup>".repeat(28) + &"<pgdn>".repeat(28)), 600));
        for n in 3..=HOSTS {
            assert!(seen.contains(&format!("size='{n}00'")) && seen.contains(&format!("very/end/{n}'")), "{n}");
        }
        desk.keys("<enter>", 600);
        assert_eq!(desk.opened.len(), HOSTS - 1, "{:?}", desk.ui.notice);
        assert!(desk.opened.iter().all(|(_, shown)| shown.is_some_and(|ms| ms >= 400)));
        assert_eq!(desk.state.gates().count(), 0);
    }
}

#[test]
fn an_undo_is_agreed_to_when_all_of_it_was_on_the_screen_for_a_moment() {
    let mut desk = Desk::new((60, 16));
    desk.keys("<up>", 600);
    let asked = desk.keys("u", 600);
    assert!(asked.contains("more rows below"), "{asked}");
    desk.keys("y", 600);
    desk.keys(&("<pgdn>".repeat(12) + "y"), 1);
    assert!(desk.state.undo.is_empty(), "agreed to unread");
    let seen = squeezed(&desk.keys(&("<pgup>".repeat(12) + &"<pgdn>".repeat(12)), 600));
    for n in 1..=30 {
        assert!(seen.contains(&format!("echo{n}\"$size\"")), "{n}: {seen}");
    }
    assert!(seen.contains("size='100'"), "with its values: {seen}");
    desk.keys("y", 600);
    assert!(!desk.state.undo.is_empty(), "{:?}", desk.ui.notice);
    assert!(desk.state.tasks.iter().any(|task| task.phase != Phase::Gate));
}

#[test]
fn what_was_typed_is_named_before_it_is_lost() {
    let mut desk = Desk::new((80, 24));
    desk.keys("a", 600);
    desk.keys("half a thought", 100);
    let asked = desk.keys("<ctrl-c>", 600);
    assert!(asked.contains("Your note is not saved anywhere"), "{asked}");
    desk.keys("y", 10);
    assert!(!desk.left, "in the same breath as it was asked");
    desk.keys("y", 600);
    assert!(desk.left);
}

#[test]
fn a_paste_into_a_file_keeps_tabs_and_has_no_more_lines_than_it_had() {
    let mut screen = at_the_editor();
    ui::press(&screen.state, screen.state.now, &mut screen.ui, &Input::Paste("a:\r\n\tb\rc\n".into()));
    let Some(ui::Popup::Edit { input, .. }) = screen.ui.popups.last() else { panic!("no editor") };
    assert_eq!(input.lines(), ["a:", "\tb", "c", ""]);
}

/// An editor that lies open over the screen.
fn at_the_editor() -> Desk {
    let mut desk = Desk::new((80, 24));
    desk.ui.popups.push(ui::Popup::Edit {
        task: TaskId(1),
        path: "/etc/x.yaml".into(),
        input: Box::default(),
        before: Vec::new(),
    });
    desk
}
