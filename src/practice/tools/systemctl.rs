//! `systemctl` of systemd 233.

use super::super::units::{ActiveState, UnitFile, wants};
use super::{Call, Exit, Machine};

/// What systemctl says when a unit's start job fails.
fn start_failed(name: &str) -> String {
    format!(
        "Job for {name} failed because the control process exited with error code.\n\
         See \"systemctl status {name}\" and \"journalctl -xe\" for details."
    )
}

fn full_name(name: &str) -> String {
    if name.contains('.') { name.into() } else { format!("{name}.service") }
}

pub(super) async fn run(call: &Call<'_>) -> Exit {
    let words = call.operands_beside(&["-p", "--property", "-n", "--lines", "-t", "--type"]);
    let Some((&verb, rest)) = words.split_first() else { return Ok(0) };
    let units: Vec<String> = rest.iter().map(|name| full_name(name)).collect();
    match verb {
        "show" => show(call, &units).await,
        "is-active" => is_active(call, &units).await,
        "is-enabled" => is_enabled(call, &units).await,
        "is-system-running" => {
            call.out("running\n").await?;
            Ok(0)
        }
        "start" => start(call, &units).await,
        "stop" => stop(call, &units).await,
        "restart" | "try-restart" => {
            let exit = stop(call, &units).await?;
            if exit == 0 { start(call, &units).await } else { Ok(exit) }
        }
        "status" => status(call, &units).await,
        "daemon-reload" => {
            call.machine(Machine::daemon_reload);
            Ok(0)
        }
        "reset-failed" => Ok(0),
        "reboot" => {
            call.world(|world| world.reboot(call.host, ""));
            Ok(0)
        }
        "enable" | "disable" | "mask" | "unmask" | "preset" | "preset-all" => change(call, verb, &units).await,
        _ => call.fail(format!("Unknown operation {verb}."), 1).await,
    }
}

async fn show(call: &Call<'_>, units: &[String]) -> Exit {
    let mut wanted: Vec<String> = Vec::new();
    let mut args = call.args();
    while let Some(arg) = args.next() {
        let list = match arg {
            "-p" | "--property" => args.next(),
            _ => arg.strip_prefix("--property=").or_else(|| arg.strip_prefix("-p")),
        };
        wanted.extend(list.into_iter().flat_map(|list| list.split(',')).map(str::to_owned));
    }
    let bare = call.has("--value");
    let text = call.machine(|machine| {
        let blocks: Vec<String> = units.iter().map(|unit| properties(machine, unit, &wanted, bare)).collect();
        blocks.join("\n")
    });
    call.out(text).await?;
    Ok(0)
}

fn properties(machine: &Machine, name: &str, wanted: &[String], bare: bool) -> String {
    let unit = machine.unit(name);
    let quoted = |pair: &String| if pair.contains(' ') { format!("\"{pair}\"") } else { pair.clone() };
    let environment: Vec<String> = unit.loaded.environment.iter().map(quoted).collect();
    let yes = |yes: bool| if yes { "yes" } else { "no" };
    let all = [
        ("Id", name.to_owned()),
        ("LoadState", unit.loaded.load.into()),
        ("ActiveState", unit.active.word().into()),
        ("SubState", if unit.sub.is_empty() { "dead".into() } else { unit.sub.to_owned() }),
        ("UnitFileState", machine.unit_file_state(name).into()),
        ("UnitFilePreset", if machine.preset(name) { "enabled" } else { "disabled" }.into()),
        ("FragmentPath", unit.loaded.path.clone()),
        ("DropInPaths", unit.loaded.drop_ins.join(" ")),
        ("NeedDaemonReload", yes(machine.needs_reload(name)).into()),
        ("MainPID", unit.pid.to_string()),
        ("Result", if unit.sub == "auto-restart" { "exit-code" } else { "success" }.into()),
        (
            "InvocationID",
            if unit.pid > 0 { format!("{:032x}", unit.pid * 7919 + unit.run as i64) } else { String::new() },
        ),
        ("Environment", environment.join(" ")),
        ("Conflicts", unit.loaded.conflicts.join(" ")),
        ("Type", if name.starts_with("etcd") { "notify" } else { "simple" }.into()),
    ];
    // A property that this systemd does not know (NRestarts came with 235) is not printed at all.
    let chosen: Vec<&(&str, String)> = if wanted.is_empty() {
        all.iter().collect()
    } else {
        wanted.iter().filter_map(|name| all.iter().find(|(known, _)| known == name)).collect()
    };
    chosen.iter().map(|(name, value)| if bare { format!("{value}\n") } else { format!("{name}={value}\n") }).collect()
}

async fn is_active(call: &Call<'_>, units: &[String]) -> Exit {
    let states: Vec<ActiveState> = call.machine(|machine| units.iter().map(|unit| machine.unit(unit).active).collect());
    if !call.has("--quiet") && !call.has("-q") {
        for state in &states {
            call.out(format!("{}\n", state.word())).await?;
        }
    }
    Ok(if states.contains(&ActiveState::Active) { 0 } else { 3 })
}

