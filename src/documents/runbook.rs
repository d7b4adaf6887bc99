//! The runbook: stages of guarded steps, in shell and CEL, read and checked as far as it goes without a host.

mod checks;
mod probe;
mod step;
mod vars;
mod words;

use std::collections::BTreeMap;

use indexmap::IndexMap;

use self::checks::checks;
use self::probe::probe;
use self::step::step;
use self::vars::vars;
pub(super) use self::words::secret_here;
use self::words::{Names, boolean, line, name, text};
use super::inventory::{role_words, variable_name};
use super::{BUILT_IN_VARS, Source, stopped};
use crate::model::runbook::{Each, Order, ProbeSpec, Runbook, Stage, Step, VarForm};
use crate::yaml::{Data, Node, Problems, Reader, did_you_mean, parse};

pub(super) use self::vars::fits;

/// Reads a runbook and checks it: its form, its expressions, and its scripts as far as reading them tells.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub fn read_runbook(source: &Source) -> Result<Runbook, Problems> {
    let root = parse(&source.document)?;
    let mut reader = Reader::new(&source.document);
    let runbook = runbook(&mut reader, &root);
    reader.problems.or(runbook)
}

/// The steps that are taken back by a script of which nobody says what has to be so afterwards: `stage/step`.
#[must_use]
pub fn taken_back_unseen(runbook: &Runbook) -> Vec<String> {
    let unseen =
        |step: &&Step| step.takes_back().is_some() && step.point_of_no_return.is_none() && step.undone.is_empty();
    let of = |stage: &Stage| -> Vec<String> {
        stage.steps.iter().filter(unseen).map(|step| format!("{}/{}", stage.name, step.name)).collect()
    };
    runbook.stages.iter().flat_map(of).collect()
}

/// What the parts of a runbook know of the whole.
struct Whole {
    /// Names of all variables.
    names: Names,
    /// Those that scripts see: all of them.
    scripts: Vec<String>,
    /// Names of the declared ones, which is what checks see.
    vars: Vec<String>,
    /// Those of them that hold a length of time.
    durations: Vec<String>,
    /// What they hold unless they are given.
    defaults: BTreeMap<String, String>,
    probe: ProbeSpec,
}

impl Whole {
    /// The same with one more variable.
    fn with(&self, name: &str) -> Self {
        let and = |names: &[String]| names.iter().cloned().chain([name.to_owned()]).collect();
        Self {
            names: Names { plain: and(&self.names.plain), ..self.names.clone() },
            scripts: and(&self.scripts),
            vars: and(&self.vars),
            durations: self.durations.clone(),
            defaults: self.defaults.clone(),
            probe: self.probe.clone(),
        }
    }
}

fn runbook(reader: &mut Reader<'_>, root: &Node) -> Option<Runbook> {
    let keys = ["runbook", "title", "about", "vars", "practice", "probe", "stages", "promise"];
    let fields = reader.fields(root, "a runbook", &keys)?;
    let name = reader.required(fields, "the runbook", "runbook").and_then(|node| name(reader, node, "runbook"));
    let title = reader.required(fields, "the runbook", "title").and_then(|node| line(reader, node, "title"));
    let about = text(reader, fields, "about").unwrap_or_default();
    let vars = fields.get("vars").map(|node| vars(reader, node)).unwrap_or_default();
    let of = |secret: bool| vars.iter().filter(move |(_, spec)| spec.secret == secret).map(|(name, _)| name.clone());
    let (declared, secret): (Vec<String>, Vec<String>) = (of(false).collect(), of(true).collect());
    let practice = fields.get("practice").map(|node| practice(reader, node, &declared, &secret)).unwrap_or_default();
    let plain: Vec<String> = declared.iter().cloned().chain(BUILT_IN_VARS.map(str::to_owned)).collect();
    let scripts = plain.iter().chain(&secret).cloned().collect();
    let names = Names { plain, secret };
    let probe = fields.get("probe").and_then(|node| probe(reader, node, &names)).unwrap_or_default();
    let held = vars.iter().filter(|(_, spec)| spec.form == Some(VarForm::Duration));
    let durations = held.map(|(name, _)| name.clone()).collect();
    let defaults = vars.iter().filter_map(|(name, spec)| Some((name.clone(), spec.default.clone()?))).collect();
    let whole = Whole { names, scripts, vars: declared, durations, defaults, probe };

    let mut stages: Vec<Stage> = Vec::new();
    if let Some(list) = reader.required(fields, "the runbook", "stages") {
        for node in reader.list(list, "stages") {
            let Some(stage) = stage(reader, node, &whole) else { continue };
            if stages.iter().any(|other| other.name == stage.name) {
                let at = node.get("stage").unwrap_or(node);
                reader.complain(at, format!("there is a stage `{}` already: names are unique", stage.name));
            }
            stages.push(stage);
        }
        if matches!(&list.data, Data::Seq(items) if items.is_empty()) {
            reader.complain(list, "a runbook has at least one stage");
        }
        stopped::check(reader, list);
    }
    let without = [("host", "a promise is about all hosts; use `hosts`"), ("config", "a promise pushes nothing")];
    let promise =
        fields.get("promise").map(|node| checks(reader, node, "promise", &whole, &without)).unwrap_or_default();
    Some(Runbook { name: name?, title: title?, about, vars, practice, probe: whole.probe, stages, promise })
}

