//! `rpm-ostree` 2017.9, and of `ostree` the remotes and pins.

use std::time::Duration;

use serde_json::json;

use super::super::faults::FaultKind;
use super::super::ostree::Tree;
use super::super::units::unit_of;
use super::{Call, Exit};

pub(super) async fn run(call: &Call<'_>) -> Exit {
    let words = call.operands_beside(&["--install", "--uninstall", "--os"]);
    match words.as_slice() {
        ["status"] => status(call).await,
        ["rebase", origin] => rebase(call, origin).await,
        ["upgrade"] => upgrade(call, None).await,
        ["deploy", version] => upgrade(call, Some(version)).await,
        ["install", packages @ ..] => layer(call, packages).await,
        ["rollback"] => {
            if call.machine(super::Machine::swap_deployments) {
                call.say("Moving '0715ce81064c.0' to be first deployment\nRun \"systemctl reboot\" to start a reboot\n")
                    .await
            } else {
                call.fail("error: No rollback deployment found", 1).await
            }
        }
        ["cleanup"] => {
            if call.has("-p") || call.has("--pending") {
                call.machine(super::Machine::drop_pending);
            }
            call.say("Transaction complete; bootconfig swap: yes deployment count change: -1\n").await
        }
        ["db", "diff", ..] | ["cancel" | "reload"] => Ok(0),
        _ => call.fail(format!("error: Unknown command: {}", words.join(" ")), 1).await,
    }
}

async fn status(call: &Call<'_>) -> Exit {
    let deployments = call.machine(|machine| {
        let Some(ostree) = &machine.ostree else { return Vec::new() };
        let rows = ostree.deployments.iter().enumerate().map(|(number, deployment)| {
            json!({
                "id": format!("fedora-atomic-{}.0", deployment.tree.checksum),
                "osname": "fedora-atomic", "serial": 0,
                "checksum": deployment.tree.checksum, "version": deployment.tree.version,
                "timestamp": 1_510_000_000, "origin": deployment.tree.origin,
                "booted": number == ostree.booted,
                "packages": deployment.layered, "requested-packages": deployment.requested,
                "unlocked": "none", "gpg-enabled": true
            })
        });
        rows.collect()
    });
    call.say(format!("{}\n", json!({"deployments": deployments, "transaction": null}))).await
}

fn asked(call: &Call<'_>, option: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut args = call.args();
    while let Some(arg) = args.next() {
        if arg == option {
            found.extend(args.next().map(str::to_owned));
        } else if let Some(value) = arg.strip_prefix(option).and_then(|rest| rest.strip_prefix('=')) {
            found.push(value.to_owned());
        }
    }
    found
}

/// What the next deployment is made from: the one that waits for the next boot, else the one that runs.
fn merged(call: &Call<'_>) -> Option<super::super::ostree::Deployment> {
    call.machine(|machine| machine.ostree.as_ref().and_then(|ostree| ostree.deployments.first().cloned()))
}

async fn rebase(call: &Call<'_>, origin: &str) -> Exit {
    let remote = origin.split(':').next().unwrap_or_default().to_owned();
    let known = call.machine(|machine| machine.ostree.as_ref().is_some_and(|ostree| ostree.remotes.contains(&remote)));
    if !known {
        return call.fail(format!("error: No remote named '{remote}' found in repo"), 1).await;
    }
    let Some(tree) = call.world(|world| world.offers.trees.get(origin).cloned()) else {
        return call.fail(format!("error: No such branch '{origin}' in repository summary"), 1).await;
    };
    let Some(now) = merged(call) else { return call.fail("error: Not an ostree host", 1).await };
    if now.tree.origin == origin {
        return call.fail(format!("error: Old and new refs are equal: {origin}"), 1).await;
    }
    let mut requested = now.requested;
    for package in asked(call, "--uninstall") {
        if !requested.contains(&package) {
            return call.fail(format!("error: Package/capability '{package}' is not currently requested"), 1).await;
        }
        requested.retain(|held| *held != package);
    }
    for package in asked(call, "--install") {
        if requested.contains(&package) {
            call.world(|world| world.machine(call.host).strikes(FaultKind::PackageGone));
            return call.fail(format!("error: Package/capability '{package}' is already requested"), 1).await;
        }
        requested.push(package);
    }
    deploy(call, tree, requested).await
}

