//! Reads an Ignition config, or a Container Linux Config, to be linted: what Ignition itself could not read is refused,
//! and each finding has its place in the file.

use serde_json::Value;

use super::lint::{field, generation};
use super::{Converted, Destructive, Settings, convert, lint, spec};
use crate::yaml::{Data, Document, Node, Place, Problem, Problems, parse};

/// Something that was found, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub part: Destructive,
    /// Its place in the file; nothing where the file does not show it.
    pub place: Option<Place>,
}

/// What a config is, and what was found in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Linted {
    /// The spec it is written by; of a Container Linux Config, the oldest that can say it.
    pub spec: String,
    /// In the order of the config.
    pub findings: Vec<Finding>,
}

/// Lists that must be lists, lest they be passed over in silence.
const LISTS: [&str; 17] = [
    "disks",
    "partitions",
    "raid",
    "filesystems",
    "luks",
    "files",
    "directories",
    "links",
    "units",
    "dropins",
    "users",
    "groups",
    "merge",
    "devices",
    "sshAuthorizedKeys",
    "certificateAuthorities",
    "options",
];

/// What must be true or false. `append` is a list of configs, a truth (a file of spec 2), or a list of contents (spec 3).
const TRUTHS: [&str; 12] = [
    "wipeTable",
    "wipePartitionEntry",
    "shouldExist",
    "resize",
    "wipeFilesystem",
    "wipeVolume",
    "force",
    "overwrite",
    "mask",
    "enable",
    "enabled",
    "hard",
];

/// What must be a map.
const MAPS: [&str; 7] = ["ignition", "storage", "systemd", "networkd", "passwd", "config", "mount"];

/// Everything in a file that does harm on a host with data. A Container Linux Config is converted by these settings, but
/// for the spec: by the oldest that can say it.
///
/// # Errors
/// When it is neither an Ignition config (2.0.0 to 2.4.0, 3.0.0 to 3.5.0) nor a Container Linux Config, or has in it what
/// Ignition could not read.
pub fn lint_document(document: &Document, settings: &Settings<'_>) -> Result<Linted, Problems> {
    if document.text.trim_start().starts_with('{') {
        let config = read_json(document)?;
        let tree = parse(document).ok();
        let spec = field(field(&config, "ignition"), "version").as_str().unwrap_or_default().to_owned();
        let place = |path: &str| place_of(tree.as_ref()?, path, &|key| key.to_owned(), 0);
        return Ok(linted(spec, &config, place));
    }
    let converted = oldest(document, settings)?;
    let tree = parse(document)?;
    let all_units = converted.json["systemd"]["units"].as_array().map_or(0, Vec::len);
    let own_units = tree.get("systemd").and_then(|node| node.get("units")).map_or(0, |node| node.items().len());
    let made = all_units - own_units.min(all_units);
    let own_files = tree.get("storage").and_then(|node| node.get("files")).map_or(0, |node| node.items().len());
    let spec = converted.json["ignition"]["version"].as_str().unwrap_or_default().to_owned();
    let place = |path: &str| {
        if path.starts_with(&format!("storage.files[{own_files}]")) {
            // The file that these sections make comes after all others.
            return ["locksmith", "update"].iter().find_map(|key| tree.get(key)).map(|node| node.place);
        }
        place_of(&tree, path, &snake, made)
    };
    Ok(linted(spec, &converted.json, place))
}

/// Converts by the oldest spec that can say it.
fn oldest(document: &Document, settings: &Settings<'_>) -> Result<Converted, Problems> {
    let mut last = None;
    for spec in spec::SPECS {
        match convert(document, &Settings { spec, ..*settings }) {
            Ok(converted) => return Ok(converted),
            Err(problems) => last = Some(problems),
        }
    }
    Err(last.unwrap_or_default())
}

fn linted(spec: String, config: &Value, place: impl Fn(&str) -> Option<Place>) -> Linted {
    let findings = lint(config).into_iter().map(|part| Finding { place: place(&part.path), part }).collect();
    Linted { spec, findings }
}

fn read_json(document: &Document) -> Result<Value, Problems> {
    let config: Value = serde_json::from_str(&document.text).map_err(|error| {
        let place = Place { line: error.line().max(1), column: error.column().max(1), width: 1 };
        Problem::at(document, place, format!("this is not JSON: {error}"))
    })?;
    let refuse = |message: String| Err(Problem::of(&*document.name, message).into());
    if !field(&config, "ignitionVersion").is_null() {
        return refuse("is of spec 1, which is not looked through here: write it by spec 2".into());
    }
    let version = field(field(&config, "ignition"), "version");
    let Some(version) = version.as_str() else {
        return refuse("has no `ignition.version`: it is not an Ignition config".into());
    };
    if spec::known(version).is_none() {
        return refuse(format!("is of spec `{version}`; looked through here are 2.0.0 to 2.4.0, and 3.0.0 to 3.5.0"));
    }
    let mut wrong = Vec::new();
    shape(&config, "", generation(&config) == 3, &mut wrong);
    let tree = parse(document).ok();
    let problems = wrong.into_iter().map(|(path, message)| {
        let place = tree.as_ref().and_then(|tree| place_of(tree, &path, &|key| key.to_owned(), 0));
        match place {
            Some(place) => Problem::at(document, place, message),
            None => Problem::of(&*document.name, message),
        }
    });
    Problems(problems.collect()).or(Some(config))
}

