# Takes the lease, unless somebody has it. Arguments: base directory, session, operator.
# Prints: `taken`, or `held` and three lines: whose session, who, since when.
set -eu
umask 077
lease=$1/lease session=$2 operator=$3
mkdir -p "$1"
new=$1/.lease.$session.$$
trap 'rm -f "$new"' EXIT
printf '%s\n%s\n%s\n' "$session" "$operator" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >"$new"
# A link is made or is not, and what it holds is there from the first moment.
if ln "$new" "$lease" 2>/dev/null; then
    echo taken
elif [ -f "$lease" ]; then
    if [ "$(head -n 1 "$lease")" = "$session" ]; then
        echo taken
    else
        echo held
        cat "$lease"
    fi
else
    ln "$new" "$lease"
    echo taken
fi
