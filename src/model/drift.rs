//! What moves by itself on every host, and moves so at four probes of five: a journal that told each step of it would be full
//! of nothing else.

use super::Facts;

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
        let mut after = self.clone();
        if let (Some(was), Some(is)) = (before.clock_ms, after.clock_ms)
            && was.abs_diff(is) <= 200
        {
            after.clock_ms = before.clock_ms;
        }
        for (mount, disk) in &mut after.disks {
            let Some(was) = before.disks.get(mount) else { continue };
            if was.free_kib.abs_diff(disk.free_kib) <= was.free_kib.unsigned_abs() / 100 {
                disk.free_kib = was.free_kib;
            }
            if let (Some(left), Some(inodes)) = (was.free_inodes, disk.free_inodes)
                && left.abs_diff(inodes) <= left.unsigned_abs() / 100
            {
                disk.free_inodes = was.free_inodes;
            }
        }
        if let (Some(was), Some(etcd)) = (&before.etcd, &mut after.etcd)
            && !closely.lag
            && was.raft_term == etcd.raft_term
        {
            if etcd.raft_index >= was.raft_index && was.raft_index.is_some() {
                etcd.raft_index = was.raft_index;
            }
            if let (Some(size), Some(bytes)) = (was.db_bytes, etcd.db_bytes)
                && size.abs_diff(bytes) <= size.unsigned_abs() / 100
            {
                etcd.db_bytes = was.db_bytes;
            }
        }
        after == *before
    }
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
