//! Colours, theme by theme. A colour is written once, as its true value and as the nearest of the terminal's sixteen; the
//! form of 256 is computed.

use ratatui::style::Color;

/// A named set of colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// The terminal's own sixteen colours, as the operator has set them.
    #[default]
    Terminal,
    /// Light text on a dark ground.
    Dark,
    /// Dark text on a light ground.
    Light,
    /// Nothing below a contrast of 7 to 1.
    HighContrast,
    /// Blue and orange where others have green and red.
    ColourBlind,
}

impl Theme {
    /// Every theme, by the word that chooses it.
    pub const WORDS: [(&'static str, Self); 5] = [
        ("terminal", Self::Terminal),
        ("dark", Self::Dark),
        ("light", Self::Light),
        ("high-contrast", Self::HighContrast),
        ("colour-blind", Self::ColourBlind),
    ];

    pub(super) fn palette(self) -> &'static Palette {
        match self {
            Self::Terminal => &TERMINAL,
            Self::Dark => &DARK,
            Self::Light => &LIGHT,
            Self::HighContrast => &HIGH_CONTRAST,
            Self::ColourBlind => &COLOUR_BLIND,
        }
    }
}

/// How many colours the terminal shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// None: attributes have to do.
    None,
    /// The usual sixteen.
    #[default]
    Sixteen,
    /// The palette of 256.
    Indexed,
    /// 24 bits.
    True,
}

impl Depth {
    /// Every depth, by the word that chooses it.
    pub const WORDS: [(&'static str, Self); 4] =
        [("none", Self::None), ("16", Self::Sixteen), ("256", Self::Indexed), ("true", Self::True)];

    /// The word that chooses it.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, depth)| *depth == self).map_or("", |(word, _)| word)
    }

    /// What a terminal says of itself in `TERM` and `COLORTERM`.
    #[must_use]
    pub fn of_terminal(term: &str, colorterm: &str) -> Self {
        let old = term.strip_prefix("vt").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if matches!(term, "" | "dumb" | "unknown") || old || term.ends_with("-m") || term.ends_with("-mono") {
            Self::None
        } else if matches!(colorterm, "truecolor" | "24bit") || term.ends_with("-direct") {
            Self::True
        } else if term.contains("256color") {
            Self::Indexed
        } else {
            Self::Sixteen
        }
    }
}

/// A colour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ink {
    /// Its true value.
    pub(super) rgb: [u8; 3],
    /// What stands for it where there are sixteen.
    pub(super) ansi: Color,
}

impl Ink {
    /// The form that a terminal shows.
    pub(super) fn at(self, depth: Depth) -> Color {
        match depth {
            Depth::None => Color::Reset,
            Depth::Sixteen => self.ansi,
            Depth::Indexed => Color::Indexed(nearest(self.rgb)),
            Depth::True => Color::Rgb(self.rgb[0], self.rgb[1], self.rgb[2]),
        }
    }
}

const fn ink(rgb: u32, ansi: Color) -> Ink {
    Ink { rgb: [(rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8], ansi }
}

/// Text on a ground of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Band {
    pub(super) text: Ink,
    pub(super) ground: Ink,
}

const fn band(text: Ink, ground: Ink) -> Band {
    Band { text, ground }
}

/// What a theme decides.
#[derive(Debug)]
pub(super) struct Palette {
    /// Behind everything.
    pub(super) ground: Ink,
    pub(super) text: Ink,
    pub(super) quiet: Ink,
    pub(super) good: Ink,
    pub(super) bad: Ink,
    pub(super) warn: Ink,
    pub(super) active: Ink,
    /// Behind the lit row.
    pub(super) lit: Ink,
    pub(super) upgrade: Band,
    pub(super) practice: Band,
    pub(super) monitor: Band,
    pub(super) replay: Band,
    pub(super) found: Band,
}

const BLACK: Ink = ink(0x00_00_00, Color::Black);
const WHITE: Ink = ink(0xff_ff_ff, Color::White);

/// What tells modes apart goes with a dark ground as with a light one.
const ON_RED: Band = band(WHITE, ink(0xb3_1d_28, Color::Red));
const ON_BLUE: Band = band(WHITE, ink(0x1f_5f_bf, Color::Blue));
const ON_MAGENTA: Band = band(WHITE, ink(0x8a_3a_a8, Color::Magenta));

