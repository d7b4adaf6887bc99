//! Inputs that get beyond the first line: what people and tools really write, and a few things done to it.
//!
//! An input whose first byte could begin no text names a seed and lists edits to it, so that a mutation of a few bytes is a
//! mutation of a whole document; any other input is the text itself.

use serde_json::Value;

/// What is out of place nearly everywhere.
const WORDS: [&str; 40] = [
    "",
    "~",
    "null",
    "true",
    "0",
    "-1",
    "99999999999999999999",
    "1e309",
    "{}",
    "[]",
    "\u{1b}[31m",
    "\u{202e}",
    "'",
    "\"",
    "*a",
    "&a ",
    "<<: *a",
    "!x ",
    "|",
    ">-",
    "%",
    "- ",
    "? ",
    "a: b",
    "\u{0}",
    "é漢\u{301}",
    "${x}",
    "$host",
    "../",
    "/",
    "\r",
    "\u{85}",
    "[1:9999]",
    "*",
    "builtin:",
    "artifact:/x",
    "\u{feff}",
    "1.2",
    "9999999h",
    "all-at-once",
];

/// The text that an input stands for.
pub(super) fn text(input: &[u8], seeds: &[String]) -> String {
    let Some((seed, edits)) = edits(input, seeds) else { return String::from_utf8_lossy(input).into_owned() };
    let mut lines: Vec<String> = seed.lines().map(str::to_owned).collect();
    for edit in edits {
        if lines.is_empty() {
            break;
        }
        let at = usize::from(u16::from_be_bytes([edit[1], edit[2]])) % lines.len();
        let arg = usize::from(edit[3]);
        let column = lines[at].char_indices().map(|(at, _)| at).nth(arg % 64).unwrap_or(lines[at].len());
        let word = WORDS[arg % WORDS.len()];
        match edit[0] % 12 {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => {
                let other = (at + arg) % lines.len();
                lines.swap(at, other);
            }
            3 => lines.truncate(at + 1),
            4 => lines[at].insert_str(0, &" ".repeat(arg % 5)),
            5 => lines[at] = lines[at].trim_start_matches(' ').into(),
            6 => lines[at].truncate(column),
            7 => lines[at].insert_str(column, WORDS[(arg / 64 + usize::from(edit[1])) % WORDS.len()]),
            8 => {
                let head = lines[at].find([':', '=']).map_or(0, |end| end + 1);
                lines[at] = format!("{} {word}", &lines[at][..head]);
            }
            9 => {
                let other = &seeds[arg % seeds.len()];
                let line = other.lines().nth(usize::from(edit[1]) % other.lines().count().max(1));
                lines[at] = line.unwrap_or_default().into();
            }
            10 => lines[at] = lines[at].split_at(column).1.into(),
            _ => (0..arg % 16).for_each(|_| lines.insert(at, lines[at].clone())),
        }
    }
    lines.join("\n") + "\n"
}

/// The value that an input stands for; nothing where it is no JSON.
pub(super) fn json(input: &[u8], seeds: &[String]) -> Option<Value> {
    let Some((seed, edits)) = edits(input, seeds) else { return serde_json::from_slice(input).ok() };
    let mut value: Value = serde_json::from_str(seed).ok()?;
    for edit in edits {
        let mut all = Vec::new();
        places(&value, String::new(), &mut all);
        let place = |number: usize| all[number % all.len()].as_str();
        let at = place(usize::from(u16::from_be_bytes([edit[1], edit[2]])));
        let arg = usize::from(edit[3]);
        let other = match edit[0] % 10 {
            0 => Value::Null,
            1 => Value::Bool(arg % 2 == 0),
            2 => [0, -1, 1, i64::MAX, i64::MIN, 4_294_967_296][arg % 6].into(),
            3 => [1e300, -0.5, 1e-9][arg % 3].into(),
            4 => WORDS[arg % WORDS.len()].into(),
            5 => Value::Array(Vec::new()),
            6 => Value::Object(serde_json::Map::new()),
            7 => value.pointer(place(arg)).cloned().unwrap_or_default(),
            8 => Value::Array(vec![value.pointer(at).cloned().unwrap_or_default(); arg % 8]),
            _ => {
                let (above, key) = at.rsplit_once('/').unwrap_or_default();
                match value.pointer_mut(above) {
                    Some(Value::Object(map)) => drop(map.shift_remove(&key.replace("~1", "/").replace("~0", "~"))),
                    Some(Value::Array(items)) => drop(key.parse().map(|key: usize| items.remove(key))),
                    _ => {}
                }
                continue;
            }
        };
        if let Some(there) = value.pointer_mut(at) {
            *there = other;
        }
    }
    Some(value)
}

/// The seed that an input names, and what is done to it, four bytes each.
fn edits<'i>(input: &'i [u8], seeds: &'i [String]) -> Option<(&'i String, impl Iterator<Item = &'i [u8]>)> {
    let (first, rest) = input.split_first().filter(|(first, _)| **first >= 0x80)?;
    let seed = seeds.get(usize::from(first & 0x7f) % seeds.len().max(1))?;
    Some((seed, rest.chunks_exact(4).take(24)))
}

/// Pointers to all that is in a value.
fn places(value: &Value, here: String, all: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                places(value, format!("{here}/{}", key.replace('~', "~0").replace('/', "~1")), all);
            }
        }
        Value::Array(items) => {
            for (number, value) in items.iter().enumerate() {
                places(value, format!("{here}/{number}"), all);
            }
        }
        _ => {}
    }
    all.push(here);
}

/// Whatever reaches a terminal or a screen: lines that hold nothing that it would obey or hide.
#[track_caller]
pub(super) fn assert_plain(printed: &str) {
    if let Some((at, c)) = lockkeeper::model::hidden::first_hidden(printed) {
        panic!("U+{:04X} is printed, at byte {at} of:\n{printed:?}", u32::from(c));
    }
}

/// No text of a host that is kept has a control character in it.
#[track_caller]
pub(super) fn assert_no_control(value: &Value) {
    match value {
        Value::String(text) => assert!(!text.chars().any(char::is_control), "a control character is kept: {text:?}"),
        Value::Array(items) => items.iter().for_each(assert_no_control),
        Value::Object(map) => {
            for (key, value) in map {
                assert!(!key.chars().any(char::is_control), "a control character is kept: {key:?}");
                assert_no_control(value);
            }
        }
        _ => {}
    }
}

/// The files in a directory of the project with such an extension, sorted by name.
pub(super) fn files(dir: &str, extension: &str) -> Vec<(String, String)> {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    let name = |path: &std::path::Path| path.file_name().unwrap().to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}

/// The texts of these files.
pub(super) fn texts(dir: &str, extension: &str) -> Vec<String> {
    files(dir, extension).into_iter().map(|(_, text)| text).collect()
}
