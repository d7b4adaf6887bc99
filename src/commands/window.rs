//! The maintenance window, as it is given on the command line: times of day, in the operator's own time zone.

use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp, ToSpan as _, Zoned};

use crate::cli::window::{End, Window};
use crate::engine::Intent;
use crate::yaml::{Problem, Problems};

/// A time of day that passed so short ago was hardly meant to be tomorrow's.
const JUST_PASSED: SignedDuration = SignedDuration::from_hours(12);

/// The intent that says when the window begins and ends, where one was given.
///
/// # Errors
/// The window is over already, or may be: says what to write instead.
pub(super) fn intent(window: &Window, now: &Zoned) -> Result<Option<Intent>, Problems> {
    wanted(window, now).map_err(|why| Problem::of("--until", why).into())
}

fn wanted(window: &Window, now: &Zoned) -> Result<Option<Intent>, String> {
    let beyond = || "the window lies beyond every calendar".to_owned();
    if let Some((start, end)) = window.window {
        let (from, until) = span(start, end, now).ok_or_else(beyond)?;
        return Ok(Some(Intent::SetWindow { from: Some(from), until }));
    }
    let Some(end) = window.until else { return Ok(None) };
    let until = match end {
        End::Clock(time) => not_just_passed(time, now).and_then(|()| next(time, now).ok_or_else(beyond))?,
        End::Date(date) => {
            let until = date.to_zoned(now.time_zone().clone()).map_err(|_| beyond())?.timestamp();
            let gone = now.timestamp().duration_since(until);
            if gone >= SignedDuration::ZERO {
                return Err(format!("{date} was {} ago", in_words(gone)));
            }
            until
        }
        End::Span(span) => now.timestamp().checked_add(span).map_err(|_| beyond())?,
    };
    Ok(Some(Intent::SetWindow { from: None, until }))
}

/// Refuses a time of day that has just passed, with what can be written in its place.
fn not_just_passed(time: Time, now: &Zoned) -> Result<(), String> {
    let Some(last) = next(time, now).and_then(|next| before(time, next, now)) else { return Ok(()) };
    let gone = now.timestamp().duration_since(last);
    if gone >= JUST_PASSED {
        return Ok(());
    }
    let tomorrow = now.date().tomorrow().unwrap_or(now.date());
    let next = if now.time() < time { now.date() } else { tomorrow };
    let clock = time.strftime("%H:%M");
    Err(format!(
        "{clock} was {} ago; write --until {next}T{clock} if you mean the next one, or such as --until +2h",
        in_words(gone)
    ))
}

/// `23 minutes`, `6 hours`, `3 days`.
fn in_words(span: SignedDuration) -> String {
    let (count, unit) = match span.as_secs() {
        seconds @ ..5_400 => (seconds / 60, "minute"),
        seconds @ 5_400..172_800 => (seconds / 3_600, "hour"),
        seconds => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// The next moment at which the clock shows a time.
fn next(time: Time, now: &Zoned) -> Option<Timestamp> {
    let zone = now.time_zone().clone();
    let on = |date: jiff::civil::Date| date.to_datetime(time).to_zoned(zone.clone()).ok();
    let today = on(now.date())?;
    let next = if today > *now { today } else { on(now.date().tomorrow().ok()?)? };
    Some(next.timestamp())
}

/// The last moment before another at which the clock shows a time.
fn before(time: Time, then: Timestamp, now: &Zoned) -> Option<Timestamp> {
    let then = then.to_zoned(now.time_zone().clone());
    let on = |date: jiff::civil::Date| date.to_datetime(time).to_zoned(then.time_zone().clone()).ok();
    let same = on(then.date())?;
    let last = if same < then { same } else { on(then.date().checked_sub(1.day()).ok()?)? };
    Some(last.timestamp())
}

/// The window whose end comes next: it may be open already, or open later.
fn span(start: Time, end: Time, now: &Zoned) -> Option<(Timestamp, Timestamp)> {
    let until = next(end, now)?;
    Some((before(start, until, now)?, until))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(until: Option<End>, window: Option<(&str, &str)>, now: &str) -> Result<Option<Intent>, String> {
        let window = window.map(|(start, end)| (start.parse().unwrap(), end.parse().unwrap()));
        wanted(&Window { window, until }, &now.parse().unwrap())
    }

    fn set(from: Option<&str>, until: &str) -> Intent {
        let from = from.map(|from| from.parse().unwrap());
        Intent::SetWindow { from, until: until.parse().unwrap() }
    }

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

    #[test]
    fn a_window_keeps_its_start() {
        for (now, window, from, until) in [
            ("2026-11-21T19:25:00Z[UTC]", ("21:25", "22:25"), "2026-11-21T21:25:00Z", "2026-11-21T22:25:00Z"),
            ("2026-11-21T03:00:00Z[UTC]", ("02:00", "05:00"), "2026-11-21T02:00:00Z", "2026-11-21T05:00:00Z"),
            ("2026-11-21T23:30:00Z[UTC]", ("23:00", "01:00"), "2026-11-21T23:00:00Z", "2026-11-22T01:00:00Z"),
            ("2026-11-21T14:00:00Z[UTC]", ("02:00", "05:00"), "2026-11-22T02:00:00Z", "2026-11-22T05:00:00Z"),
        ] {
            assert_eq!(given(None, Some(window), now), Ok(Some(set(Some(from), until))), "{now}");
        }
    }

    #[test]
    fn an_end_that_has_just_passed_is_not_taken_for_tomorrows() {
        let clock = Some(End::Clock(Time::constant(19, 0, 0, 0)));
        let refused = given(clock, None, "2026-11-21T19:23:00Z[UTC]").unwrap_err();
        let expected = "19:00 was 23 minutes ago; write --until 2026-11-22T19:00 if you mean the next one, \
                        or such as --until +2h";
        assert_eq!(refused, expected);
        let refused = given(clock, None, "2026-11-22T01:00:00Z[UTC]").unwrap_err();
        assert!(refused.contains("19:00 was 6 hours ago") && refused.contains("2026-11-22T19:00"), "{refused}");
        let tonight = Ok(Some(set(None, "2026-11-21T19:00:00Z")));
        assert_eq!(given(clock, None, "2026-11-21T07:30:00Z[UTC]"), tonight, "more than 12 hours ago");
        assert_eq!(given(clock, None, "2026-11-21T18:59:00Z[UTC]"), tonight);
        let date = Some(End::Date("2026-11-22T19:00".parse().unwrap()));
        assert_eq!(given(date, None, "2026-11-21T19:23:00Z[UTC]"), Ok(Some(set(None, "2026-11-22T19:00:00Z"))));
        assert!(given(date, None, "2026-11-22T19:23:00Z[UTC]").unwrap_err().contains("was 23 minutes ago"));
        let span = Some(End::Span(SignedDuration::from_hours(2)));
        assert_eq!(given(span, None, "2026-11-21T19:23:00Z[UTC]"), Ok(Some(set(None, "2026-11-21T21:23:00Z"))));
    }
}
