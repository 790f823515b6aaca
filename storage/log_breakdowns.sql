-- part: sum_groups
-- Numbers of the largest groups, and of all calls, from `members`: a call is there once for each of its groups, and
-- counts_once in one of them.
grouped AS MATERIALIZED (
    SELECT group_value, counts_once,
        -- each rollup_sum: coalesce(sum({value}) FILTER (WHERE {condition}), 0) AS {name}
        ,
        -- each packed_count: coalesce(string_agg({packed}, '') FILTER (WHERE {known}), '') AS {name}
    FROM members
    GROUP BY 1, 2
),
summed AS (
    SELECT false AS is_total, * FROM (
        SELECT group_value,
            -- each rollup_sum: sum({name}) AS {name}
            ,
            -- each packed_count: string_agg({name}, '') AS {name}
        FROM grouped
        GROUP BY 1
        ORDER BY sum(request_count) DESC, group_value
        LIMIT :row_limit::bigint
    ) AS largest
    UNION ALL
    SELECT true, '',
        -- each rollup_sum: sum({name})
        ,
        -- each packed_count: string_agg({name}, '')
    FROM grouped
    WHERE counts_once
    HAVING count(*) > 0
)
SELECT is_total, group_value,
    -- each rollup_sum: least({name}, 9223372036854775807)::bigint AS {name}
    ,
    -- each packed_count: {name}
FROM summed
ORDER BY is_total, summed.request_count DESC, group_value

-- part: in_window
project_id = :project_id::text AND start_time >= :start_time::timestamptz AND start_time < :end_time::timestamptz
AND
-- use: log_filter

-- name: break_down_by_column
-- A call is in the group of its value, which is '' where it has none.
WITH members AS NOT MATERIALIZED (
    SELECT *, 1 AS sign, true AS counts_once,
        CASE :group_by::text WHEN 'user' THEN user_id WHEN 'session' THEN session_id ELSE release END AS group_value
    FROM logs
    WHERE
    -- use: in_window
),
-- use: sum_groups

-- name: break_down_by_tag
-- A call is in the group of each of its tags, or of '' where it has none.
WITH members AS NOT MATERIALIZED (
    SELECT logs.*, 1 AS sign, tag.counts_once, tag.group_value
    FROM logs
    CROSS JOIN LATERAL (
        SELECT group_value, row_number() OVER () = 1 AS counts_once
        FROM (SELECT DISTINCT jsonb_array_elements_text(coalesce(tags, '[""]')) AS group_value) AS each_once
    ) AS tag
    WHERE
    -- use: in_window
),
-- use: sum_groups
