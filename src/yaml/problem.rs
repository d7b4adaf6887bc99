//! What is wrong with a document, and where, for the person who wrote it.

use std::fmt;

use super::{Document, Place};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The document's name, or where else the value came from (`--var`).
    pub file: String,
    /// Where in it; nothing where the document as a whole is meant.
    pub place: Option<Place>,
    /// What is wrong, and what was expected.
    pub message: String,
    /// The lines around it with their numbers, made when the document was at hand.
    excerpt: Vec<(usize, String)>,
}

impl Problem {
    /// A problem at a place of a document.
    pub fn at(document: &Document, place: Place, message: impl Into<String>) -> Self {
        let excerpt = document
            .text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
            .filter(|(number, _)| number.abs_diff(place.line) <= 1)
            .map(|(number, line)| (number, line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()))
            .collect();
        Self { file: document.name.to_string(), place: Some(place), message: message.into(), excerpt }
    }

    /// A problem with a document as a whole, or with something that stands in none.
    pub fn of(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: file.into(), place: None, message: message.into(), excerpt: Vec::new() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(place) = self.place else {
            return write!(f, "{}: {}", self.file, self.message);
        };
        write!(f, "{}:{}:{}: {}", self.file, place.line, place.column, self.message)?;
        let gutter = self.excerpt.last().map_or(1, |(number, _)| number.to_string().len());
        for (number, line) in &self.excerpt {
            write!(f, "\n  {number:>gutter$} | {line}")?;
            if *number == place.line {
                let room = (line.chars().count() + 1).saturating_sub(place.column).max(1);
                let carets = "^".repeat(place.width.clamp(1, room));
                write!(f, "\n  {:>gutter$} | {:>2$}{carets}", "", "", place.column - 1)?;
            }
        }
        Ok(())
    }
}

/// All that is wrong, in the order of the documents. Plain text, without colour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// The value, if nothing is wrong.
    ///
    /// # Errors
    /// Everything that is wrong, sorted by place.
    pub fn or<T>(mut self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => {
                self.0.sort_by_key(|problem| problem.place);
                self.0.dedup();
                Err(self)
            }
        }
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            write!(f, "{problem}\n\n")?;
        }
        match self.0.len() {
            1 => write!(f, "1 problem"),
            count => write!(f, "{count} problems"),
        }
    }
}

impl std::error::Error for Problems {}

/// `; did you mean ...?` where one of the known words is near, else nothing.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let bound = (word.chars().count() / 3).clamp(1, 3);
    let fold = |text: &str| text.to_lowercase().replace('_', "-");
    known
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&fold(word), &fold(candidate)), candidate))
        .filter(|(distance, _)| *distance <= bound)
        .min()
        .map(|(_, candidate)| format!("; did you mean `{candidate}`?"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_offered_and_far_ones_are_not() {
        assert_eq!(did_you_mean("ectd", ["etcd", "kube"]), "; did you mean `etcd`?");
        assert_eq!(did_you_mean("leader_last", ["leader-last"]), "; did you mean `leader-last`?");
        assert_eq!(did_you_mean("colour", ["etcd", "kube"]), "");
    }

    #[test]
    fn a_caret_stays_within_its_line_and_control_characters_stay_out() {
        let document = Document::new("f.yaml", "one\ntwo\u{1b}[31m\nthree\nfour");
        let problem = Problem::at(&document, Place { line: 2, column: 2, width: 99 }, "no");
        assert_eq!(problem.to_string(), "f.yaml:2:2: no\n  1 | one\n  2 | two [31m\n    |  ^^^^^^^\n  3 | three");
    }
}
