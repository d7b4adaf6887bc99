# What the guided inventory asks of a host, once: what it is, and what of a cluster runs there. It changes nothing.
# A line a finding: `user`, `hostname`, `system`, `manager`, `file` and its value; `process NAME`, and after it `arg` and
# `env` with the few that say where etcd answers and what the node is called. Nothing else of a process is printed.

export LC_ALL=C
PATH="$PATH:/usr/local/bin:/usr/local/sbin:/usr/sbin:/sbin:/opt/bin"

have() {
    command -v "$1" >/dev/null 2>&1
}

printf 'user %s\n' "$(id -u)"
printf 'hostname %s\n' "$(uname -n)"
sed -n 's/^PRETTY_NAME="*\([^"]*\)"*$/system \1/p' /etc/os-release 2>/dev/null
# An image-based system has no package manager that could take it to another version by itself.
if ! have rpm-ostree; then
    if have pacman; then
        echo 'manager pacman'
    elif have apt-get; then
        echo 'manager apt'
    elif have dnf; then
        echo 'manager dnf'
    fi
fi
for path in /etc/kubernetes/pki/etcd/healthcheck-client.crt /etc/kubernetes/pki/etcd/healthcheck-client.key; do
    [ ! -e "$path" ] || printf 'file %s\n' "$path"
done
for tool in timeout; do
    have "$tool" || printf 'missing %s\n' "$tool"
done

args='^--?(listen-client-urls|advertise-client-urls|trusted-ca-file|cert-file|key-file|hostname-override)(=|$)'
vars='^ETCD_(LISTEN_CLIENT_URLS|ADVERTISE_CLIENT_URLS|TRUSTED_CA_FILE|CERT_FILE|KEY_FILE)='
for process in /proc/[0-9]*; do
    name=
    { read -r name <"$process/comm"; } 2>/dev/null || continue
    case $name in
    etcd | etcd2 | kube-apiserver | kubelet | hyperkube) ;;
    *) continue ;;
    esac
    if [ "$name" = hyperkube ]; then
        name=$(tr '\0' '\n' <"$process/cmdline" 2>/dev/null | sed -n '2s/^\(kube-\)*apiserver$/kube-apiserver/p; 2s/^kubelet$/kubelet/p')
    fi
    printf 'process %s\n' "$name"
    tr '\0' '\n' <"$process/cmdline" 2>/dev/null | grep -E -A 1 -e "$args" | sed '/^--$/d; s/^/arg /'
    tr '\0' '\n' <"$process/environ" 2>/dev/null | grep -E -e "$vars" | sed 's/^/env /'
done
exit 0
