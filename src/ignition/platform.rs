//! Drop-ins that start a wrapper with options, and the words in braces that a cloud's metadata fill in.

use crate::yaml::Node;

use super::reading::Reading;

/// What `ct` calls a platform, and the variables that its metadata agent writes to /run/metadata/coreos.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Platform {
    /// As `ct -platform` takes it.
    pub name: &'static str,
    /// For each word of [`WORDS`], the variable; nothing where that cloud does not tell.
    variables: [Option<&'static str>; 5],
}

/// What may stand in braces.
const WORDS: [&str; 5] = ["HOSTNAME", "PRIVATE_IPV4", "PUBLIC_IPV4", "PRIVATE_IPV6", "PUBLIC_IPV6"];

/// The platforms of the last `ct`.
const PLATFORMS: [Platform; 9] = [
    Platform {
        name: "azure",
        variables: [None, Some("COREOS_AZURE_IPV4_DYNAMIC"), Some("COREOS_AZURE_IPV4_VIRTUAL"), None, None],
    },
    Platform {
        name: "digitalocean",
        variables: [
            Some("COREOS_DIGITALOCEAN_HOSTNAME"),
            Some("COREOS_DIGITALOCEAN_IPV4_PRIVATE_0"),
            Some("COREOS_DIGITALOCEAN_IPV4_PUBLIC_0"),
            Some("COREOS_DIGITALOCEAN_IPV6_PRIVATE_0"),
            Some("COREOS_DIGITALOCEAN_IPV6_PUBLIC_0"),
        ],
    },
    Platform {
        name: "ec2",
        variables: [
            Some("COREOS_EC2_HOSTNAME"),
            Some("COREOS_EC2_IPV4_LOCAL"),
            Some("COREOS_EC2_IPV4_PUBLIC"),
            None,
            None,
        ],
    },
    Platform {
        name: "gce",
        variables: [
            Some("COREOS_GCE_HOSTNAME"),
            Some("COREOS_GCE_IP_LOCAL_0"),
            Some("COREOS_GCE_IP_EXTERNAL_0"),
            None,
            None,
        ],
    },
    Platform {
        name: "packet",
        variables: [
            Some("COREOS_PACKET_HOSTNAME"),
            Some("COREOS_PACKET_IPV4_PRIVATE_0"),
            Some("COREOS_PACKET_IPV4_PUBLIC_0"),
            None,
            Some("COREOS_PACKET_IPV6_PUBLIC_0"),
        ],
    },
    Platform {
        name: "openstack-metadata",
        variables: [
            Some("COREOS_OPENSTACK_HOSTNAME"),
            Some("COREOS_OPENSTACK_IPV4_LOCAL"),
            Some("COREOS_OPENSTACK_IPV4_PUBLIC"),
            None,
            None,
        ],
    },
    Platform {
        name: "vagrant-virtualbox",
        variables: [
            Some("COREOS_VAGRANT_VIRTUALBOX_HOSTNAME"),
            Some("COREOS_VAGRANT_VIRTUALBOX_PRIVATE_IPV4"),
            None,
            None,
            None,
        ],
    },
    Platform { name: "cloudstack-configdrive", variables: [Some("CLOUDSTACK_LOCAL_HOSTNAME"), None, None, None, None] },
    Platform {
        name: "custom",
        variables: [
            Some("COREOS_CUSTOM_HOSTNAME"),
            Some("COREOS_CUSTOM_PRIVATE_IPV4"),
            Some("COREOS_CUSTOM_PUBLIC_IPV4"),
            Some("COREOS_CUSTOM_PRIVATE_IPV6"),
            Some("COREOS_CUSTOM_PUBLIC_IPV6"),
        ],
    },
];

/// The platforms of the last `ct`, as its `-platform` takes them.
pub const PLATFORM_NAMES: [&str; 9] = {
    let mut names = [""; 9];
    let mut at = 0;
    while at < names.len() {
        names[at] = PLATFORMS[at].name;
        at += 1;
    }
    names
};

impl Platform {
    /// The platform of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        PLATFORMS.into_iter().find(|platform| platform.name == name)
    }
}

/// Options for a wrapper, in order: each with what it is read from, its flag, and its value as it is written.
pub(super) type Options<'n> = Vec<(&'n Node, String, String)>;

/// A drop-in that starts a wrapper of Container Linux with options, to the byte. `further` is a line after the command.
pub(super) fn drop_in(
    reading: &mut Reading<'_>,
    wrapper: &str,
    environment: Option<String>,
    options: Options<'_>,
    further: Option<&str>,
) -> String {
    let mut needs_metadata = false;
    let mut command = format!("ExecStart={wrapper}");
    for (node, flag, value) in options {
        if value.contains(['{', '}']) {
            needs_metadata = true;
        }
        let value = filled(reading, node, &value);
        command.extend([" \\\n  --", &flag, "=", &value]);
    }
    let mut lines = Vec::new();
    if needs_metadata {
        // The blank line is `ct`'s own, between two sections.
        lines.extend(["[Unit]", "Requires=coreos-metadata.service", "After=coreos-metadata.service", ""]);
    }
    lines.push("[Service]");
    if needs_metadata {
        lines.push("EnvironmentFile=/run/metadata/coreos");
    }
    let environment = environment.map(|variable| format!("Environment=\"{variable}\""));
    lines.extend(environment.as_deref());
    lines.extend(["ExecStart=", &command]);
    lines.extend(further);
    lines.join("\n")
}

/// A value with its words in braces replaced by the platform's variables.
fn filled(reading: &mut Reading<'_>, node: &Node, value: &str) -> String {
    let mut made = String::new();
    let mut rest = value;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        made.push_str(before);
        let word = from.strip_prefix('{').and_then(|from| from.split_once('}'));
        let Some((word, after)) = word else {
            complain(reading, node, &from[..1], "a brace stands for nothing here but metadata, such as {PRIVATE_IPV4}");
            return made;
        };
        rest = after;
        let whole = format!("{{{word}}}");
        let Some(platform) = reading.platform else {
            let message = format!(
                "`{whole}` is filled in from a cloud's metadata: write the value, or say which platform it is \
                 ({})",
                PLATFORM_NAMES.join(", ")
            );
            complain(reading, node, &whole, &message);
            continue;
        };
        let known = WORDS.iter().zip(platform.variables).find(|(known, _)| **known == word);
        match known {
            Some((_, Some(variable))) => made.extend(["${", variable, "}"]),
            Some((_, None)) => {
                let message = format!("the metadata of {} have no `{whole}`: write the value", platform.name);
                complain(reading, node, &whole, &message);
            }
            None => {
                let message = format!("`{whole}` is none of {{{}}}", WORDS.join("}, {"));
                complain(reading, node, &whole, &message);
            }
        }
    }
    made + rest
}

/// Points at the words in braces where the text has them as they are written.
fn complain(reading: &mut Reading<'_>, node: &Node, words: &str, message: &str) {
    match node.text().and_then(|text| text.find(words)) {
        Some(at) => reading.complain_in(node, at, words.chars().count(), message),
        None => reading.complain(node, message),
    }
}

/// In double quotes, with quotes, backslashes and what does not print escaped, as Go's `%q` does it.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for c in text.chars() {
        match c {
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_ascii_control() => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}
