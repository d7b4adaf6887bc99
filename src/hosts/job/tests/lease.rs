//! One operator at a time: who may take a lease, who has lost it, and that whoever has lost it does nothing more.

use std::process::Command;

use super::super::super::local::Local;
use super::super::super::{Held, untold};
use super::super::*;
use super::spec;

/// A host without a lease.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn base(&self) -> String {
        self.0.path().join("base").display().to_string()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join("base").join(name)
    }

    /// The host as one operator's program has it.
    fn host(&self) -> Remote<Local> {
        Remote::new(Local, "here".into(), self.base(), true)
    }
}

fn lease(session: &str, operator: &str) -> Lease {
    Lease {
        session: session.into(),
        operator: operator.into(),
        token: format!("token{session}"),
        seat: format!("seat of {session}"),
    }
}

const OURS: Result<LeaseAnswer, HostError> = Ok(LeaseAnswer::Taken { from: None });

async fn holder(host: &Remote<Local>) -> Held {
    match host.show_lease().await {
        Ok(LeaseAnswer::HeldBy(held)) => held,
        other => panic!("{other:?}"),
    }
}

/// Bob takes the host over from whoever has it, and begins.
async fn taken_over(place: &Place) -> Remote<Local> {
    let bob = place.host();
    assert!(bob.seize_lease("bob@sofa", &holder(&bob).await).await.unwrap());
    let answer = bob.take_lease(&lease("s2", "bob@sofa")).await;
    assert!(
        matches!(&answer, Ok(LeaseAnswer::Taken { from: Some(from) }) if from.starts_with("ada@desk")),
        "{answer:?}"
    );
    bob
}

#[tokio::test]
async fn a_lease_keeps_others_out_until_it_is_given_back() {
    let place = Place::new();
    let (ada, bob) = (place.host(), place.host());
    assert_eq!(ada.show_lease().await, Ok(LeaseAnswer::Free));
    assert!(!place.path("").exists(), "asking has left something there");
    assert_eq!(ada.take_lease(&lease("s1", "ada@desk")).await, OURS);
    assert_eq!(ada.take_lease(&lease("s1", "ada@desk")).await, OURS);
    let Ok(LeaseAnswer::HeldBy(held)) = bob.take_lease(&lease("s2", "bob@\nsofa")).await else { panic!() };
    assert_eq!((held.operator.as_str(), held.session.as_str()), ("ada@desk", "s1"));
    assert!(held.renewed.is_some_and(|ago| ago < 60) && held.to_string().contains("that session lives"), "{held}");
    bob.release_lease().await.unwrap();
    assert!(matches!(bob.take_lease(&lease("s2", "b")).await, Ok(LeaseAnswer::HeldBy(_))), "not his to give back");
    ada.release_lease().await.unwrap();
    ada.release_lease().await.unwrap();
    let takers: Vec<_> = (0..8).map(|n| (place.host(), lease(&format!("t{n}"), "x@y"))).collect();
    let answers = futures::future::join_all(takers.iter().map(|(host, lease)| host.take_lease(lease))).await;
    assert_eq!(answers.iter().filter(|answer| **answer == OURS).count(), 1);
}

#[tokio::test]
async fn whoever_has_lost_the_lease_does_nothing_more_there() {
    let place = Place::new();
    let ada = place.host();
    assert_eq!(ada.take_lease(&lease("s1", "ada@desk")).await, OURS);
    ada.start_job(&spec("s1-000-run-1", "true")).await.unwrap();
    taken_over(&place).await;

    let kept = place.0.path().join("kept").display().to_string();
    std::fs::write(&kept, "as it was").unwrap();
    let push = ada.push(&kept, "0644", b"changed", untold()).await.map(drop);
    let start = ada.start_job(&spec("s1-001-run-1", "true")).await;
    let end = ada.end_job(&"s1-000-run-1".into()).await;
    for answer in [push, start, end] {
        assert!(matches!(&answer, Err(HostError::Fenced(whose)) if whose.contains("bob@sofa")), "{answer:?}");
    }
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "as it was");
    assert!(!place.path("jobs/s1-001-run-1").exists());
    let answer = ada.renew_lease(&lease("s1", "ada@desk")).await;
    assert!(matches!(&answer, Ok(LeaseAnswer::HeldBy(held)) if held.operator == "bob@sofa"), "{answer:?}");
    let log = std::fs::read_to_string(place.path("lease.log")).unwrap();
    assert!(log.contains("taken over by bob@sofa from ada@desk, session s1"), "{log}");
}

