//! `ignition convert|lint`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use color_eyre::eyre::Result;
use jiff::Timestamp;

use super::{complain, given, print, printable, refuse, runtime};
use crate::cli::{Ignition as Args, Reading};
use crate::documents::Source;
use crate::hosts::{Links, observe};
use crate::ignition::{self, Fate, Finding, Grade, Linted, Migration, Settings, UserData};
use crate::model::harm::Target;
use crate::model::{Facts, HostName};
use crate::probe::Request;
use crate::yaml::{Document, Problem, Problems};

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let (Args::Convert { file, .. } | Args::Lint { file, .. }) = args;
    let document = match read(file) {
        Ok(document) => document,
        Err(code) => return Ok(code),
    };
    match args {
        Args::Convert { spec, reading, strict, pretty, .. } => {
            convert(&document, &settings(spec, reading), *strict, *pretty)
        }
        Args::Lint { reading, os, release, host, inventory, .. } => {
            let linted = match linted(&document, &settings(ignition::DEFAULT_SPEC, reading)) {
                Ok(linted) => linted,
                Err(problems) => return Ok(refuse(&problems)),
            };
            let seen = match host.as_ref().zip(inventory.as_deref()) {
                None => None,
                Some((host, inventory)) => match look(host, inventory, &linted)? {
                    Ok(facts) => Some(facts),
                    Err(code) => return Ok(code),
                },
            };
            let told = seen.as_ref().and_then(|facts| facts.os.as_ref()).map(|os| (&*os.id, &*os.version));
            lint(&document, &linted, told.or(os.as_deref().zip(release.as_deref())), seen.as_ref())
        }
    }
}

fn read(file: &Path) -> Result<Document, ExitCode> {
    Source::read(file).map(|source| source.document).map_err(|problems| refuse(&problems))
}

fn settings<'a>(spec: &'a str, reading: &'a Reading) -> Settings<'a> {
    Settings { spec, platform: reading.platform.as_deref(), files_dir: reading.files_dir.as_deref() }
}

fn convert(document: &Document, settings: &Settings<'_>, strict: bool, pretty: bool) -> Result<ExitCode> {
    match ignition::user_data(&document.text) {
        UserData::Other => {}
        UserData::CloudConfig | UserData::Script | UserData::Ignition | UserData::Foreign => {
            return match ignition::migrate(document) {
                Ok(migration) => {
                    print(&migration.draft)?;
                    complain(&notes(document, &migration));
                    Ok(ExitCode::SUCCESS)
                }
                Err(problems) => Ok(refuse(&problems)),
            };
        }
    }
    let transpile = |settings: &Settings<'_>| {
        if strict {
            ignition::convert(document, settings).map(|converted| (converted, Problems::default()))
        } else {
            ignition::transpile(document, settings)
        }
    };
    match transpile(settings) {
        Ok((converted, warnings)) => {
            for warning in &warnings.0 {
                complain(&format!("warning: {warning}"));
            }
            match warnings.0.len() {
                0 => {}
                1 => complain("\n1 warning; with `--strict` it is an error"),
                count => complain(&format!("\n{count} warnings; with `--strict` they are errors")),
            }
            print(&if pretty { format!("{:#}\n", converted.json) } else { format!("{}\n", converted.json) })?;
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => {
            let code = refuse(&problems);
            let newer = ignition::SPECS.into_iter().filter(|spec| *spec > settings.spec);
            if let Some(spec) = newer.into_iter().find(|spec| transpile(&Settings { spec, ..*settings }).is_ok()) {
                let taken = ignition::SPECS.join(", ");
                complain(&format!(
                    "Spec {spec} can say all of it: use `--spec {spec}` if the hosts' Ignition reads that (`--spec` takes {taken})."
                ));
            }
            Ok(code)
        }
    }
}

/// What becomes of a cloud-config, line by line, and what to do about it.
fn notes(document: &Document, migration: &Migration) -> String {
    let name = &document.name;
    let mut text = format!("{name}: a cloud-config, of which a Container Linux Config was drafted\n\n");
    let width = migration.notes.iter().map(|note| note.path.chars().count()).max().unwrap_or_default();
    for note in &migration.notes {
        let (word, line) = (note.fate.word(), note.place.line);
        _ = writeln!(text, "{word:<8} line {line:>4}  {:<width$}  {}", note.path, note.what);
    }
    let count = |fate| migration.notes.iter().filter(|note| note.fate == fate).count();
    _ = write!(
        text,
        "\n{} carried over, {} to change by hand, {} lost; {} to remove from the cloud-config, which would otherwise \
         work against the new config at every boot.\nRead the draft, convert it, and look through it with `ignition lint` before a host gets it.",
        count(Fate::Carried),
        count(Fate::Change),
        count(Fate::Lost),
        count(Fate::Remove),
    );
    text
}

