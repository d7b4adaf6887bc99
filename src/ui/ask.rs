//! What a connection asks for, over everything else: a passphrase, a password, a new host key. Nothing that is typed is shown,
//! and the question stays until it is answered, so that nothing of an answer goes anywhere else.

use std::time::Duration;

use crossterm::event::{Event as Input, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Clear, Paragraph};

use super::form::key::{Compared, Comparing};
use super::page::Page;
use super::panes::frame as framed;
use super::panes::popup::centred;
use super::theme::{Meaning, style};
use crate::model::hidden::shown;
use crate::model::prompt::{Prompt, Reply, Secret, Wanted};

/// Keys that come so soon after it was shown were meant for something else.
const UNSEEN: Duration = Duration::from_millis(400);

/// A question on the screen.
#[derive(Debug)]
pub(super) struct Asking {
    prompt: Prompt,
    kind: Kind,
    /// On the screen's own clock: when its first frame was written.
    since: Option<Duration>,
    said: String,
}

#[derive(Debug)]
enum Kind {
    Hidden(Secret),
    Key(Box<Comparing>),
}

impl Asking {
    pub(super) fn new(prompt: Prompt) -> Self {
        let kind = match &prompt.wanted {
            Wanted::HostKey(key) => Kind::Key(Box::new(Comparing::new(prompt.host.to_string(), (**key).clone()))),
            Wanted::Passphrase(_) | Wanted::Answer(_) | Wanted::SudoPassword(_) => Kind::Hidden(Secret::default()),
        };
        Self { prompt, kind, since: None, said: String::new() }
    }

    /// A frame with it was written.
    pub(super) fn written(&mut self, at: Duration) {
        self.since.get_or_insert(at);
    }

    /// Takes an input; what it comes to, once it does.
    pub(super) fn take(&mut self, input: &Input, at: Duration) -> Option<Reply> {
        if self.since.is_none_or(|since| at < since + UNSEEN) {
            return None;
        }
        match (input, &mut self.kind) {
            (Input::Paste(text), Kind::Hidden(secret)) => {
                // One line, as it is typed: an end of line that was copied along ends nothing.
                text.chars().filter(|letter| !letter.is_control()).for_each(|letter| secret.push(letter));
                None
            }
            (Input::Paste(text), Kind::Key(comparing)) => {
                comparing.paste(text);
                None
            }
            (Input::Key(key), _) if key.kind == KeyEventKind::Release => None,
            (Input::Key(key), Kind::Key(comparing)) => match comparing.press(*key) {
                Compared::NotYet(said) => {
                    self.said = said;
                    None
                }
                Compared::Left => Some(Reply::No),
                Compared::Same(_) => Some(Reply::Compared),
            },
            (Input::Key(key), Kind::Hidden(secret)) => match key.code {
                KeyCode::Esc => Some(Reply::No),
                KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Reply::No),
                KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                    *secret = Secret::default();
                    None
                }
                KeyCode::Enter if secret.is_empty() => {
                    self.said = "nothing was typed; Esc is no".into();
                    None
                }
                KeyCode::Enter => Some(Reply::Secret(std::mem::take(secret))),
                KeyCode::Backspace => {
                    secret.pop();
                    None
                }
                KeyCode::Char(letter) if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {
                    secret.push(letter);
                    None
                }
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let all = frame.area();
        let width = all.width.saturating_sub(4).min(90);
        let (title, height, keys) = match &self.kind {
            Kind::Key(_) => (format!("{}: a new host key", self.prompt.host), 18, " Esc: do not accept it "),
            Kind::Hidden(_) => {
                let rows = self.page().rows(width.saturating_sub(2)).len() as u16;
                (format!("{}: a connection asks", self.prompt.host), rows + 2, " Enter: answer    Esc: no ")
            }
        };
        let area = centred(all, width, height);
        let block = framed(&title, true).title_bottom(keys);
        let inner = block.inner(area);
        frame.render_widget(Clear, area);
        frame.render_widget(block, area);
        match &self.kind {
            Kind::Hidden(_) => {
                let rows: Vec<Line<'_>> = self.page().rows(inner.width).into_iter().map(|row| row.text).collect();
                frame.render_widget(Paragraph::new(rows), inner);
            }
            Kind::Key(comparing) => {
                let below = u16::from(!self.said.is_empty());
                comparing.draw(Rect { height: inner.height - below, ..inner }, frame);
                let y = inner.bottom() - below;
                let said = Line::styled(self.said.clone(), style(Meaning::Bad));
                frame.render_widget(said, Rect { y, height: below, ..inner });
            }
        }
    }

