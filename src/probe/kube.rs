//! Kubernetes: the kubelet's version, this host's own API server, and the API server's view by kubectl.

use serde_json::Value;

use super::{Section, json, tidy};
use crate::model::Facts;
use crate::model::facts::{ApiServer, DaemonSet, Node, NodePods};

fn plain(version: &str) -> String {
    tidy(version.trim().trim_start_matches('v'))
}

/// `kubelet --version`: `Kubernetes v1.5.6`.
pub(super) fn kubelet(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if section.status == 0 {
        let version = section.text.trim().strip_prefix("Kubernetes ").ok_or("not a kubelet version")?;
        facts.kubelet = Some(plain(version));
    }
    Ok(())
}

/// `GET /version` of the API server on this host, which default clusters answer to anybody. Where anonymous requests are
/// not allowed it answers a `Status` without a version: it runs all the same. That nobody answers is a fact as well.
/// Whether it is ready, etcd included, is told by [`api_ready`], which comes after this.
pub(super) fn api_server(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if section.status == 127 {
        return Err("neither curl nor wget is on this host, so its API server cannot be asked".into());
    }
    if section.status != 0 || section.text.trim().is_empty() {
        facts.api_server = Some(ApiServer::default());
        return Ok(());
    }
    let body = json(section)?;
    let version = body["gitVersion"].as_str().map(plain);
    if version.is_none() && body["kind"] != "Status" {
        return Err("no gitVersion in it".into());
    }
    facts.api_server = Some(ApiServer { answers: true, version });
    Ok(())
}

/// The HTTP status of `GET /readyz`, or `/healthz` of old. One that tells nothing to whom it does not know answers; one
/// that answers and is not ready does not, however readily it tells its version.
pub(super) fn api_ready(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    let answers = match section.text.trim() {
        "200" | "401" | "403" => true,
        "" | "500" | "503" | "504" | "429" => false,
        other => {
            facts.api_server = None;
            return Err(format!("HTTP status `{other}` tells nothing of an API server"));
        }
    };
    facts.api_server.get_or_insert_default().answers = answers;
    Ok(())
}

/// `systemctl is-active kube-apiserver.service`, asked where nothing answers at the usual ports.
pub(super) fn api_unit(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if section.text.trim() == "active" {
        return Err("kube-apiserver.service runs, and listens at neither 6443 nor 8080: it cannot be asked".into());
    }
    facts.api_server = Some(ApiServer::default());
    Ok(())
}

/// `kubectl get --raw /healthz` prints `ok`. No answer is an answer: the API server is not healthy.
pub(super) fn health(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    facts.kube.get_or_insert_default().healthy = section.status == 0 && section.text.trim() == "ok";
    Ok(())
}

/// `kubectl version -o json`.
pub(super) fn version(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if section.text.trim().is_empty() {
        return Ok(());
    }
    let body = json(section)?;
    facts.kube.get_or_insert_default().server = body["serverVersion"]["gitVersion"].as_str().map(plain);
    Ok(())
}

/// `kubectl get nodes -o json`.
pub(super) fn nodes(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if section.status != 0 {
        return Err(format!("kubectl get nodes ended with {}", section.status));
    }
    let body = json(section)?;
    let items = body["items"].as_array().ok_or("no items in it")?;
    let kube = facts.kube.get_or_insert_default();
    for item in items {
        let name = item["metadata"]["name"].as_str().ok_or("a node without a name")?;
        let conditions = item["status"]["conditions"].as_array();
        let ready = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
        let node = Node {
            ready: ready.is_some_and(|condition| condition["status"] == "True"),
            cordoned: item["spec"]["unschedulable"].as_bool().unwrap_or_default(),
            kubelet: item["status"]["nodeInfo"]["kubeletVersion"].as_str().map(plain).unwrap_or_default(),
            runtime: item["status"]["nodeInfo"]["containerRuntimeVersion"].as_str().map(tidy).unwrap_or_default(),
            cri_socket: item["metadata"]["annotations"]["kubeadm.alpha.kubernetes.io/cri-socket"]
                .as_str()
                .map(tidy)
                .unwrap_or_default(),
            control_plane: ["master", "control-plane"]
                .iter()
                .any(|role| item["metadata"]["labels"][format!("node-role.kubernetes.io/{role}")].is_string()),
            pods: None,
        };
        kube.nodes.insert(tidy(name), node);
    }
    Ok(())
}

/// The most pods of a kind that are kept of a node.
const MOST: usize = 20;