/// Notes what has another shape than Ignition reads: it would stop the boot, and a lint would pass it over.
fn shape(value: &Value, at: &str, of_3: bool, wrong: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                let is = |known: &[&str]| known.iter().any(|known| known.eq_ignore_ascii_case(key));
                let expected = if is(&LISTS) {
                    (!value.is_array()).then_some("a list")
                } else if is(&TRUTHS) {
                    (!value.is_boolean()).then_some("true or false")
                } else if is(&MAPS) {
                    (!value.is_object()).then_some("a map of keys")
                } else if is(&["append"]) {
                    let list = of_3 || at.ends_with("config");
                    let fits = if list { value.is_array() } else { value.is_boolean() };
                    (!fits).then_some(if list { "a list" } else { "true or false" })
                } else {
                    None
                };
                if let Some(expected) = expected.filter(|_| !value.is_null()) {
                    wrong.push((path.clone(), format!("`{path}` is {expected}: Ignition cannot read this config")));
                }
                shape(value, &path, of_3, wrong);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                shape(item, &format!("{at}[{index}]"), of_3, wrong);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The place of a path such as `storage.disks[0].wipeTable` in a tree whose keys are named by `named`; of what is not
/// there itself, what it would stand in. The first units of systemd, so many, stand in no list.
fn place_of(tree: &Node, path: &str, named: &dyn Fn(&str) -> String, made_units: usize) -> Option<Place> {
    let mut node = tree;
    let mut place = None;
    for step in path.split('.') {
        let (key, index) = match step.split_once('[') {
            Some((key, index)) => (key, index.trim_end_matches(']').parse::<usize>().ok()),
            None => (step, None),
        };
        let Data::Map(entries) = &node.data else { return place };
        let name = named(key);
        let found = entries.iter().find(|(key, _)| key.text().is_some_and(|text| text.eq_ignore_ascii_case(&name)));
        let Some((key, value)) = found else { return place };
        (place, node) = (Some(key.place), value);
        if let Some(index) = index {
            let made = if path.starts_with("systemd.") { made_units } else { 0 };
            let Some(item) = index.checked_sub(made).and_then(|index| value.items().get(index)) else { return place };
            (place, node) = (Some(item.place), item);
        }
    }
    place
}

/// `wipeTable` as `wipe_table`.
fn snake(key: &str) -> String {
    key.chars()
        .flat_map(|c| c.is_ascii_uppercase().then_some('_').into_iter().chain([c.to_ascii_lowercase()]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(String, Option<usize>)> {
        let linted = lint_document(&Document::new("f", text), &Settings::default())
            .unwrap_or_else(|problems| panic!("{problems}"));
        linted.findings.into_iter().map(|found| (found.part.path, found.place.map(|place| place.line))).collect()
    }

    #[test]
    fn each_finding_has_its_line_in_json() {
        let json = "{\n\t\"ignition\": {\"version\": \"2.0.0\"},\n  \"storage\": {\"disks\": [\n    {\"device\": \"/dev/sda\",\n     \
                    \"wipeTable\": true}\n  ],\n  \"files\": [{\"path\": \"/a\"},\n{\"path\": \"/b\"}]}\n}\n";
        assert_eq!(
            lines(json),
            [
                ("storage.disks[0].wipeTable".to_owned(), Some(5)),
                ("storage.files[0]".to_owned(), Some(7)),
                ("storage.files[1]".to_owned(), Some(8)),
            ]
        );
    }

    #[test]
    fn each_finding_has_its_line_in_a_container_linux_config_too() {
        let config = "etcd:\n  name: a\nlocksmith:\n  reboot_strategy: off\nsystemd:\n  units:\n    - name: a.service\n      \
                      mask: true\nstorage:\n  disks:\n    - device: /dev/sda\n      wipe_table: true\n  files:\n    - path: /a\n";
        assert_eq!(
            lines(config),
            [
                ("storage.disks[0].wipeTable".to_owned(), Some(12)),
                ("storage.files[0]".to_owned(), Some(14)),
                ("storage.files[1]".to_owned(), Some(4)),
                // The first unit is the one that `etcd` makes.
                ("systemd.units[1].mask".to_owned(), Some(8)),
            ]
        );
        let linted =
            lint_document(&Document::new("f", "storage: {links: [{path: /l, target: ../x}]}\n"), &Settings::default())
                .unwrap();
        assert_eq!(linted.spec, "2.3.0");
    }

    #[test]
    fn what_ignition_could_not_read_is_refused() {
        for (text, expected) in [
            ("{", "f:1:1: this is not JSON"),
            ("{}", "no `ignition.version`"),
            (r#"{"ignitionVersion": 1}"#, "of spec 1"),
            (r#"{"ignition": {"version": 2}}"#, "no `ignition.version`"),
            (r#"{"ignition": {"version": "2.5.0"}}"#, "of spec `2.5.0`"),
            (r#"{"ignition": {"version": "3.4.0-experimental"}}"#, "of spec `3.4.0-experimental`"),
            (r#"{"ignition": {"version": "2.0.0"}, "storage": []}"#, "f:1:36: `storage` is a map of keys"),
            (r#"{"ignition": {"version": "2.0.0"}, "storage": {"disks": {}}}"#, "`storage.disks` is a list"),
            (
                r#"{"ignition": {"version": "2.0.0"}, "storage": {"disks": [{"WipeTable": "true"}]}}"#,
                "`storage.disks[0].WipeTable` is true or false",
            ),
            ("storage: {disk: []}\n", "did you mean `disks`"),
        ] {
            let told = lint_document(&Document::new("f", text), &Settings::default()).unwrap_err().to_string();
            assert!(told.contains(expected), "{text}\n{told}");
        }
    }
}
