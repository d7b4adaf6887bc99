//! File tools that must know owners, mounts and directories: what the shell's own do not.

use std::path::{Path, PathBuf};

use super::super::disk::{Kind, Node};
use super::{Call, Exit};

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Follows a link, once.
fn followed(call: &Call<'_>, path: &Path) -> PathBuf {
    match call.disk.get(path).map(|node| node.kind) {
        Some(Kind::Symlink(target)) => bashkit::normalize_path(&path.parent().unwrap_or(Path::new("/")).join(target)),
        Some(Kind::File(_) | Kind::Directory) | None => path.into(),
    }
}

pub(super) async fn stat(call: &Call<'_>) -> Exit {
    let (mut format, mut file_system, mut follow) = (None, false, false);
    let mut paths = Vec::new();
    let mut args = call.args();
    while let Some(arg) = args.next() {
        match arg {
            "-c" | "--format" | "--printf" => format = args.next(),
            "-f" | "--file-system" => file_system = true,
            "-L" | "--dereference" => follow = true,
            "-fc" | "-Lc" | "-Lfc" | "-fLc" => {
                (file_system, follow) = (arg.contains('f'), arg.contains('L'));
                format = args.next();
            }
            "--" => {}
            _ => match arg.strip_prefix("--format=").or_else(|| arg.strip_prefix("-c")) {
                Some(given) => format = Some(given),
                None => paths.push(arg),
            },
        }
    }
    let mut exit = 0;
    for given in paths {
        let mut path = call.path(given);
        if follow || file_system {
            path = followed(call, &path);
        }
        let Some(node) = call.disk.get(&path) else {
            let what = if file_system { "read file system information for" } else { "stat" };
            exit = call.fail(format!("stat: cannot {what} '{given}': No such file or directory"), 1).await?;
            continue;
        };
        let text = if file_system {
            file_system_words(call, &path, format.unwrap_or("%T"))
        } else {
            file_words(&node, given, format.unwrap_or("%n %s %U %a %F"))
        };
        call.out(format!("{text}\n")).await?;
    }
    Ok(exit)
}

/// Puts values for the letters that follow a percent sign.
fn fill(format: &str, value: impl Fn(char) -> String) -> String {
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => out += &chars.next().map(&value).unwrap_or_default(),
            _ => out.push(c),
        }
    }
    out
}

fn file_words(node: &Node, name: &str, format: &str) -> String {
    let (kind, size) = match &node.kind {
        Kind::File(content) if content.is_empty() => ("regular empty file", 0),
        Kind::File(content) => ("regular file", content.len()),
        Kind::Directory => ("directory", 4096),
        Kind::Symlink(target) => ("symbolic link", target.as_os_str().len()),
    };
    let modified = node.modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
    fill(format, |letter| match letter {
        'n' => name.into(),
        'F' => kind.into(),
        'U' | 'G' => node.owner.clone(),
        'u' | 'g' => if node.owner == "root" { "0" } else { "232" }.into(),
        'a' => format!("{:o}", node.mode & 0o7777),
        's' => size.to_string(),
        'Y' => modified.to_string(),
        '%' => "%".into(),
        other => format!("%{other}"),
    })
}

fn file_system_words(call: &Call<'_>, path: &Path, format: &str) -> String {
    let mount = call.disk.mount(&path.to_string_lossy());
    // stat's own words for what mount calls ext4 and vfat.
    let kind = match mount.fs {
        "ext4" => "ext2/ext3",
        "vfat" => "msdos",
        other => other,
    };
    let free = mount.size_kib.saturating_sub(call.disk.used_kib(mount));
    fill(format, |letter| match letter {
        'T' => kind.into(),
        'n' => path.to_string_lossy().into_owned(),
        'S' | 's' => "1024".into(),
        'b' => mount.size_kib.to_string(),
        'f' | 'a' => free.to_string(),
        other => format!("%{other}"),
    })
}

