//! A host key that is new here: shown beside the words to compare it at the console, and accepted only by typing the end of
//! its fingerprint, which the screen does not show.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::field::Field;
use super::super::page::Page;
use super::super::theme::{Meaning, style};
use crate::model::HostKey;
use crate::model::hidden::shown;

/// A key that is being compared.
#[derive(Debug)]
pub(in crate::ui) struct Comparing {
    address: String,
    key: HostKey,
    typed: Field,
}

/// What a key press comes to.
pub(in crate::ui) enum Compared {
    /// It goes on; why it was not accepted, if that was asked.
    NotYet(String),
    /// Nothing was accepted.
    Left,
    /// What was typed proves it.
    Same(HostKey),
}

impl Comparing {
    pub(in crate::ui) fn new(address: String, key: HostKey) -> Self {
        Self { address, key, typed: Field::new("") }
    }

    /// From the window of a console: what is pasted cannot have come from this screen.
    pub(in crate::ui) fn paste(&mut self, text: &str) {
        self.typed.paste(text);
    }

    pub(in crate::ui) fn press(&mut self, key: KeyEvent) -> Compared {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => return Compared::Left,
            KeyCode::Char('c') if control => return Compared::Left,
            KeyCode::Enter if self.key.is_proved_by(&self.typed.text()) => return Compared::Same(self.key.clone()),
            KeyCode::Enter if self.typed.text().is_empty() => {
                let most = HostKey::WITHHELD;
                return Compared::NotYet(format!("type the last {most} characters of the fingerprint at the console"));
            }
            KeyCode::Enter => {
                self.typed = Field::new("");
                let why = "it does not end so. Where the console says it does, do not accept it: Esc";
                return Compared::NotYet(why.to_owned());
            }
            _ => self.typed.press(key),
        }
        Compared::NotYet(String::new())
    }

    pub(in crate::ui) fn draw(&self, area: Rect, frame: &mut Frame<'_>) {
        let (key, most) = (&self.key, HostKey::WITHHELD);
        let kind = key.kind.to_uppercase();
        let mut page = Page::default();
        page.say(format!("{} shows a host key that is not known here:", self.address));
        page.code(Line::from(vec![
            Span::styled(format!("  {kind} {}", key.shown()), style(Meaning::Title)),
            Span::styled("·".repeat(most), style(Meaning::Quiet)),
        ]));
        page.text(
            &format!("Its last {most} characters are left out: they have to come from the host."),
            Meaning::Quiet,
        );
        page.say("");
        page.say("1. At the host's console, not through ssh, run:");
        page.code(Line::styled(format!("     {}", key.at_the_console()), style(Meaning::Title)));
        page.say("2. Compare. If it begins otherwise, somebody else answers at this address: Esc.");
        page.say(format!("3. Type the last {most} characters that the console shows, and Enter:"));
        let area = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
        let mut rows = page.rows(area.width);
        // Where there is little room the blank goes before any word does.
        if rows.len() + 1 > usize::from(area.height) {
            rows.retain(|row| row.text.width() > 0);
        }
        let (typed, after) = (rows.len() as u16, rows.len() as u16 + 2);
        for (y, row) in rows.into_iter().enumerate().take(usize::from(area.height.saturating_sub(1))) {
            frame.render_widget(row.text, Rect { y: area.y + y as u16, height: 1, ..area });
        }
        let typed = area.y + typed.min(area.height.saturating_sub(1));
        frame.render_widget(
            &*self.typed.0,
            Rect { x: area.x + 5, y: typed, width: area.width.saturating_sub(5), height: 1 },
        );
        let mut page = Page::default();
        let file = shown(&key.file.display().to_string());
        page.text(&format!("It is added to {file}, under {}, and the host is tried again.", key.place), Meaning::Quiet);
        for (y, row) in (after..area.height).zip(page.rows(area.width)) {
            frame.render_widget(row.text, Rect { y: area.y + y, height: 1, ..area });
        }
    }
}
