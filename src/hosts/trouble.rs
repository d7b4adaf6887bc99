//! What ssh says when it cannot connect, said for the operator: what it means, and what to do.
//!
//! The messages are those of OpenSSH 7.6 to 9.9; what is not known among them is shown as it is.

use crate::model::logtail::clean;

/// Where a connection was to go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    /// As ssh was told.
    pub(super) address: &'a str,
    /// Asked for; nothing where the client decides.
    pub(super) user: Option<&'a str>,
    /// Asked for; nothing where the client decides.
    pub(super) port: Option<u16>,
    /// The bastion, where there is one.
    pub(super) jump: Option<&'a str>,
    /// What network and login may take together.
    pub(super) seconds: u64,
}

/// Turns the log of a failed ssh into a message.
pub(super) fn explain(log: &str, target: Target<'_>) -> String {
    let address = target.address;
    let plain = |line: &str| clean(line.strip_prefix("ssh: ").unwrap_or(line));
    let lines: Vec<String> = log.lines().map(plain).filter(|line| !line.trim().is_empty()).collect();
    let has = |text: &str| lines.iter().any(|line| line.contains(text));
    let line = |text: &str| lines.iter().find(|line| line.contains(text)).map_or("", String::as_str);
    let last = lines.last().map_or("ssh gave no reason", String::as_str);
    let via = target.jump.map_or_else(String::new, |jump| format!(" (through {jump})"));
    let by_hand = by_hand(target);

    if has("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        let place = line("Offending").rsplit_once(" in ").map_or("the known_hosts file", |(_, place)| place);
        let print = lines.iter().find(|line| line.starts_with("SHA256:") || line.starts_with("MD5:"));
        let print = print.map_or("", |print| print.trim_end_matches('.'));
        return format!(
            "the host key of {address} HAS CHANGED{via}: either the host was reinstalled, or someone stands between \
             you and it. It now shows {print}; {place} has another. Compare at the host's console with \
             `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`; only if it is the same, remove the old key with \
             `ssh-keygen -R` and accept the new one with `{by_hand}`"
        );
    }
    if has("host key is known for") || has("Host key verification failed") {
        // ssh-keyscan goes through no bastion.
        let gather = if target.jump.is_some() { "" } else { " (or gather keys with `ssh-keyscan` and compare them)" };
        return format!(
            "the host key of {address} is not known here{via}, and it is not accepted unseen. Connect once by hand with \
             `{by_hand}`, compare the fingerprint with the one at the host's console, and answer yes{gather}"
        );
    }
    if has("UNPROTECTED PRIVATE KEY FILE") || has("bad permissions") {
        return format!(
            "ssh does not use a private key that others can read; `chmod 600` it: {}",
            line("Permissions ")
        );
    }
    if has("Permission denied (") || has("Too many authentication failures") {
        let user = target.user.map_or_else(|| "the default user".into(), |user| format!("user {user}"));
        let key = match line("Load key") {
            "" => line("Identity file"),
            load => load,
        };
        let key = if key.is_empty() { String::new() } else { format!("; {key}") };
        return format!(
            "{address} does not let {user} in with the keys offered{via} ({last}{key}). Check user and identity in the \
             inventory, and that the public key is in authorized_keys there; a key with a passphrase must be loaded \
             first with `ssh-add`, or `upgrade`, `resume` and `monitor` ask for it on their screen"
        );
    }
    if has("Could not resolve hostname") {
        return format!("{}: check the address in the inventory, or DNS", line("Could not resolve hostname"));
    }
    if has("Connection refused") {
        let port = target.port.map_or_else(|| "the SSH port".into(), |port| format!("port {port}"));
        return format!(
            "{address} refuses {port}{via}: the host is up, but no sshd listens there, or a firewall rejects it"
        );
    }
    // There is a way to it, and whoever listens is slow to speak or to let anybody in.
    if has("timed out during banner exchange") || has("timed out during") || has("not responding") {
        return format!(
            "{address} was reached{via}, but the login took more than {} s ({last}); set `connect_timeout` under `ssh` in the \
             inventory where that is usual",
            target.seconds
        );
    }
    if has("timed out") || has("No route to host") || has("Network is unreachable") {
        return format!("{address} cannot be reached{via} ({last}): is it up, is the address right, is a VPN missing?");
    }
    if has("Bad configuration option") || has("bad configuration options") || has("Can't open user config file") {
        return format!("the ssh client's configuration is not understood: {}", lines.join("; "));
    }
    if crowded(log) {
        return format!(
            "{address} closed the connection before it began{via} ({last}): sshd may be starting, overloaded \
             (MaxStartups), or barring this address"
        );
    }
    format!("ssh to {address} failed{via}: {}", lines[lines.len().saturating_sub(3)..].join("; "))
}

