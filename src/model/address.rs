//! What a host and a cluster may be called, and where and as whom ssh may be told to go: one rule for whoever reads these
//! words and whoever types them. Each tells it in words of its own.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Why ssh cannot be sent to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAddress {
    /// It cannot be an argument of ssh at all, see [`is_argument`].
    NoArgument,
    /// Of digits and dots alone, and not the four numbers of IPv4.
    Ipv4,
    /// With colons, and not IPv6.
    Ipv6,
    /// It has a user in it, who is named elsewhere.
    User,
    /// Not the name of a host either.
    Name,
}

/// Why ssh cannot go through a bastion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoJump<'t> {
    /// Nobody is called that.
    User(&'t str),
    /// There is no such host.
    Host(&'t str, NoAddress),
    /// A port is a number from 1 to 65535.
    Port(&'t str),
}

/// Whether a host or a cluster may be called so: names become part of file names and of a systemd unit's name.
#[must_use]
pub fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
        && name.len() <= 63
}

/// Whether a word can be an argument of ssh: one that begins with a dash would be an option there.
#[must_use]
pub fn is_argument(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('-') && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Whether ssh could connect there: an IPv4 address, an IPv6 address with or without its zone, or a name that DNS or ssh's
/// configuration may know.
///
/// # Errors
/// Why not.
pub fn address(text: &str) -> Result<(), NoAddress> {
    let or = |fits: bool, why: NoAddress| if fits { Ok(()) } else { Err(why) };
    if !is_argument(text) {
        return Err(NoAddress::NoArgument);
    }
    if text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return or(text.parse::<Ipv4Addr>().is_ok(), NoAddress::Ipv4);
    }
    if text.contains('@') {
        return Err(NoAddress::User);
    }
    if text.contains(':') {
        let (bare, zone) = text.split_once('%').map_or((text, None), |(bare, zone)| (bare, Some(zone)));
        return or(bare.parse::<Ipv6Addr>().is_ok() && zone.is_none_or(is_name), NoAddress::Ipv6);
    }
    let label = |label: &str| {
        let edge = |c: char| c.is_ascii_alphanumeric();
        label.len() <= 63
            && label.starts_with(edge)
            && label.ends_with(edge)
            && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    or(name.len() <= 253 && name.split('.').all(label), NoAddress::Name)
}

/// Whether ssh could log in as this user; `corp\me` and `me@corp` are users of a directory.
#[must_use]
pub fn is_user(user: &str) -> bool {
    is_argument(user) && user.chars().all(|c| c.is_ascii_alphanumeric() || "-._@\\+".contains(c))
}

/// Whether ssh could go through this bastion: `host`, `user@host`, `user@host:port`, or several with commas between. As ssh
/// has it, an IPv6 address stands in brackets, and `ssh://` may stand before each.
///
/// # Errors
/// What is wrong with the first that is none.
pub fn jump(text: &str) -> Result<(), NoJump<'_>> {
    text.split(',').try_for_each(hop)
}

fn hop(hop: &str) -> Result<(), NoJump<'_>> {
    let hop = hop.strip_prefix("ssh://").unwrap_or(hop);
    let (user, place) = hop.rsplit_once('@').map_or((None, hop), |(user, place)| (Some(user), place));
    if let Some(user) = user.filter(|user| !is_user(user)) {
        return Err(NoJump::User(user));
    }
    let bracketed = place.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (host, port) = match (bracketed, place.split_once(':')) {
        (Some((host, "")), _) => (host, None),
        (Some((host, rest)), _) => (host, Some(rest.strip_prefix(':').unwrap_or(rest))),
        // More than one colon: an IPv6 address that has no brackets.
        (None, Some((_, rest))) if rest.contains(':') => return Err(NoJump::Host(place, NoAddress::Ipv6)),
        (None, Some((host, port))) => (host, Some(port)),
        (None, None) => (place, None),
    };
    address(host).map_err(|why| NoJump::Host(host, why))?;
    if bracketed.is_some() && !host.contains(':') {
        return Err(NoJump::Host(place, NoAddress::Ipv6));
    }
    let is_port =
        |port: &str| port.chars().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    port.filter(|port| !is_port(port)).map_or(Ok(()), |port| Err(NoJump::Port(port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_an_address_is_none() {
        for (text, expected) in [
            ("10.0.0.1", Ok(())),
            ("fe80::1%eth0.100", Ok(())),
            ("etcd1.example.net.", Ok(())),
            ("", Err(NoAddress::NoArgument)),
            ("-oProxyCommand=x", Err(NoAddress::NoArgument)),
            ("a b", Err(NoAddress::NoArgument)),
            ("10.0.0", Err(NoAddress::Ipv4)),
            ("10.0.0.256", Err(NoAddress::Ipv4)),
            ("host:22", Err(NoAddress::Ipv6)),
            ("[::1]", Err(NoAddress::Ipv6)),
            ("::1%", Err(NoAddress::Ipv6)),
            ("me@host", Err(NoAddress::User)),
            ("me@host:22", Err(NoAddress::User)),
            ("a..b", Err(NoAddress::Name)),
            ("..", Err(NoAddress::Ipv4)),
            ("a;reboot", Err(NoAddress::Name)),
            ("_gateway", Err(NoAddress::Name)),
        ] {
            assert_eq!(address(text), expected, "{text}");
        }
        assert_eq!(address(&["x".repeat(63), "y".repeat(63)].join(".")), Ok(()));
        assert_eq!(address(&"x".repeat(64)), Err(NoAddress::Name));
        assert_eq!(address(&["xy"; 85].join(".")), Err(NoAddress::Name), "254 letters");
    }

    #[test]
    fn why_a_bastion_is_none() {
        for (text, expected) in [
            ("me@b:2222,b2", Ok(())),
            ("ssh://me@b:22,[::1]", Ok(())),
            ("a,,b", Err(NoJump::Host("", NoAddress::NoArgument))),
            ("me@", Err(NoJump::Host("", NoAddress::NoArgument))),
            ("@b", Err(NoJump::User(""))),
            ("-l@b", Err(NoJump::User("-l"))),
            // ssh calls this an `Invalid -J argument`, and so is any of IPv6 without brackets.
            ("fe80::1", Err(NoJump::Host("fe80::1", NoAddress::Ipv6))),
            ("[b]:22", Err(NoJump::Host("[b]:22", NoAddress::Ipv6))),
            ("b:", Err(NoJump::Port(""))),
            ("b:0", Err(NoJump::Port("0"))),
            ("b:+22", Err(NoJump::Port("+22"))),
            ("[::1]22x", Err(NoJump::Port("22x"))),
        ] {
            assert_eq!(jump(text), expected, "{text}");
        }
    }
}
