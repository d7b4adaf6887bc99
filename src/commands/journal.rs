//! `journal`: whether a journal is as it was written.

use std::process::ExitCode;

use color_eyre::eyre::Result;

use super::{complain, print, printable};
use crate::cli::journal::{Journal as Args, Verify};
use crate::journal;
use crate::model::State;

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    match args {
        Args::Verify(args) => verify(args),
    }
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
    print(&printable_lines(&[
        ("session", session),
        ("events", read.records.len().to_string()),
        ("end", ends.into()),
        ("head", read.last.to_string()),
    ]))?;
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
