//! A host's log: wrapped, followed or held where it is read, with what is searched for marked and counted.

use std::collections::HashMap;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::frame as framed;
use crate::model::logtail::{LineKind, LogLine, LogTail};
use crate::model::{HostName, State};
use crate::ui::look::Look;
use crate::ui::mouse::Spot;
use crate::ui::page::{cut, wrap_code};
use crate::ui::theme::{Meaning, Sign, sign, style};
use crate::ui::view::{Pane, Tiles, UiState};

/// Where each host's log stands, and what is looked for in all of them.
#[derive(Debug, Default)]
pub struct Logs {
    places: HashMap<HostName, Place>,
    /// The text that is looked for.
    pub search: String,
}

/// A row of a log: a line, counted from the first there ever was, and a row of it.
type At = (u64, usize);

/// Where one log stands.
#[derive(Clone, Debug, Default)]
struct Place {
    /// The row at the top; nothing follows the end.
    top: Option<At>,
    /// What was at the top when it was drawn last, and how many columns and rows there were.
    drawn: (At, u16, u16),
    /// The hit that was gone to last.
    hit: Option<u64>,
    hits: Hits,
}

/// Lines with what is looked for, found once each.
#[derive(Clone, Debug, Default)]
struct Hits {
    search: String,
    /// Lines before this one were looked at.
    upto: u64,
    lines: Vec<u64>,
}

impl Hits {
    /// Takes in what is new. The last line may still grow: it is looked at again.
    fn update(&mut self, log: &LogTail, search: &str) {
        if self.search != search {
            *self = Self { search: search.to_owned(), ..Self::default() };
        }
        if search.is_empty() {
            return;
        }
        let first = log.dropped();
        self.lines.retain(|line| *line >= first && *line < self.upto);
        for number in self.upto.max(first)..first + log.lines().len() as u64 {
            if !marks(&log.lines()[(number - first) as usize].text, search).is_empty() {
                self.lines.push(number);
            }
        }
        self.upto = (first + log.lines().len() as u64).saturating_sub(1).max(self.upto.min(first));
    }
}

impl Logs {
    /// Moves a log by rows, down or up. At the end it follows again.
    pub(in crate::ui) fn scroll(&mut self, name: &HostName, log: &LogTail, by: i64) {
        let place = self.places.entry(name.clone()).or_default();
        let ((line, row), width, height) = place.drawn;
        let text = Text { log, width, search: "" };
        let top = text.moved((line, row), by);
        place.top = Some(top).filter(|top| *top < text.last_top(height));
    }

    /// To the beginning of a log, or back to its end.
    pub(in crate::ui) fn leap(&mut self, name: &HostName, log: &LogTail, to_end: bool) {
        let place = self.places.entry(name.clone()).or_default();
        place.top = (!to_end).then_some((log.dropped(), 0));
    }

    /// To the next hit, or the one before, and whether that was from one end of the log to the other; where there is none,
    /// why not.
    pub(in crate::ui) fn next_hit(&mut self, name: &HostName, log: &LogTail, forward: bool) -> Result<bool, String> {
        if self.search.is_empty() {
            return Err("search for something first: /".into());
        }
        let place = self.places.entry(name.clone()).or_default();
        place.hits.update(log, &self.search);
        let (top, _, height) = place.drawn;
        let hits = &place.hits.lines;
        let from = place.hit.unwrap_or(if forward { top.0 } else { u64::MAX });
        let begun = place.hit.is_some();
        let next = if forward {
            hits.iter().copied().find(|hit| if begun { *hit > from } else { *hit >= from })
        } else {
            hits.iter().copied().rev().find(|hit| *hit < from)
        };
        let round = || if forward { hits.first() } else { hits.last() }.copied();
        let Some(hit) = next.or_else(round) else {
            return Err(format!("`{}` is not in this log", self.search));
        };
        place.hit = Some(hit);
        place.top = Some((hit.saturating_sub(u64::from(height / 3)).max(log.dropped()), 0));
        Ok(next.is_none())
    }

