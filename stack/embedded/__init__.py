"""PostgreSQL and Valkey from package wheels."""
