//! A cloud-config, as coreos-cloudinit read it at every boot: what of it a Container Linux Config can say, what is lost,
//! and what must go before the new config, lest the next boot undo it.

mod coreos;
mod files;
mod made;
mod user_data;
mod users;

use serde_json::json;

use self::made::Made;
use self::users::add_keys;
use crate::yaml::{Data, Document, Node, Place, Problem, Problems, Reader, parse};

pub use self::user_data::{UserData, user_data};

/// What becomes of a part of a cloud-config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It is in the draft.
    Carried,
    /// It is in the draft, and somebody must look at it there.
    Change,
    /// Nothing of it is in the draft.
    Lost,
    /// It must be taken out of the cloud-config, or it works against the new config at every boot.
    Remove,
}

impl Fate {
    /// In a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Carried => "carried",
            Self::Change => "change",
            Self::Lost => "lost",
            Self::Remove => "remove",
        }
    }
}

/// What becomes of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Where it stands in the cloud-config.
    pub place: Place,
    /// Its path, such as `coreos.etcd2.name`.
    pub path: String,
    /// What becomes of it.
    pub fate: Fate,
    /// As what, or why.
    pub what: String,
}

/// What a cloud-config becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// A Container Linux Config of what can be carried over; empty where nothing can.
    pub draft: String,
    /// Every part of the cloud-config, in its order.
    pub notes: Vec<Note>,
}

/// Reads a cloud-config and drafts the Container Linux Config that stands for it.
///
/// # Errors
/// When it is none (a script, say, does what nobody can read out of it), and for values that cannot be read.
pub fn migrate(document: &Document) -> Result<Migration, Problems> {
    let refused = match user_data(&document.text) {
        UserData::CloudConfig => None,
        UserData::Script => {
            Some("is a script: what it does to the host cannot be read out of it; write a config by hand")
        }
        UserData::Ignition => {
            Some("is JSON: an Ignition config needs no conversion (`ignition lint` looks through it)")
        }
        UserData::Foreign => Some("is user-data of another cloud-init, which Container Linux never read"),
        UserData::Other => Some("is not a cloud-config: its first line is not `#cloud-config`"),
    };
    if let Some(message) = refused {
        return Err(Problem::of(&*document.name, message).into());
    }
    let root = parse(document)?;
    let mut reading = Migrating { reader: Reader::new(document), notes: Vec::new(), made: Made::default() };
    reading.root(&root);
    let Migrating { reader, mut notes, made } = reading;
    notes.sort_by_key(|note| note.place);
    reader.problems.or(Some(Migration { draft: made.draft(), notes }))
}

struct Migrating<'d> {
    reader: Reader<'d>,
    notes: Vec<Note>,
    made: Made,
}

/// A key as coreos-cloudinit took it, with `_` for `-`, where it stands, and its value.
type Entry<'n> = (String, &'n Node, &'n Node);

impl Migrating<'_> {
    fn note(&mut self, node: &Node, path: &str, fate: Fate, what: impl Into<String>) {
        self.notes.push(Note { place: node.place, path: path.to_owned(), fate, what: what.into() });
    }

    /// The entries of a map; those without a value are nothing.
    fn entries<'n>(&mut self, node: &'n Node, what: &str) -> Vec<Entry<'n>> {
        let Data::Map(entries) = &node.data else {
            self.reader.complain(node, format!("{what} is a map of keys, not {}", node.kind()));
            return Vec::new();
        };
        let entries = entries.iter().filter(|(_, value)| !value.is_null());
        entries.map(|(key, value)| (key.text().unwrap_or_default().replace('-', "_"), key, value)).collect()
    }

    fn unknown(&mut self, key: &Node, path: &str) {
        self.note(key, path, Fate::Lost, "coreos-cloudinit has no such key: it never did anything");
    }

    fn root(&mut self, root: &Node) {
        for (name, key, value) in self.entries(root, "a cloud-config") {
            match &*name {
                "hostname" => self.hostname(key, value),
                "ssh_authorized_keys" => {
                    let keys = self.reader.texts(value, "ssh_authorized_keys");
                    add_keys(self.made.user("core"), keys);
                    self.note(key, &name, Fate::Carried, "passwd.users, for core");
                }
                "users" => self.users(value),
                "write_files" => {
                    for (index, node) in self.reader.list(value, "write_files").iter().enumerate() {
                        self.file(node, &format!("write_files[{index}]"));
                    }
                }
                "manage_etc_hosts" => {
                    self.note(
                        key,
                        &name,
                        Fate::Lost,
                        "write /etc/hosts as a file of `storage`, with the host's own name",
                    );
                }
                "coreos" => self.coreos(value),
                _ => self.unknown(key, &name),
            }
        }
    }

    fn hostname(&mut self, key: &Node, value: &Node) {
        let Some(name) = self.reader.text(value, "hostname") else { return };
        self.made
            .files
            .push(json!({ "path": "/etc/hostname", "filesystem": "root", "mode": 0o644, "contents": { "inline": format!("{name}\n") } }));
        self.note(key, "hostname", Fate::Carried, "the file /etc/hostname");
        self.variables(value, "hostname", &name);
    }

    /// What coreos-cloudinit filled in by itself before it read anything.
    fn variables(&mut self, node: &Node, path: &str, text: &str) {
        if VARIABLES.iter().any(|(variable, _)| text.contains(variable)) {
            let what = "`$private_ipv4` and its like were filled in by coreos-cloudinit: write the values";
            self.note(node, path, Fate::Change, what);
        }
    }
}

