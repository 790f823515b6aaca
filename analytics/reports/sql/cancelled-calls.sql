-- title: Cancelled calls
-- answers: Which share of calls was cancelled, after how long, and what they had cost by then.
-- parameter: dimension dimension = model | What calls are grouped by.
-- parameter: limit integer = 50 (1 to 10000) | Groups to show, those with the largest share first.
-- column: value VARCHAR | Value of the dimension.
-- column: request_count BIGINT | Calls.
-- column: cancelled_count BIGINT | Cancelled calls.
-- column: cancelled_share DOUBLE | Share of calls that were cancelled, from 0 to 1.
-- column: p50_cancelled_us DOUBLE | Median time until they were cancelled, in microseconds; null where it is unknown.
-- column: before_first_token_count BIGINT | Those that were cancelled before any token came.
-- column: cancelled_output_tokens BIGINT | Tokens that they had written, where they are known.
-- column: cancelled_cost_nano_usd BIGINT | What they cost, in billionths of a US dollar; null where no cost is known.
WITH marked AS (
    SELECT {dimension} AS value, outcome = 'cancelled' AS cancelled, latency_us AS duration_us,
        time_to_first_token_us AS ttft_us, output_token_count AS tokens, cost_nano_usd AS cost
    FROM logs
),
grouped AS (
    SELECT value, count(*) AS request_count, count(CASE WHEN cancelled THEN 1 END) AS cancelled_count,
        quantile_cont(CASE WHEN cancelled THEN duration_us END, 0.5) AS p50_cancelled_us,
        count(CASE WHEN cancelled AND ttft_us IS NULL THEN 1 END) AS before_first_token_count,
        TRY_CAST(sum(CASE WHEN cancelled THEN tokens END) AS BIGINT) AS cancelled_output_tokens,
        TRY_CAST(sum(CASE WHEN cancelled THEN cost END) AS BIGINT) AS cancelled_cost_nano_usd
    FROM marked
    GROUP BY value
)
SELECT value, request_count, cancelled_count, cancelled_count / request_count AS cancelled_share, p50_cancelled_us,
    before_first_token_count, cancelled_output_tokens, cancelled_cost_nano_usd
FROM grouped
ORDER BY cancelled_share DESC, cancelled_count DESC, value
LIMIT $limit
