//! `update` and `locksmith`, which make one file of each other's lines.

use serde_json::Value;

use super::files::file_value;
use super::platform::quoted;
use super::reading::Reading;
use crate::yaml::{Fields, Node};

/// The file; it replaces the host's, with its group and server.
pub(super) const PATH: &str = "/etc/coreos/update.conf";

/// Keys of `locksmith`, and the variables of update.conf that they set, in the order of the file.
const LOCKSMITH: [(&str, &str); 8] = [
    ("reboot_strategy", "REBOOT_STRATEGY"),
    ("window_start", "LOCKSMITHD_REBOOT_WINDOW_START"),
    ("window_length", "LOCKSMITHD_REBOOT_WINDOW_LENGTH"),
    ("group", "LOCKSMITHD_GROUP"),
    ("etcd_endpoints", "LOCKSMITHD_ENDPOINT"),
    ("etcd_cafile", "LOCKSMITHD_ETCD_CAFILE"),
    ("etcd_certfile", "LOCKSMITHD_ETCD_CERTFILE"),
    ("etcd_keyfile", "LOCKSMITHD_ETCD_KEYFILE"),
];

/// The units of a duration, as Go writes them.
const UNITS: [&str; 7] = ["ns", "us", "µs", "ms", "s", "m", "h"];

/// The file that both sections make; nothing without them. Its lines are those of `ct` 0.5 and later: 0.4 put some
/// values into quotes twice.
pub(super) fn conf(reading: &mut Reading<'_>, root: Fields<'_>) -> Option<Value> {
    let mut content = String::new();
    if let Some(node) = root.get("update")
        && let Some(update) = reading.fields(node, "`update`", &["group", "server"])
    {
        if let Some(node) = update.get("group")
            && let Some(group) = reading.text(node, "group")
        {
            let group = group.to_lowercase();
            if !matches!(&*group, "stable" | "beta" | "alpha") && update.get("server").is_none() {
                reading.doubt(node, "`group` is stable, beta or alpha, unless a `server` of your own knows others");
            }
            content = format!("GROUP={group}");
        }
        if let Some(server) = update.get("server").and_then(|node| reading.text(node, "server")) {
            content.extend(["\nSERVER=", &server]);
        }
    }
    if let Some(node) = root.get("locksmith")
        && let Some(locksmith) = reading.fields(node, "`locksmith`", &LOCKSMITH.map(|(key, _)| key))
    {
        for (key, variable) in LOCKSMITH {
            if let Some(node) = locksmith.get(key)
                && let Some(value) = value(reading, node, key)
            {
                content += &format!("\n{variable}={}", quoted(&value));
            }
        }
        if locksmith.get("window_start").is_some() != locksmith.get("window_length").is_some() {
            reading.complain(node, "a reboot window has both `window_start` and `window_length`");
        }
    }
    (!content.is_empty()).then(|| file_value(reading.spec, PATH, &content))
}

fn value(reading: &mut Reading<'_>, node: &Node, key: &str) -> Option<String> {
    if key == "reboot_strategy" {
        let words = [("reboot", "reboot"), ("etcd-lock", "etcd-lock"), ("off", "off")];
        return reading.word(node, key, &words).map(str::to_owned);
    }
    let text = reading.text(node, key)?;
    if key == "window_start" && !is_window_start(&text) {
        reading.complain(node, format!("`{text}` is not a time such as 04:00, or Thu 04:00"));
    }
    if key == "window_length" && !is_duration(&text) {
        reading.complain(node, format!("`{text}` is not a duration such as 1h or 1h30m"));
    }
    Some(text)
}

/// `15:04`, after a day or not.
fn is_window_start(text: &str) -> bool {
    let time = match text.split_once(' ') {
        Some((day, time)) => {
            if !["sun", "mon", "tue", "wed", "thu", "fri", "sat"].contains(&&*day.to_lowercase()) {
                return false;
            }
            time.trim_start()
        }
        None => text,
    };
    let in_range = |text: &str, digits: &[usize], below: u32| {
        digits.contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && text.parse::<u32>().is_ok_and(|number| number < below)
    };
    time.split_once(':').is_some_and(|(hours, minutes)| in_range(hours, &[1, 2], 24) && in_range(minutes, &[2], 60))
}

/// Numbers with units, one after the other: `1h30m`.
fn is_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest.is_empty() || rest == "0" {
        return rest == "0";
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let unit = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        if number.parse::<f64>().is_err() || !UNITS.contains(&unit) {
            return false;
        }
        rest = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_those_that_locksmith_reads() {
        for good in ["04:00", "4:05", "Thu 23:59", "sun  00:00"] {
            assert!(is_window_start(good), "{good}");
        }
        for bad in ["", "24:00", "04:60", "0400", "Some 04:00", "04:0", "4 04:00", "Thu"] {
            assert!(!is_window_start(bad), "{bad}");
        }
        for good in ["1h", "1h30m", "1.5h", "90m", "0"] {
            assert!(is_duration(good), "{good}");
        }
        for bad in ["", "1", "h", "1d", "1h30", "-"] {
            assert!(!is_duration(bad), "{bad}");
        }
    }
}
