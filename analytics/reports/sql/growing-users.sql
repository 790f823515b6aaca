-- title: Top growing users
-- answers: Who calls, or spends, most more in the second half of the window than in the first.
-- parameter: dimension dimension = user | What calls are grouped by; those without a value are left out.
-- parameter: measure choice = calls (calls: 1, cost: cost_nano_usd, tokens: total_token_count) | What grows: calls, known cost
--     in billionths of a US dollar, or known tokens.
-- parameter: limit integer = 50 (1 to 10000) | Groups to show, those that grew most first.
-- column: value VARCHAR | Value of the dimension.
-- column: first_half BIGINT | The measure in the first half of the window; null where nothing is known.
-- column: second_half BIGINT | The measure in the second half.
-- column: growth BIGINT | The second less the first, where nothing known counts as 0.
-- column: growth_ratio DOUBLE | Growth by the first half, 0.1 for a tenth more; null where that is nothing.
WITH measured AS (
    SELECT {dimension} AS value,
        CASE WHEN start_time < $window_middle THEN {measure} END AS early,
        CASE WHEN start_time >= $window_middle THEN {measure} END AS late
    FROM logs
),
halves AS (
    SELECT value, TRY_CAST(sum(early) AS BIGINT) AS first_half, TRY_CAST(sum(late) AS BIGINT) AS second_half
    FROM measured
    WHERE value <> ''
    GROUP BY value
)
SELECT value, first_half, second_half, coalesce(second_half, 0) - coalesce(first_half, 0) AS growth,
    (coalesce(second_half, 0) - first_half) / nullif(first_half, 0) AS growth_ratio
FROM halves
ORDER BY growth DESC, value
LIMIT $limit