/// The host showed a key of which nothing is known here; one that has changed, or was revoked, is another matter.
pub(super) fn is_unknown_key(log: &str) -> bool {
    log.contains("host key is known for") && !log.contains("HAS CHANGED") && !log.contains("REVOKED")
}

/// A failure that passes when one waits a moment: too many connections at once, or an sshd that is just starting.
pub(super) fn crowded(log: &str) -> bool {
    ["kex_exchange_identification", "Connection closed by", "Connection reset by", "banner exchange"]
        .iter()
        .any(|sign| log.contains(sign))
        && !log.contains("Permission denied")
        && !log.contains("timed out")
}

/// The command to connect by hand with.
fn by_hand(target: Target<'_>) -> String {
    let mut command = String::from("ssh");
    if let Some(jump) = target.jump {
        command = format!("{command} -J {jump}");
    }
    if let Some(port) = target.port {
        command = format!("{command} -p {port}");
    }
    if let Some(user) = target.user {
        command = format!("{command} -l {user}");
    }
    format!("{command} {}", target.address)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Target<'_> =
        Target { address: "etcd-1.example", user: Some("core"), port: Some(2222), jump: None, seconds: 10 };

    #[test]
    fn each_trouble_says_what_to_do() {
        for (log, words) in [
            ("ssh: Could not resolve hostname etcd-1.example: Name or service not known", "DNS"),
            ("ssh: something else", "failed: something else"),
            ("ssh: connect to host 10.0.0.1 port 2222: Connection refused", "refuses port 2222"),
            ("ssh: connect to host 10.0.0.1 port 22: No route to host", "cannot be reached"),
            (
                "No ED25519 host key is known for [etcd-1.example]:2222 and you have requested strict checking.\r\n\
                 Host key verification failed.",
                "`ssh -p 2222 -l core etcd-1.example`",
            ),
            ("core@etcd-1.example: Permission denied (publickey).", "ssh-add"),
            ("kex_exchange_identification: Connection closed by remote host", "MaxStartups"),
            ("something new", "ssh to etcd-1.example failed: something new"),
            ("", "ssh to etcd-1.example failed"),
        ] {
            let said = explain(log, TARGET);
            assert!(said.contains(words), "{log}: {said}");
        }
    }

    #[test]
    fn only_a_key_of_which_nothing_is_known_counts_as_unknown() {
        assert!(is_unknown_key("No ED25519 host key is known for etcd1 and you have requested strict checking.\r\n"));
        for log in [
            "Host key verification failed.",
            "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!\nNo ECDSA host key is known for x",
            "WARNING: REVOKED HOST KEY DETECTED!\nNo ECDSA host key is known for x",
            "Permission denied (publickey).",
        ] {
            assert!(!is_unknown_key(log), "{log}");
        }
    }

    #[test]
    fn a_changed_key_is_shown_with_its_place() {
        let log = "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n\
                   The fingerprint for the ED25519 key sent by the remote host is\nSHA256:abc.\n\
                   Offending ED25519 key in /home/op/.ssh/known_hosts:7\nHost key verification failed.";
        let said = explain(log, TARGET);
        assert!(said.contains("HAS CHANGED") && said.contains("SHA256:abc;"), "{said}");
        assert!(said.contains("/home/op/.ssh/known_hosts:7"), "{said}");
    }
}
