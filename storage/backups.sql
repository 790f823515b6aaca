-- name: list_tables
-- Tables of the product, each with its columns in order and the tables that its rows refer to. Partitions belong to theirs.
SELECT c.relname::text AS name,
       ARRAY(SELECT attname::text FROM pg_attribute
             WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum) AS columns,
       ARRAY(SELECT DISTINCT confrelid::regclass::text FROM pg_constraint
             WHERE conrelid = c.oid AND contype = 'f' AND confrelid <> c.oid) AS referenced
FROM pg_class AS c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY 1

-- name: list_days
-- UTC days that have a partition of logs.
SELECT to_date(right(relid::regclass::text, 8), 'YYYYMMDD') AS day
FROM pg_partition_tree(to_regclass('logs'))
WHERE relid::regclass::text ~ '^logs_\d{8}$'
ORDER BY 1

-- name: list_migrations
SELECT name, sha256 FROM schema_migrations ORDER BY name

-- name: list_lake_files
SELECT project_id, hour, sha256, hour >= (SELECT kept_from FROM retention) AS is_kept
FROM lake_hours
WHERE exported_generation > 0 AND row_count > 0
ORDER BY 1, 2

-- name: keep_erasures_out
SELECT pg_advisory_lock_shared(hashtext('llm_observe.erasure'))

-- name: make_days
SELECT make_day_partitions(day) FROM unnest(:days::date[]) AS day

-- name: set_sequence
-- The next number of an identity column comes after those that are there.
SELECT setval(pg_get_serial_sequence(:name::text, :column::text), :value::bigint)

-- name: list_identities
SELECT table_name::text AS name, column_name::text AS column
FROM information_schema.columns
WHERE table_schema = current_schema() AND is_identity = 'YES'

-- name: mark_lake_hours
-- The manifests of days are written again, and so are the files that are not those that Postgres knows.
UPDATE lake_hours AS h
SET manifest_generation = 0,
    generation = generation + CASE WHEN row_count > 0 AND hour >= (SELECT kept_from FROM retention) AND NOT EXISTS (
        SELECT FROM unnest(:project_ids::text[], :hours::timestamptz[], :digests::text[])
            AS file (project_id, hour, sha256)
        WHERE file.project_id = h.project_id AND file.hour = h.hour AND file.sha256 = h.sha256
    ) THEN 1 ELSE 0 END
WHERE exported_generation > 0
