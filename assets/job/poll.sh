# Says how a job stands, and hands over output. A job that has not begun never will after this.
# Arguments: base directory, name, offset, most bytes to hand over, how often to look for news before saying there is none.
# Prints: one line `lockkeeper-job STATUS DETAIL BYTES`, then that many bytes.
set -eu
umask 077
base=$1 job=$1/jobs/$2 offset=$3 most=$4 looks=$5

mkdir -p "$base/jobs"
mkdir "$job" 2>/dev/null || [ -d "$job" ]
[ -L "$job/claimed" ] || ln -s void "$job/claimed" 2>/dev/null || [ -L "$job/claimed" ]
claimed=$(readlink "$job/claimed")
IFS= read -r boot </proc/sys/kernel/random/boot_id
rest=${claimed#*:}
pid=${rest%%:*}
start=${rest#*:}

# The state, session and start time of a process. Its name, in brackets before them, may hold anything.
look_at() {
    { IFS= read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    set -f
    # shellcheck disable=SC2086
    set -- ${stat##*) }
    set +f
    state=${1-} session=${4-} since=${20-}
}

# The runner leads a session of its own: while any process of that session lives, so does the job.
alive() {
    if look_at "$pid"; then
        [ "$since" = "$start" ] || return 1
        [ "$state" = Z ] || return 0
    fi
    for process in /proc/[0-9]*; do
        if look_at "${process#/proc/}" && [ "$session" = "$pid" ] && [ "$state" != Z ]; then
            return 0
        fi
    done
    return 1
}

exited() {
    [ -f "$job/exit" ] && IFS= read -r detail <"$job/exit" && status=exited
}

settle() {
    detail=-
    if [ "$claimed" = void ]; then
        status=absent
    elif exited; then
        :
    elif [ "${claimed%%:*}" != "$boot" ]; then
        status=interrupted detail=rebooted
    elif alive; then
        status=running
    elif exited; then
        :
    elif [ "$(systemctl is-system-running 2>/dev/null)" = stopping ]; then
        # The host goes down and has ended the job: the next boot will tell.
        status=running
    else
        status=interrupted
    fi
}

measure() {
    size=0
    if [ -f "$job/out" ]; then
        size=$(stat -c %s "$job/out" 2>/dev/null || wc -c <"$job/out")
    fi
    bytes=$((size - offset))
    [ "$bytes" -ge 0 ] || bytes=0
}

# Standing first, size second: what has ended prints no more.
settle
measure
while [ "$status" = running ] && [ "$bytes" -eq 0 ] && [ "$looks" -gt 0 ]; do
    sleep 0.2 2>/dev/null || sleep 1
    looks=$((looks - 1))
    settle
    measure
done
if [ "$bytes" -gt "$most" ]; then
    bytes=$most
    if [ "$most" -gt 0 ]; then
        status=running detail=-
    fi
fi
echo "lockkeeper-job $status $detail $bytes"
if [ "$bytes" -gt 0 ]; then
    tail -c "+$((offset + 1))" "$job/out" | head -c "$bytes"
fi
