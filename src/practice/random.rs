//! Chance that is the same for the same seed.

use std::ops::Range;
use std::time::Duration;

/// The generator known as `SplitMix64`: small, and good enough to vary durations.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// A generator of its own for one purpose, so that what one host draws does not change what another draws.
    pub(super) fn new(seed: u64, purpose: &str) -> Self {
        // FNV-1a of the purpose keeps the streams apart.
        let salt = purpose
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(seed ^ salt)
    }

    /// Any number.
    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which must not be 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }

    /// A length of time, given in milliseconds.
    pub(super) fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(range.start + self.below(range.end - range.start))
    }

    /// Something shaped like a UUID.
    pub(super) fn uuid(&mut self) -> String {
        let (a, b) = (self.number(), self.number());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            b >> 52,
            b & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_purposes_differ() {
        let draw = |seed, purpose| {
            let mut random = Random::new(seed, purpose);
            [random.number(), random.number()]
        };
        assert_eq!(draw(7, "etcd1"), draw(7, "etcd1"));
        assert_ne!(draw(7, "etcd1"), draw(7, "etcd2"));
        assert_ne!(draw(7, "etcd1"), draw(8, "etcd1"));
        let mut random = Random::new(1, "x");
        assert!((0..100).all(|_| (500..2000).contains(&(random.millis(500..2000).as_millis() as u64))));
        assert_eq!(random.uuid().len(), 36);
    }
}
