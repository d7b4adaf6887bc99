//! The values of a plan's secret variables: read before anything is contacted, kept in memory, and taken out of whatever this
//! program says afterwards.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::panic::PanicHookInfo;
use std::path::Path;
use std::sync::OnceLock;

use crate::model::{Plan, Redactor, Secret, SecretSource, Secrets};
use crate::yaml::{Problem, Problems};

/// The longest secret, in bytes: a private key with its chain is shorter.
const LONGEST: u64 = 64 << 10;

/// What this process takes out of its messages.
static REDACTOR: OnceLock<Redactor> = OnceLock::new();

/// A message without secrets.
pub(super) fn redacted(text: &str) -> String {
    REDACTOR.get_or_init(Redactor::default).redact(text).into_owned()
}

/// What a crash says: where it was, and its message without secrets.
pub struct CrashMessage;

impl color_eyre::section::PanicMessage for CrashMessage {
    fn display(&self, panic: &PanicHookInfo<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever crashes before the values are read knows none yet.
        let none = Redactor::default();
        let said = said(panic.payload(), REDACTOR.get().unwrap_or(&none));
        writeln!(f, "The application panicked (crashed).\nMessage:  {said}")?;
        match panic.location() {
            Some(place) => write!(f, "Location: {}:{}", place.file(), place.line()),
            None => f.write_str("Location: unknown"),
        }
    }
}

fn said(payload: &dyn Any, redactor: &Redactor) -> String {
    let said = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied());
    redactor.clean(said.unwrap_or("no message"))
}

/// Reads every value that a plan wants, and from then on takes it out of messages. What is asked for is asked for once a name,
/// for all hosts, after everything else was found.
///
/// # Errors
/// Every variable that is missing, file that cannot be used, and value that cannot be kept secret.
pub(super) fn read(plan: &Plan) -> Result<Secrets, Problems> {
    let secrets = read_with(plan, |name| std::env::var(name).ok(), rpassword::prompt_password)?;
    // Once a process: a second session of it has the values of the first, and is not begun.
    let _ = REDACTOR.set(Redactor::new(secrets.values().flat_map(BTreeMap::values)));
    Ok(secrets)
}

/// Values for simulated hosts: nobody is asked for real ones, and a recording of it has none.
#[cfg(feature = "practice")]
pub(super) fn practised(plan: &Plan) -> Secrets {
    let made_up = |name: &String| (name.clone(), Secret::new(format!("practised-{name}")));
    plan.secrets.iter().map(|(host, secrets)| (host.clone(), secrets.keys().map(made_up).collect())).collect()
}

fn read_with(
    plan: &Plan,
    variable: impl Fn(&str) -> Option<String>,
    mut ask: impl FnMut(String) -> std::io::Result<String>,
) -> Result<Secrets, Problems> {
    let mut problems = Problems::default();
    let mut read: BTreeMap<(&String, &SecretSource), Secret> = BTreeMap::new();
    let mut wanted: Vec<(&String, &SecretSource)> = plan.secrets.values().flatten().collect();
    // What is asked for comes last, and not at all where anything else is amiss.
    wanted.sort_by_key(|(name, source)| (**source == SecretSource::Ask, *name, *source));
    wanted.dedup();
    let written = serde_json::to_string(plan).unwrap_or_default();
    for (name, source) in wanted {
        let value = match source {
            SecretSource::Ask if !problems.0.is_empty() => continue,
            SecretSource::Ask => {
                let about = plan.runbook.vars.get(name).map(|spec| spec.about.as_str()).unwrap_or_default();
                ask(format!("{name} ({about}), not shown: "))
                    .map_err(|error| format!("there is no terminal to ask for it at: {error}"))
            }
            SecretSource::Env(variable_name) => variable(variable_name).ok_or_else(|| {
                format!("there is no variable {variable_name} in the environment: export it and start again")
            }),
            SecretSource::File(path) => of_file(path),
        };
        match value.and_then(|value| fit(&value, &written)) {
            Ok(secret) => drop(read.insert((name, source), secret)),
            Err(why) => {
                let message = format!("`{name}`: {why}. No host was contacted");
                problems.0.push(Problem::of(source.to_string(), message));
            }
        }
    }
    let of_host = |secrets: &BTreeMap<String, SecretSource>| {
        let found =
            secrets.iter().filter_map(|(name, source)| Some((name.clone(), read.get(&(name, source))?.clone())));
        found.collect::<BTreeMap<_, _>>()
    };
    let secrets = plan.secrets.iter().map(|(host, secrets)| (host.clone(), of_host(secrets))).collect();
    problems.or(Some(secrets))
}

