//! A host's files, in memory: with owners and modes, several mounts, and stamps from the cluster's own clock.

use std::collections::BTreeMap;
use std::io::{Error as IoError, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use bashkit::{DirEntry, FileSystem, FileSystemExt, FileType, Metadata, normalize_path};

use super::clock::Clock;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File(Vec<u8>),
    Directory,
    Symlink(PathBuf),
}

/// A file, directory or link with what `stat` says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) owner: String,
    pub(super) mode: u32,
    pub(super) modified: SystemTime,
}

/// A file system that is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) at: &'static str,
    pub(super) device: &'static str,
    pub(super) fs: &'static str,
    pub(super) size_kib: u64,
    /// Used before anything of ours was written.
    pub(super) used_kib: u64,
}

/// What every host has mounted in memory.
pub(super) const RUN: Mount = Mount { at: "/run", device: "tmpfs", fs: "tmpfs", size_kib: 1_024_612, used_kib: 612 };
pub(super) const TMP: Mount = Mount { at: "/tmp", device: "tmpfs", fs: "tmpfs", size_kib: 1_024_612, used_kib: 0 };

/// The mounts of Container Linux on a disk of 18 GB.
pub(super) const CONTAINER_LINUX: &[Mount] = &[
    Mount { at: "/", device: "/dev/sda9", fs: "ext4", size_kib: 16_224_000, used_kib: 3_318_000 },
    Mount { at: "/boot", device: "/dev/sda1", fs: "vfat", size_kib: 130_798, used_kib: 52_712 },
    RUN,
    TMP,
    Mount { at: "/usr", device: "/dev/mapper/usr", fs: "ext4", size_kib: 1_007_760, used_kib: 639_352 },
    Mount { at: "/usr/share/oem", device: "/dev/sda6", fs: "ext4", size_kib: 110_576, used_kib: 60 },
];

/// All files of one host. They outlive its reboots, but for what lies on a tmpfs.
#[derive(Debug)]
pub(super) struct Disk {
    clock: Clock,
    mounts: &'static [Mount],
    nodes: Mutex<BTreeMap<PathBuf, Node>>,
    /// The next archive does not fit.
    full: std::sync::atomic::AtomicBool,
    /// Counts what was written, moved and taken away.
    changes: std::sync::atomic::AtomicU64,
}

type Nodes = BTreeMap<PathBuf, Node>;

fn io(kind: ErrorKind, text: &str) -> IoError {
    IoError::new(kind, text.to_owned())
}

fn not_found() -> IoError {
    io(ErrorKind::NotFound, "No such file or directory")
}

impl Disk {
    pub(super) fn new(clock: Clock, mounts: &'static [Mount]) -> Self {
        let disk = Self { clock, mounts, nodes: Mutex::default(), full: false.into(), changes: 0.into() };
        disk.nodes_mut().insert("/".into(), disk.node(Kind::Directory, 0o755));
        for mount in mounts {
            disk.make_dir(mount.at);
        }
        disk
    }

    fn nodes(&self) -> MutexGuard<'_, Nodes> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn nodes_mut(&self) -> MutexGuard<'_, Nodes> {
        self.changes.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.nodes()
    }

