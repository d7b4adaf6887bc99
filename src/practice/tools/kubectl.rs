//! `kubectl` on a control plane: health, versions, nodes, pods, and what a drain needs.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::kube::{Eviction, Owner, Pod};
use super::super::units::ActiveState;
use super::super::world::World;
use super::{Call, Exit};
use crate::model::{HostName, Role};

/// The version of the API server that is reached from a host: its own, or another's.
fn api(world: &World, host: &HostName) -> Option<String> {
    let side = world.is_second(host);
    let mut others = world.machines.keys().filter(|name| world.is_second(name) == side);
    own_api(world, host).or_else(|| others.find_map(|name| own_api(world, name))).map(|(version, _)| version)
}

/// The version of the API server that listens on a host, and whether it speaks TLS, as a static pod does.
pub(super) fn own_api(world: &World, host: &HostName) -> Option<(String, bool)> {
    let machine = world.machines.get(host).filter(|machine| machine.up)?;
    let unit = machine.running("kube-apiserver")?;
    // It listens two seconds after it was started.
    let early = !unit.since.is_zero() && world.now < unit.since + Duration::from_secs(2);
    (!early).then(|| (unit.version.clone(), machine.is_active("kube-apiserver.pod")))
}

pub(super) async fn run(call: &Call<'_>) -> Exit {
    let version = call.machine(|machine| machine.software.programs.get("kubectl").cloned()).unwrap_or_default();
    let client = told(&version);
    let mut words = Vec::new();
    let mut args = call.args();
    while let Some(arg) = args.next() {
        match arg {
            "-n" | "--namespace" | "-o" | "--output" | "-l" | "--selector" | "-f" | "--raw" | "--timeout" => {
                let _ = args.next();
            }
            "--" => break,
            _ if arg.starts_with('-') => {}
            _ => words.push(arg),
        }
    }
    if words.first() == Some(&"version") && call.args().any(|arg| arg.starts_with("--client")) {
        call.out(format!("{}\n", json!({"clientVersion": client}))).await?;
        return Ok(0);
    }
    let Some(server) = call.world(|world| api(world, call.host)) else {
        let text = "The connection to the server localhost:8080 was refused - did you specify the right host or port?";
        return call.fail(text, 1).await;
    };
    if words.first() == Some(&"version") {
        call.out(format!("{}\n", json!({"clientVersion": client, "serverVersion": told(&server)}))).await?;
        return Ok(0);
    }
    if !call.world(|world| world.etcd_answers()) {
        let text = "Error from server (InternalError): an error on the server (\"[+]ping ok\\n[-]etcd failed: reason \
                    withheld\\nhealthz check failed\") has prevented the request from succeeding";
        return call.fail(text, 1).await;
    }
    match words.as_slice() {
        ["get"] if call.option("--raw", None) == Some("/healthz") => call.say("ok").await,
        ["get", "nodes" | "node" | "no"] => {
            let list = call.world(|world| nodes(world, call.host));
            call.say(format!("{list}\n")).await
        }
        ["get", "pods,poddisruptionbudgets,daemonsets"] => {
            let list = call.world(|world| workloads(world, call.host));
            call.say(format!("{list}\n")).await
        }
        ["get", "deployments"] => {
            let apps: std::collections::BTreeSet<String> = call.world(|world| {
                let pods = &world.kube_of(call.host).pods;
                pods.iter().map(|pod| format!("{} {}", pod.namespace, pod.app)).collect()
            });
            call.say(apps.into_iter().map(|app| app + "\n").collect::<String>()).await
        }
        ["cordon", node] => cordon(call, node, true).await,
        ["uncordon", node] => cordon(call, node, false).await,
        ["drain", node] => drain(call, node, &version).await,
        ["annotate", "node", node, pair] => annotate(call, node, pair).await,
        ["rollout", "status", set] => rollout(call, set).await,
        ["get", "daemonset", name] => daemonset(call, name).await,
        ["apply"] => apply(call, "configured").await,
        ["replace"] => apply(call, "replaced").await,
        ["exec", pod] => exec(call, pod).await,
        _ => call.fail(format!("error: this practice cluster does not know: kubectl {}", words.join(" ")), 1).await,
    }
}

pub(super) fn told(version: &str) -> Value {
    let mut parts = version.split('.');
    json!({"major": parts.next(), "minor": parts.next(), "gitVersion": format!("v{version}"), "platform": "linux/amd64"})
}

