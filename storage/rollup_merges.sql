-- name: try_lock
-- One merger at a time.
SELECT pg_try_advisory_xact_lock(hashtext('llm_observe.rollup_merges')) AS locked

-- name: lock_merges
SELECT pg_advisory_xact_lock(hashtext('llm_observe.rollup_merges'))

-- name: find_last_delta
SELECT max(delta_id) AS delta_id, count(*) AS delta_count
FROM (SELECT delta_id FROM rollup_deltas ORDER BY delta_id LIMIT :row_limit::bigint) AS batch

-- name: open_groups
-- Where the batch brings more groups of an hour than there is room for, those that came first get a rollup, and the
-- hour is full from then on.
WITH came AS (
    SELECT project_id, date_trunc('hour', minute, 'UTC') AS hour,
        -- each rollup_dimension: {name}
        , min(delta_id) AS first_id
    FROM rollup_deltas
    WHERE delta_id <= :last_id::bigint
    GROUP BY 1, 2,
        -- each rollup_dimension: {name}
),
is_new AS (
    SELECT came.*
    FROM came
    LEFT JOIN overflow_hours AS o USING (project_id, hour)
    LEFT JOIN rollups AS k ON k.project_id = came.project_id AND k.tier_minutes = 60 AND k.start_time = came.hour
        AND k.provider = came.provider AND k.model = came.model AND k.operation = came.operation
        AND k.environment = came.environment
    WHERE o.hour IS NULL AND k.project_id IS NULL
),
hours AS (
    SELECT h.project_id, h.hour, count(r.project_id) AS opened
    FROM (SELECT DISTINCT project_id, hour FROM is_new) AS h
    LEFT JOIN rollups AS r ON r.project_id = h.project_id AND r.tier_minutes = 60 AND r.start_time = h.hour
    GROUP BY 1, 2
),
placed AS (
    SELECT *, row_number() OVER (PARTITION BY project_id, hour ORDER BY first_id,
            -- each rollup_dimension: {name}
        ) + opened AS place
    FROM is_new JOIN hours USING (project_id, hour)
),
full_hours AS (
    INSERT INTO overflow_hours (project_id, hour)
    SELECT DISTINCT project_id, hour FROM placed WHERE place > :max_groups::bigint
    ON CONFLICT DO NOTHING
    RETURNING project_id, hour
)
INSERT INTO rollups (
    project_id, tier_minutes, start_time,
    -- each rollup_dimension: {name}
    ,
    -- each rollup_sum: {name}
    ,
    -- each packed_count: {name}
)
SELECT project_id, 60, hour,
    -- each rollup_dimension: {name}
    ,
    -- each rollup_sum: 0
    ,
    -- each packed_count: ''
FROM placed JOIN full_hours USING (project_id, hour)
WHERE place <= :max_groups::bigint

-- name: merge_deltas
-- Takes deltas out and adds them to every tier, in one statement. Returns the rollups whose packed columns have grown
-- to more than twice what they need.
WITH taken AS (
    DELETE FROM rollup_deltas WHERE delta_id <= :last_id::bigint RETURNING *
),
counted AS (
    SELECT delta.project_id, delta.minute,
        -- each rollup_dimension: CASE WHEN has_no_room THEN 'other' ELSE delta.{name} END AS {name}
        ,
        -- each rollup_sum: delta.{name}
        ,
        -- each packed_count: delta.{name}
    FROM taken AS delta
    -- use: counted_under
),
added AS (
    INSERT INTO rollups AS r (
        project_id, tier_minutes, start_time,
        -- each rollup_dimension: {name}
        ,
        -- each rollup_sum: {name}
        ,
        -- each packed_count: {name}
    )
    SELECT project_id, tier_minutes,
        date_bin(make_interval(mins => tier_minutes), minute, '1970-01-01 00:00+00') AS tier_start,
        -- each rollup_dimension: {name}
        ,
        -- each rollup_sum: sum({name})
        ,
        -- each packed_count: string_agg({name}, '')
    FROM counted CROSS JOIN unnest(:tiers::smallint[]) AS tier_minutes
    WHERE tier_minutes > 1 OR minute >= (SELECT kept_from FROM minute_rollups_kept)
    GROUP BY project_id, tier_minutes, tier_start,
        -- each rollup_dimension: {name}
    ON CONFLICT (project_id, tier_minutes, start_time, provider, model, operation, environment) DO UPDATE SET
        -- each rollup_sum: {name} = r.{name} + excluded.{name}
        ,
        -- each packed_count: {name} = r.{name} || excluded.{name}
    RETURNING r.*
)
SELECT project_id, tier_minutes, start_time,
    -- each rollup_dimension: {name}
    ,
    -- each packed_count: {name}
