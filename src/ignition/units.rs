//! `systemd.units`: passed through, unit by unit.

use serde_json::{Map, Value, json};

use crate::yaml::{Node, Reader};

/// Reads the `systemd` section.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Vec<Value> {
    let Some(fields) = reader.fields(node, "`systemd`", &["units"]) else { return Vec::new() };
    let Some(list) = fields.get("units") else { return Vec::new() };
    let mut units = Vec::new();
    for node in reader.list(list, "units") {
        units.extend(unit(reader, node));
    }
    units
}

fn unit(reader: &mut Reader<'_>, node: &Node) -> Option<Value> {
    let fields = reader.fields(node, "a unit", &["name", "enable", "enabled", "mask", "contents", "dropins"])?;
    let mut unit = Map::new();
    let name = reader.required(fields, "this unit", "name").and_then(|node| reader.text(node, "name"))?;
    unit.insert("name".into(), name.into());
    for key in ["enable", "enabled", "mask"] {
        if let Some(truth) = fields.get(key).and_then(|node| reader.boolean(node, key)) {
            unit.insert(key.into(), truth.into());
        }
    }
    if let Some(contents) = fields.get("contents").and_then(|node| reader.script(node, "contents")) {
        unit.insert("contents".into(), contents.into());
    }
    let mut drop_ins = Vec::new();
    for node in fields.get("dropins").map(|node| reader.list(node, "dropins")).unwrap_or_default() {
        let Some(fields) = reader.fields(node, "a drop-in", &["name", "contents"]) else { continue };
        let name = reader.required(fields, "this drop-in", "name").and_then(|node| reader.text(node, "name"));
        let contents =
            reader.required(fields, "this drop-in", "contents").and_then(|node| reader.script(node, "contents"));
        if let (Some(name), Some(contents)) = (name, contents) {
            drop_ins.push(json!({ "name": name, "contents": contents }));
        }
    }
    super::insert(&mut unit, "dropins", drop_ins);
    Some(unit.into())
}
