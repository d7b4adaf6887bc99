//! How the guided inventory looks.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::super::panes::frame as framed;
use super::super::theme::{Meaning, style};
use super::{Asked, FIELDS, FILE, Form, HOSTS, HostAnswer, Tried};
use crate::model::inventory::Role;

const ON_FIELD: &str = " Enter next   ↑↓ move   Ctrl-U clear   Ctrl-S write   Esc leave";
/// The last field has nothing behind it to go to.
const ON_FILE: &str = " Enter write the file   ↑↓ move   Ctrl-U clear   Ctrl-S write   Esc leave";
const ON_HOST: &str = " e etcd  c control-plane  w worker  b build  r again  Ctrl-S write  Esc leave";
/// On a host whose key is new.
const ON_NEW: &str = " k compare its host key   r try again   ↑↓ move   Ctrl-S write   Esc leave";
const ON_KEY: &str = " Enter accept   Ctrl-U clear   Esc back, nothing is accepted";

/// Where fields begin, and how wide those are that have a word beside them.
const LABEL: u16 = 11;
const FIELD: u16 = 32;

impl Form {
    /// Draws it over the whole screen.
    pub fn draw(&self, frame: &mut Frame<'_>) {
        let block = framed("A new inventory", true);
        let [body, notice, keys] =
            Layout::vertical([Constraint::Min(1), Constraint::Length(1), Constraint::Length(1)]).areas(frame.area());
        let inner = block.inner(body);
        frame.render_widget(block, body);
        if let Some(comparing) = &self.comparing {
            comparing.draw(inner, frame);
            frame.render_widget(Line::styled(format!(" {}", self.notice), style(Meaning::Warn)), notice);
            frame.render_widget(Line::styled(ON_KEY, style(Meaning::Quiet)), keys);
            return;
        }
        let parts = [Constraint::Length(FIELDS.len() as u16 + 2), Constraint::Min(2), Constraint::Length(4)];
        let [fields, table, detail] = Layout::vertical(parts).areas(inner);
        self.draw_fields(fields, frame);
        let answers = self.answers();
        self.draw_hosts(&answers.hosts, table, frame);
        self.draw_detail(&answers.hosts, detail, frame);
        let (text, meaning) = match self.asked {
            Some(Asked::Leave) => {
                ("Leave, and lose what was typed?  y leaves   any other key stays".into(), Meaning::Warn)
            }
            Some(Asked::Over) => {
                let text = format!("{} is there already.  y writes over it   any other key keeps it", answers.file);
                (text, Meaning::Warn)
            }
            None => (self.notice.clone(), Meaning::Warn),
        };
        frame.render_widget(Line::styled(format!(" {text}"), style(meaning)), notice);
        let hints = match self.at {
            FILE => ON_FILE,
            at if at < FIELDS.len() => ON_FIELD,
            at if matches!(
                answers.hosts.get(at - FIELDS.len()),
                Some(HostAnswer { tried: Some(Tried::NewKey(_)), .. })
            ) =>
            {
                ON_NEW
            }
            _ => ON_HOST,
        };
        frame.render_widget(Line::styled(hints, style(Meaning::Quiet)), keys);
    }

    fn draw_fields(&self, area: Rect, frame: &mut Frame<'_>) {
        let mut y = area.y;
        for (number, (name, hint)) in FIELDS.iter().enumerate() {
            let lit = number == self.at;
            let label = Line::styled(format!(" {name}"), style(if lit { Meaning::Active } else { Meaning::Quiet }));
            frame.render_widget(label, Rect { y, height: 1, ..area });
            let wide = number == HOSTS;
            let room = area.width.saturating_sub(LABEL + 1);
            let width = if wide { room } else { FIELD.min(room) };
            let cell = Rect { x: area.x + LABEL, y, width, height: 1 };
            if lit {
                frame.render_widget(&*self.fields[number].0, cell);
            } else {
                frame.render_widget(Line::raw(self.fields[number].text()), cell);
            }
            // The line of hosts takes the whole width: what is wrong with it stands below.
            let beside = if wide {
                y += 1;
                Rect { x: area.x + LABEL, y, width: room, height: 1 }
            } else {
                let x = cell.right() + 1;
                Rect { x, y, width: area.right().saturating_sub(x), height: 1 }
            };
            let line = match self.wrong(number) {
                Some(why) => Line::styled(format!("✗ {why}"), style(Meaning::Bad)),
                None if wide && self.fields[HOSTS].0.is_empty() => {
                    Line::styled("such as etcd[1-3].example.org, 10.0.0.11-13, name=address", style(Meaning::Quiet))
                }
                None => Line::styled(*hint, style(Meaning::Quiet)),
            };
            frame.render_widget(line, beside);
            y += 1;
        }
    }

