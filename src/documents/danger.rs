//! The commands that a step must own up to: what deletes, formats or removes, what takes the host down, and what stops its
//! etcd member.

use std::collections::BTreeMap;

use crate::model::plan::variables_in;

/// What a command does that its step must declare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Something is gone afterwards; in words that go on from the command's name.
    Destroys(&'static str),
    /// The host goes down.
    Reboots,
}

/// Commands that run another command which stands among their arguments.
const WRAPPERS: &[&str] = &[
    "timeout",
    "env",
    "sudo",
    "doas",
    "nice",
    "ionice",
    "nohup",
    "setsid",
    "stdbuf",
    "command",
    "exec",
    "xargs",
    "find",
    "chroot",
    "nsenter",
    "systemd-run",
    "flock",
    "busybox",
    "ssh",
    "watch",
    "time",
    "unshare",
];

/// What a command does, by its words; the offset of the word that does it. `glob` says that some word is a pattern.
pub(super) fn effect(words: &[String], glob: bool) -> Option<(usize, Effect)> {
    let wrapped = words.first().is_some_and(|name| WRAPPERS.contains(&base(name)));
    let last = if wrapped { words.len() } else { 1.min(words.len()) };
    (0..last).find_map(|at| Some((at, plain(base(&words[at]), &words[at + 1..], glob)?)))
}

/// Whether a command reads its argument as a script: the words after which it stands.
pub(super) fn script_argument(words: &[String]) -> Option<usize> {
    let wrapped = words.first().is_some_and(|name| WRAPPERS.contains(&base(name)));
    let last = if wrapped { words.len() } else { 1.min(words.len()) };
    (0..last).find_map(|at| match base(&words[at]) {
        "eval" | "trap" => Some(at + 1),
        "sh" | "bash" | "dash" | "ash" => {
            let flag = words[at + 1..].iter().position(|word| word.starts_with('-') && word.ends_with('c'))?;
            Some(at + flag + 2)
        }
        _ => None,
    })
}

/// Which word of a command stops the host's etcd member, if only for a restart. `etcd` says whether a word means etcd.
pub(super) fn stops_etcd(words: &[String], etcd: impl Fn(&str) -> bool) -> Option<usize> {
    let wrapped = words.first().is_some_and(|name| WRAPPERS.contains(&base(name)));
    let last = if wrapped { words.len() } else { 1.min(words.len()) };
    (0..last).find(|at| stops(base(&words[*at]), &words[at + 1..], &etcd))
}

/// Whether a word speaks of etcd: by itself, by the name of a variable in it, or by what that may hold.
pub(super) fn means_etcd(word: &str, values: &BTreeMap<String, String>) -> bool {
    if word.to_ascii_lowercase().contains("etcd") {
        return true;
    }
    let named = variables_in(word, values);
    // What was looked at is not looked at again: `a=$b; b=$a`.
    let rest = values.iter().filter(|(name, _)| !named.iter().any(|(known, _)| known == *name));
    let rest = rest.map(|(name, value)| (name.clone(), value.clone())).collect();
    named.iter().any(|(_, value)| means_etcd(value, &rest))
}

fn stops(name: &str, words: &[String], etcd: &impl Fn(&str) -> bool) -> bool {
    let has = |any: &[&str]| words.iter().any(|word| any.contains(&word.as_str()));
    let named = || words.iter().any(|word| etcd(word));
    // The kubelet stops a pod whose manifest is gone, or is another.
    let manifest = |word: &String| word.contains("manifests") && etcd(word);
    match name {
        "systemctl" => {
            let ends =
                ["stop", "restart", "try-restart", "condrestart", "reload-or-restart", "try-reload-or-restart", "kill"];
            (has(&ends) || (has(&["--now"]) && has(&["disable", "mask"]))) && named()
        }
        "service" => has(&["stop", "restart", "force-reload"]) && named(),
        "docker" | "podman" | "crictl" | "rkt" | "ctr" | "nerdctl" => {
            has(&["stop", "stopp", "kill", "restart", "rm", "rmp", "pause"]) && named()
        }
        "runc" => has(&["kill", "delete", "pause"]) && named(),
        "machinectl" => has(&["stop", "terminate", "poweroff", "reboot", "kill"]) && named(),
        "atomic" => has(&["update", "rollback", "stop"]) && named(),
        "pkill" | "killall" => named(),
        "mv" => words.split_last().is_some_and(|(_, from)| from.iter().any(manifest)),
        "rm" | "unlink" => words.iter().any(manifest),
        "sed" => {
            words.iter().any(|word| word.starts_with("-i") || word.starts_with("--in-place"))
                && words.iter().any(manifest)
        }
        _ => false,
    }
}

fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

fn plain(name: &str, words: &[String], glob: bool) -> Option<Effect> {
    use Effect::{Destroys, Reboots};
    let has = |any: &[&str]| words.iter().any(|word| any.contains(&word.as_str()));
    let pair = |first: &str, second: &str| words.windows(2).any(|two| two[0] == first && two[1] == second);
    // `-rf` and the like: one dash, letters, one of them this.
    let letter = |wanted: &[char]| {
        words.iter().any(|word| {
            word.strip_prefix('-').is_some_and(|letters| !letters.starts_with('-') && letters.contains(wanted))
        })
    };
    let option = |name: &str| words.iter().any(|word| word.starts_with(name) && !word.ends_with("=false"));
    match name {
        "rm" if letter(&['r', 'R']) || has(&["--recursive"]) => Some(Destroys("deletes a whole tree")),
        "rm" if glob => Some(Destroys("deletes whatever its pattern finds")),
        "find" if has(&["-delete"]) => Some(Destroys("deletes what it finds")),
        "shred" | "truncate" => Some(Destroys("destroys the content of a file")),
        "dd" if words.iter().any(|word| word.starts_with("of=") && word != "of=/dev/null") => {
            Some(Destroys("overwrites what it writes to"))
        }
        "wipefs" | "blkdiscard" | "sgdisk" | "sfdisk" | "fdisk" | "gdisk" | "parted" => {
            Some(Destroys("changes a disk's partitions or signatures"))
        }
        "mke2fs" | "mkswap" => Some(Destroys("formats")),
        mkfs if mkfs == "mkfs" || mkfs.starts_with("mkfs.") => Some(Destroys("formats")),
        "lvremove" | "vgremove" | "pvremove" => Some(Destroys("removes a volume")),
        "mdadm" if has(&["--create", "-C", "--zero-superblock"]) => Some(Destroys("destroys what is on its disks")),
        "cryptsetup" if has(&["luksFormat", "luksErase", "erase"]) => Some(Destroys("destroys what is on its disk")),
        "zpool" | "zfs" if has(&["destroy"]) => Some(Destroys("destroys a file system")),
        "etcdctl" | "etcdutl" if pair("member", "remove") => Some(Destroys("removes a member from the cluster")),
        "etcdctl" if has(&["del", "rm", "rmdir"]) => Some(Destroys("deletes keys")),
        "kubectl" if has(&["delete"]) => Some(Destroys("deletes objects")),
        "kubectl" if has(&["drain"]) && (option("--delete-local-data") || option("--delete-emptydir-data")) => {
            Some(Destroys("deletes what pods keep in emptyDir volumes"))
        }
        "kubectl" if has(&["drain"]) && option("--force") => Some(Destroys("deletes pods that nothing starts again")),
        "kubeadm" if has(&["reset"]) => Some(Destroys("takes the node out of its cluster and deletes its state")),
        "docker" | "podman" | "crictl" | "rkt" | "ctr" if has(&["rm", "rmi", "rmp", "prune", "gc", "delete"]) => {
            Some(Destroys("deletes containers or images"))
        }
        "atomic" if has(&["delete", "uninstall"]) => Some(Destroys("deletes containers or images")),
        "ostree" if has(&["undeploy", "prune"]) => Some(Destroys("deletes a deployment")),
        "rpm-ostree" if has(&["cleanup"]) => Some(Destroys("deletes deployments or staged changes")),
        "rpm-ostree" if letter(&['r']) || option("--reboot") => Some(Reboots),
        "userdel" | "groupdel" => Some(Destroys("deletes an account")),
        "systemctl" if has(&["preset-all"]) => Some(Destroys("disables every unit that was enabled by hand")),
        "systemctl" if has(&["reboot", "poweroff", "halt", "kexec", "soft-reboot", "rescue", "emergency"]) => {
            Some(Reboots)
        }
        "reboot" | "poweroff" | "halt" => Some(Reboots),
        "shutdown" if !letter(&['c', 'k']) => Some(Reboots),
        "init" | "telinit" if has(&["0", "6"]) => Some(Reboots),
        "kexec" if letter(&['e']) => Some(Reboots),
        "locksmithctl" if has(&["reboot"]) => Some(Reboots),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(command: &str) -> Option<Effect> {
        let words: Vec<_> = command.split_whitespace().map(str::to_owned).collect();
        effect(&words, command.contains('*')).map(|(_, effect)| effect)
    }

    #[test]
    fn what_destroys_is_known_behind_wrappers_too() {
        for command in [
            "rm -rf /var/lib/etcd/member",
            "rm --recursive x",
            "rm -f /var/lib/etcd/*",
            "timeout 20 rm -r x",
            "/usr/sbin/wipefs -a /dev/sda",
            "mkfs.ext4 /dev/sda1",
            "dd if=/dev/zero of=/dev/sda",
            "find /x -delete",
            "find /x -exec rm -r {} +",
            "etcdctl --endpoints x member remove 1f",
            "timeout -k 5 20 etcdctl del /a",
            "kubectl drain n --delete-emptydir-data",
            "kubectl drain n --force",
            "kubeadm reset -f",
            "systemctl preset-all",
            "sudo mdadm --create /dev/md0",
        ] {
            assert!(matches!(of(command), Some(Effect::Destroys(_))), "{command}");
        }
        for command in [
            "reboot",
            "systemctl reboot",
            "timeout 5 systemctl --no-block reboot",
            "shutdown -r now",
            "rpm-ostree rebase x -r",
            "rpm-ostree upgrade --reboot",
            "init 6",
        ] {
            assert_eq!(of(command), Some(Effect::Reboots), "{command}");
        }
    }

    #[test]
    fn what_stops_the_member_is_known_by_its_name() {
        let stops = |command: &str| {
            let words: Vec<_> = command.split_whitespace().map(str::to_owned).collect();
            stops_etcd(&words, |word| word.contains("etcd")).is_some()
        };
        for command in [
            "systemctl stop etcd",
            "timeout -k 5 100 systemctl restart etcd-member.service",
            "systemctl mask --now etcd2",
            "systemctl --now disable etcd3.service",
            "systemctl kill -s KILL etcd",
            "service etcd restart",
            "atomic containers update etcd",
            "docker rm -f etcd",
            "crictl stop $(crictl ps --name etcd -q)",
            "mv /etc/kubernetes/manifests/etcd.yaml /root/",
            "rm -f /etc/kubernetes/manifests/etcd.yaml",
            "sed -i s/a/b/ /etc/kubernetes/manifests/etcd.yaml",
        ] {
            assert!(stops(command), "{command}");
        }
        for command in [
            "systemctl stop docker",
            "systemctl start etcd",
            "systemctl disable etcd",
            "systemctl mask etcd2",
            "systemctl is-active etcd",
            "docker logs etcd",
            "crictl ps --name etcd",
            "atomic pull etcd",
            "cp /etc/kubernetes/manifests/etcd.yaml /root/",
            "mv /root/etcd.yaml /etc/kubernetes/manifests/etcd.yaml",
            "sed -n p /etc/kubernetes/manifests/etcd.yaml",
            "mv /var/lib/etcd/member /var/lib/old",
        ] {
            assert!(!stops(command), "{command}");
        }
    }

    #[test]
    fn what_does_not_is_left_alone() {
        for command in [
            "rm -f /etc/x",
            "rmdir x",
            "echo rm -rf x",
            "dd if=/dev/sda of=/dev/null",
            "etcdctl member list",
            "kubectl drain n --delete-local-data=false",
            "systemctl restart etcd",
            "shutdown -c",
            "find /x -name y",
            "rpm-ostree status",
        ] {
            assert_eq!(of(command), None, "{command}");
        }
    }
}
