"""The gRPC services. Takes logs to the queue (worker.queue), reads through analytics and storage."""
