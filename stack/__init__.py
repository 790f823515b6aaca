"""The one-command launcher: embedded Postgres and Valkey, every process of the product, one supervisor.

home        where data, logs and secrets lie
postgres    the only door to the embedded PostgreSQL
valkey      the only door to the embedded Valkey
processes   starting and ending processes, by id
supervisor  starts all, keeps it running, stops all
cli         the llm-observe command; dead_letters, ledger and keys are its larger parts
admin       the command's door to the running server
database    the command's door to the database
"""
