//! The host itself: release, boot, disks, paths, and what would update it.

use jiff::Timestamp;

use super::{Section, tidy};
use crate::model::Facts;
use crate::model::facts::{BlockDevice, Disk, Os, PathFact};

/// `date +%s.%N`, against the moment its first output was here.
pub(super) fn clock(section: &Section<'_>, begun: Option<Timestamp>, facts: &mut Facts) -> Result<(), String> {
    let (seconds, fraction) = section.text.trim().split_once('.').unwrap_or((section.text.trim(), ""));
    let seconds: i64 = seconds.parse().map_err(|_| "not a time in seconds")?;
    // A date without %N (busybox) prints the letters.
    let millis: i64 = fraction.get(..3).and_then(|digits| digits.parse().ok()).unwrap_or_default();
    let now = seconds.checked_mul(1000).and_then(|now| now.checked_add(millis)).ok_or("not a time in seconds")?;
    facts.clock_ms = begun.map(|begun| {
        let offset = now.saturating_sub(begun.as_millisecond());
        offset.saturating_add(100).div_euclid(200).saturating_mul(200)
    });
    Ok(())
}

/// `uname -nm`: name and architecture.
pub(super) fn uname(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    let words: Vec<_> = section.text.split_whitespace().collect();
    let [name, arch] = words.as_slice() else { return Err("not a name and an architecture".into()) };
    (facts.hostname, facts.arch) = (Some(tidy(name)), Some(tidy(arch)));
    Ok(())
}

/// `/proc/swaps`: a head, and a line a swap. Without the file the kernel has no swap at all.
pub(super) fn swaps(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    facts.swap = Some(section.text.lines().skip(1).any(|line| !line.trim().is_empty()));
    Ok(())
}

/// Lines of `/proc/mounts`. grep's status 1 is "none"; anything above is no answer.
pub(super) fn mounts(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if section.status > 1 {
        return Err("/proc/mounts cannot be read".into());
    }
    let mounts = section.text.lines().filter_map(|line| line.split_whitespace().nth(1)).map(tidy).collect();
    facts.network_mounts = Some(mounts);
    Ok(())
}

/// `df -Pi / /boot /var /sysroot`: `-` where a file system has no inodes to run out of. Comes after the section of their sizes.
pub(super) fn inodes(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    for line in section.text.lines().skip(1) {
        let words: Vec<_> = line.split_whitespace().collect();
        let [_, all, _, free, _, mount @ ..] = words.as_slice() else { return Err("a row was not understood".into()) };
        if let Some(disk) = facts.disks.get_mut(&tidy(&mount.join(" "))) {
            // btrfs says 0 of 0.
            let free = free.parse::<i64>().ok().filter(|_| *all != "0" && *all != "-");
            disk.free_inodes = free.map(|free| free / 1000 * 1000);
        }
    }
    Ok(())
}

/// Lines of a file that hold a text; several texts of a file come as several sections. grep's status 2 is "no such file".
pub(super) fn lines(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if section.status > 2 {
        return Err(format!("grep ended with {}", section.status));
    }
    let lines = facts.lines.entry(section.argument.clone()).or_default();
    lines.extend(section.text.lines().map(tidy));
    Ok(())
}

/// `openssl x509 -noout -enddate`: `notAfter=Nov 21 01:26:52 2027 GMT`. Days are counted by the operator's clock.
pub(super) fn cert(section: &Section<'_>, begun: Option<Timestamp>, facts: &mut Facts) -> Result<(), String> {
    let end = section.text.trim().strip_prefix("notAfter=").ok_or("openssl did not tell its end")?;
    let end = end.strip_suffix(" GMT").ok_or("its end is not in GMT")?;
    let words = end.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = jiff::civil::DateTime::strptime("%b %d %H:%M:%S %Y", &words).map_err(|_| "its end is no date")?;
    let end = end.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| "its end is no date")?.timestamp();
    if let Some(begun) = begun {
        facts.certs.insert(section.argument.clone(), (end.as_second() - begun.as_second()).div_euclid(86_400));
    }
    Ok(())
}

