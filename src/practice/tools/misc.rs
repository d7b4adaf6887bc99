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
    let name = call.world(|world| world.kube.runtime);
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

pub(super) async fn update_engine_client(call: &Call<'_>) -> Exit {
    if !call.machine(|machine| machine.is_active("update-engine.service")) {
        let text = "[0422/130000:ERROR:update_engine_client.cc(236)] Error getting dbus proxy for com.coreos.update1";
        return call.fail(text, 1).await;
    }
    call.out(
        "LAST_CHECKED_TIME=1492864800\nPROGRESS=0.000000\nCURRENT_OP=UPDATE_STATUS_IDLE\nNEW_VERSION=0.0.0\nNEW_SIZE=0\n",
    )
    .await?;
    Ok(0)
}