/// A file that nobody else may read.
fn of_file(path: &Path) -> Result<String, String> {
    let unread = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let mut file = File::open(path).map_err(unread)?;
    let found = file.metadata().map_err(unread)?;
    if !found.is_file() || found.len() > LONGEST {
        return Err(format!("{} is not a file of at most {} KiB", path.display(), LONGEST >> 10));
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(format!("{} belongs to another user, who may have it read and changed", path.display()));
    }
    if found.mode() & 0o077 != 0 {
        return Err(format!("others may read {0}: `chmod 600 {0}`", path.display()));
    }
    let mut value = String::new();
    (&mut file).take(LONGEST).read_to_string(&mut value).map_err(unread)?;
    Ok(value)
}

/// A value as scripts get it, without the end of its last line; or why it cannot be kept secret.
fn fit(value: &str, plan: &str) -> Result<Secret, String> {
    let value = value.trim_end_matches(['\n', '\r']);
    if value.len() < Secret::LEAST {
        return Err(format!(
            "its value has fewer than {} characters: it could not be told from other text and taken out of what hosts print",
            Secret::LEAST
        ));
    }
    if value.contains('\0') {
        return Err("its value has a NUL byte in it, which no shell variable can have".into());
    }
    let secret = Secret::new(value);
    if Redactor::new([&secret]).knows(plan) {
        return Err(
            "its value also stands in the inventory, the runbook or a file that is pushed, all of which the journal \
                    keeps: take it out there"
                .into(),
        );
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::documents::{self, Source};

    const RUNBOOK: &str = "runbook: r\ntitle: R\nvars:\n  token: {about: the join token, secret: true, required: true}\n  \
                           other: {about: another, secret: true, from: ask}\nstages:\n  - stage: s\n    title: S\n    \
                           hosts: etcd\n    steps:\n      - {step: a, title: A, run: 'join \"$token\" \"$other\"'}\n";

    fn plan(var: &str) -> Result<Plan, Problems> {
        let inventory =
            Source::file(Path::new("i.yaml"), "cluster: c\nhosts: [{name: a, roles: etcd}, {name: b, roles: etcd}]\n");
        let runbook = Source::file(Path::new("r.yaml"), RUNBOOK);
        let parts = (documents::read_inventory(&inventory).unwrap(), documents::read_runbook(&runbook).unwrap());
        documents::plan::build(&parts.0, &inventory, &parts.1, &runbook, &[("token".into(), var.into())])
    }

    #[test]
    fn values_come_from_where_they_are_said_to_and_are_asked_for_once() {
        let plan = plan("env:TOKEN").unwrap();
        let mut asked = Vec::new();
        let secrets = read_with(
            &plan,
            |name| (name == "TOKEN").then(|| "hunter2\n".to_owned()),
            |question| {
                asked.push(question);
                Ok("opensesame".into())
            },
        )
        .unwrap();
        assert_eq!(asked, ["other (another), not shown: "]);
        for host in ["a", "b"] {
            let values: Vec<&str> = secrets[host].values().map(Secret::expose).collect();
            assert_eq!(values, ["opensesame", "hunter2"]);
        }
        let json = serde_json::to_string(&plan).unwrap();
        assert!(json.contains("env:TOKEN") && !json.contains("hunter2"));
    }

    #[test]
    fn a_crash_does_not_tell_a_value() {
        let redactor = Redactor::new(&[Secret::new("hunter2")]);
        let crash = std::panic::catch_unwind(|| panic!("index hunter2 out of {}", "bounds")).unwrap_err();
        assert_eq!(said(&*crash, &redactor), "index ‹redacted› out of bounds");
        assert_eq!(said(&"token=opensesame", &redactor), "token=‹redacted›");
    }

    #[test]
    fn a_plain_value_is_refused_and_not_repeated() {
        let wrong = plan("hunter2").unwrap_err().to_string();
        assert!(wrong.contains("`env:NAME`, `file:PATH` or `ask`") && !wrong.contains("hunter2"), "{wrong}");
    }

    #[test]
    fn what_cannot_be_had_or_kept_is_told_before_anything_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        let of_file = format!("file:{}", file.display());
        let told = |var: &str, value: Option<&str>| {
            let never = |_| panic!("nobody is asked");
            read_with(&plan(var).unwrap(), |_| value.map(str::to_owned), never).unwrap_err().to_string()
        };
        assert!(told("env:TOKEN", None).contains("export it"));
        assert!(told("env:TOKEN", Some("abc")).contains("fewer than 4"));
        assert!(told("env:TOKEN", Some("a\0bcd")).contains("NUL"));
        assert!(told("env:TOKEN", Some("the join token")).contains("also stands in"));
        assert!(told(&of_file, None).contains("cannot be read"));
        std::fs::write(&file, "hunter2\n").unwrap();
        let mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o640);
        assert!(told(&of_file, None).contains("chmod 600"));
        mode(0o600);
        let secrets = read_with(&plan(&of_file).unwrap(), |_| None, |_| Ok("opensesame".into())).unwrap();
        assert_eq!(secrets["a"]["token"], Secret::new("hunter2"));
    }
}
