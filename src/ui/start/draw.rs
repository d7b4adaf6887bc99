//! How the start screen looks.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};
use unicode_width::UnicodeWidthStr as _;

use super::super::page::Page as Wrapping;
use super::super::panes::frame as framed;
use super::super::theme::{Meaning, style};
use super::list::Row;
use super::{For, MENU, Page, Start};
use crate::model::Standing;

const KEYS: [(&str, &str); 9] = [
    ("↑ ↓  j k", "move; also the wheel, PgUp and PgDn, g and G"),
    ("Enter", "take what is lit; goes on with an unfinished upgrade"),
    ("Esc", "one step back"),
    ("v", "play the session that is lit, from its journal"),
    ("space", "choose a fault, or let it go"),
    ("/", "show only what has a text in it; Esc shows all again"),
    ("click", "light a row; a second click takes it"),
    ("?", "these keys"),
    ("q  Ctrl-C", "leave"),
];

/// Sign and word of how a session stands.
pub(super) fn standing(standing: &Standing) -> String {
    let sign = match standing {
        Standing::Running { .. } => "▶",
        Standing::Unfinished => "●",
        Standing::Completed => "✓",
        Standing::Unkept => "✗",
        Standing::Aborted => "■",
        Standing::Unreadable { .. } => "?",
    };
    format!("{sign} {}", standing.word())
}

fn meaning(cell: &str) -> Meaning {
    match cell.chars().next() {
        Some('▶') => Meaning::Active,
        Some('●' | '?') => Meaning::Warn,
        Some('✓') => Meaning::Good,
        Some('✗') => Meaning::Bad,
        _ => Meaning::Plain,
    }
}

impl Start {
    /// Draws it over the whole screen.
    pub fn draw(&mut self, frame: &mut Frame<'_>) {
        let area = frame.area();
        if area.width < 40 || area.height < 12 {
            let text = format!("{}x{} is too small: 40x12 at least", area.width, area.height);
            frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
            return;
        }
        self.lines.clear();
        let notice = self.notice.lines().count().clamp(1, 6) as u16;
        let parts = [Constraint::Length(1), Constraint::Min(1), Constraint::Length(notice), Constraint::Length(1)];
        let [head, body, below, keys] = Layout::vertical(parts).areas(area);
        let title = format!(" lockkeeper {} ", env!("CARGO_PKG_VERSION"));
        frame.render_widget(Line::styled(title, style(Meaning::Title)), head);
        let text = Paragraph::new(self.notice.as_str()).style(style(Meaning::Warn));
        frame.render_widget(text, Rect { x: below.x + 1, width: below.width.saturating_sub(1), ..below });
        frame.render_widget(Line::styled(self.hints(), style(Meaning::Quiet)), keys);
        let page = self.shown().page.clone();
        match page {
            Page::Home => self.draw_home(body, frame),
            Page::File(..) | Page::Vars { .. } => draw_field(&page, body, frame),
            _ => {
                let block = self.list_frame(&title_of(&page), 0);
                let inner = block.inner(body);
                frame.render_widget(block, body);
                self.draw_rows(inner, 0, &page, frame);
            }
        }
        if self.help {
            draw_help(body, frame);
        }
    }

    fn hints(&self) -> String {
        let Some(shown) = self.pages.last() else { return String::new() };
        let lit_session = matches!(shown.page, Page::Home) && shown.list.at >= MENU.len();
        match &shown.page {
            _ if shown.list.typing => " Enter keep the filter   Esc show all".into(),
            Page::Home if lit_session => {
                let place = shown.list.at - MENU.len();
                let resume = self.sessions.get(place).is_some_and(crate::model::Summary::resumable);
                let resume = if resume { "Enter resume   " } else { "" };
                format!(" {resume}v replay   / filter   ? help   q leave")
            }
            Page::Home => " Enter choose   ↑↓ move   / filter   ? help   q leave".into(),
            Page::Faults { .. } => " space choose a fault   Enter on `begin` begins   Esc back".into(),
            Page::File(..) => " Enter take this file   Esc back".into(),
            Page::Vars { .. } => " Enter go to the first gate   Ctrl-U clear   Esc back".into(),
            Page::Text { .. } => " ↑↓ PgUp PgDn scroll   / filter   Esc back".into(),
            _ => " Enter choose   ↑↓ move   / filter   Esc back   ? help   q leave".into(),
        }
    }

