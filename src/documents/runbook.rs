//! The runbook: stages of guarded steps, in shell and CEL, read and checked as far as it goes without a host.

use std::collections::BTreeMap;
use std::time::Duration;

use indexmap::IndexMap;

use super::expression::{self, Surroundings};
use super::inventory::{role_words, variable_name};
use super::script::{self, Declared};
use super::template::{Piece, pieces};
use super::{BUILT_IN_VARS, Source, stopped};
use crate::model::runbook::{
    Check, Component, Confirm, Convert, Each, Expression, Fetch, Order, ProbeSpec, Push, Runbook, Span, Stage, Step,
    Timeout, VarForm, VarSpec,
};
use crate::yaml::{Data, Fields, Node, Problems, Reader, did_you_mean, parse};

/// Reads a runbook and checks it: its form, its expressions, and its scripts as far as reading them tells.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub fn read_runbook(source: &Source) -> Result<Runbook, Problems> {
    let root = parse(&source.document)?;
    let mut reader = Reader::new(&source.document);
    let runbook = runbook(&mut reader, &root);
    reader.problems.or(runbook)
}

/// What the parts of a runbook know of the whole.
struct Whole {
    /// Names of all variables that scripts see.
    names: Vec<String>,
    /// Names of the declared ones, which is what checks see.
    vars: Vec<String>,
    /// Those of them that hold a length of time.
    durations: Vec<String>,
    probe: ProbeSpec,
}

impl Whole {
    /// The same with one more variable.
    fn with(&self, name: &str) -> Self {
        let and = |names: &[String]| names.iter().cloned().chain([name.to_owned()]).collect();
        Self {
            names: and(&self.names),
            vars: and(&self.vars),
            durations: self.durations.clone(),
            probe: self.probe.clone(),
        }
    }
}

fn runbook(reader: &mut Reader<'_>, root: &Node) -> Option<Runbook> {
    let keys = ["runbook", "title", "about", "vars", "practice", "probe", "stages", "promise"];
    let fields = reader.fields(root, "a runbook", &keys)?;
    let name = reader.required(fields, "the runbook", "runbook").and_then(|node| name(reader, node, "runbook"));
    let title = reader.required(fields, "the runbook", "title").and_then(|node| line(reader, node, "title"));
    let about = text(reader, fields, "about").unwrap_or_default();
    let vars = fields.get("vars").map(|node| vars(reader, node)).unwrap_or_default();
    let declared: Vec<String> = vars.keys().cloned().collect();
    let practice = fields.get("practice").map(|node| practice(reader, node, &declared)).unwrap_or_default();
    let names: Vec<String> = declared.iter().cloned().chain(BUILT_IN_VARS.map(str::to_owned)).collect();
    let probe = fields.get("probe").and_then(|node| probe(reader, node, &names)).unwrap_or_default();
    let held = vars.iter().filter(|(_, spec)| spec.form == Some(VarForm::Duration));
    let durations = held.map(|(name, _)| name.clone()).collect();
    let whole = Whole { names, vars: declared, durations, probe };

    let mut stages: Vec<Stage> = Vec::new();
    if let Some(list) = reader.required(fields, "the runbook", "stages") {
        for node in reader.list(list, "stages") {
            let Some(stage) = stage(reader, node, &whole) else { continue };
            if stages.iter().any(|other| other.name == stage.name) {
                let at = node.get("stage").unwrap_or(node);
                reader.complain(at, format!("there is a stage `{}` already: names are unique", stage.name));
            }
            stages.push(stage);
        }
        if matches!(&list.data, Data::Seq(items) if items.is_empty()) {
            reader.complain(list, "a runbook has at least one stage");
        }
        stopped::check(reader, list);
    }
    let without = [("host", "a promise is about all hosts; use `hosts`"), ("config", "a promise pushes nothing")];
    let promise =
        fields.get("promise").map(|node| checks(reader, node, "promise", &whole, &without)).unwrap_or_default();
    Some(Runbook { name: name?, title: title?, about, vars, practice, probe: whole.probe, stages, promise })
}