    /// Another number than before where anything may have changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn node(&self, kind: Kind, mode: u32) -> Node {
        Node { kind, owner: "root".into(), mode, modified: self.clock.system_time() }
    }

    /// Whether the next archive written here finds no room.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// The next archive written here finds no room, once.
    pub(super) fn fill_up(&self) {
        self.full.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    /// The mount a path lies on.
    pub(super) fn mount(&self, path: &str) -> &'static Mount {
        self.mounts
            .iter()
            .filter(|mount| mount.at == "/" || Path::new(path).starts_with(mount.at))
            .max_by_key(|mount| mount.at.len())
            .unwrap_or(&CONTAINER_LINUX[0])
    }

    pub(super) fn mounts(&self) -> &'static [Mount] {
        self.mounts
    }

    /// KiB used on a mount, with what was written since.
    pub(super) fn used_kib(&self, mount: &Mount) -> u64 {
        let ours: usize = self
            .nodes()
            .iter()
            .filter(|(path, _)| self.mount(&path.to_string_lossy()) == mount)
            .map(|(_, node)| if let Kind::File(content) = &node.kind { content.len() } else { 0 })
            .sum();
        mount.used_kib + ours as u64 / 1024
    }

    /// What stands there, links not followed.
    pub(super) fn get(&self, path: impl AsRef<Path>) -> Option<Node> {
        self.nodes().get(path.as_ref()).cloned()
    }

    pub(super) fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.nodes().contains_key(path.as_ref())
    }

    /// A file's content.
    pub(super) fn read(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        match self.get(path)?.kind {
            Kind::File(content) => Some(content),
            Kind::Directory | Kind::Symlink(_) => None,
        }
    }

    /// A file's content, as text.
    pub(super) fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        Some(String::from_utf8_lossy(&self.read(path)?).into_owned())
    }

    /// Names in a directory, sorted.
    pub(super) fn names(&self, path: impl AsRef<Path>) -> Vec<String> {
        let path = path.as_ref();
        self.nodes()
            .range(path.to_path_buf()..)
            .take_while(|(child, _)| child.starts_with(path))
            .filter(|(child, _)| child.parent() == Some(path))
            .filter_map(|(child, _)| Some(child.file_name()?.to_string_lossy().into_owned()))
            .collect()
    }

    /// Everything below a path and the path itself, parents first.
    pub(super) fn tree(&self, path: impl AsRef<Path>) -> Vec<(PathBuf, Node)> {
        let path = path.as_ref();
        self.nodes()
            .range(path.to_path_buf()..)
            .filter(|(child, _)| child.starts_with(path))
            .map(|(child, node)| (child.clone(), node.clone()))
            .collect()
    }

    /// Makes a directory and its parents.
    pub(super) fn make_dir(&self, path: impl AsRef<Path>) {
        let mut here = PathBuf::new();
        for part in path.as_ref() {
            here.push(part);
            let node = self.node(Kind::Directory, 0o755);
            self.nodes_mut().entry(here.clone()).or_insert(node);
        }
    }

    /// Writes a file and its parents; owner and mode of a file that is there stay.
    pub(super) fn put(&self, path: impl AsRef<Path>, content: impl Into<Vec<u8>>) {
        let path = path.as_ref();
        if let Some(parent) = path.parent() {
            self.make_dir(parent);
        }
        let mut node = self.node(Kind::File(content.into()), 0o644);
        if let Some(old) = self.get(path) {
            (node.owner, node.mode) = (old.owner, old.mode);
        }
        self.nodes_mut().insert(path.into(), node);
    }

    /// Puts a node at a path as it is, parents made.
    pub(super) fn place(&self, path: impl AsRef<Path>, node: Node) {
        let path = path.as_ref();
        if let Some(parent) = path.parent() {
            self.make_dir(parent);
        }
        self.nodes_mut().insert(path.into(), node);
    }

    pub(super) fn link(&self, path: impl AsRef<Path>, target: impl Into<PathBuf>) {
        let node = self.node(Kind::Symlink(target.into()), 0o777);
        self.place(path, node);
    }

    /// Changes owner, where one is given, and mode, where one is given.
    pub(super) fn own(&self, path: impl AsRef<Path>, owner: Option<&str>, mode: Option<u32>) -> bool {
        let mut nodes = self.nodes_mut();
        let Some(node) = nodes.get_mut(path.as_ref()) else { return false };
        if let Some(owner) = owner {
            owner.clone_into(&mut node.owner);
        }
        if let Some(mode) = mode {
            node.mode = mode;
        }
        true
    }

    /// Takes away whatever stands there and below.
    pub(super) fn delete(&self, path: impl AsRef<Path>) {
        let path = path.as_ref();
        self.nodes_mut().retain(|child, _| !child.starts_with(path));
    }

    /// What a power cycle does: memory is empty afterwards.
    pub(super) fn lose_memory(&self) {
        for mount in self.mounts.iter().filter(|mount| mount.fs == "tmpfs") {
            self.delete(mount.at);
            self.make_dir(mount.at);
        }
    }

    fn write(&self, path: &Path, content: Vec<u8>) -> Result<(), IoError> {
        let name = path.to_string_lossy();
        if name.ends_with(".tar.gz") && self.full.swap(false, std::sync::atomic::Ordering::Relaxed) {
            return Err(io(ErrorKind::StorageFull, "No space left on device"));
        }
        let mut node = self.node(Kind::File(content), 0o644);
        let mut nodes = self.nodes_mut();
        match path.parent().and_then(|parent| nodes.get(parent)).map(|parent| &parent.kind) {
            Some(Kind::Directory) => {}
            Some(_) => return Err(io(ErrorKind::NotADirectory, "Not a directory")),
            None => return Err(not_found()),
        }
        match nodes.get(path) {
            Some(Node { kind: Kind::Directory, .. }) => return Err(io(ErrorKind::IsADirectory, "Is a directory")),
            Some(old) => (node.owner, node.mode) = (old.owner.clone(), old.mode),
            None => {}
        }
        nodes.insert(path.into(), node);
        Ok(())
    }
}

fn metadata(node: &Node) -> Metadata {
    let (file_type, size) = match &node.kind {
        Kind::File(content) => (FileType::File, content.len() as u64),
        Kind::Directory => (FileType::Directory, 4096),
        Kind::Symlink(target) => (FileType::Symlink, target.as_os_str().len() as u64),
    };
    Metadata { file_type, size, mode: node.mode, modified: node.modified, created: node.modified }
}

impl FileSystemExt for Disk {}

