-- name: get_log
SELECT
    -- each log_column: logs.{name}
FROM log_keys JOIN logs USING (project_id, start_time, log_id)
WHERE log_id = :log_id::uuid AND project_id = :project_id::text

-- name: list_trace
SELECT
    -- each log_column: {name}
FROM logs
WHERE project_id = :project_id::text AND trace_id = :trace_id::text AND trace_id <> ''
ORDER BY start_time, log_id
LIMIT :row_limit::bigint

-- name: count_logs
SELECT count(*) FROM logs WHERE project_id = :project_id::text
