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
    let mut blocks = vec![Block { patterns: vec!["*".into()], options: Vec::new(), place: path.display().to_string() }];
    let text = std::fs::read_to_string(path)
        .map_err(|error| Problem::of(path.display().to_string(), format!("cannot be read: {error}")))?;
    read(path, &text, &mut blocks, &mut found.left, 0);
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

fn read(path: &Path, text: &str, blocks: &mut Vec<Block>, left: &mut Vec<String>, depth: usize) {
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let place = format!("{}:{}", path.display(), number + 1);
        let (key, value) = line.split_once(|c: char| c.is_whitespace() || c == '=').unwrap_or((line, ""));
        let value = value.trim().trim_start_matches('=').trim().trim_matches('"');
        match key.to_lowercase().as_str() {
            "host" => {
                let patterns = value.split_whitespace().map(str::to_owned).collect();
                blocks.push(Block { patterns, options: Vec::new(), place });
            }
            "match" => {
                left.push(format!("{place}: a Match block, which depends on more than a name"));
                blocks.push(Block { patterns: Vec::new(), options: Vec::new(), place });
            }
            "include" => {
                let file = include(path, value);
                match std::fs::read_to_string(&file) {
                    Ok(text) if depth < 16 => read(&file, &text, blocks, left, depth + 1),
                    Ok(_) => left.push(format!("{place}: included too deeply")),
                    Err(error) => left.push(format!("{place}: {}: {error}", file.display())),
                }
            }
            key => {
                if let Some(block) = blocks.last_mut() {
                    block.options.push((key.to_owned(), value.to_owned(), place));
                }
            }
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
}