#[tokio::test]
async fn a_lease_that_somebody_removed_is_lost_and_not_taken_again_in_silence() {
    let place = Place::new();
    let (ada, bob) = (place.host(), place.host());
    assert_eq!(ada.take_lease(&lease("s1", "ada@desk")).await, OURS);
    std::fs::remove_file(place.path("lease")).unwrap();
    assert!(matches!(ada.start_job(&spec("s1-000-run-1", "true")).await, Err(HostError::Fenced(_))));
    let answer = ada.renew_lease(&lease("s1", "ada@desk")).await;
    assert!(!matches!(answer, Ok(LeaseAnswer::Taken { .. })), "{answer:?}");
    assert_eq!(bob.take_lease(&lease("s2", "bob@sofa")).await, OURS);
    assert!(matches!(ada.start_job(&spec("s1-001-run-1", "true")).await, Err(HostError::Fenced(_))));
}

#[tokio::test]
async fn nobody_acts_without_a_lease() {
    let place = Place::new();
    let answer = place.host().start_job(&spec("s1-000-run-1", "true")).await;
    assert!(matches!(answer, Err(HostError::Fenced(_))), "{answer:?}");
}

#[tokio::test]
async fn what_another_session_started_is_waited_for() {
    let place = Place::new();
    let ada = place.host();
    assert_eq!(ada.take_lease(&lease("s1", "ada@desk")).await, OURS);
    // It ends when it is told to.
    let go = place.0.path().join("go").display().to_string();
    ada.start_job(&spec("s1-000-run-1", &format!("mkfifo {go}; read line <{go}"))).await.unwrap();
    let bob = place.host();
    assert!(bob.seize_lease("bob@sofa", &holder(&bob).await).await.unwrap());
    let answer = bob.take_lease(&lease("s2", "bob@sofa")).await;
    assert_eq!(answer, Ok(LeaseAnswer::Busy("s1-000-run-1".into())));
    tokio::fs::write(&go, "on\n").await.unwrap();
    while ada.poll_job(&"s1-000-run-1".into(), 0).await.unwrap().status == JobStatus::Running {}
    let answer = bob.take_lease(&lease("s2", "bob@sofa")).await;
    assert!(matches!(answer, Ok(LeaseAnswer::Taken { from: Some(_) })), "{answer:?}");
}

#[tokio::test]
async fn a_job_that_is_overtaken_between_its_start_and_its_script_runs_nothing() {
    let place = Place::new();
    let ada = place.host();
    assert_eq!(ada.take_lease(&lease("s1", "ada@desk")).await, OURS);
    let (job, mark) = (place.path("jobs/s1-000-run-1"), place.0.path().join("mark"));
    std::fs::create_dir_all(&job).unwrap();
    for (name, text) in
        [("env", String::new()), ("script", format!("touch {}", mark.display())), ("runner", RUNNER.into())]
    {
        std::fs::write(job.join(name), text).unwrap();
    }
    // Started, not yet launched: now it is taken over.
    taken_over(&place).await;
    let runner = Command::new("sh").arg(job.join("runner")).arg(&job).args(["60", "tokens1"]).status().unwrap();
    assert!(runner.success() && !mark.exists());
    assert_eq!(ada.claim_job(&"s1-000-run-1".into()).await, Ok(JobStatus::Absent));
}

