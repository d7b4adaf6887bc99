//! `kubeadm`: `version`, `upgrade plan`, `upgrade apply`, `upgrade node` of now and `upgrade node config` of 1.11 to 1.14.

use std::time::Duration;

use super::super::cluster::Release;
use super::{Call, Exit};

const MANIFESTS: &str = "/etc/kubernetes/manifests";

/// The etcd that kubeadm of a minor brings, and the tag its image has.
fn etcd_of(minor: u32) -> &'static str {
    match minor {
        0..=10 => "3.1.12",
        11 => "3.2.18",
        12 | 13 => "3.2.24",
        14 | 15 => "3.3.10",
        16..=21 => "3.4.13-0",
        22..=30 => "3.5.15-0",
        _ => "3.5.21-0",
    }
}

pub(super) async fn run(call: &Call<'_>) -> Exit {
    let words =
        call.operands_beside(&["-o", "--cri-socket", "--kubelet-version", "--config", "--kubeconfig", "--patches"]);
    let version = call.machine(|machine| machine.software.programs.get("kubeadm").cloned()).unwrap_or_default();
    match words.as_slice() {
        ["version"] => call.say(format!("v{version}\n")).await,
        ["upgrade", "plan", rest @ ..] => plan(call, &version, rest.first().copied()).await,
        ["upgrade", "apply", target] => apply(call, &version, target.trim_start_matches('v')).await,
        ["upgrade", "node", "config"] => node_config(call, &version).await,
        ["upgrade", "node"] => node(call, &version).await,
        ["certs", "check-expiration"] | ["alpha", "certs", "check-expiration"] => Ok(0),
        _ => call.fail(format!("error: unknown command: kubeadm {}", words.join(" ")), 1).await,
    }
}

fn minor(version: &str) -> u32 {
    version.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or(0)
}

/// The version of the API server that runs on this host, or anywhere.
fn cluster_version(call: &Call<'_>) -> Option<String> {
    call.world(|world| {
        let mut running: Vec<String> = world
            .machines
            .values()
            .filter(|machine| machine.up)
            .filter_map(|machine| machine.running("kube-apiserver").map(|unit| unit.version.clone()))
            .collect();
        running.sort_by_key(|version| Release::parse(version));
        running.pop()
    })
}

/// Why this version cannot be gone to, as kubeadm words it.
fn refused(call: &Call<'_>, kubeadm: &str, target: &str) -> Option<String> {
    let Some(current) = cluster_version(call) else {
        return Some("[upgrade/health] FATAL: the API Server is unhealthy; /healthz didn't return \"ok\"".into());
    };
    let mut errors = Vec::new();
    if minor(target) > minor(&current) + 1 {
        errors.push(format!(
            "Specified version to upgrade to \"v{target}\" is too high; kubeadm can upgrade only 1 minor version at a time"
        ));
    }
    if minor(target) > minor(kubeadm) {
        errors.push(format!(
            "Specified version to upgrade to \"v{target}\" is at least one minor release higher than the kubeadm minor release ({} > {}). Such an upgrade is not supported",
            minor(target), minor(kubeadm)
        ));
    }
    if minor(kubeadm) > minor(target) {
        errors.push(format!(
            "Kubeadm version v{kubeadm} can only be used to upgrade to Kubernetes version 1.{}",
            minor(kubeadm)
        ));
    }
    (!errors.is_empty()).then(|| {
        format!(
            "[upgrade/version] FATAL: the --version argument is invalid due to these fatal errors:\n\n\t- {}",
            errors.join("\n\t- ")
        )
    })
}

async fn plan(call: &Call<'_>, kubeadm: &str, target: Option<&str>) -> Exit {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let target = target.map_or(kubeadm, |target| target.trim_start_matches('v'));
    if let Some(why) = refused(call, kubeadm, target) {
        return call.fail(why, 1).await;
    }
    let current = cluster_version(call).unwrap_or_default();
    let etcd = (etcd_of(minor(&current)), etcd_of(minor(target)));
    let text = format!(
        "[preflight] Running pre-flight checks.\n[upgrade] Making sure the cluster is healthy:\n\
         [upgrade/versions] Cluster version: v{current}\n[upgrade/versions] kubeadm version: v{kubeadm}\n\n\
         Components that must be upgraded manually after you have upgraded the control plane with 'kubeadm upgrade apply':\n\
         COMPONENT   CURRENT       AVAILABLE\nKubelet     4 x v{current}   v{target}\n\n\
         COMPONENT            CURRENT   AVAILABLE\nAPI Server           v{current}   v{target}\n\
         Controller Manager   v{current}   v{target}\nScheduler            v{current}   v{target}\n\
         Etcd                 {}    {}\n\nYou can now apply the upgrade by executing the following command:\n\n\tkubeadm upgrade apply v{target}\n\n",
        etcd.0, etcd.1
    );
    call.say(text).await
}

