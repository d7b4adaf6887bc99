//! Runbooks and plans as text for a terminal of a hundred columns or more, or for paper.

use std::fmt::{self, Display, Write};

use crate::model::hidden::shown;
use crate::model::inventory::Role;
use crate::model::plan::{Plan, Task};
use crate::model::runbook::{Check, Confirm, Convert, Each, Order, Runbook, Stage, Step, VarForm, VarSpec};
use crate::model::{HostName, SecretSource};

const WIDTH: usize = 100;

/// A runbook, in full.
#[must_use]
pub fn runbook_text(runbook: &Runbook) -> String {
    text(|out| {
        head(out, runbook, "RUNBOOK")?;
        if !runbook.vars.is_empty() {
            writeln!(out, "\nVARIABLES")?;
        }
        for (name, spec) in &runbook.vars {
            item(out, 2, name, &variable(spec))?;
        }
        for (index, stage) in runbook.stages.iter().enumerate() {
            let roles: Vec<_> = stage.hosts.iter().map(|role| Role::word(*role)).collect();
            stage_head(out, index, stage, &roles.join(", "))?;
            for step in &stage.steps {
                writeln!(out, "\n  {}", step.name)?;
                step_body(out, step)?;
            }
        }
        promise(out, runbook)
    })
}

/// A plan, in full: a step's text stands at its first task, and the tasks after it refer to that.
#[must_use]
pub fn plan_text(plan: &Plan) -> String {
    text(|out| {
        head(out, &plan.runbook, "PLAN")?;
        let hosts: Vec<_> = plan.inventory.hosts.iter().map(|host| host.name.as_str()).collect();
        item(out, 0, "cluster", &format!("{} ({})", plan.inventory.cluster, hosts.join(", ")))?;
        item(out, 0, "tasks", &plan.tasks.len().to_string())?;
        values(out, plan)?;
        for (index, stage) in plan.runbook.stages.iter().enumerate() {
            let hosts: Vec<_> = plan.hosts_of(index).map(crate::model::HostName::as_str).collect();
            let hosts = if hosts.is_empty() { "no host: nothing will be done here".into() } else { hosts.join(", ") };
            stage_head(out, index, stage, &hosts)?;
            for task in plan.tasks.iter().filter(|task| task.stage == index) {
                task_text(out, plan, task)?;
            }
        }
        promise(out, &plan.runbook)
    })
}

/// Writing to a string cannot fail.
fn text(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
    let mut out = String::new();
    _ = write(&mut out);
    out
}

fn head(out: &mut String, runbook: &Runbook, what: &str) -> fmt::Result {
    writeln!(out, "{what}  {}", runbook.title)?;
    item(out, 0, "runbook", &runbook.name)?;
    if !runbook.about.is_empty() {
        writeln!(out)?;
        paragraph(out, "", &runbook.about)?;
        writeln!(out)?;
    }
    Ok(())
}

fn variable(spec: &VarSpec) -> String {
    let mut text = spec.about.clone();
    match &spec.default {
        Some(default) if default.is_empty() => text += "; empty by default",
        Some(default) => text.extend(["; by default ", default]),
        None => text += "; required",
    }
    if !spec.one_of.is_empty() {
        text.extend(["; one of ", &spec.choices()]);
    }
    match spec.form {
        None if spec.secret => {
            let from = spec.from.as_ref().map_or(SecretSource::FORMS.to_owned(), ToString::to_string);
            text += &format!("; a secret, from {from}");
        }
        Some(VarForm::Version) => text += "; a version, without a v",
        Some(VarForm::Versions) => text += "; versions, without a v, with spaces between them",
        Some(VarForm::Path) => text += "; an absolute path",
        Some(VarForm::Duration) => text += "; a length of time such as 90s, 5m or 1h",
        None => {}
    }
    text
}

/// Values that are the same on every host once, the others by host.
fn values(out: &mut String, plan: &Plan) -> fmt::Result {
    if plan.runbook.vars.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nVALUES")?;
    for name in plan.runbook.vars.keys() {
        let secret = |host: &HostName| Some(format!("secret, from {}", plan.secrets.get(host)?.get(name)?));
        let all: Vec<_> = plan
            .inventory
            .hosts
            .iter()
            .filter_map(|host| {
                let plain = plan.vars.get(&host.name).and_then(|vars| vars.get(name)).cloned();
                Some((&host.name, plain.or_else(|| secret(&host.name))?))
            })
            .collect();
        match all.as_slice() {
            [(_, first), rest @ ..] if rest.iter().all(|(_, value)| value == first) => {
                item(out, 2, name, if first.is_empty() { "(empty)" } else { first })?;
            }
            all => {
                let all: Vec<_> = all.iter().map(|(host, value)| format!("{host} {value}")).collect();
                item(out, 2, name, &all.join(", "))?;
            }
        }
    }
    Ok(())
}