/// Clusters to practise on, with the values of variables there.
fn practice(
    reader: &mut Reader<'_>,
    node: &Node,
    declared: &[String],
    secret: &[String],
) -> IndexMap<String, IndexMap<String, String>> {
    let mut clusters = IndexMap::new();
    for (cluster, values) in reader.entries(node, "practice") {
        let mut given = IndexMap::new();
        for (name, value) in reader.entries(values, "the values of a practice cluster") {
            let Some(word) = reader.text(name, "a variable's name") else { continue };
            if secret.contains(&word) {
                reader.complain(
                    name,
                    format!("`{word}` is a secret, and has a made-up value in practice: leave this out"),
                );
            } else if !declared.contains(&word) {
                let hint = did_you_mean(&word, declared.iter().map(String::as_str));
                reader.complain(name, format!("the runbook declares no variable `{word}`{hint}"));
            }
            given.extend(reader.text(value, &word).map(|value| (word, value)));
        }
        clusters.extend(reader.text(cluster, "a practice cluster").map(|cluster| (cluster, given)));
    }
    clusters
}

fn stage(reader: &mut Reader<'_>, node: &Node, whole: &Whole) -> Option<Stage> {
    let fields =
        reader.fields(node, "a stage", &["stage", "title", "each", "hosts", "order", "leader-last", "steps"])?;
    let name = reader.required(fields, "this stage", "stage").and_then(|node| name(reader, node, "stage"));
    let title = reader.required(fields, "this stage", "title").and_then(|node| line(reader, node, "title"));
    let each = fields.get("each").and_then(|node| each(reader, node, whole));
    let repeated = each.as_ref().map(|each| whole.with(&each.name));
    let whole = repeated.as_ref().unwrap_or(whole);
    let mut hosts = Vec::new();
    if let Some(roles) = reader.required(fields, "this stage", "hosts") {
        for role in reader.one_or_more(roles) {
            hosts.extend(reader.word(role, "hosts", &role_words()));
        }
    }
    let order = fields.get("order").and_then(|node| order(reader, node)).unwrap_or_default();
    let leader_last = boolean(reader, fields, "leader-last");
    if leader_last && order == Order::AllAtOnce {
        let at = fields.get("leader-last").unwrap_or(node);
        reader.complain(at, "there is no last one where all go at once: leave this out, or go one-at-a-time");
    }
    let mut steps: Vec<Step> = Vec::new();
    if let Some(list) = reader.required(fields, "this stage", "steps") {
        for node in reader.list(list, "steps") {
            let Some(step) = step(reader, node, whole) else { continue };
            if steps.iter().any(|other| other.name == step.name) {
                let at = node.get("step").unwrap_or(node);
                reader.complain(at, format!("this stage has a step `{}` already: names are unique", step.name));
            }
            steps.push(step);
        }
        if matches!(&list.data, Data::Seq(items) if items.is_empty()) {
            reader.complain(list, "a stage has at least one step");
        }
    }
    Some(Stage { name: name?, title: title?, each, vars: BTreeMap::new(), hosts, order, leader_last, steps })
}

/// `each: {word: variable}`.
fn each(reader: &mut Reader<'_>, node: &Node, whole: &Whole) -> Option<Each> {
    let [(key, value)] = reader.entries(node, "each") else {
        reader.complain(node, "a stage is repeated over one variable: `each: {version: versions}`");
        return None;
    };
    if !variable_name(reader, key) {
        return None;
    }
    let (name, of) = (reader.text(key, "each")?, reader.text(value, "each")?);
    if whole.scripts.contains(&name) {
        reader.complain(key, format!("there is a variable `{name}` already"));
    }
    if !whole.vars.contains(&of) {
        let hint = did_you_mean(&of, whole.vars.iter().map(String::as_str));
        reader.complain(value, format!("the runbook declares no variable `{of}`{hint}"));
    }
    Some(Each { name, of })
}

