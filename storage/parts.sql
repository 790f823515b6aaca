-- part: counted_under
-- A group for which its project had no more room in that hour is counted under `other`. Aliases delta and k.
LEFT JOIN overflow_hours AS o
    ON o.project_id = delta.project_id AND o.hour = date_trunc('hour', delta.minute, 'UTC')
LEFT JOIN rollups AS k
    ON k.project_id = o.project_id AND k.tier_minutes = 60 AND k.start_time = o.hour AND k.provider = delta.provider
    AND k.model = delta.model AND k.operation = delta.operation AND k.environment = delta.environment
CROSS JOIN LATERAL (SELECT o.hour IS NOT NULL AND k.project_id IS NULL AS has_no_room) AS room

-- part: contributions
-- What rows add to the rollups, and what they added before.
contributions AS (
    SELECT 1 AS sign,
        -- each summed_column: {name}
    FROM written
    UNION ALL
    SELECT -1,
        -- each summed_column: old_{name}
    FROM written WHERE replaced
),

-- part: add_deltas
INSERT INTO rollup_deltas (
    -- each rollup_key: {name}
    ,
    -- each rollup_sum: {name}
    ,
    -- each packed_count: {name}
)

-- part: mark_hours
-- Tells the exporter that the sealed hours of these rows have changed (lake_hours): those in which they are counted, and
-- those in which they were. Every statement that changes logs has this part, over its CTE `contributions`. It locks them
-- after all rows of logs, in one order, so that writers of the same hours wait and do not deadlock. Hours that
-- are not sealed have no row here. (Arrays, so that Postgres looks rows up in the index however many it expects.)
touched AS (
    SELECT DISTINCT project_id, date_trunc('hour', minute, 'UTC') AS hour FROM contributions
),
marked AS (
    SELECT project_id, hour
    FROM lake_hours
    WHERE project_id = ANY (ARRAY(SELECT project_id FROM touched)) AND hour = ANY (ARRAY(SELECT hour FROM touched))
      AND (project_id, hour) IN (SELECT project_id, hour FROM touched)
    ORDER BY project_id, hour
    FOR NO KEY UPDATE
),
changed AS (
    UPDATE lake_hours SET generation = generation + 1
    WHERE project_id = ANY (ARRAY(SELECT project_id FROM marked)) AND hour = ANY (ARRAY(SELECT hour FROM marked))
      AND (project_id, hour) IN (SELECT project_id, hour FROM marked)
),

-- part: log_filter
-- The logs that a filter selects (storage/log_filters.py); NULL matches all.
(:providers::text[] IS NULL OR provider = ANY (:providers::text[]))
AND (:models::text[] IS NULL OR model = ANY (:models::text[]))
AND (:operations::text[] IS NULL OR operation = ANY (:operations::text[]))
AND (:environments::text[] IS NULL OR environment = ANY (:environments::text[]))
AND (:outcomes::text[] IS NULL OR outcome = ANY (:outcomes::text[]))
AND (:error_codes::text[] IS NULL OR error_code = ANY (:error_codes::text[]))
AND (:releases::text[] IS NULL OR release = ANY (:releases::text[]))
AND (:session_id::text IS NULL OR session_id = :session_id::text)
AND (:conversation_id::text IS NULL OR conversation_id = :conversation_id::text)
AND (:user_id::text IS NULL OR user_id = :user_id::text)
AND (:trace_id::text IS NULL OR trace_id = :trace_id::text AND trace_id <> '')
AND (:tags::jsonb IS NULL OR tags @> :tags::jsonb)
AND (:min_latency_us::bigint IS NULL OR latency_us >= :min_latency_us::bigint)
AND (:max_latency_us::bigint IS NULL OR latency_us <= :max_latency_us::bigint)
AND (:min_time_to_first_token_us::bigint IS NULL OR time_to_first_token_us >= :min_time_to_first_token_us::bigint)
AND (:max_time_to_first_token_us::bigint IS NULL OR time_to_first_token_us <= :max_time_to_first_token_us::bigint)
AND (:min_input_token_count::bigint IS NULL OR input_token_count >= :min_input_token_count::bigint)
AND (:max_input_token_count::bigint IS NULL OR input_token_count <= :max_input_token_count::bigint)
AND (:min_output_token_count::bigint IS NULL OR output_token_count >= :min_output_token_count::bigint)
AND (:max_output_token_count::bigint IS NULL OR output_token_count <= :max_output_token_count::bigint)
AND (:min_cost_nano_usd::bigint IS NULL OR cost_nano_usd >= :min_cost_nano_usd::bigint)
AND (:max_cost_nano_usd::bigint IS NULL OR cost_nano_usd <= :max_cost_nano_usd::bigint)
AND (:text::text IS NULL
     OR strpos(casefold(input_preview COLLATE pg_unicode_fast), casefold(:text::text COLLATE pg_unicode_fast)) > 0
     OR strpos(casefold(output_preview COLLATE pg_unicode_fast), casefold(:text::text COLLATE pg_unicode_fast)) > 0
     OR strpos(casefold(error_message COLLATE pg_unicode_fast), casefold(:text::text COLLATE pg_unicode_fast)) > 0)

-- part: lock_writes
-- Takes the lock on the table that writers take first: retention and `rollups rebuild` wait for it, and nobody deadlocks.
LOCK TABLE ONLY log_keys IN ROW EXCLUSIVE MODE
