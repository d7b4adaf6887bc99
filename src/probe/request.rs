//! What to look at on one host, and the script that does.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use indexmap::IndexMap;

use crate::model::inventory::{Host, Role};
use crate::model::plan::expand;
use crate::model::runbook::ProbeSpec;

const SCRIPT: &str = include_str!("../../assets/probe.sh");

/// Where etcd answers, unless the variable `etcd_endpoint` says otherwise.
const ETCD_ENDPOINT: &str = "http://127.0.0.1:2379";

/// What to look at on one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own, asked or not")]
pub struct Request {
    /// systemd units, by full name.
    pub units: Vec<String>,
    /// Paths.
    pub paths: Vec<String>,
    /// Unit and fixed text to look for in its journal.
    pub journal: Vec<(String, String)>,
    /// The member on this host, if there should be one.
    pub etcd: Option<EtcdAccess>,
    /// Ask the API server.
    pub kubectl: bool,
    /// Ask the kubelet's version.
    pub kubelet: bool,
    /// Path and fixed text to look for in it.
    pub lines: Vec<(String, String)>,
    /// Packages.
    pub packages: Vec<String>,
    /// Programs, of [`ProbeSpec::PROGRAMS`].
    pub programs: Vec<String>,
    /// Certificate files; `*` stands for any name in a directory.
    pub certs: Vec<String>,
    /// List system containers.
    pub containers: bool,
    /// List block devices.
    pub devices: bool,
    /// List pods, disruption budgets and DaemonSets.
    pub pods: bool,
}

/// How the member on a host is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EtcdAccess {
    /// Its client URL as seen from the host itself.
    pub endpoint: String,
    /// Nobody has said so: what the member's own process says goes before it.
    pub guessed: bool,
    /// The certificate authority's file; plain HTTP where empty.
    pub cacert: String,
    /// The client's certificate, or empty.
    pub cert: String,
    /// The client's key, or empty.
    pub key: String,
}

impl Request {
    /// What to look at on a host: what its roles call for, and what the runbook asks for besides. The variables
    /// `etcd_endpoint`, `etcd_cacert`, `etcd_cert` and `etcd_key` say how its member is asked.
    #[must_use]
    pub fn for_host(host: &Host, spec: &ProbeSpec, vars: &BTreeMap<String, String>) -> Self {
        let has = |role| host.roles.contains(&role);
        let var = |name: &str| vars.get(name).cloned().unwrap_or_default();
        let filled = |texts: &[String]| texts.iter().map(|text| expand(text, vars)).collect();
        let pairs = |map: &IndexMap<String, Vec<String>>| {
            map.iter()
                .flat_map(|(key, texts)| texts.iter().map(|text| (expand(key, vars), text.clone())))
                .collect::<Vec<_>>()
        };
        let endpoint = Some(var("etcd_endpoint")).filter(|url| !url.is_empty()).unwrap_or_else(|| ETCD_ENDPOINT.into());
        Self {
            units: filled(&spec.units),
            paths: filled(&spec.paths),
            journal: pairs(&spec.journal),
            etcd: has(Role::Etcd).then(|| EtcdAccess {
                endpoint: endpoint.trim_end_matches('/').to_owned(),
                guessed: var("etcd_endpoint").is_empty(),
                cacert: var("etcd_cacert"),
                cert: var("etcd_cert"),
                key: var("etcd_key"),
            }),
            kubectl: has(Role::ControlPlane),
            kubelet: has(Role::ControlPlane) || has(Role::Worker),
            lines: pairs(&spec.lines),
            packages: filled(&spec.packages),
            programs: spec.programs.clone(),
            certs: filled(&spec.certs),
            containers: !spec.containers.is_empty(),
            devices: spec.devices,
            pods: spec.pods && has(Role::ControlPlane),
        }
    }

    /// The script with its parameters before it.
    #[must_use]
    pub fn script(&self) -> String {
        let yes = |truth: bool| if truth { "yes" } else { "" }.to_owned();
        let etcd = self.etcd.clone().unwrap_or_default();
        let pairs = |pairs: &[(String, String)]| {
            pairs.iter().map(|(key, text)| format!("{key} {text}")).collect::<Vec<_>>().join("\n")
        };
        let parameters = [
            ("lk_units", self.units.join(" ")),
            ("lk_paths", self.paths.join("\n")),
            ("lk_journal", pairs(&self.journal)),
            ("lk_lines", pairs(&self.lines)),
            ("lk_packages", self.packages.join(" ")),
            ("lk_programs", self.programs.join(" ")),
            ("lk_certs", self.certs.join(" ")),
            ("lk_containers", yes(self.containers)),
            ("lk_pods", yes(self.pods)),
            ("lk_devices", yes(self.devices)),
            ("lk_etcd", etcd.endpoint),
            ("lk_etcd_find", yes(etcd.guessed)),
            ("lk_cacert", etcd.cacert),
            ("lk_cert", etcd.cert),
            ("lk_key", etcd.key),
            ("lk_kubectl", yes(self.kubectl)),
            ("lk_kubelet", yes(self.kubelet)),
        ];
        let mut script = String::new();
        for (name, value) in parameters {
            // A value with a NUL cannot be said in a shell; nothing that was read from YAML has one.
            let quoted = shlex::try_quote(&value).unwrap_or_default();
            let quoted = if quoted.is_empty() { "''" } else { &*quoted };
            let _ = writeln!(script, "{name}={quoted}");
        }
        script + SCRIPT
    }
}
