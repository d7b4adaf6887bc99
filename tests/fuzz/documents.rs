//! What people write for Lockkeeper: YAML, inventories, runbooks, and the plans that these make.

use std::path::Path;
use std::sync::LazyLock;

use lockkeeper::documents::print::{plan_text, runbook_text};
use lockkeeper::documents::{Source, find_runbook, plan, read_inventory, read_runbook};
use lockkeeper::model::{Inventory, Runbook};
use lockkeeper::yaml::{Document, parse, parse_lenient};

use super::mangled::{assert_plain, text, texts};

const SMALL: &str = include_str!("small.yaml");

/// Mostly the small one: each of the others takes a hundred times as long to read.
static RUNBOOKS: LazyLock<Vec<String>> =
    LazyLock::new(|| [vec![SMALL.to_owned(); 52], texts("assets/runbooks", "yaml")].concat());
static INVENTORIES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let everything = "cluster: c\nssh: {user: u, port: 22, identity: ~/k, jump: a@b:1, config: ./c, known_hosts: ./k}\nvars: {a: 1, b: \"x y\"}\nhosts:\n  - {name: a, roles: [etcd, control-plane, worker, build], connection: local}\n  - name: b\n    address: 'fe80::1'\n    roles: [worker]\n    node: b.example.net\n    ssh: {port: 2222}\n    vars: {a: &x 2, b: *x}\n";
    let mut all = texts("assets/inventories", "yaml");
    all.push(everything.into());
    all
});

/// What is well for the strict reader is the same for the lenient one, which has nothing to warn of.
pub(super) fn yaml(input: &[u8]) {
    let seeds: Vec<String> = [&**INVENTORIES, &**RUNBOOKS].concat();
    let document = Document::new("f", text(input, &seeds));
    let (strict, lenient) = (parse(&document), parse_lenient(&document));
    let (Err(problems) | Ok((_, problems))) = &lenient;
    // Excerpts are made of whatever stands there.
    let _ = problems.to_string();
    if let Ok(tree) = strict {
        let (same, warnings) = lenient.unwrap();
        assert_eq!(tree, same);
        assert!(warnings.0.is_empty(), "{warnings}");
    }
}

/// What a journal would keep of it is the whole of it, and what is printed of it hides nothing.
pub(super) fn runbook(input: &[u8]) {
    let source = Source::file(Path::new("/nowhere/f.yaml"), text(input, &RUNBOOKS));
    match read_runbook(&source) {
        Ok(runbook) => {
            assert_plain(&runbook_text(&runbook));
            let kept = serde_json::to_string(&runbook).unwrap();
            assert_eq!(serde_json::from_str::<Runbook>(&kept).unwrap(), runbook);
        }
        Err(problems) => assert!(!problems.to_string().is_empty()),
    }
}

/// The same of an inventory.
pub(super) fn inventory(input: &[u8]) {
    let source = Source::file(Path::new("/nowhere/f.yaml"), text(input, &INVENTORIES));
    match read_inventory(&source) {
        Ok(inventory) => {
            let kept = serde_json::to_string(&inventory).unwrap();
            assert_eq!(serde_json::from_str::<Inventory>(&kept).unwrap(), inventory);
        }
        Err(problems) => assert!(!problems.to_string().is_empty()),
    }
}

/// A plan of any runbook for three hosts, or of a built-in one for any inventory, holds together, is the same each time, and is
/// printed without anything hidden.
pub(super) fn plan(input: &[u8]) {
    let known = include_str!("../../assets/inventories/example.yaml");
    let (inventory, runbook) = match input.split_last() {
        Some((last, rest)) if last % 4 == 0 => (
            Source::file(Path::new("/nowhere/i.yaml"), text(rest, &INVENTORIES)),
            find_runbook(["etcd-minor", "flatcar-update", "kubeadm-minor", "blue-green"][usize::from(last / 4) % 4])
                .unwrap(),
        ),
        _ => (
            Source::file(Path::new("/nowhere/i.yaml"), known),
            Source::file(Path::new("/nowhere/r.yaml"), text(input, &RUNBOOKS)),
        ),
    };
    let (Ok(hosts), Ok(steps)) = (read_inventory(&inventory), read_runbook(&runbook)) else { return };
    let given = |values: &[(&str, &str)]| -> Vec<(String, String)> {
        values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    // Values for whatever the runbook declares, so that some plans come about.
    let some = steps.vars.iter().filter(|(_, spec)| spec.default.is_none());
    let some: Vec<_> = some
        .map(|(name, spec)| {
            let value = spec.one_of.first().map_or("3.5.32", String::as_str);
            (name.clone(), value.to_owned())
        })
        .collect();
    for given in [given(&[]), some] {
        let build = || plan::build(&hosts, &inventory, &steps, &runbook, &given);
        match build() {
            Ok(plan) => {
                assert!(plan.holds_together());
                assert_eq!(build().as_ref(), Ok(&plan));
                assert_plain(&plan_text(&plan));
                let kept = serde_json::to_string(&plan).unwrap();
                assert_eq!(serde_json::from_str::<lockkeeper::model::Plan>(&kept).unwrap(), plan);
            }
            Err(problems) => assert!(!problems.to_string().is_empty()),
        }
    }
}

#[test]
fn the_small_runbook_is_one() {
    let source = Source::file(Path::new("small.yaml"), SMALL);
    let runbook = read_runbook(&source).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(runbook.stages[0].steps.len(), 2);
}
