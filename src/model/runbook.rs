//! A procedure as data: stages of guarded steps.

use std::collections::BTreeMap;
use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::plan::expand;
use super::{Role, SecretSource};

/// A procedure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Runbook {
    /// Unique name, as `--runbook` takes it.
    pub name: String,
    /// One line.
    pub title: String,
    /// What it does, for whom, and what it leaves alone.
    #[serde(default)]
    pub about: String,
    /// Values its scripts and checks use, by name.
    #[serde(default)]
    pub vars: IndexMap<String, VarSpec>,
    /// Simulated clusters to practise it on, the usual one first, each with the values its variables have there.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub practice: IndexMap<String, IndexMap<String, String>>,
    /// What the probe looks at beyond the ordinary.
    #[serde(default)]
    pub probe: ProbeSpec,
    /// In order; one is finished before the next begins.
    pub stages: Vec<Stage>,
    /// What holds when it has ended well.
    #[serde(default)]
    pub promise: Vec<Check>,
}

/// A variable of a runbook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VarSpec {
    /// What it means, for the operator.
    pub about: String,
    /// Must be given by inventory or command line.
    #[serde(default)]
    pub required: bool,
    /// Used where nothing was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The only values it may have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<String>,
    /// The form it must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<VarForm>,
    /// Its value is given to scripts and stands nowhere else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
    /// Where a secret's value comes from unless inventory or command line say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<SecretSource>,
}

impl VarSpec {
    /// The only values it may have, in a line; the empty one is called by its name.
    #[must_use]
    pub fn choices(&self) -> String {
        let words: Vec<&str> = self.one_of.iter().map(|word| if word.is_empty() { "nothing" } else { word }).collect();
        words.join(", ")
    }
}

/// The form of a variable's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VarForm {
    /// `major.minor.patch`, without a `v`.
    Version,
    /// Any number of such versions, with spaces between them.
    Versions,
    /// An absolute path.
    Path,
    /// A length of time that is not none: `90s`, `5m`, `1h30m`.
    Duration,
}

/// What the probe looks at beyond the ordinary. Names and paths may hold `$variable`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProbeSpec {
    /// systemd units, by full name.
    pub units: Vec<String>,
    /// Paths to look at.
    pub paths: Vec<String>,
    /// Journal lines of this boot to look for: unit to fixed texts.
    pub journal: IndexMap<String, Vec<String>>,
    /// Lines of files to look for: path to fixed texts. What is read stands in the journal of the session: no secrets.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub lines: IndexMap<String, Vec<String>>,
    /// Packages, by the name that the host's package manager knows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// Programs whose version is asked, of [`ProbeSpec::PROGRAMS`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<String>,
    /// System containers of `atomic`, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<String>,
    /// Certificate files; `*` stands for any name in a directory.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certs: Vec<String>,
    /// List block devices.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub devices: bool,
    /// Look at pods, disruption budgets and DaemonSets.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pods: bool,
}

impl ProbeSpec {
    /// Programs whose way to tell their version the probe knows.
    pub const PROGRAMS: [&str; 10] =
        ["atomic", "containerd", "crictl", "crio", "docker", "etcdctl", "etcdutl", "flanneld", "kubeadm", "kubectl"];

    /// What both look at, each once.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        fn join(ours: &mut Vec<String>, theirs: &[String]) {
            for text in theirs {
                if !ours.contains(text) {
                    ours.push(text.clone());
                }
            }
        }
        join(&mut self.units, &other.units);
        join(&mut self.paths, &other.paths);
        join(&mut self.packages, &other.packages);
        join(&mut self.programs, &other.programs);
        join(&mut self.containers, &other.containers);
        join(&mut self.certs, &other.certs);
        for (key, texts) in &other.journal {
            join(self.journal.entry(key.clone()).or_default(), texts);
        }
        for (key, texts) in &other.lines {
            join(self.lines.entry(key.clone()).or_default(), texts);
        }
        self.pods |= other.pods;
        self.devices |= other.devices;
        self
    }
}

/// A part of a runbook that runs on some of the hosts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Unique within the runbook.
    pub name: String,
    /// One line.
    pub title: String,
    /// The stage is repeated: once for every word of a variable. A plan has the repetitions instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Each>,
    /// In a repetition of a plan, its word under its name; scripts and checks see it like any other variable.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vars: BTreeMap<String, String>,
    /// Hosts that have any of these roles.
    pub hosts: Vec<Role>,
    /// How hosts follow each other.
    #[serde(default)]
    pub order: Order,
    /// Take the etcd leader after all others.
    #[serde(default)]
    pub leader_last: bool,
    /// In order, on each host.
    pub steps: Vec<Step>,
}

