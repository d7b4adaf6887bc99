//! Calls the operator when something wants them, who may well be looking elsewhere.

use std::collections::HashSet;
use std::io::{self, Write};
use std::time::Duration;

use color_eyre::eyre::Result;
use jiff::Timestamp;
use tokio::time::Instant;

use super::terminal::Habits;
use super::theme::{Sign, sign, spell};
use super::usual::Usual;
use super::{Playback, Source};
use crate::engine::{Intent, Refusal, gate_view};
use crate::model::prompt::{Prompt, Reply};
use crate::model::state::Phase;
use crate::model::{State, TaskId};

/// How often it is asked what wants the operator.
const EVERY: Duration = Duration::from_secs(1);

/// Whoever did something this long ago is still looking.
const AWAY_AFTER: Duration = Duration::from_secs(5);

/// Of hundreds of gates the first few tell whether any is ready.
const GATES: usize = 8;

/// Something that wants the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    /// Calls once: a task's phase since an event, or a host's reboot.
    key: (String, u64),
    sign: Sign,
    /// Whose, and which step: `etcd3: stop`.
    about: String,
    /// What became of it.
    what: &'static str,
}

/// What wants the operator, the worst first.
fn wanted(state: &State, now: Timestamp) -> Vec<Wanted> {
    let about = |id: TaskId, sign: Sign, what: &'static str| {
        let (task, step, current) = state.task(id)?;
        Some(Wanted {
            key: (format!("{id:?}"), current.since_seq),
            sign,
            about: format!("{}: {}", task.host, step.name),
            what,
        })
    };
    let failed = state
        .task_ids()
        .filter(|id| matches!(state.tasks[id.index()].phase, Phase::Failed { .. }))
        .filter_map(|id| about(id, Sign::Failed, "failed"));
    let rebooted = state.hosts.iter().filter_map(|(host, seen)| {
        Some(Wanted {
            key: (host.to_string(), seen.rebooted?.as_second().unsigned_abs()),
            sign: Sign::Failed,
            about: host.to_string(),
            what: "rebooted, and nobody here ordered it",
        })
    });
    let ready = state
        .gates()
        .take(GATES)
        .filter(|id| gate_view(state, *id, now).is_some_and(|gate| gate.refusal.is_none()))
        .filter_map(|id| about(id, Sign::Waits, "is ready"));
    failed.chain(rebooted).chain(ready).collect()
}

/// A session, and a hand on the operator's shoulder.
pub(super) struct Attended<'s, S, W> {
    source: &'s mut S,
    habits: Habits,
    out: W,
    called: HashSet<(String, u64)>,
    title: String,
    /// Not before this; nothing before the first look.
    next: Option<Instant>,
    /// The last intent.
    acted: Option<Instant>,
}

impl<'s, S: Source> Attended<'s, S, io::Stdout> {
    pub(super) fn new(source: &'s mut S, habits: Habits) -> Self {
        Attended::on(source, habits, io::stdout())
    }
}

impl<'s, S: Source, W: Write> Attended<'s, S, W> {
    fn on(source: &'s mut S, habits: Habits, out: W) -> Self {
        Self { source, habits, out, called: HashSet::new(), title: String::new(), next: None, acted: None }
    }

    fn look(&mut self) -> Result<()> {
        let now = Instant::now();
        // What was is no reason to call anybody.
        if self.next.is_some_and(|next| now < next) || self.source.playback().is_some() {
            return Ok(());
        }
        self.next = Some(now + EVERY);
        let (state, time) = (self.source.state(), self.source.now());
        let Some(session) = &state.session else { return Ok(()) };
        let wants = wanted(state, time);
        let cluster = session.inventory.cluster.clone();
        let title = match wants.first() {
            Some(first) => format!("{} {} · {cluster}", sign(first.sign), first.about),
            None => format!("{cluster} · Lockkeeper"),
        };
        let here = self.acted.is_some_and(|acted| now < acted + AWAY_AFTER);
        for want in wants {
            if self.called.insert(want.key) && !here {
                let text = format!("{cluster}: {} {}", want.about, want.what);
                self.habits.call(&mut self.out, &spell(&text))?;
            }
        }
        if title != self.title {
            self.habits.title(&mut self.out, &spell(&title))?;
            self.title = title;
        }
        Ok(())
    }
}

