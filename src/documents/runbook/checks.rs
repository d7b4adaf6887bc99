//! Checks: what must hold, why, and how long it may take to come true.

use super::Whole;
use super::words::line;
use crate::documents::expression::{self, Surroundings};
use crate::model::runbook::{Check, Expression, Span};
use crate::yaml::{Node, Reader};

pub(super) fn checks(
    reader: &mut Reader<'_>,
    node: &Node,
    key: &str,
    whole: &Whole,
    without: &[(&'static str, &'static str)],
) -> Vec<Check> {
    let mut checks = Vec::new();
    for node in reader.list(node, key) {
        let Some(fields) = reader.fields(node, "a check", &["check", "that", "because", "within"]) else { continue };
        let that = reader
            .required(fields, "this check", "that")
            .and_then(|node| condition(reader, node, "that", whole, without));
        let says = fields.get("check").and_then(|node| line(reader, node, "check")).unwrap_or_default();
        let because = reader.required(fields, "this check", "because").and_then(|node| reader.text(node, "because"));
        let within = fields.get("within").and_then(|node| span(reader, node, "within"));
        if key == "require"
            && let Some(node) = fields.get("within")
        {
            reader.complain(node, "what is required must hold at once; `within` is for `verify` and `undone`");
        }
        if let (Some(that), Some(because)) = (that, because) {
            checks.push(Check { says, that, because, within });
        }
    }
    checks
}

pub(super) fn condition(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &str,
    whole: &Whole,
    without: &[(&'static str, &'static str)],
) -> Option<Expression> {
    let text = reader.text(node, what)?;
    expression::check(
        reader,
        node,
        Surroundings { vars: &whole.vars, secrets: &whole.names.secret, probe: &whole.probe, without },
    );
    Some(Expression(text))
}

pub(super) fn span(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Span> {
    match Span::try_from(reader.text(node, what)?) {
        Ok(span) => Some(span),
        Err(wrong) => {
            reader.complain(node, wrong);
            None
        }
    }
}
