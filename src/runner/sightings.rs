//! What probes saw, as events: only what changed, and what did not change for many hosts at once.
//!
//! What this comes to, for 500 hosts that are looked at every 2 s for a day, with a line's frame (number, time, digest) of
//! 170 bytes:
//!
//! | event | how often | bytes | a day |
//! | --- | --- | --- | --- |
//! | `beat`, nearly all hosts in it | one in 3 s | 250 | 7 MB |
//! | `beat`, where probes take 10 s: a hundred hosts in it | one in 2 s | 1,400 | 60 MB |
//! | `facts-changed`, of what always moves a little | a host each 3 min | 300 | 72 MB |
//! | `facts-seen`, all of it again | a host after 5 KB of changes | 5,000 | 15 MB |
//!
//! Whatever else changes is told when it is seen. An age on the screen may be told too long, by [`LAG`] at most, never too
//! short; the values that always move may be [`HELD`] old where nobody waits for them, and are within what
//! `Facts::moved_slightly` calls slight.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::engine::Awaited;
use crate::model::state::{HostState, Link};
use crate::model::{Event, Facts, HostName, State, patch};

/// A host's facts look at most so much older than they are.
const LAG: SignedDuration = SignedDuration::from_secs(5);

/// Between two beats that nobody waits for.
const BEAT: SignedDuration = SignedDuration::from_secs(2);

/// Between two beats that somebody waits for: answers of many hosts come together.
const SOON: SignedDuration = SignedDuration::from_millis(250);

/// For so long a value that moves a little is not told.
const HELD: SignedDuration = SignedDuration::from_mins(3);

/// A probe that saw nothing new and was not told yet.
#[derive(Debug)]
struct Unchanged {
    asked: u64,
    at: Timestamp,
    /// Somebody waits for it.
    soon: bool,
}

/// What was told of a host.
#[derive(Debug)]
struct Told {
    /// Bytes of the facts when they were last told whole.
    whole: usize,
    /// Bytes of the changes since.
    since: usize,
    /// When the last of either was.
    at: Timestamp,
}

/// What was told of all hosts, and what is still to be told.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    awaited: Awaited,
    /// The state has moved on since `awaited` was asked.
    moved: bool,
    told: HashMap<HostName, Told>,
    unchanged: HashMap<HostName, Unchanged>,
    beat: Timestamp,
}

impl Sightings {
    pub(super) fn new() -> Self {
        Self { moved: true, ..Self::default() }
    }

    /// Takes notice of an event that was recorded.
    pub(super) fn recorded(&mut self, event: &Event) {
        self.moved |= Awaited::moved_by(event);
    }

    /// The event that a probe's answer is told by at once, if it is.
    pub(super) fn take(
        &mut self,
        state: &State,
        now: Timestamp,
        host: HostName,
        asked: u64,
        facts: Box<Facts>,
    ) -> Option<Event> {
        if std::mem::take(&mut self.moved) {
            self.awaited = Awaited::of(state);
        }
        let known = state.host(&host).and_then(HostState::current).filter(|_| self.told.contains_key(&host));
        let Some(known) = known else { return Some(self.whole(now, host, asked, facts)) };
        let held = self.told.get(&host).is_some_and(|told| now.duration_since(told.at) < HELD);
        let slightly = held
            && !self.awaited.exactly(&host, known.asked, asked)
            && facts.moved_slightly(&known.facts, self.awaited.closely());
        if slightly || *facts == *known.facts {
            if self.awaited.at_once(&host, known.asked, asked) {
                self.unchanged.remove(&host);
                return Some(Event::FactsConfirmed { host, asked });
            }
            let soon = self.awaited.soon(known.asked, asked);
            self.unchanged.insert(host, Unchanged { asked, at: now, soon });
            return None;
        }
        let changes = patch::between(&*known.facts, &*facts).map(|changes| (bytes(&changes), changes));
        match (self.told.get_mut(&host), changes) {
            // Seeking goes back to the last whole ones: it never has to read more changes than they are long.
            (Some(told), Some((bytes, changes))) if told.since + bytes <= told.whole => {
                (told.since, told.at) = (told.since + bytes, now);
                self.unchanged.remove(&host);
                Some(Event::FactsChanged { host, asked, changes })
            }
            _ => Some(self.whole(now, host, asked, facts)),
        }
    }

    fn whole(&mut self, now: Timestamp, host: HostName, asked: u64, facts: Box<Facts>) -> Event {
        let whole = serde_json::to_string(&facts).map_or(0, |text| text.len());
        self.told.insert(host.clone(), Told { whole, since: 0, at: now });
        self.unchanged.remove(&host);
        Event::FactsSeen { host, asked, facts }
    }

    /// How long what saw nothing new may still wait; nothing where there is none.
    pub(super) fn due_in(&self, state: &State, now: Timestamp) -> Option<Duration> {
        let due = |(host, unchanged): (&HostName, &Unchanged)| {
            if unchanged.soon {
                return self.beat + SOON;
            }
            let seen = state.host(host).and_then(|host| host.facts.as_ref()).map_or(unchanged.at, |seen| seen.at);
            (seen + LAG).max(self.beat + BEAT)
        };
        let due = self.unchanged.iter().map(due).min()?;
        Some(due.duration_since(now).try_into().unwrap_or_default())
    }

    /// What saw nothing new, told where it is due.
    pub(super) fn due(&mut self, state: &State, now: Timestamp) -> Vec<Event> {
        if self.due_in(state, now).is_none_or(|left| !left.is_zero()) {
            return Vec::new();
        }
        self.beat = now;
        let counts = |host: &HostState| host.link == Link::Up && host.current().is_some();
        let mut unchanged = std::mem::take(&mut self.unchanged);
        unchanged.retain(|name, _| state.host(name).is_some_and(counts));
        // What was asked for later than somebody waits for is not told with what was asked for before.
        let (soon, others): (HashMap<_, _>, HashMap<_, _>) = unchanged.into_iter().partition(|(_, one)| one.soon);
        [soon, others].into_iter().filter_map(|some| beat(state, &some, counts)).collect()
    }
}

/// The event for these hosts: it names them or the others, whichever are fewer.
fn beat(state: &State, unchanged: &HashMap<HostName, Unchanged>, counts: impl Fn(&HostState) -> bool) -> Option<Event> {
    let asked = unchanged.values().map(|one| one.asked).min()?;
    let seen = unchanged.values().map(|one| one.at).min()?;
    let all = || state.hosts.iter().filter(|(_, host)| counts(host)).map(|(name, _)| name);
    let (hosts, but): (Vec<_>, Vec<_>) = all().cloned().partition(|name| unchanged.contains_key(name));
    let (hosts, but) = if but.len() < hosts.len() { (Vec::new(), but) } else { (hosts, Vec::new()) };
    Some(Event::Beat { asked, seen, hosts, but })
}

fn bytes(changes: &Map<String, Value>) -> usize {
    serde_json::to_string(changes).map_or(usize::MAX, |text| text.len())
}

#[cfg(test)]
mod tests;
