//! What a pushed file will change of the one that lies on its host.

use serde::{Deserialize, Serialize};

use super::Digest;

/// A file that will be written, beside the one that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// What stands there now.
    pub there: There,
    /// The lines that will go and come, each with a little of what stays around it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<DiffLine>,
    /// Lines that were left out because there are too many.
    #[serde(default)]
    pub more: usize,
}

/// What stands at the place of a file that will be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "there", rename_all = "kebab-case")]
pub enum There {
    /// Nothing.
    Nothing,
    /// A text with this digest.
    Text {
        /// Of all of it.
        sha256: Digest,
    },
    /// Something that could not be compared.
    Unknown {
        /// Why.
        why: String,
    },
}

/// A line of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffLine {
    /// What becomes of it.
    pub change: Change,
    /// Its text; without what looks like a secret.
    pub text: String,
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It stays.
    Stays,
    /// It comes.
    Comes,
    /// It goes.
    Goes,
    /// Lines that stay were left out here.
    Gap,
}
