//! Secrets as plans and programs know them: by their names and where they come from. The value itself is written nowhere.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::HostName;

/// What stands where a secret stood.
pub const REDACTED: &str = "‹redacted›";

/// A value that is never shown and never written down: it has no `Display` and no `Serialize`, and `Debug` says nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The fewest bytes that a secret may have: one that is shorter could not be told from any other text and be redacted.
    pub const LEAST: usize = 4;

    /// A value to be kept.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for a job's standard input and for whoever looks for it in a text to take it out.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// The values of a run: for every host its secret variables by name.
pub type Secrets = BTreeMap<HostName, BTreeMap<String, Secret>>;

/// Where the value of a secret variable comes from, as inventories, runbooks and the command line write it: `env:NAME`,
/// `file:PATH` or `ask`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SecretSource {
    /// A variable of the environment that the program was started in.
    Env(String),
    /// A file on the operator's machine: theirs, and for nobody else to read (0600).
    File(PathBuf),
    /// Asked for at the terminal, without an echo.
    Ask,
}

impl SecretSource {
    /// How to write one, for messages.
    pub const FORMS: &str = "`env:NAME`, `file:PATH` or `ask`";
}

impl TryFrom<String> for SecretSource {
    type Error = String;

    /// The message does not repeat the text: it may well be the value that was not to be written down.
    fn try_from(text: String) -> Result<Self, String> {
        let variable = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        match text.split_once(':') {
            Some(("env", name)) if variable(name) => Ok(Self::Env(name.to_owned())),
            Some(("file", path)) if !path.trim().is_empty() => Ok(Self::File(path.into())),
            None if text == "ask" => Ok(Self::Ask),
            _ => Err(format!("this does not say where the value comes from: write {}", Self::FORMS)),
        }
    }
}

impl From<SecretSource> for String {
    fn from(source: SecretSource) -> Self {
        source.to_string()
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Ask => f.write_str("ask"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_says_nothing_of_itself() {
        assert_eq!(format!("{:?}", Some(Secret::new("hunter2"))), format!("Some({REDACTED})"));
    }

    #[test]
    fn a_source_is_read_as_it_is_written_and_a_value_is_not_repeated() {
        for text in ["env:JOIN_TOKEN", "file:/run/secrets/token", "file:token", "ask"] {
            assert_eq!(SecretSource::try_from(text.to_owned()).unwrap().to_string(), text);
        }
        for text in ["env:", "env:a b", "env:1x", "file:", "Ask", "", "abcdef.0123456789abcdef", "x:hunter2"] {
            let wrong = SecretSource::try_from(text.to_owned()).unwrap_err();
            assert!(text.is_empty() || !wrong.contains(text) || text == "env:" || text == "file:", "{wrong}");
        }
    }
}
