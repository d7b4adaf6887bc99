//! `storage.disks`, `raid` and `filesystems`.

use serde_json::{Map, Value, json};

use super::reading::Kind::{Count, Set, Text, Texts, Truth};
use super::reading::{Reading, Row, insert};
use super::spec::Spec::{self, V2_0, V2_1, V2_2, V2_3};
use crate::yaml::{Fields, Node};

const DISK: &[Row] = &[("device", "device", Text, V2_0), ("wipe_table", "wipeTable", Truth, V2_0)];

const PARTITION: &[Row] = &[("label", "label", Set, V2_0), ("number", "number", Count, V2_0)];

const RAID: &[Row] = &[
    ("name", "name", Text, V2_0),
    ("level", "level", Text, V2_0),
    ("devices", "devices", Texts, V2_0),
    ("spares", "spares", Count, V2_0),
    ("options", "options", Texts, V2_2),
];

const FILESYSTEM: &[Row] = &[("name", "name", Text, V2_0), ("path", "path", Set, V2_0)];

const MOUNT: &[Row] = &[
    ("device", "device", Text, V2_0),
    ("format", "format", Text, V2_0),
    ("wipe_filesystem", "wipeFilesystem", Truth, V2_1),
    ("label", "label", Set, V2_1),
    ("uuid", "uuid", Set, V2_1),
    ("options", "options", Texts, V2_1),
];

const CREATE: &[Row] = &[("force", "force", Truth, V2_0), ("options", "options", Texts, V2_0)];

/// Names for types of partitions.
const TYPES: [(&str, &str); 4] = [
    ("raid_containing_root", "be9067b9-ea49-4f15-b4f6-f36f8c9e1818"),
    ("linux_filesystem_data", "0fc63daf-8483-4772-8e79-3d69d8477de4"),
    ("swap_partition", "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f"),
    ("raid_partition", "a19d880f-05fc-4d3b-a006-743f0f84911e"),
];

/// Formats, the first spec that has them, and how many bytes a label of theirs has at most.
const FORMATS: [(&str, Spec, usize); 5] =
    [("ext4", V2_0, 16), ("btrfs", V2_0, 256), ("xfs", V2_0, 12), ("swap", V2_1, 15), ("vfat", V2_1, 11)];

const SECTOR: u64 = 512;
const MIB: u64 = 1 << 20;

/// `disks`, `raid` and `filesystems`, each where there are any; the names of all filesystems.
pub(super) fn read(reading: &mut Reading<'_>, storage: Fields<'_>, made: &mut Map<String, Value>) -> Vec<String> {
    let mut disks = Vec::new();
    for node in reading.each(storage, "disks") {
        disks.extend(disk(reading, node));
    }
    let mut arrays = Vec::new();
    for node in reading.each(storage, "raid") {
        arrays.extend(array(reading, node));
    }
    let mut filesystems = Vec::new();
    let mut names = vec!["root".to_owned()];
    for node in reading.each(storage, "filesystems") {
        filesystems.extend(filesystem(reading, node, &mut names));
    }
    insert(made, "disks", disks);
    insert(made, "raid", arrays);
    insert(made, "filesystems", filesystems);
    names
}

fn disk(reading: &mut Reading<'_>, node: &Node) -> Option<Value> {
    let (fields, mut disk) = reading.section(node, "a disk", DISK, &["partitions"])?;
    reading.must_have(fields, "this disk", &["device"]);
    reading.absolute(fields, "device");
    let mut partitions = Vec::new();
    // Numbers and, in bytes, first and last of what was placed by the config itself.
    let mut numbers = Vec::new();
    let mut placed: Vec<(u64, u64)> = Vec::new();
    for node in reading.each(fields, "partitions") {
        let Some((made, start, size)) = partition(reading, node) else { continue };
        if let Some(number) = made.get("number").and_then(Value::as_u64).filter(|number| *number > 0) {
            if numbers.contains(&number) {
                reading.complain(node, format!("two partitions of this disk have the number {number}"));
            }
            numbers.push(number);
        }
        if start > 0 {
            let end = start + size.saturating_sub(1);
            if placed.iter().any(|(first, last)| start <= *last && *first <= end) {
                reading.complain(node, "this partition lies over another one of this disk");
            }
            placed.push((start, end));
        }
        partitions.push(made.into());
    }
    insert(&mut disk, "partitions", partitions);
    Some(disk.into())
}

