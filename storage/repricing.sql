-- name: list_parts
-- Projects and UTC days that have logs, oldest days first.
SELECT project_id, date_trunc('day', start_time, 'UTC') AS day, count(*) AS log_count
FROM logs
WHERE start_time >= coalesce(:first_day::date::timestamp AT TIME ZONE 'UTC', '-infinity')
  AND start_time < coalesce((:last_day::date + 1)::timestamp AT TIME ZONE 'UTC', 'infinity')
  AND (:project_id::text = '' OR project_id = :project_id::text)
GROUP BY 1, 2
ORDER BY 2, 1

-- name: page_logs
-- The next logs of a part, with what decides a price and what is stored of it.
SELECT log_id, start_time, receive_time, provider, model, service_tier, operation, response_model, input_token_count,
    output_token_count, cache_read_token_count, cache_write_token_count, cache_write_1h_token_count,
    audio_input_token_count, audio_output_token_count, cost_nano_usd, price_version
FROM logs
WHERE project_id = :project_id::text
  AND start_time >= :day::timestamptz AND start_time < :day::timestamptz + interval '24 hours'
  AND (start_time, log_id) > (coalesce(:after_time::timestamptz, '-infinity'), coalesce(:after_id::uuid, '00000000-0000-0000-0000-000000000000'))
ORDER BY start_time, log_id
LIMIT :row_limit::bigint

-- name: lock_writes
-- use: lock_writes

-- name: lock_keys
-- Waits for writers of these logs and keeps others from them: they lock keys in this order, too.
SELECT count(*) AS key_count
FROM (
    SELECT FROM log_keys WHERE log_id = ANY (:log_ids::uuid[]) ORDER BY log_id FOR NO KEY UPDATE
) AS locked

-- name: set_prices
-- Sets prices of logs that were not corrected since they were read, and adds the difference to the rollups. Nothing
-- but the cost differs, so that no packed count changes. A minute in which no cost does gets no delta.
WITH written AS (
    UPDATE logs
    SET cost_nano_usd = priced.cost, price_version = priced.version
    FROM unnest(:log_ids::uuid[], :start_times::timestamptz[], :receive_times::timestamptz[], :costs::bigint[],
                :versions::text[])
        AS priced (log_id, start_time, receive_time, cost, version)
    WHERE logs.project_id = :project_id::text AND logs.start_time = priced.start_time AND logs.log_id = priced.log_id
      AND logs.receive_time = priced.receive_time
      AND (logs.cost_nano_usd, logs.price_version) IS DISTINCT FROM (priced.cost, priced.version)
    RETURNING true AS replaced,
        -- each summed_column: old.{name} AS old_{name}
        ,
        -- each summed_column: new.{name}
),
-- use: contributions
-- use: mark_hours
added AS (
    -- use: add_deltas
    SELECT
        -- each rollup_key: {name}
        ,
        -- each rollup_sum: coalesce(sum(sign * {value}) FILTER (WHERE {condition}), 0)
        ,
        -- each packed_count: ''
    FROM contributions
    WHERE (project_id, minute) IN (
        SELECT project_id, minute FROM written WHERE old_cost_nano_usd IS DISTINCT FROM cost_nano_usd
    )
    GROUP BY
        -- each rollup_key: {name}
)
SELECT count(*) AS log_count,
       coalesce(sum(old_cost_nano_usd), 0) AS cost_before,
       coalesce(sum(cost_nano_usd), 0) AS cost_after
FROM written
