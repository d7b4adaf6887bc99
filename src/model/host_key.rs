//! A host's public key that is not known here, and what proves that somebody has compared it.

use std::path::PathBuf;

/// A key as a host shows it, not accepted yet. Everything in it has been read strictly: nothing a host can choose freely.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostKey {
    /// What the known hosts file has it under: `10.0.0.11`, or `[10.0.0.11]:2222`.
    pub place: String,
    /// `ed25519`, `ecdsa` or `rsa`: as the file on the host is named.
    pub kind: String,
    /// `SHA256:` and 43 characters of base64, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// The line for the known hosts file, without its end.
    pub entry: String,
    /// The known hosts file that ssh itself would add it to.
    pub file: PathBuf,
}

impl HostKey {
    /// How many characters at the end of a fingerprint are not shown.
    ///
    /// A fingerprint that stands on the screen as a whole gets copied from there by whoever is in a hurry, and then it proves
    /// nothing. What is left out can only have come from the host itself. Eight characters are 46 bits (the last stands for
    /// four): nobody guesses them, nobody makes a key to match both them and what is shown, and they are typed in a moment.
    pub const WITHHELD: usize = 8;

    /// The fingerprint without its end, and the end, which is not for the screen.
    fn halves(&self) -> (&str, &str) {
        let at = self.fingerprint.len().saturating_sub(Self::WITHHELD);
        self.fingerprint.split_at_checked(at).unwrap_or((&self.fingerprint, ""))
    }

    /// The fingerprint as far as it may be seen.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.halves().0
    }

    /// Whether what was typed is the end of the fingerprint, or the whole of it, `SHA256:` before it or not.
    #[must_use]
    pub fn is_proved_by(&self, typed: &str) -> bool {
        let (_, end) = self.halves();
        let whole = self.fingerprint.strip_prefix("SHA256:").unwrap_or(&self.fingerprint);
        !end.is_empty() && [end, whole, &self.fingerprint].contains(&typed.trim())
    }

    /// What prints the fingerprint at the host's own console.
    #[must_use]
    pub fn at_the_console(&self) -> String {
        format!("ssh-keygen -lf /etc/ssh/ssh_host_{}_key.pub", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_screen_does_not_show_is_a_proof() {
        let key = HostKey {
            place: "etcd1".into(),
            kind: "ed25519".into(),
            fingerprint: "SHA256:LjklgmCYkg5sL90PdaKimT6EUgzR5jPQKblAVAtve4o".into(),
            entry: String::new(),
            file: PathBuf::new(),
        };
        assert_eq!(key.shown(), "SHA256:LjklgmCYkg5sL90PdaKimT6EUgzR5jPQKbl");
        let whole = "LjklgmCYkg5sL90PdaKimT6EUgzR5jPQKblAVAtve4o";
        for typed in ["AVAtve4o", " AVAtve4o ", whole, &key.fingerprint] {
            assert!(key.is_proved_by(typed), "{typed}");
        }
        for typed in ["", "yes", "etcd1", key.shown(), "SHA256:", "avatve4o", "VAtve4o", "SHA256:AVAtve4o", "........"]
        {
            assert!(!key.is_proved_by(typed), "{typed}");
        }
        let torn = HostKey { fingerprint: String::new(), ..key };
        assert!(!torn.is_proved_by(""));
    }
}
