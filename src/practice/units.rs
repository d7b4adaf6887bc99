//! systemd as far as it goes here: units read from the host's own files, their states, starts and stops.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::HostName;

use super::disk::{Disk, Kind};
use super::faults::FaultKind;
use super::world::{Happening, Machine, World};

/// Where unit files lie, the strongest first.
const UNIT_DIRS: [&str; 3] = ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system"];

/// `ActiveState`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ActiveState {
    #[default]
    Inactive,
    Activating,
    Active,
    Deactivating,
}

impl ActiveState {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Activating => "activating",
            Self::Active => "active",
            Self::Deactivating => "deactivating",
        }
    }
}

/// One unit's state, and what systemd last read of its files.
#[derive(Clone, Debug, Default)]
pub(super) struct Unit {
    pub(super) active: ActiveState,
    pub(super) sub: &'static str,
    pub(super) pid: i64,
    /// When it came into this state.
    pub(super) since: Duration,
    /// Counts starts and stops.
    pub(super) run: u64,
    /// The version of the program it was started with, which may be another by now.
    pub(super) version: String,
    pub(super) loaded: UnitFile,
}

/// What the files of a unit say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct UnitFile {
    /// `LoadState`.
    pub(super) load: &'static str,
    pub(super) path: String,
    pub(super) drop_ins: Vec<String>,
    pub(super) environment: Vec<String>,
    pub(super) exec_start: String,
    pub(super) conflicts: Vec<String>,
    /// `Requires=`: stopped with them.
    pub(super) requires: Vec<String>,
    /// `EnvironmentFile=`, read when it starts.
    environment_files: Vec<String>,
    /// All of the text, to see whether it has changed.
    text: String,
}

impl UnitFile {
    /// Reads a unit from a host's files.
    pub(super) fn read(disk: &Disk, name: &str, id: &str) -> Self {
        let place = |dir: &&str| Some((format!("{dir}/{name}"), disk.get(format!("{dir}/{name}"))?));
        let Some((path, node)) = UNIT_DIRS.iter().find_map(place) else {
            return Self { load: "not-found", ..Self::default() };
        };
        let fragment = match node.kind {
            Kind::File(content) => String::from_utf8_lossy(&content).into_owned(),
            Kind::Symlink(target) if target.as_os_str() == "/dev/null" => {
                return Self { load: "masked", path: "/dev/null".into(), ..Self::default() };
            }
            Kind::Symlink(target) => disk.text(target).unwrap_or_default(),
            Kind::Directory => String::new(),
        };
        // A drop-in of the same name in a stronger directory takes the weaker one's place.
        let mut drop_ins = BTreeMap::new();
        for dir in UNIT_DIRS.iter().rev() {
            for file in disk.names(format!("{dir}/{name}.d")).into_iter().filter(|file| is_a(file, "conf")) {
                drop_ins.insert(file.clone(), format!("{dir}/{name}.d/{file}"));
            }
        }
        let mut file = Self { load: "loaded", path, drop_ins: drop_ins.into_values().collect(), ..Self::default() };
        let mut texts = vec![fragment];
        texts.extend(file.drop_ins.iter().map(|path| disk.text(path).unwrap_or_default()));
        for text in &texts {
            file.take(&text.replace("\\\n", " "), id);
        }
        file.text = texts.join("\n");
        file
    }

    fn take(&mut self, text: &str, id: &str) {
        for (key, value) in text.lines().filter_map(|line| line.trim().split_once('=')) {
            let value = value.trim();
            match key {
                "Environment" => {
                    for pair in shlex::split(value).unwrap_or_default() {
                        let pair = pair.replace("%m", id);
                        let name = pair.split('=').next().unwrap_or_default().to_owned();
                        self.environment.retain(|old| old.split('=').next() != Some(&name));
                        self.environment.push(pair);
                    }
                }
                "ExecStart" => value.clone_into(&mut self.exec_start),
                "Conflicts" => self.conflicts.extend(value.split_whitespace().map(str::to_owned)),
                "Requires" => self.requires.extend(value.split_whitespace().map(str::to_owned)),
                "EnvironmentFile" => self.environment_files.push(value.trim_start_matches('-').to_owned()),
                _ => {}
            }
        }
    }