/// Hosts that have a kubelet.
fn kubelets(world: &World, host: &HostName) -> Vec<HostName> {
    let side = world.is_second(host);
    let is_one =
        |machine: &super::Machine| machine.roles.iter().any(|role| matches!(role, Role::ControlPlane | Role::Worker));
    world
        .machines
        .iter()
        .filter(|(name, machine)| is_one(machine) && world.is_second(name) == side)
        .map(|(name, _)| name.clone())
        .collect()
}

fn is_ready(world: &World, host: &HostName) -> bool {
    let Some(machine) = world.machines.get(host) else { return false };
    let kubelet = machine.unit("kubelet.service");
    let lasted = world.now.saturating_sub(kubelet.since);
    // A kubelet reports after some seconds, and is missed after forty.
    if kubelet.active == ActiveState::Active {
        kubelet.since.is_zero() || lasted >= Duration::from_secs(3)
    } else {
        machine.up && lasted < Duration::from_secs(40)
    }
}

fn nodes(world: &mut World, host: &HostName) -> Value {
    let kube = world.kube_of(host).clone();
    let items: Vec<Value> = kubelets(world, host)
        .into_iter()
        .map(|name| {
            let ready = is_ready(world, &name);
            let state = kube.nodes.get(&name).cloned().unwrap_or_default();
            let machine = &world.machines[&name];
            let os = machine.disk.text("/usr/lib/os-release").unwrap_or_default();
            let os =
                os.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or_default().trim_matches('"');
            let mut labels = json!({"kubernetes.io/hostname": name.as_str()});
            if machine.roles.contains(&Role::ControlPlane) && !kube.cri_socket.is_empty() {
                let minor: u32 = state.kubelet.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or(0);
                let role = if minor >= 20 { "control-plane" } else { "master" };
                labels[format!("node-role.kubernetes.io/{role}")] = json!("");
            }
            let mut annotations = json!({});
            let socket = state.cri_socket.as_deref().unwrap_or(kube.cri_socket);
            if !socket.is_empty() {
                annotations["kubeadm.alpha.kubernetes.io/cri-socket"] = json!(socket);
            }
            let runtime = match kube.runtime {
                "" | "docker" => "docker://1.12.6".to_owned(),
                name => format!("{name}://{}", runtime_version(machine)),
            };
            let mut spec = json!({"externalID": name.as_str()});
            if state.cordoned {
                spec["unschedulable"] = json!(true);
            }
            json!({
                "metadata": {"name": name.as_str(), "labels": labels, "annotations": annotations},
                "spec": spec,
                "status": {
                    "addresses": [{"type": "InternalIP", "address": machine.address}],
                    "conditions": [{"type": "Ready", "status": if ready { "True" } else { "Unknown" },
                        "reason": if ready { "KubeletReady" } else { "NodeStatusUnknown" }}],
                    "nodeInfo": {
                        "machineID": machine.id,
                        "bootID": machine.boot_id,
                        "osImage": os,
                        "containerRuntimeVersion": runtime,
                        "kubeletVersion": format!("v{}", state.kubelet),
                        "kubeProxyVersion": format!("v{}", state.kubelet)
                    }
                }
            })
        })
        .collect();
    json!({"kind": "List", "apiVersion": "v1", "items": items})
}

/// The version of the runtime that runs, or of the one on disk.
pub(super) fn runtime_version(machine: &super::Machine) -> String {
    let running = ["crio", "containerd"].iter().find_map(|name| machine.running(name));
    running.map(|unit| unit.version.clone()).unwrap_or_default()
}

fn workloads(world: &mut World, host: &HostName) -> Value {
    let now = world.now;
    let kube = world.kube_of(host).clone();
    let mut items: Vec<Value> = kube.pods.iter().map(|pod| pod_object(pod, now)).collect();
    for budget in &kube.budgets {
        items.push(json!({
            "kind": "PodDisruptionBudget",
            "metadata": {"namespace": budget.namespace, "name": budget.name},
            "spec": {"minAvailable": budget.min, "selector": {"matchLabels": {"app": budget.app}}},
            "status": {"disruptionsAllowed": kube.allowed(budget, now)}
        }));
    }
    let nodes = kubelets(world, host);
    for set in &kube.sets {
        let ready: Vec<&HostName> = nodes.iter().filter(|node| is_ready(world, node)).collect();
        let rolled = now.saturating_sub(set.since) >= Duration::from_secs(15);
        items.push(json!({
            "kind": "DaemonSet",
            "metadata": {"namespace": set.namespace, "name": set.name},
            "spec": {"template": {"spec": {"containers": [{"image": set.image}]}}},
            "status": {"desiredNumberScheduled": nodes.len(), "numberReady": ready.len(),
                "updatedNumberScheduled": if rolled || set.since.is_zero() { nodes.len() } else { 1 }}
        }));
        for node in &nodes {
            let pod = Pod {
                namespace: set.namespace,
                name: format!("{}-{node}", set.name),
                app: set.name,
                owner: Owner::DaemonSet,
                node: node.clone(),
                local_data: false,
                ready_at: if ready.contains(&node) { now } else { Duration::MAX },
            };
            items.push(pod_object(&pod, now));
        }
    }
    json!({"kind": "List", "apiVersion": "v1", "items": items})
}

