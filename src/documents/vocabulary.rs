//! What checks can speak of: the one table of names, and of what has which fields. It says of every fact what
//! `model::facts` and the engine's scope say, so that a misspelt field is found when a runbook is read and not at night.

/// What a value is, as far as its fields can be checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    /// Nothing with fields, or nothing we know.
    Any,
    /// Just these fields.
    Record(&'static [(&'static str, Shape)]),
    /// Any key, each with such a value.
    Map(&'static Shape),
    /// Such items.
    List(&'static Shape),
    /// Keys that the runbook's `probe` must ask for.
    Asked(Asked, &'static Shape),
    /// The runbook's variables.
    Vars,
}

/// Which part of `probe` asks for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// `probe.units`
    Units,
    /// `probe.paths`
    Paths,
    /// `probe.journal`
    Journal,
    /// `probe.lines`
    Lines,
    /// `probe.packages`
    Packages,
    /// `probe.programs`
    Programs,
    /// `probe.containers`
    Containers,
}

impl Asked {
    /// Its name under `probe`.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Units => "units",
            Self::Paths => "paths",
            Self::Journal => "journal",
            Self::Lines => "lines",
            Self::Packages => "packages",
            Self::Programs => "programs",
            Self::Containers => "containers",
        }
    }
}

use Shape::{Any, List, Map, Record};

/// The names that an expression may begin with.
pub(super) const ROOTS: [(&str, Shape); 7] = [
    ("host", HOST),
    ("hosts", List(&HOST)),
    ("etcd", CLUSTER),
    ("kube", KUBE),
    ("vars", Shape::Vars),
    ("session", SESSION),
    ("config", CONFIG),
];

const HOST: Shape = Record(&[
    ("name", Any),
    ("address", Any),
    ("node", Any),
    ("roles", List(&Any)),
    ("os", Record(&[("id", Any), ("version", Any), ("name", Any)])),
    ("boot_id", Any),
    ("clock_ms", Any),
    ("arch", Any),
    ("hostname", Any),
    ("swap", Any),
    ("network_mounts", List(&Any)),
    ("cmdline", Any),
    ("etcd", ETCD),
    ("units", Shape::Asked(Asked::Units, &UNIT)),
    ("paths", Shape::Asked(Asked::Paths, &PATH)),
    ("kubelet", Any),
    ("programs", Shape::Asked(Asked::Programs, &Any)),
    ("packages", Shape::Asked(Asked::Packages, &Any)),
    ("runtime", Record(&[("name", Any), ("version", Any)])),
    ("containers", Shape::Asked(Asked::Containers, &Record(&[("image", Any), ("image_id", Any), ("state", Any)]))),
    ("certs", Map(&Any)),
    ("lines", Shape::Asked(Asked::Lines, &List(&Any))),
    ("ostree", Record(&[("deployments", List(&DEPLOYMENT)), ("busy", Any)])),
    ("api_server", Record(&[("answers", Any), ("version", Any)])),
    ("kube", KUBE),
    (
        "updates",
        Record(&[
            ("engine", Any),
            ("new_version", Any),
            ("reboot_strategy", Any),
            ("lock_holders", List(&Any)),
            ("zincati", Any),
        ]),
    ),
    ("disks", Map(&Record(&[("fs", Any), ("size_kib", Any), ("free_kib", Any), ("free_inodes", Any)]))),
    ("devices", List(&DEVICE)),
    ("journal", Shape::Asked(Asked::Journal, &List(&Any))),
    ("problems", List(&Any)),
]);

const ETCD: Shape = Record(&[
    ("server", Any),
    ("cluster", Any),
    ("healthy", Any),
    ("id", Any),
    ("name", Any),
    ("leader", Any),
    ("raft_index", Any),
    ("raft_term", Any),
    (
        "members",
        List(&Record(&[
            ("id", Any),
            ("name", Any),
            ("peer_urls", List(&Any)),
            ("client_urls", List(&Any)),
            ("learner", Any),
        ])),
    ),
    ("alarms", List(&Any)),
    ("db_bytes", Any),
    ("on_disk", Any),
    ("endpoint", Any),
]);

const UNIT: Shape = Record(&[
    ("load", Any),
    ("active", Any),
    ("sub", Any),
    ("enabled", Any),
    ("pid", Any),
    ("restarts", Any),
    ("file", Any),
    ("drop_ins", List(&Any)),
    ("environment", List(&Any)),
    ("need_reload", Any),
]);

const PATH: Shape = Record(&[
    ("exists", Any),
    ("kind", Any),
    ("owner", Any),
    ("mode", Any),
    ("bytes", Any),
    ("entries", List(&Any)),
    ("fs", Any),
]);

