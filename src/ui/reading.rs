//! A text in a popup that has to be read to its end before it is agreed to: what of it has been on the screen, and how
//! keys move through it. The rule is the gate's.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use crossterm::event::KeyCode;
use ratatui::text::Line;

use super::hand::{Extent, Hand, Readiness, Shown};
use super::page::Page;
use crate::model::TaskId;

/// The popup's text is one: which task it is about says its content.
const ITSELF: TaskId = TaskId(0);

/// How far a text has been read.
#[derive(Debug, Default)]
pub struct Reading {
    hand: Hand,
    /// Rows scrolled down.
    down: usize,
    /// Rows that were visible when it was drawn last.
    height: usize,
}

/// The part of a text that is drawn.
pub(super) struct Part {
    /// Its rows.
    pub(super) lines: Vec<Line<'static>>,
    /// How many more there are below.
    pub(super) below: usize,
}

impl Reading {
    /// The rows that are drawn in so many columns and lines, and notes that they were; `covered` by another popup they
    /// are not seen.
    pub(super) fn draw(&mut self, at: Duration, page: &Page, (width, height): (u16, u16), covered: bool) -> Part {
        let rows = page.rows(width);
        self.height = usize::from(height);
        let most = rows.len().saturating_sub(self.height);
        self.down = self.down.min(most);
        let visible = self.down..(self.down + self.height).min(rows.len());
        let mut hasher = DefaultHasher::new();
        page.rows(u16::MAX).iter().for_each(|row| row.text.to_string().hash(&mut hasher));
        let lines = rows.last().map_or(0, |row| row.line + 1);
        let ends = (0..lines).map(|line| rows.partition_point(|row| row.line <= line)).collect();
        if covered || visible.is_empty() {
            self.hand.hidden();
        } else {
            let shown = Shown { task: ITSELF, since_seq: 0, content: hasher.finish() };
            self.hand.drawn(at, shown, &Extent { visible: visible.clone(), ends, width });
        }
        Part { lines: rows[visible].iter().map(|row| row.text.clone()).collect(), below: most - self.down }
    }

    /// The frame that was drawn at one moment was written at a later one.
    pub(super) fn written(&mut self, drawn: Duration, written: Duration) {
        self.hand.written(drawn, written);
    }

    /// Whether it has been read, and for how long it has been shown.
    #[must_use]
    pub fn readiness(&self, at: Duration) -> Readiness {
        self.hand.readiness(at, ITSELF)
    }

    /// Whether a key moves through the text; a letter does not where letters are typed.
    pub(super) fn moves(code: KeyCode, typed: bool) -> bool {
        matches!(code, KeyCode::Down | KeyCode::Up | KeyCode::PageDown | KeyCode::PageUp)
            || !typed && matches!(code, KeyCode::Char('j' | 'k' | ' '))
    }

    /// Moves by a row, or by a page of what is visible, a row of which stays.
    pub(super) fn go(&mut self, code: KeyCode) {
        let page = self.height.saturating_sub(1).max(1);
        self.down = match code {
            KeyCode::Down | KeyCode::Char('j') => self.down.saturating_add(1),
            KeyCode::Up | KeyCode::Char('k') => self.down.saturating_sub(1),
            KeyCode::PageUp => self.down.saturating_sub(page),
            _ => self.down.saturating_add(page),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_page_is_what_is_visible_and_its_end_has_to_stand_a_moment() {
        let mut page = Page::default();
        (0..23).for_each(|n| page.code(format!("line {n}")));
        let mut reading = Reading::default();
        let mut seen = std::collections::BTreeSet::new();
        for at in 0..4 {
            let part = reading.draw(ms(at), &page, (40, 8), false);
            seen.extend(part.lines.iter().map(ToString::to_string));
            reading.go(KeyCode::PageDown);
        }
        assert_eq!(seen.len(), 23, "no row was passed over");
        assert_eq!(reading.readiness(ms(399)), Readiness::TooSoon);
        assert!(matches!(reading.readiness(ms(403)), Readiness::Ready(_)));
    }

    #[test]
    fn what_lies_under_another_popup_or_has_no_room_is_not_read() {
        let mut page = Page::default();
        page.code("rm -rf /srv");
        let mut reading = Reading::default();
        reading.draw(ms(0), &page, (40, 0), false);
        assert_eq!(reading.readiness(ms(9_000)), Readiness::Unseen);
        reading.draw(ms(0), &page, (40, 8), true);
        assert_eq!(reading.readiness(ms(9_000)), Readiness::Unseen);
    }
}
