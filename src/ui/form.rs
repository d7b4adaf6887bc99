//! The guided inventory: some words about how hosts are reached, a line of hosts, and what was found on each while the next
//! was typed. It connects to nobody itself: it says what is due and is told what came of it.

mod answers;
mod draw;
mod hosts;
pub(super) mod key;

pub use self::answers::{Answers, Attempt, HostAnswer, NotSeen, Proposal, Tried};

use super::terminal::{Habits, TerminalError};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use self::hosts::Target;
use self::key::{Compared, Comparing};
use super::field::Field;
use super::hand::SHOWN_FOR;
use crate::model::HostKey;
use crate::model::inventory::Role;

/// The fields, from the top: what each is called, and what it means.
const FIELDS: [(&str, &str); 7] = [
    ("Cluster", "what it is called"),
    ("Log in as", "empty: whatever ssh does"),
    ("Port", "empty: whatever ssh does (22)"),
    ("Key", "a file; empty: whatever ssh does"),
    ("Jump host", "empty: none"),
    ("Hosts", ""),
    ("Write to", ""),
];
const CLUSTER: usize = 0;
const USER: usize = 1;
const PORT: usize = 2;
const KEY: usize = 3;
const JUMP: usize = 4;
const HOSTS: usize = 5;
const FILE: usize = 6;

/// How a key leaves the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Still there.
    No,
    /// Write it; `over` what is there already, where the operator said so.
    Write {
        /// What stands there may be lost.
        over: bool,
    },
    /// Without writing anything.
    Without,
}

/// Why nothing was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotWritten {
    /// There is such a file already.
    Exists,
    /// For another reason.
    Because(String),
}

/// Who tries hosts and writes files for the form.
pub trait Prober {
    /// Begins an attempt; what comes of it is told by `news`.
    fn begin(&mut self, attempt: &Attempt);
    /// What has come of attempts since it was asked last.
    fn news(&mut self) -> Vec<(Attempt, Result<Proposal, NotSeen>)>;
    /// Puts a key that was compared among those that are known.
    ///
    /// # Errors
    /// Why it could not be kept.
    fn trust(&mut self, key: &HostKey) -> Result<(), String>;
    /// What is wrong with the file of a private key, if anything is.
    fn key(&self, path: &str) -> Option<String>;
    /// Writes the inventory.
    ///
    /// # Errors
    /// Why it was not written.
    fn write(&mut self, answers: &Answers, over: bool) -> Result<(), NotWritten>;
}

/// A question that stands before everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Leave,
    Over,
}

/// The form as it stands.
#[derive(Debug)]
pub struct Form {
    fields: [Field; 7],
    /// Which field the keys go to, or which host beyond them.
    at: usize,
    tried: HashMap<Attempt, Tried>,
    /// Roles that the operator has set, by address.
    corrected: BTreeMap<String, BTreeSet<Role>>,
    asked: Option<Asked>,
    /// When the question was first on the screen, by the form's own clock.
    asked_at: Option<Duration>,
    /// The form's own clock, counted from when it was opened.
    clock: Duration,
    /// A new key that is being compared; it stands before everything else too.
    comparing: Option<Comparing>,
    /// Keys that were compared, and are not kept yet.
    accepted: Vec<HostKey>,
    /// Something was typed that leaving would lose.
    touched: bool,
    key_wrong: Option<String>,
    notice: String,
}

impl Form {
    /// An empty form that would be written to a file.
    #[must_use]
    pub fn new(file: &str) -> Self {
        Self {
            fields: ["", "", "", "", "", "", file].map(Field::new),
            at: 0,
            tried: HashMap::new(),
            corrected: BTreeMap::new(),
            asked: None,
            asked_at: None,
            clock: Duration::ZERO,
            comparing: None,
            accepted: Vec::new(),
            touched: false,
            key_wrong: None,
            notice: String::new(),
        }
    }

    fn text(&self, field: usize) -> String {
        self.fields[field].text()
    }

