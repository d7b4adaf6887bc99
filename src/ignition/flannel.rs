//! The `flannel` section: options for `flanneld.service`, and the network that is written to etcd before it starts.

use semver::Version;
use serde_json::Value;

use super::platform::{self, Options, quoted};
use super::reading::Reading;
use crate::yaml::Node;

/// What `ct` calls the drop-in.
pub(super) const DROP_IN: &str = "20-clct-flannel.conf";

/// An option's key, its flag, and the minor version of flannel 0 that brought it.
const OPTIONS: &[(&str, &str, u64)] = &[
    ("etcd_username", "etcd-username", 6),
    ("etcd_password", "etcd-password", 6),
    ("etcd_endpoints", "etcd-endpoints", 5),
    ("etcd_cafile", "etcd-cafile", 5),
    ("etcd_certfile", "etcd-certfile", 5),
    ("etcd_keyfile", "etcd-keyfile", 5),
    ("etcd_prefix", "etcd-prefix", 5),
    ("ip_masq", "ip-masq", 5),
    ("subnet_file", "subnet-file", 5),
    ("interface", "iface", 5),
    ("public_ip", "public-ip", 5),
    ("kube_subnet_mgr", "kube-subnet-mgr", 7),
];

/// How `etcdctl` (v2 API) calls what flannel knows of etcd, in the order in which `ct` writes it.
const ETCDCTL: [(&str, &str); 4] = [
    ("etcd_endpoints", "endpoints"),
    ("etcd_cafile", "ca-file"),
    ("etcd_certfile", "cert-file"),
    ("etcd_keyfile", "key-file"),
];

/// The options that a cloud-config's `flannel` has as well.
pub(super) fn shared_options() -> impl Iterator<Item = &'static str> {
    OPTIONS.iter().filter(|(_, _, first)| *first < 7).map(|(key, _, _)| *key)
}

/// Reads the section and makes the drop-in for `flanneld.service`, to the byte.
pub(super) fn read(reading: &mut Reading<'_>, node: &Node) -> Option<String> {
    let every = OPTIONS.iter().map(|(key, _, _)| *key);
    let keys: Vec<&str> = ["version", "network_config"].into_iter().chain(every).collect();
    let fields = reading.fields(node, "`flannel`", &keys)?;
    let version = match fields.get("version") {
        Some(node) => Some(version(reading, node)?),
        None => None,
    };
    let minor = version.as_ref().map_or(6, |version| version.minor);
    let mut options = Options::new();
    for &(key, flag, first) in OPTIONS {
        let Some(node) = fields.get(key) else { continue };
        if first > minor {
            let here =
                version.as_ref().map_or("without a `version` the options are those of 0.6: that".into(), |version| {
                    format!("flannel {version}")
                });
            reading.doubt(node, format!("{here} has no `{key}`: it came with 0.{first}"));
            continue;
        }
        let value = match key {
            "kube_subnet_mgr" => reading.boolean(node, key).map(|truth| truth.to_string()),
            _ => reading.text(node, key).map(|text| quoted(&text)),
        };
        options.push((node, flag.to_owned(), value?));
    }
    let mut network_line = None;
    if let Some(node) = fields.get("network_config") {
        let network = reading.script(node, "network_config")?;
        if !matches!(serde_json::from_str(&network), Ok(Value::Object(_))) {
            reading.complain(node, "`network_config` is a JSON object, such as { \"Network\": \"10.1.0.0/16\" }");
        }
        if fields.get("kube_subnet_mgr").is_some_and(|node| node.text() == Some("true")) {
            reading.complain(node, "the network is Kubernetes' to say where `kube_subnet_mgr` is true: leave this out");
        }
        let mut line = "ExecStartPre=/usr/bin/etcdctl".to_owned();
        for (key, flag) in ETCDCTL {
            if let Some(node) = fields.get(key) {
                line.extend([" --", flag, "=", &quoted(&reading.text(node, key)?)]);
            }
        }
        line.extend([" set /coreos.com/network/config ", &quoted(&network)]);
        network_line = Some(line);
    }
    let tag = version.map(|version| format!("FLANNEL_IMAGE_TAG=v{version}"));
    Some(platform::drop_in(
        reading,
        "/usr/lib/coreos/flannel-wrapper $FLANNEL_OPTS",
        tag,
        options,
        network_line.as_deref(),
    ))
}

fn version(reading: &mut Reading<'_>, node: &Node) -> Option<Version> {
    let text = reading.text(node, "version")?;
    match Version::parse(&text) {
        Ok(version) if version.major == 0 && version.minor >= 5 => return Some(version),
        Ok(_) => reading.complain(node, "the version of flannel is 0.5.0 or later, and below 1"),
        Err(_) => {
            reading.complain(node, format!("`{text}` is not a version such as 0.7.1: three numbers, without a v"));
        }
    }
    None
}
