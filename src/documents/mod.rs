//! Inventories and runbooks as people write them: YAML with every problem shown at its line and column, checked as far
//! as it can be without a host; and the plan they make together.

mod inventory;
pub mod plan;
pub mod print;
mod runbook;
mod script;
mod source;
mod template;
mod vocabulary;

pub use inventory::read_inventory;
pub use runbook::read_runbook;
pub use source::{Source, builtin_runbooks, find_runbook};

/// Variables that every script has besides those of its runbook.
pub const BUILT_IN_VARS: [&str; 4] = ["host", "address", "node", "session"];
