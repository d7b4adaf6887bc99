//! Characters that a screen does not show as they are: what an operator reads must be all there is to read.

use std::fmt::Write as _;

/// Whether a character would be obeyed, hidden, or taken for a plain blank by whoever reads it on a terminal.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
        // Blanks that are none to a shell, and what no font shows.
        || matches!(c, '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{2800}' | '\u{3000}'
            | '\u{e000}'..='\u{f8ff}')
}

/// The first character of a text that may not stand in a document: anything hidden but the end of a line and a tab.
#[must_use]
pub fn first_hidden(text: &str) -> Option<(usize, char)> {
    text.char_indices().find(|(_, c)| is_hidden(*c) && !matches!(c, '\n' | '\t'))
}

/// A line as it may be read: what is hidden stands there by its number, and nothing is left out.
#[must_use]
pub fn shown(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            '\t' => out.push_str("    "),
            c if is_hidden(c) => {
                let _ = write!(out, "<U+{:04X}>", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_a_command_is_shown_by_its_number() {
        for (line, expected) in [
            (
                "etcd --version \u{1b}_; systemctl stop etcd; : \u{1b}\\",
                "etcd --version <U+001B>_; systemctl stop etcd; : <U+001B>\\",
            ),
            ("echo HIDDEN\recho visible", "echo HIDDEN<U+000D>echo visible"),
            ("a\u{202e}b\u{200b}c\u{e0041}d\u{3000}e", "a<U+202E>b<U+200B>c<U+E0041>d<U+3000>e"),
            ("\tplain – text ✓", "    plain – text ✓"),
        ] {
            assert_eq!(shown(line), expected);
            assert_eq!(first_hidden(line).is_some(), !line.starts_with('\t'), "{line:?}");
        }
    }
}