async fn upgrade(call: &Call<'_>, version: Option<&str>) -> Exit {
    let Some(now) = merged(call) else { return call.fail("error: Not an ostree host", 1).await };
    let offered = call.world(|world| world.offers.trees.get(&now.tree.origin).cloned());
    if call.machine(|machine| machine.is_active("zincati.service")) && !call.has("--bypass-driver") {
        return call.fail("error: Updates and deployments are driven by Zincati\nSee Zincati's documentation\nUse --bypass-driver to bypass Zincati and perform the operation anyways", 1).await;
    }
    if let Some(version) = version
        && offered.as_ref().is_none_or(|tree| tree.version != version)
    {
        return call.fail(format!("error: No such version {version} in the remote"), 1).await;
    }
    let Some(tree) = offered.filter(|tree| tree.checksum != now.tree.checksum) else {
        call.out("No upgrade available.\n").await?;
        return Ok(if call.has("--check") || call.has("--preview") || call.has("--upgrade-unchanged-exit-77") {
            77
        } else {
            0
        });
    };
    if call.has("--check") || call.has("--preview") {
        return call.say(format!("AvailableUpdate:\n        Version: {}\n", tree.version)).await;
    }
    deploy(call, tree, now.requested).await
}

async fn layer(call: &Call<'_>, packages: &[&str]) -> Exit {
    let Some(now) = merged(call) else { return call.fail("error: Not an ostree host", 1).await };
    if let Some(already) = packages.iter().find(|package| now.requested.iter().any(|held| held == *package)) {
        return call.fail(format!("error: Package/capability '{already}' is already requested"), 1).await;
    }
    let base = call.world(|world| world.offers.trees.get(&now.tree.origin).cloned());
    let base = base.filter(|tree| tree.checksum == now.tree.checksum).unwrap_or(now.tree);
    let mut requested = now.requested;
    requested.extend(packages.iter().map(|package| (*package).to_owned()));
    deploy(call, base, requested).await
}

async fn deploy(call: &Call<'_>, mut tree: Tree, requested: Vec<String>) -> Exit {
    if let Some(package) = call.disk.text("/var/lib/lockkeeper-practice/package-gone") {
        let package = package.trim().to_owned();
        if requested.contains(&package) {
            return call.fail(format!("error: The following packages are not found: {package}"), 1).await;
        }
    }
    let mut layered = Vec::new();
    for package in &requested {
        if tree.software.packages.contains_key(package) {
            call.out(format!("Inactive requests:\n  {package} (already provided)\n")).await?;
            continue;
        }
        let key = format!("{}/{package}", tree.version.split('.').next().unwrap_or_default());
        let Some(version) = call.world(|world| world.offers.packages.get(&key).and_then(|list| list.first().cloned()))
        else {
            return call.fail(format!("error: The following packages are not found: {package}"), 1).await;
        };
        tree.software.install(package, &version);
        for program in super::super::software::programs_of(package) {
            tree.units.extend(unit_of(program).map(|text| (format!("{program}.service"), text)));
        }
        layered.push(package.clone());
    }
    call.progress("2684 metadata, 15674 content objects fetched; 423335 KiB transferred in 191 seconds").await?;
    tokio::time::sleep(Duration::from_secs(8)).await;
    if !layered.is_empty() {
        call.progress(format!("Checking out packages ({0}/{0})... done", layered.len())).await?;
    }
    call.machine(|machine| machine.deploy(tree, requested, layered));
    call.say("Copying /etc changes: 23 modified, 0 removed, 57 added\nTransaction complete; bootconfig swap: yes deployment count change: 1\nRun \"systemctl reboot\" to start a reboot\n").await
}

/// `ostree remote add|list`, `ostree admin pin`.
pub(super) async fn ostree(call: &Call<'_>) -> Exit {
    let words: Vec<String> = call.operands().into_iter().map(str::to_owned).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["remote", "list"] => {
            let remotes = call
                .machine(|machine| machine.ostree.as_ref().map(|ostree| ostree.remotes.join("\n")))
                .unwrap_or_default();
            call.say(format!("{remotes}\n")).await
        }
        ["remote", "add", rest @ ..] => {
            let Some(name) =
                rest.iter().find(|word| !word.contains('=') && !word.contains("://")).map(|word| (*word).to_owned())
            else {
                return call.fail("error: NAME and URL must be specified", 1).await;
            };
            let known =
                call.machine(|machine| machine.ostree.as_ref().is_some_and(|ostree| ostree.remotes.contains(&name)));
            if known && !call.has("--if-not-exists") {
                return call.fail(format!("error: Remote configuration for \"{name}\" already exists"), 1).await;
            }
            if !known {
                call.machine(|machine| machine.ostree.as_mut().map(|ostree| ostree.remotes.push(name)));
            }
            Ok(0)
        }
        _ => Ok(0),
    }
}
