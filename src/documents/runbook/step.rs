//! One step: what it does to a host, what guards it, and what does not go together within it.

use super::Whole;
use super::checks::{checks, condition};
use super::words::{Names, boolean, in_words, line, name, path, template, text};
use crate::documents::inventory::role_words;
use crate::documents::script::{self, Declared};
use crate::model::runbook::{Component, Confirm, Convert, Fetch, Push, Span, Step, Timeout};
use crate::yaml::{Data, Node, Reader, did_you_mean};

const STEP_KEYS: [&str; 22] = [
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
    "undone",
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

pub(super) fn step(reader: &mut Reader<'_>, node: &Node, whole: &Whole) -> Option<Step> {
    let fields = reader.fields(node, "a step", &STEP_KEYS)?;
    let name = reader.required(fields, "this step", "step").and_then(|node| name(reader, node, "step"));
    let title = reader.required(fields, "this step", "title").and_then(|node| line(reader, node, "title"));
    let reboots = boolean(reader, fields, "reboots");
    let destroys = in_words(reader, fields, "destroys");
    let point_of_no_return = in_words(reader, fields, "point_of_no_return");

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
    let undone = check_list(reader, "undone");
    let only_if = fields.get("only_if").and_then(|node| condition(reader, node, "only_if", whole, without));
    let components = |reader: &mut Reader<'_>, key: &'static str| -> Vec<Component> {
        let nodes = fields.get(key).map(|node| reader.one_or_more(node)).unwrap_or_default();
        let words = Component::ALL.map(|component| (component.word(), component));
        nodes.iter().filter_map(|node| reader.word(node, key, &words)).collect()
    };
    let stops = components(reader, "stops");
    let starts = components(reader, "starts");

    // The quorum rule goes by what a step owns up to. What takes a stop back finds the member stopped.
    let stopped = reboots || stops.contains(&Component::Etcd);
    let started = stopped || starts.contains(&Component::Etcd);
    let script = |reader: &mut Reader<'_>, key: &str, silent: Option<&'static str>| {
        let node = fields.get(key)?;
        let text = reader.script(node, key)?;
        let (names, defaults) = (&whole.scripts, &whole.defaults);
        script::check(reader, node, Declared { names, destroys: destroys.is_some(), reboots, silent, defaults });
        Some(text)
    };
    let run = script(reader, "run", (!stopped).then_some("stops"));
    let undo = script(reader, "undo", (!started).then_some("starts"));
    let hands = text(reader, fields, "hands");
    let on = fields.get("on").and_then(|node| reader.word(node, "on", &role_words()));
    let timeout = fields.get("timeout").and_then(|node| timeout(reader, node, whole));
    let repeatable = boolean(reader, fields, "repeatable");
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
        undone,
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
    if step.takes_back().is_none() && !step.undone.is_empty() {
        reader.complain(at("undone"), "there is nothing to see undone: `undo` is missing, or takes nothing back");
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

fn push_item(reader: &mut Reader<'_>, node: &Node, names: &Names) -> Option<Push> {
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

fn fetch_item(reader: &mut Reader<'_>, node: &Node, names: &Names) -> Option<Fetch> {
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
