//! Screens: a place in a recorded session, a string of keys, a snapshot of the frame with its styles.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "what a test cannot do without may end it, and it may speak"
)]

#[macro_use]
mod common;
#[path = "common/screen.rs"]
mod screen;

use lockkeeper::documents::{Source, plan, read_inventory, read_runbook};
use lockkeeper::engine::gate_view;
use lockkeeper::model::event::{Event, FailedAt, JobKind, Mode};
use lockkeeper::model::facts::{ApiServer, Etcd};
use lockkeeper::model::state::Phase;
use lockkeeper::model::{Facts, Record, State, TaskId};
use lockkeeper::ui::{self, Playhead, UiState};

use common::text;
use screen::{DECLARED, SESSION, Screen, failed, looking_only, member_down, task};

screens! {
    first_frame: Screen::when(|state| state.session.is_some());
    gate: Screen::at("stop", "etcd1", &Phase::Gate);
    gate_small: Screen::at("stop", "etcd1", &Phase::Gate).size(80, 24);
    gate_small_runbook: Screen::at("stop", "etcd1", &Phase::Gate).size(80, 24).keys("<tab><tab>");
    too_small: Screen::at("stop", "etcd1", &Phase::Gate).size(50, 12);
    gate_shut: Screen::at("stop", "etcd1", &Phase::Gate).event(member_down).keys("<enter>");
    gate_scrolled: Screen::at("write-drop-in", "etcd1", &Phase::Gate).keys("<pgdn><pgdn>");
    file_is_edited: Screen::at("write-drop-in", "etcd1", &Phase::Gate).keys("eX");
    file_edited_small: Screen::at("write-drop-in", "etcd1", &Phase::Gate).size(80, 24).keys("e");
    file_was_edited: Screen::at("write-drop-in", "etcd1", &Phase::Gate).keys("e# mine <ctrl-s><pgdn><pgdn><pgdn><pgdn>");
    nothing_to_edit: Screen::at("stop", "etcd1", &Phase::Gate).keys("e");
    grave_gate_asks_for_the_host: Screen::at("start", "etcd1", &Phase::Gate).keys("<enter>etcd2<enter>");
    phrase_is_asked_for: Screen::at("put-cloud-config-aside", "etcd1", &Phase::Gate).size(80, 24).keys("<enter>");
    running: Screen::at("backup", "etcd1", &Phase::Running);
    verifying: Screen::at("start", "etcd1", &Phase::Verifying);
    stopped: Screen::at("copy", "etcd1", &Phase::Running).event(failed);
    undo_is_listed: Screen::at("copy", "etcd1", &Phase::Running).event(failed).keys("u");
    skip_wants_a_reason: Screen::at("stop", "etcd1", &Phase::Gate).keys("s<enter>");
    skip_with_a_reason: Screen::at("stop", "etcd1", &Phase::Gate).keys("sby hand<enter>");
    paused: Screen::at("stop", "etcd1", &Phase::Gate).keys("p<enter>");
    help: Screen::at("stop", "etcd1", &Phase::Gate).keys("?");
    help_small: Screen::at("stop", "etcd1", &Phase::Gate).size(80, 24).keys("?");
    help_small_down: Screen::at("stop", "etcd1", &Phase::Gate).size(80, 24).keys("?jjjjjjj");
    quit_says_how_to_resume: Screen::at("backup", "etcd1", &Phase::Running).keys("q");
    log_searched: Screen::at("copy", "etcd1", &Phase::Gate).size(80, 24).keys("/exit<enter>");
    finished: Screen::when(|state| state.outcome.is_some());
    monitor: Screen::when(|state| state.session.is_some()).event(looking_only).event(|state| {
        // The seam between a session's start and what a monitor sees: one host that cannot be reached.
        Event::HostLost { host: state.hosts.keys().next().unwrap().clone(), reason: "no route to host; is the address right, and the machine on?".into() }
    });
}

