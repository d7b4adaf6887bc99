//! What a runbook says it stops, it says it starts.

use crate::model::runbook::Component;
use crate::yaml::{Data, Node, Reader};

/// Complains of every `stops` that neither its own step nor one after it answers with a `starts`: what nobody starts again
/// is not stopped for a while, and the screen has no business to call it `stopped, as planned`.
pub(super) fn check(reader: &mut Reader<'_>, stages: &Node) {
    for word in Component::ALL.map(Component::word) {
        let mut stopped: Option<&Node> = None;
        for step in items(Some(stages)).iter().flat_map(|stage| items(stage.get("steps"))) {
            let named = |key: &str| items(step.get(key)).iter().find(|node| node.text() == Some(word));
            stopped = named("stops").or(stopped);
            if named("starts").is_some() {
                stopped = None;
            }
        }
        if let Some(node) = stopped {
            reader.complain(node, format!("no step from here on says that it starts it again: `starts: {word}`"));
        }
    }
}

/// The items of a list, or the one value that stands for a list of one.
fn items(node: Option<&Node>) -> &[Node] {
    match node {
        Some(Node { data: Data::Seq(items), .. }) => items,
        Some(node) => std::slice::from_ref(node),
        None => &[],
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::documents::{Source, read_runbook};

    /// What is wrong with a runbook of two steps, of which this is said.
    fn wrong(first: &str, second: &str) -> String {
        let step = |name: &str, says: &str| format!("      - {{step: {name}, title: T, run: 'true'{says}}}\n");
        let text = format!(
            "runbook: r\ntitle: R\nstages:\n  - stage: s\n    title: S\n    hosts: etcd\n    steps:\n{}{}",
            step("a", first),
            step("b", second)
        );
        read_runbook(&Source::file(Path::new("r.yaml"), text))
            .err()
            .map(|problems| problems.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn what_is_stopped_is_started() {
        assert_eq!(wrong(", stops: etcd", ", starts: etcd"), "");
        assert_eq!(wrong(", stops: [etcd, kubelet], starts: [kubelet, etcd]", ""), "", "a restart");
        assert_eq!(wrong(", starts: etcd", ""), "", "a deployment stops nothing");
        assert!(wrong(", stops: [etcd, kubelet]", ", starts: kubelet").contains("`starts: etcd`"));
        assert!(wrong(", starts: etcd", ", stops: etcd").contains("`starts: etcd`"), "too early");
        assert!(wrong(", stops: etdc", "").contains("did you mean `etcd`"), "{}", wrong(", stops: etdc", ""));
    }
}
