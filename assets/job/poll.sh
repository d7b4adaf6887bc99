# Says how a job stands, and hands over output. A job that has not begun never will after this.
# Arguments: base directory, name, offset, most bytes to hand over, how often to look for news before saying there is none.
# Prints: one line `lockkeeper-job STATUS DETAIL BYTES`, then that many bytes.
set -eu
umask 077
base=$1 job=$1/jobs/$2 offset=$3 most=$4 looks=$5

mkdir -p "$base/jobs" || no_room "${base%/*}/" "the directory $base"
mkdir "$job" 2>/dev/null || [ -d "$job" ] || no_room "$base" 'a directory for the job'
[ -L "$job/claimed" ] || ln -s void "$job/claimed" 2>/dev/null || [ -L "$job/claimed" ]
claimed=$(readlink "$job/claimed")
IFS= read -r boot </proc/sys/kernel/random/boot_id
rest=${claimed#*:}
pid=${rest%%:*}
start=${rest#*:}

exited() {
    if [ -s "$job/exit" ]; then
        IFS= read -r detail <"$job/exit"
    else
        detail=$(readlink "$job/ended") || { detail=- && return 1; }
    fi
    status=exited
}

# On the way down systemd says `stopping`, and shortly after it answers nobody any more (seen with systemd 252: the connection
# is reset, then refused).
going_down() {
    [ -d /run/systemd/system ] || return 1
    case $(systemctl is-system-running 2>&1) in
    stopping | *'Connection reset'* | *'Failed to connect to bus'* | *'Transport endpoint'*) return 0 ;;
    *) return 1 ;;
    esac
}

settle() {
    detail=-
    if [ "$claimed" = void ] || [ -e "$job/fenced" ]; then
        status=absent
    elif exited; then
        :
    elif [ "${claimed%%:*}" != "$boot" ]; then
        status=interrupted detail=rebooted
    elif alive "$pid" "$start"; then
        status=running
    elif exited; then
        :
    elif going_down; then
        # It has ended the job: the next boot will tell.
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
# Whatever kept the script from reading its variables: nobody will any more.
if [ "$status" != running ]; then
    rm -f "$job/env"
fi
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
