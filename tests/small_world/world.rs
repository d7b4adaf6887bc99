//! What is so: hosts of a few fields, and what happens to them as the time passes.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lockkeeper::hosts::{HostError, JobSpec};
use lockkeeper::model::inventory::Role;
use lockkeeper::model::{HostName, Plan};
use tokio::time::Instant;

use crate::chance::Chance;
use crate::runbook::{BACKUP, NEW, OLD, SEED};

/// Whose hand cordoned a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Us,
    Stranger,
}

/// Who keeps others out of a host, as the six lines of the lease tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) session: String,
    pub(crate) operator: String,
    pub(crate) token: String,
    pub(crate) seat: String,
}

/// What `claimed` says of a job's directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The directory is there, and its runner has not come up.
    None,
    /// It never will.
    Void,
    /// It runs, or ran, in that boot.
    Boot(u32),
}

/// A directory under `jobs`.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) script: String,
    /// `$node`.
    pub(crate) about: String,
    pub(crate) claim: Claim,
    pub(crate) exit: Option<i32>,
    /// Its process is gone without a word.
    pub(crate) killed: bool,
    pub(crate) output: Vec<u8>,
}

impl Job {
    /// Its script began.
    pub(crate) fn began(&self) -> bool {
        matches!(self.claim, Claim::Boot(_))
    }

    pub(crate) fn runs_in(&self, boot: u32) -> bool {
        self.claim == Claim::Boot(boot) && self.exit.is_none() && !self.killed
    }
}

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: HostName,
    pub(crate) member: bool,
    pub(crate) plane: bool,
    pub(crate) boot: u32,
    pub(crate) up: bool,
    /// Nothing gets through, either way, while this is in the future.
    pub(crate) cut_off: Instant,
    pub(crate) full: Instant,
    /// The member's process, and since when it is as it is.
    pub(crate) runs: bool,
    pub(crate) since: Instant,
    /// When it last was well.
    pub(crate) last_well: Instant,
    /// It starts with the host.
    pub(crate) enabled: bool,
    pub(crate) version: &'static str,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) cordoned: Option<By>,
    /// We have cordoned it before, or tried to. No stranger comes after us: a cordon says nothing of who made it, and the way back is blind.
    pub(crate) ours: bool,
    /// When a stranger cordoned it.
    pub(crate) stranger: Option<Instant>,
    pub(crate) lease: Option<Holder>,
    /// Since when a stranger has it.
    pub(crate) seized: Option<Instant>,
    pub(crate) jobs: BTreeMap<String, Job>,
}

type Deed = Box<dyn FnOnce(&mut World) + Send>;

/// Something that is to come.
struct Coming(Instant, u64, Deed);

impl PartialEq for Coming {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Coming {}
impl PartialOrd for Coming {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Coming {
    /// The earliest is the greatest, which a heap gives first.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.0, other.1).cmp(&(self.0, self.1))
    }
}

pub(crate) struct World {
    pub(crate) hosts: Vec<Host>,
    pub(crate) now: Instant,
    pub(crate) chance: Chance,
    /// How often something goes wrong on a way, in a thousand.
    pub(crate) trouble: usize,
    /// From then on nothing goes wrong any more.
    pub(crate) calm: Instant,
    /// So many questions about leases are lost first, while everything else gets through.
    pub(crate) deaf: usize,
    coming: BinaryHeap<Coming>,
    number: u64,
    /// Jobs that the journal tells of, and tasks' files that may be written.
    pub(crate) announced: BTreeSet<String>,
    /// Where what was brought back lies.
    pub(crate) artifacts: std::path::PathBuf,
    /// What was done against a rule, by the world's own eyes.
    pub(crate) broken: Vec<String>,
}

pub(crate) type Shared = Arc<Mutex<World>>;

/// The world as it is now.
pub(crate) fn look(world: &Shared) -> MutexGuard<'_, World> {
    let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
    world.pass();
    world
}

