//! `storage.files`, `directories` and `links`.

use serde_json::{Map, Value, json};

use super::reading::Kind::{Id, Switch, Text, Truth};
use super::reading::{Reading, Row, data_url, insert};
use super::spec::Spec::{self, V2_0, V2_1, V2_2, V2_3};
use crate::yaml::{Data, Fields, Node};

const FILE: &[Row] =
    &[("path", "path", Text, V2_0), ("overwrite", "overwrite", Switch, V2_2), ("append", "append", Truth, V2_2)];

const DIRECTORY: &[Row] = &[("path", "path", Text, V2_0), ("overwrite", "overwrite", Switch, V2_2)];

const LINK: &[Row] = &[
    ("path", "path", Text, V2_0),
    ("overwrite", "overwrite", Switch, V2_2),
    ("hard", "hard", Truth, V2_0),
    ("target", "target", Text, V2_0),
];

const OWNER: &[Row] = &[("id", "id", Id, V2_0), ("name", "name", Text, V2_1)];

/// `files`, `directories` and `links`, each where there are any. `filesystems` are the names they may stand on.
pub(super) fn read(
    reading: &mut Reading<'_>,
    storage: Fields<'_>,
    filesystems: &[String],
    made: &mut Map<String, Value>,
) {
    let mut files = Vec::new();
    for node in reading.each(storage, "files") {
        files.extend(file(reading, node, filesystems));
    }
    insert(made, "files", files);
    for (key, what, rows) in [("directories", "a directory", DIRECTORY), ("links", "a link", LINK)] {
        let Some(node) = storage.get(key) else { continue };
        if !reading.since(node, &format!("`storage.{key}`"), V2_1) {
            continue;
        }
        let mut list = Vec::new();
        for node in reading.list(node, key) {
            let others = ["filesystem", "user", "group", "mode"];
            let others = if key == "links" { &others[..3] } else { &others[..] };
            let Some((fields, mut map)) = reading.section(node, what, rows, others) else { continue };
            common(reading, fields, what, filesystems, &mut map);
            if key == "links" {
                reading.must_have(fields, "this link", &["target"]);
                if let Some(node) = fields.get("target")
                    && node.text().is_some_and(|target| !target.starts_with('/'))
                {
                    reading.since(node, "relative `target` of a link", V2_3);
                }
            } else {
                let mode = fields.get("mode").and_then(|node| mode(reading, node)).unwrap_or(0o755);
                map.insert("mode".into(), mode.into());
            }
            list.push(map.into());
        }
        insert(made, key, list);
    }
}

fn file(reading: &mut Reading<'_>, node: &Node, filesystems: &[String]) -> Option<Value> {
    let others = ["filesystem", "user", "group", "mode", "contents"];
    let (fields, mut file) = reading.section(node, "a file", FILE, &others)?;
    common(reading, fields, "a file", filesystems, &mut file);
    let mode = fields.get("mode").map_or(Some(0o644), |node| mode(reading, node));
    // Up to spec 2.1.0 a mode of 0 was said by leaving it out.
    if let Some(mode) = mode
        && (mode > 0 || reading.spec >= V2_2)
    {
        file.insert("mode".into(), mode.into());
    }
    if file.contains_key("append")
        && let Some(node) = fields.get("overwrite")
        && file.get("overwrite") == Some(&Value::Bool(true))
    {
        reading.complain(node, "what is appended to cannot be overwritten: leave out `append` or `overwrite`");
    }
    let contents = match fields.get("contents") {
        Some(node) => contents(reading, node)?,
        None => json!({ "source": "data:,", "verification": {} }),
    };
    file.insert("contents".into(), contents);
    Some(file.into())
}

/// What files, directories and links have in common.
fn common(
    reading: &mut Reading<'_>,
    fields: Fields<'_>,
    what: &str,
    filesystems: &[String],
    made: &mut Map<String, Value>,
) {
    reading.must_have(fields, what, &["path"]);
    reading.absolute(fields, "path");
    let filesystem = fields.get("filesystem").and_then(|node| {
        let name = reading.text(node, "filesystem")?;
        if !filesystems.contains(&name) {
            // It may be one of a config that this one refers to.
            let message = format!("there is no filesystem `{name}`: `storage.filesystems` has none of that name");
            reading.doubt(node, message);
        }
        Some(name)
    });
    made.insert("filesystem".into(), filesystem.unwrap_or_else(|| "root".into()).into());
    for key in ["user", "group"] {
        let mut owner = None;
        if let Some(node) = fields.get(key)
            && let Some((fields, map)) = reading.section(node, &format!("`{key}`"), OWNER, &[])
        {
            if fields.get("id").is_some() && fields.get("name").is_some() {
                reading.complain(node, format!("`{key}` has an `id` or a `name`, not both"));
            }
            owner = Some(map);
        }
        // `ct` writes an empty map up to spec 2.1.0, and leaves it out from 2.2.0 on.
        if owner.is_some() || reading.spec < V2_2 {
            made.insert(key.into(), owner.unwrap_or_default().into());
        }
    }
}

