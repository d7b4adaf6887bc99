//! The start screen: what there is to go on with and to begin. It starts nothing: it answers with a choice.

mod choice;
mod draw;
mod list;

pub use choice::{Choice, Library};

use super::terminal::{Habits, TerminalError};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEventKind};
use jiff::Timestamp;

use self::list::{List, Row};
use super::field::Field;
use crate::model::event::Mode;
use crate::model::{Standing, Summary};

/// A session for the list, and its place in it. The same place comes again once more is known.
pub type News = (usize, Summary);

/// What an inventory is chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    Monitor,
    Status,
    Upgrade,
}

/// What a page is about.
#[derive(Clone, Debug)]
enum Page {
    Home,
    PracticeRunbook,
    PracticeCluster { runbook: String },
    Faults { runbook: String, cluster: String, chosen: BTreeSet<usize> },
    Inventory(For),
    File(For, Field),
    UpgradeRunbook { inventory: PathBuf },
    Vars { inventory: PathBuf, runbook: String, field: Field },
    Shelf,
    Text { name: String },
}

/// A page and where one is on it.
#[derive(Clone, Debug)]
struct Shown {
    page: Page,
    list: List,
}

/// What Home offers besides sessions: what it is called, and what it is.
const MENU: [(&str, &str); 6] = [
    ("Practice", "a whole upgrade on simulated hosts: nothing can be hurt"),
    ("Connect a cluster", "say where its hosts are; the rest is found out"),
    ("Monitor", "watch the hosts of an inventory, without a way to act"),
    ("Status", "print how they stand, and leave"),
    ("Upgrade", "a runbook on the hosts of an inventory, gate by gate"),
    ("Runbooks", "read what each of them does"),
];

/// The start screen as it stands.
#[derive(Debug)]
pub struct Start {
    /// The page in sight last; the others are behind it.
    pages: Vec<Shown>,
    sessions: Vec<Summary>,
    /// There may be more sessions to come.
    loading: bool,
    help: bool,
    /// Why something could not be done; goes with the next key.
    notice: String,
    /// Which line of the screen shows which row of the page, for clicks.
    lines: Vec<(u16, usize)>,
    now: Timestamp,
}

