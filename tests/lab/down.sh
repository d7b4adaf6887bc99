#!/usr/bin/env bash
# down.sh [LABDIR]: stops the lab's hosts and removes all that up.sh made except what makes the next start
# quick: the base system and the keys. Safe to call at any time, also when nothing or only half is there.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

lab=$(lab_dir "${1:-}")
[ "$(id -u)" = 0 ] || skip 'needs root (systemd-nspawn, a bridge)'
take_lock

owner=$(lab_owner)
if [ -n "$owner" ] && [ "$owner" != "$lab" ]; then
    say "nothing of $lab is up (the hosts of $owner are)"
    exit 0
fi
stop_hosts
rm -rf "$lab/hosts" "$lab/base.new" "$lab/tls.new" "$lab/inventory.yaml"
# Last, because its alias says whose the rest is.
[ ! -d "/sys/class/net/$bridge" ] || ip link delete "$bridge"
say 'down'