FROM added
WHERE octet_length(latency_sketch) + octet_length(ttft_sketch) + octet_length(error_codes) > 2 * shortest_size + 64

-- name: shorten_packed_counts
UPDATE rollups AS r
SET
    -- each packed_count: {name} = shorter.{name}
    , shortest_size = octet_length(shorter.latency_sketch) + octet_length(shorter.ttft_sketch)
        + octet_length(shorter.error_codes)
FROM unnest(
    :project_ids::text[], :tiers::smallint[], :start_times::timestamptz[],
    -- each rollup_dimension: :{name}::text[]
    ,
    -- each packed_count: :{name}::bytea[]
) AS shorter (
    project_id, tier_minutes, start_time,
    -- each rollup_dimension: {name}
    ,
    -- each packed_count: {name}
)
WHERE r.project_id = shorter.project_id AND r.tier_minutes = shorter.tier_minutes
  AND r.start_time = shorter.start_time AND r.provider = shorter.provider AND r.model = shorter.model
  AND r.operation = shorter.operation AND r.environment = shorter.environment

-- name: keep_minutes_from
-- From now on readers ask for no minutes before a whole hour.
UPDATE minute_rollups_kept SET kept_from = :kept_from::timestamptz WHERE kept_from < :kept_from::timestamptz

-- name: forget_minutes
-- Drops some rollups of minutes that nobody reads.
WITH gone AS (
    DELETE FROM rollups
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM rollups
        WHERE tier_minutes = 1 AND start_time < (SELECT kept_from FROM minute_rollups_kept)
        LIMIT :row_limit::bigint
    ))
    RETURNING 1
)
SELECT count(*) AS forgotten FROM gone

-- name: is_dropped
SELECT 1 AS dropped FROM retention WHERE kept_from > :start::timestamptz

-- name: lock_writers
-- Waits for the transactions that write logs, and keeps others from beginning to.
LOCK TABLE log_keys IN SHARE MODE

-- name: forget_rollups
-- Forgets what was counted of a UTC day.
WITH deltas AS (
    DELETE FROM rollup_deltas WHERE minute >= :start::timestamptz AND minute < :end::timestamptz
),
hours AS (
    DELETE FROM overflow_hours WHERE hour >= :start::timestamptz AND hour < :end::timestamptz
)
DELETE FROM rollups WHERE start_time >= :start::timestamptz AND start_time < :end::timestamptz

-- name: count_again
-- Counts the raw rows of a UTC day, by hours where minutes are no longer kept.
-- use: add_deltas
SELECT project_id, counted_time,
    -- each rollup_dimension: {name}
    ,
    -- each rollup_sum: coalesce(sum({value}::numeric) FILTER (WHERE {condition}), 0)
    ,
    -- each packed_count: coalesce(string_agg({packed}, '') FILTER (WHERE {known}), '')
FROM logs
CROSS JOIN LATERAL (
    SELECT 1 AS sign, CASE WHEN minute >= (SELECT kept_from FROM minute_rollups_kept) THEN minute
                           ELSE date_trunc('hour', minute, 'UTC') END AS counted_time
) AS new
WHERE start_time >= :start::timestamptz AND start_time < :end::timestamptz
GROUP BY project_id, counted_time,
    -- each rollup_dimension: {name}

-- name: list_days
-- UTC days of which raw rows are kept and something is counted or stored.
SELECT DISTINCT date_trunc('day', time, 'UTC') AS day
FROM (
    SELECT start_time AS time FROM rollups WHERE tier_minutes = 1440
    UNION ALL SELECT minute FROM rollup_deltas
    UNION ALL SELECT start_time FROM logs
) AS counted
WHERE time >= (SELECT kept_from FROM retention)
ORDER BY 1
