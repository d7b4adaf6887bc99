# shellcheck shell=bash
# What the lab scripts share: names, messages, the lock, and how a host is found and stopped.
# Sourced, never run.
# shellcheck disable=SC2034  # the names below are used by the scripts that source this file

umask 022 # what is written here becomes file systems with other users in them
hosts=(lab1 lab2 lab3)
bridge=lklab0
subnet=10.99.47

say() { printf 'lab: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
# 77 is what test harnesses read as "could not be tried here", as opposed to "failed".
skip() { printf 'lab skipped: %s\n' "$*" >&2; exit 77; }

# No silent end: `set -e` alone would leave only an exit status.
set -o errtrace
trap 'say "${BASH_SOURCE[0]##*/}:$LINENO: failed: $BASH_COMMAND"' ERR

address_of() { printf '%s.%d' "$subnet" "$((10 + ${1#lab}))"; }

# The lab's directory: the argument, or $LOCKKEEPER_LAB, or one cache for the machine.
lab_dir() {
    local dir
    dir=$(realpath -m -- "${1:-${LOCKKEEPER_LAB:-/var/tmp/lockkeeper-lab}}")
    # Overlay options and ssh_config would each need their own quoting.
    [[ $dir =~ ^[A-Za-z0-9/._+-]+$ ]] || die "directory name with characters the lab cannot use: $dir"
    printf '%s' "$dir"
}

# debian_mirror RELEASE: the mirror that this machine takes a release of Debian from. $LOCKKEEPER_MIRROR says it where
# there is no apt, or its sources name another release. Asked without what `apt-get update` fetched, which may not be there.
debian_mirror() {
    local found=${LOCKKEEPER_MIRROR:-}
    if [ -z "$found" ] && command -v apt-get >/dev/null; then
        # shellcheck disable=SC2016  # apt fills it in
        found=$(apt-get indextargets --no-release-info --format '$(REPO_URI)' \
            'Created-By: Packages' "Release: $1" 'Component: main' | head -n 1)
    fi
    [ -n "$found" ] || die "apt's sources name no mirror of Debian's $1 here; say which: LOCKKEEPER_MIRROR=URL"
    printf '%s' "$found"
}

# Bridge, subnet and host names exist once per machine, so the lock does too, whatever the directory.
# It is freed when the script ends: nothing that outlives the script may inherit descriptor 9.
take_lock() {
    exec 9>/run/lock/lockkeeper-lab.lock
    flock --nonblock 9 && return
    say 'waiting for another up or down to end'
    flock --timeout 300 9 || die 'another up or down has held the lock for 5 minutes'
}

# Whose hosts are up: the bridge carries it as its alias. It is made before the first host and
# removed after the last, so the record is there exactly as long as what it describes.
lab_owner() { cat "/sys/class/net/$bridge/ifalias" 2>/dev/null || true; }

# All of the lab's processes live in one cgroup tree of our own. Two reasons: hosts booted in one and
# the same cgroup would share their system.slice and kill each other's units; and a whole tree can be
# asked about, and ended, without pid files that may name somebody else's process by now.
cgroup_root() {
    local root
    root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    [ -n "$root" ] && printf '%s/lockkeeper-lab' "$root"
}

# The name outside of the host, in links and under /run; inside, it is plainly lab1.
machine_of() { printf 'lklab-%s' "$1"; }

populated() { [ -e "$1/cgroup.events" ] && grep -q '^populated 1' "$1/cgroup.events"; }
empty() { ! populated "$1"; }
is_up() { populated "$(cgroup_root)/$1"; }

# wait_until SECONDS COMMAND...: true as soon as the command is.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.2
    done
}

# none COMMAND: true if it is so for no host.
none() {
    local name
    for name in "${hosts[@]}"; do
        if "$1" "$name"; then return 1; fi
    done
}

# The process that boots this host and watches over it, see host.sh.
loop_of() { cat "$(cgroup_root)/$1/loop/cgroup.procs" 2>/dev/null; }
has_loop() { [ -n "$(loop_of "$1" || true)" ]; }

# Ends every host at once, and a build that was left behind. The loops let nspawn put away what it made
# outside of the host; the cgroup's kill is for what does not listen, or has no loop any more.
stop_hosts() {
    local root name pid link
    root=$(cgroup_root)
    for name in "${hosts[@]}"; do
        for pid in $(loop_of "$name" || true); do kill -TERM "$pid" 2>/dev/null || true; done
    done
    wait_until 10 none has_loop || say 'hosts do not end by themselves, killing them'
    if populated "$root"; then
        printf 1 >"$root/cgroup.kill"
        wait_until 10 empty "$root" || die "processes that cannot be killed: see $root"
    fi
    # Cgroups go leaves first; one whose last process is still being reaped is busy for a moment.
    wait_until 5 remove_cgroups "$root" || die "cannot remove $root"

    # What a killed nspawn could not put away. A link goes with its network namespace, but in its own time.
    for name in "${hosts[@]}"; do
        link=vb-$(machine_of "$name")
        [ ! -d "/sys/class/net/$link" ] || ip link delete "$link" 2>/dev/null || true
        [ ! -d "/run/systemd/nspawn/propagate/$(machine_of "$name")" ] ||
            rmdir "/run/systemd/nspawn/propagate/$(machine_of "$name")"
    done
}

remove_cgroups() {
    [ ! -d "$1" ] || find "$1" -depth -type d -exec rmdir {} + 2>/dev/null || true
    [ ! -d "$1" ]
}