/// `locksmithctl status`: `Available: 1`, `Max: 1`, and where somebody holds it a head `MACHINE ID` and a line a holder.
pub(super) fn locksmith(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    // It asks etcd, which may be down: then nobody knows.
    if section.status != 0 {
        return Ok(());
    }
    if !section.text.contains("Available:") {
        return Err("not a status of locksmith".into());
    }
    let holders = section.text.lines().skip_while(|line| !line.starts_with("MACHINE ID")).skip(1);
    let holders = holders.map(tidy).filter(|line| !line.is_empty()).collect();
    facts.updates.get_or_insert_default().lock_holders = Some(holders);
    Ok(())
}

/// `systemctl is-active zincati.service`, then `enabled=true` or `enabled=false` for each file that says so: the last
/// counts, and without any it is enabled.
pub(super) fn zincati(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    let mut lines = section.text.lines();
    let state = lines.next().ok_or("systemctl did not tell its state")?;
    let enabled = lines.filter_map(|line| line.strip_prefix("enabled=")).next_back() != Some("false");
    facts.updates.get_or_insert_default().zincati = Some(enabled && matches!(state, "active" | "activating"));
    Ok(())
}

/// `/etc/os-release`, as os-release(5) has it.
pub(super) fn os(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if section.status != 0 {
        return Err("/etc/os-release cannot be read".into());
    }
    let value = |key: &str| {
        let line = section.text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.map(|value| tidy(value.trim().trim_matches(['"', '\''])))
    };
    let id = value("ID").ok_or("no ID")?;
    facts.os = Some(Os {
        id,
        version: value("VERSION_ID").unwrap_or_default(),
        name: value("PRETTY_NAME").unwrap_or_default(),
    });
    Ok(())
}

pub(super) fn boot_id(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    let id = section.text.trim();
    if id.len() < 8 || !id.chars().all(|c| c.is_ascii_hexdigit() || c == '-') {
        return Err("not a boot id".into());
    }
    facts.boot_id = Some(id.to_owned());
    Ok(())
}

pub(super) fn cmdline(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if section.status == 0 {
        facts.cmdline = Some(tidy(&section.text));
    }
    Ok(())
}

/// A row of `df -PkT`: source, type, size, used, free, percent, mount point. Not of the root of a composefs host, which is
/// an image of its files' names: it is always full, and nothing is ever written to it.
fn rows(text: &str) -> impl Iterator<Item = Option<(&str, i64, i64, String)>> {
    let image = |line: &&str| {
        let mut words = line.split_whitespace();
        words.next() == Some("composefs") || words.next() == Some("erofs")
    };
    text.lines().skip(1).filter(move |line| !image(line)).map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [_, fs, size, _, free, _, mount @ ..] = words.as_slice() else { return None };
        Some((*fs, size.parse().ok()?, free.parse().ok()?, mount.join(" ")))
    })
}

/// `df -PkT / /boot /var /sysroot`. What is not there is no complaint.
pub(super) fn disks(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    for row in rows(&section.text) {
        let (fs, size_kib, free_kib, mount) = row.ok_or("a row of df was not understood")?;
        facts
            .disks
            .insert(tidy(&mount), Disk { fs: tidy(fs), size_kib, free_kib: free_kib / 1024 * 1024, free_inodes: None });
    }
    Ok(())
}

