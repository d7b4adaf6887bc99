//! What sessions leave: listed as it is, and removed only by who may.

use std::os::unix::fs::symlink;

use super::*;

fn names(left: &Leftovers) -> Vec<&str> {
    left.left.iter().map(|left| left.path.rsplit('/').next().unwrap()).collect()
}

#[tokio::test]
async fn what_was_left_is_listed_and_goes_and_nothing_else_does() {
    let here = here().await;
    here.start("s-001-run-1", "echo done; head -c 50000 /dev/zero >big").await;
    assert_eq!(here.follow("s-001-run-1").await.1, JobStatus::Exited(0));
    here.start("s-002-run-1", "sleep 60").await;
    let base = here.dir.path().join("base");
    std::fs::create_dir_all(base.join("backups/old")).unwrap();
    std::fs::write(base.join("backups/old/etcd.db"), "data").unwrap();
    std::fs::write(base.join("backups/odd name"), "not ours").unwrap();
    std::fs::write(here.path("precious"), "operator's own").unwrap();
    symlink(here.path("precious"), base.join("backups/linked")).unwrap();
    // Of a process that is gone.
    std::fs::write(base.join("jobs/.payload.s-003-run-1.999999999"), "secret").unwrap();

    let left = here.host.left().await.unwrap();
    assert_eq!(names(&left), ["s-001-run-1", "s-002-run-1", ".payload.s-003-run-1.999999999", "old"]);
    assert_eq!(left.left.iter().map(|left| left.running).collect::<Vec<_>>(), [false, true, false, false]);
    assert!(left.left[0].kib >= 48 && (left.now - left.left[0].at).abs() < 60, "{left:?}");
    assert_eq!(left.left[0].kind, crate::hosts::LeftKind::Job("s-001-run-1".into()));

    // Everything is asked for; what runs stays.
    here.host.remove_left(&left.left).await.unwrap();
    assert_eq!(names(&here.host.left().await.unwrap()), ["s-002-run-1"]);
    assert!(std::fs::exists(base.join("backups/odd name")).unwrap());
    assert_eq!(std::fs::read_to_string(here.path("precious")).unwrap(), "operator's own");

    // What is not where sessions leave things is not removed, whoever asks.
    let of = |path: String| [Left { path, ..left.left[3].clone() }];
    for path in
        [here.path("precious"), format!("{}/backups/../lease", base.display()), format!("{}/jobs/..", base.display())]
    {
        assert!(here.host.remove_left(&of(path.clone())).await.is_err(), "{path}");
    }
    std::fs::remove_dir_all(base.join("backups")).unwrap();
    std::fs::create_dir(here.path("elsewhere")).unwrap();
    std::fs::write(here.path("elsewhere/old"), "operator's own").unwrap();
    symlink(here.path("elsewhere"), base.join("backups")).unwrap();
    assert_eq!(names(&here.host.left().await.unwrap()), ["s-002-run-1"], "a link leads elsewhere");
    assert!(here.host.remove_left(&of(format!("{}/backups/old", base.display()))).await.is_err());
    assert!(std::fs::exists(here.path("elsewhere/old")).unwrap() && std::fs::exists(here.path("precious")).unwrap());
    here.host.end_job(&"s-002-run-1".into()).await.unwrap();
    here.follow("s-002-run-1").await;

    // Whoever has lost the lease removes nothing.
    std::fs::remove_file(base.join("lease")).unwrap();
    let answer = here.host.remove_left(&here.host.left().await.unwrap().left).await;
    assert!(matches!(answer, Err(HostError::Fenced(_))), "{answer:?}");
    assert_eq!(names(&here.host.left().await.unwrap()), ["s-002-run-1"]);
}
