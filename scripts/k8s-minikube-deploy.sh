#!/usr/bin/env bash
# Runs the whole product on minikube: builds the images, makes the Secrets, applies k8s/overlays/minikube and waits.
# Run it again after a change: what is there stays, passwords and data included. See docs/deploy-kubernetes.md.
#   MINIKUBE_PROFILE=name   another cluster of minikube than `minikube`
#   SKIP_IMAGES=1           take the images that the cluster has
set -euo pipefail
cd "$(dirname "$0")/.."

export MINIKUBE_PROFILE=${MINIKUBE_PROFILE:-minikube}
namespace=llm-observe
hosts=(llm-observe.test grpc.llm-observe.test)

say() { printf '\n== %s\n' "$*"; }
kube() { kubectl --context "$MINIKUBE_PROFILE" "$@"; } # never the cluster that happens to be current
ours() { kube --namespace "$namespace" "$@"; }

for program in docker kubectl make minikube openssl; do
  command -v "$program" >/dev/null || { echo "$program is needed and not installed" >&2; exit 1; }
done

say "cluster"
# (Calico, because NetworkPolicies do nothing without a network plugin that knows them.)
minikube status >/dev/null 2>&1 || minikube start --cpus 4 --memory 7g --cni calico
minikube addons enable ingress
minikube addons enable metrics-server

if [ -z "${SKIP_IMAGES:-}" ]; then
  say "images"
  make images
  minikube image load --overwrite=true llm-observe-server:local
  minikube image load --overwrite=true llm-observe-app:local
fi

say "secrets"
private=$(mktemp -d)
trap 'rm -rf "$private"' EXIT
kube apply -f k8s/base/namespace.yaml --namespace "$namespace"
kube label namespace ingress-nginx llm-observe/gateway=true --overwrite
if ! ours get secret llm-observe >/dev/null 2>&1; then
  # (By files: a command line can be read by others. Letters and digits: a password stands in REDIS_URL.)
  for name in postgres-password valkey-password; do
    openssl rand -hex 24 | tr -d '\n' >"$private/$name"
  done
  ours create secret generic llm-observe \
    --from-file="$private/postgres-password" --from-file="$private/valkey-password"
fi
if ! ours get secret llm-observe-tls >/dev/null 2>&1; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj "/CN=${hosts[0]}" \
    -addext "subjectAltName=DNS:${hosts[0]},DNS:${hosts[1]}" \
    -keyout "$private/tls.key" -out "$private/tls.crt" 2>/dev/null
  ours create secret tls llm-observe-tls --cert="$private/tls.crt" --key="$private/tls.key"
fi

say "product"
ours delete job migrate --ignore-not-found # its template cannot be changed
kube apply -k k8s/overlays/minikube
if [ -z "${SKIP_IMAGES:-}" ]; then # a tag that names another image now
  ours rollout restart deployment/server deployment/worker deployment/scheduler deployment/app
fi
for name in statefulset/postgres statefulset/valkey; do
  ours rollout status "$name" --timeout 300s
done
ours wait --for=condition=complete job/migrate --timeout 600s
for name in server worker scheduler app; do
  ours rollout status "deployment/$name" --timeout 600s
done

cat <<END

LLM Observe runs in the namespace $namespace of $MINIKUBE_PROFILE

  dashboard   kubectl --context $MINIKUBE_PROFILE -n $namespace port-forward service/app 8501:80        http://127.0.0.1:8501
  gRPC        kubectl --context $MINIKUBE_PROFILE -n $namespace port-forward service/server 50051:50051
  fill it     kubectl --context $MINIKUBE_PROFILE -n $namespace exec deploy/server -- llm-observe demo-traffic
  by TLS      https://${hosts[0]} and ${hosts[1]}:443, once /etc/hosts names $(minikube ip) for both
  delete it   kubectl --context $MINIKUBE_PROFILE delete namespace $namespace                      with all data
END