fn linted(document: &Document, settings: &Settings<'_>) -> Result<Linted, Problems> {
    match ignition::user_data(&document.text) {
        UserData::Ignition | UserData::Other => ignition::lint_document(document, settings),
        UserData::CloudConfig | UserData::Script | UserData::Foreign => {
            let message = "is neither an Ignition config nor a Container Linux Config; of a cloud-config, `ignition convert` \
                           drafts one";
            Err(Problem::of(&*document.name, message).into())
        }
    }
}

/// One look at a host, at its devices and at the paths that were found in the config.
fn look(name: &HostName, inventory: &Path, linted: &Linted) -> Result<Result<Facts, ExitCode>> {
    let inventory = match given::inventory(inventory) {
        Ok((inventory, _)) => inventory,
        Err(problems) => return Ok(Err(refuse(&problems))),
    };
    let Some(host) = inventory.host(name) else {
        let known: Vec<&str> = inventory.hosts.iter().map(|host| host.name.as_str()).collect();
        complain(&format!("the inventory has no host `{name}`; it has: {}", known.join(", ")));
        return Ok(Err(ExitCode::from(super::BAD_INPUT)));
    };
    let paths = linted.findings.iter().flat_map(|finding| &finding.part.targets).filter_map(|target| match target {
        Target::Path(path) => Some(path.clone()),
        Target::Disk(_) | Target::Partition { .. } | Target::Device(_) => None,
    });
    let data = ["/var/lib/etcd2/member", "/var/lib/etcd/member"].map(str::to_owned);
    let request = Request { devices: true, paths: paths.chain(data).collect(), ..Request::default() };
    let runtime = runtime()?;
    let told = runtime.block_on(async {
        let links = Links::new()?;
        let seen = observe(&inventory, host, &links);
        let told = match seen.connect().await {
            Ok(()) => {
                let asked = Timestamp::now();
                let probed = seen.probe(&request.script(), Duration::from_secs(20)).await;
                probed.map(|probed| crate::probe::parse(&probed.output, Some(asked + probed.within)))
            }
            Err(error) => Err(error),
        };
        links.close().await;
        Ok::<_, color_eyre::Report>(told)
    });
    runtime.shutdown_background();
    Ok(told?.map_err(|error| {
        complain(&error.to_string());
        ExitCode::FAILURE
    }))
}

fn lint(document: &Document, linted: &Linted, host: Option<(&str, &str)>, seen: Option<&Facts>) -> Result<ExitCode> {
    let unreadable = host.and_then(|(id, version)| ignition::spec_readable(&linted.spec, id, version).err());
    print(&printable(&table(document, linted, host, unreadable.as_deref(), seen)))?;
    let clean = linted.findings.is_empty() && unreadable.is_none();
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn table(
    document: &Document,
    linted: &Linted,
    host: Option<(&str, &str)>,
    unreadable: Option<&str>,
    seen: Option<&Facts>,
) -> String {
    let name = &document.name;
    let mut text = String::new();
    let width = linted.findings.iter().map(|finding| finding.part.path.chars().count()).max().unwrap_or_default();
    for Finding { part, place } in &linted.findings {
        let grade = match part.grade {
            Grade::Refuse => "refuse",
            Grade::Check => "check",
        };
        let line = place.map_or_else(String::new, |place| format!("line {:>4}", place.line));
        _ = writeln!(text, "{grade:<6}  {line:<9}  {:<width$}  {}", part.path, part.what);
        // What the host has there tells more than what the config alone does.
        let told: Vec<Vec<String>> =
            seen.iter().flat_map(|facts| part.targets.iter().filter_map(|target| target.on(facts))).collect();
        match (&part.hits, told.as_slice()) {
            (None, []) => {}
            (Some(hits), []) => _ = writeln!(text, "{:width$}  hits {hits}", "", width = width + 19),
            (_, told) if told.iter().all(Vec::is_empty) => {
                _ = writeln!(text, "{:width$}  hits nothing that is there now", "", width = width + 19);
            }
            (_, told) => {
                for hit in told.iter().flatten() {
                    _ = writeln!(text, "{:width$}  hits {hit}", "", width = width + 19);
                }
            }
        }
    }
    let spec = &linted.spec;
    match (unreadable, host) {
        (Some(why), _) => _ = writeln!(text, "refuse  {why}"),
        (None, Some((id, version))) => _ = writeln!(text, "spec {spec} is read by {id} {version}"),
        (None, None) => _ = writeln!(text, "spec {spec}; `--os` and `--release` say whether a host reads it"),
    }
    let count = |grade| linted.findings.iter().filter(|finding| finding.part.grade == grade).count();
    match (count(Grade::Refuse), count(Grade::Check)) {
        (0, 0) => _ = writeln!(text, "{name}: nothing in it harms a host that has data"),
        (refuse, check) => {
            _ = writeln!(
                text,
                "{name}: {refuse} must not reach a host that has data, {check} must be compared with the host first"
            );
        }
    }
    text
}
