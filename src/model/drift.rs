//! What moves by itself on every host, and moves so at four probes of five: a journal that told each step of it would be full
//! of nothing else.

use super::Facts;
use super::facts::{Disk, Etcd};

/// What of the facts is looked at so closely that no movement of it is slight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Closely {
    /// How far the members' logs are from each other (`etcd.lag`).
    pub lag: bool,
}

impl Facts {
    /// Whether these facts are the earlier ones but for what moves by itself on every host, and has moved a little only: the
    /// host's clock by one notch (200 ms), free room by a hundredth of itself, and etcd's log by what is written to it.
    #[must_use]
    pub fn moved_slightly(&self, before: &Self, closely: Closely) -> bool {
        self.differing(before).into_iter().all(|section| match section {
            "clock_ms" => matches!((before.clock_ms, self.clock_ms), (Some(was), Some(is)) if was.abs_diff(is) <= 200),
            "disks" => {
                let slightly = |(mount, disk): (&String, &Disk)| {
                    before.disks.get(mount).is_some_and(|was| disk.moved_slightly(was))
                };
                self.disks.len() == before.disks.len() && self.disks.iter().all(slightly)
            }
            "etcd" => match (&before.etcd, &self.etcd) {
                (Some(was), Some(is)) => !closely.lag && is.moved_slightly(was),
                _ => false,
            },
            _ => false,
        })
    }
}

impl Disk {
    fn moved_slightly(&self, was: &Self) -> bool {
        let inodes = match (was.free_inodes, self.free_inodes) {
            (Some(was), Some(is)) => a_hundredth(was, is),
            (was, is) => was == is,
        };
        let kept = Self { free_kib: was.free_kib, free_inodes: was.free_inodes, ..self.clone() };
        inodes && a_hundredth(was.free_kib, self.free_kib) && kept == *was
    }
}

impl Etcd {
    fn moved_slightly(&self, was: &Self) -> bool {
        let log = match (was.raft_index, self.raft_index) {
            (Some(was), Some(is)) => is >= was,
            (was, is) => was == is,
        };
        let size = match (was.db_bytes, self.db_bytes) {
            (Some(was), Some(is)) => a_hundredth(was, is),
            (was, is) => was == is,
        };
        let kept = Self { raft_index: was.raft_index, db_bytes: was.db_bytes, ..self.clone() };
        log && size && kept == *was
    }
}

fn a_hundredth(was: i64, is: i64) -> bool {
    was.abs_diff(is) <= was.unsigned_abs() / 100
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(clock: i64, free: i64, raft: (i64, i64)) -> Facts {
        serde_json::from_value(json!({
            "clock_ms": clock, "disks": {"/": {"fs": "ext4", "size_kib": 9_000_000, "free_kib": free}},
            "etcd": {"raft_index": raft.0, "raft_term": raft.1, "healthy": true},
        }))
        .unwrap()
    }

    #[test]
    fn little_is_little_in_the_long_run_as_well() {
        let before = facts(0, 1_000_000, (10, 2));
        let (lazy, close) = (Closely::default(), Closely { lag: true });
        assert!(facts(200, 990_000, (900, 2)).moved_slightly(&before, lazy));
        assert!(facts(-200, 1_010_000, (10, 2)).moved_slightly(&before, close));
        for other in [facts(400, 1_000_000, (10, 2)), facts(0, 989_999, (10, 2)), facts(0, 1_000_000, (10, 3))] {
            assert!(!other.moved_slightly(&before, lazy), "{other:?}");
        }
        assert!(!facts(0, 1_000_000, (11, 2)).moved_slightly(&before, close), "the lag is asked for");
        assert!(!facts(0, 1_000_000, (9, 2)).moved_slightly(&before, lazy), "a log never goes back");
    }
}
