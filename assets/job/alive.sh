# Tells whether the process that claimed a job still is. Stands before scripts that ask.

# The state, parent, session and start time of a process. Its name, in brackets before them, may hold anything.
look_at() {
    { IFS= read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    set -f
    # shellcheck disable=SC2086
    set -- ${stat##*) }
    set +f
    state=${1-} parent=${2-} session=${4-} since=${20-}
}

# The runner leads a session of its own: while any process of that session lives, so does the job.
# Arguments: process number and start time of the runner.
alive() {
    if look_at "$1"; then
        [ "$since" = "$2" ] || return 1
        [ "$state" = Z ] || return 0
    fi
    for process in /proc/[0-9]*; do
        if look_at "${process#/proc/}" && [ "$session" = "$1" ] && [ "$state" != Z ]; then
            return 0
        fi
    done
    return 1
}
