//! The versions of the Ignition spec: what each can say, and which host reads it.

use std::collections::BTreeMap;
use std::fmt;

/// The specs that are written here, oldest first.
pub const SPECS: [&str; 4] = ["2.0.0", "2.1.0", "2.2.0", "2.3.0"];

/// A version of the spec that is written here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Spec {
    /// 2.0.0, as `ct` 0.3 and 0.4 wrote it.
    V2_0,
    /// 2.1.0, as `ct` 0.5 to 0.7 wrote it.
    V2_1,
    /// 2.2.0, as `ct` 0.8 and 0.9 wrote it.
    V2_2,
    /// 2.3.0, as the last `ct` wrote it.
    V2_3,
}

impl Spec {
    /// All of them, oldest first.
    pub(super) const ALL: [Self; 4] = [Self::V2_0, Self::V2_1, Self::V2_2, Self::V2_3];

    /// The version of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|spec| spec.name() == name)
    }

    /// Its name, as `ignition.version` says it.
    pub(super) fn name(self) -> &'static str {
        SPECS[self as usize]
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Every spec that Ignition has read as stable, but for 1, which no tool here writes: minor versions by generation.
const GENERATIONS: [(u64, u64); 2] = [(2, 4), (3, 5)];

/// The first release of Container Linux that reads each 2.x spec, by the first number of its version.
const CONTAINER_LINUX: [(u64, u64); 4] = [(0, 1010), (1, 1465), (2, 1688), (3, 1995)];

/// The number of Flatcar's first release with an Ignition that reads spec 3.
const FLATCAR_READS_3: u64 = 3185;

/// Whether a spec is one that Ignition ever read as stable: 2.0.0 to 2.4.0, and 3.0.0 to 3.5.0.
pub(super) fn known(spec: &str) -> Option<(u64, u64)> {
    let version = semver::Version::parse(spec).ok()?;
    let (_, newest) = GENERATIONS.into_iter().find(|(major, _)| *major == version.major)?;
    let stable = version.minor <= newest && version.patch == 0 && version.pre.is_empty() && version.build.is_empty();
    stable.then_some((version.major, version.minor))
}

/// The first release, by the first number of its version, that reads a 2.x spec, by `ID` of /etc/os-release. Flatcar began
/// with all of them.
pub(super) fn read_from(spec: &str) -> BTreeMap<&'static str, u64> {
    let Some((2, minor)) = known(spec) else { return BTreeMap::new() };
    let first = CONTAINER_LINUX.iter().find(|(of, _)| *of == minor).map(|(_, first)| *first);
    first.map(|first| [("coreos", first), ("flatcar", first)].into()).unwrap_or_default()
}