fn pod_object(pod: &Pod, now: Duration) -> Value {
    let ready = if pod.ready_at <= now { "True" } else { "False" };
    let mut metadata = json!({"namespace": pod.namespace, "name": pod.name, "labels": {"app": pod.app}});
    let owner = match pod.owner {
        Owner::ReplicaSet => Some("ReplicaSet"),
        Owner::DaemonSet => Some("DaemonSet"),
        Owner::Nobody => None,
    };
    if let Some(kind) = owner {
        metadata["ownerReferences"] = json!([{"kind": kind, "controller": true}]);
    }
    let volumes = if pod.local_data { json!([{"name": "data", "emptyDir": {}}]) } else { json!([]) };
    if pod.is_pending() {
        let status = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False"}]});
        return json!({"kind": "Pod", "metadata": metadata, "spec": {"volumes": volumes}, "status": status});
    }
    json!({"kind": "Pod", "metadata": metadata, "spec": {"nodeName": pod.node, "volumes": volumes},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}})
}

fn known(call: &Call<'_>, node: &str) -> Option<HostName> {
    call.world(|world| kubelets(world, call.host)).into_iter().find(|name| name.as_str() == node)
}

async fn no_such_node(call: &Call<'_>, node: &str) -> Exit {
    call.fail(format!("Error from server (NotFound): nodes \"{node}\" not found"), 1).await
}

/// The nodes that take pods.
fn schedulable(world: &mut World, host: &HostName) -> Vec<HostName> {
    let nodes = world.kube_of(host).nodes.clone();
    let fit = |node: &HostName| !nodes.get(node).is_some_and(|state| state.cordoned);
    let worker = |node: &HostName| world.machines[node].roles.contains(&Role::Worker);
    kubelets(world, host).into_iter().filter(|node| fit(node) && worker(node)).collect()
}

async fn cordon(call: &Call<'_>, node: &str, cordoned: bool) -> Exit {
    let Some(host) = known(call, node) else { return no_such_node(call, node).await };
    let was = call.world(|world| std::mem::replace(&mut world.kube_of(call.host).node(&host).cordoned, cordoned));
    if !cordoned {
        call.world(|world| {
            let (nodes, now) = (schedulable(world, call.host), world.now);
            world.kube_of(call.host).schedule(0, &nodes, now);
        });
    }
    let done = if cordoned { "cordoned" } else { "uncordoned" };
    let already = if was == cordoned { "already " } else { "" };
    call.say(format!("node/{node} {already}{done}\n")).await
}

