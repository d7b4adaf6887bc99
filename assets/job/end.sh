# Ends a job as its deadline would: the `timeout` that its script runs under is told to, passes that on, and kills after 10 s
# what is left. What has ended, never began, or is of another boot is left alone. Argument: name.
set -eu
prove
job=$base/jobs/$1
claimed=$(readlink "$job/claimed") || exit 0
IFS= read -r boot </proc/sys/kernel/random/boot_id
over() {
    [ "$claimed" = void ] || [ "${claimed%%:*}" != "$boot" ] || [ -f "$job/exit.new" ] || [ -f "$job/exit" ] || [ -L "$job/ended" ]
}
if over; then
    exit 0
fi
rest=${claimed#*:}
pid=${rest%%:*}
start=${rest#*:}

# A process number may be used again: the start time tells. Of the runner's session only its own child counts the time.
told=no
if look_at "$pid" && [ "$since" = "$start" ]; then
    for process in /proc/[0-9]*; do
        number=${process#/proc/}
        if look_at "$number" && [ "$parent" = "$pid" ] && [ "$session" = "$pid" ] && kill -TERM "$number" 2>/dev/null; then
            told=yes
        fi
    done
fi
if [ "$told" = no ] && ! over; then
    echo 'the process that the script runs under is not there any more: look for what it started, on the host' >&2
    exit 1
fi