/// What facts of a host would be with this changed.
fn seen(state: &State, host: &str, change: impl FnOnce(&mut Facts)) -> Event {
    let mut facts = (*state.host(&host.into()).unwrap().facts.as_ref().unwrap().facts).clone();
    change(&mut facts);
    Event::FactsSeen { host: host.into(), asked: state.seq, facts: Box::new(facts) }
}

screens! {
    stopped_as_planned: Screen::stopped_at("backup", "etcd1");
    stopped_as_planned_small: Screen::stopped_at("backup", "etcd1").size(80, 24);
    stopped_as_planned_beside_one_that_is_down: Screen::stopped_at("backup", "etcd1").event(member_down);
}

#[test]
fn a_member_that_the_runbook_stopped_is_no_alarm_and_any_other_is() {
    let row = Screen::stopped_at("backup", "etcd1").row("etcd1");
    assert!(row.contains("○ stopped, as planned") && !row.contains("down"), "{row}");
    let row = Screen::stopped_at("backup", "etcd1").event(member_down).row("etcd3");
    assert!(row.contains("✗ down"), "{row}");
    // Nothing was stopped there yet.
    let down = |state: &State| {
        seen(state, "etcd1", |facts| {
            facts.etcd = Some(Etcd { healthy: Some(false), ..Etcd::default() });
        })
    };
    let row = Screen::of(&DECLARED, |state| {
        task(state, "stop", "etcd1").is_some_and(|id| state.tasks[id.index()].phase == Phase::Gate)
    })
    .event(down)
    .row("etcd1");
    assert!(row.contains("✗ down"), "{row}");
}

#[test]
fn a_stop_that_was_taken_back_explains_nothing() {
    let undone = |state: &State| Event::TaskUndone { task: task(state, "stop", "etcd1").unwrap(), checks: Vec::new() };
    let row =
        Screen::stopped_at("backup", "etcd1").event(undone).event(|state| seen(state, "etcd1", |_| ())).row("etcd1");
    assert!(row.contains("✗ down"), "{row}");
}

#[test]
fn what_was_last_read_of_a_host_that_is_away_is_marked() {
    let away = |_: &State| Event::HostLost { host: "etcd2".into(), reason: "no answer".into() };
    assert!(Screen::at("stop", "etcd1", &Phase::Gate).event(away).row("etcd2").contains("2.3.8?"));
}

#[test]
fn what_else_fails_on_that_host_is_told_and_its_member_stays_explained() {
    let row = Screen::stopped_at("backup", "etcd1")
        .event(|state| {
            let task = task(state, "backup", "etcd1").unwrap();
            Event::TaskFailed { task, at: FailedAt::Run, reason: "no room".into() }
        })
        .event(|state| seen(state, "etcd1", |facts| facts.api_server = Some(ApiServer::default())))
        .row("etcd1");
    assert!(row.contains("○ stopped, as planned") && row.contains("✗ FAILED"), "{row}");
    assert!(row.contains("✗ down"), "its API server was stopped by nobody: {row}");
}

#[test]
fn a_member_that_runs_and_is_ill_was_not_stopped() {
    let ill = |state: &State| {
        seen(state, "etcd1", |facts| {
            facts.etcd = Some(Etcd { healthy: Some(false), server: Some("2.3.8".into()), ..Etcd::default() });
        })
    };
    let row = Screen::stopped_at("backup", "etcd1").event(ill).row("etcd1");
    assert!(row.contains("✗ down"), "{row}");
}

