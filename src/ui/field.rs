//! A line to type in.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_textarea::{CursorMove, TextArea};

/// A line of text with a cursor.
#[derive(Clone, Debug)]
pub(super) struct Field(pub(super) Box<TextArea<'static>>);

impl Field {
    /// With this text in it, the cursor where the first value is missing, or at the end.
    pub(super) fn new(text: &str) -> Self {
        let mut area = TextArea::new(vec![text.to_owned()]);
        area.set_cursor_line_style(ratatui::style::Style::new());
        match text.find("= ") {
            Some(at) => area.move_cursor(CursorMove::Jump(0, text[..=at].chars().count() as u16)),
            None => area.move_cursor(CursorMove::End),
        }
        Self(Box::new(area))
    }

    /// What stands in it.
    pub(super) fn text(&self) -> String {
        self.0.lines().join(" ").trim().to_owned()
    }

    /// As shells have it: Ctrl-U clears to the start of the line.
    pub(super) fn press(&mut self, key: KeyEvent) {
        if key.code == KeyCode::Char('u') && key.modifiers.contains(KeyModifiers::CONTROL) {
            self.0.delete_line_by_head();
        } else if key.code != KeyCode::Enter {
            self.0.input(key);
        }
    }

    /// A paste is one line here, without what a terminal would obey.
    pub(super) fn paste(&mut self, text: &str) {
        let line = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
        self.0.insert_str(crate::model::logtail::clean(&line));
    }

    /// `name=value` each, quoted as in a shell where a value has blanks.
    pub(super) fn variables(&self) -> Result<Vec<(String, String)>, String> {
        let words = shlex::split(&self.text()).ok_or("a quote is not closed")?;
        let pairs = words.iter().map(|word| match word.split_once('=') {
            Some((name, "")) => Err(format!("`{name}` has no value yet")),
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
            _ => Err(format!("`{word}` is not of the form name=value")),
        });
        pairs.collect()
    }
}