#[tokio::test]
async fn a_session_takes_up_what_its_own_process_left_and_no_copy_of_it_does() {
    let place = Place::new();
    assert_eq!(place.host().take_lease(&lease("s1", "ada@desk")).await, OURS);
    let again = Lease { token: "another".into(), ..lease("s1", "ada@desk") };
    assert_eq!(place.host().take_lease(&again).await, OURS);
    let copy = Lease { token: "third".into(), seat: "another machine".into(), ..lease("s1", "ada@desk") };
    assert!(matches!(place.host().take_lease(&copy).await, Ok(LeaseAnswer::HeldBy(_))));
    // One that an earlier version left, without a token.
    std::fs::write(place.path("lease"), "s1\nada@desk\n2026-01-01T00:00:00Z\n").unwrap();
    assert_eq!(place.host().take_lease(&copy).await, OURS);
}

#[tokio::test]
async fn whoever_never_asked_for_a_lease_gives_none_back() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("")).unwrap();
    // One that an earlier version left has no token, and neither has whoever never asked.
    std::fs::write(place.path("lease"), "s1\nada@desk\n2026-01-01T00:00:00Z\n").unwrap();
    place.host().release_lease().await.unwrap();
    assert!(place.path("lease").exists(), "somebody else's lease is gone");
}

#[tokio::test]
async fn who_was_shown_is_who_is_taken_over_from() {
    let place = Place::new();
    assert_eq!(place.host().take_lease(&lease("s1", "ada@desk")).await, OURS);
    let bob = place.host();
    let shown = holder(&bob).await;
    std::fs::remove_file(place.path("lease")).unwrap();
    assert_eq!(place.host().take_lease(&lease("s3", "eve@lab")).await, OURS);
    assert!(!bob.seize_lease("bob@sofa", &shown).await.unwrap(), "somebody else has come meanwhile");
    assert_eq!(holder(&bob).await.operator, "eve@lab");
}

#[tokio::test]
async fn what_is_no_lease_lets_nobody_in() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("lease")).unwrap();
    let answer = place.host().take_lease(&lease("s1", "ada@desk")).await;
    assert!(matches!(&answer, Err(HostError::Refused(why)) if why.contains("is not a file")), "{answer:?}");
    let place = Place::new();
    std::os::unix::fs::symlink(place.0.path(), place.path("").to_str().unwrap().trim_end_matches('/')).unwrap();
    let answer = place.host().take_lease(&lease("s1", "ada@desk")).await;
    assert!(
        matches!(&answer, Err(HostError::Refused(why)) if why.contains("not a directory of root's own")),
        "{answer:?}"
    );
}

#[tokio::test]
async fn half_a_payload_that_nobody_writes_any_more_goes() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("jobs")).unwrap();
    // Above any process number there is.
    let left = place.path("jobs/.payload.s1-000-run-1.99999999");
    let written = place.path(&format!("jobs/.payload.s1-001-run-1.{}", std::process::id()));
    for path in [&left, &written] {
        std::fs::write(path, "export secret=x").unwrap();
    }
    assert_eq!(place.host().take_lease(&lease("s1", "ada@desk")).await, OURS);
    assert!(!left.exists() && written.exists());
}

#[tokio::test]
async fn an_exit_status_for_which_the_disk_had_no_room_is_a_link() {
    let place = Place::new();
    let job = place.path("jobs/s1-000-run-1");
    std::fs::create_dir_all(&job).unwrap();
    std::os::unix::fs::symlink("boot:1:1", job.join("claimed")).unwrap();
    std::os::unix::fs::symlink("3", job.join("ended")).unwrap();
    assert_eq!(place.host().claim_job(&"s1-000-run-1".into()).await, Ok(JobStatus::Exited(3)));
    // An empty file, as earlier versions left it, is no status.
    std::fs::remove_file(job.join("ended")).unwrap();
    std::fs::write(job.join("exit"), "").unwrap();
    assert_eq!(place.host().claim_job(&"s1-000-run-1".into()).await, Ok(JobStatus::Interrupted { rebooted: true }));
}