    /// The question, and whether something was typed; not how much.
    fn page(&self) -> Page {
        let mut page = Page::default();
        let host = &self.prompt.host;
        match &self.prompt.wanted {
            Wanted::Passphrase(path) => {
                page.say(format!("The passphrase of the key {}, to log in to {host}:", shown(path)));
            }
            Wanted::SudoPassword(user) => page.say(format!("The password that sudo on {host} asks {user} for:")),
            // What it says may be the host's own words: they are shown as such.
            Wanted::Answer(says) => {
                page.say(format!("To log in to {host}, ssh asks:"));
                page.code(Line::styled(format!("  {}", shown(says)), style(Meaning::Title)));
            }
            Wanted::HostKey(_) => {}
        }
        if self.prompt.again {
            page.text("It was not right; try again.", Meaning::Bad);
        }
        let typed = matches!(&self.kind, Kind::Hidden(secret) if !secret.is_empty());
        page.code(Line::styled(if typed { "> (typed, and not shown)" } else { "> " }, style(Meaning::Active)));
        if !self.said.is_empty() {
            page.text(&self.said, Meaning::Bad);
        }
        page.text(
            match &self.prompt.wanted {
                Wanted::Passphrase(_) => {
                    "It is held while connections are made, for every host with that key, and written nowhere. With \
                     `ssh-add` before, nothing is asked."
                }
                Wanted::SudoPassword(_) => {
                    "It is held in memory until this program ends, for this host, and written nowhere."
                }
                Wanted::Answer(_) | Wanted::HostKey(_) => "It goes to ssh, and is written nowhere.",
            },
            Meaning::Quiet,
        );
        page
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyEvent;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    const SEEN: Duration = Duration::from_secs(2);

    fn asking(wanted: Wanted) -> Asking {
        let mut asking = Asking::new(Prompt { host: "etcd1".into(), wanted, again: false });
        asking.written(Duration::from_secs(1));
        asking
    }

    fn press(asking: &mut Asking, code: KeyCode, at: Duration) -> Option<Reply> {
        asking.take(&Input::Key(KeyEvent::new(code, KeyModifiers::NONE)), at)
    }

    fn screen(asking: &Asking, size: (u16, u16)) -> String {
        let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
        terminal.draw(|frame| asking.draw(frame)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn what_is_typed_is_the_answer_and_is_not_shown() {
        let mut asking = asking(Wanted::Passphrase("/home/op/.ssh/id_ed25519".into()));
        let empty = screen(&asking, (100, 30));
        assert!(empty.contains("The passphrase of the key /home/op/.ssh/id_ed25519, to log in to etcd1"), "{empty}");
        for letter in "sesam?".chars() {
            assert_eq!(press(&mut asking, KeyCode::Char(letter), SEEN), None);
        }
        press(&mut asking, KeyCode::Backspace, SEEN);
        asking.take(&Input::Paste("e\n".into()), SEEN);
        let typed = screen(&asking, (100, 30));
        assert!(!typed.contains("sesam") && typed.contains("(typed, and not shown)"), "{typed}");
        assert_eq!(press(&mut asking, KeyCode::Enter, SEEN), Some(Reply::Secret("sesame".into())));
    }

    #[test]
    fn escape_is_no_and_nothing_typed_is_no_answer() {
        let mut asking = asking(Wanted::Answer("core@etcd1's password: ".into()));
        assert_eq!(press(&mut asking, KeyCode::Enter, SEEN), None);
        assert!(screen(&asking, (80, 24)).contains("nothing was typed"));
        assert_eq!(press(&mut asking, KeyCode::Esc, SEEN), Some(Reply::No));
    }

    #[test]
    fn keys_that_were_meant_for_something_else_do_nothing() {
        let mut asking = asking(Wanted::SudoPassword("core".into()));
        for code in [KeyCode::Char('y'), KeyCode::Enter, KeyCode::Esc] {
            assert_eq!(press(&mut asking, code, Duration::from_millis(1_300)), None);
        }
        assert!(!screen(&asking, (80, 24)).contains("(typed"), "it came before anybody had seen the question");
        let mut unseen = Asking::new(asking.prompt.clone());
        assert_eq!(press(&mut unseen, KeyCode::Esc, SEEN), None, "no frame with it was written");
    }

    #[test]
    fn a_new_key_is_accepted_by_the_end_that_is_not_shown() {
        let key = crate::model::HostKey {
            place: "etcd1".into(),
            kind: "ed25519".into(),
            fingerprint: "SHA256:LjklgmCYkg5sL90PdaKimT6EUgzR5jPQKblAVAtve4o".into(),
            entry: String::new(),
            file: "/home/op/.ssh/known_hosts".into(),
        };
        for (typed, reply) in [("AVAtve4o", Some(Reply::Compared)), ("yes", None)] {
            let mut asking = asking(Wanted::HostKey(Box::new(key.clone())));
            let seen = screen(&asking, (100, 30));
            assert!(
                seen.contains("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub") && !seen.contains("AVAtve4o"),
                "{seen}"
            );
            typed.chars().for_each(|letter| drop(press(&mut asking, KeyCode::Char(letter), SEEN)));
            assert_eq!(press(&mut asking, KeyCode::Enter, SEEN), reply, "{typed}");
        }
    }
}
