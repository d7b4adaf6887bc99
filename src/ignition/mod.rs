//! Container Linux Config to Ignition, as `ct` does it, and the lint for destructive content.
//!
//! The transpiler is gone from most places that once had it, and without `-strict` it made an empty config of any file
//! it did not understand. Here an unknown key is a problem, and so is whatever the asked spec cannot say. Who asks for
//! warnings ([`transpile`]) gets them for what `ct` warned of, and for what it passed over in silence: unknown keys, keys
//! without a value or there twice, a file system or an update group that nobody has named, an enabled unit without
//! `[Install]`, and an empty file.
//!
//! What is made is what `ct -strict` made (0.4.2 for spec 2.0.0, 0.7.0 for 2.1.0, 0.9.0 for 2.2.0, its last commit for
//! 2.3.0), but for this: a file stands on the root file system and has the mode 0644 where it does not say otherwise, in
//! all specs; what is said explicitly to be 0, false or empty is written in all of them; no value is put into quotes twice
//! (0.4.2); a value's white space at its end is not its own; `locksmith` needs no strategy (before 0.9). A key without a
//! value, a decimal mode that looks like an octal one, and a brace in `etcd` or `flannel` that stands for nothing are
//! refused.

mod cloud_config;
mod disks;
mod draft;
mod etcd;
mod examine;
mod files;
mod flannel;
mod hits;
mod lint;
mod passwd;
mod platform;
mod reading;
mod spec;
mod units;
mod update;

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::yaml::{Document, Fields, Node, Problem, Problems, Reader, parse, parse_lenient};
use platform::Platform;
use reading::Kind::Id;
use reading::{Reading, Row, insert};
use spec::Spec;

pub use cloud_config::{Fate, Migration, Note, UserData, migrate, user_data};
pub use examine::{Finding, Linted, lint_document};
pub use lint::{Destructive, Grade, lint};
pub use platform::PLATFORM_NAMES;
pub use spec::{SPECS, spec_readable};

/// The spec that the Ignition of any Container Linux since April 2016 reads.
pub const DEFAULT_SPEC: &str = "2.0.0";

/// What became of a Container Linux Config.
#[derive(Clone, Debug, PartialEq)]
pub struct Converted {
    /// The Ignition config.
    pub json: Value,
    /// The drop-in that the `etcd` section makes for `etcd-member.service`, to the byte; nothing without that section.
    pub etcd_drop_in: Option<String>,
    /// The `etcd` section's options by their names in the config, in words.
    pub etcd: Map<String, Value>,
}

impl Converted {
    /// What guards compare with the host, as `config`.
    #[must_use]
    pub fn config(&self) -> Value {
        let destructive: Vec<Value> = lint(&self.json)
            .into_iter()
            .filter(|found| found.grade == Grade::Refuse)
            .map(|found| json!({ "path": found.path, "what": found.what, "targets": found.targets }))
            .collect();
        json!({
            "ignition_version": self.json["ignition"]["version"],
            "read_from": spec::read_from(self.json["ignition"]["version"].as_str().unwrap_or_default()),
            "destructive": destructive,
            "etcd": self.etcd,
        })
    }
}

/// How a Container Linux Config is to be converted, in the words of `ct`'s options.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// One of [`SPECS`].
    pub spec: &'a str,
    /// `-platform`: one of [`PLATFORM_NAMES`], whose metadata fill in `{PRIVATE_IPV4}` and its like in `etcd` and `flannel`.
    /// Elsewhere braces are braces.
    pub platform: Option<&'a str>,
    /// `-files-dir`: where the files of `local` lie.
    pub files_dir: Option<&'a Path>,
}

impl Default for Settings<'_> {
    fn default() -> Self {
        Self { spec: DEFAULT_SPEC, platform: None, files_dir: None }
    }
}

/// Converts a Container Linux Config as `ct -strict` does it: whatever is doubtful is refused.
///
/// What runbooks push is converted so, always. A config that reaches a host decides what the host is after its next boot,
/// nobody reads warnings at a gate, and a key that `ct` merely warns of is one that the host will not have: an operator
/// who wants that says so in the file.
///
/// # Errors
/// Everything that is wrong with it or that the spec cannot say, each with its place; a spec or platform that is unknown.
pub fn convert(document: &Document, settings: &Settings<'_>) -> Result<Converted, Problems> {
    let (spec, platform) = settings.known(document)?;
    let root = parse(document)?;
    let mut reading = Reading::new(Reader::new(document), spec, platform, settings.files_dir);
    let converted = config(&mut reading, &root);
    reading.done().problems.or(converted)
}

