//! Sizes as people say them.

/// A number of bytes: `12 bytes`, `1.9 GiB`. Fewer than none are none.
#[must_use]
pub fn size(bytes: i64) -> String {
    const UNITS: [(&str, i64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{} bytes", bytes.max(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_unit_that_fits() {
        for (bytes, said) in [
            (-1, "0 bytes"),
            (1023, "1023 bytes"),
            (1 << 10, "1.0 KiB"),
            (1_572_864, "1.5 MiB"),
            (2_040_109_466, "1.9 GiB"),
            (3 << 40, "3.0 TiB"),
            (i64::MAX, "8388608.0 TiB"),
        ] {
            assert_eq!(size(bytes), said);
        }
    }
}
