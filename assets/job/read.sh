# What stands in a file: `+` and the file, or `-` where there is none. Arguments: path, most bytes.
set -eu
if [ ! -e "$1" ]; then
    printf -- -
    exit 0
fi
if [ ! -f "$1" ]; then
    echo "$1 is not a file" >&2
    exit 1
fi
printf +
exec head -c "$2" -- "$1"
