//! Inventories of other tools: Ansible's, and ssh's own configuration. What cannot be carried over is said, never guessed.

mod ansible;
mod ini;
mod ssh_config;

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_yaml::{Mapping, Value};

use crate::model::hidden::{first_hidden, shown};
use crate::model::inventory::Role;
use crate::yaml::{Problem, Problems};

pub use ansible::ansible;
pub use ssh_config::ssh_config;

/// What was found in another tool's files.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// By name, in the order they were met.
    pub hosts: IndexMap<String, FoundHost>,
    /// What is not carried over, each with its place where it has one.
    pub left: Vec<String>,
}

/// A host as another tool describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundHost {
    /// Where it answers, where that is not its name.
    pub address: Option<String>,
    /// `ssh` options of our inventory by their names: `user`, `port`, `identity`, `jump`.
    pub ssh: IndexMap<&'static str, String>,
    /// It is this machine.
    pub local: bool,
    /// What it does.
    pub roles: BTreeSet<Role>,
    /// Where its `name`, its `address` and its `ssh` options stand, as FILE:LINE.
    pub places: IndexMap<&'static str, String>,
}

impl Found {
    /// Gives roles to hosts by name: `PATTERN=role,role`, where `*` and `?` stand for anything and for one letter.
    ///
    /// # Errors
    /// A rule that is none, or that no host fits.
    pub fn give_roles(&mut self, rules: &[String]) -> Result<(), Problems> {
        let mut problems = Vec::new();
        for rule in rules {
            let Some((pattern, words)) = rule.split_once('=') else {
                problems.push(Problem::of("--role", format!("`{rule}` is not of the form PATTERN=ROLE,ROLE")));
                continue;
            };
            let mut roles = BTreeSet::new();
            for word in words.split(',') {
                if let Some(role) = Role::from_word(word) {
                    roles.insert(role);
                } else {
                    let known = Role::ALL.map(Role::word).join(", ");
                    problems.push(Problem::of("--role", format!("there is no role `{word}`; there are: {known}")));
                }
            }
            let mut fits = self.hosts.iter_mut().filter(|(name, _)| glob(pattern, name)).peekable();
            if fits.peek().is_none() {
                problems.push(Problem::of("--role", format!("no host matches `{pattern}`")));
            }
            fits.for_each(|(_, host)| host.roles.extend(&roles));
        }
        if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
    }

    /// The inventory as this program reads it, with what was left at its head. Hosts without a role are left as well.
    ///
    /// # Errors
    /// When no host is left to write.
    pub fn inventory(&mut self, cluster: &str) -> Result<String, Problems> {
        let without: Vec<String> =
            self.hosts.iter().filter(|(_, host)| host.roles.is_empty()).map(|(name, _)| name.clone()).collect();
        for name in &without {
            self.left
                .push(format!("host {name}: nothing says what it does; give it a role with --role '{name}=worker'"));
            self.hosts.shift_remove(name);
        }
        if self.hosts.is_empty() {
            let mut problems =
                vec![Problem::of("import", "no host with a role was found; give roles with --role PATTERN=ROLE,ROLE")];
            problems.extend(self.left.iter().map(|left| Problem::of("import", left.clone())));
            return Err(Problems(problems));
        }
        // Whoever reads it through before it is used must see all there is: what is hidden stands there by its number.
        let plain = |text: &str| if first_hidden(text).is_some() { shown(text) } else { text.to_owned() };
        let text = |text: &str| Value::String(plain(text));
        let hosts = self.hosts.iter().map(|(name, host)| {
            let mut map = Mapping::new();
            map.insert(text("name"), text(name));
            if let Some(address) = host.address.as_ref().filter(|address| *address != name) {
                map.insert(text("address"), text(address));
            }
            map.insert(text("roles"), Value::Sequence(host.roles.iter().map(|role| text(role.word())).collect()));
            if host.local {
                map.insert(text("connection"), text("local"));
            }
            if !host.ssh.is_empty() {
                let ssh = host.ssh.iter().map(|(key, value)| {
                    let port = value.parse::<u16>().ok().filter(|_| *key == "port");
                    (text(key), port.map_or_else(|| text(value), |port| Value::Number(port.into())))
                });
                map.insert(text("ssh"), Value::Mapping(ssh.collect()));
            }
            Value::Mapping(map)
        });
        let whole =
            Mapping::from_iter([(text("cluster"), text(cluster)), (text("hosts"), Value::Sequence(hosts.collect()))]);
        let yaml = serde_yaml::to_string(&whole).map_err(|error| Problem::of("import", error.to_string()))?;
        let head: String =
            self.left.iter().map(|left| format!("# not carried over: {}\n", plain(&left.replace('\n', " ")))).collect();
        Ok(head + &yaml)
    }
}

