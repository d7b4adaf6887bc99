//! Arguments of `journal`.

#![expect(missing_docs, reason = "what clap shows as help is the documentation")]

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

#[derive(Debug, Subcommand)]
pub enum Journal {
    /// Check that nothing of a journal was changed, and print its head: the digest that stands for all of it
    Verify(Verify),
    /// Make a copy of a journal without secrets, to be shown to others
    Redact(Redact),
}

#[derive(Debug, Args)]
pub struct Redact {
    /// The journal
    #[arg(value_hint = ValueHint::FilePath)]
    pub journal: PathBuf,
    /// Where to write the copy, for its owner alone to read; standard output unless given
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Also give hosts, users, the cluster and IPv4 addresses other names, the same ones throughout
    #[arg(long)]
    pub names: bool,
}

#[derive(Debug, Args)]
pub struct Verify {
    /// The journal
    #[arg(value_hint = ValueHint::FilePath)]
    pub journal: PathBuf,
    /// The head that it had, as the session's end or an earlier check told it: it must be one of its lines
    #[arg(long, value_name = "DIGEST")]
    pub head: Option<String>,
}
