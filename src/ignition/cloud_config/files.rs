//! `write_files`: what is carried, and what must not be written beside the new config.

use serde_json::{Value, json};

use super::{Fate, Migrating};
use crate::ignition::{etcd, update};
use crate::yaml::Node;

impl Migrating<'_> {
    pub(super) fn file(&mut self, node: &Node, at: &str) {
        let mut file = json!({ "path": null, "filesystem": "root", "mode": 0o644 });
        let (mut content, mut encoding) = (None, None);
        for (name, key, value) in self.entries(node, "a file") {
            let Some(text) = self.reader.script(value, &name) else { continue };
            let trimmed = text.trim_end();
            match &*name {
                "path" => file["path"] = trimmed.into(),
                "content" => content = Some((text, value)),
                "encoding" => encoding = Some((trimmed.to_owned(), value)),
                "permissions" => match u32::from_str_radix(trimmed, 8) {
                    Ok(mode) if mode <= 0o7777 => file["mode"] = mode.into(),
                    _ => self.reader.complain(value, "`permissions` are octal digits, such as 0644"),
                },
                "owner" => self.owner(&mut file, trimmed, value, &format!("{at}.owner")),
                _ => self.unknown(key, &format!("{at}.{name}")),
            }
        }
        let Some(path) = file["path"].as_str().map(str::to_owned) else {
            self.reader.complain(node, "this file has no `path`");
            return;
        };
        if let Some(why) = collides(&path) {
            self.note(node, at, Fate::Remove, format!("{path}: {why}"));
            return;
        }
        let text = content.as_ref().map(|(text, _)| text.as_str()).unwrap_or_default();
        let contents = match &encoding {
            None => json!({ "inline": text }),
            Some((encoding, node)) => match encoded(text, encoding) {
                Ok(contents) => contents,
                Err(message) => return self.reader.complain(node, message),
            },
        };
        file["contents"] = contents;
        if let (None, Some((text, node))) = (&encoding, &content) {
            self.variables(node, &format!("{at}.content"), text);
            if text.contains("etcd2") {
                let what = "names etcd2: say etcd-member, if this is to go on working";
                self.note(node, &format!("{at}.content"), Fate::Change, what);
            }
        }
        self.made.files.push(file);
        self.note(node, at, Fate::Carried, format!("storage.files, {path}; written once, not at every boot"));
    }

    fn owner(&mut self, file: &mut Value, owner: &str, node: &Node, at: &str) {
        let (user, group) = owner.split_once(':').map_or((owner, None), |(user, group)| (user, Some(group)));
        for (key, name) in [("user", Some(user)), ("group", group)] {
            let Some(name) = name else { continue };
            match (name, name.parse::<u32>()) {
                ("root", _) => {}
                (_, Ok(id)) => file[key] = json!({ "id": id }),
                (_, Err(_)) => {
                    let what =
                        format!("write `{key}: {{id: ...}}`, the number of {name}: names of owners need spec 2.1.0");
                    self.note(node, at, Fate::Change, what);
                }
            }
        }
    }
}

/// Why a file must not be written at every boot beside the new config.
fn collides(path: &str) -> Option<&'static str> {
    let units = path.strip_prefix("/etc/systemd/system/").or_else(|| path.strip_prefix("/run/systemd/system/"));
    let of = |name: &str| units.is_some_and(|unit| unit == name || unit.starts_with(&format!("{name}.d/")));
    if path.ends_with(&format!("/etcd-member.service.d/{}", etcd::DROP_IN)) {
        return Some("is the drop-in that the new config makes");
    }
    if of("etcd2.service") || of("etcd.service") || of("fleet.service") {
        return Some("configures what the new config replaces");
    }
    (path == update::PATH).then_some("is the file that `update` and `locksmith` make: say there what it says")
}

/// A file's content as it was encoded, in the URL and the compression that say the same.
fn encoded(text: &str, encoding: &str) -> Result<Value, String> {
    let packed = match encoding {
        "base64" | "b64" => false,
        "gz+base64" | "gzip+base64" | "gz+b64" | "gzip+b64" => true,
        "gz" | "gzip" => {
            return Err("bytes of gzip cannot stand in YAML as they are: encode them as gzip+base64".into());
        }
        other => return Err(format!("coreos-cloudinit has no encoding `{other}`")),
    };
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let body = digits.trim_end_matches('=');
    let padding = digits.len() - body.len();
    let whole = digits.len().is_multiple_of(4) && padding <= 2;
    if !whole || !body.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/') {
        return Err("the content is not base64".into());
    }
    let mut remote = json!({ "url": format!("data:;base64,{digits}") });
    if packed {
        remote["compression"] = "gzip".into();
    }
    Ok(json!({ "remote": remote }))
}
