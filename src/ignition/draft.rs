//! Writes the draft of a Container Linux Config as people write YAML: block style, octal modes, texts of lines as lines.

use serde_json::{Map, Value};

/// A config, and before each section the comments that belong to it.
pub(super) fn write(config: &Map<String, Value>, comments: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (key, value) in config {
        for (of, comment) in comments {
            if of == key {
                out += &format!("# {comment}\n");
            }
        }
        entry(&mut out, 0, key, value);
    }
    out
}

fn map(out: &mut String, indent: usize, map: &Map<String, Value>) {
    for (key, value) in map {
        entry(out, indent, key, value);
    }
}

/// `key: value`, at so many columns.
fn entry(out: &mut String, indent: usize, key: &str, value: &Value) {
    let lead = " ".repeat(indent);
    match value {
        Value::Object(inner) if !inner.is_empty() => {
            out.push_str(&format!("{lead}{key}:\n"));
            map(out, indent + 2, inner);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push_str(&format!("{lead}{key}:\n"));
            for item in items {
                // An item is written like the entries of its map, with a dash in the two columns before the first.
                let mut written = String::new();
                match item {
                    Value::Object(inner) if !inner.is_empty() => map(&mut written, indent + 4, inner),
                    other => written = format!("{}{}\n", " ".repeat(indent + 4), scalar(other, indent + 4)),
                }
                out.push_str(&format!("{lead}  - {}", written.get(indent + 4..).unwrap_or_default()));
            }
        }
        Value::Number(mode) if key == "mode" => {
            out.push_str(&format!("{lead}mode: 0{:o}\n", mode.as_u64().unwrap_or_default()));
        }
        value => out.push_str(&format!("{lead}{key}: {}\n", scalar(value, indent))),
    }
}

fn scalar(value: &Value, indent: usize) -> String {
    match value {
        Value::String(text) => self::text(text, indent),
        // Empty lists and maps too are the same in YAML and JSON.
        other => other.to_string(),
    }
}

/// Lines as a block, words as they are, and everything else in the quotes of JSON, which are YAML's too.
fn text(text: &str, indent: usize) -> String {
    if is_block(text) {
        let lead = " ".repeat(indent + 2);
        let lines: Vec<String> = text
            .trim_end_matches('\n')
            .split('\n')
            .map(|line| if line.is_empty() { String::new() } else { format!("{lead}{line}") })
            .collect();
        return format!("|\n{}", lines.join("\n"));
    }
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

/// More than one line, ended by one line end, and nothing that a block would change.
fn is_block(text: &str) -> bool {
    let Some(lines) = text.strip_suffix('\n') else { return false };
    let kept = |c: char| {
        c == '\n' || c == '\t' || !c.is_control() && !matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
    };
    !lines.ends_with('\n') && !lines.starts_with([' ', '\t', '\n']) && !lines.is_empty() && lines.chars().all(kept)
        // A line of nothing but spaces could be taken for an empty one.
        && lines.split('\n').all(|line| line.is_empty() || !line.trim().is_empty())
}

fn is_plain(text: &str) -> bool {
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let rest = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+=@ ".contains(c));
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    first && rest && !text.ends_with(' ') && !words.contains(&&*text.to_lowercase())
}

fn quoted(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::yaml::{Document, parse};

    #[test]
    fn a_draft_reads_like_what_people_write() {
        let config = json!({
            "etcd": { "name": "a", "listen_client_urls": "http://0.0.0.0:2379", "debug": true },
            "storage": { "files": [{ "path": "/etc/x", "mode": 0o644, "contents": { "inline": "a: b\n\n  c\n" } }] },
            "list": ["one", "yes", []],
        });
        assert_eq!(
            write(config.as_object().unwrap(), &[("etcd", "choose a version")]),
            "# choose a version\netcd:\n  name: a\n  listen_client_urls: \"http://0.0.0.0:2379\"\n  debug: true\nstorage:\n  \
             files:\n    - path: /etc/x\n      mode: 0644\n      contents:\n        inline: |\n          a: b\n\n            \
             c\nlist:\n  - one\n  - \"yes\"\n  - []\n"
        );
    }

    proptest! {
        #[test]
        fn every_text_is_read_back_as_it_was(text in any::<String>(), lines in "([ a-z:#'\"|>-]{0,6}\n){0,4}") {
            for text in [text, lines] {
                let config = json!({ "a": [{ "b": text, "c": [text] }] });
                let written = write(config.as_object().unwrap(), &[]);
                let tree = parse(&Document::new("draft", &*written)).unwrap();
                let item = &tree.get("a").unwrap().items()[0];
                prop_assert_eq!(item.get("b").unwrap().text(), Some(&*text), "{}", written);
                prop_assert_eq!(item.get("c").unwrap().items()[0].text(), Some(&*text), "{}", written);
            }
        }
    }
}
