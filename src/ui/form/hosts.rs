//! A line of hosts as people type it, and what can be wrong with a word of the form.

use std::net::Ipv4Addr;

use crate::model::address::{self, NoAddress, NoJump, is_name, is_user};

/// More hosts than anybody types: a range that says more is a slip.
const MOST: usize = 500;

/// A host as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The name it was given with `name=address`.
    pub(super) name: Option<String>,
    /// Where it answers.
    pub(super) address: String,
    /// Something was typed behind it: it is complete.
    pub(super) closed: bool,
}

/// The hosts of a line such as `etcd[1-3].example.org, etcd4=10.0.0.14, 10.0.0.21-23`, and what is wrong with the first word
/// that is none. While it is `typed`, a last word that may still become one is let be.
pub(super) fn parse(line: &str, typed: bool) -> (Vec<Target>, Option<String>) {
    let mut targets: Vec<Target> = Vec::new();
    let mut wrong = None;
    for (word, closed) in words(line) {
        let (name, pattern) = match word.split_once('=') {
            Some((name, pattern)) => (Some(name), pattern),
            None => (None, word.as_str()),
        };
        let found = ranges(pattern).and_then(|all| {
            if name.is_some() && all.len() > 1 {
                return Err(format!("`{word}`: one name is for one host"));
            }
            name.map_or(Ok(()), host_name)?;
            all.iter().try_for_each(|address| self::address(address))?;
            let twice = all.iter().find(|address| targets.iter().any(|target| target.address == **address));
            twice.map_or(Ok(all.clone()), |address| Err(format!("{address} stands here twice")))
        });
        match found {
            Ok(all) => targets.extend(all.into_iter().map(|address| Target {
                name: name.map(str::to_owned),
                address,
                closed: closed || !typed,
            })),
            Err(_) if typed && !closed && unfinished(pattern) => {}
            Err(why) => wrong = wrong.or(Some(why)),
        }
    }
    if targets.len() > MOST {
        wrong = Some(format!("{} hosts: more than {MOST} are a slip", targets.len()));
        targets.clear();
    }
    (targets, wrong)
}