    /// Looks for another text, from the end backwards; whether it is there at all is seen in the heading.
    pub(in crate::ui) fn look_for(&mut self, name: &HostName, log: &LogTail, search: &str) {
        search.clone_into(&mut self.search);
        for place in self.places.values_mut() {
            place.hit = None;
        }
        if self.next_hit(name, log, false).is_err() {
            self.leap(name, log, true);
        }
    }
}

/// A log as rows of a width.
struct Text<'l> {
    log: &'l LogTail,
    width: u16,
    search: &'l str,
}

impl Text<'_> {
    fn first(&self) -> u64 {
        self.log.dropped()
    }

    fn end(&self) -> u64 {
        self.first() + self.log.lines().len() as u64
    }

    fn rows(&self, line: u64) -> Vec<Line<'static>> {
        let line = line.checked_sub(self.first()).and_then(|at| self.log.lines().get(at as usize));
        line.map(|line| wrap_code(&rendered(line, self.search), self.width)).unwrap_or_default()
    }

    /// So many rows further down, or up.
    fn moved(&self, (mut line, mut row): At, by: i64) -> At {
        if line < self.first() {
            (line, row) = (self.first(), 0);
        }
        let mut left = by.unsigned_abs() as usize;
        if by >= 0 {
            while left > 0 && line < self.end() {
                let here = self.rows(line).len().saturating_sub(row);
                if left < here {
                    return (line, row + left);
                }
                left -= here;
                (line, row) = (line + 1, 0);
            }
        } else {
            while left > 0 {
                if left <= row {
                    return (line, row - left);
                }
                left -= row;
                if line == self.first() {
                    return (line, 0);
                }
                line -= 1;
                row = self.rows(line).len();
            }
        }
        (line, row)
    }

    /// The row at the top when the end is at the bottom.
    fn last_top(&self, height: u16) -> At {
        self.moved((self.end(), 0), -i64::from(height))
    }

    /// The lines whose end is below a window of that height. A line may take many rows.
    fn below(&self, top: At, height: u16) -> u64 {
        self.end().saturating_sub(self.moved(top, i64::from(height)).0)
    }

    /// The rows from a place on.
    fn from(&self, (line, row): At, height: u16) -> Vec<Line<'static>> {
        let lines = (line..self.end()).flat_map(|number| {
            let skip = if number == line { row } else { 0 };
            self.rows(number).into_iter().skip(skip)
        });
        lines.take(usize::from(height)).collect()
    }
}

/// Draws the log of the lit host, or one for each host at work.
pub fn draw(state: &State, ui: &mut UiState, look: &Look, frame: &mut Frame<'_>, area: Rect) {
    let hosts = tiles(state, ui, look);
    let focused = ui.focus == Pane::Log;
    // As many beside each other as are wide enough to be read, and as many above each other as show five lines.
    let across = usize::from(area.width / 60).clamp(1, hosts.len().max(1)).min(4);
    let down = usize::from(area.height / 7).max(1);
    let shown = &hosts[..hosts.len().min(across * down)];
    let missing = hosts.len() - shown.len();
    let lines: Vec<&[HostName]> = shown.chunks(across).collect();
    let areas = Layout::vertical(vec![Constraint::Fill(1); lines.len().max(1)]).split(area);
    for (line, place) in lines.iter().zip(areas.iter()) {
        let cells = Layout::horizontal(vec![Constraint::Fill(1); line.len()]).split(*place);
        for (name, cell) in line.iter().zip(cells.iter()) {
            let more = if *name == shown[shown.len() - 1] { missing } else { 0 };
            one(state, ui, name, focused && Some(name) == look.host.as_ref(), more, frame, *cell);
        }
    }
    ui.spots.add(area, Spot::Pane(Pane::Log));
}

