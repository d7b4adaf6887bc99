//! From text to a tree with places. What YAML allows and people do not mean (duplicate keys, tags, several documents)
//! is refused; anchors may be used, within a budget.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use super::{Data, Document, Node, Place, Problem, Problems, Scalar};

/// A document of more than this many bytes was not written by hand.
const MAX_BYTES: usize = 1 << 20;
/// So many nodes, aliases multiplied out, are enough for any cluster.
const MAX_NODES: usize = 100_000;
/// So deep is no document of ours.
const MAX_DEPTH: usize = 32;

/// The tree of a document.
///
/// # Errors
/// Syntax errors (only the first: what follows it is guesswork), duplicate keys (all), and what is not used here.
pub fn parse(document: &Document) -> Result<Node, Problems> {
    let mut tree = Builder::new(document, false)?;
    match tree.document() {
        Ok(Some(root)) => tree.problems.or(Some(root)),
        Ok(None) => Err(Problem::of(&*document.name, EMPTY).into()),
        Err(problem) => tree.fail(problem),
    }
}

/// The tree of a document of a format whose own tool warns of what [`parse`] refuses, and the warnings: an empty
/// document is an empty map, and of a key that is there twice the later one counts. Of two maps under one key, the keys
/// of both are there.
///
/// # Errors
/// As [`parse`], but for these.
pub fn parse_lenient(document: &Document) -> Result<(Node, Problems), Problems> {
    let mut tree = Builder::new(document, true)?;
    match tree.document() {
        Ok(root) => {
            let mut warnings = std::mem::take(&mut tree.warnings);
            let root = root.unwrap_or_else(|| {
                warnings.0.push(Problem::of(&*document.name, EMPTY));
                Node { place: Place { line: 1, column: 1, width: 1 }, data: Data::Map(Vec::new()) }
            });
            Ok((tree.problems.or(Some(root))?, warnings))
        }
        Err(problem) => tree.fail(problem),
    }
}

const EMPTY: &str = "is empty";

struct Builder<'d> {
    document: &'d Document,
    parser: Parser<'d, granit_parser::StrInput<'d>>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    lenient: bool,
    problems: Problems,
    warnings: Problems,
}

impl<'d> Builder<'d> {
    fn new(document: &'d Document, lenient: bool) -> Result<Self, Problems> {
        if document.text.len() > MAX_BYTES {
            let message = "is larger than 1 MiB: that is not a document written by hand";
            return Err(Problem::of(&*document.name, message).into());
        }
        let options = granit_parser::options! {
            emit_comments: false,
            disallow_directives: true,
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
        };
        let parser = Parser::new_from_str_with_options(&document.text, options);
        let (problems, warnings) = Default::default();
        Ok(Self { document, parser, anchors: HashMap::new(), nodes: 0, lenient, problems, warnings })
    }

    /// What ended the reading, after what was found before it.
    fn fail<T>(mut self, problem: Problem) -> Result<T, Problems> {
        self.problems.0.push(problem);
        self.problems.or(None)
    }