/// `kubectl get pods,poddisruptionbudgets,daemonsets --all-namespaces`, by the probe's template or as JSON: one list of mixed kinds.
pub(super) fn pods(section: &Section<'_>, facts: &mut Facts) -> Result<(), String> {
    if section.status != 0 {
        return Err(format!("kubectl get pods ended with {}", section.status));
    }
    let body = json(section)?;
    let items = body["items"].as_array().ok_or("no items in it")?;
    let of_kind = |kind: &'static str| items.iter().filter(move |item| item["kind"] == kind);
    let kube = facts.kube.get_or_insert_default();
    for set in of_kind("DaemonSet") {
        let count = |key: &str| set["status"][key].as_i64().unwrap_or_default();
        let status = DaemonSet {
            desired: count("desiredNumberScheduled"),
            ready: count("numberReady"),
            updated: count("updatedNumberScheduled"),
            image: set["spec"]["template"]["spec"]["containers"][0]["image"].as_str().map(tidy).unwrap_or_default(),
        };
        kube.daemonsets.insert(full_name(set)?, status);
    }
    // A budget with no room, and no other, blocks.
    let budgets: Vec<&Value> =
        of_kind("PodDisruptionBudget").filter(|budget| allowed(budget).is_some_and(|allowed| allowed <= 0)).collect();
    for node in kube.nodes.values_mut() {
        node.pods = Some(NodePods::default());
    }
    for pod in of_kind("Pod") {
        let Some(node) = pod["spec"]["nodeName"].as_str() else { continue };
        let Some(node) = kube.nodes.get_mut(node).and_then(|node| node.pods.as_mut()) else { continue };
        sort(pod, &budgets, node)?;
    }
    Ok(())
}

fn full_name(item: &Value) -> Result<String, String> {
    let (namespace, name) = (&item["metadata"]["namespace"], &item["metadata"]["name"]);
    let (Some(namespace), Some(name)) = (namespace.as_str(), name.as_str()) else {
        return Err("an object without namespace or name".into());
    };
    Ok(tidy(&format!("{namespace}/{name}")))
}

/// `disruptionsAllowed`, which `policy/v1beta1` of old calls `podDisruptionsAllowed` as well.
fn allowed(budget: &Value) -> Option<i64> {
    let status = &budget["status"];
    status["disruptionsAllowed"].as_i64().or_else(|| status["podDisruptionsAllowed"].as_i64())
}

/// Puts a pod into the lists where a drain would see it.
fn sort(pod: &Value, budgets: &[&Value], node: &mut NodePods) -> Result<(), String> {
    let name = full_name(pod)?;
    let owners = pod["metadata"]["ownerReferences"].as_array();
    let controller = owners.into_iter().flatten().find(|owner| owner["controller"] == true);
    if controller.is_some_and(|owner| owner["kind"] == "DaemonSet") {
        let conditions = pod["status"]["conditions"].as_array();
        let ready = conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True");
        if !ready {
            keep(&mut node.daemons_unready, name);
        }
        return Ok(());
    }
    let mirror = pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_string();
    let ended = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if mirror || ended {
        return Ok(());
    }
    if controller.is_none() {
        keep(&mut node.unmanaged, name.clone());
    }
    let volumes = pod["spec"]["volumes"].as_array();
    if volumes.into_iter().flatten().any(|volume| volume["emptyDir"].is_object()) {
        keep(&mut node.local_data, name.clone());
    }
    if let Some(budget) = budgets.iter().find(|budget| selects(budget, pod)) {
        keep(&mut node.blocked, format!("{name} ({})", full_name(budget)?));
    }
    keep(&mut node.evictable, name);
    Ok(())
}

fn keep(list: &mut Vec<String>, name: String) {
    if list.len() < MOST {
        list.push(name);
    }
}

/// Whether a budget's selector matches a pod's labels. An expression that is not known here counts as a match: to look
/// twice costs less than to wait for ever.
fn selects(budget: &Value, pod: &Value) -> bool {
    if budget["metadata"]["namespace"] != pod["metadata"]["namespace"] {
        return false;
    }
    let (selector, labels) = (&budget["spec"]["selector"], &pod["metadata"]["labels"]);
    let equal = selector["matchLabels"].as_object().is_none_or(|wanted| wanted.iter().all(|(k, v)| labels[k] == *v));
    let expressions = selector["matchExpressions"].as_array();
    let all = expressions.into_iter().flatten().all(|expression| {
        let label = &labels[expression["key"].as_str().unwrap_or_default()];
        let listed = expression["values"].as_array().is_some_and(|values| values.contains(label));
        match expression["operator"].as_str() {
            Some("In") => listed,
            Some("NotIn") => !listed,
            Some("Exists") => !label.is_null(),
            Some("DoesNotExist") => label.is_null(),
            Some(_) | None => true,
        }
    });
    equal && all
}