impl World {
    pub(crate) fn new(plan: &Plan, chance: Chance, trouble: usize, artifacts: std::path::PathBuf) -> Self {
        let now = Instant::now();
        let host = |host: &lockkeeper::model::inventory::Host| Host {
            name: host.name.clone(),
            member: host.roles.contains(&Role::Etcd),
            plane: host.roles.contains(&Role::ControlPlane),
            boot: 1,
            up: true,
            cut_off: now,
            full: now,
            runs: true,
            since: now,
            last_well: now,
            enabled: true,
            version: OLD,
            files: BTreeMap::new(),
            cordoned: None,
            ours: false,
            stranger: None,
            lease: None,
            seized: None,
            jobs: BTreeMap::new(),
        };
        Self {
            hosts: plan.inventory.hosts.iter().map(host).collect(),
            now,
            chance,
            trouble,
            calm: now,
            deaf: 0,
            coming: BinaryHeap::new(),
            number: 0,
            announced: BTreeSet::new(),
            artifacts,
            broken: Vec::new(),
        }
    }

    pub(crate) fn later(&mut self, at: Instant, deed: impl FnOnce(&mut Self) + Send + 'static) {
        self.number += 1;
        self.coming.push(Coming(at, self.number, Box::new(deed)));
    }

    /// Lets everything happen that has its time by now.
    fn pass(&mut self) {
        let now = Instant::now();
        while self.coming.peek().is_some_and(|next| next.0 <= now) {
            if let Some(Coming(at, _, deed)) = self.coming.pop() {
                self.now = at;
                deed(self);
            }
        }
        self.now = now;
    }

    /// Members whose process runs and has had its time to join.
    pub(crate) fn well(&self, place: usize) -> bool {
        let host = &self.hosts[place];
        host.up && host.runs && self.now >= host.since + Duration::from_secs(1)
    }

    pub(crate) fn members(&self) -> usize {
        self.hosts.iter().filter(|host| host.member).count()
    }

    /// Whether `/health` says so: the member and enough others are well.
    pub(crate) fn healthy(&self, place: usize) -> bool {
        let well = (0..self.hosts.len()).filter(|other| self.hosts[*other].member && self.well(*other)).count();
        self.well(place) && well > self.members() / 2
    }

    /// Members that the cluster needs beside this one and that have been down for so long; nothing where it can do without
    /// it, it is down itself, or there is no quorum that could be lost.
    pub(crate) fn missing_beside(&self, place: usize, long: Duration) -> Option<String> {
        if !self.hosts[place].member || !self.healthy(place) {
            return None;
        }
        let down = |other: usize| !self.well(other) && self.hosts[other].last_well + long < self.now;
        let others = (0..self.hosts.len()).filter(|other| *other != place && self.hosts[*other].member);
        let down: Vec<&str> =
            others.filter(|other| down(*other)).map(|other| self.hosts[other].name.as_str()).collect();
        let left = self.members() - 1 - down.len();
        let needed = !down.is_empty() && left <= self.members() / 2;
        needed.then(|| format!("{} is to stop, and {} had been down for long", self.hosts[place].name, down.join(", ")))
    }

    /// Remembers that it was well until now.
    fn mark(&mut self, place: usize) {
        if self.well(place) {
            self.hosts[place].last_well = self.now;
        }
    }

    fn set_runs(&mut self, place: usize, runs: bool) {
        self.mark(place);
        let host = &mut self.hosts[place];
        if host.runs != runs {
            (host.runs, host.since) = (runs, self.now);
        }
    }

    /// The host goes down, and comes back with another boot id.
    pub(crate) fn crash(&mut self, place: usize, away: Duration) {
        self.mark(place);
        let host = &mut self.hosts[place];
        if !host.up {
            return;
        }
        host.up = false;
        host.since = self.now;
        self.later(self.now + away, move |world| {
            let host = &mut world.hosts[place];
            host.up = true;
            host.boot += 1;
            host.runs = host.enabled;
            host.since = world.now;
        });
    }

    /// The member's process dies, and systemd starts it again.
    pub(crate) fn die(&mut self, place: usize, away: Duration) {
        if !self.hosts[place].runs || !self.hosts[place].up {
            return;
        }
        self.set_runs(place, false);
        self.later(self.now + away, move |world| {
            if world.hosts[place].enabled && world.hosts[place].up {
                world.set_runs(place, true);
            }
        });
    }

