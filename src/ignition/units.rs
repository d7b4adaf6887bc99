//! `systemd.units` and `networkd.units`: passed through, unit by unit.

use serde_json::{Value, json};

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
    let mut units = Vec::new();
    for node in reading.each(fields, "units") {
        let Some((fields, mut unit)) = reading.section(node, "a unit", UNIT, &["dropins"]) else { continue };
        reading.must_have(fields, "this unit", &["name"]);
        reading.ends(fields, "name", &SYSTEMD_ENDS);
        let enabled = unit.contains_key("enable") || unit.get("enabled") == Some(&Value::Bool(true));
        if let Some(contents) = fields.get("contents")
            && enabled
            && !contents.text().is_some_and(|text| text.lines().any(|line| line.trim() == "[Install]"))
        {
            reading.complain(contents, "this unit is enabled, but has no `[Install]` section that says for what");
        }
        let drop_ins = drop_ins(reading, fields);
        insert(&mut unit, "dropins", drop_ins);
        units.push(unit.into());
    }
    units
}

/// Reads the `networkd` section.
pub(super) fn networkd(reading: &mut Reading<'_>, node: &Node) -> Vec<Value> {
    let Some(fields) = reading.fields(node, "`networkd`", &["units"]) else { return Vec::new() };
    let mut units = Vec::new();
    for node in reading.each(fields, "units") {
        let Some((fields, mut unit)) = reading.section(node, "a network unit", NETWORK, &["dropins"]) else { continue };
        reading.must_have(fields, "this unit", &["name"]);
        reading.ends(fields, "name", &NETWORKD_ENDS);
        if let Some(node) = fields.get("dropins") {
            reading.since(node, "`dropins` in a network unit", V2_2);
        }
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
        drop_ins.push(drop_in.into());
    }
    drop_ins
}