const DEVICE: Shape = Record(&[
    ("path", Any),
    ("parent", Any),
    ("bytes", Any),
    ("fs", Any),
    ("label", Any),
    ("part_label", Any),
    ("mount", Any),
]);

const DEPLOYMENT: Shape = Record(&[
    ("version", Any),
    ("checksum", Any),
    ("origin", Any),
    ("booted", Any),
    ("staged", Any),
    ("packages", List(&Any)),
    ("requested", List(&Any)),
    ("pinned", Any),
]);

const KUBE: Shape = Record(&[
    ("healthy", Any),
    ("server", Any),
    ("nodes", Map(&NODE)),
    ("daemonsets", Map(&Record(&[("desired", Any), ("ready", Any), ("updated", Any), ("image", Any)]))),
]);

const NODE: Shape = Record(&[
    ("ready", Any),
    ("cordoned", Any),
    ("kubelet", Any),
    ("runtime", Any),
    ("cri_socket", Any),
    ("control_plane", Any),
    (
        "pods",
        Record(&[
            ("evictable", List(&Any)),
            ("unmanaged", List(&Any)),
            ("local_data", List(&Any)),
            ("blocked", List(&Any)),
            ("daemons_unready", List(&Any)),
        ]),
    ),
]);

const CLUSTER: Shape = Record(&[
    ("members", List(&MEMBER)),
    ("size", Any),
    ("healthy", Any),
    ("quorum", Any),
    ("leader", Any),
    ("cluster_version", Any),
    ("versions", List(&Any)),
    ("listed", List(&Any)),
    ("alarms", List(&Any)),
    ("lag", Any),
]);

const MEMBER: Shape = Record(&[
    ("host", Any),
    ("id", Any),
    ("name", Any),
    ("healthy", Any),
    ("server", Any),
    ("cluster", Any),
    ("leader", Any),
    ("raft_index", Any),
    ("on_disk", Any),
    ("db_bytes", Any),
]);

const SESSION: Shape = Record(&[
    ("id", Any),
    ("done", List(&Record(&[("host", Any), ("stage", Any), ("step", Any)]))),
    ("artifacts", List(&Record(&[("host", Any), ("path", Any), ("name", Any), ("bytes", Any), ("sha256", Any)]))),
]);

/// What `ignition::Converted::config` tells of a pushed config; of `etcd`, its options by their names in the config.
const CONFIG: Shape = Record(&[
    ("ignition_version", Any),
    ("read_from", Map(&Any)),
    ("destructive", List(&Record(&[("path", Any), ("what", Any), ("targets", List(&Any)), ("here", List(&Any))]))),
    ("etcd", Map(&Any)),
]);

/// Functions of the language, as crate `cel` 0.15 has them without extensions. Operators are spelt with `_` or `@`.
pub(super) const FUNCTIONS: &[&str] = &[
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "int",
    "uint",
    "double",
    "string",
    "bytes",
    "bool",
    "type",
    "dyn",
    "duration",
    "timestamp",
    // Ours, see `engine::version` and `engine::socket`.
    "at_least",
    "major",
    "minor",
    "socket_path",
];

/// Macros, which are gone once an expression is parsed; only for hints.
pub(super) const MACROS: &[&str] = &["has", "all", "exists", "exists_one", "map", "filter"];

