-- part: rollups_read
-- The rollups of the ranges, and what is not merged into them yet.
ranges AS (
    SELECT *
    FROM unnest(:tiers::smallint[], :starts::timestamptz[], :ends::timestamptz[], :parts::smallint[])
        AS t (tier_minutes, range_start, range_end, part)
),
merged AS NOT MATERIALIZED (
    SELECT part, start_time,
        -- each rollup_dimension: {name}
        ,
        -- each rollup_sum: {name}
        ,
        -- each packed_count: {name}
    -- OFFSET 0 has each range read by itself, off the key: the planner would rather read the whole table once.
    FROM ranges CROSS JOIN LATERAL (
        SELECT *
        FROM rollups AS r
        WHERE r.project_id = :project_id::text AND r.tier_minutes = ranges.tier_minutes
          AND r.start_time >= range_start AND r.start_time < range_end
        OFFSET 0
    ) AS rollup
    UNION ALL
    SELECT part, minute,
        -- each rollup_dimension: CASE WHEN has_no_room THEN 'other' ELSE delta.{name} END
        ,
        -- each rollup_sum: delta.{name}
        ,
        -- each packed_count: delta.{name}
    FROM rollup_deltas AS delta
    JOIN ranges ON minute >= range_start AND minute < range_end
    -- use: counted_under
    WHERE delta.project_id = :project_id::text
),
found AS NOT MATERIALIZED (
    SELECT *,
        CASE :group_by::text WHEN 'provider' THEN provider WHEN 'model' THEN model WHEN 'operation' THEN operation
            WHEN 'environment' THEN environment ELSE '' END AS group_value
    FROM merged
    WHERE (:providers::text[] IS NULL OR provider = ANY (:providers::text[]))
      AND (:models::text[] IS NULL OR model = ANY (:models::text[]))
      AND (:operations::text[] IS NULL OR operation = ANY (:operations::text[]))
      AND (:environments::text[] IS NULL OR environment = ANY (:environments::text[]))
)

-- name: rank_groups
-- Groups, most requests first.
WITH
-- use: rollups_read
SELECT group_value AS value, sum(request_count)::bigint AS request_count
FROM found
GROUP BY 1
HAVING sum(request_count) <> 0
ORDER BY 2 DESC, 1
LIMIT :row_limit::bigint

-- name: count_facets
-- Requests by value of each dimension, the largest, and the error codes of all.
WITH
-- use: rollups_read
,
counted AS (
    SELECT CASE WHEN GROUPING(provider) = 0 THEN 'provider' WHEN GROUPING(model) = 0 THEN 'model'
                WHEN GROUPING(operation) = 0 THEN 'operation' WHEN GROUPING(environment) = 0 THEN 'environment'
                ELSE '' END AS dimension,
        coalesce(provider, model, operation, environment, '') AS value, sum(request_count)::bigint AS request_count,
        CASE WHEN GROUPING(provider, model, operation, environment) = 15 THEN string_agg(error_codes, '') END AS error_codes
    FROM found
    GROUP BY GROUPING SETS ((provider), (model), (operation), (environment), ())
    HAVING sum(request_count) <> 0
),
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY dimension ORDER BY request_count DESC, value) AS place FROM counted
)
SELECT dimension, value, request_count, error_codes
FROM ranked
WHERE place <= :row_limit::bigint
ORDER BY dimension, place

-- name: sum_rollups
-- Totals by part of the ranges, step and group, in no order: sorting megabytes would cost more than reading them.
-- Groups that are not named are the remainder. Steps are counted from 1970.
WITH
-- use: rollups_read
SELECT part, date_bin(:step::interval, start_time, '1970-01-01 00:00+00') AS step_start,
    group_value <> ALL (:groups::text[]) AS remainder,
    CASE WHEN group_value = ANY (:groups::text[]) THEN group_value ELSE '' END AS group_value,
    -- each rollup_sum: least(sum({name}), 9223372036854775807)::bigint AS {name}
    ,
    -- each packed_count: coalesce(string_agg({name}, '') FILTER (WHERE '{name}' = ANY (:packed::text[])), '') AS {name}
FROM found
GROUP BY 1, 2, 3, 4
HAVING sum(request_count) <> 0

-- name: count_overflow
-- Requests of the ranges that are counted under `other` for want of room.
WITH
-- use: rollups_read
SELECT coalesce(sum(request_count), 0)::bigint AS request_count
FROM found
WHERE (provider, model, operation, environment) = ('other', 'other', 'other', 'other')

-- name: begin_reading
-- From when on minutes are kept, and whether the project has opened too many groups since an hour before the start.
-- Packed counts of a window are joined in memory.
SELECT kept_from, EXISTS (
    SELECT FROM overflow_hours
    WHERE project_id = :project_id::text AND hour > :start::timestamptz - interval '1 hour'
) AS overflow
FROM minute_rollups_kept, set_config('work_mem', '64MB', true)

-- name: get_minutes_kept_from
SELECT kept_from FROM minute_rollups_kept

-- name: get_rollup_health
SELECT (SELECT min(create_time) FROM rollup_deltas) AS oldest_delta_time,
       (SELECT count(*) FROM overflow_hours WHERE hour >= :since::timestamptz) AS overflow_hour_count
