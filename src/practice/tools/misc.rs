//! Small tools: clock, versions, reboot, locksmith and the update engine.

use std::time::Duration;

use super::super::clock::Clock;
use super::{Call, Exit};

pub(super) async fn date(call: &Call<'_>) -> Exit {
    let format = call.args().find_map(|word| word.strip_prefix('+')).unwrap_or("%a %b %e %H:%M:%S %Z %Y");
    let now = call.world(|world| world.now);
    call.out(format!("{}\n", Clock::strftime(now, format))).await?;
    Ok(0)
}

/// Scripts run as root here; etcd's is the only other account that anybody asks for.
pub(super) async fn id(call: &Call<'_>) -> Exit {
    let (name, number) = match call.operands().as_slice() {
        [] | ["root"] => ("root", 0),
        ["etcd"] => ("etcd", 232),
        [other, ..] => return call.fail(format!("id: '{other}': no such user"), 1).await,
    };
    let letters: String = call.args().filter(|word| word.starts_with('-')).collect();
    let text = match (letters.contains('n'), letters.contains(['u', 'g'])) {
        (true, _) => format!("{name}\n"),
        (false, true) => format!("{number}\n"),
        (false, false) => format!("uid={number}({name}) gid={number}({name}) groups={number}({name})\n"),
    };
    call.out(text).await?;
    Ok(0)
}

pub(super) async fn sleep(call: &Call<'_>) -> Exit {
    let mut whole = Duration::ZERO;
    for word in call.args() {
        let (number, unit) = word.split_at(word.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(word.len()));
        let factor = match unit {
            "" | "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return call.fail(format!("sleep: invalid time interval '{word}'"), 1).await,
        };
        match number.parse::<f64>() {
            Ok(number) if number >= 0.0 => whole += Duration::from_secs_f64(number * factor),
            Ok(_) | Err(_) => return call.fail(format!("sleep: invalid time interval '{word}'"), 1).await,
        }
    }
    tokio::time::sleep(whole).await;
    Ok(0)
}

pub(super) fn reboot(call: &Call<'_>) -> i32 {
    call.world(|world| world.reboot(call.host, ""));
    0
}

/// What programs say of themselves, and nothing else.
pub(super) async fn version(call: &Call<'_>, name: &str) -> Exit {
    let version = call.machine(|machine| machine.software.programs.get(name).cloned()).unwrap_or_default();
    let text = match name {
        "etcd" | "etcd2" => {
            format!("etcd Version: {version}\nGit SHA: 7e4fc7e\nGo Version: go1.7.5\nGo OS/Arch: linux/amd64\n")
        }
        "kubelet" => format!("Kubernetes v{version}\n"),
        "crio" | "crictl" => format!("{name} version {version}\n"),
        "containerd" => format!("containerd github.com/containerd/containerd v{version} 1.7\n"),
        "docker" => format!("Docker version {version}, build 78d1802\n"),
        "flanneld" => format!("v{version}\n"),
        _ => String::new(),
    };
    call.out(text).await?;
    Ok(0)
}

/// `uname -nm`, or the system's name.
pub(super) async fn uname(call: &Call<'_>) -> Exit {
    let arch = if call.machine(|machine| machine.kernel_line.contains("aarch64")) { "aarch64" } else { "x86_64" };
    let text = match call.args().next() {
        Some("-nm") => format!("{} {arch}", call.host),
        Some("-m") => arch.to_owned(),
        Some("-n") => call.host.to_string(),
        Some("-r") => "4.14.0".to_owned(),
        Some(_) | None => "Linux".to_owned(),
    };
    call.out(format!("{text}\n")).await?;
    Ok(0)
}

/// `crictl version`, answered by the runtime that runs.
pub(super) async fn crictl(call: &Call<'_>) -> Exit {
    if call.has("--version") {
        return version(call, "crictl").await;
    }
    let words: Vec<String> = call.args().map(str::to_owned).collect();
    match words.first().map(String::as_str) {
        Some("ps") => return call.say("f7a1c0ffee\n").await,
        // In the etcd container, with the host's data directory.
        Some("exec") => return super::etcdctl3::run(call, call.host, &call.disk, &words[2..]).await,
        Some(_) | None => {}
    }
    let name = call.world(|world| world.kube_of(call.host).runtime);
    let version = call.machine(|machine| super::kubectl::runtime_version(machine));
    if version.is_empty() {
        return call.fail("FATA[0000] failed to connect: context deadline exceeded", 1).await;
    }
    call.out(format!(
        "Version:  0.1.0\nRuntimeName:  {name}\nRuntimeVersion:  {version}\nRuntimeApiVersion:  v1alpha1\n"
    ))
    .await?;
    Ok(0)
}

/// `openssl x509 -noout -enddate -in FILE`: a certificate here is a file with that line.
pub(super) async fn openssl(call: &Call<'_>) -> Exit {
    let file = call.option("-in", None).unwrap_or_default();
    match call.disk.text(call.path(file)) {
        Some(text) => {
            call.out(text).await?;
            Ok(0)
        }
        None => call.fail(format!("Can't open {file} for reading, No such file or directory"), 1).await,
    }
}

pub(super) async fn locksmithctl(call: &Call<'_>) -> Exit {
    if !call.world(|world| world.etcd_answers()) {
        return call
            .fail("Error initializing etcd client: client: etcd cluster is unavailable or misconfigured", 1)
            .await;
    }
    if call.operands().first() == Some(&"status") {
        call.out("Available: 1\nMax: 1\n").await?;
    }
    Ok(0)
}

