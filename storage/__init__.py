"""Postgres: pool, queries (.sql beside .py), migrations. Knows neither gRPC nor protobuf.

logs            one row a call; claim, write, page
rollups         hourly sums and sketches; read and verify
conversations   conversations and messages
dead_letters    what could not be stored
partitions      day partitions, made ahead
migrate         versioned SQL, forward only
"""
