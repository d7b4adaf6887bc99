# Every command on a host goes through this. It marks on standard error who it runs as, that the script began, and how
# it ended: without the last mark, the connection broke.
# Arguments: who (root, any, user), seconds, script, and the script's own arguments.
who=$1 seconds=$2 script=$3
shift 3
paths='PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin
LC_ALL=C
export PATH LC_ALL'
eval "$paths"
become=
if [ "$who" != user ] && [ "$(id -u)" != 0 ]; then
    become='sudo -n'
    if [ "$who" = any ] && ! sudo -n true </dev/null >/dev/null 2>&1; then
        become=
    fi
fi
printf '\nlockkeeper: user %s\n' "$(id -un)${become:+ sudo}" >&2
# Root can end what root has started, so the deadline stands inside of sudo.
$become timeout -k 5 "$seconds" sh -c "$paths
echo 'lockkeeper: begun' >&2
$script" lockkeeper "$@"
printf '\nlockkeeper: ended %s\n' "$?" >&2
