"""Taskiq tasks over Redis Streams.

queue       THE DOOR: what the server may use; LogQueue, queue_stats()
broker      Redis Streams with liveness, reclaim, delayed retries and ack-and-delete
allowance   how much may be given up in a minute
formatter   how a task lies in the queue
redis_url   from a URL to connections, also behind sentinels
coalescer   group commit, for the queue and for Postgres
live        the live tail, from worker to server
receiver    runs what the broker delivers and settles how it ended
reading     a batch's logs, redacted again and made rows
compiled    the same off the bytes, in Cython; may be absent
write_logs  the task: read, write, give up what cannot be written
app         composition root
schedule    what runs by the clock
"""
