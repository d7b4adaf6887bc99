//! The arguments of `practice`.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use clap_complete::engine::ArgValueCompleter;

use super::window::Window;
use super::{Output, PRACTICE_RUNBOOK, complete, count, variable};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub struct Practice {
    /// List the clusters, the faults and the runbooks that can be practised, and end
    #[arg(long)]
    pub list: bool,
    /// The runbook: a built-in name, or a file [`--list` names them]
    #[arg(long, short, default_value = PRACTICE_RUNBOOK, add = ArgValueCompleter::new(complete::runbooks))]
    pub runbook: String,
    /// The simulated cluster; by default the first one that suits the runbook [`--list` names them]
    #[arg(long, value_name = "KIND", add = ArgValueCompleter::new(complete::clusters))]
    pub cluster: Option<String>,
    /// How many workers the simulated cluster has, where its kind leaves that open
    #[arg(long, value_name = "COUNT", value_parser = count)]
    pub hosts: Option<usize>,
    /// A variable of the runbook
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub vars: Vec<(String, String)>,
    /// Decides every delay and every random fault: the same seed, the same run
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Break something on purpose, such as etcd1:lost-ack; may be given more than once [`--list` names hosts and kinds]
    #[arg(long = "fault", value_name = "HOST:KIND", add = ArgValueCompleter::new(complete::faults))]
    pub faults: Vec<String>,
    /// Also break this many things at random; the seed decides which
    #[arg(long, value_name = "COUNT", value_parser = count, default_value_t = 0)]
    pub random_faults: usize,
    /// Open every gate without asking, as fast as virtual time allows, and print one line of summary; needs no terminal
    #[arg(long)]
    pub auto: bool,
    /// With --auto: in every stage, take back what was done on a host and do it again: before its last step, midway, and after
    #[arg(long, requires = "auto")]
    pub take_back: bool,
    /// With --auto: run every repeatable script twice in a row, as after a connection that broke at the wrong moment
    #[arg(long, requires = "auto")]
    pub twice: bool,
    /// With --auto: end the wizard several times after events that the seed decides, and take the session up again from its journal
    #[arg(long, requires = "auto")]
    pub kill: bool,
    /// With --auto: a session for each of these seeds, one line each; exit status 0 only if none was unsafe, and none without faults came to another end than the promised one
    #[arg(long, value_name = "A..B", value_parser = seeds, requires = "auto", conflicts_with_all = ["seed", "journal"])]
    pub seeds: Option<RangeInclusive<u64>>,
    /// The format of the summary that --auto prints
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    /// Where to record the session; by default in the state directory, with --auto nowhere
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub journal: Option<PathBuf>,
    #[command(flatten)]
    pub window: Window,
}

fn seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let wrong = || format!("`{text}` is not a range of seeds such as 1..200, the last one included");
    let (first, last) = text.split_once("..").ok_or_else(wrong)?;
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok(first..=last),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_range_with_both_its_ends() {
        assert_eq!(seeds("1..200"), Ok(1..=200));
        assert_eq!(seeds("7..7"), Ok(7..=7));
        for wrong in ["", "7", "1..", "..7", "9..7", "1..=7", "-1..7", "a..b"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }
}