#[cfg(test)]
mod tests {
    use crate::model::Facts;
    use crate::probe::facts as parse;

    /// What the probe makes of what a real kubectl printed, by the name of its section and its exit status.
    fn seen(sections: &[(&str, i32, &str)]) -> Facts {
        let mut text = String::new();
        for (name, status, printed) in sections {
            let (name, argument) = name.split_once(' ').unwrap_or((name, ""));
            text += &format!("@{name} {status} {argument}\n");
            text.extend(printed.lines().map(|line| format!(" {line}\n")));
        }
        parse(&(text + "@end 0 \n"))
    }

    macro_rules! fixture {
        ($name:literal) => {
            include_str!(concat!("../../tests/fixtures/kube/", $name))
        };
    }

    #[test]
    fn what_the_template_leaves_of_pods_says_the_same_as_all_of_them() {
        let nodes = ("kube-nodes", 0, fixture!("kubectl-1.20.2-nodes.json"));
        let whole = seen(&[nodes, ("kube-pods", 0, fixture!("kubectl-1.20.2-pods.json"))]);
        let template = fixture!("kubectl-1.32.4-pods-template.json");
        let brief = seen(&[nodes, ("kube-pods", 0, template)]);
        assert_eq!(brief, whole);
        assert!(whole.kube.unwrap().nodes.values().any(|node| !node.pods.as_ref().unwrap().blocked.is_empty()));
        assert!(template.len() * 6 < fixture!("kubectl-1.20.2-pods.json").len());
    }

    #[test]
    fn a_section_that_is_too_long_loses_itself_alone() {
        let script = include_str!("../../assets/probe.sh");
        let function = &script[script.find("lk_most=").unwrap()..script.find("have() {").unwrap()];
        let sections = "section kube-pods '' printf '%05000000d' 0\nsection kube-health '' echo ok\necho '@end 0 '\n";
        let output = std::process::Command::new("sh").args(["-c", &format!("{function}{sections}")]).output().unwrap();
        let facts = parse(&String::from_utf8(output.stdout).unwrap());
        assert!(facts.kube.unwrap().healthy);
        assert_eq!(
            facts.problems,
            ["too-long kube-pods: it printed 5000000 bytes, more than is read: nothing is known of it"]
        );
    }

    #[test]
    fn a_real_cluster_is_read_alike_by_an_old_and_a_new_kubectl() {
        let old = seen(&[
            ("kube-health", 0, fixture!("kubectl-1.20.2-healthz.txt")),
            ("kube-version", 0, fixture!("kubectl-1.20.2-version.json")),
            ("kube-nodes", 0, fixture!("kubectl-1.20.2-nodes.json")),
            ("kube-pods", 0, fixture!("kubectl-1.20.2-pods.json")),
            ("kubelet", 0, fixture!("kubelet-1.20.2-version.txt")),
            ("program kubectl", 0, fixture!("kubectl-1.20.2-version-client.json")),
            ("program kubeadm", 0, fixture!("kubeadm-1.20.2-version-short.txt")),
        ]);
        let new = seen(&[
            ("kube-health", 0, fixture!("kubectl-1.32.4-healthz.txt")),
            ("kube-version", 0, fixture!("kubectl-1.32.4-version.json")),
            ("kube-nodes", 0, fixture!("kubectl-1.32.4-nodes.json")),
            ("kube-pods", 0, fixture!("kubectl-1.32.4-pods.json")),
        ]);
        for facts in [&old, &new] {
            assert!(facts.problems.is_empty(), "{:?}", facts.problems);
            let kube = facts.kube.as_ref().unwrap();
            assert_eq!((kube.healthy, kube.server.as_deref()), (true, Some("1.20.2")));
            assert_eq!(kube.nodes.keys().collect::<Vec<_>>(), ["cp1", "node1", "node2"]);
            for (name, node) in &kube.nodes {
                assert!(node.ready && !node.cordoned && node.kubelet == "1.20.2", "{name}: {node:?}");
                assert_eq!((&*node.runtime, node.control_plane), ("fakeRuntime://0.1.0", name == "cp1"));
                assert_eq!(node.cri_socket, "unix:///run/containerd/containerd.sock");
                assert!(node.pods.as_ref().unwrap().daemons_unready.is_empty());
            }
            let pods = kube.nodes["node1"].pods.as_ref().unwrap();
            assert_eq!(pods.unmanaged, ["shop/lonely"]);
            assert_eq!(pods.blocked, ["shop/web-684f54f586-xnwr6 (shop/web)"], "the budget allows no eviction");
            assert!(kube.nodes["cp1"].pods.as_ref().unwrap().evictable.is_empty(), "only a DaemonSet's pod is there");
            let set = &kube.daemonsets["kube-system/net"];
            assert_eq!((set.desired, set.ready, set.updated, &*set.image), (3, 3, 3, "net:1"));
        }
        let pods = old.kube.as_ref().unwrap().nodes["node1"].pods.clone().unwrap();
        assert_eq!(pods.local_data, ["shop/cache-b5fb897d7-kqjnh"]);
        assert_eq!(pods.evictable.len(), 3, "{pods:?}");
        assert_eq!(old.kubelet.as_deref(), Some("1.20.2"));
        assert_eq!((&*old.programs["kubectl"], &*old.programs["kubeadm"]), ("1.20.2", "1.20.2"));
    }