/// Converts a Container Linux Config as `ct` does it without `-strict`, and returns the warnings. It warns of more than
/// `ct` does: of what that passes over in silence.
///
/// # Errors
/// As [`convert`], but for what is a warning now; what was doubtful beside an error is among the errors.
pub fn transpile(document: &Document, settings: &Settings<'_>) -> Result<(Converted, Problems), Problems> {
    let (spec, platform) = settings.known(document)?;
    let (root, mut warnings) = parse_lenient(document)?;
    let mut reading = Reading::new(Reader::lenient(document), spec, platform, settings.files_dir);
    let converted = config(&mut reading, &root);
    let reader = reading.done();
    warnings.0.extend(reader.warnings.0);
    warnings.0.sort_by_key(|warning| warning.place);
    if reader.problems.0.is_empty()
        && let Some(converted) = converted
    {
        return Ok((converted, warnings));
    }
    warnings.0.extend(reader.problems.0);
    warnings.or(None)
}

impl Settings<'_> {
    fn known(&self, document: &Document) -> Result<(Spec, Option<Platform>), Problems> {
        let refuse = |message: String| Err(Problem::of(&*document.name, message).into());
        let Some(spec) = Spec::named(self.spec) else {
            return refuse(format!("Ignition configs are written by spec {}, not `{}`", SPECS.join(", "), self.spec));
        };
        let platform = match self.platform.map(|name| (name, Platform::named(name))) {
            Some((name, None)) => {
                let known = PLATFORM_NAMES.join(", ");
                return refuse(format!("`{name}` is not a platform that `ct` knew; it knew: {known}"));
            }
            known => known.and_then(|(_, platform)| platform),
        };
        Ok((spec, platform))
    }
}

/// All sections, in the order in which `ct` makes units and files of them.
fn config(reading: &mut Reading<'_>, root: &Node) -> Option<Converted> {
    let keys =
        ["ignition", "passwd", "etcd", "flannel", "docker", "locksmith", "update", "systemd", "networkd", "storage"];
    let fields = reading.fields(root, "a Container Linux Config", &keys)?;
    let ignition = ignition(reading, fields.get("ignition"));

    let mut units = metadata_units(reading);
    units.extend(fields.get("docker").and_then(|node| docker(reading, node)));
    let etcd = fields.get("etcd").and_then(|node| etcd::read(reading, node));
    units.extend(etcd.as_ref().map(|etcd| units::enabled("etcd-member.service", etcd::DROP_IN, &etcd.drop_in)));
    let flannel = fields.get("flannel").and_then(|node| flannel::read(reading, node));
    units.extend(flannel.map(|drop_in| units::enabled("flanneld.service", flannel::DROP_IN, &drop_in)));
    units.extend(fields.get("systemd").map(|node| units::systemd(reading, node)).unwrap_or_default());
    let networks = fields.get("networkd").map(|node| units::networkd(reading, node)).unwrap_or_default();

    let mut storage = fields.get("storage").map(|node| storage(reading, node)).unwrap_or_default();
    if let Some(conf) = update::conf(reading, fields) {
        match storage.get_mut("files") {
            Some(Value::Array(files)) => files.push(conf),
            _ => insert(&mut storage, "files", vec![conf]),
        }
    }
    let passwd = fields.get("passwd").map(|node| passwd::read(reading, node)).unwrap_or_default();

    let mut systemd = Map::new();
    insert(&mut systemd, "units", units);
    let mut networkd = Map::new();
    insert(&mut networkd, "units", networks);
    let json = json!({
        "ignition": ignition,
        "storage": storage,
        "systemd": systemd,
        "networkd": networkd,
        "passwd": passwd,
    });
    let (etcd_drop_in, etcd) = etcd.map(|etcd| (etcd.drop_in, etcd.options)).unzip();
    Some(Converted { json, etcd_drop_in, etcd: etcd.unwrap_or_default() })
}