    fn next(&mut self) -> Result<(Event<'d>, Span), Problem> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let marker = error.marker();
                let place = Place { line: marker.line(), column: marker.col() + 1, width: 1 };
                Err(Problem::at(self.document, place, format!("this is not YAML: {}", error.info())))
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    /// The root; nothing of an empty document.
    fn document(&mut self) -> Result<Option<Node>, Problem> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(..) if root.is_some() => {
                    return Err(self.problem(&span, "a second document begins here: write one to a file"));
                }
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event => root = Some(self.node(event, &span)?),
            }
        }
        Ok(root.filter(|root| !root.is_null()))
    }

    fn node(&mut self, event: Event<'d>, span: &Span) -> Result<Node, Problem> {
        self.count(1, span)?;
        let before = self.nodes;
        let place = place_of(span);
        let (data, anchor, tag) = match event {
            Event::Scalar(text, style, anchor, tag) => (Data::Scalar(scalar(&text, style, span)), anchor, tag),
            Event::SequenceStart(_, anchor, tag) => {
                let mut items = Vec::new();
                loop {
                    let (event, span) = self.next()?;
                    if event == Event::SequenceEnd {
                        break (Data::Seq(items), anchor, tag);
                    }
                    items.push(self.node(event, &span)?);
                }
            }
            Event::MappingStart(_, anchor, tag) => (Data::Map(self.entries()?), anchor, tag),
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
                    return Err(self.problem(span, "this alias lies within the value that it names"));
                };
                self.count(size, span)?;
                return Ok(node);
            }
            _ => return Err(self.problem(span, "this is not used here")),
        };
        if tag.is_some() {
            self.problems.0.push(self.problem(span, "YAML tags (`!...`) are not used here: leave it out"));
        }
        let node = Node { place, data };
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), self.nodes - before + 1));
        }
        Ok(node)
    }

    fn entries(&mut self) -> Result<Vec<(Node, Node)>, Problem> {
        let mut entries: Vec<(Node, Node)> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(entries);
            }
            let key = self.node(event, &span)?;
            let (event, span) = self.next()?;
            let mut value = self.node(event, &span)?;
            if value.is_null() {
                // An empty value has no width of its own; its key shows better where it is missing.
                value.place = key.place;
            }
            let Some(name) = key.text() else {
                self.problems.0.push(Problem::at(
                    self.document,
                    key.place,
                    "a key is a word here, not a list or a map",
                ));
                continue;
            };
            if let Some(at) = entries.iter().position(|(other, _)| other.text() == Some(name)) {
                let mut message =
                    format!("`{name}` is here a second time; the first is in line {}", entries[at].0.place.line);
                if self.lenient {
                    let both = matches!((&entries[at].1.data, &value.data), (Data::Map(_), Data::Map(_)));
                    message += if both { ", and the keys of both count" } else { ", and what stands here counts" };
                    self.warnings.0.push(Problem::at(self.document, key.place, message));
                    let (_, first) = entries.remove(at);
                    entries.push((key, merged(first, value)));
                } else {
                    self.problems.0.push(Problem::at(self.document, key.place, message));
                }
                continue;
            }
            entries.push((key, value));
        }
    }

    fn count(&mut self, more: usize, span: &Span) -> Result<(), Problem> {
        self.nodes += more;
        if self.nodes > MAX_NODES {
            return Err(self.problem(span, "with its aliases written out, the document is too large"));
        }
        Ok(())
    }

    fn problem(&self, span: &Span, message: &str) -> Problem {
        Problem::at(self.document, place_of(span), message)
    }
}

/// What two values under one key come to: of maps the keys of both, else the later one.
fn merged(first: Node, later: Node) -> Node {
    match (first.data, later.data) {
        (Data::Map(mut entries), Data::Map(more)) => {
            for (key, value) in more {
                match entries.iter().position(|(other, _)| other.text() == key.text()) {
                    Some(at) => {
                        let (_, before) = entries.remove(at);
                        entries.push((key, merged(before, value)));
                    }
                    None => entries.push((key, value)),
                }
            }
            Node { place: later.place, data: Data::Map(entries) }
        }
        (_, data) => Node { place: later.place, data },
    }
}

fn place_of(span: &Span) -> Place {
    let width = if span.end.line() == span.start.line() {
        span.end.col().saturating_sub(span.start.col())
    } else {
        // To the end of the line; the problem cuts it there.
        usize::MAX
    };
    Place { line: span.start.line().max(1), column: span.start.col() + 1, width: width.max(1) }
}

fn scalar(text: &str, style: ScalarStyle, span: &Span) -> Scalar {
    Scalar { text: text.to_owned(), quoted: style != ScalarStyle::Plain, source: span.byte_range().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(text: &str) -> Vec<(usize, usize, String)> {
        let problems = parse(&Document::new("f", text)).unwrap_err();
        problems
            .0
            .into_iter()
            .map(|p| p.place.map_or((0, 0, p.message.clone()), |at| (at.line, at.column, p.message)))
            .collect()
    }

    #[test]
    fn what_people_do_not_mean_is_refused_with_its_place() {
        assert_eq!(
            complaints("a: 1\nb: 2\na: 3\nb: 4\n").iter().map(|c| (c.0, c.1)).collect::<Vec<_>>(),
            [(3, 1), (4, 1)]
        );
        assert_eq!(complaints("a: !!python/object x\n")[0].0, 1);
        assert_eq!(complaints("a: 1\n---\nb: 2\n")[0].0, 2);
        assert_eq!(complaints("a: [1, 2\nb: 3\n")[0].0, 2);
        assert_eq!(complaints("# nothing\n"), [(0, 0, "is empty".to_owned())]);
    }

    #[test]
    fn aliases_mean_what_they_name_within_a_budget() {
        let tree = parse(&Document::new("f", "a: &x [1, 2]\nb: *x\n")).unwrap();
        assert_eq!(tree.get("a"), tree.get("b"));
        let mut bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
        for level in 1..9 {
            let alias = format!("*a{}", level - 1);
            let line = format!("a{level}: &a{level} [{}]\n", [alias.as_str(); 10].join(", "));
            bomb += &line;
        }
        assert!(complaints(&bomb)[0].2.contains("too large"));
        assert!(complaints("a: &x [*x]\n")[0].2.contains("within"));
    }
}
