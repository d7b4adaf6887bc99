#!/usr/bin/env bash
# up.sh [--fresh|--keep] [--tls] [LABDIR]
# Three real hosts (systemd, sshd, etcd 3.4.23 as one cluster; 3.5.1 installed beside it) as nspawn containers.
#   --fresh  (default) new file systems and a new, empty cluster, whatever ran before, of whichever LABDIR
#   --keep   hosts that are up stay as they are; those that are not are booted with the disks they had
#   --tls    clients and peers of etcd speak TLS and must show a certificate (LABDIR/tls has the client's)
# Afterwards: ssh -F LABDIR/ssh_config lab1, and LABDIR/inventory.yaml for the wizard. LABDIR defaults to
# $LOCKKEEPER_LAB, then /var/tmp/lockkeeper-lab. Exit 77: this machine cannot run the lab.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR
. "$here/lib.sh"

fresh=yes
scheme=http
while [[ ${1:-} == -* ]]; do
    case $1 in
    --fresh) ;;
    --keep) fresh=no ;;
    --tls) scheme=https ;;
    *) die "usage: up.sh [--fresh|--keep] [--tls] [LABDIR]" ;;
    esac
    shift
done
lab=$(lab_dir "${1:-}")

need_machine() {
    [ "$(uname -sm)" = 'Linux x86_64' ] || skip 'needs Linux on x86_64 (the etcd binaries are built for it)'
    [ -n "$(cgroup_root)" ] || skip 'no cgroup2 file system is mounted'
    [ -w "$(dirname "$(cgroup_root)")" ] || skip "cannot write to cgroups at $(dirname "$(cgroup_root)")"
    grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null || skip 'this kernel has no overlayfs'
    unshare --mount true 2>/dev/null || skip 'not allowed to make namespaces'
}

