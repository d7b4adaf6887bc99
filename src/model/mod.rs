//! Plain data and the fold: what a cluster is, what was seen of it, what shall be done, and what has happened.
//!
//! This room imports nothing of ours, reads no clock and does no IO. Everything the screen shows and everything the
//! engine decides on is made of these values.

pub mod address;
pub mod clock;
pub mod diff;
pub mod drift;
pub mod event;
pub mod facts;
mod fold;
pub mod harm;
pub mod hidden;
pub mod host_key;
pub mod inventory;
pub mod logtail;
pub mod names;
pub mod patch;
pub mod plan;
pub mod progress;
pub mod prompt;
pub mod queue;
pub mod redact;
pub mod runbook;
pub mod secret;
pub mod size;
pub mod state;
mod stopped;
pub mod summary;

pub use event::{Event, Record};
pub use facts::Facts;
pub use host_key::HostKey;
pub use inventory::{Host, Inventory, Role};
pub use names::{Digest, HostName, JobName, SessionId, TaskId};
pub use plan::{Plan, Task};
pub use redact::Redactor;
pub use runbook::Runbook;
pub use secret::{Secret, SecretSource, Secrets};
pub use size::size;
pub use state::State;
pub use summary::{Standing, Summary};
