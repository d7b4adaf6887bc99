//! What a drag of the mouse covers: marked while it lasts, copied when it ends.

use ratatui::buffer::Buffer;
use ratatui::layout::Position;
use ratatui::style::Modifier;

/// The cells from one place to another, line by line as they are read.
fn cells(buffer: &Buffer, from: Position, to: Position) -> impl Iterator<Item = (u16, std::ops::Range<u16>)> + use<> {
    let ((x1, y1), (x2, y2)) = if (from.y, from.x) <= (to.y, to.x) {
        ((from.x, from.y), (to.x, to.y))
    } else {
        ((to.x, to.y), (from.x, from.y))
    };
    let area = buffer.area;
    let bottom = y2.min(area.bottom().saturating_sub(1));
    (y1..=bottom).map(move |y| {
        let start = if y == y1 { x1 } else { area.left() };
        let end = if y == y2 { (x2 + 1).min(area.right()) } else { area.right() };
        (y, start.min(end)..end)
    })
}

/// Shows what is covered.
pub(super) fn mark(buffer: &mut Buffer, from: Position, to: Position) {
    for (y, columns) in cells(buffer, from, to) {
        for x in columns {
            if let Some(cell) = buffer.cell_mut((x, y)) {
                cell.modifier |= Modifier::REVERSED;
            }
        }
    }
}

/// What is covered, as text.
#[must_use]
pub(super) fn text(buffer: &Buffer, from: Position, to: Position) -> String {
    let lines = cells(buffer, from, to).map(|(y, columns)| {
        let line: String = columns.filter_map(|x| Some(buffer.cell((x, y))?.symbol())).collect();
        line.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;

    #[test]
    fn what_is_covered_is_read_line_by_line_whichever_way_the_hand_went() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 6, 3));
        for (y, line) in ["abcdef", "ghi   ", "jklmno"].into_iter().enumerate() {
            buffer.set_string(0, y as u16, line, ratatui::style::Style::new());
        }
        let (from, to) = (Position { x: 4, y: 0 }, Position { x: 1, y: 2 });
        assert_eq!(text(&buffer, from, to), "ef\nghi\njk");
        assert_eq!(text(&buffer, to, from), "ef\nghi\njk");
        assert_eq!(text(&buffer, from, Position { x: 90, y: 90 }), "ef\nghi\njklmno");
    }
}
