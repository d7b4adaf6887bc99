//! A host's key that is not known here: fetched to be compared, and put among the known ones once it was.
//!
//! Nothing here loosens a check: ssh goes on refusing whatever is not in its known hosts files. A host that has a key there,
//! of any kind, gets no second one here: that is either a key that has changed, or somebody who shows another kind on purpose.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::time::Duration;

use super::local::Local;
use super::shell::{Shell as _, Sink};
use crate::model::hidden::shown;
use crate::model::host_key::HostKey;

/// For `ssh-keyscan`, which gives up a silent host after half of it.
const PATIENCE: Duration = Duration::from_secs(20);

/// More than every key of a host together; what is longer is no list of keys.
const MOST: usize = 64 << 10;

/// A base64 key of 16384 bits of RSA has 2756 characters.
const LONGEST: usize = 4096;

/// The most of somebody else's words in a message, in characters.
const SAID: usize = 200;

/// Kinds of keys, the one to ask for first: as ssh has it, and as the file on the host is named.
const KINDS: [(&str, &str); 5] = [
    ("ssh-ed25519", "ed25519"),
    ("ecdsa-sha2-nistp256", "ecdsa"),
    ("ecdsa-sha2-nistp384", "ecdsa"),
    ("ecdsa-sha2-nistp521", "ecdsa"),
    ("ssh-rsa", "rsa"),
];

/// Where ssh goes for a host, and what it has its key under, as `ssh -G` tells it.
#[derive(Debug, PartialEq, Eq)]
struct Way {
    address: String,
    port: u16,
    place: String,
    /// Those of the user first: ssh adds to the very first.
    files: Vec<String>,
}

/// Fetches the key of a host that has none here. `ssh` is the whole command that would connect, with `-G`.
///
/// # Errors
/// Says why there is nothing to compare, where that is so.
pub(super) async fn offered(ssh: &[&str]) -> Result<HostKey, String> {
    let (configured, complaint) = here(ssh, "").await?;
    let way = way(&configured).map_err(|why| match last(&complaint) {
        Some(said) if configured.is_empty() => format!("{why}: {said}"),
        _ => why,
    })?;
    let file = way.files.first().map(PathBuf::from).filter(|file| file.is_absolute() && !file.starts_with("/dev"));
    let file = file.ok_or("ssh is configured to keep no known hosts: see `UserKnownHostsFile` in its configuration")?;
    for file in &way.files {
        if !here(&["ssh-keygen", "-F", &way.place, "-f", file], "").await?.0.is_empty() {
            return Err(format!(
                "{} has something about {} already, and the host now shows another kind of key, so it is not accepted here. \
                 Find out why; `ssh-keygen -F '{}' -f {}` prints what is known",
                shown(file),
                way.place,
                way.place,
                shown(file)
            ));
        }
    }
    let (port, seconds) = (way.port.to_string(), (PATIENCE.as_secs() / 2).to_string());
    let scan = ["ssh-keyscan", "-T", &seconds, "-p", &port, "-t", "ed25519,ecdsa,rsa", "--", &way.address];
    let (keys, complaint) = here(&scan, "").await?;
    let (kind, named, key) = best(&keys).ok_or_else(|| {
        let why = last(&complaint).unwrap_or_else(|| "it shows none".to_owned());
        format!("`ssh-keyscan -p {port} {}` gets no key to compare: {why}", way.address)
    })?;
    let entry = format!("{} {kind} {key}", way.place);
    let said = here(&["ssh-keygen", "-E", "sha256", "-lf", "-"], &entry).await?.0;
    let fingerprint = fingerprint(&said).ok_or("`ssh-keygen` does not take what the host shows for a key")?;
    Ok(HostKey { place: way.place, kind: named.to_owned(), fingerprint, entry, file })
}

/// Runs a program of OpenSSH on this machine: its output, and its complaint.
async fn here(argv: &[&str], stdin: &str) -> Result<(String, String), String> {
    let mut sink = Sink::Memory(Vec::new());
    let complaint = Local
        .run(argv, stdin.as_bytes().into(), &mut sink, PATIENCE)
        .await
        .map_err(|error| format!("{}: {error}", argv[0]))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match sink {
        Sink::Memory(output) if output.len() <= MOST => Ok((text(&output), text(&complaint))),
        _ => Err(format!("{} printed more than {} KiB", argv[0], MOST >> 10)),
    }
}

/// The last words of a complaint, fit to be shown. Those after a `#` are the host's greeting.
fn last(complaint: &str) -> Option<String> {
    let line = complaint.lines().rfind(|line| !line.starts_with('#') && !line.trim().is_empty())?;
    Some(shown(line.trim()).chars().take(SAID).collect())
}

