//! What a runbook asks of every host beyond what is always asked.

use super::words::{Names, boolean, path, template};
use crate::model::runbook::ProbeSpec;
use crate::yaml::{Node, Reader};

const PROBE_KEYS: [&str; 10] =
    ["units", "paths", "journal", "lines", "packages", "programs", "containers", "certs", "pods", "devices"];

pub(super) fn probe(reader: &mut Reader<'_>, node: &Node, names: &Names) -> Option<ProbeSpec> {
    let fields = reader.fields(node, "`probe`", &PROBE_KEYS)?;
    let mut spec = ProbeSpec::default();
    for node in fields.get("units").map(|node| reader.list(node, "units")).unwrap_or_default() {
        spec.units.extend(unit(reader, node, names));
    }
    for node in fields.get("paths").map(|node| reader.list(node, "paths")).unwrap_or_default() {
        spec.paths.extend(path(reader, node, "paths", names));
    }
    for (key, value) in fields.get("journal").map(|node| reader.entries(node, "journal")).unwrap_or_default() {
        if let Some(unit) = unit(reader, key, names) {
            spec.journal.insert(unit, reader.texts(value, "journal"));
        }
    }
    for (key, value) in fields.get("lines").map(|node| reader.entries(node, "lines")).unwrap_or_default() {
        if let Some(path) = path(reader, key, "lines", names) {
            spec.lines.insert(path, reader.texts(value, "lines"));
        }
    }
    for node in fields.get("certs").map(|node| reader.list(node, "certs")).unwrap_or_default() {
        spec.certs.extend(path(reader, node, "certs", names));
    }
    for node in fields.get("programs").map(|node| reader.list(node, "programs")).unwrap_or_default() {
        let words = ProbeSpec::PROGRAMS.map(|program| (program, program));
        spec.programs.extend(reader.word(node, "programs", &words).map(str::to_owned));
    }
    let words = |reader: &mut Reader<'_>, key: &'static str| -> Vec<String> {
        let nodes = fields.get(key).map(|node| reader.list(node, key)).unwrap_or_default();
        nodes.iter().filter_map(|node| template(reader, node, key, names)).collect()
    };
    spec.packages = words(reader, "packages");
    spec.containers = words(reader, "containers");
    spec.pods = boolean(reader, fields, "pods");
    spec.devices = boolean(reader, fields, "devices");
    Some(spec)
}

fn unit(reader: &mut Reader<'_>, node: &Node, names: &Names) -> Option<String> {
    let unit = template(reader, node, "units", names)?;
    let suffix = unit.rsplit_once('.').map(|(_, suffix)| suffix);
    let known =
        ["service", "socket", "target", "timer", "mount", "path", "slice", "scope", "automount", "swap", "device"];
    if !unit.contains('$') && !suffix.is_some_and(|suffix| known.contains(&suffix)) {
        reader.complain(node, format!("a unit has its full name here: `{unit}.service`?"));
    }
    Some(unit)
}
