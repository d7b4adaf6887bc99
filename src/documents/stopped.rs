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

    /// What is wrong with a step of this script, at which line and column of the script.
    fn script(key: &str, script: &str, says: &str) -> Vec<(usize, usize, String)> {
        let script = script.replace('\n', "\n          ");
        let text = format!(
            "runbook: r\ntitle: R\nvars:\n  unit: {{about: U, default: etcd-member.service}}\n  other: {{about: O, default: \
             docker.service}}\nstages:\n  - stage: s\n    title: S\n    hosts: etcd\n    steps:\n      - step: a\n        title: \
             T\n{says}        run: &run |\n          {script}\n        undo: 'true'\n"
        );
        let text = if key == "undo" {
            text.replace("undo: 'true'", "undo: *run").replace("run: &run |", "hands: &run |")
        } else {
            text
        };
        let problems = read_runbook(&Source::file(Path::new("r.yaml"), text)).err();
        let problems = problems.map(|problems| problems.0).unwrap_or_default();
        problems.into_iter().filter_map(|p| p.place.map(|at| (at.line - 13, at.column - 10, p.message))).collect()
    }

    #[test]
    fn a_script_that_stops_the_member_says_so() {
        for (wrong, line, column) in [
            ("systemctl stop etcd", 1, 1),
            ("true\ntimeout -k 5 20 systemctl restart \"$unit\"", 2, 1),
            ("for name in etcd2 etcd-member; do\n  systemctl stop \"$name.service\"\ndone", 2, 3),
            ("a=$unit\nb=$a\na=$b\nsystemctl disable --now \"${b}\"", 4, 1),
            ("if true; then mv /etc/kubernetes/manifests/etcd.yaml /root/; fi", 1, 15),
        ] {
            let found = script("run", wrong, "");
            let told = |(l, c, message): &(usize, usize, String)| {
                (*l, *c) == (line, column) && message.contains("say `stops: etcd`")
            };
            assert!(found.iter().any(told), "{wrong}: {found:?}");
            for says in ["        stops: etcd\n        starts: etcd\n", "        reboots: true\n"] {
                assert_eq!(script("run", wrong, says), [], "{wrong}");
            }
            let found = script("undo", wrong, "");
            assert!(found.iter().any(|(.., message)| message.contains("say `starts: etcd`")), "{wrong}: {found:?}");
            assert_eq!(script("undo", wrong, "        starts: etcd\n"), [], "{wrong}");
        }
        for sound in
            ["systemctl stop \"$other\"", "a=$other\nb=$a\na=$b\nsystemctl stop \"$a\"", "systemctl start etcd"]
        {
            assert_eq!(script("run", sound, ""), [], "{sound}");
        }
    }
}
