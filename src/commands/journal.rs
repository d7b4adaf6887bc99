//! `journal`: whether a journal is as it was written.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::ExitCode;

use color_eyre::eyre::{Result, WrapErr as _, eyre};

use super::{complain, print, printable};
use crate::cli::journal::{Journal as Args, Redact, Verify};
use crate::journal::{self, Records};
use crate::model::State;
use crate::model::state::Phase;

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    match args {
        Args::Verify(args) => verify(args),
        Args::Redact(args) => redact(args),
    }
}

/// A copy without secrets. The one it was made of is left as it is.
fn redact(args: &Redact) -> Result<ExitCode> {
    let read = journal::read(&args.journal)?;
    let lines = journal::redacted(&read, args.names).map_err(|why| eyre!("{}: {why}", args.journal.display()))?;
    let text = lines.join("\n") + "\n";
    let Some(path) = &args.output else {
        print(&text)?;
        return Ok(ExitCode::SUCCESS);
    };
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .wrap_err_with(|| format!("the copy cannot be written to {}", path.display()))?;
    complain(&format!(
        "{}: secrets of the usual forms are out of it{}; look through it before you give it away",
        path.display(),
        if args.names { ", and so are names and addresses" } else { "; hosts and users have their names (--names)" }
    ));
    Ok(ExitCode::SUCCESS)
}

/// A chain whose first line nobody has kept elsewhere can be written anew from its beginning: the head is what to keep.
fn verify(args: &Verify) -> Result<ExitCode> {
    let mut records = Records::open(&args.journal)?;
    let mut state = State::default();
    let had = |records: &Records| args.head.as_deref() == Some(records.head().as_str());
    let mut kept = had(&records);
    while let Some(record) = records.next() {
        state.apply(&record?);
        kept |= had(&records);
    }
    let session = state.session.as_ref().map_or("no session".to_owned(), |session| {
        format!("{} of {} by {}", session.mode, session.inventory.cluster, session.operator)
    });
    let ends = match (records.torn(), state.outcome.is_some()) {
        (true, _) => journal::TORN,
        (false, true) => "whole, and the session has ended",
        (false, false) => "whole; the session has not ended",
    };
    let mut lines = vec![
        ("session", session),
        ("events", state.seq.to_string()),
        ("end", ends.into()),
        ("head", records.head().to_string()),
    ];
    if state.unknown_events > 0 {
        lines.push((
            "unknown",
            format!("{} of them, of a later version: what they mean is not known here", state.unknown_events),
        ));
    }
    lines.extend(missing(&state).into_iter().map(|what| ("missing", what)));
    let redacted = records.redacted();
    lines.extend(
        redacted.map(|head| ("redacted", format!("without its secrets; made of the one with the head {head}"))),
    );
    print(&printable_lines(&lines))?;
    match &args.head {
        Some(head) if !kept => {
            complain(&format!(
                "{}: no line of it has the head {}: what was written before that is not what stands there now",
                args.journal.display(),
                printable(head)
            ));
            Ok(ExitCode::FAILURE)
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// What was announced, and of which no end is recorded.
fn missing(state: &State) -> Vec<String> {
    let under_way = state.under_way().filter_map(|id| {
        let (_, _, now) = state.task(id)?;
        let job = now.job.as_ref().map_or_else(|| "a job".to_owned(), |job| format!("job {}", job.name));
        let what = match &now.phase {
            Phase::Opened => "its gate was opened, and no job was announced".to_owned(),
            Phase::Starting => format!("{job} was announced, and neither its start nor its end is recorded"),
            Phase::Running => format!("{job} was started, and no end of it is recorded"),
            Phase::Uncertain { .. } | Phase::Interrupted { .. } => {
                format!("{job} was announced, and how it ended is not known")
            }
            Phase::Exited { .. } | Phase::Verifying => format!("{job} ended, and whether it did its work was not seen"),
            Phase::Waiting
            | Phase::Gate
            | Phase::Done
            | Phase::Skipped { .. }
            | Phase::NotNeeded
            | Phase::Failed { .. } => {
                return None;
            }
        };
        Some(format!("{}: {what}", state.label(id)))
    });
    let undo = state.undo.iter().map(|id| format!("{}: it was to be taken back, and was not", state.label(*id)));
    under_way.chain(undo).collect()
}

fn printable_lines(lines: &[(&str, String)]) -> String {
    lines.iter().map(|(word, what)| format!("{word:<9} {}\n", printable(what))).collect()
}
