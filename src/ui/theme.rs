//! Meanings to colours and signs. Nothing else in the house holds a colour, and no meaning is told by colour alone.

use std::sync::OnceLock;

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border::Set;

use super::palette::Band;
pub use super::palette::{Depth, Theme};
pub use super::signs::{Sign, needs_ascii};

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
    /// The row of the host that keys act on.
    Lit,
    /// Real hosts, which can be hurt.
    ModeUpgrade,
    /// Simulated hosts.
    ModePractice,
    /// Nothing can be changed.
    ModeMonitor,
    /// What was.
    ModeReplay,
    /// The border of what has no way back.
    Danger,
    /// What a search has found.
    Match,
    /// A line that is new.
    Added,
    /// A line that is gone.
    Removed,
}

/// How everything looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appearance {
    /// Which colours.
    pub theme: Theme,
    /// How many of them.
    pub depth: Depth,
    /// Signs and lines without Unicode.
    pub ascii: bool,
}

/// Chosen once, so that no pane has to be handed it; sixteen colours of the terminal's own where nobody chose.
static APPEARANCE: OnceLock<Appearance> = OnceLock::new();

/// Chooses how everything looks, before the first frame. A second choice changes nothing.
pub fn choose(appearance: Appearance) {
    let _ = APPEARANCE.set(appearance);
}

fn chosen() -> Appearance {
    APPEARANCE.get().copied().unwrap_or_default()
}

/// How a meaning looks.
#[must_use]
pub fn style(meaning: Meaning) -> Style {
    chosen().style(meaning)
}

/// How a sign is written.
#[must_use]
pub fn sign(sign: Sign) -> &'static str {
    sign.form(chosen().ascii)
}

/// A text for where no frame is drawn: a title, a notification.
#[must_use]
pub fn spell(text: &str) -> String {
    if !chosen().ascii {
        return text.to_owned();
    }
    text.chars()
        .map(|c| if c.is_ascii() { c.to_string() } else { super::signs::plain(c.encode_utf8(&mut [0; 4])).to_owned() })
        .collect()
}

/// The lines of a box, heavy ones for the box that has the focus.
#[must_use]
pub fn lines(heavy: bool) -> Set<'static> {
    super::signs::lines(heavy, chosen().ascii)
}

/// The last touch on a frame: the theme's own ground behind everything, and nothing beyond ASCII where that is all there
/// is. Done here, so that it holds for whatever a pane or a host may say.
pub fn finish(buffer: &mut Buffer) {
    chosen().finish(buffer);
}

impl Appearance {
    /// How a meaning looks.
    #[must_use]
    pub fn style(self, meaning: Meaning) -> Style {
        let plain = Style::new();
        if self.depth == Depth::None {
            return plain.add_modifier(without_colour(meaning));
        }
        let palette = self.theme.palette();
        let depth = self.depth();
        let own = self.theme == Theme::Terminal;
        let band = |band: Band| plain.fg(band.text.at(depth)).bg(band.ground.at(depth));
        match meaning {
            Meaning::Plain => plain,
            Meaning::Quiet if own => plain.add_modifier(Modifier::DIM),
            Meaning::Quiet => plain.fg(palette.quiet.at(depth)),
            Meaning::Title => plain.add_modifier(Modifier::BOLD),
            Meaning::Good | Meaning::Added => plain.fg(palette.good.at(depth)),
            Meaning::Bad | Meaning::Danger => plain.fg(palette.bad.at(depth)).add_modifier(Modifier::BOLD),
            Meaning::Removed => plain.fg(palette.bad.at(depth)),
            Meaning::Warn => plain.fg(palette.warn.at(depth)),
            Meaning::Active => plain.fg(palette.active.at(depth)).add_modifier(Modifier::BOLD),
            // Of sixteen colours none is sure to be seen behind all the others.
            Meaning::Lit if depth != Depth::Sixteen => plain.bg(palette.lit.at(depth)).add_modifier(Modifier::BOLD),
            Meaning::Selected | Meaning::Lit => plain.add_modifier(Modifier::REVERSED),
            Meaning::ModeUpgrade => band(palette.upgrade).add_modifier(Modifier::BOLD),
            Meaning::ModePractice => band(palette.practice),
            Meaning::ModeMonitor => band(palette.monitor),
            Meaning::ModeReplay => band(palette.replay),
            Meaning::Match => band(palette.found),
        }
    }

    /// The operator's own sixteen stay sixteen, however many there are.
    fn depth(self) -> Depth {
        if self.theme == Theme::Terminal && self.depth != Depth::None { Depth::Sixteen } else { self.depth }
    }

