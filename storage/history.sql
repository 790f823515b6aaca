-- name: list_lake_files
-- Hours of a window of which the lake has all logs: as they are, or as they were when retention dropped them.
SELECT hour, row_count, size_bytes, exported_generation
FROM lake_hours
WHERE project_id = :project_id::text AND hour > :start::timestamptz - interval '1 hour' AND hour < :end::timestamptz
  AND exported_generation > 0
  AND (generation = exported_generation OR hour < (SELECT kept_from FROM retention))
ORDER BY hour

-- name: set_date_style
SELECT set_config('DateStyle', 'ISO', true)

-- name: copy_logs
-- Logs of ranges of time. Columns that are not asked for are NULL.
SELECT
    -- each lake_column: CASE WHEN '{name}' = ANY(:columns::text[]) THEN {value} END AS {name}
FROM unnest(:starts::timestamptz[], :ends::timestamptz[]) AS range (range_start, range_end)
JOIN logs ON start_time >= range_start AND start_time < range_end
WHERE project_id = :project_id::text
LIMIT :row_limit::bigint

-- name: count_changed_files
SELECT count(*) AS changed
FROM unnest(:hours::timestamptz[], :generations::bigint[]) AS read (hour, generation)
LEFT JOIN lake_hours AS h ON h.project_id = :project_id::text AND h.hour = read.hour
WHERE h.exported_generation IS DISTINCT FROM read.generation
