//! Container Linux Config to Ignition, as `ct` 0.4 does it, and the lint for destructive content.
//!
//! The transpiler is gone from most places that once had it, and without `-strict` it made an empty config of any file
//! it did not understand. Here an unknown key is a problem, and so is every section that is not carried over.

mod etcd;
mod lint;
mod units;

use serde_json::{Map, Value, json};

use crate::yaml::{Document, Fields, Node, Problems, Reader, parse};

pub use lint::{Destructive, lint};

/// The spec that the Ignition of any Container Linux since April 2016 reads.
pub const DEFAULT_SPEC: &str = "2.0.0";

/// Specs that can be written. What is converted here is the same in all of them but for the number.
const SPECS: [&str; 3] = [DEFAULT_SPEC, "2.1.0", "2.2.0"];

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
        let destructive: Vec<Value> =
            lint(&self.json).into_iter().map(|found| json!({ "path": found.path, "what": found.what })).collect();
        json!({
            "ignition_version": self.json["ignition"]["version"],
            "destructive": destructive,
            "etcd": self.etcd,
        })
    }
}

/// Converts a Container Linux Config: its sections `passwd`, `etcd`, `locksmith`, `update`, `systemd` and the files of
/// `storage` that hold their content.
///
/// # Errors
/// Everything that is wrong with it or cannot be carried over, each with its place.
pub fn convert(document: &Document, spec: &str) -> Result<Converted, Problems> {
    let root = parse(document)?;
    let mut reader = Reader::new(document);
    if !SPECS.contains(&spec) {
        let message = format!("Ignition configs are written by spec {}, not `{spec}`", SPECS.join(", "));
        return Err(crate::yaml::Problem::of(&*document.name, message).into());
    }
    let converted = config(&mut reader, &root, spec);
    reader.problems.or(converted)
}

fn config(reader: &mut Reader<'_>, root: &Node, spec: &str) -> Option<Converted> {
    no_templates(reader, root);
    let keys = ["passwd", "etcd", "locksmith", "update", "systemd", "storage"];
    let fields = reader.fields(root, "a Container Linux Config (as far as it is converted here)", &keys)?;
    let etcd = fields.get("etcd").and_then(|node| etcd::read(reader, node));
    let mut all_units = Vec::new();
    if let Some(etcd) = &etcd {
        all_units.push(json!({
            "name": "etcd-member.service",
            "enable": true,
            "dropins": [{ "name": etcd::DROP_IN, "contents": etcd.drop_in }],
        }));
    }
    if let Some(node) = fields.get("systemd") {
        all_units.extend(units::read(reader, node));
    }
    let users = fields.get("passwd").map(|node| users(reader, node)).unwrap_or_default();
    let mut all_files = fields.get("storage").map(|node| files(reader, node)).unwrap_or_default();
    all_files.extend(update_conf(reader, fields));

    let mut storage = Map::new();
    insert(&mut storage, "files", all_files);
    let mut systemd = Map::new();
    insert(&mut systemd, "units", all_units);
    let mut passwd = Map::new();
    insert(&mut passwd, "users", users);
    let json = json!({
        "ignition": { "version": spec, "config": {} },
        "storage": storage,
        "systemd": systemd,
        "networkd": {},
        "passwd": passwd,
    });
    let (etcd_drop_in, etcd) = etcd.map(|etcd| (etcd.drop_in, etcd.options)).unzip();
    Some(Converted { json, etcd_drop_in, etcd: etcd.unwrap_or_default() })
}

fn insert(map: &mut Map<String, Value>, key: &str, list: Vec<Value>) {
    if !list.is_empty() {
        map.insert(key.into(), list.into());
    }
}

