//! What in an Ignition config destroys data on a host that has some, or stops its boot.
//!
//! From the sources of Ignition 0.x (specs 2.0 to 2.4) and 2.x (spec 3): partitions and file systems are made in the
//! stage `disks`, before anything could ask; files come after them.

use serde_json::Value;

use super::hits;
use crate::model::harm::Target;

/// How bad a part of a config is on a host that has data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// It must not reach such a host.
    Refuse,
    /// It must be compared with what the host has.
    Check,
}

/// A part of a config that does harm on a host with data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destructive {
    /// Where in the config, such as `storage.disks[0].wipeTable`.
    pub path: String,
    /// What it does there.
    pub what: String,
    /// How bad that is.
    pub grade: Grade,
    /// What of the host it hits, as far as the config itself tells: a device, a partition, a directory.
    pub hits: Option<String>,
    /// The same, to be compared with what a host has.
    pub targets: Vec<Target>,
}

/// Everything in an Ignition config (specs 2.0 to 2.4, and 3) that does harm on a host with data.
///
/// Keys count whatever their case, as they do for the JSON reader of Go.
#[must_use]
pub fn lint(config: &Value) -> Vec<Destructive> {
    let mut lint = Lint { config, found: Vec::new(), of_3: generation(config) == 3 };
    lint.others();
    let storage = field(config, "storage");
    for (index, disk) in items(storage, "disks") {
        lint.disk(&format!("storage.disks[{index}]"), disk);
    }
    for (index, array) in items(storage, "raid") {
        let devices: Vec<&str> = items(array, "devices").filter_map(|(_, device)| device.as_str()).collect();
        let hits = (!devices.is_empty()).then(|| devices.join(", "));
        let targets = devices.iter().map(|device| Target::Device((*device).to_owned())).collect();
        lint.refuse(
            format!("storage.raid[{index}]"),
            "creates the array by force, whatever is on its disks",
            hits,
            targets,
        );
    }
    for (index, volume) in items(storage, "luks") {
        lint.volume(&format!("storage.luks[{index}]"), volume);
    }
    for (index, filesystem) in items(storage, "filesystems") {
        lint.filesystem(&format!("storage.filesystems[{index}]"), filesystem);
    }
    for kind in ["directories", "files", "links"] {
        for (index, node) in items(storage, kind) {
            lint.node(kind, &format!("storage.{kind}[{index}]"), node);
        }
    }
    lint.units();
    lint.passwd();
    lint.found
}

struct Lint<'c> {
    config: &'c Value,
    found: Vec<Destructive>,
    of_3: bool,
}

