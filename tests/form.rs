//! The guided inventory: what is typed, what is tried meanwhile, and what it comes to.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without may end it")]

#[macro_use]
mod common;

use std::time::Duration;

use crossterm::event::Event as Input;
use lockkeeper::model::{HostKey, Role};
use lockkeeper::ui::form::{Form, Left, NotSeen, NotWritten, Proposal, Tried};

/// The form, what the last key came to, and whether the new key is known meanwhile.
/// And the time by the form's own clock, in milliseconds.
struct Screen(Form, Left, bool, u64);

fn new_key() -> HostKey {
    HostKey {
        place: "[10.0.0.15]:2222".into(),
        kind: "ed25519".into(),
        fingerprint: "SHA256:LjklgmCYkg5sL90PdaKimT6EUgzR5jPQKblAVAtve4o".into(),
        entry: "[10.0.0.15]:2222 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPWIdf/1OPX8Duifqx4O2JOVWZok3Mf9G+1ryEMDDhla"
            .into(),
        file: "/home/op/.ssh/known_hosts".into(),
    }
}

impl Screen {
    fn new() -> Self {
        Self(Form::new("cluster.yaml"), Left::No, false, 0)
    }

    fn keys(mut self, keys: &str) -> Self {
        for key in common::keys(keys) {
            self = self.key_after(600, key);
        }
        self
    }

    /// A frame is drawn, and so many milliseconds later comes a key.
    fn key_after(mut self, pause: u64, key: crossterm::event::KeyEvent) -> Self {
        self.0.drawn(Duration::from_millis(self.3));
        self.3 += pause;
        self.1 = self.0.take_at(Duration::from_millis(self.3), &Input::Key(key));
        self
    }

    fn paste(mut self, text: &str) -> Self {
        self.1 = self.0.take(&Input::Paste(text.into()));
        self
    }

    /// What is due is tried, and answers as its address says.
    fn tried(mut self) -> Self {
        for attempt in self.0.due() {
            let result = match attempt.address.as_str() {
                "10.0.0.13" => Err(NotSeen::Because("cannot connect: 10.0.0.13 refuses port 22: the host is up, but no sshd listens there, or a firewall says no".into())),
                "10.0.0.15" if !self.2 => Err(NotSeen::NewKey(Box::new(new_key()))),
                address => Ok(Proposal {
                    hostname: format!("etcd{}.example.org", address.rsplit('.').next().unwrap()),
                    system: "Debian GNU/Linux 12 (bookworm)".into(),
                    roles: [Role::Etcd].into(),
                    package_manager: Some("apt".into()),
                    etcd: [("etcd_endpoint".to_owned(), "https://127.0.0.1:2379".to_owned())].into(),
                    ..Proposal::default()
                }),
            };
            self.0.learn(attempt, result);
        }
        self
    }

    /// The keys that were accepted are kept, or not.
    fn kept(mut self, result: &Result<(), String>) -> (Self, Vec<HostKey>) {
        let keys = self.0.accepted();
        self.2 = !keys.is_empty() && result.is_ok();
        keys.iter().for_each(|key| self.0.trusted(key, result.clone()));
        (self, keys)
    }

    fn due(&mut self) -> Vec<String> {
        self.0.due().into_iter().map(|attempt| format!("{}@{}", attempt.user, attempt.address)).collect()
    }

    fn shows(&self, columns: u16, lines: u16) -> String {
        common::drawn(columns, lines, |frame| self.0.draw(frame))
    }
}

/// Cluster, user, and four hosts of which one does not answer.
fn filled() -> Screen {
    Screen::new().keys("prod<tab>core<tab><tab><tab><tab>10.0.0.11-14, w[1-2].lab,").tried()
}

/// Two hosts, the second of which shows a new key; that one is lit.
fn with_new_key() -> Screen {
    Screen::new().keys("prod<tab>core<tab>2222<tab><tab><tab>10.0.0.11, 10.0.0.15,").tried().keys("<down><down><down>")
}

