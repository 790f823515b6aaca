"""The gRPC services: ingest puts logs into the queue, reads goes through analytics and storage."""