impl Lint<'_> {
    fn refuse(&mut self, path: String, what: &str, hits: Option<String>, targets: Vec<Target>) {
        self.found.push(Destructive { path, what: what.into(), grade: Grade::Refuse, hits, targets });
    }

    fn check(&mut self, path: String, what: &str, hits: Option<String>, targets: Vec<Target>) {
        self.found.push(Destructive { path, what: what.into(), grade: Grade::Check, hits, targets });
    }

    /// Configs that are fetched, of which nothing is known here.
    fn others(&mut self) {
        let config = field(field(self.config, "ignition"), "config");
        let what = "takes in another config, which was not looked at here";
        for list in ["append", "merge"] {
            for (index, other) in items(config, list) {
                let source = field(other, "source").as_str().map(str::to_owned);
                self.refuse(format!("ignition.config.{list}[{index}]"), what, source, Vec::new());
            }
        }
        let replace = field(config, "replace");
        if let Some(source) = field(replace, "source").as_str() {
            self.refuse("ignition.config.replace".into(), what, Some(source.to_owned()), Vec::new());
        }
    }

    fn disk(&mut self, at: &str, disk: &Value) {
        let device = field(disk, "device").as_str().unwrap_or_default();
        if truth(disk, "wipeTable") {
            self.refuse(
                format!("{at}.wipeTable"),
                "wipes the partition table",
                hits::disk(device),
                vec![Target::Disk(device.into())],
            );
        }
        for (index, partition) in items(disk, "partitions") {
            let at = format!("{at}.partitions[{index}]");
            let hits = hits::partition(device, partition);
            let number = field(partition, "number").as_u64().filter(|number| *number > 0);
            let label = field(partition, "label").as_str().filter(|label| !label.is_empty()).map(str::to_owned);
            let targets = vec![Target::Partition { disk: device.into(), number, label }];
            if truth(partition, "wipePartitionEntry") || *field(partition, "shouldExist") == Value::Bool(false) {
                self.refuse(at, "deletes a partition", hits, targets);
            } else if truth(partition, "resize") {
                self.refuse(at, "changes the size of a partition", hits, targets);
            } else {
                self.refuse(at, "creates a partition, or stops the boot where one is in its place", hits, targets);
            }
        }
    }

    fn volume(&mut self, at: &str, volume: &Value) {
        let device = field(volume, "device").as_str().unwrap_or_default();
        let targets = vec![Target::Device(device.into())];
        if truth(volume, "wipeVolume") {
            let hits = hits::device(device, self.config);
            self.refuse(format!("{at}.wipeVolume"), "encrypts the device anew, whatever is on it", hits, targets);
        } else {
            let what = "encrypts the device anew or stops the boot, unless it has just this volume";
            self.refuse(at.to_owned(), what, hits::device(device, self.config), targets);
        }
    }

    /// Spec 2 has what is done to the device under `mount`, spec 3 beside the path.
    fn filesystem(&mut self, at: &str, filesystem: &Value) {
        let (at, mount) = match (field(filesystem, "mount"), self.of_3) {
            (_, true) => (at.to_owned(), filesystem),
            (Value::Null, false) => return,
            (mount, false) => (format!("{at}.mount"), mount),
        };
        let device = field(mount, "device").as_str().unwrap_or_default();
        let hits = hits::filesystem(device, mount, self.config);
        let targets = vec![Target::Device(device.into())];
        let create = field(mount, "create");
        if !create.is_null() {
            let what = if truth(create, "force") {
                "formats the device, whatever is on it"
            } else {
                "stops the boot where the device has a file system already"
            };
            self.refuse(format!("{at}.create"), what, hits.clone(), targets.clone());
        }
        if truth(mount, "wipeFilesystem") {
            self.refuse(format!("{at}.wipeFilesystem"), "formats the device, whatever is on it", hits, targets);
        } else if create.is_null() {
            let what = "formats the device or stops the boot, unless format, label and UUID are those it has";
            self.refuse(at, what, hits, targets);
        }
    }

    fn node(&mut self, kind: &str, at: &str, node: &Value) {
        let path = field(node, "path").as_str().unwrap_or_default();
        let hits = hits::path(path);
        let targets = vec![Target::Path(path.into())];
        if hits::is_etcd_data(path) {
            self.refuse(format!("{at}.path"), "writes into etcd's data", hits, targets);
            return;
        }
        let overwrite = field(node, "overwrite").as_bool();
        match (kind, overwrite) {
            ("directories" | "links", Some(true)) => {
                let what = "deletes what the host has there, with everything in it";
                self.refuse(format!("{at}.overwrite"), what, hits, targets);
            }
            ("directories", _) => {}
            ("links", _) => {
                self.check(at.to_owned(), "stops the boot where the host has something else there", hits, targets);
            }
            _ if truth(node, "append") || items(node, "append").next().is_some() => {
                self.check(
                    format!("{at}.append"),
                    "appends to the file, once more whenever Ignition runs again",
                    hits,
                    targets,
                );
            }
            (_, Some(true)) => {
                self.check(format!("{at}.overwrite"), "overwrites the file that the host has", hits, targets);
            }
            (_, None) if !self.of_3 => {
                self.check(at.to_owned(), "overwrites the file, if the host has one", hits, targets);
            }
            _ if self.of_3 && field(field(node, "contents"), "source").is_null() => {}
            _ => self.check(
                at.to_owned(),
                "stops the boot where the host has such a file with other content",
                hits,
                targets,
            ),
        }
    }

    fn units(&mut self) {
        for (kind, directory) in [("systemd", "/etc/systemd/system"), ("networkd", "/etc/systemd/network")] {
            for (index, unit) in items(field(self.config, kind), "units") {
                let at = format!("{kind}.units[{index}]");
                let name = field(unit, "name").as_str().unwrap_or_default();
                let file = format!("{directory}/{name}");
                if truth(unit, "mask") {
                    self.check(
                        format!("{at}.mask"),
                        "masks the unit: it can no longer be started",
                        Some(name.into()),
                        Vec::new(),
                    );
                } else if field(unit, "contents").as_str().is_some_and(|text| !text.is_empty()) {
                    self.check(
                        format!("{at}.contents"),
                        "overwrites the unit, if the host has one",
                        Some(file.clone()),
                        vec![Target::Path(file)],
                    );
                }
            }
        }
    }

    fn passwd(&mut self) {
        let passwd = field(self.config, "passwd");
        for (index, user) in items(passwd, "users") {
            if !field(user, "create").is_null() {
                let name = field(user, "name").as_str().map(str::to_owned);
                let at = format!("passwd.users[{index}].create");
                self.check(at, "stops the boot where the user exists (Ignition 0.16 and older)", name, Vec::new());
            }
        }
        for (index, group) in items(passwd, "groups") {
            let name = field(group, "name").as_str().map(str::to_owned);
            self.check(
                format!("passwd.groups[{index}]"),
                "stops the boot where the group exists (older Ignition)",
                name,
                Vec::new(),
            );
        }
    }
}

