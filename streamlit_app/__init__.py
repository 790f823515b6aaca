"""The dashboard. Speaks gRPC only."""
