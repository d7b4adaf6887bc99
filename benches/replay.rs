//! What it costs to play a journal of a million events: until the first frame, to go anywhere in it, to come to its end.
//!
//! `cargo bench --bench replay`. The journal is made of the recorded session's events over and over, under a chain of its own,
//! in the temporary directory (500 MB); `LOCKKEEPER_EVENTS` says how many, where it shall be another number.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark may end where it cannot go on, and its figures are what it is for"
)]

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use divan::Bencher;
use lockkeeper::journal::{self, FORMAT, Index, Limits, Records};
use lockkeeper::model::{Digest, Record, State};

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/journals/container-linux.jsonl");

fn main() {
    let journal = journal();
    println!("{} events, {} MB", events(), std::fs::metadata(journal).unwrap().len() / 1_000_000);
    let before = resident();
    let index = index();
    println!("the index has {} records and takes {} MB", index.extent().records, (resident() - before) / 1_000);
    divan::main();
    std::fs::remove_file(journal).unwrap();
}

fn events() -> usize {
    std::env::var("LOCKKEEPER_EVENTS").ok().and_then(|count| count.parse().ok()).unwrap_or(1_000_000)
}

/// Kilobytes of memory that the process has.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The recorded session, without its beginning and end, over and over.
fn journal() -> &'static Path {
    static JOURNAL: OnceLock<PathBuf> = OnceLock::new();
    JOURNAL.get_or_init(|| {
        let path = std::env::temp_dir().join(format!("lockkeeper-bench-{}.jsonl", std::process::id()));
        let mut file = BufWriter::new(std::fs::File::create(&path).unwrap());
        let records = journal::read(Path::new(RECORDED)).unwrap().records;
        let (first, rest) = records.split_first().unwrap();
        let rest = &rest[..rest.len() - 1];
        let mut line = format!("{{\"lockkeeper_journal\":{FORMAT}}}");
        for (seq, record) in (1..=events()).zip(std::iter::once(first).chain(rest.iter().cycle())) {
            writeln!(file, "{line}").unwrap();
            let (prev, at) = (Digest::of(line.as_bytes()), record.at);
            let event = serde_json::to_string(&record.event).unwrap();
            line = format!("{{\"seq\":{seq},\"at\":\"{at}\",\"prev\":\"{prev}\",\"event\":{event}}}");
        }
        writeln!(file, "{line}").unwrap();
        file.into_inner().unwrap();
        path
    })
}

fn index() -> &'static Index {
    static INDEX: OnceLock<Index> = OnceLock::new();
    INDEX.get_or_init(|| Index::of(Records::open(journal()).unwrap(), Limits::default()))
}

fn frame(state: &State) -> String {
    lockkeeper::ui::frame_text(state, state.now, None, (120, 40))
}

fn folded(mut state: State, records: impl Iterator<Item = Result<Record, journal::JournalError>>) -> State {
    records.for_each(|record| state.apply(&record.unwrap()));
    state
}

#[divan::bench]
fn first_frame(bencher: Bencher) {
    bencher.bench(|| {
        let records = Records::open(journal()).unwrap();
        let _index = Index::begin(records.at(records.mark()), Limits::default()).unwrap();
        frame(&folded(State::default(), records.take(1)))
    });
}

/// Over all of it, as far from what is kept as it comes.
#[divan::bench]
fn seek(bencher: Bencher) {
    let records = Records::open(journal()).unwrap();
    let mut seq = 0;
    bencher
        .with_inputs(|| {
            seq = (seq + 387_653) % events() as u64 + 1;
            seq
        })
        .bench_local_values(|seq| {
            let kept = index().before(seq);
            let (state, mark) = kept.map_or_else(
                || (State::default(), records.mark().clone()),
                |kept| (kept.state.clone(), kept.mark.clone()),
            );
            let left = (seq - mark.seq) as usize;
            frame(&folded(state, records.at(&mark).take(left)))
        });
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn at_end(bencher: Bencher) {
    bencher.bench(|| frame(&folded(State::default(), Records::open(journal()).unwrap())));
}