    /// The unit with the variables of its files as they are now.
    pub(super) fn with_files(mut self, disk: &Disk) -> Self {
        let texts: Vec<String> = self.environment_files.iter().filter_map(|path| disk.text(path)).collect();
        for (key, value) in texts.iter().flat_map(|text| text.lines()).filter_map(|line| line.split_once('=')) {
            if !key.starts_with('#') {
                self.environment.retain(|pair| pair.split('=').next() != Some(key));
                self.environment.push(format!("{key}={}", value.trim_matches(['"', '\''])));
            }
        }
        self
    }

    /// A static pod, from its manifest: what its first container runs.
    pub(super) fn manifest(path: &str, text: String) -> Self {
        let words: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("- ")).collect();
        Self { load: "loaded", path: path.into(), exec_start: words.join(" "), text, ..Self::default() }
    }

    /// The name in a manifest's metadata: the first `name:` there is.
    pub(super) fn pod_name(&self) -> Option<&str> {
        self.text.lines().find_map(|line| line.strip_prefix("  name: "))
    }

    /// The tag of a manifest's image, without its `v` and what a distributor adds.
    pub(super) fn image_version(&self) -> Option<&str> {
        let image = self.text.lines().find_map(|line| line.trim().strip_prefix("image: "))?;
        let tag = image.rsplit_once(':')?.1.trim_start_matches('v');
        Some(tag.split('-').next().unwrap_or(tag))
    }

    /// A variable of `Environment=`.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.iter().find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name)).map(|(_, v)| v)
    }

    /// A flag of the command line, such as `--name`, or the variable that stands for it.
    pub(super) fn etcd_option(&self, flag: &str) -> Option<String> {
        let words = shlex::split(&self.exec_start).unwrap_or_default();
        let given = words.iter().find_map(|word| word.strip_prefix("--")?.strip_prefix(flag)?.strip_prefix('='));
        let variable = format!("ETCD_{}", flag.to_uppercase().replace('-', "_"));
        given.or_else(|| self.variable(&variable)).map(str::to_owned)
    }
}

impl Machine {
    /// A unit that systemd holds in memory, or would read from its files when asked.
    pub(super) fn unit(&self, name: &str) -> Unit {
        self.units.get(name).cloned().unwrap_or_else(|| Unit {
            sub: "dead",
            loaded: UnitFile::read(&self.disk, name, &self.id),
            ..Unit::default()
        })
    }

    pub(super) fn is_active(&self, name: &str) -> bool {
        self.units.get(name).is_some_and(|unit| unit.active == ActiveState::Active)
    }

    /// `NeedDaemonReload`: the files say something else than what was read.
    pub(super) fn needs_reload(&self, name: &str) -> bool {
        self.units.get(name).is_some_and(|unit| unit.loaded != UnitFile::read(&self.disk, name, &self.id))
    }

    /// `UnitFileState`: `enabled`, `disabled`, `masked`, or empty where there is no such unit.
    pub(super) fn unit_file_state(&self, name: &str) -> &'static str {
        match UnitFile::read(&self.disk, name, &self.id).load {
            "masked" => "masked",
            "not-found" => "",
            _ if self.disk.exists(wants(name)) => "enabled",
            _ => "disabled",
        }
    }

    /// `systemctl daemon-reload`.
    pub(super) fn daemon_reload(&mut self) {
        for (name, unit) in self.units.iter_mut().filter(|(name, _)| is_a(name, "service")) {
            unit.loaded = UnitFile::read(&self.disk, name, &self.id);
        }
    }

    /// All unit files there are.
    pub(super) fn unit_files(&self) -> Vec<String> {
        let mut names: Vec<String> = UNIT_DIRS.iter().flat_map(|dir| self.disk.names(dir)).collect();
        names.retain(|name| is_a(name, "service"));
        names.sort();
        names.dedup();
        names
    }

    /// What the preset files say about a unit: the first line that matches, of the files in their order.
    pub(super) fn preset(&self, name: &str) -> bool {
        let dirs = ["/etc/systemd/system-preset", "/usr/lib/systemd/system-preset"];
        let mut files: Vec<(String, String)> = dirs
            .iter()
            .flat_map(|dir| self.disk.names(dir).into_iter().map(move |f| (f.clone(), format!("{dir}/{f}"))))
            .collect();
        files.sort();
        files
            .iter()
            .filter_map(|(_, path)| self.disk.text(path))
            .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
            .find_map(|line| {
                let (verb, pattern) = line.trim().split_once(' ')?;
                (pattern == "*" || pattern == name).then_some(verb == "enable")
            })
            .unwrap_or(true)
    }
}