/// The first number of the spec; 0 where there is none.
pub(super) fn generation(config: &Value) -> u64 {
    let version = field(field(config, "ignition"), "version").as_str();
    version.and_then(|version| version.split('.').next()?.parse().ok()).unwrap_or_default()
}

/// The value of a key, whatever its case; the last one counts.
pub(super) fn field<'v>(value: &'v Value, key: &str) -> &'v Value {
    let found = value.as_object().and_then(|map| map.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case(key)));
    found.map_or(&Value::Null, |(_, value)| value)
}

/// The items of a list, with their numbers.
pub(super) fn items<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = (usize, &'v Value)> {
    field(value, key).as_array().into_iter().flatten().enumerate()
}

fn truth(value: &Value, key: &str) -> bool {
    *field(value, key) == Value::Bool(true)
}

#[cfg(test)]
mod tests {
    use super::Grade::{Check, Refuse};
    use super::*;
    use serde_json::json;

    fn found(config: &Value) -> Vec<(String, Grade, String)> {
        let found = lint(config).into_iter();
        found.map(|part| (part.path, part.grade, part.hits.unwrap_or_default())).collect()
    }

    /// Each finding's path, grade, and some words of what it hits.
    fn assert_found(config: &Value, expected: &[(&str, Grade, &str)]) {
        let found = found(config);
        assert_eq!(
            found.iter().map(|(path, grade, _)| (path.as_str(), *grade)).collect::<Vec<_>>(),
            expected.iter().map(|(path, grade, _)| (*path, *grade)).collect::<Vec<_>>()
        );
        for ((path, _, hits), (_, _, words)) in found.iter().zip(expected) {
            assert!(hits.contains(words), "{path}: `{hits}` does not say `{words}`");
        }
    }

