-- name: count_by_hour
SELECT date_trunc('hour', start_time, 'UTC') AS hour, count(*) AS log_count
FROM logs
WHERE project_id = :project_id::text AND environment = :environment::text
GROUP BY 1
ORDER BY 1

-- name: lock_writes
-- use: lock_writes

-- name: find_logs
SELECT array_agg(log_id) AS log_ids, array_agg(start_time) AS start_times
FROM (
    SELECT log_id, start_time
    FROM logs
    WHERE project_id = :project_id::text AND environment = :environment::text
      AND start_time >= :start::timestamptz AND start_time < :end::timestamptz
    LIMIT :row_limit::bigint
) AS batch

-- name: lock_keys
-- In the order of writers, which claim a log before they touch its row.
SELECT count(*) AS key_count
FROM (
    SELECT log_id FROM log_keys
    WHERE log_id = ANY (:log_ids::uuid[]) AND project_id = :project_id::text
    ORDER BY log_id
    FOR UPDATE
) AS locked

-- name: delete_logs
-- Deletes rows, takes what they added out of the rollups, and frees their ids. A row that a writer corrected or moved
-- since it was found stays unless it still matches.
WITH contributions AS (
    DELETE FROM logs
    USING unnest(:log_ids::uuid[], :start_times::timestamptz[]) AS found (log_id, start_time)
    WHERE logs.project_id = :project_id::text AND logs.environment = :environment::text
      AND logs.start_time >= :start::timestamptz AND logs.start_time < :end::timestamptz
      AND logs.start_time = found.start_time AND logs.log_id = found.log_id
    RETURNING logs.log_id, -1 AS sign,
        -- each summed_column: logs.{name}
),
freed AS (
    DELETE FROM log_keys
    WHERE log_id = ANY (:log_ids::uuid[]) AND project_id = :project_id::text
      AND log_id IN (SELECT log_id FROM contributions)
),
-- use: mark_hours
added AS (
    -- use: add_deltas
    SELECT
        -- each rollup_key: {name}
        ,
        -- each rollup_sum: coalesce(sum(sign * {value}) FILTER (WHERE {condition}), 0)
        ,
        -- each packed_count: coalesce(string_agg({packed}, '') FILTER (WHERE {known}), '')
    FROM contributions
    GROUP BY
        -- each rollup_key: {name}
)
SELECT count(*) AS log_count FROM contributions

-- name: forget_dropped_days
-- What is still counted of days whose rows retention has dropped.
WITH deltas AS (
    DELETE FROM rollup_deltas
    WHERE project_id = :project_id::text AND environment = :environment::text
      AND minute < (SELECT kept_from FROM retention)
)
DELETE FROM rollups
WHERE project_id = :project_id::text AND environment = :environment::text
  AND start_time < (SELECT kept_from FROM retention)