/// Clusters to practise on, with the values of variables there.
fn practice(reader: &mut Reader<'_>, node: &Node, declared: &[String]) -> IndexMap<String, IndexMap<String, String>> {
    let mut clusters = IndexMap::new();
    for (cluster, values) in reader.entries(node, "practice") {
        let mut given = IndexMap::new();
        for (name, value) in reader.entries(values, "the values of a practice cluster") {
            let Some(word) = reader.text(name, "a variable's name") else { continue };
            if !declared.contains(&word) {
                let hint = did_you_mean(&word, declared.iter().map(String::as_str));
                reader.complain(name, format!("the runbook declares no variable `{word}`{hint}"));
            }
            given.extend(reader.text(value, &word).map(|value| (word, value)));
        }
        clusters.extend(reader.text(cluster, "a practice cluster").map(|cluster| (cluster, given)));
    }
    clusters
}

fn vars(reader: &mut Reader<'_>, node: &Node) -> IndexMap<String, VarSpec> {
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
    let fields = reader.fields(node, "a variable", &["about", "required", "default", "one_of", "form"])?;
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
    // An empty default is a value like any other, but has to be written as one: ''.
    let default = fields.get("default").and_then(|node| reader.text(node, "default"));
    let spec = VarSpec { about: about.unwrap_or_default(), required, default, one_of, form };
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

/// Whether a variable may have a value; if not, what it may be.
pub(super) fn fits(spec: &VarSpec, value: &str) -> Result<(), String> {
    if !spec.one_of.is_empty() && !spec.one_of.iter().any(|allowed| allowed == value) {
        let near = did_you_mean(value, spec.one_of.iter().map(String::as_str));
        let hint = if near.is_empty() { format!("; it is one of: {}", spec.one_of.join(", ")) } else { near };
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

const PROBE_KEYS: [&str; 10] =
    ["units", "paths", "journal", "lines", "packages", "programs", "containers", "certs", "pods", "devices"];

fn probe(reader: &mut Reader<'_>, node: &Node, names: &[String]) -> Option<ProbeSpec> {
    let fields = reader.fields(node, "`probe`", &PROBE_KEYS)?;
    let mut spec = ProbeSpec::default();
    for node in fields.get("units").map(|node| reader.list(node, "units")).unwrap_or_default() {
        spec.units.extend(unit(reader, node, names));
    }
    for node in fields.get("paths").map(|node| reader.list(node, "paths")).unwrap_or_default() {
        spec.paths.extend(path(reader, node, "paths", names));
    }
    for (key, value) in fields.get("journal").map(|node| reader.entries(node, "journal")).unwrap_or_default() {
        if let Some(unit) = unit(reader, key, names) {
            spec.journal.insert(unit, reader.texts(value, "journal"));
        }
    }
    for (key, value) in fields.get("lines").map(|node| reader.entries(node, "lines")).unwrap_or_default() {
        if let Some(path) = path(reader, key, "lines", names) {
            spec.lines.insert(path, reader.texts(value, "lines"));
        }
    }
    for node in fields.get("certs").map(|node| reader.list(node, "certs")).unwrap_or_default() {
        spec.certs.extend(path(reader, node, "certs", names));
    }
    for node in fields.get("programs").map(|node| reader.list(node, "programs")).unwrap_or_default() {
        let words = ProbeSpec::PROGRAMS.map(|program| (program, program));
        spec.programs.extend(reader.word(node, "programs", &words).map(str::to_owned));
    }
    let words = |reader: &mut Reader<'_>, key: &'static str| -> Vec<String> {
        let nodes = fields.get(key).map(|node| reader.list(node, key)).unwrap_or_default();
        nodes.iter().filter_map(|node| template(reader, node, key, names)).collect()
    };
    spec.packages = words(reader, "packages");
    spec.containers = words(reader, "containers");
    spec.pods = boolean(reader, fields, "pods");
    spec.devices = boolean(reader, fields, "devices");
    Some(spec)
}

fn unit(reader: &mut Reader<'_>, node: &Node, names: &[String]) -> Option<String> {
    let unit = template(reader, node, "units", names)?;
    let suffix = unit.rsplit_once('.').map(|(_, suffix)| suffix);
    let known =
        ["service", "socket", "target", "timer", "mount", "path", "slice", "scope", "automount", "swap", "device"];
    if !unit.contains('$') && !suffix.is_some_and(|suffix| known.contains(&suffix)) {
        reader.complain(node, format!("a unit has its full name here: `{unit}.service`?"));
    }
    Some(unit)
}

/// A path on a host: absolute, or made so by a variable.
fn path(reader: &mut Reader<'_>, node: &Node, what: &str, names: &[String]) -> Option<String> {
    let path = template(reader, node, what, names)?;
    if !path.starts_with(['/', '$']) {
        reader.complain(node, format!("a path on a host begins with `/`, and `{path}` does not"));
    }
    Some(path)
}

/// A text that may hold `$variable`.
fn template(reader: &mut Reader<'_>, node: &Node, what: &str, names: &[String]) -> Option<String> {
    let text = reader.text(node, what)?;
    for piece in pieces(&text) {
        if let Piece::Variable(name, at) = piece
            && !names.iter().any(|known| known == name)
        {
            let hint = did_you_mean(name, names.iter().map(String::as_str));
            let message = format!("the runbook declares no variable `{name}`{hint}");
            reader.complain_in(node, at, name.chars().count() + 1, message);
        }
    }
    Some(text)
}

fn stage(reader: &mut Reader<'_>, node: &Node, whole: &Whole) -> Option<Stage> {
    let fields =
        reader.fields(node, "a stage", &["stage", "title", "each", "hosts", "order", "leader-last", "steps"])?;
    let name = reader.required(fields, "this stage", "stage").and_then(|node| name(reader, node, "stage"));
    let title = reader.required(fields, "this stage", "title").and_then(|node| line(reader, node, "title"));
    let each = fields.get("each").and_then(|node| each(reader, node, whole));
    let repeated = each.as_ref().map(|each| whole.with(&each.name));
    let whole = repeated.as_ref().unwrap_or(whole);
    let mut hosts = Vec::new();
    if let Some(roles) = reader.required(fields, "this stage", "hosts") {
        for role in reader.one_or_more(roles) {
            hosts.extend(reader.word(role, "hosts", &role_words()));
        }
    }
    let order = fields.get("order").and_then(|node| order(reader, node)).unwrap_or_default();
    let leader_last = boolean(reader, fields, "leader-last");
    if leader_last && order == Order::AllAtOnce {
        let at = fields.get("leader-last").unwrap_or(node);
        reader.complain(at, "there is no last one where all go at once: leave this out, or go one-at-a-time");
    }
    let mut steps: Vec<Step> = Vec::new();
    if let Some(list) = reader.required(fields, "this stage", "steps") {
        for node in reader.list(list, "steps") {
            let Some(step) = step(reader, node, whole) else { continue };
            if steps.iter().any(|other| other.name == step.name) {
                let at = node.get("step").unwrap_or(node);
                reader.complain(at, format!("this stage has a step `{}` already: names are unique", step.name));
            }
            steps.push(step);
        }
        if matches!(&list.data, Data::Seq(items) if items.is_empty()) {
            reader.complain(list, "a stage has at least one step");
        }
    }
    Some(Stage { name: name?, title: title?, each, vars: BTreeMap::new(), hosts, order, leader_last, steps })
}

/// `each: {word: variable}`.
fn each(reader: &mut Reader<'_>, node: &Node, whole: &Whole) -> Option<Each> {
    let [(key, value)] = reader.entries(node, "each") else {
        reader.complain(node, "a stage is repeated over one variable: `each: {version: versions}`");
        return None;
    };
    if !variable_name(reader, key) {
        return None;
    }
    let (name, of) = (reader.text(key, "each")?, reader.text(value, "each")?);
    if whole.names.contains(&name) {
        reader.complain(key, format!("there is a variable `{name}` already"));
    }
    if !whole.vars.contains(&of) {
        let hint = did_you_mean(&of, whole.vars.iter().map(String::as_str));
        reader.complain(value, format!("the runbook declares no variable `{of}`{hint}"));
    }
    Some(Each { name, of })
}

fn order(reader: &mut Reader<'_>, node: &Node) -> Option<Order> {
    let text = reader.text(node, "order")?;
    if let Some(share) = text.strip_prefix("batch") {
        let percent = share.trim().strip_suffix('%').and_then(|number| number.parse::<u8>().ok());
        if let Some(percent @ 1..=100) = percent {
            return Some(Order::Batch(percent));
        }
        reader.complain(node, format!("`{text}` is not a batch: write `batch 25%`"));
        return None;
    }
    let words =
        [("one-at-a-time", Order::OneAtATime), ("all-at-once", Order::AllAtOnce), ("batch 25%", Order::Batch(25))];
    reader.word(node, "order", &words)
}

const STEP_KEYS: [&str; 21] = [
    "step",
    "title",
    "why",
    "require",
    "confirm",
    "push",
    "run",
    "hands",
    "reboots",
    "fetch",
    "verify",
    "undo",
    "destroys",
    "point_of_no_return",
    "on",
    "timeout",
    "only_if",
    "repeatable",
    "if_ended",
    "stops",
    "starts",
];

fn step(reader: &mut Reader<'_>, node: &Node, whole: &Whole) -> Option<Step> {
    let fields = reader.fields(node, "a step", &STEP_KEYS)?;
    let name = reader.required(fields, "this step", "step").and_then(|node| name(reader, node, "step"));
    let title = reader.required(fields, "this step", "title").and_then(|node| line(reader, node, "title"));
    let reboots = boolean(reader, fields, "reboots");
    let destroys = in_words(reader, fields, "destroys");
    let point_of_no_return = in_words(reader, fields, "point_of_no_return");
    let declared = Declared { names: &whole.names, destroys: destroys.is_some(), reboots };

    let mut push = Vec::new();
    for node in fields.get("push").map(|node| reader.one_or_more(node)).unwrap_or_default() {
        push.extend(push_item(reader, node, &whole.names));
    }
    let mut fetch = Vec::new();
    for node in fields.get("fetch").map(|node| reader.one_or_more(node)).unwrap_or_default() {
        fetch.extend(fetch_item(reader, node, &whole.names));
    }
    let converted = push.iter().any(|push| push.convert != Convert::None);
    let without: &[_] = if converted { &[] } else { &[("config", "this step pushes no converted config")] };
    let check_list = |reader: &mut Reader<'_>, key: &str| {
        fields.get(key).map(|node| checks(reader, node, key, whole, without)).unwrap_or_default()
    };
    let require = check_list(reader, "require");
    let verify = check_list(reader, "verify");
    let only_if = fields.get("only_if").and_then(|node| condition(reader, node, "only_if", whole, without));
    let script = |reader: &mut Reader<'_>, key: &str| {
        let node = fields.get(key)?;
        let text = reader.script(node, key)?;
        script::check(reader, node, declared);
        Some(text)
    };
    let run = script(reader, "run");
    let undo = script(reader, "undo");
    let hands = text(reader, fields, "hands");
    let on = fields.get("on").and_then(|node| reader.word(node, "on", &role_words()));
    let timeout = fields.get("timeout").and_then(|node| timeout(reader, node, whole));
    let repeatable = boolean(reader, fields, "repeatable");
    let components = |reader: &mut Reader<'_>, key: &'static str| -> Vec<Component> {
        let nodes = fields.get(key).map(|node| reader.one_or_more(node)).unwrap_or_default();
        let words = Component::ALL.map(|component| (component.word(), component));
        nodes.iter().filter_map(|node| reader.word(node, key, &words)).collect()
    };
    let stops = components(reader, "stops");
    let starts = components(reader, "starts");

    let grave = destroys.is_some() || reboots;
    let given = fields.get("confirm").and_then(|node| Some((node, confirm(reader, node)?)));
    if let Some((node, Confirm::None | Confirm::Enter)) = &given
        && grave
    {
        let what = if reboots { "reboots" } else { "destroys" };
        reader.complain(
            node,
            format!("a step that {what} is confirmed with the typed host name at least: `confirm: host`"),
        );
    }
    if let Some((node, Confirm::None)) = &given
        && point_of_no_return.is_some()
    {
        reader.complain(node, "a point of no return is not passed by itself: ask for `enter`, `host` or a phrase");
    }
    let confirm = match given {
        Some((_, confirm)) => confirm,
        None if grave => Confirm::Host,
        None => Confirm::Enter,
    };
    let step = Step {
        name: name?,
        title: title?,
        why: text(reader, fields, "why").unwrap_or_default(),
        require,
        confirm,
        push,
        run,
        hands,
        reboots,
        fetch,
        verify,
        undo,
        destroys,
        point_of_no_return,
        on,
        timeout,
        only_if,
        repeatable,
        if_ended: in_words(reader, fields, "if_ended"),
        stops,
        starts,
    };
    contradictions(reader, node, &step);
    Some(step)
}

/// What does not go together within a step.
fn contradictions(reader: &mut Reader<'_>, node: &Node, step: &Step) {
    let at = |key: &str| node.get(key).unwrap_or(node);
    if !step.changes() && step.require.is_empty() && step.verify.is_empty() && step.fetch.is_empty() {
        reader.complain(
            at("step"),
            "this step does nothing: it has no `run`, `hands`, `push`, `fetch`, `require` or `verify`",
        );
    }
    if !step.changes() && step.undo.is_some() {
        reader.complain(at("undo"), "there is nothing to take back: this step changes nothing");
    }
    if step.reboots && step.run.is_none() && step.hands.is_none() {
        reader.complain(at("reboots"), "who restarts the host? There is neither `run` nor `hands`");
    }
    if step.if_ended.is_some() && step.stays_if_ended().is_none() {
        reader.complain(
            at("if_ended"),
            "only a script that is `repeatable` and does not reboot may be ended half-way: this one is not",
        );
    }
    for key in ["stops", "starts"] {
        if !step.changes() && node.get(key).is_some() {
            reader.complain(at(key), format!("`{key}` is about what a step does, and this step changes nothing"));
        }
    }
    for (key, alone) in [("timeout", step.run.is_none() && step.undo.is_none()), ("on", step.run.is_none())] {
        if alone && node.get(key).is_some() {
            reader.complain(at(key), format!("`{key}` is about a script, and this step has none"));
        }
    }
}

fn confirm(reader: &mut Reader<'_>, node: &Node) -> Option<Confirm> {
    if matches!(node.data, Data::Map(_)) {
        let fields = reader.fields(node, "`confirm`", &["phrase"])?;
        let phrase = reader.required(fields, "`confirm`", "phrase").and_then(|node| reader.text(node, "phrase"))?;
        return Some(Confirm::Phrase(phrase));
    }
    let words = [("none", 0), ("enter", 1), ("host", 2), ("phrase: WORDS", 3)];
    match reader.word(node, "confirm", &words)? {
        0 => Some(Confirm::None),
        1 => Some(Confirm::Enter),
        2 => Some(Confirm::Host),
        _ => None,
    }
}

fn push_item(reader: &mut Reader<'_>, node: &Node, names: &[String]) -> Option<Push> {
    let fields = reader.fields(node, "a push", &["path", "from", "convert", "mode"])?;
    let target = reader.required(fields, "this push", "path").and_then(|node| path(reader, node, "path", names));
    let from = reader.required(fields, "this push", "from").and_then(|node| template(reader, node, "from", names));
    let converts = [("none", Convert::None), ("ignition", Convert::Ignition), ("etcd-drop-in", Convert::EtcdDropIn)];
    let convert = fields.get("convert").and_then(|node| reader.word(node, "convert", &converts)).unwrap_or_default();
    let mode = fields.get("mode").and_then(|node| {
        let mode = reader.text(node, "mode")?;
        let octal = (3..=4).contains(&mode.len()) && mode.chars().all(|c| c.is_digit(8));
        if !octal {
            reader.complain(node, format!("`{mode}` is not a mode: three or four octal digits, such as 0644"));
        }
        octal.then_some(mode)
    });
    Some(Push { path: target?, from: from?, convert, mode: mode.unwrap_or_else(|| "0644".into()) })
}

fn fetch_item(reader: &mut Reader<'_>, node: &Node, names: &[String]) -> Option<Fetch> {
    let fields = reader.fields(node, "a fetch", &["path", "name"])?;
    let path = reader.required(fields, "this fetch", "path").and_then(|node| path(reader, node, "path", names));
    let name = reader.required(fields, "this fetch", "name").and_then(|node| {
        let name = template(reader, node, "name", names)?;
        if name.contains('/') || name.starts_with('.') {
            reader.complain(node, "the name of an artifact is a plain file name, without a directory or a leading dot");
        }
        Some(name)
    });
    Some(Fetch { path: path?, name: name? })
}

fn checks(
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
            reader.complain(node, "what is required must hold at once; `within` is for `verify`");
        }
        if let (Some(that), Some(because)) = (that, because) {
            checks.push(Check { says, that, because, within });
        }
    }
    checks
}

