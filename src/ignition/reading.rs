//! A reader that knows the asked spec, and the sections that are passed through key by key.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::platform::Platform;
use super::spec::Spec;
use crate::yaml::{Data, Fields, Node, Reader};

/// Reads a Container Linux Config for one spec.
pub(super) struct Reading<'d> {
    reader: Reader<'d>,
    /// What is to be written.
    pub spec: Spec,
    /// Whose metadata fill in `{PRIVATE_IPV4}` and its like.
    pub platform: Option<Platform>,
    /// Where the files of `local` lie.
    files_dir: Option<&'d Path>,
}

impl<'d> Deref for Reading<'d> {
    type Target = Reader<'d>;

    fn deref(&self) -> &Reader<'d> {
        &self.reader
    }
}

impl DerefMut for Reading<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.reader
    }
}

/// What a key holds, and when Ignition's JSON leaves it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text; left out when empty.
    Text,
    /// A text that means something even when it is empty.
    Set,
    /// A text with its white space; left out when empty.
    Script,
    /// Left out when false.
    Truth,
    /// Means something even when it is false.
    Switch,
    /// A whole number, not negative; left out when 0.
    Count,
    /// A whole number, not negative, that means something even when it is 0.
    Id,
    /// A list of texts; left out when empty.
    Texts,
}

/// A key of the config, its name in Ignition's JSON, what it holds, and the first spec that has it.
pub(super) type Row = (&'static str, &'static str, Kind, Spec);

impl<'d> Reading<'d> {
    pub(super) fn new(reader: Reader<'d>, spec: Spec, platform: Option<Platform>, files_dir: Option<&'d Path>) -> Self {
        Self { reader, spec, platform, files_dir }
    }

