//! What sessions have left on a host: listed, and removed by whoever holds the lease.

use super::{LATER, Remote};
use crate::hosts::shell::Shell;
use crate::hosts::{HostError, Left, LeftKind, Leftovers};
use crate::model::JobName;

const LEFT: &str = concat!(include_str!("../../../assets/job/alive.sh"), include_str!("../../../assets/job/left.sh"));
const CLEAN: &str = concat!(
    include_str!("../../../assets/job/prove.sh"),
    include_str!("../../../assets/job/alive.sh"),
    include_str!("../../../assets/job/clean.sh")
);

/// Where `etcd-2-to-3-container-linux` keeps its copies, beside `backups` under the base directory.
const ELSEWHERE: &str = "/var/lib/lockkeeper-backup";

impl<S: Shell> Remote<S> {
    pub(super) async fn list_left(&self) -> Result<Leftovers, HostError> {
        let output = self.ask(LEFT, &[&self.base, &self.elsewhere()], &[], LATER).await?;
        match read(&String::from_utf8_lossy(&output)) {
            Some(left) => Ok(left),
            None => self.refuse("its list of what sessions have left cannot be read"),
        }
    }

    pub(super) async fn remove(&self, left: &[Left]) -> Result<(), HostError> {
        let paths: String = left.iter().map(|left| format!("{}\n", left.path)).collect();
        let args = [self.base.as_str(), &self.token(), &self.elsewhere()];
        self.ask(CLEAN, &args, paths.as_bytes(), LATER).await.map(drop)
    }

    /// Beside a base directory that is not the usual one lies nothing of ours.
    fn elsewhere(&self) -> String {
        if self.base == super::BASE { ELSEWHERE.into() } else { format!("{}-backup", self.base) }
    }
}

/// Reads what `left.sh` printed.
fn read(output: &str) -> Option<Leftovers> {
    let mut lines = output.lines();
    let now = lines.next()?.strip_prefix("now ")?.parse().ok()?;
    let left = lines.map(|line| {
        let mut words = line.splitn(5, ' ');
        let (kind, standing) = (words.next()?, words.next()?);
        let (at, kib) = (words.next()?.parse().ok()?, words.next()?.parse().unwrap_or_default());
        let path = words.next()?.to_owned();
        let name = path.rsplit_once('/')?.1;
        let kind = match kind {
            "job" => LeftKind::Job(JobName::from(name)),
            "payload" => LeftKind::Payload,
            "copy" => LeftKind::Copy,
            _ => return None,
        };
        Some(Left { kind, running: standing == "running", at, kib, path })
    });
    Some(Leftovers { now, left: left.collect::<Option<_>>()? })
}