    /// What goes wrong by itself, and when.
    pub(crate) fn foretell(&mut self) {
        self.calm = self.now + self.chance.millis(60_000, 600_000);
        let span = (self.calm - self.now).as_millis() as usize;
        if let Some(worker) = self.hosts.iter().position(|host| !host.member && !host.plane)
            && self.chance.in_1000(300)
        {
            self.hosts[worker].cordoned = Some(By::Stranger);
            self.hosts[worker].stranger = Some(self.now);
        }
        for _ in 0..self.chance.below(7) {
            let at = self.now + self.chance.millis(0, span);
            let (place, away) = (self.chance.below(self.hosts.len()), self.chance.millis(1000, 150_000));
            let what = self.chance.below(9);
            self.later(at, move |world| match what {
                0 | 1 => world.crash(place, away),
                2 | 3 if world.hosts[place].member => world.die(place, away),
                4 | 5 => world.hosts[place].cut_off = world.now + away,
                6 => world.hosts[place].full = world.now + away,
                7 => world.seize(place, away * 3),
                _ => {
                    let now = world.now;
                    let host = &mut world.hosts[place];
                    if !host.member && !host.plane && host.cordoned.is_none() && !host.ours {
                        (host.cordoned, host.stranger) = (Some(By::Stranger), Some(now));
                    }
                }
            });
        }
    }

    /// Somebody else takes a host over, and gives it back.
    pub(crate) fn seize(&mut self, place: usize, away: Duration) {
        let stranger = || Holder {
            session: "other".into(),
            operator: "bob@sofa".into(),
            token: "stranger".into(),
            seat: "sofa".into(),
        };
        let now = self.now;
        let host = &mut self.hosts[place];
        if host.seized.is_some() {
            return;
        }
        (host.lease, host.seized) = (Some(stranger()), Some(now));
        self.later(now + away, move |world| {
            (world.hosts[place].lease, world.hosts[place].seized) = (None, None);
        });
    }

    /// Whoever acts proves in the same breath that the lease is still theirs.
    pub(crate) fn prove(&self, place: usize, token: &str) -> Result<(), HostError> {
        match &self.hosts[place].lease {
            Some(holder) if holder.token == token && !token.is_empty() => Ok(()),
            Some(holder) => Err(HostError::Fenced(holder.operator.clone())),
            None => Err(HostError::Fenced("nobody".into())),
        }
    }

    /// `start.sh`: of all who try, one can make the directory.
    pub(crate) fn start(&mut self, place: usize, token: &str, spec: &JobSpec) -> Result<(), HostError> {
        self.prove(place, token)?;
        let (now, name) = (self.now, spec.name.to_string());
        let host = &mut self.hosts[place];
        if host.jobs.contains_key(&name) {
            return Ok(());
        }
        if now < host.full {
            return Err(HostError::Refused("the job's script did not arrive whole".into()));
        }
        if !self.announced.contains(&name) {
            self.broken.push(format!("{name} went to {} before it was in the journal", host.name));
        }
        let about = spec.env.get("node").cloned().unwrap_or_default();
        let (claim, script) = (Claim::None, spec.script.trim().to_owned());
        host.jobs.insert(name.clone(), Job { script, about, claim, exit: None, killed: false, output: Vec::new() });
        let (boot, token) = (host.boot, token.to_owned());
        let wait = self.chance.millis(0, 200);
        self.later(now + wait, move |world| world.begin(place, &name, boot, &token));
        Ok(())
    }

