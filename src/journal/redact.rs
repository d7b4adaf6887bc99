//! A journal that may be shown to others: the same session without secrets, under a chain of its own.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, MatchKind};
use regex::Regex;
use serde_json::{Map, Value};

use super::{FORMAT, Header, Journal, Line};
use crate::model::secret::REDACTED;
use crate::model::{Digest, Event, Inventory, Record, Redactor, Role, Secret, TaskId};

/// The lines of the redacted journal. Its first one names the head of the journal it was made of, and no line of it has that head.
///
/// # Errors
/// When a record would not be one any more.
pub fn redacted(journal: &Journal, names: bool) -> Result<Vec<String>, String> {
    let unwritten = |error: serde_json::Error| error.to_string();
    let mut events =
        journal.records.iter().map(|record| raw(&record.event)).collect::<Result<Vec<_>, _>>().map_err(unwritten)?;
    // What was kept under a name that tells of a secret is one wherever it is repeated.
    let mut values = Vec::new();
    events.iter().for_each(|event| told(event, &mut values));
    let redactor = Redactor::new(&values);
    let mut outputs = outputs(&journal.records, &redactor);
    let aliases = names.then(|| Aliases::of(&journal.records));
    let header = Header { lockkeeper_journal: FORMAT, redacted: Some(journal.last.clone()) };
    let mut lines = vec![serde_json::to_string(&header).map_err(unwritten)?];
    for (number, (record, event)) in journal.records.iter().zip(&mut events).enumerate() {
        change(event, &|text| redactor.redact(text).into_owned());
        if let Some(text) = outputs.remove(&number) {
            event["text"] = Value::String(text);
        }
        if let Some(aliases) = &aliases {
            change(event, &|text| aliases.replace(text));
            change_keys(event, &|key| aliases.of_key(key));
        }
        if !matches!(record.event, Event::Unknown(_)) {
            serde_json::from_value::<Event>(event.clone())
                .map_err(|error| format!("record {} could not be read without its names: {error}", record.seq))?;
        }
        let prev = Digest::of(lines.last().map(String::as_bytes).unwrap_or_default());
        let line = Line { seq: record.seq, at: record.at, prev, event };
        lines.push(serde_json::to_string(&line).map_err(unwritten)?);
    }
    Ok(lines)
}

fn raw(event: &Event) -> serde_json::Result<Value> {
    match event {
        Event::Unknown(raw) => Ok(raw.clone()),
        known => serde_json::to_value(known),
    }
}

/// Whether what stands under a key is a secret, going by the key.
fn is_secret(key: &str) -> bool {
    let pair = format!("{key}=7f3a9c");
    Redactor::default().redact(&pair) != pair
}

