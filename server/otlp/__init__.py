"""OTLP in: traces, logs and metrics over gRPC and HTTP, as any application emits them."""
