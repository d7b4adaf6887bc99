//! What stands where on the screen, so that it can be clicked.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::keymap::Command;
use super::view::Pane;
use crate::model::{HostName, TaskId};

/// Something that can be clicked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// A pane.
    Pane(Pane),
    /// A host's row.
    Host(HostName),
    /// A step's row.
    Step(TaskId),
    /// A button that does what a key does.
    Button(Command),
}

/// What stands where in the last frame.
#[derive(Clone, Debug, Default)]
pub(super) struct Spots {
    places: Vec<(Rect, Spot)>,
    /// Where a drag began and is now.
    pub(super) drag: Option<(Position, Position)>,
    /// What a drag that has ended covers: to be copied from the next frame.
    pub(super) copy: Option<(Position, Position)>,
}

/// What a movement of the mouse asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Something was clicked.
    Click(Spot),
    /// The wheel was turned over a pane: lines down.
    Scroll(Pane, i64),
}

impl Spots {
    /// A new frame begins.
    pub(super) fn clear(&mut self) {
        self.places.clear();
    }

    /// Something stands here; what is added later lies above.
    pub(super) fn add(&mut self, area: Rect, spot: Spot) {
        self.places.push((area, spot));
    }

    fn at(&self, position: Position) -> impl Iterator<Item = &Spot> {
        self.places.iter().rev().filter(move |(area, _)| area.contains(position)).map(|(_, spot)| spot)
    }

    /// What the mouse asks for.
    pub(super) fn take(&mut self, event: MouseEvent) -> Option<Asked> {
        let here = Position { x: event.column, y: event.row };
        match event.kind {
            MouseEventKind::Down(MouseButton::Left) => {
                self.drag = Some((here, here));
                None
            }
            MouseEventKind::Drag(MouseButton::Left) => {
                self.drag = self.drag.map(|(from, _)| (from, here));
                None
            }
            MouseEventKind::Up(MouseButton::Left) => match self.drag.take() {
                Some((from, _)) if from == here => self.at(here).next().cloned().map(Asked::Click),
                Some((from, _)) => {
                    self.copy = Some((from, here));
                    None
                }
                None => None,
            },
            MouseEventKind::ScrollDown | MouseEventKind::ScrollUp => {
                let by = if event.kind == MouseEventKind::ScrollDown { 3 } else { -3 };
                self.at(here).find_map(|spot| match spot {
                    Spot::Pane(pane) => Some(Asked::Scroll(*pane, by)),
                    Spot::Host(_) | Spot::Step(_) | Spot::Button(_) => None,
                })
            }
            _ => None,
        }
    }
}
