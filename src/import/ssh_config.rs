//! `ssh_config(5)`: hosts that are named in full, with the options of every block that fits them, the first word first.

use std::path::{Path, PathBuf};

use super::{Found, FoundHost, glob};
use crate::yaml::{Problem, Problems};

struct Block {
    patterns: Vec<String>,
    /// Key, value, and where they stand.
    options: Vec<(String, String, String)>,
    place: String,
}

/// Reads a configuration and the files it includes, and takes the hosts that fit a pattern.
///
/// # Errors
/// When the file cannot be read.
pub fn ssh_config(path: &Path, pattern: &str) -> Result<Found, Problems> {
    let mut found = Found::default();
    let blocks = vec![Block { patterns: vec!["*".into()], options: Vec::new(), place: path.display().to_string() }];
    let text = std::fs::read_to_string(path)
        .map_err(|error| Problem::of(path.display().to_string(), format!("cannot be read: {error}")))?;
    let mut reading = Reading { blocks, left: Vec::new(), within: Vec::new(), files: 1 };
    reading.file(path, &text);
    let Reading { blocks, left, .. } = reading;
    found.left = left;
    let of = |block: &Block, name: &String| (name.clone(), block.place.clone());
    let names: Vec<(String, String)> = blocks
        .iter()
        .flat_map(|block| block.patterns.iter().map(move |name| of(block, name)))
        .filter(|(name, _)| !name.contains(['*', '?', '!']) && glob(pattern, name))
        .collect();
    for (name, place) in names {
        let mut host = FoundHost { places: [("name", place)].into(), ..FoundHost::default() };
        for (key, value, place) in blocks.iter().filter(|block| fits(block, &name)).flat_map(|block| &block.options) {
            let ours = match key.as_str() {
                "hostname" if host.address.is_none() => {
                    host.address = Some(value.replace("%h", &name));
                    "address"
                }
                "user" => "user",
                "port" => "port",
                "identityfile" => "identity",
                "proxyjump" if value != "none" => "jump",
                _ => continue,
            };
            // The first word counts.
            if ours != "address" && host.ssh.contains_key(ours) {
                continue;
            }
            if ours != "address" {
                host.ssh.insert(ours, value.clone());
            }
            host.places.insert(ours, place.clone());
        }
        found.hosts.entry(name).or_insert(host);
    }
    Ok(found)
}

fn fits(block: &Block, name: &str) -> bool {
    let refused =
        block.patterns.iter().filter_map(|pattern| pattern.strip_prefix('!')).any(|pattern| glob(pattern, name));
    !refused && block.patterns.iter().any(|pattern| glob(pattern, name))
}

/// No configuration has more files than this, each counted as often as it is included.
const MOST_FILES: usize = 1_000;

struct Reading {
    blocks: Vec<Block>,
    left: Vec<String>,
    /// The files that are being read, each included by the one before.
    within: Vec<PathBuf>,
    /// How many were read.
    files: usize,
}

impl Reading {
    fn file(&mut self, path: &Path, text: &str) {
        self.within.push(path.to_owned());
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                self.line(path, line, format!("{}:{}", path.display(), number + 1));
            }
        }
        self.within.pop();
    }

    fn line(&mut self, path: &Path, line: &str, place: String) {
        let (key, value) = line.split_once(|c: char| c.is_whitespace() || c == '=').unwrap_or((line, ""));
        let value = value.trim().trim_start_matches('=').trim().trim_matches('"');
        match key.to_lowercase().as_str() {
            "host" => {
                let patterns = value.split_whitespace().map(str::to_owned).collect();
                self.blocks.push(Block { patterns, options: Vec::new(), place });
            }
            "match" => {
                self.left.push(format!("{place}: a Match block, which depends on more than a name"));
                self.blocks.push(Block { patterns: Vec::new(), options: Vec::new(), place });
            }
            "include" => {
                let file = include(path, value);
                match self.included(&file) {
                    Ok(text) => self.file(&file, &text),
                    Err(why) => self.left.push(format!("{place}: {}: {why}", file.display())),
                }
            }
            key => {
                if let Some(block) = self.blocks.last_mut() {
                    block.options.push((key.to_owned(), value.to_owned(), place));
                }
            }
        }
    }

    /// The text of a file that is included here, or why it is not read.
    fn included(&mut self, file: &Path) -> Result<String, String> {
        self.files += 1;
        if self.within.iter().any(|other| other == file) {
            return Err("it is being read already: it would include itself without end".into());
        }
        if self.within.len() > 16 {
            return Err("included too deeply".into());
        }
        if self.files > MOST_FILES {
            return Err(format!("not read: {MOST_FILES} files were included before it"));
        }
        // A device or a pipe may never come to an end.
        match std::fs::metadata(file) {
            Ok(found) if !found.is_file() => Err("it is not a file".into()),
            _ => std::fs::read_to_string(file).map_err(|error| error.to_string()),
        }
    }
}

