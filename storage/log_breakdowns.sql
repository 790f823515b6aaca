-- name: break_down_logs
-- Numbers of the largest groups, and of all calls, from the logs themselves. A call is in one group, '' where it has
-- no value; by tag it is in several, but once in the total.
WITH grouped AS (
    SELECT is_total, group_value,
        -- each rollup_sum: coalesce(sum({value}) FILTER (WHERE {condition}), 0) AS {name}
        ,
        -- each packed_count: coalesce(string_agg({packed}, '') FILTER (WHERE {known}), '') AS {name}
    FROM logs
    CROSS JOIN (SELECT 1 AS sign) AS added
    CROSS JOIN LATERAL (
        SELECT true AS is_total, '' AS group_value
        UNION ALL
        SELECT false, CASE :group_by::text WHEN 'user' THEN user_id WHEN 'session' THEN session_id ELSE release END
        WHERE :group_by::text <> 'tag'
        UNION ALL
        SELECT DISTINCT false, tag
        FROM jsonb_array_elements_text(coalesce(tags, '[""]')) AS tag
        WHERE :group_by::text = 'tag'
    ) AS member
    WHERE project_id = :project_id::text
      AND start_time >= :start_time::timestamptz AND start_time < :end_time::timestamptz
      AND
      -- use: log_filter
    GROUP BY is_total, group_value
)
SELECT is_total, group_value,
    -- each rollup_sum: least({name}, 9223372036854775807)::bigint AS {name}
    ,
    -- each packed_count: {name}
FROM grouped
ORDER BY is_total DESC, grouped.request_count DESC, group_value
LIMIT :row_limit::bigint
