//! Arguments of `lease`.

#![expect(missing_docs, reason = "what clap shows as help is the documentation")]

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use crate::model::HostName;

#[derive(Debug, Subcommand)]
pub enum Lease {
    /// Print who holds which host, since when, and whether their session lives; cannot change anything
    Show(Hosts),
    /// Take hosts over from another operator, by typed words; their session can do nothing more there
    Take(Hosts),
}

#[derive(Debug, Args)]
pub struct Hosts {
    /// The inventory: a YAML file that names the hosts
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub inventory: PathBuf,
    /// Only these hosts
    #[arg(value_name = "HOST")]
    pub hosts: Vec<HostName>,
}
