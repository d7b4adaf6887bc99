//! A form for a new inventory: some fields, and a row for every host.

use std::cell::Cell;

use crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures::StreamExt as _;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use tui_textarea::TextArea;

use super::panes::frame as framed;
use super::press::editor;
use super::terminal::{self, Habits, Screen};
use super::theme::{Meaning, style};

/// Name of each field, and what it means to leave it empty.
const FIELDS: [(&str, &str); 4] = [
    ("Cluster", "what it is called"),
    ("Log in as", "empty: whatever ssh does"),
    ("Bastion", "empty: none"),
    ("Write it to", ""),
];
/// What is asked of each host, and how wide it is.
const COLUMNS: [(&str, u16); 3] = [("HOST", 22), ("ADDRESS", 26), ("ROLES", 26)];
const KEYS: &str = " Tab ↓ ↑ move  Enter next host  Ctrl-D drop host  Ctrl-S write  Esc leave ";

/// What was filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The cluster's name.
    pub cluster: String,
    /// The user to log in as, or empty.
    pub user: String,
    /// The bastion, or empty.
    pub jump: String,
    /// The file to write.
    pub file: String,
    /// Name, address and roles of each host; rows with nothing in them are left out.
    pub hosts: Vec<[String; 3]>,
}

/// How a key leaves the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Still there.
    No,
    /// Write it, if nothing is wrong with it.
    Write,
    /// Without writing anything.
    Without,
}

/// The form as it stands.
#[derive(Debug)]
pub struct Form {
    fields: Vec<TextArea<'static>>,
    rows: Vec<[TextArea<'static>; 3]>,
    /// Which cell the keys go to: the fields first, then the rows.
    at: usize,
    /// What is wrong with it, or worth a word.
    pub messages: Vec<String>,
}

impl Form {
    /// An empty form that would be written to a file.
    #[must_use]
    pub fn new(file: &str) -> Self {
        let fields = ["", "", "", file].map(|text| *editor(text)).into();
        Self { fields, rows: vec![row()], at: 0, messages: Vec::new() }
    }

    /// What was filled in so far.
    #[must_use]
    pub fn answers(&self) -> Answers {
        let text = |cell: &TextArea<'_>| cell.lines().join(" ").trim().to_owned();
        let hosts = self.rows.iter().map(|row| [text(&row[0]), text(&row[1]), text(&row[2])]);
        Answers {
            cluster: text(&self.fields[0]),
            user: text(&self.fields[1]),
            jump: text(&self.fields[2]),
            file: text(&self.fields[3]),
            hosts: hosts.filter(|cells| cells.iter().any(|cell| !cell.is_empty())).collect(),
        }
    }

    fn cells(&self) -> usize {
        FIELDS.len() + self.rows.len() * COLUMNS.len()
    }

    /// The row that the keys go to, if it is one of the hosts'.
    fn row(&self) -> Option<usize> {
        self.at.checked_sub(FIELDS.len()).map(|cell| cell / COLUMNS.len())
    }

    fn cell(&mut self) -> &mut TextArea<'static> {
        match self.at.checked_sub(FIELDS.len()) {
            None => &mut self.fields[self.at],
            Some(cell) => &mut self.rows[cell / COLUMNS.len()][cell % COLUMNS.len()],
        }
    }

    /// Takes in a key, or what was pasted.
    pub fn take(&mut self, input: &Input) -> Left {
        match input {
            Input::Key(key) if key.kind != KeyEventKind::Release => self.press(*key),
            // A line a cell would be a guess: what is pasted stays in its cell.
            Input::Paste(text) => {
                self.cell().insert_str(text.replace(['\n', '\r', '\t'], " "));
                Left::No
            }
            _ => Left::No,
        }
    }

    fn press(&mut self, key: KeyEvent) -> Left {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let width = COLUMNS.len();
        match (key.code, self.row()) {
            (KeyCode::Esc, _) => return Left::Without,
            (KeyCode::Char('c'), _) if control => return Left::Without,
            (KeyCode::Char('s'), _) if control => return Left::Write,
            (KeyCode::Char('d'), Some(row)) if control => {
                self.rows.remove(row);
                if self.rows.is_empty() {
                    self.rows.push(self::row());
                }
                self.at = (FIELDS.len() + row * width).min(self.cells() - width);
            }
            (KeyCode::Tab, _) => self.at = (self.at + 1) % self.cells(),
            (KeyCode::BackTab, _) => self.at = (self.at + self.cells() - 1) % self.cells(),
            (KeyCode::Down, Some(row)) if row + 1 < self.rows.len() => self.at += width,
            (KeyCode::Up, Some(row)) if row > 0 => self.at -= width,
            (KeyCode::Up, Some(_)) => self.at = FIELDS.len() - 1,
            (KeyCode::Up, None) => self.at = self.at.saturating_sub(1),
            (KeyCode::Down | KeyCode::Enter, None) => self.at += 1,
            // The row after this one, made where there is none; an empty row is enough.
            (KeyCode::Enter, Some(row)) => {
                let empty = self.rows[row].iter().all(TextArea::is_empty);
                if row + 1 == self.rows.len() && !empty {
                    self.rows.push(self::row());
                }
                self.at = FIELDS.len() + (row + 1).min(self.rows.len() - 1) * width;
            }
            (KeyCode::Down, Some(_)) => {}
            _ => drop(self.cell().input(key)),
        }
        Left::No
    }

