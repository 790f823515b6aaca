-- name: sum_rollups
-- Totals by step and group. Steps are counted from origin; the group is one rollup dimension or ''.
SELECT date_bin(:step::interval, hour, :origin::timestamptz) AS step_start,
    CASE :group_by::text WHEN 'provider' THEN provider WHEN 'model' THEN model
        WHEN 'operation' THEN operation WHEN 'environment' THEN environment ELSE '' END AS group_value,
    sum(request_count)::bigint AS request_count, sum(success_count)::bigint AS success_count,
    sum(error_count)::bigint AS error_count, sum(cancelled_count)::bigint AS cancelled_count,
    sum(priced_count)::bigint AS priced_count, sum(latency_count)::bigint AS latency_count,
    sum(ttft_count)::bigint AS ttft_count, sum(latency_us_sum) AS latency_us_sum,
    sum(ttft_us_sum) AS ttft_us_sum, sum(input_token_sum) AS input_token_sum,
    sum(output_token_sum) AS output_token_sum, sum(total_token_sum) AS total_token_sum,
    sum(cache_read_token_sum) AS cache_read_token_sum, sum(cache_write_token_sum) AS cache_write_token_sum,
    sum(reasoning_token_sum) AS reasoning_token_sum, sum(cost_nano_usd_sum) AS cost_nano_usd_sum
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
        count(*) AS request_count,
        count(*) FILTER (WHERE outcome = 'success') AS success_count,
        count(*) FILTER (WHERE outcome = 'error') AS error_count,
        count(*) FILTER (WHERE outcome = 'cancelled') AS cancelled_count,
        count(cost_nano_usd) AS priced_count, count(latency_bucket) AS latency_count,
        count(ttft_bucket) AS ttft_count,
        coalesce(sum(latency_us::numeric) FILTER (WHERE latency_bucket IS NOT NULL), 0) AS latency_us_sum,
        coalesce(sum(time_to_first_token_us::numeric) FILTER (WHERE ttft_bucket IS NOT NULL), 0) AS ttft_us_sum,
        coalesce(sum(input_token_count::numeric), 0) AS input_token_sum,
        coalesce(sum(output_token_count::numeric), 0) AS output_token_sum,
        coalesce(sum(total_token_count::numeric), 0) AS total_token_sum,
        coalesce(sum(cache_read_token_count::numeric), 0) AS cache_read_token_sum,
        coalesce(sum(cache_write_token_count::numeric), 0) AS cache_write_token_sum,
        coalesce(sum(reasoning_token_count::numeric), 0) AS reasoning_token_sum,
        coalesce(sum(cost_nano_usd::numeric), 0) AS cost_nano_usd_sum
    FROM (SELECT *, date_trunc('hour', start_time, 'UTC') AS true_hour FROM logs) AS l
    WHERE true_hour = hour AND hour >= (SELECT kept_from FROM retention)
    GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT project_id, hour, provider, model, operation, environment,
    coalesce(c.request_count, 0) AS expected_count, coalesce(r.request_count, 0) AS rollup_count
FROM recomputed AS c
FULL JOIN (SELECT * FROM hourly_rollups WHERE hour >= (SELECT kept_from FROM retention)) AS r
    USING (project_id, hour, provider, model, operation, environment)
WHERE (coalesce(c.request_count, 0), coalesce(c.success_count, 0), coalesce(c.error_count, 0),
       coalesce(c.cancelled_count, 0), coalesce(c.priced_count, 0), coalesce(c.latency_count, 0),
       coalesce(c.ttft_count, 0), coalesce(c.latency_us_sum, 0), coalesce(c.ttft_us_sum, 0),
       coalesce(c.input_token_sum, 0), coalesce(c.output_token_sum, 0), coalesce(c.total_token_sum, 0),
       coalesce(c.cache_read_token_sum, 0), coalesce(c.cache_write_token_sum, 0),
       coalesce(c.reasoning_token_sum, 0), coalesce(c.cost_nano_usd_sum, 0))
   <> (coalesce(r.request_count, 0), coalesce(r.success_count, 0), coalesce(r.error_count, 0),
       coalesce(r.cancelled_count, 0), coalesce(r.priced_count, 0), coalesce(r.latency_count, 0),
       coalesce(r.ttft_count, 0), coalesce(r.latency_us_sum, 0), coalesce(r.ttft_us_sum, 0),
       coalesce(r.input_token_sum, 0), coalesce(r.output_token_sum, 0), coalesce(r.total_token_sum, 0),
       coalesce(r.cache_read_token_sum, 0), coalesce(r.cache_write_token_sum, 0),
       coalesce(r.reasoning_token_sum, 0), coalesce(r.cost_nano_usd_sum, 0))
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