#[async_trait]
impl FileSystem for Disk {
    async fn read_file(&self, path: &Path) -> bashkit::Result<Vec<u8>> {
        match self.get(normalize_path(path)) {
            Some(Node { kind: Kind::File(content), .. }) => Ok(content),
            Some(Node { kind: Kind::Directory, .. }) => Err(io(ErrorKind::IsADirectory, "Is a directory").into()),
            Some(_) | None => Err(not_found().into()),
        }
    }

    async fn write_file(&self, path: &Path, content: &[u8]) -> bashkit::Result<()> {
        Ok(self.write(&normalize_path(path), content.to_vec())?)
    }

    async fn append_file(&self, path: &Path, content: &[u8]) -> bashkit::Result<()> {
        let path = normalize_path(path);
        let mut whole = self.read(&path).unwrap_or_default();
        whole.extend_from_slice(content);
        Ok(self.write(&path, whole)?)
    }

    async fn mkdir(&self, path: &Path, recursive: bool) -> bashkit::Result<()> {
        let path = normalize_path(path);
        match self.get(&path) {
            Some(Node { kind: Kind::Directory, .. }) if recursive => return Ok(()),
            Some(_) => return Err(io(ErrorKind::AlreadyExists, "File exists").into()),
            None => {}
        }
        if !recursive && !path.parent().is_some_and(|parent| self.exists(parent)) {
            return Err(not_found().into());
        }
        self.make_dir(&path);
        Ok(())
    }

    async fn remove(&self, path: &Path, recursive: bool) -> bashkit::Result<()> {
        let path = normalize_path(path);
        if !self.exists(&path) {
            return Err(not_found().into());
        }
        if !recursive && !self.names(&path).is_empty() {
            return Err(io(ErrorKind::DirectoryNotEmpty, "Directory not empty").into());
        }
        self.delete(&path);
        Ok(())
    }

    async fn stat(&self, path: &Path) -> bashkit::Result<Metadata> {
        Ok(self.nodes().get(&normalize_path(path)).map(metadata).ok_or_else(not_found)?)
    }

    async fn read_dir(&self, path: &Path) -> bashkit::Result<Vec<DirEntry>> {
        let path = normalize_path(path);
        match self.get(&path) {
            Some(Node { kind: Kind::Directory, .. }) => {}
            Some(_) => return Err(io(ErrorKind::NotADirectory, "Not a directory").into()),
            None => return Err(not_found().into()),
        }
        let names = self.names(&path);
        let nodes = self.nodes();
        let entry = |name: String| Some(DirEntry { metadata: metadata(nodes.get(&path.join(&name))?), name });
        Ok(names.into_iter().filter_map(entry).collect())
    }

    async fn exists(&self, path: &Path) -> bashkit::Result<bool> {
        Ok(Disk::exists(self, normalize_path(path)))
    }

    async fn rename(&self, from: &Path, to: &Path) -> bashkit::Result<()> {
        let (from, to) = (normalize_path(from), normalize_path(to));
        let moved = self.tree(&from);
        if moved.is_empty() || !to.parent().is_some_and(|parent| self.exists(parent)) {
            return Err(not_found().into());
        }
        self.delete(&to);
        self.delete(&from);
        let mut nodes = self.nodes_mut();
        for (path, node) in moved {
            let below = path.strip_prefix(&from).unwrap_or(Path::new(""));
            let path = if below.as_os_str().is_empty() { to.clone() } else { to.join(below) };
            nodes.insert(path, node);
        }
        Ok(())
    }

    async fn copy(&self, from: &Path, to: &Path) -> bashkit::Result<()> {
        let content = self.read_file(from).await?;
        self.write_file(to, &content).await
    }

    async fn symlink(&self, target: &Path, link: &Path) -> bashkit::Result<()> {
        self.link(normalize_path(link), target);
        Ok(())
    }

    async fn read_link(&self, path: &Path) -> bashkit::Result<PathBuf> {
        match self.get(normalize_path(path)).map(|node| node.kind) {
            Some(Kind::Symlink(target)) => Ok(target),
            Some(_) => Err(io(ErrorKind::InvalidInput, "Invalid argument").into()),
            None => Err(not_found().into()),
        }
    }

    async fn chmod(&self, path: &Path, mode: u32) -> bashkit::Result<()> {
        if self.own(normalize_path(path), None, Some(mode & 0o7777)) { Ok(()) } else { Err(not_found().into()) }
    }

    /// `touch`: the shell offers the time of the machine it runs on, and gets the cluster's instead.
    async fn set_modified_time(&self, path: &Path, _: SystemTime) -> bashkit::Result<()> {
        match self.nodes_mut().get_mut(&normalize_path(path)) {
            Some(node) => {
                node.modified = self.clock.system_time();
                Ok(())
            }
            None => Err(not_found().into()),
        }
    }
}
