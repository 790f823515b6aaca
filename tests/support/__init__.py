"""What tests and benchmarks share: running stores and processes, logs to send, and ways to wait."""
