#!/usr/bin/env bash
# ostree.sh LABDIR HOST VERSION: commits a tiny tree of that version on the host and deploys it there, so that a plain
# `ostree admin status` tells of it. The host itself goes on as it is: it has not booted from it. Prints the checksum.
# shellcheck disable=SC2016  # what stands in single quotes is expanded on the host
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

lab=$(lab_dir "$1")
# Without the flag deployments are immutable, in the layer on the machine's own disk too, and down.sh could not remove it.
ssh -F "$lab/ssh_config" -o LogLevel=ERROR "root@$2" "version=$3; export OSTREE_SYSROOT_DEBUG=mutable-deployments; "'
    set -eu
    [ -d /ostree/repo ] || {
        ostree admin init-fs --modern /
        ostree admin os-init lab
    } >/dev/null
    tree=$(mktemp -d)
    cd "$tree"
    mkdir -p boot dev proc run sys tmp var sysroot usr/etc usr/lib/modules/6.1.0-lab usr/bin usr/lib64
    ln -s sysroot/ostree ostree
    ln -s usr/bin usr/lib usr/lib64 .
    echo "not a kernel" >usr/lib/modules/6.1.0-lab/vmlinuz
    printf "ID=lab\nNAME=Lab\nVERSION_ID=%s\nPRETTY_NAME=\"Lab %s\"\n" "$version" "$version" >usr/lib/os-release
    ostree commit --repo=/ostree/repo --branch=lab/27 --add-metadata-string=version="$version" --tree=dir=. >/dev/null
    ostree admin deploy --os=lab lab/27 >/dev/null
    rm -r "$tree"
    ostree rev-parse --repo=/ostree/repo lab/27
' </dev/null
