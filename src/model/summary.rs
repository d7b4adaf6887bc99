//! A session as a list of sessions tells it, without its fold.

use std::path::PathBuf;

use jiff::Timestamp;

use super::event::Mode;

/// What a list says of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its journal.
    pub path: PathBuf,
    /// When something was last recorded.
    pub last: Timestamp,
    /// How it stands.
    pub standing: Standing,
    /// How the program was used; nothing where the beginning could not be read.
    pub mode: Option<Mode>,
    /// The cluster's name.
    pub cluster: String,
    /// The runbook's name; empty for a session without one.
    pub runbook: String,
    /// Who began it, or took it up last as far as is known: `user@machine`.
    pub operator: String,
    /// Tasks in its plan.
    pub tasks: usize,
    /// How many of them are over (done, skipped, not needed), once they have been counted.
    pub over: Option<usize>,
    /// Since it was last taken up, a host has kept it out: another operator's lease, or no root. Known once counted.
    pub barred: bool,
}

/// How a session stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A process writes it now.
    Running {
        /// Its number, where the system tells.
        process: Option<u32>,
    },
    /// It has not ended, and nobody goes on with it now.
    Unfinished,
    /// Every promise of its runbook held at the end.
    Completed,
    /// It came to its end, and not every promise held.
    Unkept,
    /// Its operator ended it.
    Aborted,
    /// Its beginning is not that of a journal this version reads.
    Unreadable {
        /// What is wrong with it.
        why: String,
    },
}

impl Standing {
    /// In a word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Running { .. } => "running",
            Self::Unfinished => "unfinished",
            Self::Completed => "completed",
            Self::Unkept => "unkept",
            Self::Aborted => "aborted",
            Self::Unreadable { .. } => "unreadable",
        }
    }

    /// Whether its end is on record.
    #[must_use]
    pub fn ended(&self) -> bool {
        matches!(self, Self::Completed | Self::Unkept | Self::Aborted)
    }
}

impl Summary {
    /// Whether `resume` could go on with it: an upgrade that has not ended and that nobody writes.
    #[must_use]
    pub fn resumable(&self) -> bool {
        self.mode == Some(Mode::Upgrade) && self.standing == Standing::Unfinished
    }

    /// How far it is: `27 of 60`, `? of 60` before it has been counted, nothing for a session without tasks.
    #[must_use]
    pub fn progress(&self) -> String {
        match (self.tasks, self.over) {
            (0, _) => String::new(),
            (tasks, Some(over)) => format!("{over} of {tasks}"),
            (tasks, None) => format!("? of {tasks}"),
        }
    }

    /// Who holds it, where somebody writes it: `op@laptop, process 1234`.
    #[must_use]
    pub fn holder(&self) -> String {
        match self.standing {
            Standing::Running { process: Some(process) } => format!("{}, process {process}", self.operator),
            Standing::Running { process: None } => self.operator.clone(),
            _ => String::new(),
        }
    }

    /// How long ago something was recorded: `40 s`, `12 min`, `3 h`, `5 d`.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> String {
        match now.duration_since(self.last).as_secs().max(0) {
            seconds @ 0..60 => format!("{seconds} s"),
            seconds @ 60..3600 => format!("{} min", seconds / 60),
            seconds @ 3600..172_800 => format!("{} h", seconds / 3600),
            seconds => format!("{} d", seconds / 86_400),
        }
    }
}
