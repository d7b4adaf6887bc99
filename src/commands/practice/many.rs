//! `practice --auto --seeds`: a session a seed, and of one that fails the shortest list of faults that still makes it fail.

use std::ops::RangeInclusive;
use std::process::ExitCode;

use color_eyre::eyre::Result;
use serde_json::json;

use super::exercise::{Exercise, Played};
use crate::cli::Output;
use crate::commands::{default_journal, print};
use crate::practice::Fault;
use crate::runner::Clock;

/// What is wrong with how a session went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    /// Something happened that must never happen.
    Unsafe,
    /// It came to no promised end, and no fault has struck that could be why.
    Unexplained,
}

fn wrong(played: &Played, faults: &[Fault]) -> Option<Wrong> {
    if !played.broken.is_empty() {
        Some(Wrong::Unsafe)
    } else if played.summary.outcome != "completed" && played.idle.len() == faults.len() {
        Some(Wrong::Unexplained)
    } else {
        None
    }
}

/// Plays them all; 0 only where nothing is wrong with any.
pub(super) fn run(exercise: &Exercise, seeds: RangeInclusive<u64>, named: &[Fault]) -> Result<ExitCode> {
    let args = exercise.args;
    let (mut ends, mut failed): (Vec<(&str, usize)>, usize) = (Vec::new(), 0);
    for seed in seeds {
        let mut faults = named.to_vec();
        faults.extend(exercise.kind.random_faults(args.hosts, seed, args.random_faults));
        let played = exercise.play(seed, &faults, args.kill, None)?;
        let wrong = wrong(&played, &faults);
        let end = if played.broken.is_empty() { played.summary.outcome } else { "unsafe" };
        match ends.iter_mut().find(|(known, _)| *known == end) {
            Some((_, count)) => *count += 1,
            None => ends.push((end, 1)),
        }
        let failure = wrong.map(|wrong| Failure::of(exercise, seed, &faults, wrong)).transpose()?;
        failed += usize::from(failure.is_some());
        tell(exercise, seed, &faults, &played, failure.as_ref())?;
    }
    if args.output == Output::Table {
        let ends: Vec<String> = ends.iter().map(|(end, count)| format!("{count} {end}")).collect();
        print(&format!("{}; {failed} that should have ended otherwise\n", ends.join(", ")))?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is kept of a session that failed.
struct Failure {
    faults: Vec<Fault>,
    killed: bool,
    journal: String,
}

impl Failure {
    /// Leaves out of the faults, and of the kills, what it fails without; and records what is left.
    fn of(exercise: &Exercise, seed: u64, faults: &[Fault], how: Wrong) -> Result<Self> {
        let fails = |faults: &[Fault], kill: bool| -> Result<bool> {
            Ok(wrong(&exercise.play(seed, faults, kill, None)?, faults) == Some(how))
        };
        let killed = exercise.args.kill && !fails(faults, false)?;
        let faults = shortest(faults.to_vec(), |fewer| fails(fewer, killed))?;
        let plan = &exercise.plan;
        let path = default_journal(Clock::Real.now(), &plan.inventory.cluster, &plan.runbook.name)?;
        exercise.play(seed, &faults, killed, Some(&path))?;
        Ok(Self { faults, killed, journal: path.display().to_string() })
    }

    /// The command that shows it again.
    fn again(&self, exercise: &Exercise, seed: u64) -> String {
        let args = exercise.args;
        let mut words = vec!["lockkeeper".into(), "practice".into(), "--auto".into()];
        words.extend(["--runbook".into(), args.runbook.clone(), "--cluster".into(), exercise.kind.word().into()]);
        words.extend(args.hosts.iter().flat_map(|count| ["--hosts".into(), count.to_string()]));
        words.extend(args.vars.iter().flat_map(|(name, value)| ["--var".into(), format!("{name}={value}")]));
        words.extend(["--seed".into(), seed.to_string()]);
        words.extend(self.faults.iter().flat_map(|fault| ["--fault".into(), fault.to_string()]));
        let flags = [("--take-back", args.take_back), ("--twice", args.twice), ("--kill", self.killed)];
        words.extend(flags.into_iter().filter(|(_, given)| *given).map(|(flag, _)| flag.to_owned()));
        shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
    }
}

/// The list without whatever can be left out of it, one after the other.
fn shortest<T: Clone, E>(mut list: Vec<T>, mut fails: impl FnMut(&[T]) -> Result<bool, E>) -> Result<Vec<T>, E> {
    let mut at = 0;
    while at < list.len() {
        let mut fewer = list.clone();
        fewer.remove(at);
        if fails(&fewer)? {
            // What was needed before may not be now.
            (list, at) = (fewer, 0);
        } else {
            at += 1;
        }
    }
    Ok(list)
}

fn tell(exercise: &Exercise, seed: u64, faults: &[Fault], played: &Played, failure: Option<&Failure>) -> Result<()> {
    let named = |faults: &[Fault]| faults.iter().map(ToString::to_string).collect::<Vec<_>>();
    if exercise.args.output == Output::Json {
        let mut json = played.json(seed);
        json["faults"] = json!(named(faults));
        if let Some(failure) = failure {
            json["failure"] = json!({
                "faults": named(&failure.faults),
                "killed": failure.killed,
                "journal": failure.journal,
                "again": failure.again(exercise, seed),
            });
        }
        return print(&format!("{json}\n"));
    }
    let all = if faults.is_empty() { String::new() } else { format!(" [{}]", named(faults).join(", ")) };
    let mut text = format!("{}{all}\n", played.line(seed));
    for act in &played.broken {
        text += &format!("  unsafe: {act}\n");
    }
    if let Some(failure) = failure {
        let least = if failure.faults.is_empty() { "none".into() } else { named(&failure.faults).join(", ") };
        text += &format!("  faults that it still fails with: {least}\n");
        text += &format!("  recorded in {}; again: {}\n", failure.journal, failure.again(exercise, seed));
    }
    print(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_faults_those_are_left_that_it_takes_together() {
        let both = |list: &[u32]| Ok::<_, ()>(list.contains(&3) && list.contains(&7));
        assert_eq!(shortest((0..10).collect(), both), Ok(vec![3, 7]));
        assert_eq!(shortest(vec![1, 2], |_| Ok::<_, ()>(true)), Ok(vec![]));
        // Either of two is enough, and one of them stays.
        let either = |list: &[u32]| Ok::<_, ()>(!list.is_empty());
        assert_eq!(shortest(vec![4, 5], either), Ok(vec![5]));
    }
}
