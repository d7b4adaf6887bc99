//! The simulated cluster: machines, one etcd cluster, and an agenda of what happens when.
//!
//! Nothing runs by itself. Whoever looks at the world first brings it up to the runtime's clock, and what was due
//! meanwhile happens in order and is stamped with its own time. So the world needs no task, and the same seed and the
//! same acts give the same run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::model::{HostName, Role};

use super::clock::Clock;
use super::cluster::Cluster;
use super::disk::Disk;
use super::faults::FaultKind;
use super::kube::Kube;
use super::ostree::Ostree;
use super::random::Random;
use super::software::{Offers, Software, SystemContainer};
use super::units::Unit;
use super::updater::Updater;

/// How many simulated hosts are probed at a time.
const PROBES_AT_ONCE: usize = 4;

/// The world behind its lock, with the clock that drives it.
#[derive(Debug)]
pub(super) struct Sim {
    pub(super) clock: Clock,
    world: Mutex<World>,
    turns: Semaphore,
}

impl Sim {
    pub(super) fn new(clock: Clock, world: World) -> Self {
        Self { clock, world: Mutex::new(world), turns: Semaphore::new(PROBES_AT_ONCE) }
    }

    /// Waits for a turn to probe.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }

    /// Looks at the world, or changes it, as it is now.
    pub(super) fn with<R>(&self, look: impl FnOnce(&mut World) -> R) -> R {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.settle(self.clock.elapsed());
        look(&mut world)
    }

    /// Waits until a look at the world gives something.
    pub(super) async fn until<R>(&self, mut look: impl FnMut(&mut World) -> Option<R>) -> R {
        // Others may put something on the agenda meanwhile, so it is looked at from time to time as well.
        const AT_LEAST_EVERY: Duration = Duration::from_millis(200);
        loop {
            let (seen, due) = self.with(|world| (look(world), world.next_due().min(world.now + AT_LEAST_EVERY)));
            if let Some(seen) = seen {
                return seen;
            }
            // Timers tick in whole milliseconds: one more, or a due time would be missed by a hair and looked at twice.
            tokio::time::sleep_until(self.clock.instant(due + Duration::from_millis(1))).await;
        }
    }
}

/// How long a budget that blocks evictions does.
const BLOCKED: Duration = Duration::from_secs(150);

/// Machines, their cluster, and what will happen to them.
#[derive(Debug)]
pub(super) struct World {
    /// Time since the world was made, up to which everything has happened.
    pub(super) now: Duration,
    pub(super) machines: IndexMap<HostName, Machine>,
    pub(super) cluster: Cluster,
    /// The cluster that most hosts belong to.
    pub(super) kube: Kube,
    /// A second one, with its hosts.
    pub(super) second: Option<(BTreeSet<HostName>, Kube)>,
    /// What registries and repositories offer.
    pub(super) offers: Offers,
    pub(super) random: Random,
    /// What must never happen and did.
    pub(super) broken: Vec<String>,
    agenda: BTreeMap<(Duration, u64), Happening>,
    serial: u64,
}

/// One host.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) address: &'static str,
    pub(super) roles: Vec<Role>,
    pub(super) disk: Arc<Disk>,
    /// `/etc/machine-id`.
    pub(super) id: String,
    pub(super) boot_id: String,
    /// Boots so far.
    pub(super) boots: u32,
    pub(super) cmdline: String,
    /// Answers on the network.
    pub(super) up: bool,
    /// The boot stopped in the emergency shell; only a visit to the console helps.
    pub(super) emergency: bool,
    pub(super) units: BTreeMap<String, Unit>,
    pub(super) journal: Vec<Line>,
    /// Container images that were fetched, with the version that each had then.
    pub(super) images: BTreeMap<String, String>,
    /// What is installed.
    pub(super) software: Software,
    /// Its deployments, where it boots from ostree.
    pub(super) ostree: Option<Ostree>,
    /// Its two partitions, where it updates by them.
    pub(super) updater: Option<Updater>,
    /// System containers, by name.
    pub(super) containers: BTreeMap<String, SystemContainer>,
    /// The kernel line GRUB boots with when nobody interferes.
    pub(super) kernel_line: &'static str,
    pub(super) random: Random,
    /// Faults that wait for their occasion.
    pub(super) faults: BTreeSet<FaultKind>,
    pub(super) last_pid: i64,
}

