//! `atomic` 1.18 and later, as far as system containers go.

use std::time::Duration;

use serde_json::json;

use super::super::software::SystemContainer;
use super::{Call, Exit, Machine};

/// Programs that a system container puts on the host, besides running its own.
pub(in super::super) fn brings(container: &str) -> &'static [&'static str] {
    match container {
        "etcd" => &["etcdctl"],
        "kube-apiserver" => &["kubectl"],
        "kubelet" => &["kubelet"],
        _ => &[],
    }
}

pub(super) async fn run(call: &Call<'_>) -> Exit {
    let words = call.operands_beside(&["--name", "--set", "--storage", "--system-package", "--rebase", "-n"]);
    match words.as_slice() {
        [] if call.has("--version") => {
            let version = call.machine(|machine| machine.software.programs.get("atomic").cloned()).unwrap_or_default();
            call.say(format!("{version}\n")).await
        }
        ["pull", image] => pull(call, image).await,
        ["install", image, ..] => install(call, image).await,
        ["uninstall", name] => uninstall(call, name).await,
        ["containers", "list"] => list(call).await,
        ["containers", "update", name] => update(call, name).await,
        ["containers", "rollback", name] => rollback(call, name).await,
        ["images", "list"] => images(call).await,
        _ => call.fail(format!("atomic: unknown command: {}", words.join(" ")), 2).await,
    }
}

async fn pull(call: &Call<'_>, image: &str) -> Exit {
    let Some(version) = call.world(|world| world.offers.images.get(image).cloned()) else {
        return call.fail(format!("Unable to find {image}"), 1).await;
    };
    if call.option("--storage", None) != Some("ostree") {
        // The images of the time bear no label that would say where they belong: this goes to docker.
        return call.say(format!("Pulling {image} ...\n")).await;
    }
    for layer in 1..=2 {
        call.progress(format!("Pulling layer {layer:x}3ad9c4f2be1")).await?;
        tokio::time::sleep(Duration::from_millis(800)).await;
    }
    call.machine(|machine| machine.images.insert(image.into(), version));
    Ok(0)
}

/// The unit file that a system container brings.
pub(in super::super) fn container_unit(name: &str) -> String {
    let (kind, requires) = match name {
        "flanneld" => ("notify", ""),
        "kubelet" => ("simple", "Requires=docker.service\n"),
        _ => ("simple", ""),
    };
    let environment = match name {
        "etcd" => "EnvironmentFile=-/etc/etcd/etcd.conf\n",
        _ => "",
    };
    format!(
        "[Unit]\nDescription={name} (system container)\n{requires}[Service]\nType={kind}\n{environment}ExecStart=/bin/runc --systemd-cgroup run {name}\nRestart=on-failure\nWorkingDirectory=/var/lib/containers/atomic/{name}\n[Install]\nWantedBy=multi-user.target\n"
    )
}

async fn install(call: &Call<'_>, image: &str) -> Exit {
    if !call.has("--system") {
        return call.fail("this practice host installs system containers only", 1).await;
    }
    let default = image.rsplit('/').next().unwrap_or(image).to_owned();
    let name = call.option("--name", None).map_or(default, str::to_owned);
    if call.machine(|machine| machine.containers.contains_key(&name)) {
        return call.say(format!("{name} already present\n")).await;
    }
    let file = format!("/etc/systemd/system/{name}.service");
    if call.disk.exists(&file) {
        return call.fail(format!("The file {file} already exists."), 1).await;
    }
    let held = call.machine(|machine| machine.images.get(image).cloned());
    let Some(version) = held.or_else(|| call.world(|world| world.offers.images.get(image).cloned())) else {
        return call.fail(format!("Unable to find {image}"), 1).await;
    };
    call.progress(format!("Extracting to /var/lib/containers/atomic/{name}.0")).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    call.disk.put(&file, container_unit(&name));
    call.disk.put(format!("/etc/tmpfiles.d/{name}.conf"), format!("d /var/lib/{name}/{name}.{name} 0700 root root\n"));
    call.disk.put(
        format!("/var/lib/containers/atomic/{name}.0/info"),
        format!("{{\"image\": \"{image}\", \"version\": \"{version}\"}}\n"),
    );
    for (path, text) in defaults(&name) {
        if call.disk.exists(*path) {
            call.out(format!("File {path} already exists.\n")).await?;
        } else {
            call.disk.put(*path, *text);
            call.out(format!("Created file {path}\n")).await?;
        }
    }
    if name == "etcd" {
        call.disk.make_dir("/var/lib/etcd/etcd.etcd");
        call.disk.own("/var/lib/etcd/etcd.etcd", Some("root"), Some(0o700));
    }
    if name == "flanneld" {
        call.disk.put(
            "/etc/systemd/system/docker.service.d/flanneld.conf",
            "[Unit]\nRequires=flanneld.service\n[Service]\nEnvironmentFile=-/run/flannel/subnet.env\n",
        );
    }
    call.machine(|machine| {
        machine.images.insert(image.into(), version.clone());
        for program in brings(&name) {
            machine.software.programs.insert((*program).into(), version.clone());
        }
        machine
            .containers
            .insert(name.clone(), SystemContainer { image: image.into(), slots: [Some(version), None], active: 0 });
        machine.disk.link(super::super::units::wants(&format!("{name}.service")), file);
        machine.daemon_reload();
    });
    call.say(format!(
        "systemctl daemon-reload\nsystemd-tmpfiles --create /etc/tmpfiles.d/{name}.conf\nsystemctl enable {name}\n"
    ))
    .await
}

