//! How marks are read, and when output began.

use super::*;

fn read(stderr: &str) -> Result<Ended, HostError> {
    read_marks(stderr, "m").map_err(Unrun::told)
}

#[test]
fn the_end_is_read_from_the_last_mark() {
    let ended = read_marks(
        "motd\n\nlockkeeper m: user core sudo\nlockkeeper m: begun\nwarn\n\nlockkeeper m: ended 7\nbye",
        "m",
    );
    assert_eq!(ended, Ok(Ended { status: 7, plain: false, complaint: "warn".into(), noise: Some("motd; bye".into()) }));
    let ended = read_marks("\nlockkeeper m: user core\nlockkeeper m: begun\n\nlockkeeper m: ended 0\n", "m").unwrap();
    assert!(ended.plain);
}

#[test]
fn without_the_last_mark_the_connection_is_lost() {
    for cut in ["", "\nlockkeeper m: user core\nlockkeeper m: begun\nhalf", "\nlockkeeper m: ended 0\n"] {
        assert!(matches!(read(cut), Err(HostError::Lost(_))), "{cut:?}");
    }
}

#[test]
fn a_refusal_of_sudo_names_the_user_and_the_rule() {
    for (said, why) in [
        ("sudo: a password is required", "its sudo asks for a password (sudo: a password is required)"),
        ("sudo: no tty present and no askpass program specified", "its sudo asks for a password"),
        ("sudo: sorry, you must have a tty to run sudo", "`Defaults:core !requiretty`"),
        ("core is not in the sudoers file.", "its sudo does not allow it"),
        ("sudo: broken", "`sudo -n` fails (sudo: broken)"),
    ] {
        let reason = refusal(&format!("core sudo\n{said}\n"));
        assert!(reason.contains("user core cannot become root") && reason.contains(why), "{reason}");
        assert!(reason.contains("core ALL=(ALL) NOPASSWD: ALL"), "{reason}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let reason = refusal("core sudo\n\nlockkeeper m: missing sudo");
    assert!(reason.contains("there is no `sudo` there"), "{reason}");
    let reason = refusal("core sudo\n\nlockkeeper m: missing timeout");
    assert!(reason.starts_with("there is no `timeout` on the PATH of user core"), "{reason}");
}

fn refusal(rest: &str) -> String {
    match read(&format!("\nlockkeeper m: user {rest}\nlockkeeper m: ended 1\n")) {
        Err(HostError::Refused(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_login_without_timeout_is_told_in_words() {
    use crate::hosts::local::Local;
    // Everything that the wrapper needs, and no `timeout`.
    let bin = tempfile::tempdir().unwrap();
    for tool in ["id", "sh"] {
        let real =
            ["/usr/bin", "/bin"].map(|dir| std::path::Path::new(dir).join(tool)).into_iter().find(|path| path.exists());
        std::os::unix::fs::symlink(real.unwrap(), bin.path().join(tool)).unwrap();
    }
    let only = WRAP.replacen("eval \"$paths\"", &format!("PATH={}", bin.path().display()), 1);
    let mut sink = Sink::Memory(Vec::new());
    let argv = ["sh", "-c", &only, "lockkeeper", "m", "user", "5", "echo never"];
    let said = Local.run(&argv, Feed::from(&b""[..]), &mut sink, Duration::from_secs(9)).await.unwrap();
    let Err(HostError::Refused(reason)) = read(&String::from_utf8_lossy(&said)) else { panic!("it ran") };
    assert!(reason.starts_with("there is no `timeout`"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn what_comes_first_says_when_it_began() {
    let mut sink = Sink::Timed { kept: Vec::new(), asked: Instant::now(), first: None };
    for piece in ["a ", "slow ", "login"] {
        tokio::time::advance(Duration::from_millis(700)).await;
        sink.take(piece.as_bytes()).await.unwrap();
    }
    let Sink::Timed { kept, first, .. } = sink else { panic!("another sink") };
    assert_eq!((kept.as_slice(), first), (&b"a slow login"[..], Some(Duration::from_millis(700))));
}