/// Replaces the static pods of this host one by one.
async fn replace_pods(call: &Call<'_>, target: &str) -> Exit {
    for component in ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
        let path = format!("{MANIFESTS}/{component}.yaml");
        let Some(text) = call.disk.text(&path) else { continue };
        let tag = if component == "etcd" { etcd_of(minor(target)).to_owned() } else { format!("v{target}") };
        let new: Vec<String> = text
            .lines()
            .map(|line| match line.split_once("image: ") {
                Some((before, image)) => {
                    let name = image.rsplit_once(':').map_or(image, |(name, _)| name);
                    format!("{before}image: {name}:{tag}")
                }
                None => line.to_owned(),
            })
            .collect();
        let new = new.join("\n") + "\n";
        if new == text {
            call.out(format!(
                "[upgrade/staticpods] current and new manifests of {component} are equal, skipping upgrade\n"
            ))
            .await?;
            continue;
        }
        let backup = format!("/etc/kubernetes/tmp/kubeadm-backup-manifests/{component}.yaml");
        call.disk.put(&backup, text);
        call.disk.put(&path, new);
        call.progress(format!(
            "[upgrade/staticpods] Moved new manifest to \"{path}\" and backed up old manifest to \"{backup}\""
        ))
        .await?;
        let wanted = tag.trim_start_matches('v').split('-').next().unwrap_or_default().to_owned();
        let up = call.sim.until(|world| {
            let unit = world.machine(call.host).running(component)?;
            (unit.version == wanted).then_some(())
        });
        if tokio::time::timeout(Duration::from_secs(300), up).await.is_err() {
            return call.fail(
                "[upgrade/apply] FATAL: couldn't upgrade control plane. kubeadm has tried to recover everything into the earlier state. Errors faced: timed out waiting for the condition",
                1,
            ).await;
        }
        call.progress(format!("[upgrade/staticpods] Component \"{component}\" upgraded successfully!")).await?;
    }
    Ok(0)
}

async fn apply(call: &Call<'_>, kubeadm: &str, target: &str) -> Exit {
    if let Some(why) = refused(call, kubeadm, target) {
        return call.fail(why, 1).await;
    }
    let not_ready = call.world(|world| {
        world
            .machines
            .values()
            .filter(|machine| machine.roles.contains(&crate::model::Role::ControlPlane))
            .any(|machine| !machine.runs("kubelet"))
    });
    if not_ready {
        return call.fail("[upgrade/health] FATAL: there are NotReady masters in the cluster", 1).await;
    }
    if call.has("--dry-run") {
        return call.say("[dryrun] Finished dryrunning successfully!\n").await;
    }
    if !call.has("-y") && !call.has("--yes") && !call.has("-f") {
        call.out("[upgrade/confirm] Are you sure you want to proceed with the upgrade? [y/N]: ").await?;
        return call.fail("won't proceed; the user didn't answer (Y|y) in order to continue", 1).await;
    }
    call.progress(format!("[upgrade/version] You have chosen to change the cluster version to \"v{target}\"")).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    call.progress("[upgrade/prepull] Successfully prepulled the images for all the control plane components").await?;
    let exit = replace_pods(call, target).await?;
    if exit != 0 {
        return Ok(exit);
    }
    // Before 1.14 the flag has a default that is not what was written down before.
    let socket = call.option("--cri-socket", None).map(str::to_owned);
    call.world(|world| {
        world.kube_of(call.host).kubelet_configs.insert(format!("1.{}", minor(target)));
        let given = socket.or_else(|| (minor(target) < 14).then(|| "/var/run/dockershim.sock".to_owned()));
        if let Some(socket) = given {
            world.kube_of(call.host).node(call.host).cri_socket = Some(socket);
        }
    });
    write_kubelet_config(call, target);
    call.say(format!("[addons] Applied essential addon: CoreDNS\n[addons] Applied essential addon: kube-proxy\n\n[upgrade/successful] SUCCESS! Your cluster was upgraded to \"v{target}\". Enjoy!\n")).await
}

/// Overwrites what stands there, with no copy: local edits are gone.
fn write_kubelet_config(call: &Call<'_>, version: &str) {
    let driver = if minor(version) >= 22 { "systemd" } else { "cgroupfs" };
    let driver = call.disk.text("/var/lib/kubelet/cluster-cgroup-driver").unwrap_or_else(|| driver.into());
    let text = format!(
        "kind: KubeletConfiguration\ncgroupDriver: {}\nfailSwapOn: true\n# from kubelet-config-1.{}\n",
        driver.trim(),
        minor(version)
    );
    call.disk.put("/var/lib/kubelet/config.yaml", text);
}

async fn config_there(call: &Call<'_>, version: &str) -> Option<Exit> {
    let name = format!("1.{}", minor(version));
    if call.world(|world| world.kube_of(call.host).kubelet_configs.contains(&name)) {
        return None;
    }
    Some(call.fail(format!("configmaps \"kubelet-config-{name}\" not found"), 1).await)
}

async fn node_config(call: &Call<'_>, kubeadm: &str) -> Exit {
    if minor(kubeadm) >= 18 {
        return call.fail("error: unknown command \"config\" for \"kubeadm upgrade node\"", 1).await;
    }
    let Some(version) = call.option("--kubelet-version", None).map(|v| v.trim_start_matches('v').to_owned()) else {
        return call.fail("the --kubelet-version argument is required", 1).await;
    };
    if let Some(exit) = config_there(call, &version).await {
        return exit;
    }
    write_kubelet_config(call, &version);
    call.say(format!("[kubelet] Downloading configuration for the kubelet from the \"kubelet-config-1.{}\" ConfigMap in the kube-system namespace\n[upgrade] The configuration for this node was successfully updated!\n", minor(&version))).await
}

async fn node(call: &Call<'_>, kubeadm: &str) -> Exit {
    if minor(kubeadm) < 15 {
        return call
            .fail("error: kubeadm upgrade node needs a subcommand: config, experimental-control-plane", 1)
            .await;
    }
    if let Some(exit) = config_there(call, kubeadm).await {
        return exit;
    }
    if call.disk.exists(format!("{MANIFESTS}/kube-apiserver.yaml")) {
        let exit = replace_pods(call, kubeadm).await?;
        if exit != 0 {
            return Ok(exit);
        }
    }
    write_kubelet_config(call, kubeadm);
    call.say("[upgrade] The configuration for this node was successfully updated!\n").await
}