/// Words between commas and blanks, those in brackets apart, and whether anything stands behind each.
fn words(line: &str) -> Vec<(String, bool)> {
    let (mut words, mut word, mut depth) = (Vec::new(), String::new(), 0_i32);
    for letter in line.chars() {
        match letter {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        if (letter == ',' && depth <= 0) || letter.is_whitespace() {
            if !word.is_empty() {
                words.push((std::mem::take(&mut word), true));
            }
        } else {
            word.push(letter);
        }
    }
    if !word.is_empty() {
        words.push((word, false));
    }
    words
}

/// Whether a word may be the beginning of an address.
fn unfinished(word: &str) -> bool {
    let octets: Vec<&str> = word.split('.').collect();
    let numbers = octets.iter().all(|octet| octet.is_empty() || octet.parse::<u8>().is_ok());
    word.is_empty()
        || word.ends_with(['.', '-', '[', ':', '_'])
        || word.matches('[').count() > word.matches(']').count()
        || (numbers && octets.len() <= 4)
}

/// What a word with ranges stands for: `n[1-3]`, `n[01-10].lab`, `n[1,4,7]`, `10.0.0.11-13`.
fn ranges(word: &str) -> Result<Vec<String>, String> {
    if let Some((before, rest)) = word.split_once('[') {
        let (range, after) = rest.split_once(']').ok_or(format!("`{word}`: a bracket is not closed"))?;
        let tails = ranges(after)?;
        let mut middles = Vec::new();
        for part in range.split(',') {
            match part.split_once('-') {
                Some((first, last)) => middles.extend(between(first, last, word)?),
                None => middles.push(part.trim().to_owned()),
            }
        }
        let all = middles.iter().flat_map(|middle| tails.iter().map(move |tail| format!("{before}{middle}{tail}")));
        return Ok(all.collect());
    }
    // A dash in the last part of an IPv4 address is a range, and nowhere else.
    if let Some((address, last)) = word.rsplit_once('-')
        && let Ok(first) = address.parse::<Ipv4Addr>()
    {
        let [a, b, c, first] = first.octets();
        let last = between(&first.to_string(), last, word)?;
        return Ok(last.iter().map(|d| format!("{a}.{b}.{c}.{d}")).collect());
    }
    Ok(vec![word.to_owned()])
}

/// The numbers from one to another, as wide as the first is written where it begins with a zero.
fn between(first: &str, last: &str, word: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("`{word}`: `{first}-{last}` is no range of numbers");
    let (from, to): (u32, u32) =
        (first.trim().parse().map_err(|_| wrong())?, last.trim().parse().map_err(|_| wrong())?);
    if from > to || (to - from) as usize >= MOST {
        return Err(wrong());
    }
    let width = if first.starts_with('0') { first.len() } else { 0 };
    Ok((from..=to).map(|number| format!("{number:0width$}")).collect())
}

/// What is wrong with an address. A word that ends in a dot is the beginning of one here.
fn address(text: &str) -> Result<(), String> {
    address::address(text).and(if text.ends_with('.') { Err(NoAddress::Name) } else { Ok(()) }).map_err(|why| match why
    {
        NoAddress::User => format!("`{text}`: the user has a field of its own"),
        _ => format!("`{text}` is no address"),
    })
}

fn host_name(text: &str) -> Result<(), String> {
    if is_name(text) { Ok(()) } else { Err(format!("`{text}` cannot name a host")) }
}

/// What is wrong with a cluster's name.
pub(super) fn cluster(text: &str) -> Result<(), String> {
    match text {
        "" => Err("it needs a name".into()),
        text if !is_name(text) => Err("letters, digits, - . _ only".into()),
        _ => Ok(()),
    }
}

/// What is wrong with the user to log in as; nothing of it is well.
pub(super) fn user(text: &str) -> Result<(), String> {
    if text.is_empty() || is_user(text) { Ok(()) } else { Err("no user is called that".into()) }
}

/// What is wrong with a port; nothing of it is well.
pub(super) fn port(text: &str) -> Result<(), String> {
    let digits = text.chars().all(|letter| letter.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(1..) if digits => Ok(()),
        _ if text.is_empty() => Ok(()),
        _ => Err("a number from 1 to 65535".into()),
    }
}

/// What is wrong with a jump host, or several with commas, each `user@host:port`; nothing of it is well.
pub(super) fn jump(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    address::jump(text).map_err(|why| match why {
        NoJump::User(_) => "no user is called that".into(),
        NoJump::Host(host, _) => format!("`{host}` is no address"),
        NoJump::Port(port) => format!("`{port}` is no port"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(line: &str) -> Vec<String> {
        let (targets, wrong) = parse(line, false);
        assert_eq!(wrong, None, "{line}");
        targets.into_iter().map(|target| target.address).collect()
    }

    #[test]
    fn a_line_of_hosts_and_ranges() {
        assert_eq!(
            addresses("etcd[1-3].example.org, 10.0.0.11-13 w_1"),
            [
                "etcd1.example.org",
                "etcd2.example.org",
                "etcd3.example.org",
                "10.0.0.11",
                "10.0.0.12",
                "10.0.0.13",
                "w_1"
            ]
        );
        assert_eq!(addresses("n[08-10,12]x[1-2]").len(), 8);
        assert_eq!(addresses("n[08-10]")[0], "n08");
        assert_eq!(addresses("fe80::1 my-host-1"), ["fe80::1", "my-host-1"]);
        assert_eq!(parse("etcd1=10.0.0.11", false).0[0].name.as_deref(), Some("etcd1"));
    }

    #[test]
    fn what_is_no_host_is_named() {
        for (line, words) in [
            ("10.0.0.999", "`10.0.0.999` is no address"),
            ("10.0.0.250-260", "`10.0.0.256` is no address"),
            ("10.0.0", "is no address"),
            ("-oProxyCommand=x", "cannot name a host"),
            ("core@etcd1", "the user has a field of its own"),
            ("a..b", "is no address"),
            ("n[3-1]", "is no range of numbers"),
            ("n[1-3", "a bracket is not closed"),
            ("n[1-99999]", "is no range of numbers"),
            ("x=n[1-3]", "one name is for one host"),
            ("a b a", "a stands here twice"),
            ("a;reboot", "is no address"),
        ] {
            let (_, wrong) = parse(line, false);
            assert!(wrong.as_ref().is_some_and(|wrong| wrong.contains(words)), "{line}: {wrong:?}");
        }
    }

    #[test]
    fn what_is_still_typed_is_let_be() {
        for line in ["10.0.0.", "10.0", "10.0.0.11-", "n[1-", "etcd1."] {
            assert_eq!(parse(line, true), (vec![], None), "{line}");
            assert!(parse(&format!("{line}, x"), true).1.is_some(), "{line}, once something stands behind it");
        }
        assert!(parse("10.0.0.999", true).1.is_some());
        let closed: Vec<bool> = parse("a, b", true).0.iter().map(|target| target.closed).collect();
        assert_eq!(closed, [true, false]);
    }

    #[test]
    fn the_other_words() {
        assert!(cluster("prod-1.eu").is_ok() && cluster("").is_err() && cluster("???x y").is_err());
        assert!(user("").is_ok() && user("core").is_ok() && user("-l").is_err() && user("a b").is_err());
        assert!(["", "22", "65535"].iter().all(|text| port(text).is_ok()));
        assert!(["0", "65536", "+22", "-1", "ssh", "2 2"].iter().all(|text| port(text).is_err()));
        assert!(jump("").is_ok() && jump("me@bastion:2222,b2").is_ok());
        assert!(
            jump("bastion:port").is_err()
                && jump("bastion:0").is_err()
                && jump("bastion:").is_err()
                && jump("a b").is_err()
                && jump("-J").is_err()
        );
    }

    #[test]
    fn what_an_inventory_refuses_is_refused_here_too() {
        let long = format!("{}=10.0.0.1", "x".repeat(64));
        assert!(parse(&long, false).1.is_some_and(|wrong| wrong.contains("cannot name a host")));
        assert!(user("me$").is_err());
        assert!(jump("bastion:0").is_err() && jump("bastion:").is_err() && jump("fe80::1").is_err());
        assert!(jump("@bastion").is_err());
        // And what it takes is taken.
        assert_eq!(addresses("fe80::1%eth0"), ["fe80::1%eth0"]);
        assert!(jump("ssh://me@bastion:22,[fe80::1]:2222").is_ok());
    }
}