async fn is_enabled(call: &Call<'_>, units: &[String]) -> Exit {
    let mut exit = 1;
    for unit in units {
        let state = call.machine(|machine| machine.unit_file_state(unit));
        if state.is_empty() {
            call.err(format!("Failed to get unit file state for {unit}: No such file or directory\n")).await?;
        } else {
            call.out(format!("{state}\n")).await?;
        }
        if state == "enabled" {
            exit = 0;
        }
    }
    Ok(exit)
}

async fn status(call: &Call<'_>, units: &[String]) -> Exit {
    let mut exit = 0;
    for name in units {
        let (unit, file_state) = call.machine(|machine| (machine.unit(name), machine.unit_file_state(name)));
        if unit.loaded.load == "not-found" {
            return call.fail(format!("Unit {name} could not be found."), 4).await;
        }
        let active = unit.active.word();
        let text = format!(
            "* {name}\n   Loaded: {} ({}; {file_state}; vendor preset: disabled)\n   Active: {active} ({})\n Main PID: {}\n",
            unit.loaded.load, unit.loaded.path, unit.sub, unit.pid
        );
        call.out(text).await?;
        if unit.active != ActiveState::Active {
            exit = 3;
        }
    }
    Ok(exit)
}

async fn start(call: &Call<'_>, units: &[String]) -> Exit {
    let reload: Vec<&String> = units.iter().filter(|unit| call.machine(|m| m.needs_reload(unit))).collect();
    for name in reload {
        let warning = format!("Warning: {name} changed on disk. Run 'systemctl daemon-reload' to reload units.\n");
        call.err(warning).await?;
    }
    for name in units {
        if let Err((text, exit)) = call.world(|world| world.start_unit(call.host, name)) {
            return call.fail(text, exit).await;
        }
    }
    if call.has("--no-block") {
        return Ok(0);
    }
    for name in units {
        let started = call
            .sim
            .until(|world| {
                let unit = world.machine(call.host).unit(name);
                match unit.active {
                    ActiveState::Active => Some(true),
                    ActiveState::Activating if unit.sub != "auto-restart" => None,
                    ActiveState::Activating | ActiveState::Inactive | ActiveState::Deactivating => Some(false),
                }
            })
            .await;
        if !started {
            return call.fail(start_failed(name), 1).await;
        }
    }
    Ok(0)
}

async fn stop(call: &Call<'_>, units: &[String]) -> Exit {
    for name in units {
        if call.machine(|machine| machine.unit(name).loaded.load == "not-found") {
            return call.fail(format!("Failed to stop {name}: Unit {name} not loaded."), 5).await;
        }
        call.world(|world| world.stop_unit(call.host, name, &format!("stopping {name} on {}", call.host)));
    }
    if !call.has("--no-block") {
        for name in units {
            call.sim
                .until(|world| (world.machine(call.host).unit(name).active != ActiveState::Deactivating).then_some(()))
                .await;
        }
    }
    Ok(0)
}

/// What changes links: systemd reads its files again afterwards, by itself.
async fn change(call: &Call<'_>, verb: &str, units: &[String]) -> Exit {
    let all = if verb == "preset-all" { call.machine(|machine| machine.unit_files()) } else { Vec::new() };
    for name in units.iter().chain(&all) {
        let state = call.machine(|machine| machine.unit_file_state(name));
        let own = if call.has("--runtime") {
            format!("/run/systemd/system/{name}")
        } else {
            format!("/etc/systemd/system/{name}")
        };
        let verb = match verb {
            "preset" | "preset-all" => {
                if call.machine(|machine| machine.preset(name)) {
                    "enable"
                } else {
                    "disable"
                }
            }
            verb => verb,
        };
        match (verb, state) {
            ("enable" | "disable", "") => {
                return call.fail(format!("Failed to {verb} unit: File {name}: No such file or directory"), 1).await;
            }
            ("enable", "masked") => return call.fail(format!("Failed to enable unit: Unit {own} is masked."), 1).await,
            ("enable", "disabled") => {
                let path = call.machine(|m| UnitFile::read(&m.disk, name, &m.id).path);
                call.disk.link(wants(name), &path);
                call.err(format!("Created symlink {} -> {path}.\n", wants(name))).await?;
            }
            ("disable", "enabled") => {
                call.disk.delete(wants(name));
                call.err(format!("Removed {}.\n", wants(name))).await?;
            }
            ("mask", "") => return call.fail(format!("Unit {name} does not exist, proceeding anyway."), 0).await,
            ("mask", "enabled" | "disabled") => {
                if call.disk.exists(&own) {
                    return call.fail(format!("Failed to mask unit: File {own} already exists."), 1).await;
                }
                call.disk.link(&own, "/dev/null");
                call.err(format!("Created symlink {own} -> /dev/null.\n")).await?;
            }
            ("unmask", "masked") => {
                call.disk.delete(&own);
                call.err(format!("Removed {own}.\n")).await?;
            }
            _ => {}
        }
    }
    call.machine(Machine::daemon_reload);
    if verb == "enable" && call.has("--now") {
        return start(call, units).await;
    }
    if verb == "disable" && call.has("--now") {
        return stop(call, units).await;
    }
    Ok(0)
}
