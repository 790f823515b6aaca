"""A log in all its forms: rules, batches, rows, and what reads them off the bytes.

Knows no gRPC, no Redis, no connection.
"""
