//! CEL in a runbook, read before there are any facts: does it parse, and does it speak of what there is?

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SourceInfo};
use cel::parser::Parser;

use super::runbook::secret_here;
use super::template::canonical;
use super::vocabulary::{Asked, FUNCTIONS, MACROS, ROOTS, Shape, TYPES};
use crate::model::runbook::ProbeSpec;
use crate::yaml::{Node, Reader, did_you_mean};

/// What an expression may refer to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings<'r> {
    /// Names of the runbook's variables.
    pub vars: &'r [String],
    /// Names of its secret ones, which no expression sees.
    pub secrets: &'r [String],
    /// What the probe asks for.
    pub probe: &'r ProbeSpec,
    /// Root names that have no value here, and why.
    pub without: &'r [(&'static str, &'static str)],
}

/// Checks an expression and notes what is wrong at its place in the document.
pub(super) fn check(reader: &mut Reader<'_>, node: &Node, around: Surroundings<'_>) {
    let Some(source) = node.text() else { return };
    let parser = Parser::new().enable_optional_syntax(false);
    match parser.parse_with_source_info(source) {
        Ok((expression, places)) => {
            let mut walk = Walk { reader, node, source, places: &places, around, bound: Vec::new() };
            walk.shape(&expression);
        }
        Err(errors) => {
            // What follows the first error is mostly its echo.
            let Some(error) = errors.errors.first() else { return };
            let offset = offset_of(source, error.pos);
            let message = error.msg.strip_prefix("Syntax error: ").unwrap_or(&error.msg);
            // The parser goes on to list every token it would have taken.
            let message = message.split(" expecting ").next().unwrap_or(message);
            let message = if message.contains("<EOF>") { "it breaks off here" } else { message };
            reader.complain_in(node, offset, 1, format!("this is not an expression: {message}"));
        }
    }
}

/// From line and column, both counted from 1, to a byte of the text.
fn offset_of(source: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line).unwrap_or(1).max(1);
    let column = usize::try_from(column).unwrap_or(1).max(1);
    let start: usize = source.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = source[start..].lines().next().unwrap_or_default();
    start + rest.char_indices().nth(column - 1).map_or(rest.len(), |(at, _)| at)
}

struct Walk<'a, 'd> {
    reader: &'a mut Reader<'d>,
    node: &'a Node,
    source: &'a str,
    places: &'a SourceInfo,
    around: Surroundings<'a>,
    /// Variables of the comprehensions around.
    bound: Vec<(String, Shape)>,
}