/// `{PRIVATE_IPV4}` and its like are filled in by `ct -platform` from the metadata of a cloud.
fn no_templates(reader: &mut Reader<'_>, node: &Node) {
    const TEMPLATES: [&str; 6] =
        ["{HOSTNAME}", "{PRIVATE_IPV4}", "{PUBLIC_IPV4}", "{PRIVATE_IPV6}", "{PUBLIC_IPV6}", "{V1_"];
    match &node.data {
        crate::yaml::Data::Scalar(scalar) => {
            for template in TEMPLATES {
                if let Some(at) = scalar.text.find(template) {
                    let message = format!(
                        "`{template}` is filled in from a cloud's metadata, which is not done here: write the value"
                    );
                    reader.complain_in(node, at, template.len(), message);
                }
            }
        }
        crate::yaml::Data::Seq(items) => items.iter().for_each(|item| no_templates(reader, item)),
        crate::yaml::Data::Map(entries) => entries.iter().for_each(|(_, value)| no_templates(reader, value)),
    }
}

fn users(reader: &mut Reader<'_>, node: &Node) -> Vec<Value> {
    let Some(fields) = reader.fields(node, "`passwd`", &["users"]) else { return Vec::new() };
    let Some(list) = fields.get("users") else { return Vec::new() };
    let mut users = Vec::new();
    for node in reader.list(list, "users") {
        let Some(fields) = reader.fields(node, "a user", &["name", "password_hash", "ssh_authorized_keys"]) else {
            continue;
        };
        let mut user = Map::new();
        if let Some(name) = reader.required(fields, "this user", "name").and_then(|node| reader.text(node, "name")) {
            user.insert("name".into(), name.into());
        }
        if let Some(hash) = fields.get("password_hash").and_then(|node| reader.text(node, "password_hash")) {
            user.insert("passwordHash".into(), hash.into());
        }
        if let Some(keys) = fields.get("ssh_authorized_keys") {
            user.insert("sshAuthorizedKeys".into(), reader.texts(keys, "ssh_authorized_keys").into());
        }
        users.push(user.into());
    }
    users
}

fn files(reader: &mut Reader<'_>, node: &Node) -> Vec<Value> {
    let Some(fields) = reader.fields(node, "`storage`", &["files"]) else { return Vec::new() };
    let Some(list) = fields.get("files") else { return Vec::new() };
    let mut files = Vec::new();
    for node in reader.list(list, "files") {
        files.extend(file(reader, node));
    }
    files
}

fn file(reader: &mut Reader<'_>, node: &Node) -> Option<Value> {
    let fields = reader.fields(node, "a file", &["filesystem", "path", "mode", "contents"])?;
    let filesystem = match fields.get("filesystem") {
        Some(node) => reader.text(node, "filesystem")?,
        None => "root".into(),
    };
    let path = reader.required(fields, "this file", "path").and_then(|node| {
        let path = reader.text(node, "path")?;
        if !path.starts_with('/') {
            reader.complain(node, "the path of a file begins with `/`");
        }
        Some(path)
    });
    let mode = fields.get("mode").and_then(|node| mode(reader, node)).unwrap_or(0o644);
    let contents = reader.required(fields, "this file", "contents")?;
    let contents = reader.fields(contents, "`contents`", &["inline"])?;
    let inline = reader.required(contents, "`contents`", "inline").and_then(|node| reader.script(node, "inline"))?;
    Some(file_value(&filesystem, &path?, &inline, mode))
}

fn file_value(filesystem: &str, path: &str, content: &str, mode: u32) -> Value {
    json!({
        "filesystem": filesystem,
        "path": path,
        "contents": { "source": data_url(content), "verification": {} },
        "mode": mode,
        "user": {},
        "group": {},
    })
}

/// Octal with a leading 0, as YAML of that age read it; decimal without.
fn mode(reader: &mut Reader<'_>, node: &Node) -> Option<u32> {
    let text = reader.text(node, "mode")?;
    let mode = match text.strip_prefix('0') {
        Some(digits) if !digits.is_empty() => u32::from_str_radix(digits.trim_start_matches('o'), 8).ok(),
        _ => {
            reader.complain(
                node,
                format!("`{text}` would be read as a decimal number: write the mode with a leading 0, such as 0644"),
            );
            return None;
        }
    };
    if mode.is_none_or(|mode| mode > 0o7777) {
        reader.complain(node, format!("`{text}` is not a mode such as 0644"));
        return None;
    }
    mode
}