    /// `run.sh`: first claimed, then proved.
    fn begin(&mut self, place: usize, name: &str, boot: u32, token: &str) {
        let fenced = self.prove(place, token).is_err();
        let host = &mut self.hosts[place];
        let (up, now) = (host.up && host.boot == boot, self.now);
        let Some(job) = host.jobs.get_mut(name).filter(|job| up && job.claim == Claim::None) else { return };
        if fenced {
            job.claim = Claim::Void;
            return;
        }
        job.claim = Claim::Boot(boot);
        // From here on nobody can tell whose cordon it is: a script that fails may have done it all the same.
        let cordons = (job.script == "small cordon").then(|| job.about.clone());
        if let Some(node) = self.hosts.iter_mut().find(|host| Some(host.name.as_str()) == cordons.as_deref()) {
            node.ours = true;
        }
        let job = &self.hosts[place].jobs[name];
        let stops = matches!(job.script.as_str(), "small stop" | "small reboot");
        let task = task_of(name).to_owned();
        if let Some(why) = self.missing_beside(place, Duration::from_secs(60)).filter(|_| stops) {
            self.broken.push(format!("the quorum is never lost by what we do: {why}"));
        }
        let beside = |(other, job): (&String, &Job)| other != name && task_of(other) == task && job.runs_in(boot);
        if let Some((other, _)) = self.hosts[place].jobs.iter().find(|job| beside((job.0, job.1))) {
            self.broken.push(format!("no job twice: {name} began while {other} ran"));
        }
        let (act, end) = (self.chance.millis(0, 2000), self.chance.millis(0, 1500));
        let dies = now < self.calm && self.chance.in_1000(self.trouble / 3);
        let fails = now < self.calm && self.chance.in_1000(self.trouble / 3);
        let name = name.to_owned();
        if dies {
            let (name, at) = (name.clone(), self.chance.millis(0, 3000));
            self.later(now + at, move |world| {
                if let Some(job) = world.running(place, &name, boot) {
                    job.killed = true;
                }
            });
        }
        self.later(now + act, move |world| {
            if world.running(place, &name, boot).is_none() {
                return;
            }
            let done = if fails { Err("no luck") } else { world.act(place, &name) };
            if let Some(job) = world.hosts[place].jobs.get_mut(&name) {
                job.output.extend_from_slice(format!("{}: {}\n", job.script, done.err().unwrap_or("done")).as_bytes());
            }
            let exit = i32::from(done.is_err());
            world.later(world.now + end, move |world| {
                if let Some(job) = world.running(place, &name, boot) {
                    job.exit = Some(exit);
                }
            });
        });
    }

    fn running(&mut self, place: usize, name: &str, boot: u32) -> Option<&mut Job> {
        let host = &mut self.hosts[place];
        let here = host.up && host.boot == boot;
        host.jobs.get_mut(name).filter(|job| here && job.runs_in(boot))
    }

    /// What a script does, in one moment.
    fn act(&mut self, place: usize, name: &str) -> Result<(), &'static str> {
        let job = &self.hosts[place].jobs[name];
        let (script, about) = (job.script.clone(), job.about.clone());
        let node = self.hosts.iter().position(|host| host.name.as_str() == about).unwrap_or(place);
        let (now, host) = (self.now, &self.hosts[place]);
        match script.as_str() {
            "true" | "small drain" | "small tidy" => {}
            "small backup" if now < host.full => return Err("no space left on device"),
            "small backup" => {
                let content = format!("data of {} at {:?}", host.name, self.number).into_bytes();
                self.hosts[place].files.insert(BACKUP.into(), content);
            }
            "small stop" => {
                self.hosts[place].enabled = false;
                self.set_runs(place, false);
            }
            "small start" => {
                self.hosts[place].enabled = true;
                self.set_runs(place, true);
            }
            "small replace" => {
                self.backed_up(place);
                self.hosts[place].version = NEW;
            }
            "small restore" => self.hosts[place].version = OLD,
            "small reboot" => {
                let away = self.chance.millis(3000, 30_000);
                self.crash(place, away);
            }
            "small cordon" => {
                // What somebody else has done just now nobody can tell from what we do.
                let (since, now) = (self.hosts[node].stranger, self.now);
                let known = since.is_some_and(|since| since + Duration::from_secs(60) < now);
                if self.hosts[node].cordoned.is_none() || !known {
                    (self.hosts[node].cordoned, self.hosts[node].ours) = (Some(By::Us), true);
                }
            }
            "small uncordon" => {
                if self.hosts[node].cordoned == Some(By::Stranger) {
                    self.broken.push(format!("{about} was uncordoned, and somebody else had cordoned it"));
                }
                self.hosts[node].cordoned = None;
            }
            "small unseed" => drop(self.hosts[place].files.remove(SEED)),
            other => self.broken.push(format!("nobody knows the script `{other}`")),
        }
        Ok(())
    }

    /// Every backup is here, and the same, before what it was made of is destroyed.
    fn backed_up(&mut self, place: usize) {
        let host = &self.hosts[place];
        let there = host.files.get(BACKUP).cloned();
        let here = std::fs::read(self.artifacts.join(format!("{}-backup.db", host.name))).ok();
        if there.is_none() || here != there {
            self.broken.push(format!("the data of {} was destroyed without a backup here", host.name));
        }
    }
}

/// `s-003` of `s-003-run-1`.
fn task_of(job: &str) -> &str {
    job.rsplitn(3, '-').last().unwrap_or_default()
}