fn storage(reading: &mut Reading<'_>, node: &Node) -> Map<String, Value> {
    let mut made = Map::new();
    let keys = ["disks", "raid", "filesystems", "files", "directories", "links"];
    if let Some(fields) = reading.fields(node, "`storage`", &keys) {
        let filesystems = disks::read(reading, fields, &mut made);
        files::read(reading, fields, &filesystems, &mut made);
    }
    made
}

/// `ignition`: other configs, timeouts and certificate authorities, with what `ct` writes where there are none.
fn ignition(reading: &mut Reading<'_>, node: Option<&Node>) -> Value {
    const TIMEOUTS: &[Row] = &[
        ("http_response_headers", "httpResponseHeaders", Id, Spec::V2_1),
        ("http_total", "httpTotal", Id, Spec::V2_1),
    ];
    let fields = node.and_then(|node| reading.fields(node, "`ignition`", &["config", "timeouts", "security"]));
    let get = |key: &str| fields.and_then(|fields: Fields<'_>| fields.get(key));
    let mut made = Map::new();
    made.insert("version".into(), reading.spec.name().into());
    let mut config = Map::new();
    if let Some(fields) = get("config").and_then(|node| reading.fields(node, "`config`", &["append", "replace"])) {
        let mut append = Vec::new();
        for node in reading.each(fields, "append") {
            append.extend(reference(reading, node, "a config to append"));
        }
        insert(&mut config, "append", append);
        if let Some(replace) = fields.get("replace").and_then(|node| reference(reading, node, "`replace`")) {
            config.insert("replace".into(), replace);
        }
    }
    made.insert("config".into(), config.into());
    let timeouts = get("timeouts").and_then(|node| reading.section(node, "`timeouts`", TIMEOUTS, &[]));
    if reading.spec >= Spec::V2_1 {
        made.insert("timeouts".into(), timeouts.map(|(_, map)| map).unwrap_or_default().into());
    }
    let mut tls = Map::new();
    if let Some(node) = get("security")
        && reading.since(node, "`ignition.security`", Spec::V2_2)
        && let Some(fields) = reading.fields(node, "`security`", &["tls"])
        && let Some(node) = fields.get("tls")
        && let Some(fields) = reading.fields(node, "`tls`", &["certificate_authorities"])
    {
        let mut authorities = Vec::new();
        for node in reading.each(fields, "certificate_authorities") {
            authorities.extend(reference(reading, node, "a certificate authority"));
        }
        insert(&mut tls, "certificateAuthorities", authorities);
    }
    if reading.spec >= Spec::V2_2 {
        made.insert("security".into(), json!({ "tls": tls }));
    }
    made.into()
}

/// Something that Ignition fetches before it does anything.
fn reference(reading: &mut Reading<'_>, node: &Node, what: &str) -> Option<Value> {
    let fields = reading.fields(node, what, &["source", "verification"])?;
    let source = reading.required(fields, what, "source").and_then(|node| reading.url(node, "source"))?;
    Some(json!({ "source": source, "verification": reading.verification(fields) }))
}

fn docker(reading: &mut Reading<'_>, node: &Node) -> Option<Value> {
    const FLAGS: &[Row] = &[("flags", "flags", reading::Kind::Texts, Spec::V2_0)];
    let (_, docker) = reading.section(node, "`docker`", FLAGS, &[])?;
    let flags: Vec<&str> =
        docker.get("flags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let contents = format!("[Service]\nEnvironment=\"DOCKER_OPTS={}\"", flags.join(" "));
    Some(units::enabled("docker.service", "20-clct-docker.conf", &contents))
}

/// Where the metadata agent cannot tell its cloud by itself, it is told.
fn metadata_units(reading: &Reading<'_>) -> Vec<Value> {
    let Some(name @ ("openstack-metadata" | "cloudstack-configdrive")) = reading.platform.map(|platform| platform.name)
    else {
        return Vec::new();
    };
    let contents = format!("[Service]\nEnvironment=COREOS_METADATA_OPT_PROVIDER=--provider={name}");
    let drop_ins = json!([{ "name": "20-clct-provider-override.conf", "contents": contents }]);
    let mut keys = json!({ "name": "coreos-metadata-sshkeys@.service", "dropins": drop_ins });
    if reading.spec >= Spec::V2_1 {
        keys["enabled"] = true.into();
    }
    vec![json!({ "name": "coreos-metadata.service", "dropins": drop_ins }), keys]
}

#[cfg(test)]
mod tests;