impl Start {
    /// Home, without sessions yet. Ages are counted to `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        let mut start = Self {
            pages: Vec::new(),
            sessions: Vec::new(),
            loading: true,
            help: false,
            notice: String::new(),
            lines: Vec::new(),
            now,
        };
        start.open(Page::Home, start.home());
        start
    }

    /// Takes a session in.
    pub fn learn(&mut self, (place, summary): News) {
        if place < self.sessions.len() {
            self.sessions[place] = summary;
        } else {
            self.sessions.push(summary);
        }
        let row = self.session_row(&self.sessions[place.min(self.sessions.len() - 1)]);
        let home = &mut self.pages[0].list;
        home.put(MENU.len() + place, row);
        // Whoever has sessions most often wants the last one.
        if home.rows.len() == MENU.len() + 1 && home.at == 0 {
            home.at = MENU.len();
        }
    }

    /// Time goes on, and with it the ages.
    fn tick(&mut self, now: Timestamp) {
        if now.duration_since(self.now) >= AGES {
            self.now = now;
            self.pages[0].list.rows = self.home();
        }
    }

    /// Shows a word on what went before.
    pub fn say(&mut self, text: &str) {
        text.clone_into(&mut self.notice);
    }

    /// All sessions are there.
    pub fn complete(&mut self) {
        self.loading = false;
    }

    fn home(&self) -> Vec<Row> {
        let menu = MENU.iter().map(|(name, about)| Row::fixed([(*name).to_owned(), (*about).to_owned()]));
        menu.chain(self.sessions.iter().map(|summary| self.session_row(summary))).collect()
    }

    fn session_row(&self, summary: &Summary) -> Row {
        let holder = match &summary.standing {
            Standing::Unreadable { why } => why.clone(),
            _ => summary.holder(),
        };
        let practice = if summary.mode == Some(Mode::Practice) { "practice" } else { "" };
        Row::of([
            draw::standing(&summary.standing),
            summary.cluster.clone(),
            summary.runbook.clone(),
            summary.progress(),
            summary.age(self.now),
            if holder.is_empty() { practice.to_owned() } else { holder },
        ])
    }

    fn shown(&mut self) -> &mut Shown {
        // Home is never closed.
        let last = self.pages.len() - 1;
        &mut self.pages[last]
    }

    fn open(&mut self, page: Page, rows: Vec<Row>) {
        self.pages.push(Shown { page, list: List::new(rows) });
    }

    /// Takes in a key, a click or a paste; what the operator wants, once that is clear.
    pub fn take(&mut self, input: &Input, library: &dyn Library) -> Option<Choice> {
        match input {
            Input::Key(key) if key.kind != KeyEventKind::Release => self.press(*key, library),
            Input::Paste(text) => {
                self.paste(text);
                None
            }
            Input::Mouse(mouse) => {
                let list = &mut self.shown().list;
                match mouse.kind {
                    MouseEventKind::ScrollDown => list.step(1),
                    MouseEventKind::ScrollUp => list.step(-1),
                    MouseEventKind::Down(MouseButton::Left) => return self.click(mouse.row, library),
                    _ => {}
                }
                None
            }
            _ => None,
        }
    }

    /// The first click lights a row, the second takes it: a click that misses starts nothing.
    fn click(&mut self, line: u16, library: &dyn Library) -> Option<Choice> {
        let (_, row) = *self.lines.iter().find(|(shown, _)| *shown == line)?;
        let list = &mut self.shown().list;
        if list.at == row {
            return self.enter(library);
        }
        list.at = row;
        None
    }

    /// Into a field, and nowhere else.
    fn paste(&mut self, text: &str) {
        let shown = self.shown();
        let field = match &mut shown.page {
            Page::File(_, field) | Page::Vars { field, .. } => Some(field),
            _ => shown.list.filter.as_mut(),
        };
        match field {
            Some(field) => field.paste(text),
            None => "a paste does nothing here: press the keys".clone_into(&mut self.notice),
        }
        self.shown().list.refilter();
    }

    fn press(&mut self, key: KeyEvent, library: &dyn Library) -> Option<Choice> {
        self.notice.clear();
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && key.code == KeyCode::Char('c') {
            return Some(Choice::Quit);
        }
        if std::mem::take(&mut self.help) {
            return None;
        }
        let shown = self.shown();
        let typing = match &mut shown.page {
            Page::File(_, field) | Page::Vars { field, .. } => Some(field),
            _ => shown.list.filter.as_mut().filter(|_| shown.list.typing),
        };
        match (key.code, typing) {
            (KeyCode::Esc, _) => self.back(),
            (KeyCode::Enter, Some(_)) if shown.list.typing => shown.list.typing = false,
            (KeyCode::Enter, _) => return self.enter(library),
            (KeyCode::Down, _) => shown.list.step(1),
            (KeyCode::Up, _) => shown.list.step(-1),
            (KeyCode::PageDown, _) => shown.list.step(10),
            (KeyCode::PageUp, _) => shown.list.step(-10),
            (_, Some(field)) => {
                field.press(key);
                shown.list.refilter();
            }
            _ if control || key.modifiers.contains(KeyModifiers::ALT) => {}
            (KeyCode::Char('j'), None) => shown.list.step(1),
            (KeyCode::Char('k'), None) => shown.list.step(-1),
            (KeyCode::Home | KeyCode::Char('g'), None) => shown.list.step(isize::MIN / 2),
            (KeyCode::End | KeyCode::Char('G'), None) => shown.list.step(isize::MAX / 2),
            (KeyCode::Char('/'), None) => shown.list.begin_filter(),
            (KeyCode::Char('?'), None) => self.help = true,
            (KeyCode::Char('q'), None) => return Some(Choice::Quit),
            (KeyCode::Char('v'), None) => return self.replay(),
            (KeyCode::Char(' '), None) => self.mark(),
            _ => {}
        }
        None
    }

    /// One step back: a filter goes before a page does, and Home stays.
    fn back(&mut self) {
        let list = &mut self.shown().list;
        if list.filter.is_some() {
            list.end_filter();
        } else if self.pages.len() > 1 {
            self.pages.pop();
        } else {
            "q leaves".clone_into(&mut self.notice);
        }
    }

    /// The session that is lit.
    fn session(&mut self) -> Option<Summary> {
        let shown = self.shown();
        let place = shown.list.at.checked_sub(MENU.len())?;
        let home = matches!(shown.page, Page::Home) && shown.list.lit().is_some();
        self.sessions.get(place).filter(|_| home).cloned()
    }

    fn replay(&mut self) -> Option<Choice> {
        match self.session() {
            Some(Summary { standing: Standing::Unreadable { why }, .. }) => {
                self.notice = format!("this cannot be played: {why}");
                None
            }
            Some(summary) => Some(Choice::Replay(summary.path)),
            None => {
                "v plays the session that is lit".clone_into(&mut self.notice);
                None
            }
        }
    }

    /// A fault is chosen, or no more.
    fn mark(&mut self) {
        let shown = self.shown();
        // The first row begins.
        let Some(place) = shown.list.lit().and_then(|at| at.checked_sub(1)) else { return };
        if let Page::Faults { chosen, .. } = &mut shown.page
            && !chosen.remove(&place)
        {
            chosen.insert(place);
        }
    }

    /// What Enter means on this page.
    fn enter(&mut self, library: &dyn Library) -> Option<Choice> {
        let shown = self.shown();
        let page = shown.page.clone();
        let name = || shown.list.lit().map(|at| shown.list.rows[at].cells[0].clone());
        match page {
            Page::Home => return self.enter_home(library),
            Page::PracticeRunbook => {
                let runbook = name()?;
                let rows = library.clusters(&runbook).into_iter().map(|word| Row::of([word])).collect();
                self.open(Page::PracticeCluster { runbook }, rows);
            }
            Page::PracticeCluster { runbook } => {
                let cluster = name()?;
                let faults = library.faults(&cluster).into_iter().map(|fault| Row::of([fault]));
                let rows = std::iter::once(Row::fixed(["begin".to_owned()])).chain(faults).collect();
                self.open(Page::Faults { runbook, cluster, chosen: BTreeSet::new() }, rows);
            }
            Page::Faults { runbook, cluster, chosen } => {
                if shown.list.lit()? > 0 {
                    self.mark();
                    return None;
                }
                let faults = chosen.iter().map(|place| shown.list.rows[place + 1].cells[0].clone()).collect();
                return self.chosen(Choice::Practice { runbook, cluster, faults }, library);
            }
            Page::Inventory(purpose) => {
                let at = shown.list.lit()?;
                if at + 1 == shown.list.rows.len() {
                    self.open(Page::File(purpose, Field::new("")), Vec::new());
                } else {
                    let inventory = PathBuf::from(name()?);
                    return self.with_inventory(purpose, inventory, library);
                }
            }
            Page::File(purpose, field) => {
                let text = field.text();
                if text.is_empty() {
                    "type the path of an inventory".clone_into(&mut self.notice);
                } else {
                    return self.with_inventory(purpose, PathBuf::from(text), library);
                }
            }
            Page::UpgradeRunbook { inventory } => {
                let runbook = name()?;
                match library.wanted(&inventory, &runbook) {
                    Ok(wanted) => {
                        let field = Field::new(&wanted.iter().map(|name| format!("{name}= ")).collect::<String>());
                        self.open(Page::Vars { inventory, runbook, field }, Vec::new());
                    }
                    Err(why) => self.notice = why,
                }
            }
            Page::Vars { inventory, runbook, field } => match field.variables() {
                Ok(vars) => return self.chosen(Choice::Upgrade { inventory, runbook, vars }, library),
                Err(why) => self.notice = why,
            },
            Page::Shelf => {
                let name = name()?;
                let rows = library.text(&name).lines().map(|line| Row::of([line.to_owned()])).collect();
                self.open(Page::Text { name }, rows);
            }
            Page::Text { .. } => {}
        }
        None
    }

    fn enter_home(&mut self, library: &dyn Library) -> Option<Choice> {
        let runbooks = || library.runbooks().into_iter().map(|(name, title)| Row::of([name, title])).collect();
        match self.shown().list.lit()? {
            0 => self.open(Page::PracticeRunbook, runbooks()),
            1 => return Some(Choice::Connect),
            at @ 2..=4 => {
                let known = library.inventories().into_iter();
                let mut rows: Vec<Row> =
                    known.map(|(path, about)| Row::of([path.display().to_string(), about])).collect();
                rows.push(Row::fixed(["another file".to_owned(), "by its path".to_owned()]));
                self.open(Page::Inventory([For::Monitor, For::Status, For::Upgrade][at - 2]), rows);
            }
            5 => self.open(Page::Shelf, runbooks()),
            _ => {
                let summary = self.session()?;
                match &summary.standing {
                    _ if summary.resumable() => return Some(Choice::Resume(summary.path)),
                    Standing::Running { .. } => {
                        self.notice = format!("{} writes it now; v plays what it has so far", summary.holder());
                    }
                    Standing::Unreadable { why } => self.notice = format!("this cannot be opened: {why}"),
                    Standing::Unfinished => {
                        "its hosts were simulated and are gone with it; v plays it".clone_into(&mut self.notice);
                    }
                    _ => self.notice = format!("it has ended ({}); v plays it", summary.standing.word()),
                }
            }
        }
        None
    }

    fn with_inventory(&mut self, purpose: For, inventory: PathBuf, library: &dyn Library) -> Option<Choice> {
        match purpose {
            For::Monitor => self.chosen(Choice::Monitor(inventory), library),
            For::Status => self.chosen(Choice::Status(inventory), library),
            For::Upgrade => {
                let rows = library.runbooks().into_iter().map(|(name, title)| Row::of([name, title])).collect();
                self.open(Page::UpgradeRunbook { inventory }, rows);
                None
            }
        }
    }

    /// A choice that nothing stands against.
    fn chosen(&mut self, choice: Choice, library: &dyn Library) -> Option<Choice> {
        match library.check(&choice) {
            Ok(()) => Some(choice),
            Err(why) => {
                self.notice = why;
                None
            }
        }
    }
}

