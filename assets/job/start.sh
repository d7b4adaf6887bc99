# Starts a job at most once. A job of that name that is known here, however it stands, is left alone.
# Arguments: name, seconds, launcher (auto, setsid), bytes of env, of script, of runner.
# Standard input: env, script and runner, one after the other.
set -eu
umask 077
name=$1 seconds=$2 launcher=$3 env=$4 script=$5 runner=$6
job=$base/jobs/$name
prove
mkdir -p "$base/jobs" || no_room "$base" 'a directory for jobs'
[ ! -e "$job" ] || exit 0

# Half a payload, from a connection that broke, must not become a job.
payload=$base/jobs/.payload.$name.$$
trap 'rm -f "$payload"' EXIT
cat >"$payload" || no_room "$base" "the job's script"
if [ "$(wc -c <"$payload")" -ne "$((env + script + runner))" ]; then
    echo "the job's script did not arrive whole" >&2
    exit 1
fi

prove
# Of all who try, one can make the directory.
mkdir "$job" 2>/dev/null || exit 0
unpack() {
    tail -c "+1" "$payload" | head -c "$env" >"$job/env" &&
        tail -c "+$((env + 1))" "$payload" | head -c "$script" >"$job/script" &&
        tail -c "+$((env + script + 1))" "$payload" >"$job/runner"
}
unpack || no_room "$base" "the job's script"

# However often the runner is launched, only one claims the job and runs. Older systemd has no --collect.
started=no
if [ "$launcher" = auto ] && [ -d /run/systemd/system ] && command -v systemd-run >/dev/null; then
    for collect in --collect ''; do
        if said=$(systemd-run --quiet $collect --unit="lockkeeper-$name" \
            sh "$job/runner" "$job" "$seconds" "$token" 2>&1 </dev/null); then
            started=yes
            break
        fi
        echo "systemd-run: $said" >&2
    done
fi
if [ "$started" = no ]; then
    setsid sh "$job/runner" "$job" "$seconds" "$token" </dev/null >/dev/null 2>&1 &
fi

tries=0
while [ ! -L "$job/claimed" ] && [ "$tries" -lt 50 ]; do
    sleep 0.1 2>/dev/null || sleep 1
    tries=$((tries + 1))
done
if [ ! -L "$job/claimed" ] && ln -s void "$job/claimed" 2>/dev/null; then
    rm -f "$job/env"
    echo 'the job did not start: neither systemd-run nor setsid brought its runner up' >&2
    exit 1
fi
# Somebody has asked what became of it before it had begun: it never will.
if [ "$(readlink "$job/claimed")" = void ]; then
    rm -f "$job/env"
fi