/// A stage that is repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Each {
    /// What the stage calls the word that it is repeated for.
    pub name: String,
    /// The variable whose words these are.
    pub of: String,
}

/// How the hosts of a stage follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// All steps on one host before the next begins.
    #[default]
    OneAtATime,
    /// So many percent of the hosts at a time, rounded down, at least one.
    Batch(u8),
    /// Every host as soon as its own gate opens.
    AllAtOnce,
}

/// One guarded step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Step {
    /// Unique within the stage.
    pub name: String,
    /// One line.
    pub title: String,
    /// Why it is done, for a tired reader.
    pub why: String,
    /// Must hold on fresh facts before the gate opens.
    pub require: Vec<Check>,
    /// What the operator must give to open the gate.
    pub confirm: Confirm,
    /// Files to write on the host before the script runs.
    pub push: Vec<Push>,
    /// The script, for `sh` as root.
    pub run: Option<String>,
    /// What the operator must do by hand.
    pub hands: Option<String>,
    /// The host restarts: its boot id must change before anything is verified.
    pub reboots: bool,
    /// Files to bring back, with their digest checked on both ends.
    pub fetch: Vec<Fetch>,
    /// Must come true afterwards.
    pub verify: Vec<Check>,
    /// A script that takes the step back.
    pub undo: Option<String>,
    /// Must come true once it was taken back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<Check>,
    /// What is destroyed, in the operator's words.
    pub destroys: Option<String>,
    /// Why there is no way back from here.
    pub point_of_no_return: Option<String>,
    /// Run the script on the first host of this role instead.
    pub on: Option<Role>,
    /// How long the script may run.
    pub timeout: Option<Timeout>,
    /// Whether the step is needed at all: CEL.
    pub only_if: Option<Expression>,
    /// May simply be run again after a failure, without an undo.
    pub repeatable: bool,
    /// The operator may end the script half-way: what then stays as it is, in the operator's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub if_ended: Option<String>,
    /// What it stops on the host that it is about, for a step to start again: meanwhile its being down is no alarm.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stops: Vec<Component>,
    /// What runs there again once it is done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub starts: Vec<Component>,
}

/// What runs on a host, and is seen to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Component {
    /// The etcd member.
    Etcd,
    /// `kube-apiserver`.
    ApiServer,
    /// The kubelet.
    Kubelet,
}

impl Component {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Etcd, Self::ApiServer, Self::Kubelet];

    /// As runbooks write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "api-server",
            Self::Kubelet => "kubelet",
        }
    }
}

impl Step {
    /// How long a script may run unless its step says otherwise.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);

    /// The script's deadline, with these values of variables.
    #[must_use]
    pub fn timeout(&self, vars: &BTreeMap<String, String>) -> Duration {
        self.timeout.as_ref().and_then(|timeout| timeout.with(vars)).unwrap_or(Self::DEFAULT_TIMEOUT)
    }

    /// What stays as it is when the operator ends the script half-way; nothing where that may not be done. What may not
    /// simply be run again, and what takes the host down, is never ended.
    #[must_use]
    pub fn stays_if_ended(&self) -> Option<&str> {
        self.if_ended.as_deref().filter(|_| self.run.is_some() && self.repeatable && !self.reboots)
    }

    /// The script that takes the step back. One that is nothing but `true` or `:` takes nothing back, and is none.
    #[must_use]
    pub fn takes_back(&self) -> Option<&str> {
        let does = |line: &str| !matches!(line.trim(), "" | "true" | ":") && !line.trim_start().starts_with('#');
        self.undo.as_deref().filter(|script| script.lines().any(does))
    }

    /// Whether doing it changes anything on a host. A step that only asks has nothing to undo.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.run.is_some() || self.hands.is_some() || !self.push.is_empty()
    }
}

/// What the operator must give to open a gate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confirm {
    /// Opens by itself once every check has passed.
    None,
    /// Enter.
    #[default]
    Enter,
    /// The host's name, typed.
    Host,
    /// These words, typed.
    Phrase(String),
}

/// A condition over facts, in CEL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// A sentence that is true when it holds, such as `every member is healthy`; empty in journals of the first version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub says: String,
    /// The condition.
    pub that: Expression,
    /// What goes wrong where it does not hold, in the operator's words.
    pub because: String,
    /// For `verify` and `undone`: how long it may take to come true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
}

