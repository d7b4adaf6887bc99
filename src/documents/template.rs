//! Texts with `$variable` in them: paths to push, fetch and look at. Scripts are not templates, the shell reads them.

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// As it stands.
    Text(&'t str),
    /// `$name` or `${name}`, with the byte offset of the dollar sign.
    Variable(&'t str, usize),
}

/// The pieces of a text. A dollar sign without a name after it is text.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut from = 0;
    let mut search = 0;
    while let Some(dollar) = text[search..].find('$').map(|at| at + search) {
        let rest = &text[dollar + 1..];
        let (name, length) = if let Some(braced) = rest.strip_prefix('{') {
            braced.find('}').map_or(("", 1), |end| (&braced[..end], end + 3))
        } else {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            (&rest[..end], end + 1)
        };
        search = dollar + length;
        if is_name(name) {
            pieces.push(Piece::Text(&text[from..dollar]));
            pieces.push(Piece::Variable(name, dollar));
            from = search;
        }
    }
    pieces.push(Piece::Text(&text[from..]));
    pieces.retain(|piece| *piece != Piece::Text(""));
    pieces
}

/// One way of writing it, so that `$x` and `${x}` compare as equal.
pub(super) fn canonical(text: &str) -> String {
    pieces(text).into_iter().fold(String::new(), |done, piece| match piece {
        Piece::Text(text) => done + text,
        Piece::Variable(name, _) => format!("{done}${{{name}}}"),
    })
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_found() {
        assert_eq!(
            pieces("/a/$b_1/${c}x$ $1"),
            [
                Piece::Text("/a/"),
                Piece::Variable("b_1", 3),
                Piece::Text("/"),
                Piece::Variable("c", 8),
                Piece::Text("x$ $1")
            ]
        );
        assert_eq!(canonical("$b/c"), "${b}/c");
    }
}