    #[test]
    fn a_real_cordon_shows_and_a_real_api_server_without_etcd_is_not_healthy() {
        for nodes in [fixture!("kubectl-1.20.2-nodes-cordoned.json"), fixture!("kubectl-1.32.4-nodes-cordoned.json")] {
            let kube = seen(&[("kube-nodes", 0, nodes)]).kube.unwrap();
            let cordoned: Vec<_> = kube.nodes.iter().filter(|(_, node)| node.cordoned).map(|(name, _)| name).collect();
            assert_eq!(cordoned, ["node1"]);
        }
        let gone = seen(&[
            ("kube-health", 1, fixture!("kubectl-1.20.2-healthz-no-etcd.txt")),
            ("kube-version", 1, fixture!("kubectl-1.32.4-version-refused.json")),
        ]);
        let kube = gone.kube.unwrap();
        assert_eq!((kube.healthy, kube.server, gone.problems.len()), (false, None, 0));
    }

    #[test]
    fn nodes_are_ready_only_where_the_condition_says_true() {
        let nodes = serde_json::json!({"items": [
            {"metadata": {"name": "a"}, "spec": {}, "status": {"nodeInfo": {"kubeletVersion": "v1.5.6"},
                "conditions": [{"type": "OutOfDisk", "status": "False"}, {"type": "Ready", "status": "True"}]}},
            {"metadata": {"name": "b"}, "spec": {"unschedulable": true}, "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}},
            {"metadata": {"name": "c"}, "status": {}},
        ]});
        let facts = parse(&format!(
            "@kube-health 0 \n ok\n@kube-nodes 0 \n {nodes}\n@kubelet 0 \n Kubernetes v1.5.6\n@end 0 \n"
        ));
        let kube = facts.kube.unwrap();
        assert!(kube.healthy && kube.nodes["a"].ready && !kube.nodes["b"].ready && !kube.nodes["c"].ready);
        assert!(kube.nodes["b"].cordoned && !kube.nodes["a"].cordoned);
        assert_eq!((kube.nodes["a"].kubelet.as_str(), facts.kubelet.as_deref()), ("1.5.6", Some("1.5.6")));
    }

    #[test]
    fn pods_are_sorted_as_a_drain_sees_them() {
        let owned = |kind: &str| serde_json::json!([{"kind": kind, "controller": true}]);
        let pod = |name: &str, owner: serde_json::Value, more: serde_json::Value| {
            let mut pod = serde_json::json!({"kind": "Pod", "metadata": {"namespace": "shop", "name": name, "labels": {"app": name}, "ownerReferences": owner},
                "spec": {"nodeName": "w1"}, "status": {"phase": "Running"}});
            for (key, value) in more.as_object().unwrap() {
                *pod.pointer_mut(key).unwrap() = value.clone();
            }
            pod
        };
        let none = serde_json::json!({});
        let items = serde_json::json!({"items": [
            pod("web", owned("ReplicaSet"), serde_json::json!({"/spec": {"nodeName": "w1", "volumes": [{"emptyDir": {}}]}})),
            pod("lonely", serde_json::Value::Null, none.clone()),
            pod("net", owned("DaemonSet"), none.clone()),
            pod("done", owned("Job"), serde_json::json!({"/status/phase": "Succeeded"})),
            pod("elsewhere", owned("ReplicaSet"), serde_json::json!({"/spec/nodeName": "w2"})),
            {"kind": "PodDisruptionBudget", "metadata": {"namespace": "shop", "name": "web"}, "spec": {"selector": {"matchLabels": {"app": "web"}}}, "status": {"disruptionsAllowed": 0}},
            {"kind": "PodDisruptionBudget", "metadata": {"namespace": "other", "name": "lonely"}, "spec": {"selector": {}}, "status": {"disruptionsAllowed": 0}},
            {"kind": "DaemonSet", "metadata": {"namespace": "shop", "name": "net"}, "spec": {"template": {"spec": {"containers": [{"image": "weave:2.5"}]}}},
                "status": {"desiredNumberScheduled": 3, "numberReady": 2, "updatedNumberScheduled": 3}},
        ]});
        let nodes = serde_json::json!({"items": [{"metadata": {"name": "w1"}, "status": {}}]});
        let facts = parse(&format!("@kube-nodes 0 \n {nodes}\n@kube-pods 0 \n {items}\n@end 0 \n"));
        assert!(facts.problems.is_empty(), "{:?}", facts.problems);
        let kube = facts.kube.unwrap();
        let pods = kube.nodes["w1"].pods.as_ref().unwrap();
        assert_eq!(pods.evictable, ["shop/web", "shop/lonely"]);
        assert_eq!(
            (&pods.unmanaged[..], &pods.local_data[..]),
            (&["shop/lonely".to_owned()][..], &["shop/web".to_owned()][..])
        );
        assert_eq!(pods.blocked, ["shop/web (shop/web)"]);
        assert_eq!(pods.daemons_unready, ["shop/net"]);
        assert_eq!((kube.daemonsets["shop/net"].ready, kube.daemonsets["shop/net"].image.as_str()), (2, "weave:2.5"));
    }

    #[test]
    fn the_api_server_of_a_host_tells_its_own_version_or_at_least_that_it_is_there() {
        let told = |status: i32, printed: &str| seen(&[("api-server", status, printed)]);
        for kubectl in [fixture!("kubectl-1.20.2-version.json"), fixture!("kubectl-1.32.4-version.json")] {
            // kubectl shows as `serverVersion` what `GET /version` answers.
            let version = serde_json::from_str::<serde_json::Value>(kubectl).unwrap()["serverVersion"].to_string();
            let server = told(0, &version).api_server.unwrap();
            assert_eq!((server.answers, server.version.as_deref()), (true, Some("1.20.2")));
        }
        let refused = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","code":401}"#;
        let server = told(0, refused).api_server.unwrap();
        assert_eq!((server.answers, server.version), (true, None));
        for status in [7, 28, 124] {
            assert!(!told(status, "").api_server.unwrap().answers, "nobody answered: {status}");
        }
        for other in ["<html>", "[]", r#"{"etcdserver":"3.5.1"}"#] {
            let facts = told(0, other);
            assert!(facts.api_server.is_none() && facts.problems.len() == 1, "{other} is no API server's version");
        }
        assert!(told(127, "").api_server.is_none(), "without curl and wget nothing is known");
    }

    #[test]
    fn an_api_server_answers_when_it_is_ready_and_not_when_it_merely_tells_its_version() {
        let version = r#"{"gitVersion":"v1.31.4"}"#;
        let told = |printed: &str, status: &str| seen(&[("api-server", 0, printed), ("api-ready", 0, status)]);
        let server = told(version, "200").api_server.unwrap();
        assert_eq!((server.answers, server.version.as_deref()), (true, Some("1.31.4")));
        let server = told(version, "500").api_server.unwrap();
        assert_eq!((server.answers, server.version.as_deref()), (false, Some("1.31.4")), "as without etcd");
        // wget keeps to itself what comes with a refusal.
        assert!(told("", "401").api_server.unwrap().answers);
        assert!(!told("", "").api_server.unwrap().answers);
        assert!(told("", "418").api_server.is_none());
    }

    #[test]
    fn an_api_server_at_another_port_is_not_taken_for_one_that_is_down() {
        let facts = seen(&[("api-unit", 0, "active")]);
        assert!(facts.api_server.is_none() && facts.problems.len() == 1);
        assert!(!seen(&[("api-unit", 3, "inactive")]).api_server.unwrap().answers);
    }

    #[test]
    fn an_api_server_that_does_not_answer_is_not_healthy() {
        assert!(!parse("@kube-health 1 \n@end 0 \n").kube.unwrap().healthy);
    }
}
