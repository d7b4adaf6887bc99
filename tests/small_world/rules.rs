//! What must hold after every event, each rule a function with its sentence.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lockkeeper::engine::confirmation;
use lockkeeper::model::event::{Event, JobKind};
use lockkeeper::model::runbook::{Component, Confirm, Step};
use lockkeeper::model::{HostName, Plan, Record, TaskId};

use crate::told::Told;
use crate::world::{Claim, Job, World};

/// An event that has just been written, with all that was told before it and the world as it is at that moment.
pub(crate) struct Moment<'m> {
    pub(crate) record: &'m Record,
    pub(crate) told: &'m Told,
    pub(crate) plan: &'m Plan,
    pub(crate) world: &'m World,
    /// The host that was asked to be taken back last.
    pub(crate) back: Option<&'m HostName>,
}

type Rule = (&'static str, fn(&Moment<'_>) -> Result<(), String>);

pub(crate) const RULES: [Rule; 9] = [
    ("no gate opens that was not shown, or while all are held shut", shown),
    ("no gate opens on facts that are stale, unknown or from before it was shown", fresh),
    ("no gate opens on a check that does not hold, or on less than the words asked for", agreed),
    ("nothing is begun on a host whose lease is not ours", leased),
    ("the quorum is never lost by what we decide", quorum),
    ("no job twice", once),
    ("what the journal says became of a job is what became of it", outcome),
    ("only what was done on the host that was asked for is taken back", theirs),
    ("nothing happens in a session that has ended", ended),
];

/// The first rule that is broken, with what breaks it.
pub(crate) fn broken(moment: &Moment<'_>) -> Option<String> {
    RULES.iter().find_map(|(sentence, rule)| rule(moment).err().map(|why| format!("{sentence}: {why}")))
}

fn need(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

impl Moment<'_> {
    fn opened(&self) -> Option<TaskId> {
        match &self.record.event {
            Event::GateOpened { task, .. } => Some(*task),
            _ => None,
        }
    }

    fn step(&self, id: TaskId) -> &Step {
        self.plan.step_of(self.plan.task(id))
    }

    fn job(&self, name: &str) -> Option<&Job> {
        self.world.hosts.iter().find_map(|host| host.jobs.get(name))
    }
}

fn shown(moment: &Moment<'_>) -> Result<(), String> {
    let Some(id) = moment.opened() else { return Ok(()) };
    let told = moment.told;
    need(told.shown.contains_key(&id), || format!("{} was not shown", moment.plan.label(id)))?;
    need(!told.paused, || "the session is paused".into())?;
    need(told.undo.is_empty(), || "something is being taken back".into())
}

/// Facts older than this do not count.
const FRESH: SignedDuration = SignedDuration::from_secs(20);

fn fresh(moment: &Moment<'_>) -> Result<(), String> {
    let Some(id) = moment.opened() else { return Ok(()) };
    let (task, step, told) = (moment.plan.task(id), moment.step(id), moment.told);
    let since = told.shown.get(&id).copied().unwrap_or_default().max(told.taken_back);
    let whole = step.require.iter().any(|check| check.that.0.contains("etcd.members"));
    let members = moment.world.hosts.iter().filter(|host| host.member && whole).map(|host| &host.name);
    for host in [&task.host, &task.on].into_iter().chain(members) {
        counts(told, host, since, moment.record.at).map_err(|why| format!("{}: {why}", moment.plan.label(id)))?;
    }
    Ok(())
}

fn counts(told: &Told, host: &HostName, since: u64, now: Timestamp) -> Result<(), String> {
    let heard = told.heard.get(host).ok_or_else(|| format!("{host} was never seen"))?;
    need(heard.counts, || format!("{host} was lost since"))?;
    need(heard.asked >= since, || format!("{host} was asked before"))?;
    need(now.duration_since(heard.at) <= FRESH, || format!("{host} was seen too long ago"))
}

fn agreed(moment: &Moment<'_>) -> Result<(), String> {
    let Event::GateOpened { task, typed, checks, .. } = &moment.record.event else { return Ok(()) };
    let step = moment.step(*task);
    let all = checks.len() == step.require.len() && checks.iter().all(lockkeeper::model::event::CheckResult::passed);
    need(all, || "not every check holds".into())?;
    let words = match confirmation(step) {
        Confirm::None | Confirm::Enter => return Ok(()),
        Confirm::Host => moment.plan.task(*task).host.to_string(),
        Confirm::Phrase(words) => words,
    };
    need(typed.as_ref() == Some(&words), || format!("{typed:?} was typed, not {words}"))
}

/// A fact may be 20 s old when it counts, and its probe may have taken as long as it is waited for. Whoever has been down for
/// longer than both is known to be.
const KNOWN: Duration = Duration::from_secs(20 + 15 + 1);

