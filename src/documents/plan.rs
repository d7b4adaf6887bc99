//! A runbook applied to an inventory: every value settled and every file read before anything runs.

mod files;
mod values;

use std::collections::BTreeMap;

use self::files::Unread;
use super::source::Source;
use crate::model::TaskId;
use crate::model::inventory::Inventory;
use crate::model::plan::{Plan, Task, expand, plain_file_name};
use crate::model::runbook::{Each, Runbook, Stage};
use crate::yaml::{Node, Problem, Problems, parse};

pub use self::files::edited;
pub use self::values::check_value;

/// Builds the plan. Values come from the command line, else the host, else the inventory, else the runbook's default.
/// Files to push are read, converted and put into the plan as they will stand on the host.
///
/// # Errors
/// Everything that stands in the way: missing or unfit values at the place they were given, files that cannot be read
/// or converted, roles that no host has.
pub fn build(
    inventory: &Inventory,
    inventory_source: &Source,
    runbook: &Runbook,
    runbook_source: &Source,
    given: &[(String, String)],
) -> Result<Plan, Problems> {
    let mut builder = Builder {
        inventory,
        inventory_source,
        // Both were read before; a tree that is not to be had costs only the place of a problem.
        inventory_tree: parse(&inventory_source.document).ok(),
        runbook,
        runbook_source,
        runbook_tree: parse(&runbook_source.document).ok(),
        problems: Problems::default(),
    };
    let vars = builder.values(given);
    let (stages, origins) = builder.stages(&vars).into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
    let tasks = builder.tasks(&stages, &origins, &vars);
    let runbook = Runbook { stages, ..runbook.clone() };
    let vars = inventory.hosts.iter().map(|host| host.name.clone()).zip(vars).collect();
    let secrets = builder.secrets(given);
    builder.problems.or(Some(Plan { inventory: inventory.clone(), runbook, tasks, vars, secrets }))
}

/// Stages of which no host has the role: nothing will be done in them, which may or may not be meant.
pub fn empty_stages(plan: &Plan) -> impl Iterator<Item = &Stage> {
    plan.runbook.stages.iter().enumerate().filter(|(index, _)| plan.hosts_of(*index).next().is_none()).map(|(_, s)| s)
}

/// The values of one host.
type Values = BTreeMap<String, String>;

struct Builder<'p> {
    inventory: &'p Inventory,
    inventory_source: &'p Source,
    inventory_tree: Option<Node>,
    runbook: &'p Runbook,
    runbook_source: &'p Source,
    runbook_tree: Option<Node>,
    problems: Problems,
}

