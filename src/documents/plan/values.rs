//! The value of every variable for every host, and what is wrong with those that were given.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Builder, Values};
use crate::documents::runbook::{fits, read_runbook};
use crate::documents::source::{Source, builtin_runbooks, find_runbook};
use crate::model::Plan;
use crate::model::hidden::{is_hidden, shown};
use crate::model::inventory::Host;
use crate::model::runbook::VarSpec;
use crate::model::{HostName, SecretSource};
use crate::yaml::{Data, Node, Problem, did_you_mean};

/// What `--var` values are called in messages.
const COMMAND_LINE: &str = "--var";

/// Whether a variable of a plan may be given this value, for all that can be told here.
///
/// # Errors
/// Says what it may be.
pub fn check_value(plan: &Plan, name: &str, value: &str) -> Result<(), String> {
    let spec = plan.runbook.vars.get(name);
    let spec = spec.ok_or_else(|| format!("the runbook `{}` has no variable `{name}`", plan.runbook.name))?;
    if value.chars().any(is_hidden) {
        return Err(format!("`{}` has a character in it that nobody sees", shown(value)));
    }
    fits(spec, value).map_err(|wrong| format!("`{name}`: {wrong}"))
}

impl Builder<'_> {
    /// The values of every host, in the inventory's order.
    pub(super) fn values(&mut self, given: &[(String, String)]) -> Vec<Values> {
        for (name, value) in given {
            if let Some(spec) = self.runbook.vars.get(name) {
                self.fit(spec, value, |_| None, name);
            } else {
                let hint = did_you_mean(name, self.runbook.vars.keys().map(String::as_str));
                let message = format!("the runbook `{}` has no variable `{name}`{hint}", self.runbook.name);
                self.problems.0.push(Problem::of(COMMAND_LINE, message));
            }
        }
        let inventory = self.inventory;
        for (name, value) in &inventory.vars {
            match self.runbook.vars.get(name) {
                Some(spec) => self.fit(spec, value, |tree| tree.get("vars")?.get(name), name),
                None => self.stray(name, given, |tree| tree.get("vars")?.key(name)),
            }
        }
        for (index, host) in inventory.hosts.iter().enumerate() {
            for (name, value) in &host.vars {
                match self.runbook.vars.get(name) {
                    Some(spec) => {
                        self.fit(
                            spec,
                            value,
                            |tree| tree.get("hosts")?.items().get(index)?.get("vars")?.get(name),
                            name,
                        );
                    }
                    None => {
                        self.stray(name, given, |tree| tree.get("hosts")?.items().get(index)?.get("vars")?.key(name));
                    }
                }
            }
        }
        for (name, spec) in &self.runbook.vars {
            self.missing(name, spec, given);
        }
        inventory.hosts.iter().map(|host| self.values_of(host, given)).collect()
    }

    fn values_of(&self, host: &Host, given: &[(String, String)]) -> Values {
        let mut values = Values::from([
            ("host".to_owned(), host.name.to_string()),
            ("address".to_owned(), host.address().to_owned()),
            ("node".to_owned(), host.node().to_owned()),
        ]);
        for (name, spec) in self.runbook.vars.iter().filter(|(_, spec)| !spec.secret) {
            let value = given
                .iter()
                .rev()
                .find(|(given, _)| given == name)
                .map(|(_, value)| value)
                .or_else(|| host.vars.get(name))
                .or_else(|| self.inventory.vars.get(name))
                .or(spec.default.as_ref());
            values.extend(value.map(|value| (name.clone(), value.clone())));
        }
        values
    }

    /// Where every host has its secrets from. Files are looked for where what names them lies.
    pub(super) fn secrets(&self, given: &[(String, String)]) -> BTreeMap<HostName, BTreeMap<String, SecretSource>> {
        let source = |text: &String| SecretSource::try_from(text.clone()).ok();
        let of = |name: &str, spec: &VarSpec, host: &Host| {
            let typed = given.iter().rev().find(|(given, _)| given == name).and_then(|(_, text)| source(text));
            let written = || host.vars.get(name).or_else(|| self.inventory.vars.get(name)).and_then(source);
            let known = || spec.from.clone().map(|from| beside(self.runbook_source, from));
            let here = Source::file(Path::new("--var"), "");
            let typed = typed.map(|typed| beside(&here, typed));
            typed.or_else(|| written().map(|written| beside(self.inventory_source, written))).or_else(known)
        };
        let of_host = |host: &Host| {
            let secrets = self.runbook.vars.iter().filter(|(_, spec)| spec.secret);
            secrets.filter_map(|(name, spec)| Some((name.clone(), of(name, spec, host)?))).collect::<BTreeMap<_, _>>()
        };
        let all = self.inventory.hosts.iter().map(|host| (host.name.clone(), of_host(host)));
        all.filter(|(_, secrets)| !secrets.is_empty()).collect()
    }

    fn missing(&mut self, name: &str, spec: &VarSpec, given: &[(String, String)]) {
        if !spec.required || given.iter().any(|(given, _)| given == name) || self.inventory.vars.contains_key(name) {
            return;
        }
        let without: Vec<_> = self
            .inventory
            .hosts
            .iter()
            .filter(|host| !host.vars.contains_key(name))
            .map(|host| host.name.as_str())
            .collect();
        if without.is_empty() {
            return;
        }
        let all = without.len() == self.inventory.hosts.len();
        let who = if all { String::new() } else { format!(" for {}", without.join(", ")) };
        let near = did_you_mean(name, self.inventory.vars.keys().map(String::as_str));
        let near = if near.is_empty() { near } else { format!(" (the inventory has a near one{near})") };
        let (what, give) = if spec.secret { ("comes from nowhere", "env:NAME") } else { ("has no value", "...") };
        let message = format!(
            "`{name}` {what}{who}: {}. Give it in the inventory under `vars`, or with `--var {name}={give}`{near}",
            spec.about
        );
        self.problems.0.push(Problem::of(&*self.inventory_source.document.name, message));
    }

    /// Notes a value for a variable that the runbook does not have, where it has one of nearly that name and nobody has
    /// given that a value. Others are for other runbooks: an inventory serves them all.
    fn stray(&mut self, name: &str, given: &[(String, String)], find: impl Fn(&Node) -> Option<&Node>) {
        // One that is required and missing is told of with its near ones.
        let unset = |known: &&String| {
            !self.runbook.vars[*known].required
                && !given.iter().any(|(given, _)| given == *known)
                && !self.inventory.vars.contains_key(*known)
                && !self.inventory.hosts.iter().any(|host| host.vars.contains_key(*known))
        };
        let near = did_you_mean(name, self.runbook.vars.keys().filter(unset).map(String::as_str));
        let elsewhere = |(other, _): (&str, &str)| {
            find_runbook(other)
                .and_then(|source| read_runbook(&source))
                .is_ok_and(|other| other.vars.contains_key(name))
        };
        if near.is_empty() || builtin_runbooks().any(elsewhere) {
            return;
        }
        let message = format!("the runbook `{}` has no variable `{name}`{near}", self.runbook.name);
        let place = self.inventory_tree.as_ref().and_then(find).map(|node| node.place);
        self.problems.0.push(match place {
            Some(place) => Problem::at(&self.inventory_source.document, place, message),
            None => Problem::of(&*self.inventory_source.document.name, message),
        });
    }

    /// Notes a value that does not fit its variable, where it was given.
    fn fit(&mut self, spec: &VarSpec, value: &str, find: impl Fn(&Node) -> Option<&Node>, name: &str) {
        let node = self.inventory_tree.as_ref().and_then(find);
        let sourced = node.is_some_and(|node| matches!(node.data, Data::Map(_)));
        let wrong = match fits(spec, value) {
            Ok(()) if sourced && !spec.secret => "`from` is for secrets, and this is none: write its value".to_owned(),
            Ok(()) => return,
            Err(wrong) => wrong,
        };
        let message = format!("`{name}`: {wrong}");
        let document = &self.inventory_source.document;
        let problem = match node.map(|node| node.place) {
            // Without the line: what should not have been written there is not shown either.
            Some(place) if spec.secret => {
                Problem::of(format!("{}:{}:{}", document.name, place.line, place.column), message)
            }
            Some(place) => Problem::at(document, place, message),
            None => Problem::of(COMMAND_LINE, message),
        };
        self.problems.0.push(problem);
    }
}

/// A source with the path that it means, so that a session is resumed from anywhere.
fn beside(source: &Source, from: SecretSource) -> SecretSource {
    match from {
        SecretSource::File(path) => {
            let path = source.resolve(&path.display().to_string());
            SecretSource::File(std::path::absolute(&path).unwrap_or(path))
        }
        from @ (SecretSource::Env(_) | SecretSource::Ask) => from,
    }
}