/// Whether a file name ends so.
fn is_a(name: &str, extension: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| ending == extension)
}

/// The unit file that a distribution's package brings for a program.
pub(super) fn unit_of(program: &str) -> Option<String> {
    let (kind, more, environment) = match program {
        "etcd" => ("notify", "User=etcd\n", "EnvironmentFile=-/etc/etcd/etcd.conf\n"),
        "flanneld" => ("notify", "", "EnvironmentFile=/etc/sysconfig/flanneld\n"),
        "kube-apiserver"
        | "kube-controller-manager"
        | "kube-scheduler"
        | "kube-proxy"
        | "docker"
        | "crio"
        | "containerd" => ("notify", "", ""),
        "kubelet" => ("simple", "", ""),
        _ => return None,
    };
    Some(format!(
        "[Unit]\nDescription={program}\n[Service]\nType={kind}\n{more}{environment}ExecStart=/usr/bin/{program}\nRestart=on-failure\n[Install]\nWantedBy=multi-user.target\n"
    ))
}

/// Whether a unit, or a static pod, runs an etcd member.
pub(super) fn is_etcd(name: &str) -> bool {
    matches!(name, "etcd2.service" | "etcd-member.service" | "etcd.service" | "etcd.pod")
}

/// The link that makes a unit start at boot.
pub(super) fn wants(name: &str) -> String {
    format!("/etc/systemd/system/multi-user.target.wants/{name}")
}

/// The link that makes a unit of the distribution start at boot, enabled or not.
pub(super) fn vendor_wants(name: &str) -> String {
    format!("/usr/lib/systemd/system/multi-user.target.wants/{name}")
}

/// Why a unit does not start, as systemctl words it, and systemctl's exit status.
pub(super) type Refused = (String, i32);

impl World {
    /// Begins to start a unit. Units it conflicts with are stopped.
    pub(super) fn start_unit(&mut self, host: &HostName, name: &str) -> Result<(), Refused> {
        let machine = self.machine(host);
        let unit = machine.unit(name);
        match unit.loaded.load {
            "not-found" => return Err((format!("Failed to start {name}: Unit {name} not found."), 5)),
            "masked" => return Err((format!("Failed to start {name}: Unit {name} is masked."), 1)),
            _ => {}
        }
        if matches!(unit.active, ActiveState::Active | ActiveState::Activating) && unit.sub != "auto-restart" {
            return Ok(());
        }
        let rivals: Vec<String> = machine
            .units
            .iter()
            .filter(|(other, held)| {
                *other != name
                    && (unit.loaded.conflicts.contains(other) || held.loaded.conflicts.iter().any(|c| c == name))
            })
            .map(|(other, _)| other.clone())
            .collect();
        for rival in rivals {
            self.stop_unit(host, &rival, &format!("starting {name} on {host}"));
        }
        for required in unit.loaded.requires.clone() {
            self.start_unit(host, &required)?;
        }
        let now = self.now;
        let machine = self.machine(host);
        let pid = machine.pid();
        let run = unit.run + 1;
        let version = machine.version_of(&unit.loaded);
        let begun =
            Unit { active: ActiveState::Activating, sub: "start", pid, since: now, run, version, loaded: unit.loaded };
        let delay = match name {
            "etcd-member.service" => machine.member_delay(&begun.loaded),
            "etcd2.service" => machine.random.millis(1000..4000),
            _ if is_etcd(name) => machine.start_delay(),
            _ => machine.random.millis(100..600),
        };
        machine.units.insert(name.into(), begun);
        self.log_systemd(host, name, format!("Starting {name}..."));
        self.after(delay, Happening::Ready { host: host.clone(), unit: name.into(), run });
        Ok(())
    }