impl Walk<'_, '_> {
    /// What an expression yields. What is wrong within it is noted on the way.
    fn shape(&mut self, expression: &IdedExpr) -> Shape {
        match &expression.expr {
            Expr::Ident(name) => self.name(expression, name),
            Expr::Select(select) => {
                let operand = self.shape(&select.operand);
                self.field(expression, operand, &select.field)
            }
            Expr::Call(call) => self.call(expression, call),
            Expr::Comprehension(comprehension) => {
                let (first, second) = match self.shape(&comprehension.iter_range) {
                    Shape::List(item) if comprehension.iter_var2.is_none() => (*item, Shape::Any),
                    Shape::List(item) | Shape::Map(item) | Shape::Asked(_, item) => (Shape::Any, *item),
                    Shape::Any | Shape::Record(_) | Shape::Vars => (Shape::Any, Shape::Any),
                };
                self.shape(&comprehension.accu_init);
                let outside = self.bound.len();
                self.bound.push((comprehension.accu_var.clone(), Shape::Any));
                self.bound.push((comprehension.iter_var.clone(), first));
                self.bound.extend(comprehension.iter_var2.clone().map(|name| (name, second)));
                for part in [&comprehension.loop_cond, &comprehension.loop_step, &comprehension.result] {
                    self.shape(part);
                }
                self.bound.truncate(outside);
                Shape::Any
            }
            Expr::List(list) => {
                list.elements.iter().for_each(|element| _ = self.shape(element));
                Shape::Any
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.shape(&entry.key);
                        self.shape(&entry.value);
                    }
                }
                Shape::Any
            }
            Expr::Struct(made) => {
                let at = self.start(expression);
                self.complain(at, 1, format!("there is no type `{}` here", made.type_name));
                Shape::Any
            }
            Expr::Literal(_) | Expr::Unspecified => Shape::Any,
        }
    }

    fn name(&mut self, expression: &IdedExpr, name: &str) -> Shape {
        if let Some((_, shape)) = self.bound.iter().rev().find(|(bound, _)| bound == name) {
            return *shape;
        }
        let at = self.start(expression);
        if let Some((_, why)) = self.around.without.iter().find(|(root, _)| *root == name) {
            self.complain(at, name.chars().count(), format!("there is no `{name}` here: {why}"));
            return Shape::Any;
        }
        if let Some((_, shape)) = ROOTS.iter().find(|(root, _)| *root == name) {
            return *shape;
        }
        if !TYPES.contains(&name) && !name.starts_with('@') {
            let roots: Vec<_> = ROOTS.iter().map(|(root, _)| *root).collect();
            let bound: Vec<_> = self.bound.iter().map(|(bound, _)| bound.clone()).collect();
            let hint = did_you_mean(name, bound.iter().map(String::as_str).chain(roots.iter().copied()));
            let hint = if hint.is_empty() { format!("; it can be one of: {}", roots.join(", ")) } else { hint };
            let message = format!("nothing is called `{name}`{hint} (text goes in quotes)");
            self.complain(at, name.chars().count(), message);
        }
        Shape::Any
    }

    /// A field of something: `.field`, or `['field']`.
    fn field(&mut self, expression: &IdedExpr, of: Shape, field: &str) -> Shape {
        let start = self.start(expression);
        let at = self.source.get(start..).and_then(|rest| rest.find(field)).map_or(start, |found| start + found);
        let width = field.chars().count();
        match of {
            Shape::Any => Shape::Any,
            Shape::Record(fields) => {
                let found = fields.iter().find(|(name, _)| *name == field).map(|(_, shape)| *shape);
                if found.is_none() {
                    let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
                    let hint = did_you_mean(field, names.iter().copied());
                    let hint = if hint.is_empty() { format!("; there are: {}", names.join(", ")) } else { hint };
                    self.complain(at, width, format!("there is no fact `{field}` here{hint}"));
                }
                found.unwrap_or(Shape::Any)
            }
            Shape::Vars => {
                if self.around.secrets.iter().any(|name| name == field) {
                    self.complain(at, width, secret_here(field));
                } else if !self.around.vars.iter().any(|name| name == field) {
                    let hint = did_you_mean(field, self.around.vars.iter().map(String::as_str));
                    self.complain(at, width, format!("the runbook declares no variable `{field}`{hint}"));
                }
                Shape::Any
            }
            Shape::Map(value) => *value,
            Shape::Asked(asked, value) => {
                self.asked(at, width, asked, field);
                *value
            }
            Shape::List(_) => {
                let message = format!("`{field}` is asked of a list: use all(x, ...) or exists(x, ...)");
                self.complain(at, width, message);
                Shape::Any
            }
        }
    }

    fn call(&mut self, expression: &IdedExpr, call: &CallExpr) -> Shape {
        if call.func_name == "_[_]"
            && let [base, index] = call.args.as_slice()
        {
            let base = self.shape(base);
            self.shape(index);
            let key = key_template(index);
            return match (base, key) {
                (Shape::Record(_) | Shape::Vars | Shape::Asked(..), Some(key)) => {
                    if let Shape::Asked(asked, value) = base {
                        let at = self.start(index);
                        self.asked(at, key.chars().count(), asked, &key);
                        *value
                    } else {
                        self.field(index, base, &key)
                    }
                }
                (Shape::List(value) | Shape::Map(value) | Shape::Asked(_, value), _) => *value,
                (Shape::Any | Shape::Record(_) | Shape::Vars, _) => Shape::Any,
            };
        }
        let name = call.func_name.as_str();
        // The place of a call is its parenthesis; its name stands before.
        let start = self.start(expression);
        let at = self.source.get(..start).and_then(|before| before.rfind(name)).unwrap_or(start);
        let width = name.chars().count();
        call.target.iter().for_each(|target| _ = self.shape(target));
        if MACROS.contains(&name) {
            let how = if name == "has" { "has(host.etcd.server)" } else { &format!("{name}(x, ...)") };
            self.complain(at, width, format!("`{name}` is not used like this: write {how}"));
            return Shape::Any;
        }
        let shapes: Vec<Shape> = call.args.iter().map(|argument| self.shape(argument)).collect();
        if name == "_?_:_" {
            return shapes.get(1).copied().unwrap_or(Shape::Any);
        }
        let operator = name.starts_with(['_', '@']) || matches!(name, "!_" | "-_");
        if !operator && !FUNCTIONS.contains(&name) {
            let hint = did_you_mean(name, FUNCTIONS.iter().chain(MACROS).copied());
            self.complain(at, width, format!("there is no function `{name}`{hint}"));
        }
        Shape::Any
    }

    /// A key that the probe must ask for, or there will never be an answer.
    fn asked(&mut self, at: usize, width: usize, asked: Asked, key: &str) {
        let key = canonical(key);
        let probe = self.around.probe;
        let known: Vec<String> = match asked {
            Asked::Units => probe.units.iter().map(|unit| canonical(unit)).collect(),
            Asked::Paths => probe.paths.iter().map(|path| canonical(path)).collect(),
            Asked::Journal => probe.journal.keys().map(|unit| canonical(unit)).collect(),
            Asked::Lines => probe.lines.keys().map(|path| canonical(path)).collect(),
            Asked::Packages => probe.packages.iter().map(|package| canonical(package)).collect(),
            Asked::Programs => probe.programs.iter().map(|program| canonical(program)).collect(),
            Asked::Containers => probe.containers.iter().map(|container| canonical(container)).collect(),
        };
        if !known.contains(&key) {
            let hint = did_you_mean(&key, known.iter().map(String::as_str));
            let message = format!("`{key}` is not in `probe.{}`, so nobody will look at it{hint}", asked.key());
            self.complain(at, width, message);
        }
    }

    fn start(&self, expression: &IdedExpr) -> usize {
        self.places.offset_for(expression.id).map_or(0, |(start, _)| start as usize)
    }

    fn complain(&mut self, at: usize, width: usize, message: String) {
        self.reader.complain_in(self.node, at, width, message);
    }
}

