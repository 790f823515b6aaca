"""The queue between server and worker, in Redis Streams. All of the worker that the server may import."""