/// Whose logs are shown.
fn tiles(state: &State, ui: &UiState, look: &Look) -> Vec<HostName> {
    let all = || state.hosts.keys().cloned();
    let mut hosts: Vec<HostName> = match ui.tiles {
        Tiles::Lit => Vec::new(),
        Tiles::AtWork => {
            let plan = state.plan.as_ref();
            let busy: Vec<_> = state.under_way().filter_map(|id| plan.map(|plan| plan.task(id).host.clone())).collect();
            all().filter(|host| busy.contains(host)).collect()
        }
        Tiles::All => all().collect(),
    };
    if hosts.is_empty() {
        hosts.extend(look.host.clone());
    }
    hosts
}

fn one(
    state: &State,
    ui: &mut UiState,
    name: &HostName,
    focused: bool,
    more: usize,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let Some(host) = state.host(name) else { return };
    let place = ui.logs.places.entry(name.clone()).or_default();
    place.hits.update(&host.log, &ui.logs.search);
    let (width, height) = (area.width.saturating_sub(2), area.height.saturating_sub(2));
    let text = Text { log: &host.log, width, search: &ui.logs.search };
    let end = text.last_top(height);
    // What was read and is gone by now gives way to the oldest that is there.
    place.top = place.top.map(|top| top.max((text.first(), 0))).filter(|top| *top < end);
    let top = place.top.unwrap_or(end);
    place.drawn = (top, width, height);
    let below = text.below(top, height);
    let mut title = format!("Log · {name}");
    title += &match below {
        _ if place.top.is_none() => " · following".to_owned(),
        1 => " · 1 line below, End follows".to_owned(),
        _ => format!(" · {below} lines below, End follows"),
    };
    if host.log.dropped() > 0 {
        title += &format!(" · {} older lines in the journal", host.log.dropped());
    }
    if !ui.logs.search.is_empty() {
        let hits = &place.hits.lines;
        let at =
            place.hit.and_then(|hit| hits.iter().position(|line| *line == hit)).map(|at| format!("{} of ", at + 1));
        title += &format!(" · `{}` in {}{} lines", ui.logs.search, at.unwrap_or_default(), hits.len());
    }
    if more > 0 {
        title += &format!(" · {more} more {} not shown", if more == 1 { "host" } else { "hosts" });
    }
    let rows = text.from(top, height);
    let block = framed(&cut(&title, usize::from(width.saturating_sub(2))), focused);
    frame.render_widget(Paragraph::new(rows).block(block), area);
}

/// Where a text stands in a line, in characters; large and small letters are the same.
fn marks(text: &str, search: &str) -> Vec<std::ops::Range<usize>> {
    let fold = |c: char| c.to_lowercase().next().unwrap_or(c);
    let wanted: Vec<char> = search.chars().map(fold).collect();
    let there: Vec<char> = text.chars().map(fold).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while !wanted.is_empty() && at + wanted.len() <= there.len() {
        if there[at..at + wanted.len()] == wanted[..] {
            found.push(at..at + wanted.len());
            at += wanted.len();
        } else {
            at += 1;
        }
    }
    found
}