impl Machine {
    /// Container Linux's.
    pub(super) const CMDLINE: &'static str =
        "BOOT_IMAGE=/coreos/vmlinuz-a mount.usr=/dev/mapper/usr rootflags=rw console=tty0 root=LABEL=ROOT";

    pub(super) fn new(name: &HostName, address: &'static str, roles: Vec<Role>, disk: Disk, seed: u64) -> Self {
        let mut random = Random::new(seed, name.as_str());
        Self {
            address,
            roles,
            disk: Arc::new(disk),
            id: random.uuid().replace('-', ""),
            boot_id: random.uuid(),
            boots: 1,
            cmdline: Self::CMDLINE.into(),
            up: true,
            emergency: false,
            units: BTreeMap::new(),
            journal: Vec::new(),
            images: BTreeMap::new(),
            software: Software::default(),
            ostree: None,
            updater: None,
            containers: BTreeMap::new(),
            kernel_line: Self::CMDLINE,
            random,
            faults: BTreeSet::new(),
            last_pid: 700,
        }
    }

    /// A fault whose occasion has come. It comes once.
    pub(super) fn strikes(&mut self, fault: FaultKind) -> bool {
        self.faults.remove(&fault)
    }

    pub(super) fn pid(&mut self) -> i64 {
        self.last_pid += 1 + self.random.below(40) as i64;
        self.last_pid
    }
}

/// A line of a machine's journal.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) at: Duration,
    pub(super) boot: u32,
    pub(super) unit: String,
    pub(super) identifier: &'static str,
    pub(super) pid: i64,
    pub(super) text: String,
}

/// What will happen. `run` counts a unit's starts and stops: what was meant for an earlier one is passed over.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    Stopped { host: HostName, unit: String, run: u64 },
    Ready { host: HostName, unit: String, run: u64 },
    Again { host: HostName, unit: String, run: u64 },
    Elect { round: u64 },
    Raise,
    Recover { host: HostName },
    Manifests { host: HostName, run: u64 },
    Ease { budget: String },
    Down { host: HostName, cmdline: String },
    Up { host: HostName, cmdline: String },
}

impl World {
    pub(super) fn new(cluster: Cluster, seed: u64) -> Self {
        Self {
            now: Duration::ZERO,
            machines: IndexMap::new(),
            cluster,
            kube: Kube::default(),
            second: None,
            offers: Offers::default(),
            random: Random::new(seed, "world"),
            broken: Vec::new(),
            agenda: BTreeMap::new(),
            serial: 0,
        }
    }

    /// Puts something on the agenda.
    pub(super) fn after(&mut self, delay: Duration, happening: Happening) {
        self.serial += 1;
        self.agenda.insert((self.now + delay, self.serial), happening);
    }

    fn next_due(&self) -> Duration {
        self.agenda.first_key_value().map_or(Duration::MAX, |((due, _), _)| *due)
    }

    /// Lets happen what is due by `now`.
    fn settle(&mut self, now: Duration) {
        while self.next_due() <= now
            && let Some(((due, _), happening)) = self.agenda.pop_first()
        {
            self.pass(due);
            self.happen(happening);
        }
        self.pass(now);
    }