/// The values that stand under names that tell of a secret.
fn told(value: &Value, into: &mut Vec<Secret>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| told(item, into)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    // A short one may be any word.
                    Value::String(text) if text.len() >= 2 * Secret::LEAST && is_secret(key) && !sourced(text) => {
                        into.push(Secret::new(text.clone()));
                    }
                    other => told(other, into),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Where a secret comes from is none.
fn sourced(text: &str) -> bool {
    crate::model::SecretSource::try_from(text.to_owned()).is_ok()
}

/// Changes every text in a value.
fn change(value: &mut Value, how: &impl Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = how(text),
        Value::Array(items) => items.iter_mut().for_each(|item| change(item, how)),
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                match value {
                    Value::String(text) if is_secret(key) && !sourced(text) => REDACTED.clone_into(text),
                    other => change(other, how),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Changes the keys of maps, which hosts' names are.
fn change_keys(value: &mut Value, how: &impl Fn(&str) -> String) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| change_keys(item, how)),
        Value::Object(fields) => {
            let old = std::mem::take(fields);
            let new: Map<String, Value> = old
                .into_iter()
                .map(|(key, mut value)| {
                    change_keys(&mut value, how);
                    (how(&key), value)
                })
                .collect();
            *fields = new;
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The texts of outputs by the index of their record. A secret may have come in two of them: the outputs of a job are read as one.
fn outputs(records: &[Record], redactor: &Redactor) -> BTreeMap<usize, String> {
    let mut done = BTreeMap::new();
    let mut jobs: BTreeMap<TaskId, Vec<(usize, &str)>> = BTreeMap::new();
    for (number, record) in records.iter().enumerate() {
        match &record.event {
            Event::JobOutput { task, text, .. } => jobs.entry(*task).or_default().push((number, text)),
            Event::JobIntended { task, .. } => {
                done.extend(jobs.remove(task).into_iter().flat_map(|pieces| as_one(&pieces, redactor)));
            }
            _ => {}
        }
    }
    done.extend(jobs.into_values().flat_map(|pieces| as_one(&pieces, redactor)));
    done
}

fn as_one(pieces: &[(usize, &str)], redactor: &Redactor) -> Vec<(usize, String)> {
    let whole: String = pieces.iter().map(|(_, text)| *text).collect();
    let spans = redactor.spans_of_output(whole.as_bytes());
    let mut from = 0;
    let mut texts = Vec::new();
    for (number, piece) in pieces {
        let end = from + piece.len();
        let mut text = String::new();
        let mut at = from;
        for span in spans.iter().filter(|span| span.start < end && span.end > from) {
            text.push_str(whole.get(at..span.start).unwrap_or_default());
            // Where it begins; of what goes on in the next piece nothing is left there.
            if span.start >= from {
                text.push_str(REDACTED);
            }
            at = span.end;
        }
        text.push_str(whole.get(at..end).unwrap_or_default());
        texts.push((*number, text));
        from = end;
    }
    texts
}

/// Other names for hosts, users and addresses, the same ones throughout.
struct Aliases {
    names: Vec<(String, String)>,
    search: Option<AhoCorasick>,
    address: Option<Regex>,
}

impl Aliases {
    fn of(records: &[Record]) -> Self {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        let mut people: Vec<String> = Vec::new();
        for record in records {
            match &record.event {
                Event::SessionStarted { operator, inventory, .. } => {
                    people.push(operator.clone());
                    Self::learn(inventory, &mut names, &mut people);
                }
                Event::SessionResumed { operator } => people.push(operator.clone()),
                _ => {}
            }
        }
        for part in people.iter().flat_map(|person| person.split('@')) {
            let count = names.len();
            // Users that every distribution has say nothing.
            if !["root", "core", "fedora", "centos", "ubuntu", "admin"].contains(&part) {
                names.entry(part.to_owned()).or_insert_with(|| format!("name{count}"));
            }
        }
        // Words of the format itself stay: a host that is called like its role cannot be told from it.
        let words: Vec<&str> = Role::ALL
            .iter()
            .map(|role| role.word())
            .chain(["practice", "upgrade", "monitor", "local", "ssh"])
            .collect();
        let names: Vec<_> =
            names.into_iter().filter(|(name, _)| !name.is_empty() && !words.contains(&name.as_str())).collect();
        let search =
            AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(names.iter().map(|(name, _)| name));
        Self { search: search.ok(), names, address: Regex::new(r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b").ok() }
    }

    fn learn(inventory: &Inventory, names: &mut BTreeMap<String, String>, people: &mut Vec<String>) {
        names.entry(inventory.cluster.clone()).or_insert_with(|| "cluster".into());
        people.extend([&inventory.ssh.user, &inventory.ssh.jump].into_iter().flatten().cloned());
        for (number, host) in (1..).zip(&inventory.hosts) {
            names.insert(host.name.to_string(), format!("host{number}"));
            for (name, alias) in [(host.node(), "node"), (host.address(), "address")] {
                names.entry(name.to_owned()).or_insert_with(|| match name.parse::<std::net::Ipv4Addr>() {
                    Ok(address) => invented(address),
                    Err(_) => format!("{alias}{number}"),
                });
            }
            people.extend([&host.ssh.user, &host.ssh.jump].into_iter().flatten().cloned());
        }
    }

    /// Of the keys only those are changed that are a host's: the others are the format's.
    fn of_key(&self, key: &str) -> String {
        let host = |alias: &&(String, String)| alias.0 == key && alias.1.starts_with("host");
        self.names.iter().find(host).map_or_else(|| key.to_owned(), |(_, alias)| alias.clone())
    }

    fn replace(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for found in self.search.iter().flat_map(|search| search.find_iter(text)) {
            let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
            let whole = !joins(text[..found.start()].chars().next_back()) && !joins(text[found.end()..].chars().next());
            // A letter or two may be any word, unless they are all there is.
            if whole && (found.len() > 2 || found.len() == text.len()) {
                out.push_str(&text[from..found.start()]);
                out.push_str(&self.names[found.pattern().as_usize()].1);
                from = found.end();
            }
        }
        out.push_str(&text[from..]);
        let Some(address) = &self.address else { return out };
        address
            .replace_all(&out, |found: &regex::Captures<'_>| match found[0].parse::<std::net::Ipv4Addr>() {
                Ok(address) => invented(address),
                Err(_) => found[0].to_owned(),
            })
            .into_owned()
    }
}

/// Another address, of the range for benchmarks (RFC 2544). The same for the same one; what says nothing stays.
fn invented(address: std::net::Ipv4Addr) -> String {
    let [first, second, ..] = address.octets();
    if address.is_loopback() || address.is_unspecified() || first == 255 || (first == 198 && second & 0xfe == 18) {
        return address.to_string();
    }
    // Not to be turned back by trying a few: which of them belong together is all that stays.
    let digest = Digest::of(format!("lockkeeper {address}").as_bytes());
    let part = |at: usize| u8::from_str_radix(&digest.as_str()[at..at + 2], 16).unwrap_or_default();
    format!("198.{}.{}.{}", 18 + part(0) % 2, part(2), part(4))
}
