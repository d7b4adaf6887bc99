//! What of a host a part of a config hits, as far as the config itself tells.
//!
//! Numbers and labels are those of Container Linux' own disk (coreos/scripts, build_library/disk_layout.json).

use serde_json::Value;

use super::lint::{field, items};

/// Number and label of a partition of Container Linux' disk, and what is on it.
const LAYOUT: [(u64, &str, &str); 7] = [
    (1, "EFI-SYSTEM", "/boot, with GRUB"),
    (2, "BIOS-BOOT", "GRUB"),
    (3, "USR-A", "one of the two /usr"),
    (4, "USR-B", "one of the two /usr"),
    (6, "OEM", "/usr/share/oem, with the host's own config and GRUB's lines"),
    (7, "OEM-CONFIG", "what the machine's maker reserved"),
    (9, "ROOT", "everything the host has written itself, such as /var/lib/etcd, /etc and its machine id"),
];

/// Whether a path is in the data of etcd 2 or 3.
pub(super) fn is_etcd_data(path: &str) -> bool {
    path.starts_with("/var/lib/etcd")
}

/// A path of the host.
pub(super) fn path(path: &str) -> Option<String> {
    match path {
        "" => None,
        super::update::PATH => {
            Some(format!("{path}: the host's own update group and server are lost unless said here"))
        }
        "/etc/machine-id" => Some(format!("{path}: systemd, and etcd's name where none is given, go by it")),
        path => Some(path.to_owned()),
    }
}

/// A whole disk.
pub(super) fn disk(device: &str) -> Option<String> {
    let all =
        "everything on it; on the disk that Container Linux boots from that is ROOT with /var/lib/etcd, OEM and USR";
    (!device.is_empty()).then(|| format!("{device}: {all}"))
}

/// A partition as a config describes it: by number, by label, or by where it would lie.
pub(super) fn partition(device: &str, partition: &Value) -> Option<String> {
    let label = field(partition, "label").as_str().filter(|label| !label.is_empty());
    let number = field(partition, "number").as_u64().filter(|number| *number > 0);
    if let Some(known) = label.and_then(labelled) {
        return Some(format!("{device}: {known}"));
    }
    if let Some(number) = number {
        return Some(match numbered(number) {
            Some(known) => format!("{device}, partition {number}: {known}, if the host boots from this disk"),
            None => format!("{device}, partition {number}"),
        });
    }
    let begins = ["start", "startMiB"].into_iter().any(|key| field(partition, key).as_u64().is_some_and(|at| at > 0));
    let place = if begins { "where it says" } else { "in the largest free part" };
    (!device.is_empty()).then(|| format!("{device}, {place}"))
}

/// A device that is formatted.
pub(super) fn filesystem(device: &str, mount: &Value, config: &Value) -> Option<String> {
    let label = field(mount, "label").as_str().and_then(labelled);
    match (label, self::device(device, config)) {
        (Some(label), Some(device)) if !device.contains(&label) => Some(format!("{device}; {label}")),
        (label, device) => device.or(label),
    }
}

/// A device, what its name tells, and where this very config mounts it.
pub(super) fn device(device: &str, config: &Value) -> Option<String> {
    if device.is_empty() {
        return None;
    }
    let mut told = device.to_owned();
    let label = ["/dev/disk/by-partlabel/", "/dev/disk/by-label/"].into_iter().find_map(|by| device.strip_prefix(by));
    if let Some(known) = label.and_then(labelled) {
        told += &format!(": {known}");
    } else if let Some(known) = partition_of(device).and_then(numbered) {
        told += &format!(": {known}, if the host boots from this disk");
    }
    for directory in mounted_at(device, config) {
        let data = if is_etcd_data(&directory) { ", etcd's data" } else { "" };
        told += &format!("; mounted at {directory}{data}");
    }
    Some(told)
}

fn labelled(label: &str) -> Option<String> {
    LAYOUT.iter().find(|(_, known, _)| *known == label).map(|(_, label, what)| format!("{label}, {what}"))
}

fn numbered(number: u64) -> Option<String> {
    LAYOUT.iter().find(|(known, _, _)| *known == number).map(|(_, label, what)| format!("{label}, {what}"))
}

/// The number of a partition, by the kernel's names for disks of SCSI, virtio, Xen, NVMe and MMC.
fn partition_of(device: &str) -> Option<u64> {
    let name = device.strip_prefix("/dev/")?;
    let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (disk, number) = name.split_at(name.len() - digits);
    let lettered = ["sd", "vd", "xvd", "hd"].iter().any(|kind| {
        disk.strip_prefix(kind)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_lowercase()))
    });
    let numbered = ["nvme", "mmcblk"].iter().any(|kind| disk.starts_with(kind)) && disk.ends_with('p');
    (lettered || numbered).then(|| number.parse().ok()).flatten()
}

/// Where the mount units of a config, or its file systems by spec 3, mount a device.
fn mounted_at(device: &str, config: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (_, unit) in items(field(config, "systemd"), "units") {
        let contents = field(unit, "contents").as_str().unwrap_or_default();
        let setting = |key: &str| contents.lines().find_map(|line| line.trim().strip_prefix(key)).map(str::trim);
        if setting("What=") == Some(device)
            && let Some(directory) = setting("Where=")
        {
            found.push(directory.to_owned());
        }
    }
    for (_, filesystem) in items(field(config, "storage"), "filesystems") {
        if field(filesystem, "device").as_str() == Some(device)
            && let Some(directory) = field(filesystem, "path").as_str()
        {
            found.push(directory.to_owned());
        }
    }
    found.dedup();
    found
}
