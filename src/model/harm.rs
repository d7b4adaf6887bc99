//! What a part of a configuration would hit on a host: the devices and paths that it names, and what the host has there.

use serde::{Deserialize, Serialize};

use super::Facts;
use super::facts::BlockDevice;
use super::size::size;

/// What of a host is hit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// A whole disk, such as `/dev/sda`.
    Disk(String),
    /// A partition, by number or by label.
    Partition {
        /// The disk it is on.
        disk: String,
        /// From 1.
        number: Option<u64>,
        /// Its name in the partition table.
        label: Option<String>,
    },
    /// A device by any of its names.
    Device(String),
    /// A file or directory.
    Path(String),
}

impl Target {
    /// What the host has there, a line each; nothing where that was not looked at.
    ///
    /// An empty list says that it was looked at, and that nothing is there.
    #[must_use]
    pub fn on(&self, facts: &Facts) -> Option<Vec<String>> {
        let devices = || Some(facts.devices.as_slice()).filter(|devices| !devices.is_empty());
        match self {
            Self::Disk(disk) => {
                let devices = devices()?;
                let disk = named(devices, disk).map_or(disk.as_str(), |device| &device.path);
                // A disk can bear a file system without any partition.
                let bears =
                    |device: &BlockDevice| device.path != disk || !device.fs.is_empty() || !device.mount.is_empty();
                let on_it = devices.iter().filter(|device| bears(device) && is_on(devices, device, disk));
                Some(on_it.map(|device| told(facts, device)).collect())
            }
            Self::Partition { disk, number, label } => {
                let devices = devices()?;
                let fits = |device: &&BlockDevice| {
                    let by_number = number.is_some() && number_on(disk, &device.path) == *number;
                    device.parent == *disk
                        && (by_number || label.as_ref().is_some_and(|label| device.part_label == *label))
                };
                Some(devices.iter().filter(fits).map(|device| told(facts, device)).collect())
            }
            Self::Device(name) => {
                let devices = devices()?;
                let Some(device) = named(devices, name) else { return Some(Vec::new()) };
                let on_it = devices.iter().filter(|other| is_on(devices, other, &device.path));
                Some(on_it.map(|device| told(facts, device)).collect())
            }
            Self::Path(path) => {
                let there = facts.paths.get(path)?;
                let is = || format!("{path}: {} of {}, {} bytes", there.kind, there.owner, there.bytes);
                Some(there.exists.then(is).into_iter().collect())
            }
        }
    }
}

/// The device of a name: its path, or a link that udev makes.
fn named<'d>(devices: &'d [BlockDevice], name: &str) -> Option<&'d BlockDevice> {
    let by = |prefix: &str| name.strip_prefix(prefix);
    devices.iter().find(|device| {
        device.path == name
            || by("/dev/disk/by-label/").is_some_and(|label| device.label == label)
            || by("/dev/disk/by-partlabel/").is_some_and(|label| device.part_label == label)
    })
}

/// Whether a device is another one, or lies on it, however deep.
fn is_on(devices: &[BlockDevice], device: &BlockDevice, under: &str) -> bool {
    let mut at = device;
    // A device has few others below it, and a list that says otherwise does not hold us up.
    for _ in 0..8 {
        if at.path == under {
            return true;
        }
        let Some(parent) = devices.iter().find(|other| other.path == at.parent) else { return at.parent == under };
        at = parent;
    }
    false
}

/// The number of a partition of a disk, by the kernel's names: `sda9` of `sda`, `nvme0n1p9` of `nvme0n1`.
fn number_on(disk: &str, partition: &str) -> Option<u64> {
    let rest = partition.strip_prefix(disk)?;
    rest.strip_prefix('p').unwrap_or(rest).parse().ok()
}