/// Configuration that an image installs where none is there.
fn defaults(name: &str) -> &'static [(&'static str, &'static str)] {
    match name {
        "etcd" => &[("/etc/etcd/etcd.conf", "ETCD_NAME=default\nETCD_INITIAL_CLUSTER_STATE=new\n")],
        "kube-apiserver" => &[("/etc/kubernetes/apiserver", "KUBE_API_ARGS=\"\"\n")],
        "kubelet" => &[("/etc/kubernetes/kubelet", "KUBELET_ARGS=\"\"\n")],
        _ => &[],
    }
}

async fn uninstall(call: &Call<'_>, name: &str) -> Exit {
    if !call.machine(|machine| machine.containers.contains_key(name)) {
        return call.fail(format!("Error: System container '{name}' is not installed"), 1).await;
    }
    let unit = format!("{name}.service");
    call.world(|world| world.stop_unit(call.host, &unit, &format!("uninstalling {name} on {}", call.host)));
    call.sim.until(|world| (!world.machine(call.host).is_active(&unit)).then_some(())).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    call.machine(|machine| {
        machine.containers.remove(name);
        machine.disk.delete(format!("/etc/systemd/system/{unit}"));
        machine.disk.delete(super::super::units::wants(&unit));
        machine.disk.delete(format!("/etc/tmpfiles.d/{name}.conf"));
        for slot in 0..2 {
            machine.disk.delete(format!("/var/lib/containers/atomic/{name}.{slot}"));
        }
        // What its unit takes away again when it stops.
        machine.disk.delete(format!("/etc/systemd/system/docker.service.d/{name}.conf"));
        machine.daemon_reload();
    });
    Ok(0)
}

async fn list(call: &Call<'_>) -> Exit {
    let rows = call.machine(|machine| {
        let rows = machine.containers.iter().map(|(name, container)| {
            let state = if machine.is_active(&format!("{name}.service")) { "running" } else { "inactive" };
            json!({"id": name, "name": name, "image_id": digest(container.version()), "image_name": container.image,
                "command": "", "created": "2017-11-20 08:00", "state": state, "backend": "ostree", "runtime": "/bin/runc",
                "vulnerable": false, "running": state == "running"})
        });
        rows.collect::<Vec<_>>()
    });
    call.say(format!("{}\n", json!(rows))).await
}

/// What stands for an image's id here.
fn digest(version: &str) -> String {
    let sum = version
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{sum:016x}").repeat(4)
}

/// Deploys what was pulled into the other place; what was there is gone. Files it had put into `/etc` are made anew.
async fn update(call: &Call<'_>, name: &str) -> Exit {
    let Some(container) = call.machine(|machine| machine.containers.get(name).cloned()) else {
        return call.fail(format!("Error: System container '{name}' is not installed"), 1).await;
    };
    let image = call.option("--rebase", None).map_or(container.image.clone(), str::to_owned);
    let Some(version) = call.machine(|machine| machine.images.get(&image).cloned()) else {
        return call.fail(format!("Error: image {image} was not pulled"), 1).await;
    };
    if version == container.version() && image == container.image {
        return call.say("Latest version already installed.\n").await;
    }
    let other = 1 - container.active;
    call.progress(format!("Extracting to /var/lib/containers/atomic/{name}.{other}")).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    for (path, text) in defaults(name) {
        call.disk.put(*path, *text);
    }
    switch(call, name, |held| {
        held.image = image;
        held.slots[other] = Some(version);
        held.active = other;
    })
    .await
}

async fn rollback(call: &Call<'_>, name: &str) -> Exit {
    let Some(container) = call.machine(|machine| machine.containers.get(name).cloned()) else {
        return call.fail(format!("Error: System container '{name}' is not installed"), 1).await;
    };
    let other = 1 - container.active;
    let place = format!("/var/lib/containers/atomic/{name}.{other}");
    if container.slots[other].is_none() {
        return call.fail(format!("Error: Cannot find a previous deployment to rollback located at {place}"), 1).await;
    }
    call.out(format!(
        "Attempting to roll back system container: {name}\nRolling back container {name} to the checkout at {place}\n"
    ))
    .await?;
    switch(call, name, |held| held.active = other).await
}

/// Changes a container; its service is stopped and started only if it ran.
async fn switch(call: &Call<'_>, name: &str, change: impl FnOnce(&mut SystemContainer)) -> Exit {
    let unit = format!("{name}.service");
    let ran = call.machine(|machine| machine.is_active(&unit));
    if ran {
        call.world(|world| world.stop_unit(call.host, &unit, &format!("updating {name} on {}", call.host)));
        call.sim.until(|world| (world.machine(call.host).unit(&unit).sub == "dead").then_some(())).await;
    }
    call.machine(|machine| {
        if let Some(held) = machine.containers.get_mut(name) {
            change(held);
            let version = held.version().to_owned();
            for program in brings(name) {
                machine.software.programs.insert((*program).into(), version.clone());
            }
        }
        Machine::daemon_reload(machine);
    });
    if ran {
        let _ = call.world(|world| world.start_unit(call.host, &unit));
    }
    Ok(0)
}

async fn images(call: &Call<'_>) -> Exit {
    let rows = call.machine(|machine| {
        let rows = machine
            .images
            .iter()
            .map(|(image, version)| json!({"repo": image, "tag": "latest", "id": digest(version), "type": "ostree"}));
        rows.collect::<Vec<_>>()
    });
    call.say(format!("{}\n", json!(rows))).await
}
