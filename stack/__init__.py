"""The one-command launcher: embedded Postgres and Valkey, every process of the product, one supervisor.

data_dir    where data, logs and secrets are
embedded    PostgreSQL and Valkey from package wheels
processes   starting and stopping processes, by PID
readiness   whether the product is up
supervisor  starts everything, keeps it running, stops everything
cli         the llm-observe command, a module per subcommand
demo        demo traffic, and a mock of the providers
"""
