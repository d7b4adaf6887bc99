//! The maintenance window, as it is written on the command line.

use clap::Args;
use jiff::SignedDuration;
use jiff::civil::{DateTime, Time};

/// The maintenance window: gates warn before they start what it has no room for.
#[derive(Debug, Args)]
pub struct Window {
    /// The maintenance window, in local time; gates warn before it opens, and before what cannot be finished in it
    #[arg(long, value_name = "HH:MM-HH:MM", value_parser = window, conflicts_with = "until")]
    pub window: Option<(Time, Time)>,
    /// When the maintenance window ends: 05:00 or 2026-11-22T05:00 in local time, or +2h from now
    #[arg(long, value_name = "TIME", value_parser = end)]
    pub until: Option<End>,
}

/// When a window ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The next time that clocks show this.
    Clock(Time),
    /// At this date and time.
    Date(DateTime),
    /// So long from now.
    Span(SignedDuration),
}

fn end(text: &str) -> Result<End, String> {
    let span = |text: &str| text.parse::<SignedDuration>().ok().filter(SignedDuration::is_positive);
    match text.strip_prefix('+') {
        Some(length) => span(length).map(End::Span),
        None if text.contains('T') => text.parse().ok().map(End::Date),
        None => time_of_day(text).ok().map(End::Clock),
    }
    .ok_or_else(|| format!("`{text}` is not a time such as 05:00, 2026-11-22T05:00 or +2h"))
}

fn time_of_day(text: &str) -> Result<Time, String> {
    let (hour, minute) = text.split_once(':').unwrap_or((text, ""));
    let number = |text: &str| text.parse::<i8>().ok().filter(|_| text.len() == 2);
    number(hour)
        .zip(number(minute))
        .and_then(|(hour, minute)| Time::new(hour, minute, 0, 0).ok())
        .ok_or_else(|| format!("`{text}` is not a time of day such as 05:00"))
}

fn window(text: &str) -> Result<(Time, Time), String> {
    let (start, end) = text.split_once('-').ok_or_else(|| format!("`{text}` is not a window such as 02:00-05:00"))?;
    Ok((time_of_day(start)?, time_of_day(end)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_at_a_time_on_a_date_or_after_a_while() {
        assert_eq!(end("05:00"), Ok(End::Clock(Time::constant(5, 0, 0, 0))));
        assert_eq!(end("2026-11-22T19:00"), Ok(End::Date(DateTime::constant(2026, 11, 22, 19, 0, 0, 0))));
        assert_eq!(end("+2h"), Ok(End::Span(SignedDuration::from_hours(2))));
        for wrong in ["", "5", "25:00", "+", "+x", "+-2h", "2026-13-01T05:00", "T05:00"] {
            assert!(end(wrong).is_err(), "{wrong}");
        }
    }
}
