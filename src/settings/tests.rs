use super::*;
use crate::ui::keymap::Command;

fn with(text: &str, environment: &[(&str, &str)], flags: &Flags) -> (Settings, Vec<String>) {
    let document = Document::new("config.yaml", text);
    let variable = |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let (settings, problems) = resolve(Some(&document), variable, flags);
    let told = problems
        .0
        .iter()
        .map(|problem| match problem.place {
            Some(place) => format!("{}:{}: {}", place.line, place.column, problem.message),
            None => format!("{}: {}", problem.file, problem.message),
        })
        .collect();
    (settings, told)
}

#[test]
fn nothing_said_is_the_default_and_every_default_can_be_read() {
    let (settings, problems) = resolve(None, |_| None, &Flags::default());
    assert!(problems.0.is_empty());
    assert!(settings.list().iter().all(|(_, _, from)| **from == Origin::Default));
    assert_eq!(settings.habits(), Habits::default());
    let words: String = settings.list().iter().map(|(name, text, _)| format!("{name}: {text}\n")).collect();
    let (written, problems) = with(&words, &[], &Flags::default());
    assert_eq!(problems, [""; 0]);
    assert_eq!((written.habits(), written.appearance(|_| None)), (settings.habits(), settings.appearance(|_| None)));
    assert_eq!(written.interval.value, settings.interval.value);
    assert_eq!(with("# nothing yet\n\n", &[], &Flags::default()), (settings, Vec::new()));
}

#[test]
fn flags_are_over_the_environment_and_that_is_over_the_file() {
    let file = "theme: dark\nbell: yes\ninterval: 3s\n";
    let environment = [("LOCKKEEPER_THEME", "light"), ("LOCKKEEPER_INTERVAL", "4s"), ("LOCKKEEPER_BELL", "")];
    let flags = Flags { theme: Some("high-contrast".into()), ..Flags::default() };
    let (settings, problems) = with(file, &environment, &flags);
    assert_eq!(problems, [""; 0]);
    assert_eq!((settings.theme.value, &settings.theme.from), (Theme::HighContrast, &Origin::Flag("--theme")));
    assert_eq!(settings.interval.value, Duration::from_secs(4));
    assert_eq!(settings.interval.from.to_string(), "LOCKKEEPER_INTERVAL");
    assert_eq!(settings.bell.from.to_string(), "config.yaml:2", "an empty variable is none");
    assert!(!with(file, &environment, &Flags { no_bell: true, ..flags }).0.bell.value);
}

#[test]
fn no_color_is_a_word_of_the_environment_and_ours_is_stronger() {
    let file = "colours: 256\n";
    let depth = |environment: &[(&str, &str)]| {
        let (settings, problems) = with(file, environment, &Flags::default());
        assert_eq!(problems, [""; 0]);
        (settings.colours.value, settings.colours.from.to_string())
    };
    assert_eq!(depth(&[]), (Some(Depth::Indexed), "config.yaml:1".into()));
    assert_eq!(depth(&[("NO_COLOR", "1")]), (Some(Depth::None), "NO_COLOR".into()));
    assert_eq!(depth(&[("NO_COLOR", "")]), (Some(Depth::Indexed), "config.yaml:1".into()));
    let both = [("NO_COLOR", "1"), ("LOCKKEEPER_COLOURS", "true")];
    assert_eq!(depth(&both), (Some(Depth::True), "LOCKKEEPER_COLOURS".into()));
}

#[test]
fn all_that_is_wrong_is_told_at_once_with_its_place_and_what_was_expected() {
    let file = "theem: dark\ncolours: many\nbell: maybe\ninterval: 1h\nkeys:\n  opne: o\n  skip: ctrl-c\n  undo: r\n  note: []\n";
    let (settings, problems) = with(file, &[("LOCKKEEPER_THEME", "drak")], &Flags::default());
    let expected = [
        "LOCKKEEPER_THEME: cannot be `drak`",
        "1:1: the configuration has no key `theem`; did you mean `theme`?",
        "2:10: `colours` cannot be `many`; it is one of: auto, none, 16, 256, true",
        "3:7: `bell` cannot be `maybe`; it is one of: yes, no, true, false",
        "4:11: `interval` cannot be `1h`: it is a time such as 2s, from 500ms to 10s",
        "6:3: there is no command `opne`; did you mean `open`?",
        "7:9: `ctrl-c` always does what it does everywhere: take another key",
        "8:9: `r` is `retry` already: give one of them another key",
        "9:9: `note` has no key: write one, or leave it out",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (told, expected) in problems.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}\n{expected}");
    }
    // What is wrong leaves the value that would hold without it.
    assert_eq!((settings.theme.value, settings.interval.value), (Theme::Terminal, Duration::from_secs(2)));
    assert_eq!(with("- theme\n", &[], &Flags::default()).1.len(), 1);
    assert_eq!(with("theme: [\n", &[], &Flags::default()).1.len(), 1);
}

#[test]
fn keys_change_hands_where_both_are_named() {
    let (settings, problems) = with("keys:\n  undo: r\n  retry: [u, ctrl-r]\n", &[], &Flags::default());
    assert_eq!(problems, [""; 0]);
    assert_eq!(settings.rebound.keys(Command::Undo), ["r".parse().unwrap()]);
    assert_eq!(settings.rebound.keys(Command::Retry).len(), 2);
    let listed: Vec<_> = settings
        .list()
        .into_iter()
        .filter(|(name, ..)| name.starts_with("keys."))
        .map(|(name, text, _)| (name, text))
        .collect();
    assert_eq!(listed, [("keys.undo".into(), "r"), ("keys.retry".into(), "u, Ctrl-r")]);
    let (_, problems) = with("keys: {undo: x, retry: x}\n", &[], &Flags::default());
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn a_terminal_is_asked_what_it_can_where_nobody_decided() {
    let (settings, _) = resolve(None, |_| None, &Flags::default());
    let variable = |name: &str| match name {
        "TERM" => Some("xterm-256color".to_owned()),
        "LANG" => Some("C.UTF-8".to_owned()),
        _ => None,
    };
    let look = settings.appearance(variable);
    assert_eq!((look.depth, look.ascii), (Depth::Indexed, false));
    let look = settings.appearance(|_| None);
    assert_eq!((look.depth, look.ascii), (Depth::None, true));
    let flags = Flags { ascii: true, ..Flags::default() };
    assert!(resolve(None, |_| None, &flags).0.appearance(variable).ascii);
}

#[test]
fn the_example_says_what_holds_anyway() {
    let example = include_str!("../../assets/config.yaml");
    let (settings, problems) = with(example, &[], &Flags::default());
    assert_eq!(
        (settings.list().iter().filter(|(_, _, from)| **from != Origin::Default).count(), problems.len()),
        (0, 0)
    );
    // With the comments taken off, it is a configuration all the same, and it names every setting.
    let live: String = example
        .lines()
        .filter_map(|line| line.strip_prefix("#").filter(|rest| !rest.starts_with(' ') || rest.starts_with("  ")))
        .map(|line| format!("{line}\n"))
        .collect();
    let (settings, problems) = with(&live, &[], &Flags::default());
    assert_eq!(problems, [""; 0], "{live}");
    let defaults = resolve(None, |_| None, &Flags::default()).0;
    for (name, text, from) in settings.list().into_iter().filter(|(name, ..)| !name.starts_with("keys.")) {
        assert_ne!(*from, Origin::Default, "`{name}` is missing in the example");
        let usual = defaults.list().into_iter().find(|(other, ..)| *other == name).unwrap();
        assert_eq!(text, usual.1, "`{name}`: what the example shows is the default");
    }
}