    /// A frame that says how much of the list is in sight, and what it is filtered by.
    fn list_frame(&mut self, title: &str, before: usize) -> Block<'static> {
        let loading = self.loading && before > 0;
        let list = &self.shown().list;
        let passing = list.passing().len().saturating_sub(before);
        let all = list.rows.len().saturating_sub(before);
        let count = if passing == all { format!("{all}") } else { format!("{passing} of {all}") };
        let more = if loading { "…" } else { "" };
        let mut block = framed(&format!("{title} · {count}{more}"), true);
        if let Some(filter) = &list.filter {
            let cursor = if list.typing { "▏" } else { "" };
            block = block.title_bottom(Span::styled(format!(" /{}{cursor} ", filter.text()), style(Meaning::Active)));
        }
        block
    }

    fn draw_home(&mut self, body: Rect, frame: &mut Frame<'_>) {
        let parts = [Constraint::Length(MENU.len() as u16 + 2), Constraint::Min(3)];
        let [menu, sessions] = Layout::vertical(parts).areas(body);
        let block = framed("Begin", self.shown().list.at < MENU.len());
        let inner = block.inner(menu);
        frame.render_widget(block, menu);
        let at = self.shown().list.at;
        for (row, (name, about)) in MENU.iter().enumerate().take(inner.height as usize) {
            let area = Rect { y: inner.y + row as u16, height: 1, ..inner };
            let line = Line::from(vec![
                Span::styled(format!("{} {name:<20}", mark(row == at)), style(Meaning::Title)),
                Span::styled(fitted(about, (area.width as usize).saturating_sub(22)), style(Meaning::Quiet)),
            ]);
            frame.render_widget(line.style(lit(row == at)), area);
            self.lines.push((area.y, row));
        }
        let block = self.list_frame("Sessions", MENU.len());
        let inner = block.inner(sessions);
        frame.render_widget(block, sessions);
        if self.sessions.is_empty() {
            let text = if self.loading { " …" } else { " none yet: practice makes the first" };
            frame.render_widget(Line::styled(text, style(Meaning::Quiet)), inner);
        }
        self.draw_rows(inner, MENU.len(), &Page::Home, frame);
    }

    /// The rows from `before` on that fit, the lit one among them. Sessions keep to a line each; what describes any other row
    /// goes on below itself.
    fn draw_rows(&mut self, area: Rect, before: usize, page: &Page, frame: &mut Frame<'_>) {
        let height = area.height as usize;
        let list = &mut self.shown().list;
        let passing: Vec<usize> = list.passing().into_iter().filter(|row| *row >= before).collect();
        let place = passing.iter().position(|row| *row == list.at).unwrap_or(0);
        let at = list.at;
        let mut in_sight = 0..passing.len();
        // There may be thousands of sessions: no more are looked at than fit.
        if matches!(page, Page::Home) {
            list.top = scrolled(&vec![1; passing.len()], list.top, place, height);
            in_sight = list.top..passing.len().min(list.top + height);
        }
        let rows: Vec<(usize, Row)> = passing[in_sight].iter().map(|row| (*row, list.rows[*row].clone())).collect();
        let widths = widths(&rows, area.width as usize);
        let mut blocks: Vec<(usize, Vec<Vec<String>>)> =
            rows.iter().map(|(row, content)| (*row, wrapped(&content.cells, &widths, page))).collect();
        if !matches!(page, Page::Home) {
            let heights: Vec<usize> = blocks.iter().map(|(_, lines)| lines.len()).collect();
            list.top = scrolled(&heights, list.top, place, height);
            blocks.drain(..list.top);
        }
        let lines =
            blocks.iter().flat_map(|(row, lines)| lines.iter().enumerate().map(move |(n, cells)| (row, n, cells)));
        for (line, (row, part, cells)) in lines.take(height).enumerate() {
            let area = Rect { y: area.y + line as u16, height: 1, ..area };
            let mut spans = vec![Span::raw(format!("{} ", mark(*row == at && part == 0)))];
            if let Page::Faults { chosen, .. } = page
                && let Some(fault) = row.checked_sub(1)
            {
                spans.push(Span::raw(match part {
                    0 if chosen.contains(&fault) => "[x] ",
                    0 => "[ ] ",
                    _ => "    ",
                }));
            }
            for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                let cell = fitted(cell, *width);
                let gap = " ".repeat(width.saturating_sub(cell.width()) + 2);
                let look = if column == 0 && matches!(page, Page::Home) { meaning(&cell) } else { Meaning::Plain };
                spans.push(Span::styled(cell, style(look)));
                spans.push(Span::raw(gap));
            }
            frame.render_widget(Line::from(spans).style(lit(*row == at)), area);
            self.lines.push((area.y, *row));
        }
    }
}

fn draw_field(page: &Page, body: Rect, frame: &mut Frame<'_>) {
    let (about, field) = match page {
        Page::File(_, field) => ("The path of an inventory:", field),
        Page::Vars { field, .. } if field.text().is_empty() => {
            ("It has all values it needs. Others may be given, as name=value:", field)
        }
        Page::Vars { field, .. } => ("Its variables, as name=value. All that need one are here:", field),
        _ => return,
    };
    let block = framed(&title_of(page), true);
    let inner = block.inner(body);
    frame.render_widget(block, body);
    let row = |line: u16| Rect { x: inner.x + 1, y: inner.y + line, width: inner.width.saturating_sub(2), height: 1 };
    frame.render_widget(Line::styled(about, style(Meaning::Quiet)), row(0));
    frame.render_widget(&*field.0, row(2));
}