screens! {
    empty: Screen::new(), 80 x 24;
    found: filled(), 120 x 40;
    found_small: filled().keys("<down><down><down><down>"), 80 x 24;
    bad_words: Screen::new().keys("??? x<tab>-oops<tab>70000<tab><tab>a b<tab>10.0.0.11, 10.0.0.999 n[1-"), 80 x 24;
    many: Screen::new().keys("prod<tab><tab><tab><tab><tab>n[1-40],"), 80 x 24;
    shows_new_key: with_new_key(), 80 x 24;
    new_key_compared: with_new_key().keys("kyes<enter>AVA"), 80 x 24;
    new_key_compared_tiny: with_new_key().keys("k"), 60 x 16;
    leaving_is_asked: Screen::new().keys("p<esc>"), 80 x 24;
}

#[test]
fn hosts_are_tried_while_the_next_is_typed_and_again_when_their_way_changes() {
    let mut screen = Screen::new().keys("prod<tab>core<tab><tab><tab><tab>10.0.0.11");
    assert!(screen.due().is_empty(), "it may go on: 10.0.0.112");
    let mut screen = screen.keys(", 10.0.0.12");
    assert_eq!(screen.due(), ["core@10.0.0.11"]);
    assert!(screen.due().is_empty(), "once");
    let mut screen = screen.keys("<tab>");
    assert_eq!(screen.due(), ["core@10.0.0.12"]);
    let mut screen = screen.keys("<up><up><up><up><up><ctrl-u>ro");
    assert!(screen.due().is_empty(), "nobody logs in as half a user");
    let mut screen = screen.keys("ot<down>");
    assert!(screen.due().is_empty(), "the key and the jump host may still change");
    let mut screen = screen.keys("<down><down><down><down>");
    assert_eq!(screen.due(), ["root@10.0.0.11", "root@10.0.0.12"]);
}

#[test]
fn what_is_found_is_proposed_and_can_be_corrected() {
    let screen = filled();
    let answers = screen.0.answers();
    let rows: Vec<_> =
        answers.hosts.iter().map(|host| format!("{} {:?} {}", host.name, host.roles, host.guessed)).collect();
    assert_eq!(
        rows,
        [
            "etcd11 {Etcd} false",
            "etcd12 {Etcd} false",
            "host-10-0-0-13 {Worker} true",
            "etcd14 {Etcd} false",
            "w1 {Etcd} false",
            "w2 {Etcd} false",
        ]
    );
    // The third: it gets a role in place of the one that was guessed.
    let screen = screen.keys("<down><down><down><down>e");
    let host = &screen.0.answers().hosts[2];
    assert_eq!((host.roles.iter().copied().collect::<Vec<_>>(), host.guessed), (vec![Role::Etcd], false));
    let screen = screen.keys("e");
    assert_eq!(screen.0.answers().hosts[2].roles.len(), 1, "a host without a role cannot be written");
    // It is tried anew when that is asked for.
    let mut screen = screen.keys("r");
    assert_eq!(screen.due(), ["core@10.0.0.13"]);
    assert_eq!(screen.0.answers().hosts[2].tried, Some(Tried::Trying));
}