fn stage_head(out: &mut String, index: usize, stage: &Stage, hosts: &str) -> fmt::Result {
    writeln!(out, "\nSTAGE {}  {}: {}", index + 1, stage.name, stage.title)?;
    let order = match stage.order {
        Order::OneAtATime => "one at a time".into(),
        Order::Batch(percent) => format!("{percent} % of the hosts at a time"),
        Order::AllAtOnce => "all at once".into(),
    };
    let last = if stage.leader_last { ", the etcd leader last" } else { "" };
    if let Some(Each { name, of }) = &stage.each {
        item(out, 2, "each", &format!("once for every word of ${of}, which it calls ${name}"))?;
    }
    item(out, 2, "hosts", hosts)?;
    item(out, 2, "order", &format!("{order}{last}"))
}

fn task_text(out: &mut String, plan: &Plan, task: &Task) -> fmt::Result {
    let step = plan.step_of(task);
    let first = plan.tasks.iter().find(|other| (other.stage, other.step) == (task.stage, task.step));
    writeln!(out, "\n  {:>3}  {}", task.id, plan.label(task.id))?;
    if task.on != task.host {
        item(out, 4, "runs on", task.on.as_str())?;
    }
    for push in &task.pushes {
        if let Some(artifact) = &push.artifact {
            item(
                out,
                4,
                "push",
                &format!("{} (mode {}), what was brought back from {artifact}", push.path, push.mode),
            )?;
            continue;
        }
        let digest: String = push.sha256.as_str().chars().take(12).collect();
        let bytes = push.content.len();
        item(out, 4, "push", &format!("{} (mode {}, {bytes} bytes, sha256 {digest}...)", push.path, push.mode))?;
    }
    match first {
        Some(first) if first.id != task.id => item(out, 4, "as", &format!("task {}, {}", first.id, step.title)),
        _ => step_body(out, step),
    }
}

fn step_body(out: &mut String, step: &Step) -> fmt::Result {
    item(out, 4, "", &step.title)?;
    if !step.why.is_empty() {
        item(out, 4, "why", &step.why)?;
    }
    if let Some(condition) = &step.only_if {
        item(out, 4, "only if", &condition.0)?;
    }
    for push in &step.push {
        let how = match push.convert {
            Convert::None => "",
            Convert::Ignition => ", converted to Ignition",
            Convert::EtcdDropIn => ", converted to a drop-in for etcd",
        };
        item(out, 4, "write", &format!("{} from {}{how}", push.path, push.from))?;
    }
    checks(out, "require", &step.require, false)?;
    let asks = match &step.confirm {
        Confirm::None => "nothing: it opens by itself once every check has passed".into(),
        Confirm::Enter => "Enter".into(),
        Confirm::Host => "the host's name, typed".into(),
        Confirm::Phrase(words) => format!("the words `{words}`, typed"),
    };
    item(out, 4, "asks for", &asks)?;
    if let Some(what) = &step.destroys {
        item(out, 4, "DESTROYS", what)?;
    }
    if step.reboots {
        item(out, 4, "REBOOTS", "the host restarts; its new boot id is waited for")?;
    }
    if let Some(why) = &step.point_of_no_return {
        item(out, 4, "NO RETURN", why)?;
    }
    for (label, components) in [("stops", &step.stops), ("starts", &step.starts)] {
        if !components.is_empty() {
            let words: Vec<_> = components.iter().map(|component| component.word()).collect();
            item(out, 4, label, &words.join(", "))?;
        }
    }
    if let Some(role) = step.on {
        item(out, 4, "on", &format!("the first {role} host"))?;
    }
    if let Some(run) = &step.run {
        script(out, "run", run)?;
        let again = if step.repeatable { "; may simply be run again" } else { "" };
        let default = crate::model::runbook::Span(Step::DEFAULT_TIMEOUT).to_string();
        let timeout = step.timeout.as_ref().map_or(default.as_str(), |timeout| &timeout.0);
        item(out, 4, "", &format!("ended after {timeout}{again}"))?;
        if let Some(stays) = step.stays_if_ended() {
            item(out, 4, "", &format!("may be ended half-way: {stays}"))?;
        }
    }
    if let Some(hands) = &step.hands {
        script(out, "by hand", hands)?;
    }
    for fetch in &step.fetch {
        item(out, 4, "fetch", &format!("{} as {}", fetch.path, fetch.name))?;
    }
    checks(out, "verify", &step.verify, true)?;
    if let Some(undo) = &step.undo {
        script(out, "undo", undo)?;
    }
    checks(out, "undone", &step.undone, true)
}