/// Names of types, which stand where a value stands.
pub(super) const TYPES: &[&str] =
    &["int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type", "dyn"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Facts;
    use crate::model::facts::{
        ApiServer, BlockDevice, DaemonSet, Deployment, Disk, Etcd, Kube, Member, Node, NodePods, Os, Ostree, PathFact,
        Runtime, SystemContainer, Unit, Updates,
    };

    fn at(path: &[&str]) -> Shape {
        path.iter().fold(Record(&ROOTS), |shape, step| match (shape, *step) {
            (Record(fields), name) => fields.iter().find(|(field, _)| *field == name).expect("a field").1,
            (Map(inner) | List(inner) | Shape::Asked(_, inner), "*") => *inner,
            other => panic!("{other:?}"),
        })
    }

    /// Every field that a fact serialises to is in the table at its place, and the other way round.
    #[test]
    fn the_table_says_what_the_model_says() {
        let some = || Some(String::new());
        let facts = Facts {
            os: Some(Os::default()),
            boot_id: some(),
            clock_ms: Some(0),
            arch: some(),
            hostname: some(),
            swap: Some(false),
            network_mounts: Some(vec![]),
            cmdline: some(),
            etcd: Some(Etcd {
                server: some(),
                cluster: some(),
                healthy: Some(true),
                id: some(),
                name: some(),
                leader: Some(true),
                raft_index: Some(1),
                raft_term: Some(1),
                members: Some(vec![Member::default()]),
                alarms: Some(vec![]),
                db_bytes: Some(1),
                on_disk: some(),
                endpoint: some(),
            }),
            units: [(String::new(), Unit::default())].into(),
            paths: [(String::new(), PathFact::default())].into(),
            kubelet: some(),
            programs: [(String::new(), String::new())].into(),
            packages: [(String::new(), String::new())].into(),
            runtime: Some(Runtime::default()),
            containers: [(String::new(), SystemContainer::default())].into(),
            certs: [(String::new(), 0)].into(),
            lines: [(String::new(), vec![])].into(),
            ostree: Some(Ostree { deployments: vec![Deployment::default()], busy: false }),
            api_server: Some(ApiServer { answers: true, version: some() }),
            kube: Some(Kube {
                server: some(),
                nodes: [(String::new(), Node { pods: Some(NodePods::default()), ..Node::default() })].into(),
                daemonsets: [(String::new(), DaemonSet::default())].into(),
                ..Kube::default()
            }),
            updates: Some(Updates {
                engine: some(),
                new_version: some(),
                reboot_strategy: some(),
                lock_holders: Some(vec![]),
                zincati: Some(true),
            }),
            disks: [(String::new(), Disk { free_inodes: Some(0), ..Disk::default() })].into(),
            devices: vec![BlockDevice {
                path: String::new(),
                parent: "x".into(),
                bytes: 0,
                fs: "x".into(),
                label: "x".into(),
                part_label: "x".into(),
                mount: "x".into(),
            }],
            journal: [(String::new(), vec![])].into(),
            problems: vec![String::new()],
        };
        let facts = serde_json::to_value(facts).unwrap();
        let same = |value: &serde_json::Value, path: &[&str], extra: &[&str]| {
            let Record(fields) = at(path) else { panic!("{path:?} is no record") };
            let mut table: Vec<_> = fields.iter().map(|(name, _)| *name).filter(|name| !extra.contains(name)).collect();
            let mut model: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
            table.sort_unstable();
            model.sort_unstable();
            assert_eq!(table, model, "{path:?}");
        };
        same(&facts, &["host"], &["name", "address", "node", "roles"]);
        for field in ["os", "etcd", "ostree", "api_server", "kube", "updates", "runtime"] {
            same(&facts[field], &["host", field], &[]);
        }
        for field in ["units", "paths", "disks", "containers"] {
            same(&facts[field][""], &["host", field, "*"], &[]);
        }
        same(&facts["etcd"]["members"][0], &["host", "etcd", "members", "*"], &[]);
        same(&facts["devices"][0], &["host", "devices", "*"], &[]);
        same(&facts["ostree"]["deployments"][0], &["host", "ostree", "deployments", "*"], &[]);
        same(&facts["kube"]["nodes"][""], &["host", "kube", "nodes", "*"], &[]);
        same(&facts["kube"]["nodes"][""]["pods"], &["host", "kube", "nodes", "*", "pods"], &[]);
        same(&facts["kube"]["daemonsets"][""], &["host", "kube", "daemonsets", "*"], &[]);
    }

    #[test]
    fn every_function_of_the_table_is_one_of_the_language() {
        let mut covered: std::collections::BTreeSet<&str> = std::collections::BTreeSet::new();
        for call in [
            "size('a') == 1",
            "'ab'.contains('b')",
            "'ab'.startsWith('a')",
            "'ab'.endsWith('b')",
            "'ab'.matches('a.')",
            "int('1') == 1",
            "uint('1') == 1u",
            "double('1') == 1.0",
            "string(1) == '1'",
            "bytes('a') == b'a'",
            "bool('true')",
            "type(1) == int",
            "dyn(1) == 1",
            "duration('1s') < duration('2s')",
            "timestamp('2020-01-01T00:00:00Z') < timestamp('2021-01-01T00:00:00Z')",
        ] {
            let function =
                FUNCTIONS.iter().filter(|name| call.contains(&format!("{name}("))).max_by_key(|name| name.len());
            assert!(function.is_some(), "{call}");
            covered.extend(function);
            let value = cel::Program::compile(call).unwrap().execute(&cel::Context::default());
            assert_eq!(value, Ok(cel::Value::Bool(true)), "{call}");
        }
        assert_eq!(covered.len() + crate::engine::own_functions().count(), FUNCTIONS.len());
        assert!(crate::engine::own_functions().all(|name| FUNCTIONS.contains(&name)));
    }
}
