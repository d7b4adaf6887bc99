#!/usr/bin/env bash
# host.sh LABDIR NAME: one lab host as a machine. It runs until the host powers itself off or this script is
# told to end (TERM), and boots it again when it reboots. Started by up.sh in a mount namespace of its own,
# so that its root file system is gone with its last process, however that one ended.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

dir=$1/hosts/$2
name=$2
cgroup=$(cgroup_root)/$name

# The loop and the host beside each other: on unified cgroups a group with children may hold no process.
mkdir -p "$cgroup/loop" "$cgroup/box"
echo "$$" >"$cgroup/loop/cgroup.procs"

mount -t overlay overlay -o "lowerdir=$1/base,upperdir=$dir/upper,workdir=$dir/work" "$dir/root"

# The first TERM asks the host to shut down in good order, the second ends it now; a lab need not wait.
box=
trap 'while [ -n "$box" ] && kill -TERM "$box" 2>/dev/null; do sleep 0.1; done; exit 0' TERM

while :; do
    # Always unified cgroups inside: on a machine with the old hierarchies the hosts would share those.
    # No lock file of nspawn's own, which a killed one would leave behind: up.sh starts no host twice.
    (
        echo "$BASHPID" >"$cgroup/box/cgroup.procs"
        SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_LOCK=0 exec systemd-nspawn --quiet --register=no --keep-unit \
            --directory="$dir/root" --machine="$(machine_of "$name")" --hostname="$name" --network-bridge="$bridge" \
            --resolv-conf=off --timezone=off --link-journal=no --console=pipe --boot
    ) &
    box=$!
    status=0
    wait "$box" || status=$?
    # With --keep-unit there is no scope to restart: nspawn says "rebooted" with 133 and leaves it to us.
    [ "$status" = 133 ] || break
    echo "--- $name reboots ---"
done
echo "--- $name ended: $status ---"