/// `lsblk -Pbpno NAME,PKNAME,SIZE,FSTYPE,LABEL,PARTLABEL,MOUNTPOINT`: a device a line, each value in quotes, with `\\x20`
/// and the like for what would not fit there (util-linux 2.27 and later).
pub(super) fn devices(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if section.status != 0 {
        return Err(format!("lsblk ended with {}", section.status));
    }
    for line in section.text.lines() {
        let words = shlex::split(line).ok_or("a row of lsblk was not understood")?;
        let value = |key: &str| {
            let found = words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
            found.map(tidy).ok_or(format!("a row of lsblk has no {key}"))
        };
        facts.devices.push(BlockDevice {
            path: value("NAME")?,
            parent: value("PKNAME")?,
            bytes: value("SIZE")?.parse().map_err(|_| "a size that is no number")?,
            fs: value("FSTYPE")?,
            label: value("LABEL")?,
            part_label: value("PARTLABEL")?,
            mount: value("MOUNTPOINT")?,
        });
    }
    Ok(())
}

/// `stat -c '%F|%U|%a|%s'`. Status 1 is "not there".
pub(super) fn stat(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    let path = section.argument.clone();
    if section.status == 1 {
        facts.paths.insert(path, PathFact::default());
        return Ok(());
    }
    let words: Vec<_> = section.text.trim().split('|').collect();
    let ([kind, owner, mode, bytes], 0) = (words.as_slice(), section.status) else {
        return Err(format!("stat ended with {}", section.status));
    };
    let kind = match *kind {
        "regular file" | "regular empty file" => "file",
        "directory" => "directory",
        "symbolic link" => "symlink",
        _ => "other",
    };
    let fact = PathFact {
        exists: true,
        kind: kind.into(),
        owner: tidy(owner),
        mode: tidy(mode),
        bytes: bytes.parse().map_err(|_| "the size is no number")?,
        ..PathFact::default()
    };
    facts.paths.insert(path, fact);
    Ok(())
}

pub(super) fn file_system(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    let row = rows(&section.text).next().flatten().ok_or("df was not understood")?;
    if let Some(path) = facts.paths.get_mut(&section.argument) {
        path.fs = tidy(row.0);
    }
    Ok(())
}

/// The most names of a directory that are kept.
const ENTRIES: usize = 100;

pub(super) fn entries(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if let Some(path) = facts.paths.get_mut(&section.argument) {
        path.entries = section.text.lines().take(ENTRIES).map(tidy).collect();
    }
    Ok(())
}

/// `update_engine_client -status`: `KEY=value` lines.
pub(super) fn update_engine(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    // A stopped update-engine answers nothing: that is what the runbook wants, and no fact.
    if section.status != 0 {
        return Ok(());
    }
    let operation = section.text.lines().find_map(|line| line.strip_prefix("CURRENT_OP=")).ok_or("no CURRENT_OP")?;
    let operation = operation.strip_prefix("UPDATE_STATUS_").unwrap_or(operation);
    let updates = facts.updates.get_or_insert_default();
    updates.engine = Some(tidy(operation));
    updates.new_version = section.text.lines().find_map(|line| line.strip_prefix("NEW_VERSION=")).map(tidy);
    Ok(())
}