/// So many workers at one gate, whose values differ.
fn many(workers: usize) -> Screen {
    let mut hosts = String::new();
    for n in 1..=workers {
        let mirror =
            if n % 2 == 0 { "https://mirror.example.org/kubernetes/stable/v1.31/a-long-way-down/deb" } else { "local" };
        hosts += &format!(
            "  - {{name: node{n}, roles: worker, connection: practice, vars: {{size: '{n}00', mirror: '{mirror}'}}}}\n"
        );
    }
    let inventory = format!("cluster: many\nhosts:\n{hosts}");
    let runbook = "runbook: many\ntitle: Many\nvars:\n  target: {about: t, default: 1.31.4}\n  size: {about: s, default: ''}\n  mirror: {about: m, default: ''}\nstages:\n  - stage: all\n    title: All\n    hosts: worker\n    order: all-at-once\n    steps:\n      - step: fetch\n        title: Fetch the new version\n        run: fetch \"$target\" \"$mirror\" \"$size\" \"$node\"\n";
    let source = |text: String| Source::file(std::path::Path::new("r.yaml"), text);
    let (written, hosts) = (source(runbook.to_owned()), source(inventory));
    let (runbook, inventory) = (read_runbook(&written).unwrap(), read_inventory(&hosts).unwrap());
    let plan = plan::build(&inventory, &hosts, &runbook, &written, &[]).unwrap();
    let mut screen = Screen { state: State::default(), ui: UiState::default(), size: (120, 40), left: false };
    let count = plan.tasks.len() as u32;
    screen.record(common::started(plan));
    (0..count).for_each(|task| screen.record(Event::GateShown { task: TaskId(task) }));
    screen
}

screens! {
    values_that_differ: many(42).keys("<pgdn>");
    values_that_differ_small: many(42).size(80, 24).keys("<pgdn>");
    values_that_differ_of_the_lit_host: many(42).keys("<down><down><down><down><down><down><down><down><down><pgdn>");
}

#[test]
fn a_replay_shows_where_it_is() {
    let mut screen = Screen::at("stop", "etcd1", &Phase::Gate);
    screen.ui.playhead = Some(Playhead { position: 200, total: 995, playing: true, speed: 2.0, ..Playhead::default() });
    insta::assert_snapshot!(screen.shows());
}

#[test]
fn a_recorded_session_folds_to_the_same_state_as_ever() {
    let state = State::of(SESSION.iter());
    insta::assert_debug_snapshot!((
        state.seq,
        &state.outcome,
        state.tally(),
        state.artifacts.len(),
        state.unknown_events
    ));
}

#[test]
fn nothing_that_a_terminal_obeys_is_on_any_frame() {
    let mut state = State::default();
    for record in SESSION.iter() {
        state.apply(record);
    }
    let host = state.hosts.keys().next().unwrap().clone();
    let task = task(&state, "copy", "etcd1").unwrap();
    let evil = "\u{1b}]0;owned\u{7}\u{1b}[2Jtext\u{9b}31m\r\n";
    for event in [
        Event::JobOutput { task, offset: 0, bytes: 1, text: evil.into() },
        Event::HostLost { host: host.clone(), reason: evil.into() },
        Event::TaskFailed { task, at: FailedAt::Run, reason: evil.into() },
        Event::HostBarred { host, reason: evil.into() },
    ] {
        let record = Record { seq: state.seq + 1, at: state.now, event };
        state.apply(&record);
        let frame = ui::frame_text(&state, state.now, None, (120, 40));
        // The buffer drops control characters by itself: what they would have led is there where nobody took it out before.
        for led in ["[2J", "owned"] {
            assert!(!frame.contains(led), "{led} is left of a control sequence: {frame}");
        }
        assert!(frame.contains("text"), "what was said is shown: {frame}");
    }
}

#[test]
fn what_practice_takes_is_never_told_as_ones_own() {
    let step = "etcd-2-to-3-container-linux/members/stop";
    let mut screen = Screen::at("stop", "etcd1", &Phase::Gate);
    let mut tells = |told: &str, change: &dyn Fn(&mut ui::usual::Usual)| {
        change(&mut screen.ui.usual);
        let frame = text(&screen.look());
        assert!(
            frame.contains(&format!("at most 10:00 · {told}\n")) || frame.contains(&format!("at most 10:00 · {told} ")),
            "{told}: {frame}"
        );
    };
    tells("simulated 0:04", &|usual| _ = usual.practice.insert(step.into(), vec![4]));
    tells("last time 0:09", &|usual| _ = usual.upgrade.insert(step.into(), vec![9]));
    tells("last time 0:02", &|usual| _ = usual.upgrade.insert(step.into(), vec![9, 2]));
    tells("usually 0:09", &|usual| _ = usual.upgrade.insert(step.into(), vec![9, 2, 10]));
}