    fn finish(self, buffer: &mut Buffer) {
        let paints = self.theme != Theme::Terminal && self.depth != Depth::None;
        if !paints && !self.ascii {
            return;
        }
        let palette = self.theme.palette();
        for cell in &mut buffer.content {
            if paints && cell.bg == Color::Reset {
                cell.bg = palette.ground.at(self.depth);
            }
            if paints && cell.fg == Color::Reset {
                cell.fg = palette.text.at(self.depth);
            }
            if self.ascii && !cell.symbol().is_ascii() {
                let plain = super::signs::plain(cell.symbol());
                cell.set_symbol(plain);
            }
        }
    }
}

/// Attributes alone. Modes are told apart as well: what acts on real hosts is the loudest.
fn without_colour(meaning: Meaning) -> Modifier {
    match meaning {
        Meaning::Plain | Meaning::Good | Meaning::Warn | Meaning::ModeMonitor => Modifier::empty(),
        Meaning::Quiet | Meaning::Removed => Modifier::DIM,
        Meaning::Title | Meaning::Bad | Meaning::Active | Meaning::Danger | Meaning::Added => Modifier::BOLD,
        Meaning::Selected | Meaning::Lit => Modifier::REVERSED,
        Meaning::ModeUpgrade => Modifier::BOLD.union(Modifier::REVERSED),
        Meaning::ModePractice => Modifier::UNDERLINED,
        Meaning::ModeReplay => Modifier::ITALIC,
        Meaning::Match => Modifier::REVERSED.union(Modifier::UNDERLINED),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;

    const ALL: [Meaning; 17] = [
        Meaning::Plain,
        Meaning::Quiet,
        Meaning::Title,
        Meaning::Good,
        Meaning::Bad,
        Meaning::Warn,
        Meaning::Active,
        Meaning::Selected,
        Meaning::Lit,
        Meaning::ModeUpgrade,
        Meaning::ModePractice,
        Meaning::ModeMonitor,
        Meaning::ModeReplay,
        Meaning::Danger,
        Meaning::Match,
        Meaning::Added,
        Meaning::Removed,
    ];

    fn appearances() -> impl Iterator<Item = Appearance> {
        Theme::WORDS.into_iter().flat_map(|(_, theme)| {
            Depth::WORDS.into_iter().map(move |(_, depth)| Appearance { theme, depth, ascii: false })
        })
    }

    #[test]
    fn without_colours_there_are_none_and_modes_still_differ() {
        for look in appearances().filter(|look| look.depth == Depth::None) {
            for meaning in ALL {
                let style = look.style(meaning);
                assert_eq!((style.fg, style.bg), (None, None), "{meaning:?} in {look:?}");
            }
        }
    }

    #[test]
    fn nobody_mistakes_an_upgrade_for_anything_else() {
        for look in appearances() {
            let upgrade = look.style(Meaning::ModeUpgrade);
            for other in [Meaning::ModePractice, Meaning::ModeMonitor, Meaning::ModeReplay] {
                assert_ne!(upgrade, look.style(other), "{other:?} in {look:?}");
                assert_ne!(
                    upgrade.add_modifier,
                    look.style(other).add_modifier,
                    "{other:?} differs by more than colour in {look:?}"
                );
            }
        }
    }

    #[test]
    fn good_and_bad_differ_by_more_than_colour() {
        for look in appearances() {
            let modifiers = |meaning| look.style(meaning).add_modifier;
            assert_ne!(modifiers(Meaning::Good), modifiers(Meaning::Bad), "{look:?}");
        }
    }

    #[test]
    fn a_theme_of_the_terminal_s_own_uses_its_names_only() {
        for meaning in ALL {
            let look = Appearance { theme: Theme::Terminal, depth: Depth::True, ascii: false };
            for colour in [look.style(meaning).fg, look.style(meaning).bg].into_iter().flatten() {
                assert!(!matches!(colour, Color::Rgb(..) | Color::Indexed(_)), "{meaning:?}: {colour:?}");
            }
        }
    }

    #[test]
    fn the_last_touch_fills_the_ground_and_keeps_to_ascii() {
        let area = Rect::new(0, 0, 6, 1);
        let mut buffer = Buffer::empty(area);
        buffer.set_string(0, 0, "✓ a→é", Style::new());
        let look = Appearance { theme: Theme::Light, depth: Depth::True, ascii: true };
        look.finish(&mut buffer);
        let text: String = buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect();
        assert_eq!(text, "v a>? ");
        assert!(buffer.content.iter().all(|cell| cell.bg == Color::Rgb(255, 255, 255) && cell.fg != Color::Reset));
        // The terminal's own ground is left alone.
        let mut buffer = Buffer::empty(area);
        Appearance::default().finish(&mut buffer);
        assert_eq!(buffer, Buffer::empty(area));
    }
}
