"""Postgres: pool, queries (.sql beside .py), migrations. Knows neither gRPC nor protobuf.

columns         the columns of logs and the sums of rollups, declared once
copy_format     tuples in COPY's binary format
incoming        what is given to storage to write
log_writes      logs, written with rollups and ledger
logs            logs, read
repricing       prices of stored logs, changed with their rollups
rollups         hourly sums and sketches; read and verify
conversations   conversations and messages
ledger          what producers sent, and what became of it
dead_letters    what could not be stored
api_keys        projects and keys
partitions      day partitions, made ahead
migrate         versioned SQL, forward only
"""