#[test]
fn what_is_wrong_is_said_in_its_field_and_keeps_it_from_being_written() {
    for (keys, words) in [
        ("<ctrl-s>", "Cluster: it needs a name"),
        ("???x y<ctrl-s>", "Cluster: letters, digits"),
        ("prod<tab>-l<tab><tab><tab><tab>a<ctrl-s>", "Log in as: no user is called that"),
        ("prod<tab><tab>0<tab><tab><tab>a<ctrl-s>", "Port: a number from 1 to 65535"),
        ("prod<tab><tab><tab><tab>b:x<tab>a<ctrl-s>", "Jump host: `x` is no port"),
        ("prod<tab><tab><tab><tab><tab>10.0.0.999<ctrl-s>", "Hosts: `10.0.0.999` is no address"),
        ("prod<tab><tab><tab><tab><tab>10.0.<ctrl-s>", "Hosts: `10.0.` is no address"),
        ("prod<tab><tab><tab><tab><tab>a, a<ctrl-s>", "Hosts: a stands here twice"),
        ("prod<ctrl-s>", "Hosts: an inventory has at least one"),
        ("prod<tab><tab><tab><tab><tab>a<tab><ctrl-u><ctrl-s>", "Write to: say which file"),
    ] {
        let screen = Screen::new().keys(keys);
        assert_eq!(screen.1, Left::No, "{keys}");
        assert!(screen.shows(80, 24).contains(words), "{keys}:\n{}", screen.shows(80, 24));
    }
    // While it is typed, beside it.
    let screen = Screen::new().keys("<tab>core<tab><tab><tab><tab>10.0.0.999");
    assert!(screen.shows(80, 24).contains("✗ `10.0.0.999` is no address"));
    let screen = screen.keys("<back>");
    assert!(!screen.shows(80, 24).contains("✗ `10"), "{}", screen.shows(80, 24));
}

#[test]
fn a_whole_form_is_written_and_nothing_is_written_over_unasked() {
    let mut screen = filled().keys("<ctrl-s>");
    assert_eq!(screen.1, Left::Write { over: false });
    screen.0.not_written(NotWritten::Exists);
    assert!(screen.shows(80, 24).contains("cluster.yaml is there already"));
    let mut screen = screen.keys("n");
    assert_eq!(screen.1, Left::No);
    screen = screen.keys("<ctrl-s>");
    screen.0.not_written(NotWritten::Exists);
    let screen = screen.key_after(1, common::keys("y")[0]);
    assert_eq!(screen.1, Left::No, "in the same breath as it was asked");
    assert_eq!(screen.keys("y").1, Left::Write { over: true });
}

#[test]
fn a_port_is_part_of_the_way_to_every_host() {
    let mut screen = Screen::new().keys("prod<tab>core<tab>2222<tab><tab><tab>10.0.0.11,");
    let ports: Vec<String> = screen.0.due().into_iter().map(|attempt| attempt.port).collect();
    assert_eq!((ports, screen.0.answers().port), (vec!["2222".to_owned()], "2222".into()));
    let mut screen = Screen::new().keys("prod<tab>core<tab>70000<tab><tab><tab>10.0.0.11,");
    assert!(screen.due().is_empty(), "nobody is tried at a port that is none");
}

#[test]
fn enter_on_the_last_field_writes_and_says_so() {
    let screen = filled().keys("<tab>");
    assert!(screen.shows(80, 24).contains(" Enter write the file "), "{}", screen.shows(80, 24));
    assert_eq!(screen.keys("<enter>").1, Left::Write { over: false });
}

