//! Power: going down, coming up, and what configures a Container Linux host on the way.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::model::HostName;

use super::faults::FaultKind;
use super::units::{Unit, UnitFile, vendor_wants, wants};
use super::world::{Happening, Machine, World};

/// GRUB turns this file into a kernel parameter (disks installed since March 2017).
const FIRST_BOOT_FLAG: &str = "/boot/coreos/first_boot";
const USER_DATA: [&str; 2] = ["/usr/share/oem/cloud-config.yml", "/var/lib/coreos-install/user_data"];

impl World {
    /// Begins a reboot; `append` is what somebody at the console adds to the kernel's line.
    pub(super) fn reboot(&mut self, host: &HostName, append: &str) {
        let machine = self.machine(host);
        let delay = machine.random.millis(400..1200);
        let line = machine.kernel_line;
        let cmdline = if append.is_empty() { line.into() } else { format!("{line} {append}") };
        self.log(host, "init.scope", "Rebooting.");
        self.after(delay, Happening::Down { host: host.clone(), cmdline });
    }

    pub(super) fn go_down(&mut self, host: &HostName, cmdline: String) {
        let machine = self.machine(host);
        if !machine.up && !machine.emergency {
            return;
        }
        self.leave_undrained(host);
        if let Some(unit) = self.cluster.processes.get(host).map(|process| process.unit.clone()) {
            self.end_process(host, &unit, Some(&format!("rebooting {host}")));
        }
        let machine = self.machine(host);
        (machine.up, machine.emergency) = (false, false);
        machine.units.clear();
        machine.disk.lose_memory();
        let delay = if machine.strikes(FaultKind::RebootHangs) {
            Duration::from_secs(300)
        } else {
            machine.random.millis(6000..15_000)
        };
        self.after(delay, Happening::Up { host: host.clone(), cmdline });
    }

    /// What runs on a host that goes down should have been moved before.
    fn leave_undrained(&mut self, host: &HostName) {
        let kube = self.kube_of(host);
        let left: Vec<&str> = kube.pods.iter().filter(|pod| pod.node == *host).map(|pod| pod.name.as_str()).collect();
        if !left.is_empty() {
            let left = left.join(", ");
            self.break_rule(format_args!("{host} was rebooted undrained, with {left} on it"));
        }
    }

    pub(super) fn come_up(&mut self, host: &HostName, mut cmdline: String) {
        let machine = self.machine(host);
        machine.boots += 1;
        machine.boot_id = machine.random.uuid();
        machine.last_pid = 700;
        if machine.disk.exists(FIRST_BOOT_FLAG) {
            cmdline += " coreos.first_boot=detected";
        }
        machine.cmdline = cmdline;
        machine.write_proc();
        if machine.cmdline.contains("coreos.first_boot=") && !self.ignite(host) {
            let machine = self.machine(host);
            machine.emergency = true;
            return;
        }
        let machine = self.machine(host);
        if machine.cmdline.contains("coreos.first_boot=detected") {
            // ignition-quench takes the flag away for this value and for no other.
            machine.disk.delete(FIRST_BOOT_FLAG);
        }
        machine.up = true;
        machine.boot_from_ostree();
        machine.boot_partition();
        let cloud_units = machine.cloud_config();
        machine.load_units();
        let mut starts: Vec<String> = machine.unit_files();
        starts.retain(|name| machine.disk.exists(wants(name)) || machine.disk.exists(vendor_wants(name)));
        // Cloud Config comes last, and starts its units whatever else runs.
        starts.extend(cloud_units);
        for unit in starts {
            // A masked unit stays down.
            let _ = self.start_unit(host, &unit);
        }
    }