fn told(facts: &Facts, device: &BlockDevice) -> String {
    let mut words = format!("{}: {}", device.path, size(device.bytes));
    let part_label = Some(&device.part_label).filter(|label| **label != device.label);
    let names = [("", Some(&device.fs)), ("labelled ", Some(&device.label)), ("partition ", part_label)];
    for (what, value) in names {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            words += &format!(", {what}{value}");
        }
    }
    if device.mount.is_empty() {
        return words;
    }
    words += &format!(", mounted at {}", device.mount);
    if let Some(disk) = facts.disks.get(&device.mount) {
        words += &format!(" with {} on it", size((disk.size_kib - disk.free_kib) * 1024));
    }
    let inside = |path: &str| {
        let mounts = facts.devices.iter().map(|other| other.mount.as_str());
        let nearest = mounts.filter(|mount| !mount.is_empty() && is_below(path, mount)).max_by_key(|mount| mount.len());
        nearest == Some(device.mount.as_str())
    };
    let data: Vec<&str> = facts
        .paths
        .iter()
        .filter(|(path, there)| there.exists && path.starts_with("/var/lib/etcd") && inside(path))
        .map(|(path, _)| path.as_str())
        .collect();
    if !data.is_empty() {
        words += &format!(", etcd's data among it: {}", data.join(" "));
    }
    words
}

fn is_below(path: &str, mount: &str) -> bool {
    mount == "/" || path.strip_prefix(mount).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::facts::{Disk, PathFact};

    fn host() -> Facts {
        let device = |path: &str, parent: &str, fs: &str, label: &str, mount: &str| BlockDevice {
            path: path.into(),
            parent: parent.into(),
            bytes: 16 << 30,
            fs: fs.into(),
            label: label.into(),
            part_label: label.into(),
            mount: mount.into(),
        };
        let mut facts = Facts {
            devices: vec![
                device("/dev/sda", "", "", "", ""),
                device("/dev/sda6", "/dev/sda", "ext4", "OEM", "/usr/share/oem"),
                device("/dev/sda9", "/dev/sda", "ext4", "ROOT", "/"),
                device("/dev/sdb", "", "", "", ""),
                device("/dev/md0", "/dev/sdb", "xfs", "", "/var/lib/docker"),
                device("/dev/sdc", "", "", "", "/srv"),
            ],
            ..Facts::default()
        };
        facts.disks.insert("/".into(), Disk { size_kib: 16 << 20, free_kib: 12 << 20, ..Disk::default() });
        let there = PathFact { exists: true, kind: "directory".into(), owner: "etcd".into(), ..PathFact::default() };
        facts.paths.insert("/var/lib/etcd2/member".into(), there);
        facts.paths.insert("/etc/x".into(), PathFact::default());
        facts
    }

    #[test]
    fn what_is_hit_is_told_with_what_is_on_it() {
        let root = "/dev/sda9: 16.0 GiB, ext4, labelled ROOT, mounted at / with 4.0 GiB on it, etcd's data among it: /var/lib/etcd2/member";
        let oem = "/dev/sda6: 16.0 GiB, ext4, labelled OEM, mounted at /usr/share/oem";
        let partition = |number, label: Option<&str>| Target::Partition {
            disk: "/dev/sda".into(),
            number,
            label: label.map(str::to_owned),
        };
        for (target, expected) in [
            (Target::Disk("/dev/sda".into()), vec![oem, root]),
            (Target::Disk("/dev/sdb".into()), vec!["/dev/md0: 16.0 GiB, xfs, mounted at /var/lib/docker"]),
            (Target::Disk("/dev/sdc".into()), vec!["/dev/sdc: 16.0 GiB, mounted at /srv"]),
            (partition(Some(9), None), vec![root]),
            (partition(None, Some("OEM")), vec![oem]),
            (partition(Some(12), Some("data")), vec![]),
            (Target::Device("/dev/disk/by-label/ROOT".into()), vec![root]),
            (Target::Device("/dev/disk/by-partlabel/OEM".into()), vec![oem]),
            (Target::Device("/dev/sdz".into()), vec![]),
            (Target::Path("/etc/x".into()), vec![]),
            (Target::Path("/var/lib/etcd2/member".into()), vec!["/var/lib/etcd2/member: directory of etcd, 0 bytes"]),
        ] {
            assert_eq!(target.on(&host()).unwrap(), expected, "{target:?}");
        }
    }

    #[test]
    fn what_was_not_looked_at_is_not_called_free() {
        assert_eq!(Target::Disk("/dev/sda".into()).on(&Facts::default()), None);
        assert_eq!(Target::Path("/etc/y".into()).on(&host()), None);
    }
}