/// How long the first frame waits for the sessions that it would show.
const FIRST: Duration = Duration::from_millis(8);

/// How much is taken in between two frames.
const BETWEEN: Duration = Duration::from_millis(20);

/// How often the ages are told anew.
const AGES: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);

/// Shows the screen on the terminal until something is chosen.
///
/// # Errors
/// When the terminal does not work.
pub fn choose(
    start: &mut Start,
    habits: Habits,
    library: &dyn Library,
    news: &Receiver<News>,
) -> Result<Choice, TerminalError> {
    super::screen::with(habits, |terminal| {
        let patience = Instant::now() + FIRST;
        while let Ok(one) = news.recv_timeout(patience.saturating_duration_since(Instant::now())) {
            start.learn(one);
        }
        loop {
            start.tick(Timestamp::now());
            terminal.draw(|frame| start.draw(frame))?;
            let pause = Duration::from_millis(if start.loading { 20 } else { 1000 });
            if crossterm::event::poll(pause)?
                && let Some(choice) = start.take(&crossterm::event::read()?, library)
            {
                return Ok(choice);
            }
            let drawn = Instant::now();
            while start.loading && drawn.elapsed() < BETWEEN {
                match news.try_recv() {
                    Ok(one) => start.learn(one),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => start.complete(),
                }
            }
        }
    })
}
