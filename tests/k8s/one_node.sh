#!/usr/bin/env bash
# Runs k8s/overlays/minikube on a real cluster of one node, of Kubernetes 1.20, where nothing newer can be had. Root.
#   K8S_VERIFY   folder with cluster/cluster.sh (up, down, in COMMAND...) and downgrade.py
#   CV_WORK      folder of the Docker Engine that has the images (made by `make test-compose`)
#   KBIN         folder with kube-apiserver, kubelet and so on
#   CRDS         folder with the definitions of custom resources
# What the cluster lacks is named in docs/deploy-kubernetes.md, and so is what was seen.
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${K8S_VERIFY:?}" "${CV_WORK:?}" "${KBIN:?}" "${CRDS:?}"
export ROOT=${ROOT:-$(mktemp -d)} KUBECTL=$PWD/.venv/bin/kubectl PATH=$PWD/.venv/bin:$PATH
namespace=llm-observe

say() { printf '== %s s: %s\n' "$SECONDS" "$*"; }
cluster() { "$K8S_VERIFY/cluster/cluster.sh" "$@"; }
kube() { cluster in kubectl "$@"; }
volume() { # NAME SIZE MODE
  install -d -m 777 "$ROOT/pv/$1"
  printf '{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv-%s}, spec: {capacity: {storage: %s}, %s, %s}}' \
    "$1" "$2" "accessModes: [$3]" "hostPath: {path: $ROOT/pv/$1}" | kube apply -f -
}

say "cluster"
# (A name that is none is NXDOMAIN, as in any cluster, so that the next of the search list is asked for.)
install -d "$ROOT/bin"
printf '#!/bin/sh\nexec %s --local=/cluster.local/ "$@"\n' "$(command -v dnsmasq || echo /usr/sbin/dnsmasq)" >"$ROOT/bin/dnsmasq"
chmod +x "$ROOT/bin/dnsmasq"
trap 'cluster down' EXIT
cluster up
kube version
volume lake 10Gi ReadWriteMany
volume backups 20Gi ReadWriteOnce
for file in "$CRDS"/*.yaml; do cat "$file"; echo ---; done | python "$K8S_VERIFY/downgrade.py" | kube create -f -

say "every object, and every mistake"
kube -n "$namespace" apply -f k8s/base/namespace.yaml
sleep 2 # until the new kinds are served
cluster in python -m tests.k8s.dry_run

say "product"
for name in postgres-password valkey-password; do
  openssl rand -hex 24 | tr -d '\n' >"$ROOT/$name"
done
kube -n "$namespace" create secret generic llm-observe \
  --from-file="$ROOT/postgres-password" --from-file="$ROOT/valkey-password"
kubectl kustomize k8s/overlays/minikube | python -m tests.k8s.older | kube apply -f -
cluster in python -m tests.k8s.check
say "as it is now"
kube -n "$namespace" get pods,hpa,pdb,pvc,cronjobs -o wide
