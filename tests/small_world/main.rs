//! Many small sessions, each from a seed and under virtual time: the real engine, runner, recorder and journal over hosts that
//! fail, hang, lie, reboot and come back, with a wizard that is killed after any event and taken up again.
//!
//! `LOCKKEEPER_SEEDS=1000000 cargo test --config profile.dev.opt-level=1 --test small_world` plays as many, `LOCKKEEPER_SEED=17 …`
//! that one alone.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    unreachable_pub,
    reason = "what a test cannot do without may end it, and it may speak"
)]

mod chance;
mod disk;
mod host;
mod operator;
mod probe;
mod rules;
mod runbook;
mod session;
mod told;
mod world;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use session::{Weather, Went, play};

/// Sessions that are played unless told otherwise: few where nothing is optimised, and a session takes ten times as long.
const SEEDS: u64 = if cfg!(debug_assertions) { 500 } else { 20_000 };

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Where journals lie while they are written: in memory, where there is such a place.
fn place() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// Plays what a seed stands for; its journal is kept where a rule is broken.
fn one(seed: u64, place: &Path, calm: &[Went]) -> Result<Went, String> {
    let directory = place.join(seed.to_string());
    std::fs::create_dir_all(&directory).unwrap();
    let piece = (seed % calm.len() as u64) as usize;
    let weather = if seed.is_multiple_of(5) { Weather::Kills } else { Weather::Storm };
    let went = play(seed, piece, weather, &directory).and_then(|went| as_ever(went, weather, &calm[piece]));
    let kept = went.map_err(|why| {
        let kept = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("small-world-{seed}.jsonl"));
        std::fs::copy(directory.join("session.jsonl"), &kept).unwrap();
        format!(
            "seed {seed}: {why}\n  journal: {}\n  again: LOCKKEEPER_SEED={seed} cargo test --test small_world",
            kept.display()
        )
    });
    std::fs::remove_dir_all(&directory).unwrap();
    kept
}

/// The end of a resumed session is the end without a crash.
fn as_ever(went: Went, weather: Weather, calm: &Went) -> Result<Went, String> {
    if weather == Weather::Kills && !went.completed {
        return Err("a session that was only killed and resumed comes to a good end: this one did not".into());
    }
    if went.completed && went.end != calm.end {
        return Err(format!(
            "the end of a resumed session is the end without a crash: {:#?} and not {:#?}",
            went.end, calm.end
        ));
    }
    Ok(went)
}

#[test]
fn whatever_happens_nothing_unsafe_does() {
    let place = place();
    let calm: Vec<Went> = (0..runbook::PIECES.len())
        .map(|piece| {
            let directory = place.path().join(format!("calm-{piece}"));
            std::fs::create_dir_all(&directory).unwrap();
            play(0, piece, Weather::Calm, &directory).unwrap_or_else(|why| panic!("calm {piece}: {why}"))
        })
        .collect();
    assert!(calm.iter().all(|went| went.completed), "{calm:#?}");
    if let Some(seed) = number("LOCKKEEPER_SEED") {
        let went = one(seed, place.path(), &calm).unwrap_or_else(|why| panic!("{why}"));
        eprintln!("{went:#?}");
        return;
    }
    let (first, count) = (number("LOCKKEEPER_FIRST").unwrap_or_default(), number("LOCKKEEPER_SEEDS").unwrap_or(SEEDS));
    let (next, most) = (AtomicU64::new(first), number("LOCKKEEPER_BROKEN").unwrap_or(1) as usize);
    let (events, kills, completed) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let broken = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count || broken.lock().unwrap().len() >= most {
                        return;
                    }
                    match one(seed, place.path(), &calm) {
                        Ok(went) => {
                            if std::env::var_os("LOCKKEEPER_TELL").is_some() {
                                eprintln!("{seed} {} events {} looks {} kills", went.events, went.looks, went.kills);
                            }
                            events.fetch_add(went.events, Ordering::Relaxed);
                            kills.fetch_add(went.kills, Ordering::Relaxed);
                            completed.fetch_add(usize::from(went.completed), Ordering::Relaxed);
                        }
                        Err(why) => {
                            eprintln!("{why}");
                            broken.lock().unwrap().push(why);
                        }
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap();
    eprintln!("{count} sessions, {events:?} events, {kills:?} kills, {completed:?} completed");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_lease_whose_answer_was_lost_is_asked_for_again_while_everything_else_gets_through() {
    let place = place();
    let went = play(0, 0, Weather::Deaf, place.path()).unwrap_or_else(|why| panic!("{why}"));
    assert!(went.completed, "{went:#?}");
}

#[test]
fn a_seed_stands_for_one_session() {
    let place = place();
    for seed in 0..6 {
        let journal = |time: &str| {
            let directory = place.path().join(time);
            std::fs::create_dir_all(&directory).unwrap();
            play(seed, (seed % 3) as usize, Weather::Storm, &directory).unwrap_or_else(|why| panic!("{seed}: {why}"));
            // Where artifacts lie differs, and with it every digest after them.
            let text = std::fs::read_to_string(directory.join("session.jsonl")).unwrap();
            std::fs::remove_dir_all(&directory).unwrap();
            text.lines()
                .map(|line| line.split("\"event\"").nth(1).unwrap_or_default().replace(time, ""))
                .collect::<Vec<_>>()
        };
        let (once, again) = (journal("time-1"), journal("time-2"));
        let differs = once.iter().zip(&again).position(|(one, other)| one != other);
        assert_eq!(differs.map(|at| (at, &once[at], &again[at])), None, "seed {seed}");
    }
}