/// Reads what `ssh -G` printed.
fn way(said: &str) -> Result<Way, String> {
    let value = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(str::trim);
    if ["proxyjump", "proxycommand"].into_iter().any(|name| value(name).is_some_and(|way| way != "none")) {
        return Err("its key cannot be shown here: ssh-keyscan does not go through a jump host or a proxy".into());
    }
    let unread = "`ssh -G` does not say where it goes";
    let address = value("hostname").filter(|address| !address.is_empty()).ok_or(unread)?.to_lowercase();
    let port: u16 = value("port").and_then(|port| port.parse().ok()).ok_or(unread)?;
    // As ssh does it: an alias goes without a port, and so does the usual port.
    let place = match (value("hostkeyalias").filter(|alias| *alias != "none"), port) {
        (Some(alias), _) => alias.to_owned(),
        (None, 22) => address.clone(),
        (None, port) => format!("[{address}]:{port}"),
    };
    if place.contains(|letter: char| letter.is_whitespace() || letter.is_control() || "*?!,|#@".contains(letter)) {
        return Err(format!("`{}` cannot stand in a known hosts file", shown(&place)));
    }
    let files = ["userknownhostsfile", "globalknownhostsfile"].into_iter().filter_map(value).flat_map(paths).collect();
    Ok(Way { address, port, place, files })
}

/// Paths one after the other, as ssh prints them: not quoted, though they may have blanks.
fn paths(list: &str) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    for word in list.split(' ') {
        match paths.last_mut() {
            Some(path) if !word.starts_with(['/', '~']) => *path += &format!(" {word}"),
            _ => paths.push(word.to_owned()),
        }
    }
    // OpenSSH before 8.4 leaves the home directory to be found.
    let home = etcetera::home_dir().unwrap_or_default();
    let whole =
        |path: String| path.strip_prefix("~/").map_or(path.clone(), |rest| home.join(rest).display().to_string());
    paths.into_iter().map(whole).collect()
}

/// The key to compare, among what `ssh-keyscan` printed: its kind, how the file is named, and itself in base64.
fn best(said: &str) -> Option<(&'static str, &'static str, &str)> {
    let keys: Vec<[&str; 3]> =
        said.lines().filter_map(|line| line.split(' ').collect::<Vec<_>>().try_into().ok()).collect();
    KINDS.into_iter().find_map(|(kind, named)| {
        let [_, _, key] = keys.iter().find(|[_, of, key]| *of == kind && is_base64(key))?;
        Some((kind, named, *key))
    })
}

fn is_base64(text: &str) -> bool {
    let letters = text.trim_end_matches('=');
    (40..=LONGEST).contains(&text.len())
        && text.len() - letters.len() <= 2
        && letters.chars().all(|letter| letter.is_ascii_alphanumeric() || "+/".contains(letter))
}

/// The fingerprint in what `ssh-keygen -l` printed: `256 SHA256:… comment (ED25519)`.
fn fingerprint(said: &str) -> Option<String> {
    let mut words = said.split(' ');
    words.next()?.parse::<u32>().ok()?;
    let word = words.next()?;
    let digest = word.strip_prefix("SHA256:")?;
    (digest.len() == 43 && is_base64(digest)).then(|| word.to_owned())
}