/// RFC 2396's unreserved characters stand for themselves, all others are escaped byte by byte.
fn data_url(content: &str) -> String {
    use std::fmt::Write as _;
    content.bytes().fold("data:,".to_owned(), |mut url, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            url.push(byte.into());
        } else {
            _ = write!(url, "%{byte:02X}");
        }
        url
    })
}

/// Keys of `locksmith`, and the variables of update.conf that they set, in the order of the file.
const LOCKSMITH: [(&str, &str); 8] = [
    ("reboot_strategy", "REBOOT_STRATEGY"),
    ("window_start", "LOCKSMITHD_REBOOT_WINDOW_START"),
    ("window_length", "LOCKSMITHD_REBOOT_WINDOW_LENGTH"),
    ("group", "LOCKSMITHD_GROUP"),
    ("etcd_endpoints", "LOCKSMITHD_ENDPOINT"),
    ("etcd_cafile", "LOCKSMITHD_ETCD_CAFILE"),
    ("etcd_certfile", "LOCKSMITHD_ETCD_CERTFILE"),
    ("etcd_keyfile", "LOCKSMITHD_ETCD_KEYFILE"),
];

/// `update` and `locksmith` make one file of each other's lines. It replaces the host's, group and server included.
fn update_conf(reader: &mut Reader<'_>, fields: Fields<'_>) -> Option<Value> {
    let mut content = String::new();
    if let Some(update) = fields.get("update").and_then(|node| reader.fields(node, "`update`", &["group", "server"])) {
        if let Some(group) = update.get("group").and_then(|node| reader.text(node, "group")) {
            content = format!("GROUP={}", group.to_lowercase());
        }
        if let Some(server) = update.get("server").and_then(|node| reader.text(node, "server")) {
            content.extend(["\nSERVER=", &server]);
        }
    }
    if let Some(node) = fields.get("locksmith")
        && let Some(locksmith) = reader.fields(node, "`locksmith`", &LOCKSMITH.map(|(key, _)| key))
    {
        for (key, variable) in LOCKSMITH {
            let Some(node) = locksmith.get(key) else { continue };
            let value = if key == "reboot_strategy" {
                let words = [("reboot", "reboot"), ("etcd-lock", "etcd-lock"), ("off", "off")];
                reader.word(node, key, &words).map(str::to_owned)
            } else {
                reader.text(node, key)
            };
            content += &value.map(|value| format!("\n{variable}={}", etcd::quoted(&value))).unwrap_or_default();
        }
        if locksmith.get("window_start").is_some() != locksmith.get("window_length").is_some() {
            reader.complain(node, "a reboot window has both `window_start` and `window_length`");
        }
    }
    (!content.is_empty()).then(|| file_value("root", "/etc/coreos/update.conf", &content, 0o644))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBER: &str = r"passwd:
  users:
    - name: core
      ssh_authorized_keys:
        - ssh-rsa AAAA core
etcd:
  name: etcd1
  listen_client_urls: http://0.0.0.0:2379
  advertise_client_urls: http://10.15.4.181:2379
  listen_peer_urls: http://0.0.0.0:2380
  initial_advertise_peer_urls: http://10.15.4.181:2380
  initial_cluster: etcd1=http://10.15.4.181:2380,etcd2=http://10.15.4.182:2380
locksmith:
  reboot_strategy: etcd-lock
";

    fn converted(text: &str) -> Converted {
        convert(&Document::new("clc.yaml", text), DEFAULT_SPEC).unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn complaints(text: &str) -> String {
        convert(&Document::new("clc.yaml", text), DEFAULT_SPEC).unwrap_err().to_string()
    }

    #[test]
    fn a_member_is_converted_as_ct_did_it() {
        let drop_in = "[Service]\nExecStart=\nExecStart=/usr/lib/coreos/etcd-wrapper $ETCD_OPTS \\\n  \
            --name=\"etcd1\" \\\n  --listen-peer-urls=\"http://0.0.0.0:2380\" \\\n  \
            --listen-client-urls=\"http://0.0.0.0:2379\" \\\n  \
            --initial-advertise-peer-urls=\"http://10.15.4.181:2380\" \\\n  \
            --initial-cluster=\"etcd1=http://10.15.4.181:2380,etcd2=http://10.15.4.182:2380\" \\\n  \
            --advertise-client-urls=\"http://10.15.4.181:2379\"";
        let made = converted(MEMBER);
        assert_eq!(made.etcd_drop_in.as_deref(), Some(drop_in));
        assert_eq!(made.json["ignition"]["version"], "2.0.0");
        assert_eq!(
            made.json["systemd"]["units"],
            json!([{
                "name": "etcd-member.service",
                "enable": true,
                "dropins": [{ "name": "20-clct-etcd-member.conf", "contents": drop_in }],
            }])
        );
        let file = &made.json["storage"]["files"][0];
        assert_eq!(file["path"], "/etc/coreos/update.conf");
        assert_eq!(file["mode"], 420);
        assert_eq!(file["contents"]["source"], "data:,%0AREBOOT_STRATEGY%3D%22etcd-lock%22");
        assert_eq!(
            made.json["passwd"]["users"],
            json!([{ "name": "core", "sshAuthorizedKeys": ["ssh-rsa AAAA core"] }])
        );
    }

    #[test]
    fn a_version_pins_the_image_before_the_command() {
        let made = converted(&MEMBER.replace("etcd:\n", "etcd:\n  version: 3.0.17\n"));
        let drop_in = made.etcd_drop_in.clone().unwrap();
        assert!(
            drop_in.starts_with("[Service]\nEnvironment=\"ETCD_IMAGE_TAG=v3.0.17\"\nExecStart=\nExecStart=/usr/lib/"),
            "{drop_in}"
        );
        let config = made.config();
        assert_eq!(config["etcd"]["version"], "3.0.17");
        assert_eq!(config["etcd"]["name"], "etcd1");
        assert_eq!(config["ignition_version"], "2.0.0");
        // Replacing the file that tells the update channel is not what destroys data; nothing here does.
        assert_eq!(config["destructive"], json!([]));
    }

    #[test]
    fn the_update_group_stands_before_the_strategy() {
        let made = converted("update:\n  group: stable\nlocksmith:\n  reboot_strategy: etcd-lock\n");
        let source = &made.json["storage"]["files"][0]["contents"]["source"];
        assert_eq!(source, "data:,GROUP%3Dstable%0AREBOOT_STRATEGY%3D%22etcd-lock%22");
    }

    #[test]
    fn files_and_units_are_carried_over() {
        let made = converted(
            "storage:\n  files:\n    - path: /etc/x\n      mode: 0600\n      contents:\n        inline: |\n          a b\nsystemd:\n  units:\n    - name: x.service\n      enabled: true\n      dropins:\n        - name: 10-x.conf\n          contents: |\n            [Service]\n",
        );
        assert_eq!(made.json["storage"]["files"][0]["contents"]["source"], "data:,a%20b%0A");
        assert_eq!(made.json["storage"]["files"][0]["mode"], 0o600);
        assert_eq!(
            made.json["systemd"]["units"],
            json!([{ "name": "x.service", "enabled": true, "dropins": [{ "name": "10-x.conf", "contents": "[Service]\n" }] }])
        );
    }

    #[test]
    fn what_is_not_understood_is_refused_not_dropped() {
        assert!(complaints("coreos:\n  etcd2:\n    name: a\n").contains("no key `coreos`"));
        assert!(complaints("#cloud-config\n").contains("is empty"));
        assert!(complaints("etcd:\n  nam: a\n").contains("did you mean `name`"));
        assert!(complaints("etcd:\n  name: '{HOSTNAME}'\n").contains("clc.yaml:2:10"));
        assert!(complaints("etcd:\n  version: 2.2.0\n").contains("2.3.0"));
        assert!(complaints("etcd:\n  snapshot_count: many\n").contains("a whole number"));
        assert!(
            complaints("storage:\n  files:\n    - path: /x\n      mode: 644\n      contents: {inline: x}\n")
                .contains("leading 0")
        );
    }
}