/// Whether the Ignition of a host reads configs of a spec. A newer one than it knows stops the boot in the initramfs.
///
/// `os_id` and `os_version` are `ID` and `VERSION_ID` of /etc/os-release: `coreos`, `flatcar`, or `fedora` where that is
/// Fedora CoreOS.
///
/// Spec to Ignition, from Ignition's tags: 2.0.0 came with v0.4.0, 2.1.0 with v0.17.0, 2.2.0 with v0.22.0, 2.3.0 with
/// v0.29.0, 2.4.0 with v0.35.0, and all of 3.x with v2.x, which does not read 2.x. Ignition to Container Linux, from the
/// branches `build-NUMBER` of coreos-overlay: v0.3.3 in 991, v0.4.0 in 1010, v0.16.0 in 1451, v0.17.2 in 1465, v0.21.0
/// in 1675, v0.22.0 in 1688, v0.28.0 in 1981, v0.29.1 in 1995, and v0.34.0 in 2514, the last. Flatcar began as the same
/// releases under the same numbers; by its own documentation 3185.0.0 and later read 3.3.0 as well as 2.x.
///
/// # Errors
/// Why it does not, or that it is not known: unknown is no permission.
pub fn spec_readable(spec: &str, os_id: &str, os_version: &str) -> Result<(), String> {
    let Some((major, minor)) = known(spec) else {
        return Err(format!(
            "`{spec}` is not a spec that Ignition ever read as stable (2.0.0 to 2.4.0, 3.0.0 to 3.5.0)"
        ));
    };
    let unknown = |why: &str| Err(format!("whether {os_id} {os_version} reads spec {spec} is not known: {why}"));
    let release = os_version.split('.').next().and_then(|number| number.parse::<u64>().ok());
    match (os_id, release) {
        ("coreos" | "flatcar", None) => unknown("its version does not begin with a number"),
        ("coreos", Some(_)) if major == 3 => {
            Err(format!("Container Linux never read spec 3 ({spec}): the boot of this host would stop"))
        }
        ("coreos", Some(_)) if minor == 4 => {
            Err("no Container Linux reads spec 2.4.0: its last release, 2514, has Ignition 0.34.0".into())
        }
        ("flatcar", Some(_)) if (major, minor) == (2, 4) => unknown("no source tells which release was the first"),
        ("flatcar", Some(release)) if major == 3 && release < FLATCAR_READS_3 => Err(format!(
            "Flatcar reads spec 3 from {FLATCAR_READS_3} on, and this is {os_version}: its boot would stop"
        )),
        ("flatcar", Some(_)) if major == 3 && minor > 3 => unknown("no source tells which release was the first"),
        ("flatcar", Some(_)) if major == 3 => Ok(()),
        ("coreos" | "flatcar", Some(release)) => {
            let first = CONTAINER_LINUX.iter().find(|(of, _)| *of == minor).map_or(u64::MAX, |(_, first)| *first);
            if release >= first {
                return Ok(());
            }
            let newest = Spec::ALL.iter().zip(CONTAINER_LINUX).rev().find(|(_, (_, first))| release >= *first);
            let reads = newest.map_or("none of the 2.x specs".to_owned(), |(spec, _)| format!("up to spec {spec}"));
            Err(format!(
                "spec {spec} is read from release {first} on, and {os_version} reads {reads}: its boot would stop"
            ))
        }
        ("fedora" | "fedora-coreos", _) if major == 2 => {
            Err(format!("Fedora CoreOS never read spec 2 ({spec}): the boot of this host would stop"))
        }
        ("fedora" | "fedora-coreos", _) if minor == 0 => Ok(()),
        ("fedora" | "fedora-coreos", _) => unknown("no source tells which release was the first"),
        _ => unknown("it is none of coreos, flatcar and fedora"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_reads_what_its_ignition_reads_and_unknown_is_said_as_unknown() {
        let cases = [
            ("2.0.0", "coreos", "1010.5.0", ""),
            ("2.0.0", "coreos", "991.0.0", "none of the 2.x"),
            ("2.1.0", "coreos", "1451.2.0", "up to spec 2.0.0"),
            ("2.1.0", "coreos", "1465.6.0", ""),
            ("2.2.0", "coreos", "1675.0.1", "from release 1688 on"),
            ("2.2.0", "coreos", "1688.0.0", ""),
            ("2.3.0", "coreos", "1967.6.0", "up to spec 2.2.0"),
            ("2.3.0", "coreos", "2512.3.0", ""),
            ("2.4.0", "coreos", "2512.3.0", "no Container Linux reads"),
            ("3.0.0", "coreos", "2512.3.0", "never read spec 3"),
            ("2.3.0", "flatcar", "2605.12.0", ""),
            ("2.4.0", "flatcar", "2605.12.0", "is not known"),
            ("3.0.0", "flatcar", "3139.2.3", "from 3185 on"),
            ("3.3.0", "flatcar", "3227.2.0", ""),
            ("2.3.0", "flatcar", "3227.2.0", ""),
            ("3.4.0", "flatcar", "3602.2.0", "is not known"),
            ("3.0.0", "fedora", "31.20200108.3.0", ""),
            ("3.4.0", "fedora", "38.20230414.3.0", "is not known"),
            ("2.2.0", "fedora", "38.20230414.3.0", "never read spec 2"),
            ("2.0.0", "debian", "12", "none of coreos"),
            ("2.0.0", "coreos", "", "does not begin with a number"),
            ("2.5.0", "coreos", "2512.3.0", "not a spec that Ignition"),
            ("3.6.0-experimental", "fedora", "38", "not a spec that Ignition"),
            ("2", "coreos", "2512.3.0", "not a spec that Ignition"),
        ];
        for (spec, id, version, expected) in cases {
            let told = spec_readable(spec, id, version);
            match (&told, expected) {
                (Ok(()), "") => {}
                (Err(why), expected) if !expected.is_empty() => assert!(why.contains(expected), "{spec} {id}: {why}"),
                _ => panic!("{spec} on {id} {version}: {told:?}"),
            }
        }
    }
}
