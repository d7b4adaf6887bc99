//! The files that a plan pushes: found, read, and made into what stands on the host.

use std::path::{Path, PathBuf};

use super::{Builder, Values};
use crate::documents::source::asset;
use crate::documents::template::{Piece, pieces};
use crate::ignition;
use crate::model::Digest;
use crate::model::plan::{PushFile, expand};
use crate::model::runbook::{Convert, Push};
use crate::yaml::{Document, Problem, Problems};

impl Builder<'_> {
    pub(super) fn push(&self, push: &Push, vars: &Values) -> Result<PushFile, Unread> {
        for text in [&push.path, &push.from] {
            for piece in pieces(text) {
                if let Piece::Variable(name, _) = piece
                    && !vars.contains_key(name)
                {
                    return Err(Unread::Here(format!("`${name}` in `{text}` has no value when files are read")));
                }
            }
        }
        let from = expand(&push.from, vars);
        if let Some(artifact) = from.strip_prefix("artifact:") {
            return Ok(PushFile {
                path: expand(&push.path, vars),
                mode: push.mode.clone(),
                content: String::new(),
                sha256: Digest::of(b""),
                artifact: Some(artifact.to_owned()),
                source: None,
                convert: Convert::None,
                config: None,
            });
        }
        let (name, text) = self.file(&from)?;
        made(&expand(&push.path, vars), &push.mode, push.convert, &name, text)
    }

    /// A file to push: one of the program's own, or beside the runbook, or beside the inventory.
    fn file(&self, from: &str) -> Result<(String, String), Unread> {
        if let Some(own) = from.strip_prefix("builtin:") {
            let text = asset(own).ok_or_else(|| Unread::Here(format!("there is no built-in file `{own}`")))?;
            return Ok((from.to_owned(), text.to_owned()));
        }
        let mut tried: Vec<PathBuf> = Vec::new();
        for source in [self.runbook_source, self.inventory_source] {
            let path = source.resolve(from);
            if (source.directory.is_some() || path.is_absolute()) && !tried.contains(&path) {
                if path.exists() {
                    return read(&path).map(|text| (path.display().to_string(), text));
                }
                tried.push(path);
            }
        }
        let tried: Vec<_> = tried.iter().map(|path| path.display().to_string()).collect();
        Err(Unread::Here(format!("there is no file to push: looked for {}", tried.join(" and "))))
    }
}

/// The file that stands on the host, made of a text: as it is, or converted.
fn made(path: &str, mode: &str, convert: Convert, name: &str, text: String) -> Result<PushFile, Unread> {
    let (content, source, config) = match convert {
        Convert::None => (text, None, None),
        Convert::Ignition | Convert::EtcdDropIn => {
            let converted = ignition::convert(&Document::new(name, text.as_str()), &ignition::Settings::default())
                .map_err(Unread::There)?;
            let config = Some(converted.config());
            let content = match convert {
                Convert::EtcdDropIn => converted
                    .etcd_drop_in
                    .ok_or_else(|| Unread::Here(format!("`{name}` has no `etcd` section to make a drop-in of")))?,
                Convert::Ignition | Convert::None => converted.json.to_string(),
            };
            (content, Some(text), config)
        }
    };
    Ok(PushFile {
        path: path.to_owned(),
        mode: mode.to_owned(),
        sha256: Digest::of(content.as_bytes()),
        content,
        artifact: None,
        source,
        convert,
        config,
    })
}

/// A file to push with another text, converted as the first one was.
///
/// # Errors
/// What is wrong with the text, with line and column.
pub fn edited(file: &PushFile, text: &str) -> Result<PushFile, Problems> {
    made(&file.path, &file.mode, file.convert, "the edited text", text.to_owned()).map_err(|unread| match unread {
        Unread::Here(message) => Problem::of("the edited text", message).into(),
        Unread::There(problems) => problems,
    })
}

/// Why a file cannot be pushed.
pub(super) enum Unread {
    /// To be told at the step that wants it.
    Here(String),
    /// The file itself is at fault.
    There(Problems),
}

/// More than any config has. What is pushed stands in the plan, and the plan in the journal.
const LONGEST: u64 = 8 << 20;

fn read(path: &Path) -> Result<String, Unread> {
    let length = std::fs::metadata(path).map(|found| found.is_file().then_some(found.len()));
    if let Ok(None | Some(LONGEST..)) = length {
        return Err(Unread::Here(format!("{} is not a file of less than {} MiB", path.display(), LONGEST >> 20)));
    }
    std::fs::read_to_string(path).map_err(|error| Unread::Here(format!("cannot read {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edited_text_is_converted_as_the_first_one_was() {
        let text = "etcd:\n  version: 3.0.17\n  name: etcd1\n";
        let file = made("/x.conf", "0644", Convert::EtcdDropIn, "t", text.into()).unwrap_or_else(|_| panic!());
        let other = edited(&file, &text.replace("etcd1", "etcd9")).unwrap();
        assert!(other.content.contains("--name=\"etcd9\"") && other.sha256 != file.sha256, "{}", other.content);
        assert_eq!(other.config.unwrap()["etcd"]["name"], "etcd9");
        let wrong = edited(&file, "etcd:\n  verzion: 3.0.17\n").unwrap_err().to_string();
        assert!(wrong.contains("the edited text:2:3") && wrong.contains("version"), "{wrong}");
    }
}
