#!/usr/bin/env bash
# kube.sh DIR: a real Kubernetes 1.20.2 on this machine for capture-kube.sh: etcd, API server, controllers, scheduler, and
# three kubelets whose container runtime is a pretence (upstream's kubemark). Built in DIR from Debian's sources, which
# takes some minutes the first time; as root on Debian 12. Ends with what has to be exported. Stop it: kube.sh DIR down
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,4s/^# //p' "$0"; exit 2; }
# shellcheck source-path=SCRIPTDIR
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
mkdir -p "$1"
dir=$(cd "$1" && pwd)
run=$dir/run

down() {
    local pid
    for pid in "$run"/*.pid; do
        if [ -e "$pid" ]; then kill "$(cat "$pid")" 2>/dev/null || true; fi
    done
    rm -rf "$run"
}
if [ "${2:-}" = down ]; then
    down
    exit
fi

install() { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }

# apt-get with a sources list, what it reads of it and its caches all in DIR: nothing of it is left on the machine.
own_apt() {
    local apt=$dir/apt
    apt-get -qq -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" "$@"
}

# Debian's Kubernetes, put into DIR/src: the source, and the kubectl made of it.
download() {
    local from
    from="[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(debian_mirror bookworm) bookworm main"
    mkdir -p "$dir"/apt/{lists,cache}/partial "$dir/src"
    printf '%s\n' "deb $from" "deb-src $from" >"$dir/apt/sources.list"
    own_apt update
    (cd "$dir/src" && own_apt source --download-only kubernetes && own_apt download kubernetes-client)
}

build() {
    local source=$dir/go/src/k8s.io/kubernetes
    install golang-go dpkg-dev curl
    if [ ! -d "$source" ]; then
        download
        mkdir -p "$(dirname "$source")"
        (cd "$dir/src" && tar -xzf kubernetes_*.orig.tar.gz)
        # Without a place on this machine's PATH.
        (cd "$dir/src" && dpkg -x kubernetes-client_*.deb "$dir/kubectl")
        mv "$dir"/src/kubernetes-*/ "$source"
    fi
    cd "$source"
    export GO111MODULE=off GOPATH=$dir/go GOFLAGS=
    # The one generated file that the sources come without.
    go build -o "$dir/bin/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
    local packages
    packages=$(grep -rl --include=*.go '+k8s:openapi-gen=' pkg staging/src/k8s.io |
        grep -v 'code-generator\|testdata\|sample-' | xargs -n1 dirname | sort -u |
        sed 's#^staging/src/#k8s.io/kubernetes/vendor/#; s#^pkg/#k8s.io/kubernetes/pkg/#' | paste -sd,)
    "$dir/bin/openapi-gen" --go-header-file hack/boilerplate/boilerplate.generatego.txt -O zz_generated.openapi \
        --output-base "$dir/go/src" -p k8s.io/kubernetes/pkg/generated/openapi -i "$packages" -r "$dir/violations.txt"
    local flags='' program package
    for package in component-base/version client-go/pkg/version; do
        package=k8s.io/kubernetes/vendor/k8s.io/$package
        flags+=" -X $package.gitVersion=v1.20.2 -X $package.gitMajor=1 -X $package.gitMinor=20 -X $package.gitTreeState=clean"
    done
    for program in kube-apiserver kube-controller-manager kube-scheduler kubeadm kubelet kubemark; do
        go build -ldflags "$flags" -o "$dir/bin/$program" "./cmd/$program"
    done
    cd "$dir"
}
[ -x "$dir/bin/kubemark" ] || build
command -v etcd >/dev/null || install etcd-server

down
mkdir -p "$run/pki"
# start NAME COMMAND...
start() {
    local name=$1
    shift
    "$@" >"$run/$name.log" 2>&1 &
    echo $! >"$run/$name.pid"
}
# await WHAT COMMAND...: until it succeeds, for a minute.
await() {
    local what=$1 try
    shift
    for try in $(seq 120); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.5
    done
    echo "kube.sh: $what, after $((try / 2)) s; see $run/*.log" >&2
    exit 1
}

openssl genrsa -out "$run/pki/sa.key" 2048 2>/dev/null
openssl rsa -in "$run/pki/sa.key" -pubout -out "$run/pki/sa.pub" 2>/dev/null
token=$(openssl rand -hex 16)
(umask 077 && echo "$token,admin,admin,system:masters" >"$run/pki/tokens.csv")
start etcd etcd --data-dir "$run/etcd" --listen-client-urls http://127.0.0.1:23790 \
    --advertise-client-urls http://127.0.0.1:23790 --listen-peer-urls http://127.0.0.1:23800
start api "$dir/bin/kube-apiserver" --etcd-servers http://127.0.0.1:23790 --secure-port 16443 --cert-dir "$run/pki" \
    --service-account-key-file "$run/pki/sa.pub" --service-account-signing-key-file "$run/pki/sa.key" \
    --service-account-issuer https://kubernetes.default.svc --service-cluster-ip-range 10.96.0.0/16 \
    --token-auth-file "$run/pki/tokens.csv" --authorization-mode RBAC --disable-admission-plugins ServiceAccount
(umask 077 && cat >"$run/admin.conf") <<CONFIG
apiVersion: v1
kind: Config
clusters: [{name: lab, cluster: {server: https://127.0.0.1:16443, insecure-skip-tls-verify: true}}]
users: [{name: admin, user: {token: $token}}]
contexts: [{name: lab, context: {cluster: lab, user: admin}}]
current-context: lab
CONFIG
export KUBECONFIG=$run/admin.conf PATH=$dir/kubectl/usr/bin:$dir/bin:$PATH
await 'the API server does not answer' kubectl get --raw /healthz
start controllers kube-controller-manager --kubeconfig "$KUBECONFIG" --leader-elect=false --port 0 --cert-dir "$run/pki" \
    --service-account-private-key-file "$run/pki/sa.key"
start scheduler kube-scheduler --kubeconfig "$KUBECONFIG" --leader-elect=false --port 0 --cert-dir "$run/pki"
port=11250
for name in cp1 node1 node2; do
    port=$((port + 10))
    start "$name" kubemark --morph=kubelet --name="$name" --kubeconfig="$KUBECONFIG" --kubelet-port=$port \
        --kubelet-read-only-port=$((port + 1))
done
for name in cp1 node1 node2; do
    await "$name is not ready" kubectl wait --for=condition=Ready "node/$name" --timeout=1s
    # What kubeadm would have written there.
    kubectl annotate node "$name" kubeadm.alpha.kubernetes.io/cri-socket=unix:///run/containerd/containerd.sock >/dev/null
done
kubectl label node cp1 node-role.kubernetes.io/master= node-role.kubernetes.io/control-plane= >/dev/null
kubectl taint node cp1 node-role.kubernetes.io/master:NoSchedule >/dev/null
echo "export KUBECONFIG=$KUBECONFIG PATH=$dir/kubectl/usr/bin:$dir/bin:\$PATH"
