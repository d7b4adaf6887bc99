//! Scripts, read without running them: do they parse, do they name variables that exist, and do they own up to what
//! they delete or restart? What a script makes up as it runs (`eval "$x"`, `$command`) is out of sight here.

use std::collections::{BTreeMap, BTreeSet};

use bashkit::parser::{
    AssignmentValue, Command, CompoundCommand, ParameterOp, Parser, Redirect, RedirectKind, SimpleCommand, Word,
    WordPart,
};

use super::danger::{self, Effect};
use crate::yaml::{Node, Reader, did_you_mean};

/// What a step says of its scripts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Declared<'r> {
    /// Variables that the script is given.
    pub names: &'r [String],
    /// The step says what it destroys.
    pub destroys: bool,
    /// The step says that it reboots.
    pub reboots: bool,
    /// What the step has to say where this script stops the etcd member, and does not say: `stops`, or `starts` of what
    /// takes it back. It is what the quorum rule goes by.
    pub silent: Option<&'static str>,
    /// What variables hold unless they are given.
    pub defaults: &'r BTreeMap<String, String>,
}

/// Names that `sh` itself has. `HOME` is not among them: a job has none.
const SHELL_NAMES: &[&str] = &["PATH", "PWD", "OLDPWD", "IFS", "PPID", "OPTARG", "OPTIND", "LC_ALL", "_"];

/// Checks a script and notes what is wrong at its place in the document.
pub(super) fn check(reader: &mut Reader<'_>, node: &Node, declared: Declared<'_>) {
    let Some(script) = node.text() else { return };
    foreign_characters(reader, node, script);
    let mut found = Found::default();
    if let Err((line, column, message)) = found.read(script, None) {
        let offset = offset_of(script, line, column);
        reader.complain_in(node, offset, 1, format!("the shell cannot read this: {message}"));
        return;
    }
    for (offset, width, message) in found.complaints {
        reader.complain_in(node, offset, width, message);
    }
    let mut told = BTreeSet::new();
    for (name, from) in &found.used {
        let known = declared.names.iter().any(|declared| declared == name)
            || found.assigned.contains(name)
            || SHELL_NAMES.contains(&name.as_str())
            || !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !known && told.insert(name) {
            let names = declared.names.iter().map(String::as_str).chain(found.assigned.iter().map(String::as_str));
            let hint = did_you_mean(name, names);
            let message = format!("`${name}` is not a variable of the runbook, and this script does not set it{hint}");
            reader.complain_in(node, use_of(script, *from, name), name.chars().count() + 1, message);
        }
    }
    for (offset, name, effect) in found.effects {
        let width = name.chars().count();
        match effect {
            Effect::Destroys(what) if !declared.destroys => {
                let message =
                    format!("`{name}` {what}: say in `destroys` what is lost; its gate then asks for the host's name");
                reader.complain_in(node, offset, width, message);
            }
            Effect::Reboots if !declared.reboots => {
                let message = format!(
                    "`{name}` takes the host down: say `reboots: true`; its gate then asks for the host's name"
                );
                reader.complain_in(node, offset, width, message);
            }
            Effect::Destroys(_) | Effect::Reboots => {}
        }
    }
    let Some(key) = declared.silent else { return };
    let mut values = declared.defaults.clone();
    for (name, value) in found.values {
        *values.entry(name).or_default() += &format!(" {value}");
    }
    for (offset, words) in found.commands {
        if let Some(which) = danger::stops_etcd(&words, |word| danger::means_etcd(word, &values)) {
            let name = &words[which];
            let message = format!(
                "`{name}` stops the etcd member: say `{key}: etcd`, or nothing keeps this from being done while the \
                 cluster cannot do without it"
            );
            reader.complain_in(node, offset, name.chars().count(), message);
        }
    }
}

/// Text processors turn `--` into one long dash and `"` into a pair; commands then see words instead of options.
fn foreign_characters(reader: &mut Reader<'_>, node: &Node, script: &str) {
    let mut offset = 0;
    for line in script.split_inclusive('\n') {
        if !line.trim_start().starts_with('#') {
            for (at, c) in line.char_indices() {
                let what = match c {
                    '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => {
                        "dash: an option begins with `-`"
                    }
                    '\u{2018}'..='\u{201f}' => "quote: the shell knows `'` and `\"`",
                    '\u{a0}' | '\u{2007}' | '\u{202f}' => "space",
                    _ => continue,
                };
                let message = format!("U+{:04X} is not the keyboard's {what}", u32::from(c));
                reader.complain_in(node, offset + at, 1, message);
            }
        }
        offset += line.len();
    }
}

fn offset_of(script: &str, line: usize, column: usize) -> usize {
    let start: usize = script.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = script.get(start..).unwrap_or_default().lines().next().unwrap_or_default();
    start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at)
}

