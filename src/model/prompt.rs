//! What a connection asks the operator for, and the answer, which is kept nowhere.

use std::fmt;

use super::{HostKey, HostName};

/// A question of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// On the way to which host.
    pub host: HostName,
    /// What is asked for.
    pub wanted: Wanted,
    /// It was answered before, and that was not right.
    pub again: bool,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The passphrase of a key: the path of its file.
    Passphrase(String),
    /// Something else that ssh asks for, in its words or the host's, without control characters.
    Answer(String),
    /// The password that `sudo` asks this user for.
    SudoPassword(String),
    /// That a host key which is not known here was compared.
    HostKey(Box<HostKey>),
}

/// What the operator answers.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing: it is not asked again.
    No,
    /// What was asked for.
    Secret(Secret),
    /// The key was compared.
    Compared,
}

/// Characters that nobody may see: not echoed, not printed, not written, and overwritten when they are dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Room from the start, so that a longer text leaves no copy of a shorter one behind.
const ROOM: usize = 1024;

impl Default for Secret {
    fn default() -> Self {
        Self(String::with_capacity(ROOM))
    }
}

impl Secret {
    /// One character more; what is too long for any password is not taken.
    pub fn push(&mut self, letter: char) {
        if self.0.len() + letter.len_utf8() <= ROOM && !letter.is_control() {
            self.0.push(letter);
        }
    }

    /// One character less.
    pub fn pop(&mut self) {
        self.0.pop();
    }

    /// Whether nothing was typed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The characters, for whoever hands them on.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        let mut secret = Self::default();
        text.chars().for_each(|letter| secret.push(letter));
        secret
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.0).into_bytes();
        bytes.fill(0);
        // Who reads it afterwards is not for the compiler to judge.
        std::hint::black_box(&bytes);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed_and_has_no_end_of_line() {
        let secret = Secret::from("open\n sesame\u{1b}");
        assert_eq!(secret.expose(), "open sesame");
        assert_eq!(format!("{:?}", Reply::Secret(secret)), "Secret(Secret)");
        assert_eq!(Secret::from(&*"x".repeat(3 * ROOM)).expose().len(), ROOM);
    }
}