# Installs what is missing where apt-get is there to do it; elsewhere says what is missing.
need_tools() {
    local -A package=([systemd-nspawn]=systemd-container [debootstrap]=debootstrap [ip]=iproute2
        [ssh]=openssh-client [ssh-keygen]=openssh-client [openssl]=openssl [curl]=curl [python3]=python3)
    local tool missing=()
    for tool in "${!package[@]}"; do
        command -v "$tool" >/dev/null || missing+=("${package[$tool]}")
    done
    python3 -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)
    ((${#missing[@]})) || return 0
    command -v apt-get >/dev/null || skip "missing, and no apt-get to install them: ${missing[*]}"
    say "installing ${missing[*]}"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}"; } >&2 9>&- ||
        die "cannot install ${missing[*]}, which apt-get should have: the lab could have been run here"
}

# Built beside and renamed, so that a broken build is never taken for a base; in a mount namespace of its
# own, so that no /proc of an interrupted debootstrap stays mounted in there.
need_base() {
    local recipe
    recipe=$(sha256sum <"$here/base.sh")
    [ -f "$lab/base.recipe" ] && [ "$(cat "$lab/base.recipe")" = "$recipe" ] && return
    stop_hosts
    fresh=yes
    rm -rf "$lab/base" "$lab/base.new" "$lab/base.recipe"
    unshare --mount --propagation private "$here/base.sh" "$lab/base.new" "$lab/base.log" 9>&-
    mv "$lab/base.new" "$lab/base"
    echo "$recipe" >"$lab/base.recipe"
}

# Client and host keys are made once per LABDIR; hosts keep theirs when their disks are made anew.
need_keys() {
    local name
    mkdir -p "$lab/keys"
    [ -f "$lab/id_ed25519" ] || ssh-keygen -q -t ed25519 -N '' -C lockkeeper-lab -f "$lab/id_ed25519"
    for name in "${hosts[@]}"; do
        [ -f "$lab/keys/$name" ] || ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$lab/keys/$name"
        echo "$name,$(address_of "$name") $(cut -d' ' -f1,2 "$lab/keys/$name.pub")"
    done >"$lab/known_hosts"
    {
        for name in "${hosts[@]}"; do
            printf 'Host %s %s\n    HostName %s\n' "$name" "$(address_of "$name")" "$(address_of "$name")"
        done
        cat <<SSH
Host *
    User core
    IdentityFile $lab/id_ed25519
    IdentitiesOnly yes
    UserKnownHostsFile $lab/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    BatchMode yes
    ConnectTimeout 5
SSH
    } >"$lab/ssh_config"
}

# An authority, a certificate for each member and one for clients; made once per LABDIR, beside and renamed.
need_certificates() {
    local name
    [ "$scheme" = http ] || [ -d "$lab/tls" ] || {
        say 'making certificates'
        rm -rf "$lab/tls.new"
        (umask 077; mkdir "$lab/tls.new")
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 3650 \
            -subj '/CN=lab authority' -keyout "$lab/tls.new/ca.key" -out "$lab/tls.new/ca.crt" 2>"$lab/tls.log"
        # A member is a client too: of its peers, and its gateway is one of itself.
        for name in "${hosts[@]}"; do
            sign "$name" "subjectAltName=DNS:$name,DNS:localhost,IP:127.0.0.1,IP:$(address_of "$name")" \
                'extendedKeyUsage=serverAuth,clientAuth'
        done
        sign client 'extendedKeyUsage=clientAuth'
        mv "$lab/tls.new" "$lab/tls"
    }
}

# sign NAME EXTENSION...
sign() {
    local name=$1 dir=$lab/tls.new
    shift
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -subj "/CN=$name" \
        -keyout "$dir/$name.key" 2>>"$lab/tls.log" |
        openssl x509 -req -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -days 3650 -extfile <(printf '%s\n' "$@") \
            -out "$dir/$name.crt" 2>>"$lab/tls.log"
}

need_bridge() {
    [ -d "/sys/class/net/$bridge" ] || ip link add "$bridge" type bridge || skip 'not allowed to make a bridge'
    ip link set "$bridge" alias "$lab" up
    ip address replace "$subnet.1/24" dev "$bridge"
}

# What makes the host itself, written into its layer over the base before it boots.
make_disk() {
    local name=$1 address etc=$lab/hosts/$1/upper/etc peers='' other
    address=$(address_of "$name")
    for other in "${hosts[@]}"; do peers+=${peers:+,}$other=$scheme://$(address_of "$other"):2380; done

    mkdir -p "$lab/hosts/$name"/{upper,work,root} "$etc"/{ssh,etcd,systemd/network}
    echo "$name" >"$etc/hostname"
    # Given, because an empty one means "first boot" to systemd, which then applies all presets.
    printf 'lockkeeper-lab %s' "$name" | md5sum | cut -d' ' -f1 >"$etc/machine-id"
    {
        echo '127.0.0.1 localhost'
        for other in "${hosts[@]}"; do echo "$(address_of "$other") $other"; done
    } >"$etc/hosts"
    install -m 0600 "$lab/keys/$name" "$etc/ssh/ssh_host_ed25519_key"
    install -m 0644 "$lab/keys/$name.pub" "$etc/ssh/ssh_host_ed25519_key.pub"
    install -m 0644 "$lab/id_ed25519.pub" "$etc/ssh/lab_authorized_keys"
    # Sorts before systemd's own 80-container-host0.network, which would ask for DHCP.
    cat >"$etc/systemd/network/10-host0.network" <<NETWORK
[Match]
Name=host0

[Network]
Address=$address/24
Gateway=$subnet.1
LinkLocalAddressing=no
IPv6AcceptRA=no
NETWORK
    cat >"$etc/etcd/etcd.conf" <<ETCD
ETCD_NAME=$name
ETCD_DATA_DIR=/var/lib/etcd
ETCD_LISTEN_CLIENT_URLS=$scheme://127.0.0.1:2379,$scheme://$address:2379
ETCD_ADVERTISE_CLIENT_URLS=$scheme://$address:2379
ETCD_LISTEN_PEER_URLS=$scheme://$address:2380
ETCD_INITIAL_ADVERTISE_PEER_URLS=$scheme://$address:2380
ETCD_INITIAL_CLUSTER=$peers
ETCD_INITIAL_CLUSTER_STATE=new
ETCD_INITIAL_CLUSTER_TOKEN=lab
ETCD_ENABLE_V2=true
ETCD
    [ "$scheme" = http ] || write_tls "$name" "$etc/etcd"
}

# The member's own key is for the user that etcd runs as; the client's, with which its host asks it, is for root.
write_tls() {
    local name=$1 etc=$2 owner
    owner=$(stat -c %u:%g "$lab/base/var/lib/etcd")
    install -d "$etc/tls"
    install -m 0644 -t "$etc/tls" "$lab"/tls/{ca,client}.crt
    install -m 0600 -t "$etc/tls" "$lab/tls/client.key"
    install -m 0644 "$lab/tls/$name.crt" "$etc/tls/member.crt"
    install -m 0600 -o "${owner%:*}" -g "${owner#*:}" "$lab/tls/$name.key" "$etc/tls/member.key"
    cat >>"$etc/etcd.conf" <<ETCD
ETCD_TRUSTED_CA_FILE=/etc/etcd/tls/ca.crt
ETCD_CERT_FILE=/etc/etcd/tls/member.crt
ETCD_KEY_FILE=/etc/etcd/tls/member.key
ETCD_CLIENT_CERT_AUTH=true
ETCD_PEER_TRUSTED_CA_FILE=/etc/etcd/tls/ca.crt
ETCD_PEER_CERT_FILE=/etc/etcd/tls/member.crt
ETCD_PEER_KEY_FILE=/etc/etcd/tls/member.key
ETCD_PEER_CLIENT_CERT_AUTH=true
ETCD
}

# In a session of its own: the hosts outlive this script, its terminal and its harness.
start_host() {
    setsid --fork unshare --mount --propagation private "$here/host.sh" "$lab" "$1" \
        </dev/null >>"$lab/hosts/$1/console.log" 2>&1 9>&-
    wait_until 10 is_up "$1" || die "$1 does not start, see $lab/hosts/$1/console.log"
}

on() { ssh -F "$lab/ssh_config" -o ConnectTimeout=1 "$@" </dev/null 2>/dev/null; }

answers_ssh() {
    local name
    for name in "${hosts[@]}"; do
        is_up "$name" || die "$name ended while booting, see $lab/hosts/$name/console.log"
        on "$name" true || return 1
    done
}

asks() {
    local identity=()
    [ "$scheme" = http ] || identity=(--cacert "$lab/tls/ca.crt" --cert "$lab/tls/client.crt" --key "$lab/tls/client.key")
    curl --silent --noproxy '*' --max-time 2 "${identity[@]}" "$scheme://$(address_of "$1"):2379/$2"
}

# Every member answers a linearised read, and the leader has agreed a cluster version with all of them:
# before that it stands at 3.0.0, which a test of a rolling upgrade would read as a cluster version.
cluster_settled() {
    local name
    for name in "${hosts[@]}"; do
        asks "$name" health | grep -q '"health":"true"' || return 1
        asks "$name" version | grep -q '"etcdcluster":"3\.[1-9]' || return 1
    done
}

write_inventory() {
    local name
    cat <<YAML
cluster: lab
ssh:
  user: core
  identity: $lab/id_ed25519
  known_hosts: $lab/known_hosts
vars:
  etcd_unit: etcd.service
  etcd_data_dir: /var/lib/etcd
  etcd_install: ln -sfn "/opt/etcd-\$target/etcd" /usr/local/bin/etcd && ln -sfn "/opt/etcd-\$target/etcdctl" /usr/local/bin/etcdctl
  etcd_uninstall: ln -sfn "/opt/etcd-\$previous/etcd" /usr/local/bin/etcd && ln -sfn "/opt/etcd-\$previous/etcdctl" /usr/local/bin/etcdctl
YAML
    [ "$scheme" = http ] || cat <<YAML
  etcd_endpoint: https://127.0.0.1:2379
  etcd_cacert: /etc/etcd/tls/ca.crt
  etcd_cert: /etc/etcd/tls/client.crt
  etcd_key: /etc/etcd/tls/client.key
YAML
    echo 'hosts:'
    for name in "${hosts[@]}"; do
        printf '  - name: %s\n    address: %s\n    roles: [etcd]\n' "$name" "$(address_of "$name")"
    done
}

[ "$(id -u)" = 0 ] || skip 'needs root (systemd-nspawn, a bridge)'
take_lock
need_machine
owner=$(lab_owner)
if [ -n "$owner" ] && [ "$owner" != "$lab" ]; then
    # There is one lab on a machine. A run that was cut off leaves it behind, and must not block the next.
    [ "$fresh" = yes ] || ! populated "$(cgroup_root)" || die "the hosts of $owner are up; first: down.sh $owner"
    say "taking over from $owner"
    stop_hosts
    ip link delete "$bridge"
fi
need_tools
mkdir -p "$lab"
need_base
need_keys

if [ "$fresh" = yes ]; then
    stop_hosts
    rm -rf "$lab/hosts"
elif [ -d "$lab/hosts" ]; then
    # Disks that are kept stay what they were made as, whatever was asked for.
    scheme=http
    [ ! -d "$lab/hosts/${hosts[0]}/upper/etc/etcd/tls" ] || scheme=https
fi
need_certificates
need_bridge
for name in "${hosts[@]}"; do
    if is_up "$name"; then continue; fi
    say "booting $name"
    [ -d "$lab/hosts/$name/upper" ] || make_disk "$name"
    start_host "$name"
done

wait_until 60 answers_ssh || die "no ssh to all hosts within a minute, see $lab/hosts/*/console.log"
say 'ssh answers on all hosts; waiting for the cluster'
wait_until 60 cluster_settled || die "etcd not healthy within a minute: ssh -F $lab/ssh_config lab1 journalctl -u etcd"
write_inventory >"$lab/inventory.yaml"
say "ready in ${SECONDS} s: $lab/inventory.yaml"