/// As kubectl 1.12 and 1.32 do it: everything that would be refused is named first; then evictions, tried again every five
/// seconds until the deadline. However it ends, the node stays cordoned.
async fn drain(call: &Call<'_>, node: &str, version: &str) -> Exit {
    let minor: u32 = version.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or(0);
    for (flag, known) in [
        ("--delete-local-data", minor <= 30),
        ("--delete-emptydir-data", minor >= 20),
        ("--disable-eviction", minor >= 18),
    ] {
        if call.has(flag) && !known {
            return call.fail(format!("Error: unknown flag: {flag}"), 1).await;
        }
    }
    let Some(host) = known(call, node) else { return no_such_node(call, node).await };
    cordon(call, node, true).await?;
    call.world(|world| world.block_evictions(&host));
    let pods: Vec<Pod> =
        call.world(|world| world.kube_of(call.host).pods.iter().filter(|pod| pod.node == host).cloned().collect());
    let named = |list: Vec<&Pod>| {
        list.iter().map(|pod| format!("{}/{}", pod.namespace, pod.name)).collect::<Vec<_>>().join(", ")
    };
    let mut refused = Vec::new();
    if !call.has("--ignore-daemonsets") {
        refused.push("cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)".to_owned());
    }
    let local: Vec<&Pod> = pods.iter().filter(|pod| pod.local_data).collect();
    if !local.is_empty() && !call.has("--delete-local-data") && !call.has("--delete-emptydir-data") {
        let flag = if minor >= 20 { "--delete-emptydir-data" } else { "--delete-local-data" };
        refused.push(format!("cannot delete Pods with local storage (use {flag} to override): {}", named(local)));
    }
    let unmanaged: Vec<&Pod> = pods.iter().filter(|pod| pod.owner == Owner::Nobody).collect();
    if !unmanaged.is_empty() && !call.has("--force") {
        refused.push(format!("cannot delete {} (use --force to override): {}", nobodys(minor), named(unmanaged)));
    }
    if !refused.is_empty() {
        return call.fail(not_drained(node, minor, &refused), 1).await;
    }
    let sets: Vec<String> = call.world(|world| {
        world.kube_of(call.host).sets.iter().map(|set| format!("{}/{}-{node}", set.namespace, set.name)).collect()
    });
    if !sets.is_empty() {
        let warning = if minor > 20 { "Warning" } else { "WARNING" };
        call.err(format!("{warning}: ignoring DaemonSet-managed Pods: {}\n", sets.join(", "))).await?;
    }
    let deadline = call.option("--timeout", None).and_then(seconds);
    let begun = call.world(|world| world.now);
    let mut left: Vec<Pod> = pods;
    loop {
        let mut waiting = Vec::new();
        for pod in left {
            let others: Vec<HostName> =
                call.world(|world| schedulable(world, call.host)).into_iter().filter(|other| *other != host).collect();
            call.progress(format!("evicting pod {}/{}", pod.namespace, pod.name)).await?;
            let evicted = call.world(|world| {
                let now = world.now;
                world.kube_of(call.host).evict(&pod.name, &others, now)
            });
            match evicted {
                Eviction::Done => {
                    tokio::time::sleep(Duration::from_millis(700)).await;
                    call.progress(format!("pod/{} evicted", pod.name)).await?;
                }
                Eviction::Refused => {
                    call.err(format!(
                        "error when evicting pods/\"{}\" -n \"{}\" (will retry after 5s): Cannot evict pod as it would violate the pod's disruption budget.\n",
                        pod.name, pod.namespace
                    ))
                    .await?;
                    waiting.push(pod);
                }
            }
        }
        if waiting.is_empty() {
            let done = if minor > 20 { "drained" } else { "evicted" };
            return call.say(format!("node/{node} {done}\n")).await;
        }
        left = waiting;
        let spent = call.world(|world| world.now).saturating_sub(begun);
        if deadline.is_some_and(|deadline| spent + Duration::from_secs(5) > deadline) {
            let pods: String = left.iter().map(|pod| format!("pod/{}\n", pod.name)).collect();
            let seconds = deadline.unwrap_or_default().as_secs();
            let each = left.iter().map(|pod| {
                let Pod { namespace, name, .. } = pod;
                format!("error when evicting pods/\"{name}\" -n \"{namespace}\": global timeout reached: {seconds}s")
            });
            let each: Vec<String> = each.collect();
            let text = format!(
                "There are pending pods in node \"{node}\" when an error occurred: {}\n{pods}{}",
                together(&each),
                not_drained(node, minor, &each)
            );
            return call.fail(text, 1).await;
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

/// What kubectl calls pods without a controller. "cannot delete" stands twice in what newer ones say.
fn nobodys(minor: u32) -> &'static str {
    if minor > 20 {
        "cannot delete Pods that declare no controller"
    } else {
        "Pods not managed by ReplicationController, ReplicaSet, Job, DaemonSet or StatefulSet"
    }
}

/// Several errors as Go's aggregate words them.
fn together(errors: &[String]) -> String {
    match errors {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

/// The end of a drain that did not come to its end, as kubectl 1.20.2 and 1.32.4 word it.
fn not_drained(node: &str, minor: u32, errors: &[String]) -> String {
    let pending = format!("There are pending nodes to be drained:\n {node}\n");
    let all = errors.join("\n");
    if minor > 20 {
        let why = together(errors);
        return format!(
            "error: unable to drain node \"{node}\" due to error: {why}, continuing command...\n{pending}{all}"
        );
    }
    let mark = if errors.len() == 1 { "error: " } else { "" };
    format!("error: unable to drain node \"{node}\", aborting command...\n\n{pending}{mark}{all}")
}

fn seconds(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic())?);
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    Some(Duration::from_secs(number.parse::<u64>().ok()? * factor)).filter(|deadline| !deadline.is_zero())
}

async fn annotate(call: &Call<'_>, node: &str, pair: &str) -> Exit {
    let Some(host) = known(call, node) else { return no_such_node(call, node).await };
    if let Some(("kubeadm.alpha.kubernetes.io/cri-socket", socket)) = pair.split_once('=') {
        call.world(|world| world.kube_of(call.host).node(&host).cri_socket = Some(socket.to_owned()));
    }
    call.say(format!("node/{node} annotated\n")).await
}

async fn rollout(call: &Call<'_>, set: &str) -> Exit {
    let name = set.rsplit('/').next().unwrap_or(set).to_owned();
    let Some(since) =
        call.world(|world| world.kube_of(call.host).sets.iter().find(|set| set.name == name).map(|set| set.since))
    else {
        return call.fail(format!("Error from server (NotFound): daemonsets.apps \"{name}\" not found"), 1).await;
    };
    call.sim.until(|world| (since.is_zero() || world.now >= since + Duration::from_secs(15)).then_some(())).await;
    call.say(format!("daemon set \"{name}\" successfully rolled out\n")).await
}

/// `get daemonset NAME -o yaml`
async fn daemonset(call: &Call<'_>, name: &str) -> Exit {
    let image = call.world(|world| {
        let sets = &world.kube_of(call.host).sets;
        sets.iter().find(|set| set.name == name).map(|set| set.image.clone())
    });
    let Some(image) = image else {
        return call.fail(format!("Error from server (NotFound): daemonsets.apps \"{name}\" not found"), 1).await;
    };
    call.say(format!(
        "kind: DaemonSet\nmetadata:\n  name: {name}\n  resourceVersion: \"1\"\n  uid: 0\nspec:\n  image: {image}\n"
    ))
    .await
}

/// A manifest here is a DaemonSet's name and its image.
async fn apply(call: &Call<'_>, done: &str) -> Exit {
    let file = call.option("--filename", Some("-f")).unwrap_or_default().to_owned();
    let Some(text) = call.disk.text(call.path(&file)) else {
        return call.fail(format!("error: the path \"{file}\" does not exist"), 1).await;
    };
    let value = |key: &str| text.lines().find_map(|line| line.trim().strip_prefix(key)).map(|v| v.trim().to_owned());
    let (Some(name), Some(image)) = (value("name:"), value("image:")) else {
        return call.fail("error: no objects passed to apply", 1).await;
    };
    call.world(|world| {
        let now = world.now;
        for set in world.kube_of(call.host).sets.iter_mut().filter(|set| set.name == name) {
            (set.image, set.since) = (image.clone(), now);
        }
    });
    call.say(format!("daemonset.apps/{name} {done}\n")).await
}

/// `exec etcd-NODE -- etcdctl …`: runs on the node's host, with its files.
async fn exec(call: &Call<'_>, pod: &str) -> Exit {
    let Some(host) = pod.strip_prefix("etcd-").and_then(|node| known(call, node)) else {
        return call.fail(format!("Error from server (NotFound): pods \"{pod}\" not found"), 1).await;
    };
    let words: Vec<String> = call.args().skip_while(|arg| *arg != "--").skip(1).map(str::to_owned).collect();
    let disk = call.world(|world| world.machine(&host).disk.clone());
    super::etcdctl3::run(call, &host, &disk, &words).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drain_that_is_refused_says_what_a_real_one_says() {
        let lonely = |minor| format!("cannot delete {} (use --force to override): shop/lonely", nobodys(minor));
        let local = "cannot delete Pods with local storage (use --delete-emptydir-data to override): shop/cache-b5fb897d7-kqjnh";
        assert_eq!(
            not_drained("node1", 20, &[local.to_owned(), lonely(20)]),
            include_str!("../../../tests/fixtures/kube/kubectl-1.20.2-drain-refused.txt.stderr").trim_end()
        );
        assert_eq!(
            not_drained("node1", 32, &[lonely(32)]),
            include_str!("../../../tests/fixtures/kube/kubectl-1.32.4-drain-refused.txt.stderr").trim_end()
        );
    }

    #[test]
    fn a_drain_that_a_budget_blocks_says_what_a_real_one_says() {
        let why =
            "error when evicting pods/\"web-684f54f586-xnwr6\" -n \"shop\": global timeout reached: 6s".to_owned();
        for (minor, said) in [
            (20, include_str!("../../../tests/fixtures/kube/kubectl-1.20.2-drain-budget.txt.stderr")),
            (32, include_str!("../../../tests/fixtures/kube/kubectl-1.32.4-drain-budget.txt.stderr")),
        ] {
            let end = not_drained("node1", minor, std::slice::from_ref(&why));
            assert!(said.trim_end().ends_with(&end), "{said}\n--\n{end}");
        }
    }
}
