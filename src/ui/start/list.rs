//! Rows with one of them lit, and a filter.

use super::super::field::Field;

/// A row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) cells: Vec<String>,
    /// It stays whatever is filtered for.
    fixed: bool,
}

impl Row {
    pub(super) fn of<const N: usize>(cells: [String; N]) -> Self {
        Self { cells: cells.into(), fixed: false }
    }

    pub(super) fn fixed<const N: usize>(cells: [String; N]) -> Self {
        Self { cells: cells.into(), fixed: true }
    }

    fn has(&self, text: &str) -> bool {
        self.fixed || self.cells.iter().any(|cell| cell.to_lowercase().contains(text))
    }
}

/// Rows, and where one is among them.
#[derive(Clone, Debug)]
pub(super) struct List {
    pub(super) rows: Vec<Row>,
    /// The row that is lit; beyond the last where none is.
    pub(super) at: usize,
    /// The first row in sight, counted among those that pass the filter.
    pub(super) top: usize,
    pub(super) filter: Option<Field>,
    /// Keys go into the filter.
    pub(super) typing: bool,
}

impl List {
    pub(super) fn new(rows: Vec<Row>) -> Self {
        Self { rows, at: 0, top: 0, filter: None, typing: false }
    }

    /// The rows that pass the filter.
    pub(super) fn passing(&self) -> Vec<usize> {
        let text = self.filter.as_ref().map(|field| field.text().to_lowercase()).unwrap_or_default();
        (0..self.rows.len()).filter(|row| text.is_empty() || self.rows[*row].has(&text)).collect()
    }

    /// The row that is lit, if it is in sight at all.
    pub(super) fn lit(&self) -> Option<usize> {
        self.passing().contains(&self.at).then_some(self.at)
    }

    /// So many rows on, or back.
    pub(super) fn step(&mut self, by: isize) {
        let passing = self.passing();
        let Some(last) = passing.len().checked_sub(1) else { return };
        let place = passing.iter().position(|row| *row >= self.at).unwrap_or(last);
        self.at = passing[place.saturating_add_signed(by).min(last)];
    }

    /// A row in its place, which is at most one after the last.
    pub(super) fn put(&mut self, place: usize, row: Row) {
        match self.rows.get_mut(place) {
            Some(known) => *known = row,
            None => self.rows.push(row),
        }
    }

    pub(super) fn begin_filter(&mut self) {
        self.filter.get_or_insert_with(|| Field::new(""));
        self.typing = true;
    }

    pub(super) fn end_filter(&mut self) {
        (self.filter, self.typing) = (None, false);
        self.at = self.at.min(self.rows.len().saturating_sub(1));
    }

    /// Lights the first row that was looked for; where there is none, nothing is lit.
    pub(super) fn refilter(&mut self) {
        if self.filter.is_none() {
            return;
        }
        let passing = self.passing();
        let wanted = passing.iter().find(|row| !self.rows[**row].fixed);
        self.at = wanted.copied().unwrap_or(usize::MAX);
    }
}
