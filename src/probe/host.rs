//! The host itself: release, boot, disks, paths, and what would update it.

use super::{Section, tidy};
use crate::model::Facts;
use crate::model::facts::{Disk, Os, PathFact};

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

/// A row of `df -PkT`: source, type, size, used, free, percent, mount point.
fn rows(text: &str) -> impl Iterator<Item = Option<(&str, i64, i64, String)>> {
    text.lines().skip(1).map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [_, fs, size, _, free, _, mount @ ..] = words.as_slice() else { return None };
        Some((*fs, size.parse().ok()?, free.parse().ok()?, mount.join(" ")))
    })
}

/// `df -PkT / /boot`. No `/boot` is no complaint.
pub(super) fn disks(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    for row in rows(&section.text) {
        let (fs, size_kib, free_kib, mount) = row.ok_or("a row of df was not understood")?;
        facts.disks.insert(tidy(&mount), Disk { fs: tidy(fs), size_kib, free_kib: free_kib / 1024 * 1024 });
    }
    Ok(())
}

/// `stat -c '%F|%U|%a|%s'`. Status 1 is "not there".
pub(super) fn stat(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    let path = section.argument.to_owned();
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
    if let Some(path) = facts.paths.get_mut(section.argument) {
        path.fs = tidy(row.0);
    }
    Ok(())
}

/// The most names of a directory that are kept.
const ENTRIES: usize = 100;

pub(super) fn entries(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if let Some(path) = facts.paths.get_mut(section.argument) {
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
    facts.updates.get_or_insert_default().engine = Some(tidy(operation));
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
    use crate::probe::parse;

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
    fn the_last_strategy_counts_and_the_updaters_state_is_read() {
        let facts = parse(
            "@update-engine 0 \n LAST_CHECKED_TIME=0\n CURRENT_OP=UPDATE_STATUS_UPDATED_NEED_REBOOT\n@strategy 0 \n REBOOT_STRATEGY=reboot\n REBOOT_STRATEGY=\"etcd-lock\"\n@end 0 \n",
        );
        let updates = facts.updates.unwrap();
        assert_eq!(updates.engine.as_deref(), Some("UPDATED_NEED_REBOOT"));
        assert_eq!(updates.reboot_strategy.as_deref(), Some("etcd-lock"));
    }
}