/// The partition, and where it starts and how large it is, in bytes; 0 where that is left to the tool.
fn partition(reading: &mut Reading<'_>, node: &Node) -> Option<(Map<String, Value>, u64, u64)> {
    let others = ["size", "start", "guid", "type_guid"];
    let (fields, mut made) = reading.section(node, "a partition", PARTITION, &others)?;
    if let Some(node) = fields.get("label")
        && let Some(label) = node.text()
        && (label.len() > 36 || label.contains(':'))
    {
        reading.complain(node, "the label of a partition has at most 36 bytes, and no `:`");
    }
    let spec = reading.spec;
    if spec < V2_3 && made.get("label") == Some(&json!("")) {
        made.remove("label");
    }
    if spec == V2_0 {
        // That spec's JSON says all three, and 0 for what is left to the tool.
        made.entry("number").or_insert(json!(0));
    }
    let mut bytes = [0; 2];
    for (at, key) in [(0, "start"), (1, "size")] {
        let node = fields.get(key);
        let dimension = match node {
            Some(node) => Some(dimension(reading, node, key)?),
            None => None,
        };
        bytes[at] = dimension.unwrap_or_default();
        if let Some(node) = node
            && bytes[at] % MIB != 0
            && (key == "start" || spec >= V2_3)
        {
            reading.complain(node, format!("`{key}` is a multiple of 1MiB"));
        }
        match (spec, dimension) {
            (V2_0, _) | (V2_1 | V2_2, Some(1..)) => made.insert(key.into(), bytes[at].div_ceil(SECTOR).into()),
            (V2_3, Some(_)) => made.insert(format!("{key}MiB"), (bytes[at] / MIB).into()),
            (V2_1 | V2_2 | V2_3, _) => None,
        };
    }
    for (key, json, first) in [("guid", "guid", V2_1), ("type_guid", "typeGuid", V2_0)] {
        let Some(node) = fields.get(key) else { continue };
        reading.since(node, &format!("`{key}` in a partition"), first);
        let text = reading.text(node, key)?;
        let named = TYPES.iter().find(|(name, _)| key == "type_guid" && *name == text).map(|(_, guid)| *guid);
        let guid = named.unwrap_or(&text);
        if !is_guid(guid) {
            let names = TYPES.map(|(name, _)| name).join(", ");
            let or = if key == "type_guid" { format!(", or one of: {names}") } else { String::new() };
            reading.complain(node, format!("`{key}` is a GUID such as {}{or}", TYPES[1].1));
        }
        made.insert(json.into(), guid.into());
    }
    Some((made, bytes[0], bytes[1]))
}

fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// A number of bytes, such as `1GiB` or `1.5GB`; both are multiples of 1024.
fn dimension(reading: &mut Reading<'_>, node: &Node, key: &str) -> Option<u64> {
    let text = reading.text(node, key)?;
    let bytes = bytes(&text);
    if bytes.is_none() {
        reading.complain(node, format!("`{text}` is not a size such as 512MiB or 1GiB"));
    }
    bytes
}

fn bytes(text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(digits);
    let unit = unit.strip_suffix('B')?;
    let power = match unit.strip_suffix('i').unwrap_or(unit) {
        "" if unit.is_empty() => 0,
        "K" => 1,
        "M" => 2,
        "G" => 3,
        "T" => 4,
        "P" => 5,
        _ => return None,
    };
    let scale = 1024_u64.pow(power);
    if number.contains('.') {
        let bytes = number.parse::<f64>().ok()? * scale as f64;
        // What a double holds exactly is more than any disk.
        return (bytes < 9e15).then_some(bytes as u64);
    }
    number.parse::<u64>().ok()?.checked_mul(scale).filter(|bytes| i64::try_from(*bytes).is_ok())
}