    #[test]
    fn each_destructive_part_of_spec_2_is_named_with_what_it_hits() {
        let config = json!({
            "ignition": { "version": "2.1.0", "config": { "append": [{ "source": "http://a" }], "replace": { "source": "http://b" } } },
            "storage": {
                "disks": [{
                    "device": "/dev/sda",
                    "wipeTable": true,
                    "partitions": [{ "label": "OEM" }, { "number": 9, "shouldExist": false }, { "number": 12 }, { "start": 2048 }],
                }],
                "raid": [{ "name": "r", "devices": ["/dev/sdb", "/dev/sdc"] }],
                "filesystems": [
                    { "name": "a", "mount": { "device": "/dev/nvme0n1p9", "create": { "force": true } } },
                    { "name": "b", "mount": { "device": "/dev/disk/by-label/ROOT", "create": {} } },
                    { "name": "c", "mount": { "device": "/dev/sdb", "wipeFilesystem": true, "label": "OEM" } },
                    { "name": "d", "mount": { "device": "/dev/md0" } },
                    { "name": "e", "path": "/x" },
                ],
                "directories": [{ "path": "/a" }, { "path": "/opt", "overwrite": true }],
                "files": [
                    { "path": "/etc/x" },
                    { "path": "/etc/coreos/update.conf" },
                    { "path": "/etc/y", "overwrite": false },
                    { "path": "/etc/z", "append": true },
                    { "path": "/var/lib/etcd2/x" },
                ],
                "links": [{ "path": "/l" }, { "path": "/m", "overwrite": true }],
            },
            "systemd": { "units": [
                { "name": "var-lib-etcd.mount", "contents": "[Mount]\nWhat=/dev/md0\nWhere=/var/lib/etcd\n" },
                { "name": "a.service", "mask": true },
                { "name": "b.service", "enable": true, "dropins": [{ "name": "x.conf", "contents": "x" }] },
            ] },
            "passwd": { "users": [{ "name": "core" }, { "name": "bob", "create": {} }], "groups": [{ "name": "ops" }] },
        });
        assert_found(
            &config,
            &[
                ("ignition.config.append[0]", Refuse, "http://a"),
                ("ignition.config.replace", Refuse, "http://b"),
                ("storage.disks[0].wipeTable", Refuse, "ROOT with /var/lib/etcd"),
                ("storage.disks[0].partitions[0]", Refuse, "OEM, /usr/share/oem"),
                ("storage.disks[0].partitions[1]", Refuse, "partition 9: ROOT"),
                ("storage.disks[0].partitions[2]", Refuse, "/dev/sda, partition 12"),
                ("storage.disks[0].partitions[3]", Refuse, "where it says"),
                ("storage.raid[0]", Refuse, "/dev/sdb, /dev/sdc"),
                ("storage.filesystems[0].mount.create", Refuse, "ROOT, everything the host has written itself"),
                ("storage.filesystems[1].mount.create", Refuse, "/dev/disk/by-label/ROOT: ROOT, everything"),
                ("storage.filesystems[2].mount.wipeFilesystem", Refuse, "/dev/sdb; OEM, /usr/share/oem"),
                ("storage.filesystems[3].mount", Refuse, "/dev/md0; mounted at /var/lib/etcd, etcd's data"),
                ("storage.directories[1].overwrite", Refuse, "/opt"),
                ("storage.files[0]", Check, "/etc/x"),
                ("storage.files[1]", Check, "update group and server are lost"),
                ("storage.files[2]", Check, "/etc/y"),
                ("storage.files[3].append", Check, "/etc/z"),
                ("storage.files[4].path", Refuse, "/var/lib/etcd2/x"),
                ("storage.links[0]", Check, "/l"),
                ("storage.links[1].overwrite", Refuse, "/m"),
                ("systemd.units[0].contents", Check, "/etc/systemd/system/var-lib-etcd.mount"),
                ("systemd.units[1].mask", Check, "a.service"),
                ("passwd.users[1].create", Check, "bob"),
                ("passwd.groups[0]", Check, "ops"),
            ],
        );
        assert_eq!(lint(&json!({ "storage": {}, "systemd": { "units": [] } })), []);
    }

    #[test]
    fn spec_3_says_the_same_otherwise() {
        let config = json!({
            "ignition": { "version": "3.2.0", "config": { "merge": [{ "source": "http://a" }] } },
            "storage": {
                "disks": [{ "device": "/dev/vda", "partitions": [{ "label": "ROOT", "resize": true }] }],
                "luks": [{ "name": "a", "device": "/dev/vdb", "wipeVolume": true }, { "name": "b", "device": "/dev/vdc" }],
                "filesystems": [{ "device": "/dev/vdd", "path": "/var/lib/etcd", "format": "ext4" }],
                "files": [
                    { "path": "/a", "contents": { "source": "data:,x" } },
                    { "path": "/b" },
                    { "path": "/c", "overwrite": true, "contents": { "source": "data:,x" } },
                    { "path": "/d", "append": [{ "source": "data:,x" }] },
                ],
            },
        });
        assert_found(
            &config,
            &[
                ("ignition.config.merge[0]", Refuse, "http://a"),
                ("storage.disks[0].partitions[0]", Refuse, "/dev/vda: ROOT"),
                ("storage.luks[0].wipeVolume", Refuse, "/dev/vdb"),
                ("storage.luks[1]", Refuse, "/dev/vdc"),
                ("storage.filesystems[0]", Refuse, "mounted at /var/lib/etcd, etcd's data"),
                ("storage.files[0]", Check, "/a"),
                ("storage.files[2].overwrite", Check, "/c"),
                ("storage.files[3].append", Check, "/d"),
            ],
        );
    }

    #[test]
    fn a_key_counts_whatever_its_case_and_the_last_one_wins() {
        let config: Value = serde_json::from_str(
            r#"{"Storage": {"disks": [{"device": "/dev/sda", "wipeTable": false, "wipetable": true}, {"wipetable": true, "wipeTable": false}]}}"#,
        )
        .unwrap();
        assert_found(&config, &[("storage.disks[0].wipeTable", Grade::Refuse, "/dev/sda")]);
    }
}