    fn targets(&self) -> (Vec<Target>, Option<String>) {
        hosts::parse(&self.fields[HOSTS].0.lines().join(" "), self.at == HOSTS)
    }

    fn attempt(&self, address: &str) -> Attempt {
        let [user, port, key, jump] = [USER, PORT, KEY, JUMP].map(|field| self.text(field));
        Attempt { address: address.to_owned(), user, port, key, jump }
    }

    /// What is wrong with a field.
    fn wrong(&self, field: usize) -> Option<String> {
        let text = self.text(field);
        match field {
            // Nobody has to have begun at the top.
            CLUSTER if text.is_empty() && self.at == CLUSTER => None,
            CLUSTER => hosts::cluster(&text).err(),
            USER => hosts::user(&text).err(),
            PORT => hosts::port(&text).err(),
            KEY => self.key_wrong.clone().filter(|_| !text.is_empty()),
            JUMP => hosts::jump(&text).err(),
            HOSTS => self.targets().1,
            _ => text.is_empty().then(|| "say which file to write".into()),
        }
    }

    /// Hosts that are complete, could be reached with what is filled in, and have not been tried so. They count as begun.
    pub fn due(&mut self) -> Vec<Attempt> {
        let typing_access = (USER..=JUMP).contains(&self.at);
        if typing_access || (USER..=JUMP).any(|field| self.wrong(field).is_some()) {
            return Vec::new();
        }
        let complete = self.targets().0.into_iter().filter(|target| target.closed);
        let due: Vec<Attempt> = complete
            .map(|target| self.attempt(&target.address))
            .filter(|attempt| !self.tried.contains_key(attempt))
            .collect();
        self.tried.extend(due.iter().map(|attempt| (attempt.clone(), Tried::Trying)));
        due
    }

    /// Takes in what came of an attempt.
    pub fn learn(&mut self, attempt: Attempt, result: Result<Proposal, NotSeen>) {
        let tried = match result {
            Ok(found) => Tried::Found(Box::new(found)),
            Err(NotSeen::NewKey(key)) => Tried::NewKey(key),
            Err(NotSeen::Because(why)) => Tried::Failed(why),
        };
        self.tried.insert(attempt, tried);
    }

    /// Keys that were compared since this was asked last, and are to be kept.
    pub fn accepted(&mut self) -> Vec<HostKey> {
        std::mem::take(&mut self.accepted)
    }

    /// Takes in whether a key is kept: then its host is due again, whichever way it was tried.
    pub fn trusted(&mut self, key: &HostKey, result: Result<(), String>) {
        self.notice = match result {
            Ok(()) => {
                self.tried.retain(|_, tried| !matches!(tried, Tried::NewKey(new) if new.place == key.place));
                format!("{} is known now, and tried again", key.place)
            }
            Err(why) => why,
        };
    }

    /// Takes in what is wrong with the private key's file.
    pub fn judge_key(&mut self, wrong: Option<String>) {
        self.key_wrong = wrong;
    }

    /// What was filled in and found so far.
    #[must_use]
    pub fn answers(&self) -> Answers {
        let mut hosts: Vec<HostAnswer> = Vec::new();
        for target in self.targets().0 {
            let tried = self.tried.get(&self.attempt(&target.address)).cloned();
            let found = match &tried {
                Some(Tried::Found(found)) => Some(&**found),
                _ => None,
            };
            let mut name = proposed_name(&target, found);
            if hosts.iter().any(|host| host.name == name) {
                name = target.address.replace(':', "-");
            }
            let said = self.corrected.get(&target.address).filter(|roles| !roles.is_empty());
            let seen = found.map(|found| &found.roles).filter(|roles| !roles.is_empty());
            let roles = said.or(seen).cloned().unwrap_or_else(|| guess(&name));
            let guessed = said.is_none() && seen.is_none();
            hosts.push(HostAnswer { name, address: target.address, roles, guessed, tried });
        }
        Answers {
            cluster: self.text(CLUSTER),
            user: self.text(USER),
            port: self.text(PORT),
            key: self.text(KEY),
            jump: self.text(JUMP),
            file: self.text(FILE),
            hosts,
        }
    }

