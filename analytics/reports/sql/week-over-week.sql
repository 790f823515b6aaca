-- title: Week over week
-- answers: How calls, errors, latency and cost of each week differ from the week before.
-- parameter: dimension dimension = all | What calls are grouped by.
-- column: value VARCHAR | Value of the dimension.
-- column: week DATE | Monday of the week, in UTC. The first and the last one of a window may be incomplete.
-- column: day_count BIGINT | Days of the week that have calls.
-- column: request_count BIGINT | Calls.
-- column: request_change DOUBLE | Change of calls against the week before, 0.1 for a tenth more; null where that has none.
-- column: error_share DOUBLE | Share of calls that failed, from 0 to 1.
-- column: previous_error_share DOUBLE | The same of the week before; null where that has no calls.
-- column: average_latency_us DOUBLE | Average latency of successful calls, in microseconds.
-- column: latency_change DOUBLE | Its change against the week before; null where either is unknown.
-- column: total_cost_nano_usd BIGINT | Cost, in billionths of a US dollar; null where no call's cost is known.
-- column: cost_change DOUBLE | Its change against the week before; null where either is unknown.
WITH dated AS (
    SELECT {dimension} AS value, CAST(date_trunc('week', date) AS DATE) AS week, date AS day, outcome, cost_nano_usd,
        CASE WHEN outcome = 'success' THEN latency_us END AS success_latency_us
    FROM logs
),
weeks AS (
    SELECT value, week, CAST(week + INTERVAL '7' DAY AS DATE) AS next_week, count(DISTINCT day) AS day_count,
        count(*) AS request_count, count(CASE WHEN outcome = 'error' THEN 1 END) / count(*) AS error_share,
        avg(success_latency_us) AS average_latency_us, TRY_CAST(sum(cost_nano_usd) AS BIGINT) AS total_cost_nano_usd
    FROM dated
    GROUP BY value, week
)
SELECT this.value, this.week, this.day_count, this.request_count,
    this.request_count / before.request_count - 1 AS request_change,
    this.error_share, before.error_share AS previous_error_share, this.average_latency_us,
    this.average_latency_us / nullif(before.average_latency_us, 0) - 1 AS latency_change,
    this.total_cost_nano_usd, this.total_cost_nano_usd / nullif(before.total_cost_nano_usd, 0) - 1 AS cost_change
FROM weeks AS this
LEFT JOIN weeks AS before ON before.value = this.value AND before.next_week = this.week
ORDER BY this.value, this.week
