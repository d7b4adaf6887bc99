//! Inventories and runbooks as people write them: YAML with every problem shown at its line and column, checked as far
//! as it can be without a host; and the plan they make together.

mod danger;
mod expression;
mod inventory;
pub mod needs;
pub mod plan;
pub mod print;
mod runbook;
mod script;
mod source;
mod stopped;
mod template;
mod vocabulary;

pub use inventory::{check_address, check_cluster, check_host, check_jump, check_user, read_inventory};
pub use runbook::{read_runbook, taken_back_unseen};
pub use source::{Source, builtin_runbooks, find_runbook, preflight};

/// Variables that every script has besides those of its runbook.
pub const BUILT_IN_VARS: [&str; 4] = ["host", "address", "node", "session"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guards_are_sound_and_change_nothing() {
        let guards = read_runbook(&preflight()).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(guards.stages.iter().flat_map(|stage| &stage.steps).all(|step| !step.changes()));
    }

    #[test]
    fn every_built_in_runbook_is_sound() {
        let mut count = 0;
        for (name, _) in builtin_runbooks() {
            let source = find_runbook(name).unwrap();
            match read_runbook(&source) {
                Ok(runbook) => {
                    assert_eq!(runbook.name, name, "a runbook is called what its file is called");
                    assert_eq!(
                        taken_back_unseen(&runbook),
                        Vec::<String>::new(),
                        "{name}: say in `undone` what is so then"
                    );
                }
                Err(problems) => panic!("{problems}"),
            }
            count += 1;
        }
        assert!(count > 0);
    }
}
