//! The `etcd` section: options in the order in which `ct` writes them, which is not the order of the config.

use semver::Version;
use serde_json::{Map, Value};

use super::platform::{self, Options, quoted};
use super::reading::Reading;
use crate::yaml::{Fields, Node};

/// What `ct` calls the drop-in.
pub(super) const DROP_IN: &str = "20-clct-etcd-member.conf";

/// The section, read.
pub(super) struct Etcd {
    /// For `etcd-member.service`, to the byte.
    pub drop_in: String,
    /// Options by their names in the config.
    pub options: Map<String, Value>,
}

/// What the value of an option is.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    Truth,
}
use Kind::{Number, Text, Truth};

/// An option's key, what it is, and the minor version of etcd 3 that brought it. A flag is its key with dashes.
type Row = (&'static str, Kind, u64);

/// Of etcd 3, in the order of `ct`'s own list for 3.3, which holds those of the versions before in the same order.
const OPTIONS: &[Row] = &[
    ("name", Text, 0),
    ("data_dir", Text, 0),
    ("wal_dir", Text, 0),
    ("snapshot_count", Number, 0),
    ("heartbeat_interval", Number, 0),
    ("election_timeout", Number, 0),
    ("enable_pprof", Truth, 0),
    ("enable_v2", Truth, 2),
    ("listen_peer_urls", Text, 0),
    ("listen_client_urls", Text, 0),
    ("max_snapshots", Number, 0),
    ("max_wals", Number, 0),
    ("cors", Text, 0),
    ("quota_backend_bytes", Number, 3),
    ("max_txn_ops", Number, 3),
    ("max_request_bytes", Number, 3),
    ("grpc_keepalive_min_time", Text, 3),
    ("grpc_keepalive_interval", Text, 3),
    ("grpc_keepalive_timeout", Text, 3),
    ("initial_advertise_peer_urls", Text, 0),
    ("initial_cluster", Text, 0),
    ("initial_cluster_state", Text, 0),
    ("initial_cluster_token", Text, 0),
    ("advertise_client_urls", Text, 0),
    ("discovery", Text, 0),
    ("discovery_srv", Text, 0),
    ("discovery_fallback", Text, 0),
    ("discovery_proxy", Text, 0),
    ("strict_reconfig_check", Truth, 0),
    // A number of hours before 3.3, a duration or a number since.
    ("auto_compaction_retention", Number, 0),
    ("auto_compaction_mode", Text, 3),
    ("proxy", Text, 0),
    ("proxy_failure_wait", Number, 0),
    ("proxy_refresh_interval", Number, 0),
    ("proxy_dial_timeout", Number, 0),
    ("proxy_write_timeout", Number, 0),
    ("proxy_read_timeout", Number, 0),
    ("ca_file", Text, 0),
    ("cert_file", Text, 0),
    ("key_file", Text, 0),
    ("client_cert_auth", Truth, 0),
    ("client_crl_file", Text, 3),
    ("trusted_ca_file", Text, 0),
    ("auto_tls", Truth, 0),
    ("peer_ca_file", Text, 0),
    ("peer_cert_file", Text, 0),
    ("peer_key_file", Text, 0),
    ("peer_client_cert_auth", Truth, 0),
    ("peer_crl_file", Text, 3),
    ("peer_trusted_ca_file", Text, 0),
    ("peer_auto_tls", Truth, 0),
    ("peer_cert_allowed_cn", Text, 3),
    ("auth_token", Text, 2),
    ("debug", Truth, 0),
    ("log_package_levels", Text, 0),
    ("force_new_cluster", Truth, 0),
    ("metrics", Text, 1),
    ("log_output", Text, 1),
    ("listen_metrics_urls", Text, 3),
    ("experimental_initial_corrupt_check", Truth, 3),
    ("experimental_corrupt_check_time", Text, 3),
    ("experimental_enable_v2v3", Text, 3),
];

/// Options of etcd 2.3, which `ct` writes in another order.
const OPTIONS_OF_2: &[(&str, Kind)] = &[
    ("advertise_client_urls", Text),
    ("ca_file", Text),
    ("cert_file", Text),
    ("client_cert_auth", Truth),
    ("cors", Text),
    ("data_dir", Text),
    ("debug", Truth),
    ("discovery", Text),
    ("discovery_fallback", Text),
    ("discovery_srv", Text),
    ("discovery_proxy", Text),
    ("election_timeout", Number),
    ("enable_pprof", Truth),
    ("force_new_cluster", Truth),
    ("heartbeat_interval", Number),
    ("initial_advertise_peer_urls", Text),
    ("initial_cluster", Text),
    ("initial_cluster_state", Text),
    ("initial_cluster_token", Text),
    ("key_file", Text),
    ("listen_client_urls", Text),
    ("listen_peer_urls", Text),
    ("log_package_levels", Text),
    ("max_snapshots", Number),
    ("max_wals", Number),
    ("name", Text),
    ("peer_ca_file", Text),
    ("peer_cert_file", Text),
    ("peer_key_file", Text),
    ("peer_client_cert_auth", Truth),
    ("peer_trusted_ca_file", Text),
    ("proxy", Text),
    ("proxy_dial_timeout", Number),
    ("proxy_failure_wait", Number),
    ("proxy_read_timeout", Number),
    ("proxy_refresh_interval", Number),
    ("proxy_write_timeout", Number),
    ("snapshot_count", Number),
    ("strict_reconfig_check", Truth),
    ("trusted_ca_file", Text),
    ("wal_dir", Text),
];

/// The options that a cloud-config's `etcd2` has, and an `etcd` section takes.
pub(super) fn options_of_2() -> impl Iterator<Item = &'static str> {
    OPTIONS_OF_2.iter().map(|(key, _)| *key)
}