fn contents(reading: &mut Reading<'_>, node: &Node) -> Option<Value> {
    let fields = reading.fields(node, "`contents`", &["inline", "remote", "local"])?;
    let sources = ["inline", "local", "remote"].map(|key| fields.get(key));
    if let [_, second] = sources.into_iter().flatten().take(2).collect::<Vec<_>>()[..] {
        reading.complain(second, "a file has one source: `inline`, `local` or `remote`");
    }
    let [inline, local, remote] = sources;
    if let Some(node) = remote {
        return self::remote(reading, node);
    }
    if let Some(node) = local {
        let path = reading.local(node)?;
        return match std::fs::read(&path) {
            Ok(content) => Some(json!({ "source": data_url(&content), "verification": {} })),
            Err(error) => {
                reading.complain(node, format!("cannot read {}: {error}", path.display()));
                None
            }
        };
    }
    let inline = match inline {
        Some(node) => reading.script(node, "inline")?,
        None => String::new(),
    };
    Some(json!({ "source": data_url(inline.as_bytes()), "verification": {} }))
}

fn remote(reading: &mut Reading<'_>, node: &Node) -> Option<Value> {
    let fields = reading.fields(node, "`remote`", &["url", "compression", "verification"])?;
    let url = reading.required(fields, "`remote`", "url").and_then(|node| reading.url(node, "url"));
    let mut made = Map::new();
    if let Some(node) = fields.get("compression")
        && reading.word(node, "compression", &[("gzip", ())]).is_some()
    {
        made.insert("compression".into(), "gzip".into());
    }
    made.insert("source".into(), url?.into());
    made.insert("verification".into(), reading.verification(fields));
    Some(made.into())
}

/// A file that is made of another section, on the root file system.
pub(super) fn file_value(spec: Spec, path: &str, content: &str) -> Value {
    let mut file = json!({
        "filesystem": "root",
        "path": path,
        "contents": { "source": data_url(content.as_bytes()), "verification": {} },
        "mode": 0o644,
    });
    if spec < V2_2 {
        file["user"] = json!({});
        file["group"] = json!({});
    }
    file
}

/// Octal with a leading 0 and decimal without, as YAML of that age read it; refused where the one looks like the other.
fn mode(reading: &mut Reading<'_>, node: &Node) -> Option<u32> {
    let text = reading.text(node, "mode")?;
    let quoted = matches!(&node.data, Data::Scalar(scalar) if scalar.quoted);
    let octal = |digits: &str| u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o7777);
    let all_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mode = match text.strip_prefix('0') {
        _ if quoted => None,
        Some("") => Some(0),
        Some(digits) => octal(digits.strip_prefix('o').unwrap_or(digits)).filter(|_| !digits.contains(['+', '-'])),
        None if all_digits => text.parse().ok().filter(|mode| *mode <= 0o7777),
        None => None,
    };
    let Some(mode) = mode else {
        reading.complain(node, format!("`{text}` is not a mode such as 0644, without quotes"));
        return None;
    };
    if !text.starts_with('0')
        && let Some(meant) = octal(&text)
        && (mode > 0o777 || is_orderly(meant) || !is_orderly(mode))
    {
        let message = format!(
            "`{text}` without a leading 0 is a decimal number and makes the mode {mode:04o}: write 0{text} or {mode:04o}, \
             whichever is meant"
        );
        reading.complain(node, message);
        return None;
    }
    Some(mode)
}

/// Whether others may do no more than the group, and the group no more than the owner, as in all modes but odd ones.
fn is_orderly(mode: u32) -> bool {
    let (owner, group, others) = (mode >> 6 & 7, mode >> 3 & 7, mode & 7);
    mode <= 0o777 && group & !owner == 0 && others & !group == 0
}
