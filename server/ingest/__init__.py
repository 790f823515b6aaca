"""IngestService: batches of logs, checked and put into the queue."""
