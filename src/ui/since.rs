//! Since when values on the screen are what they are: what waits is shown with a clock.

use std::collections::HashMap;

use jiff::Timestamp;

/// Values by name, with the time that each was first seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Since {
    values: HashMap<String, (String, Timestamp)>,
    /// Those asked for since the last sweep.
    asked: std::collections::HashSet<String>,
}

impl Since {
    /// Since when something has this value.
    pub(super) fn of(&mut self, name: &str, value: &str, now: Timestamp) -> Timestamp {
        self.asked.insert(name.to_owned());
        match self.values.get_mut(name) {
            // A replay that goes back in time starts anew.
            Some((known, since)) if known == value && *since <= now => *since,
            Some(entry) => {
                *entry = (value.to_owned(), now);
                now
            }
            None => {
                self.values.insert(name.to_owned(), (value.to_owned(), now));
                now
            }
        }
    }

    /// Lets go of what was not asked for since the last time.
    pub(super) fn sweep(&mut self) {
        let asked = std::mem::take(&mut self.asked);
        self.values.retain(|name, _| asked.contains(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_keeps_its_time_until_it_changes() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let mut since = Since::default();
        assert_eq!(since.of("a", "x", at(1)), at(1));
        assert_eq!(since.of("a", "x", at(5)), at(1));
        assert_eq!(since.of("a", "y", at(6)), at(6));
        since.sweep();
        since.sweep();
        assert_eq!(since.of("a", "y", at(9)), at(9));
    }
}