fn include(from: &Path, value: &str) -> PathBuf {
    match (value.strip_prefix("~/"), etcetera::home_dir()) {
        (Some(rest), Ok(home)) => home.join(rest),
        _ => from.parent().unwrap_or(Path::new(".")).join(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::{Source, read_inventory};

    #[test]
    fn the_first_word_counts_and_patterns_give_options_to_others() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("more"), "Host etcd2\n  HostName 10.0.0.2\n").unwrap();
        let text = "Include more\nHost etcd1\n  HostName 10.0.0.1\n  User first\nHost etcd* !etcd2\n  User second\n  Port 2222\nHost *\n  ProxyJump bastion\nMatch user x\n  Port 1\nHost other\n";
        let config = dir.path().join("config");
        std::fs::write(&config, text).unwrap();
        let mut found = ssh_config(&config, "etcd*").unwrap();
        assert_eq!(found.hosts.keys().collect::<Vec<_>>(), ["etcd2", "etcd1"]);
        let first = &found.hosts["etcd1"];
        assert_eq!(
            (first.ssh["user"].as_str(), first.ssh["port"].as_str(), first.ssh["jump"].as_str()),
            ("first", "2222", "bastion")
        );
        assert!(!found.hosts["etcd2"].ssh.contains_key("port"));
        assert!(found.inventory("c").unwrap_err().to_string().contains("--role"));
        let mut found = ssh_config(&config, "etcd*").unwrap();
        found.give_roles(&["etcd*=etcd".into()]).unwrap();
        let yaml = found.inventory("c").unwrap();
        assert_eq!(read_inventory(&Source::file(Path::new("i"), yaml.as_str())).unwrap().hosts.len(), 2);
        assert!(yaml.contains("Match block"), "{yaml}");
        assert!(found.give_roles(&["x=boss".into(), "nobody=etcd".into()]).unwrap_err().to_string().contains("boss"));
    }

    #[test]
    fn files_that_include_themselves_or_each_other_come_to_an_end() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config");
        std::fs::write(&config, "Include config\n".repeat(30) + "Include /dev/zero\nHost a\n  User u\n").unwrap();
        let found = ssh_config(&config, "*").unwrap();
        assert_eq!(found.hosts["a"].ssh["user"], "u");
        assert_eq!(found.left.len(), 31);
        assert!(found.left[0].contains("config:1: ") && found.left[0].contains("include itself"), "{}", found.left[0]);
        assert!(found.left[30].contains("it is not a file"), "{}", found.left[30]);
        // Each includes the next one ten times.
        for number in 0..9 {
            std::fs::write(dir.path().join(number.to_string()), format!("Include {}\n", number + 1).repeat(10))
                .unwrap();
        }
        std::fs::write(dir.path().join("9"), "Host b\n").unwrap();
        let found = ssh_config(&dir.path().join("0"), "*").unwrap();
        assert!(found.hosts.contains_key("b") && found.left.len() < 3_000, "{}", found.left.len());
    }
}
