//! The names things go by. Each is a type of its own, so that a host's name cannot be handed where a job's is wanted.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<T: Into<Arc<str>>> From<T> for $name {
            fn from(name: T) -> Self {
                Self(name.into())
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

name! {
    /// A host of the inventory, as the inventory calls it.
    HostName
}
name! {
    /// One run of a plan: a UUID version 7, so that names sort by time.
    SessionId
}
name! {
    /// One detached run of a script on a host: session, task and attempt, fit for a directory and a systemd unit.
    JobName
}
name! {
    /// A SHA-256 in lower-case hex, 64 digits.
    Digest
}

/// The place of a task in its plan, counted from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub u32);

impl TaskId {
    /// The index into `Plan::tasks` and `State::tasks`.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for TaskId {
    /// Counted from one, as people count.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0 + 1)
    }
}

impl Digest {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
        let hex = sha2::Sha256::digest(bytes).into_iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
        Self::from(hex.collect::<String>())
    }
}

impl JobName {
    /// The name of the `attempt`-th run (counted from 1) of a task's script; `kind` keeps a run and its undo apart.
    #[must_use]
    pub fn of(session: &SessionId, task: TaskId, kind: super::event::JobKind, attempt: u32) -> Self {
        Self::from(format!("{session}-{:03}-{kind}-{attempt}", task.0 + 1))
    }
}