    /// Begins to stop a unit; what loses its quorum by it is blamed on `cause`.
    pub(super) fn stop_unit(&mut self, host: &HostName, name: &str, cause: &str) {
        let now = self.now;
        let machine = self.machine(host);
        let millis = if name.starts_with("etcd") { 500..2000 } else { 100..700 };
        let delay = machine.random.millis(millis);
        let Some(unit) = machine.units.get_mut(name) else { return };
        let runs = match unit.active {
            ActiveState::Inactive | ActiveState::Deactivating => return,
            ActiveState::Activating | ActiveState::Active => unit.sub != "auto-restart",
        };
        unit.run += 1;
        unit.since = now;
        let run = unit.run;
        let dependents: Vec<String> = machine
            .units
            .iter()
            .filter(|(_, other)| other.loaded.requires.iter().any(|required| required == name))
            .map(|(other, _)| other.clone())
            .collect();
        for dependent in dependents {
            self.stop_unit(host, &dependent, cause);
        }
        let Some(unit) = self.machine(host).units.get_mut(name) else { return };
        if runs {
            (unit.active, unit.sub) = (ActiveState::Deactivating, "stop-sigterm");
            self.log_systemd(host, name, format!("Stopping {name}..."));
            self.end_process(host, name, Some(cause));
            self.after(delay, Happening::Stopped { host: host.clone(), unit: name.into(), run });
        } else {
            (unit.active, unit.sub, unit.pid) = (ActiveState::Inactive, "dead", 0);
        }
    }

    pub(super) fn unit_stopped(&mut self, host: &HostName, name: &str, run: u64) {
        let now = self.now;
        let Some(unit) = self.machine(host).units.get_mut(name).filter(|unit| unit.run == run) else { return };
        (unit.active, unit.sub, unit.pid, unit.since) = (ActiveState::Inactive, "dead", 0, now);
        self.log_systemd(host, name, format!("Stopped {name}."));
    }

    pub(super) fn unit_ready(&mut self, host: &HostName, name: &str, run: u64) {
        let machine = self.machine(host);
        if machine.units.get(name).is_none_or(|unit| unit.run != run) {
            return;
        }
        match name {
            "etcd-member.service" if machine.strikes(FaultKind::WontStart) => {
                self.log(host, name, "stage1: error entering pod: failed to set up mount: device or resource busy");
                self.unit_failed(host, name);
            }
            _ if is_etcd(name) && name != "etcd2.service" && machine.strikes(FaultKind::WontStart) => {
                self.log(host, name, "etcd: cannot listen on 0.0.0.0:2380: bind: address already in use");
                self.unit_failed(host, name);
            }
            _ if is_etcd(name) => self.begin_process(host, name),
            _ => {
                if let Some(why) = self.hindrance(host, name) {
                    self.log(host, name, why);
                    self.unit_failed(host, name);
                } else {
                    self.unit_running(host, name);
                    self.is_running(host, name);
                }
            }
        }
    }

    /// The unit has said that it is ready.
    pub(super) fn unit_running(&mut self, host: &HostName, name: &str) {
        let now = self.now;
        let Some(unit) = self.machine(host).units.get_mut(name) else { return };
        (unit.active, unit.sub, unit.since) = (ActiveState::Active, "running", now);
        self.log_systemd(host, name, format!("Started {name}."));
    }

    /// The unit's process has ended by itself; systemd tries again.
    pub(super) fn unit_failed(&mut self, host: &HostName, name: &str) {
        let now = self.now;
        self.log_systemd(host, name, format!("{name}: Main process exited, code=exited, status=1/FAILURE"));
        self.log_systemd(host, name, format!("Failed to start {name}."));
        let Some(unit) = self.machine(host).units.get_mut(name) else { return };
        unit.run += 1;
        (unit.active, unit.sub, unit.pid, unit.since) = (ActiveState::Activating, "auto-restart", 0, now);
        let run = unit.run;
        // RestartSec=10s in both of the etcd units.
        self.after(Duration::from_secs(10), Happening::Again { host: host.clone(), unit: name.into(), run });
    }

    pub(super) fn unit_again(&mut self, host: &HostName, name: &str, run: u64) {
        if self.machine(host).units.get(name).is_some_and(|unit| unit.run == run) {
            self.log_systemd(host, name, format!("{name}: Service hold-off time over, scheduling restart."));
            // A unit that was masked meanwhile is not started again.
            let _ = self.start_unit(host, name);
        }
    }
}
