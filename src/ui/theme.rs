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
        Meaning::Selected => plain.add_modifier(Modifier::REVERSED),
    }
}

fn no_color() -> bool {
    static NO_COLOR: std::sync::LazyLock<bool> =
        std::sync::LazyLock::new(|| std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()));
    *NO_COLOR
}