pub(super) async fn df(call: &Call<'_>) -> Exit {
    let columns: Vec<String> = if let Some(list) = call.option("--output", None) {
        list.split(',').map(str::to_owned).collect()
    } else {
        {
            let letters: String = call.args().filter(|arg| arg.starts_with('-') && !arg.starts_with("--")).collect();
            if letters.contains('i') {
                return inodes(call).await;
            }
            let kind = letters.contains('T').then_some("fstype");
            ["source"]
                .into_iter()
                .chain(kind)
                .chain(["size", "used", "avail", "pcent", "target"])
                .map(str::to_owned)
                .collect()
        }
    };
    let paths: Vec<&str> = call.operands();
    let mut missing = false;
    let mounts: Vec<_> = if paths.is_empty() {
        call.disk.mounts().iter().collect()
    } else {
        let mut mounts = Vec::new();
        for path in paths {
            let there = followed(call, &call.path(path));
            // Of what is there, the rows are printed all the same.
            if !call.disk.exists(&there) {
                call.err(format!("df: {path}: No such file or directory\n")).await?;
                missing = true;
                continue;
            }
            mounts.push(call.disk.mount(&there.to_string_lossy()));
        }
        mounts
    };
    let mounts_none = mounts.is_empty();
    let head = |column: &String| match column.as_str() {
        "source" => "Filesystem",
        "fstype" => "Type",
        "size" => "1024-blocks",
        "used" => "Used",
        "avail" => "Available",
        "pcent" => "Capacity",
        "target" => "Mounted on",
        _ => "-",
    };
    let mut text = columns.iter().map(head).collect::<Vec<_>>().join(" ") + "\n";
    for mount in mounts {
        let used = call.disk.used_kib(mount);
        // Five in a hundred are kept for root on ext4.
        let kept = if mount.fs == "ext4" { mount.size_kib / 20 } else { 0 };
        let free = mount.size_kib.saturating_sub(used + kept);
        let value = |column: &String| match column.as_str() {
            "source" => mount.device.to_owned(),
            "fstype" => mount.fs.into(),
            "size" => mount.size_kib.to_string(),
            "used" => used.to_string(),
            "avail" => free.to_string(),
            "pcent" => format!("{}%", (used * 100).div_ceil((used + free).max(1))),
            "target" => mount.at.into(),
            _ => "-".into(),
        };
        text += &(columns.iter().map(value).collect::<Vec<_>>().join(" ") + "\n");
    }
    if mounts_none {
        return call.fail("df: no file systems processed", 1).await;
    }
    call.out(text).await?;
    Ok(i32::from(missing))
}

/// `systemd-tmpfiles --create FILE`: of what its images declare, the owner of etcd's data.
pub(super) fn tmpfiles(call: &Call<'_>) -> i32 {
    if call.operands().iter().any(|file| file.ends_with("/etcd.conf")) {
        for (path, _) in call.disk.tree("/var/lib/etcd/etcd.etcd") {
            call.disk.own(path, Some("root"), None);
        }
    }
    0
}

/// `df -Pi`.
async fn inodes(call: &Call<'_>) -> Exit {
    let mut text = String::from("Filesystem Inodes IUsed IFree IUse% Mounted on\n");
    for path in call.operands() {
        let there = followed(call, &call.path(path));
        if call.disk.exists(&there) {
            let mount = call.disk.mount(&there.to_string_lossy());
            let all = mount.size_kib / 4;
            text += &format!("{} {all} {} {} 6% {}\n", mount.device, all / 16, all - all / 16, mount.at);
        }
    }
    call.out(text).await?;
    Ok(0)
}

pub(super) async fn chown(call: &Call<'_>) -> Exit {
    let operands = call.operands();
    let Some((owner, paths)) = operands.split_first() else { return call.fail("chown: missing operand", 1).await };
    let owner = owner.split([':', '.']).next().unwrap_or_default();
    let deep = call.has("-R") || call.has("--recursive");
    for path in paths {
        let there = call.path(path);
        if !call.disk.own(&there, Some(owner), None) {
            return call.fail(format!("chown: cannot access '{path}': No such file or directory"), 1).await;
        }
        if deep {
            for (path, _) in call.disk.tree(&there) {
                call.disk.own(path, Some(owner), None);
            }
        }
    }
    Ok(0)
}

pub(super) async fn install(call: &Call<'_>) -> Exit {
    let (mut owner, mut mode, mut directories) = (None, 0o755, false);
    let mut paths = Vec::new();
    let mut args = call.args();
    while let Some(arg) = args.next() {
        match arg {
            "-d" | "--directory" => directories = true,
            "-o" | "--owner" => owner = args.next(),
            "-g" | "--group" => drop(args.next()),
            "-m" | "--mode" => mode = args.next().and_then(|mode| u32::from_str_radix(mode, 8).ok()).unwrap_or(mode),
            _ => paths.push(arg),
        }
    }
    if directories {
        for path in paths {
            call.disk.make_dir(call.path(path));
            call.disk.own(call.path(path), owner, Some(mode));
        }
        return Ok(0);
    }
    let [from, to] = paths.as_slice() else { return call.fail("install: missing file operand", 1).await };
    let Some(content) = call.disk.read(call.path(from)) else {
        return call.fail(format!("install: cannot stat '{from}': No such file or directory"), 1).await;
    };
    // A program here is a line with its name and its version.
    let line = String::from_utf8_lossy(&content).into_owned();
    if let (Some(name), Some((program, version))) = (to.strip_prefix("/usr/bin/"), line.trim_end().split_once(' '))
        && program == name
    {
        call.machine(|machine| machine.software.programs.insert(name.to_owned(), version.to_owned()));
    }
    call.disk.put(call.path(to), content);
    call.disk.own(call.path(to), owner.or(Some("root")), Some(mode));
    Ok(0)
}