impl Builder<'_> {
    /// The stages as they will be walked, those that are repeated once for every word; each with its index in the runbook.
    fn stages(&mut self, vars: &[Values]) -> Vec<(Stage, usize)> {
        let mut stages = Vec::new();
        for (index, stage) in self.runbook.stages.iter().enumerate() {
            let Some(Each { name, of }) = &stage.each else {
                stages.push((stage.clone(), index));
                continue;
            };
            let mut all: Vec<&str> = vars.iter().filter_map(|vars| vars.get(of)).map(String::as_str).collect();
            all.dedup();
            if all.len() > 1 {
                let message = format!(
                    "the stage `{}` is repeated for every word of `{of}`, which must be the same on all hosts: {}",
                    stage.name,
                    all.join(" / ")
                );
                self.problems.0.push(Problem::of(&*self.inventory_source.document.name, message));
            }
            let mut words: Vec<&str> = Vec::new();
            for word in all.first().into_iter().flat_map(|value| value.split_whitespace()) {
                if words.contains(&word) {
                    let message = format!("`{of}`: `{word}` is in it twice");
                    self.problems.0.push(Problem::of(&*self.inventory_source.document.name, message));
                    continue;
                }
                words.push(word);
                let own = Values::from([(name.clone(), word.to_owned())]);
                let stage = Stage {
                    name: format!("{}-{word}", stage.name),
                    title: expand(&stage.title, &own),
                    each: None,
                    vars: own,
                    ..stage.clone()
                };
                stages.push((stage, index));
            }
        }
        stages
    }

    fn tasks(&mut self, stages: &[Stage], origins: &[usize], vars: &[Values]) -> Vec<Task> {
        let inventory = self.inventory;
        let mut tasks = Vec::new();
        for ((stage_index, stage), origin) in stages.iter().enumerate().zip(origins) {
            for (host, vars) in inventory.hosts.iter().zip(vars) {
                if !host.roles.iter().any(|role| stage.hosts.contains(role)) {
                    continue;
                }
                let vars: Values =
                    vars.iter().chain(&stage.vars).map(|(name, value)| (name.clone(), value.clone())).collect();
                for (step_index, step) in stage.steps.iter().enumerate() {
                    let there = step.on.map(|role| (role, inventory.with_role(role).next()));
                    if let Some((role, None)) = there {
                        let message = format!("this step runs on the first `{role}` host, and the inventory has none");
                        self.at_step(*origin, step_index, "on", message);
                        continue;
                    }
                    let on = there.and_then(|(_, on)| on).map_or_else(|| host.name.clone(), |on| on.name.clone());
                    let pushes = step
                        .push
                        .iter()
                        .filter_map(|push| match self.push(push, &vars) {
                            Ok(file) => Some(file),
                            Err(Unread::Here(message)) => {
                                self.at_step(*origin, step_index, "push", format!("for {}: {message}", host.name));
                                None
                            }
                            Err(Unread::There(problems)) => {
                                self.problems.0.extend(problems.0);
                                None
                            }
                        })
                        .collect();
                    for fetch in &step.fetch {
                        if let Err(why) = plain_file_name(&expand(&fetch.name, &vars)) {
                            self.at_step(*origin, step_index, "fetch", format!("for {}: {why}", host.name));
                        }
                    }
                    let id = TaskId(u32::try_from(tasks.len()).unwrap_or(u32::MAX));
                    let (stage, step, host) = (stage_index, step_index, host.name.clone());
                    tasks.push(Task { id, stage, step, host, on, pushes, kept: Values::new() });
                }
            }
        }
        tasks
    }

    /// Notes a problem at a key of a step of the runbook.
    fn at_step(&mut self, stage: usize, step: usize, key: &str, message: String) {
        let node = self
            .runbook_tree
            .as_ref()
            .and_then(|tree| tree.get("stages")?.items().get(stage)?.get("steps")?.items().get(step)?.get(key));
        let document = &self.runbook_source.document;
        self.problems.0.push(match node {
            Some(node) => Problem::at(document, node.place, message),
            None => Problem::of(&*document.name, message),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::documents::source::Source;
    use crate::documents::{read_inventory, read_runbook};
    use crate::model::Digest;

    const RUNBOOK: &str = r#"runbook: r
title: R
vars:
  target: {about: "the version", required: true, form: version}
  dir: {about: "where", default: /d, form: path}
stages:
  - stage: one
    title: One
    hosts: etcd
    steps:
      - step: write
        title: Write
        push:
          - {path: $dir/etcd.conf, from: $host.yaml, convert: etcd-drop-in, mode: '0600'}
        require:
          - {that: config.etcd.name == host.etcd.name, because: it must be this member}
        run: cat "$dir/etcd.conf"
      - step: drain
        title: Drain
        on: control-plane
        run: kubectl get nodes
"#;
    const INVENTORY: &str = r"cluster: lab
vars:
  target: 3.5.1
  unrelated: x
hosts:
  - {name: a, roles: [etcd, control-plane], address: 10.0.0.1}
  - name: b
    roles: etcd
    vars: {dir: /b}
  - {name: c, roles: worker}
";

    struct Files(tempfile::TempDir);

    impl Files {
        fn new(files: &[(&str, &str)]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            for (name, text) in files {
                std::fs::write(dir.path().join(name), text).unwrap();
            }
            Self(dir)
        }

        fn build(&self, inventory: &str, runbook: &str, given: &[(&str, &str)]) -> Result<Plan, String> {
            let inventory_source = Source::file(&self.0.path().join("inventory.yaml"), inventory);
            let runbook_source = Source::file(Path::new("runbook.yaml"), runbook);
            let given: Vec<_> = given.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            let inventory = read_inventory(&inventory_source).unwrap();
            let runbook = read_runbook(&runbook_source).unwrap_or_else(|problems| panic!("{problems}"));
            build(&inventory, &inventory_source, &runbook, &runbook_source, &given)
                .map_err(|problems| problems.to_string().replace(&self.0.path().display().to_string(), "DIR"))
        }
    }

    fn members() -> Files {
        Files::new(&[("a.yaml", "etcd:\n  name: a\n"), ("b.yaml", "etcd:\n  name: b\n")])
    }

    #[test]
    fn tasks_go_stage_by_stage_host_by_host_step_by_step() {
        let plan = members().build(INVENTORY, RUNBOOK, &[]).unwrap();
        let labels: Vec<_> = plan.tasks.iter().map(|task| plan.label(task.id)).collect();
        assert_eq!(labels, ["one/write on a", "one/drain on a", "one/write on b", "one/drain on b"]);
        assert_eq!(plan.tasks[3].on, "a".into());
        let file = &plan.tasks[2].pushes[0];
        assert_eq!((&*file.path, &*file.mode), ("/b/etcd.conf", "0600"));
        assert!(file.content.ends_with("--name=\"b\""));
        assert_eq!(file.config.as_ref().unwrap()["etcd"]["name"], "b");
        // echo -n | sha256sum, of the bytes that are pushed
        assert_eq!(file.sha256, Digest::of(file.content.as_bytes()));
        assert_eq!(Digest::of(b"").as_str(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn the_nearest_value_wins() {
        let plan = members().build(INVENTORY, RUNBOOK, &[]).unwrap();
        let value = |plan: &Plan, host: &str, name: &str| plan.vars[host].get(name).cloned();
        assert_eq!(value(&plan, "a", "dir").as_deref(), Some("/d"));
        assert_eq!(value(&plan, "b", "dir").as_deref(), Some("/b"));
        assert_eq!(value(&plan, "a", "address").as_deref(), Some("10.0.0.1"));
        assert_eq!(value(&plan, "b", "node").as_deref(), Some("b"));
        assert_eq!(value(&plan, "a", "unrelated"), None);
        let plan = members().build(INVENTORY, RUNBOOK, &[("dir", "/cli")]).unwrap();
        assert_eq!(value(&plan, "b", "dir").as_deref(), Some("/cli"));
    }

    #[test]
    fn a_stage_stands_once_for_every_word_and_sees_it() {
        let head = RUNBOOK.replace(
            "stages:\n",
            "  onward: {about: \"where to\", default: '', form: versions}\nstages:\n  - stage: on\n    title: On to $version\n    each: \
             {version: onward}\n    hosts: etcd\n    steps:\n      - step: go\n        title: Go\n        require:\n          - {that: \
             vars.version != '', because: it must be known}\n        run: install \"$version\"\n",
        );
        let plan = members().build(INVENTORY, &head, &[("onward", "3.1.20  3.2.32")]).unwrap();
        let stages: Vec<_> = plan.runbook.stages.iter().map(|stage| (&*stage.name, &*stage.title)).collect();
        assert_eq!(stages, [("on-3.1.20", "On to 3.1.20"), ("on-3.2.32", "On to 3.2.32"), ("one", "One")]);
        assert_eq!(plan.vars_of(&plan.tasks[2])["version"], "3.2.32");
        assert!(!plan.vars_of(&plan.tasks[4]).contains_key("version"));
        assert_eq!(members().build(INVENTORY, &head, &[]).unwrap().runbook.stages.len(), 1);
        let twice = members().build(INVENTORY, &head, &[("onward", "3.1.20 3.1.20")]).unwrap_err();
        assert!(twice.contains("`3.1.20` is in it twice"), "{twice}");
        let differ = INVENTORY.replace("dir: /b", "onward: 3.1.20");
        let differ = members().build(&differ, &head, &[]).unwrap_err();
        assert!(differ.contains("must be the same on all hosts:  / 3.1.20"), "{differ}");
    }

    #[test]
    fn what_is_brought_back_is_kept_in_its_directory_whatever_the_values() {
        let fetch = "        fetch: {path: /d/member.db, name: $dir.db}\n        run: cat";
        let runbook = RUNBOOK.replacen("        run: cat", fetch, 1);
        let of =
            |dir: &str| members().build(&INVENTORY.replace("{dir: /b}", &format!("{{dir: {dir}}}")), &runbook, &[]);
        for dir in ["/../../../victim", "/b"] {
            let wrong = of(dir).unwrap_err();
            assert!(wrong.contains("runbook.yaml:") && wrong.contains("is not a plain file name"), "{wrong}");
        }
        let plan = of("/b").map(drop);
        assert!(plan.unwrap_err().contains("for b: "), "on both hosts, each by its name");
    }

    #[test]
    fn everything_in_the_way_is_told_at_once() {
        let inventory = INVENTORY
            .replace("  target: 3.5.1\n", "  tagret: 3.5.1\n")
            .replace("dir: /b", "dir: b")
            .replace("etcd, control-plane", "etcd");
        let files = Files::new(&[("a.yaml", "etcd:\n  nme: a\n")]);
        insta::assert_snapshot!(files.build(&inventory, RUNBOOK, &[("targte", "1")]).unwrap_err());
    }

    #[test]
    fn a_variable_that_is_nearly_one_of_the_runbook_is_told_and_those_of_others_are_not() {
        let stray = INVENTORY.replace("unrelated: x", "dri: /x\n  etcd_endpoint: http://127.0.0.1:2379");
        let wrong = members().build(&stray.replace("    vars: {dir: /b}\n", ""), RUNBOOK, &[]).unwrap_err();
        assert!(
            wrong.contains("inventory.yaml:4:3: the runbook `r` has no variable `dri`; did you mean `dir`?"),
            "{wrong}"
        );
        assert!(members().build(&stray, RUNBOOK, &[]).is_ok(), "what has a value is not mistaken for what has none");
    }

    #[test]
    fn a_stage_without_hosts_is_named() {
        let runbook = RUNBOOK.replace("hosts: etcd", "hosts: control-plane");
        let inventory = "cluster: x\nhosts:\n  - {name: w, roles: worker}\n";
        let plan = members().build(inventory, &runbook, &[("target", "3.5.1")]).unwrap();
        assert_eq!(plan.tasks, []);
        assert_eq!(empty_stages(&plan).map(|stage| &*stage.name).collect::<Vec<_>>(), ["one"]);
    }
}
