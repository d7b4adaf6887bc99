//! What was found, for people and for programs.

use serde_json::json;

use super::findings::{Finding, When};
use crate::model::State;
use crate::model::event::Verdict;
use crate::model::logtail::clean;

/// For programs: every check, whether it can be told now, and the gate that will tell where it cannot.
pub(super) fn json(state: &State, findings: &[Finding], go: bool) -> serde_json::Value {
    let checks: Vec<_> = findings
        .iter()
        .map(|finding| {
            let mut check = json!(finding.result);
            if let Some(map) = check.as_object_mut() {
                map.insert("host".into(), json!(finding.host));
                map.insert("guard".into(), json!(finding.guard));
                map.insert("holds".into(), finding.result.passed().into());
                if let When::AtItsGate(gate) = &finding.when {
                    map.insert("told_at".into(), json!(gate));
                }
            }
            check
        })
        .collect();
    json!({
        "verdict": if go { "go" } else { "no-go" },
        "cluster": state.session.as_ref().map(|session| &session.inventory.cluster),
        "at": state.now,
        "checks": checks,
        "unseen": state.hosts.iter().filter_map(|(name, host)| Some(json!({"host": name, "why": host.stale.as_ref()?}))).collect::<Vec<_>>(),
    })
}

/// For people: what stands against it, host by host; what was looked at; and what only its gate can tell.
pub(super) fn table(state: &State, findings: &[Finding], go: bool) -> String {
    let mut text = String::new();
    let unseen = state.hosts.iter().filter_map(|(name, host)| Some((name, host.stale.as_ref()?)));
    let unseen: Vec<_> = unseen.map(|(name, why)| (name.as_str(), clean(why))).collect();
    for (name, why) in &unseen {
        text += &format!("{:<8} {name}  cannot be seen: {why}\n", "no-go");
    }
    let against = findings.iter().filter(|finding| !finding.lets_go());
    // Of a host that cannot be seen its line says all; what the whole cluster leaves open for want of it is counted.
    let (open, mut against): (Vec<&Finding>, Vec<&Finding>) = against.partition(|finding| {
        let of_unseen = |host: &crate::model::HostName| unseen.iter().any(|(name, _)| *name == host.as_str());
        finding.unknown() && !unseen.is_empty() && finding.host.as_ref().is_none_or(of_unseen)
    });
    let open = open.iter().filter(|finding| finding.host.is_none()).count();
    if open > 0 {
        let names: Vec<&str> = unseen.iter().map(|(name, _)| *name).collect();
        text += &format!("{:<8} cluster  {open} checks need {} to be seen\n", "unknown", names.join(", "));
    }
    against.sort_by_key(|finding| finding.host.as_ref().map(ToString::to_string));
    against.iter().for_each(|finding| text += &one(finding));

    let told = || findings.iter().filter(|finding| finding.when == When::Now);
    let mut guards: Vec<&str> = Vec::new();
    for finding in told() {
        if !guards.contains(&finding.guard.as_str()) {
            guards.push(&finding.guard);
        }
    }
    text += &format!("looked at: {}\n", guards.join(", "));
    text += &later(findings);
    let (all, hosts) = (told().count(), state.hosts.len());
    text += &if go {
        format!("GO: {all} checks hold on {hosts} hosts\n")
    } else {
        let untold = against.iter().filter(|finding| finding.unknown()).count() + open;
        let fails = against.iter().filter(|finding| !finding.unknown()).count();
        let also = if untold == 0 { String::new() } else { format!(", and of {untold} it cannot be told") };
        let dead = match unseen.len() {
            0 => String::new(),
            count => format!("{count} of {hosts} hosts cannot be seen; "),
        };
        format!("NO-GO: {dead}{fails} of {all} checks on {hosts} hosts do not hold{also}\n")
    };
    text
}

fn one(finding: &Finding) -> String {
    let whose = finding.host.as_ref().map_or("cluster", |host| host.as_str());
    let (mark, holds) =
        if finding.unknown() { ("unknown", "cannot be told whether it holds") } else { ("no-go", "does not hold") };
    let mut text = format!("{mark:<8} {whose}  {}\n           {holds}: {}\n", finding.guard, finding.result.sentence());
    if let Verdict::Unknown(why) = &finding.result.verdict {
        text += &format!("           {why}\n");
    }
    if !finding.result.says.is_empty() {
        text += &format!("           {}\n", finding.result.because);
    }
    for reading in &finding.result.read {
        text += &format!("           {} = {}\n", reading.path, clean(&reading.value));
    }
    text
}

/// What only a gate can tell, a line a step: how many checks, and how many of them hold already.
fn later(findings: &[Finding]) -> String {
    let mut steps: indexmap::IndexMap<&str, (&str, usize, usize)> = indexmap::IndexMap::new();
    for finding in findings {
        if let When::AtItsGate(gate) = &finding.when {
            let (_, all, held) = steps.entry(gate).or_insert((&finding.guard, 0, 0));
            *all += 1;
            *held += usize::from(finding.result.passed());
        }
    }
    let mut text = String::new();
    if !steps.is_empty() {
        text += "told at their gates, on what earlier steps have brought about:\n";
    }
    for (gate, (title, all, held)) in steps {
        text += &format!("  {gate}  {title}: {held} of {all} checks hold already\n");
    }
    text
}