fn rendered(line: &LogLine, search: &str) -> Line<'static> {
    let (meaning, mark) = match line.kind {
        LineKind::Output => (Meaning::Plain, "  "),
        LineKind::Wizard => (Meaning::Active, "» "),
        LineKind::Trouble => (Meaning::Bad, "! "),
    };
    let mut spans = vec![
        Span::styled(line.at.strftime("%H:%M:%S ").to_string(), style(Meaning::Quiet)),
        Span::styled(mark, style(meaning)),
    ];
    let chars: Vec<char> = line.text.chars().collect();
    let mut at = 0;
    for mark in marks(&line.text, search) {
        spans.push(Span::styled(chars[at..mark.start].iter().collect::<String>(), style(meaning)));
        at = mark.end;
        spans.push(Span::styled(chars[mark].iter().collect::<String>(), style(Meaning::Match)));
    }
    spans.push(Span::styled(chars[at..].iter().collect::<String>(), style(meaning)));
    let _ = (Sign::More, sign);
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn log(lines: usize) -> LogTail {
        let mut log = LogTail::default();
        for n in 0..lines {
            log.say(
                Timestamp::UNIX_EPOCH,
                LineKind::Wizard,
                &format!("line {n} {}", if n % 10 == 0 { "TEN" } else { "" }),
            );
        }
        log
    }

    fn drawn(logs: &mut Logs, log: &LogTail) -> At {
        let place = logs.places.entry("a".into()).or_default();
        let text = Text { log, width: 40, search: "" };
        let end = text.last_top(10);
        place.top = place.top.filter(|top| *top < end);
        place.drawn = (place.top.unwrap_or(end), 40, 10);
        place.drawn.0
    }

    #[test]
    fn what_is_read_stays_while_lines_arrive() {
        let (mut logs, mut tail) = (Logs::default(), log(100));
        assert_eq!(drawn(&mut logs, &tail), (90, 0));
        logs.scroll(&"a".into(), &tail, -20);
        assert_eq!(drawn(&mut logs, &tail), (70, 0));
        for _ in 0..LogTail::KEPT {
            tail.say(Timestamp::UNIX_EPOCH, LineKind::Output, "new");
        }
        logs.scroll(&"a".into(), &tail, -1);
        assert_eq!(drawn(&mut logs, &tail), (tail.dropped(), 0), "what was dropped gives way to the oldest");
    }

    #[test]
    fn up_and_down_again_is_where_one_was_and_the_end_follows() {
        let (mut logs, tail) = (Logs::default(), log(50));
        drawn(&mut logs, &tail);
        logs.leap(&"a".into(), &tail, false);
        assert_eq!(drawn(&mut logs, &tail), (0, 0));
        logs.scroll(&"a".into(), &tail, 3);
        assert_eq!(drawn(&mut logs, &tail), (3, 0), "down acts at once");
        logs.scroll(&"a".into(), &tail, 1_000);
        assert_eq!(logs.places["a"].top, None, "the end follows");
    }

    #[test]
    fn hits_are_counted_gone_to_and_told_where_there_are_no_more() {
        let (mut logs, tail) = (Logs::default(), log(100));
        drawn(&mut logs, &tail);
        logs.look_for(&"a".into(), &tail, "ten");
        assert_eq!(logs.places["a"].hits.lines.len(), 10);
        assert_eq!(logs.places["a"].hit, Some(90), "the newest comes first");
        logs.next_hit(&"a".into(), &tail, false).expect("there is one above");
        assert_eq!(logs.places["a"].hit, Some(80));
        logs.next_hit(&"a".into(), &tail, true).expect("there is one below");
        assert_eq!(logs.next_hit(&"a".into(), &tail, true), Ok(true), "from the last to the first, and it says so");
        assert_eq!(logs.places["a"].hit, Some(0));
        assert_eq!(logs.next_hit(&"a".into(), &tail, false), Ok(true));
        assert_eq!(logs.places["a"].hit, Some(90));
        logs.look_for(&"a".into(), &tail, "eleven");
        assert!(logs.next_hit(&"a".into(), &tail, true).is_err());
    }

    #[test]
    fn a_line_whose_last_row_is_hidden_is_below() {
        let mut tail = log(10);
        tail.say(Timestamp::UNIX_EPOCH, LineKind::Wizard, &"long ".repeat(20));
        let text = Text { log: &tail, width: 40, search: "" };
        assert_eq!((text.below((0, 0), 10), text.below((0, 0), 11), text.below(text.last_top(10), 10)), (1, 1, 0));
    }

    #[test]
    fn hits_are_found_once_each_while_the_log_grows() {
        let (mut hits, mut tail) = (Hits::default(), log(15));
        hits.update(&tail, "ten");
        tail.output(Timestamp::UNIX_EPOCH, "a t");
        hits.update(&tail, "ten");
        assert_eq!(hits.lines, [0, 10]);
        tail.output(Timestamp::UNIX_EPOCH, "en\nmore\n");
        hits.update(&tail, "ten");
        hits.update(&tail, "ten");
        assert_eq!(hits.lines, [0, 10, 15]);
    }

    #[test]
    fn marks_do_not_care_for_case() {
        assert_eq!(marks("Exit status 1, exit", "EXIT"), [0..4, 15..19]);
        assert!(marks("abc", "").is_empty());
    }
}
