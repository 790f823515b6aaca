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
        ORDER BY sum(request_count) DESC, group_value COLLATE "C"
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
ORDER BY is_total, summed.request_count DESC, group_value COLLATE "C"

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

-- part: in_range
-- The bounds of all ranges keep Postgres from looking at partitions that have none.
project_id = :project_id::text AND start_time >= range_start AND start_time < range_end
AND start_time >= :start_time::timestamptz AND start_time < :end_time::timestamptz

-- part: ranges
-- Each is read by itself, off the key: the planner would rather read whole partitions. No column is read in vain.
unnest(:starts::timestamptz[], :ends::timestamptz[]) AS part (range_start, range_end)

-- name: count_groups_by_column
-- Requests of each group. One group too many tells that there are.
SELECT coalesce(array_agg(group_value), '{}') AS names, coalesce(array_agg(request_count), '{}') AS counts
FROM (
    SELECT group_value, count(*) AS request_count
    FROM
    -- use: ranges
    CROSS JOIN LATERAL (
        SELECT CASE :group_by::text WHEN 'user' THEN user_id WHEN 'session' THEN session_id ELSE release END AS group_value
        FROM logs WHERE
        -- use: in_range
        OFFSET 0
    ) AS log
    GROUP BY 1
    LIMIT :max_groups::bigint + 1
) AS counted

-- name: count_groups_by_tag
WITH tagged AS NOT MATERIALIZED (
    SELECT tags, count(*) AS log_count
    FROM
    -- use: ranges
    CROSS JOIN LATERAL (
        SELECT tags FROM logs WHERE
        -- use: in_range
        OFFSET 0
    ) AS log
    GROUP BY 1
)
SELECT coalesce(array_agg(group_value), '{}') AS names, coalesce(array_agg(request_count), '{}') AS counts
FROM (
    SELECT group_value, sum(log_count)::bigint AS request_count
    FROM tagged
    CROSS JOIN LATERAL (SELECT DISTINCT jsonb_array_elements_text(coalesce(tags, '[""]')) AS group_value) AS each_once
    GROUP BY 1
    LIMIT :max_groups::bigint + 1
) AS counted

-- part: log_numbers
-- What numbers are made of.
outcome, cost_nano_usd, latency_bucket, ttft_bucket, latency_us, time_to_first_token_us,
-- each token_count: {name}

-- name: sum_groups_by_column
-- Numbers of some groups.
WITH members AS NOT MATERIALIZED (
    SELECT log.*, 1 AS sign
    FROM
    -- use: ranges
    CROSS JOIN LATERAL (
        SELECT CASE :group_by::text WHEN 'user' THEN user_id WHEN 'session' THEN session_id ELSE release END AS group_value,
        -- use: log_numbers
        FROM logs WHERE
        -- use: in_range
        AND CASE :group_by::text WHEN 'user' THEN user_id WHEN 'session' THEN session_id ELSE release END = ANY (:groups::text[])
        OFFSET 0
    ) AS log
)
-- use: named_sums

-- name: sum_groups_by_tag
WITH members AS NOT MATERIALIZED (
    SELECT log.*, 1 AS sign, tag.group_value
    FROM
    -- use: ranges
    CROSS JOIN LATERAL (
        SELECT tags,
        -- use: log_numbers
        FROM logs WHERE
        -- use: in_range
        OFFSET 0
    ) AS log
    CROSS JOIN LATERAL (
        SELECT DISTINCT jsonb_array_elements_text(coalesce(tags, '[""]')) AS group_value
    ) AS tag
    WHERE tag.group_value = ANY (:groups::text[])
)
-- use: named_sums

-- part: named_sums
SELECT group_value,
    -- each rollup_sum: least(coalesce(sum({value}) FILTER (WHERE {condition}), 0), 9223372036854775807)::bigint AS {name}
    ,
    -- each sketch: coalesce(string_agg({packed}, '') FILTER (WHERE {known}), '') AS {name}
FROM members
GROUP BY 1
