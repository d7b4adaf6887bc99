# Gives the lease back if it is still ours. Arguments: base directory, token.
set -eu
if [ -n "$2" ] && [ -f "$1/lease" ] && [ "$(sed -n 4p "$1/lease")" = "$2" ]; then
    rm -f "$1/lease" "$1/lease.renewed"
fi