impl<S: Source, W: Write> Source for Attended<'_, S, W> {
    fn state(&self) -> &State {
        self.source.state()
    }

    fn now(&self) -> Timestamp {
        self.source.now()
    }

    fn submit(&mut self, intent: Intent) -> Result<Result<(), Refusal>> {
        self.acted = Some(Instant::now());
        self.source.submit(intent)
    }

    fn edit(&mut self, task: TaskId, path: &str, text: &str) -> Result<Result<(), String>> {
        self.source.edit(task, path, text)
    }

    fn set(&mut self, task: TaskId, name: &str, value: &str, reason: &str) -> Result<Result<(), String>> {
        self.source.set(task, name, value, reason)
    }

    async fn changed(&mut self) -> Result<()> {
        self.source.changed().await?;
        self.look()
    }

    fn trouble(&self) -> Option<String> {
        self.source.trouble()
    }

    fn usual(&self) -> Usual {
        self.source.usual()
    }

    fn asks(&self) -> Option<&Prompt> {
        self.source.asks()
    }

    fn answer(&mut self, reply: Reply) {
        self.acted = Some(Instant::now());
        self.source.answer(reply);
    }

    fn copy(&mut self, text: &str) -> Result<()> {
        Ok(super::terminal::copy(text)?)
    }

    fn playback(&mut self) -> Option<&mut dyn Playback> {
        self.source.playback()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{Event, FailedAt};
    use crate::model::{Record, State};

    /// A recorded session, an event at a time.
    struct Played {
        records: std::vec::IntoIter<Record>,
        state: State,
    }

    impl Source for Played {
        fn state(&self) -> &State {
            &self.state
        }

        fn now(&self) -> Timestamp {
            self.state.now
        }

        fn submit(&mut self, _: Intent) -> Result<Result<(), Refusal>> {
            Ok(Ok(()))
        }

        async fn changed(&mut self) -> Result<()> {
            if let Some(record) = self.records.next() {
                self.state.apply(&record);
            }
            Ok(())
        }

        fn playback(&mut self) -> Option<&mut dyn Playback> {
            None
        }
    }

    fn played() -> Played {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals/container-linux.jsonl");
        let records = crate::journal::read(&file).unwrap().records;
        Played { records: records.into_iter(), state: State::default() }
    }

    /// What was written until the first gate is ready, and a second and a failure later.
    async fn said(act: bool) -> String {
        let mut source = played();
        let mut out = Vec::new();
        let mut attended = Attended::on(&mut source, Habits::default(), &mut out);
        while wanted(attended.state(), attended.now()).is_empty() {
            attended.changed().await.unwrap();
        }
        if act {
            attended.submit(Intent::Pause).unwrap().unwrap();
        }
        tokio::time::advance(EVERY).await;
        attended.look().unwrap();
        let task = attended.state().gates().next().unwrap();
        let failed = Event::TaskFailed { task, at: FailedAt::Run, reason: "it broke".into() };
        let record = Record { seq: attended.state().seq + 1, at: attended.now(), event: failed };
        attended.source.state.apply(&record);
        for _ in 0..3 {
            tokio::time::advance(EVERY).await;
            attended.look().unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_ready_gate_and_a_failure_call_once_each_and_stand_in_the_title() {
        let said = said(false).await;
        let calls: Vec<&str> = said.split("\x1b]9;").skip(1).map(|rest| rest.split('\x07').next().unwrap()).collect();
        assert!(calls[0].ends_with("is ready"), "{calls:?}");
        assert_eq!(calls.iter().filter(|call| call.ends_with(" failed")).count(), 1, "{calls:?}");
        let unique: HashSet<_> = calls.iter().collect();
        assert_eq!(unique.len(), calls.len(), "nothing is said twice: {calls:?}");
        let titles: Vec<&str> = said.split("\x1b]0;").skip(1).map(|rest| rest.split('\x07').next().unwrap()).collect();
        assert!(titles.iter().any(|title| title.starts_with("● ")), "{titles:?}");
        assert!(titles.last().unwrap().starts_with("✗ "), "the worst first: {titles:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_just_acted_is_here_and_need_not_be_called() {
        let said = said(true).await;
        assert!(!said.contains('\u{1b}') || !said.contains("\x1b]9;"), "{said:?}");
        assert!(said.contains("\x1b]0;✗ "), "the title says it all the same: {said:?}");
    }
}
