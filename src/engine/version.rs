//! Versions in checks: `major(v)`, `minor(v)`, `at_least(v, floor)`. Tools write them in many forms, of which only the
//! leading numbers count: `1.31.4`, `1.11.1-1`, `27.61`, `2017.9`.

use std::sync::Arc;

use cel::{Context, ExecutionError};

/// The names that are added to the language.
pub(super) const FUNCTIONS: [&str; 3] = ["at_least", "major", "minor"];

/// Adds them.
pub(super) fn add_to(context: &mut Context<'_, '_>) {
    // Refused only for a name that the language has already, and these are none.
    let _ = context.add_function("major", |version: Arc<String>| part(&version, 0));
    let _ = context.add_function("minor", |version: Arc<String>| part(&version, 1));
    let _ = context.add_function("at_least", |version: Arc<String>, floor: Arc<String>| {
        let all = |text: &str| numbers(text).ok_or_else(|| wrong(text));
        Ok::<bool, ExecutionError>(all(&version)? >= all(&floor)?)
    });
}

fn part(version: &str, index: usize) -> Result<i64, ExecutionError> {
    numbers(version).and_then(|numbers| numbers.get(index).copied()).ok_or_else(|| wrong(version))
}

fn wrong(version: &str) -> ExecutionError {
    ExecutionError::function_error("version", format!("`{version}` is not a version"))
}

/// The numbers at its beginning: `1.11.1-1` gives 1, 11, 1. Nothing where it does not begin with one.
fn numbers(version: &str) -> Option<Vec<i64>> {
    let plain = version.split(['-', '+', '~']).next()?;
    plain.split('.').map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number_and_not_by_letter() {
        for (expression, value) in [
            ("minor('1.31.4') == 31", true),
            ("major('27.61') == 27 && minor('2017.9') == 9", true),
            ("at_least('3.5.13', '3.5.6')", true),
            ("at_least('3.5.6', '3.5.13')", false),
            ("at_least('1.11.1-1', '1.11.1')", true),
        ] {
            let mut context = Context::default();
            add_to(&mut context);
            let got = cel::Program::compile(expression).unwrap().execute(&context);
            assert_eq!(got, Ok(cel::Value::Bool(value)), "{expression}");
        }
    }

    #[test]
    fn what_is_no_version_cannot_be_compared() {
        let mut context = Context::default();
        add_to(&mut context);
        assert!(cel::Program::compile("minor('latest') == 1").unwrap().execute(&context).is_err());
        assert!(cel::Program::compile("at_least('', '1.0')").unwrap().execute(&context).is_err());
    }
}
