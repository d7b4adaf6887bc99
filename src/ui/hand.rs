//! The hand on the keys: what has been on the screen long enough, and been read to its end, to be acted on.
//!
//! All times are of the screen's own clock, which is handed in, so that nothing here waits and no test sleeps.

use std::time::Duration;

use crate::model::TaskId;

/// How long something must have been on the screen before a key acts on it.
pub const SHOWN_FOR: Duration = Duration::from_millis(400);

/// How long no key must have come before the hand counts as rested.
pub const REST: Duration = Duration::from_millis(900);

/// What a gate pane shows: another one of these is another gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Whose gate.
    pub task: TaskId,
    /// The event that brought it before the operator.
    pub since_seq: u64,
    /// A digest of what it will run and write.
    pub content: u64,
}

/// What has been on the screen, and whether keys are heard.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hand {
    seen: Option<Seen>,
    /// Keys go nowhere until none has come for a while: when the last one came.
    deaf: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    what: Shown,
    since: Duration,
    /// Rows of what runs that have been on the screen, counted from the first without a gap.
    read: usize,
    /// Whole lines that these are: what counts when the window gets another width.
    lines: usize,
    /// How many rows there are.
    rows: usize,
    /// How wide they are.
    width: u16,
    /// Since when all of them have been.
    whole: Option<Duration>,
    /// It is on the screen now.
    now: bool,
}

/// How much of what runs was in a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Its rows that were visible, counted from its first.
    pub visible: std::ops::Range<usize>,
    /// For each of its lines, the row after its last.
    pub ends: Vec<usize>,
    /// Columns of a row.
    pub width: u16,
}

/// Whether a key may act on what is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It is not on the screen.
    Unseen,
    /// So many rows of what it runs have not been on the screen.
    Unread(usize),
    /// It came up too short a time ago.
    TooSoon,
    /// For so long it has been shown.
    Ready(Duration),
}

impl Hand {
    /// A frame was drawn: what its gate pane showed, and how much of what runs was in it.
    pub(super) fn drawn(&mut self, at: Duration, what: Shown, extent: &Extent) {
        let (rows, width) = (extent.ends.last().copied().unwrap_or_default(), extent.width);
        let seen = match &mut self.seen {
            Some(seen) if seen.what == what => seen,
            other => other.insert(Seen { what, since: at, read: 0, lines: 0, rows, width, whole: None, now: true }),
        };
        if (seen.width, seen.rows) != (width, rows) {
            seen.read = seen.lines.checked_sub(1).and_then(|last| extent.ends.get(last)).copied().unwrap_or_default();
            (seen.width, seen.rows) = (width, rows);
        }
        // What comes back from behind another pane has to be looked at again; what was read stays read if it comes back at its
        // end, where it was left.
        if !seen.now {
            (seen.now, seen.since) = (true, at);
            seen.whole = seen.whole.filter(|_| extent.visible.end >= rows).map(|_| at);
            if seen.whole.is_none() {
                seen.read = 0;
            }
        }
        if extent.visible.start <= seen.read {
            seen.read = seen.read.max(extent.visible.end);
        }
        seen.lines = extent.ends.partition_point(|end| *end <= seen.read);
        if seen.read >= rows && seen.whole.is_none() {
            seen.whole = Some(at);
        }
    }

    /// A frame that was drawn at one moment was written at a later one: what is new in it has been on the screen since then.
    pub(super) fn written(&mut self, drawn: Duration, written: Duration) {
        if let Some(seen) = &mut self.seen {
            for since in [Some(&mut seen.since), seen.whole.as_mut()].into_iter().flatten() {
                if *since == drawn {
                    *since = written;
                }
            }
        }
    }

    /// A frame was drawn without a gate pane.
    pub(super) fn hidden(&mut self) {
        if let Some(seen) = &mut self.seen {
            seen.now = false;
        }
    }

    /// Whether a key may act on a task that is shown.
    #[must_use]
    pub fn readiness(&self, at: Duration, task: TaskId) -> Readiness {
        let Some(seen) = self.seen.filter(|seen| seen.now && seen.what.task == task) else { return Readiness::Unseen };
        match seen.whole {
            None => Readiness::Unread(seen.rows.saturating_sub(seen.read)),
            Some(whole) if at.saturating_sub(whole.max(seen.since)) < SHOWN_FOR => Readiness::TooSoon,
            Some(_) => Readiness::Ready(at.saturating_sub(seen.since)),
        }
    }

    /// Whether the pane with this task has been on the screen long enough for a key that opens nothing.
    #[must_use]
    pub fn settled(&self, at: Duration, task: TaskId) -> bool {
        self.seen.is_some_and(|seen| seen.now && seen.what.task == task && at.saturating_sub(seen.since) >= SHOWN_FOR)
    }

    /// The first row of what runs that has not been on the screen.
    #[must_use]
    pub fn read(&self) -> usize {
        self.seen.map_or(0, |seen| seen.read)
    }

    /// Whatever is on the screen is looked at anew: something lay over it, or nobody can have looked. What was read stays
    /// read.
    pub(super) fn look_anew(&mut self, at: Duration) {
        if let Some(seen) = &mut self.seen {
            seen.since = at;
            seen.whole = seen.whole.map(|_| at);
        }
    }

    /// How many columns what runs had when it was drawn last.
    #[must_use]
    pub fn width(&self) -> u16 {
        self.seen.map_or(0, |seen| seen.width)
    }

