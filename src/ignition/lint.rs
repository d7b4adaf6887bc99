//! What in an Ignition config destroys data on a host that has some, or stops its boot.
//!
//! From the sources of Ignition 0.x: partitions and file systems are made in the stage `disks`, before anything could ask.

use serde_json::Value;

/// A part of a config that must not reach a host with data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destructive {
    /// Where in the config, such as `storage.disks[0].wipeTable`.
    pub path: String,
    /// What it does there.
    pub what: String,
}

/// Everything in an Ignition config (specs 2.0 to 2.4) that must not reach a host with data.
#[must_use]
pub fn lint(config: &Value) -> Vec<Destructive> {
    let mut found = Vec::new();
    let mut note = |path: String, what: &str| found.push(Destructive { path, what: what.into() });
    let storage = &config["storage"];
    for (index, disk) in items(&storage["disks"]) {
        let at = format!("storage.disks[{index}]");
        if truth(disk, "wipeTable") {
            note(format!("{at}.wipeTable"), "wipes the partition table");
        }
        for (index, partition) in items(&disk["partitions"]) {
            let at = format!("{at}.partitions[{index}]");
            if truth(partition, "wipePartitionEntry") || partition["shouldExist"] == Value::Bool(false) {
                note(at, "deletes a partition");
            } else {
                note(at, "creates a partition, or stops the boot where one is in its place");
            }
        }
    }
    for (index, _) in items(&storage["raid"]) {
        note(format!("storage.raid[{index}]"), "creates the array by force, whatever is on its disks");
    }
    for (index, filesystem) in items(&storage["filesystems"]) {
        let at = format!("storage.filesystems[{index}].mount");
        let mount = &filesystem["mount"];
        if mount.is_null() {
            continue;
        }
        let create = &mount["create"];
        if !create.is_null() {
            let what = if truth(create, "force") {
                "formats the device, whatever is on it"
            } else {
                "stops the boot where the device has a file system already"
            };
            note(format!("{at}.create"), what);
        }
        if truth(mount, "wipeFilesystem") {
            note(format!("{at}.wipeFilesystem"), "formats the device, whatever is on it");
        } else if create.is_null() {
            note(at, "formats the device or stops the boot, unless format, label and UUID are those it has");
        }
    }
    for kind in ["files", "directories", "links"] {
        for (index, file) in items(&storage[kind]) {
            let path = file["path"].as_str().unwrap_or_default();
            if path.starts_with("/var/lib/etcd") {
                note(format!("storage.{kind}[{index}].path"), "writes into etcd's data");
            }
        }
    }
    found
}

fn items(list: &Value) -> impl Iterator<Item = (usize, &Value)> {
    list.as_array().into_iter().flatten().enumerate()
}

fn truth(value: &Value, key: &str) -> bool {
    value[key] == Value::Bool(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_destructive_part_is_named() {
        let config = json!({
            "ignition": { "version": "2.1.0" },
            "storage": {
                "disks": [{ "device": "/dev/sda", "wipeTable": true, "partitions": [{ "label": "a" }, { "shouldExist": false }] }],
                "raid": [{ "name": "r" }],
                "filesystems": [
                    { "name": "a", "mount": { "device": "/dev/sda1", "create": { "force": true } } },
                    { "name": "b", "mount": { "device": "/dev/sda2", "create": {} } },
                    { "name": "c", "mount": { "device": "/dev/sda3", "wipeFilesystem": true } },
                    { "name": "d", "mount": { "device": "/dev/sda4" } },
                    { "name": "e", "path": "/x" },
                ],
                "files": [{ "path": "/etc/x" }, { "path": "/var/lib/etcd2/x" }],
            },
        });
        let paths: Vec<_> = lint(&config).into_iter().map(|found| found.path).collect();
        assert_eq!(
            paths,
            [
                "storage.disks[0].wipeTable",
                "storage.disks[0].partitions[0]",
                "storage.disks[0].partitions[1]",
                "storage.raid[0]",
                "storage.filesystems[0].mount.create",
                "storage.filesystems[1].mount.create",
                "storage.filesystems[2].mount.wipeFilesystem",
                "storage.filesystems[3].mount",
                "storage.files[1].path",
            ]
        );
        assert_eq!(lint(&json!({ "storage": {}, "systemd": { "units": [] } })), []);
    }
}