/// Puts a key among the known ones, at the end of its file (0600 where it is new). Who calls this has had it compared.
///
/// # Errors
/// When the file cannot be written.
pub fn trust(key: &HostKey) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", key.file.display());
    if let Some(dir) = key.file.parent().filter(|dir| !dir.exists()) {
        std::fs::DirBuilder::new().mode(0o700).create(dir).map_err(failed)?;
    }
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.read(true).append(true).create(true).mode(0o600).open(&key.file).map_err(failed)?;
    // Somebody may have left the last line without its end.
    let length = file.seek(SeekFrom::End(0)).map_err(failed)?;
    let mut last = [b'\n'];
    if length > 0 {
        file.seek(SeekFrom::End(-1)).and_then(|_| file.read_exact(&mut last)).map_err(failed)?;
    }
    let line = if last == [b'\n'] { format!("{}\n", key.entry) } else { format!("\n{}\n", key.entry) };
    file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCAN: &str = include_str!("../../tests/fixtures/ssh/ssh-keyscan-9.2p1.txt");
    const PRINTS: &str = include_str!("../../tests/fixtures/ssh/ssh-keygen-9.2p1-fingerprints.txt");

    #[test]
    fn the_key_that_is_easiest_to_compare_is_taken() {
        let (kind, named, key) = best(SCAN).unwrap();
        assert_eq!((kind, named), ("ssh-ed25519", "ed25519"));
        assert_eq!(key, "AAAAC3NzaC1lZDI1NTE5AAAAIPWIdf/1OPX8Duifqx4O2JOVWZok3Mf9G+1ryEMDDhla");
        let without = |kinds: &[&str]| {
            let left: Vec<&str> = SCAN.lines().filter(|line| !kinds.iter().any(|kind| line.contains(kind))).collect();
            best(&left.join("\n")).map(|(_, named, _)| named)
        };
        assert_eq!(without(&["ed25519"]), Some("ecdsa"));
        assert_eq!(without(&["ed25519", "ecdsa"]), Some("rsa"));
        assert_eq!(without(&["ed25519", "ecdsa", "rsa"]), None);
    }

    #[test]
    fn a_complaint_is_cut_and_shows_what_hides() {
        let hostile = format!("# h SSH-2.0-\u{1b}[2J\nconnect: \u{202e}{}\r\n# again\n", "x".repeat(1000));
        let said = last(&hostile).unwrap();
        assert!(said.starts_with("connect: <U+202E>xxx") && said.chars().count() == SAID, "{said}");
        assert_eq!((last(""), last("# only greetings\n\n")), (None, None));
        assert_eq!(
            last("getaddrinfo x: Name or service not known\r\n").as_deref(),
            Some("getaddrinfo x: Name or service not known")
        );
    }

    #[test]
    fn what_is_no_key_is_none() {
        let key = "AAAAC3NzaC1lZDI1NTE5AAAAIPWIdf/1OPX8Duifqx4O2JOVWZok3Mf9G+1ryEMDDhla";
        for line in [
            String::new(),
            format!("h ssh-dss {key}"),
            format!("h ssh-ed25519 {key} and more"),
            format!("h ssh-ed25519  {key}"),
            format!("h ssh-ed25519 {key}\u{1b}[2J"),
            format!("h ssh-ed25519 {key}\u{202e}"),
            "h ssh-ed25519 AAAA".to_owned(),
            format!("h ssh-ed25519 {}", key.repeat(100)),
            format!("# h ssh-ed25519 {key}"),
        ] {
            assert_eq!(best(&line), None, "{line:?}");
        }
    }

    #[test]
    fn a_fingerprint_is_read_and_nothing_else() {
        let all: Vec<Option<String>> = PRINTS.lines().map(fingerprint).collect();
        assert_eq!(all.len(), 3);
        assert_eq!(all[2].as_deref(), Some("SHA256:LjklgmCYkg5sL90PdaKimT6EUgzR5jPQKblAVAtve4o"));
        assert!(all.iter().all(Option::is_some), "{all:?}");
        for said in [
            "",
            "(stdin) is not a public key file.\n",
            "256 MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48 h (RSA)",
            "256 SHA256:short h (ED25519)",
            "256 SHA256:LjklgmCYkg5sL90PdaKimT6EUgzR5jPQKblAVAtv\u{1b}[ h (ED25519)",
        ] {
            assert_eq!(fingerprint(said), None, "{said:?}");
        }
    }

    #[test]
    fn a_key_is_kept_where_ssh_looks_for_it() {
        let files = "userknownhostsfile /home/a b/.ssh/known_hosts /home/a b/.ssh/known_hosts2\n\
                     globalknownhostsfile /etc/ssh/ssh_known_hosts\n";
        let said = |more: &str| way(&format!("host x\nhostname Etcd1.Example\n{more}\n{files}"));
        let found = said("port 22\nproxycommand none").unwrap();
        assert_eq!((found.place.as_str(), found.port), ("etcd1.example", 22));
        assert_eq!(
            found.files,
            ["/home/a b/.ssh/known_hosts", "/home/a b/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts"]
        );
        assert_eq!(said("port 2222").unwrap().place, "[etcd1.example]:2222");
        assert_eq!(said("port 2222\nhostkeyalias etcd").unwrap().place, "etcd");
        for (more, words) in [
            ("port 22\nproxyjump bastion", "does not go through a jump host"),
            ("port 22\nproxycommand nc %h %p", "does not go through a jump host"),
            ("", "does not say where it goes"),
            ("port 22\nhostkeyalias *", "cannot stand in a known hosts file"),
        ] {
            assert!(said(more).unwrap_err().contains(words), "{more}");
        }
    }

    #[test]
    fn a_key_is_added_after_what_is_there() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(".ssh/known_hosts");
        let key = |entry: &str| HostKey {
            place: "a".into(),
            kind: "ed25519".into(),
            fingerprint: String::new(),
            entry: entry.into(),
            file: file.clone(),
        };
        trust(&key("a ssh-ed25519 A")).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(file.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::write(&file, "a ssh-ed25519 A").unwrap();
        trust(&key("b ssh-ed25519 B")).unwrap();
        trust(&key("c ssh-ed25519 C")).unwrap();
        let all = std::fs::read_to_string(&file).unwrap();
        assert_eq!(all, "a ssh-ed25519 A\nb ssh-ed25519 B\nc ssh-ed25519 C\n");
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        assert!(trust(&key("d ssh-ed25519 D")).unwrap_err().starts_with("cannot write "));
    }
}
