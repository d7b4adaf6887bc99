//! The maintenance window, as it is given on the command line: times of day, in the operator's own time zone.

use jiff::civil::Time;
use jiff::{Timestamp, Zoned};

use crate::cli::Window;
use crate::engine::Intent;

/// The intent that says when the window ends, where one was given.
pub(super) fn intent(window: &Window, now: &Zoned) -> Option<Intent> {
    let end = window.until.or_else(|| window.window.map(|(_, end)| end))?;
    Some(Intent::SetWindow { until: next(end, now)? })
}

/// The next moment at which the clock shows a time.
fn next(time: Time, now: &Zoned) -> Option<Timestamp> {
    let zone = now.time_zone().clone();
    let on = |date: jiff::civil::Date| date.to_datetime(time).to_zoned(zone.clone()).ok();
    let today = on(now.date())?;
    let next = if today > *now { today } else { on(now.date().tomorrow().ok()?)? };
    Some(next.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_the_next_time_its_clock_strikes() {
        for (now, end, expected) in [
            ("2026-11-21T23:10:00+01:00[Europe/Berlin]", "05:00", "2026-11-22T04:00:00Z"),
            ("2026-11-21T03:10:00+01:00[Europe/Berlin]", "05:00", "2026-11-21T04:00:00Z"),
            ("2026-11-21T05:00:00+00:00[UTC]", "05:00", "2026-11-22T05:00:00Z"),
        ] {
            let now: Zoned = now.parse().unwrap();
            assert_eq!(next(end.parse().unwrap(), &now), Some(expected.parse().unwrap()), "{now}");
        }
    }
}
