//! What the operator prefers: a file, the environment, flags; the later over the earlier. Every setting knows where its
//! value came from.

mod keys;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::ui::chord::Rebound;
use crate::ui::terminal::Habits;
use crate::ui::theme::{Appearance, Depth, Theme, needs_ascii};
use crate::yaml::{Document, Node, Problem, Problems, Reader, did_you_mean, parse};

/// Where a value came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    #[default]
    Default,
    /// The configuration file.
    File {
        /// As it was found.
        name: Arc<str>,
        /// Counted from 1.
        line: usize,
    },
    /// A variable of the environment.
    Environment(&'static str),
    /// An argument of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Environment(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// A value, as it was written, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// What holds.
    pub value: T,
    /// The words for it.
    pub text: String,
    /// Who said so.
    pub from: Origin,
}

/// What the command line may say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--theme`
    pub theme: Option<String>,
    /// `--ascii`
    pub ascii: bool,
    /// `--no-bell`
    pub no_bell: bool,
}

/// All settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which colours.
    pub theme: Setting<Theme>,
    /// How many of them; nothing for as many as the terminal has.
    pub colours: Setting<Option<Depth>>,
    /// Without Unicode; nothing for what the locale says.
    pub ascii: Setting<Option<bool>>,
    /// Ring the bell.
    pub bell: Setting<bool>,
    /// Have the terminal show notifications.
    pub notifications: Setting<bool>,
    /// Write the terminal's title.
    pub title: Setting<bool>,
    /// Take the mouse.
    pub mouse: Setting<bool>,
    /// How often a host is looked at.
    pub interval: Setting<Duration>,
    /// Keys of the operator's own, by the command's name.
    pub keys: Vec<Setting<String>>,
    /// The same, as the screen wants it.
    pub rebound: Rebound,
}

