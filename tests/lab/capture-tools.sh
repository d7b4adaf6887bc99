#!/usr/bin/env bash
# capture-tools.sh: writes what a real pacman, rpm and containerd print, as samples for the parsers, into ../fixtures/host.
# As root on Debian 12, on this machine, in a directory of its own: nothing is installed but the tools. CRICTL may name a
# crictl (kubernetes-sigs/cri-tools, `go build ./cmd/crictl`), which is then asked about that containerd.
# Beside FILE: FILE.stderr if there was any, FILE.status if the command did not exit with 0.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
out=$here/../fixtures/host
work=$(mktemp -d)
trap 'kill "$(cat "$work/containerd.pid" 2>/dev/null)" 2>/dev/null || true; rm -rf "$work"' EXIT

# take FILE COMMAND...
take() {
    local file=$out/$1 status=0
    shift
    "$@" >"$file" 2>"$file.stderr" </dev/null || status=$?
    rm -f "$file.status"
    sed -i "s#$work##g" "$file" "$file.stderr"
    [ -s "$file.stderr" ] || rm "$file.stderr"
    [ "$status" = 0 ] || echo "$status" >"$file.status"
}

DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends pacman-package-manager rpm libarchive-tools >/dev/null

# A package of pacman is an archive with a .PKGINFO.
mkdir -p "$work"/pacman/{root,db,cache}
for version in 1.11.1-1 1.12.1-1; do
    mkdir -p "$work/$version/usr/bin"
    echo "#!/bin/sh" >"$work/$version/usr/bin/kubelet"
    printf 'pkgname = kubernetes\npkgver = %s\npkgdesc = sample\nsize = 10\narch = any\n' "$version" >"$work/$version/.PKGINFO"
    (cd "$work/$version" && bsdtar -cJf "../kubernetes-$version-any.pkg.tar.xz" .PKGINFO usr)
done
pac() { pacman --root "$work/pacman/root" --dbpath "$work/pacman/db" --cachedir "$work/pacman/cache" --config /dev/null "$@"; }
v=$(pacman --version | sed -n 's/.*Pacman v\([0-9.]*\).*/\1/p')
take "pacman-$v-install.txt" pac -U --noconfirm "$work/kubernetes-1.11.1-1-any.pkg.tar.xz"
take "pacman-$v-installed.txt" pac -Q kubernetes
take "pacman-$v-absent.txt" pac -Q cri-o
take "pacman-$v-of-a-file.txt" pac -Qp "$work/kubernetes-1.12.1-1-any.pkg.tar.xz"
take "pacman-$v-no-such-file.txt" pac -Qp "$work/none.pkg.tar.xz"
take "pacman-$v-upgrade.txt" pac -U --noconfirm "$work/kubernetes-1.12.1-1-any.pkg.tar.xz"
take "pacman-$v-downgrade.txt" pac -U --noconfirm "$work/kubernetes-1.11.1-1-any.pkg.tar.xz"

mkdir -p "$work/rpm/db"
cat >"$work/kubelet.spec" <<'SPEC'
Name: kubelet
Version: 1.31.4
Release: 150500.1.1
Summary: sample
License: none
BuildArch: noarch
%description
sample
%files
SPEC
rpmbuild --quiet -bb --define "_topdir $work/rpm" "$work/kubelet.spec" >/dev/null 2>&1
rpm --dbpath "$work/rpm/db" --nodeps -i "$work"/rpm/RPMS/noarch/*.rpm
query=$(grep -o "rpm -q --qf '[^']*'" "$here/../../assets/probe.sh" | cut -d"'" -f2)
v=$(rpm --version | grep -o '[0-9.]*$')
take "rpm-$v-installed.txt" rpm --dbpath "$work/rpm/db" -q --qf "$query" kubelet
take "rpm-$v-absent.txt" rpm --dbpath "$work/rpm/db" -q --qf "$query" cri-o

(cd "$work" && apt-get download -qq containerd && dpkg -x containerd_*.deb tools) 2>/dev/null
v=$("$work/tools/usr/bin/containerd" --version | sed 's/.* \([0-9.]*\)~.*/\1/')
take "containerd-$v-version.txt" "$work/tools/usr/bin/containerd" --version
if [ -n "${CRICTL:-}" ]; then
    printf 'version = 2\nroot = "%s/root"\nstate = "%s/state"\n[grpc]\naddress = "%s/cri.sock"\n' "$work" "$work" "$work" >"$work/config.toml"
    "$work/tools/usr/bin/containerd" -c "$work/config.toml" >"$work/log" 2>&1 &
    echo $! >"$work/containerd.pid"
    until "$CRICTL" -r "unix://$work/cri.sock" version >/dev/null 2>&1; do sleep 0.2; done
    c=$("$CRICTL" --version | grep -o '[0-9.]*$')
    take "crictl-$c-program.txt" "$CRICTL" --version
    take "crictl-$c-version.txt" "$CRICTL" -r "unix://$work/cri.sock" version
    take "crictl-$c-version-no-socket.txt" "$CRICTL" -r "unix://$work/none.sock" version
fi
