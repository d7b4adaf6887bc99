//! A host without a shell: it answers from its fields, as the scripts in `assets/job` would, over a way on which messages are
//! lost, late and overtaken.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lockkeeper::hosts::{
    Fetched, Held, HostError, JobNews, JobSpec, JobStatus, Lease, LeaseAnswer, Left, Leftovers, Observe, Operate,
    Probed, Progress,
};
use lockkeeper::model::{Digest, JobName};
use tokio::time::{Instant, sleep, sleep_until};

use crate::probe::printed;
use crate::world::{Claim, Holder, Host, Shared, World, look};

/// A wizard's way to a host; each process has its own.
pub(crate) struct Way {
    world: Shared,
    place: usize,
    /// What this process proves itself with.
    token: Mutex<String>,
}

/// What becomes of a message and its answer.
enum Fate {
    /// There and back take so long.
    Through(Duration, Duration),
    /// It never comes there.
    Lost,
    /// What is asked for is done, and nobody hears of it.
    Unheard(Duration),
}

/// A way on which nothing comes back is given up after this.
const SILENCE: Duration = Duration::from_secs(10);

fn lost() -> HostError {
    HostError::Lost("the host went silent".into())
}

impl Way {
    pub(crate) fn new(world: Shared, place: usize) -> Self {
        Self { world, place, token: Mutex::default() }
    }

    fn token(&self) -> String {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the host for something, which it does at its own time, whoever still waits for it.
    async fn ask<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut World, usize) -> Result<T, HostError> + Send + 'static,
    ) -> Result<T, HostError> {
        let slot = Arc::new(Mutex::new(None));
        let Some(back) = self.send(what, slot.clone()) else {
            sleep(SILENCE).await;
            return Err(lost());
        };
        sleep_until(back).await;
        let here = {
            let world = look(&self.world);
            // The answer has to come through as well.
            world.now >= world.hosts[self.place].cut_off
        };
        let answer = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        answer.filter(|_| here).unwrap_or_else(|| Err(lost()))
    }

    /// When the answer is back, if it comes.
    fn send<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut World, usize) -> Result<T, HostError> + Send + 'static,
        slot: Arc<Mutex<Option<Result<T, HostError>>>>,
    ) -> Option<Instant> {
        let mut world = look(&self.world);
        let place = self.place;
        let (there, back) = match world.fate(place) {
            Fate::Through(there, back) => (there, Some(back)),
            Fate::Unheard(there) => (there, None),
            Fate::Lost => return None,
        };
        let at = world.now + there;
        world.later(at, move |world| {
            let host = &world.hosts[place];
            let heard = host.up && world.now >= host.cut_off;
            let answer = if heard { what(world, place) } else { Err(lost()) };
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        });
        back.map(|back| at + back)
    }

    async fn lease(&self, lease: &Lease, take: bool) -> Result<LeaseAnswer, HostError> {
        if let Some(less) = { look(&self.world).deaf.checked_sub(1) } {
            look(&self.world).deaf = less;
            return Err(lost());
        }
        let ours = Holder {
            session: lease.session.to_string(),
            operator: lease.operator.clone(),
            token: lease.token.clone(),
            seat: lease.seat.clone(),
        };
        self.ask(move |world, place| Ok(leased(&mut world.hosts[place], &ours, take))).await
    }
}

/// `lease.sh`.
fn leased(host: &mut Host, ours: &Holder, take: bool) -> LeaseAnswer {
    let held = |holder: &Holder| {
        let (session, operator) = (holder.session.as_str().into(), holder.operator.clone());
        LeaseAnswer::HeldBy(Held { session, operator, since: "2026-01-01T00:00:00Z".into(), renewed: Some(5) })
    };
    match &host.lease {
        Some(holder) if holder.token == ours.token => LeaseAnswer::Taken { from: None },
        Some(holder) if take && (&holder.session, &holder.seat) == (&ours.session, &ours.seat) => {
            host.lease = Some(ours.clone());
            LeaseAnswer::Taken { from: None }
        }
        None if take => {
            host.lease = Some(ours.clone());
            LeaseAnswer::Taken { from: None }
        }
        Some(holder) => held(holder),
        None => LeaseAnswer::HeldBy(Held {
            session: "unknown".into(),
            operator: "unknown".into(),
            since: "unknown".into(),
            renewed: None,
        }),
    }
}

