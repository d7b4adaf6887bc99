# Gives the lease back if it is this session's. Arguments: base directory, session.
set -eu
if [ -f "$1/lease" ] && [ "$(head -n 1 "$1/lease")" = "$2" ]; then
    rm -f "$1/lease"
fi