    /// Applies `/usr/share/oem/config.ign`. False when the boot ends in the emergency shell.
    fn ignite(&mut self, host: &HostName) -> bool {
        let disk = self.machine(host).disk.clone();
        self.log(host, "ignition.service", "Ignition v0.14.0");
        let Some(text) = disk.text("/usr/share/oem/config.ign") else {
            self.log(host, "ignition.service", "no config at oem:///config.ign");
            return true;
        };
        if text.starts_with("#cloud-config") || text.starts_with("#!") {
            self.log(host, "ignition.service", "CRITICAL : the provided config is no Ignition config: ignored");
            return true;
        }
        let config: Value = serde_json::from_str(&text).unwrap_or_default();
        let version = config.pointer("/ignition/version").and_then(Value::as_str);
        if version != Some("2.0.0") {
            self.log(host, "ignition.service", "CRITICAL : failed to parse config: unsupported config version");
            return false;
        }
        let list = |pointer: &str| config.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
        if ["/storage/disks", "/storage/raid", "/storage/filesystems"].iter().any(|part| !list(part).is_empty()) {
            disk.delete("/var/lib/etcd");
            disk.delete("/var/lib/etcd2");
            self.break_rule(format_args!("{host}: Ignition formatted a disk that held data"));
        }
        for file in list("/storage/files") {
            let path = file.get("path").and_then(Value::as_str);
            let source = file.pointer("/contents/source").and_then(Value::as_str);
            if let (Some(path), Some(source)) = (path, source.and_then(|source| source.strip_prefix("data:,"))) {
                disk.put(path, percent_decode(source));
                self.log(
                    host,
                    "ignition.service",
                    format!("files: createFiles: op: [finished] writing file \"{path}\""),
                );
            }
        }
        for unit in list("/systemd/units") {
            self.ignite_unit(host, &unit);
        }
        true
    }

    fn ignite_unit(&mut self, host: &HostName, unit: &Value) {
        let disk = self.machine(host).disk.clone();
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let Some(name) = text(unit, "name") else { return };
        let path = format!("/etc/systemd/system/{name}");
        if let Some(contents) = text(unit, "contents") {
            disk.put(&path, contents);
        }
        for drop_in in unit.get("dropins").and_then(Value::as_array).into_iter().flatten() {
            if let (Some(file), Some(contents)) = (text(drop_in, "name"), text(drop_in, "contents")) {
                disk.put(format!("{path}.d/{file}"), contents);
                self.log(
                    host,
                    "ignition.service",
                    format!("files: op: [finished] writing drop-in \"{file}\" for \"{name}\""),
                );
            }
        }
        let yes = |key: &str| unit.get(key).and_then(Value::as_bool) == Some(true);
        if yes("mask") {
            disk.link(&path, "/dev/null");
        }
        if yes("enable") || yes("enabled") {
            // Only the preset: nothing enables the unit on a host that has its machine id already.
            let preset = "/etc/systemd/system-preset/20-ignition.preset";
            disk.put(preset, disk.text(preset).unwrap_or_default() + &format!("enable {name}\n"));
        }
    }
}

impl Machine {
    /// What the kernel shows of this boot.
    pub(super) fn write_proc(&self) {
        self.disk.put("/proc/cmdline", format!("{}\n", self.cmdline));
        self.disk.put("/proc/sys/kernel/random/boot_id", format!("{}\n", self.boot_id));
    }

    /// systemd reads all unit files there are.
    pub(super) fn load_units(&mut self) {
        for name in self.unit_files() {
            let loaded = UnitFile::read(&self.disk, &name, &self.id);
            self.units.insert(name, Unit { sub: "dead", loaded, ..Unit::default() });
        }
    }

    /// What coreos-cloudinit does at every boot: writes etcd2's runtime drop-in, and tells which units it starts.
    pub(super) fn cloud_config(&mut self) -> Vec<String> {
        let mut starts = Vec::new();
        for text in USER_DATA.iter().filter_map(|path| self.disk.text(path)).filter(|t| t.starts_with("#cloud-config"))
        {
            let config: serde_yaml::Value = serde_yaml::from_str(&text).unwrap_or_default();
            let coreos = &config["coreos"];
            if let Some(etcd2) = coreos["etcd2"].as_mapping() {
                let mut drop_in = String::from("[Service]\n");
                for (key, value) in etcd2 {
                    if let (Some(key), Some(value)) = (key.as_str(), value.as_str()) {
                        let option = key.to_uppercase().replace('-', "_");
                        let _ = writeln!(drop_in, "Environment=\"ETCD_{option}={value}\"");
                    }
                }
                self.disk.put("/run/systemd/system/etcd2.service.d/20-cloudinit.conf", drop_in);
            }
            for unit in coreos["units"].as_sequence().into_iter().flatten() {
                if let (Some(name), Some("start")) = (unit["name"].as_str(), unit["command"].as_str()) {
                    starts.push(name.to_owned());
                }
            }
        }
        starts
    }
}

fn percent_decode(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16)).map(|d| d as u8);
        match byte {
            b'%' => {
                if let (Some(high), Some(low)) = (digit(), digit()) {
                    out.push(high * 16 + low);
                }
            }
            _ => out.push(byte),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_urls_are_decoded() {
        assert_eq!(percent_decode("GROUP%3Dstable%0AX"), b"GROUP=stable\nX");
    }
}
