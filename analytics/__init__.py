"""The rules of the numbers: sketches, and the summing of rollups into metrics. No gRPC, no queue."""