fn array(reading: &mut Reading<'_>, node: &Node) -> Option<Value> {
    const LEVELS: [&str; 15] = [
        "linear", "raid0", "0", "stripe", "raid1", "1", "mirror", "raid4", "4", "raid5", "5", "raid6", "6", "raid10",
        "10",
    ];
    let (fields, array) = reading.section(node, "a raid", RAID, &[])?;
    reading.must_have(fields, "this raid", &["name", "level", "devices"]);
    if let Some(node) = fields.get("level") {
        let level = reading.word(node, "level", &LEVELS.map(|level| (level, level)));
        if matches!(level, Some("linear" | "raid0" | "0" | "stripe"))
            && let Some(spares) = fields.get("spares")
            && array.contains_key("spares")
        {
            reading.complain(spares, "an array of this level has no spares");
        }
    }
    for node in fields.get("devices").map(Node::items).unwrap_or_default() {
        if node.text().is_some_and(|path| !path.starts_with('/')) {
            reading.complain(node, "a device begins with `/`");
        }
    }
    Some(array.into())
}

fn filesystem(reading: &mut Reading<'_>, node: &Node, names: &mut Vec<String>) -> Option<Value> {
    let (fields, mut filesystem) = reading.section(node, "a filesystem", FILESYSTEM, &["mount"])?;
    reading.absolute(fields, "path");
    if let Some(node) = fields.get("name")
        && let Some(name) = reading.text(node, "name")
    {
        if names.contains(&name) {
            reading.complain(node, format!("a filesystem `{name}` is there already"));
        }
        names.push(name);
    }
    match (fields.get("mount"), fields.get("path")) {
        (Some(node), None) => {
            filesystem.insert("mount".into(), mount(reading, node)?);
        }
        (None, Some(_)) => {}
        _ => reading.complain(node, "a filesystem has a `mount` or a `path`, and not both"),
    }
    Some(filesystem.into())
}

fn mount(reading: &mut Reading<'_>, node: &Node) -> Option<Value> {
    let (fields, mut mount) = reading.section(node, "`mount`", MOUNT, &["create"])?;
    reading.must_have(fields, "`mount`", &["device", "format"]);
    reading.absolute(fields, "device");
    if let Some(node) = fields.get("format") {
        let format = reading.word(node, "format", &FORMATS.map(|(format, first, label)| (format, (first, label))));
        if let Some((first, longest)) = format {
            reading.since(node, &format!("format `{}`", node.text().unwrap_or_default()), first);
            if let Some(label) = fields.get("label")
                && label.text().is_some_and(|text| text.len() > longest)
            {
                reading.complain(label, format!("a label has at most {longest} bytes in this format"));
            }
        }
    }
    if let Some(node) = fields.get("create") {
        let (_, create) = reading.section(node, "`create`", CREATE, &[])?;
        mount.insert("create".into(), create.into());
        for key in ["wipe_filesystem", "options"] {
            if let Some(node) =
                fields.get(key).filter(|_| mount.contains_key(if key == "options" { key } else { "wipeFilesystem" }))
            {
                reading.complain(node, format!("`create` and `{key}` do not go together: leave out `create`"));
            }
        }
    }
    Some(mount.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_ct() {
        for (text, expected) in [
            ("0", Some(0)),
            ("512B", Some(512)),
            ("1KB", Some(1024)),
            ("1KiB", Some(1024)),
            ("2GiB", Some(2 << 30)),
            ("1.5GiB", Some(3 << 29)),
            ("", None),
            ("1", None),
            ("GiB", None),
            ("-1GiB", None),
            ("1XB", None),
            ("1iB", None),
            ("99999999999PiB", None),
            ("1.2.3GiB", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }
}
