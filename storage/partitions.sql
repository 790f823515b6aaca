-- name: ensure_partitions
-- Serialised by an advisory lock, so that several workers may call it at once.
SELECT make_day_partitions(day::date)
FROM (SELECT pg_advisory_xact_lock(hashtext('llm_observe.partitions'))) AS locked,
     generate_series(:first_day::date, :last_day::date, interval '1 day') AS day

-- name: lock_days
-- In the order of drop_days_before, after what makes partitions.
SELECT pg_advisory_xact_lock(hashtext('llm_observe.partitions'))

-- name: lock_logs
LOCK TABLE log_keys, logs IN ACCESS EXCLUSIVE MODE

-- name: drop_days_before
SELECT drop_days_before(:first_day::date) AS dropped

-- name: forget_old_keys
WITH gone AS (
    DELETE FROM log_keys_default
    WHERE log_id IN (
        SELECT log_id FROM log_keys_default WHERE receive_time < :horizon ORDER BY receive_time LIMIT 5000
    )
    RETURNING 1
)
SELECT count(*) AS key_count FROM gone

-- name: set_lock_timeout
SELECT set_config('lock_timeout', '5s', true)

-- name: get_kept_from
SELECT kept_from FROM retention
