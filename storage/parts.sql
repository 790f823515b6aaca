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
