-- title: Lengths of sessions
-- answers: How many sessions have how many calls, how long they last, and what they cost.
-- column: calls_from BIGINT | Fewest calls of such a session; the next row says where it ends.
-- column: session_count BIGINT | Sessions.
-- column: session_share DOUBLE | Share of all sessions, from 0 to 1.
-- column: p50_duration_s DOUBLE | Median time from the first call to the beginning of the last one, in seconds.
-- column: average_cost_nano_usd DOUBLE | Average cost of sessions whose cost is known in part at least.
-- column: total_cost_nano_usd BIGINT | Cost, in billionths of a US dollar; null where no call's cost is known.
WITH grouped AS (
    SELECT session_id, min(start_time) AS first_time, max(start_time) AS last_time, count(*) AS calls,
        TRY_CAST(sum(cost_nano_usd) AS BIGINT) AS cost
    FROM logs
    GROUP BY session_id
),
timed AS (
    SELECT epoch(date_trunc('second', last_time)) - epoch(date_trunc('second', first_time)) AS duration_s, cost,
        CASE WHEN calls < 2 THEN 1 WHEN calls < 3 THEN 2 WHEN calls < 5 THEN 3 WHEN calls < 10 THEN 5
            WHEN calls < 20 THEN 10 WHEN calls < 50 THEN 20 WHEN calls < 100 THEN 50 WHEN calls < 200 THEN 100
            WHEN calls < 500 THEN 200 WHEN calls < 1000 THEN 500 ELSE 1000 END AS length_class
    FROM grouped
),
classes AS (
    SELECT CAST(length_class AS BIGINT) AS calls_from, count(*) AS session_count,
        quantile_cont(duration_s, 0.5) AS p50_duration_s, avg(cost) AS average_cost_nano_usd,
        TRY_CAST(sum(cost) AS BIGINT) AS total_cost_nano_usd
    FROM timed
    GROUP BY length_class
)
SELECT calls_from, session_count, session_count / sum(session_count) OVER () AS session_share, p50_duration_s,
    average_cost_nano_usd, total_cost_nano_usd
FROM classes
ORDER BY calls_from