pub(super) async fn cp(call: &Call<'_>) -> Exit {
    let letters: String = call.args().filter(|arg| arg.starts_with('-') && !arg.starts_with("--")).collect();
    let archive = letters.contains('a') || call.has("--archive");
    let deep = archive || letters.contains(['r', 'R']);
    let keep = archive || letters.contains('p');
    let operands = call.operands();
    let Some((to, sources)) = operands.split_last().filter(|(_, sources)| !sources.is_empty()) else {
        return call.fail("cp: missing file operand", 1).await;
    };
    let target = call.path(to);
    let into = call.disk.get(&target).is_some_and(|node| node.kind == Kind::Directory);
    if !into && !target.parent().is_some_and(|parent| call.disk.exists(parent)) {
        return call.fail(format!("cp: cannot create regular file '{to}': No such file or directory"), 1).await;
    }
    for given in sources {
        let source = call.path(given);
        let nodes = call.disk.tree(&source);
        let Some((_, first)) = nodes.first() else {
            return call.fail(format!("cp: cannot stat '{given}': No such file or directory"), 1).await;
        };
        if first.kind == Kind::Directory && !deep {
            return call.fail(format!("cp: omitting directory '{given}'"), 1).await;
        }
        let base = if into { target.join(name_of(&source)) } else { target.clone() };
        let now = call.sim.clock.system_time();
        for (path, mut node) in nodes {
            if !keep {
                node.owner = "root".into();
                node.modified = now;
            }
            let below = path.strip_prefix(&source).unwrap_or(Path::new(""));
            let place = if below.as_os_str().is_empty() { base.clone() } else { base.join(below) };
            // A directory that is there already is written into, not replaced.
            if !(node.kind == Kind::Directory && call.disk.exists(&place)) {
                call.disk.place(place, node);
            }
        }
    }
    Ok(0)
}

/// `diff -r A B`, and of two files only whether they differ.
pub(super) async fn diff(call: &Call<'_>) -> Exit {
    let operands = call.operands();
    let [left, right] = operands.as_slice() else { return call.fail("diff: missing operand", 2).await };
    let (a, b) = (call.path(left), call.path(right));
    for (path, given) in [(&a, left), (&b, right)] {
        if !call.disk.exists(path) {
            return call.fail(format!("diff: {given}: No such file or directory"), 2).await;
        }
    }
    let below = |base: &Path| -> std::collections::BTreeMap<PathBuf, Kind> {
        let strip = |(path, node): (PathBuf, Node)| {
            (path.strip_prefix(base).map(Path::to_path_buf).unwrap_or_default(), node.kind)
        };
        call.disk.tree(base).into_iter().map(strip).collect()
    };
    let (ours, theirs) = (below(&a), below(&b));
    let mut lines = Vec::new();
    for (path, kind) in &ours {
        let shown = path.display();
        match theirs.get(path) {
            None => lines.push(format!("Only in {left}: {shown}")),
            Some(other) if other != kind => lines.push(format!("Files {left}/{shown} and {right}/{shown} differ")),
            Some(_) => {}
        }
    }
    lines.extend(
        theirs
            .keys()
            .filter(|path| !ours.contains_key(*path))
            .map(|path| format!("Only in {right}: {}", path.display())),
    );
    for line in &lines {
        call.out(format!("{line}\n")).await?;
    }
    Ok(i32::from(!lines.is_empty()))
}

/// `lsblk -Pbpno NAME,PKNAME,SIZE,FSTYPE,LABEL,PARTLABEL,MOUNTPOINT`: the disk, and the partitions that are mounted.
pub(super) async fn lsblk(call: &Call<'_>) -> Exit {
    let row = |name: &str, parent: &str, kib: u64, fs: &str, label: &str, at: &str| {
        format!(
            "NAME=\"{name}\" PKNAME=\"{parent}\" SIZE=\"{}\" FSTYPE=\"{fs}\" LABEL=\"{label}\" PARTLABEL=\"{label}\" MOUNTPOINT=\"{at}\"\n",
            kib * 1024
        )
    };
    let mounts: Vec<_> = call.disk.mounts().iter().filter(|mount| mount.device.starts_with("/dev/")).collect();
    let on_disk = |device: &str| device.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
    let disk =
        mounts.iter().map(|mount| on_disk(mount.device)).find(|disk| !disk.contains("mapper")).unwrap_or_default();
    let whole = mounts.iter().map(|mount| mount.size_kib).sum();
    let mut text = row(&disk, "", whole, "", "", "");
    for mount in mounts {
        let label = match mount.at {
            "/" => "ROOT",
            "/boot" => "EFI-SYSTEM",
            "/usr" => "USR-A",
            "/usr/share/oem" => "OEM",
            _ => "",
        };
        text += &row(mount.device, &disk, mount.size_kib, mount.fs, label, mount.at);
    }
    call.say(text).await
}