/// A key put together from texts and variables, with `$name` for a variable; nothing where it depends on facts.
fn key_template(index: &IdedExpr) -> Option<String> {
    match &index.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner().to_owned()),
        Expr::Select(select) => match &select.operand.expr {
            Expr::Ident(root) if root == "vars" => Some(format!("${{{}}}", select.field)),
            _ => None,
        },
        Expr::Call(call) if call.func_name == "_+_" => {
            call.args.iter().map(key_template).collect::<Option<Vec<_>>>().map(|parts| parts.concat())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Document, parse};

    fn complaints(expression: &str) -> Vec<(usize, usize, String)> {
        let document = Document::new("f", format!("x: |\n  {}\n", expression.replace('\n', "\n  ")));
        let tree = parse(&document).unwrap();
        let probe = ProbeSpec {
            units: vec!["etcd.service".into(), "$unit".into()],
            paths: vec!["/var/lib/etcd".into(), "${data}/member".into()],
            ..ProbeSpec::default()
        };
        let vars = ["target", "unit", "data"].map(str::to_owned);
        let mut reader = Reader::new(&document);
        let around =
            Surroundings { vars: &vars, secrets: &[], probe: &probe, without: &[("config", "nothing is pushed")] };
        check(&mut reader, tree.get("x").unwrap(), around);
        let place = |at: crate::yaml::Place| (at.line - 1, at.column - 2);
        reader
            .problems
            .0
            .into_iter()
            .map(|p| (place(p.place.unwrap()), p.message))
            .map(|((l, c), m)| (l, c, m))
            .collect()
    }

    #[test]
    fn sound_expressions_pass() {
        for sound in [
            "etcd.members.all(m, m.healthy) && etcd.healthy - 1 >= etcd.quorum",
            "host.units['etcd.service'].active == 'active'",
            "host.units[vars.unit].active == 'active' && host.paths[vars.data + '/member'].exists",
            "hosts.all(h, h.units.all(u, !u.startsWith('kube') || h.units[u].active != 'active'))",
            "session.artifacts.filter(a, a.host == host.name && a.bytes > 0).size() == 2",
            "has(host.etcd.server) ? host.etcd.server == vars.target : true",
            "kube.nodes[host.node].ready && kube.nodes.all(n, kube.nodes[n].ready)",
            "{'3.4.0': '3.5.'}[etcd.cluster_version] == '3.5.' && 'etcd' in host.roles && type(1) == int",
            "host.etcd.members.exists(m, m.peer_urls.exists(u, u == 'http://a'))",
        ] {
            assert_eq!(complaints(sound), [], "{sound}");
        }
    }

    #[test]
    fn each_mistake_is_found_at_its_place() {
        for (wrong, line, column, word) in [
            ("ectd.healthy > 1", 1, 1, "`etcd`"),
            ("etcd.helthy > 1", 1, 6, "`healthy`"),
            ("true &&\n  etcd.members.all(m, m.sever == '1')", 2, 25, "`server`"),
            ("etcd.members.healthy", 1, 14, "a list"),
            ("vars.tagret == '1'", 1, 6, "`target`"),
            ("vars['tagret'] == '1'", 1, 7, "`target`"),
            ("host.units['etc.service'].active == 'a'", 1, 12, "`etcd.service`"),
            ("host.paths[vars.data + '/x'].exists", 1, 22, "probe.paths"),
            ("host.units['etcd.service'].activ == 'a'", 1, 28, "`active`"),
            ("has(host.etcdd)", 1, 10, "`etcd`"),
            ("config.etcd.name == 'a'", 1, 1, "nothing is pushed"),
            ("etcd.size.len() == 1", 1, 11, "no function `len`"),
            ("etcd.members.all(m.healthy)", 1, 14, "all(x, ...)"),
            ("etcd.healthy >= ", 1, 16, "not an expression"),
            ("etcd.healthy == \n== 2", 2, 1, "not an expression"),
            ("m.healthy", 1, 1, "nothing is called `m`"),
        ] {
            let found = complaints(wrong);
            assert!(
                found.iter().any(|(l, c, message)| (*l, *c) == (line, column) && message.contains(word)),
                "{wrong}: {found:?}"
            );
            assert_eq!(found.len(), 1, "{wrong}: {found:?}");
        }
    }
}
