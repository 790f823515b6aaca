-- title: Latency percentiles
-- answers: How long successful calls take, at the median and in the tail, by any dimension.
-- parameter: measure choice = latency (latency: latency_us, time_to_first_token: time_to_first_token_us) | The time that
--     is measured.
-- parameter: dimension dimension = model | What calls are grouped by.
-- parameter: limit integer = 50 (1 to 10000) | Groups to show, those with the most calls first.
-- column: value VARCHAR | Value of the dimension.
-- column: request_count BIGINT | Successful calls whose time is known.
-- column: average_us DOUBLE | Average, in microseconds.
-- column: p50_us DOUBLE | Median, in microseconds.
-- column: p90_us DOUBLE | 90th percentile, in microseconds; exact, interpolated between neighbours.
-- column: p95_us DOUBLE | 95th percentile, likewise.
-- column: p99_us DOUBLE | 99th percentile, likewise.
-- column: longest_us BIGINT | The longest, in microseconds.
WITH timed AS (
    SELECT {dimension} AS value, {measure} AS duration_us
    FROM logs
    WHERE outcome = 'success' AND {measure} IS NOT NULL
)
SELECT value, count(*) AS request_count, avg(duration_us) AS average_us,
    quantile_cont(duration_us, 0.5) AS p50_us, quantile_cont(duration_us, 0.9) AS p90_us,
    quantile_cont(duration_us, 0.95) AS p95_us, quantile_cont(duration_us, 0.99) AS p99_us,
    max(duration_us) AS longest_us
FROM timed
GROUP BY value
ORDER BY request_count DESC, value
LIMIT $limit