/// Where `$name` or `${name` stands from an offset on.
fn use_of(script: &str, from: usize, name: &str) -> usize {
    let is_whole = |end: usize| !script[end..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    ["$", "${", "${#"]
        .iter()
        .filter_map(|sigil| {
            let wanted = format!("{sigil}{name}");
            let starts = script.get(from..)?.match_indices(&wanted);
            starts.map(|(at, _)| from + at).find(|at| is_whole(at + wanted.len()))
        })
        .min()
        .unwrap_or(from)
}

/// What a script holds.
#[derive(Default)]
struct Found {
    /// Names it sets somewhere.
    assigned: BTreeSet<String>,
    /// Names it reads without a fallback, and from where on to look for them.
    used: Vec<(String, usize)>,
    /// Commands with an effect to declare: where, and the word.
    effects: Vec<(usize, String, Effect)>,
    /// Every command, with where it stands.
    commands: Vec<(usize, Vec<String>)>,
    /// What it may set names to.
    values: Vec<(String, String)>,
    /// Where, how wide, what.
    complaints: Vec<(usize, usize, String)>,
}

/// Where commands are: by their own spans, or (within a substitution or a nested script, whose spans count from
/// elsewhere) at the command around them.
type Around = Option<usize>;

impl Found {
    fn read(&mut self, script: &str, around: Around) -> Result<(), (usize, usize, String)> {
        match Parser::new(script).parse() {
            Ok(parsed) => {
                self.commands(&parsed.commands, around);
                Ok(())
            }
            Err(bashkit::Error::Parse { message, line, column }) => Err((line.max(1), column.max(1), message)),
            Err(other) => Err((1, 1, other.to_string())),
        }
    }

    fn commands(&mut self, commands: &[Command], around: Around) {
        for command in commands {
            self.command(command, around);
        }
    }

    fn command(&mut self, command: &Command, around: Around) {
        match command {
            Command::Simple(simple) => self.simple(simple, around),
            Command::Pipeline(pipeline) => self.commands(&pipeline.commands, around),
            Command::List(list) => {
                self.command(&list.first, around);
                list.rest.iter().for_each(|(_, command)| self.command(command, around));
            }
            Command::Compound(compound, redirects) => {
                let at = self.compound(compound, around);
                self.redirects(redirects, at);
            }
            Command::Function(function) => self.command(&function.body, around),
        }
    }

    /// Returns the place to look for its redirects from.
    fn compound(&mut self, compound: &CompoundCommand, around: Around) -> usize {
        match compound {
            CompoundCommand::If(it) => {
                self.commands(&it.condition, around);
                self.commands(&it.then_branch, around);
                for (condition, branch) in &it.elif_branches {
                    self.commands(condition, around);
                    self.commands(branch, around);
                }
                self.commands(it.else_branch.as_deref().unwrap_or_default(), around);
                around.unwrap_or(it.span.start.offset)
            }
            CompoundCommand::For(it) => {
                let at = around.unwrap_or(it.span.start.offset);
                self.assigned.insert(it.variable.clone());
                let values = it.words.iter().flatten().map(ToString::to_string);
                self.values.extend(values.map(|value| (it.variable.clone(), value)));
                self.words(it.words.as_deref().unwrap_or_default(), at);
                self.commands(&it.body, around);
                at
            }
            CompoundCommand::While(it) => {
                self.commands(&it.condition, around);
                self.commands(&it.body, around);
                around.unwrap_or(it.span.start.offset)
            }
            CompoundCommand::Until(it) => {
                self.commands(&it.condition, around);
                self.commands(&it.body, around);
                around.unwrap_or(it.span.start.offset)
            }
            CompoundCommand::Case(it) => {
                let at = around.unwrap_or(it.span.start.offset);
                self.word(&it.word, at);
                for case in &it.cases {
                    self.words(&case.patterns, at);
                    self.commands(&case.commands, around);
                }
                at
            }
            CompoundCommand::Subshell(commands) | CompoundCommand::BraceGroup(commands) => {
                self.commands(commands, around);
                around.unwrap_or_default()
            }
            CompoundCommand::Time(it) => {
                it.command.iter().for_each(|command| self.command(command, around));
                around.unwrap_or(it.span.start.offset)
            }
            CompoundCommand::ArithmeticFor(it) => {
                let at = around.unwrap_or(it.span.start.offset);
                self.not_sh(at, 3, "for ((...))");
                self.commands(&it.body, around);
                at
            }
            CompoundCommand::Select(it) => {
                let at = around.unwrap_or(it.span.start.offset);
                self.not_sh(at, 6, "select");
                at
            }
            CompoundCommand::Coproc(it) => {
                let at = around.unwrap_or(it.span.start.offset);
                self.not_sh(at, 6, "coproc");
                at
            }
            // These come without a place of their own.
            CompoundCommand::Arithmetic(_) => {
                self.not_sh(around.unwrap_or_default(), 1, "((...))");
                around.unwrap_or_default()
            }
            CompoundCommand::Conditional(words) => {
                let at = around.unwrap_or_default();
                self.not_sh(at, 1, "[[ ... ]]");
                self.words(words, at);
                at
            }
        }
    }

    fn simple(&mut self, simple: &SimpleCommand, around: Around) {
        let at = around.unwrap_or(simple.span.start.offset);
        for assignment in &simple.assignments {
            self.assigned.insert(assignment.name.clone());
            match &assignment.value {
                AssignmentValue::Scalar(word) => {
                    self.values.push((assignment.name.clone(), word.to_string()));
                    self.word(word, at);
                }
                AssignmentValue::Array(words) => {
                    self.not_sh(at, assignment.name.len(), "name=(...)");
                    self.words(words, at);
                }
            }
        }
        self.word(&simple.name, at);
        self.words(&simple.args, at);
        self.redirects(&simple.redirects, at);

        let parts: Vec<&Word> = std::iter::once(&simple.name).chain(&simple.args).collect();
        let words: Vec<String> = parts.iter().map(ToString::to_string).collect();
        self.names_set_by(&words);
        match words[0].as_str() {
            "source" => self.not_sh(at, 6, "source (it is `.`)"),
            "[" | "test" if words.iter().any(|word| word == "==") => self.not_sh(at, words[0].len(), "== (it is `=`)"),
            _ => {}
        }
        let glob = parts.iter().any(|word| word.has_unquoted_glob || is_pattern(word));
        if let Some((which, effect)) = danger::effect(&words, glob) {
            self.effects.push((at, words[which].clone(), effect));
        }
        if let Some(script) = danger::script_argument(&words).and_then(|which| parts.get(which))
            && let [WordPart::Literal(text)] = script.parts.as_slice()
        {
            // One that does not parse alone may be made whole by what follows it; it is not for us to say.
            _ = self.read(text, Some(at));
        }
        self.commands.push((at, words));
    }

    /// Names that a builtin sets: `read a b`, `export a=1`, `local a`, `getopts x name`.
    fn names_set_by(&mut self, words: &[String]) {
        let skip = match words[0].as_str() {
            "read" | "export" | "readonly" | "local" => 1,
            "getopts" => 2,
            _ => return,
        };
        let names = words.iter().skip(skip).filter(|word| !word.starts_with('-'));
        // `export PATH` sets nothing, and does no harm here: it reads nothing either.
        self.assigned.extend(names.map(|word| word.split('=').next().unwrap_or_default().to_owned()));
    }

    fn redirects(&mut self, redirects: &[Redirect], at: usize) {
        for redirect in redirects {
            match redirect.kind {
                RedirectKind::OutputBoth => self.not_sh(at, 1, "&>"),
                RedirectKind::HereString => self.not_sh(at, 1, "<<<"),
                RedirectKind::Output
                | RedirectKind::Clobber
                | RedirectKind::Append
                | RedirectKind::Input
                | RedirectKind::HereDoc
                | RedirectKind::HereDocStrip
                | RedirectKind::DupOutput
                | RedirectKind::DupInput
                | RedirectKind::ReadWrite => {}
            }
            self.word(&redirect.target, at);
        }
    }

    fn words(&mut self, words: &[Word], at: usize) {
        for word in words {
            self.word(word, at);
        }
    }

    fn word(&mut self, word: &Word, at: usize) {
        for part in &word.parts {
            match part {
                WordPart::Literal(_) | WordPart::BadSubstitution(_) => {}
                WordPart::Variable(name) | WordPart::Length(name) => self.used.push((name.clone(), at)),
                WordPart::CommandSubstitution(commands) => self.commands(commands, Some(at)),
                WordPart::ArithmeticExpansion(text) => self.arithmetic(text, at),
                WordPart::ParameterExpansion { name, operator, operand, .. } => {
                    match operator {
                        // With a fallback, or asking whether it is set, it need not be.
                        ParameterOp::UseDefault | ParameterOp::UseReplacement | ParameterOp::Error => {}
                        ParameterOp::AssignDefault => _ = self.assigned.insert(name.clone()),
                        ParameterOp::RemovePrefixShort
                        | ParameterOp::RemovePrefixLong
                        | ParameterOp::RemoveSuffixShort
                        | ParameterOp::RemoveSuffixLong => self.used.push((name.clone(), at)),
                        _ => {
                            self.used.push((name.clone(), at));
                            self.not_sh(at, 1, "${name/...}, ${name^} and the like");
                        }
                    }
                    self.word(&Parser::parse_word_string(operand), at);
                }
                WordPart::ProcessSubstitution { commands, .. } => {
                    self.not_sh(at, 1, "<(...)");
                    self.commands(commands, Some(at));
                }
                WordPart::Substring { .. }
                | WordPart::ArrayAccess { .. }
                | WordPart::ArrayLength(_)
                | WordPart::ArrayIndices { .. }
                | WordPart::IndirectExpansion { .. }
                | WordPart::IndirectSuffix { .. }
                | WordPart::PrefixMatch { .. }
                | WordPart::Transformation { .. }
                | WordPart::CompoundAssignment { .. } => self.not_sh(at, 1, "arrays, ${name:0:1} and ${!name}"),
            }
        }
    }

    /// In `$((a + $b))` a bare word is a variable too.
    fn arithmetic(&mut self, text: &str, at: usize) {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        for name in text.split(|c| !word(c)).filter(|name| name.starts_with(|c: char| !c.is_ascii_digit())) {
            self.used.push((name.to_owned(), at));
        }
    }

    fn not_sh(&mut self, at: usize, width: usize, what: &str) {
        let message =
            format!("plain `sh` does not know {what}: scripts run with `sh -eu`, which is not bash on every host");
        self.complaints.push((at, width, message));
    }
}

/// An unquoted `*` or `?` in a word without a quoted part.
fn is_pattern(word: &Word) -> bool {
    !word.quoted && word.parts.iter().any(|part| matches!(part, WordPart::Literal(text) if text.contains(['*', '?'])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Document, parse};

    fn complaints(script: &str, destroys: bool, reboots: bool) -> Vec<(usize, usize, String)> {
        let document = Document::new("f", format!("x: |\n  {}\n", script.replace('\n', "\n  ")));
        let tree = parse(&document).unwrap();
        let names = ["host", "target", "etcd_unit"].map(str::to_owned);
        let mut reader = Reader::new(&document);
        let declared = Declared { names: &names, destroys, reboots, silent: None, defaults: &BTreeMap::new() };
        check(&mut reader, tree.get("x").unwrap(), declared);
        reader
            .problems
            .0
            .into_iter()
            .map(|p| p.place.map(|at| (at.line - 1, at.column - 2, p.message)).unwrap())
            .collect()
    }

    #[test]
    fn sound_scripts_pass() {
        for sound in [
            "systemctl stop \"$etcd_unit\"",
            "stamp=$(date +%s)\nfor f in a b; do test -e \"$f\" || echo \"${x:-none} $stamp $((1 + stamp)) $?\"; done",
            "while read -r a b; do echo \"$a$b\"; done <<EOF\n$target\nEOF",
            "f() { local y=1; echo \"$y$1$#\"; }\nf x",
            "# an en dash – in a comment\ntrue",
            "eval \"$target\"",
            "export ETCDCTL_API=3\ntimeout 20 etcdctl endpoint health",
            "case $target in 3.*) : ;; *) exit 1 ;; esac",
            "trap 'rm -f \"$tmp\"' EXIT\ntmp=$(mktemp)",
        ] {
            assert_eq!(complaints(sound, false, false), [], "{sound}");
        }
    }

    #[test]
    fn each_mistake_is_found_at_its_place() {
        for (wrong, line, column, word) in [
            ("echo one\necho \"$tagret\"", 2, 7, "`target`"),
            ("echo \"$(cat \"/x/$nme\")\"", 1, 17, "$nme"),
            ("echo $((count + 1))", 1, 1, "$count"),
            ("if true; then\n  rm -rf /var/lib/etcd\nfi", 2, 3, "destroys"),
            ("rm -f /var/lib/etcd/*", 1, 1, "destroys"),
            ("echo $(timeout 5 etcdctl member remove abc)", 1, 1, "destroys"),
            ("timeout 5 sh -c 'rm -r /x'", 1, 1, "destroys"),
            ("systemctl reboot", 1, 1, "reboots"),
            ("if true; then\n  echo", 2, 7, "cannot read"),
            ("etcdctl backup –data-dir x", 1, 16, "U+2013"),
            ("echo “x”", 1, 6, "U+201C"),
            ("x=(1 2)", 1, 1, "plain `sh`"),
            ("true\n[ \"$target\" == x ]", 2, 1, "plain `sh`"),
        ] {
            let found = complaints(wrong, false, false);
            assert!(
                found.iter().any(|(l, c, message)| (*l, *c) == (line, column) && message.contains(word)),
                "{wrong}: {found:?}"
            );
        }
        assert_eq!(complaints("rm -rf /x\nreboot", true, true), []);
        assert_eq!(complaints("rm -rf /x\nreboot", true, false).len(), 1);
        assert_eq!(complaints("rm -rf /x\nreboot", false, true).len(), 1);
    }
}