/// The lines `REBOOT_STRATEGY=` of the configuration files, in the order they are read: the last one counts.
pub(super) fn strategy(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if let Some(value) = section.text.lines().filter_map(|line| line.strip_prefix("REBOOT_STRATEGY=")).next_back() {
        facts.updates.get_or_insert_default().reboot_strategy = Some(tidy(value.trim_matches('"')));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::probe::facts as parse;

    #[test]
    fn block_devices_with_what_is_on_them() {
        // The second one as lsblk 2.38 printed it; the others from its source, with the escapes it makes.
        let facts = parse(concat!(
            "@devices 0 \n",
            " NAME=\"/dev/sda\" PKNAME=\"\" SIZE=\"17179869184\" FSTYPE=\"\" LABEL=\"\" PARTLABEL=\"\" MOUNTPOINT=\"\"\n",
            " NAME=\"/dev/vda\" PKNAME=\"\" SIZE=\"274877906944\" FSTYPE=\"\" LABEL=\"\" PARTLABEL=\"\" MOUNTPOINT=\"/\"\n",
            " NAME=\"/dev/sda9\" PKNAME=\"/dev/sda\" SIZE=\"16\" FSTYPE=\"ext4\" LABEL=\"ROOT\" PARTLABEL=\"my\\x20root\" MOUNTPOINT=\"/a b\"\n",
            "@end 0 \n"
        ));
        assert!(facts.problems.is_empty(), "{:?}", facts.problems);
        let last = facts.devices.last().unwrap();
        assert_eq!((&*last.path, &*last.parent, last.bytes), ("/dev/sda9", "/dev/sda", 16));
        assert_eq!((&*last.label, &*last.mount, facts.devices[1].mount.as_str()), ("ROOT", "/a b", "/"));
        assert_eq!(parse("@devices 127 \n@end 0 \n").problems.len(), 1);
        assert_eq!(parse("@devices 0 \n NAME=\"/dev/sda\"\n@end 0 \n").problems.len(), 1);
    }

    #[test]
    fn a_release_is_read_with_and_without_quotes() {
        let facts = parse(
            "@os 0 \n NAME=\"Container Linux by CoreOS\"\n ID=coreos\n VERSION_ID=1353.7.0\n PRETTY_NAME=\"Container Linux by CoreOS 1353.7.0 (Ladybug)\"\n@end 0 \n",
        );
        let os = facts.os.unwrap();
        assert_eq!((os.id.as_str(), os.version.as_str()), ("coreos", "1353.7.0"));
        assert_eq!(os.name, "Container Linux by CoreOS 1353.7.0 (Ladybug)");
    }

    #[test]
    fn paths_are_told_apart() {
        let facts = parse(concat!(
            "@stat 0 /var/lib/etcd/member\n directory|etcd|700|4096\n",
            "@fs 0 /var/lib/etcd/member\n Filesystem Type 1024-blocks Used Available Capacity Mounted on\n /dev/sda9 ext4 100 50 50 50% /\n",
            "@ls 0 /var/lib/etcd/member\n snap\n wal\n",
            "@stat 1 /gone\n@stat 124 /hangs\n@end 0 \n"
        ));
        let member = &facts.paths["/var/lib/etcd/member"];
        assert_eq!((member.owner.as_str(), member.mode.as_str(), member.fs.as_str()), ("etcd", "700", "ext4"));
        assert_eq!(member.entries, ["snap", "wal"]);
        assert!(!facts.paths["/gone"].exists);
        assert!(!facts.paths.contains_key("/hangs"), "what hangs is unknown, not absent");
    }

    #[test]
    fn the_end_of_a_real_certificate() {
        let begun = "2026-11-21T04:00:00Z".parse().unwrap();
        let end = include_str!("../../tests/fixtures/host/openssl-3.0-enddate.txt");
        let facts = crate::probe::parse(&format!("@cert 0 /pki/x.crt\n {end}@end 0 \n"), Some(begun));
        assert_eq!((facts.certs["/pki/x.crt"], facts.problems.len()), (1139, 0));
        let none = include_str!("../../tests/fixtures/host/openssl-3.0-enddate-no-certificate.txt");
        let facts = crate::probe::parse(&format!("@cert 1 /etc/hostname\n{none}@end 0 \n"), Some(begun));
        assert_eq!(facts.problems, ["cert /etc/hostname: openssl did not tell its end"]);
    }

    #[test]
    fn clocks_and_ends_of_certificates_are_counted_from_the_operators_time() {
        let begun = "2026-11-21T00:00:00Z".parse().ok();
        let output = concat!(
            "@clock 0 \n 1795219200.350000000\n@cert 0 /pki/ca.crt\n notAfter=Nov  1 00:00:00 2026 GMT\n",
            "@cert 0 /pki/api.crt\n notAfter=Dec 21 00:00:00 2026 GMT\n@end 0 \n"
        );
        let facts = crate::probe::parse(output, begun);
        assert_eq!((facts.clock_ms, &facts.problems[..]), (Some(400), &[][..]));
        assert_eq!((facts.certs["/pki/ca.crt"], facts.certs["/pki/api.crt"]), (-20, 30));
    }

    #[test]
    fn swap_mounts_inodes_and_lines() {
        let facts = parse(concat!(
            "@uname 0 \n node1 aarch64\n@swaps 0 \n Filename Type Size Used Priority\n /swapfile file 1 0 -2\n",
            "@mounts 0 \n 10.0.0.9:/data /srv/data nfs4 rw 0 0\n",
            "@disks 0 \n Filesystem Type 1024-blocks Used Available Capacity Mounted on\n /dev/sda1 ext4 100 50 5000 50% /\n",
            "@inodes 0 \n Filesystem Inodes IUsed IFree IUse% Mounted on\n /dev/sda1 65536 100 65436 1% /\n",
            "@lines 0 /etc/etcd/etcd.conf\n ETCD_DATA_DIR=/var/lib/etcd\n@lines 2 /gone\n@end 0 \n"
        ));
        assert!(facts.problems.is_empty(), "{:?}", facts.problems);
        assert_eq!(
            (facts.arch.as_deref(), facts.hostname.as_deref(), facts.swap),
            (Some("aarch64"), Some("node1"), Some(true))
        );
        assert_eq!(facts.network_mounts.as_deref(), Some(&["/srv/data".to_owned()][..]));
        assert_eq!(facts.disks["/"].free_inodes, Some(65_000));
        assert_eq!(
            (&facts.lines["/etc/etcd/etcd.conf"][..], facts.lines["/gone"].len()),
            (&["ETCD_DATA_DIR=/var/lib/etcd".to_owned()][..], 0)
        );
    }

    #[test]
    fn the_image_that_a_composefs_host_has_as_its_root_is_no_place_to_write_to() {
        let text = "@disks 1 \n Filesystem Type 1024-blocks Used Available Capacity Mounted on\n composefs overlay 6976 6976 0 100% /\n /dev/vda3 ext4 358271 160000 175000 48% /boot\n /dev/vda4 xfs 9961472 3145728 6815744 32% /sysroot\n /dev/vda4 xfs 9961472 3145728 6815744 32% /var\n@inodes 1 \n Filesystem Inodes IUsed IFree IUse% Mounted on\n composefs 0 0 0 - /\n /dev/vda4 4980736 90000 4890736 2% /sysroot\n@end 0 \n";
        let facts = parse(text);
        assert_eq!(facts.disks.keys().collect::<Vec<_>>(), ["/boot", "/sysroot", "/var"]);
        assert_eq!(facts.disks["/sysroot"].free_inodes, Some(4_890_000));
    }

    #[test]
    fn who_would_update_the_host() {
        let facts = parse(
            "@locksmith 0 \n Available: 0\n Max: 1\n \n MACHINE ID\n 69d27b356a94476da859461d3a3bc6fd\n@zincati 0 \n active\n enabled=true\n enabled=false\n@end 0 \n",
        );
        let updates = facts.updates.unwrap();
        assert_eq!(updates.lock_holders.unwrap(), ["69d27b356a94476da859461d3a3bc6fd"]);
        assert_eq!(updates.zincati, Some(false));
    }

    #[test]
    fn the_last_strategy_counts_and_the_updaters_state_is_read() {
        let facts = parse(
            "@update-engine 0 \n LAST_CHECKED_TIME=0\n CURRENT_OP=UPDATE_STATUS_UPDATED_NEED_REBOOT\n NEW_VERSION=4081.2.0\n@strategy 0 \n REBOOT_STRATEGY=reboot\n REBOOT_STRATEGY=\"etcd-lock\"\n@end 0 \n",
        );
        let updates = facts.updates.unwrap();
        assert_eq!(updates.engine.as_deref(), Some("UPDATED_NEED_REBOOT"));
        assert_eq!(updates.new_version.as_deref(), Some("4081.2.0"));
        assert_eq!(updates.reboot_strategy.as_deref(), Some("etcd-lock"));
    }
}