fn order(reader: &mut Reader<'_>, node: &Node) -> Option<Order> {
    let text = reader.text(node, "order")?;
    if let Some(share) = text.strip_prefix("batch") {
        let percent = share.trim().strip_suffix('%').and_then(|number| number.parse::<u8>().ok());
        if let Some(percent @ 1..=100) = percent {
            return Some(Order::Batch(percent));
        }
        reader.complain(node, format!("`{text}` is not a batch: write `batch 25%`"));
        return None;
    }
    let words =
        [("one-at-a-time", Order::OneAtATime), ("all-at-once", Order::AllAtOnce), ("batch 25%", Order::Batch(25))];
    reader.word(node, "order", &words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::runbook::{Confirm, VarSpec};
    use std::path::Path;

    fn read(text: &str) -> Result<Runbook, Problems> {
        read_runbook(&Source::file(Path::new("r.yaml"), text))
    }

    const SOUND: &str = "runbook: r\ntitle: R\nstages:\n  - stage: s\n    title: S\n    hosts: [etcd, worker]\n    order: batch 25%\n    leader-last: true\n    steps:\n      - step: a\n        title: A\n        run: reboot\n        reboots: true\n        timeout: 90s\n";

    #[test]
    fn a_sound_runbook_becomes_what_it_says() {
        let runbook = read(SOUND).unwrap();
        let stage = &runbook.stages[0];
        assert_eq!((stage.order, stage.leader_last, stage.hosts.len()), (Order::Batch(25), true, 2));
        let step = &stage.steps[0];
        assert_eq!(step.confirm, Confirm::Host, "what reboots asks for the host's name unless more is asked");
        assert_eq!(step.timeout(&BTreeMap::new()).as_secs(), 90);
        // Written to a journal and read from it, it is the same.
        let json = serde_json::to_string(&runbook).unwrap();
        assert_eq!(serde_json::from_str::<Runbook>(&json).unwrap(), runbook);
    }

    #[test]
    fn a_timeout_is_made_of_lengths_of_time_and_variables_that_hold_one() {
        let of = |timeout: &str, form: &str| {
            let vars = format!("vars:\n  wait: {{about: w, default: 10m{form}}}\nstages:");
            read(&SOUND.replace("stages:", &vars).replace("timeout: 90s", &format!("timeout: {timeout}")))
        };
        let form = ", form: duration";
        for (timeout, form, fine) in [
            ("$wait + 1m", form, true),
            ("1h30m", form, true),
            ("$wait + 1m", "", false),
            ("$wiat", form, false),
            ("$wait + soon", form, false),
            ("$wait +", form, false),
        ] {
            assert_eq!(of(timeout, form).is_ok(), fine, "{timeout}{form}: {:?}", of(timeout, form).err());
        }
        for (value, fine) in [("90s", true), ("1h30m", true), ("0s", false), ("soon", false), ("-1m", false)] {
            let spec = VarSpec { form: Some(VarForm::Duration), ..VarSpec::default() };
            assert_eq!(fits(&spec, value).is_ok(), fine, "{value}");
        }
    }

    #[test]
    fn only_what_may_run_again_and_does_not_reboot_may_be_ended() {
        let step = |more: &str| {
            let text =
                SOUND.replace("        run: reboot\n        reboots: true\n", &format!("        run: sleep 9\n{more}"));
            read(&text)
        };
        let ended = "        if_ended: what was moved stays moved\n";
        let sound = step(&format!("        repeatable: true\n{ended}")).unwrap();
        assert_eq!(sound.stages[0].steps[0].stays_if_ended(), Some("what was moved stays moved"));
        assert!(step(ended).is_err(), "it may not simply be run again");
        assert!(step("        repeatable: true\n        if_ended: yes\n").is_err(), "that tells the operator nothing");
        assert!(read(&format!("{SOUND}        repeatable: true\n{ended}")).is_err(), "it reboots");
    }

    #[test]
    fn what_is_grave_is_not_confirmed_with_less_than_the_name() {
        for (line, fine) in [
            ("confirm: none", false),
            ("confirm: enter", false),
            ("confirm: host", true),
            ("confirm: {phrase: I know}", true),
        ] {
            let text = format!("{SOUND}        {line}\n");
            assert_eq!(read(&text).is_ok(), fine, "{line}");
        }
    }

    /// Every problem of a file full of them, at its place, in one go.
    #[test]
    fn all_problems_are_told_at_once() {
        let text = r#"runbook: Bad Name
title: A runbook with a problem in every line that could have one
vars:
  target: {about: version, requierd: true, form: version}
  PATH: {about: no, default: x}
  level: {about: pick, default: hihg, one_of: [high, low]}
probe:
  units: [etcd]
stages:
  - stage: one
    title: One
    hosts: [etcd, controlplane]
    order: one-by-one
    steps:
      - step: stop
        title: Stop
        confirm: none
        destroys: yes
        require:
          - that: etcd.members.all(m, m.healty)
            because: all must be well
            within: 90
          - that: host.units['etcd'].active == 'active' && vars.tagret != ''
        run: |
          etcdctl backup –data-dir /x
          rm -rf "$dta_dir"
          systemctl reboot
        timeout: soon
      - step: stop
        title: Again
        push: {path: relative, from: $nowhere/x, mode: rwx}
promise:
  - {that: host.etcd.healthy, because: it is}
"#;
        insta::assert_snapshot!(read(text).unwrap_err());
    }
}