    /// The file that a `local` names, which lies in the directory that was given for such files or below it.
    pub(super) fn local(&mut self, node: &Node) -> Option<PathBuf> {
        let name = self.text(node, "local")?;
        let Some(dir) = self.files_dir else {
            let message = "files beside the config are read from the directory that `--files-dir` names: name one, or \
                           write the content under `inline`";
            self.complain(node, message);
            return None;
        };
        let path = Path::new(name.trim_start_matches('/'));
        if path.components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
            self.complain(
                node,
                "`local` names a file in the directory of `--files-dir` or below it, without `.` or `..`",
            );
            return None;
        }
        Some(dir.join(path))
    }

    /// The reader, with everything that was wrong.
    pub(super) fn done(self) -> Reader<'d> {
        self.reader
    }

    /// Whether the asked spec has what came with another; if not, the problem is noted.
    pub(super) fn since(&mut self, node: &Node, what: &str, first: Spec) -> bool {
        let has = self.spec >= first;
        if !has {
            let asked = self.spec;
            self.complain(node, format!("spec {asked} has no {what}: spec {first} is the first that can say it"));
        }
        has
    }

    /// A map with these keys, and those read by other means; the rows are carried over.
    pub(super) fn section<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        rows: &[Row],
        others: &[&str],
    ) -> Option<(Fields<'n>, Map<String, Value>)> {
        let keys: Vec<&str> = rows.iter().map(|row| row.0).chain(others.iter().copied()).collect();
        let fields = self.fields(node, what, &keys)?;
        let mut map = Map::new();
        for &(key, json, kind, first) in rows {
            let Some(node) = fields.get(key) else { continue };
            if self.since(node, &format!("`{key}` in {what}"), first)
                && let Some(value) = self.value(node, key, kind)
            {
                map.insert(json.into(), value);
            }
        }
        Some((fields, map))
    }

    fn value(&mut self, node: &Node, key: &str, kind: Kind) -> Option<Value> {
        match kind {
            Kind::Text => self.text(node, key).filter(|text| !text.is_empty()).map(Value::from),
            Kind::Set => self.text(node, key).map(Value::from),
            Kind::Script => self.script(node, key).filter(|text| !text.is_empty()).map(Value::from),
            Kind::Truth => self.boolean(node, key)?.then_some(true.into()),
            Kind::Switch => self.boolean(node, key).map(Value::from),
            Kind::Count => self.count(node, key).filter(|count| *count > 0).map(Value::from),
            Kind::Id => self.count(node, key).map(Value::from),
            Kind::Texts => Some(self.texts(node, key)).filter(|texts| !texts.is_empty()).map(Value::from),
        }
    }

    /// The items of a section's list, each a map.
    pub(super) fn each<'n>(&mut self, fields: Fields<'n>, key: &str) -> &'n [Node] {
        fields.get(key).map(|node| self.list(node, key)).unwrap_or_default()
    }

    /// Notes a key that must be there and is not.
    pub(super) fn must_have(&mut self, fields: Fields<'_>, what: &str, keys: &[&str]) {
        for key in keys {
            self.required(fields, what, key);
        }
    }

    /// A whole number as YAML of that age read it: one with a leading 0 was octal, and nobody means that.
    pub(super) fn integer(&mut self, node: &Node, key: &str) -> Option<i64> {
        let text = self.text(node, key)?;
        let quoted = matches!(&node.data, Data::Scalar(scalar) if scalar.quoted);
        let digits = text.strip_prefix('-').unwrap_or(&text);
        if quoted || digits.starts_with('+') || digits.len() > 1 && digits.starts_with('0') {
            self.complain(node, format!("`{key}` is a whole number, without quotes and without a 0 before it"));
            return None;
        }
        let number = text.parse().ok();
        if number.is_none() {
            self.complain(node, format!("`{key}` is a whole number, not `{text}`"));
        }
        number
    }

    fn count(&mut self, node: &Node, key: &str) -> Option<u32> {
        let number = self.integer(node, key)?;
        let count = u32::try_from(number).ok();
        if count.is_none() {
            self.complain(node, format!("`{key}` cannot be {number}"));
        }
        count
    }

    /// Notes a path that does not begin with `/`.
    pub(super) fn absolute(&mut self, fields: Fields<'_>, key: &str) {
        if let Some(node) = fields.get(key)
            && node.text().is_some_and(|path| !path.starts_with('/'))
        {
            self.complain(node, format!("`{key}` begins with `/`"));
        }
    }

    /// Notes a name whose end Ignition does not take.
    pub(super) fn ends(&mut self, fields: Fields<'_>, key: &str, ends: &[&str]) {
        if let Some(node) = fields.get(key)
            && node.text().is_some_and(|name| !ends.iter().any(|end| name.ends_with(&format!(".{end}"))))
        {
            self.complain(node, format!("`{key}` ends in one of: .{}", ends.join(", .")));
        }
    }

    /// A URL of a scheme that Ignition fetches.
    pub(super) fn url(&mut self, node: &Node, key: &str) -> Option<String> {
        let url = self.text(node, key)?;
        let schemes: &[&str] = match self.spec {
            Spec::V2_0 => &["http", "https", "oem", "data"],
            Spec::V2_1 | Spec::V2_2 | Spec::V2_3 => &["http", "https", "oem", "data", "tftp", "s3"],
        };
        let scheme = url.split_once(':').map(|(scheme, _)| scheme);
        if !scheme.is_some_and(|scheme| schemes.contains(&scheme)) {
            let (spec, known) = (self.spec, schemes.join(", "));
            self.complain(node, format!("by spec {spec}, `{key}` is a URL of one of the schemes {known}"));
        } else if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
            self.complain(node, format!("a URL has no white space: `{key}` must be escaped"));
        }
        Some(url)
    }

    /// `verification`, which is an empty map where nothing is verified.
    pub(super) fn verification(&mut self, fields: Fields<'_>) -> Value {
        let mut made = Map::new();
        let hash = fields
            .get("verification")
            .and_then(|node| self.fields(node, "`verification`", &["hash"]))
            .and_then(|fields| fields.get("hash"));
        if let Some(node) = hash
            && let Some(fields) = self.fields(node, "`hash`", &["function", "sum"])
        {
            // Of a hash without its function, `ct` made no verification at all.
            let function = self.required(fields, "this hash", "function");
            let sum = self.required(fields, "this hash", "sum");
            function.and_then(|node| self.word(node, "function", &[("sha512", ())]));
            if let Some(node) = sum
                && let Some(sum) = self.text(node, "sum")
            {
                if sum.len() != 128 || !sum.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    self.complain(node, "the sum of sha512 is 128 hexadecimal digits");
                }
                made.insert("hash".into(), format!("sha512-{sum}").into());
            }
        }
        made.into()
    }
}

/// Puts a list in its place, unless it is empty.
pub(super) fn insert(map: &mut Map<String, Value>, key: &str, list: Vec<Value>) {
    if !list.is_empty() {
        map.insert(key.into(), list.into());
    }
}

/// RFC 2396's unreserved characters stand for themselves, all others are escaped byte by byte.
pub(super) fn data_url(content: &[u8]) -> String {
    use std::fmt::Write as _;
    content.iter().fold("data:,".to_owned(), |mut url, &byte| {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            url.push(byte.into());
        } else {
            _ = write!(url, "%{byte:02X}");
        }
        url
    })
}