    /// From now on keys go nowhere until the hand has rested.
    pub(super) fn deafen(&mut self, at: Duration) {
        self.deaf = Some(at);
    }

    /// Whether a key that came now is to go nowhere.
    pub(super) fn is_deaf(&mut self, at: Duration) -> bool {
        match self.deaf {
            Some(last) if at.saturating_sub(last) < REST => {
                self.deaf = Some(at);
                true
            }
            Some(_) => {
                self.deaf = None;
                false
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Shown = Shown { task: TaskId(1), since_seq: 7, content: 1 };
    const B: Shown = Shown { task: TaskId(2), since_seq: 8, content: 2 };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Rows of a text whose lines are a row each.
    fn rows(visible: std::ops::Range<usize>, all: usize) -> Extent {
        Extent { visible, ends: (1..=all).collect(), width: 60 }
    }

    #[test]
    fn what_was_just_drawn_is_not_acted_on() {
        let mut hand = Hand::default();
        assert_eq!(hand.readiness(ms(0), A.task), Readiness::Unseen);
        hand.drawn(ms(0), A, &rows(0..2, 2));
        assert_eq!(hand.readiness(ms(399), A.task), Readiness::TooSoon);
        assert_eq!(hand.readiness(ms(400), A.task), Readiness::Ready(ms(400)));
        hand.drawn(ms(500), B, &rows(0..2, 2));
        assert_eq!(hand.readiness(ms(500), A.task), Readiness::Unseen);
        assert_eq!(hand.readiness(ms(501), B.task), Readiness::TooSoon);
    }

    #[test]
    fn what_was_not_read_to_its_end_is_not_acted_on() {
        let mut hand = Hand::default();
        hand.drawn(ms(0), A, &rows(0..10, 25));
        assert_eq!(hand.readiness(ms(5_000), A.task), Readiness::Unread(15));
        // A leap to the end leaves a gap: what lies between has not been seen.
        hand.drawn(ms(5_000), A, &rows(15..25, 25));
        assert_eq!(hand.readiness(ms(6_000), A.task), Readiness::Unread(15));
        hand.drawn(ms(6_000), A, &rows(8..18, 25));
        hand.drawn(ms(6_100), A, &rows(15..25, 25));
        assert_eq!(hand.readiness(ms(6_200), A.task), Readiness::TooSoon);
        assert_eq!(hand.readiness(ms(6_500), A.task), Readiness::Ready(ms(6_500)));
    }

    #[test]
    fn a_line_that_was_half_read_is_read_again_in_another_width() {
        let mut hand = Hand::default();
        let long = |visible, ends: &[usize], width| Extent { visible, ends: ends.to_vec(), width };
        hand.drawn(ms(0), A, &long(0..4, &[1, 10], 60));
        assert_eq!(hand.readiness(ms(900), A.task), Readiness::Unread(6));
        hand.drawn(ms(900), A, &long(4..8, &[1, 20], 30));
        assert_eq!(hand.readiness(ms(900), A.task), Readiness::Unread(19), "only the first line was whole");
    }

    #[test]
    fn what_changed_or_was_hidden_is_looked_at_anew() {
        let mut hand = Hand::default();
        hand.drawn(ms(0), A, &rows(0..1, 1));
        hand.drawn(ms(900), Shown { content: 9, ..A }, &rows(0..1, 1));
        assert_eq!(hand.readiness(ms(1_000), A.task), Readiness::TooSoon);
        hand.hidden();
        assert_eq!(hand.readiness(ms(2_000), A.task), Readiness::Unseen);
        hand.drawn(ms(2_100), Shown { content: 9, ..A }, &rows(0..1, 1));
        assert_eq!(hand.readiness(ms(2_200), A.task), Readiness::TooSoon);
        assert_eq!(hand.readiness(ms(2_500), A.task), Readiness::Ready(ms(400)));
    }

    #[test]
    fn a_frame_that_was_long_in_writing_counts_from_its_end() {
        let mut hand = Hand::default();
        hand.drawn(ms(0), A, &rows(0..2, 2));
        hand.written(ms(0), ms(3_000));
        assert_eq!(hand.readiness(ms(3_100), A.task), Readiness::TooSoon);
        // A slow terminal is none that never shows anything: what was there before stays seen.
        hand.drawn(ms(3_200), A, &rows(0..2, 2));
        hand.written(ms(3_200), ms(5_000));
        assert_eq!(hand.readiness(ms(5_000), A.task), Readiness::Ready(ms(2_000)));
    }

    #[test]
    fn what_comes_back_at_another_place_is_read_again() {
        let mut hand = Hand::default();
        hand.drawn(ms(0), A, &rows(0..25, 25));
        hand.hidden();
        hand.drawn(ms(500), A, &rows(15..25, 25));
        assert_eq!(hand.readiness(ms(900), A.task), Readiness::Ready(ms(400)), "its end is on the screen");
        hand.hidden();
        hand.drawn(ms(1_000), A, &rows(0..10, 25));
        assert_eq!(hand.readiness(ms(2_000), A.task), Readiness::Unread(15));
    }

    #[test]
    fn a_deaf_screen_hears_again_when_the_hand_has_rested() {
        let mut hand = Hand::default();
        hand.deafen(ms(0));
        for at in [100, 900, 1_700, 2_500] {
            assert!(hand.is_deaf(ms(at)), "{at}");
        }
        assert!(!hand.is_deaf(ms(3_400)));
        assert!(!hand.is_deaf(ms(3_401)));
    }
}