/// Reads the section.
pub(super) fn read(reading: &mut Reading<'_>, node: &Node) -> Option<Etcd> {
    let every = OPTIONS.iter().map(|(key, _, _)| *key);
    let keys: Vec<&str> = std::iter::once("version").chain(every).collect();
    let fields = reading.fields(node, "`etcd`", &keys)?;
    let mut made = Map::new();
    let version = match fields.get("version") {
        Some(node) => {
            made.insert("version".into(), reading.text(node, "version")?.into());
            Some(version(reading, node)?)
        }
        None => None,
    };
    let mut options = Options::new();
    for (key, kind) in options_of(reading, fields, version.as_ref()) {
        let Some(node) = fields.get(key) else { continue };
        let text = reading.text(node, key)?;
        let Some(value) = value(reading, node, key, kind) else { continue };
        options.push((node, key.replace('_', "-"), value));
        made.insert(key.into(), text.into());
    }
    let tag = version.map(|version| format!("ETCD_IMAGE_TAG=v{version}"));
    let drop_in = platform::drop_in(reading, "/usr/lib/coreos/etcd-wrapper $ETCD_OPTS", tag, options, None);
    Some(Etcd { drop_in, options: made })
}

fn version(reading: &mut Reading<'_>, node: &Node) -> Option<Version> {
    let text = reading.text(node, "version")?;
    match Version::parse(&text) {
        Ok(version) if version.major == 3 || version >= Version::new(2, 3, 0) && version < Version::new(2, 4, 0) => {
            return Some(version);
        }
        Ok(_) => reading.complain(node, "the version of etcd is 2.3.0 or later, and below 4"),
        Err(_) => {
            reading.complain(node, format!("`{text}` is not a version such as 3.0.17: three numbers, without a v"));
        }
    }
    None
}

/// The options of a version, in order; without one those of 3.0, as `ct` has it. Others are noted.
fn options_of(reading: &mut Reading<'_>, fields: Fields<'_>, version: Option<&Version>) -> Vec<(&'static str, Kind)> {
    let minor = version.map_or(0, |version| version.minor);
    let mut known = Vec::new();
    if version.is_some_and(|version| version.major == 2) {
        known.extend(OPTIONS_OF_2);
    } else {
        for &(key, kind, first) in OPTIONS {
            if first <= minor {
                let text = key == "auto_compaction_retention" && minor >= 3;
                known.push((key, if text { Text } else { kind }));
            }
        }
    }
    for (key, _, first) in OPTIONS {
        if let Some(node) = fields.get(key)
            && !known.iter().any(|(other, _)| other == key)
        {
            let here = match version {
                Some(version) => format!("etcd {version} has no `{key}`"),
                None => format!("without a `version` the options are those of etcd 3.0, which has no `{key}`"),
            };
            reading.doubt(node, format!("{here}: it came with 3.{first}"));
        }
    }
    known
}

/// The value of an option, as it stands in the command line.
fn value(reading: &mut Reading<'_>, node: &Node, key: &str, kind: Kind) -> Option<String> {
    match kind {
        Text => reading.text(node, key).map(|text| quoted(&text)),
        Number => reading.integer(node, key).map(|number| number.to_string()),
        Truth => reading.boolean(node, key).map(|truth| truth.to_string()),
    }
}
