//! Times as an operator reads them.

use jiff::{SignedDuration, Timestamp};

pub(super) use crate::model::clock::span;

/// Hours and minutes, for what is hours away: `1:13 h`; below an hour, minutes: `26 min`.
#[must_use]
pub(super) fn rough(span: SignedDuration) -> String {
    let minutes = (span.as_secs().max(0) + 30) / 60;
    if minutes < 60 { format!("{minutes} min") } else { format!("{}:{:02} h", minutes / 60, minutes % 60) }
}

/// A time of day where the operator sits: `21:25`.
#[must_use]
pub(super) fn local(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M").to_string()
}

/// How long ago, short: `3 s`, `12 min`, `5 h`, `2 d`.
#[must_use]
pub(super) fn age(now: Timestamp, then: Timestamp) -> String {
    match now.duration_since(then).as_secs().max(0) {
        seconds @ 0..100 => format!("{seconds} s"),
        seconds @ 100..6_000 => format!("{} min", seconds / 60),
        seconds @ 6_000..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_ages_and_rough_times_are_short() {
        for (seconds, exact, roughly) in
            [(-3, "0:00", "0 min"), (42, "0:42", "1 min"), (725, "12:05", "12 min"), (3723, "1:02:03", "1:02 h")]
        {
            let time = SignedDuration::from_secs(seconds);
            assert_eq!((span(time).as_str(), rough(time).as_str()), (exact, roughly));
        }
        let then = Timestamp::UNIX_EPOCH;
        for (seconds, expected) in [(0, "0 s"), (99, "99 s"), (100, "1 min"), (7200, "2 h"), (200_000, "2 d")] {
            assert_eq!(age(then + SignedDuration::from_secs(seconds), then), expected);
        }
    }
}
