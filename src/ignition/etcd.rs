//! The `etcd` section: options in the order in which `ct` writes them, which is not the order of the config.

use serde_json::{Map, Value};

use crate::yaml::{Node, Reader};

/// What `ct` calls the drop-in.
pub(super) const DROP_IN: &str = "20-clct-etcd-member.conf";

/// The section, read.
pub(super) struct Etcd {
    /// For `etcd-member.service`, to the byte.
    pub drop_in: String,
    /// Options by their names in the config.
    pub options: Map<String, Value>,
}

enum Kind {
    Text,
    Number,
    Truth,
}
use Kind::{Number, Text, Truth};

/// Options of etcd 3.0, and those that 3.1 added at the end. A flag is its option with dashes.
const OPTIONS: [(&str, Kind); 46] = [
    ("name", Text),
    ("data_dir", Text),
    ("wal_dir", Text),
    ("snapshot_count", Number),
    ("heartbeat_interval", Number),
    ("election_timeout", Number),
    ("enable_pprof", Truth),
    ("listen_peer_urls", Text),
    ("listen_client_urls", Text),
    ("max_snapshots", Number),
    ("max_wals", Number),
    ("cors", Text),
    ("initial_advertise_peer_urls", Text),
    ("initial_cluster", Text),
    ("initial_cluster_state", Text),
    ("initial_cluster_token", Text),
    ("advertise_client_urls", Text),
    ("discovery", Text),
    ("discovery_srv", Text),
    ("discovery_fallback", Text),
    ("discovery_proxy", Text),
    ("strict_reconfig_check", Truth),
    ("auto_compaction_retention", Number),
    ("proxy", Text),
    ("proxy_failure_wait", Number),
    ("proxy_refresh_interval", Number),
    ("proxy_dial_timeout", Number),
    ("proxy_write_timeout", Number),
    ("proxy_read_timeout", Number),
    ("ca_file", Text),
    ("cert_file", Text),
    ("key_file", Text),
    ("client_cert_auth", Truth),
    ("trusted_ca_file", Text),
    ("auto_tls", Truth),
    ("peer_ca_file", Text),
    ("peer_cert_file", Text),
    ("peer_key_file", Text),
    ("peer_client_cert_auth", Truth),
    ("peer_trusted_ca_file", Text),
    ("peer_auto_tls", Truth),
    ("debug", Truth),
    ("log_package_levels", Text),
    ("force_new_cluster", Truth),
    ("metrics", Text),
    ("log_output", Text),
];

/// Reads the section.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Etcd> {
    let keys: Vec<&str> = std::iter::once("version").chain(OPTIONS.iter().map(|(key, _)| *key)).collect();
    let fields = reader.fields(node, "`etcd`", &keys)?;
    let mut options = Map::new();
    let mut drop_in = "[Service]\n".to_owned();
    if let Some(node) = fields.get("version") {
        let text = reader.text(node, "version")?;
        match semver::Version::parse(&text) {
            Ok(version) if version >= semver::Version::new(2, 3, 0) && version.major <= 3 => {
                drop_in.extend(["Environment=\"ETCD_IMAGE_TAG=v", &version.to_string(), "\"\n"]);
            }
            Ok(_) => reader.complain(node, "the version of etcd is 2.3.0 or later, and below 4"),
            Err(_) => {
                reader.complain(node, format!("`{text}` is not a version such as 3.0.17: three numbers, without a v"));
            }
        }
        options.insert("version".into(), text.into());
    }
    drop_in += "ExecStart=\nExecStart=/usr/lib/coreos/etcd-wrapper $ETCD_OPTS";
    for (key, kind) in OPTIONS {
        let Some(node) = fields.get(key) else { continue };
        let text = reader.text(node, key)?;
        let value = match kind {
            Text => quoted(&text),
            Number if text.parse::<i64>().is_ok() => text.clone(),
            Number => {
                reader.complain(node, format!("`{key}` is a whole number"));
                continue;
            }
            Truth => reader.boolean(node, key)?.to_string(),
        };
        drop_in.extend([" \\\n  --", &key.replace('_', "-"), "=", &value]);
        options.insert(key.into(), text.into());
    }
    Some(Etcd { drop_in, options })
}

/// In double quotes, with quotes, backslashes and line ends escaped.
pub(super) fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t");
    format!("\"{escaped}\"")
}
