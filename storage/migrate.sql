-- name: list_applied_migrations
SELECT name FROM schema_migrations;
