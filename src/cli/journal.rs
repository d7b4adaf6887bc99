//! Arguments of `journal`.

#![expect(missing_docs, reason = "what clap shows as help is the documentation")]

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

#[derive(Debug, Subcommand)]
pub enum Journal {
    /// Check that nothing of a journal was changed, and print its head: the digest that stands for all of it
    Verify(Verify),
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
