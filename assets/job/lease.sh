# Takes the lease, or renews it, unless somebody else has it. Arguments: base directory, session, operator, token, seat (which
# journal, on which machine), and what is asked: `take`; `renew`, which takes nothing that was lost; `show`, which changes nothing.
# The lease is a file of six lines: session, operator, since when, token, seat, and whom it was taken over from.
# Prints `taken` and whom it was taken over from; or `busy` and a job of another session that still runs; or `held` and who has
# it: session, operator, since when, seconds since it was renewed (`-` where the host has booted since).
set -eu
umask 077
base=$1 session_=$2 operator=$3 token=$4 seat=$5 asked=$6
lease=$base/lease
if [ -L "$base" ] || { [ -e "$base" ] && { [ ! -d "$base" ] || [ ! -O "$base" ]; }; }; then
    echo "$base is not a directory of root's own there: look who made it, and remove it" >&2
    exit 1
fi
if [ "$asked" = show ] && [ ! -f "$lease" ] && [ ! -L "$lease" ] && [ ! -e "$lease" ]; then
    echo free
    exit
fi
mkdir -p "$base" || no_room "${base%/*}/" "the directory $base"
if [ -L "$lease" ] || { [ -e "$lease" ] && [ ! -f "$lease" ]; }; then
    echo "$lease is not a file there: look who made it, and remove it" >&2
    exit 1
fi
line() { sed -n "$1p" "$lease" 2>/dev/null || :; }

IFS= read -r boot </proc/sys/kernel/random/boot_id
IFS=' .' read -r uptime _ </proc/uptime

# What another session has started there may still change things: it is waited for, whoever has the lease.
if [ "$asked" = take ] && [ "$(line 4)" != "$token" ]; then
    for job in "$base"/jobs/*/; do
        name=${job%/}
        name=${name##*/}
        case $name in "$session_"-*) continue ;; esac
        [ ! -f "$job/exit" ] && [ ! -L "$job/ended" ] && claimed=$(readlink "$job/claimed" 2>/dev/null) || continue
        rest=${claimed#*:}
        if [ "$claimed" != void ] && [ "${claimed%%:*}" = "$boot" ] && alive "${rest%%:*}" "${rest#*:}"; then
            echo busy
            echo "$name"
            exit
        fi
    done
fi

# Half a payload of a connection that broke has the variables of its job in it, and so has a job that earlier versions started,
# or that was killed before it had read them.
if [ "$asked" = take ]; then
    for env in "$base"/jobs/*/env; do
        job=${env%/env}
        claimed=$(readlink "$job/claimed" 2>/dev/null) || continue
        rest=${claimed#*:}
        if [ -f "$job/exit" ] || [ "$claimed" = void ] || [ "${claimed%%:*}" != "$boot" ] ||
            ! alive "${rest%%:*}" "${rest#*:}"; then
            rm -f "$env"
        fi
    done
    for payload in "$base"/jobs/.payload.*; do
        kill -0 "${payload##*.}" 2>/dev/null || rm -f "$payload"
    done
fi

from=
if [ "$asked" = take ] && [ "$(line 4)" != "$token" ]; then
    new=$base/.lease.$token.$$
    trap 'rm -f "$new"' EXIT
    write() {
        printf '%s\n' "$session_" "$operator" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$token" "$seat" "$from" >"$new" ||
            no_room "$base" 'the lease'
    }
    write
    # A link is made or is not, and what it holds is there from the first moment.
    if ! ln "$new" "$lease" 2>/dev/null; then
        if [ "$(line 1)" = "$session_" ] && { [ "$(line 5)" = "$seat" ] || [ -z "$(line 4)" ]; }; then
            # The same journal on the same machine: one process at a time has that open, so the one before is gone.
            mv -f "$new" "$lease"
        elif [ "$(line 1)" = - ] && [ "$(line 2)" = "$operator" ]; then
            # Taken over for us, by typed words.
            from=$(line 6)
            write
            mv -f "$new" "$lease"
        fi
    fi
fi

if [ "$asked" != show ] && [ "$(line 4)" = "$token" ]; then
    # Written over what is there: that needs no room, and where there is none the lease is ours all the same.
    { echo "$token $boot $uptime" 1<>"$base/lease.renewed"; } 2>/dev/null || :
    echo taken
    line 6
    exit
fi
echo held
line 1
line 2
line 3
age=-
if read -r of at when <"$base/lease.renewed" 2>/dev/null && [ "$of" = "$(line 4)" ] && [ "$at" = "$boot" ]; then
    age=$((uptime - when))
fi
echo "$age"
