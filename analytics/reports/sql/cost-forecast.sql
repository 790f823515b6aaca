-- title: Forecast of the month
-- answers: What the month in which the window ends will cost if it goes on as it has gone so far.
-- parameter: dimension dimension = all | What calls are grouped by.
-- parameter: limit integer = 50 (1 to 10000) | Groups to show, the dearest first.
-- column: value VARCHAR | Value of the dimension.
-- column: request_count BIGINT | Calls of the month, in UTC, that the window holds.
-- column: unpriced_count BIGINT | Calls whose cost is unknown, and which the sums leave out.
-- column: total_cost_nano_usd BIGINT | Cost of these calls, in billionths of a US dollar; null where none is known.
-- column: month_share DOUBLE | Share of the month that the window holds, from 0 to 1.
-- column: forecast_cost_nano_usd DOUBLE | The cost divided by this share.
WITH month AS (
    SELECT {dimension} AS value, count(*) AS request_count, count(cost_nano_usd) AS priced_count,
        TRY_CAST(sum(cost_nano_usd) AS BIGINT) AS total_cost_nano_usd
    FROM logs
    WHERE start_time >= $month_start
    GROUP BY value
)
SELECT value, request_count, request_count - priced_count AS unpriced_count, total_cost_nano_usd,
    CAST($month_share AS DOUBLE) AS month_share,
    total_cost_nano_usd / CAST($month_share AS DOUBLE) AS forecast_cost_nano_usd
FROM month
ORDER BY total_cost_nano_usd DESC NULLS LAST, request_count DESC, value
LIMIT $limit