/// The engine of Flatcar: `-status`, `-reset_status`, `-update`, `-check_for_update`. Nothing on Container Linux, whose
/// engine is idle.
async fn flatcar(call: &Call<'_>) -> bashkit::Result<Option<i32>> {
    let Some(updater) = call.machine(|machine| machine.updater.clone()) else { return Ok(None) };
    if call.has("-reset_status") {
        call.machine(|machine| {
            if let Some(updater) = &mut machine.updater {
                (updater.next, updater.operation) = (updater.booted, "IDLE");
            }
        });
    } else if call.has("-update") || call.has("-check_for_update") {
        if call.disk.text(UPDATE_CONF).is_some_and(|conf| conf.lines().any(|line| line == "SERVER=disabled")) {
            call.err("[0422/130000:ERROR:update_engine_client.cc(324)] Update failed.\n").await?;
            return Ok(Some(1));
        }
        tokio::time::sleep(Duration::from_secs(6)).await;
        call.machine(|machine| machine.updater.as_mut().map(|updater| updater.write(&updater.offered.clone())));
    } else {
        call.out(format!(
            "LAST_CHECKED_TIME=1492864800\nPROGRESS=0.0\nCURRENT_OP=UPDATE_STATUS_{}\nNEW_VERSION={}\nNEW_SIZE=0\n",
            updater.operation,
            if updater.operation == "IDLE" { "0.0.0" } else { &updater.partitions[updater.next] }
        ))
        .await?;
    }
    Ok(Some(0))
}

/// Where the update engine is told what server to ask.
const UPDATE_CONF: &str = "/etc/flatcar/update.conf";

/// `flatcar-update --to-version V`, which is a server to the engine for as long as it takes.
pub(super) async fn flatcar_update(call: &Call<'_>) -> Exit {
    let Some(version) = call.option("--to-version", Some("-V")).map(str::to_owned) else {
        return call.fail("Error: must specify --to-version", 1).await;
    };
    if !call.machine(|machine| machine.is_active("update-engine.service")) {
        return call.fail("Error: update-engine is not running", 1).await;
    }
    if call.machine(|machine| machine.updater.as_ref().is_some_and(|u| u.operation == "UPDATED_NEED_REBOOT")) {
        let text = "Error: a previously downloaded update wasn't applied yet, you can discard it with 'update_engine_client -reset_status'";
        return call.fail(text, 1).await;
    }
    if call.machine(|machine| machine.updater.as_ref().is_some_and(|updater| updater.offered != version)) {
        return call.fail(format!("Error: version {version} not found on the release server"), 1).await;
    }
    call.progress(format!("Downloading {version}")).await?;
    tokio::time::sleep(Duration::from_secs(8)).await;
    call.machine(|machine| machine.updater.as_mut().map(|updater| updater.write(&version)));
    call.say("Done, please reboot\n").await
}

/// `cgpt prioritize DEVICE`: of the two partitions for `/usr`, which boots. `cgpt find -t flatcar-usr` lists them.
pub(super) async fn cgpt(call: &Call<'_>) -> Exit {
    match call.operands().as_slice() {
        ["prioritize", device] => {
            let which = usize::from(device.ends_with('4'));
            call.machine(|machine| {
                if let Some(updater) = &mut machine.updater {
                    updater.next = which;
                }
            });
            Ok(0)
        }
        ["find", ..] => call.say("/dev/sda3\n/dev/sda4\n").await,
        _ => call.fail("usage: cgpt COMMAND", 1).await,
    }
}

/// `docker pull`, `docker tag`, `docker inspect`; containers of units are systemd's affair.
pub(super) async fn docker(call: &Call<'_>) -> Exit {
    let operands: Vec<String> = call.operands().into_iter().map(str::to_owned).collect();
    let words: Vec<&str> = operands.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["pull", image] => {
            let Some(version) = call.world(|world| world.offers.images.get(*image).cloned()) else {
                return call.fail(format!("Error: image {image} not found"), 1).await;
            };
            tokio::time::sleep(Duration::from_secs(2)).await;
            call.machine(|machine| machine.images.insert((*image).to_owned(), version));
            call.say(format!("Status: Downloaded newer image for {image}\n")).await
        }
        ["inspect", .., image] => {
            let held = call.machine(|machine| machine.images.get(*image).cloned());
            match held {
                Some(version) => {
                    call.say(format!("sha256:{:064x}\n", version.bytes().fold(7_u64, |sum, b| sum * 31 + u64::from(b))))
                        .await
                }
                None => call.fail(format!("Error: No such image, container or task: {image}"), 1).await,
            }
        }
        ["tag" | "rm" | "stop" | "ps", ..] => Ok(0),
        _ => version(call, "docker").await,
    }
}

pub(super) async fn update_engine_client(call: &Call<'_>) -> Exit {
    if !call.machine(|machine| machine.is_active("update-engine.service")) {
        let text = "[0422/130000:ERROR:update_engine_client.cc(236)] Error getting dbus proxy for com.coreos.update1";
        return call.fail(text, 1).await;
    }
    if let Some(exit) = flatcar(call).await? {
        return Ok(exit);
    }
    call.out(
        "LAST_CHECKED_TIME=1492864800\nPROGRESS=0.000000\nCURRENT_OP=UPDATE_STATUS_IDLE\nNEW_VERSION=0.0.0\nNEW_SIZE=0\n",
    )
    .await?;
    Ok(0)
}