    fn pass(&mut self, now: Duration) {
        if now <= self.now {
            return;
        }
        let writes = self.writes();
        self.cluster.write_on(self.now, now, writes);
        self.now = self.now.max(now);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Stopped { host, unit, run } => self.unit_stopped(&host, &unit, run),
            Happening::Ready { host, unit, run } => self.unit_ready(&host, &unit, run),
            Happening::Again { host, unit, run } => self.unit_again(&host, &unit, run),
            Happening::Elect { round } => self.elect(round),
            Happening::Raise => self.raise(),
            Happening::Recover { host } => self.recover(&host),
            Happening::Manifests { host, run } => self.look_at_manifests(&host, run),
            Happening::Ease { budget } => self.kube.ease(&budget),
            Happening::Down { host, cmdline } => self.go_down(&host, cmdline),
            Happening::Up { host, cmdline } => self.come_up(&host, cmdline),
        }
    }

    /// The first drain of a host begins: where that was asked for, a budget stands in its way for a while.
    pub(super) fn block_evictions(&mut self, host: &HostName) {
        if !self.machine(host).strikes(FaultKind::BudgetBlocks) {
            return;
        }
        let kube = self.kube_of(host);
        let app = kube.pods.iter().find(|pod| pod.node == *host).map(|pod| pod.app);
        let all = kube.pods.iter().filter(|pod| Some(pod.app) == app).count();
        let mut eased = Vec::new();
        for budget in kube.budgets.iter_mut().filter(|budget| Some(budget.app) == app) {
            budget.min = all;
            eased.push(budget.name.to_owned());
        }
        for budget in eased {
            self.after(BLOCKED, Happening::Ease { budget });
        }
    }

    /// Whether a host belongs to the second cluster.
    pub(super) fn is_second(&self, host: &HostName) -> bool {
        self.second.as_ref().is_some_and(|(hosts, _)| hosts.contains(host))
    }

    /// The objects of a host's cluster.
    pub(super) fn kube_of(&mut self, host: &HostName) -> &mut Kube {
        match &mut self.second {
            Some((hosts, kube)) if hosts.contains(host) => kube,
            Some(_) | None => &mut self.kube,
        }
    }

    /// A host of this world.
    ///
    /// # Panics
    /// For a name that is no host's: every name in here was taken from the list of machines.
    pub(super) fn machine(&mut self, host: &HostName) -> &mut Machine {
        self.machines.get_mut(host).expect("hosts are made with the world and never leave it")
    }

    /// Writes what systemd says of a unit into its journal.
    pub(super) fn log_systemd(&mut self, host: &HostName, unit: &str, text: String) {
        let at = self.now;
        let machine = self.machine(host);
        let line = Line { at, boot: machine.boots, unit: unit.into(), identifier: "systemd", pid: 1, text };
        machine.journal.push(line);
    }

    /// Writes into a unit's journal.
    pub(super) fn log(&mut self, host: &HostName, unit: &str, text: impl Into<String>) {
        let at = self.now;
        let machine = self.machine(host);
        let pid = machine.units.get(unit).map_or(1, |unit| if unit.pid > 0 { unit.pid } else { machine.last_pid });
        let identifier = match unit {
            "etcd-member.service" => "etcd-wrapper",
            "etcd2.service" => "etcd2",
            "ignition.service" => "ignition",
            _ => "systemd",
        };
        let line = Line { at, boot: machine.boots, unit: unit.into(), identifier, pid, text: text.into() };
        machine.journal.push(line);
    }

    /// Writes a line as etcd words it: stamp, level, package and text.
    pub(super) fn log_etcd(&mut self, host: &HostName, unit: &str, level: char, text: &str) {
        let stamp = Clock::strftime(self.now, "%Y-%m-%d %H:%M:%S");
        let micros = Clock::since_1970(self.now).subsec_micros();
        self.log(host, unit, format!("{stamp}.{micros:06} {level} | {text}"));
    }

    /// Records that a safety rule was broken.
    pub(super) fn break_rule(&mut self, what: impl std::fmt::Display) {
        let at = Clock::strftime(self.now, "%H:%M:%S");
        self.broken.push(format!("{at} {what}"));
    }

    /// Whether an API server writes into etcd.
    fn writes(&self) -> bool {
        self.machines.values().any(|machine| machine.up && machine.serves_api())
    }
}
