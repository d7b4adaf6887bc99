# Lists what sessions have left here; changes nothing. Arguments: base directory, and where else copies lie.
# Prints `now SECONDS`, and one line each: kind (job, payload, copy), how it stands (`running`, `over`, or `-`), seconds of its
# last change, KiB, and its path. Names that no session of ours gives are left alone.
set -eu
base=$1
IFS= read -r boot </proc/sys/kernel/random/boot_id
echo "now $(date +%s)"

# Nothing is followed: neither a link in the place of a directory, nor one in it. When it changed is when its inode did, which
# nobody who copies with old times can set.
tell() {
    case ${3##*/} in *[!A-Za-z0-9._@:+-]*) return 0 ;; esac
    [ ! -L "$3" ] && [ -e "$3" ] || return 0
    at=$(find "$3" -exec stat -c %Z {} + 2>/dev/null | sort -n | tail -n 1)
    size=$(du -sk "$3" 2>/dev/null) || :
    echo "$1 $2 ${at:-0} ${size%%[!0-9]*} $3"
}

for job in "$base"/jobs/*; do
    standing=over
    if [ ! -f "$job/exit" ] && [ ! -L "$job/ended" ] && claimed=$(readlink "$job/claimed" 2>/dev/null); then
        rest=${claimed#*:}
        if [ "$claimed" != void ] && [ "${claimed%%:*}" = "$boot" ] && alive "${rest%%:*}" "${rest#*:}"; then
            standing=running
        fi
    fi
    tell job "$standing" "$job"
done
for payload in "$base"/jobs/.payload.*; do
    standing=over
    if kill -0 "${payload##*.}" 2>/dev/null; then standing=running; fi
    tell payload "$standing" "$payload"
done
for place in "$base/backups" "$2"; do
    [ -d "$place" ] && [ ! -L "$place" ] && [ -O "$place" ] || continue
    for copy in "$place"/*; do
        tell copy - "$copy"
    done
done
