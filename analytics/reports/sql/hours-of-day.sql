-- title: Hours of the day
-- answers: At which hours of the day, in UTC, models are called, slow, or failing.
-- parameter: dimension dimension = model | What calls are grouped by.
-- column: value VARCHAR | Value of the dimension.
-- column: hour BIGINT | Hour of the day in UTC, from 0 to 23.
-- column: request_count BIGINT | Calls.
-- column: error_share DOUBLE | Share of calls that failed, from 0 to 1.
-- column: p50_latency_us DOUBLE | Median latency of successful calls, in microseconds.
-- column: p95_latency_us DOUBLE | 95th percentile, in microseconds.
-- column: total_cost_nano_usd BIGINT | Cost, in billionths of a US dollar; null where no call's cost is known.
WITH calls AS (
    SELECT {dimension} AS value, CAST(hour AS BIGINT) AS hour_of_day, outcome, cost_nano_usd AS cost,
        CASE WHEN outcome = 'success' THEN latency_us END AS duration_us
    FROM logs
)
SELECT value, hour_of_day AS hour, count(*) AS request_count,
    count(CASE WHEN outcome = 'error' THEN 1 END) / count(*) AS error_share,
    quantile_cont(duration_us, 0.5) AS p50_latency_us, quantile_cont(duration_us, 0.95) AS p95_latency_us,
    TRY_CAST(sum(cost) AS BIGINT) AS total_cost_nano_usd
FROM calls
GROUP BY value, hour_of_day
ORDER BY value, hour_of_day