/// Only the names count here: what they look like is the operator's.
static TERMINAL: Palette = Palette {
    ground: ink(0, Color::Reset),
    text: ink(0, Color::Reset),
    quiet: ink(0, Color::Reset),
    good: ink(0, Color::Green),
    bad: ink(0, Color::Red),
    warn: ink(0, Color::Yellow),
    active: ink(0, Color::Cyan),
    lit: ink(0, Color::Reset),
    upgrade: band(ink(0, Color::White), ink(0, Color::Red)),
    practice: band(ink(0, Color::Black), ink(0, Color::Green)),
    monitor: band(ink(0, Color::White), ink(0, Color::Blue)),
    replay: band(ink(0, Color::White), ink(0, Color::Magenta)),
    found: band(ink(0, Color::Black), ink(0, Color::Yellow)),
};

static DARK: Palette = Palette {
    ground: ink(0x16_1b_22, Color::Black),
    text: ink(0xe6_ed_f3, Color::White),
    quiet: ink(0xa3_ad_b8, Color::Gray),
    good: ink(0x7e_e0_8a, Color::LightGreen),
    bad: ink(0xff_9a_92, Color::LightRed),
    warn: ink(0xe9_c4_6a, Color::LightYellow),
    active: ink(0x79_d4_f0, Color::LightCyan),
    lit: ink(0x2b_35_42, Color::DarkGray),
    upgrade: ON_RED,
    practice: band(BLACK, ink(0x5f_c9_6f, Color::Green)),
    monitor: ON_BLUE,
    replay: ON_MAGENTA,
    found: band(BLACK, ink(0xe9_c4_6a, Color::Yellow)),
};

static LIGHT: Palette = Palette {
    ground: ink(0xff_ff_ff, Color::White),
    text: ink(0x1c_21_28, Color::Black),
    quiet: ink(0x57_60_6a, Color::DarkGray),
    good: ink(0x11_63_29, Color::Green),
    bad: ink(0xb0_14_1f, Color::Red),
    warn: ink(0x7a_4b_00, Color::Magenta),
    active: ink(0x06_52_8f, Color::Blue),
    lit: ink(0xdd_e8_f5, Color::Gray),
    upgrade: ON_RED,
    practice: band(BLACK, ink(0x7e_e0_8a, Color::Green)),
    monitor: ON_BLUE,
    replay: ON_MAGENTA,
    found: band(BLACK, ink(0xff_d8_5c, Color::Yellow)),
};

static HIGH_CONTRAST: Palette = Palette {
    ground: BLACK,
    text: WHITE,
    quiet: ink(0xd0_d0_d0, Color::Gray),
    good: ink(0x5f_ff_5f, Color::LightGreen),
    bad: ink(0xff_af_af, Color::LightRed),
    warn: ink(0xff_ff_5f, Color::LightYellow),
    active: ink(0x5f_ff_ff, Color::LightCyan),
    lit: ink(0x1a_1a_5a, Color::Blue),
    upgrade: band(WHITE, ink(0x8a_00_00, Color::Red)),
    practice: band(BLACK, ink(0x5f_ff_5f, Color::LightGreen)),
    monitor: band(WHITE, ink(0x00_00_af, Color::Blue)),
    replay: band(WHITE, ink(0x6a_00_7a, Color::Magenta)),
    found: band(BLACK, ink(0xff_ff_5f, Color::LightYellow)),
};

static COLOUR_BLIND: Palette = Palette {
    ground: ink(0x12_14_18, Color::Black),
    text: ink(0xec_ec_ec, Color::White),
    quiet: ink(0xa8_ac_b2, Color::Gray),
    good: ink(0x8c_cb_ff, Color::LightBlue),
    bad: ink(0xe8_7d_1e, Color::Yellow),
    warn: ink(0xf5_ec_8a, Color::LightYellow),
    active: ink(0xff_ff_ff, Color::White),
    lit: ink(0x24_28_30, Color::DarkGray),
    upgrade: band(BLACK, ink(0xe8_7d_1e, Color::Yellow)),
    practice: band(WHITE, ink(0x0b_5c_a8, Color::Blue)),
    monitor: band(BLACK, ink(0xb8_bc_c2, Color::Gray)),
    replay: band(BLACK, ink(0xf5_ec_8a, Color::LightYellow)),
    found: band(BLACK, ink(0xff_ff_ff, Color::White)),
};

