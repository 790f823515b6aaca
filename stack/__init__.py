"""The one-command launcher: embedded Postgres and Valkey, every process of the product, one supervisor.

data_dir    where data, logs and secrets are
embedded    PostgreSQL and Valkey from package wheels
processes   starting and stopping processes, by PID
readiness   whether the product is up
supervisor  starts everything, keeps it running, stops everything
process_settings  the settings of each process, checked before anything starts
diagnosis   whether this machine can run everything
cli         the llm-observe command, a module per subcommand
demo        demo traffic, and a mock of the providers
"""
