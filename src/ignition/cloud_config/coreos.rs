//! What stands under `coreos`: the services of Container Linux, and units.

use serde_json::{Map, Value};

use super::super::{etcd, flannel, reading::insert, units, update};
use super::{Fate, Migrating, VARIABLES};
use crate::yaml::{Data, Node};

impl Migrating<'_> {
    pub(super) fn coreos(&mut self, node: &Node) {
        for (name, key, value) in self.entries(node, "`coreos`") {
            let at = format!("coreos.{name}");
            match &*name {
                "etcd2" => {
                    let what = "configures and starts etcd2 again at every boot. Without it etcd2 has no configuration \
                                left: there is no way back to it";
                    self.note(key, &at, Fate::Remove, what);
                    self.etcd2(value);
                }
                "etcd" | "fleet" => {
                    let what = format!("Container Linux has no {name} any more: nothing stands for it");
                    self.note(key, &at, Fate::Remove, what);
                }
                "flannel" => {
                    let options = self.options(value, &at, |name| {
                        flannel::shared_options().any(|known| known == name).then(|| name.to_owned())
                    });
                    self.made.flannel.extend(options);
                }
                "locksmith" => {
                    let options = self.options(value, &at, |name| match name {
                        "endpoint" => Some("etcd_endpoints".into()),
                        "etcd_cafile" | "etcd_certfile" | "etcd_keyfile" | "group" | "window_start"
                        | "window_length" => Some(name.to_owned()),
                        _ => None,
                    });
                    self.made.locksmith.extend(options);
                }
                "update" => {
                    let what = format!("writes {} again at every boot, over what the new config says", update::PATH);
                    self.note(key, &at, Fate::Remove, what);
                    self.update(value, &at);
                }
                "units" => {
                    for (index, node) in self.reader.list(value, "units").iter().enumerate() {
                        self.unit(node, &format!("{at}[{index}]"));
                    }
                }
                "oem" => self.note(key, &at, Fate::Lost, "/etc/oem-release belongs to the image"),
                _ => self.unknown(key, &at),
            }
        }
    }

    /// Options that have the same meaning under the name that `as_what` gives them.
    fn options(&mut self, node: &Node, at: &str, as_what: impl Fn(&str) -> Option<String>) -> Map<String, Value> {
        let section = at.rsplit('.').next().unwrap_or_default().replace("etcd2", "etcd");
        let mut made = Map::new();
        for (name, key, value) in self.entries(node, &format!("`{at}`")) {
            let path = format!("{at}.{name}");
            let Some(new) = as_what(&name) else {
                self.note(key, &path, Fate::Lost, format!("the section `{section}` has no such option"));
                continue;
            };
            let Some(mut text) = self.reader.text(value, &name) else { continue };
            self.note(key, &path, Fate::Carried, format!("{section}.{new}"));
            for (variable, word) in VARIABLES {
                if text.contains(variable) {
                    let what = format!(
                        "`{variable}` became `{word}`: say which platform it is (--platform), or write the value"
                    );
                    self.note(key, &path, Fate::Change, what);
                    text = text.replace(variable, word);
                }
            }
            let plain = matches!(&value.data, Data::Scalar(scalar) if !scalar.quoted);
            let value = match (&*text, text.parse::<i64>()) {
                ("true" | "false", _) if plain => (text == "true").into(),
                (_, Ok(number)) if plain && number.to_string() == text => number.into(),
                _ => text.into(),
            };
            made.insert(new, value);
        }
        made
    }

    fn etcd2(&mut self, node: &Node) {
        let at = "coreos.etcd2";
        let mut options =
            self.options(node, at, |name| etcd::options_of_2().any(|known| known == name).then(|| name.to_owned()));
        for (name, key, _) in self.entries(node, "`coreos.etcd2`") {
            let path = format!("{at}.{name}");
            if matches!(&*name, "data_dir" | "wal_dir") {
                options.shift_remove(&name);
                self.notes.retain(|note| note.path != path);
                let what = "etcd-wrapper always runs etcd on /var/lib/etcd in its container: set the host's directory by \
                            ETCD_DATA_DIR, in a drop-in";
                self.note(key, &path, Fate::Lost, what);
            } else if name.ends_with("_file") {
                let what =
                    "the file must be where etcd-wrapper's container sees it: in the directory that ETCD_SSL_DIR names";
                self.note(key, &path, Fate::Change, what);
            }
        }
        self.made.etcd = Some(options);
    }

    fn update(&mut self, node: &Node, at: &str) {
        let words = ["etcd-lock", "reboot", "off"];
        for (name, key, value) in self.entries(node, "`coreos.update`") {
            let path = format!("{at}.{name}");
            let Some(text) = self.reader.text(value, &name) else { continue };
            match &*name {
                "reboot_strategy" if words.contains(&&*text) => {
                    self.made.locksmith.insert(name, text.into());
                    self.note(key, &path, Fate::Carried, "locksmith.reboot_strategy");
                }
                "reboot_strategy" => {
                    self.note(key, &path, Fate::Lost, format!("`{text}` is none of {}: choose one", words.join(", ")));
                }
                "group" | "server" => {
                    self.note(key, &path, Fate::Carried, format!("update.{name}"));
                    self.made.update.insert(name, text.into());
                }
                _ => self.unknown(key, &path),
            }
        }
    }

    fn unit(&mut self, node: &Node, at: &str) {
        let mut unit = Map::new();
        let mut texts = Vec::new();
        let mut drop_ins = Vec::new();
        let mut command = None;
        for (name, key, value) in self.entries(node, "a unit") {
            let path = format!("{at}.{name}");
            match &*name {
                "name" => unit.extend(self.reader.text(value, &name).map(|text| (name, text.into()))),
                "mask" | "enable" => {
                    if self.reader.boolean(value, &name) == Some(true) {
                        unit.insert(name, true.into());
                    }
                }
                "runtime" => {
                    if self.reader.boolean(value, &name) == Some(true) {
                        let what = "was made anew at every boot and is kept from now on";
                        self.note(key, &path, Fate::Change, what);
                    }
                }
                "content" => {
                    if let Some(text) = self.reader.script(value, &name) {
                        texts.push((value, path, text.clone()));
                        unit.insert("contents".into(), text.into());
                    }
                }
                "command" => command = self.reader.text(value, &name).map(|text| (key, path, text)),
                "drop_ins" => drop_ins = self.drop_ins(value, &path, &mut texts),
                _ => self.unknown(key, &path),
            }
        }
        let Some(name) = unit.get("name").and_then(Value::as_str).map(str::to_owned) else {
            self.reader.complain(node, "this unit has no `name`");
            return;
        };
        if matches!(&*name, "etcd2.service" | "etcd.service" | "fleet.service" | "fleet.socket") {
            self.note(node, at, Fate::Remove, format!("{name} would be configured and started at every boot"));
            return;
        }
        if let Some((node, path, _)) = texts.iter().find(|(_, _, text)| restarts_etcd2(text)) {
            self.note(node, path, Fate::Remove, format!("{name} starts etcd2 again, and etcd-member stops for it"));
            return;
        }
        if let Some((node, path, _)) = texts.iter().find(|(_, _, text)| text.contains("etcd2")) {
            self.note(node, path, Fate::Change, "names etcd2.service: say etcd-member.service");
        }
        for (node, path, text) in &texts {
            self.variables(node, path, text);
        }
        if let Some((key, path, command)) = command {
            let what = format!("Ignition runs no `{command}`: the unit must be enabled, and say in [Install] for what");
            self.note(key, &path, Fate::Lost, what);
        }
        self.carry(node, at, unit, drop_ins, &name);
    }

    fn drop_ins<'n>(&mut self, list: &'n Node, at: &str, texts: &mut Vec<(&'n Node, String, String)>) -> Vec<Value> {
        let mut made = Vec::new();
        for (index, node) in self.reader.list(list, "drop_ins").iter().enumerate() {
            let at = format!("{at}[{index}]");
            let mut drop_in = Map::new();
            for (name, key, value) in self.entries(node, "a drop-in") {
                match &*name {
                    "name" => drop_in.extend(self.reader.text(value, &name).map(|text| (name, text.into()))),
                    "content" => {
                        if let Some(text) = self.reader.script(value, &name) {
                            texts.push((value, format!("{at}.content"), text.clone()));
                            drop_in.insert("contents".into(), text.into());
                        }
                    }
                    _ => self.unknown(key, &format!("{at}.{name}")),
                }
            }
            if drop_in.get("name").is_some_and(|name| name == etcd::DROP_IN) {
                self.note(node, &at, Fate::Remove, "has the name of the drop-in that the new config makes");
            } else {
                made.push(drop_in.into());
            }
        }
        made
    }

    /// Puts a unit into the draft, where it belongs to systemd or to networkd.
    fn carry(&mut self, node: &Node, at: &str, mut unit: Map<String, Value>, drop_ins: Vec<Value>, name: &str) {
        insert(&mut unit, "dropins", drop_ins);
        let network = units::NETWORKD_ENDS.iter().any(|end| name.ends_with(&format!(".{end}")));
        if network {
            if unit.shift_remove("dropins").is_some() {
                self.note(
                    node,
                    at,
                    Fate::Lost,
                    "drop-ins of networkd need spec 2.2.0: write them under networkd.units",
                );
            }
            unit.shift_remove("enable");
        }
        let contents = unit.get("contents").and_then(Value::as_str);
        if contents.is_some_and(|text| !text.lines().any(|line| line.trim() == "[Install]"))
            && unit.shift_remove("enable").is_some()
        {
            let what = "is enabled, but has no [Install] section that says for what: write one, and `enable: true`";
            self.note(node, at, Fate::Change, what);
        }
        if unit.len() < 2 {
            self.note(node, at, Fate::Lost, format!("{name}: nothing but its command was said"));
        } else if network {
            self.made.networks.push(unit.into());
            self.note(node, at, Fate::Carried, format!("networkd.units, {name}"));
        } else {
            self.made.units.push(unit.into());
            self.note(node, at, Fate::Carried, format!("systemd.units, {name}"));
        }
    }
}

/// Whether a unit starts etcd2 by its own commands.
fn restarts_etcd2(text: &str) -> bool {
    text.lines().any(|line| {
        line.contains("etcd2")
            && line.contains("systemctl")
            && ["start", "unmask", "enable"].iter().any(|verb| line.contains(verb))
    })
}
