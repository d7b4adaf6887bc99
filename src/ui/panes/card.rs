//! The host's card: every fact, its age, and since when it is what it is.

use jiff::Timestamp;
use ratatui::text::{Line, Span};
use serde_json::Value;

use crate::model::logtail::clean;
use crate::model::state::Link;
use crate::model::{HostName, State};
use crate::ui::clock::age;
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
    flatten("", &value(&*seen.facts), &mut facts);
    if let Some(first) = &host.first {
        flatten("", &value(first), &mut then);
    }
    for (path, text) in facts {
        let before = then.iter().find(|(known, _)| *known == path).map(|(_, before)| before.as_str());
        let mut spans = vec![Span::styled(format!("  {path} "), style(Meaning::Quiet)), Span::raw(clean(&text))];
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

/// A value as paths and texts.
fn flatten(path: &str, value: &Value, out: &mut Vec<(String, String)>) {
    let under = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| flatten(&under(key), value, out)),
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items.iter().enumerate().for_each(|(n, item)| flatten(&format!("{path}[{n}]"), item, out));
        }
        Value::Array(items) => {
            let words: Vec<String> = items.iter().map(word).collect();
            out.push((path.to_owned(), if words.is_empty() { "none".into() } else { words.join(", ") }));
        }
        other => out.push((path.to_owned(), word(other))),
    }
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "''".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