fn quorum(moment: &Moment<'_>) -> Result<(), String> {
    let stops = |id: TaskId, back: bool| {
        let step = moment.step(id);
        let which = if back { &step.starts } else { &step.stops };
        (step.reboots || which.contains(&Component::Etcd)).then(|| &moment.plan.task(id).host)
    };
    let host = match &moment.record.event {
        Event::GateOpened { task, .. } => stops(*task, false),
        Event::UndoOpened { tasks } => tasks.iter().find_map(|task| stops(*task, true)),
        Event::JobIntended { task, kind, .. } => stops(*task, *kind == JobKind::Undo),
        _ => None,
    };
    let Some(place) = host.and_then(|host| moment.world.hosts.iter().position(|other| other.name == *host)) else {
        return Ok(());
    };
    let down = moment.world.missing_beside(place, KNOWN);
    need(down.is_none(), || down.unwrap_or_default())
}

fn leased(moment: &Moment<'_>) -> Result<(), String> {
    let tasks = match &moment.record.event {
        Event::GateOpened { task, .. } => std::slice::from_ref(task),
        Event::UndoOpened { tasks } => tasks,
        _ => return Ok(()),
    };
    let unheld = tasks.iter().map(|id| &moment.plan.task(*id).on).find(|host| !moment.told.leased.contains(*host));
    need(unheld.is_none(), || format!("{unheld:?}"))
}

fn once(moment: &Moment<'_>) -> Result<(), String> {
    let Event::JobIntended { task, kind, job } = &moment.record.event else { return Ok(()) };
    let (told, label) = (moment.told, moment.plan.label(*task));
    need(!told.jobs.contains_key(job.as_str()), || format!("{job} is a job already"))?;
    match kind {
        JobKind::Undo => need(told.undo.contains(task), || format!("{label} is not to be taken back")),
        JobKind::Run => {
            need(told.open.contains(task), || format!("the gate of {label} was not opened"))?;
            let earlier = told.runs.get(task).into_iter().flatten().filter_map(|name| Some((name, moment.job(name)?)));
            for (name, job) in earlier.filter(|(_, job)| job.began()) {
                // One that failed may be tried again; one that did not, or nobody knows of, only where that is well.
                let may = moment.step(*task).repeatable || job.exit.is_some_and(|exit| exit != 0);
                need(may, || format!("{label}: {name} has run, and may not be run again"))?;
            }
            Ok(())
        }
    }
}

fn outcome(moment: &Moment<'_>) -> Result<(), String> {
    let task = match &moment.record.event {
        Event::JobFinished { task, .. } | Event::JobInterrupted { task, .. } | Event::JobAbsent { task } => *task,
        _ => return Ok(()),
    };
    let of = |(name, (id, _)): (&String, &(TaskId, JobKind))| (*id == task).then(|| name.clone());
    let names: Vec<String> = moment.told.jobs.iter().filter_map(of).collect();
    let truth = |holds: fn(&Job, Option<i32>) -> bool, exit: Option<i32>| {
        names.iter().any(|name| moment.job(name).is_some_and(|job| holds(job, exit)))
    };
    let true_ = match &moment.record.event {
        Event::JobFinished { exit, .. } => truth(|job, exit| job.exit == exit, Some(*exit)),
        Event::JobAbsent { .. } => truth(|job, _| job.claim == Claim::Void, None),
        _ => truth(|job, _| job.exit.is_none() && job.began(), None),
    };
    need(true_, || format!("{:?}", moment.record.event))
}

fn theirs(moment: &Moment<'_>) -> Result<(), String> {
    let Event::UndoOpened { tasks } = &moment.record.event else { return Ok(()) };
    let other = tasks.iter().find(|task| Some(&moment.plan.task(**task).host) != moment.back);
    need(other.is_none(), || format!("{other:?} is not of {:?}", moment.back))
}

fn ended(moment: &Moment<'_>) -> Result<(), String> {
    let acts = matches!(
        moment.record.event,
        Event::GateShown { .. } | Event::GateOpened { .. } | Event::JobIntended { .. } | Event::UndoOpened { .. }
    );
    need(!(acts && moment.told.ended), || format!("{:?}", moment.record.event))
}

/// Nobody is left in the dark for longer about a host that was taken over.
const TOLD: Duration = Duration::from_secs(120);

/// A lost lease is told: what the world knows and the screen should.
pub(crate) fn untold(world: &World, state: &lockkeeper::model::State) -> Option<String> {
    let lost = world.hosts.iter().find(|host| {
        let known = state.host(&host.name).is_some_and(|seen| {
            let steady = seen.link == lockkeeper::model::state::Link::Up;
            seen.barred.is_some() || !steady
        });
        let clear = host.cut_off + TOLD < world.now && host.since + TOLD < world.now && world.now > world.calm + TOLD;
        clear && !known && host.seized.is_some_and(|since| since + TOLD < world.now)
    })?;
    Some(format!("a lost lease is told: nobody was told that somebody else has {}", lost.name))
}
