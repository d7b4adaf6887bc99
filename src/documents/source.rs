//! Where a document comes from, which is also what the files it names are relative to.

use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use crate::yaml::{Document, Problem, Problems, did_you_mean};

static ASSETS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/assets");

/// A document and the directory it lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its text and its name in messages.
    pub document: Document,
    /// What paths in it are relative to; nothing for a document of the program's own.
    pub directory: Option<PathBuf>,
}

impl Source {
    /// A text as if it had been read from a file.
    pub fn file(path: &Path, text: impl Into<std::sync::Arc<str>>) -> Self {
        let directory = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        Self { document: Document::new(path.display().to_string(), text), directory: Some(directory.to_owned()) }
    }

    /// A file.
    ///
    /// # Errors
    /// When it cannot be read, or is not UTF-8.
    pub fn read(path: &Path) -> Result<Self, Problems> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self::file(path, text)),
            Err(error) => Err(Problem::of(path.display().to_string(), format!("cannot be read: {error}")).into()),
        }
    }

    /// What a path in the document means: `~/` is the home directory, and a relative path starts where the document lies.
    #[must_use]
    pub fn resolve(&self, path: &str) -> PathBuf {
        if let Some(rest) = path.strip_prefix("~/")
            && let Ok(home) = etcetera::home_dir()
        {
            return home.join(rest);
        }
        match &self.directory {
            Some(directory) => directory.join(path),
            None => PathBuf::from(path),
        }
    }
}

/// The built-in runbooks: name and text, by name.
pub fn builtin_runbooks() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut found: Vec<_> = ASSETS
        .get_dir("runbooks")
        .into_iter()
        .flat_map(Dir::files)
        .filter(|file| file.path().extension().is_some_and(|extension| extension == "yaml"))
        .filter_map(|file| Some((file.path().file_stem()?.to_str()?, file.contents_utf8()?)))
        .collect();
    found.sort_unstable();
    found.into_iter()
}

/// A file of the program's own, by its path under `assets/`.
#[must_use]
pub(super) fn asset(path: &str) -> Option<&'static str> {
    ASSETS.get_file(path)?.contents_utf8()
}

/// The guards of `preflight`, which are written as a runbook that changes nothing.
#[must_use]
pub fn preflight() -> Source {
    let text = asset("preflight.yaml").unwrap_or_default();
    Source { document: Document::new("builtin:preflight", text), directory: None }
}

/// The runbook of that name, or in the file of that path: what has a slash or an extension is a path.
///
/// # Errors
/// When there is no such runbook, or the file cannot be read.
pub fn find_runbook(name_or_path: &str) -> Result<Source, Problems> {
    if name_or_path.contains('/') || Path::new(name_or_path).extension().is_some() {
        return Source::read(Path::new(name_or_path));
    }
    let found = builtin_runbooks().find(|(name, _)| *name == name_or_path);
    let Some((name, text)) = found else {
        let names: Vec<_> = builtin_runbooks().map(|(name, _)| name).collect();
        let message = format!(
            "there is no built-in runbook of that name{}; there are: {}. A runbook of your own is given by its path",
            did_you_mean(name_or_path, names.iter().copied()).trim_end_matches('?'),
            names.join(", ")
        );
        return Err(Problem::of(name_or_path, message).into());
    };
    Ok(Source { document: Document::new(format!("builtin:{name}"), text), directory: None })
}