    /// A frame was drawn, at this time of the form's own clock: what is asked has been on the screen since.
    pub fn drawn(&mut self, at: Duration) {
        self.clock = at;
        match self.asked {
            Some(_) => _ = self.asked_at.get_or_insert(at),
            None => self.asked_at = None,
        }
    }

    /// Takes in a key, or what was pasted, at a time of the form's own clock.
    pub fn take_at(&mut self, at: Duration, input: &Input) -> Left {
        self.clock = at;
        self.take(input)
    }

    /// Takes in a key, or what was pasted.
    pub fn take(&mut self, input: &Input) -> Left {
        match input {
            Input::Key(key) if key.kind != KeyEventKind::Release => return self.press(*key),
            Input::Paste(text) if self.comparing.is_some() => self.comparing.iter_mut().for_each(|key| key.paste(text)),
            Input::Paste(text) if self.at < FIELDS.len() && self.asked.is_none() => {
                self.fields[self.at].paste(text);
                self.touched = true;
            }
            Input::Paste(_) => "a paste goes into a field only".clone_into(&mut self.notice),
            _ => {}
        }
        Left::No
    }

    fn press(&mut self, key: KeyEvent) -> Left {
        self.notice.clear();
        if let Some(comparing) = &mut self.comparing {
            match comparing.press(key) {
                Compared::NotYet(why) => self.notice = why,
                Compared::Left => self.comparing = None,
                Compared::Same(key) => {
                    self.accepted.push(key);
                    self.comparing = None;
                }
            }
            return Left::No;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let leaves = key.code == KeyCode::Esc || control && key.code == KeyCode::Char('c');
        if let Some(asked) = self.asked.take() {
            let yes = matches!(key.code, KeyCode::Char('y' | 'Y')) && !control;
            let shown = self.asked_at.is_some_and(|at| self.clock.saturating_sub(at) >= SHOWN_FOR);
            if asked == Asked::Over && yes && !shown {
                self.asked = Some(asked);
                "that was fast: read this, then press y again".clone_into(&mut self.notice);
                return Left::No;
            }
            return match asked {
                Asked::Leave if yes || leaves && control => Left::Without,
                Asked::Over if yes => Left::Write { over: true },
                Asked::Leave | Asked::Over => Left::No,
            };
        }
        if leaves {
            if !self.touched {
                return Left::Without;
            }
            self.asked = Some(Asked::Leave);
            return Left::No;
        }
        let last = FIELDS.len() + self.targets().0.len() - 1;
        match key.code {
            KeyCode::Char('s') if control => return self.write(),
            KeyCode::Enter if self.at == FILE => return self.write(),
            KeyCode::Tab | KeyCode::Enter => self.at = if self.at < last { self.at + 1 } else { 0 },
            KeyCode::BackTab => self.at = self.at.checked_sub(1).unwrap_or(last),
            KeyCode::Down => self.at = (self.at + 1).min(last),
            KeyCode::Up => self.at = self.at.saturating_sub(1),
            _ if self.at < FIELDS.len() => {
                self.fields[self.at].press(key);
                self.touched = true;
            }
            KeyCode::Char(letter) if !control => self.on_host(letter),
            _ => {}
        }
        self.at = self.at.min(FIELDS.len() + self.targets().0.len() - 1);
        Left::No
    }

    /// A key on the host that is lit: its roles, or another attempt.
    fn on_host(&mut self, letter: char) {
        let Some(host) = self.answers().hosts.into_iter().nth(self.at - FIELDS.len()) else { return };
        let role = match letter {
            'e' => Role::Etcd,
            'c' => Role::ControlPlane,
            'w' => Role::Worker,
            'b' => Role::Build,
            'r' => {
                let attempt = self.attempt(&host.address);
                self.tried.remove(&attempt);
                return;
            }
            'k' => {
                match host.tried {
                    Some(Tried::NewKey(key)) => self.comparing = Some(Comparing::new(host.address, *key)),
                    _ => self.notice = format!("k compares a host key that is new here; {} shows none", host.name),
                }
                return;
            }
            _ => return,
        };
        // What the operator says takes the place of a guess.
        let mut roles = if host.guessed { BTreeSet::new() } else { host.roles };
        if !roles.remove(&role) {
            roles.insert(role);
        }
        if roles.is_empty() {
            format!("{} has to do something: give it another role first", host.name).clone_into(&mut self.notice);
        } else {
            self.corrected.insert(host.address, roles);
            self.touched = true;
        }
    }

    /// Goes to the first field that is wrong, or is done.
    fn write(&mut self) -> Left {
        // As one that nobody types in.
        self.at = FILE;
        if let Some((field, why)) = (0..FIELDS.len()).find_map(|field| Some((field, self.wrong(field)?))) {
            self.at = field;
            self.notice = format!("{}: {why}", FIELDS[field].0);
        } else if self.targets().0.is_empty() {
            self.at = HOSTS;
            "Hosts: an inventory has at least one".clone_into(&mut self.notice);
        } else {
            return Left::Write { over: false };
        }
        Left::No
    }

    /// Takes in why nothing was written.
    pub fn not_written(&mut self, why: NotWritten) {
        match why {
            NotWritten::Exists => (self.asked, self.asked_at) = (Some(Asked::Over), None),
            NotWritten::Because(why) => self.notice = why,
        }
    }
}

/// The name that was given; else the first word of a DNS name, or what the host calls itself; else its address.
fn proposed_name(target: &Target, found: Option<&Proposal>) -> String {
    if let Some(name) = &target.name {
        return name.clone();
    }
    let first = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    if target.address.parse::<std::net::IpAddr>().is_err() {
        return first(&target.address);
    }
    let own = found.map(|found| first(&found.hostname)).filter(|name| !name.is_empty() && name != "localhost");
    own.unwrap_or_else(|| format!("host-{}", target.address.replace(['.', ':'], "-")))
}

/// What a host most likely does, by its name alone.
fn guess(name: &str) -> BTreeSet<Role> {
    let name = name.to_lowercase();
    let role = if name.contains("etcd") {
        Role::Etcd
    } else if ["master", "control", "cp"].iter().any(|word| name.contains(word)) {
        Role::ControlPlane
    } else {
        Role::Worker
    };
    BTreeSet::from([role])
}

/// Shows the form until it is left; whether an inventory was written.
///
/// # Errors
/// When the terminal fails.
pub fn fill(form: &mut Form, habits: Habits, prober: &mut dyn Prober) -> Result<bool, TerminalError> {
    let opened = std::time::Instant::now();
    super::screen::with(habits, |terminal| {
        loop {
            for (attempt, result) in prober.news() {
                form.learn(attempt, result);
            }
            for key in form.accepted() {
                form.trusted(&key, prober.trust(&key));
            }
            form.judge_key(prober.key(&form.text(KEY)));
            form.due().iter().for_each(|attempt| prober.begin(attempt));
            terminal.draw(|frame| form.draw(frame))?;
            form.drawn(opened.elapsed());
            let waiting = form.tried.values().any(|tried| *tried == Tried::Trying);
            if !crossterm::event::poll(Duration::from_millis(if waiting { 100 } else { 1000 }))? {
                continue;
            }
            match form.take_at(opened.elapsed(), &crossterm::event::read()?) {
                Left::No => {}
                Left::Without => return Ok(false),
                Left::Write { over } => match prober.write(&form.answers(), over) {
                    Ok(()) => return Ok(true),
                    Err(why) => form.not_written(why),
                },
            }
        }
    })
}
