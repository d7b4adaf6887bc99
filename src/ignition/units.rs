//! `systemd.units` and `networkd.units`: passed through, unit by unit.

use serde_json::{Map, Value, json};

use super::reading::Kind::{Script, Switch, Text, Truth};
use super::reading::{Reading, Row, insert};
use super::spec::Spec::{V2_0, V2_1, V2_2};
use crate::yaml::{Fields, Node};

const UNIT: &[Row] = &[
    ("name", "name", Text, V2_0),
    ("enable", "enable", Truth, V2_0),
    ("enabled", "enabled", Switch, V2_1),
    ("mask", "mask", Truth, V2_0),
    ("contents", "contents", Script, V2_0),
];

const NETWORK: &[Row] = &[("name", "name", Text, V2_0), ("contents", "contents", Script, V2_0)];

const DROP_IN: &[Row] = &[("name", "name", Text, V2_0), ("contents", "contents", Script, V2_0)];

/// What the name of a unit may end in.
const SYSTEMD_ENDS: [&str; 12] = [
    "service",
    "socket",
    "device",
    "mount",
    "automount",
    "swap",
    "target",
    "path",
    "timer",
    "snapshot",
    "slice",
    "scope",
];

/// What the name of a unit of networkd may end in.
pub(super) const NETWORKD_ENDS: [&str; 3] = ["network", "netdev", "link"];

/// A unit that `ct` makes of a section of its own: a drop-in over what the host has.
pub(super) fn enabled(name: &str, drop_in: &str, contents: &str) -> Value {
    json!({ "name": name, "enable": true, "dropins": [{ "name": drop_in, "contents": contents }] })
}

/// Reads the `systemd` section.
pub(super) fn systemd(reading: &mut Reading<'_>, node: &Node) -> Vec<Value> {
    let Some(fields) = reading.fields(node, "`systemd`", &["units"]) else { return Vec::new() };
    units(reading, fields, ("a unit", UNIT, &SYSTEMD_ENDS), |reading, fields, unit| {
        let enabled = unit.contains_key("enable") || unit.get("enabled") == Some(&Value::Bool(true));
        if let Some(contents) = fields.get("contents")
            && enabled
            && !contents.text().is_some_and(|text| text.lines().any(|line| line.trim() == "[Install]"))
        {
            reading.doubt(contents, "this unit is enabled, but has no `[Install]` section that says for what");
        }
    })
}

/// Reads the `networkd` section.
pub(super) fn networkd(reading: &mut Reading<'_>, node: &Node) -> Vec<Value> {
    let Some(fields) = reading.fields(node, "`networkd`", &["units"]) else { return Vec::new() };
    units(reading, fields, ("a network unit", NETWORK, &NETWORKD_ENDS), |reading, fields, _| {
        if let Some(node) = fields.get("dropins") {
            reading.since(node, "`dropins` in a network unit", V2_2);
        }
    })
}

/// The units of a section: what each is, its keys, and in what its name may end.
fn units(
    reading: &mut Reading<'_>,
    fields: Fields<'_>,
    (what, rows, ends): (&str, &[Row], &[&str]),
    examine: impl Fn(&mut Reading<'_>, Fields<'_>, &Map<String, Value>),
) -> Vec<Value> {
    let mut units = Vec::new();
    for node in reading.each(fields, "units") {
        let Some((fields, mut unit)) = reading.section(node, what, rows, &["dropins"]) else { continue };
        reading.must_have(fields, "this unit", &["name"]);
        reading.ends(fields, "name", ends);
        check_text(reading, fields);
        examine(reading, fields, &unit);
        let drop_ins = drop_ins(reading, fields);
        insert(&mut unit, "dropins", drop_ins);
        units.push(unit.into());
    }
    units
}

fn drop_ins(reading: &mut Reading<'_>, fields: Fields<'_>) -> Vec<Value> {
    let mut drop_ins = Vec::new();
    for node in reading.each(fields, "dropins") {
        let Some((fields, drop_in)) = reading.section(node, "a drop-in", DROP_IN, &[]) else { continue };
        reading.must_have(fields, "this drop-in", &["name"]);
        reading.ends(fields, "name", &["conf"]);
        check_text(reading, fields);
        drop_ins.push(drop_in.into());
    }
    drop_ins
}

/// Notes the first line of a unit that the Ignition of the host could not read: it would stop the boot.
fn check_text(reading: &mut Reading<'_>, fields: Fields<'_>) {
    if let Some(node) = fields.get("contents")
        && let Some(text) = node.text()
        && let Some((at, width, message)) = unreadable(text)
    {
        reading.complain_in(node, at, width, format!("Ignition cannot read this line of a unit: {message}"));
    }
}

/// The longest line that systemd reads, in bytes.
const LONGEST: usize = 2048;

/// Where in a unit the first line is that Ignition cannot read, its width, and why. Before the first section anything
/// may stand; within one there are options, comments and empty lines.
fn unreadable(text: &str) -> Option<(usize, usize, &'static str)> {
    let mut within_section = false;
    let mut continued = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let begins = at;
        at += line.len();
        let line = line.trim_end_matches(['\n', '\r']);
        let wrong = |message| Some((begins, line.chars().count(), message));
        if line.len() > LONGEST {
            return wrong("it has more than 2048 bytes");
        }
        let was_continued = std::mem::replace(&mut continued, false);
        if was_continued {
            continued = line.ends_with('\\');
            continue;
        }
        let content = line.trim();
        let section = if within_section {
            content.strip_prefix('[')
        } else {
            let comment = content.find(['#', ';']).unwrap_or(content.len());
            content[..comment].split_once('[').map(|(before, _)| &content[before.len() + 1..])
        };
        if let Some(section) = section {
            within_section = true;
            match section.split_once(']') {
                None => return wrong("the name of a section ends with `]`"),
                Some((_, after)) if !after.trim().is_empty() => return wrong("nothing follows the name of a section"),
                Some(_) => {}
            }
        } else if content.starts_with(['#', ';']) || content.contains('=') && within_section {
            continued = line.ends_with('\\');
        } else if within_section && !content.is_empty() {
            return wrong("an option is NAME=VALUE");
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ignition_reads_of_a_unit_passes() {
        for good in [
            "",
            "anything\n",
            "[Service]\nExecStart=/bin/a \\\n  --b \\\n\n# c\n; d\n\n[Install]\r\nWantedBy=x\n",
            "# [x\n[Unit] \n",
        ] {
            assert_eq!(unreadable(good), None, "{good}");
        }
        for (bad, at, why) in [
            ("[Service] x\n", 0, "nothing follows"),
            ("[Service\nA=b\n", 0, "ends with `]`"),
            ("[Service]\nA=b\nExecStart\n", 14, "NAME=VALUE"),
            ("[Service]\nA=b\\\nc\nd\n", 17, "NAME=VALUE"),
        ] {
            let told = unreadable(bad);
            assert!(told.is_some_and(|(place, _, message)| place == at && message.contains(why)), "{bad}: {told:?}");
        }
        assert!(unreadable(&format!("[A]\nb={}\n", "x".repeat(2050))).is_some());
    }
}