fn condition(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &str,
    whole: &Whole,
    without: &[(&'static str, &'static str)],
) -> Option<Expression> {
    let text = reader.text(node, what)?;
    expression::check(reader, node, Surroundings { vars: &whole.vars, probe: &whole.probe, without });
    Some(Expression(text))
}

/// `5m`, or `$drain_timeout + 1m`.
fn timeout(reader: &mut Reader<'_>, node: &Node, whole: &Whole) -> Option<Timeout> {
    let timeout = Timeout(reader.text(node, "timeout")?);
    let wrong = |part: &str| match part.strip_prefix('$') {
        Some(name) if whole.durations.iter().any(|known| known == name) => None,
        Some(name) => {
            let hint = did_you_mean(name, whole.durations.iter().map(String::as_str));
            Some(format!("`{name}` is not a variable with `form: duration`, which a timeout can be made of{hint}"))
        }
        None => Span::try_from(part.to_owned()).err(),
    };
    let wrong: Vec<String> = timeout.parts().filter_map(wrong).collect();
    let fits = wrong.is_empty();
    wrong.into_iter().for_each(|message| reader.complain(node, message));
    fits.then_some(timeout)
}

fn span(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Span> {
    match Span::try_from(reader.text(node, what)?) {
        Ok(span) => Some(span),
        Err(wrong) => {
            reader.complain(node, wrong);
            None
        }
    }
}

/// A name of the runbook's own: it stands in commands, in file names and beside others in lists.
fn name(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<String> {
    let name = reader.text(node, what)?;
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !fits {
        reader.complain(node, format!("`{name}` cannot be a name: small letters, digits and `-`, a letter first"));
    }
    Some(name)
}

/// A text of one line.
fn line(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<String> {
    let text = reader.text(node, what)?;
    if text.contains('\n') {
        reader.complain(node, format!("`{what}` is one line"));
    }
    Some(text)
}

fn text(reader: &mut Reader<'_>, fields: Fields<'_>, key: &str) -> Option<String> {
    fields.get(key).and_then(|node| reader.text(node, key))
}

/// A text for the operator, where a mere yes would tell nothing.
fn in_words(reader: &mut Reader<'_>, fields: Fields<'_>, key: &str) -> Option<String> {
    let text = text(reader, fields, key)?;
    if ["yes", "no", "true", "false"].contains(&text.to_lowercase().as_str()) {
        reader
            .complain(fields.get(key)?, format!("`{key}` is told to the operator in words: say what, or leave it out"));
    }
    Some(text)
}

fn boolean(reader: &mut Reader<'_>, fields: Fields<'_>, key: &str) -> bool {
    fields.get(key).and_then(|node| reader.boolean(node, key)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn read(text: &str) -> Result<Runbook, Problems> {
        read_runbook(&Source::file(Path::new("r.yaml"), text))
    }

    const SOUND: &str = "runbook: r\ntitle: R\nstages:\n  - stage: s\n    title: S\n    hosts: [etcd, worker]\n    order: batch 25%\n    leader-last: true\n    steps:\n      - step: a\n        title: A\n        run: reboot\n        reboots: true\n        timeout: 90s\n";

    #[test]
    fn a_sound_runbook_becomes_what_it_says() {
        let runbook = read(SOUND).unwrap();
        let stage = &runbook.stages[0];
        assert_eq!((stage.order, stage.leader_last, stage.hosts.len()), (Order::Batch(25), true, 2));
        let step = &stage.steps[0];
        assert_eq!(step.confirm, Confirm::Host, "what reboots asks for the host's name unless more is asked");
        assert_eq!(step.timeout(&BTreeMap::new()).as_secs(), 90);
        // Written to a journal and read from it, it is the same.
        let json = serde_json::to_string(&runbook).unwrap();
        assert_eq!(serde_json::from_str::<Runbook>(&json).unwrap(), runbook);
    }

    #[test]
    fn a_timeout_is_made_of_lengths_of_time_and_variables_that_hold_one() {
        let of = |timeout: &str, form: &str| {
            let vars = format!("vars:\n  wait: {{about: w, default: 10m{form}}}\nstages:");
            read(&SOUND.replace("stages:", &vars).replace("timeout: 90s", &format!("timeout: {timeout}")))
        };
        let form = ", form: duration";
        for (timeout, form, fine) in [
            ("$wait + 1m", form, true),
            ("1h30m", form, true),
            ("$wait + 1m", "", false),
            ("$wiat", form, false),
            ("$wait + soon", form, false),
            ("$wait +", form, false),
        ] {
            assert_eq!(of(timeout, form).is_ok(), fine, "{timeout}{form}: {:?}", of(timeout, form).err());
        }
        for (value, fine) in [("90s", true), ("1h30m", true), ("0s", false), ("soon", false), ("-1m", false)] {
            let spec = VarSpec { form: Some(VarForm::Duration), ..VarSpec::default() };
            assert_eq!(fits(&spec, value).is_ok(), fine, "{value}");
        }
    }

    #[test]
    fn only_what_may_run_again_and_does_not_reboot_may_be_ended() {
        let step = |more: &str| {
            let text =
                SOUND.replace("        run: reboot\n        reboots: true\n", &format!("        run: sleep 9\n{more}"));
            read(&text)
        };
        let ended = "        if_ended: what was moved stays moved\n";
        let sound = step(&format!("        repeatable: true\n{ended}")).unwrap();
        assert_eq!(sound.stages[0].steps[0].stays_if_ended(), Some("what was moved stays moved"));
        assert!(step(ended).is_err(), "it may not simply be run again");
        assert!(step("        repeatable: true\n        if_ended: yes\n").is_err(), "that tells the operator nothing");
        assert!(read(&format!("{SOUND}        repeatable: true\n{ended}")).is_err(), "it reboots");
    }

    #[test]
    fn what_is_grave_is_not_confirmed_with_less_than_the_name() {
        for (line, fine) in [
            ("confirm: none", false),
            ("confirm: enter", false),
            ("confirm: host", true),
            ("confirm: {phrase: I know}", true),
        ] {
            let text = format!("{SOUND}        {line}\n");
            assert_eq!(read(&text).is_ok(), fine, "{line}");
        }
    }

    /// Every problem of a file full of them, at its place, in one go.
    #[test]
    fn all_problems_are_told_at_once() {
        let text = r#"runbook: Bad Name
title: A runbook with a problem in every line that could have one
vars:
  target: {about: version, requierd: true, form: version}
  PATH: {about: no, default: x}
  level: {about: pick, default: hihg, one_of: [high, low]}
probe:
  units: [etcd]
stages:
  - stage: one
    title: One
    hosts: [etcd, controlplane]
    order: one-by-one
    steps:
      - step: stop
        title: Stop
        confirm: none
        destroys: yes
        require:
          - that: etcd.members.all(m, m.healty)
            because: all must be well
            within: 90
          - that: host.units['etcd'].active == 'active' && vars.tagret != ''
        run: |
          etcdctl backup –data-dir /x
          rm -rf "$dta_dir"
          systemctl reboot
        timeout: soon
      - step: stop
        title: Again
        push: {path: relative, from: $nowhere/x, mode: rwx}
promise:
  - {that: host.etcd.healthy, because: it is}
"#;
        insta::assert_snapshot!(read(text).unwrap_err());
    }
}
