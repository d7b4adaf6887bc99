//! Arguments of `clean`.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use jiff::{SignedDuration, Span, SpanRelativeTo, Unit};

/// Job directories go after a week, copies only where `--older-than` is said.
#[derive(Debug, Args)]
pub struct Clean {
    /// The inventory: a YAML file that names the hosts
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub inventory: PathBuf,
    /// What changed last so long ago, such as 30d or 12h; copies are removed only where this is said [default: 7d]
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub older_than: Option<SignedDuration>,
    /// Remove without asking for the cluster's name
    #[arg(long)]
    pub yes: bool,
}

fn age(text: &str) -> Result<SignedDuration, String> {
    let seconds = text.parse::<Span>().and_then(|span| span.total((Unit::Second, SpanRelativeTo::days_are_24_hours())));
    match seconds {
        Ok(seconds) if seconds >= 0.0 => Ok(SignedDuration::from_secs_f64(seconds)),
        _ => Err(format!("`{text}` is not an age such as 7d or 12h")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_in_days_or_less() {
        assert_eq!(age("7d"), Ok(SignedDuration::from_hours(7 * 24)));
        assert_eq!(age("12h"), Ok(SignedDuration::from_hours(12)));
        assert_eq!(age("0s"), Ok(SignedDuration::ZERO));
        for wrong in ["", "7", "-7d", "1mo", "x"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }
}
