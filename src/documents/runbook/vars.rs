//! The variables that a runbook declares, and which values each of them may have.

use std::time::Duration;

use indexmap::IndexMap;

use super::words::boolean;
use crate::documents::inventory::variable_name;
use crate::model::SecretSource;
use crate::model::runbook::{Span, VarForm, VarSpec};
use crate::yaml::{Node, Reader, did_you_mean};

pub(super) fn vars(reader: &mut Reader<'_>, node: &Node) -> IndexMap<String, VarSpec> {
    let mut vars = IndexMap::new();
    for (key, value) in reader.entries(node, "vars") {
        variable_name(reader, key);
        // Even a faulty variable is known from here on, or every use of it would be a problem as well.
        let spec = var(reader, key, value).unwrap_or_default();
        vars.insert(key.text().unwrap_or_default().to_owned(), spec);
    }
    vars
}

fn var(reader: &mut Reader<'_>, key: &Node, node: &Node) -> Option<VarSpec> {
    let fields =
        reader.fields(node, "a variable", &["about", "required", "default", "one_of", "form", "secret", "from"])?;
    let about = reader.required(fields, "this variable", "about").and_then(|node| reader.text(node, "about"));
    let required = boolean(reader, fields, "required");
    let one_of = fields.get("one_of").map(|node| reader.texts(node, "one_of")).unwrap_or_default();
    let forms = [
        ("version", VarForm::Version),
        ("versions", VarForm::Versions),
        ("path", VarForm::Path),
        ("duration", VarForm::Duration),
    ];
    let form = fields.get("form").and_then(|node| reader.word(node, "form", &forms));
    if boolean(reader, fields, "secret") {
        let about = about.unwrap_or_default();
        return Some(VarSpec { about, required, secret: true, from: source(reader, key, node), ..VarSpec::default() });
    }
    if let Some(from) = fields.get("from") {
        reader.complain(from, "only a secret has a `from`: say `secret: true`, or give a `default`");
    }
    // An empty default is a value like any other, but has to be written as one: ''.
    let default = fields.get("default").and_then(|node| reader.text(node, "default"));
    let about = about.unwrap_or_default();
    let spec = VarSpec { about, required, default, one_of, form, ..VarSpec::default() };
    match (&spec.default, fields.get("default")) {
        (Some(default), Some(node)) => {
            if required {
                reader.complain(node, "a variable that is required needs no default: leave out one of them");
            }
            if let Err(wrong) = fits(&spec, default) {
                reader.complain(node, wrong);
            }
        }
        _ if !required && node.get("default").is_none() => {
            reader.complain(key, "say what it is when nobody gives it: `default: ...`, or `required: true`");
        }
        _ => {}
    }
    Some(spec)
}

/// Where a secret comes from, and what a secret cannot have.
fn source(reader: &mut Reader<'_>, key: &Node, node: &Node) -> Option<SecretSource> {
    for (word, why) in [
        ("default", "its value stands in no file: leave this out, and say `from`"),
        ("one_of", "a value that is one of a few is none"),
        ("form", "its value is not looked at"),
    ] {
        if let Some(at) = node.get(word) {
            reader.complain(at, format!("a secret has no `{word}`: {why}"));
        }
    }
    let required = node.get("required").is_some();
    let Some(from) = node.get("from") else {
        if !required {
            reader.complain(key, "say where this secret comes from: `from: ask`, or `required: true`");
        }
        return None;
    };
    if required {
        reader.complain(from, "what is required comes from whoever uses the runbook: leave out one of them");
    }
    match SecretSource::try_from(reader.text(from, "from")?) {
        Ok(source) => Some(source),
        Err(wrong) => {
            reader.complain(from, wrong);
            None
        }
    }
}

/// Whether a variable may have a value; if not, what it may be. For a secret that is where its value comes from.
pub(in crate::documents) fn fits(spec: &VarSpec, value: &str) -> Result<(), String> {
    if spec.secret {
        return SecretSource::try_from(value.to_owned()).map(drop).map_err(|wrong| {
            format!(
                "a secret stands in no file and on no command line, from where histories and backups keep it: {wrong}"
            )
        });
    }
    if !spec.one_of.is_empty() && !spec.one_of.iter().any(|allowed| allowed == value) {
        let near = did_you_mean(value, spec.one_of.iter().map(String::as_str));
        let hint = if near.is_empty() { format!("; it is one of: {}", spec.choices()) } else { near };
        return Err(format!("it cannot be `{value}`{hint}"));
    }
    match spec.form {
        Some(VarForm::Version) => version(value),
        Some(VarForm::Versions) => value.split_whitespace().try_for_each(version),
        Some(VarForm::Duration) => match Span::try_from(value.to_owned())? {
            Span(Duration::ZERO) => {
                Err(format!("`{value}` would be no time at all, or for ever: give it an end, such as 10m"))
            }
            Span(_) => Ok(()),
        },
        Some(VarForm::Path) if !value.starts_with('/') => Err(format!("`{value}` is not a path that begins with `/`")),
        _ => Ok(()),
    }
}

fn version(value: &str) -> Result<(), String> {
    if semver::Version::parse(value).is_ok() {
        return Ok(());
    }
    let plain = value.trim_start_matches('v');
    let hint = did_you_mean(value, semver::Version::parse(plain).is_ok().then_some(plain));
    Err(format!("`{value}` is not a version such as 3.5.21: three numbers, without a v{hint}"))
}
