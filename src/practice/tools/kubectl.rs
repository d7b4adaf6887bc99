//! `kubectl` 1.5.6 on the master, as far as it is asked about health, versions and nodes.

use std::time::Duration;

use serde_json::json;

use crate::model::Role;

use super::super::units::ActiveState;
use super::super::world::World;
use super::{Call, Exit};

const VERSION: &str = "v1.5.6";

/// Whether the API server gets an answer from the cluster below it.
pub(super) fn etcd_answers(world: &World) -> bool {
    world.cluster.leader.is_some() && world.cluster.has_quorum()
}

pub(super) async fn run(call: &Call<'_>) -> Exit {
    let api = call.machine(|machine| machine.unit("kube-apiserver.service"));
    // It listens two seconds after it was started.
    let listens = call.world(|world| {
        api.active == ActiveState::Active && (api.since.is_zero() || world.now >= api.since + Duration::from_secs(2))
    });
    let client = json!({"major": "1", "minor": "5", "gitVersion": VERSION, "platform": "linux/amd64"});
    let operands = call.operands();
    if operands.first() == Some(&"version") && call.has("--client") {
        call.out(format!("{}\n", json!({"clientVersion": client}))).await?;
        return Ok(0);
    }
    if !listens {
        let text = "The connection to the server localhost:8080 was refused - did you specify the right host or port?";
        return call.fail(text, 1).await;
    }
    let raw = call.option("--raw", None);
    match (operands.as_slice(), raw) {
        (["version", ..], _) => {
            call.out(format!("{}\n", json!({"clientVersion": client, "serverVersion": client}))).await?;
            Ok(0)
        }
        (["get", ..], _) if !call.world(|world| etcd_answers(world)) => {
            let text = "Error from server (InternalError): an error on the server (\"[+]ping ok\\n[-]etcd failed: reason \
                        withheld\\nhealthz check failed\") has prevented the request from succeeding";
            call.fail(text, 1).await
        }
        (["get", ..], Some("/healthz")) => {
            call.out("ok").await?;
            Ok(0)
        }
        (["get", "nodes" | "node" | "no", ..], _) => {
            let list = call.world(nodes);
            call.out(format!("{list}\n")).await?;
            Ok(0)
        }
        _ => call.fail("error: this practice cluster does not know that", 1).await,
    }
}

fn nodes(world: &mut World) -> serde_json::Value {
    let now = world.now;
    let kubelets = |machine: &&super::Machine| !machine.roles.contains(&Role::Etcd);
    let items: Vec<serde_json::Value> = world
        .machines
        .iter()
        .filter(|(_, machine)| kubelets(machine))
        .map(|(name, machine)| {
            let kubelet = machine.unit("kubelet.service");
            let lasted = now.saturating_sub(kubelet.since);
            // A kubelet reports after some seconds, and is missed after forty.
            let ready = if kubelet.active == ActiveState::Active {
                kubelet.since.is_zero() || lasted >= Duration::from_secs(3)
            } else {
                machine.up && lasted < Duration::from_secs(40)
            };
            let status = if ready { "True" } else { "Unknown" };
            json!({
                "metadata": {"name": name.as_str(), "labels": {"kubernetes.io/hostname": name.as_str()}},
                "spec": {"externalID": name.as_str()},
                "status": {
                    "addresses": [{"type": "InternalIP", "address": machine.address}],
                    "conditions": [{"type": "Ready", "status": status, "reason": if ready { "KubeletReady" } else { "NodeStatusUnknown" }}],
                    "nodeInfo": {
                        "machineID": machine.id,
                        "bootID": machine.boot_id,
                        "kernelVersion": "4.9.24-coreos",
                        "osImage": "Container Linux by CoreOS 1353.7.0 (Ladybug)",
                        "containerRuntimeVersion": "docker://1.12.6",
                        "kubeletVersion": VERSION,
                        "kubeProxyVersion": VERSION
                    }
                }
            })
        })
        .collect();
    json!({"kind": "List", "apiVersion": "v1", "items": items})
}
