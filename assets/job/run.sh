# Runs a job's script, once, away from whoever started it. Arguments: the job's directory, seconds, token of the lease.
dir=$1 seconds=$2 token=$3
cd "$dir" || exit 1

# One atomic step says that the job has begun and which process it is: after a reboot, or when a process number
# is used again, the boot id and the start time tell the difference.
IFS= read -r boot </proc/sys/kernel/random/boot_id
IFS= read -r stat <"/proc/$$/stat"
set -f
# shellcheck disable=SC2086
set -- ${stat##*) }
ln -s "$boot:$$:${20}" claimed 2>/dev/null || exit 0

# First claimed, then proved. Whoever takes the lease over looks for claimed jobs afterwards: either we see the new lease and
# run nothing, or they see us.
if [ "$(sed -n 4p ../../lease 2>/dev/null)" != "$token" ]; then
    : >fenced
    rm -f env
    exit 0
fi

exec </dev/null
umask 022
# A shell ends where a redirection of `exec` fails, and nobody would hear of it.
if ! { : >out && mkdir work; } 2>/dev/null; then
    ln -s 1 ended
    exit 1
fi
exec >out 2>&1
PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin
# A systemd unit has no HOME, and kubectl looks there.
HOME=${HOME:-/root}
LC_ALL=C
export PATH HOME LC_ALL
IFS=' .' read -r began _ </proc/uptime
status=0
# The variables may be secret: they are read once, and gone before the script begins.
(cd work && exec timeout -k 10 "$seconds" sh -c '. "$1/env"; rm -f "$1/env"; exec sh -eu "$1/script"' lockkeeper "$dir") || status=$?
IFS=' .' read -r ended _ </proc/uptime
# Whether a script that is out of time leaves 124, 137 or 143 depends on whose timeout it is and on the script.
if [ "$((ended - began))" -ge "$seconds" ]; then
    case $status in 124 | 137 | 143) status=124 ;; esac
fi

echo "$status" >exit.new
sync out exit.new 2>/dev/null || :
if [ -s exit.new ]; then
    mv exit.new exit
else
    # The disk is full. A link needs no room of its own.
    rm -f exit.new
    ln -s "$status" ended
fi
