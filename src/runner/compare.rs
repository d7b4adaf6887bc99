//! What lies on a host beside what will be written there: lines that go and lines that come.

use similar::{ChangeTag, TextDiff};

use crate::model::diff::{Change, Comparison, DiffLine, There};
use crate::model::secret::REDACTED;
use crate::model::{Digest, Redactor};

/// Lines around a change that are shown with it.
const AROUND: usize = 2;

/// Lines of a comparison that are kept.
const MOST: usize = 300;

/// Compares two texts.
pub(super) fn compare(there: &[u8], content: &str, redactor: &Redactor) -> Comparison {
    let Ok(text) = std::str::from_utf8(there) else {
        let why = "what stands there now is no text".to_owned();
        return Comparison { there: There::Unknown { why }, lines: Vec::new(), more: 0 };
    };
    let diff = TextDiff::from_lines(text, content);
    let mut lines = Vec::new();
    for (n, group) in diff.grouped_ops(AROUND).iter().enumerate() {
        if n > 0 {
            lines.push(DiffLine { change: Change::Gap, text: String::new() });
        }
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            let kind = match change.tag() {
                ChangeTag::Equal => Change::Stays,
                ChangeTag::Insert => Change::Comes,
                ChangeTag::Delete => Change::Goes,
            };
            lines.push(DiffLine { change: kind, text: plain(change.value(), redactor) });
        }
    }
    let more = lines.len().saturating_sub(MOST);
    lines.truncate(MOST);
    Comparison { there: There::Text { sha256: Digest::of(there) }, lines, more }
}

/// A line as it may be shown and written down.
fn plain(line: &str, redactor: &Redactor) -> String {
    // Of a key a comparison may show a few lines of the body, and nothing that says what they are.
    let key = line.trim().len() >= 60 && line.trim().chars().all(|c| c.is_ascii_alphanumeric() || "+/=".contains(c));
    if key { REDACTED.to_owned() } else { redactor.clean(line.trim_end()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_go_and_come_stand_with_what_is_around_them() {
        let there = "a\nb\nc\nd\ne\nf\ng\nh\n";
        let comparison = compare(there.as_bytes(), "a\nB\nc\nd\ne\nf\ng\nh\ni\n", &Redactor::default());
        let told: Vec<String> =
            comparison.lines.iter().map(|line| format!("{:?} {}", line.change, line.text)).collect();
        assert_eq!(
            told,
            ["Stays a", "Goes b", "Comes B", "Stays c", "Stays d", "Gap ", "Stays g", "Stays h", "Comes i"]
        );
        assert_eq!(comparison.there, There::Text { sha256: Digest::of(there.as_bytes()) });
        assert!(compare(b"a\n", "a\n", &Redactor::default()).lines.is_empty());
    }

    #[test]
    fn secrets_and_control_characters_are_not_kept() {
        let comparison = compare(b"discovery-token: abc\n\x1b[2Jx\n", "plain\n", &Redactor::default());
        let told: String = comparison.lines.iter().map(|line| line.text.clone() + "\n").collect();
        assert!(!told.contains("abc") && !told.contains('\u{1b}'), "{told}");
        assert!(matches!(compare(b"\xff", "x", &Redactor::default()).there, There::Unknown { .. }));
    }
}
