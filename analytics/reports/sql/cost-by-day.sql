-- title: Cost by day
-- answers: What each UTC day cost, by user, model, or any other dimension.
-- parameter: dimension dimension = model | What calls are grouped by.
-- column: date DATE | UTC day.
-- column: value VARCHAR | Value of the dimension.
-- column: request_count BIGINT | Calls.
-- column: unpriced_count BIGINT | Calls whose cost is unknown, and which the sum leaves out.
-- column: total_cost_nano_usd BIGINT | Cost, in billionths of a US dollar; null where no call's cost is known.
SELECT date, {dimension} AS value, count(*) AS request_count, count(*) - count(cost_nano_usd) AS unpriced_count,
    TRY_CAST(sum(cost_nano_usd) AS BIGINT) AS total_cost_nano_usd
FROM logs
GROUP BY date, value
ORDER BY date, total_cost_nano_usd DESC NULLS LAST, value
