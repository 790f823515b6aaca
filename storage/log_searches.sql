-- part: in_key_range
-- The times alone are there for the planner: it prunes partitions by them, and not by pairs.
project_id = :project_id::text
  AND start_time >= :lower_time::timestamptz AND start_time <= :upper_time::timestamptz
  AND (start_time, log_id) >= (:lower_time::timestamptz, :lower_id::uuid)
  AND (start_time, log_id) < (:upper_time::timestamptz, :upper_id::uuid)

-- name: split_older
-- The key of the row with so many newer ones in the range.
SELECT start_time, log_id FROM logs
WHERE
  -- use: in_key_range
  AND (NOT :errors_only::boolean OR outcome = 'error')
ORDER BY start_time DESC, log_id DESC
OFFSET :row_count::bigint LIMIT 1

-- name: split_newer
-- The key of the row with so many older ones in the range.
SELECT start_time, log_id FROM logs
WHERE
  -- use: in_key_range
  AND (NOT :errors_only::boolean OR outcome = 'error')
ORDER BY start_time, log_id
OFFSET :row_count::bigint LIMIT 1

-- name: read_older
SELECT
    -- each log_column: {name}
FROM logs
WHERE
  -- use: in_key_range
  AND
  -- use: log_filter
ORDER BY start_time DESC, log_id DESC
LIMIT :row_limit::bigint

-- name: read_newer
SELECT
    -- each log_column: {name}
FROM logs
WHERE
  -- use: in_key_range
  AND
  -- use: log_filter
ORDER BY start_time, log_id
LIMIT :row_limit::bigint