    fn draw_hosts(&self, hosts: &[HostAnswer], area: Rect, frame: &mut Frame<'_>) {
        if hosts.is_empty() {
            return;
        }
        let height = area.height.saturating_sub(1) as usize;
        let lit = self.at.checked_sub(FIELDS.len());
        // While hosts are typed the newest is in sight.
        let last = lit.unwrap_or(if self.at == HOSTS { hosts.len() - 1 } else { 0 });
        let first = (last + 1).saturating_sub(height.max(1));
        let all = hosts.len();
        let sight = if all > height { format!("  {}–{} of {all}", first + 1, first + height) } else { String::new() };
        let head = format!("   {:<16} {:<22} {:<19} FOUND", "HOST", format!("ADDRESS{sight}"), "ROLES");
        frame.render_widget(Line::styled(head, style(Meaning::Title)), Rect { height: 1, ..area });
        for (line, (number, host)) in hosts.iter().enumerate().skip(first).take(height).enumerate() {
            let (sign, meaning) = sign(host);
            let words: Vec<&str> = host.roles.iter().map(|role| short(*role)).collect();
            let roles = format!("{}{}", words.join(" "), if host.guessed { " ?" } else { "" });
            let cells = Line::from(vec![
                Span::styled(format!(" {sign} "), style(meaning)),
                Span::raw(format!("{} {} {} ", fit(&host.name, 16), fit(&host.address, 22), fit(&roles, 19))),
                Span::styled(fit(&found(host), (area.width as usize).saturating_sub(64)), style(Meaning::Quiet)),
            ]);
            let look = if lit == Some(number) { Meaning::Selected } else { Meaning::Plain };
            frame.render_widget(cells.style(style(look)), Rect { y: area.y + 1 + line as u16, height: 1, ..area });
        }
    }

    /// All of what is known of the host that is lit; else of the first that cannot be used.
    fn draw_detail(&self, hosts: &[HostAnswer], area: Rect, frame: &mut Frame<'_>) {
        let lit = self.at.checked_sub(FIELDS.len()).and_then(|number| hosts.get(number));
        let failed = || hosts.iter().find(|host| matches!(host.tried, Some(Tried::Failed(_) | Tried::NewKey(_))));
        let Some(host) = lit.or_else(failed) else { return };
        let (text, meaning) = match &host.tried {
            Some(Tried::Failed(why)) => (why.clone(), Meaning::Warn),
            Some(Tried::Found(found)) => {
                let mut parts = vec![found.system.clone()];
                parts.extend(Some(format!("node {}", found.node)).filter(|_| !found.node.is_empty()));
                parts.extend(found.package_manager.iter().map(|manager| format!("packages by {manager}")));
                parts.extend(found.etcd.get("etcd_endpoint").map(|endpoint| format!("etcd answers at {endpoint}")));
                parts.extend(found.remarks.iter().cloned());
                (parts.join(" · "), Meaning::Plain)
            }
            Some(Tried::NewKey(key)) => {
                let here = if lit.is_some() { "press k" } else { "light it with ↓ and press k" };
                let text = format!(
                    "it shows an {} key that is not known here: {here} to compare it with the one at its console, and to \
                     accept it",
                    key.kind.to_uppercase()
                );
                (text, Meaning::Warn)
            }
            Some(Tried::Trying) => ("being tried …".into(), Meaning::Quiet),
            None => ("not tried yet".into(), Meaning::Quiet),
        };
        let text = Paragraph::new(format!("{}: {text}", host.name)).style(style(meaning)).wrap(Wrap { trim: true });
        frame.render_widget(text, Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area });
    }
}

fn sign(host: &HostAnswer) -> (&'static str, Meaning) {
    match &host.tried {
        None => ("·", Meaning::Quiet),
        Some(Tried::Trying) => ("…", Meaning::Active),
        Some(Tried::Failed(_)) => ("✗", Meaning::Bad),
        Some(Tried::NewKey(_)) => ("?", Meaning::Warn),
        Some(Tried::Found(_)) => ("✓", Meaning::Good),
    }
}

fn found(host: &HostAnswer) -> String {
    match &host.tried {
        None | Some(Tried::Trying) => String::new(),
        Some(Tried::Failed(why)) => why.clone(),
        Some(Tried::NewKey(_)) => "its key is new: k".to_owned(),
        Some(Tried::Found(found)) => found.remarks.first().unwrap_or(&found.system).clone(),
    }
}

fn short(role: Role) -> &'static str {
    match role {
        Role::ControlPlane => "control-plane",
        other => other.word(),
    }
}

/// A text in so many columns; what is cut has a sign.
fn fit(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return format!("{text:<width$}");
    }
    let cut: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{cut}…")
}