    /// Draws it over the whole screen.
    pub fn draw(&self, frame: &mut Frame<'_>) {
        let block = framed("A new inventory", true).title_bottom(KEYS);
        let inner = block.inner(frame.area());
        frame.render_widget(block, frame.area());
        let below = (self.messages.len() as u16).min(inner.height / 3);
        let parts = Layout::vertical([
            Constraint::Length(FIELDS.len() as u16 + 1),
            Constraint::Length(1),
            Constraint::Min(1),
            Constraint::Length(below),
        ]);
        let [fields, head, rows, messages] = parts.areas(inner);
        for (number, (name, hint)) in FIELDS.iter().enumerate() {
            let y = fields.y + number as u16;
            let label = Line::styled(format!(" {name}"), style(Meaning::Quiet));
            frame.render_widget(label, Rect { y, height: 1, ..fields });
            self.input(&self.fields[number], number, Rect { x: inner.x + 14, y, width: 32, height: 1 }, frame);
            let hint = Line::styled(*hint, style(Meaning::Quiet));
            let x = inner.x + 48;
            frame.render_widget(hint, Rect { x, y, width: inner.right().saturating_sub(x), height: 1 });
        }
        let names = COLUMNS
            .map(|(name, width)| Span::styled(format!(" {name:<0$}", width as usize - 1), style(Meaning::Title)));
        frame.render_widget(Line::from(names.to_vec()), head);
        // The row that is filled in stays in sight.
        let first = self.row().unwrap_or_default().saturating_sub((rows.height as usize).saturating_sub(1));
        for (line, (number, row)) in self.rows.iter().enumerate().skip(first).take(rows.height as usize).enumerate() {
            let mut x = rows.x + 1;
            for (column, (_, width)) in COLUMNS.iter().enumerate() {
                let cell = FIELDS.len() + number * COLUMNS.len() + column;
                let width = (*width - 1).min(rows.right().saturating_sub(x));
                self.input(&row[column], cell, Rect { x, y: rows.y + line as u16, width, height: 1 }, frame);
                x += COLUMNS[column].1;
            }
        }
        let lines: Vec<Line<'_>> =
            self.messages.iter().map(|message| Line::styled(format!(" {message}"), style(Meaning::Warn))).collect();
        frame.render_widget(Paragraph::new(lines), messages);
    }

    fn input(&self, cell: &TextArea<'static>, number: usize, area: Rect, frame: &mut Frame<'_>) {
        if number == self.at {
            frame.render_widget(cell, area);
        } else {
            frame.render_widget(Line::raw(cell.lines().join(" ")), area);
        }
    }
}

fn row() -> [TextArea<'static>; 3] {
    ["", "", ""].map(|text| *editor(text))
}

/// Shows the form until it is left. `check` says what is wrong with the answers; `write` is asked for once nothing is.
/// What ends it from outside leaves it unwritten.
///
/// # Errors
/// When the terminal fails.
pub async fn fill(
    form: &mut Form,
    habits: Habits,
    check: impl Fn(&Answers) -> Vec<String>,
    mut write: impl FnMut(&Answers) -> Result<(), String>,
) -> color_eyre::Result<bool> {
    let interrupt = Cell::new(None);
    let mut screen = Screen::enter(habits)?;
    let mut input = std::pin::pin!(terminal::input(habits, &interrupt)?);
    loop {
        screen.terminal.draw(|frame| {
            form.draw(frame);
            super::theme::finish(frame.buffer_mut());
        })?;
        let Some(input) = input.next().await else { return Ok(false) };
        let input = input?;
        if let Input::Resize(columns, lines) = input {
            screen.terminal.resize(Rect::new(0, 0, columns, lines))?;
        }
        match form.take(&input) {
            Left::No => form.messages = check(&form.answers()),
            Left::Without => return Ok(false),
            Left::Write => {
                form.messages = check(&form.answers());
                if form.messages.is_empty() {
                    match write(&form.answers()) {
                        Ok(()) => return Ok(true),
                        Err(why) => form.messages = vec![why],
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn typed(form: &mut Form, keys: &[KeyCode]) {
        for key in keys {
            form.take(&Input::Key(KeyEvent::new(*key, KeyModifiers::NONE)));
        }
    }

    fn words(text: &str) -> Vec<KeyCode> {
        text.chars().map(|c| if c == '\t' { KeyCode::Tab } else { KeyCode::Char(c) }).collect()
    }

    #[test]
    fn a_row_for_every_host_and_none_for_empty_ones() {
        let mut form = Form::new("cluster.yaml");
        typed(&mut form, &words("prod\tcore\t\t\tetcd1\t10.0.0.1\tetcd"));
        typed(&mut form, &[KeyCode::Enter]);
        typed(&mut form, &words("etcd2\t\tetcd control-plane"));
        // A row that stays empty, and one more that Enter does not make of it.
        typed(&mut form, &[KeyCode::Enter, KeyCode::Enter]);
        let answers = form.answers();
        assert_eq!((&*answers.cluster, &*answers.user, &*answers.file), ("prod", "core", "cluster.yaml"));
        let rows: Vec<_> = answers.hosts.iter().map(|row| row.join("|")).collect();
        assert_eq!(rows, ["etcd1|10.0.0.1|etcd", "etcd2||etcd control-plane"]);
        assert_eq!(form.rows.len(), 3);
        // A host is dropped, and with it its row.
        typed(&mut form, &[KeyCode::Up]);
        form.take(&Input::Key(KeyEvent::new(KeyCode::Char('d'), KeyModifiers::CONTROL)));
        assert_eq!(form.answers().hosts.len(), 1);
    }

    #[test]
    fn the_form_fits_a_small_screen() {
        let mut form = Form::new("cluster.yaml");
        typed(&mut form, &words("prod\t\t\t\tetcd1\t10.0.0.1\tetcdd"));
        form.messages = vec!["`roles` cannot be `etcdd`; did you mean `etcd`?".into()];
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal.draw(|frame| form.draw(frame)).unwrap();
        insta::assert_snapshot!(terminal.backend());
    }
}
