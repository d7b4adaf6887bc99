# Every command on a host goes through this. It marks on standard error who it runs as, that the script began, and how
# it ended: without the last mark, the connection broke. What the script prints stands between two marks on standard output.
# A mark cannot be guessed, so that whatever the login itself prints is told apart.
# Arguments: mark, who (root, any, user), seconds, script, and the script's own arguments.
mark=$1 who=$2 seconds=$3 script=$4
shift 4
paths='PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin
LC_ALL=C
export PATH LC_ALL'
eval "$paths"
say() { printf '\nlockkeeper %s: %s\n' "$mark" "$*" >&2; }
become=
if [ "$who" != user ] && [ "$(id -u)" != 0 ]; then
    become='sudo -n'
    if [ "$who" = any ] && ! sudo -n true </dev/null >/dev/null 2>&1; then
        become=
    fi
fi
say "user $(id -un)${become:+ sudo}"
status=127
if [ -n "$become" ] && ! command -v sudo >/dev/null 2>&1; then
    say missing sudo
elif ! timeout=$(command -v timeout 2>/dev/null); then
    say missing timeout
else
    # Root can end what root has started, so the deadline stands inside of sudo, whose PATH may be another.
    $become "$timeout" -k 5 "$seconds" sh -c "$paths
echo 'lockkeeper $mark: begun' >&2
echo 'lockkeeper $mark: begun'
$script" lockkeeper "$@"
    status=$?
    printf 'lockkeeper %s: ended\n' "$mark"
fi
say "ended $status"