impl World {
    fn fate(&mut self, place: usize) -> Fate {
        let host = &self.hosts[place];
        let near = |world: &mut Self| world.chance.millis(1, 60);
        if !host.up || self.now < host.cut_off {
            return Fate::Lost;
        }
        if self.now >= self.calm || !self.chance.in_1000(self.trouble) {
            return Fate::Through(near(self), near(self));
        }
        match self.chance.below(6) {
            0 => Fate::Lost,
            1 => Fate::Unheard(self.chance.millis(1, 8000)),
            // It was sent, and comes when the sender has given it up.
            2 => Fate::Unheard(SILENCE + self.chance.millis(0, 20_000)),
            3 => Fate::Through(self.chance.millis(1, 8000), near(self)),
            // What is told is long past when it is heard.
            _ => Fate::Through(near(self), self.chance.millis(1, 8000)),
        }
    }

    /// `poll.sh`: how a job stands; one that has not begun never will after this.
    fn poll(&mut self, place: usize, name: &str, offset: u64) -> JobNews {
        let host = &mut self.hosts[place];
        let void = || crate::world::Job {
            script: String::new(),
            about: String::new(),
            claim: Claim::Void,
            exit: None,
            killed: false,
            output: Vec::new(),
        };
        let job = host.jobs.entry(name.to_owned()).or_insert_with(void);
        if job.claim == Claim::None {
            job.claim = Claim::Void;
        }
        let status = match (job.claim, job.exit) {
            (Claim::None | Claim::Void, _) => JobStatus::Absent,
            (Claim::Boot(_), Some(exit)) => JobStatus::Exited(exit),
            (Claim::Boot(boot), None) if boot != host.boot => JobStatus::Interrupted { rebooted: true },
            (Claim::Boot(_), None) if job.killed => JobStatus::Interrupted { rebooted: false },
            (Claim::Boot(_), None) => JobStatus::Running,
        };
        let from = (offset as usize).min(job.output.len());
        JobNews { output: job.output[from..].to_vec(), status }
    }

    fn push(&mut self, place: usize, token: &str, path: &str, content: &[u8]) -> Result<Digest, HostError> {
        self.prove(place, token)?;
        if self.now < self.hosts[place].full {
            return Err(HostError::Refused(format!("{path} did not arrive whole")));
        }
        let host = &mut self.hosts[place];
        host.files.insert(path.to_owned(), content.to_vec());
        let written = format!("{} {path}", host.name);
        if !self.announced.contains(&written) {
            self.broken.push(format!("{path} was written on {written} with no gate open for it"));
        }
        Ok(Digest::of(content))
    }
}

#[async_trait]
impl Observe for Way {
    async fn connect(&self) -> Result<(), HostError> {
        self.ask(|_, _| Ok(())).await.map_err(|_| HostError::Connect("no route to host".into()))
    }

    async fn probe(&self, _script: &str, deadline: Duration) -> Result<Probed, HostError> {
        let asked = Instant::now();
        let answer = tokio::time::timeout(deadline, self.ask(|world, place| Ok(printed(world, place))));
        let output = answer.await.map_err(|_| HostError::Refused("the probe did not finish".into()))??;
        Ok(Probed { output, within: asked.elapsed(), noise: None })
    }

    async fn try_root(&self) -> Result<(), HostError> {
        self.ask(|_, _| Ok(())).await
    }
}

#[async_trait]
impl Operate for Way {
    async fn left(&self) -> Result<Leftovers, HostError> {
        Ok(Leftovers::default())
    }

