//! `journalctl`: a unit's lines, short, bare, or as JSON with every value a string.

use super::super::clock::Clock;
use super::super::world::Line;
use super::{Call, Exit};

pub(super) async fn run(call: &Call<'_>) -> Exit {
    let mut units = Vec::new();
    let (mut tag, mut count, mut grep) = (None, usize::MAX, None);
    let mut format = "short";
    let mut this_boot = false;
    let mut args = call.args();
    while let Some(arg) = args.next() {
        let (name, value) = match arg.split_once('=') {
            Some((name, value)) if arg.starts_with("--") => (name, Some(value)),
            _ => (arg, None),
        };
        let mut value = || value.or_else(|| args.next()).unwrap_or_default();
        match name {
            "-u" | "--unit" => units.push(value()),
            "-t" | "--identifier" => tag = Some(value()),
            "-o" | "--output" => format = value(),
            "-n" | "--lines" => count = value().parse().unwrap_or(10),
            "-g" | "--grep" => grep = Some(value()),
            "-b" | "--boot" => this_boot = true,
            "--since" | "-S" | "--output-fields" | "--after-cursor" => drop(value()),
            _ => {}
        }
    }
    let units: Vec<String> =
        units.iter().map(|unit| if unit.contains('.') { (*unit).into() } else { format!("{unit}.service") }).collect();
    let (lines, boot_id): (Vec<Line>, String) = call.machine(|machine| {
        let keep = |line: &&Line| {
            (units.is_empty() || units.contains(&line.unit))
                && tag.is_none_or(|tag| line.identifier == tag)
                && (!this_boot || line.boot == machine.boots)
                && grep.is_none_or(|grep| line.text.contains(grep))
        };
        (machine.journal.iter().filter(keep).cloned().collect(), machine.boot_id.replace('-', ""))
    });
    let lines = &lines[lines.len().saturating_sub(count)..];
    if lines.is_empty() {
        if format.starts_with("short") && !call.has("-q") && !call.has("--quiet") {
            call.out("-- No entries --\n").await?;
        }
        return Ok(i32::from(grep.is_some()));
    }
    let word = |(n, line): (usize, &Line)| match format {
        "cat" => format!("{}\n", line.text),
        "json" => format!(
            "{}\n",
            serde_json::json!({
                "__CURSOR": format!("s=practice;i={n:x};t={:x}", line.at.as_micros()),
                "__REALTIME_TIMESTAMP": Clock::since_1970(line.at).as_micros().to_string(),
                "_BOOT_ID": boot_id,
                "PRIORITY": "6",
                "SYSLOG_IDENTIFIER": line.identifier,
                "_PID": line.pid.to_string(),
                "_SYSTEMD_UNIT": line.unit,
                "MESSAGE": line.text,
            })
        ),
        _ => {
            let stamp = Clock::strftime(line.at, "%b %d %H:%M:%S");
            format!("{stamp} {} {}[{}]: {}\n", call.host, line.identifier, line.pid, line.text)
        }
    };
    let text: String = lines.iter().enumerate().map(word).collect();
    call.out(text).await?;
    Ok(0)
}
