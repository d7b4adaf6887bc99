//! A host without room, with a small file system of its own.

use std::process::{Command, Stdio};

use super::*;

/// A file system of some KiB, where one may be mounted.
struct Small(TempDir);

impl Small {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "none"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        if mount.is_ok_and(|status| status.success()) {
            return Some(Self(dir));
        }
        #[allow(clippy::print_stderr, reason = "it must say that it was skipped")]
        {
            eprintln!("SKIPPED: nothing can be mounted here, nothing is known about full disks");
        }
        None
    }

    /// Not a byte is left.
    fn fill(&self) {
        let _ = std::fs::write(self.0.path().join("filler"), vec![1; 1 << 20]);
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.path().join("filler")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_told_in_words_and_nothing_hangs() {
    let Some(small) = Small::mount() else { return };
    let base = small.0.path().join("base").display().to_string();
    let host = Remote::new(Local, "here".into(), base.clone(), true);
    let ours = Lease { session: "s".into(), operator: "o".into(), token: "ours".into(), seat: "here".into() };
    let refused = |answer: Result<(), HostError>| match answer {
        Err(HostError::Refused(reason)) => assert!(reason.contains("is there room? (0 KiB"), "{reason}"),
        other => panic!("{other:?}"),
    };
    std::fs::create_dir(&base).unwrap();
    small.fill();
    refused(host.take_lease(&ours).await.map(drop));
    small.make_room();
    assert_eq!(host.take_lease(&ours).await, Ok(LeaseAnswer::Taken { from: None }));

    small.fill();
    assert_eq!(host.renew_lease(&ours).await, Ok(LeaseAnswer::Taken { from: None }), "it is ours all the same");
    let held = Remote::new(Local, "here".into(), base.clone(), true).show_lease().await;
    assert!(matches!(held, Ok(LeaseAnswer::HeldBy(Held { renewed: Some(_), .. }))), "and it is seen to live: {held:?}");
    refused(host.start_job(&spec("j1", "echo never")).await);
    let path = small.0.path().join("pushed").display().to_string();
    refused(host.push(&path, "0600", &[7; 9000], untold()).await.map(drop));
    assert!(!std::fs::exists(&path).unwrap(), "whole or not at all");

    // It fills the disk itself: what it printed until then is there, and so is how it ended.
    small.make_room();
    let script = "echo before; head -c 200000 /dev/zero >../../../filler || echo full >&2; exit 7";
    host.start_job(&spec("j2", script)).await.unwrap();
    let mut output = Vec::new();
    let status = loop {
        let news = host.poll_job(&"j2".into(), output.len() as u64).await.unwrap();
        output.extend(news.output);
        if news.status != JobStatus::Running {
            break news.status;
        }
    };
    assert_eq!(status, JobStatus::Exited(7));
    assert!(output.starts_with(b"before\n"));
}