    async fn remove_left(&self, _left: &[Left]) -> Result<(), HostError> {
        Ok(())
    }

    async fn take_lease(&self, lease: &Lease) -> Result<LeaseAnswer, HostError> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&lease.token);
        self.lease(lease, true).await
    }

    async fn renew_lease(&self, lease: &Lease) -> Result<LeaseAnswer, HostError> {
        self.lease(lease, false).await
    }

    async fn release_lease(&self) -> Result<(), HostError> {
        let token = self.token();
        self.ask(move |world, place| {
            if world.prove(place, &token).is_ok() {
                world.hosts[place].lease = None;
            }
            Ok(())
        })
        .await
    }

    async fn show_lease(&self) -> Result<LeaseAnswer, HostError> {
        Ok(LeaseAnswer::Free)
    }

    async fn seize_lease(&self, _operator: &str, _from: &Held) -> Result<bool, HostError> {
        Ok(false)
    }

    async fn start_job(&self, job: &JobSpec) -> Result<(), HostError> {
        let (token, job, name) = (self.token(), job.clone(), job.name.clone());
        self.ask(move |world, place| world.start(place, &token, &job)).await?;
        // The script waits until its runner is up, and says so where it does not come.
        sleep(Duration::from_millis(200)).await;
        let world = look(&self.world);
        match world.hosts[self.place].jobs.get(name.as_str()) {
            Some(job) if job.claim != Claim::None => Ok(()),
            _ => Err(lost()),
        }
    }

    async fn poll_job(&self, job: &JobName, offset: u64) -> Result<JobNews, HostError> {
        let mut news = JobNews { output: Vec::new(), status: JobStatus::Running };
        // Waits for news, as `poll.sh` does.
        for _ in 0..3 {
            let job = job.clone();
            news = self.ask(move |world, place| Ok(world.poll(place, job.as_str(), offset))).await?;
            if news.status != JobStatus::Running || !news.output.is_empty() {
                break;
            }
            sleep(Duration::from_millis(700)).await;
        }
        Ok(news)
    }

    async fn claim_job(&self, job: &JobName) -> Result<JobStatus, HostError> {
        let job = job.clone();
        self.ask(move |world, place| Ok(world.poll(place, job.as_str(), u64::MAX).status)).await
    }

    async fn end_job(&self, job: &JobName) -> Result<(), HostError> {
        let (token, job) = (self.token(), job.clone());
        self.ask(move |world, place| {
            world.prove(place, &token)?;
            let boot = world.hosts[place].boot;
            if let Some(job) = world.hosts[place].jobs.get_mut(job.as_str()).filter(|job| job.runs_in(boot)) {
                job.exit = Some(143);
            }
            Ok(())
        })
        .await
    }

    async fn push(&self, path: &str, _mode: &str, content: &[u8], _progress: Progress) -> Result<Digest, HostError> {
        let (token, path, content) = (self.token(), path.to_owned(), content.to_vec());
        self.ask(move |world, place| world.push(place, &token, &path, &content)).await
    }

    async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, HostError> {
        let path = path.to_owned();
        self.ask(move |world, place| Ok(world.hosts[place].files.get(&path).cloned())).await
    }

    async fn fetch(&self, path: &str, into: &Path, _progress: Progress) -> Result<Fetched, HostError> {
        let (wanted, into) = (path.to_owned(), into.to_owned());
        let content = self
            .ask(move |world, place| match world.hosts[place].files.get(&wanted) {
                Some(content) => Ok(content.clone()),
                None => Err(HostError::Refused(format!("{wanted} is not there"))),
            })
            .await?;
        let kept = std::fs::create_dir_all(into.parent().unwrap_or(Path::new(".")));
        kept.and_then(|()| std::fs::write(&into, &content)).map_err(|error| HostError::Refused(error.to_string()))?;
        Ok(Fetched { bytes: content.len() as u64, sha256: Digest::of(&content) })
    }
}
