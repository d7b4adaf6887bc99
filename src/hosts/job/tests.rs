//! The protocol on this machine, with a real `sh` and a base directory of its own.

mod lease;
mod left;
mod room;

use std::collections::BTreeMap;
use std::path::PathBuf;

use tempfile::TempDir;

use super::super::local::Local;
use super::super::untold;
use super::*;

struct Here {
    dir: TempDir,
    host: Remote<Local>,
}

/// A host whose lease is ours.
async fn here() -> Here {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().join("base").display().to_string();
    let host = Remote::new(Local, "here".into(), base, true);
    let lease = Lease { session: "s".into(), operator: "o".into(), token: "ours".into(), seat: "here".into() };
    assert_eq!(host.take_lease(&lease).await, Ok(LeaseAnswer::Taken { from: None }));
    Here { dir, host }
}

impl Here {
    fn job(&self, name: &str) -> PathBuf {
        self.dir.path().join("base/jobs").join(name)
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    async fn start(&self, name: &str, script: &str) {
        self.host.start_job(&spec(name, script)).await.unwrap();
    }

    /// Follows a job to its end; checks that a status comes only with nothing left to read.
    async fn follow(&self, name: &str) -> (Vec<u8>, JobStatus) {
        let mut output = Vec::new();
        loop {
            let news = self.host.poll_job(&name.into(), output.len() as u64).await.unwrap();
            output.extend(news.output);
            if news.status != JobStatus::Running {
                let after = self.host.poll_job(&name.into(), output.len() as u64).await.unwrap();
                assert_eq!(after, JobNews { output: vec![], status: news.status });
                return (output, news.status);
            }
        }
    }
}

fn spec(name: &str, script: &str) -> JobSpec {
    JobSpec {
        name: name.into(),
        script: script.into(),
        env: BTreeMap::new(),
        secrets: BTreeMap::new(),
        timeout: Duration::from_secs(60),
    }
}

#[tokio::test]
async fn output_is_followed_without_gap_or_duplicate() {
    let here = here().await;
    here.start("j1", "for i in 1 2 3 4 5 6; do echo $i; sleep 0.15; done; echo bad >&2; printf end").await;
    assert_eq!(here.follow("j1").await, (b"1\n2\n3\n4\n5\n6\nbad\nend".to_vec(), JobStatus::Exited(0)));
}

#[tokio::test]
async fn bytes_come_over_as_they_are_and_in_pieces() {
    let here = here().await;
    let mut bytes: Vec<u8> = (0..300_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    bytes.extend(b"\n\n\0\xff");
    std::fs::write(here.path("blob"), &bytes).unwrap();
    let script = format!("cat {}", here.path("blob"));
    here.start("j1", &script).await;
    let first = loop {
        let news = here.host.poll_job(&"j1".into(), 0).await.unwrap();
        if news.output.len() as u64 == PIECE {
            break news;
        }
    };
    assert_eq!(first.status, JobStatus::Running, "there is more to ask for");
    let (output, status) = here.follow("j1").await;
    assert!(output == bytes, "{} bytes came of {}", output.len(), bytes.len());
    assert_eq!(status, JobStatus::Exited(0));
}

#[tokio::test]
async fn the_exit_status_is_the_scripts_and_the_first_failure_ends_it() {
    let here = here().await;
    here.start("j1", "echo a\nfalse\necho b").await;
    assert_eq!(here.follow("j1").await, (b"a\n".to_vec(), JobStatus::Exited(1)));
    here.start("j2", "exit 127").await;
    assert_eq!(here.follow("j2").await, (vec![], JobStatus::Exited(127)));
    here.start("j3", "echo $nothing_of_that_name").await;
    let (output, status) = here.follow("j3").await;
    assert!(status != JobStatus::Exited(0) && String::from_utf8_lossy(&output).contains("nothing_of_that_name"));
}

#[tokio::test]
async fn out_of_time_is_124_whatever_the_script_says_to_it() {
    let here = here().await;
    let mut job = spec("j1", "trap 'echo no; exit 3' TERM; echo on; while :; do sleep 0.1; done");
    job.timeout = Duration::from_secs(1);
    here.host.start_job(&job).await.unwrap();
    let (output, status) = here.follow("j1").await;
    assert!(output.starts_with(b"on\n"));
    assert_eq!(status, JobStatus::Exited(124));
}

#[tokio::test]
async fn started_twice_or_ten_times_it_runs_once() {
    let here = here().await;
    let script = format!("echo ran >>{}; sleep 0.3", here.path("proof"));
    let job = spec("j1", &script);
    let starts = (0..10).map(|_| here.host.start_job(&job));
    for started in futures::future::join_all(starts).await {
        started.unwrap();
    }
    assert_eq!(here.follow("j1").await.1, JobStatus::Exited(0));
    here.host.start_job(&job).await.unwrap();
    assert_eq!(std::fs::read_to_string(here.path("proof")).unwrap(), "ran\n");
}

#[tokio::test]
async fn claimed_before_it_started_it_never_starts() {
    let here = here().await;
    assert_eq!(here.host.claim_job(&"j1".into()).await, Ok(JobStatus::Absent));
    here.start("j1", &format!("touch {}", here.path("proof"))).await;
    assert_eq!(here.host.claim_job(&"j1".into()).await, Ok(JobStatus::Absent));
    assert_eq!(here.follow("j1").await, (vec![], JobStatus::Absent));
    assert!(!std::fs::exists(here.path("proof")).unwrap());
}

#[tokio::test]
async fn a_runner_that_comes_after_the_claim_does_nothing() {
    let here = here().await;
    // As when the connection broke between making the directory and starting the runner.
    let job = here.job("j1");
    std::fs::create_dir_all(&job).unwrap();
    std::fs::write(job.join("env"), "").unwrap();
    std::fs::write(job.join("script"), format!("touch {}", here.path("proof"))).unwrap();
    std::fs::write(job.join("runner"), RUNNER).unwrap();
    let late =
        || std::process::Command::new("sh").arg(job.join("runner")).arg(&job).args(["9", "ours"]).status().unwrap();

    assert_eq!(here.host.claim_job(&"j1".into()).await, Ok(JobStatus::Absent));
    assert!(late().success());
    assert!(!std::fs::exists(here.path("proof")).unwrap(), "a late runner ran");

    // Without the claim the very same runner does run: what held it back is the claim.
    assert!(!job.join("env").exists(), "nobody will read it any more");
    std::fs::write(job.join("env"), "").unwrap();
    std::fs::remove_file(job.join("claimed")).unwrap();
    assert!(late().success());
    assert!(std::fs::exists(here.path("proof")).unwrap());
}

#[tokio::test]
async fn a_claim_tells_of_a_job_that_runs_and_of_one_that_ended() {
    let here = here().await;
    let gate = here.path("gate");
    here.start("j1", &format!("echo long; while [ ! -e {gate} ]; do sleep 0.1; done; exit 5")).await;
    assert_eq!(here.host.claim_job(&"j1".into()).await, Ok(JobStatus::Running));
    std::fs::write(&gate, "").unwrap();
    assert_eq!(here.follow("j1").await.1, JobStatus::Exited(5));
    // Output or not: how it ended is what was asked.
    assert_eq!(here.host.claim_job(&"j1".into()).await, Ok(JobStatus::Exited(5)));
}

#[tokio::test]
async fn killed_without_a_word_it_was_interrupted() {
    let here = here().await;
    here.start("j1", "echo on; sleep 60").await;
    let claim = std::fs::read_link(here.job("j1").join("claimed")).unwrap().display().to_string();
    let pid = claim.split(':').nth(1).unwrap().to_owned();
    // The runner alone first: what it has started still runs, and so does the job.
    let kill = |script: &str| std::process::Command::new("sh").args(["-c", script, "-", &pid]).status().unwrap();
    kill("kill -9 $1");
    assert_eq!(here.host.claim_job(&"j1".into()).await, Ok(JobStatus::Running));
    kill(
        "for p in /proc/[0-9]*; do read -r s <$p/stat && set -- $1 ${s##*) } && [ $5 = $1 ] && kill -9 ${p#/proc/}; done",
    );
    let (output, status) = here.follow("j1").await;
    assert_eq!((output, status), (b"on\n".to_vec(), JobStatus::Interrupted { rebooted: false }));
}

#[tokio::test]
async fn another_boot_or_another_process_of_that_number_is_not_the_job() {
    let here = here().await;
    let job = here.job("j1");
    std::fs::create_dir_all(&job).unwrap();
    let claim = |text: String| {
        let _ = std::fs::remove_file(job.join("claimed"));
        std::os::unix::fs::symlink(text, job.join("claimed")).unwrap();
    };
    let me = std::process::id();
    claim(format!("00000000-0000-0000-0000-000000000000:{me}:1"));
    assert_eq!(here.host.claim_job(&"j1".into()).await, Ok(JobStatus::Interrupted { rebooted: true }));
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    claim(format!("{}:{me}:1", boot.trim()));
    assert_eq!(here.host.claim_job(&"j1".into()).await, Ok(JobStatus::Interrupted { rebooted: false }));
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let since = stat.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap();
    claim(format!("{}:{me}:{since}", boot.trim()));
    assert_eq!(here.host.claim_job(&"j1".into()).await, Ok(JobStatus::Running));
}

#[tokio::test]
async fn values_arrive_word_for_word_and_nothing_runs_in_them() {
    let here = here().await;
    let values = [
        "plain",
        "",
        "it's \"both\"",
        "two\nlines\n",
        "$(touch boom) `touch boom` $HOME \\ \\n !",
        "ünï — 漢",
        "*",
        " lead",
        "-n",
    ];
    let mut job = spec("j1", "");
    for (n, value) in values.iter().enumerate() {
        job.env.insert(format!("v{n}"), (*value).to_owned());
        let _ = writeln!(job.script, "printf '%s\\0' \"$v{n}\"");
    }
    job.script.push_str("sh -c 'printf %s \"$v0\"'; ls; printf %s \"$LC_ALL\"; cat\n");
    here.host.start_job(&job).await.unwrap();
    let (output, status) = here.follow("j1").await;
    let expected = values.map(|value| format!("{value}\0")).concat() + "plainC";
    assert_eq!((String::from_utf8(output).unwrap(), status), (expected, JobStatus::Exited(0)));

    for key in ["", "1a", "a-b", "a;touch boom", "a\n"] {
        let mut job = spec("j2", "true");
        job.env.insert(key.into(), "x".into());
        assert!(matches!(here.host.start_job(&job).await, Err(HostError::Refused(_))), "{key:?}");
    }
    assert!(!here.job("j2").exists());
}

#[tokio::test]
async fn a_secret_is_in_no_file_and_no_argument_once_the_script_has_begun() {
    let here = here().await;
    let gate = here.path("gate");
    let wait = format!("echo begun; while [ ! -e {gate} ]; do sleep 0.1; done");
    let mut job = spec("j1", &format!("{wait}; echo \"${{#join}}\""));
    job.secrets.insert("join".into(), crate::model::Secret::new("canary-7f3a"));
    here.host.start_job(&job).await.unwrap();
    while here.host.poll_job(&"j1".into(), 0).await.unwrap().output.is_empty() {}
    let holds = |path: &std::path::Path| {
        std::fs::read(path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains("canary-7f3a"))
    };
    for file in
        std::fs::read_dir(here.job("j1")).unwrap().chain(std::fs::read_dir(here.dir.path().join("base/jobs")).unwrap())
    {
        let path = file.unwrap().path();
        assert!(!holds(&path), "{}", path.display());
    }
    let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|process| process.path());
    let (knowing, told): (Vec<_>, Vec<_>) = (
        processes.filter(|process| holds(&process.join("environ"))).collect(),
        std::fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter(|process| holds(&process.path().join("cmdline")))
            .collect(),
    );
    assert!(told.is_empty(), "in the arguments of {told:?}");
    assert!(!knowing.is_empty(), "the script has it, or this test sees nothing");
    std::fs::write(&gate, "").unwrap();
    assert_eq!(here.follow("j1").await, (b"begun\n11\n".to_vec(), JobStatus::Exited(0)));
}

#[tokio::test]
async fn what_earlier_versions_left_of_variables_goes_when_the_lease_is_taken() {
    let here = here().await;
    here.start("s-1", "true").await;
    here.follow("s-1").await;
    here.start("s-2", "sleep 60").await;
    for job in ["s-1", "s-2"] {
        std::fs::write(here.job(job).join("env"), "export x=y\n").unwrap();
    }
    let lease = Lease { session: "s".into(), operator: "o".into(), token: "next".into(), seat: "here".into() };
    assert_eq!(here.host.take_lease(&lease).await, Ok(LeaseAnswer::Taken { from: None }));
    assert!(!here.job("s-1").join("env").exists(), "it has ended");
    assert!(here.job("s-2").join("env").exists(), "it runs, and may be about to read them");
    here.host.end_job(&"s-2".into()).await.unwrap();
}

#[tokio::test]
async fn a_payload_cut_short_starts_nothing() {
    let here = here().await;
    let base = here.host.base.clone();
    let args = [base.as_str(), "ours", "j1", "9", "setsid", "0", "4", "4000"];
    let answer = here.host.ask(START, &args, b"true", SOON).await;
    let Err(HostError::Refused(reason)) = answer else { panic!("{answer:?}") };
    assert_eq!(reason, "here: the job's script did not arrive whole");
    assert!(!here.job("j1").exists());
    assert_eq!(std::fs::read_dir(here.path("base/jobs")).unwrap().count(), 0, "nothing is left behind");
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_is_refused() {
    let here = here().await;
    for name in ["", "..", "../x", "a/b", "-x", "a b", "a\nb", ".hidden"] {
        assert!(matches!(here.host.start_job(&spec(name, "true")).await, Err(HostError::Refused(_))), "{name:?}");
        assert!(matches!(here.host.claim_job(&name.into()).await, Err(HostError::Refused(_))), "{name:?}");
    }
}

#[tokio::test]
async fn a_pushed_file_stands_there_whole_with_its_mode() {
    use std::os::unix::fs::PermissionsExt;
    let here = here().await;
    let path = here.path("etc/new dir/it's \"$x\".conf");
    let content = b"a\0b\nno newline".repeat(20_000);
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let hears = heard.clone();
    let told: Progress = std::sync::Arc::new(move |bytes, all| hears.lock().unwrap().push((bytes, all)));
    let digest = here.host.push(&path, "0640", &content, told).await.unwrap();
    assert_eq!(digest, Digest::of(&content));
    assert!(std::fs::read(&path).unwrap() == content);
    let (heard, all) = (heard.lock().unwrap().clone(), content.len() as u64);
    assert!(heard.len() > 2 && heard.is_sorted() && heard.last() == Some(&(all, all)), "{heard:?}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
    here.host.push(&path, "600", b"", untold()).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"");
    assert_eq!(std::fs::read_dir(here.path("etc/new dir")).unwrap().count(), 1, "nothing is left beside it");
    for (path, mode) in [("relative", "644"), ("/x/", "644"), (path.as_str(), "9"), (path.as_str(), "u+x")] {
        assert!(
            matches!(here.host.push(path, mode, b"x", untold()).await, Err(HostError::Refused(_))),
            "{path} {mode}"
        );
    }
    let Err(HostError::Refused(reason)) = here.host.push(&here.path("etc"), "644", b"x", untold()).await else {
        panic!()
    };
    assert!(reason.ends_with("etc is a directory"), "{reason}");
}

#[tokio::test]
async fn a_fetched_file_is_the_same_or_is_not_kept() {
    use std::os::unix::fs::PermissionsExt;
    let here = here().await;
    let content = b"snap\0shot\n".repeat(50_000);
    std::fs::write(here.path("snapshot"), &content).unwrap();
    let into = here.dir.path().join("artifacts/copy");
    let fetched = here.host.fetch(&here.path("snapshot"), &into, crate::hosts::untold()).await.unwrap();
    assert_eq!(fetched, Fetched { bytes: 500_000, sha256: Digest::of(&content) });
    assert!(std::fs::read(&into).unwrap() == content);
    assert_eq!(std::fs::metadata(&into).unwrap().permissions().mode() & 0o777, 0o600);

    std::fs::write(here.path("empty"), "").unwrap();
    let other = here.dir.path().join("artifacts/other");
    for name in ["empty", "missing", "artifacts"] {
        let answer = here.host.fetch(&here.path(name), &other, crate::hosts::untold()).await;
        assert!(matches!(&answer, Err(HostError::Refused(reason)) if reason.contains(name)), "{answer:?}");
    }
    assert_eq!(std::fs::read_dir(here.path("artifacts")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_probe_reads_nothing_of_its_own_script_and_ends_in_time() {
    let here = here().await;
    let output = here.host.probe("cat; echo one\necho \"it's $0\"", SOON).await.unwrap();
    assert_eq!(output.output, "one\nit's lockkeeper\n");
    let long = format!("# {}\necho long", "x".repeat(500_000));
    assert_eq!(here.host.probe(&long, SOON).await.unwrap().output, "long\n");
    let answer = here.host.probe("sleep 30", Duration::from_secs(1)).await;
    assert!(
        matches!(&answer, Err(HostError::Refused(reason)) if reason.contains("did not finish in 1 s")),
        "{answer:?}"
    );
    let answer = here.host.probe("echo no such tool >&2; exit 3", SOON).await;
    assert_eq!(answer, Err(HostError::Refused("here: no such tool".into())));
}

#[test]
fn an_answer_with_anything_amiss_is_none() {
    let news = read_news(b"lockkeeper-job exited 3 2\nab").unwrap();
    assert_eq!(news, JobNews { output: b"ab".to_vec(), status: JobStatus::Exited(3) });
    for odd in [
        "",
        "motd\nlockkeeper-job running - 0\n",
        "lockkeeper-job running - 3\nab",
        "lockkeeper-job running - 1\nab",
        "lockkeeper-job exited - 0\n",
        "lockkeeper-job exited 0 0 0\n",
        "lockkeeper-job gone - 0\n",
    ] {
        assert_eq!(read_news(odd.as_bytes()), None, "{odd:?}");
    }
}

#[tokio::test]
async fn a_job_is_told_to_end_as_at_its_deadline_and_once_more_is_well() {
    let here = here().await;
    let heard = format!("(trap 'echo heard >{0}; exit 1' TERM; while :; do sleep 0.1; done)", here.path("proof"));
    here.start("j1", &format!("echo on\n{heard} &\nsleep 300")).await;
    while here.host.poll_job(&"j1".into(), 0).await.unwrap().output != b"on\n" {}
    here.host.end_job(&"j1".into()).await.unwrap();
    assert_eq!(here.follow("j1").await.1, JobStatus::Exited(143));
    here.host.end_job(&"j1".into()).await.unwrap();
    assert_eq!(here.follow("j1").await.1, JobStatus::Exited(143));
    // What the script started in the background has heard it too, at its next turn.
    while std::fs::read_to_string(here.path("proof")).unwrap_or_default() != "heard\n" {
        here.host.poll_job(&"j1".into(), 0).await.unwrap();
    }
}

#[tokio::test]
async fn what_does_not_run_is_not_ended_and_not_hindered() {
    let here = here().await;
    here.host.end_job(&"j1".into()).await.unwrap();
    here.start("j1", "echo ran").await;
    assert_eq!(here.follow("j1").await, (b"ran\n".to_vec(), JobStatus::Exited(0)));
    here.host.end_job(&"j1".into()).await.unwrap();
    assert_eq!(here.follow("j1").await.1, JobStatus::Exited(0));
    // A runner of another boot, whose process number is another's now.
    let claimed = here.job("j2").join("claimed");
    std::fs::create_dir_all(here.job("j2")).unwrap();
    std::os::unix::fs::symlink(format!("another-boot:{}:1", std::process::id()), &claimed).unwrap();
    here.host.end_job(&"j2".into()).await.unwrap();
    // One of this boot whose number was used again: nobody is told to end.
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    std::fs::remove_file(&claimed).unwrap();
    std::os::unix::fs::symlink(format!("{}:{}:1", boot.trim(), std::process::id()), &claimed).unwrap();
    let Err(HostError::Refused(reason)) = here.host.end_job(&"j2".into()).await else { panic!() };
    assert!(reason.contains("not there any more"), "{reason}");
}