/// Whether a name fits a pattern in which `*` stands for anything and `?` for one letter.
fn glob(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut here) = (0, 0);
    // The last star, and up to where of the name it stands: only its share has ever to grow, whatever stood before it.
    let mut star: Option<(usize, usize)> = None;
    while here < name.len() {
        if pattern.get(at) == Some(&'*') {
            star = Some((at, here));
            at += 1;
        } else if pattern.get(at).is_some_and(|letter| *letter == '?' || *letter == name[here]) {
            (at, here) = (at + 1, here + 1);
        } else if let Some((before, taken)) = star {
            star = Some((before, taken + 1));
            (at, here) = (before + 1, taken + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|letter| *letter == '*')
}

/// One pattern stands for no more names than this: that is no cluster, but a slip of the hand.
const MOST_NAMES: usize = 10_000;

/// The names that a pattern with ranges stands for: `node-[1:3]`, `n[01:10:2]`, `[a:c]`, any number of them. What is no range,
/// or too long a one, stays as it is, and cannot name a host.
fn ranges(pattern: &str) -> Vec<String> {
    all_of(pattern).unwrap_or_else(|| vec![pattern.to_owned()])
}

fn all_of(pattern: &str) -> Option<Vec<String>> {
    let Some((before, rest)) = pattern.split_once('[') else { return Some(vec![pattern.to_owned()]) };
    let (range, after) = rest.split_once(']')?;
    let parts: Vec<&str> = range.split(':').collect();
    let ([from, to] | [from, to, _]) = parts.as_slice() else { return None };
    let step = parts.get(2).and_then(|step| step.parse().ok()).filter(|step| *step > 0).unwrap_or(1_usize);
    let few = |names: &mut dyn Iterator<Item = String>| -> Option<Vec<String>> {
        let names: Vec<String> = names.take(MOST_NAMES + 1).collect();
        (names.len() <= MOST_NAMES).then_some(names)
    };
    let between = match (from.parse::<u32>(), to.parse::<u32>()) {
        (Ok(first), Ok(last)) => {
            let width = if from.starts_with('0') { from.len() } else { 0 };
            // More digits than a name has letters.
            if width > 63 {
                return None;
            }
            few(&mut (first..=last).step_by(step).map(|number| format!("{number:0width$}")))?
        }
        _ => match (from.chars().next(), to.chars().next()) {
            (Some(first), Some(last)) if from.len() == 1 && to.len() == 1 => {
                few(&mut (first..=last).step_by(step).map(String::from))?
            }
            _ => return None,
        },
    };
    let tails = all_of(after)?;
    let names = between.len().saturating_mul(tails.len());
    (names <= MOST_NAMES).then(|| {
        between.iter().flat_map(|middle| tails.iter().map(move |tail| format!("{before}{middle}{tail}"))).collect()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_stand_for_names() {
        assert_eq!(ranges("node-[1:3]"), ["node-1", "node-2", "node-3"]);
        assert_eq!(ranges("n[08:12:2].x"), ["n08.x", "n10.x", "n12.x"]);
        assert_eq!(ranges("r[a:b]-[1:2]"), ["ra-1", "ra-2", "rb-1", "rb-2"]);
        assert_eq!(ranges("plain"), ["plain"]);
        assert_eq!(ranges("[oops"), ["[oops"]);
    }

    #[test]
    fn ranges_without_end_stand_for_no_names() {
        let zeros = format!("n[{}1:2]", "0".repeat(70_000));
        for pattern in ["n[0:4294967295]", "[1:9999][1:9999][1:9999]", "a[1:200]-[1:200]", &zeros] {
            assert_eq!(ranges(pattern), [pattern]);
        }
        assert_eq!(ranges("n[1:4294967295:1000000]").len(), 4295);
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_longer_for_it() {
        let (pattern, name) = ("*a".repeat(40) + "b", "a".repeat(4_000));
        assert!(!glob(&pattern, &name));
        assert!(glob(&pattern, &(name + "b")));
    }

    #[test]
    fn an_imported_inventory_hides_nothing_from_whoever_reads_it() {
        let mut found = Found { left: vec!["group \u{1b}[2J\r\nhosts: x".into()], ..Found::default() };
        let host = FoundHost { roles: BTreeSet::from([Role::Worker]), ..FoundHost::default() };
        found.hosts.insert("a\u{a0}b\u{202e}".into(), host);
        let yaml = found.inventory("c").unwrap();
        assert_eq!(first_hidden(&yaml), None, "{yaml:?}");
        assert!(yaml.contains("a<U+00A0>b<U+202E>") && yaml.contains("<U+001B>[2J<U+000D> hosts: x"), "{yaml}");
    }

    #[test]
    fn patterns_fit_names() {
        for (pattern, name, fits) in [
            ("*", "a", true),
            ("node-?", "node-1", true),
            ("node-?", "node-12", false),
            ("*.net", "a.net", true),
            ("a*c", "abd", false),
        ] {
            assert_eq!(glob(pattern, name), fits, "{pattern} {name}");
        }
    }

    proptest! {
        #[test]
        fn no_range_is_too_strange(pattern in ".{0,40}") {
            ranges(&pattern);
            glob(&pattern, "some-host");
        }
    }
}