/// The steps of the cube of colours 16 to 231.
const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// Which of the 256 is nearest: one of the cube, or one of the greys from 232 on.
fn nearest(rgb: [u8; 3]) -> u8 {
    let step = |value: u8| (0..6).min_by_key(|step| STEPS[*step].abs_diff(value)).unwrap_or(0);
    let [r, g, b] = rgb.map(step);
    let mean = rgb.iter().map(|value| u16::from(*value)).sum::<u16>() / 3;
    let grey = (mean.saturating_sub(3) / 10).min(23) as u8;
    let far = |other: [u8; 3]| -> u32 {
        rgb.iter().zip(other).map(|(one, other)| u32::from(one.abs_diff(other)).pow(2)).sum()
    };
    if far([8 + 10 * grey; 3]) < far([r, g, b].map(|step| STEPS[step])) {
        232 + grey
    } else {
        (16 + 36 * r + 6 * g + b) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of one of the 256, from 16 on.
    fn value(index: u8) -> [u8; 3] {
        if index >= 232 {
            return [8 + 10 * (index - 232); 3];
        }
        let index = usize::from(index - 16);
        [STEPS[index / 36], STEPS[index / 6 % 6], STEPS[index % 6]]
    }

    fn linear(value: u8) -> f64 {
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    }

    /// Relative luminance as WCAG 2 has it.
    fn luminance(rgb: [u8; 3]) -> f64 {
        let [r, g, b] = rgb.map(linear);
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn every_theme_can_be_read_in_true_colours_and_in_256() {
        let mut poor = Vec::new();
        for (word, theme) in Theme::WORDS.into_iter().skip(1) {
            let p = theme.palette();
            let least = if theme == Theme::HighContrast { 7.0 } else { 4.5 };
            let inks = [
                ("text", p.text),
                ("quiet", p.quiet),
                ("good", p.good),
                ("bad", p.bad),
                ("warn", p.warn),
                ("active", p.active),
            ];
            let mut pairs: Vec<(&str, &str, Ink, Ink)> = Vec::new();
            for (name, ink) in inks {
                pairs.push((name, "ground", ink, p.ground));
                pairs.push((name, "lit row", ink, p.lit));
            }
            for (name, band) in [
                ("upgrade", p.upgrade),
                ("practice", p.practice),
                ("monitor", p.monitor),
                ("replay", p.replay),
                ("found", p.found),
            ] {
                pairs.push((name, "its band", band.text, band.ground));
            }
            for (name, on, text, ground) in pairs {
                let indexed = |ink: Ink| value(nearest(ink.rgb));
                for (form, ratio) in
                    [("true", contrast(text.rgb, ground.rgb)), ("256", contrast(indexed(text), indexed(ground)))]
                {
                    if ratio < least {
                        poor.push(format!("{word}, {form}: {name} on {on} has {ratio:.2}, wants {least}"));
                    }
                }
            }
        }
        assert!(poor.is_empty(), "\n{}", poor.join("\n"));
    }

    /// What somebody without green cones sees (Viénot, Brettel and Mollon, 1999, in linear light).
    fn deuteranopia(rgb: [u8; 3]) -> [f64; 3] {
        let [r, g, b] = rgb.map(linear);
        let red_green = 0.29275 * r + 0.70725 * g;
        [red_green, red_green, -0.02234 * r + 0.02234 * g + b]
    }

    #[test]
    fn good_and_bad_differ_without_green_cones_in_lightness_and_in_hue() {
        let p = Theme::ColourBlind.palette();
        let (good, bad) = (deuteranopia(p.good.rgb), deuteranopia(p.bad.rgb));
        // Yellow on one side, blue on the other: the only two hues that are left.
        assert!(good[2] > good[0] && bad[2] < bad[0], "one is blue and the other yellow: {good:?} {bad:?}");
        let ratio = contrast(p.good.rgb, p.bad.rgb);
        assert!(ratio >= 1.5, "they differ in lightness: {ratio:.2}");
    }

    #[test]
    fn the_nearest_of_256() {
        for (rgb, index) in
            [([0, 0, 0], 16), ([255; 3], 231), ([95, 135, 175], 67), ([128; 3], 244), ([255, 0, 0], 196)]
        {
            assert_eq!(nearest(rgb), index, "{rgb:?}");
        }
    }

    #[test]
    fn a_terminal_says_how_many_colours_it_has() {
        for (term, colorterm, depth) in [
            ("xterm-256color", "", Depth::Indexed),
            ("xterm-256color", "truecolor", Depth::True),
            ("xterm-direct", "", Depth::True),
            ("tmux-256color", "24bit", Depth::True),
            ("linux", "", Depth::Sixteen),
            ("xterm", "yes", Depth::Sixteen),
            ("dumb", "truecolor", Depth::None),
            ("vt220", "", Depth::None),
            ("", "", Depth::None),
        ] {
            assert_eq!(Depth::of_terminal(term, colorterm), depth, "{term} {colorterm}");
        }
    }
}
