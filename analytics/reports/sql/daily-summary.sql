-- title: Daily summary
-- answers: What each UTC day was like: calls, users, errors, latency, tokens and cost.
-- column: date DATE | UTC day.
-- column: request_count BIGINT | Calls.
-- column: user_count BIGINT | Users that called.
-- column: error_share DOUBLE | Share of calls that failed, from 0 to 1.
-- column: p50_latency_us DOUBLE | Median latency of successful calls, in microseconds.
-- column: p95_latency_us DOUBLE | 95th percentile, in microseconds.
-- column: input_tokens BIGINT | Input tokens, where they are known.
-- column: output_tokens BIGINT | Output tokens, where they are known.
-- column: unpriced_count BIGINT | Calls whose cost is unknown, and which the sum leaves out.
-- column: total_cost_nano_usd BIGINT | Cost, in billionths of a US dollar; null where no call's cost is known.
SELECT date, count(*) AS request_count, count(DISTINCT nullif(user_id, '')) AS user_count,
    count(CASE WHEN outcome = 'error' THEN 1 END) / count(*) AS error_share,
    quantile_cont(CASE WHEN outcome = 'success' THEN latency_us END, 0.5) AS p50_latency_us,
    quantile_cont(CASE WHEN outcome = 'success' THEN latency_us END, 0.95) AS p95_latency_us,
    TRY_CAST(sum(input_token_count) AS BIGINT) AS input_tokens,
    TRY_CAST(sum(output_token_count) AS BIGINT) AS output_tokens,
    count(*) - count(cost_nano_usd) AS unpriced_count, TRY_CAST(sum(cost_nano_usd) AS BIGINT) AS total_cost_nano_usd
FROM logs
GROUP BY date
ORDER BY date
