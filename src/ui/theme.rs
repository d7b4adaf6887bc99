//! Meanings to colours. Nothing else in the house holds a colour, and no meaning is told by colour alone.

use ratatui::style::{Color, Modifier, Style};

/// What a piece of text means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Meaning {
    /// Just text.
    #[default]
    Plain,
    /// Less important.
    Quiet,
    /// A heading.
    Title,
    /// Holds, healthy, done.
    Good,
    /// Does not hold, failed, destroys.
    Bad,
    /// Not known, wants care.
    Warn,
    /// Where things are going on.
    Active,
    /// What is selected.
    Selected,
    /// Real hosts, through gates.
    ModeUpgrade,
    /// Simulated hosts.
    ModePractice,
    /// Looking only.
    ModeMonitor,
    /// A recording.
    ModeReplay,
    /// There is no way back from here.
    Danger,
    /// What was searched for.
    Match,
    /// A line that will be there.
    Added,
    /// A line that will be gone.
    Removed,
    /// The row of the host that keys act on.
    Lit,
}

/// A sign, in Unicode or, where there is none, in letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Done, healthy, holds.
    Done,
    /// Waits for the operator.
    Waits,
    /// Shut.
    Shut,
    /// Runs.
    Runs,
    /// Is being verified.
    Verifying,
    /// Failed, does not hold.
    Failed,
    /// Not needed.
    NotNeeded,
    /// Skipped by the operator.
    Skipped,
    /// Taken back.
    TakenBack,
    /// Not known.
    Unknown,
    /// Others come first.
    Ahead,
    /// Leads the etcd cluster.
    Leader,
    /// There is more than is shown.
    More,
    /// Goes on from the line above.
    Wrap,
    /// A part of a bar that is done.
    Full,
    /// A part of a bar that is not.
    Empty,
    /// Open, in a list of stages.
    Open,
    /// Where one is.
    Here,
}

/// How a sign is written.
#[must_use]
pub fn sign(sign: Sign) -> &'static str {
    match sign {
        Sign::Done => "✓",
        Sign::Waits => "●",
        Sign::Shut => "■",
        Sign::Runs => "▶",
        Sign::Verifying => "◐",
        Sign::Failed => "✗",
        Sign::NotNeeded => "–",
        Sign::Skipped => "↷",
        Sign::TakenBack => "↩",
        Sign::Unknown => "?",
        Sign::Ahead => "·",
        Sign::Leader => "★",
        Sign::More => "…",
        Sign::Wrap => "↪",
        Sign::Full => "━",
        Sign::Empty => "─",
        Sign::Open => "▾",
        Sign::Here => "▸",
    }
}

/// How a meaning looks: the terminal's own sixteen colours, so that it follows the operator's theme; attributes alone
/// where `NO_COLOR` is set.
#[must_use]
pub fn style(meaning: Meaning) -> Style {
    let plain = Style::new();
    let colour = |colour: Color| if no_color() { plain } else { plain.fg(colour) };
    match meaning {
        Meaning::Plain => plain,
        Meaning::Quiet => plain.add_modifier(Modifier::DIM),
        Meaning::Title => plain.add_modifier(Modifier::BOLD),
        Meaning::Good => colour(Color::Green),
        Meaning::Bad => colour(Color::Red).add_modifier(Modifier::BOLD),
        Meaning::Warn => colour(Color::Yellow),
        Meaning::Active => colour(Color::Cyan).add_modifier(Modifier::BOLD),
        Meaning::Selected | Meaning::Match => plain.add_modifier(Modifier::REVERSED),
        Meaning::ModeUpgrade => {
            let plain = plain.add_modifier(Modifier::BOLD);
            if no_color() { plain.add_modifier(Modifier::REVERSED) } else { plain.fg(Color::White).bg(Color::Red) }
        }
        Meaning::ModePractice => {
            if no_color() {
                plain.add_modifier(Modifier::UNDERLINED)
            } else {
                plain.fg(Color::Black).bg(Color::Green)
            }
        }
        Meaning::ModeMonitor => {
            if no_color() {
                plain.add_modifier(Modifier::UNDERLINED)
            } else {
                plain.fg(Color::White).bg(Color::Blue)
            }
        }
        Meaning::ModeReplay => {
            if no_color() {
                plain.add_modifier(Modifier::UNDERLINED)
            } else {
                plain.fg(Color::White).bg(Color::Magenta)
            }
        }
        Meaning::Danger => colour(Color::Red).add_modifier(Modifier::BOLD),
        Meaning::Added => colour(Color::Green),
        Meaning::Removed => colour(Color::Red),
        Meaning::Lit => plain.add_modifier(Modifier::BOLD | Modifier::REVERSED),
    }
}

/// The lines of a frame.
#[must_use]
pub fn border() -> ratatui::symbols::border::Set<'static> {
    ratatui::symbols::border::PLAIN
}

fn no_color() -> bool {
    static NO_COLOR: std::sync::LazyLock<bool> =
        std::sync::LazyLock::new(|| std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()));
    *NO_COLOR
}
