//! Accounts that are not root's: how they get to be root, and what they are told where they cannot.

use std::fs;
use std::process::Command;

use lockkeeper::hosts::{self, HostError};
use lockkeeper::model::Inventory;

use crate::server::Server;

/// An account on this machine for one test; gone afterwards.
pub(crate) struct Account(pub(crate) String);

impl Account {
    /// With these rules of sudo, where `USER` stands for it. Nothing where accounts cannot be made here.
    pub(crate) fn new(name: &str, password: &str, rules: &str) -> Option<Self> {
        let root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        if !root || !["/usr/sbin/useradd", "/usr/bin/sudo"].iter().all(|path| fs::exists(path).unwrap()) {
            crate::skipped("this needs root, useradd and sudo; nothing is known about accounts that are not root's");
            return None;
        }
        let account = Self(format!("lk-{name}-{}", std::process::id()));
        let made = Command::new("/usr/sbin/useradd").args(["-m", "-s", "/bin/bash", &account.0]).status().unwrap();
        assert!(made.success());
        let mut set = Command::new("/usr/sbin/chpasswd").stdin(std::process::Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut set.stdin.take().unwrap(), format!("{}:{password}", account.0).as_bytes())
            .unwrap();
        assert!(set.wait().unwrap().success());
        fs::write(account.rules(), rules.replace("USER", &account.0)).unwrap();
        Some(account)
    }

    fn rules(&self) -> String {
        format!("/etc/sudoers.d/{}", self.0)
    }

    pub(crate) fn id(&self) -> String {
        let printed = Command::new("id").args(["-u", &self.0]).output().unwrap();
        String::from_utf8(printed.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn inventory(&self, server: &Server) -> Inventory {
        // sshd reads the keys that may log in as this user.
        for (mode, path) in [(0o711, server.dir.path().to_owned()), (0o644, server.path("authorized_keys"))] {
            fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        }
        let mut inventory = server.inventory();
        inventory.ssh.user = Some(self.0.clone());
        inventory
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.rules());
        let _ = Command::new("/usr/sbin/userdel").args(["-r", &self.0]).stderr(std::process::Stdio::null()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_become_root_is_told_why_in_a_sentence() {
    for (name, rules, why) in [
        ("ask", "USER ALL=(ALL) ALL\n", "its sudo asks for a password"),
        ("not", "", "cannot become root: its sudo"),
        ("tty", "USER ALL=(ALL) NOPASSWD: ALL\nDefaults:USER requiretty\n", "its sudo wants a terminal"),
    ] {
        let (Some(account), Some(server)) = (Account::new(name, "open sesame", rules), Server::start()) else { return };
        let inventory = account.inventory(&server);
        let links = hosts::Links::new().unwrap();
        let host = hosts::operate(&inventory, &inventory.hosts[0], &links);
        host.connect().await.unwrap();
        let Err(HostError::Refused(reason)) = host.try_root().await else { panic!("{name}: it became root") };
        assert!(reason.contains(why), "{reason}");
        links.close().await;
        // And before a window, by whoever asks.
        server.write_inventory(Some(&account.0));
        for (command, says) in
            [("preflight", "does not hold: root can be had here"), ("doctor", "root cannot be had there")]
        {
            let mut asked = Command::new(env!("CARGO_BIN_EXE_lockkeeper"));
            asked.args([command, "-i", "cluster.yaml"]).current_dir(server.dir.path());
            let told = asked.env("XDG_STATE_HOME", server.dir.path()).output().unwrap();
            let told = String::from_utf8(told.stdout).unwrap();
            assert!(told.contains(says) && told.contains(why), "{told}");
        }
    }
}
