# Every command on a host goes through this. It marks on standard error who it runs as, that the script began, and how
# it ended: without the last mark, the connection broke. What the script prints stands between two marks on standard output.
# A mark cannot be guessed, so that whatever the login itself prints is told apart.
# Arguments: mark, who (root, any, user; word: root, by the password that is the first line of standard input), seconds,
# script, and the script's own arguments.
mark=$1 who=$2 seconds=$3 script=$4
shift 4
paths='PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin
LC_ALL=C
export PATH LC_ALL'
eval "$paths"
say() { printf '\nlockkeeper %s: %s\n' "$mark" "$*" >&2; }
word=
if [ "$who" = word ]; then IFS= read -r word; fi
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
    begun="$paths
echo 'lockkeeper $mark: begun' >&2
echo 'lockkeeper $mark: begun'
$script"
    # Root can end what root has started, so the deadline stands inside of sudo, whose PATH may be another.
    if [ "$who" != word ] || [ -z "$become" ]; then
        $become "$timeout" -k 5 "$seconds" sh -c "$begun" lockkeeper "$@"
    elif printf '%s\n' "$word" | sudo -k -S -p '' true; then
        # It is right: sudo would take what follows a wrong one for more of them. One that it does not ask for goes, with the
        # line behind it, before the script reads. printf is the shell's own: no process has the word in its arguments.
        { printf '%s\n' "$word" "$mark" && exec cat; } |
            sudo -k -S -p '' "$timeout" -k 5 "$seconds" sh -c "while IFS= read -r line && [ \"\$line\" != $mark ]; do :; done
$begun" lockkeeper "$@"
    else
        false
    fi
    status=$?
    printf 'lockkeeper %s: ended\n' "$mark"
fi
say "ended $status"
