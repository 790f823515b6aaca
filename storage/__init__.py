"""Postgres: pool, queries (.sql beside .py), migrations. Knows neither gRPC nor protobuf.

columns         the columns of logs and the sums of rollups, declared once
copy_format     tuples in COPY's binary format
incoming        what is given to storage to write
log_writes      logs, written with rollups and ledger
logs            logs, read
repricing       prices of stored logs, changed with their rollups
rollups         sums and sketches by tiers of time, read
rollup_merges   what writers add to rollups, merged into the tiers
rollup_checks   rollups compared with the raw rows
log_filters     what lists of logs can be filtered by
log_searches    logs in slices, for lists and CSV
log_breakdowns  metrics by what only logs hold
log_deletion    logs of an environment, deleted with what they count
planning        how Postgres plans a transaction's queries
conversations   conversations and messages
ledger          what producers sent, and what became of it
dead_letters    what could not be stored
api_keys        projects and keys
partitions      day partitions, made ahead
migrate         versioned SQL, forward only
"""
