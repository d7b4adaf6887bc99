//! What a job prints, as it comes: in pieces that end anywhere. Told of is what is whole, and without secrets.

use std::sync::Arc;

use crate::model::Redactor;

/// As much is held back of what could go on as a secret. A private key is much shorter.
const MOST: usize = 64 << 10;

/// The output of a job from some byte on.
pub(super) struct Output {
    redactor: Arc<Redactor>,
    /// Where `held` begins.
    offset: u64,
    /// What has come and is not told of: half a character, or what may be the beginning of a secret.
    held: Vec<u8>,
}

/// What can be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Bytes of output before it.
    pub(super) offset: u64,
    /// Bytes that the host has of it, whatever stands here for them.
    pub(super) bytes: u64,
    /// Without secrets.
    pub(super) text: String,
}

impl Output {
    pub(super) fn new(redactor: Arc<Redactor>, offset: u64) -> Self {
        Self { redactor, offset, held: Vec::new() }
    }

    /// The host is asked for what comes from here on.
    pub(super) fn wanted(&self) -> u64 {
        self.offset + self.held.len() as u64
    }

    /// Takes a piece, and hands out as much as can be told now: all of it where no more will come.
    pub(super) fn take(&mut self, piece: &[u8], more: bool) -> Option<Told> {
        self.held.extend(piece);
        let whole = self.held.len() - if more { torn(&self.held) } else { 0 };
        let end = if more && whole < MOST { self.redactor.settled(&self.held[..whole]) } else { whole };
        if end == 0 {
            return None;
        }
        let rest = self.held.split_off(end);
        let told = std::mem::replace(&mut self.held, rest);
        let (offset, bytes) = (self.offset, told.len() as u64);
        self.offset += bytes;
        let text = self.redactor.redact_output(&String::from_utf8_lossy(&told)).into_owned();
        Some(Told { offset, bytes, text })
    }
}

/// How many bytes at the end are the beginning of a character whose rest has not come.
fn torn(bytes: &[u8]) -> usize {
    let lead = bytes.iter().rev().take(3).position(|byte| *byte & 0xC0 != 0x80);
    let Some(back) = lead.map(|at| at + 1) else { return 0 };
    match std::str::from_utf8(&bytes[bytes.len() - back..]) {
        Err(error) if error.error_len().is_none() => back,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    /// All that is told of pieces.
    fn told(pieces: &[&[u8]]) -> (String, u64) {
        let mut output = Output::new(Arc::new(Redactor::new(&[Secret::new("hunter2 — ünlikely")])), 0);
        let mut text = String::new();
        for (n, piece) in pieces.iter().enumerate() {
            let more = n + 1 < pieces.len();
            let before = output.offset;
            if let Some(told) = output.take(piece, more) {
                assert_eq!((told.offset, told.offset + told.bytes), (before, output.offset));
                text.push_str(&told.text);
            }
        }
        assert!(output.held.is_empty());
        (text, output.wanted())
    }

    #[test]
    fn half_a_character_waits_for_its_rest() {
        let text = "lock — keeper éééé 🔒🔒";
        for cut in 0..=text.len() {
            let (first, second) = text.as_bytes().split_at(cut);
            assert_eq!(told(&[first, second]), (text.to_owned(), text.len() as u64), "cut at {cut}");
        }
    }

    #[test]
    fn half_a_secret_waits_for_its_rest_and_bytes_are_counted_as_the_host_has_them() {
        let text = "it is hunter2 — ünlikely.\nkubeadm join --token abcdef.0123456789abcdef x\n";
        for cut in 0..=text.len() {
            let (first, second) = text.as_bytes().split_at(cut);
            let expected = "it is ‹redacted›.\nkubeadm join --token ‹redacted› x\n".to_owned();
            assert_eq!(told(&[first, second]), (expected, text.len() as u64), "cut at {cut}");
        }
        assert_eq!(told(&[b"hunt", b"er"]).0, "hunter", "what it was not is told in the end");
    }

    #[test]
    fn what_is_no_text_does_not_hold_anything_up() {
        assert_eq!(told(&[b"a\xffb\n", b""]).0, "a\u{fffd}b\n");
        assert_eq!(told(&[b"a\xe2\x80"]).0, "a\u{fffd}");
        let long = vec![b'x'; 3 * MOST];
        let mut output = Output::new(Arc::default(), 7);
        let told = output.take(&long, true).unwrap();
        assert_eq!((told.offset, told.bytes, output.wanted()), (7, long.len() as u64, 7 + long.len() as u64));
    }
}