#[test]
fn what_failed_on_the_way_is_not_how_it_usually_goes() {
    let learnt = |failures: u32| {
        let mut state = State::of(SESSION.iter());
        state.tasks.iter_mut().for_each(|task| task.failures = failures);
        let mut usual = ui::usual::Usual::default();
        usual.learn(&state, false);
        !usual.upgrade.is_empty()
    };
    assert!(learnt(0) && !learnt(1));
}

#[test]
fn of_real_hosts_simulated_ones_tell_no_total() {
    let mut screen = Screen::at("stop", "etcd1", &Phase::Gate);
    let steps = screen.state.plan.as_ref().unwrap().runbook.stages.iter().flat_map(|stage| {
        stage.steps.iter().map(move |step| format!("etcd-2-to-3-container-linux/{}/{}", stage.name, step.name))
    });
    screen.ui.usual.practice = steps.map(|step| (step, vec![60])).collect();
    screen.size = (200, 40);
    assert!(text(&screen.look()).contains("left, simulated"));
    screen.state.session.as_mut().unwrap().mode = Mode::Upgrade;
    let frame = text(&screen.look());
    assert!(!frame.lines().next().unwrap().contains("left"), "{frame}");
}

#[test]
fn a_window_that_has_not_begun_is_told_at_the_gate_and_in_the_header() {
    let mut screen = Screen::at("stop", "etcd1", &Phase::Gate).size(160, 40);
    let after = |minutes| screen.state.now + jiff::SignedDuration::from_mins(minutes);
    let (from, until) = (after(119), after(179));
    screen.record(Event::WindowSet { from: Some(from), until });
    let at = from.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M").to_string();
    let frame = text(&screen.look());
    assert!(frame.contains(&format!("window opens {at} (in 1:59 h)")), "{frame}");
    assert!(frame.contains(&format!("! The window has not begun: it opens {at} (in 1:59 h).")), "{frame}");
    screen.record(Event::WindowSet { from: None, until });
    let frame = text(&screen.look());
    assert!(frame.contains("window ends") && !frame.contains("has not begun"), "{frame}");
    // Twice as it went lately is no measure yet: the longest it may take is.
    screen.record(Event::WindowSet { from: None, until: screen.state.now + jiff::SignedDuration::from_mins(5) });
    let step = "etcd-2-to-3-container-linux/members/stop";
    screen.ui.usual.upgrade.insert(step.into(), vec![4, 4]);
    assert!(text(&screen.look()).contains("! This may take up to 10:00, and the window ends in 5:00."));
    screen.ui.usual.upgrade.insert(step.into(), vec![4, 4, 4]);
    assert!(!text(&screen.look()).contains("This may take up to"));
}

#[test]
fn a_file_that_goes_to_a_host_is_told_by_bytes_rate_and_time_left() {
    const MIB: u64 = 1 << 20;
    let mut screen = Screen::at("write-drop-in", "etcd1", &Phase::Opened);
    let task = task(&screen.state, "write-drop-in", "etcd1").unwrap();
    let path = screen.state.task(task).unwrap().0.pushes[0].path.clone();
    let moved = |screen: &mut Screen, seconds: i64, bytes: u64| {
        let at = screen.state.now + jiff::SignedDuration::from_secs(seconds);
        let event = Event::FileMoved { task, path: path.clone(), bytes, total: 40 * MIB };
        screen.state.apply(&Record { seq: screen.state.seq + 1, at, event });
        text(&screen.look())
    };
    moved(&mut screen, 1, 4 * MIB);
    let frame = moved(&mut screen, 4, 12 * MIB);
    assert!(frame.contains("12.0 MiB of 40.0 MiB · 2.0 MiB/s · about 0:14 left"), "{frame}");
    let frame = moved(&mut screen, 14, 40 * MIB);
    assert!(frame.contains("all of it is there; its digest is compared"), "{frame}");
    // What stands there is not on its way any more.
    let sha256 = screen.state.task(task).unwrap().0.pushes[0].sha256.clone();
    screen.record(Event::FilePushed { task, path: path.clone(), sha256 });
    assert!(!text(&screen.look()).contains("MiB"));
}

