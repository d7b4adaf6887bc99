//! Ansible's INI inventories: `[group]`, `[group:children]`, `[group:vars]`, hosts with `key=value` words.

use super::ansible::Ground;
use super::ranges;

/// Reads one file into the ground.
pub(super) fn read(name: &str, text: &str, ground: &mut Ground) {
    let mut section = ("ungrouped".to_owned(), "hosts");
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let place = format!("{name}:{}", number + 1);
        if let Some(head) = line.strip_prefix('[') {
            let Some(head) = head.split(']').next().filter(|_| line.contains(']')) else {
                ground.wrong(&place, "a group's name ends with `]`");
                continue;
            };
            section = match head.split_once(':') {
                None => (head.to_owned(), "hosts"),
                Some((group, "children")) => (group.to_owned(), "children"),
                Some((group, "vars")) => (group.to_owned(), "vars"),
                Some((_, other)) => {
                    ground.wrong(&place, &format!("`:{other}` is neither `:children` nor `:vars`"));
                    continue;
                }
            };
            ground.group(&section.0);
            continue;
        }
        let (group, kind) = (&section.0, section.1);
        match kind {
            "children" => ground.child(group, line.split_whitespace().next().unwrap_or_default()),
            "vars" => match line.split_once('=') {
                Some((key, value)) => {
                    ground.group_var(group, key.trim(), value.trim().trim_matches(['"', '\'']), &place);
                }
                None => ground.wrong(&place, "a variable is written `name=value`"),
            },
            _ => {
                // A `#` begins a comment behind a host.
                let words = shlex::split(line.split(" #").next().unwrap_or(line)).unwrap_or_default();
                let Some((pattern, vars)) = words.split_first() else {
                    ground.wrong(&place, "quotes do not match");
                    continue;
                };
                for host in ranges(pattern) {
                    // `name:port`, but for a bare IPv6 address.
                    let (host, port) = match host.split_once(':') {
                        Some((host, port)) if port.parse::<u16>().is_ok() => (host.to_owned(), Some(port.to_owned())),
                        _ => (host.clone(), None),
                    };
                    ground.host(group, &host, &place);
                    if let Some(port) = port {
                        ground.host_var(&host, "ansible_port", &port, &place);
                    }
                    for (key, value) in vars.iter().filter_map(|word| word.split_once('=')) {
                        ground.host_var(&host, key, value, &place);
                    }
                }
            }
        }
    }
}
