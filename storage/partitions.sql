-- name: ensure_partitions
-- Serialised by an advisory lock, so that several workers may call it at once.
SELECT make_day_partitions(day::date)
FROM (SELECT pg_advisory_xact_lock(hashtext('llm_observe.partitions'))) AS locked,
     generate_series(:first_day::date, :last_day::date, interval '1 day') AS day
