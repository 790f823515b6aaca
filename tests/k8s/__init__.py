"""Checks of the Kubernetes manifests, rendered, by schemas and rules; and of a cluster that runs them."""