fn checks(out: &mut String, label: &str, checks: &[Check], within: bool) -> fmt::Result {
    for check in checks {
        let span = crate::model::runbook::Span(check.within());
        let within = if within { format!(" (within {span})") } else { String::new() };
        item(out, 4, label, &format!("{}{within}", check.sentence()))?;
        item(out, 4, "", &check.that.0)?;
        if !check.says.is_empty() {
            item(out, 4, "", &format!("else: {}", check.because))?;
        }
    }
    Ok(())
}

fn promise(out: &mut String, runbook: &Runbook) -> fmt::Result {
    if runbook.promise.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nPROMISE: what holds when all is done")?;
    checks(out, "", &runbook.promise, true)
}

/// A script stands as it is: what is shown is what runs, so that its lines are not wrapped.
fn script(out: &mut String, label: &str, text: &str) -> fmt::Result {
    for (index, line) in text.trim_end().lines().enumerate() {
        let label = if index == 0 { label } else { "" };
        writeln!(out, "    {label:<10}| {}", shown(line))?;
    }
    Ok(())
}

/// A label and a text beside it, wrapped.
fn item(out: &mut String, indent: usize, label: &str, text: &str) -> fmt::Result {
    let usual = if indent == 2 { 16 } else { 10 };
    // A long name takes the room it needs, and its text stands beside it.
    let gutter = usual.max(label.chars().count() + 1);
    let mut first = format!("{:indent$}{label:<gutter$}", "");
    let rest = " ".repeat(indent + gutter);
    for line in wrapped(text, WIDTH - indent - gutter) {
        writeln!(out, "{}", format_args!("{first}{line}").trimmed())?;
        first.clone_from(&rest);
    }
    Ok(())
}

fn paragraph(out: &mut String, indent: &str, text: &str) -> fmt::Result {
    for block in text.trim().split("\n\n") {
        if !out.ends_with("\n\n") {
            writeln!(out)?;
        }
        for line in wrapped(block, WIDTH - indent.len()) {
            writeln!(out, "{indent}{line}")?;
        }
    }
    Ok(())
}

/// A text in lines of at most so many characters, broken between words; a longer word has a line of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last().map_or(0, |line| line.chars().count());
        if last > 0 && last + 1 + word.chars().count() > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// Without white space at its end.
trait Trimmed {
    fn trimmed(&self) -> String;
}

impl<T: Display> Trimmed for T {
    fn trimmed(&self) -> String {
        self.to_string().trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::{Source, builtin_runbooks, find_runbook, plan, read_inventory, read_runbook};

    #[test]
    fn every_built_in_runbook_fits_a_hundred_columns_but_for_its_scripts() {
        for (name, _) in builtin_runbooks() {
            let text = runbook_text(&read_runbook(&find_runbook(name).unwrap()).unwrap());
            for line in text.lines() {
                assert!(line.chars().count() <= WIDTH || line.contains("| ") || !line.trim().contains(' '), "{line}");
            }
        }
    }

    #[test]
    fn a_plan_shows_every_task_in_order() {
        let inventory_source = Source::file(
            std::path::Path::new("i.yaml"),
            "cluster: lab\nhosts:\n  - {name: a, roles: etcd}\n  - {name: b, roles: etcd, vars: {unit: b.service}}\n",
        );
        let runbook_source = Source::file(
            std::path::Path::new("r.yaml"),
            r#"runbook: r
title: Restart etcd
about: A short one, to look at.
vars:
  unit: {about: the unit, default: etcd.service}
probe:
  units: [$unit]
stages:
  - stage: members
    title: One after the other
    hosts: etcd
    leader-last: true
    steps:
      - step: restart
        title: Restart it
        why: Because it is an example.
        require:
          - {that: etcd.healthy - 1 >= etcd.quorum, because: the others must hold quorum}
        run: |
          systemctl stop "$unit"
          systemctl start --no-block "$unit"
        verify:
          - {that: "host.units[vars.unit].active == 'active'", because: it must run again, within: 2m}
        undo: systemctl start "$unit"
        stops: etcd
        starts: etcd
promise:
  - {that: 'etcd.members.all(m, m.healthy)', because: everybody is well}
"#,
        );
        let inventory = read_inventory(&inventory_source).unwrap();
        let runbook = read_runbook(&runbook_source).unwrap_or_else(|problems| panic!("{problems}"));
        let plan = plan::build(&inventory, &inventory_source, &runbook, &runbook_source, &[]).unwrap();
        insta::assert_snapshot!(plan_text(&plan));
        assert!(runbook_text(&runbook).contains("; by default etcd.service"));
    }
}
