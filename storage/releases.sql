-- name: sample_parts
-- The latest calls of each part of a window, counted by release. They are read by the primary key, newest first.
-- is_wanted tells whether they are of a chosen environment: others are counted, too, as they were read.
SELECT part.number, call.release, call.is_wanted, count(*) AS call_count, min(call.start_time) AS first_time
FROM unnest(:start_times::timestamptz[], :end_times::timestamptz[])
    WITH ORDINALITY AS part (start_time, end_time, number)
CROSS JOIN LATERAL (
    SELECT start_time, release,
        :environments::text[] IS NULL OR environment = ANY (:environments::text[]) AS is_wanted
    FROM logs
    WHERE project_id = :project_id::text AND start_time >= part.start_time AND start_time < part.end_time
    ORDER BY start_time DESC
    LIMIT :row_count::bigint
) AS call
GROUP BY 1, 2, 3
