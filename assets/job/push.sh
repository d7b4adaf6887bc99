# Puts a file in its place, whole or not at all. Arguments: path, mode, bytes. Standard input: the content.
set -eu
prove
path=$1 mode=$2 bytes=$3
if [ -d "$path" ]; then
    echo "$path is a directory" >&2
    exit 1
fi
umask 022
mkdir -p "${path%/*}/" || no_room / "the directory of $path"
new=$path.lockkeeper.$$
trap 'rm -f "$new"' EXIT
umask 077
cat >"$new" || no_room "${path%/*}/" "$path"
if [ "$(wc -c <"$new")" -ne "$bytes" ]; then
    echo "$path did not arrive whole" >&2
    exit 1
fi
chmod "$mode" "$new"
sync "$new" 2>/dev/null || :
# It may have been under way for long.
prove
mv -f "$new" "$path"
