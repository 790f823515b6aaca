"""Shared by tests and benchmarks: running stores and processes, logs to send, and ways to wait."""
