//! The host's card: every fact, its age, and since when it is what it is.

use jiff::{SignedDuration, Timestamp};
use ratatui::text::{Line, Span};
use serde_json::Value;

use crate::model::event::Mode;
use crate::model::logtail::clean;
use crate::model::state::{HostState, Link};
use crate::model::{HostName, State, size};
use crate::ui::clock::{age, span};
use crate::ui::page::Page;
use crate::ui::theme::{Meaning, style};

/// All that is known of a host.
#[must_use]
pub fn page(state: &State, now: Timestamp, name: &HostName) -> Page {
    let mut page = Page::default();
    let Some(host) = state.host(name) else { return page };
    if let Some(described) = state.session.as_ref().and_then(|session| session.inventory.host(name)) {
        let roles: Vec<_> = described.roles.iter().map(|role| role.word()).collect();
        page.say(format!("{} · {} · node {}", described.address(), roles.join(", "), described.node()));
    }
    let link = match &host.link {
        Link::Connecting => "connecting".to_owned(),
        Link::Up => "connected".to_owned(),
        Link::Lost { since, reason } => format!("away for {}: {reason}", age(now, *since)),
    };
    page.say(clean(&link));
    for (word, why) in [("not to be acted on", &host.barred), ("facts do not count", &host.stale)] {
        if let Some(why) = why {
            page.say(Line::styled(format!("{word}: {}", clean(why)), style(Meaning::Warn)));
        }
    }
    let Some(seen) = &host.facts else {
        page.text("Nothing was seen of it yet.", Meaning::Warn);
        return page;
    };
    page.text(&format!("Facts, read {} ago:", age(now, seen.at)), Meaning::Title);
    let value = |facts| serde_json::to_value(facts).unwrap_or_default();
    let (mut then, mut facts) = (Vec::new(), Vec::new());
    let current = |host: &HostState| host.facts.as_ref().and_then(|seen| seen.facts.clock_ms);
    flatten("", &beside_others(state, value(&*seen.facts), current), &mut facts);
    if let Some(first) = &host.first {
        let first_of = |host: &HostState| host.first.as_ref().and_then(|facts| facts.clock_ms);
        flatten("", &beside_others(state, value(first), first_of), &mut then);
    }
    for (path, text) in facts {
        let before = then.iter().find(|(known, _)| *known == path).map(|(_, before)| before.as_str());
        // The name says what checks count in, and the value is told otherwise.
        let shown = if path == "clock_ms" { "clock" } else { &path };
        let mut spans = vec![Span::styled(format!("  {shown} "), style(Meaning::Quiet)), Span::raw(clean(&text))];
        let section = path.split(['.', '[']).next().unwrap_or_default();
        if before != Some(text.as_str()) && host.first.is_some() {
            let was = before.map_or_else(|| "was not there".to_owned(), |before| format!("was {}", clean(before)));
            let at = host.changed.get(section).map(|at| format!(", changed {} ago", age(now, *at))).unwrap_or_default();
            spans.push(Span::styled(format!("   {was}{at}"), style(Meaning::Active)));
        }
        page.code(Line::from(spans));
    }
    page
}

/// Facts of a simulated host with its clock against the cluster's own middle one: its world lives in another year.
fn beside_others(state: &State, mut facts: Value, clock: impl Fn(&HostState) -> Option<i64>) -> Value {
    if state.session.as_ref().is_some_and(|session| session.mode == Mode::Practice) {
        let mut all: Vec<i64> = state.hosts.values().filter_map(clock).collect();
        all.sort_unstable();
        if let (Some(middle), Some(ms)) = (all.get(all.len() / 2), facts.get("clock_ms").and_then(Value::as_i64)) {
            facts["clock_ms"] = (ms - middle).into();
        }
    }
    facts
}

/// A value as paths and texts.
fn flatten(path: &str, value: &Value, out: &mut Vec<(String, String)>) {
    let under = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| flatten(&under(key), value, out)),
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items.iter().enumerate().for_each(|(n, item)| flatten(&format!("{path}[{n}]"), item, out));
        }
        Value::Array(items) => {
            let words: Vec<String> = items.iter().map(|item| reading(path, item)).collect();
            out.push((path.to_owned(), if words.is_empty() { "none".into() } else { words.join(", ") }));
        }
        other => out.push((path.to_owned(), reading(path, other))),
    }
}

