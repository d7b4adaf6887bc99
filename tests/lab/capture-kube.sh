#!/usr/bin/env bash
# capture-kube.sh DIR: writes what a real kubectl and kubeadm print, as samples for the parsers, into ../fixtures/kube.
# Wants a fresh cluster (kube.sh DIR) and leaves it used. OTHER_KUBECTL may name a kubectl of another version to be asked too.
# Beside FILE: FILE.stderr if there was any, FILE.status if the command did not exit with 0.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
dir=$(cd "$1" && pwd)
out=$here/../fixtures/kube
mkdir -p "$out"
export KUBECONFIG=$dir/run/admin.conf PATH=$dir/kubectl/usr/bin:$dir/bin:$PATH

# take FILE COMMAND...
take() {
    local file=$out/$1 status=0
    shift
    "$@" >"$file" 2>"$file.stderr" </dev/null || status=$?
    rm -f "$file.status"
    [ -s "$file.stderr" ] || rm "$file.stderr"
    [ "$status" = 0 ] || echo "$status" >"$file.status"
}

# What the field manager wrote down is most of each object, and nothing that a probe reads.
lean() {
    "$@" | python3 -c 'import json, sys
body = json.load(sys.stdin)
for item in body["items"]:
    item["metadata"].pop("managedFields", None)
json.dump(body, sys.stdout, indent=1)
print()'
}

kubectl create namespace shop >/dev/null
for n in kube-system shop; do kubectl -n $n create serviceaccount default >/dev/null 2>&1 || true; done
kubectl apply -f - >/dev/null <<'OBJECTS'
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web:1}], terminationGracePeriodSeconds: 0}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cache, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: cache}}
  template:
    metadata: {labels: {app: cache}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: cache, image: cache:1, volumeMounts: [{name: data, mountPath: /data}]}]
      volumes: [{name: data, emptyDir: {}}]
---
apiVersion: v1
kind: Pod
metadata: {name: lonely, namespace: shop}
spec: {nodeName: node1, containers: [{name: lonely, image: lonely:1}], terminationGracePeriodSeconds: 0}
---
apiVersion: policy/v1beta1
kind: PodDisruptionBudget
metadata: {name: web, namespace: shop}
spec: {minAvailable: 2, selector: {matchLabels: {app: web}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: net, namespace: kube-system}
spec:
  selector: {matchLabels: {app: net}}
  template:
    metadata: {labels: {app: net}}
    spec:
      terminationGracePeriodSeconds: 0
      tolerations: [{operator: Exists}]
      containers: [{name: net, image: 'net:1'}]
OBJECTS
kubectl -n shop rollout status deployment/web deployment/cache --timeout=60s >/dev/null 2>&1 ||
    for name in web cache; do kubectl -n shop rollout status "deployment/$name" --timeout=60s >/dev/null; done
kubectl -n kube-system rollout status daemonset/net --timeout=60s >/dev/null
kubectl -n shop wait --for=condition=Ready pod/lonely --timeout=60s >/dev/null
# The budget is counted by a controller, which follows.
until [ "$(kubectl -n shop get pdb web -o jsonpath='{.status.expectedPods}')" = 2 ]; do sleep 0.5; done

all=(get 'pods,poddisruptionbudgets,daemonsets' --all-namespaces -o json)
samples() {
    local v
    v=$("$1" version --client -o json | sed -n 's/.*"gitVersion": "v\([0-9.]*\).*/\1/p')
    take "kubectl-$v-version.json" "$1" version -o json
    take "kubectl-$v-version-client.json" "$1" version --client -o json
    take "kubectl-$v-healthz.txt" "$1" get --raw /healthz
    take "kubectl-$v-nodes.json" lean "$1" get nodes -o json
    take "kubectl-$v-pods.json" lean "$1" "${all[@]}"
    take "kubectl-$v-no-such-node.txt" "$1" cordon nobody
    take "kubectl-$v-drain-refused.txt" "$1" drain node1 --ignore-daemonsets --timeout=5s
    take "kubectl-$v-drain-budget.txt" "$1" drain node1 --ignore-daemonsets --force "$2" --timeout=6s
    take "kubectl-$v-nodes-cordoned.json" lean "$1" get nodes -o json
    take "kubectl-$v-uncordon.txt" "$1" uncordon node1
    take "kubectl-$v-uncordon-again.txt" "$1" uncordon node1
    take "kubectl-$v-drain-unknown-flag.txt" "$1" drain node1 "--delete-everything"
    take "kubectl-$v-version-refused.json" "$1" --server=https://127.0.0.1:9 version -o json
    take "kubectl-$v-healthz-refused.txt" "$1" --server=https://127.0.0.1:9 get --raw /healthz
    kubectl apply -f - >/dev/null <<'LONELY'
apiVersion: v1
kind: Pod
metadata: {name: lonely, namespace: shop}
spec: {nodeName: node1, containers: [{name: lonely, image: 'lonely:1'}], terminationGracePeriodSeconds: 0}
LONELY
    kubectl -n shop wait --for=condition=Ready pod/lonely --timeout=60s >/dev/null
    kubectl -n shop rollout status deployment/cache --timeout=60s >/dev/null
}
samples kubectl --delete-emptydir-data
if [ -n "${OTHER_KUBECTL:-}" ]; then samples "$OTHER_KUBECTL" --delete-emptydir-data; fi

take kubeadm-1.20.2-version-short.txt kubeadm version -o short
take kubelet-1.20.2-version.txt kubelet --version
take kubeadm-1.20.2-upgrade-plan-no-config.txt kubeadm upgrade plan v1.21.0 --kubeconfig "$KUBECONFIG" --ignore-preflight-errors=all

# etcd goes, and the API server says so.
kill "$(cat "$dir/run/etcd.pid")"
until ! kubectl get --raw /healthz >/dev/null 2>&1; do sleep 0.5; done
take kubectl-1.20.2-healthz-no-etcd.txt kubectl get --raw /healthz