impl Screen {
    /// The frame as text, blanks and the ends of its lines as one blank each.
    fn flat(&mut self) -> String {
        text(&self.look()).split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

#[test]
fn t_goes_from_one_host_that_waits_to_the_next_and_round() {
    let lit = |keys| many(3).keys(keys).ui.host.map(|host| host.to_string());
    assert_eq!(["t", "tt", "ttt"].map(lit), ["node2", "node3", "node1"].map(|host| Some(host.to_owned())));
}

#[test]
fn what_is_refused_is_refused_for_its_real_reason_and_in_full() {
    assert!(Screen::at("stop", "etcd1", &Phase::Gate).keys("<down>A").flat().contains("etcd2 has no gate to open"));
    let mut shut = Screen::at("stop", "etcd1", &Phase::Gate).size(60, 16).keys("c");
    shut.ui.refused("one two three four five six seven eight nine ten eleven twelve thirteen: the useful half".into());
    assert!(shut.flat().contains("thirteen: the useful half"), "{}", shut.flat());
}

#[test]
fn what_stands_on_a_line_leaves_the_rest_of_it_whole() {
    let ready = |state: &State, id| gate_view(state, id, state.now).is_some_and(|gate| gate.refusal.is_none());
    let mut two = Screen::when(|state| state.gates().filter(|id| ready(state, *id)).count() > 1).size(60, 16);
    assert!(two.flat().contains("A open all that are ready"), "{}", two.flat());
    let frame = two.keys("c").flat();
    assert!(frame.contains("Steps Tab") && !frame.contains("all that") && frame.contains("rows below"), "{frame}");
    let frame = Screen::at("stop", "etcd1", &Phase::Gate).size(60, 16).keys("?").flat();
    assert!(!frame.contains("any other") && frame.contains("more below"), "{frame}");
    let frame = many(5).size(80, 24).keys("ofnode<enter>").flat();
    assert!(frame.contains("HOST ROLE") && frame.contains("NOW `node` in 5 of 5"), "{frame}");
    let frame = many(5).size(80, 24).keys("fxyz<enter>").flat();
    let said = "node1 worker (not in the filter) ■ SHUT fetch · … connecting no host has `xyz` in its row: Esc clears";
    assert!(frame.contains(said), "{frame}");
    assert_eq!(many(5).keys("<down>fxyz<enter><esc>").ui.filter, "");
}

#[test]
fn a_way_back_that_does_nothing_is_none() {
    let mut session = SESSION.clone();
    let Event::SessionStarted { plan: Some(plan), .. } = &mut session[0].event else { panic!("no plan") };
    let steps = plan.runbook.stages.iter_mut().flat_map(|stage| &mut stage.steps);
    steps.filter(|step| step.undo.is_some()).for_each(|step| step.undo = Some("# nothing was changed\ntrue\n".into()));
    let copies = |state: &State| task(state, "copy", "etcd1").is_some_and(|id| state.under_way().any(|on| on == id));
    let mut screen = Screen::of(&session, copies).size(120, 50).event(failed);
    assert!(screen.flat().contains("WAY BACK nothing to take back"), "{}", screen.flat());
    let list = screen.keys("u").flat();
    assert!(list.contains("nothing to do") && !list.contains("true"), "{list}");
}

#[test]
fn one_step_back_ends_a_search_and_what_matches_nothing_stays_open() {
    assert_eq!(Screen::at("copy", "etcd1", &Phase::Gate).keys("/exit<enter><esc>").ui.logs.search, "");
    let mut screen = Screen::at("stop", "etcd1", &Phase::Gate).keys(":xyzzy<enter>");
    assert!(screen.flat().contains("nothing that can be done now matches `xyzzy`"), "{}", screen.flat());
}

/// A stop that is taken back: its script is through.
fn taking_back() -> Screen {
    let mut screen = Screen::stopped_at("backup", "etcd1");
    let [id, backup] = ["stop", "backup"].map(|step| task(&screen.state, step, "etcd1").unwrap());
    for event in [
        Event::UndoOpened { tasks: vec![id, backup] },
        Event::TaskUndone { task: backup, checks: Vec::new() },
        Event::JobIntended { task: id, kind: JobKind::Undo, job: "s-stop-undo-1".into() },
        Event::JobStarted { task: id },
        Event::JobFinished { task: id, exit: 0 },
        Event::VerifyStarted { task: id },
    ] {
        screen.record(event);
    }
    screen.event(|state| seen(state, "etcd1", |_| ()))
}

fn not_taken_back(state: &State) -> Event {
    let reason = "the undo ended well, but after 300 s on etcd1 this does not hold: this member is healthy, and of 2.3";
    Event::TaskFailed { task: task(state, "stop", "etcd1").unwrap(), at: FailedAt::Undo, reason: reason.into() }
}

screens! {
    taking_back_is_verified: taking_back();
    taking_back_did_not_come_true: taking_back().event(not_taken_back);
    set_a_variable: Screen::at("backup", "etcd1", &Phase::Gate).keys("V");
    set_a_variable_small: Screen::at("backup", "etcd1", &Phase::Gate).size(80, 24).keys("V");
    set_a_variable_why: Screen::at("backup", "etcd1", &Phase::Gate).keys("V-2<enter>the disk is full");
}

#[test]
fn a_variable_is_set_at_its_gate_which_is_shown_anew() {
    let value = |screen: &Screen| {
        let plan = screen.state.plan.as_ref().unwrap();
        plan.vars_of(plan.task(task(&screen.state, "backup", "etcd1").unwrap()))["backup_dir"].clone()
    };
    let screen = Screen::at("backup", "etcd1", &Phase::Gate);
    let (before, seq) = (value(&screen), screen.state.seq);
    let screen = screen.keys("V-2<enter><enter>");
    assert_eq!(value(&screen), before, "no words, no change");
    assert!(screen.state.seq == seq && screen.ui.popups.len() == 1);
    let screen = screen.keys("the disk is full<enter>");
    assert_eq!(value(&screen), format!("{before}-2"));
    assert!(screen.ui.popups.is_empty());
    let id = task(&screen.state, "backup", "etcd1").unwrap();
    assert_eq!(screen.state.tasks[id.index()].phase, Phase::Gate);
    assert_eq!(screen.state.tasks[id.index()].since_seq, screen.state.seq, "its script is read again");
}

#[test]
fn a_value_that_the_runbook_does_not_allow_stays_under_the_hands() {
    let screen = Screen::at("backup", "etcd1", &Phase::Gate).keys("V<ctrl-u>backups<enter>why not<enter>");
    assert_eq!(screen.ui.popups.len(), 1);
    assert!(screen.shows().contains("not a path that begins with"), "and says what it may be");
}

#[test]
fn where_no_gate_is_lit_there_is_nothing_to_set() {
    let screen = Screen::at("stop", "etcd1", &Phase::Running).keys("V");
    assert!(screen.ui.popups.is_empty());
}

#[test]
fn a_gate_that_a_variable_holds_shut_says_how_it_is_set() {
    let screen = Screen::at("write-drop-in", "etcd1", &Phase::Gate).keys("V<ctrl-u>3.0.16<enter>an older one<enter>");
    let frame = screen.event(|state| seen(state, "etcd1", |_| ())).shows();
    assert!(frame.contains("SHUT") && frame.contains("V sets target here, with a reason."), "{frame}");
}
