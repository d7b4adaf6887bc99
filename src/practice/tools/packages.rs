//! Package managers: `pacman` of local files, `apt-get` with `apt-mark` and `dpkg-query`, `dnf install`, `rpm -q`.
//!
//! A package file holds one line, `NAME VERSION`.

use std::time::Duration;

use super::{Call, Exit};

fn package_file(call: &Call<'_>, path: &str) -> Option<(String, String)> {
    let text = call.disk.text(call.path(path))?;
    let (name, version) = text.lines().next()?.split_once(' ')?;
    Some((name.to_owned(), version.to_owned()))
}

fn installed(call: &Call<'_>, package: &str) -> Option<String> {
    call.machine(|machine| machine.software.packages.get(package).cloned())
}

async fn unreadable(call: &Call<'_>, file: &str) -> Exit {
    call.fail(format!("error: could not load package '{file}': could not find or read package"), 1).await
}

pub(super) async fn pacman(call: &Call<'_>) -> Exit {
    let operation =
        call.args().find(|arg| arg.starts_with('-') && !arg.starts_with("--")).unwrap_or_default().to_owned();
    let operands: Vec<String> = call.operands().into_iter().map(str::to_owned).collect();
    match operation.as_str() {
        "-Q" => {
            for package in &operands {
                match installed(call, package) {
                    Some(version) => call.out(format!("{package} {version}\n")).await?,
                    None => return call.fail(format!("error: package '{package}' was not found"), 1).await,
                }
            }
            Ok(0)
        }
        "-Qp" => {
            for file in &operands {
                match package_file(call, file) {
                    Some((name, version)) => call.out(format!("{name} {version}\n")).await?,
                    None => return unreadable(call, file).await,
                }
            }
            Ok(0)
        }
        "-U" => {
            let mut packages = Vec::new();
            call.out("loading packages...\n").await?;
            for file in &operands {
                match package_file(call, file) {
                    Some(package) => packages.push(package),
                    None => return unreadable(call, file).await,
                }
            }
            if !call.has("--noconfirm") {
                call.out(":: Proceed with installation? [Y/n] ").await?;
                return Ok(1);
            }
            let count = packages.len();
            for (number, (name, version)) in packages.into_iter().enumerate() {
                let old = installed(call, &name);
                let verb = if old.is_some() { "upgrading" } else { "installing" };
                call.progress(format!("({}/{count}) {verb} {name}...", number + 1)).await?;
                tokio::time::sleep(Duration::from_millis(900)).await;
                call.machine(|machine| machine.software.install(&name, &version));
            }
            call.machine(super::Machine::daemon_reload);
            call.say(":: Running post-transaction hooks...\n(1/1) Reloading system manager configuration...\n").await
        }
        other => call.fail(format!("error: invalid option '{other}'"), 1).await,
    }
}

pub(super) async fn apt_get(call: &Call<'_>) -> Exit {
    let operands: Vec<String> = call.operands().into_iter().map(str::to_owned).collect();
    let Some((verb, packages)) = operands.split_first() else { return Ok(0) };
    if verb == "update" {
        tokio::time::sleep(Duration::from_secs(2)).await;
        return call.say("Reading package lists... Done\n").await;
    }
    if verb != "install" {
        return call.fail(format!("E: Invalid operation {verb}"), 100).await;
    }
    for wanted in packages {
        let (name, version) = wanted.split_once('=').unwrap_or((wanted, ""));
        let offered = call.world(|world| world.offers.packages.get(name).cloned()).unwrap_or_default();
        let fits = |offer: &&String| match version.strip_suffix('*') {
            Some(start) => offer.starts_with(start),
            None => version.is_empty() || *offer == version,
        };
        let Some(version) = offered.iter().find(fits).cloned() else {
            return call.fail(format!("E: Version '{version}' for '{name}' was not found"), 100).await;
        };
        let held = call.disk.exists(format!("/var/lib/dpkg/held/{name}"));
        if held && !call.has("--allow-change-held-packages") {
            return call
                .fail("E: Held packages were changed and -y was used without --allow-change-held-packages.", 100)
                .await;
        }
        call.progress(format!("Setting up {name} ({version}) ...")).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        call.machine(|machine| machine.software.install(name, &version));
    }
    Ok(0)
}

/// `dnf install -y NAME[-VERSION]...`, which goes to an older version as well where one is named. As dnf 4.14 does it.
pub(super) async fn dnf(call: &Call<'_>) -> Exit {
    let operands: Vec<String> = call.operands().into_iter().map(str::to_owned).collect();
    let Some((verb, wanted)) = operands.split_first() else { return Ok(1) };
    if verb != "install" {
        return call.fail(format!("No such command: {verb}. Please use /usr/bin/dnf --help"), 1).await;
    }
    for wanted in wanted {
        let found = call.world(|world| {
            world.offers.packages.iter().find_map(|(name, versions)| {
                let version = match wanted.strip_prefix(name.as_str())? {
                    "" => versions.first(),
                    rest => versions.iter().find(|version| version.split('-').next() == rest.strip_prefix('-')),
                };
                Some((name.clone(), version?.clone()))
            })
        });
        let Some((name, version)) = found else {
            let text = format!("No match for argument: {wanted}\nError: Unable to find a match: {wanted}");
            return call.fail(text, 1).await;
        };
        // The repository of Kubernetes is written so that an ordinary update leaves it alone.
        if name.starts_with("kube") && !call.has("--disableexcludes=kubernetes") {
            let text = format!(
                "All matches were filtered out by exclude filtering for argument: {wanted}\nError: Unable to find a match: {wanted}"
            );
            return call.fail(text, 1).await;
        }
        call.progress(format!("  Upgrading        : {name}-{version}.x86_64")).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        call.machine(|machine| machine.software.install(&name, &version));
        call.say("Complete!\n").await?;
    }
    Ok(0)
}

pub(super) async fn apt_mark(call: &Call<'_>) -> Exit {
    let operands: Vec<String> = call.operands().into_iter().map(str::to_owned).collect();
    let Some((verb, packages)) = operands.split_first() else { return Ok(0) };
    for package in packages {
        let path = format!("/var/lib/dpkg/held/{package}");
        match verb.as_str() {
            "hold" => call.disk.put(&path, ""),
            "unhold" => call.disk.delete(&path),
            _ => {}
        }
    }
    if verb == "showhold" {
        let names = call.disk.names("/var/lib/dpkg/held").join("\n");
        return call.say(format!("{names}\n")).await;
    }
    Ok(0)
}

/// `dpkg-query -W -f FORMAT NAME`, of which the probe's format is known.
pub(super) async fn dpkg_query(call: &Call<'_>) -> Exit {
    let Some(name) = call.args().last().map(str::to_owned) else { return Ok(2) };
    match installed(call, &name) {
        Some(version) => call.say(format!("ii |{name} {version}\n")).await,
        None => call.fail(format!("dpkg-query: no packages found matching {name}"), 1).await,
    }
}

/// `rpm -q [--qf FORMAT] NAME...`.
pub(super) async fn rpm(call: &Call<'_>) -> Exit {
    let mut exit = 0;
    if call.has("-qa") {
        return Ok(0);
    }
    let names = call.operands_beside(&["--qf", "--queryformat"]);
    let formatted = call.has("--qf") || call.has("--queryformat");
    for name in names {
        match installed(call, name) {
            Some(version) if formatted => call.out(format!("{name} {version}\n")).await?,
            Some(version) => call.out(format!("{name}-{version}.x86_64\n")).await?,
            None => {
                call.out(format!("package {name} is not installed\n")).await?;
                exit = 1;
            }
        }
    }
    Ok(exit)
}
