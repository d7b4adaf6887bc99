#!/usr/bin/env bash
# capture.sh [LABDIR]: writes what the real tools print, as samples for the parsers, into ../fixtures.
# Wants a fresh lab (up.sh) and leaves it used: members upgraded to 3.5.1, an alarm raised, a package removed.
# Beside FILE: FILE.stderr if there was any, FILE.status if the command did not exit with 0.
# shellcheck disable=SC2016  # what stands in single quotes is expanded on the host
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR
. "$here/lib.sh"

lab=$(lab_dir "${1:-}")
out=$here/../fixtures
mkdir -p "$out"/{etcd,host,ostree}

on() { ssh -F "$lab/ssh_config" -o LogLevel=ERROR "$@" </dev/null; }

# take FILE HOST COMMAND
take() {
    local file=$out/etcd/$1 status=0
    case $1 in */*) file=$out/$1 ;; esac
    on "$2" "$3" >"$file" 2>"$file.stderr" || status=$?
    rm -f "$file.status"
    [ -s "$file.stderr" ] || rm "$file.stderr"
    [ "$status" = 0 ] || echo "$status" >"$file.status"
}

endpoints=$(for name in "${hosts[@]}"; do printf ',http://%s:2379' "$(address_of "$name")"; done)
ctl="ETCDCTL_API=3 etcdctl --endpoints=${endpoints#,}"
ctl2='ETCDCTL_API=2 etcdctl'
local_get='curl --silent http://127.0.0.1:2379'
gateway() { printf "curl --silent -d '%s' http://127.0.0.1:2379/v3/%s" "${2:-{\}}" "$1"; }
alarms=$(gateway maintenance/alarm '{"action":"GET"}')
properties=$(grep -o 'Id,LoadState[A-Za-z,]*' "$here/../../assets/probe.sh")
show='systemctl show etcd.service -p Id,LoadState,ActiveState,SubState,UnitFileState,MainPID,FragmentPath,NRestarts'

healthy() { on lab1 "$ctl endpoint health" >/dev/null 2>&1; }
cluster_is() { on lab1 "$local_get/version" | grep -q "\"etcdcluster\":\"$1\""; }
leader() {
    local name
    for name in "${hosts[@]}"; do
        if on "$name" "$local_get/v2/stats/self" | grep -q '"state":"StateLeader"'; then echo "$name"; fi
    done
}

# What every version is asked while all is well, and with lab3 stopped.
samples() {
    local v=$1 lead name
    lead=$(leader)
    take "etcd-$v-version.json" lab1 "$local_get/version"
    take "etcd-$v-health.json" lab1 "$local_get/health"
    take "etcdctl-$v-version.txt" lab1 'etcdctl version'
    take "etcdctl-$v-endpoint-status.json" lab1 "$ctl endpoint status -w json"
    take "etcdctl-$v-member-list.json" lab1 "$ctl member list -w json"
    take "etcdctl-$v-endpoint-health.json" lab1 "$ctl endpoint health -w json"
    take "etcdctl-$v-alarm-list-none.txt" lab1 "$ctl alarm list"
    take "etcdctl-$v-alarm-list-none.json" lab1 "$ctl alarm list -w json"
    take "etcd-$v-gateway-members.json" lab1 "$(gateway cluster/member/list)"
    take "etcd-$v-gateway-alarms-none.json" lab1 "$alarms"
    on lab1 'ETCDCTL_API=3 etcdctl snapshot save /tmp/sample.db' >/dev/null 2>&1
    take "etcdctl-$v-snapshot-status.json" lab1 'ETCDCTL_API=3 etcdctl snapshot status /tmp/sample.db -w json'
    take "etcdctl-$v-v2-cluster-health.txt" lab1 "$ctl2 cluster-health"
    take "etcd-$v-v2-members.json" lab1 "$local_get/v2/members"
    take "etcd-$v-v2-stats-self-leader.json" "$lead" "$local_get/v2/stats/self"
    take "etcd-$v-gateway-status-leader.json" "$lead" "$(gateway maintenance/status)"
    for name in "${hosts[@]}"; do
        [ "$name" != "$lead" ] || continue
        take "etcd-$v-v2-stats-self-follower.json" "$name" "$local_get/v2/stats/self"
        take "etcd-$v-gateway-status-follower.json" "$name" "$(gateway maintenance/status)"
    done

    on lab3 sudo systemctl stop etcd
    # A new leader first, should the old one have been on lab3.
    wait_until 30 on lab1 "$local_get/health | grep -q true"
    take "etcdctl-$v-endpoint-status-one-stopped.json" lab1 "$ctl endpoint status -w json"
    take "etcdctl-$v-endpoint-health-one-stopped.json" lab1 "$ctl endpoint health -w json"
    take "etcdctl-$v-v2-cluster-health-one-stopped.txt" lab1 "$ctl2 cluster-health"
    take "etcd-$v-version-stopped.json" lab3 "$local_get/version"
    on lab2 sudo systemctl stop etcd
    wait_until 30 on lab1 "$local_get/health | grep -q false"
    take "etcd-$v-health-no-quorum.json" lab1 "$local_get/health"
    take "etcd-$v-gateway-status-no-quorum.json" lab1 "$(gateway maintenance/status)"
    take "etcdctl-$v-endpoint-health-no-quorum.json" lab1 "$ctl endpoint health -w json"
    take "etcdctl-$v-v2-cluster-health-no-quorum.txt" lab1 "$ctl2 cluster-health"
    on lab2 sudo systemctl start etcd
    on lab3 sudo systemctl start etcd
    wait_until 30 healthy
}

# Fills a small quota until the server itself raises the alarm.
alarm_samples() {
    local v=$1 name
    for name in "${hosts[@]}"; do
        on "$name" 'echo ETCD_QUOTA_BACKEND_BYTES=4194304 | sudo tee -a /etc/etcd/etcd.conf >/dev/null
            sudo systemctl restart etcd'
    done
    wait_until 30 healthy
    on lab1 'head -c 1000000 /dev/zero | tr "\0" x >/tmp/big
        for i in 1 2 3 4 5 6; do etcdctl put big$i </tmp/big; done' >/dev/null 2>&1 || true
    wait_until 30 on lab1 'etcdctl alarm list | grep -q NOSPACE'
    take "etcd-$v-health-nospace.json" lab1 "$local_get/health"
    take "etcd-$v-gateway-alarms-nospace.json" lab1 "$alarms"
    take "etcdctl-$v-alarm-list-nospace.txt" lab1 "$ctl alarm list"
    take "etcdctl-$v-alarm-list-nospace.json" lab1 "$ctl alarm list -w json"
    take "etcdctl-$v-endpoint-status-nospace.json" lab1 "$ctl endpoint status -w json"
    take "etcdctl-$v-endpoint-health-nospace.json" lab1 "$ctl endpoint health -w json"
}

switch_to() { # HOST VERSION
    on "$1" "for tool in etcd etcdctl; do sudo ln -sfn /opt/etcd-$2/\$tool /usr/local/bin/\$tool; done
        sudo systemctl restart etcd"
}

wait_until 10 healthy || die "no healthy lab in $lab; first: up.sh $lab"
cluster_is 3.4.0 || die 'the lab is not fresh (cluster version is not 3.4.0); first: up.sh'

say 'etcd 3.4.23'
on lab1 'for i in 1 2 3 4 5 6 7; do etcdctl put sample/$i value; done' >/dev/null # numbers worth parsing
take os-release-debian-12.txt lab1 'cat /etc/os-release'
take systemctl-252-show-active.txt lab1 "$show"
take systemctl-252-show-not-found.txt lab1 "${show/etcd.service/absent.service}"
samples 3.4.23
on lab1 sudo systemctl stop etcd
take systemctl-252-show-inactive.txt lab1 "$show"
# A value that etcd refuses: it exits with 1 each time, until systemd gives up.
on lab1 'sudo mkdir -p /run/systemd/system/etcd.service.d
    printf "[Service]\nEnvironment=ETCD_HEARTBEAT_INTERVAL=x\n" | sudo tee /run/systemd/system/etcd.service.d/bad.conf
    sudo systemctl daemon-reload; sudo systemctl start etcd' >/dev/null 2>&1 || true
# That state lasts a second, so the host itself waits for it.
take systemctl-252-show-restarting.txt lab1 \
    "until systemctl show etcd -p NRestarts,SubState | xargs | grep -q '=2 .*auto-restart'; do sleep 0.05; done; $show"
wait_until 30 on lab1 'systemctl is-failed --quiet etcd'
take systemctl-252-show-failed.txt lab1 "$show"
# All that the probe asks for, of units in three states.
take host/systemctl-252-show-several.txt lab1 "systemctl show -p $properties etcd.service ssh.service absent.service"
on lab1 'sudo rm -r /run/systemd/system/etcd.service.d; sudo systemctl daemon-reload
    sudo systemctl reset-failed etcd; sudo systemctl start etcd'
wait_until 30 healthy

say 'a rolling upgrade, the first member done'
switch_to lab1 3.5.1
wait_until 30 healthy
take etcd-3.5.1-version-mixed.json lab1 "$local_get/version"
take etcdctl-3.5.1-endpoint-status-mixed.json lab1 "$ctl endpoint status -w json"
take etcdctl-3.4.23-endpoint-status-mixed.json lab2 "$ctl endpoint status -w json"

say 'etcd 3.5.1'
switch_to lab2 3.5.1
switch_to lab3 3.5.1
wait_until 30 healthy
wait_until 30 cluster_is 3.5.0
samples 3.5.1
take etcdutl-3.5.1-snapshot-status.json lab1 '/opt/etcd-3.5.1/etcdutl snapshot status /tmp/sample.db -w json'
alarm_samples 3.5.1

say 'packages and certificates'
query="dpkg-query -W -f '\${db:Status-Abbrev}|\${Package} \${Version}\n'"
take host/dpkg-query-1.21-installed.txt lab1 "$query openssl"
take host/dpkg-query-1.21-absent.txt lab1 "$query etcd-server"
on lab1 'echo openssl hold | sudo dpkg --set-selections; sudo dpkg --force-depends --remove gpg-agent' >/dev/null 2>&1
take host/dpkg-query-1.21-held.txt lab1 "$query openssl"
take host/dpkg-query-1.21-removed.txt lab1 "$query gpg-agent"
# A day of one digit, which openssl pads with a space.
on lab1 'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -subj /CN=sample \
    -days $((($(date -d 2030-01-05 +%s) - $(date +%s)) / 86400)) -keyout /dev/null -out /tmp/sample.crt' >/dev/null 2>&1
take host/openssl-3.0-enddate.txt lab1 'openssl x509 -noout -enddate -in /tmp/sample.crt'
take host/openssl-3.0-enddate-no-certificate.txt lab1 'openssl x509 -noout -enddate -in /etc/hostname'

say 'ostree'
take ostree/ostree-2022.7-admin-status-no-sysroot.txt lab1 'sudo ostree admin status'
"$here/ostree.sh" "$lab" lab1 27.1 >/dev/null
take ostree/ostree-2022.7-admin-status-deployed.txt lab1 'sudo ostree admin status'
"$here/ostree.sh" "$lab" lab1 27.2 >/dev/null
take ostree/ostree-2022.7-admin-status-two.txt lab1 'sudo ostree admin status'
on lab1 'sudo ostree admin pin 1'
take ostree/ostree-2022.7-admin-status-pinned.txt lab1 'sudo ostree admin status'
# In the older deployment as its root, which is what being booted from it means to ostree.
in_deployment='cd $(ls -d /ostree/deploy/lab/deploy/*.0 | while read -r dir; do
        grep -q 27.1 $dir/usr/lib/os-release && echo $dir; done)
    mount --bind . . && cd $PWD && mount --rbind / sysroot && mount --bind /boot boot && mount --bind /usr usr && mount -t proc proc proc
    mount -t tmpfs tmpfs run && touch run/ostree-booted && chroot .'
take ostree/ostree-2022.7-admin-status-booted-and-pending.txt lab1 "sudo unshare --mount sh -c '$in_deployment ostree admin status'"
say "written to $(realpath "$out")"
