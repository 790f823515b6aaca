-- name: sum_rollups
-- Totals by step and group. Steps are counted from origin; the group is one rollup dimension or ''.
SELECT date_bin(:step::interval, hour, :origin::timestamptz) AS step_start,
    CASE :group_by::text WHEN 'provider' THEN provider WHEN 'model' THEN model
        WHEN 'operation' THEN operation WHEN 'environment' THEN environment ELSE '' END AS group_value,
    -- each rollup_sum: sum({name})::{type} AS {name}
FROM hourly_rollups
WHERE project_id = :project_id::text AND hour >= :start_hour::timestamptz AND hour < :end_hour::timestamptz
  AND (:providers::text[] IS NULL OR provider = ANY (:providers::text[]))
  AND (:models::text[] IS NULL OR model = ANY (:models::text[]))
  AND (:operations::text[] IS NULL OR operation = ANY (:operations::text[]))
  AND (:environments::text[] IS NULL OR environment = ANY (:environments::text[]))
GROUP BY 1, 2
HAVING sum(request_count) <> 0
ORDER BY 1, 2

-- name: sum_sketches
-- Merged sketch buckets by step and group, in the same terms as sum_rollups.
SELECT date_bin(:step::interval, hour, :origin::timestamptz) AS step_start,
    CASE :group_by::text WHEN 'provider' THEN provider WHEN 'model' THEN model
        WHEN 'operation' THEN operation WHEN 'environment' THEN environment ELSE '' END AS group_value,
    bucket, sum(s.latency_count)::bigint AS latency_count, sum(s.ttft_count)::bigint AS ttft_count
FROM hourly_rollups JOIN hourly_sketches AS s USING (rollup_id)
WHERE project_id = :project_id::text AND hour >= :start_hour::timestamptz AND hour < :end_hour::timestamptz
  AND (:providers::text[] IS NULL OR provider = ANY (:providers::text[]))
  AND (:models::text[] IS NULL OR model = ANY (:models::text[]))
  AND (:operations::text[] IS NULL OR operation = ANY (:operations::text[]))
  AND (:environments::text[] IS NULL OR environment = ANY (:environments::text[]))
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3

-- name: verify_rollups
-- Rollup rows that differ from what their raw rows say; those whose raw rows are gone are final. One statement, one snapshot: exact under load.
WITH recomputed AS (
    SELECT project_id, hour, provider, model, operation, environment,
        -- each rollup_sum: coalesce(sum({value}::numeric) FILTER (WHERE {condition}), 0) AS {name}
    FROM (SELECT *, date_trunc('hour', start_time, 'UTC') AS true_hour FROM logs) AS l
    WHERE true_hour = hour AND hour >= (SELECT kept_from FROM retention)
    GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT project_id, hour, provider, model, operation, environment,
    coalesce(c.request_count, 0) AS expected_count, coalesce(r.request_count, 0) AS rollup_count
FROM recomputed AS c
FULL JOIN (SELECT * FROM hourly_rollups WHERE hour >= (SELECT kept_from FROM retention)) AS r
    USING (project_id, hour, provider, model, operation, environment)
WHERE (
        -- each rollup_sum: coalesce(c.{name}, 0)
    ) <> (
        -- each rollup_sum: coalesce(r.{name}, 0)
    )
ORDER BY 1, 2, 3, 4, 5, 6

-- name: verify_sketches
-- Sketch buckets that differ from what the raw rows say.
WITH recomputed AS (
    SELECT rollup_id, bucket, sum(b.latency_count) AS latency_count, sum(b.ttft_count) AS ttft_count
    FROM logs
    JOIN hourly_rollups USING (project_id, hour, provider, model, operation, environment)
    CROSS JOIN LATERAL (VALUES (latency_bucket, 1, 0), (ttft_bucket, 0, 1)) AS b (bucket, latency_count, ttft_count)
    WHERE bucket IS NOT NULL AND hour >= (SELECT kept_from FROM retention)
    GROUP BY 1, 2
), kept AS (
    SELECT s.* FROM hourly_sketches AS s JOIN hourly_rollups USING (rollup_id)
    WHERE hour >= (SELECT kept_from FROM retention)
)
SELECT rollup_id, bucket
FROM recomputed AS c
FULL JOIN kept AS s USING (rollup_id, bucket)
WHERE coalesce(c.latency_count, 0) <> coalesce(s.latency_count, 0)
   OR coalesce(c.ttft_count, 0) <> coalesce(s.ttft_count, 0)
ORDER BY 1, 2
