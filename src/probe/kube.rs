//! Kubernetes: the kubelet's version, and the API server's view by kubectl.

use super::{Section, json, tidy};
use crate::model::Facts;
use crate::model::facts::Node;

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
        };
        kube.nodes.insert(tidy(name), node);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::probe::parse;

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
    fn an_api_server_that_does_not_answer_is_not_healthy() {
        assert!(!parse("@kube-health 1 \n@end 0 \n").kube.unwrap().healthy);
    }
}
