//! The update engine of Flatcar: two partitions for `/usr`, one of which boots.

use super::world::Machine;

/// What stands on the two partitions, and what the engine is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Updater {
    /// The versions on `/dev/sda3` and `/dev/sda4`.
    pub(super) partitions: [String; 2],
    /// Which of them runs, and which the next boot takes.
    pub(super) booted: usize,
    pub(super) next: usize,
    /// `CURRENT_OP` without its prefix.
    pub(super) operation: &'static str,
    /// What the channel has.
    pub(super) offered: String,
}

impl Updater {
    pub(super) fn new(version: &str, offered: &str) -> Self {
        Self {
            partitions: [version.into(), "3760.2.0".into()],
            booted: 0,
            next: 0,
            operation: "IDLE",
            offered: offered.into(),
        }
    }

    /// The version that runs.
    pub(super) fn version(&self) -> &str {
        &self.partitions[self.booted]
    }

    /// Writes a version to the partition that does not run, for the next boot.
    pub(super) fn write(&mut self, version: &str) {
        let other = 1 - self.booted;
        self.partitions[other] = version.into();
        self.next = other;
        self.operation = "UPDATED_NEED_REBOOT";
    }
}

impl Machine {
    /// The boot loader takes the partition of the highest priority.
    pub(super) fn boot_partition(&mut self) {
        let Some(updater) = &mut self.updater else { return };
        updater.booted = updater.next;
        updater.operation = "IDLE";
        let release = super::kubeadm::flatcar_release(updater.version());
        self.disk.put("/usr/lib/os-release", release);
    }
}
