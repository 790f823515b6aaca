-- name: compare_tier
-- The rollups of a tier in a range, unmerged deltas added, beside what the raw rows say.
WITH raw AS (
    SELECT delta.project_id,
        date_bin(make_interval(mins => :tier::integer), minute, '1970-01-01 00:00+00') AS start_time,
        -- each rollup_dimension: CASE WHEN has_no_room THEN 'other' ELSE delta.{name} END AS {name}
        ,
        -- each rollup_sum: coalesce(sum({value}::numeric) FILTER (WHERE {condition}), 0) AS {name}
        ,
        -- each packed_count: coalesce(string_agg({packed}, '') FILTER (WHERE {known}), '') AS {name}
    FROM (
        SELECT l.*, 1 AS sign
        FROM logs AS l
        WHERE l.start_time >= :start::timestamptz AND l.start_time < :end::timestamptz
          AND date_trunc('hour', l.start_time, 'UTC') = date_trunc('hour', minute, 'UTC')
    ) AS delta
    -- use: counted_under
    GROUP BY 1, 2,
        -- each rollup_dimension: CASE WHEN has_no_room THEN 'other' ELSE delta.{name} END
),
kept AS (
    SELECT project_id, start_time,
        -- each rollup_dimension: {name}
        ,
        -- each rollup_sum: sum({name}) AS {name}
        ,
        -- each packed_count: string_agg({name}, '') AS {name}
    FROM (
        SELECT project_id, start_time,
            -- each rollup_dimension: {name}
            ,
            -- each rollup_sum: {name}
            ,
            -- each packed_count: {name}
        FROM rollups
        WHERE tier_minutes = :tier::smallint AND start_time >= :start::timestamptz AND start_time < :end::timestamptz
        UNION ALL
        SELECT delta.project_id,
            date_bin(make_interval(mins => :tier::integer), minute, '1970-01-01 00:00+00'),
            -- each rollup_dimension: CASE WHEN has_no_room THEN 'other' ELSE delta.{name} END
            ,
            -- each rollup_sum: delta.{name}
            ,
            -- each packed_count: delta.{name}
        FROM rollup_deltas AS delta
        -- use: counted_under
        WHERE minute >= :start::timestamptz AND minute < :end::timestamptz
    ) AS parts
    GROUP BY 1, 2,
        -- each rollup_dimension: {name}
)
SELECT project_id, start_time,
    -- each rollup_dimension: {name}
    , coalesce(r.request_count, 0) AS expected_count, coalesce(k.request_count, 0) AS rollup_count,
    (
        -- each rollup_sum: coalesce(r.{name}, 0)
    ) = (
        -- each rollup_sum: coalesce(k.{name}, 0)
    ) AS sums_agree,
    -- each packed_count: coalesce(r.{name}, '') AS expected_{name}
    ,
    -- each packed_count: coalesce(k.{name}, '') AS rollup_{name}
FROM raw AS r
FULL JOIN kept AS k USING (project_id, start_time, provider, model, operation, environment)
ORDER BY 1, 2, 3, 4, 5, 6