impl Check {
    /// The sentence that is true when it holds; where a runbook has none, why it matters.
    #[must_use]
    pub fn sentence(&self) -> &str {
        if self.says.is_empty() { &self.because } else { &self.says }
    }

    /// How long a verification may take unless it says otherwise.
    pub const DEFAULT_WITHIN: Duration = Duration::from_secs(60);

    /// How long it may take to come true.
    #[must_use]
    pub fn within(&self) -> Duration {
        self.within.map_or(Self::DEFAULT_WITHIN, |span| span.0)
    }
}

/// CEL source text that was seen to compile when its runbook was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Expression(pub String);

/// A file to write on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// Where it goes; may hold `$variable`.
    pub path: String,
    /// A file on this machine, relative to the runbook; or `artifact:PATH`, what an earlier step brought back from there.
    /// May hold `$variable` and `$host`.
    pub from: String,
    /// What is made of it on the way.
    #[serde(default)]
    pub convert: Convert,
    /// Permissions, octal.
    #[serde(default = "default_mode")]
    pub mode: String,
}

fn default_mode() -> String {
    "0644".into()
}

/// What is made of a pushed file on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Convert {
    /// Nothing.
    #[default]
    None,
    /// A Container Linux Config becomes an Ignition config.
    Ignition,
    /// A Container Linux Config becomes the drop-in its `etcd` section makes for `etcd-member.service`.
    EtcdDropIn,
}

/// A file to bring back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    /// Where it lies; may hold `$variable`.
    pub path: String,
    /// What it is called here, after the host's name.
    pub name: String,
}

/// A deadline: lengths of time, and `$variables` that hold one, added up: `5m`, `$drain_timeout + 1m`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timeout(pub String);

impl Timeout {
    /// What is added up.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('+').map(str::trim)
    }

    /// How long that is with these values; nothing where one of them is no length of time, which the check of a runbook
    /// and the plan refuse.
    #[must_use]
    pub fn with(&self, vars: &BTreeMap<String, String>) -> Option<Duration> {
        self.parts().map(|part| Some(Span::try_from(expand(part, vars)).ok()?.0)).sum()
    }
}

/// A length of time, written `90s`, `5m`, `1h`, `1h30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let wrong = || format!("`{text}` is not a length of time: write 90s, 5m or 1h");
        let (mut seconds, mut rest, mut larger) = (0_u64, text.as_str(), u64::MAX);
        while !rest.is_empty() {
            let at = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let unit = match rest.as_bytes()[at] {
                b's' => 1,
                b'm' => 60,
                b'h' => 3600,
                _ => return Err(wrong()),
            };
            let count: u32 = rest[..at].parse().map_err(|_| wrong())?;
            // Each unit once, the largest first.
            if unit >= larger {
                return Err(wrong());
            }
            (seconds, rest, larger) = (seconds + u64::from(count) * unit, &rest[at + 1..], unit);
        }
        if text.is_empty() { Err(wrong()) } else { Ok(Self(Duration::from_secs(seconds))) }
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.as_secs() {
            hours if hours > 0 && hours % 3600 == 0 => write!(f, "{}h", hours / 3600),
            minutes if minutes > 0 && minutes % 60 == 0 => write!(f, "{}m", minutes / 60),
            seconds => write!(f, "{seconds}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_names_its_units_the_largest_first() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("1h", 3600), ("1h30m", 5400), ("1h0m5s", 3605), ("0s", 0)] {
            assert_eq!(Span::try_from(text.to_owned()), Ok(Span(Duration::from_secs(seconds))), "{text}");
        }
        for text in ["", "5", "m", "30m1h", "1m1m", "-5m", "1.5h", "5 m", "5m ", "5mé", "é"] {
            assert!(Span::try_from(text.to_owned()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_choice_of_nothing_is_called_so() {
        let spec = VarSpec { one_of: ["", "systemd", "cgroupfs"].map(str::to_owned).into(), ..VarSpec::default() };
        assert_eq!(spec.choices(), "nothing, systemd, cgroupfs");
    }

    #[test]
    fn a_deadline_adds_up_what_it_names() {
        let vars = BTreeMap::from([("drain_timeout".to_owned(), "30m".to_owned()), ("odd".into(), "soon".into())]);
        for (text, seconds) in
            [("90s", Some(90)), ("$drain_timeout + 1m", Some(1860)), ("$odd + 1m", None), ("$none", None), ("", None)]
        {
            assert_eq!(Timeout(text.into()).with(&vars), seconds.map(Duration::from_secs), "{text:?}");
        }
    }
}