/// One row of the table: how a setting is called, and how its words are read.
struct Row<T> {
    name: &'static str,
    variable: &'static str,
    /// What holds where nobody has said anything: the word, and what it means.
    default: (&'static str, T),
    read: fn(&str) -> Result<T, String>,
}

const THEME: Row<Theme> =
    row("theme", "LOCKKEEPER_THEME", ("terminal", Theme::Terminal), |text| one_of(text, &Theme::WORDS));
const COLOURS: Row<Option<Depth>> =
    row("colours", "LOCKKEEPER_COLOURS", ("auto", None), |text| auto_or(text, &Depth::WORDS));
const ASCII: Row<Option<bool>> = row("ascii", "LOCKKEEPER_ASCII", ("auto", None), |text| auto_or(text, &YES_OR_NO));
const BELL: Row<bool> = row("bell", "LOCKKEEPER_BELL", ("yes", true), yes_or_no);
const NOTIFICATIONS: Row<bool> = row("notifications", "LOCKKEEPER_NOTIFY", ("yes", true), yes_or_no);
const TITLE: Row<bool> = row("title", "LOCKKEEPER_TITLE", ("yes", true), yes_or_no);
const MOUSE: Row<bool> = row("mouse", "LOCKKEEPER_MOUSE", ("yes", true), yes_or_no);
const INTERVAL: Row<Duration> = row("interval", "LOCKKEEPER_INTERVAL", ("2s", Duration::from_secs(2)), seconds);

const fn row<T>(
    name: &'static str,
    variable: &'static str,
    default: (&'static str, T),
    read: fn(&str) -> Result<T, String>,
) -> Row<T> {
    Row { name, variable, default, read }
}

const KEYS: [&str; 9] = ["theme", "colours", "ascii", "bell", "notifications", "title", "mouse", "interval", "keys"];

const YES_OR_NO: [(&str, bool); 4] = [("yes", true), ("no", false), ("true", true), ("false", false)];

fn yes_or_no(text: &str) -> Result<bool, String> {
    one_of(text, &YES_OR_NO)
}

fn one_of<T: Copy>(text: &str, words: &[(&'static str, T)]) -> Result<T, String> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let near = did_you_mean(text, known.iter().copied());
        let hint = if near.is_empty() { format!("; it is one of: {}", known.join(", ")) } else { near };
        format!("cannot be `{text}`{hint}")
    })
}

fn auto_or<T: Copy>(text: &str, words: &[(&'static str, T)]) -> Result<Option<T>, String> {
    let words: Vec<_> =
        [("auto", None)].into_iter().chain(words.iter().map(|(word, value)| (*word, Some(*value)))).collect();
    one_of(text, &words)
}

/// More often than the first asks too much of hosts; seldomer than the last, facts would be too old for a gate.
const INTERVALS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

fn seconds(text: &str) -> Result<Duration, String> {
    let read = text.parse::<jiff::SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
    read.filter(|span| (INTERVALS.0..=INTERVALS.1).contains(span))
        .ok_or_else(|| format!("cannot be `{text}`: it is a time such as 2s, from 500ms to 10s"))
}

/// Where the configuration is looked for: `lockkeeper/config.yaml` in the XDG configuration directory. Nothing for a user
/// without a home.
#[must_use]
pub fn path() -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    Some(etcetera::choose_base_strategy().ok()?.config_dir().join("lockkeeper").join("config.yaml"))
}

/// Reads the configuration file, if there is one.
///
/// # Errors
/// When it is there and cannot be read.
pub fn file() -> Result<Option<Document>, Problem> {
    let Some(path) = path() else { return Ok(None) };
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(Document::new(path.display().to_string(), text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Problem::of(path.display().to_string(), format!("cannot be read: {error}"))),
    }
}

/// Puts file, environment and flags together. What is wrong is left out, and is in the list of problems.
pub fn resolve(
    document: Option<&Document>,
    variable: impl Fn(&str) -> Option<String>,
    flags: &Flags,
) -> (Settings, Problems) {
    let nothing = Document::new("", "");
    let mut problems = Problems::default();
    // A file in which everything is a comment says nothing, and that is fine.
    let said = document.filter(|document| {
        document.text.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
    });
    let root = said.and_then(|document| parse(document).map_err(|wrong| problems.0.extend(wrong.0)).ok());
    let mut layers = Layers { reader: Reader::new(said.unwrap_or(&nothing)), root: root.as_ref(), variable: &variable };
    if let Some(root) = layers.root
        && layers.reader.fields(root, "the configuration", &KEYS).is_none()
    {
        layers.root = None;
    }
    let no_color = variable("NO_COLOR").filter(|value| !value.is_empty()).map(|_| ("none".to_owned(), "NO_COLOR"));
    let flag = |given: bool, value: &str, name: &'static str| given.then(|| (value.to_owned(), name));
    let theme = layers.setting(&THEME, None, flags.theme.clone().map(|theme| (theme, "--theme")));
    let colours = layers.setting(&COLOURS, no_color, None);
    let ascii = layers.setting(&ASCII, None, flag(flags.ascii, "yes", "--ascii"));
    let bell = layers.setting(&BELL, None, flag(flags.no_bell, "no", "--no-bell"));
    let notifications = layers.setting(&NOTIFICATIONS, None, None);
    let title = layers.setting(&TITLE, None, None);
    let mouse = layers.setting(&MOUSE, None, None);
    let interval = layers.setting(&INTERVAL, None, None);
    let node = layers.root.and_then(|root| root.get("keys")).filter(|node| !node.is_null());
    let (keys, rebound) = node.map(|node| keys::read(&mut layers.reader, node)).unwrap_or_default();
    problems.0.append(&mut layers.reader.problems.0);
    problems.0.sort_by_key(|problem| problem.place);
    (Settings { theme, colours, ascii, bell, notifications, title, mouse, interval, keys, rebound }, problems)
}

struct Layers<'a, V> {
    reader: Reader<'a>,
    root: Option<&'a Node>,
    variable: &'a V,
}

type Given = Option<(String, &'static str)>;

impl<V: Fn(&str) -> Option<String>> Layers<'_, V> {
    /// The latest word on a setting. `usual` is a variable that others read as well; ours is stronger.
    fn setting<T: Copy>(&mut self, row: &Row<T>, usual: Given, flag: Given) -> Setting<T> {
        let mut layers = Vec::new();
        let node = self.root.and_then(|root| root.get(row.name)).filter(|node| !node.is_null());
        if let Some(node) = node
            && let Some(text) = self.reader.text(node, row.name)
        {
            match (row.read)(&text) {
                Ok(value) => {
                    let from = Origin::File { name: self.reader.document.name.clone(), line: node.place.line };
                    layers.push(Setting { value, text, from });
                }
                Err(wrong) => self.reader.complain(node, format!("`{}` {wrong}", row.name)),
            }
        }
        let ours = (self.variable)(row.variable).filter(|text| !text.is_empty()).map(|text| (text, row.variable));
        let environment = ours.or(usual).map(|(text, name)| (text, Origin::Environment(name)));
        for (text, from) in environment.into_iter().chain(flag.map(|(text, name)| (text, Origin::Flag(name)))) {
            match (row.read)(&text) {
                Ok(value) => layers.push(Setting { value, text, from }),
                Err(wrong) => self.reader.problems.0.push(Problem::of(from.to_string(), wrong)),
            }
        }
        layers.pop().unwrap_or_else(|| {
            let (text, value) = row.default;
            Setting { value, text: text.to_owned(), from: Origin::Default }
        })
    }
}

impl Settings {
    /// How everything looks on the terminal that the environment tells of.
    #[must_use]
    pub fn appearance(&self, variable: impl Fn(&str) -> Option<String>) -> Appearance {
        let said = |name| variable(name).unwrap_or_default();
        Appearance {
            theme: self.theme.value,
            depth: self.colours.value.unwrap_or_else(|| Depth::of_terminal(&said("TERM"), &said("COLORTERM"))),
            ascii: self.ascii.value.unwrap_or_else(|| needs_ascii(&variable)),
        }
    }

    /// What may be done to the terminal.
    #[must_use]
    pub fn habits(&self) -> Habits {
        Habits {
            bell: self.bell.value,
            notifications: self.notifications.value,
            title: self.title.value,
            mouse: self.mouse.value,
        }
    }

    /// Name, value and origin of every setting.
    #[must_use]
    pub fn list(&self) -> Vec<(String, &str, &Origin)> {
        fn entry<'s, T>(row: &Row<T>, setting: &'s Setting<T>) -> (String, &'s str, &'s Origin) {
            (row.name.to_owned(), &setting.text, &setting.from)
        }
        let mut list = vec![
            entry(&THEME, &self.theme),
            entry(&COLOURS, &self.colours),
            entry(&ASCII, &self.ascii),
            entry(&BELL, &self.bell),
            entry(&NOTIFICATIONS, &self.notifications),
            entry(&TITLE, &self.title),
            entry(&MOUSE, &self.mouse),
            entry(&INTERVAL, &self.interval),
        ];
        list.extend(self.keys.iter().map(|key| (format!("keys.{}", key.value), &*key.text, &key.from)));
        list
    }
}

#[cfg(test)]
mod tests;
