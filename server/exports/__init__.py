"""The wing that queues exports to the lake; workers run them."""
