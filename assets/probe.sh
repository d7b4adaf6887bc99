# The one read-only script that gathers facts. It runs with sh on every host, real or simulated, and changes nothing.
#
# Before it stand its parameters, one variable each: lk_units (words), lk_paths (lines), lk_journal (lines: unit, space,
# fixed text), lk_etcd (endpoint, or empty), lk_cacert lk_cert lk_key (files, or empty), lk_kubectl and lk_kubelet (yes,
# or empty).
#
# Every section is a line `@name status argument`, then what was printed, each line behind one space: no output can be
# taken for the head of a section. Every command has a deadline, so that the whole comes back however much hangs.

export LC_ALL=C
PATH="$PATH:/usr/local/bin:/usr/local/sbin:/usr/sbin:/sbin:/opt/bin"

# section NAME ARGUMENT COMMAND...: runs the command, remembers its status in lk_status.
section() {
    lk_name=$1
    lk_argument=$2
    shift 2
    lk_status=0
    lk_out=$("$@" 2>/dev/null) || lk_status=$?
    printf '@%s %s %s\n' "$lk_name" "$lk_status" "$lk_argument"
    if [ -n "$lk_out" ]; then
        printf '%s\n' "$lk_out" | sed 's/^/ /'
    fi
}

have() {
    command -v "$1" >/dev/null 2>&1
}

section os '' cat /etc/os-release
section boot-id '' cat /proc/sys/kernel/random/boot_id
section cmdline '' cat /proc/cmdline
section disks '' timeout 3 df -PkT / /boot

if [ -n "$lk_units" ]; then
    section units '' timeout 5 systemctl show -p Id,LoadState,ActiveState,SubState,UnitFileState,MainPID,NRestarts,FragmentPath,DropInPaths,Environment,NeedDaemonReload $lk_units
fi

printf '%s\n' "$lk_paths" | while IFS= read -r path; do
    if [ -n "$path" ]; then
        section stat "$path" timeout 3 stat -c '%F|%U|%a|%s' "$path"
        if [ "$lk_status" = 0 ]; then
            section fs "$path" timeout 3 df -PkT "$path"
            if [ -d "$path" ]; then
                section ls "$path" timeout 3 ls -A "$path"
            fi
        fi
    fi
done

ask() {
    if have curl; then
        if [ -n "$lk_cacert" ]; then
            timeout 4 curl -s --max-time 2 --cacert "$lk_cacert" ${lk_cert:+--cert "$lk_cert" --key "$lk_key"} "$lk_etcd$1"
        else
            timeout 4 curl -s --max-time 2 "$lk_etcd$1"
        fi
    elif have wget; then
        timeout 4 wget -q -T 2 -O - "$lk_etcd$1"
    else
        return 127
    fi
}

etcdctl3() {
    if [ -n "$lk_cacert" ]; then
        ETCDCTL_API=3 timeout 4 etcdctl --endpoints "$lk_etcd" --cacert "$lk_cacert" ${lk_cert:+--cert "$lk_cert" --key "$lk_key"} --command-timeout=3s "$@"
    else
        ETCDCTL_API=3 timeout 4 etcdctl --endpoints "$lk_etcd" --command-timeout=3s "$@"
    fi
}

on_disk() {
    if have etcd; then
        timeout 3 etcd --version
    else
        timeout 3 etcd2 --version
    fi
}

if [ -n "$lk_etcd" ]; then
    section etcd-on-disk '' on_disk
    section etcd-version '' ask /version
    # A member that does not tell its version tells nothing else, and waiting for that would take as long each time.
    if [ "$lk_status" = 0 ] || [ "$lk_status" = 127 ]; then
        section etcd-health '' ask /health
        section etcd-members '' ask /v2/members
        section etcd-self '' ask /v2/stats/self
        if have etcdctl; then
            case $(ETCDCTL_API=3 timeout 3 etcdctl version 2>/dev/null) in
            *'API version: 3'*)
                section etcd3-status '' etcdctl3 endpoint status -w json
                section etcd3-members '' etcdctl3 member list -w json
                section etcd3-alarms '' etcdctl3 alarm list
                ;;
            esac
        else
            section no-etcdctl '' true
        fi
    fi
fi

if [ -n "$lk_kubelet" ] && have kubelet; then
    section kubelet '' timeout 3 kubelet --version
fi

kube() {
    if [ -z "${KUBECONFIG:-}" ] && [ -r /etc/kubernetes/admin.conf ]; then
        KUBECONFIG=/etc/kubernetes/admin.conf timeout 6 kubectl --request-timeout=3s "$@"
    else
        timeout 6 kubectl --request-timeout=3s "$@"
    fi
}

if [ -n "$lk_kubectl" ] && have kubectl; then
    section kube-health '' kube get --raw /healthz
    if [ "$lk_status" = 0 ]; then
        section kube-version '' kube version -o json
        section kube-nodes '' kube get nodes -o json
    fi
fi

if have rpm-ostree; then
    section rpm-ostree '' timeout 5 rpm-ostree status --json
elif have ostree; then
    section ostree '' timeout 5 ostree admin status
fi

if have update_engine_client; then
    section update-engine '' timeout 3 update_engine_client -status
fi
strategy() {
    cat /usr/share/coreos/update.conf /etc/coreos/update.conf /usr/share/flatcar/update.conf /etc/flatcar/update.conf 2>/dev/null | grep '^REBOOT_STRATEGY='
}
section strategy '' strategy

journal() {
    timeout 5 journalctl -b -u "$1" -o cat --no-pager | grep -F -e "$2" | tail -n 20
}
printf '%s\n' "$lk_journal" | while IFS=' ' read -r unit text; do
    if [ -n "$text" ]; then
        section journal "$unit" journal "$unit" "$text"
    fi
done
printf '@end 0 \n'
