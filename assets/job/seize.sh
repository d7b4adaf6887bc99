# Takes the lease from whoever has it, for an operator whose next session finds it then. Arguments: base directory, operator,
# and the session that has it, as it was shown: another that has come meanwhile is left alone.
# Prints `seized`, or `changed`.
set -eu
umask 077
base=$1 operator=$2 shown=$3
lease=$base/lease
[ -f "$lease" ] && [ ! -L "$lease" ] && [ "$(sed -n 1p "$lease")" = "$shown" ] || { echo changed; exit; }
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
from="$(sed -n 2p "$lease"), session $shown"
new=$base/.lease.seized.$$
trap 'rm -f "$new"' EXIT
printf '%s\n' - "$operator" "$now" "seized-$$-$now" - "$from" >"$new" || no_room "$base" 'the lease'
echo "$now taken over by $operator from $from" >>"$base/lease.log"
mv -f "$new" "$lease"
rm -f "$base/lease.renewed"
echo seized