/// Where one is: what was chosen so far.
fn title_of(page: &Page) -> String {
    let purpose = |purpose: &For| match purpose {
        For::Monitor => "Monitor",
        For::Status => "Status",
        For::Upgrade => "Upgrade",
    };
    match page {
        Page::Home => String::new(),
        Page::PracticeRunbook => "Practice › which runbook".into(),
        Page::PracticeCluster { runbook } => format!("Practice › {runbook} › on which cluster"),
        Page::Faults { runbook, cluster, .. } => format!("Practice › {runbook} › {cluster} › what goes wrong"),
        Page::Inventory(what) => format!("{} › which inventory", purpose(what)),
        Page::File(what, _) => format!("{} › another file", purpose(what)),
        Page::UpgradeRunbook { inventory } => format!("Upgrade › {} › which runbook", inventory.display()),
        Page::Vars { inventory, runbook, .. } => format!("Upgrade › {} › {runbook}", inventory.display()),
        Page::Shelf => "Runbooks".into(),
        Page::Text { name } => format!("Runbooks › {name}"),
    }
}

/// What is lit can be told without colours.
fn mark(lit: bool) -> &'static str {
    if lit { "▸" } else { " " }
}

fn lit(lit: bool) -> Style {
    style(if lit { Meaning::Selected } else { Meaning::Plain })
}

/// As wide as what is in sight; the last column takes what is left, and the widest gives way first.
fn widths(rows: &[(usize, Row)], room: usize) -> Vec<usize> {
    let columns = rows.iter().map(|(_, row)| row.cells.len()).max().unwrap_or_default();
    let widest = |column: usize| {
        rows.iter().filter_map(|(_, row)| row.cells.get(column)).map(|cell| cell.width()).max().unwrap_or_default()
    };
    let mut widths: Vec<usize> = (0..columns).map(widest).collect();
    let room = room.saturating_sub(2 + 2 * columns.saturating_sub(1));
    while widths.iter().sum::<usize>() > room {
        let Some(widest) = widths.iter_mut().max() else { break };
        *widest -= 1;
    }
    widths
}

/// The lines of a row: what its last cell has no room for goes on below it, but for sessions. Text of a file is not prose.
fn wrapped(cells: &[String], widths: &[usize], page: &Page) -> Vec<Vec<String>> {
    let Some((last, before)) = cells.split_last().filter(|_| !matches!(page, Page::Home)) else {
        return vec![cells.to_vec()];
    };
    let mut text = Wrapping::default();
    match page {
        Page::Text { .. } => text.code(last.clone()),
        _ => text.say(last.clone()),
    }
    let width = widths.get(before.len()).copied().unwrap_or_default();
    let parts = text.rows(width as u16).into_iter().enumerate().map(|(number, part)| {
        let beside = before.iter().map(|cell| if number == 0 { cell.clone() } else { String::new() });
        beside.chain([part.text.to_string().trim_end().to_owned()]).collect()
    });
    parts.collect()
}

/// The first row in sight: where it was, but that the lit one is there as a whole, and no room is left that rows could fill.
fn scrolled(heights: &[usize], top: usize, lit: usize, room: usize) -> usize {
    let mut top = top.min(lit).min(heights.len().saturating_sub(1));
    let mut used: usize = heights.iter().take(lit + 1).skip(top).sum();
    while top < lit && used > room {
        used -= heights[top];
        top += 1;
    }
    let mut used: usize = heights.iter().skip(top).sum();
    while top > 0 && used + heights[top - 1] <= room {
        top -= 1;
        used += heights[top];
    }
    top
}

/// A text in so many columns; what is cut has a sign.
fn fitted(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    for letter in text.chars() {
        if out.width() + letter.to_string().width() >= width {
            break;
        }
        out.push(letter);
    }
    if width > 0 { out + "…" } else { out }
}

fn draw_help(body: Rect, frame: &mut Frame<'_>) {
    let width = body.width.min(70);
    let height = (KEYS.len() as u16 + 2).min(body.height);
    let area = Rect { x: body.x + (body.width - width) / 2, y: body.y + (body.height - height) / 2, width, height };
    let lines: Vec<Line<'_>> = KEYS
        .iter()
        .map(|(key, does)| {
            Line::from(vec![Span::styled(format!(" {key:<11}"), style(Meaning::Title)), Span::raw(*does)])
        })
        .collect();
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(framed("Keys: any key closes", true)), area);
}
