//! `journal`: whether a journal is as it was written.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::ExitCode;

use color_eyre::eyre::{Result, WrapErr as _, eyre};

use super::{complain, print, printable};
use crate::cli::journal::{Journal as Args, Redact, Verify};
use crate::journal;
use crate::model::State;

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
    let read = journal::read(&args.journal)?;
    let state = State::of(&read.records);
    let session = state.session.as_ref().map_or("no session".to_owned(), |session| {
        format!("{} of {} by {}", session.mode, session.inventory.cluster, session.operator)
    });
    let ends = match (read.torn, state.outcome.is_some()) {
        (true, _) => "a torn last line: a crash left it, nothing in it was acted upon",
        (false, true) => "whole, and the session has ended",
        (false, false) => "whole; the session has not ended",
    };
    let redacted = read
        .redacted
        .as_ref()
        .map(|head| ("redacted", format!("without its secrets; made of the one with the head {head}")));
    let lines = [
        ("session", session),
        ("events", read.records.len().to_string()),
        ("end", ends.into()),
        ("head", read.last.to_string()),
    ];
    print(&printable_lines(&lines.into_iter().chain(redacted).collect::<Vec<_>>()))?;
    match &args.head {
        Some(head) if !read.heads.iter().any(|known| known.as_str() == head) => {
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

fn printable_lines(lines: &[(&str, String)]) -> String {
    lines.iter().map(|(word, what)| format!("{word:<9} {}\n", printable(what))).collect()
}