/// A value as people read it. The names stay as checks have them (`free_kib`), but for the clock's.
fn reading(path: &str, value: &Value) -> String {
    let name = path.rsplit('.').next().unwrap_or(path);
    match value {
        Value::Number(_) if path.starts_with("certs.") => value.as_i64().map_or_else(|| value.to_string(), days),
        Value::Number(number) => match (number.as_i64(), name) {
            (Some(bytes), "bytes" | "db_bytes") => size(bytes),
            (Some(kib), "size_kib" | "free_kib") => size(kib.saturating_mul(1024)),
            (Some(ms), "clock_ms") => clock(ms),
            _ => number.to_string(),
        },
        Value::String(text) if text.is_empty() => "''".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A clock against ours: `0:00.2 behind`.
fn clock(ms: i64) -> String {
    let (whole, tenths) = (ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000 / 100);
    let off = format!("{}.{tenths}", span(SignedDuration::from_secs(i64::try_from(whole).unwrap_or(i64::MAX))));
    match ms {
        ..0 => format!("{off} behind"),
        0 => format!("{off} off"),
        _ => format!("{off} ahead"),
    }
}

/// Until a certificate ends.
fn days(left: i64) -> String {
    match left {
        ..0 => format!("ended {} days ago", left.unsigned_abs()),
        _ => format!("{left} days left"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_clock_of_a_simulated_host_is_told_against_its_own_cluster() {
        let journal = std::path::Path::new("tests/journals/container-linux.jsonl");
        let mut state = State::of(&crate::journal::read(journal).unwrap().records);
        let year = 300_000_000_000;
        for (number, host) in state.hosts.values_mut().enumerate() {
            let ms = Some(i64::from(number == 0) * 400 - year);
            host.first = None;
            let Some(seen) = &mut host.facts else { continue };
            let mut facts = crate::model::Facts::clone(&seen.facts);
            facts.clock_ms = ms;
            seen.facts = facts.into();
        }
        let told = |state: &State, host: &str| {
            let name = HostName::from(host);
            let rows = page(state, state.now, &name).rows(200);
            let text: Vec<String> = rows.iter().map(|row| row.text.to_string()).collect();
            text.into_iter().find(|line| line.trim_start().starts_with("clock")).unwrap().trim().to_owned()
        };
        assert_eq!(told(&state, "etcd1"), "clock 0:00.4 ahead");
        assert_eq!(told(&state, "etcd2"), "clock 0:00.0 off");
        state.session.as_mut().unwrap().mode = Mode::Upgrade;
        assert_eq!(told(&state, "etcd2"), "clock 83333:20:00.0 behind");
    }

    #[test]
    fn sizes_and_times_are_said_as_people_read_them() {
        let facts = json!({
            "clock_ms": -200,
            "disks": {"/": {"fs": "ext4", "free_kib": 1_992_294, "size_kib": 16 << 20, "free_inodes": 655_000}},
            "etcd": {"db_bytes": 20_480, "raft_index": 123_456, "alarms": []},
            "devices": [{"path": "/dev/sda", "bytes": 17_179_869_184_i64}],
            "certs": {"/etc/kubernetes/pki/apiserver.crt": 41, "/etc/old.d/bytes": -3},
            "swap": false,
            "arch": "",
        });
        let mut out = Vec::new();
        flatten("", &facts, &mut out);
        let lines: Vec<String> = out.into_iter().map(|(path, text)| format!("{path} {text}")).collect();
        assert_eq!(
            lines,
            [
                "clock_ms 0:00.2 behind",
                "disks./.fs ext4",
                "disks./.free_kib 1.9 GiB",
                "disks./.size_kib 16.0 GiB",
                "disks./.free_inodes 655000",
                "etcd.db_bytes 20.0 KiB",
                "etcd.raft_index 123456",
                "etcd.alarms none",
                "devices[0].path /dev/sda",
                "devices[0].bytes 16.0 GiB",
                "certs./etc/kubernetes/pki/apiserver.crt 41 days left",
                "certs./etc/old.d/bytes ended 3 days ago",
                "swap false",
                "arch ''",
            ]
        );
        for (ms, said) in
            [(0, "0:00.0 off"), (200, "0:00.2 ahead"), (-65_400, "1:05.4 behind"), (3_723_000, "1:02:03.0 ahead")]
        {
            assert_eq!(clock(ms), said);
        }
    }
}