#[test]
fn a_new_host_key_is_accepted_by_what_only_the_console_shows() {
    let shown = with_new_key().keys("k").shows(80, 24);
    assert!(shown.contains("SHA256:LjklgmCYkg5sL90PdaKimT6EUgzR5jPQKbl········"), "{shown}");
    assert!(shown.contains("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"), "{shown}");
    // Neither by habit nor by copying what stands there.
    for typed in
        ["", "y", "yes", "10.0.0.15", "jPQKbl", "SHA256:LjklgmCYkg5sL90PdaKimT6EUgzR5jPQKbl", "avatve4o", "········"]
    {
        let (screen, keys) = with_new_key().keys("k").keys(typed).keys("<enter>").kept(&Ok(()));
        assert_eq!(keys, [], "{typed}");
        let shown = screen.shows(80, 24);
        assert!(!shown.contains("AVAtve4o") && shown.contains("3. Type"), "{typed}:\n{shown}");
    }
    // Nothing of the form goes on below it, and Esc accepts nothing.
    let (mut screen, keys) = with_new_key().keys("k<ctrl-s>e<tab>AVAtve4<esc>").kept(&Ok(()));
    assert_eq!((screen.1, keys.len(), screen.due().len()), (Left::No, 0, 0));
    assert!(matches!(screen.0.answers().hosts[1].tried, Some(Tried::NewKey(_))));

    for (screen, how) in [
        (with_new_key().keys("kAVAtve4o<enter>"), "typed"),
        (with_new_key().keys("knonsense<enter>AVAtve4o<enter>"), "after a slip"),
        (
            with_new_key().keys("k").paste("SHA256:LjklgmCYkg5sL90PdaKimT6EUgzR5jPQKblAVAtve4o\n").keys("<enter>"),
            "pasted",
        ),
    ] {
        let (mut screen, keys) = screen.kept(&Ok(()));
        assert_eq!(keys, [new_key()], "{how}");
        assert_eq!(screen.due(), ["core@10.0.0.15"], "tried again, {how}");
    }
    let (screen, _) = with_new_key().keys("kAVAtve4o<enter>").kept(&Ok(()));
    let screen = screen.tried();
    assert!(matches!(screen.0.answers().hosts[1].tried, Some(Tried::Found(_))));
    // Where it cannot be kept it stays new.
    let (mut screen, _) = with_new_key().keys("kAVAtve4o<enter>").kept(&Err("cannot write /x: no room".into()));
    assert!(screen.due().is_empty() && screen.shows(80, 24).contains("cannot write /x: no room"));
}

#[test]
fn a_host_without_a_new_key_has_none_to_compare() {
    let screen = filled().keys("<down><down>k");
    assert!(screen.shows(80, 24).contains("k compares a host key that is new here"), "{}", screen.shows(80, 24));
    let (_, keys) = screen.keys("AVAtve4o<enter>").kept(&Ok(()));
    assert_eq!(keys, []);
}

#[test]
fn leaving_with_something_typed_is_asked_first() {
    assert_eq!(Screen::new().keys("<esc>").1, Left::Without);
    assert_eq!(Screen::new().keys("<ctrl-c>").1, Left::Without);
    for leave in ["<esc>", "<ctrl-c>"] {
        let screen = Screen::new().keys("p").keys(leave);
        assert_eq!(screen.1, Left::No);
        let screen = screen.keys("n");
        assert_eq!((screen.1, screen.0.answers().cluster.as_str()), (Left::No, "p"), "it stays, and so does the text");
        assert_eq!(screen.keys(leave).keys("y").1, Left::Without);
    }
    assert_eq!(Screen::new().keys("p<esc><esc>").1, Left::No, "Esc takes the question back");
    assert_eq!(Screen::new().keys("p<ctrl-c><ctrl-c>").1, Left::Without, "who asks twice means it");
}

#[test]
fn a_paste_is_text_in_a_field_and_nothing_elsewhere() {
    let screen = Screen::new().keys("<tab><tab><tab><tab><tab>").paste("10.0.0.11\r\n10.0.0.12\n\u{1b}[2J\u{13}");
    let addresses: Vec<String> = screen.0.answers().hosts.into_iter().map(|host| host.address).collect();
    assert_eq!((screen.1, addresses), (Left::No, vec!["10.0.0.11".to_owned(), "10.0.0.12".into()]));
    let screen = filled().keys("<down><down>").paste("cwe\ry");
    assert_eq!((screen.1, screen.0.answers().hosts[0].roles.len()), (Left::No, 1));
    // A question is answered by a key alone.
    assert_eq!(Screen::new().keys("p<esc>").paste("y").1, Left::No);
}

#[test]
fn ctrl_u_clears_to_the_start_of_the_line() {
    assert_eq!(Screen::new().keys("prod<ctrl-u>lab").0.answers().cluster, "lab");
}