/// What coreos-cloudinit filled in from a cloud's metadata, and the words that a Container Linux Config has for it.
const VARIABLES: [(&str, &str); 4] = [
    ("$private_ipv4", "{PRIVATE_IPV4}"),
    ("$public_ipv4", "{PUBLIC_IPV4}"),
    ("$private_ipv6", "{PRIVATE_IPV6}"),
    ("$public_ipv6", "{PUBLIC_IPV6}"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ignition::{Settings, convert};

    fn migrated(text: &str) -> Migration {
        let text = format!("#cloud-config\n{text}");
        migrate(&Document::new("f", text)).unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// Fate, line and path of every part.
    fn fates(text: &str) -> Vec<(Fate, usize, String)> {
        migrated(text).notes.into_iter().map(|note| (note.fate, note.place.line, note.path)).collect()
    }

    #[test]
    fn user_data_is_told_by_its_first_line() {
        for (text, expected) in [
            ("#cloud-config\n", UserData::CloudConfig),
            ("#cloud-config \r\na: b\n", UserData::CloudConfig),
            ("#!/bin/sh\n", UserData::Script),
            ("\n {\"ignition\": {}}", UserData::Ignition),
            ("#include\nhttp://x\n", UserData::Foreign),
            ("Content-Type: multipart/mixed\n", UserData::Foreign),
            ("# cloud-config\n", UserData::Other),
            ("etcd:\n", UserData::Other),
            ("", UserData::Other),
        ] {
            assert_eq!(user_data(text), expected, "{text}");
        }
        for (text, expected) in
            [("#!/bin/sh\n", "a script"), ("{}", "is JSON"), ("#include\n", "another cloud-init"), ("", "first line")]
        {
            assert!(migrate(&Document::new("f", text)).unwrap_err().to_string().contains(expected), "{text}");
        }
    }

    #[test]
    fn a_member_becomes_a_draft_that_converts() {
        let made = migrated(
            "hostname: etcd1\nssh_authorized_keys: [ssh-rsa AAAA core]\ncoreos:\n  etcd2:\n    name: etcd1\n    \
             advertise-client-urls: http://$private_ipv4:2379\n    data-dir: /data\n    proxy: off\n    max_wals: 5\n  flannel: \
             {interface: eth1}\n  locksmith: {endpoint: 'http://a:2379'}\n  update: {reboot-strategy: etcd-lock, group: stable}\n  \
             units:\n    - {name: etcd2.service, command: start}\n    - {name: 00-eth0.network, content: \"[Match]\\n\"}\n",
        );
        assert_eq!(
            made.draft,
            r#"passwd:
  users:
    - name: core
      ssh_authorized_keys:
        - ssh-rsa AAAA core
networkd:
  units:
    - name: "00-eth0.network"
      contents: |
        [Match]
storage:
  files:
    - path: /etc/hostname
      filesystem: root
      mode: 0644
      contents:
        inline: |
          etcd1
flannel:
  interface: eth1
locksmith:
  etcd_endpoints: "http://a:2379"
  reboot_strategy: etcd-lock
update:
  group: stable
# Put into this section the version that the cluster is to run:
# version: 3.0.17   # choose: without one the host runs the etcd that its release happens to name
etcd:
  name: etcd1
  advertise_client_urls: "http://{PRIVATE_IPV4}:2379"
  proxy: "off"
  max_wals: 5
"#
        );
        let draft = Document::new("draft", made.draft);
        let converted = convert(&draft, &Settings { platform: Some("ec2"), ..Settings::default() })
            .unwrap_or_else(|problems| panic!("{problems}"));
        assert!(
            converted
                .etcd_drop_in
                .unwrap()
                .contains("--advertise-client-urls=\"http://${COREOS_EC2_IPV4_LOCAL}:2379\"")
        );
    }

    #[test]
    fn every_part_has_its_fate_and_its_line() {
        use Fate::{Carried, Change, Lost, Remove};
        for (text, expected) in [
            ("hostname: a\n", vec![(Carried, 2, "hostname")]),
            ("manage_etc_hosts: localhost\nother: 1\n", vec![(Lost, 2, "manage_etc_hosts"), (Lost, 3, "other")]),
            ("coreos: {fleet: {a: b}}\n", vec![(Remove, 2, "coreos.fleet")]),
            ("coreos: {etcd: {a: b}}\n", vec![(Remove, 2, "coreos.etcd")]),
            (
                "coreos:\n  etcd2:\n    wal-dir: /x\n    what: 1\n    ca_file: /ca\n",
                vec![
                    (Remove, 3, "coreos.etcd2"),
                    (Lost, 4, "coreos.etcd2.wal_dir"),
                    (Lost, 5, "coreos.etcd2.what"),
                    (Carried, 6, "coreos.etcd2.ca_file"),
                    (Change, 6, "coreos.etcd2.ca_file"),
                ],
            ),
            (
                "coreos:\n  update:\n    reboot-strategy: best-effort\n",
                vec![(Remove, 3, "coreos.update"), (Lost, 4, "coreos.update.reboot_strategy")],
            ),
            (
                "coreos:\n  units:\n    - name: w.service\n      content: ExecStart=/bin/systemctl restart etcd2\n    - name: \
                 a.service\n      content: After=etcd2.service\n    - {name: b.service, command: start}\n    - {name: c.service, \
                 runtime: true, mask: true}\n    - {name: fleet.socket}\n",
                vec![
                    (Remove, 5, "coreos.units[0].content"),
                    (Carried, 6, "coreos.units[1]"),
                    (Change, 7, "coreos.units[1].content"),
                    (Lost, 8, "coreos.units[2]"),
                    (Lost, 8, "coreos.units[2].command"),
                    (Carried, 9, "coreos.units[3]"),
                    (Change, 9, "coreos.units[3].runtime"),
                    (Remove, 10, "coreos.units[4]"),
                ],
            ),
            (
                "coreos:\n  units:\n    - name: etcd-member.service\n      drop_ins:\n        - {name: 20-clct-etcd-member.conf, \
                 content: x}\n        - {name: 30-x.conf, content: \"[Service]\\n\"}\n",
                vec![(Carried, 4, "coreos.units[0]"), (Remove, 6, "coreos.units[0].drop_ins[0]")],
            ),
            (
                "users:\n  - name: core\n    shell: /bin/zsh\n  - name: bob\n    coreos-ssh-import-url: http://x\n",
                vec![
                    (Carried, 3, "users[0]"),
                    (Lost, 4, "users[0].shell"),
                    (Carried, 5, "users[1]"),
                    (Lost, 6, "users[1].coreos_ssh_import_url"),
                ],
            ),
            (
                "write_files:\n  - {path: /etc/x, owner: core, content: $public_ipv4}\n  - {path: /etc/coreos/update.conf}\n  - \
                 {path: /run/systemd/system/etcd2.service.d/1.conf}\n",
                vec![
                    (Carried, 3, "write_files[0]"),
                    (Change, 3, "write_files[0].owner"),
                    (Change, 3, "write_files[0].content"),
                    (Remove, 4, "write_files[1]"),
                    (Remove, 5, "write_files[2]"),
                ],
            ),
        ] {
            let expected: Vec<_> =
                expected.into_iter().map(|(fate, line, path)| (fate, line, path.to_owned())).collect();
            assert_eq!(fates(text), expected, "{text}");
            let draft = migrated(text).draft;
            if !draft.is_empty() {
                convert(&Document::new("draft", &*draft), &Settings::default())
                    .unwrap_or_else(|told| panic!("{draft}{told}"));
            }
        }
    }

    #[test]
    fn an_encoded_file_is_carried_as_it_was_encoded() {
        let made = migrated(
            "write_files: [{path: /a, permissions: '755', owner: 'root:10', encoding: gz+b64, content: 'QUJ D'}]\n",
        );
        for line in ["mode: 0755", "url: \"data:;base64,QUJD\"", "compression: gzip", "group:\n        id: 10"] {
            assert!(made.draft.contains(line), "{line}\n{}", made.draft);
        }
        for (wrong, expected) in [
            ("encoding: gzip", "gzip+base64"),
            ("encoding: rot13", "no encoding"),
            ("encoding: b64, content: '?'", "not base64"),
            ("permissions: 0999", "octal"),
        ] {
            let text = format!("#cloud-config\nwrite_files: [{{path: /a, {wrong}}}]\n");
            assert!(migrate(&Document::new("f", text)).unwrap_err().to_string().contains(expected), "{wrong}");
        }
    }
}
